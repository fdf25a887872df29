import { describe, expect, it } from "vitest";
import { formatTotals, sumTotals, totalsOfCommand, totalsOfReport } from "./totals.ts";

function aReport(change: object = {}): string {
  return JSON.stringify({
    numPassedTests: 3,
    numFailedTests: 0,
    numPendingTests: 0,
    numTodoTests: 0,
    testResults: [],
    ...change,
  });
}

const failedFile = { name: "a.test.ts", status: "failed", assertionResults: [{ status: "passed" }, { status: "failed" }] };
const unloadedFile = { name: "b.test.ts", status: "failed", assertionResults: [] };

describe("the totals", () => {
  it.each([
    ["counts passed tests", aReport(), 0, "3 passed, 0 failed"],
    ["counts failed tests", aReport({ numFailedTests: 1, testResults: [failedFile] }), 1, "3 passed, 1 failed"],
    ["counts a file that could not be loaded", aReport({ testResults: [unloadedFile] }), 1, "3 passed, 1 failed"],
    ["counts skipped and planned tests as failed", aReport({ numPendingTests: 2, numTodoTests: 1 }), 0, "3 passed, 3 failed"],
    ["believes the exit status more than the tests", aReport(), 1, "3 passed, 1 failed"],
    ["counts a run without a report as failed", undefined, 0, "0 passed, 1 failed"],
  ])("%s", (_, report, exitStatus, expected) => {
    expect(formatTotals(totalsOfReport(report, exitStatus))).toBe(expected);
  });

  it("say which file could not be run, and why a run failed whose tests passed", () => {
    expect(totalsOfReport(aReport({ testResults: [failedFile, unloadedFile] }), 1).remarks).toEqual([
      "could not be run: b.test.ts",
    ]);
    expect(totalsOfReport(aReport(), 1).remarks).toEqual(["each test passed, but the run failed: see its errors above"]);
    expect(totalsOfReport(aReport({ numPendingTests: 2 }), 0).remarks).toEqual(["2 skipped, counted as failed"]);
  });

  it("take a command for one check, and add up", () => {
    const sum = sumTotals([totalsOfCommand(0), totalsOfCommand(2), totalsOfReport(aReport({ numTodoTests: 1 }), 0)]);
    expect(sum).toEqual({ passed: 4, failed: 2, remarks: ["1 skipped, counted as failed"] });
    expect(sumTotals([])).toEqual({ passed: 0, failed: 0, remarks: [] });
  });
});
