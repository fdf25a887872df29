import type { ArtifactSeen, ArtifactStore } from "../artifacts/artifact-store.ts";
import type { SightedCluster } from "../flink/cluster.ts";
import { hasEnded, isHealthy, type ClusterSeen } from "../flink/cluster-seen.ts";
import type { ResourceKey } from "../model/resource.ts";
import type { Actions } from "./apply.ts";
import { artifactRequest } from "./decide-artifact.ts";
import { seemsStateless } from "./decide-deleted.ts";
import { hasNoPast, type Desired, type DesiredJob } from "./desired.ts";
import type { Observed } from "./observed.ts";
import { lineagePrefix } from "./job-context.ts";
import { findJob } from "./observed.ts";
import type { SecretReader } from "./read-secrets.ts";
import { wantedSecrets } from "./secrets-for-job.ts";
import type { ClusterRef, JobStatus } from "../model/status.ts";

export interface ObserveDeps {
  readonly clusters: readonly SightedCluster[];
  readonly store: Pick<ArtifactStore, "see">;
  readonly actions: Pick<Actions, "see" | "seeSteps">;
  readonly secrets: Pick<SecretReader, "read">;
  readonly instance: string;
  readonly limits: { readonly maxBytes: number; readonly maxBlobBytes: number };
  /** How long to wait for one cluster; a second when not given. */
  readonly patienceMs?: number;
}

/** What is to be looked for besides what the Jobs themselves need. */
export interface LookWishes {
  /** A status branch was lost: what Jobs that no record speaks of may have left. */
  readonly pasts: boolean;
  /** Jobs of which nothing may need some of what their attempts left. */
  readonly tidying: ReadonlySet<ResourceKey>;
}

const NO_WISHES: LookWishes = { pasts: false, tidying: new Set() };

/** A pass waits no longer for one cluster; what is slower counts as unreachable until its answer is there. */
const PATIENCE_MS = 1000;
/** While nothing is on its way a cluster is looked at this often; the daemon's own wakes decide when there is a pass at all. */
const FRESH_ENOUGH_MS = 200;

/**
 * Looks at everything outside of Git, all at once. Observing never acts. What came of submissions is noted first: one that ended after
 * that is told by the next pass, whose look at the cluster is newer than its end.
 */
export async function observe(
  deps: ObserveDeps,
  desired: Desired,
  last: readonly ClusterSeen[],
  signal: AbortSignal,
  wishes: LookWishes = NO_WISHES,
): Promise<Observed> {
  const submissions = new Map(deps.actions.see());
  const steps = new Map(deps.actions.seeSteps());
  const patienceMs = deps.patienceMs ?? PATIENCE_MS;
  const secrets = await deps.secrets.read(wantedSecrets(desired), signal); // first: what Flink tells may hold them
  const clusters = await Promise.all(
    deps.clusters.map(async (cluster) =>
      cluster.look(lookRequest(cluster, desired, last, deps.instance, wishes), patienceMs, signal),
    ),
  );
  return { clusters, artifacts: seeArtifacts(deps, desired), secrets, submissions, steps };
}

/** Slots have to be fresh where a Job wants to start; a cluster on which nothing moves is asked no more often than configured. */
function lookRequest(
  cluster: SightedCluster,
  desired: Desired,
  last: readonly ClusterSeen[],
  instance: string,
  wishes: LookWishes,
) {
  const jobs = desired.jobs.filter((job) => job.id.zone === cluster.zone);
  const starting = jobs.filter((job) => wantsSlots(job, last));
  const moving = starting.length > 0 || jobs.some((job) => isMoving(job, cluster, last));
  return {
    maxAgeMs: moving ? FRESH_ENOUGH_MS : cluster.config.pollIntervalMs - FRESH_ENOUGH_MS,
    slots: starting.length > 0,
    restorePointsOf: jobs
      .filter(
        (job) => needsRestorePoints(job, cluster, last) || isWished(job, cluster, wishes) || isFirstLook(job, cluster, last),
      )
      .map((job) => lineagePrefix(instance, job.id)),
  };
}

/** A start, a rescale, or a return is near. */
function wantsSlots(job: DesiredJob, last: readonly ClusterSeen[]): boolean {
  const status = job.record?.status;
  if (status?.operation !== undefined) return true;
  if (job.declared.kind !== "declared") return false;
  if (status?.flinkJobId === undefined || status.cluster === undefined) return true;
  if (status.requestedRpus !== job.declared.manifest.spec.rpus) return true;
  return status.flinkJobState !== "Finished" && isDown(job, status.cluster, status.flinkJobId, last);
}

/** The Job does not run and should: what its attempts left decides how it comes back, or what its tombstone keeps. */
function needsRestorePoints(job: DesiredJob, cluster: SightedCluster, last: readonly ClusterSeen[]): boolean {
  const status = job.record?.status;
  if (status !== undefined && status.flinkJobId === undefined && status.operation === undefined) {
    // What was lost with the status branch may have left attempts whose numbers must not be used again.
    return status.conditions.some(({ reason }) => reason === "StatusLost");
  }
  if (status === undefined) return false;
  const { operation } = status;
  // What is down for good needs nothing, unless it is being brought back: what became of that start may have to be found out.
  if (operation === undefined && (status.deleted !== undefined || status.suspended === true)) return false;
  const ref = operation?.cluster ?? status.cluster;
  const id = operation?.flinkJobId ?? status.flinkJobId;
  if (ref === undefined || id === undefined || ref.name !== cluster.name) return false;
  if (status.flinkJobState === "Finished" && operation === undefined) return false;
  return operation?.kind === "cancel" || isDown(job, ref, id, last) || isLeftStateless(job, status, last);
}

function isWished(job: DesiredJob, cluster: SightedCluster, { pasts, tidying }: LookWishes): boolean {
  if (tidying.has(job.key)) return job.record?.status.cluster?.name === cluster.name;
  return pasts && job.declared.kind === "declared" && hasNoPast(job);
}

/** What a Job left that no record speaks of is looked for once: when it is new, and when a cluster is back that could not be asked then. */
function isFirstLook(job: DesiredJob, cluster: SightedCluster, last: readonly ClusterSeen[]): boolean {
  if (job.declared.kind !== "declared" || !hasNoPast(job)) return false;
  const wasAway = last.some(({ zone, name, kind }) => zone === cluster.zone && name === cluster.name && kind === "unreachable");
  return job.record === undefined || wasAway;
}

/** Its manifest is gone and it seems to have no state: whether it is so is looked for before it is cancelled. */
function isLeftStateless(job: DesiredJob, status: JobStatus, last: readonly ClusterSeen[]): boolean {
  if (job.declared.kind !== "absent" && status.phase !== "Deleting") return false;
  if (status.operation !== undefined || status.cluster === undefined || status.flinkJobId === undefined) return false;
  const seen = findJob(last, job.id.zone, status.cluster, status.flinkJobId);
  return seen.kind === "listed" && !hasEnded(seen.job) && seemsStateless(status, seen);
}

function isDown(job: DesiredJob, ref: ClusterRef, flinkJobId: string, last: readonly ClusterSeen[]): boolean {
  const seen = findJob(last, job.id.zone, ref, flinkJobId);
  return seen.kind === "absent" || (seen.kind === "listed" && hasEnded(seen.job));
}

/** Whether a job of ours is between two states, so that its next one is to be seen soon. */
export function isMoving(job: DesiredJob, cluster: { readonly name: string }, last: readonly ClusterSeen[]): boolean {
  const status = job.record?.status;
  const ref = status?.operation?.cluster ?? status?.cluster;
  const flinkJobId = status?.operation?.flinkJobId ?? status?.flinkJobId;
  if (ref === undefined || flinkJobId === undefined || ref.name !== cluster.name) return false;
  const seen = findJob(last, job.id.zone, ref, flinkJobId);
  return seen.kind === "listed" && !hasEnded(seen.job) && !isHealthy(seen.job);
}

/** What is known of the jars that are declared or recorded. */
export function seeArtifacts(
  deps: Pick<ObserveDeps, "store" | "limits">,
  desired: Desired,
): ReadonlyMap<ResourceKey, ArtifactSeen> {
  const seen = new Map<ResourceKey, ArtifactSeen>();
  for (const artifact of desired.artifacts) {
    const request = artifactRequest(artifact, deps.limits);
    if ("key" in request) seen.set(artifact.key, deps.store.see(request));
  }
  return seen;
}
