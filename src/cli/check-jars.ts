import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { inspectClasses, whyNotRunnable } from "../artifacts/entry-class.ts";
import { explainFlinkClasses, inspectJar, type JarContent } from "../artifacts/inspect-jar.ts";
import { isLfsPointer } from "../common/lfs-pointer.ts";
import { messageOf } from "../common/errors.ts";
import type { Problem } from "../common/problem.ts";
import { oneLine, shownPath } from "../common/text.ts";
import type { ArtifactManifest, JobManifest, Manifest } from "../model/manifest.ts";
import { resourceKey, siblingKey, type ResourceKey } from "../model/resource.ts";
import { entryBelow } from "./entry-below.ts";

export interface JarFindings {
  readonly problems: readonly Problem[];
  /** Nothing is wrong with these, and somebody may want to know. */
  readonly notices: readonly Problem[];
}

interface Findings {
  readonly problems: Problem[];
  readonly notices: Problem[];
}

const MAX_POINTER_BYTES = 1024;
/** The newest Java that each version of Flink was released for; a newer Flink than these is not judged. */
const NEWEST_JAVA: Readonly<Record<string, number>> = {
  "1.16": 11,
  "1.17": 11,
  "1.18": 17,
  "1.19": 21,
  "1.20": 21,
  "2.0": 21,
  "2.1": 21,
  "2.2": 21,
  "2.3": 21,
};

/**
 * Looks into the jars that `path` sources lead to, as the daemon will before it submits anything: whether each is a jar, and the classes in it
 * that the Artifact and its Jobs want to run. Files that are not here are somebody else's to tell about.
 */
export async function checkJars(manifests: readonly Manifest[], root: string, signal: AbortSignal): Promise<JarFindings> {
  const findings: Findings = { problems: [], notices: [] };
  const jobs = jobsByArtifact(manifests);
  for (const manifest of manifests) {
    if (manifest.kind !== "Artifact" || manifest.spec.source.kind !== "path") continue;
    signal.throwIfAborted();
    await checkJar(manifest, jobs.get(resourceKey(manifest.id)) ?? [], root, manifest.spec.source.path, findings);
  }
  return findings;
}

function jobsByArtifact(manifests: readonly Manifest[]): ReadonlyMap<ResourceKey, readonly JobManifest[]> {
  const found = new Map<ResourceKey, JobManifest[]>();
  for (const manifest of manifests) {
    if (manifest.kind !== "Job") continue;
    const key = siblingKey(manifest.id, "Artifact", manifest.spec.artifact);
    found.set(key, [...(found.get(key) ?? []), manifest]);
  }
  return found;
}

async function checkJar(
  artifact: ArtifactManifest,
  jobs: readonly JobManifest[],
  root: string,
  path: string,
  { problems, notices }: Findings,
): Promise<void> {
  if (!(await isHere(root, path))) return;
  const file = join(root, path);
  const own = artifact.spec.jarOptions.entryClass;
  const wanted = [...jobs.map(({ spec }) => spec.jarOptions.entryClass), own].filter((name) => name !== undefined);
  const jar = await readJar(file, wanted);
  if ("because" in jar) {
    problems.push(
      problemAt(artifact, ["/spec/source/path"], `spec.source.path leads to a file that is not a jar: ${jar.because}`),
    );
    return;
  }
  const digest = artifact.spec.sha256 === undefined ? undefined : await sha256Of(file);
  if (digest !== artifact.spec.sha256) {
    problems.push(problemAt(artifact, ["/spec/source/sha256"], `spec.source.sha256 is not the jar's: that is ${digest}`));
  }
  const wrong = own === undefined ? undefined : whyNotRunnable(jar, own);
  if (wrong !== undefined) problems.push(problemAt(artifact, ["/spec/jarOptions/entryClass"], `spec.jarOptions: ${wrong}`));
  const bundled = explainFlinkClasses(jar.flinkClasses);
  if (bundled !== undefined) notices.push(problemAt(artifact, ["/spec/source/path"], bundled));
  for (const job of jobs) checkJob(job, own, jar, { problems, notices });
}

function checkJob(job: JobManifest, ofArtifact: string | undefined, jar: JarContent, { problems, notices }: Findings): void {
  const { jarOptions, artifact, flinkVersion } = job.spec;
  const entryClass = jarOptions.entryClass ?? ofArtifact ?? jar.mainClassOfManifest;
  const places = ["/spec/artifactRef/jarOptions/entryClass", "/spec/jarOptions/entryClass", "/spec/artifactRef/name"];
  if (entryClass === undefined) {
    const message = `no entry class is given and the manifest of Artifact ${artifact}'s jar names none; set spec.artifactRef.jarOptions.entryClass`;
    problems.push(problemAt(job, places, message));
    return;
  }
  // What is wrong with the Artifact's own class is told there, once.
  const wrong = entryClass === ofArtifact ? undefined : whyNotRunnable(jar, entryClass);
  if (wrong !== undefined) problems.push(problemAt(job, places, `${wrong} (Artifact ${artifact})`));
  const javaVersion = jar.classes.get(entryClass)?.javaVersion;
  const newest = NEWEST_JAVA[flinkVersion];
  if (javaVersion !== undefined && newest !== undefined && javaVersion > newest) {
    const message = `${oneLine(entryClass, 300)} is compiled for Java ${javaVersion}, and Flink ${flinkVersion} was released for Java up to ${newest}`;
    notices.push(problemAt(job, places, message));
  }
}

function problemAt(manifest: Manifest, pointers: readonly string[], message: string): Problem {
  const found = pointers.map((pointer) => manifest.positions.get(pointer)).find((position) => position !== undefined);
  return { ...(found ?? { file: shownPath(manifest.source.path), line: manifest.source.line, column: 1 }), message };
}

/** Without LFS's bytes the pointer is no jar, and nothing is wrong with that. */
async function isHere(root: string, path: string): Promise<boolean> {
  const found = await entryBelow(root, path);
  if (found.kind !== "file") return false; // told as a source that is missing
  return found.size > MAX_POINTER_BYTES || !isLfsPointer(await readFile(join(root, path)));
}

async function readJar(file: string, wanted: readonly string[]): Promise<JarContent | { readonly because: string }> {
  try {
    const jar = await inspectJar(file);
    return jar.kind === "jar" ? await inspectClasses(file, jar, wanted) : jar;
  } catch (error) {
    return { because: oneLine(messageOf(error), 200) };
  }
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}
