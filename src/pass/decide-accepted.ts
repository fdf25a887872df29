import { formatTime } from "../common/clock.ts";
import { compareText } from "../common/problem.ts";
import { countOf } from "../common/text.ts";
import { clusterRef, hasEnded, isHealthy, type ReachableCluster } from "../flink/cluster-seen.ts";
import { compareClusterVersions, majorMinorOf } from "../flink/cluster-version.ts";
import { mostFromState } from "../flink/rescale-job.ts";
import { jobSpecHash } from "../model/canonical-spec.ts";
import type { Finalized, JobRecord, RescaleOperation, RestorePoint } from "../model/status.ts";
import { isSpecOf } from "./acceptance.ts";
import { announceStop } from "./announce-stop.ts";
import { decideBroken } from "./decide-broken.ts";
import type { JobDecision } from "./decision.ts";
import { decideDeletion } from "./decide-deleted.ts";
import type { DesiredJob } from "./desired.ts";
import {
  head,
  isMissedTwice,
  isPaused,
  leave,
  lineagePrefix,
  lookAgain,
  notYet,
  overQuota,
  wait,
  type JobContext,
} from "./job-context.ts";
import { findJob, type JobSeen } from "./observed.ts";
import type { FinalRequest } from "./final-savepoints.ts";
import { clusterKey } from "./place.ts";
import { chooseRestorePoint, chosenByHand, wayOut } from "./restore-point.ts";
import { restored, startNext } from "./start-next.ts";

type Listed = JobSeen & { readonly kind: "listed" };

/** The next step of a Job that Flink has accepted before. Its accepted spec is in force, whatever a refused manifest says. */
export function decideAccepted(job: DesiredJob, record: JobRecord, flinkJobId: string, context: JobContext): JobDecision {
  const seen = findJob(context.observed.clusters, job.id.zone, record.status.cluster!, flinkJobId); // set with the job id
  if (isPaused(job, context)) return leave(job, "it is paused", { condition: "Started", reason: "Paused" });
  // A deletion that has begun always completes; what is declared again meanwhile starts afterwards.
  const isGoing = job.declared.kind === "absent" || record.status.phase === "Deleting";
  if (seen.kind === "unseen" && !isGoing && record.status.suspended !== true && record.status.finalized === undefined)
    return leave(job, seen.because);
  if (context.final !== undefined && record.status.finalized === undefined) {
    const decision = decideFinal(job, record, seen, context.final, context);
    if (decision !== undefined) return decision;
  }
  if (isGoing) return decideDeletion(job, record, flinkJobId, seen, context);
  const rpus = effectiveRpus(job, record);
  if (record.status.finalized !== undefined) return decideFinalized(job, record, record.status.finalized, seen, rpus, context);
  if (record.status.suspended === true) return decideSuspended(job, record, seen, rpus, context);
  if (record.status.flinkJobState === "Finished") return leave(job, "it is finished, and stays so");
  if (seen.kind === "listed" && !hasEnded(seen.job)) return decideLive(job, record, seen, rpus, context);
  if (seen.kind === "listed" && seen.job.state === "FINISHED")
    return leave(job, "it ran out of data or was stopped, and stays so");
  return decideBroken(job, record, flinkJobId, seen, rpus, context);
}

/** A refused document changes nothing at all, its rpus included. */
function effectiveRpus(job: DesiredJob, record: JobRecord): number {
  const requested = record.status.requestedRpus ?? record.spec.rpus;
  if (job.declared.kind !== "declared" || !isSpecOf(record)) return requested;
  const { spec } = job.declared.manifest;
  return jobSpecHash(spec) === jobSpecHash(record.spec) ? spec.rpus : requested;
}

function decideLive(job: DesiredJob, record: JobRecord, seen: Listed, rpus: number, context: JobContext): JobDecision {
  const requested = record.status.requestedRpus ?? rpus;
  if (rpus === requested) return decideUpdate(job, record, seen, rpus, context);
  const because = rpus === 0 ? "rpus 0 suspends it" : `rpus ${requested} → ${rpus}`;
  // Flink refuses a savepoint while tasks are restarting, so an unhealthy job waits instead of losing its state.
  const purpose = rpus === 0 ? "suspend" : "rescale";
  if (!isHealthy(seen.job)) {
    const byHand = rpus === 0 ? "; cancelled by hand it stays down, and its newest checkpoint is kept" : "";
    return leave(job, `${because} waits until all tasks are running${byHand}`, notYet(purpose, "NotHealthy"));
  }
  const failed = record.status.rescaleFailed;
  if (failed?.rpus === rpus)
    return leave(job, `${because} was tried and undone: ${failed.because}`, notYet("rescale", "NextStartFailed"));
  const last = context.observed.steps.get(seen.job.flinkJobId);
  if (last?.kind === "not-done" && context.now < last.retryAtMs)
    return leave(job, `${because} is tried again: ${last.because}`, notYet(purpose, "NotDone"));
  if (rpus === 0) return announceStop(job, record, seen, "suspend", because, context);
  const tooMany = rpus > requested ? overQuota(context, job, rpus) : undefined;
  if (tooMany !== undefined) return leave(job, `${because} waits: ${tooMany}`, notYet("rescale", "QuotaExceeded"));
  const canInPlace = seen.cluster.inPlaceRescale && (seen.job.detail?.checkpoints.completed ?? 0) > 0;
  if (canInPlace && !(last?.kind === "not-done")) return announceRescale(job, seen, rpus, requested, because, context);
  const most = seen.job.detail === undefined ? undefined : mostFromState(seen.job.detail, requested);
  if (most !== undefined && rpus > most)
    return leave(
      job,
      `${because} cannot be: its state was written with a max parallelism of ${most}; ask for at most ${countOf(most, "rpu")}`,
      notYet("rescale", "MaxParallelism"),
    );
  const slots = context.slots.get(clusterKey(seen.cluster)) ?? 0;
  const missing = slotsNeeded(seen, requested, rpus) - slots;
  if (missing > 0) {
    const more = `${because} needs ${countOf(slotsNeeded(seen, requested, rpus), "more slot")}, ${slots} of ${seen.cluster.slots.total} free in ${seen.cluster.name}`;
    return leave(job, more, notYet("rescale", "NotEnoughSlots"));
  }
  return announceStop(job, record, seen, "rescale", because, context, { next: { rpus, cluster: seen.cluster } });
}

/** A newer patch of its Flink version, or away from a cluster that drains: by savepoint, one Job of a zone at a time, only healthy ones. */
function decideUpdate(job: DesiredJob, record: JobRecord, seen: Listed, rpus: number, context: JobContext): JobDecision {
  const target = findUpdate(job, record, seen.cluster, context);
  if (target === undefined) return leave(job, "it already matches Git");
  const why = seen.cluster.draining ? `${seen.cluster.name} drains` : `${target.name} has the newer Flink ${target.flinkVersion}`;
  if (context.policy.runtimeUpdates === "manual")
    return leave(job, `${why}; policy.runtimeUpdates is manual, so it stays`, notYet("migrate", "UpdateAvailable"));
  if (!context.mayMigrate || !isHealthy(seen.job))
    return leave(job, `${why}; it moves when its turn comes`, notYet("migrate", "UpdateWaits"));
  const free = context.slots.get(clusterKey(target)) ?? 0;
  if (free < rpus)
    return leave(job, `${why}; it moves when ${target.name} has ${countOf(rpus, "free slot")}`, notYet("migrate", "UpdateWaits"));
  const last = context.observed.steps.get(seen.job.flinkJobId);
  if (last?.kind === "not-done" && context.now < last.retryAtMs)
    return leave(job, `${why}; tried again: ${last.because}`, notYet("migrate", "UpdateWaits"));
  if (record.status.rescaleFailed?.rpus === rpus)
    return leave(
      job,
      `${why}; moving it was tried and undone: ${record.status.rescaleFailed.because}`,
      notYet("migrate", "UpdateFailed"),
    );
  return announceStop(job, record, seen, "migrate", `${why}, so it moves there`, context, { next: { rpus, cluster: target } });
}

/** Where it would be better off: same minor version and directories, jars accepted, and newer than here unless this one drains. */
function findUpdate(
  job: DesiredJob,
  record: JobRecord,
  here: ReachableCluster,
  context: JobContext,
): ReachableCluster | undefined {
  return context.observed.clusters
    .filter((cluster) => cluster.kind === "reachable")
    .filter((cluster) => cluster.zone === job.id.zone && cluster.name !== here.name && !cluster.draining && cluster.webSubmit)
    .filter((cluster) => majorMinorOf(cluster.flinkVersion) === record.spec.flinkVersion)
    .filter((cluster) => cluster.checkpointsDir === here.checkpointsDir && cluster.savepointsDir === here.savepointsDir)
    .filter((cluster) => here.draining || compareClusterVersions(cluster.flinkVersion, here.flinkVersion) > 0)
    .toSorted((a, b) => compareClusterVersions(b.flinkVersion, a.flinkVersion) || compareText(a.name, b.name))[0];
}

/** What a job really holds may be more than its rpus, where it has slot sharing groups: then it grows in proportion. */
function slotsNeeded(seen: Listed, requested: number, rpus: number): number {
  const held = Math.max(requested, seen.cluster.slots.heldByJob?.get(seen.job.flinkJobId) ?? 0);
  return Math.ceil((held * rpus) / Math.max(1, requested)) - held;
}

function announceRescale(
  job: DesiredJob,
  seen: Listed,
  rpus: number,
  from: number,
  because: string,
  context: JobContext,
): JobDecision {
  const operation: RescaleOperation = {
    kind: "rescale",
    flinkJobId: seen.job.flinkJobId,
    cluster: clusterRef(seen.cluster),
    rpus,
    announcedAt: formatTime(context.now),
  };
  return { ...head(job), kind: "announce", because: `${because}, in place`, work: { kind: "rescale", operation, from } };
}

/** Undefined while nothing is to be done for it and the Job goes on as usual; a Job that it still needs is not deleted before. */
function decideFinal(
  job: DesiredJob,
  record: JobRecord,
  seen: JobSeen,
  final: FinalRequest,
  context: JobContext,
): JobDecision | undefined {
  const isGone = job.declared.kind === "absent";
  const because = `the Final Savepoint ${final.name} stops it`;
  if (final.held !== undefined)
    return isGone
      ? leave(job, `its manifest is gone, and ${because} first: ${final.held}`, {
          condition: "Deleted",
          reason: "FinalSavepointFirst",
        })
      : undefined;
  if (seen.kind === "unseen") return undefined;
  if (seen.kind === "listed" && !hasEnded(seen.job)) {
    if (!isHealthy(seen.job)) return leave(job, `${because} as soon as all its tasks are running`, notYet("final", "NotHealthy"));
    const last = context.observed.steps.get(seen.job.flinkJobId);
    if (last?.kind === "not-done" && context.now < last.retryAtMs)
      return leave(job, `${because}; tried again: ${last.because}`, notYet("final", "SavepointFailed"));
    return announceStop(job, record, seen, "final", because, context, { savepoint: final.name, drain: final.drain });
  }
  const suspendedAt = record.status.suspended === true ? record.status.lastSavepoint : undefined;
  if (suspendedAt !== undefined) return finalize(job, final, suspendedAt.uri, suspendedAt.takenAt);
  if (seen.kind === "absent" && !isMissedTwice(job, record.status.flinkJobId ?? "", context))
    return lookAgain(job, `${because}, and its cluster does not list it; looking again before anything is believed`);
  const listed = seen.cluster.restorePoints.get(lineagePrefix(context.instance, job.id));
  const choice = chooseRestorePoint(record, seen, listed, context.disposing);
  if (choice.kind === "from") {
    const { flinkJobId = "", startedAt } = record.status;
    // What lies under its last attempt's id was written after that was started.
    const isOwn = choice.point.uri.includes(`/${flinkJobId}/`);
    return finalize(job, final, choice.point.uri, isOwn ? startedAt : undefined);
  }
  if (choice.kind === "looking") return lookAgain(job, `${because}, and it does not run; looking for its newest restore point`);
  // There is nothing to save now: it comes back and is stopped then, or goes, or is finished, as it would without the Savepoint.
  const isFinished = record.status.flinkJobState === "Finished" || (seen.kind === "listed" && seen.job.state === "FINISHED");
  if (choice.kind === "empty" || isFinished || !isGone) return undefined;
  return leave(job, `${because}, and it does not run; ${choice.because}`, notYet("final", "RestorePointUnknown"));
}

function finalize(job: DesiredJob, final: FinalRequest, uri: string, takenAt: string | undefined): JobDecision {
  const because = `the Final Savepoint ${final.name} is its newest restore point, since it does not run`;
  const finalized = { savepoint: final.name, uri, drained: false, ...(takenAt === undefined ? {} : { takenAt }) };
  return { ...head(job), kind: "settle", because, settlement: { kind: "finalized", ...finalized } };
}

/** Stopped for good by a Final Savepoint; it comes back only when the upgrade that asked for it was reverted as a whole. */
function decideFinalized(
  job: DesiredJob,
  record: JobRecord,
  finalized: Finalized,
  seen: JobSeen,
  rpus: number,
  context: JobContext,
): JobDecision {
  if (context.notBack !== undefined) return leave(job, context.notBack);
  if (rpus === 0) return leave(job, "its Final Savepoint is gone, and rpus 0 keeps it down");
  const because = `its upgrade was reverted, so it goes on from ${finalized.uri}`;
  return startNewRun(job, record, rpus, { kind: "Savepoint", uri: finalized.uri }, seen, because, context);
}

/** Stopped by us with a savepoint; any time later, on any cluster of the version, it goes on from there. */
function decideSuspended(job: DesiredJob, record: JobRecord, seen: JobSeen, rpus: number, context: JobContext): JobDecision {
  if (rpus === 0) return leave(job, "it is suspended; raise spec.resources.rpus to resume it");
  const byHand = chosenByHand(record.annotations, record.status.flinkJobId);
  if (byHand !== undefined) {
    const point = byHand.kind === "from" ? byHand.point : undefined;
    return startNewRun(job, record, rpus, point, seen, `rpus was raised, and ${byHand.because}`, context);
  }
  const { lastSavepoint } = record.status;
  if (lastSavepoint === undefined) {
    const because = `it is suspended, and its savepoint is not recorded; ${wayOut(record)}`;
    return wait(job, restored("RestorePointMissing"), because);
  }
  const because = "rpus was raised, so it goes on from the savepoint that suspended it";
  return startNewRun(job, record, rpus, { kind: "Savepoint", uri: lastSavepoint.uri }, seen, because, context);
}

/** Back from a savepoint that ended the run before: on the cluster where it was when there is room, else wherever there is. */
function startNewRun(
  job: DesiredJob,
  record: JobRecord,
  rpus: number,
  point: RestorePoint | undefined,
  seen: JobSeen,
  because: string,
  context: JobContext,
): JobDecision {
  const from = { run: record.status.run + 1, restoreFrom: point, isSticky: false };
  const tooMany = overQuota(context, job, rpus); // it took nothing while it was down
  if (tooMany !== undefined) return leave(job, `${because}; waits: ${tooMany}`, restored("QuotaExceeded"));
  return startNext(job, record, rpus, from, seen.kind === "unseen" ? undefined : seen.cluster, because, context);
}
