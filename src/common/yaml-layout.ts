import { isAlias, isMap, isScalar, isSeq, visit, type Node, type Pair, type ParsedNode } from "yaml";

/** Where the members of a document's outermost mapping stand, for changing one and leaving every other byte as it is. */
export interface YamlLayout {
  /** `flow`: written as `{…}`. */
  readonly style: "block" | "flow";
  /** As they are written; merge keys among them. */
  readonly members: readonly YamlMember[];
}

/** Offsets are those of the file's text, without a byte order mark. */
export interface YamlMember {
  readonly key: string;
  readonly start: number;
  /** Behind the last character of the value; comments and line breaks that follow are not in it, but for those inside of a block scalar. */
  readonly end: number;
  /** Something else of the document may refer to it. */
  readonly hasAnchor: boolean;
}

/** `offset`: where the document's text begins in the file. */
export function readYamlLayout(contents: ParsedNode | null, offset: number): YamlLayout | undefined {
  if (!isMap(contents)) return undefined;
  const pairs = contents.items as readonly Pair<ParsedNode, ParsedNode | null>[];
  return { style: contents.flow === true ? "flow" : "block", members: pairs.map((pair) => memberOf(pair, offset)) };
}

function memberOf({ key, value }: Pair<ParsedNode, ParsedNode | null>, offset: number): YamlMember {
  return {
    key: isScalar(key) ? (key.source ?? "") : "",
    start: offset + (key.range?.[0] ?? 0),
    end: offset + Math.max(endOf(key), endOf(value ?? key)),
    hasAnchor: hasAnchor(key) || (value !== null && hasAnchor(value)),
  };
}

/** A block collection's own range goes on over the comments behind it, so the last leaf is what counts. */
function endOf(node: Node): number {
  const own = node.range?.[1] ?? 0;
  if ((isMap(node) || isSeq(node)) && node.flow !== true) {
    const last: unknown = node.items.at(-1);
    if (isMap(node)) {
      const pair = last as Pair<ParsedNode, ParsedNode | null> | undefined;
      return pair === undefined ? own : Math.max(endOf(pair.key), endOf(pair.value ?? pair.key));
    }
    return last === undefined ? own : endOf(last as ParsedNode);
  }
  return own;
}

function hasAnchor(node: ParsedNode): boolean {
  let found = false;
  visit(node, {
    Node(_key, child) {
      if (isAlias(child) || child.anchor === undefined) return undefined;
      found = true;
      return visit.BREAK;
    },
  });
  return found;
}
