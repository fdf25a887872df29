import { formatTime } from "../common/clock.ts";
import { retryDelayMs } from "../common/retry-delay.ts";
import { countOf } from "../common/text.ts";
import { JOB_ID_SPENT } from "../flink/submit.ts";
import { clusterRef, hasEnded, type FlinkJobSeen, type ReachableCluster } from "../flink/cluster-seen.ts";
import { jobSpecHash } from "../model/canonical-spec.ts";
import { flinkJobId, isOurs, parseFlinkJobId, resourceDigits } from "../model/flink-job-id.ts";
import type { JobManifest } from "../model/manifest.ts";
import type { JobRecord, StartOperation } from "../model/status.ts";
import type { ArtifactForJob } from "./artifact-for-job.ts";
import { adoptedRecord } from "./adopt.ts";
import { buildSubmission } from "./build-submission.ts";
import type { Block, JobDecision } from "./decision.ts";
import type { DesiredJob } from "./desired.ts";
import { findJob, type JobSeen, type Observed } from "./observed.ts";
import type { SubmissionSeen } from "./submissions.ts";
import { place, type Placement, type SlotLedger } from "./place.ts";

/** Attempts that fail before they run follow each other ever more slowly, also when the daemon that made them is gone. */
const FAILED_DELAY = { baseMs: 2000, maxMs: 300_000 };
/** Flink lists a job as soon as it took it; one that is not listed after so long has ended, and is forgotten. */
const LISTED_WITHIN_MS = 60_000;

/** Everything besides the Job itself that its next step depends on. */
export interface JobContext {
  readonly instance: string;
  readonly commit: string;
  readonly observed: Observed;
  readonly slots: SlotLedger;
  /** The artifact that the declared Job names, as far as it is ready to be submitted. */
  readonly artifact: ArtifactForJob;
  /** The one that an announced start was announced with. */
  readonly announcedArtifact: ArtifactForJob;
  readonly paused: boolean;
  /** Why this Job may have run before although nothing is known of it: the status branch was lost. Undefined when it was not. */
  readonly statusLost: string | undefined;
  /** Undefined when the zone may hold the project. */
  readonly projectRefused: string | undefined;
  /** Some document's identity cannot be read, so nothing counts as deleted. */
  readonly deletionsHeld: string | undefined;
  readonly now: number;
}

/** The next step of one Job. First match; one step, the next pass looks and decides again. */
export function decideJob(job: DesiredJob, context: JobContext): JobDecision {
  if (job.recordProblem !== undefined) return leave(job, `its record cannot be understood: ${job.recordProblem}`);
  const record = job.record;
  if (record?.status.operation !== undefined) return continueStart(job, record, record.status.operation, context);
  if (record?.status.flinkJobId !== undefined) return leave(job, "it was started; its state is Flink's to tell");
  if (job.declared.kind !== "declared" && record !== undefined && context.statusLost !== undefined)
    return wait(job, started("StatusLost"), context.statusLost); // or the record would lose the mark that holds its start
  if (job.declared.kind === "broken") return leave(job, "its manifest has problems, so nothing is done with it");
  if (job.declared.kind === "absent") return decideForgotten(job, context);
  return decideFirstStart(job, job.declared.manifest, context);
}

function decideForgotten(job: DesiredJob, context: JobContext): JobDecision {
  if (context.deletionsHeld !== undefined) return leave(job, context.deletionsHeld);
  if ((job.record?.status.attempt ?? 0) > 0) return leave(job, "it was submitted once, so its record is kept");
  return { ...head(job), kind: "forget", because: "its manifest is gone and it never ran" };
}

/** Whatever is missing is named; the order is that in which a person would have to mend it. */
function decideFirstStart(job: DesiredJob, manifest: JobManifest, context: JobContext): JobDecision {
  const found = findLiveOfOurs(job, context);
  if (found !== undefined) return adopt(job, manifest, found, context);
  if (context.statusLost !== undefined) return wait(job, started("StatusLost"), context.statusLost);
  if (context.paused || manifest.annotations["penstock/paused"] === "true") return wait(job, started("Paused"), "it is paused");
  if (context.projectRefused !== undefined) return wait(job, started("ProjectNotAllowed"), context.projectRefused);
  if (manifest.spec.rpus === 0) return wait(job, started("Suspended"), "spec.resources.rpus is 0; raise it to start the job");
  if (manifest.spec.initialState !== undefined) {
    const because = `spec.initialStateRef: starting from a Savepoint is not yet acted on, so the job waits for ${manifest.spec.initialState.savepoint}`;
    return wait(job, started("InitialStateNotReady"), because);
  }
  const wish = { zone: job.id.zone, flinkVersion: manifest.spec.flinkVersion, slots: manifest.spec.rpus };
  const placement = place(wish, context.observed.clusters, context.slots);
  if (placement.kind === "not-placed" && placement.reason === "NoZone") return notPlaced(job, placement); // it has no Artifact either
  if (context.artifact.kind === "not-ready") return wait(job, started(context.artifact.reason), context.artifact.because);
  if (placement.kind === "not-placed") return notPlaced(job, placement);
  const operation = announce(job, manifest, placement.cluster, context);
  const submission = buildSubmission(job, manifest.spec, operation, context.artifact.frozen, placement.cluster);
  const because = `it is declared and ${placement.cluster.name} has the ${countOf(manifest.spec.rpus, "slot")} that it needs`;
  return { ...head(job), kind: "start", because, operation, submission, artifact: context.artifact.frozen };
}

/** Goes on with a start that was announced, perhaps by a daemon that died: under the same id, on the same cluster, until that cluster refutes it. */
function continueStart(job: DesiredJob, record: JobRecord, operation: StartOperation, context: JobContext): JobDecision {
  const seen = findJob(context.observed.clusters, job.id.zone, operation.cluster, operation.flinkJobId);
  if (seen.kind === "unseen")
    return awaitOutcome(job, operation, { condition: "Placed", reason: "ClusterUnreachable" }, seen.because);
  if (seen.kind === "listed") return settleListed(job, operation, seen, context);
  const submission = context.observed.submissions.get(operation.flinkJobId);
  if (submission?.kind === "under-way") return awaitOutcome(job, operation, undefined, "its submission is under way");
  if (seen.cluster.incarnation !== operation.cluster.incarnation && !seen.cluster.highAvailability) {
    return decideAfterRestart(job, operation, seen.cluster, context);
  }
  const told = submission === undefined ? undefined : decideBySubmission(job, record, operation, submission, context);
  if (told !== undefined) return told;
  const bytes = context.announcedArtifact;
  if (bytes.kind === "not-ready") return awaitOutcome(job, operation, started(bytes.reason), bytes.because);
  const again = buildSubmission(job, record.spec, operation, bytes.frozen, seen.cluster);
  return {
    ...head(job),
    kind: "submit",
    because: `its start was announced as attempt ${operation.attempt} and the cluster does not have it`,
    operation,
    submission: again,
  };
}

/** What follows from how our own submission went; undefined when it is due again. The cluster answers and does not list the job. */
function decideBySubmission(
  job: DesiredJob,
  record: JobRecord,
  operation: StartOperation,
  submission: Exclude<SubmissionSeen, { readonly kind: "under-way" }>,
  context: JobContext,
): JobDecision | undefined {
  switch (submission.kind) {
    case "accepted":
      if (context.now >= submission.acceptedAtMs + LISTED_WITHIN_MS) return endedUnseen(job, operation);
      return awaitOutcome(job, operation, undefined, "Flink accepted it; the cluster does not list it yet");
    case "unknown": {
      if (context.now >= submission.retryAtMs) return undefined;
      const because = `the answer to its submission was lost (${submission.because}); looking whether it runs`;
      return awaitOutcome(job, operation, started("OutcomeUnknown"), because);
    }
    case "refused":
      if (submission.reason === JOB_ID_SPENT) return endedUnseen(job, operation);
      if (isOutdated(job, record, operation, context)) return startAgain(job, operation, context);
      if (context.now >= submission.retryAtMs) return undefined;
      return awaitOutcome(job, operation, started(submission.reason), submission.because);
    default:
      return submission satisfies never;
  }
}

/** It may have had state, so nothing of it is started again. */
function endedUnseen(job: DesiredJob, operation: StartOperation): JobDecision {
  const because = `attempt ${operation.attempt} ran and ended while nobody looked, and Flink has forgotten it; bringing it back is not yet acted on, so declare a Job with a new name to run it anew`;
  return awaitOutcome(job, operation, started("EndedUnseen"), because);
}

/** The id is listed: it was accepted, or it failed before it ever ran and the id is spent. */
function settleListed(
  job: DesiredJob,
  operation: StartOperation,
  seen: JobSeen & { kind: "listed" },
  context: JobContext,
): JobDecision {
  if (!isSpent(seen.job, operation)) return leave(job, "Flink has it");
  const submission = context.observed.submissions.get(operation.flinkJobId);
  if (submission?.kind === "under-way") return awaitOutcome(job, operation, undefined, "its submission is under way");
  const refusal = submission?.kind === "refused" ? submission : undefined;
  const dueAtMs = Math.max(failedDueAtMs(operation), refusal?.retryAtMs ?? 0);
  if (context.now >= dueAtMs || isOutdated(job, job.record, operation, context)) return startAgain(job, operation, context);
  const cause = seen.job.detail?.rootCause ?? refusal?.because ?? "Flink does not say why";
  return awaitOutcome(job, operation, started("StartFailed"), `attempt ${operation.attempt} failed before it ran: ${cause}`);
}

/** By the number of the attempt and not by what this process remembers. Chance comes out of the id, so that deciding stays pure. */
function failedDueAtMs({ announcedAt, attempt, flinkJobId: id }: StartOperation): number {
  const chance = Number.parseInt(id.slice(6, 12), 16) / 0x100_0000;
  return Date.parse(announcedAt) + retryDelayMs(attempt, FAILED_DELAY, () => chance);
}

/** Failed without a checkpoint and without a state that it was started from: nothing is lost when the next attempt begins anew. */
function isSpent(seen: FlinkJobSeen, operation: StartOperation): boolean {
  return (
    seen.state === "FAILED" &&
    operation.restoreFrom === undefined &&
    (seen.detail?.checkpoints.completed ?? 0) === 0 &&
    seen.detail !== undefined
  );
}

/**
 * The JobManager that the start was announced for is gone, and with it whatever it had accepted. Flink would take the id again, but a
 * checkpoint of the first try may lie under it; so a new attempt is announced, and only when no such checkpoint can exist.
 */
function decideAfterRestart(
  job: DesiredJob,
  operation: StartOperation,
  cluster: ReachableCluster,
  context: JobContext,
): JobDecision {
  const found = cluster.restorePoints.get(operation.flinkJobId);
  if (found === undefined)
    return awaitOutcome(
      job,
      operation,
      undefined,
      `cluster ${cluster.name} was restarted meanwhile; looking for what the start left`,
    );
  if (found.kind === "none") return startAgain(job, operation, context);
  const because =
    found.kind === "cannot-tell"
      ? `cluster ${cluster.name} was restarted while the job was being started, and whether it left a checkpoint cannot be told: ${found.because}`
      : `cluster ${cluster.name} was restarted after the job had taken a checkpoint; starting from it is not yet acted on`;
  return awaitOutcome(job, operation, started("NeedsRestore"), because);
}

/** Drops the old attempt and starts the next one from what is declared now, when everything for it is there. */
function startAgain(job: DesiredJob, operation: StartOperation, context: JobContext): JobDecision {
  if (job.declared.kind === "declared") return decideFirstStart(job, job.declared.manifest, context);
  const [reason, what] =
    job.declared.kind === "broken"
      ? ["ManifestBroken", "its manifest has problems"]
      : ["ManifestMissing", "its manifest is gone"];
  const because = `attempt ${operation.attempt} came to nothing, and ${what}, so it is not started again`;
  return awaitOutcome(job, operation, started(reason), because);
}

/** Whether the manifest or the jar was changed since a start that Flink refused: then the refusal says nothing about the new ones. */
function isOutdated(job: DesiredJob, record: JobRecord | undefined, operation: StartOperation, context: JobContext): boolean {
  if (job.declared.kind !== "declared" || record === undefined) return false;
  const { spec } = job.declared.manifest;
  if (jobSpecHash(spec) !== jobSpecHash(record.spec) || spec.rpus !== operation.rpus) return true;
  return context.artifact.kind === "ready" && context.artifact.frozen.sha256 !== record.status.artifact?.sha256;
}

function announce(job: DesiredJob, manifest: JobManifest, cluster: ReachableCluster, context: JobContext): StartOperation {
  const attempt = highestAttempt(job, context) + 1;
  return {
    kind: "start",
    attempt,
    flinkJobId: flinkJobId({ instance: context.instance, id: job.id, spec: manifest.spec, attempt }),
    cluster: clusterRef(cluster),
    rpus: manifest.spec.rpus,
    announcedAt: formatTime(context.now),
  };
}

function jobsOfOurs(
  job: DesiredJob,
  context: JobContext,
): readonly { readonly cluster: ReachableCluster; readonly job: FlinkJobSeen }[] {
  const digits = resourceDigits(job.id);
  return context.observed.clusters
    .filter((cluster) => cluster.kind === "reachable" && cluster.zone === job.id.zone)
    .flatMap((cluster) =>
      cluster.kind === "reachable" ? [...cluster.jobs.values()].map((listed) => ({ cluster, job: listed })) : [],
    )
    .filter(
      ({ job: listed }) => isOurs(listed.flinkJobId, context.instance) && parseFlinkJobId(listed.flinkJobId)?.resource === digits,
    );
}

/** The highest attempt, should there be several. */
function findLiveOfOurs(job: DesiredJob, context: JobContext) {
  return jobsOfOurs(job, context)
    .filter(({ job: listed }) => !hasEnded(listed))
    .toSorted((a, b) => attemptOf(b.job) - attemptOf(a.job))[0];
}

/** Of all that are known: a number is never used twice. */
function highestAttempt(job: DesiredJob, context: JobContext): number {
  return Math.max(job.record?.status.attempt ?? 0, ...jobsOfOurs(job, context).map(({ job: listed }) => attemptOf(listed)));
}

function attemptOf(listed: FlinkJobSeen): number {
  return parseFlinkJobId(listed.flinkJobId)?.attempt ?? 0;
}

function adopt(
  job: DesiredJob,
  manifest: JobManifest,
  found: { readonly cluster: ReachableCluster; readonly job: FlinkJobSeen },
  context: JobContext,
): JobDecision {
  const record = adoptedRecord({
    job,
    manifest,
    commit: context.commit,
    cluster: found.cluster,
    seen: found.job,
    artifact: context.artifact,
    attempt: highestAttempt(job, context),
  });
  return { ...head(job), kind: "adopt", record, because: `it already runs on ${found.cluster.name} as ${found.job.flinkJobId}` };
}

function head(job: DesiredJob): { readonly key: DesiredJob["key"]; readonly id: DesiredJob["id"] } {
  return { key: job.key, id: job.id };
}

function leave(job: DesiredJob, because: string): JobDecision {
  return { ...head(job), kind: "leave", because };
}

function wait(job: DesiredJob, block: Block, because: string): JobDecision {
  return { ...head(job), kind: "wait", block, because };
}

function notPlaced(job: DesiredJob, { reason, because }: Placement & { readonly kind: "not-placed" }): JobDecision {
  return wait(job, { condition: "Placed", reason }, because);
}

function awaitOutcome(job: DesiredJob, operation: StartOperation, block: Block | undefined, because: string): JobDecision {
  return { ...head(job), kind: "await", operation, block, because };
}

function started(reason: string): Block {
  return { condition: "Started", reason };
}
