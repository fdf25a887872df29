import { printYaml } from "../common/print-yaml.ts";
import type { YamlLayout, YamlMember } from "../common/yaml-layout.ts";
import { YAML_STYLE } from "./status-schema.ts";

/** A piece of a file's text and what takes its place; everything else stays as it is, byte for byte. */
export interface TextChange {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** What cannot be written without touching more than the block itself. */
export interface OddDocument {
  readonly odd: string;
}

const KEY = "status";
const NOTE = "# written by Penstock; changes made here are overwritten";

/**
 * The change that makes a document's `status` block say `value`: in place of the block that stands there, else as the last member. Takes the
 * document's own style, indent and line ends. Pure.
 */
export function writeStatusBlock(text: string, layout: YamlLayout, value: object): TextChange | OddDocument {
  const at = layout.members.findIndex(({ key }) => key === KEY);
  const known = layout.members[at];
  if (known?.hasAnchor === true) return { odd: "its status block holds an anchor, which other lines may need; remove the block" };
  if (layout.style === "flow") return writeInFlow(layout, known, value);
  return known === undefined ? appendLines(text, layout, value) : replaceLines(text, known, value);
}

/** The text without the `status` blocks of these documents: what `writeStatusBlock` has added is gone without a trace. Pure. */
export function withoutStatusBlocks(text: string, layouts: readonly YamlLayout[]): { text: string; cuts: readonly TextChange[] } {
  const cuts = layouts.flatMap((layout) => cutOf(text, layout) ?? []);
  return { text: applyChanges(text, cuts), cuts };
}

/** The changes must not overlap. */
export function applyChanges(text: string, changes: readonly TextChange[]): string {
  const parts: string[] = [];
  let at = 0;
  for (const { start, end, text: instead } of changes.toSorted((a, b) => a.start - b.start)) {
    parts.push(text.slice(at, start), instead);
    at = end;
  }
  return parts.join("") + text.slice(at);
}

// --- Block style: whole lines.

interface Lines {
  /** Where the first line begins. */
  readonly start: number;
  /** Where the last line ends, its line break not counted. */
  readonly end: number;
  readonly indent: string;
}

/** The lines of a member; undefined when they hold something else as well. */
function linesOf(text: string, { start, end }: YamlMember): Lines | undefined {
  const lineStart = text.lastIndexOf("\n", start - 1) + 1;
  const indent = text.slice(lineStart, start);
  const lineEnd = endOfLine(text, end);
  if (!/^ *$/.test(indent) || lineEnd === undefined) return undefined;
  return { start: lineStart, end: lineEnd, indent };
}

/** The end of the line that a value ends in, unless more than a comment follows it. A block scalar ends behind its line break. */
function endOfLine(text: string, end: number): number | undefined {
  if (text[end - 1] === "\n") return text[end - 2] === "\r" ? end - 2 : end - 1;
  const rest = /^[ \t]*(?:#[^\n]*?)?(?=\r?\n|$)/.exec(text.slice(end, nextBreak(text, end)));
  return rest === null ? undefined : end + rest[0].length;
}

function nextBreak(text: string, from: number): number {
  const at = text.indexOf("\n", from);
  return at < 0 ? text.length : at + 1;
}

const NOT_ALONE: OddDocument = {
  odd: "its members do not begin and end on lines of their own; write each key on a line of its own",
};

function replaceLines(text: string, known: YamlMember, value: object): TextChange | OddDocument {
  const lines = linesOf(text, known);
  if (lines === undefined) return NOT_ALONE;
  return { start: lines.start, end: lines.end, text: blockText(value, lines.indent, lineBreakOf(text, lines.start)) };
}

function appendLines(text: string, { members }: YamlLayout, value: object): TextChange | OddDocument {
  const [first, last] = [members[0], members.at(-1)];
  const lines = last === undefined ? undefined : linesOf(text, last);
  if (first === undefined || lines === undefined) return NOT_ALONE;
  const at = behindItsComments(text, lines);
  const lineBreak = lineBreakOf(text, at);
  const block = blockText(value, lines.indent, lineBreak);
  const isCutOff = at === text.length && text[at - 1] !== "\n"; // no line break at the end of the file, and so it stays
  return { start: at, end: at, text: isCutOff ? lineBreak + block : block + lineBreak };
}

/** Behind the last line and the comments that are indented as parts of it: options that somebody has commented out. */
function behindItsComments(text: string, { end, indent }: Lines): number {
  let at = nextBreak(text, end);
  for (let next = at; next < text.length;) {
    const line = text.slice(next, nextBreak(text, next));
    next += line.length;
    if (/^ *\r?\n?$/.test(line)) continue;
    if (!line.startsWith(`${indent} `) || !line.trimStart().startsWith("#")) break;
    at = next;
  }
  return at;
}

function blockText(value: object, indent: string, lineBreak: string): string {
  const [head, ...rest] = printYaml({ [KEY]: value }, YAML_STYLE)
    .trimEnd()
    .split("\n");
  return [`${head} ${NOTE}`, ...rest].map((line) => indent + line).join(lineBreak);
}

/** That of the line before, or of the first line that has one. */
function lineBreakOf(text: string, at: number): string {
  const before = text.lastIndexOf("\n", at - 1);
  const found = before < 0 ? text.indexOf("\n") : before;
  return found > 0 && text[found - 1] === "\r" ? "\r\n" : "\n";
}

// --- Flow style: between commas. JSON is YAML, and stays JSON where the document is.

function writeInFlow({ members }: YamlLayout, known: YamlMember | undefined, value: object): TextChange | OddDocument {
  const text = `${JSON.stringify(KEY)}: ${JSON.stringify(value)}`;
  if (known !== undefined) return { start: known.start, end: known.end, text };
  const last = members.at(-1);
  return last === undefined ? NOT_ALONE : { start: last.end, end: last.end, text: `, ${text}` };
}

// --- And back.

function cutOf(text: string, { style, members }: YamlLayout): TextChange | undefined {
  const at = members.findIndex(({ key }) => key === KEY);
  const known = members[at];
  if (known === undefined) return undefined;
  if (style === "flow") {
    const before = members[at - 1];
    if (before !== undefined) return { start: before.end, end: known.end, text: "" };
    return { start: known.start, end: members[at + 1]?.start ?? known.end, text: "" };
  }
  const lines = linesOf(text, known);
  if (lines === undefined) return undefined;
  if (lines.end < text.length) return { start: lines.start, end: nextBreak(text, lines.end), text: "" };
  // The last line of a file that does not end with a line break: the one before goes with it.
  const start = text[lines.start - 2] === "\r" ? lines.start - 2 : Math.max(0, lines.start - 1);
  return { start, end: lines.end, text: "" };
}
