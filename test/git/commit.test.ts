import { describe, expect, it } from "vitest";
import { parseCommit, parseTrailers } from "../../src/git/commit.ts";

describe("parseTrailers", () => {
  it.each([
    ["Subject\n\nBody.\n\nPenstock-Allow-Deletions: 3\n", { "penstock-allow-deletions": ["3"] }],
    ["Subject\n\nPenstock-Allow-Deletions: 3", { "penstock-allow-deletions": ["3"] }],
    ["Subject\r\n\r\nA: 1\r\nB: 2\r\n", { a: ["1"], b: ["2"] }],
    ["Subject\n\nA: 1\na: 2\nLong: one\n two\n", { a: ["1", "2"], long: ["one two"] }],
    ["Subject\n\n(cherry picked from commit 1234)\nA: 1\n", { a: ["1"] }],
  ])("finds those of %j", (message, expected) => {
    expect(Object.fromEntries(parseTrailers(message))).toEqual(expected);
  });

  it("counts as many as there are", () => {
    expect(parseTrailers(`Subject\n\n${"A: 1\n".repeat(300_000)}`).get("a")).toHaveLength(300_000);
  });

  it.each([
    ["Penstock-Allow-Deletions: 3"],
    ["Subject\n\nPenstock-Allow-Deletions: 3\n\nBut this is the end."],
    ["Subject\n\nSome prose about it,\nPenstock-Allow-Deletions: 3 was what\nwe wrote last time."],
    ["Subject\n\n  Penstock-Allow-Deletions\n"],
    [""],
  ])("finds none in %j", (message) => {
    expect(Object.fromEntries(parseTrailers(message))).toEqual({});
  });
});

describe("parseCommit", () => {
  const tree = "1".repeat(40);
  const parent = "2".repeat(40);

  it("reads a signed merge, whose headers go over several lines", () => {
    const text = `tree ${tree}\nparent ${parent}\nparent ${tree}\nauthor A <a@b> 1 +0000\ncommitter C D <c@d> 1700000000 -0130\ngpgsig -----BEGIN\n parent ${"3".repeat(40)}\n\n x\n -----END\n\nSubject\n\nparent ${parent}\n`;
    expect(parseCommit(Buffer.from(text))).toMatchObject({ tree, parents: [parent, tree], committedAtMs: 1_700_000_000_000 });
  });

  it.each([["\r"], ["\u2028"], ["\u2029"], ["\n "]])(
    "takes nothing behind %j for a parent: only Git's own lines count",
    (end) => {
      const header = `tree ${tree}\nparent ${parent}\nauthor A <a@b> 1 +0000\ncommitter C <c@d> 2 +0000`;
      const text = `${header}\ngpgsig -----BEGIN${end}parent ${"3".repeat(40)}${end}tree ${"3".repeat(40)}${end}\n -----END\n\nSubject\n`;
      expect(parseCommit(Buffer.from(text))).toMatchObject({ tree, parents: [parent], committedAtMs: 2000 });
      const late = `${header}\nparent ${"3".repeat(40)}\n\nSubject\n`;
      expect(parseCommit(Buffer.from(late))).toMatchObject({ parents: [parent] });
    },
  );

  it.each([["blob"], [`tree ${tree}\nauthor A <a@b> 1 +0000\n\nno committer`]])("takes %j for no commit", (text) => {
    expect(parseCommit(Buffer.from(text))).toBeUndefined();
  });
});
