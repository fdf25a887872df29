import { describe, expect, it } from "vitest";
import { countOf, listOf, oneLine, truncate } from "../../src/common/text.ts";

describe("truncate", () => {
  it.each([
    ["leaves what fits", "abcde", 5, "abcde"],
    ["cuts what does not, with an ellipsis inside of the limit", "abcdef", 5, "abcd…"],
    ["never splits a surrogate pair", "abc😀ef", 5, "abc…"],
    ["keeps a whole surrogate pair that fits", "ab😀efg", 5, "ab😀…"],
  ])("%s", (_, text, max, expected) => {
    const cut = truncate(text, max);
    expect(cut).toBe(expected);
    expect(cut.isWellFormed()).toBe(true);
  });
});

describe("oneLine", () => {
  it.each([
    ["line breaks", "one\r\ntwo\u2028three", "one two three"],
    ["terminal escapes", "red \u001b[31malert\u0007", "red [31malert"],
    ["direction marks and invisible characters", "abc\u202edcba\u200b!", "abc dcba !"],
    ["broken surrogates", "a\ud800b", "a b"],
    ["spaces at the ends and in a row", "  a   b\t", "a b"],
  ])("turns %s into single spaces", (_, text, expected) => {
    expect(oneLine(text)).toBe(expected);
  });

  it("cuts at 500 characters, or at the given length", () => {
    expect(oneLine("x".repeat(600))).toHaveLength(500);
    expect(oneLine("abcdef", 4)).toBe("abc…");
  });
});

describe("countOf and listOf", () => {
  it("agree with grammar", () => {
    expect([0, 1, 2].map((count) => countOf(count, "job"))).toEqual(["0 jobs", "1 job", "2 jobs"]);
    expect(countOf(2, "entry", "entries")).toBe("2 entries");
    expect(listOf([])).toBe("");
    expect(listOf(["a"])).toBe("a");
    expect(listOf(["a", "b"])).toBe("a and b");
    expect(listOf(["a", "b", "c"], "or")).toBe("a, b or c");
  });
});
