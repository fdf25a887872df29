import { countOf } from "../common/text.ts";
import { attemptOf } from "../model/flink-job-id.ts";
import { siblingKey, type ResourceKey } from "../model/resource.ts";
import type { Finalized } from "../model/status.ts";
import { artifactForJob, type ArtifactsInView } from "./artifact-for-job.ts";
import type { Desired, DesiredJob, DesiredSavepoint } from "./desired.ts";
import { isPausedByHand, overQuota, type Quota } from "./job-context.ts";
import type { Observed } from "./observed.ts";
import { place, takeSlots, type SlotLedger } from "./place.ts";
import { withSecrets } from "./secrets-for-job.ts";

/** A Final Savepoint that is declared for a Job and not Ready yet. */
export interface FinalRequest {
  readonly name: string;
  readonly drain: boolean;
  /** Why the Job is not stopped for it yet; undefined when all that wait for it could start. */
  readonly held: string | undefined;
}

export interface FinalsInput {
  readonly desired: Desired;
  readonly observed: Observed;
  readonly view: ArtifactsInView;
  readonly slots: SlotLedger;
  /** What the project of a Job may still take, where some Jobs are to have other rpus than they have. */
  readonly quotaOf: (job: DesiredJob, instead: ReadonlyMap<ResourceKey, number>) => Quota | undefined;
  /** A document whose identity cannot be read. */
  readonly unreadable: string | undefined;
}

/** What a Job that waits for a Savepoint gets: its state, or the reason why it waits on. */
export type InitialState =
  | { readonly kind: "none" }
  | {
      readonly kind: "ready";
      readonly uri: string;
      /** The state in it is not older than this, as far as that is known. */
      readonly takenAt?: string | undefined;
      /** When it was first seen to be there. */
      readonly readyAt?: string | undefined;
    }
  | { readonly kind: "waits"; readonly because: string }
  /** No such Savepoint is declared. */
  | { readonly kind: "undeclared"; readonly because: string };

/** The Jobs that a declared Final Savepoint names. */
export function findRetired({ savepoints }: Pick<Desired, "savepoints">): ReadonlySet<ResourceKey> {
  return new Set(
    savepoints.flatMap(({ id, declared }) => {
      const spec = declared.kind === "declared" ? declared.manifest.spec : undefined;
      return spec?.type === "Final" ? [siblingKey(id, "Job", spec.job)] : [];
    }),
  );
}

/** For every Job that a declared Final Savepoint names: what is asked of it. Nothing healthy is stopped on a hope. Pure. */
export function findFinalRequests(input: FinalsInput): ReadonlyMap<ResourceKey, FinalRequest> {
  const requests = new Map<ResourceKey, FinalRequest>();
  for (const savepoint of input.desired.savepoints) {
    if (savepoint.declared.kind !== "declared") continue;
    if (savepoint.record?.status.uri !== undefined && !isOutrun(savepoint, input.desired)) continue;
    const { spec } = savepoint.declared.manifest;
    if (spec.type !== "Final") continue;
    const held = whyHeld(savepoint, siblingKey(savepoint.id, "Job", spec.job), input);
    requests.set(siblingKey(savepoint.id, "Job", spec.job), {
      name: savepoint.id.name,
      drain: spec.shutdownMethod === "Drain",
      held,
    });
  }
  return requests;
}

/** The Savepoint that a new Job is to start from. */
export function initialStateOf(job: DesiredJob, desired: Desired): InitialState {
  if (job.declared.kind !== "declared") return { kind: "none" };
  const { initialState } = job.declared.manifest.spec;
  if (initialState === undefined) return { kind: "none" };
  const key = siblingKey(job.id, "Savepoint", initialState.savepoint);
  const savepoint = desired.savepoints.find((candidate) => candidate.key === key);
  const because = `waits for Savepoint ${initialState.savepoint}`;
  const status = savepoint?.record?.status;
  if (savepoint !== undefined && status?.phase === "Ready" && status.uri !== undefined) {
    if (isOutrun(savepoint, desired))
      return { kind: "waits", because: `${because}, which is taken anew, since its Job has run on` };
    const readyAt = status.history.findLast(({ to }) => to === "Ready")?.when;
    return { kind: "ready", uri: status.uri, takenAt: status.takenAt, readyAt };
  }
  if (savepoint !== undefined && savepoint.declared.kind !== "absent") return { kind: "waits", because };
  return { kind: "undeclared", because: `${because}: no such Savepoint is declared in this zone and project` };
}

/**
 * A Final Savepoint that is declared and Ready from before, while its Job was brought back and has run a later attempt since, or is about
 * to: it is as new, or whoever starts from it would lose what the Job did meanwhile.
 */
export function isOutrun({ id, declared, record }: DesiredSavepoint, { jobs }: Pick<Desired, "jobs">): boolean {
  const takenOf = record?.status.flinkJobId;
  if (declared.kind !== "declared" || record?.spec.type !== "Final" || takenOf === undefined) return false;
  const key = siblingKey(id, "Job", record.spec.job);
  const status = jobs.find((job) => job.key === key)?.record?.status;
  if (status === undefined) return false;
  const { operation } = status;
  const latest = operation?.kind === "start" ? operation.flinkJobId : status.flinkJobId;
  return latest !== undefined && attemptOf(latest) > attemptOf(takenOf);
}

function whyHeld(savepoint: DesiredSavepoint, jobKey: ResourceKey, input: FinalsInput): string | undefined {
  if (input.unreadable !== undefined) return input.unreadable;
  const { zone, project } = savepoint.id;
  const isNear = ({ id }: { readonly id: DesiredJob["id"] }): boolean => id.zone === zone && id.project === project;
  const { jobs, artifacts, savepoints } = input.desired;
  const broken = [...jobs, ...artifacts, ...savepoints].find((near) => isNear(near) && near.declared.kind === "broken");
  if (broken !== undefined)
    return `the manifest of ${broken.id.kind} ${broken.id.name} has problems, and it may be one that this is about`;
  const lost = jobs.find((job) => isNear(job) && isToStart(job) && namesUndeclared(job, savepoints));
  if (lost !== undefined) return `Job ${lost.id.name} names a Savepoint that is not declared, and it may mean this one`;
  return whyWaitersCannotStart(savepoint, jobKey, input);
}

/** It runs nothing yet, or only what is being deleted: the state that it names is still to come. */
function isToStart({ declared, record }: DesiredJob): boolean {
  return declared.kind === "declared" && (record?.status.flinkJobId === undefined || record.status.phase === "Deleting");
}

function namesUndeclared(job: DesiredJob, savepoints: readonly DesiredSavepoint[]): boolean {
  const name = nameOfInitialState(job);
  if (name === undefined) return false;
  const key = siblingKey(job.id, "Savepoint", name);
  return !savepoints.some((candidate) => candidate.key === key && candidate.declared.kind === "declared");
}

/** All that wait for it have to fit at once, with the slots that its own Job gives back. */
function whyWaitersCannotStart(
  savepoint: DesiredSavepoint,
  jobKey: ResourceKey,
  { desired, observed, view, slots, quotaOf }: FinalsInput,
): string | undefined {
  const own = desired.jobs.find(({ key }) => key === jobKey)?.record;
  let ledger = slots;
  if (own?.status.cluster !== undefined && own.status.requestedRpus !== undefined) {
    ledger = takeSlots(ledger, { zone: own.id.zone, name: own.status.cluster.name }, -own.status.requestedRpus);
  }
  const rpus = new Map<ResourceKey, number>([[jobKey, 0]]);
  for (const job of desired.jobs) {
    if (job.declared.kind !== "declared" || !isToStart(job)) continue;
    if (
      nameOfInitialState(job) !== savepoint.id.name ||
      job.id.zone !== savepoint.id.zone ||
      job.id.project !== savepoint.id.project
    )
      continue;
    const { spec } = job.declared.manifest;
    if (spec.rpus === 0) return `Job ${job.id.name} waits for it and has 0 rpus`;
    if (isPausedByHand(job)) return `Job ${job.id.name} waits for it and is paused`;
    const tooMany = overQuota({ quota: quotaOf(job, rpus) }, job, spec.rpus);
    if (tooMany !== undefined) return `Job ${job.id.name} could not start from it: ${tooMany}`;
    rpus.set(job.key, spec.rpus);
    const jar = artifactForJob(spec, siblingKey(job.id, "Artifact", spec.artifact), view);
    const artifact = withSecrets(jar, { project: job.id.project, spec }, observed.secrets);
    if (artifact.kind === "not-ready") return `Job ${job.id.name} could not start from it: ${artifact.because}`;
    const wish = { zone: job.id.zone, flinkVersion: spec.flinkVersion, slots: spec.rpus, javaVersion: artifact.javaVersion };
    const placement = place(wish, observed.clusters, ledger);
    if (placement.kind === "not-placed") return `Job ${job.id.name} could not start from it: ${placement.because}`;
    ledger = placement.left;
  }
  return undefined;
}

/** Whether a Job that a Final Savepoint stopped may come back: the upgrade was reverted. Undefined: yes; else what stands against it. */
export function whyNotBack(job: DesiredJob, finalized: Finalized, desired: Desired): string | undefined {
  if (finalized.drained) return `the Final Savepoint ${finalized.savepoint} drained it, and what it left is not for resuming`;
  const final = desired.savepoints.find((candidate) => isFinalOf(candidate, job, finalized));
  if (final !== undefined) return `the Final Savepoint ${final.id.name} stopped it`;
  const followers = desired.jobs.filter((other) => other.key !== job.key && isFollower(other, job, finalized));
  if (followers.length > 0)
    return `${countOf(followers.length, "Job")} went on from its Final Savepoint and ${followers.length === 1 ? "is" : "are"} not gone: ${followers.map(({ id }) => id.name).join(", ")}`;
  return undefined;
}

/** The Savepoint that stopped it, or another Final one for it: it would only be stopped again. */
function isFinalOf({ key, id, declared }: DesiredSavepoint, job: DesiredJob, { savepoint }: Finalized): boolean {
  if (declared.kind === "absent") return false;
  if (key === siblingKey(job.id, "Savepoint", savepoint)) return true;
  const spec = declared.kind === "declared" ? declared.manifest.spec : undefined;
  return spec?.type === "Final" && siblingKey(id, "Job", spec.job) === job.key;
}

function isFollower(other: DesiredJob, job: DesiredJob, finalized: Finalized): boolean {
  if (other.id.zone !== job.id.zone || other.id.project !== job.id.project) return false;
  if (other.declared.kind === "declared" && nameOfInitialState(other) === finalized.savepoint) return true;
  const { record } = other;
  if (record === undefined || record.status.deleted !== undefined) return false;
  const { flinkJobId, operation, initialState } = record.status;
  if (flinkJobId === undefined && operation === undefined) return false;
  return initialState === finalized.uri || record.spec.initialState?.savepoint === finalized.savepoint;
}

function nameOfInitialState(job: DesiredJob): string | undefined {
  return job.declared.kind === "declared" ? job.declared.manifest.spec.initialState?.savepoint : undefined;
}
