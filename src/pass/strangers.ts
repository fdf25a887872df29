import { oneLine } from "../common/text.ts";
import { hasEnded } from "../flink/cluster-seen.ts";
import { isOurs } from "../model/flink-job-id.ts";
import type { ResourceRecord } from "../model/status.ts";
import type { Observed } from "./observed.ts";

/** Live Flink jobs that no record speaks of. None of them is ever touched. */
export interface Strangers {
  /** With this instance's prefix: they were started by a daemon of ours, and nobody knows any more for which Job. */
  readonly orphans: readonly string[];
  /** Somebody else's. */
  readonly unmanaged: readonly string[];
}

/** What runs on the clusters besides the Jobs of the records; sorted lines for people. Pure. */
export function findStrangers(observed: Observed, records: Iterable<ResourceRecord>, instance: string): Strangers {
  const known = new Set<string>();
  for (const record of records) {
    if (record.kind !== "Job") continue;
    const { flinkJobId, operation } = record.status;
    for (const id of [flinkJobId, operation?.flinkJobId]) if (id !== undefined) known.add(id);
  }
  const orphans: string[] = [];
  const unmanaged: string[] = [];
  for (const cluster of observed.clusters) {
    if (cluster.kind === "unreachable") continue;
    for (const job of cluster.jobs.values()) {
      if (known.has(job.flinkJobId) || hasEnded(job)) continue;
      const line = `${cluster.zone}/${cluster.name}: ${job.flinkJobId} (${oneLine(job.name, 100)})`;
      (isOurs(job.flinkJobId, instance) ? orphans : unmanaged).push(line);
    }
  }
  return { orphans: orphans.sort(), unmanaged: unmanaged.sort() };
}
