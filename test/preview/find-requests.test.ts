import { describe, expect, it } from "vitest";
import { findRequests, MAX_REQUESTS, refPrefixes } from "../../src/preview/find-requests.ts";

const OID = "a0".repeat(20);
const own = ["main", "penstock/status", "penstock/previews"];
const ids = (patterns: readonly string[], ...refs: readonly string[]): readonly string[] =>
  findRequests(
    refs.map((ref) => ({ ref, oid: OID })),
    { patterns, own },
  ).map(({ id }) => id);

describe("findRequests", () => {
  it.each<readonly [string, readonly string[], readonly string[], readonly string[]]>([
    ["takes requests of every forge, the newest first", [], ["refs/pull/2/head", "refs/merge-requests/11/head"], ["11", "2"]],
    [
      "takes no other ref of a request",
      [],
      ["refs/pull/2/merge", "refs/pull/02/head", "refs/pull/x/head", "refs/pull/2/head/x"],
      [],
    ],
    [
      "takes branches only by their patterns",
      ["feature/**"],
      ["refs/heads/feature/x", "refs/heads/fix", "refs/heads/main"],
      ["branch-feature-x-b9de5bd0"],
    ],
    [
      "never takes the daemon's own branches",
      ["**"],
      ["refs/heads/main", "refs/heads/penstock/status", "refs/heads/penstock/x", "refs/heads/b"],
      ["branch-b"],
    ],
  ])("%s", (_, patterns, refs, expected) => {
    expect(ids(patterns, ...refs).map((id) => id.replace(/-[0-9a-f]{8}$/, ""))).toEqual(
      expected.map((id) => id.replace(/-[0-9a-f]{8}$/, "")),
    );
  });

  it("gives two branches never the same file", () => {
    const found = ids(["**"], "refs/heads/a/b", "refs/heads/a-b", "refs/heads/a+b");
    expect(new Set(found).size).toBe(3);
    expect(found.every((id) => /^branch-[\w.-]+$/.test(id))).toBe(true);
  });

  it("keeps the newest when there are too many", () => {
    const found = ids([], ...Array.from({ length: 300 }, (_, index) => `refs/pull/${index + 1}/head`));
    expect(found).toHaveLength(MAX_REQUESTS);
    expect([found[0], found.at(-1)]).toEqual(["300", "101"]);
  });
});

it.each<readonly [readonly string[], readonly string[]]>([
  [[], ["refs/pull/", "refs/merge-requests/"]],
  [
    ["feature/**", "feature/*", "fix-1"],
    ["refs/pull/", "refs/merge-requests/", "refs/heads/feature/", "refs/heads/fix-1"],
  ],
  [["**"], ["refs/pull/", "refs/merge-requests/", "refs/heads/"]],
])("refPrefixes of %j asks for what they may mean", (patterns, expected) => {
  expect(refPrefixes(patterns)).toEqual(expected);
});
