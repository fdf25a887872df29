import { describe, expect, it } from "vitest";
import { formatSoak, growthOf } from "../bench/soak/format-soak.ts";
import { runSoak } from "../bench/soak/run-soak.ts";

const SEED = Number(process.env["SOAK_SEED"] ?? Date.now() % 100_000);

describe("a daemon through a thousand pushes and faults", () => {
  it(`loses nothing, runs nothing twice, keeps its size, and has all jobs right at the end (seed ${SEED})`, async () => {
    const signal = AbortSignal.timeout(1_500_000);
    const result = await runSoak({ rounds: 1000, seed: SEED, signal, say: () => {} });
    console.log(formatSoak(result));
    expect(result.violations).toEqual([]);
    expect(result.copies, "the local copy of the repository is replaced before it grows old").toBeGreaterThan(2);
    expect(growthOf(result.samples, ({ rssBytes }) => rssBytes)).toBeLessThan(1.15);
    expect(growthOf(result.samples, ({ handles }) => handles)).toBeLessThan(1.25);
  });
});
