import { isAlias, isMap, isScalar, isSeq, type Node, type Pair, type ParsedNode } from "yaml";
import { didYouMean } from "./suggest.ts";
import { oneLine } from "./text.ts";

export type YamlPath = readonly (string | number)[];

/** A document's content with aliases and merge keys resolved: what came through an alias is one shared node. */
export type YamlTree = ScalarTree | MapTree | SeqTree;

interface TreeBase {
  /** Where the value begins, counted from the start of the file. */
  readonly offset: number;
  /** How much this becomes once every alias in it is followed. */
  readonly expanded: Expanded;
}

interface Expanded {
  readonly nodes: number;
  readonly aliases: number;
  readonly depth: number;
}

interface ScalarTree extends TreeBase {
  readonly kind: "scalar";
  readonly value: unknown;
  readonly source: string;
}

interface MapTree extends TreeBase {
  readonly kind: "map";
  readonly entries: ReadonlyMap<string, Entry>;
  /** Keys that stand here more than once; the first value counts. */
  readonly repeatedKeys: readonly string[];
}

interface SeqTree extends TreeBase {
  readonly kind: "seq";
  readonly items: readonly YamlTree[];
}

interface Entry {
  readonly keyOffset: number;
  readonly value: YamlTree;
}

export interface TreeLimits {
  readonly maxAliasCount: number;
  readonly maxDepth: number;
  /** So many are told; each may cost a search for what was meant. */
  readonly maxProblems: number;
  /** Added to every offset: where the document's text begins in the file. */
  readonly startOffset: number;
}

interface TreeProblem {
  readonly offset: number;
  readonly message: string;
}

/** Aliases share one object in memory, but whoever walks the value meets every copy. */
const MAX_EXPANDED_NODES = 100_000;
/** So many of the anchors before an alias are looked through for the one that was meant. */
const MAX_COMPARED_ANCHORS = 1000;

/** The tree is missing when the document expands beyond the limits: then nobody may walk it. */
export function buildYamlTree(
  contents: ParsedNode | null,
  limits: TreeLimits,
): { readonly tree: YamlTree | undefined; readonly problems: readonly TreeProblem[] } {
  const builder = new TreeBuilder(limits);
  try {
    return { tree: builder.build(contents), problems: builder.problems };
  } catch (error) {
    if (!(error instanceof ExpansionError)) throw error;
    return { tree: undefined, problems: [...builder.problems, { offset: error.offset, message: error.message }] };
  }
}

/** Ends the building from whatever depth it has reached; never leaves this file. */
class ExpansionError extends Error {
  override readonly name = "ExpansionError";
  readonly offset: number;
  constructor(offset: number, message: string) {
    super(message);
    this.offset = offset;
  }
}

const ONE: Expanded = { nodes: 1, aliases: 0, depth: 0 };

class TreeBuilder {
  readonly problems: TreeProblem[] = [];
  readonly #limits: TreeLimits;
  /** Anchors seen so far; "open" while the anchored value itself is still being read. */
  readonly #anchors = new Map<string, YamlTree | "open">();

  constructor(limits: TreeLimits) {
    this.#limits = limits;
  }

  build(node: Node | null): YamlTree {
    const offset = this.#offset(node);
    if (node === null) return { kind: "scalar", value: null, source: "", offset, expanded: ONE };
    if (isAlias(node)) return this.#resolveAlias(node.source, offset);
    const anchor = isMap(node) || isSeq(node) || isScalar(node) ? node.anchor : undefined;
    if (anchor !== undefined) this.#anchors.set(anchor, "open");
    const tree = this.#buildValue(node, offset);
    if (anchor !== undefined) this.#anchors.set(anchor, tree);
    return tree;
  }

  #buildValue(node: Node, offset: number): YamlTree {
    if (isMap(node)) return this.#buildMap(node.items as readonly Pair<ParsedNode, ParsedNode | null>[], offset);
    if (isSeq(node)) {
      const items = (node.items as readonly ParsedNode[]).map((item) => this.build(item));
      return { kind: "seq", items, offset, expanded: this.#sum(items, offset) };
    }
    const value: unknown = isScalar(node) ? node.value : null;
    const source = isScalar(node) ? (node.source ?? "") : "";
    // Tags and `%YAML 1.1` make dates and byte arrays: what was written is the better value.
    return { kind: "scalar", value: isPlainScalar(value) ? value : source, source, offset, expanded: ONE };
  }

  #buildMap(pairs: readonly Pair<ParsedNode, ParsedNode | null>[], offset: number): YamlTree {
    const own = new Map<string, Entry>();
    const merged: YamlTree[] = [];
    const repeatedKeys: string[] = [];
    for (const pair of pairs) {
      const keyOffset = this.#offset(pair.key);
      const key = this.#keyOf(pair.key, keyOffset);
      const value = this.build(pair.value);
      if (key === undefined) continue;
      if (isMergeKey(pair.key)) merged.push(...this.#mergeSources(value, keyOffset));
      else if (!own.has(key)) own.set(key, { keyOffset, value });
      else {
        repeatedKeys.push(key);
        this.#report(
          keyOffset,
          () => `the key ${oneLine(key, 80)} stands here a second time in one mapping; keep one of the two`,
        );
      }
    }
    const entries = withMerged(own, merged);
    return {
      kind: "map",
      entries,
      repeatedKeys,
      offset,
      expanded: this.#sum(
        [...entries.values()].map((entry) => entry.value),
        offset,
      ),
    };
  }

  #keyOf(key: ParsedNode | null, offset: number): string | undefined {
    const tree = this.build(key);
    if (tree.kind === "scalar") return tree.source;
    this.#report(offset, () => "a key must be text, not a mapping or a list; put it in quotes");
    return undefined;
  }

  #mergeSources(value: YamlTree, offset: number): readonly YamlTree[] {
    const sources = value.kind === "seq" ? value.items : [value];
    if (sources.every((source) => source.kind === "map")) return sources;
    this.#report(
      offset,
      () => "<< merges a mapping or a list of mappings; give it an alias such as *defaults, or put the key in quotes",
    );
    return [];
  }

  #resolveAlias(name: string, offset: number): YamlTree {
    const target = this.#anchors.get(name);
    if (target === undefined || target === "open") {
      this.#report(offset, () => this.#aliasMessage(name, target));
      return { kind: "scalar", value: null, source: "", offset, expanded: ONE };
    }
    const expanded = { ...target.expanded, aliases: target.expanded.aliases + 1 };
    this.#check(expanded, offset);
    return { ...target, expanded };
  }

  #aliasMessage(name: string, target: "open" | undefined): string {
    const shown = oneLine(name, 80);
    if (target === "open") return `the alias *${shown} stands inside of its own anchor; write the value out`;
    const suggestion = didYouMean(name, [...this.#anchors.keys()].slice(0, MAX_COMPARED_ANCHORS));
    return `no anchor &${shown} stands before this alias${suggestion}; write &${shown} before the value that is meant`;
  }

  #report(offset: number, message: () => string): void {
    if (this.problems.length < this.#limits.maxProblems) this.problems.push({ offset, message: message() });
  }

  #sum(parts: readonly YamlTree[], offset: number): Expanded {
    let nodes = 1;
    let aliases = 0;
    let depth = 0;
    for (const { expanded } of parts) {
      nodes += expanded.nodes;
      aliases += expanded.aliases;
      depth = Math.max(depth, expanded.depth);
    }
    const sum = { nodes, aliases, depth: depth + 1 };
    this.#check(sum, offset);
    return sum;
  }

  #check({ nodes, aliases, depth }: Expanded, offset: number): void {
    const { maxAliasCount, maxDepth } = this.#limits;
    if (aliases > maxAliasCount) {
      throw new ExpansionError(offset, `the aliases here stand for more than ${maxAliasCount} others; write the values out`);
    }
    if (depth > maxDepth) throw new ExpansionError(offset, `this is nested deeper than ${maxDepth} levels; write it flatter`);
    if (nodes > MAX_EXPANDED_NODES) {
      throw new ExpansionError(offset, `this document has more than ${MAX_EXPANDED_NODES} values; split it into several`);
    }
  }

  #offset(node: Node | null): number {
    return this.#limits.startOffset + (node?.range?.[0] ?? 0);
  }
}

function isPlainScalar(value: unknown): boolean {
  return value === null || ["string", "number", "boolean"].includes(typeof value);
}

function isMergeKey(key: ParsedNode | null): boolean {
  return isScalar(key) && key.type === "PLAIN" && key.source === "<<";
}

/** Own keys win over merged ones, and among those the first. */
function withMerged(own: ReadonlyMap<string, Entry>, merged: readonly YamlTree[]): ReadonlyMap<string, Entry> {
  if (merged.length === 0) return own;
  const entries = new Map(own);
  for (const source of merged) {
    if (source.kind !== "map") continue;
    for (const [key, entry] of source.entries) if (!entries.has(key)) entries.set(key, entry);
  }
  return entries;
}

/** Plain JavaScript. Keys such as `__proto__` become ordinary own members. What came through one alias is one object. */
export function plainValue(tree: YamlTree): unknown {
  const known = new Map<unknown, unknown>();
  const convert = (node: YamlTree): unknown => {
    if (node.kind === "scalar") return node.value;
    const identity = node.kind === "map" ? node.entries : node.items;
    const existing = known.get(identity);
    if (existing !== undefined) return existing;
    const value = node.kind === "seq" ? node.items.map(convert) : convertMap(node, convert);
    known.set(identity, value);
    return value;
  };
  return convert(tree);
}

function convertMap(node: MapTree, convert: (node: YamlTree) => unknown): object {
  const value = {};
  for (const [key, entry] of node.entries) {
    Object.defineProperty(value, key, { value: convert(entry.value), enumerable: true, configurable: true, writable: true });
  }
  return value;
}

interface Found {
  readonly offset: number;
  readonly keyOffset: number;
  /** What stands there, when the whole path exists. */
  readonly tree: YamlTree | undefined;
}

/** What stands at `path`, or else at the longest part of it that exists. */
export function findInTree(tree: YamlTree, path: YamlPath): Found {
  let node = tree;
  let keyOffset = tree.offset;
  for (const part of path) {
    const next = childOf(node, part);
    if (next === undefined) return { offset: node.offset, keyOffset, tree: undefined };
    keyOffset = next.keyOffset;
    node = next.value;
  }
  return { offset: node.offset, keyOffset, tree: node };
}

function childOf(node: YamlTree, part: string | number): Entry | undefined {
  if (node.kind === "map") return node.entries.get(String(part));
  const value = node.kind === "seq" ? node.items[Number(part)] : undefined;
  return value === undefined ? undefined : { keyOffset: value.offset, value };
}

/** Every path below the root with the offset of its value. */
export function treePaths(tree: YamlTree): readonly (readonly [path: YamlPath, offset: number])[] {
  const found: (readonly [YamlPath, number])[] = [];
  const visit = (node: YamlTree, path: YamlPath): void => {
    if (path.length > 0) found.push([path, node.offset]);
    if (node.kind === "map") for (const [key, entry] of node.entries) visit(entry.value, [...path, key]);
    if (node.kind === "seq") for (const [index, item] of node.items.entries()) visit(item, [...path, index]);
  };
  visit(tree, []);
  return found;
}
