import { it } from "vitest";
import type { Seeds } from "../support/random.ts";

/** A test for each part of the seeds; a failure names the seed that plays it again. */
export function walkEach([from, to]: Seeds, name: string, walk: (seed: number) => void): void {
  const part = Math.ceil((to - from) / Math.max(6, (to - from) / 100));
  const parts = Array.from({ length: Math.ceil((to - from) / part) }, (_, index) => from + index * part);
  it.each(parts)(`${name} (seeds from %i)`, (first) => {
    for (let seed = first; seed < Math.min(to, first + part); seed += 1) {
      try {
        walk(seed);
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error });
      }
    }
  });
}
