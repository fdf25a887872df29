import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { branchesCollide, branchNameProblem } from "../../src/config/branch-name.ts";

/** What Git itself says: the judge of this table. */
function gitTakes(branch: string): boolean {
  try {
    execFileSync("git", ["check-ref-format", "--branch", branch], { stdio: "pipe" });
    return true;
  } catch {
    return false;
  }
}

describe("branchNameProblem", () => {
  it.each([
    "main",
    "release/1.0",
    "penstock/status",
    "a.b",
    "a-b",
    "ä/ü",
    "feature/@home",
    "a@b",
    "#1",
    "lock",
    "a.lockx",
    "{a}",
  ])("takes %s, as Git does", (branch) => {
    expect(gitTakes(branch)).toBe(true);
    expect(branchNameProblem(branch)).toBeUndefined();
  });

  it.each([
    "",
    "-a",
    "a b",
    "a..b",
    "a~1",
    "a^",
    "a:b",
    "a?",
    "a*",
    "[a",
    "a\\b",
    "a\tb",
    "a\u007f",
    "/a",
    "a/",
    "a//b",
    ".a",
    "a/.b",
    "a.",
    "a.lock",
    "a.lock/b",
    "a@{1}",
    "@{-1}",
    "HEAD",
  ])("refuses %o, as Git does, and says why", (branch) => {
    expect(gitTakes(branch)).toBe(false);
    expect(branchNameProblem(branch)).toMatch(/^must /);
  });

  it("refuses full names of references, which people take for branches", () => {
    expect(branchNameProblem("refs/heads/main")).toBe("must be the short name of a branch; leave refs/heads/ out");
  });
});

describe("branchesCollide", () => {
  it.each([
    ["main", "main", true],
    ["penstock", "penstock/status", true],
    ["penstock/status", "penstock", true],
    ["penstock/status", "penstock/previews", false],
    ["pen", "penstock", false],
  ])("%s and %s: %s", (one, other, expected) => {
    expect(branchesCollide(one, other)).toBe(expected);
  });
});
