import { summarize } from "../statistics.ts";
import type { Sample, SoakResult } from "./run-soak.ts";

const MEGABYTE = 1024 ** 2;

/** How the last third of the samples compares to the one before, by medians; the first third is the warm-up. */
export function growthOf(samples: readonly Sample[], of: (sample: Sample) => number): number {
  const third = Math.max(1, Math.floor(samples.length / 3));
  const median = (part: readonly Sample[]): number => summarize(part.map(of)).median;
  return median(samples.slice(-third)) / median(samples.slice(-2 * third, -third));
}

export function formatSoak(result: SoakResult): string {
  const { samples, violations } = result;
  const rss = summarize(samples.map(({ rssBytes }) => rssBytes / MEGABYTE));
  const handles = summarize(samples.map(({ handles: count }) => count));
  return [
    `${result.rounds} rounds, seed ${result.seed}, in ${result.seconds.toFixed(0)} s, Node ${process.versions.node}`,
    `  pushed     ${listCounts(result.changes)}`,
    `  injected   ${listCounts(result.faults)}`,
    `  came of it ${result.starts} starts, ${result.restores} of them from a restore point; ${result.statusCommits} status commits; ${result.copies} local copies`,
    `  memory     ${rss.median.toFixed(0)} MiB [${rss.min.toFixed(0)}, ${rss.max.toFixed(0)}], last third ${growthOf(samples, (sample) => sample.rssBytes).toFixed(2)} × the second`,
    `  handles    ${handles.median} [${handles.min}, ${handles.max}], last third ${growthOf(samples, (sample) => sample.handles).toFixed(2)} × the second`,
    violations.length === 0
      ? "  lost       nothing, and nothing ran twice"
      : `  BROKEN     ${violations.join("\n             ")}`,
  ].join("\n");
}

function listCounts(counts: ReadonlyMap<string, number>): string {
  return [...counts]
    .toSorted(([a], [b]) => a.localeCompare(b))
    .map(([what, count]) => `${what} ${count}`)
    .join(", ");
}
