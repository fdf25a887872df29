import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CONDITIONS, isReason, REASONS } from "../../src/model/reasons.ts";

const ROOT = join(import.meta.dirname, "../..");
const SOURCES = globSync("src/**/*.ts", { cwd: ROOT, exclude: ["src/model/reasons.ts"] });
const TEXT = SOURCES.map((file) => readFileSync(join(ROOT, file), "utf8")).join("\n");
const README = readFileSync(join(ROOT, "README.md"), "utf8");

describe("the conditions and their reasons", () => {
  it("are each written by the code: no page explains what cannot be", () => {
    const words = [...Object.keys(CONDITIONS), ...Object.keys(REASONS)];
    expect(words.filter((word) => !TEXT.includes(`"${word}"`))).toEqual([]);
  });

  it("are sorted, to be found", () => {
    for (const names of [Object.keys(CONDITIONS), Object.keys(REASONS)]) expect(names).toEqual(names.toSorted());
  });

  it("are told from other words that the status branch may hold", () => {
    expect([isReason("NoZone"), isReason("nozone"), isReason("toString")]).toEqual([true, false, false]);
  });

  it("stand each in the README, which knows no other", () => {
    const section = README.slice(README.indexOf("\n## The status\n"), README.indexOf("\n### In the manifests themselves"));
    const tables = section.slice(section.indexOf("| condition |"));
    const told = new Set([...tables.matchAll(/`([A-Z][A-Za-z]+)`/g)].map((match) => match[1]!));
    expect([...told].toSorted()).toEqual([...new Set([...Object.keys(CONDITIONS), ...Object.keys(REASONS)])].toSorted());
  });
});
