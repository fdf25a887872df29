import { FILE_MODE, FOLDER_MODE, buildTree, entryKind, type TreeEntry } from "./tree.ts";
import type { NewObjects } from "./new-objects.ts";

/** A folder of a branch that is written to, with everything below it. What is not ours to understand stays in `entries` as it came. */
export interface StatusFolder {
  readonly oid: string;
  readonly entries: ReadonlyMap<string, TreeEntry>;
  /** Those of `entries` that are folders, by the same names. */
  readonly folders: ReadonlyMap<string, StatusFolder>;
}

/** Text for a file, undefined to delete it. */
export type FileChanges = ReadonlyMap<string, string | undefined>;
type TreeChanges = ReadonlyMap<string, string | Uint8Array | undefined>;

export async function readStatusFolder(
  oid: string,
  readTree: (oid: string) => Promise<readonly TreeEntry[]>,
): Promise<StatusFolder> {
  const entries = new Map((await readTree(oid)).map((entry) => [entry.name, entry]));
  const folders = new Map<string, StatusFolder>();
  for (const { mode, name, oid: folder } of entries.values()) {
    if (entryKind(mode) === "folder") folders.set(name, await readStatusFolder(folder, readTree));
  }
  return { oid, entries, folders };
}

/**
 * The tree with `changes`; what is new is added to `objects`. Every other entry is copied as it stands, whatever its mode and bytes. A file
 * takes the place of a folder of its name and the other way round; a folder without entries goes.
 */
export function applyChanges(before: StatusFolder | undefined, changes: TreeChanges, objects: NewObjects): StatusFolder {
  const root = changeFolder(before, splitChanges(changes), objects);
  return root ?? { oid: objects.add("tree", Buffer.alloc(0)), entries: new Map(), folders: new Map() };
}

interface Split {
  readonly files: Map<string, string | Uint8Array | undefined>;
  readonly folders: Map<string, Map<string, string | Uint8Array | undefined>>;
}

function changeFolder(before: StatusFolder | undefined, changes: Split, objects: NewObjects): StatusFolder | undefined {
  const entries = new Map(before?.entries);
  const folders = new Map(before?.folders);
  for (const [name, text] of changes.files) {
    if (text === undefined && folders.has(name)) continue; // It is not the file that was meant.
    folders.delete(name);
    if (text === undefined) entries.delete(name);
    else entries.set(name, { mode: modeFor(entries.get(name)), name, oid: objects.add("blob", Buffer.from(text)) });
  }
  for (const [name, below] of changes.folders) {
    const known = folders.get(name);
    if (known === undefined && [...below.values()].every((text) => text === undefined)) continue;
    const folder = changeFolder(known, splitChanges(below), objects);
    if (folder === undefined) {
      folders.delete(name);
      entries.delete(name);
    } else {
      folders.set(name, folder);
      entries.set(name, { mode: FOLDER_MODE, name, oid: folder.oid });
    }
  }
  if (entries.size === 0) return undefined;
  return { oid: objects.add("tree", buildTree([...entries.values()])), entries, folders };
}

/** A script stays one; what is no file becomes one. */
function modeFor(before: TreeEntry | undefined): string {
  return before !== undefined && entryKind(before.mode) === "executable" ? before.mode : FILE_MODE;
}

/** By the first part of each path. Names become latin1 of their bytes, as tree entries have them. */
function splitChanges(changes: TreeChanges): Split {
  const split: Split = { files: new Map(), folders: new Map() };
  for (const [path, text] of changes) {
    const slash = path.indexOf("/");
    if (slash < 0) {
      split.files.set(Buffer.from(path).toString("latin1"), text);
      continue;
    }
    const name = Buffer.from(path.slice(0, slash)).toString("latin1");
    const below = split.folders.get(name) ?? new Map<string, string | Uint8Array | undefined>();
    split.folders.set(name, below.set(path.slice(slash + 1), text));
  }
  return split;
}

export function hasFolder(root: StatusFolder | undefined, path: string): boolean {
  const names = path.split("/").map((part) => Buffer.from(part).toString("latin1"));
  return names.reduce<StatusFolder | undefined>((folder, name) => folder?.folders.get(name), root) !== undefined;
}

/** Whether Git and every checkout can hold this path. */
export function isPlainPath(path: string): boolean {
  const parts = path.split("/");
  return parts.every((part) => part !== "" && !/^(?:\.{1,2}|\.git|git~1)$/i.test(part) && !/[\p{Cc}\\]/u.test(part));
}
