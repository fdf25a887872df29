import { messageOf } from "../common/errors.ts";
import { nearest } from "../common/suggest.ts";
import { oneLine } from "../common/text.ts";
import { isDiskError } from "./artifact-error.ts";
import { type ClassFile, parseClassFile } from "./class-file.ts";
import type { ClassSeen, JarContent, MainFound } from "./inspect-jar.ts";
import { withJarFile } from "./jar-file.ts";

export type EntryClassFound =
  | { readonly kind: "found" }
  | { readonly kind: "missing"; readonly didYouMean?: string }
  /** It may be where nobody looked: in a nested jar, or beyond the names that were kept. */
  | { readonly kind: "cannot-tell"; readonly because: string };

/** Levenshtein distances are not free, and a decision asks in every pass. */
const MAX_COMPARED = 5000;
const MAX_CLASS_BYTES = 8 * 1024 * 1024;

/** Whether the jar holds the class, and if not, which one was probably meant. */
export function findEntryClass(jar: JarContent, entryClass: string): EntryClassFound {
  if (jar.classNames.has(entryClass)) return { kind: "found" };
  const meant = suggestClass(jar.classNames, entryClass);
  // A name that differs only in its letters' case is surely the slip, wherever else one could look.
  if (meant !== undefined && meant.toLowerCase() === entryClass.toLowerCase()) return { kind: "missing", didYouMean: meant };
  if (jar.hasNestedJars) return { kind: "cannot-tell", because: "the jar holds further jars under lib/" };
  if (!jar.complete) return { kind: "cannot-tell", because: "the jar holds too many classes to list" };
  return meant === undefined ? { kind: "missing" } : { kind: "missing", didYouMean: meant };
}

/** `entry class a.Topspeed is not in the jar; did you mean a.TopSpeed?`, or undefined when there is nothing to complain about. */
export function explainEntryClass(entryClass: string, found: EntryClassFound): string | undefined {
  switch (found.kind) {
    case "found":
    case "cannot-tell":
      return undefined;
    case "missing": {
      const hint = found.didYouMean === undefined ? "" : `; did you mean ${oneLine(found.didYouMean, 300)}?`;
      return `entry class ${oneLine(entryClass, 300)} is not in the jar${hint}`;
    }
    default:
      return found satisfies never;
  }
}

/** What speaks against running this class out of the jar, in one line; undefined when nothing is known to. */
export function whyNotRunnable(jar: JarContent, entryClass: string): string | undefined {
  const main = jar.classes.get(entryClass)?.main;
  if (main?.kind !== "no") return explainEntryClass(entryClass, findEntryClass(jar, entryClass));
  const other = jar.mainClassOfManifest;
  const hint = other === undefined || other === entryClass ? "" : `; the jar's manifest names ${oneLine(other, 300)}`;
  return `${main.because}${hint}`;
}

/** The same jar, with these classes looked into, and the one that its manifest names. What is known already is not read again. */
export async function inspectClasses(path: string, jar: JarContent, wanted: Iterable<string>): Promise<JarContent> {
  const missing = classesToInspect(jar, wanted);
  if (missing.size === 0) return jar;
  const found = new Map(jar.classes);
  await withJarFile(path, async (file) => {
    for await (const { name, entry } of file.entries()) {
      const className = missing.get(name);
      if (className === undefined) continue;
      found.set(className, await inspectClass(className, () => file.read(entry, MAX_CLASS_BYTES)));
      missing.delete(name);
      if (missing.size === 0) break;
    }
  });
  return { ...jar, classes: found };
}

/** Those that the jar holds and that were not looked into yet, by the names of their entries. */
export function classesToInspect(jar: JarContent, wanted: Iterable<string>): Map<string, string> {
  const { mainClassOfManifest } = jar;
  const all = [...wanted, ...(mainClassOfManifest === undefined ? [] : [mainClassOfManifest])];
  const missing = all.filter((className) => jar.classNames.has(className) && !jar.classes.has(className));
  return new Map(missing.map((className) => [`${className.replaceAll(".", "/")}.class`, className]));
}

async function inspectClass(className: string, read: () => Promise<Buffer | undefined>): Promise<ClassSeen> {
  try {
    const bytes = await read();
    if (bytes === undefined) throw new Error("it is too large or encrypted");
    const parsed = parseClassFile(bytes);
    return { main: decideMain(className, parsed), javaVersion: parsed.javaVersion };
  } catch (error) {
    if (isDiskError(error)) throw error;
    const because = `${className} cannot be read: ${oneLine(messageOf(error), 200)}`;
    return { main: { kind: "cannot-tell", because }, javaVersion: undefined };
  }
}

/** Whether the class has the `public static void main(String[])` that Flink calls; a class without one may inherit it. */
function decideMain(className: string, { methods, superclass }: ClassFile): MainFound {
  const mains = methods.filter(({ name, descriptor }) => name === "main" && descriptor === "([Ljava/lang/String;)V");
  if (mains.some(({ isPublic, isStatic }) => isPublic && isStatic)) return { kind: "yes" };
  if (mains.length > 0) return { kind: "no", because: `main(String[]) of ${className} is not public static` };
  if (superclass === undefined || superclass === "java.lang.Object") {
    return { kind: "no", because: `${className} has no public static void main(String[])` };
  }
  return { kind: "cannot-tell", because: `${className} may inherit main from ${oneLine(superclass, 300)}` };
}

/** The same letters in another case; else a near name in the same package; else the same name in the nearest package; else what is nearest of all. */
function suggestClass(classNames: ReadonlySet<string>, word: string): string | undefined {
  const wanted = word.toLowerCase();
  const [ownPackage, ownName] = splitName(wanted);
  const neighbours: string[] = [];
  const namesakes: string[] = [];
  const others: string[] = [];
  for (const candidate of classNames) {
    const lower = candidate.toLowerCase();
    if (lower === wanted) return candidate;
    if (candidate.includes("$") && !word.includes("$")) continue; // nested and anonymous classes are rarely meant
    const [packageName, name] = splitName(lower);
    if (packageName === ownPackage) neighbours.push(candidate);
    else if (name === ownName) namesakes.push(candidate);
    else if (Math.abs(name.length - ownName.length) <= 3) others.push(candidate);
  }
  const neighbour = nearest(ownName, neighbours.slice(0, MAX_COMPARED).map(simpleName));
  if (neighbour !== undefined) return neighbours.find((candidate) => simpleName(candidate) === neighbour);
  return nearest(word, namesakes.slice(0, MAX_COMPARED)) ?? namesakes[0] ?? nearest(word, others.slice(0, MAX_COMPARED));
}

function splitName(className: string): readonly [packageName: string, name: string] {
  const dot = className.lastIndexOf(".");
  return [className.slice(0, Math.max(0, dot)), className.slice(dot + 1)];
}

function simpleName(className: string): string {
  return splitName(className)[1];
}
