import { GitTooLargeError } from "./errors.ts";
import { entryKind, readName, type TreeEntry } from "./tree.ts";

export interface TreeFile {
  /** Relative to the root, with slashes. Of names that are not readable: the escaped text. */
  readonly path: string;
  /** For people: without characters that could deceive. */
  readonly displayPath: string;
  readonly kind: "file" | "symlink" | "submodule";
  /** The blob's oid; of a submodule the commit's. */
  readonly blob: string;
  /** False when the path is not UTF-8 or no plain path (`..`, `.git`, a backslash): such a file is named to people and not read. */
  readonly readableName: boolean;
}

interface Folder {
  readonly path: string;
  readonly displayPath: string;
  readonly readable: boolean;
  readonly oid: string;
  readonly depth: number;
}

/** Folders that were listed before, by place and tree: what did not change is not built again. */
export type KnownFolders = ReadonlyMap<string, readonly TreeFile[]>;

export interface FolderListing {
  readonly files: readonly TreeFile[];
  readonly folders: KnownFolders;
}

const MAX_ENTRIES = 500_000;
const MAX_DEPTH = 100;

/**
 * All files below a tree, in Git's order of each folder. A few trees that contain each other many times can stand for billions of files, so
 * there is a limit on how many there may be.
 */
export async function readFiles(
  root: string,
  readTree: (oid: string) => Promise<readonly TreeEntry[]>,
  known: KnownFolders,
  url: string,
): Promise<FolderListing> {
  const files: TreeFile[] = [];
  const folders = new Map<string, readonly TreeFile[]>();
  let seen = 0;
  const waiting: Folder[] = [{ path: "", displayPath: "", readable: true, oid: root, depth: 0 }];
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    const entries = await readTree(folder.oid);
    seen += entries.length + 1;
    if (seen > MAX_ENTRIES || folder.depth > MAX_DEPTH) {
      throw new GitTooLargeError(
        url,
        `more than ${MAX_ENTRIES} files and folders, or folders nested more than ${MAX_DEPTH} deep`,
      );
    }
    const key = `${folder.oid} ${folder.path}`;
    const own = known.get(key) ?? listFolder(folder, entries);
    folders.set(key, own);
    files.push(...own);
    waiting.push(...subfolders(folder, entries));
  }
  return { files, folders };
}

function listFolder(folder: Folder, entries: readonly TreeEntry[]): readonly TreeFile[] {
  return entries.flatMap((entry) => {
    const kind = entryKind(entry.mode);
    if (kind === "folder") return [];
    const place = placeOf(folder, entry);
    const shown = kind === "executable" ? "file" : kind;
    return [{ path: place.path, displayPath: place.displayPath, kind: shown, blob: entry.oid, readableName: place.readable }];
  });
}

/** The last one first: they are taken from the end of the list. */
function subfolders(folder: Folder, entries: readonly TreeEntry[]): readonly Folder[] {
  const below = entries.filter(({ mode }) => entryKind(mode) === "folder").toReversed();
  return below.map((entry) => {
    const { path, displayPath, readable } = placeOf(folder, entry);
    return { path, displayPath, readable, oid: entry.oid, depth: folder.depth + 1 };
  });
}

function placeOf(folder: Folder, entry: TreeEntry) {
  const { text, display, readable } = readName(entry.name);
  const slash = folder.path === "" ? "" : "/";
  return {
    path: `${folder.path}${slash}${text}`,
    displayPath: `${folder.displayPath}${slash}${display}`,
    readable: folder.readable && readable,
  };
}
