import { formatTime } from "../common/clock.ts";
import { hasEnded, isHealthy, type FlinkJobSeen, type ReachableCluster } from "../flink/cluster-seen.ts";
import { cappedParallelism } from "../flink/rescale-job.ts";
import type { ConditionType, Reason } from "../model/reasons.ts";
import type { Condition, JobStatus, Operation, StopOperation } from "../model/status.ts";
import type { Acceptance } from "./acceptance.ts";
import type { Block } from "./decision.ts";
import type { JobSeen } from "./observed.ts";
import { ownOperation } from "./own-operation.ts";

/** One that is written: its words are known ones. */
export type ConditionNow = Omit<Condition, "since" | "type" | "reason"> & {
  readonly type: ConditionType;
  readonly reason: Reason;
};

/** Everything a person asks first about a Job, most basic first. Texts hold nothing that moves by itself, or every pass would commit. */
export function jobConditions(
  acceptance: Acceptance,
  status: Pick<JobStatus, "phase" | "cluster" | "requestedRpus" | "parallelism"> &
    Partial<Pick<JobStatus, "flinkJobState" | "operation" | "suspended" | "finalized" | "deleted">>,
  seen: JobSeen | undefined,
  block: (Block & { readonly because: string }) | undefined,
): readonly ConditionNow[] {
  const conditions: ConditionNow[] = [{ type: "Accepted", ...acceptance }];
  if (status.deleted !== undefined) conditions.push(DELETED);
  if (block !== undefined) conditions.push(blockedBy(block));
  else if (isStoppingDuplicate(status.operation)) conditions.push(duplicateOf(status.operation));
  if (status.phase === "Pending" || status.cluster === undefined || status.deleted !== undefined) return conditions;
  if (status.suspended === true) return [...conditions, SUSPENDED];
  if (block?.reason === WAS_DOWN) return conditions;
  if (status.finalized !== undefined) return [...conditions, finalizedBy(status.finalized.savepoint)];
  if (block?.condition !== "Placed")
    conditions.push({ type: "Placed", status: "True", reason: "ClusterChosen", message: `on ${status.cluster.name}` });
  if (block?.condition !== "Started")
    conditions.push({ type: "Started", status: "True", reason: "AcceptedByFlink", message: "Flink took the job" });
  if (seen === undefined) return conditions;
  // Flink forgets ended jobs after an hour; what is finished needs no cluster any more.
  const settled = status.flinkJobState === "Finished" ? FINISHED : healthOf(seen, status.cluster.name);
  conditions.push(underWay(ownOperation(status)) ?? settled, ...reachedOf(status, seen));
  if (seen.kind === "listed" && !hasEnded(seen.job)) conditions.push(...recoverableOf(seen.job, seen.cluster));
  return conditions;
}

function blockedBy({ condition, reason, because }: Block & { readonly because: string }): ConditionNow {
  const holds = condition === "Duplicate" || reason === WAS_DOWN;
  return { type: condition, status: holds ? "True" : "False", reason, message: because };
}

function isStoppingDuplicate(operation: Operation | undefined): operation is StopOperation {
  return operation?.kind === "stop" && operation.purpose === "duplicate";
}

function duplicateOf({ flinkJobId, cluster }: StopOperation): ConditionNow {
  const message = `a second Flink job of this Job runs on ${cluster.name} as ${flinkJobId}; it is being stopped with a savepoint`;
  return { type: "Duplicate", status: "True", reason: "Stopping", message };
}

/** It had failed or was cancelled by hand when it was suspended: nothing had to be stopped. */
const WAS_DOWN = "WasDown";

const SUSPENDED: ConditionNow = {
  type: "Suspended",
  status: "True",
  reason: "RpusZero",
  message: "it was stopped with a savepoint and goes on from it when spec.resources.rpus is raised",
};

function finalizedBy(savepoint: string): ConditionNow {
  return {
    type: "Finalized",
    status: "True",
    reason: "FinalSavepoint",
    message: `the Final Savepoint ${savepoint} stopped it for good`,
  };
}

const DELETED: ConditionNow = {
  type: "Deleted",
  status: "True",
  reason: "Tombstone",
  message: "its manifest is gone; its last restore point is kept for 30 days, and declaring it again goes on from there",
};

/** Between the stop of one attempt and the start of the next, what Flink lists under either id says nothing about the Job's health. */
function underWay(operation: Operation | undefined): ConditionNow | undefined {
  const type = "Healthy";
  if (operation?.kind === "stop" && operation.next !== undefined)
    return { type, status: "False", reason: "Rescaling", message: "it is stopped with a savepoint and started again from it" };
  if (operation?.kind === "stop" || operation?.kind === "cancel")
    return { type, status: "False", reason: "Stopping", message: "it is being stopped" };
  if (operation?.kind === "start")
    return { type, status: "False", reason: "Restarting", message: "its next attempt is being started" };
  return undefined;
}

const FINISHED: ConditionNow = {
  type: "Healthy",
  status: "True",
  reason: "Finished",
  message: "it ran out of data or was stopped, and stays so",
};

function healthOf(seen: JobSeen, cluster: string): ConditionNow {
  const type = "Healthy";
  if (seen.kind === "unseen") {
    // What the configuration is the reason for has no beginning; why a cluster does not answer may be said in other words each time.
    const why = seen.sinceMs === undefined ? seen.because : `cluster ${cluster} cannot be seen since ${formatTime(seen.sinceMs)}`;
    return {
      type,
      status: "Unknown",
      reason: "ClusterUnreachable",
      message: `${why}; the last known state stays`,
    };
  }
  if (seen.kind === "absent") {
    return {
      type,
      status: "Unknown",
      reason: "Vanished",
      message: `cluster ${cluster} answers and does not list the job`,
    };
  }
  const { job } = seen;
  if (job.state === "FINISHED") return FINISHED;
  if (hasEnded(job)) {
    const cause = job.detail?.rootCause === undefined ? "" : ` (${job.detail.rootCause})`;
    return {
      type,
      status: "False",
      reason: "Ended",
      message: `Flink ended it as ${job.state}${cause}`,
    };
  }
  if (isHealthy(job)) return { type, status: "True", reason: "AllTasksRunning", message: "all tasks are running" };
  const cause = job.detail?.rootCause === undefined ? "" : `: ${job.detail.rootCause}`;
  if (job.state === "RUNNING")
    return { type, status: "False", reason: "TasksNotRunning", message: `not all tasks are running${cause}` };
  return { type, status: "False", reason: "NotRunning", message: `Flink shows ${job.state}${cause}` };
}

/** What is reached is a condition: a program may fix the parallelism of its vertices, a cluster may have too few slots. */
function reachedOf(status: Pick<JobStatus, "requestedRpus" | "parallelism">, seen: JobSeen): readonly ConditionNow[] {
  const { requestedRpus, parallelism } = status;
  if (parallelism === undefined || parallelism === 0 || requestedRpus === undefined) return [];
  if (parallelism === requestedRpus)
    return [{ type: "Reached", status: "True", reason: "AsRequested", message: `its largest vertex runs ${parallelism} times` }];
  const detail = seen.kind === "listed" ? seen.job.detail : undefined;
  const isCapped = detail !== undefined && detail.vertices.length > 0 && cappedParallelism(detail, requestedRpus) === parallelism;
  const message = `${requestedRpus} rpus are asked for, its largest vertex runs ${parallelism} times`;
  if (isCapped)
    return [{ type: "Reached", status: "False", reason: "MaxParallelism", message: `${message}, which is its max parallelism` }];
  return [{ type: "Reached", status: "False", reason: "OtherParallelism", message }];
}

/** From the first minute, not only on the bad day: what stands in the way for good comes before what only takes time. */
function recoverableOf(job: FlinkJobSeen, { directoriesUnlistable }: ReachableCluster): readonly ConditionNow[] {
  const type = "Recoverable";
  const checkpoints = job.detail?.checkpoints;
  if (checkpoints === undefined) return [];
  if (!checkpoints.enabled) {
    return [
      {
        type,
        status: "False",
        reason: "CheckpointingOff",
        message: "the job takes no checkpoints, so its state is lost when it fails",
      },
    ];
  }
  if (!checkpoints.retained) {
    return [
      {
        type,
        status: "False",
        reason: "CheckpointsNotRetained",
        message:
          "the program or its configuration has its checkpoints removed when it is cancelled or fails for good; let it set no retention but RETAIN_ON_CANCELLATION",
      },
    ];
  }
  if (directoriesUnlistable !== undefined) {
    return [
      {
        type,
        status: "False",
        reason: "DirectoriesUnlistable",
        message: `what it leaves could not be found: ${directoriesUnlistable}`,
      },
    ];
  }
  if (checkpoints.completed === 0)
    return [{ type, status: "False", reason: "NoCheckpointYet", message: "no checkpoint is complete yet" }];
  if (checkpoints.latestPath === undefined) {
    return [
      {
        type,
        status: "False",
        reason: "CheckpointsInMemory",
        message: "its checkpoints are kept in the JobManager's memory and go with it; set state.checkpoints.dir on the cluster",
      },
    ];
  }
  return [{ type, status: "True", reason: "CheckpointCompleted", message: "a checkpoint is complete" }];
}
