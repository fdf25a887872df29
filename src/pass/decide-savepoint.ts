import { formatTime } from "../common/clock.ts";
import { sha256Hex } from "../common/hash.ts";
import { clusterRef, hasEnded, isHealthy } from "../flink/cluster-seen.ts";
import type { SavepointSpec } from "../model/manifest.ts";
import type { Reason } from "../model/reasons.ts";
import { siblingKey, type ResourceKey } from "../model/resource.ts";
import type { SavepointOperation, SavepointRecord } from "../model/status.ts";
import { whyDisposalsWait } from "./decide-disposals.ts";
import type { SavepointDecision, SavepointWork } from "./decision.ts";
import type { Desired, DesiredJob, DesiredSavepoint } from "./desired.ts";
import { isOutrun, type FinalRequest } from "./final-savepoints.ts";
import { findJob, type Observed } from "./observed.ts";
import { mayNeed } from "./restore-point-users.ts";
import { epochOf, isBeingHandedOver } from "./submissions.ts";

export interface SavepointContext {
  readonly desired: Desired;
  readonly observed: Observed;
  /** What its Job is asked for, when it is a Final one that is not Ready. */
  readonly request: FinalRequest | undefined;
  readonly deletionsHeld: string | undefined;
  /** Jobs that something begins for in this very pass. */
  readonly stepping: ReadonlySet<ResourceKey>;
  readonly now: number;
}

/** The next step for one Savepoint. It is immutable; once Ready it stays so until its manifest goes. */
export function decideSavepoint(savepoint: DesiredSavepoint, context: SavepointContext): SavepointDecision {
  const { record, declared } = savepoint;
  if (savepoint.recordProblem !== undefined)
    return leave(savepoint, `its record cannot be understood: ${savepoint.recordProblem}`);
  if (record?.status.operation !== undefined) return continueOperation(savepoint, record, record.status.operation, context);
  if (declared.kind === "absent") return decideGone(savepoint, record, context);
  if (record?.status.uri !== undefined && !isOutrun(savepoint, context.desired)) return leave(savepoint, "it is Ready");
  if (declared.kind === "broken") return leave(savepoint, "its manifest has problems, so nothing is done with it");
  const { spec } = declared.manifest;
  if (spec.type === "External")
    return {
      ...head(savepoint),
      kind: "ready",
      uri: spec.uri,
      takenOf: undefined,
      because: "it names one that exists already",
    };
  return spec.type === "Final" ? decideFinal(savepoint, spec, context) : decideOnDemand(savepoint, spec, context);
}

/** Its Job is stopped by the Job's own step; here it becomes Ready with what that left. */
function decideFinal(
  savepoint: DesiredSavepoint,
  spec: SavepointSpec & { type: "Final" },
  context: SavepointContext,
): SavepointDecision {
  const job = jobOf(savepoint, spec.job, context);
  const left = job === undefined ? undefined : leftBy(job, savepoint);
  if (job?.record !== undefined && left !== undefined) {
    const { flinkJobId, cluster } = job.record.status;
    const takenOf = flinkJobId === undefined || cluster === undefined ? undefined : { flinkJobId, cluster };
    return { ...head(savepoint), kind: "ready", takenOf, ...left };
  }
  const renews = savepoint.record?.status.uri === undefined ? {} : { renews: true as const };
  const since = savepoint.record?.status.uri === undefined ? "" : "; it was Ready before, and the Job has run on since";
  const waits = (reason: Reason, because: string) => ({ ...wait(savepoint, reason, `${because}${since}`), ...renews });
  if (job?.record?.status.flinkJobId === undefined)
    return waits("JobNotRunning", `waits for Job ${spec.job}, which has not run yet`);
  const { deleted, flinkJobState, suspended } = job.record.status;
  if (deleted !== undefined && job.declared.kind === "absent")
    return waits("JobNotRunning", `waits for Job ${spec.job}, which is deleted and had no state to keep`);
  if (flinkJobState === "Finished" && suspended !== true && job.record.status.finalized === undefined)
    return waits("JobNotRunning", `waits for Job ${spec.job}, which has finished and left nothing to go on from`);
  if (context.request?.held !== undefined)
    return waits("WaitersNotReady", `Job ${spec.job} is not stopped yet: ${context.request.held}`);
  const { operation } = job.record.status;
  if (operation?.kind === "stop" && operation.purpose === "final") {
    const because = `Job ${spec.job} is being stopped with it`;
    return { ...head(savepoint), kind: "await", block: undefined, because, ...renews };
  }
  return waits("JobNotStopped", `waits until Job ${spec.job} can be stopped with a savepoint`);
}

/** What a Final Savepoint holds as soon as its Job is down for it, or was for another one, or was deleted. */
function leftBy({ declared, record }: DesiredJob, { id }: DesiredSavepoint) {
  if (record === undefined || record.status.operation?.kind === "start") return undefined; // it is about to run on
  const { finalized = record.status.deleted?.finalized, deleted } = record.status;
  if (finalized !== undefined && (finalized.savepoint === id.name || !finalized.drained)) {
    const { uri, takenAt, savepoint } = finalized;
    const because = savepoint === id.name ? "was stopped with it" : `was stopped with the Final Savepoint ${savepoint}`;
    return { uri, takenAt, because: `Job ${record.id.name} ${because}` };
  }
  if (deleted?.restorePoint === undefined || declared.kind !== "absent") return undefined;
  const because = `Job ${record.id.name} was deleted, and this is its last restore point`;
  return { uri: deleted.restorePoint.uri, because };
}

/** The job goes on. */
function decideOnDemand(
  savepoint: DesiredSavepoint,
  spec: SavepointSpec & { type: "OnDemand" },
  context: SavepointContext,
): SavepointDecision {
  const status = jobOf(savepoint, spec.job, context)?.record?.status;
  if (status?.flinkJobId === undefined || status.cluster === undefined)
    return wait(savepoint, "JobNotRunning", `waits for Job ${spec.job}, which does not run`);
  const seen = findJob(context.observed.clusters, savepoint.id.zone, status.cluster, status.flinkJobId);
  if (seen.kind === "unseen") return wait(savepoint, "ClusterUnreachable", seen.because);
  if (seen.kind === "absent" || hasEnded(seen.job) || status.operation !== undefined)
    return wait(savepoint, "JobNotRunning", `waits for Job ${spec.job}, which does not run`);
  if (context.stepping.has(siblingKey(savepoint.id, "Job", spec.job)))
    return wait(savepoint, "JobNotRunning", `waits until the step that begins for Job ${spec.job} is done`);
  if (!isHealthy(seen.job)) return wait(savepoint, "JobNotRunning", `waits until all tasks of Job ${spec.job} are running`);
  const dir = seen.cluster.savepointsDir ?? seen.cluster.checkpointsDir;
  if (dir === undefined)
    return wait(
      savepoint,
      "NoSavepointDirectory",
      `set state.savepoints.dir on ${seen.cluster.name}, or savepointsDir in the configuration`,
    );
  const triggerId = sha256Hex(`${savepoint.key} ${status.flinkJobId} ${context.now}`).slice(0, 32);
  const operation: SavepointOperation = {
    kind: "take",
    triggerId,
    cluster: clusterRef(seen.cluster),
    flinkJobId: status.flinkJobId,
    uri: `${dir.replace(/\/+$/, "")}/${status.flinkJobId}/${triggerId}`,
    announcedAt: formatTime(context.now),
  };
  return {
    ...head(savepoint),
    kind: "announce",
    work: { kind: "savepoint", operation },
    because: `Job ${spec.job} runs, so its savepoint is taken`,
  };
}

function continueOperation(
  savepoint: DesiredSavepoint,
  record: SavepointRecord,
  operation: SavepointOperation,
  context: SavepointContext,
): SavepointDecision {
  const known = context.observed.steps.get(operation.triggerId);
  const step = known?.announcedAt === epochOf(operation) ? known : undefined;
  if (step?.kind === "under-way")
    return {
      ...head(savepoint),
      kind: "await",
      block: undefined,
      because: operation.kind === "take" ? "it is being taken" : "it is being disposed of",
    };
  if (step?.kind === "taken") {
    const { flinkJobId, cluster } = operation;
    return {
      ...head(savepoint),
      kind: "ready",
      uri: step.uri,
      takenAt: operation.announcedAt,
      takenOf: { flinkJobId, cluster },
      because: "it was taken, and its Job goes on",
    };
  }
  if (step?.kind === "disposed")
    return { ...head(savepoint), kind: "forget", because: "its manifest is gone and it was disposed of" };
  const block = { condition: "Available", reason: operation.kind === "take" ? "SavepointFailed" : "DisposalFailed" } as const;
  if (step?.kind === "not-done" && context.now < step.retryAtMs)
    return { ...head(savepoint), kind: "await", block, because: `tried again: ${step.because}` };
  if (step?.kind === "not-done" && isBeingHandedOver(operation, context.now))
    return { ...head(savepoint), kind: "await", block, because: step.because };
  if (step?.kind === "not-done" && operation.kind === "take")
    return { ...head(savepoint), kind: "abandon", block, because: step.because };
  if (step?.kind === "unknown" && context.now < step.retryAtMs)
    return { ...head(savepoint), kind: "await", block, because: `what became of it is not known yet: ${step.because}` };
  const seen = findJob(context.observed.clusters, savepoint.id.zone, operation.cluster, operation.flinkJobId);
  if (seen.kind === "unseen")
    return {
      ...head(savepoint),
      kind: "await",
      block: { condition: "Available", reason: "ClusterUnreachable" },
      because: seen.because,
    };
  if (operation.kind === "take" && seen.kind === "absent")
    return { ...head(savepoint), kind: "abandon", block, because: "its Job went away before it was taken" };
  const stillNeeded = operation.kind === "dispose" ? whyKept(savepoint, operation.uri, context) : undefined;
  if (stillNeeded !== undefined)
    return {
      ...head(savepoint),
      kind: "await",
      block: { condition: "Available", reason: "DisposalWaits" },
      because: `its disposal was announced and is not gone on with: ${stillNeeded}`,
    };
  const work: SavepointWork = { kind: "savepoint", operation };
  return { ...head(savepoint), kind: "resume", work, because: `attempt of ${record.id.name} was announced and is gone on with` };
}

/** `Retain` forgets it and leaves the files; `Delete` has Flink remove them, when nobody needs them any more. */
function decideGone(
  savepoint: DesiredSavepoint,
  record: SavepointRecord | undefined,
  context: SavepointContext,
): SavepointDecision {
  if (context.deletionsHeld !== undefined) return leave(savepoint, context.deletionsHeld);
  const uri = record?.status.uri;
  if (record?.spec.deletionPolicy !== "Delete" || uri === undefined)
    return { ...head(savepoint), kind: "forget", because: "its manifest is gone; its files stay where they are" };
  const { jobs } = context.desired;
  const namedBy = jobs.find((job) => namesIt(job.declared, savepoint));
  const kept = whyKept(savepoint, uri, context) ?? (namedBy === undefined ? undefined : neededBy(namedBy));
  if (kept !== undefined) return leave(savepoint, `its manifest is gone; ${kept}`);
  const cluster = record.status.cluster ?? jobs.find((job) => job.id.zone === savepoint.id.zone)?.record?.status.cluster;
  if (cluster === undefined)
    return {
      ...head(savepoint),
      kind: "forget",
      because: "its manifest is gone, and no cluster is known that could dispose of it; its files stay where they are",
    };
  const operation: SavepointOperation = {
    kind: "dispose",
    triggerId: sha256Hex(`${savepoint.key} dispose ${uri}`).slice(0, 32),
    cluster,
    flinkJobId: record.status.flinkJobId ?? "",
    uri,
    announcedAt: formatTime(context.now),
  };
  return {
    ...head(savepoint),
    kind: "announce",
    work: { kind: "savepoint", operation },
    because: "its manifest is gone and its deletionPolicy is Delete",
  };
}

/**
 * Why its files have to stay for now, asked before a disposal is announced and again before it is gone on with. A Job that only names the
 * Savepoint does not count the second time: it waits for the next one of that name, which cannot come before this one is gone.
 */
function whyKept(
  savepoint: DesiredSavepoint,
  uri: string,
  { desired, observed, deletionsHeld }: SavepointContext,
): string | undefined {
  const waits = whyDisposalsWait(desired, deletionsHeld);
  if (waits !== undefined) return `it is not disposed of yet: ${waits}`;
  const user = desired.jobs.find((job) => mayNeed(job, uri, observed));
  if (user !== undefined) return neededBy(user);
  const twin = desired.savepoints.find((other) => other.key !== savepoint.key && holds(other, uri));
  if (twin === undefined) return undefined;
  return `it is disposed of when Savepoint ${twin.id.name}, which names the same files, is gone too`;
}

function neededBy({ id }: DesiredJob): string {
  return `it is disposed of when Job ${id.name} needs it no more`;
}

function namesIt(declared: Desired["jobs"][number]["declared"], savepoint: DesiredSavepoint): boolean {
  if (declared.kind !== "declared") return false;
  const { manifest } = declared;
  return (
    manifest.spec.initialState !== undefined &&
    siblingKey(manifest.id, "Savepoint", manifest.spec.initialState.savepoint) === savepoint.key
  );
}

/** An External one may name what another one took. */
function holds({ declared, record }: DesiredSavepoint, uri: string): boolean {
  if (declared.kind === "absent") return false;
  if (declared.kind === "declared" && declared.manifest.spec.type === "External" && declared.manifest.spec.uri === uri)
    return true;
  return record?.status.uri === uri;
}

function jobOf(savepoint: DesiredSavepoint, name: string, { desired }: SavepointContext) {
  const key = siblingKey(savepoint.id, "Job", name);
  return desired.jobs.find((job) => job.key === key);
}

function head(savepoint: DesiredSavepoint): { readonly key: DesiredSavepoint["key"]; readonly id: DesiredSavepoint["id"] } {
  return { key: savepoint.key, id: savepoint.id };
}

function leave(savepoint: DesiredSavepoint, because: string): SavepointDecision {
  return { ...head(savepoint), kind: "leave", because };
}

function wait(savepoint: DesiredSavepoint, reason: Reason, because: string): SavepointDecision {
  return { ...head(savepoint), kind: "wait", block: { condition: "Available", reason }, because };
}
