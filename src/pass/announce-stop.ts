import { formatTime } from "../common/clock.ts";
import { sha256Hex } from "../common/hash.ts";
import { clusterRef, type ReachableCluster } from "../flink/cluster-seen.ts";
import type { JobRecord, StopOperation, StopPurpose } from "../model/status.ts";
import { isSpecOf } from "./acceptance.ts";
import { buildSubmission } from "./build-submission.ts";
import type { JobDecision } from "./decision.ts";
import type { DesiredJob } from "./desired.ts";
import { head, leave, nextIntent, notYet, type JobContext } from "./job-context.ts";
import type { JobSeen } from "./observed.ts";

/** What follows the stop, or whom it is for. */
export interface StopDetails {
  readonly next?: { readonly rpus: number; readonly cluster: ReachableCluster };
  readonly savepoint?: string;
  readonly drain?: boolean;
}

type Listed = JobSeen & { readonly kind: "listed" };

/** Nothing healthy is stopped on a hope: what the next start needs is known to be there, or the job goes on as it is. */
export function announceStop(
  job: DesiredJob,
  record: JobRecord,
  seen: Listed,
  purpose: StopPurpose,
  because: string,
  context: JobContext,
  more: StopDetails = {},
): JobDecision {
  const { cluster, job: live } = seen;
  const { savepointUnderWay } = context;
  if (savepointUnderWay !== undefined)
    return leave(job, `${because} waits until Savepoint ${savepointUnderWay} is taken`, notYet(purpose, "SavepointUnderWay"));
  const dir = cluster.savepointsDir ?? cluster.checkpointsDir;
  if (dir === undefined) {
    return leave(
      job,
      `${because} needs a savepoint directory: set state.savepoints.dir on ${cluster.name}, or savepointsDir in the configuration`,
      notYet(purpose, "NoSavepointDirectory"),
    );
  }
  if (cluster.savepointsRefused !== undefined)
    return leave(
      job,
      `${because} waits: a savepoint cannot be written: ${cluster.savepointsRefused}`,
      notYet(purpose, "SavepointsRefused"),
    );
  const triggerId = sha256Hex(`${live.flinkJobId} ${purpose} ${context.now}`).slice(0, 32);
  const base: StopOperation = {
    kind: "stop",
    purpose,
    flinkJobId: live.flinkJobId,
    cluster: clusterRef(cluster),
    triggerId,
    ...(more.savepoint === undefined ? {} : { savepoint: more.savepoint }),
    ...(more.drain === true ? { drain: true } : {}),
    // Under a name that no list of restore points shows: what a drained job leaves is never one.
    targetDirectory: `${dir.replace(/\/+$/, "")}/${live.flinkJobId}/${more.drain === true ? "drained-" : ""}${triggerId}`,
    announcedAt: formatTime(context.now),
  };
  const { next: after } = more;
  if (after === undefined)
    return { ...head(job), kind: "announce", because, work: { kind: "stop", operation: base, next: undefined } };
  if (!isSpecOf(record))
    return leave(
      job,
      `${because} waits: the spec that the job runs with was lost with the status branch`,
      notYet(purpose, "SpecUnknown"),
    );
  const bytes = context.announcedArtifact;
  if (bytes.kind === "not-ready") return leave(job, `${because} waits: ${bytes.because}`, notYet(purpose, bytes.reason));
  if (!after.cluster.webSubmit)
    return leave(job, `${because} waits: ${after.cluster.name} does not accept jars`, notYet(purpose, "SubmissionDisabled"));
  const operation: StopOperation = { ...base, next: nextIntent(job, record.spec, after.rpus, after.cluster, context) };
  const next = buildSubmission(job, record.spec, operation.next!, bytes, after.cluster); // set in the line above
  return { ...head(job), kind: "announce", because, work: { kind: "stop", operation, next } };
}
