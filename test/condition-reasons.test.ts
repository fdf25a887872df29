import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "..");
/** Where the reasons of conditions are written. */
const SOURCES = ["src/pass/*.ts", "src/artifacts/artifact-error.ts", "src/flink/submit.ts"];
/** Written like one and none: kinds, phases and names of other things, and what never gets as far as a condition. */
const NO_REASONS = new Set(["OnDemand", "InProgress", "ArtifactError", "JobIdSpent"]);

/** `"InTwoWordsOrMore"`. */
function reasonsIn(text: string): readonly string[] {
  return [...text.matchAll(/"([A-Z][a-z]+(?:[A-Z][A-Za-z]*)+|[A-Z]{2}[a-z]+[A-Z][A-Za-z]*)"/g)].map((match) => match[1]!);
}

describe("the reasons of conditions", () => {
  it("stand each in the README, where a person looks who has to do something", () => {
    const readme = readFileSync(join(ROOT, "README.md"), "utf8");
    const section = readme.slice(readme.indexOf("\n## The status\n"), readme.indexOf("\n### In the manifests themselves"));
    const told = new Set([...section.matchAll(/`([A-Za-z]+)`/g)].map((match) => match[1]));
    const files = globSync(SOURCES, { cwd: ROOT });
    const reasons = new Set(files.flatMap((file) => reasonsIn(readFileSync(join(ROOT, file), "utf8"))));
    expect(reasons.size).toBeGreaterThan(80);
    const missing = [...reasons].filter((reason) => !NO_REASONS.has(reason) && !told.has(reason));
    expect(missing.toSorted()).toEqual([]);
  });
});
