import { afterAll, describe, expect, it } from "vitest";
import { CodeCoverage } from "../fuzz/code-coverage.ts";
import { fuzz } from "../fuzz/fuzzer.ts";
import { openTargets } from "../fuzz/targets.ts";
import { seedsOf } from "../support/random.ts";

const { targets, clean } = await openTargets();
afterAll(clean);

/** So many times what `npm test` does of each, and guided: an input that reaches new code is built upon. */
const TIMES = 24;

describe("foreign bytes, chosen by the code that they reach, break no promise of", () => {
  it.each(targets)("$name", async (target) => {
    const [first, last] = seedsOf(process.env["FUZZ_SEEDS"]) ?? [1000, 1004];
    for (let seed = first; seed < last; seed += 1) {
      using coverage = new CodeCoverage();
      const { runs, corpus } = await fuzz(target, { seed, runs: (target.runs * TIMES) / 4, coverage });
      expect(runs).toBeGreaterThan(0);
      expect(corpus).toBeGreaterThan(target.seeds.length);
    }
  });
});
