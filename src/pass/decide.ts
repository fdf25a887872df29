import type { ArtifactsConfig, Config } from "../config/config.ts";
import { hasEnded, isHealthy, type ReachableCluster } from "../flink/cluster-seen.ts";
import { countOf } from "../common/text.ts";
import { siblingKey, type ResourceKey } from "../model/resource.ts";
import type { JobRecord } from "../model/status.ts";
import { announcedArtifact, artifactForJob, type ArtifactForJob, type ArtifactsInView } from "./artifact-for-job.ts";
import { decideArtifact } from "./decide-artifact.ts";
import { decideJob, type JobContext } from "./decide-job.ts";
import { decideSavepoint } from "./decide-savepoint.ts";
import type { Decisions, JobDecision } from "./decision.ts";
import type { Desired, DesiredArtifact, DesiredJob } from "./desired.ts";
import { findJob, type Observed } from "./observed.ts";
import { clusterKey, takeSlots, type SlotLedger } from "./place.ts";

export interface DecideInput {
  readonly config: Pick<Config, "instance" | "zones" | "policy"> & {
    readonly artifacts: Pick<ArtifactsConfig, "maxBytes">;
    readonly repository: { readonly maxBlobBytes: number };
  };
  readonly commit: string;
  readonly desired: Desired;
  readonly observed: Observed;
  readonly statusLost: StatusLost;
  readonly deletionsHeld: string | undefined;
  readonly now: number;
}

/** Why a Job may have run before although no record says so; see `establish.ts`. Undefined: it has not. */
export interface StatusLost {
  /** Jobs without a record: the branch is not there now. */
  readonly unrecorded: string | undefined;
  /** Jobs whose record says that they stood there when the branch was lost. A Job that came later cannot have run before. */
  readonly marked: string | undefined;
}

/** One decision for every resource that is declared or recorded. Pure: the same input gives the same decisions, in the same order. */
export function decide(input: DecideInput): Decisions {
  const { desired, observed } = input;
  const view: ArtifactsInView = {
    desired: new Map(desired.artifacts.map((artifact) => [artifact.key, artifact])),
    seen: observed.artifacts,
  };
  let slots = freeSlots(desired.jobs, observed, input.now);
  const jobs: JobDecision[] = [];
  for (const job of desired.jobs) {
    const others = withoutClaimOf(job, slots, input);
    const decision = decideJob(job, jobContext(job, view, others, input));
    if (decision.kind === "start")
      slots = takeSlots(others, { zone: job.id.zone, name: decision.operation.cluster.name }, decision.operation.rpus);
    jobs.push(decision);
  }
  const needed = artifactsNeeded(desired.jobs);
  const inUse = new Set(desired.jobs.flatMap((job) => (job.record === undefined ? [] : [artifactKeyOf(job)])));
  const artifacts = desired.artifacts.map((artifact) =>
    decideArtifact(artifact, artifactContext(artifact, needed, inUse, input)),
  );
  const savepoints = desired.savepoints.map((savepoint) => decideSavepoint(savepoint, input.deletionsHeld));
  return { jobs, artifacts, savepoints, slots };
}

/**
 * The slots that a new start may take: what Flink says is free, less what our own jobs have a claim on without holding it. Those are
 * starts that are announced and not yet seen, and jobs that are between two attempts of Flink's own restart.
 */
export function freeSlots(jobs: readonly DesiredJob[], observed: Observed, now: number): SlotLedger {
  let ledger: SlotLedger = new Map(
    observed.clusters
      .filter((cluster) => cluster.kind === "reachable")
      .map((cluster) => [clusterKey(cluster), cluster.slots.free]),
  );
  for (const job of jobs) {
    const claim = claimOf(job, observed, now);
    if (claim !== undefined) ledger = takeSlots(ledger, claim.cluster, claim.slots);
  }
  return ledger;
}

/** A start that takes the place of an announced one may have its slots: a job must not be in its own way. */
function withoutClaimOf(job: DesiredJob, slots: SlotLedger, { observed, now }: DecideInput): SlotLedger {
  const claim = claimOf(job, observed, now);
  return claim === undefined ? slots : takeSlots(slots, claim.cluster, -claim.slots);
}

function claimOf(
  job: DesiredJob,
  observed: Observed,
  now: number,
): { readonly cluster: ReachableCluster; readonly slots: number } | undefined {
  const status = job.record?.status;
  const ref = status?.operation?.cluster ?? status?.cluster;
  const flinkJobId = status?.operation?.flinkJobId ?? status?.flinkJobId;
  const rpus = status?.operation?.rpus ?? status?.requestedRpus;
  if (ref === undefined || flinkJobId === undefined || rpus === undefined) return undefined;
  const seen = findJob(observed.clusters, job.id.zone, ref, flinkJobId);
  if (seen.kind === "unseen") return undefined;
  if (seen.kind === "listed") {
    if (hasEnded(seen.job) || isHealthy(seen.job)) return undefined;
    return { cluster: seen.cluster, slots: Math.max(0, rpus - (seen.cluster.slots.heldByJob?.get(flinkJobId) ?? 0)) };
  }
  if (status?.operation === undefined) return undefined;
  // A start that Flink refused and that is not due again holds nothing back from others.
  const submission = observed.submissions.get(flinkJobId);
  if (submission?.kind === "refused" && now < submission.retryAtMs) return undefined;
  return { cluster: seen.cluster, slots: rpus };
}

function jobContext(job: DesiredJob, view: ArtifactsInView, slots: SlotLedger, input: DecideInput): JobContext {
  return {
    instance: input.config.instance,
    commit: input.commit,
    observed: input.observed,
    slots,
    artifact: declaredArtifact(job, view),
    announcedArtifact: announcedArtifactOf(job, view),
    paused: input.config.policy.paused,
    statusLost:
      job.record === undefined ? input.statusLost.unrecorded : isMarkedLost(job.record) ? input.statusLost.marked : undefined,
    projectRefused: refuseProject(job, input.config),
    deletionsHeld: input.deletionsHeld,
    now: input.now,
  };
}

function declaredArtifact(job: DesiredJob, view: ArtifactsInView): ArtifactForJob {
  if (job.declared.kind !== "declared")
    return { kind: "not-ready", reason: "ArtifactMissing", because: "the Job's own manifest cannot be read" };
  const { spec } = job.declared.manifest;
  return artifactForJob(spec, siblingKey(job.id, "Artifact", spec.artifact), view);
}

function announcedArtifactOf(job: DesiredJob, view: ArtifactsInView): ArtifactForJob {
  const frozen = job.record?.status.artifact;
  if (frozen === undefined)
    return {
      kind: "not-ready",
      reason: "ArtifactMissing",
      because: "the record does not say which bytes its start was announced with",
    };
  return announcedArtifact(frozen, siblingKey(job.id, "Artifact", frozen.name), view);
}

function isMarkedLost(record: JobRecord): boolean {
  return record.status.conditions.some(({ type, reason }) => type === "Started" && reason === "StatusLost");
}

function refuseProject(job: DesiredJob, config: DecideInput["config"]): string | undefined {
  const projects = config.zones.get(job.id.zone)?.projects;
  if (projects === undefined || projects.has(job.id.project)) return undefined;
  return `zone ${job.id.zone} does not take project ${job.id.project}: the daemon's configuration names ${countOf(projects.size, "project")} for it, ${[...projects.keys()].sort().join(", ")}`;
}

/** Artifacts whose bytes a Job waits for: it is to be started, or its announced start has not been seen to succeed. */
function artifactsNeeded(jobs: readonly DesiredJob[]): ReadonlySet<ResourceKey> {
  return new Set(jobs.filter((job) => job.record?.status.flinkJobId === undefined).map(artifactKeyOf));
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
    maxBytes: input.config.artifacts.maxBytes,
    maxBlobBytes: input.config.repository.maxBlobBytes,
    deletionsHeld: input.deletionsHeld,
    now: input.now,
  };
}
