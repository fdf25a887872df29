import { describe, expect, it } from "vitest";
import { didYouMean, nearest } from "../../src/common/suggest.ts";

describe("nearest", () => {
  it.each([
    ["two swapped letters", "brnach", ["url", "branch", "paths"], "branch"],
    ["another case", "POLLINTERVAL", ["pollInterval"], "pollInterval"],
    ["two swapped neighbours in a short word", "ulr", ["url", "paths"], "url"],
    ["the nearest of several", "paht", ["path", "paths"], "path"],
    ["nothing that is far away", "colour", ["branch", "url"], undefined],
    ["nothing among nothing", "url", [], undefined],
    [
      "the right case for a wrong one in a class name",
      "a.b.TopSpeedwindowing",
      ["a.b.TopSpeedWindowing"],
      "a.b.TopSpeedWindowing",
    ],
  ])("finds for %s", (_, word, candidates, expected) => {
    expect(nearest(word, candidates)).toBe(expected);
  });
});

describe("didYouMean", () => {
  it("does not compare what is longer than any name", () => {
    expect(didYouMean("a".repeat(500_000), ["a".repeat(499_999)])).toBe("");
  });

  it("is the end of a sentence, or nothing", () => {
    expect(didYouMean("brnach", ["branch"])).toBe("; did you mean branch?");
    expect(didYouMean("colour", ["branch"])).toBe("");
  });
});
