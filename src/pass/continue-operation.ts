import { formatTime } from "../common/clock.ts";
import { hasEnded } from "../flink/cluster-seen.ts";
import { JOB_ID_SPENT } from "../flink/submit.ts";
import type { Reason } from "../model/reasons.ts";
import type {
  CancelOperation,
  JobRecord,
  Operation,
  RescaleOperation,
  RestorePoint,
  StartIntent,
  StartOperation,
  StopOperation,
} from "../model/status.ts";
import { buildSubmission } from "./build-submission.ts";
import { bury, buryWithNewest } from "./decide-deleted.ts";
import type { Block, JobDecision } from "./decision.ts";
import { continueStart, decideNotListed, settleStarted } from "./decide-start.ts";
import type { DesiredJob } from "./desired.ts";
import { awaitOutcome, head, nextIntent, notYet, type JobContext } from "./job-context.ts";
import { findJob } from "./observed.ts";
import { epochOf, isBeingHandedOver, isInDoubt, submissionOf, type StepSeen, type SubmissionSeen } from "./submissions.ts";

/** Goes on with what was announced, perhaps by a daemon that died. Every step of it may be asked for again. */
export function continueOperation(job: DesiredJob, record: JobRecord, operation: Operation, context: JobContext): JobDecision {
  switch (operation.kind) {
    case "start":
      return continueStart(job, record, operation, context);
    case "stop":
      return continueStop(job, record, operation, context);
    case "cancel":
      return continueCancel(job, record, operation, context);
    case "rescale":
      return continueRescale(job, record, operation, context);
    default:
      return operation satisfies never;
  }
}

function continueStop(job: DesiredJob, record: JobRecord, operation: StopOperation, context: JobContext): JobDecision {
  const step = stepOf(operation, context);
  if (step?.kind === "under-way") return awaitOutcome(job, operation, undefined, "its stop with savepoint is under way");
  if (step?.kind === "stopped") return afterStop(job, record, operation, step.uri, context);
  if (step?.kind === "not-done" && isBeingHandedOver(operation, context.now))
    return awaitOutcome(job, operation, undefined, `${step.because}; another daemon may have asked for it as well`);
  if (step?.kind === "not-done")
    return abandon(
      job,
      blockOf(operation, "SavepointFailed"),
      `no savepoint came about, so it runs on as it was: ${step.because}`,
    );
  // Not abandoned: a daemon before this one may have asked Flink, and what it asked for may yet come about.
  if (step?.kind === "held" && context.now < step.retryAtMs)
    return awaitOutcome(job, operation, blockOf(operation, "JarNotUploaded"), step.because);
  if (step?.kind === "ended") return abandon(job, undefined, `it ended another way while it was to be stopped: ${step.because}`);
  const seen = findJob(context.observed.clusters, job.id.zone, operation.cluster, operation.flinkJobId);
  if (seen.kind === "unseen") return awaitOutcome(job, operation, blockOf(operation, "ClusterUnreachable"), seen.because);
  if (step?.kind === "unknown" && context.now < step.retryAtMs) {
    return awaitOutcome(
      job,
      operation,
      blockOf(operation, "OutcomeUnknown"),
      `what became of its stop is not known yet: ${step.because}`,
    );
  }
  const because = "its stop with savepoint was announced and is gone on with";
  if (operation.next === undefined)
    return { ...head(job), kind: "resume", because, work: { kind: "stop", operation, next: undefined } };
  const bytes = context.announcedArtifact;
  if (bytes.kind === "not-ready") return awaitOutcome(job, operation, blockOf(operation, bytes.reason), bytes.because);
  const { next: intent } = operation;
  const target = findJob(context.observed.clusters, job.id.zone, intent.cluster, intent.flinkJobId);
  // Another JobManager would take the announced id again, and what its first life there left would be lost: then the stop alone is settled.
  const isSameProcess = target.kind !== "unseen" && target.cluster.incarnation === intent.cluster.incarnation;
  const next = isSameProcess ? buildSubmission(job, record.spec, intent, bytes, target.cluster) : undefined;
  return { ...head(job), kind: "resume", because, work: { kind: "stop", operation, next } };
}

function afterStop(job: DesiredJob, record: JobRecord, operation: StopOperation, uri: string, context: JobContext): JobDecision {
  const point: RestorePoint = { kind: "Savepoint", uri };
  if (operation.purpose === "delete")
    return bury(job, point, "its manifest is gone; it was stopped with a savepoint, which is kept");
  if (operation.purpose === "final") {
    const savepoint = operation.savepoint ?? "";
    const drained = operation.drain === true;
    const settlement = { kind: "finalized" as const, savepoint, uri, drained, takenAt: operation.announcedAt };
    return { ...head(job), kind: "settle", because: `the Final Savepoint ${savepoint} stopped it`, settlement };
  }
  if (operation.purpose === "duplicate") {
    const because = `a second Flink job of this Job, ${operation.flinkJobId}, was stopped; what it left is kept at ${uri}`;
    return { ...head(job), kind: "settle", because, settlement: { kind: "deduplicated", uri } };
  }
  if (operation.next === undefined) {
    const because = "rpus is 0: it was stopped with a savepoint";
    return { ...head(job), kind: "settle", because, settlement: { kind: "suspended", uri } };
  }
  return afterRescale(job, record, operation, operation.next, point, context);
}

/** The old attempt is stopped; now the next one is what counts. If it cannot start, the job goes back to what ran before. */
function afterRescale(
  job: DesiredJob,
  record: JobRecord,
  operation: StopOperation,
  next: StartIntent,
  point: RestorePoint,
  context: JobContext,
): JobDecision {
  const seen = findJob(context.observed.clusters, job.id.zone, next.cluster, next.flinkJobId);
  if (seen.kind === "unseen") return awaitOutcome(job, operation, blockOf(operation, "ClusterUnreachable"), seen.because);
  const start = startOf(operation, next, record, point);
  if (seen.kind === "listed") {
    // Under high availability it may have been recovered with newer state and have counted no checkpoint since.
    const failedAtOnce =
      seen.job.state === "FAILED" && seen.job.detail?.checkpoints.completed === 0 && !seen.cluster.highAvailability;
    if (failedAtOnce)
      return goBack(job, record, operation, point, seen.job.detail?.rootCause ?? "Flink does not say why", context);
    return settleStarted(job, start, seen);
  }
  const submission = submissionOf(context.observed.submissions, next.flinkJobId, operation);
  if (submission?.kind === "refused" && isHopeless(operation, submission, context))
    return goBack(job, record, operation, point, submission.because, context);
  const told = decideNotListed(job, record, start, seen, context);
  if (told !== undefined) return told;
  const bytes = context.announcedArtifact;
  if (bytes.kind === "not-ready") return awaitOutcome(job, operation, blockOf(operation, bytes.reason), bytes.because);
  const submissionAgain = buildSubmission(job, record.spec, start, bytes, seen.cluster);
  return {
    ...head(job),
    kind: "resume",
    because: "it was stopped with a savepoint and starts again from it",
    work: { kind: "start", operation: start, submission: submissionAgain },
  };
}

/** Another id is only begun when nothing can come of this one any more: the `main` of an earlier try may still be at work, or it ran and is over. */
function isHopeless(
  operation: StopOperation,
  refused: SubmissionSeen & { readonly kind: "refused" },
  { now }: JobContext,
): boolean {
  const isRefusedForGood = refused.retryAtMs === Number.POSITIVE_INFINITY || refused.failures >= 3;
  return isRefusedForGood && refused.reason !== JOB_ID_SPENT && !isInDoubt(operation, refused, now);
}

function startOf(operation: StopOperation, next: StartIntent, record: JobRecord, point: RestorePoint): StartOperation {
  return { kind: "start", ...next, run: record.status.run, restoreFrom: point, ...sinceOf(operation) };
}

function sinceOf({ announcedAt, takenOverAt }: StopOperation): Pick<StartOperation, "announcedAt" | "takenOverAt"> {
  return { announcedAt, ...(takenOverAt === undefined ? {} : { takenOverAt }) };
}

/** To the rpus and the cluster that it had. */
function goBack(
  job: DesiredJob,
  record: JobRecord,
  operation: StopOperation,
  point: RestorePoint,
  why: string,
  context: JobContext,
): JobDecision {
  const before = findJob(context.observed.clusters, job.id.zone, operation.cluster, operation.flinkJobId);
  const rpus = record.status.requestedRpus ?? record.spec.rpus;
  const bytes = context.announcedArtifact;
  if (bytes.kind === "not-ready")
    return awaitOutcome(job, operation, blockOf(operation, bytes.reason), `${why}; ${bytes.because}`);
  if (before.kind === "unseen")
    return awaitOutcome(job, operation, blockOf(operation, "ClusterUnreachable"), `${why}; ${before.because}`);
  const start: StartOperation = {
    kind: "start",
    ...nextIntent(job, record.spec, rpus, before.cluster, context),
    run: record.status.run,
    restoreFrom: point,
    announcedAt: formatTime(context.now),
  };
  const because = `its start with ${operation.next?.rpus ?? rpus} rpus failed (${why}), so it goes back to ${rpus} from the same savepoint`;
  const submission = buildSubmission(job, record.spec, start, bytes, before.cluster);
  return {
    ...head(job),
    kind: "announce",
    because,
    work: { kind: "start", operation: start, submission },
    rescaleFailed: { rpus: operation.next?.rpus ?? rpus, because: why },
  };
}

function continueCancel(job: DesiredJob, record: JobRecord, operation: CancelOperation, context: JobContext): JobDecision {
  const step = stepOf(operation, context);
  if (step?.kind === "under-way") return awaitOutcome(job, operation, undefined, "its cancellation is under way");
  const seen = findJob(context.observed.clusters, job.id.zone, operation.cluster, operation.flinkJobId);
  if (seen.kind === "unseen") return awaitOutcome(job, operation, blockOf(operation, "ClusterUnreachable"), seen.because);
  if (seen.kind === "absent" || hasEnded(seen.job)) {
    const decision = buryWithNewest(
      job,
      record,
      seen,
      "its manifest is gone; it was cancelled, and its newest checkpoint is kept",
      context,
    );
    if (decision.kind === "wait") return awaitOutcome(job, operation, decision.block, decision.because);
    return decision.kind === "leave" ? awaitOutcome(job, operation, undefined, decision.because) : decision;
  }
  if ((step?.kind === "unknown" || step?.kind === "not-done") && context.now < step.retryAtMs) {
    return awaitOutcome(job, operation, blockOf(operation, "OutcomeUnknown"), step.because);
  }
  return {
    ...head(job),
    kind: "resume",
    because: "its cancellation was announced and is gone on with",
    work: { kind: "cancel", operation },
  };
}

function continueRescale(job: DesiredJob, record: JobRecord, operation: RescaleOperation, context: JobContext): JobDecision {
  const step = stepOf(operation, context);
  if (step?.kind === "under-way") return awaitOutcome(job, operation, undefined, "its rescale in place is under way");
  if (step?.kind === "rescale-asked" && isBeingHandedOver(operation, context.now))
    return awaitOutcome(job, operation, undefined, "it rescales in place; another daemon may ask for it as well");
  if (step?.kind === "rescale-asked") {
    return {
      ...head(job),
      kind: "settle",
      because: `Flink was asked for ${operation.rpus} rpus and rescales in place`,
      settlement: { kind: "rescaled", rpus: operation.rpus },
    };
  }
  if (step?.kind === "not-done")
    return abandon(job, blockOf(operation, "InPlaceRefused"), `rescaling in place was refused: ${step.because}`);
  const seen = findJob(context.observed.clusters, job.id.zone, operation.cluster, operation.flinkJobId);
  if (seen.kind === "unseen") return awaitOutcome(job, operation, blockOf(operation, "ClusterUnreachable"), seen.because);
  if (seen.kind === "absent" || hasEnded(seen.job)) return abandon(job, undefined, "it ended while it was to be rescaled");
  if (step?.kind === "unknown" && context.now < step.retryAtMs)
    return awaitOutcome(job, operation, blockOf(operation, "OutcomeUnknown"), step.because);
  const from = record.status.requestedRpus ?? operation.rpus;
  return {
    ...head(job),
    kind: "resume",
    because: "its rescale in place was announced and is gone on with",
    work: { kind: "rescale", operation, from },
  };
}

/** What this process knows of the operation, and not of an earlier one on the same job. */
function stepOf(operation: StopOperation | CancelOperation | RescaleOperation, context: JobContext): StepSeen | undefined {
  const step = context.observed.steps.get(operation.flinkJobId);
  return step?.announcedAt === epochOf(operation) ? step : undefined;
}

function abandon(job: DesiredJob, block: Block | undefined, because: string): JobDecision {
  return { ...head(job), kind: "settle", because, settlement: { kind: "abandoned" }, ...(block === undefined ? {} : { block }) };
}

function blockOf(operation: StopOperation | CancelOperation | RescaleOperation, reason: Reason): Block {
  if (operation.kind === "stop") return notYet(operation.purpose, reason);
  return notYet(operation.kind === "cancel" ? "delete" : "rescale", reason);
}
