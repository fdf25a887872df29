import { Composer, Lexer, Parser, type CST, type Document, type YAMLError } from "yaml";
import { compareText, type Position, type Problem } from "./problem.ts";
import { countOf, oneLine } from "./text.ts";
import { decodeText, firstAtLeast, LinePositions } from "./text-file.ts";
import { formatSize } from "./units.ts";
import { readYamlLayout, type YamlLayout } from "./yaml-layout.ts";
import { buildYamlTree, findInTree, plainValue, treePaths, type YamlPath, type YamlTree } from "./yaml-tree.ts";

export type { YamlPath } from "./yaml-tree.ts";

/** One document of a file. Paths are what one writes in JavaScript: `["spec", "mainArgs", 0]`. */
export interface YamlDocument {
  /** Plain JavaScript; `undefined` when the document is `broken`, `null` when it is empty. Aliases share one object. */
  readonly value: unknown;
  /** Where its content begins. */
  readonly start: Position;
  /** All problems of this document; the file's `problems` hold them as well. */
  readonly problems: readonly Problem[];
  /** `problems` is not empty. */
  readonly hasErrors: boolean;
  /** It is not YAML, so nothing in it can be believed. A duplicate key or an unknown tag, for example, does not make it broken. */
  readonly broken: boolean;
  /** Where the value stands, or its nearest ancestor that exists. A value that came through an alias stands at its anchor. */
  at(path: YamlPath): Position;
  /** Where the key stands, or its nearest ancestor's. */
  atKey(path: YamlPath): Position;
  /** A scalar as it was written, without quotes: `1.20` stays `1.20`. `undefined` for anything else. */
  sourceText(path: YamlPath): string | undefined;
  /** Keys that stand more than once in the mapping at this path: a sign of a missing `---`. The first value counts. */
  repeatedKeys(path: YamlPath): readonly string[];
  /** Where the members of its outermost mapping stand; undefined when it is `broken` or no mapping. */
  layout(): YamlLayout | undefined;
  /** Every path with the position of its value, aliases followed. */
  paths(): Iterable<readonly [path: YamlPath, position: Position]>;
}

export interface YamlFile {
  readonly documents: readonly YamlDocument[];
  /** In the order of the file. Empty when all documents may be believed. */
  readonly problems: readonly Problem[];
}

export interface YamlLimits {
  readonly maxBytes: number;
  /** How many aliases a document may hold, those inside of what other aliases stand for included. */
  readonly maxAliasCount: number;
  readonly maxDepth: number;
  readonly maxDocuments: number;
}

export const DEFAULT_YAML_LIMITS: YamlLimits = { maxBytes: 1024 ** 2, maxAliasCount: 100, maxDepth: 64, maxDocuments: 1000 };

const MAX_PROBLEMS_PER_DOCUMENT = 10;

/** Bounds the time that one document takes; a list of 12,000 lines has about 100,000 (words, indents, colons, line ends). */
const MAX_LEXEMES_PER_DOCUMENT = 250_000;
/** A text that is no YAML at all upsets the parser at every character. */
const MAX_ERROR_TOKENS = 100;
/** Complaints about what was parsed: each is an error with a stack, and a megabyte of wrong escapes would make half a million of them. */
const MAX_COMPLAINTS = 1000;

/**
 * Reads every document of a YAML file; bad text never throws. A document that is broken does not take its neighbours with it.
 * Documents without content (only comments) are left out.
 */
export function parseYamlFile(file: string, content: string | Uint8Array, limits: Partial<YamlLimits> = {}): YamlFile {
  const effective = { ...DEFAULT_YAML_LIMITS, ...limits };
  const bytes = typeof content === "string" ? Buffer.byteLength(content) : content.byteLength;
  if (bytes > effective.maxBytes) return onlyProblem(file, tooLarge(bytes, effective.maxBytes));
  const decoded = decodeText(content);
  if ("refused" in decoded) return onlyProblem(file, decoded.refused);
  const reader = new FileReader(file, decoded.text, decoded.damage, effective);
  return reader.read();
}

function onlyProblem(file: string, message: string): YamlFile {
  return { documents: [], problems: [{ file, line: 1, column: 1, message }] };
}

function tooLarge(bytes: number, maxBytes: number): string {
  return `the file has ${formatSize(bytes)}, and at most ${formatSize(maxBytes)} are read; split it, or keep it outside of the configured paths`;
}

/** A stretch of the text that holds one document. */
interface Segment {
  readonly start: number;
  readonly end: number;
}

class FileReader {
  readonly #file: string;
  readonly #text: string;
  readonly #damage: readonly number[];
  readonly #limits: YamlLimits;
  readonly #lines: LinePositions;

  constructor(file: string, text: string, damage: readonly number[], limits: YamlLimits) {
    this.#file = file;
    this.#text = text;
    this.#damage = damage;
    this.#limits = limits;
    this.#lines = new LinePositions(text);
  }

  read(): YamlFile {
    const segments = splitDocuments(this.#text);
    const documents = segments.slice(0, this.#limits.maxDocuments).flatMap((segment) => this.#readSegment(segment));
    const problems = documents.flatMap((document) => document.problems);
    const firstUnread = segments[this.#limits.maxDocuments];
    if (firstUnread === undefined) return { documents, problems };
    const message = `the file has ${countOf(segments.length, "document")}, and at most ${this.#limits.maxDocuments} are read; split it`;
    return { documents, problems: [...problems, this.#problem(firstUnread.start, message)] };
  }

  #readSegment(segment: Segment): readonly YamlDocument[] {
    const damage = this.#damageOf(segment);
    if (damage !== undefined) return [this.#brokenDocument([damage])];
    const composed = composeSegment(this.#text.slice(segment.start, segment.end), this.#limits.maxDepth);
    if (composed.kind === "given-up") {
      return [this.#brokenDocument([this.#problem(segment.start + composed.offset, composed.message)])];
    }
    return composed.documents.map((document) => this.#readDocument(document, segment.start));
  }

  /** What the text of a document cannot hold, whatever it means. */
  #damageOf({ start, end }: Segment): Problem | undefined {
    const badByte = this.#damage[firstAtLeast(this.#damage, start)] ?? end;
    if (badByte < end) return this.#problem(badByte, "this character is not UTF-8; save the file as UTF-8");
    const nul = this.#text.slice(start, end).indexOf("\0");
    return nul < 0 ? undefined : this.#problem(start + nul, "this is a NUL character, which no text holds; remove it");
  }

  #readDocument(document: Document.Parsed, offset: number): YamlDocument {
    if (document.errors.length > 0) return this.#brokenDocument(this.#syntaxProblems(document.errors, offset));
    const problems = this.#syntaxProblems(document.warnings, offset);
    const built = buildYamlTree(document.contents, {
      ...this.#limits,
      maxProblems: MAX_PROBLEMS_PER_DOCUMENT,
      startOffset: offset,
    });
    for (const { offset: at, message } of built.problems) problems.push(this.#problem(at, message));
    if (built.tree === undefined) return this.#brokenDocument(problems);
    return this.#document(built.tree, problems, () => readYamlLayout(document.contents, offset));
  }

  #document(tree: YamlTree, problems: readonly Problem[], layout: () => YamlLayout | undefined): YamlDocument {
    const position = (offset: number): Position => this.#position(offset);
    return {
      value: plainValue(tree),
      start: position(tree.offset),
      problems,
      hasErrors: problems.length > 0,
      broken: false,
      at: (path) => position(findInTree(tree, path).offset),
      atKey: (path) => position(findInTree(tree, path).keyOffset),
      sourceText: (path) => {
        const found = findInTree(tree, path).tree;
        return found?.kind === "scalar" ? found.source : undefined;
      },
      repeatedKeys: (path) => {
        const found = findInTree(tree, path).tree;
        return found?.kind === "map" ? found.repeatedKeys : [];
      },
      layout,
      paths: () => treePaths(tree).map(([path, offset]) => [path, position(offset)] as const),
    };
  }

  #brokenDocument(problems: readonly Problem[]): YamlDocument {
    const start: Position = problems[0] ?? this.#position(0);
    const { file, line, column } = start;
    const at = (): Position => ({ file, line, column });
    return {
      value: undefined,
      start: at(),
      problems,
      hasErrors: true,
      broken: true,
      at,
      atKey: at,
      sourceText: () => undefined,
      repeatedKeys: () => [],
      layout: () => undefined,
      paths: () => [],
    };
  }

  /** One broken line often upsets the parser many times: only the first complaint about each line is worth reading. */
  #syntaxProblems(errors: readonly YAMLError[], offset: number): Problem[] {
    const perLine = new Map<number, Problem>();
    for (const error of errors) {
      const problem = this.#problem(offset + error.pos[0], syntaxMessage(error));
      if (!perLine.has(problem.line)) perLine.set(problem.line, problem);
    }
    const problems = [...perLine.values()].sort((a, b) => a.line - b.line || compareText(a.message, b.message));
    const left = problems.length - MAX_PROBLEMS_PER_DOCUMENT;
    if (left <= 0) return problems;
    const shown = problems.slice(0, MAX_PROBLEMS_PER_DOCUMENT);
    const last = problems[MAX_PROBLEMS_PER_DOCUMENT]!;
    return [
      ...shown,
      { ...last, message: `${countOf(left, "more line")} of this document cannot be read; correct the ones above first` },
    ];
  }

  #problem(offset: number, message: string): Problem {
    return { ...this.#position(offset), message };
  }

  #position(offset: number): Position {
    return { file: this.#file, ...this.#lines.at(offset) };
  }
}

/**
 * Cuts the text at its document markers. YAML allows `---` and `...` at the start of a line nowhere else, not even inside of quotes,
 * so an unclosed quote ends with its document. Comments and directives before a marker belong to the document that it opens.
 */
function splitDocuments(text: string): readonly Segment[] {
  const segments: Segment[] = [];
  let start = 0;
  const cut = (end: number): void => {
    if (hasContent(text.slice(start, end))) segments.push({ start, end });
    start = end;
  };
  for (const marker of text.matchAll(/(?<![^\n])(?:---|\.\.\.)(?=[ \t\r\n]|$)/g)) {
    if (marker[0] === "...") {
      const lineEnd = text.indexOf("\n", marker.index);
      cut(lineEnd < 0 ? text.length : lineEnd + 1);
    } else if (!/^(?:[ \t\r]*(?:#[^\n]*)?\n|%[^\n]*\n)*$/.test(text.slice(start, marker.index))) {
      cut(marker.index);
    }
  }
  cut(text.length);
  return segments;
}

/** Whether there is more than markers, comments, directives and blank lines. */
function hasContent(segment: string): boolean {
  const withoutMarkers = segment.replace(/(?<![^\n])(?:---|\.\.\.)(?=[ \t\r\n]|$)/g, "");
  return /^[ \t]*[^\s#%]/m.test(withoutMarkers) || /^[ \t]+%/m.test(withoutMarkers);
}

type Composed =
  | { readonly kind: "documents"; readonly documents: readonly Document.Parsed[] }
  | { readonly kind: "given-up"; readonly offset: number; readonly message: string };

/**
 * Watches depth and length while parsing: the library recurses over what it read, and a megabyte of `- - - …` would exhaust the stack
 * in places that cannot be caught. Duplicate keys are looked for afterwards, because the library compares each key with each.
 */
function composeSegment(text: string, maxDepth: number): Composed {
  const parser = new Parser();
  const tokens: CST.Token[] = [];
  const giveUp = (message: string): Composed => ({ kind: "given-up", offset: parser.offset, message });
  let lexemes = 0;
  let errors = 0;
  for (const lexeme of new Lexer().lex(text)) {
    for (const token of parser.next(lexeme)) {
      tokens.push(token);
      if (token.type === "error") errors += 1;
    }
    lexemes += 1;
    // Around the collections the stack holds the document and a scalar.
    if (parser.stack.length > maxDepth + 2) return giveUp(`this is nested deeper than ${maxDepth} levels; write it flatter`);
    if (lexemes > MAX_LEXEMES_PER_DOCUMENT)
      return giveUp("the document is too long to be read; split it, or keep it outside of the configured paths");
    if (errors > MAX_ERROR_TOKENS) return giveUp("this is not YAML; keep files of other kinds outside of the configured paths");
  }
  tokens.push(...parser.end());
  return composeTokens(tokens);
}

function composeTokens(tokens: Iterable<CST.Token>): Composed {
  const composer = new Composer({ uniqueKeys: false, merge: false, logLevel: "silent", version: "1.2" });
  const tooMany = new Error("too many complaints");
  const complain = Reflect.get(composer, "onError") as (...complaint: readonly unknown[]) => void;
  let complaints = 0;
  let offset = 0;
  Reflect.set(composer, "onError", (source: ErrorSource, ...about: readonly unknown[]) => {
    complaints += 1;
    // The library catches what is thrown here, complains of it in its turn, and so hears it again.
    if (complaints <= MAX_COMPLAINTS + 1) offset = offsetOf(source);
    if (complaints > MAX_COMPLAINTS) throw tooMany;
    complain(source, ...about);
  });
  try {
    return { kind: "documents", documents: [...composer.compose(tokens)] };
  } catch (error) {
    if (error !== tooMany) throw error;
    const message = `more than ${MAX_COMPLAINTS} places before this one are not readable YAML; keep files of other kinds outside of the configured paths`;
    return { kind: "given-up", offset, message };
  }
}

/** What the library says of a place: an offset, the two that a stretch lies between, or a token. */
type ErrorSource = number | readonly [number, number] | { readonly offset: number };

function offsetOf(source: ErrorSource): number {
  if (typeof source === "number") return source;
  return "offset" in source ? source.offset : source[0];
}

const ADVICE: Partial<Readonly<Record<YAMLError["code"], string>>> = {
  TAB_AS_INDENT: "indent with spaces instead of tabs",
  BAD_INDENT: "indent the lines of one mapping or list alike",
  BAD_SCALAR_START: "put the value in quotes",
  BAD_DQ_ESCAPE: "double the backslash, or use single quotes",
  BLOCK_AS_IMPLICIT_KEY: "begin a nested mapping on a line of its own, or put the value in quotes",
  MULTILINE_IMPLICIT_KEY: "write each key on one line, followed by a colon and a space",
  MISSING_CHAR: "check quotes, brackets, colons and commas here and on the lines before",
  UNEXPECTED_TOKEN: "check quotes, brackets, colons and commas here and on the lines before",
  TAG_RESOLVE_FAILED: "leave the tag out",
  BAD_COLLECTION_TYPE: "leave the tag out",
  BLOCK_IN_FLOW: "inside of { } and [ ] write { } and [ ] only",
  KEY_OVER_1024_CHARS: "shorten the key",
  MULTIPLE_ANCHORS: "keep one anchor",
  MULTIPLE_TAGS: "keep one tag",
  ALIAS_PROPS: "write the alias alone",
};

function syntaxMessage(error: YAMLError): string {
  const what = oneLine(error.message, 200);
  const advice = ADVICE[error.code] ?? "correct this line";
  return `this is not readable YAML (${what}); ${advice}`;
}
