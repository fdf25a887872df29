import { sha256Hex } from "../common/hash.ts";
import { formatPosition, type Problem } from "../common/problem.ts";
import type { BlobContent } from "../git/manifest-repository.ts";
import type { TreeFile } from "../git/read-files.ts";
import type { Manifest } from "../model/manifest.ts";
import { matchesPaths } from "../model/match-paths.ts";
import {
  otherEntryProblem,
  parseManifests,
  type ManifestCache,
  type OtherEntry,
  type ParsedFile,
} from "../model/parse-manifests.ts";
import type { PathEntry } from "./desired.ts";
import type { BranchHead, Snapshot } from "./snapshot.ts";

/** What one tree declares. */
export interface ManifestTree {
  /** Changes when, and only when, something under the configured paths does, `status` blocks apart. */
  readonly digest: string;
  readonly parsed: ReturnType<typeof parseManifests>;
  readonly entries: ReadonlyMap<string, TreeFile>;
  /** Of the files that are read: what blob each would be without its `status` blocks. */
  readonly bareBlobs: ReadonlyMap<string, string>;
}

export interface ReadManifestsDeps {
  readonly paths: readonly string[];
  readonly cache: ManifestCache;
  readonly readBlob: (oid: string, maxBytes: number) => Promise<BlobContent>;
}

/** A manifest is text for people; more than this in one file is something else. */
export const MAX_MANIFEST_BYTES = 1024 ** 2;

/** Reads and parses what lies under the configured paths of one tree. */
export async function readManifestTree(files: readonly TreeFile[], deps: ReadManifestsDeps): Promise<ManifestTree> {
  const matching = files.filter((file) => matchesPaths(file.path, deps.paths));
  const bareBlobs = new Map<TreeFile, string>();
  const read: ParsedFile[] = [];
  const others: Problem[] = [];
  for (const file of matching) {
    const found = await readManifest(file, deps);
    if (typeof found === "string") others.push(otherEntryProblem(file.displayPath, found));
    else read.push(found);
    bareBlobs.set(file, typeof found === "string" ? file.blob : found.bareBlob);
  }
  const parsed = parseManifests(read, deps.cache, others);
  const artifactPaths = new Set(parsed.manifests.map(pathOfArtifact));
  const relevant = files.filter((file) => bareBlobs.has(file) || artifactPaths.has(file.path));
  const digest = sha256Hex(relevant.map((file) => `${file.path}\0${bareBlobs.get(file) ?? file.blob}`).join("\n"));
  return {
    digest,
    parsed,
    entries: new Map(files.map((file) => [file.path, file])),
    bareBlobs: new Map([...bareBlobs].map(([{ path }, blob]) => [path, blob])),
  };
}

/** The part of a snapshot that the tree of a commit makes. */
export function manifestsOf(
  { digest, parsed, entries }: ManifestTree,
  commit: string,
): Pick<Snapshot, "manifestsDigest" | "manifests" | "broken" | "problems" | "deletionsHeld" | "entryAt"> {
  const held = parsed.unreadable[0];
  return {
    manifestsDigest: digest,
    manifests: parsed.manifests,
    broken: parsed.declaredButBroken,
    problems: parsed.problems,
    deletionsHeld:
      held === undefined ? undefined : `nothing counts as deleted while the document at ${formatPosition(held)} cannot be read`,
    entryAt: (path) => entryAt(entries, path, commit),
  };
}

/** The tree as the head of a branch. */
export function headOf({ parsed, entries }: ManifestTree, oid: string): BranchHead {
  return { oid, manifests: parsed.manifests, blobAt: (path) => entries.get(path)?.blob };
}

/** What the file says, or what stands there instead of one that could be read. */
async function readManifest(file: TreeFile, { cache, readBlob }: ReadManifestsDeps): Promise<ParsedFile | OtherEntry> {
  if (!file.readableName) return "unreadable-name";
  if (file.kind !== "file") return file.kind;
  const parsed = cache.find(file);
  if (parsed !== undefined) return parsed;
  const blob = await readBlob(file.blob, MAX_MANIFEST_BYTES);
  return blob.kind === "too-large" ? "too-large" : cache.parse({ path: file.path, blob: file.blob, content: blob.content });
}

function pathOfArtifact(manifest: Manifest): string | undefined {
  return manifest.kind === "Artifact" && manifest.spec.source.kind === "path" ? manifest.spec.source.path : undefined;
}

function entryAt(entries: ReadonlyMap<string, TreeFile>, path: string, commit: string): PathEntry | undefined {
  const entry = entries.get(path);
  if (entry?.kind === "file") return { kind: "file", commit, blob: entry.blob };
  if (entry !== undefined) return { kind: "other", because: `it is a ${entry.kind}` };
  return [...entries.keys()].some((other) => other.startsWith(`${path}/`))
    ? { kind: "other", because: "it is a folder" }
    : undefined;
}
