/** One line of Git's protocol: its content, or one of the marks without content. */
export type PktLine = Buffer | "flush" | "delimiter" | "end";

export const FLUSH = Buffer.from("0000");

const MARKS: Readonly<Record<number, "flush" | "delimiter" | "end">> = { 0: "flush", 1: "delimiter", 2: "end" };

export function encodePktLine(text: string): Buffer {
  const content = Buffer.from(text);
  return Buffer.concat([Buffer.from((content.length + 4).toString(16).padStart(4, "0")), content]);
}

/** The whole of `body` as lines, sharing its memory; undefined when it is not made of whole lines, as after a cut. */
export function parsePktLines(body: Buffer): readonly PktLine[] | undefined {
  const lines: PktLine[] = [];
  for (let at = 0; at < body.length;) {
    const header = body.toString("latin1", at, at + 4);
    if (!/^[0-9a-fA-F]{4}$/.test(header)) return undefined;
    const size = Number.parseInt(header, 16);
    const mark = MARKS[size];
    if (mark === undefined && (size < 4 || at + size > body.length)) return undefined;
    lines.push(mark ?? body.subarray(at + 4, at + size));
    at += mark === undefined ? size : 4;
  }
  return lines;
}
