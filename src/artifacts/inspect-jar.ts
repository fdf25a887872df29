import { messageOf } from "../common/errors.ts";
import { countOf, oneLine } from "../common/text.ts";
import { isDiskError } from "./artifact-error.ts";
import { type JarFile, withJarFile } from "./jar-file.ts";

/** What the table of contents of a jar tells. */
export interface JarContent {
  readonly kind: "jar";
  /** What Flink takes when no entry class is given: `program-class` of the jar's manifest, then `Main-Class`. */
  readonly mainClassOfManifest?: string;
  /** Full names with dots, nested ones with `$`. */
  readonly classNames: ReadonlySet<string>;
  /** False when there are more than are kept: then a class that is not among them may still be there. */
  readonly complete: boolean;
  /** `lib/*.jar`: Flink unpacks them, so a class may also be in one of them. */
  readonly hasNestedJars: boolean;
  /** Classes that belong to Flink itself and that every cluster has already. */
  readonly flinkClasses: FlinkClasses;
  /** What is known of single classes, by name: those that somebody wants to run. */
  readonly classes: ReadonlyMap<string, ClassSeen>;
}

export interface FlinkClasses {
  readonly count: number;
  /** The first few. */
  readonly examples: readonly string[];
}

export interface ClassSeen {
  readonly main: MainFound;
  /** The Java release that it needs at least; undefined when it cannot be read. */
  readonly javaVersion: number | undefined;
}

export type MainFound =
  | { readonly kind: "yes" }
  | { readonly kind: "no"; readonly because: string }
  | { readonly kind: "cannot-tell"; readonly because: string };

export type JarInspection = JarContent | { readonly kind: "not-a-jar"; readonly because: string };

const MAX_ENTRIES = 300_000;
const MAX_CLASSES = 100_000;
const MAX_NAME_LENGTH = 1000;
const MAX_NAMES_LENGTH = 16_000_000;
const MAX_MANIFEST_BYTES = 1024 * 1024;

const MAX_EXAMPLES = 3;
/** Packages of flink-core, flink-runtime, flink-streaming-java and flink-clients. Connectors, formats and libraries are rightly in a jar. */
const FLINK_PACKAGES = [
  "org/apache/flink/api/common/",
  "org/apache/flink/client/",
  "org/apache/flink/configuration/",
  "org/apache/flink/core/",
  "org/apache/flink/runtime/",
  "org/apache/flink/streaming/api/environment/",
  "org/apache/flink/streaming/runtime/",
];

/** Reads the table of contents and the manifest, both within limits; nothing else of the jar. Rejects only when the file cannot be read. */
export async function inspectJar(path: string): Promise<JarInspection> {
  try {
    return await withJarFile(path, readContent);
  } catch (error) {
    if (isDiskError(error)) throw error; // all others are about what the file holds
    return { kind: "not-a-jar", because: oneLine(messageOf(error), 200) };
  }
}

async function readContent(jar: JarFile): Promise<JarContent> {
  const classNames = new Set<string>();
  let complete = true;
  let hasNestedJars = false;
  let mainClass: string | undefined;
  const flink = { count: 0, examples: new Array<string>() };
  let entries = 0;
  let namesLength = 0;
  for await (const { name, entry } of jar.entries()) {
    entries += 1;
    if (entries > MAX_ENTRIES) {
      complete = false;
      break;
    }
    if (name.toUpperCase() === "META-INF/MANIFEST.MF") {
      mainClass ??= mainClassOf((await jar.read(entry, MAX_MANIFEST_BYTES)) ?? Buffer.alloc(0));
      continue;
    }
    hasNestedJars ||= /^lib\/.+\.jar$/.test(name);
    if (!isClass(name)) continue;
    if (FLINK_PACKAGES.some((prefix) => name.startsWith(prefix))) noteFlinkClass(flink, name);
    namesLength += name.length;
    if (classNames.size === MAX_CLASSES || name.length > MAX_NAME_LENGTH || namesLength > MAX_NAMES_LENGTH) complete = false;
    else classNames.add(name.slice(0, -".class".length).replaceAll("/", "."));
  }
  const found = mainClass === undefined ? {} : { mainClassOfManifest: mainClass };
  return { kind: "jar", ...found, classNames, complete, hasNestedJars, flinkClasses: flink, classes: new Map() };
}

function noteFlinkClass(flink: { count: number; readonly examples: string[] }, name: string): void {
  flink.count += 1;
  // Nested classes say nothing that their own class does not say.
  if (flink.examples.length < MAX_EXAMPLES && !name.includes("$")) flink.examples.push(oneLine(name, 120));
}

/** What to tell people about Flink's own classes in a jar; undefined when there are none. */
export function explainFlinkClasses({ count, examples }: FlinkClasses): string | undefined {
  if (count === 0) return undefined;
  const names = examples.length === 0 ? "" : `: ${examples.join(", ")}${count > examples.length ? ", …" : ""}`;
  return `the jar holds ${countOf(count, "class", "classes")} of Flink itself${names}; the cluster has its own, so mark Flink's dependencies as provided`;
}

/** Versions of a class for newer Java lie under META-INF; the class itself lies at its usual place as well. */
function isClass(name: string): boolean {
  return name.endsWith(".class") && !name.startsWith("META-INF/") && !/(?:^|\/)(?:module|package)-info\.class$/.test(name);
}

/** From the main section of a manifest: it ends at the first empty line, and a line that starts with a space continues the one before. */
function mainClassOf(manifest: Buffer): string | undefined {
  // By bytes first: a line may be broken within a character.
  const main = manifest.toString("latin1").replaceAll(/\r\n?/g, "\n").split("\n\n", 1)[0]!.replaceAll("\n ", "");
  const attributes = new Map<string, string>();
  for (const line of Buffer.from(main, "latin1").toString("utf8").split("\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) attributes.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  const named = attributes.get("program-class") ?? attributes.get("main-class") ?? "";
  return named === "" || named.length > MAX_NAME_LENGTH ? undefined : oneLine(named, MAX_NAME_LENGTH);
}
