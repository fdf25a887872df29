/** One entry of a Git tree, as it stands there: `name` holds its bytes one a character (latin1), so that nothing is lost. */
export interface TreeEntry {
  readonly mode: string;
  readonly name: string;
  readonly oid: string;
}

export type EntryKind = "file" | "executable" | "symlink" | "submodule" | "folder";

/** A name as text. `readable` is false for what is not UTF-8 or is no plain file name; its text is then escaped. */
export interface EntryName {
  readonly text: string;
  /** For people: without characters that could deceive. */
  readonly display: string;
  readonly readable: boolean;
}

export const FOLDER_MODE = "40000";
export const FILE_MODE = "100644";

/** The entries of a tree object, or undefined when it is none. Unlike isomorphic-git's, no odd name makes the rest unreadable. */
export function parseTree(content: Buffer): readonly TreeEntry[] | undefined {
  const entries: TreeEntry[] = [];
  for (let at = 0; at < content.length;) {
    const space = content.indexOf(0x20, at);
    const end = content.indexOf(0, space);
    if (space < 0 || end < 0 || end + 21 > content.length) return undefined;
    const mode = content.toString("latin1", at, space);
    if (!/^[0-7]{5,6}$/.test(mode)) return undefined;
    entries.push({ mode, name: content.toString("latin1", space + 1, end), oid: content.toString("hex", end + 1, end + 21) });
    at = end + 21;
  }
  return entries;
}

/** The tree object of `entries`, in the order that Git wants whatever order they come in. */
export function buildTree(entries: readonly TreeEntry[]): Buffer {
  const sorted = [...entries].sort((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1));
  return Buffer.concat(
    sorted.flatMap(({ mode, name, oid }) => [Buffer.from(`${mode} ${name}\0`, "latin1"), Buffer.from(oid, "hex")]),
  );
}

/** Bytes compare as Git compares them; a folder as if its name ended with a slash. */
function sortKey(entry: TreeEntry): string {
  return entryKind(entry.mode) === "folder" ? `${entry.name}/` : entry.name;
}

export function entryKind(mode: string): EntryKind {
  switch (Number.parseInt(mode, 8) >> 12) {
    case 0o04:
      return "folder";
    case 0o12:
      return "symlink";
    case 0o16:
      return "submodule";
    default:
      return (Number.parseInt(mode, 8) & 0o100) === 0 ? "file" : "executable";
  }
}

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const PLAIN_NAME = /^[\w .,@+=-]+$/;
const UNSAFE = /[\p{Cc}\\/]/u;
const DECEIVING = /[\p{Cf}\p{Zl}\p{Zp}]/gu;

export function readName(raw: string): EntryName {
  const isReserved = /^(?:\.{1,2}|\.git|git~1|)$/i.test(raw);
  if (!isReserved && PLAIN_NAME.test(raw)) return { text: raw, display: raw, readable: true };
  const text = decode(raw);
  if (text === undefined || UNSAFE.test(text)) {
    const escaped = raw.replaceAll(
      /[^\x20-\x5b\x5d-\x7e]|\//g,
      (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, "0")}`,
    );
    return { text: escaped, display: escaped, readable: false };
  }
  const display = text.replaceAll(DECEIVING, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`);
  return { text, display, readable: !isReserved };
}

function decode(raw: string): string | undefined {
  try {
    return UTF8.decode(Buffer.from(raw, "latin1"));
  } catch {
    return undefined; // Not UTF-8, which is an answer here.
  }
}
