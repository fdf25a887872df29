import { describe, expect, it } from "vitest";
import { compareText, formatPosition, formatProblem, type Problem, sortProblems } from "../../src/common/problem.ts";

function aProblem(file: string, line: number, column: number, message: string): Problem {
  return { file, line, column, message };
}

describe("formatProblem", () => {
  it("names file, line and column before the message", () => {
    expect(formatProblem(aProblem("orders.yaml", 12, 11, "rpus must be a whole number"))).toBe(
      "orders.yaml:12:11 rpus must be a whole number",
    );
    expect(formatPosition({ file: "a.yaml", line: 1, column: 2 })).toBe("a.yaml:1:2");
  });
});

describe("sortProblems", () => {
  it("orders by file, then by place as numbers, then by text", () => {
    const shuffled = [
      aProblem("b.yaml", 1, 1, "x"),
      aProblem("a.yaml", 10, 1, "x"),
      aProblem("a.yaml", 9, 10, "x"),
      aProblem("a.yaml", 9, 9, "z"),
      aProblem("a.yaml", 9, 9, "y"),
    ];
    expect(sortProblems(shuffled).map(formatProblem)).toEqual([
      "a.yaml:9:9 y",
      "a.yaml:9:9 z",
      "a.yaml:9:10 x",
      "a.yaml:10:1 x",
      "b.yaml:1:1 x",
    ]);
  });

  it("drops exact repetitions and leaves what it was given as it is", () => {
    const given = [aProblem("b", 1, 1, "x"), aProblem("a", 1, 1, "x"), aProblem("b", 1, 1, "x"), aProblem("b", 1, 1, "y")];
    const before = structuredClone(given);
    expect(sortProblems(given).map(formatProblem)).toEqual(["a:1:1 x", "b:1:1 x", "b:1:1 y"]);
    expect(given).toEqual(before);
  });
});

describe("compareText", () => {
  it("orders by code units, the same on every machine", () => {
    expect(["ä", "b", "a", "B", "a"].sort(compareText)).toEqual(["B", "a", "a", "b", "ä"]);
  });
});
