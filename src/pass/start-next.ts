import { formatTime } from "../common/clock.ts";
import type { ReachableCluster } from "../flink/cluster-seen.ts";
import type { Reason } from "../model/reasons.ts";
import type { JobRecord, StartOperation } from "../model/status.ts";
import { buildSubmission } from "./build-submission.ts";
import type { Block, JobDecision } from "./decision.ts";
import type { DesiredJob } from "./desired.ts";
import { head, leave, nextIntent, type JobContext } from "./job-context.ts";
import { place } from "./place.ts";

/** The next attempt of an accepted Job: where it was when that cluster can take it, else, unless it is bound to that, where there is room. */
export function startNext(
  job: DesiredJob,
  record: JobRecord,
  rpus: number,
  from: Pick<StartOperation, "run"> & { readonly restoreFrom: StartOperation["restoreFrom"]; readonly isSticky: boolean },
  sameCluster: ReachableCluster | undefined,
  because: string,
  context: JobContext,
): JobDecision {
  const bytes = context.announcedArtifact;
  if (bytes.kind === "not-ready") return leave(job, `${because}; waits: ${bytes.because}`, restored(bytes.reason));
  const wish = { zone: job.id.zone, flinkVersion: record.spec.flinkVersion, slots: rpus, javaVersion: bytes.javaVersion };
  const there = context.observed.clusters.filter((cluster) => cluster.zone === job.id.zone && cluster.name === sameCluster?.name);
  const stays = there.length === 0 ? undefined : place(wish, there, context.slots);
  const placement =
    stays?.kind === "placed" || (stays !== undefined && from.isSticky)
      ? stays
      : place(wish, context.observed.clusters, context.slots);
  if (placement.kind === "not-placed") return leave(job, `${because}; waits: ${placement.because}`, restored(placement.reason));
  const operation: StartOperation = {
    kind: "start",
    ...nextIntent(job, record.spec, rpus, placement.cluster, context),
    run: from.run,
    ...(from.restoreFrom === undefined ? {} : { restoreFrom: from.restoreFrom }),
    announcedAt: formatTime(context.now),
  };
  const submission = buildSubmission(job, record.spec, operation, bytes, placement.cluster);
  return { ...head(job), kind: "announce", because, work: { kind: "start", operation, submission } };
}

/** Why a Job that is down does not come back. */
export function restored(reason: Reason): Block {
  return { condition: "Restored", reason };
}
