import type { ArtifactsConfig, Config, RepositoryConfig } from "../config/config.ts";
import { hasEnded, isHealthy, type ClusterSeen, type ReachableCluster } from "../flink/cluster-seen.ts";
import { compareClusterVersions, majorMinorOf } from "../flink/cluster-version.ts";
import { compareText } from "../common/problem.ts";
import { countOf } from "../common/text.ts";
import { siblingKey, type ResourceKey } from "../model/resource.ts";
import type { JobRecord, JobStatus, StartOperation, StopOperation } from "../model/status.ts";
import { announcedArtifact, artifactForJob, entryClassesFor, type ArtifactsInView } from "./artifact-for-job.ts";
import { decideArtifact } from "./decide-artifact.ts";
import { decideDisposals } from "./decide-disposals.ts";
import { decideJob } from "./decide-job.ts";
import { decideSavepoint } from "./decide-savepoint.ts";
import type { Decisions, JobDecision, JobWork } from "./decision.ts";
import { hasNoPast, type Desired, type DesiredArtifact, type DesiredJob, type DesiredSavepoint } from "./desired.ts";
import { hasLeftTraces, pastOf } from "./establish.ts";
import { findFinalRequests, initialStateOf, whyNotBack, type FinalRequest } from "./final-savepoints.ts";
import type { Guarded } from "./guard.ts";
import { takesNothing } from "./is-down.ts";
import { lineagePrefix, type JobContext, type Quota } from "./job-context.ts";
import { findJob, type JobSeen, type Observed } from "./observed.ts";
import { ownOperation } from "./own-operation.ts";
import { clusterKey, takeSlots, type SlotLedger } from "./place.ts";
import { epochOf, submissionOf } from "./submissions.ts";
import { findPlacesDisposedOf } from "./restore-point-users.ts";
import type { SecretsSeen } from "./read-secrets.ts";
import { withTrustedState } from "./trusted-state.ts";
import { withSecrets, type ProgramForJob } from "./secrets-for-job.ts";

export interface DecideInput {
  readonly config: Pick<Config, "instance" | "zones" | "policy"> & {
    readonly artifacts: Pick<ArtifactsConfig, "maxBytes">;
    readonly repository: Pick<RepositoryConfig, "maxBlobBytes" | "verify">;
  };
  readonly commit: string;
  readonly desired: Desired;
  readonly observed: Observed;
  /** The clusters as the pass before saw them. */
  readonly lastSeen: readonly ClusterSeen[];
  readonly statusLost: StatusLost;
  readonly guarded: Guarded;
  /** Jobs whose directories were listed to see what nothing needs any more; see `chooseTidying`. */
  readonly tidying?: ReadonlySet<ResourceKey>;
  readonly deletionsHeld: string | undefined;
  readonly now: number;
}

/** Why a Job may have run before although no record says so; see `establish.ts`. Undefined: it has not. */
export interface StatusLost {
  /** Jobs without a record: the branch is not there now. */
  readonly unrecorded: string | undefined;
  /** Jobs whose record says that they stood there when the branch was lost, and those that no record speaks of and that left something behind. */
  readonly marked: string | undefined;
  /** Jobs that stood nowhere then, and may have: they were broken, or their manifest was put back since. It is looked for what they left. */
  readonly unproven: string | undefined;
}

/** One decision for every resource that is declared or recorded. Pure: the same input gives the same decisions, in the same order. */
export function decide(input: DecideInput): Decisions {
  const { desired, observed } = input;
  const view: ArtifactsInView = {
    desired: new Map(desired.artifacts.map((artifact) => [artifact.key, artifact])),
    seen: observed.artifacts,
  };
  const claims = claimsOf(desired.jobs, observed, input.now);
  let slots = withoutClaims(
    slotsSeen(observed),
    [...claims.values()].filter(({ isDown }) => !isDown),
  );
  const finals = findFinalRequests({
    desired,
    observed,
    view,
    slots: freeSlots(desired.jobs, observed, input.now),
    quotaOf: (job, instead) => quotaOf(job, instead, input),
    unreadable: input.deletionsHeld,
  });
  const decisionOf = new Map<ResourceKey, JobDecision>();
  const migrating = new Set(desired.jobs.filter(isMigrating).map((job) => job.id.zone));
  const announcedRpus = new Map<ResourceKey, number>();
  for (const job of desired.jobs.toSorted(byAge)) {
    const claim = claims.get(job.key);
    const others = slotsFor(claim, slots, claims);
    const quota = quotaOf(job, announcedRpus, input, finals);
    const context = { ...jobContext(job, view, others, finals, input), quota, mayMigrate: !migrating.has(job.id.zone) };
    const decided = decideJob(job, context);
    const isTrusted = input.config.repository.verify === undefined;
    const decision = isTrusted ? decided : withTrustedState(job, decided, desired, observed);
    if (decision.kind === "announce") {
      if (decision.work.kind === "stop" && decision.work.operation.purpose === "migrate") migrating.add(job.id.zone);
      announcedRpus.set(job.key, rpusWanted(decision.work));
    }
    if (decision.kind === "announce") {
      const { zone } = job.id;
      slots = takeSlots(
        withOwn(claim, slots),
        { zone, name: decision.work.operation.cluster.name },
        slotsTaken(decision.work, job.record?.status),
      );
      claims.delete(job.key);
    }
    decisionOf.set(job.key, decision);
  }
  const jobs = desired.jobs.map(({ key }) => decisionOf.get(key)!); // each one was decided in the loop
  const needed = artifactsNeeded(desired, observed);
  const inUse = new Set(
    desired.jobs.flatMap((job) =>
      job.record === undefined || job.record.status.deleted !== undefined ? [] : [artifactKeyOf(job)],
    ),
  );
  const artifacts = desired.artifacts.map((artifact) =>
    decideArtifact(artifact, artifactContext(artifact, needed, inUse, input)),
  );
  const stepping = new Set(jobs.filter(({ kind }) => kind === "announce").map(({ key }) => key));
  const savepoints = desired.savepoints.map((savepoint) =>
    decideSavepoint(savepoint, {
      desired,
      observed,
      request: requestOf(savepoint, finals),
      deletionsHeld: input.deletionsHeld,
      stepping,
      now: input.now,
    }),
  );
  const { instance, policy } = input.config;
  const tidying = input.tidying ?? new Set();
  const disposals = decideDisposals({ instance, policy, desired, observed, jobs, tidying, now: input.now });
  return { jobs, disposals, artifacts, savepoints, slots: withoutClaims(slots, downOf(claims)) };
}

/**
 * The slots that a new start may take: what Flink says is free, less what our own jobs have a claim on without holding it. Those are
 * starts that are announced and not yet seen, and jobs that are between two attempts of Flink's own restart.
 */
export function freeSlots(jobs: readonly DesiredJob[], observed: Observed, now: number): SlotLedger {
  return withoutClaims(slotsSeen(observed), [...claimsOf(jobs, observed, now).values()]);
}

function slotsSeen(observed: Observed): SlotLedger {
  const reachable = observed.clusters.filter((cluster) => cluster.kind === "reachable");
  return new Map(reachable.map((cluster) => [clusterKey(cluster), cluster.slots.free]));
}

/**
 * What one Job may take. A start that takes the place of an announced one may have its slots: a job must not be in its own way. Jobs that
 * are down take what there is in their order, and keep only the others off: if each kept its place free from all of them, a cluster that
 * came back smaller would get none of them back.
 */
function slotsFor(own: Claim | undefined, slots: SlotLedger, claims: ReadonlyMap<ResourceKey, Claim>): SlotLedger {
  return own?.isDown === true ? slots : withoutClaims(withOwn(own, slots), downOf(claims));
}

function withOwn(own: Claim | undefined, slots: SlotLedger): SlotLedger {
  return own === undefined || own.isDown ? slots : takeSlots(slots, own.cluster, -own.slots);
}

function downOf(claims: ReadonlyMap<ResourceKey, Claim>): readonly Claim[] {
  return [...claims.values()].filter(({ isDown }) => isDown);
}

function withoutClaims(slots: SlotLedger, claims: readonly Claim[]): SlotLedger {
  let ledger = slots;
  for (const claim of claims) ledger = takeSlots(ledger, claim.cluster, claim.slots);
  return ledger;
}

interface Claim {
  readonly cluster: ReachableCluster;
  readonly slots: number;
  /** It is for a job that is to be brought back; any other one may be taken by Flink at any moment. */
  readonly isDown: boolean;
}

function claimsOf(jobs: readonly DesiredJob[], observed: Observed, now: number): Map<ResourceKey, Claim> {
  const claims = new Map<ResourceKey, Claim>();
  for (const job of jobs) {
    const claim = claimOf(job, observed, now);
    if (claim !== undefined) claims.set(job.key, claim);
  }
  return claims;
}

function claimOf(job: DesiredJob, observed: Observed, now: number): Claim | undefined {
  const status = job.record?.status;
  if (status === undefined || takesNothing(status)) return undefined;
  const operation = ownOperation(status);
  if (operation === undefined) return claimOfRunning(job, status, observed);
  const { zone } = job.id;
  const requested = status.requestedRpus ?? 0;
  const seen = findJob(observed.clusters, zone, operation.cluster, operation.flinkJobId);
  if (seen.kind === "unseen" || operation.kind === "cancel") return undefined;
  const isLive = seen.kind === "listed" && !hasEnded(seen.job);
  if (operation.kind === "rescale") return firmClaim(seen.cluster, operation.rpus - requested);
  if (operation.kind === "stop") {
    const { next } = operation;
    if (next === undefined) return undefined;
    if (isLive) return firmClaim(seen.cluster, next.rpus - requested);
    return claimOfStart(job, operation, next, observed, now);
  }
  return claimOfStart(job, operation, operation, observed, now);
}

function claimOfStart(
  { id: { zone } }: DesiredJob,
  operation: StartOperation | StopOperation,
  { flinkJobId: id, rpus }: Pick<StartOperation, "flinkJobId" | "rpus">,
  observed: Observed,
  now: number,
): Claim | undefined {
  const seen = findJob(observed.clusters, zone, operation.cluster, id);
  if (seen.kind === "unseen") return undefined;
  if (seen.kind === "listed") return claimOfListed(seen, id, rpus);
  // A start that Flink refused and that is not due again holds nothing back from others.
  const submission = submissionOf(observed.submissions, id, operation);
  if (submission?.kind === "refused" && now < submission.retryAtMs) return undefined;
  return firmClaim(seen.cluster, rpus);
}

/** A job that is to be brought back keeps its claim: no newcomer may take its place meanwhile. */
function claimOfRunning(job: DesiredJob, status: JobStatus, observed: Observed): Claim | undefined {
  const { cluster, flinkJobId, requestedRpus } = status;
  if (cluster === undefined || flinkJobId === undefined || requestedRpus === undefined) return undefined;
  const seen = findJob(observed.clusters, job.id.zone, cluster, flinkJobId);
  if (seen.kind === "unseen") return undefined;
  if (seen.kind === "absent" || seen.job.state === "FAILED" || seen.job.state === "CANCELED")
    return { cluster: seen.cluster, slots: requestedRpus, isDown: true };
  return claimOfListed(seen, flinkJobId, requestedRpus);
}

function claimOfListed(seen: JobSeen & { readonly kind: "listed" }, id: string, rpus: number): Claim | undefined {
  if (hasEnded(seen.job) || isHealthy(seen.job)) return undefined;
  return firmClaim(seen.cluster, rpus - (seen.cluster.slots.heldByJob?.get(id) ?? 0));
}

function firmClaim(cluster: ReachableCluster, slots: number): Claim {
  return { cluster, slots: Math.max(0, slots), isDown: false };
}

/** What a step takes out of the free slots beyond what its Job holds already. */
function slotsTaken(work: JobWork, status: JobStatus | undefined): number {
  const wanted = rpusWanted(work);
  return work.kind === "start" ? wanted : Math.max(0, wanted - (status?.requestedRpus ?? 0));
}

function rpusWanted(work: JobWork): number {
  if (work.kind === "cancel") return 0;
  return work.kind === "stop" ? (work.operation.next?.rpus ?? 0) : work.operation.rpus;
}

/** Who runs before who waits, and who waits longer before who is newer: the newest get what is left of slots and quota. */
function byAge(a: DesiredJob, b: DesiredJob): number {
  return compareText(ageOf(a), ageOf(b));
}

function ageOf({ record }: DesiredJob): string {
  if (record?.status.flinkJobId !== undefined || record?.status.operation !== undefined) return "";
  return record?.status.history[0]?.when ?? "new";
}

function jobContext(
  job: DesiredJob,
  view: ArtifactsInView,
  slots: SlotLedger,
  finals: ReadonlyMap<ResourceKey, FinalRequest>,
  input: DecideInput,
): Omit<JobContext, "quota" | "mayMigrate"> {
  return {
    instance: input.config.instance,
    commit: input.commit,
    observed: input.observed,
    slots,
    artifact: declaredProgram(job, view, input.observed.secrets),
    announcedArtifact: announcedProgram(job, view, input.observed.secrets),
    policy: input.config.policy,
    lastSeen: input.lastSeen,
    deletion: input.guarded.deletions.get(job.key) ?? { kind: "goes" },
    initialState: initialStateOf(job, input.desired),
    final: finals.get(job.key),
    savepointUnderWay: savepointUnderWay(job, input),
    notBack: notBack(job, input.desired),
    disposing: findPlacesDisposedOf(input.desired),
    looksLikeRename: input.guarded.renames.get(job.key),
    ...lossOf(job, input),
    projectRefused: refuseProject(job, input.config),
    now: input.now,
  };
}

/** What stands against the return of a Job that a Final Savepoint stopped, also when it was deleted since. */
function notBack(job: DesiredJob, desired: Desired): string | undefined {
  const finalized = job.record?.status.finalized ?? job.record?.status.deleted?.finalized;
  return finalized === undefined ? undefined : whyNotBack(job, finalized, desired);
}

/** By name. One that failed and is only tried again later is not under way. */
function savepointUnderWay({ record }: DesiredJob, { desired, observed }: DecideInput): string | undefined {
  const flinkJobId = record?.status.flinkJobId;
  const taking = desired.savepoints.find((savepoint) => {
    const operation = savepoint.record?.status.operation;
    if (operation?.kind !== "take" || operation.flinkJobId !== flinkJobId) return false;
    const step = observed.steps.get(operation.triggerId);
    return step?.kind !== "not-done" || step.announcedAt !== epochOf(operation);
  });
  return taking?.id.name;
}

/** Whether the Job may have run before the status branch was lost. */
function lossOf(job: DesiredJob, input: DecideInput): Pick<JobContext, "statusLost" | "past"> {
  const { unrecorded, marked, unproven } = input.statusLost;
  if (job.record === undefined && unrecorded !== undefined) return { statusLost: unrecorded, past: undefined };
  if (job.record !== undefined && isMarkedLost(job.record)) return { statusLost: marked, past: undefined };
  if (!hasNoPast(job)) return { statusLost: undefined, past: undefined };
  const lineage = lineagePrefix(input.config.instance, job.id);
  if (unproven === undefined)
    return {
      statusLost: hasLeftTraces(lineage, job.id.zone, input.observed.clusters) ? marked : undefined,
      past: undefined,
    };
  const past = pastOf(lineage, job.id.zone, input.observed.clusters);
  return { statusLost: past.kind === "possible" ? unproven : undefined, past };
}

function isMigrating({ record }: DesiredJob): boolean {
  const operation = record?.status.operation;
  return operation?.kind === "stop" && operation.purpose === "migrate";
}

/**
 * What goes in this commit counts before what comes: a Job whose manifest is gone takes nothing any more, unless a Final Savepoint keeps it, or it is
 * just being started, so that nobody can tell yet whether it may go.
 */
function quotaOf(
  job: DesiredJob,
  announced: ReadonlyMap<ResourceKey, number>,
  { config, desired, guarded }: DecideInput,
  finals: ReadonlyMap<ResourceKey, FinalRequest> = new Map(),
): Quota | undefined {
  const maxRpus = config.zones.get(job.id.zone)?.projects?.get(job.id.project)?.maxRpus;
  if (maxRpus === undefined) return undefined;
  let usedRpus = 0;
  for (const other of desired.jobs) {
    if (other.key === job.key || other.id.zone !== job.id.zone || other.id.project !== job.id.project) continue;
    const isKept = guarded.deletions.get(other.key)?.kind === "held" || finals.get(other.key)?.held !== undefined;
    const isStarting = other.record?.status.operation?.kind === "start";
    if (other.declared.kind === "absent" && !isKept && !isStarting) continue;
    usedRpus += announced.get(other.key) ?? rpusOf(other.record?.status);
  }
  return { maxRpus, usedRpus };
}

/** What a Job has, or is about to have, of its project's quota. */
export function rpusOf(status: JobStatus | undefined): number {
  if (status === undefined || takesNothing(status)) return 0;
  const { operation } = status;
  const asked = operation?.kind === "stop" ? operation.next?.rpus : operation?.kind === "cancel" ? undefined : operation?.rpus;
  return asked ?? status.requestedRpus ?? 0;
}

function requestOf(savepoint: DesiredSavepoint, finals: ReadonlyMap<ResourceKey, FinalRequest>): FinalRequest | undefined {
  const { declared } = savepoint;
  if (declared.kind !== "declared" || declared.manifest.spec.type !== "Final") return undefined;
  const request = finals.get(siblingKey(savepoint.id, "Job", declared.manifest.spec.job));
  return request?.name === savepoint.id.name ? request : undefined;
}

function declaredProgram(job: DesiredJob, view: ArtifactsInView, secrets: SecretsSeen): ProgramForJob {
  if (job.declared.kind !== "declared")
    return { kind: "not-ready", reason: "ArtifactMissing", because: "the Job's own manifest cannot be read" };
  const { spec } = job.declared.manifest;
  const artifact = artifactForJob(spec, siblingKey(job.id, "Artifact", spec.artifact), view);
  return withSecrets(artifact, { project: job.id.project, spec }, secrets);
}

function announcedProgram(job: DesiredJob, view: ArtifactsInView, secrets: SecretsSeen): ProgramForJob {
  const frozen = job.record?.status.artifact;
  if (frozen === undefined)
    return {
      kind: "not-ready",
      reason: "ArtifactMissing",
      because: "the record does not say which bytes its start was announced with",
    };
  const artifact = announcedArtifact(frozen, siblingKey(job.id, "Artifact", frozen.name), view);
  return withSecrets(artifact, { project: job.id.project, spec: job.record?.spec }, secrets);
}

function isMarkedLost(record: JobRecord): boolean {
  return record.status.conditions.some(({ type, reason }) => type === "Started" && reason === "StatusLost");
}

function refuseProject(job: DesiredJob, config: DecideInput["config"]): string | undefined {
  const projects = config.zones.get(job.id.zone)?.projects;
  if (projects === undefined || projects.has(job.id.project)) return undefined;
  return `zone ${job.id.zone} does not take project ${job.id.project}: the daemon's configuration names ${countOf(projects.size, "project")} for it, ${[...projects.keys()].sort().join(", ")}`;
}

/** Artifacts whose bytes a Job waits for: it is to be started, or its next attempt is. */
function artifactsNeeded(desired: Desired, observed: Observed): ReadonlySet<ResourceKey> {
  return new Set(desired.jobs.filter((job) => needsBytes(job, desired, observed)).map(artifactKeyOf));
}

function needsBytes(job: DesiredJob, desired: Desired, observed: Observed): boolean {
  const status = job.record?.status;
  if (status?.flinkJobId === undefined || status.cluster === undefined || status.operation !== undefined) return true;
  if (job.declared.kind !== "declared") return false;
  // A step that is put off for want of them: a move to another cluster, for one.
  if (status.conditions.some(({ reason, status: holds }) => holds === "False" && reason === "ArtifactNotReady")) return true;
  if (status.deleted !== undefined || job.declared.manifest.spec.rpus !== status.requestedRpus) return true;
  if (status.finalized !== undefined) return whyNotBack(job, status.finalized, desired) === undefined;
  if (status.flinkJobState === "Finished") return false;
  const seen = findJob(observed.clusters, job.id.zone, status.cluster, status.flinkJobId);
  if (seen.kind === "listed" && !hasEnded(seen.job)) return mayMove(seen.cluster, observed);
  return seen.kind !== "unseen";
}

/** A draining cluster, or one of a newer version beside it, may mean another start. */
function mayMove(here: ReachableCluster, { clusters }: Observed): boolean {
  if (here.draining) return true;
  return clusters.some(
    (cluster) =>
      cluster.kind === "reachable" &&
      cluster.zone === here.zone &&
      majorMinorOf(cluster.flinkVersion) === majorMinorOf(here.flinkVersion) &&
      compareClusterVersions(cluster.flinkVersion, here.flinkVersion) > 0,
  );
}

function artifactKeyOf(job: DesiredJob): ResourceKey {
  const name =
    job.record?.status.artifact?.name ??
    (job.declared.kind === "declared" ? job.declared.manifest.spec.artifact : job.record?.spec.artifact);
  return siblingKey(job.id, "Artifact", name ?? "");
}

function artifactContext(
  artifact: DesiredArtifact,
  needed: ReadonlySet<ResourceKey>,
  inUse: ReadonlySet<ResourceKey>,
  input: DecideInput,
) {
  return {
    seen: input.observed.artifacts.get(artifact.key),
    needed: needed.has(artifact.key),
    inUse: inUse.has(artifact.key),
    entryClasses: entryClassesFor(artifact, input.desired.jobs),
    maxBytes: input.config.artifacts.maxBytes,
    maxBlobBytes: input.config.repository.maxBlobBytes,
    deletionsHeld: input.deletionsHeld,
    now: input.now,
  };
}
