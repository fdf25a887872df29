import { addRemote, fetch as fetchPack, init, readObject as readAnyObject } from "isomorphic-git";
import { messageOf } from "../common/errors.ts";
import { parseCommit, type Commit } from "./commit.ts";
import { GitObjectError } from "./errors.ts";
import type { GitTransport } from "./http-transport.ts";
import { MemoryStore } from "./memory-store.ts";
import { entryKind, parseTree, type TreeEntry } from "./tree.ts";

/** A repository in memory that fetches fill. */
export interface LocalCopy {
  readonly store: MemoryStore;
  /** isomorphic-git's memory of packs; goes with the store. */
  readonly cache: object;
  /** Every tree and commit that was read, parsed. */
  readonly trees: Map<string, readonly TreeEntry[]>;
  readonly commits: Map<string, Commit>;
}

export interface GitObject {
  readonly type: "commit" | "tree" | "blob" | "tag";
  readonly content: Buffer;
}

export interface Wanted {
  readonly want: string;
  /** The ref of the copy that names what is here already. */
  readonly have: string;
  /** So many commits of history; undefined: what is new since `have`. */
  readonly depth: number | undefined;
}

export const GITDIR = "/git";

export async function createCopy(url: string): Promise<LocalCopy> {
  const empty: LocalCopy = { store: new MemoryStore(), cache: {}, trees: new Map(), commits: new Map() };
  await init({ ...argumentsOf(empty), bare: true });
  await addRemote({ ...argumentsOf(empty), remote: "origin", url });
  return empty;
}

/** Asks for exactly this commit, wherever its branch has moved meanwhile. Nothing of it is believed before it was read back. */
export async function fetchInto(
  copy: LocalCopy,
  transport: GitTransport,
  { want, have, depth }: Wanted,
  signal: AbortSignal,
): Promise<void> {
  await fetchPack({
    ...argumentsOf(copy),
    http: transport.clientForFetch(signal),
    headers: {},
    remote: "origin",
    ref: have,
    remoteRef: want,
    singleBranch: true,
    tags: false,
    ...(depth === undefined ? {} : { depth }),
  });
}

export function argumentsOf(copy: LocalCopy) {
  return { fs: copy.store.fs, gitdir: GITDIR, dir: GITDIR, cache: copy.cache };
}

/** The commits whose parents were left out when they were fetched. */
export async function readShallow(copy: LocalCopy): Promise<ReadonlySet<string>> {
  const text = await copy.store.fs.promises.readFile(`${GITDIR}/shallow`, "utf8").catch(() => ""); // no file: not shallow
  return new Set(typeof text === "string" ? text.split("\n").filter((line) => line !== "") : []);
}

/** Reads the commit and every tree below it. Blobs are read by those who need them. */
export async function verify(copy: LocalCopy, oid: string): Promise<Commit> {
  const commit = await readCommit(copy, oid);
  const seen = new Set<string>();
  const waiting = [commit.tree];
  for (let tree = waiting.pop(); tree !== undefined; tree = waiting.pop()) {
    if (seen.has(tree)) continue;
    seen.add(tree);
    const entries = await readTree(copy, tree);
    waiting.push(...entries.filter(({ mode }) => entryKind(mode) === "folder").map((entry) => entry.oid));
  }
  return commit;
}

export async function readCommit(copy: LocalCopy, oid: string): Promise<Commit> {
  const known = copy.commits.get(oid);
  if (known !== undefined) return known;
  const commit = parseCommit((await readObject(copy, oid, "commit")).content);
  if (commit === undefined) throw new GitObjectError(oid, "it is no commit");
  copy.commits.set(oid, commit);
  return commit;
}

export async function readTree(copy: LocalCopy, oid: string): Promise<readonly TreeEntry[]> {
  const known = copy.trees.get(oid);
  if (known !== undefined) return known;
  const entries = parseTree((await readObject(copy, oid, "tree")).content);
  if (entries === undefined) throw new GitObjectError(oid, "it is no tree");
  copy.trees.set(oid, entries);
  return entries;
}

export async function readObject(copy: LocalCopy, oid: string, type: GitObject["type"]): Promise<GitObject> {
  try {
    const read = await readAnyObject({ ...argumentsOf(copy), oid, format: "content" });
    if (read.type !== type) throw new GitObjectError(oid, `it is a ${read.type}, not a ${type}`);
    return { type, content: Buffer.from(read.object as Uint8Array) };
  } catch (error) {
    if (error instanceof GitObjectError) throw error;
    throw new GitObjectError(oid, messageOf(error), { cause: error });
  }
}
