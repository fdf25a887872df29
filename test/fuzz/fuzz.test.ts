import { afterAll, describe, expect, it } from "vitest";
import { fuzz } from "./fuzzer.ts";
import { seedsOf } from "../support/random.ts";
import { openTargets } from "./targets.ts";

const { targets, clean } = await openTargets();
afterAll(clean);

/** A few seconds' worth; test/long/fuzz.test.ts has the rest. `FUZZ_SEEDS=4711 FUZZ_TARGET=jars npm run test:unit -- test/fuzz` plays a seed again. */
describe("foreign bytes break no promise of", () => {
  it.each(targets)("$name", async (target) => {
    const [first, last] = seedsOf(process.env["FUZZ_SEEDS"]) ?? [1, 2];
    for (let seed = first; seed < last; seed += 1) {
      const { runs } = await fuzz(target, { seed, runs: target.runs });
      expect(runs).toBe(target.runs);
    }
  });
});
