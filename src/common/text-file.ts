import { isUtf8 } from "node:buffer";

/** A text out of bytes. `damage` holds the offsets of what is not UTF-8, ascending, at most one per line. */
export type DecodedText = { readonly text: string; readonly damage: readonly number[] } | { readonly refused: string };

const LINE_FEED = 0x0a;

/**
 * Text out of a file's bytes, without its byte order mark. Bytes that are no UTF-8 leave the rest of the file readable; a whole file
 * in another encoding is refused.
 */
export function decodeText(content: string | Uint8Array): DecodedText {
  if (typeof content === "string") return { text: content.startsWith("\uFEFF") ? content.slice(1) : content, damage: [] };
  if (isUtf16(content)) return { refused: "the file is encoded as UTF-16; save it as UTF-8" };
  if (isUtf8(content)) return { text: decode(content, true), damage: [] };
  return decodeLines(content);
}

/** The bytes of a changed text, with the byte order mark that `before` begins with. */
export function encodeText(text: string, before: Uint8Array): Buffer {
  const hasMark = before[0] === 0xef && before[1] === 0xbb && before[2] === 0xbf;
  return Buffer.from(hasMark ? `\uFEFF${text}` : text);
}

function isUtf16(content: Uint8Array): boolean {
  return (content[0] === 0xff && content[1] === 0xfe) || (content[0] === 0xfe && content[1] === 0xff);
}

function decodeLines(content: Uint8Array): DecodedText {
  const damage: number[] = [];
  const lines: string[] = [];
  let length = 0;
  for (let start = 0; start < content.length;) {
    const lineFeed = content.indexOf(LINE_FEED, start);
    const end = lineFeed < 0 ? content.length : lineFeed + 1;
    const bytes = content.subarray(start, end);
    const line = decode(bytes, start === 0);
    if (!isUtf8(bytes)) damage.push(length + decode(bytes.subarray(0, firstDifference(bytes, line)), start === 0).length);
    lines.push(line);
    length += line.length;
    start = end;
  }
  return { text: lines.join(""), damage };
}

/** The replacement for a bad byte is encoded as other bytes, so the first difference is where the bad byte was. */
function firstDifference(bytes: Uint8Array, decoded: string): number {
  const encoded = Buffer.from(decoded);
  const bom = bytes[0] === 0xef && bytes[1] === 0xbb && encoded[0] !== 0xef ? 3 : 0;
  const at = bytes.subarray(bom).findIndex((byte, index) => byte !== encoded[index]);
  return at < 0 ? bytes.length : at + bom;
}

function decode(bytes: Uint8Array, dropByteOrderMark: boolean): string {
  return new TextDecoder("utf-8", { ignoreBOM: !dropByteOrderMark }).decode(bytes);
}

/** Turns offsets of a text into lines and columns that count from 1. */
export class LinePositions {
  readonly #starts: readonly number[];

  constructor(text: string) {
    const starts = [0];
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
    this.#starts = starts;
  }

  at(offset: number): { readonly line: number; readonly column: number } {
    const line = firstAtLeast(this.#starts, offset + 1);
    return { line, column: offset - this.#starts[line - 1]! + 1 };
  }
}

/** The index of the first of the ascending `numbers` that is at least `least`; their count when there is none. */
export function firstAtLeast(numbers: readonly number[], least: number): number {
  let low = 0;
  let high = numbers.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (numbers[middle]! < least) low = middle + 1;
    else high = middle;
  }
  return low;
}
