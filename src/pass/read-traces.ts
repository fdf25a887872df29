import { messageOf } from "../common/errors.ts";
import { oneLine } from "../common/text.ts";
import type { SightedCluster } from "../flink/cluster.ts";
import { instanceDigits } from "../model/flink-job-id.ts";
import type { Traces } from "./establish.ts";

/** What the checkpoint and savepoint directories of all clusters hold of this instance. Asked only while there is no status branch. */
export async function readTraces(
  clusters: readonly SightedCluster[],
  instance: string,
  signal: AbortSignal,
): Promise<readonly Traces[]> {
  return Promise.all(
    clusters.map(async (cluster) => ({ cluster: cluster.name, found: await traceOf(cluster, instance, signal) })),
  );
}

async function traceOf(cluster: SightedCluster, instance: string, signal: AbortSignal): Promise<Traces["found"]> {
  try {
    const seen = await cluster.readRestorePoints(instanceDigits(instance), signal);
    if (seen.kind === "cannot-tell") return seen;
    const newest = seen.entries.at(-1);
    return newest === undefined ? { kind: "none" } : { kind: "found", example: newest.uri };
  } catch (error) {
    signal.throwIfAborted();
    return { kind: "cannot-tell", because: oneLine(messageOf(error), 200) };
  }
}
