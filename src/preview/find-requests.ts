import { oneLine } from "../common/text.ts";
import { matchesPaths } from "../model/match-paths.ts";
import { sha256Hex } from "../common/hash.ts";

export interface Ref {
  readonly ref: string;
  readonly oid: string;
}

/** Something that may come into the branch, known by its ref alone. */
export interface Request {
  /** What its files on the previews' branch are called: `7`, `branch-feature-x`. */
  readonly id: string;
  /** For people: `request 7`, `branch feature/x`. */
  readonly name: string;
  /** Undefined of a branch. */
  readonly number: number | undefined;
  readonly head: string;
}

const REQUEST_PREFIXES = ["refs/pull/", "refs/merge-requests/"];
/** The newest ones: so many are planned, whoever opens more. */
export const MAX_REQUESTS = 200;

/** What to ask the server for: the requests of every forge, and the branches that the patterns may mean. */
export function refPrefixes(patterns: readonly string[]): readonly string[] {
  const literal = patterns.map((pattern) => `refs/heads/${/^[^*?[\]{}()!+@\\]*/.exec(pattern)![0]}`);
  return [...REQUEST_PREFIXES, ...new Set(literal)];
}

/** The requests among the refs, the newest first, branches last. Pure. */
export function findRequests(
  refs: readonly Ref[],
  { patterns, own }: { readonly patterns: readonly string[]; readonly own: readonly string[] },
): readonly Request[] {
  const requests: Request[] = [];
  for (const { ref, oid } of refs) {
    const number = /^refs\/(?:pull|merge-requests)\/([1-9]\d{0,8})\/head$/.exec(ref)?.[1];
    if (number !== undefined) requests.push({ id: number, name: `request ${number}`, number: Number(number), head: oid });
    const branch = /^refs\/heads\/(.+)$/.exec(ref)?.[1];
    if (branch === undefined || own.includes(branch) || branch.startsWith("penstock/") || !matchesPaths(branch, patterns))
      continue;
    requests.push({ id: `branch-${fileNameOf(branch)}`, name: `branch ${oneLine(branch, 200)}`, number: undefined, head: oid });
  }
  return requests.sort((a, b) => (b.number ?? 0) - (a.number ?? 0) || (a.id < b.id ? -1 : 1)).slice(0, MAX_REQUESTS);
}

/** A name that every file system holds; two branches never share one. */
function fileNameOf(branch: string): string {
  const plain = branch.replaceAll(/[^\w.-]+/g, "-").slice(0, 100);
  return plain === branch ? plain : `${plain}-${sha256Hex(branch).slice(0, 8)}`;
}
