import { mergeContents } from "./merge-files.ts";
import { NewObjects } from "./new-objects.ts";
import { buildTree, entryKind, FOLDER_MODE, readName, type TreeEntry } from "./tree.ts";

/** Where the objects of both sides are read. */
export interface MergeSource {
  readonly readTree: (oid: string) => Promise<readonly TreeEntry[]>;
  readonly readBlob: (oid: string) => Promise<Uint8Array>;
}

/** The trees and blobs that exist in no repository, by the names that Git would give them. */
export interface MergedTree {
  readonly root: string;
  readonly trees: ReadonlyMap<string, readonly TreeEntry[]>;
  readonly blobs: ReadonlyMap<string, Buffer>;
  /** Paths that both sides changed and that do not go together; for people. There `ours` stands in the tree. */
  readonly conflicts: readonly string[];
}

const MAX_CONFLICTS = 50;
const MAX_DEPTH = 100;

/**
 * Three trees into one, in memory: what only one side changed is taken from it, what both changed is merged line by line. Renames are a
 * file that goes and one that comes, as they lie in Git.
 */
export async function mergeTrees(base: string, ours: string, theirs: string, source: MergeSource): Promise<MergedTree> {
  const merging = new Merging(source);
  const root = await merging.folder(base, ours, theirs, "", 0);
  return { root, ...merging.found };
}

class Merging {
  readonly #source: MergeSource;
  readonly #objects = new NewObjects();
  readonly #trees = new Map<string, readonly TreeEntry[]>();
  readonly #blobs = new Map<string, Buffer>();
  readonly #conflicts: string[] = [];

  constructor(source: MergeSource) {
    this.#source = source;
  }

  get found() {
    return { trees: this.#trees, blobs: this.#blobs, conflicts: this.#conflicts };
  }

  async folder(base: string | undefined, ours: string, theirs: string, path: string, depth: number): Promise<string> {
    if (ours === theirs || base === theirs) return ours;
    if (base === ours) return theirs;
    if (depth > MAX_DEPTH) return this.#conflict(path, ours);
    const [o, a, b] = await Promise.all([base, ours, theirs].map(async (oid) => this.#entries(oid)));
    const names = new Set([...a!.keys(), ...b!.keys()]);
    const entries: TreeEntry[] = [];
    for (const name of names) {
      const entry = await this.#entry(o!.get(name), a!.get(name), b!.get(name), `${path}${readName(name).display}`, depth);
      if (entry !== undefined) entries.push(entry);
    }
    const oid = this.#objects.add("tree", buildTree(entries));
    this.#trees.set(oid, entries);
    return oid;
  }

  async #entry(
    base: TreeEntry | undefined,
    ours: TreeEntry | undefined,
    theirs: TreeEntry | undefined,
    path: string,
    depth: number,
  ): Promise<TreeEntry | undefined> {
    if (isSame(ours, theirs) || isSame(base, theirs)) return ours;
    if (isSame(base, ours)) return theirs;
    if (isFolder(ours) && isFolder(theirs)) {
      const oid = await this.folder(isFolder(base) ? base.oid : undefined, ours.oid, theirs.oid, `${path}/`, depth + 1);
      return (await this.#entries(oid)).size === 0 ? undefined : { ...ours, mode: FOLDER_MODE, oid };
    }
    if (isFile(base) && isFile(ours) && isFile(theirs)) {
      const merged = await this.#content(base.oid, ours.oid, theirs.oid);
      if (merged !== undefined) return { ...(base.mode === ours.mode ? theirs : ours), oid: merged };
    }
    return this.#conflict(path, ours ?? theirs);
  }

  /** The name of the merged blob; undefined when the two do not go together. */
  async #content(base: string, ours: string, theirs: string): Promise<string | undefined> {
    if (ours === theirs || base === theirs) return ours; // they differ in their modes
    if (base === ours) return theirs;
    const [o, a, b] = await Promise.all([base, ours, theirs].map(async (oid) => this.#source.readBlob(oid)));
    const merged = mergeContents(o!, a!, b!);
    if (merged === undefined) return undefined;
    const oid = this.#objects.add("blob", merged);
    this.#blobs.set(oid, merged);
    return oid;
  }

  async #entries(oid: string | undefined): Promise<ReadonlyMap<string, TreeEntry>> {
    if (oid === undefined) return new Map();
    const entries = this.#trees.get(oid) ?? (await this.#source.readTree(oid));
    return new Map(entries.map((entry) => [entry.name, entry]));
  }

  #conflict<Value>(path: string, ours: Value): Value {
    if (this.#conflicts.length < MAX_CONFLICTS) this.#conflicts.push(path);
    return ours;
  }
}

function isSame(one: TreeEntry | undefined, other: TreeEntry | undefined): boolean {
  return one?.oid === other?.oid && one?.mode === other?.mode;
}

function isFolder(entry: TreeEntry | undefined): entry is TreeEntry {
  return entry !== undefined && entryKind(entry.mode) === "folder";
}

function isFile(entry: TreeEntry | undefined): entry is TreeEntry {
  return entry !== undefined && (entryKind(entry.mode) === "file" || entryKind(entry.mode) === "executable");
}
