import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { lstat, readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { BlobContent } from "../git/manifest-repository.ts";
import type { TreeFile } from "../git/read-files.ts";
import { shownPath } from "../common/text.ts";
import { matchesPaths } from "../model/match-paths.ts";
import { ManifestCache } from "../model/parse-manifests.ts";
import { readManifestTree, type ManifestTree } from "../pass/read-manifests.ts";
import { isReadable } from "./manifest-folder.ts";

export interface FolderTree {
  readonly tree: ManifestTree;
  readonly readBlob: (oid: string, maxBytes: number) => Promise<BlobContent>;
}

const MAX_FILES = 100_000;
/** More than this is neither a manifest nor a jar of a repository, and reading it would only take time. */
const MAX_HASHED_BYTES = 1024 ** 3;
const SKIPPED = new Set([".git", "node_modules"]);

/**
 * A folder of the disk as if it were the tree of a commit: the blobs have the names that Git would give them. `root` stands for the root of the
 * repository. Throws when it is no folder or cannot be read.
 */
export async function readFolderTree(root: string, paths: readonly string[], signal: AbortSignal): Promise<FolderTree> {
  if (!(await stat(root)).isDirectory()) throw new Error(`${root} is no folder`);
  const files = await listFiles(root, signal);
  const blobs = new Map<string, string>();
  const hashed = async (file: TreeFile): Promise<TreeFile> => {
    if (file.kind !== "file" || !file.readableName) return file;
    const blob = await blobOf(join(root, file.path));
    blobs.set(blob, file.path);
    return { ...file, blob };
  };
  const readBlob = async (oid: string, maxBytes: number): Promise<BlobContent> => {
    const path = blobs.get(oid);
    if (path === undefined) throw new Error(`no file of ${root} has the content ${oid}`);
    const { size } = await stat(join(root, path));
    return size > maxBytes
      ? { kind: "too-large", size }
      : { kind: "read", content: await readFile(join(root, path), { signal }) };
  };
  const manifests: TreeFile[] = [];
  for (const file of files) manifests.push(matchesPaths(file.path, paths) ? await hashed(file) : file);
  const deps = { paths, cache: new ManifestCache(), readBlob };
  const declared = (await readManifestTree(manifests, deps)).parsed.manifests;
  // Which other files matter is only known now; hashing all of a folder could take minutes.
  const jars = new Set(
    declared.flatMap((one) => (one.kind === "Artifact" && one.spec.source.kind === "path" ? [one.spec.source.path] : [])),
  );
  const all: TreeFile[] = [];
  for (const file of manifests) all.push(jars.has(file.path) && file.blob === "" ? await hashed(file) : file);
  return { tree: await readManifestTree(all, deps), readBlob };
}

async function listFiles(root: string, signal: AbortSignal): Promise<readonly TreeFile[]> {
  const found: TreeFile[] = [];
  const folders = [""];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    signal.throwIfAborted();
    const entries = await readdir(join(root, folder), { withFileTypes: true });
    if (folder !== "" && entries.some(({ name }) => name === ".git")) {
      found.push({ path: folder, displayPath: shownPath(folder), kind: "submodule", blob: "", readableName: isReadable(folder) });
      continue;
    }
    for (const entry of entries) {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) {
        if (!SKIPPED.has(entry.name)) folders.push(path);
        continue;
      }
      if (!entry.isFile() && !entry.isSymbolicLink()) continue; // sockets and the like are nothing that Git keeps
      const kind = entry.isFile() ? "file" : "symlink";
      found.push({ path, displayPath: shownPath(path), kind, blob: "", readableName: isReadable(path) });
      if (found.length > MAX_FILES) throw new Error(`more than ${MAX_FILES} files below ${root}`);
    }
  }
  return found.toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

/** The name that Git gives to the content. */
async function blobOf(path: string): Promise<string> {
  const { size } = await lstat(path);
  if (size > MAX_HASHED_BYTES) return createHash("sha1").update(`${path} ${size}`).digest("hex");
  const hash = createHash("sha1").update(`blob ${size}\0`);
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}
