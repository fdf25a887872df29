import { diff3Merge } from "node-diff3";

/** Comparing takes the square of the lines that repeat: more is nothing that a person wrote by hand. */
const MAX_LINES = 3000;
const MAX_BYTES = 512 * 1024;

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * What a file becomes that both sides changed, line by line; undefined when they changed the same lines differently, or when it is no text, or too
 * much of it. Pure.
 */
export function mergeContents(base: Uint8Array, ours: Uint8Array, theirs: Uint8Array): Buffer | undefined {
  const [o, a, b] = [linesOf(base), linesOf(ours), linesOf(theirs)];
  if (o === undefined || a === undefined || b === undefined) return undefined;
  const merged: string[] = [];
  for (const region of diff3Merge(a, o, b, { excludeFalseConflicts: true })) {
    if (region.ok === undefined) return undefined;
    merged.push(...region.ok);
  }
  return Buffer.from(merged.join("\n"));
}

function linesOf(content: Uint8Array): string[] | undefined {
  if (content.byteLength > MAX_BYTES || content.includes(0)) return undefined;
  try {
    const lines = UTF8.decode(content).split("\n");
    return lines.length > MAX_LINES ? undefined : lines;
  } catch {
    return undefined; // Not UTF-8, which is an answer here.
  }
}
