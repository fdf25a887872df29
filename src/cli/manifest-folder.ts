import { createHash } from "node:crypto";
import { lstat, readdir, readFile, stat } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import type { Problem } from "../common/problem.ts";
import { shownPath } from "../common/text.ts";
import { readName } from "../git/tree.ts";
import type { Manifest } from "../model/manifest.ts";
import { matchesPaths } from "../model/match-paths.ts";
import { otherEntryProblem, type ManifestFile } from "../model/parse-manifests.ts";
import { entryBelow } from "./entry-below.ts";

/** What the daemon would read out of a commit of one repository, read from the disk. Paths are relative to `root`. */
export interface ManifestFolder {
  readonly root: string;
  readonly files: readonly ManifestFile[];
  /** Entries that are named like manifests and are none. */
  readonly others: readonly Problem[];
}

const MAX_FILE_BYTES = 1024 ** 2;
const MAX_FILES = 100_000;
const SKIPPED = new Set([".git", "node_modules"]);
const PATTERNS = ["**/*.yaml", "**/*.yml"];

/**
 * Reads folders (all `*.yaml` and `*.yml` below them) and single files, grouped by the repository that they lie in. Throws when a place
 * does not exist or cannot be read.
 */
export async function readManifestFolders(
  places: readonly string[],
  base: string,
  signal: AbortSignal,
): Promise<readonly ManifestFolder[]> {
  const folders = new Map<string, { root: string; paths: Set<string> }>();
  for (const place of places) {
    const path = resolve(base, place);
    const entry = await stat(path);
    const isFolder = entry.isDirectory();
    if (!isFolder && !entry.isFile()) throw new Error(`${place} is neither a folder nor a file`);
    const root = await findRoot(isFolder ? path : dirname(path));
    const found = folders.get(root) ?? { root, paths: new Set() };
    for (const file of isFolder ? await listFiles(path, root, signal) : [path]) found.paths.add(file);
    folders.set(root, found);
  }
  return Promise.all([...folders.values()].map(async ({ root, paths }) => readFolder(root, [...paths].sort(), signal)));
}

/** Artifacts whose `path` leads nowhere: the jar was not added, or is built by somebody who has not pushed it yet. */
export async function findMissingSources(manifests: readonly Manifest[], root: string): Promise<readonly Problem[]> {
  const problems: Problem[] = [];
  for (const manifest of manifests) {
    if (manifest.kind !== "Artifact" || manifest.spec.source.kind !== "path") continue;
    const { path } = manifest.spec.source;
    const found = await entryBelow(root, path);
    if (found.kind === "file") continue;
    const { source, positions } = manifest;
    const at = positions.get("/spec/source/path") ?? { file: shownPath(source.path), line: source.line, column: 1 };
    const why =
      found.kind === "none"
        ? "where there is no file; add the jar, or correct the path"
        : `and ${found.at} is a symbolic link, which is not followed; put the jar itself there`;
    problems.push({ ...at, message: `spec.source.path leads to ${path}, ${why}` });
  }
  return problems;
}

/** The repository that a folder lies in: the nearest one above with `.git`; without one, the folder itself. */
async function findRoot(folder: string): Promise<string> {
  for (let above = folder; ; above = dirname(above)) {
    if (await exists(join(above, ".git"))) return above;
    if (dirname(above) === above) return folder;
  }
}

async function readFolder(root: string, paths: readonly string[], signal: AbortSignal): Promise<ManifestFolder> {
  const files: ManifestFile[] = [];
  const others: Problem[] = [];
  for (const path of paths) {
    signal.throwIfAborted();
    const name = relative(root, path).split(sep).join("/");
    if (!isReadable(name)) {
      others.push(otherEntryProblem(name, "unreadable-name"));
      continue;
    }
    const found = await lstat(path);
    if (found.isSymbolicLink()) others.push(otherEntryProblem(name, "symlink"));
    else if (found.size > MAX_FILE_BYTES) others.push(otherEntryProblem(name, "too-large"));
    else files.push(await readManifest(path, name));
  }
  return { root, files, others };
}

/** Whether Git would give the path back as a plain one; a name that is not UTF-8 comes from the disk with replacement characters. */
export function isReadable(path: string): boolean {
  return !path.includes("\uFFFD") && path.split("/").every((part) => readName(Buffer.from(part).toString("latin1")).readable);
}

async function readManifest(path: string, name: string): Promise<ManifestFile> {
  const content = await readFile(path);
  return { path: name, blob: createHash("sha1").update(content).digest("hex"), content };
}

async function listFiles(folder: string, root: string, signal: AbortSignal): Promise<readonly string[]> {
  const found: string[] = [];
  const folders = [folder];
  for (let next = folders.pop(); next !== undefined; next = folders.pop()) {
    signal.throwIfAborted();
    const entries = await readdir(next, { withFileTypes: true });
    if (next !== folder && entries.some(({ name }) => name === ".git")) continue; // a submodule, which the daemon does not read
    for (const entry of entries) {
      const path = join(next, entry.name);
      const isKept = entry.isFile() || entry.isSymbolicLink(); // Git keeps nothing else, and reading a pipe has no end
      if (entry.isDirectory() && !SKIPPED.has(entry.name)) folders.push(path);
      else if (isKept && matchesPaths(relative(root, path).split(sep).join("/"), PATTERNS)) found.push(path);
      if (found.length > MAX_FILES) throw new Error(`more than ${MAX_FILES} manifests below ${folder}`);
    }
  }
  return found;
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch {
    return false; // Not to be read is as good as not there: the search goes on above.
  }
}
