import { createHash } from "node:crypto";
import { lstat, readdir, readFile, stat } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import type { Problem } from "../common/problem.ts";
import type { Manifest } from "../model/manifest.ts";
import { otherEntryProblem, type ManifestFile } from "../model/parse-manifests.ts";

/** What the daemon would read out of a commit, read from the disk. */
export interface ManifestFolder {
  readonly files: readonly ManifestFile[];
  /** Entries that are named like manifests and are none. */
  readonly others: readonly Problem[];
  /** What may be the root of the repository, by manifest: the folder that was named. */
  readonly roots: ReadonlyMap<string, string>;
}

const MAX_FILE_BYTES = 1024 ** 2;
const MAX_FILES = 100_000;
const SKIPPED = new Set([".git", "node_modules"]);

/** Reads folders (all `*.yaml` and `*.yml` below them) and single files. Throws when a place does not exist or cannot be read. */
export async function readManifestFolder(places: readonly string[], base: string, signal: AbortSignal): Promise<ManifestFolder> {
  const files: ManifestFile[] = [];
  const others: Problem[] = [];
  const roots = new Map<string, string>();
  for (const place of places) {
    const root = resolve(base, place);
    const isFolder = (await stat(root)).isDirectory();
    for (const path of isFolder ? await listFiles(root, signal) : [root]) {
      signal.throwIfAborted();
      const shown = relative(base, path).split(sep).join("/");
      const found = await lstat(path);
      if (found.isSymbolicLink() && isFolder) others.push(otherEntryProblem(shown, "symlink"));
      else if (found.size > MAX_FILE_BYTES) others.push(otherEntryProblem(shown, "too-large"));
      else files.push(await readManifest(path, shown));
      roots.set(shown, isFolder ? root : dirname(root));
    }
  }
  return { files, others, roots };
}

/** Artifacts whose `path` leads nowhere: the jar was not added, or is built by somebody who has not pushed it yet. */
export async function findMissingSources(
  manifests: readonly Manifest[],
  folder: ManifestFolder,
  base: string,
): Promise<readonly Problem[]> {
  const problems: Problem[] = [];
  for (const manifest of manifests) {
    if (manifest.kind !== "Artifact" || manifest.spec.source.kind !== "path") continue;
    const { path } = manifest.spec.source;
    const root = folder.roots.get(manifest.source.path) ?? base;
    if ((await isFile(join(base, path))) || (await isFile(join(root, path)))) continue;
    const at = manifest.positions.get("/spec/source/path") ?? {
      file: manifest.source.path,
      line: manifest.source.line,
      column: 1,
    };
    problems.push({
      ...at,
      message: `spec.source.path leads to ${path}, where there is no file; add the jar, or correct the path`,
    });
  }
  return problems;
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false; // Missing or not to be read: for a manifest that names it, the same.
  }
}

async function readManifest(path: string, shown: string): Promise<ManifestFile> {
  const content = await readFile(path);
  return { path: shown, blob: createHash("sha1").update(content).digest("hex"), content };
}

async function listFiles(root: string, signal: AbortSignal): Promise<readonly string[]> {
  const found: string[] = [];
  const folders = [root];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    signal.throwIfAborted();
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory() && !SKIPPED.has(entry.name)) folders.push(path);
      else if (!entry.isDirectory() && /\.ya?ml$/.test(entry.name)) found.push(path);
      if (found.length > MAX_FILES) throw new Error(`more than ${MAX_FILES} manifests below ${root}`);
    }
  }
  return found.sort();
}
