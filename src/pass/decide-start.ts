import { formatTime } from "../common/clock.ts";
import { retryDelayMs } from "../common/retry-delay.ts";
import { countOf } from "../common/text.ts";
import type { FlinkJobSeen, ReachableCluster } from "../flink/cluster-seen.ts";
import { JOB_ID_SPENT } from "../flink/submit.ts";
import { jobSpecHash } from "../model/canonical-spec.ts";
import { attemptOf } from "../model/flink-job-id.ts";
import type { JobManifest } from "../model/manifest.ts";
import type { ClusterRef, JobRecord, RestorePoint, StartOperation } from "../model/status.ts";
import { adoptedRecord } from "./adopt.ts";
import { buildSubmission } from "./build-submission.ts";
import { follow } from "./decide-duplicate.ts";
import type { JobDecision, Settlement } from "./decision.ts";
import type { DesiredJob } from "./desired.ts";
import {
  awaitOutcome,
  findLiveOfOurs,
  head,
  highestAttempt,
  isMissedTwice,
  isPaused,
  lineagePrefix,
  lookAgain,
  nextIntent,
  overQuota,
  started,
  wait,
  type JobContext,
} from "./job-context.ts";
import { findJob, type JobSeen } from "./observed.ts";
import { place, type Placement } from "./place.ts";
import { isInDoubt, submissionOf, type SubmissionSeen } from "./submissions.ts";

/** Attempts that fail before they run follow each other ever more slowly, also when the daemon that made them is gone. */
const FAILED_DELAY = { baseMs: 2000, maxMs: 300_000 };
/** Flink lists a job as soon as it took it; one that is not listed after so long has ended, and is forgotten. */
const LISTED_WITHIN_MS = 60_000;

/** What a start goes on from, when that is not what its Job declares. */
interface Restore {
  readonly point: RestorePoint | undefined;
  /** What `spec.initialStateRef` stood for when the Job's state began. */
  readonly initialState: string | undefined;
  readonly because: string;
}

/** Whatever is missing is named; the order is that in which a person would have to mend it. */
export function decideFirstStart(job: DesiredJob, manifest: JobManifest, context: JobContext, restore?: Restore): JobDecision {
  const [found] = findLiveOfOurs(job, context);
  if (found !== undefined) return adopt(job, manifest, found, context);
  if (context.statusLost !== undefined) return wait(job, started("StatusLost"), context.statusLost);
  if (context.past?.kind === "looking")
    return lookAgain(job, "looking for what it may have left before the status branch was lost");
  if (context.past?.kind === "unseen")
    return wait(
      job,
      { condition: "Placed", reason: "ClusterUnreachable" },
      `whether it ran before the status branch was lost cannot be told yet: ${context.past.because}`,
    );
  if (isPaused(job, context)) return wait(job, started("Paused"), "it is paused");
  if (context.projectRefused !== undefined) return wait(job, started("ProjectNotAllowed"), context.projectRefused);
  if (context.looksLikeRename !== undefined) return wait(job, started("LooksLikeRename"), context.looksLikeRename);
  if (manifest.spec.rpus === 0) return wait(job, started("Suspended"), "spec.resources.rpus is 0; raise it to start the job");
  const { initialState } = context;
  if (restore === undefined && (initialState.kind === "waits" || initialState.kind === "undeclared")) {
    // A Final Savepoint is taken when this Job could start: what stands against that is what its owner has to mend.
    const besides = context.artifact.kind === "not-ready" ? `; besides, ${context.artifact.because}` : "";
    return wait(job, started("InitialStateNotReady"), `${initialState.because}${besides}`);
  }
  const tooMany = overQuota(context, job, manifest.spec.rpus);
  if (tooMany !== undefined) return wait(job, started("QuotaExceeded"), tooMany);
  const javaVersion = context.artifact.kind === "ready" ? context.artifact.javaVersion : undefined;
  const wish = { zone: job.id.zone, flinkVersion: manifest.spec.flinkVersion, slots: manifest.spec.rpus, javaVersion };
  const placement = place(wish, context.observed.clusters, context.slots);
  if (placement.kind === "not-placed" && placement.reason === "NoZone") return notPlaced(job, placement); // it has no Artifact either
  if (context.artifact.kind === "not-ready") return wait(job, started(context.artifact.reason), context.artifact.because);
  if (placement.kind === "not-placed") return notPlaced(job, placement);
  const { cluster } = placement;
  const from = restore ?? fromInitialState(context);
  const operation: StartOperation = {
    kind: "start",
    ...nextIntent(job, manifest.spec, manifest.spec.rpus, cluster, context),
    run: (job.record?.status.run ?? 0) + 1,
    ...(from?.point === undefined ? {} : { restoreFrom: from.point }),
    announcedAt: formatTime(context.now),
  };
  const { frozen } = context.artifact;
  const submission = buildSubmission(job, manifest.spec, operation, context.artifact, cluster);
  const plain = `it is declared and ${cluster.name} has the ${countOf(manifest.spec.rpus, "slot")} that it needs`;
  const because = from === undefined ? plain : from.because;
  return {
    ...head(job),
    kind: "announce",
    because,
    work: { kind: "start", operation, submission },
    artifact: frozen,
    ...(from?.initialState === undefined ? {} : { initialState: from.initialState }),
  };
}

function fromInitialState({ initialState }: JobContext): Restore | undefined {
  if (initialState.kind !== "ready") return undefined;
  const { uri } = initialState;
  return { point: { kind: "Savepoint", uri }, initialState: uri, because: `it is declared and starts from ${uri}` };
}

/** Goes on with a start that was announced, perhaps by a daemon that died: under the same id, on the same cluster, until that cluster refutes it. */
export function continueStart(job: DesiredJob, record: JobRecord, operation: StartOperation, context: JobContext): JobDecision {
  const seen = findJob(context.observed.clusters, job.id.zone, operation.cluster, operation.flinkJobId);
  if (seen.kind === "unseen")
    return awaitOutcome(job, operation, { condition: "Placed", reason: "ClusterUnreachable" }, seen.because);
  if (seen.kind === "listed") return settleListed(job, record, operation, seen, context);
  const told = decideNotListed(job, record, operation, seen, context);
  if (told !== undefined) return told;
  // A record that was restored from a backup announces what happened long ago: at most one may run.
  const [live] = findLiveOfOurs(job, context);
  if (live !== undefined && attemptOf(live.job.flinkJobId) > operation.attempt) return follow(job, record, live);
  const bytes = context.announcedArtifact;
  if (bytes.kind === "not-ready") return awaitOutcome(job, operation, started(bytes.reason), bytes.because);
  const again = buildSubmission(job, record.spec, operation, bytes, seen.cluster);
  const because = `its start was announced as attempt ${operation.attempt} and the cluster does not have it`;
  return { ...head(job), kind: "resume", because, work: { kind: "start", operation, submission: again } };
}

/** What follows for an announced start that its cluster does not list; undefined when it is due to be submitted. */
export function decideNotListed(
  job: DesiredJob,
  record: JobRecord,
  operation: StartOperation,
  seen: JobSeen & { readonly kind: "absent" },
  context: JobContext,
): JobDecision | undefined {
  const submission = submissionOf(context.observed.submissions, operation.flinkJobId, operation);
  if (submission?.kind === "under-way") return awaitOutcome(job, operation, undefined, "its submission is under way");
  if (seen.cluster.incarnation !== operation.cluster.incarnation && !seen.cluster.highAvailability) {
    return decideAfterRestart(job, operation, seen.cluster, context);
  }
  // Whatever our own submissions tell: a checkpoint under this id proves that Flink took it once.
  if (hasLeft(job, operation, seen.cluster, context)) return settleUnseen(job, operation, seen.cluster);
  return submission === undefined ? undefined : decideBySubmission(job, record, operation, submission, seen, context);
}

function hasLeft(job: DesiredJob, operation: StartOperation, cluster: ReachableCluster, context: JobContext): boolean {
  const found = cluster.restorePoints.get(lineagePrefix(context.instance, job.id));
  return found?.kind === "listed" && found.entries.some((entry) => entry.flinkJobId === operation.flinkJobId);
}

/** What follows from how our own submission went; undefined when it is due again. The cluster answers and does not list the job. */
function decideBySubmission(
  job: DesiredJob,
  record: JobRecord,
  operation: StartOperation,
  submission: Exclude<SubmissionSeen, { readonly kind: "under-way" }>,
  seen: JobSeen & { kind: "absent" },
  context: JobContext,
): JobDecision | undefined {
  switch (submission.kind) {
    case "accepted":
      if (context.now >= submission.acceptedAtMs + LISTED_WITHIN_MS) return settleUnseen(job, operation, seen.cluster);
      return awaitOutcome(job, operation, undefined, "Flink accepted it; the cluster does not list it yet");
    case "unknown": {
      if (context.now >= submission.retryAtMs) return undefined;
      const because = `the answer to its submission was lost (${submission.because}); looking whether it runs`;
      return awaitOutcome(job, operation, started("OutcomeUnknown"), because);
    }
    case "refused":
      if (submission.reason === JOB_ID_SPENT) return settleUnseen(job, operation, seen.cluster);
      // Another id is only begun when nothing can come of this one any more.
      if (!isInDoubt(operation, submission, context.now) && isOutdated(job, record, operation, context))
        return startAgain(job, operation, context);
      if (context.now >= submission.retryAtMs) return undefined;
      return awaitOutcome(job, operation, started(submission.reason), submission.because);
    default:
      return submission satisfies never;
  }
}

/** It ran and ended while nobody looked, and Flink has forgotten it: it counts as started, and what it left tells how it goes on. */
function settleUnseen(job: DesiredJob, operation: StartOperation, cluster: ReachableCluster): JobDecision {
  const settlement = startedBy(operation, operation.cluster, cluster.flinkVersion);
  return { ...head(job), kind: "settle", because: `attempt ${operation.attempt} ran and ended while nobody looked`, settlement };
}

/** The id is listed: it was accepted, or it failed before it ever ran and the id is spent. */
function settleListed(
  job: DesiredJob,
  record: JobRecord,
  operation: StartOperation,
  seen: JobSeen & { kind: "listed" },
  context: JobContext,
): JobDecision {
  // Under high availability a job may have been recovered with its state and have counted no checkpoint since.
  const mayHaveState = record.status.flinkJobId !== undefined || seen.cluster.highAvailability;
  if (mayHaveState || !isSpent(seen.job)) return settleStarted(job, operation, seen);
  const submission = submissionOf(context.observed.submissions, operation.flinkJobId, operation);
  if (submission?.kind === "under-way") return awaitOutcome(job, operation, undefined, "its submission is under way");
  const refusal = submission?.kind === "refused" ? submission : undefined;
  const dueAtMs = Math.max(
    failedDueAtMs(operation.flinkJobId, operation.attempt, operation.announcedAt, context.now),
    refusal?.retryAtMs ?? 0,
  );
  if (context.now >= dueAtMs || isOutdated(job, record, operation, context)) return startAgain(job, operation, context);
  const cause = seen.job.detail?.rootCause ?? refusal?.because ?? "Flink does not say why";
  return awaitOutcome(job, operation, started("StartFailed"), `attempt ${operation.attempt} failed before it ran: ${cause}`);
}

/** Flink has the job under the announced id: its start is over, whatever became of it since. */
export function settleStarted(job: DesiredJob, operation: StartOperation, seen: JobSeen & { kind: "listed" }): JobDecision {
  const { incarnation, flinkVersion } = seen.cluster;
  const settlement = startedBy(operation, { ...operation.cluster, incarnation }, flinkVersion);
  return { ...head(job), kind: "settle", because: "Flink has it", settlement };
}

function startedBy(operation: StartOperation, cluster: ClusterRef, flinkVersion: string): Settlement {
  const { flinkJobId, rpus, run, restoreFrom, announcedAt } = operation;
  return { kind: "started", flinkJobId, cluster, flinkVersion, rpus, run, restoredFrom: restoreFrom, announcedAt };
}

/**
 * When the next attempt is due after `failures` in a row. Chance comes out of the id, so that deciding stays pure. What was written down far
 * ahead of now was written by a clock that was wrong: then nobody can tell how long ago it was, and nothing waits until that time comes.
 */
export function failedDueAtMs(flinkJobId: string, failures: number, since: string, now: number): number {
  const chance = Number.parseInt(flinkJobId.slice(6, 12), 16) / 0x100_0000;
  const sinceMs = Date.parse(since);
  if (sinceMs - now > FAILED_DELAY.maxMs) return now;
  return sinceMs + retryDelayMs(Math.max(1, failures), FAILED_DELAY, () => chance);
}

/** Failed without a checkpoint: nothing is lost when the next attempt begins anew, or from the state that this one was given. */
function isSpent(seen: FlinkJobSeen): boolean {
  return seen.state === "FAILED" && seen.detail?.checkpoints.completed === 0;
}

/**
 * The JobManager that the start was announced for is gone, and with it whatever it had accepted. Flink would take the id again, but a
 * checkpoint of the first try may lie under it: then the job was accepted, and is brought back like any other that vanished.
 */
function decideAfterRestart(
  job: DesiredJob,
  operation: StartOperation,
  cluster: ReachableCluster,
  context: JobContext,
): JobDecision {
  const found = cluster.restorePoints.get(lineagePrefix(context.instance, job.id));
  const where = `cluster ${cluster.name} was restarted while the job was being started`;
  if (found === undefined || !isMissedTwice(job, operation.flinkJobId, context)) {
    return awaitOutcome(job, operation, undefined, `${where}; looking for what the start left`);
  }
  if (found.kind === "cannot-tell") {
    return awaitOutcome(
      job,
      operation,
      started("NeedsRestore"),
      `${where}, and whether it left a checkpoint cannot be told: ${found.because}`,
    );
  }
  // One that was accepted before is brought back with the spec that it was accepted with, whatever is declared now.
  const isFirst = job.record?.status.flinkJobId === undefined;
  if (isFirst && !hasLeft(job, operation, cluster, context) && operation.restoreFrom === undefined)
    return startAgain(job, operation, context);
  return settleUnseen(job, operation, cluster);
}

/** Drops the old attempt and starts the next one from what is declared now, when everything for it is there. */
function startAgain(job: DesiredJob, operation: StartOperation, context: JobContext): JobDecision {
  const restore =
    operation.restoreFrom === undefined || namesOtherState(job)
      ? undefined
      : {
          point: operation.restoreFrom,
          initialState: job.record?.status.initialState,
          because: `attempt ${operation.attempt} came to nothing; it starts from the same restore point`,
        };
  if (job.declared.kind === "declared") return decideFirstStart(job, job.declared.manifest, context, restore);
  if (job.declared.kind === "absent" && context.deletion.kind === "goes") {
    const because = `attempt ${operation.attempt} came to nothing, and its manifest is gone`;
    // Its record stays as a tombstone: the numbers of its attempts are never used again.
    return { ...head(job), kind: "settle", because, settlement: { kind: "buried", restorePoint: operation.restoreFrom } };
  }
  const isBroken = job.declared.kind === "broken";
  const what = isBroken ? "its manifest has problems" : "its manifest is gone";
  const because = `attempt ${operation.attempt} came to nothing, and ${what}, so it is not started again`;
  return awaitOutcome(job, operation, started(isBroken ? "ManifestBroken" : "ManifestMissing"), because);
}

/** As long as nothing of it ran, a Job may be edited to start from another Savepoint; to name none any more does not drop what it was given. */
function namesOtherState({ declared, record }: DesiredJob): boolean {
  const named = declared.kind === "declared" ? declared.manifest.spec.initialState?.savepoint : undefined;
  return named !== undefined && record?.status.flinkJobId === undefined && named !== record?.spec.initialState?.savepoint;
}

/** Whether the manifest or the jar was changed since a start that Flink refused: then the refusal says nothing about the new ones. */
function isOutdated(job: DesiredJob, record: JobRecord, operation: StartOperation, context: JobContext): boolean {
  if (job.declared.kind === "absent") return context.deletion.kind === "goes"; // or its deletion would wait for a start for ever
  if (record.status.flinkJobId !== undefined) return false; // it was accepted once: its spec and its bytes are settled
  if (job.declared.kind !== "declared") return false;
  const { spec } = job.declared.manifest;
  if (jobSpecHash(spec) !== jobSpecHash(record.spec) || spec.rpus !== operation.rpus) return true;
  return context.artifact.kind === "ready" && context.artifact.frozen.sha256 !== record.status.artifact?.sha256;
}

function notPlaced(job: DesiredJob, { reason, because }: Placement & { readonly kind: "not-placed" }): JobDecision {
  return wait(job, { condition: "Placed", reason }, because);
}

function adopt(
  job: DesiredJob,
  manifest: JobManifest,
  found: { readonly cluster: ReachableCluster; readonly job: FlinkJobSeen },
  context: JobContext,
): JobDecision {
  const { cluster, job: seen } = found;
  const attempt = highestAttempt(job, context);
  const record = adoptedRecord({ job, manifest, commit: context.commit, cluster, seen, artifact: context.artifact, attempt });
  return { ...head(job), kind: "adopt", record, because: `it already runs on ${cluster.name} as ${seen.flinkJobId}` };
}
