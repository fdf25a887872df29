import { messageOf } from "../common/errors.ts";
import { oneLine } from "../common/text.ts";
import type { SightedCluster } from "../flink/cluster.ts";
import type { ResourceKey } from "../model/resource.ts";
import type { DesiredJob } from "../pass/desired.ts";
import { lineagePrefix } from "../pass/job-context.ts";
import type { Decided } from "../pass/observe-and-decide.ts";
import { actedJobs, type RestorePointAges } from "./build-plan.ts";

type Age = RestorePointAges extends ReadonlyMap<ResourceKey, infer Value> ? Value : never;

/** So many Jobs are asked about; a plan that changes more says of the rest that it did not ask. */
const MAX_ASKED = 100;

/**
 * When the newest restore point of each Job was taken that the plan changes: from its checkpoints while Flink lists it, else from what lies in the
 * directories. Only looks; never throws but for the signal.
 */
export async function readRestorePointAges(
  decided: Decided,
  clusters: readonly SightedCluster[],
  instance: string,
  signal: AbortSignal,
): Promise<RestorePointAges> {
  const changing = actedJobs(decided)
    .filter(({ action, job }) => action.action !== "leave" && job.record?.status.flinkJobId !== undefined)
    .map(({ job }) => job);
  const asked = await Promise.all(
    changing.slice(0, MAX_ASKED).map(async (job) => [job.key, await readAge(job, clusters, instance, signal)] as const),
  );
  const rest = changing
    .slice(MAX_ASKED)
    .map((job) => [job.key, { kind: "unknown", because: `only the first ${MAX_ASKED} are asked about` }] as const);
  return new Map<ResourceKey, Age>([...asked, ...rest]);
}

async function readAge(
  job: DesiredJob,
  clusters: readonly SightedCluster[],
  instance: string,
  signal: AbortSignal,
): Promise<Age> {
  const status = job.record?.status;
  const cluster = clusters.find(({ zone, name }) => zone === job.id.zone && name === status?.cluster?.name);
  if (status?.flinkJobId === undefined || cluster === undefined)
    return { kind: "unknown", because: `cluster ${status?.cluster?.name ?? ""} is not in the configuration` };
  try {
    const live = (await cluster.client.readCheckpoints(status.flinkJobId, signal))?.latestCompleted;
    if (live?.externalPath !== undefined) {
      const kind = live.isSavepoint ? "Savepoint" : "Checkpoint";
      return { kind, uri: live.externalPath, takenAtMs: live.triggeredAtMs };
    }
    const listed = await cluster.readRestorePoints(lineagePrefix(instance, job.id), signal);
    if (listed.kind === "cannot-tell") return { kind: "unknown", because: listed.because };
    const newest = listed.entries.at(-1);
    return newest === undefined ? { kind: "none" } : { kind: newest.kind, uri: newest.uri, takenAtMs: newest.writtenAtMs };
  } catch (error) {
    signal.throwIfAborted();
    return { kind: "unknown", because: oneLine(messageOf(error), 200) };
  }
}
