import { formatTime } from "../common/clock.ts";
import { clusterRef, hasEnded, isHealthy } from "../flink/cluster-seen.ts";
import type { Reason } from "../model/reasons.ts";
import type { CancelOperation, JobRecord, JobStatus, RestorePoint, Tombstone } from "../model/status.ts";
import type { Block, JobDecision } from "./decision.ts";
import { announceStop } from "./announce-stop.ts";
import { decideDeclaredAgain } from "./decide-declared-again.ts";
import type { DesiredJob } from "./desired.ts";
import { head, leave, lineagePrefix, lookAgain, wait, type JobContext } from "./job-context.ts";
import type { JobSeen } from "./observed.ts";
import { chooseRestorePoint } from "./restore-point.ts";

type Listed = JobSeen & { readonly kind: "listed" };

const TOMBSTONE_MS = 30 * 86_400_000;

/** A Job that ran and is not declared any more: stopped with a savepoint where it can be, and always brought to its end. */
export function decideDeletion(
  job: DesiredJob,
  record: JobRecord,
  flinkJobId: string,
  seen: JobSeen,
  context: JobContext,
): JobDecision {
  const { deletion } = context;
  if (deletion.kind === "held") return leave(job, deletion.because, deleted(deletion.reason));
  if (record.status.suspended === true) return burySuspended(job, record);
  if (record.status.finalized !== undefined) {
    const { uri, drained } = record.status.finalized;
    return bury(
      job,
      drained ? undefined : { kind: "Savepoint", uri },
      "its manifest is gone; its Final Savepoint had stopped it",
    );
  }
  if (seen.kind === "unseen")
    return wait(
      job,
      deleted("ClusterUnreachable"),
      `its manifest is gone; it is stopped as soon as its cluster can be seen: ${seen.because}`,
    );
  if (seen.kind === "listed" && !hasEnded(seen.job)) return stopForGood(job, record, flinkJobId, seen, context);
  if (record.status.flinkJobState === "Finished") return bury(job, undefined, "its manifest is gone, and it was finished");
  if (seen.kind === "listed" && seen.job.state === "FINISHED") return buryFinished(job, seen, context);
  return buryWithNewest(job, record, seen, "its manifest is gone, and it does not run", context);
}

function stopForGood(job: DesiredJob, record: JobRecord, flinkJobId: string, seen: Listed, context: JobContext): JobDecision {
  const because = "its manifest is gone";
  const { status } = record;
  if (context.policy.onDelete === "cancel") return announceCancel(job, seen, `${because}; policy.onDelete is cancel`, context);
  if (seemsStateless(status, seen)) {
    const listed = seen.cluster.restorePoints.get(lineagePrefix(context.instance, job.id));
    if (listed === undefined) return lookAgain(job, `${because}; looking whether it has completed a checkpoint by now`);
    // Checkpoints that are kept in the JobManager's memory leave nothing to be listed.
    const isListable = listed.kind === "listed" && seen.cluster.checkpointsDir !== undefined;
    const isSure = isListable && !listed.entries.some((entry) => entry.flinkJobId === flinkJobId);
    if (isSure) return announceCancel(job, seen, `${because}; it never had state to keep`, context);
  }
  if (seen.cluster.savepointsDir === undefined && seen.cluster.checkpointsDir === undefined)
    return announceCancel(job, seen, `${because}; no savepoint directory is configured for ${seen.cluster.name}`, context);
  if (!isHealthy(seen.job))
    return announceCancel(job, seen, `${because}; it cannot take a savepoint now, its newest checkpoint is kept`, context);
  const last = context.observed.steps.get(flinkJobId);
  const failed = last?.kind === "not-done" ? last : undefined;
  const refused = seen.cluster.savepointsRefused;
  const sinceMs = status.deletingSince === undefined ? context.now : Date.parse(status.deletingSince);
  const isLate = context.now - sinceMs > context.policy.deleteTimeoutMs;
  // Time alone is no reason: its cluster may have been away, and a savepoint may come about now.
  if (isLate && (failed !== undefined || refused !== undefined))
    return announceCancel(job, seen, `${because}; no savepoint came about in time, its newest checkpoint is kept`, context);
  if (refused !== undefined)
    return wait(job, deleted("SavepointsRefused"), `${because}; its savepoint cannot be written: ${refused}`);
  if (failed !== undefined && context.now < failed.retryAtMs)
    return wait(job, deleted("SavepointFailed"), `${because}; the savepoint is tried again: ${failed.because}`);
  return announceStop(job, record, seen, "delete", because, context);
}

/** By Flink's numbers, which can be some seconds old: the first checkpoint of a young job may be complete by now. */
export function seemsStateless(status: JobStatus, { job }: Listed): boolean {
  if (status.checkpointed === job.flinkJobId || status.startedFrom !== undefined) return false;
  return job.detail?.checkpoints.enabled === true && job.detail.checkpoints.completed === 0;
}

function announceCancel(job: DesiredJob, seen: Listed, because: string, context: JobContext): JobDecision {
  const operation: CancelOperation = {
    kind: "cancel",
    flinkJobId: seen.job.flinkJobId,
    cluster: clusterRef(seen.cluster),
    announcedAt: formatTime(context.now),
  };
  return { ...head(job), kind: "announce", because, work: { kind: "cancel", operation } };
}

/** It always completes: where no restore point can be named the tombstone says none. */
export function buryWithNewest(
  job: DesiredJob,
  record: JobRecord,
  seen: JobSeen,
  because: string,
  context: JobContext,
): JobDecision {
  if (seen.kind === "unseen") return wait(job, deleted("ClusterUnreachable"), seen.because);
  const listed = seen.cluster.restorePoints.get(lineagePrefix(context.instance, job.id));
  const choice = chooseRestorePoint(record, seen, listed, context.disposing);
  if (choice.kind === "looking") return lookAgain(job, `${because}; looking for its newest restore point`);
  if (choice.kind === "from") return bury(job, choice.point, because);
  return bury(job, undefined, `${because}; ${choice.because}`, choice.kind === "wait" ? choice.because : undefined);
}

/** Flink ends what runs out of data as it ends what is stopped with a savepoint. One that no record speaks of, as after a loss, is what it left. */
function buryFinished(job: DesiredJob, { cluster, job: { flinkJobId } }: Listed, context: JobContext): JobDecision {
  const because = "its manifest is gone, and it was finished";
  const listed = cluster.restorePoints.get(lineagePrefix(context.instance, job.id));
  if (listed === undefined) return lookAgain(job, `${because}; looking whether it was stopped with a savepoint`);
  const left = listed.kind === "listed" ? listed.entries : [];
  const savepoint = left.findLast((entry) => entry.kind === "Savepoint" && entry.flinkJobId === flinkJobId); // oldest first
  if (savepoint === undefined) return bury(job, undefined, because);
  return bury(job, { kind: "Savepoint", uri: savepoint.uri }, `${because} with a savepoint, which is kept`);
}

function burySuspended(job: DesiredJob, { status }: JobRecord): JobDecision {
  const because = "its manifest is gone; it was suspended";
  if (status.lastSavepoint === undefined) return bury(job, undefined, because, "the savepoint that suspended it is not recorded");
  return bury(job, { kind: "Savepoint", uri: status.lastSavepoint.uri }, `${because}, and its savepoint is kept`);
}

/** `lost`: why there is no restore point although there may have been state. */
export function bury(job: DesiredJob, restorePoint: RestorePoint | undefined, because: string, lost?: string): JobDecision {
  const settlement = { kind: "buried" as const, restorePoint, ...(lost === undefined ? {} : { lost }) };
  return { ...head(job), kind: "settle", because, settlement };
}

/** A tombstone rests for 30 days, and decides how a Job goes on that is declared again. */
export function decideDeleted(job: DesiredJob, record: JobRecord, tombstone: Tombstone, context: JobContext): JobDecision {
  if (job.declared.kind === "broken") return leave(job, "it was deleted, and its manifest has problems");
  if (job.declared.kind === "absent") {
    const isOld = context.now - Date.parse(tombstone.at) > TOMBSTONE_MS;
    return isOld
      ? { ...head(job), kind: "forget", because: "it was deleted 30 days ago" }
      : leave(job, "it was deleted; its last restore point is kept for 30 days");
  }
  return decideDeclaredAgain(job, job.declared.manifest, record, tombstone, context);
}

function deleted(reason: Reason): Block {
  return { condition: "Deleted", reason };
}
