import { clusterRef, hasEnded, type ClusterSeen, type FlinkJobSeen, type ReachableCluster } from "../flink/cluster-seen.ts";
import type { PolicyConfig } from "../config/config.ts";
import { attemptOf, flinkJobId, instanceDigits, isOurs, parseFlinkJobId, resourceDigits } from "../model/flink-job-id.ts";
import type { JobSpec } from "../model/manifest.ts";
import type { Reason } from "../model/reasons.ts";
import type { ResourceId } from "../model/resource.ts";
import type { Operation, StartIntent, StopPurpose } from "../model/status.ts";
import type { Block, JobDecision } from "./decision.ts";
import type { DesiredJob } from "./desired.ts";
import type { Past } from "./establish.ts";
import type { FinalRequest, InitialState } from "./final-savepoints.ts";
import type { Deletion } from "./guard.ts";
import { findJob, type Observed } from "./observed.ts";
import type { SlotLedger } from "./place.ts";
import type { ProgramForJob } from "./secrets-for-job.ts";

/** Everything besides the Job itself that its next step depends on. */
export interface JobContext {
  readonly instance: string;
  readonly commit: string;
  readonly observed: Observed;
  /** The clusters as the pass before saw them: what is gone has to be missed twice. */
  readonly lastSeen: readonly ClusterSeen[];
  readonly slots: SlotLedger;
  /** The artifact that the declared Job names, as far as it is ready to be submitted. */
  readonly artifact: ProgramForJob;
  /** The one that the Job was accepted with. */
  readonly announcedArtifact: ProgramForJob;
  readonly policy: PolicyConfig;
  /** Why this Job may have run before although nothing is known of it: the status branch was lost. Undefined when it was not. */
  readonly statusLost: string | undefined;
  /** Whether it may have run before although it was not there to be marked when the status branch was lost. Undefined: no branch was lost. */
  readonly past: Past | undefined;
  /** Undefined when the zone may hold the project. */
  readonly projectRefused: string | undefined;
  /** What the project may still take of the zone's rpus; undefined: no quota. */
  readonly quota: Quota | undefined;
  /** No other Job of the zone is being moved to another cluster. */
  readonly mayMigrate: boolean;
  /** What becomes of a Job that is not declared any more. */
  readonly deletion: Deletion;
  /** What the declared Job is to start from. */
  readonly initialState: InitialState;
  /** The Final Savepoint that is declared for this Job and not Ready. */
  readonly final: FinalRequest | undefined;
  /**
   * The Savepoint that is being taken of its Flink job. A stop beside it would fail it, and where the stop's barrier comes second Flink drops
   * it, and the stop hangs until its checkpoint times out (seen on 1.20.5).
   */
  readonly savepointUnderWay: string | undefined;
  /** For a Job that a Final Savepoint stopped: what stands against bringing it back. */
  readonly notBack: string | undefined;
  /** Where a disposal is announced: nothing starts from there any more. */
  readonly disposing: readonly string[];
  /** Why a Job that is new may be an old one under another name; undefined when it is not. */
  readonly looksLikeRename: string | undefined;
  readonly now: number;
}

export interface Quota {
  readonly maxRpus: number;
  /** By all other Jobs of the project, those counted out that go. */
  readonly usedRpus: number;
}

/** Why the project cannot take so many rpus; undefined when it can. */
export function overQuota({ quota }: Pick<JobContext, "quota">, job: Pick<DesiredJob, "id">, rpus: number): string | undefined {
  if (quota === undefined || quota.usedRpus + rpus <= quota.maxRpus) return undefined;
  return `project ${job.id.project} may have ${quota.maxRpus} rpus in zone ${job.id.zone}: ${quota.usedRpus} are taken, and it asks for ${rpus}`;
}

/** Under which prefix everything lies that any attempt of a Job left in the checkpoint and savepoint directories. */
export function lineagePrefix(instance: string, id: ResourceId): string {
  return instanceDigits(instance) + resourceDigits(id);
}

/** The next attempt: its number is larger than any in the record, on the clusters and in the directories, so it is never used twice. */
export function nextIntent(
  job: DesiredJob,
  spec: JobSpec,
  rpus: number,
  cluster: ReachableCluster,
  context: JobContext,
): StartIntent {
  const attempt = highestAttempt(job, context) + 1;
  const id = flinkJobId({ instance: context.instance, id: job.id, spec, attempt });
  return { attempt, flinkJobId: id, cluster: clusterRef(cluster), rpus };
}

export function highestAttempt(job: DesiredJob, context: JobContext): number {
  const listed = jobsOfOurs(job, context).map((found) => attemptOf(found.job.flinkJobId));
  const prefix = lineagePrefix(context.instance, job.id);
  const left = context.observed.clusters.flatMap((cluster) => {
    const points = cluster.kind === "reachable" ? cluster.restorePoints.get(prefix) : undefined;
    return points?.kind === "listed" ? points.entries.map((entry) => attemptOf(entry.flinkJobId)) : [];
  });
  return Math.max(job.record?.status.attempt ?? 0, ...listed, ...left);
}

/** A Flink job of ours that lives on a cluster of its zone. */
export interface LiveJob {
  readonly cluster: ReachableCluster;
  readonly job: FlinkJobSeen;
}

/** What lives of this Job on the clusters of its zone, the highest attempt first; there should not be several. */
export function findLiveOfOurs(job: DesiredJob, context: JobContext): readonly LiveJob[] {
  return jobsOfOurs(job, context)
    .filter((found) => !hasEnded(found.job))
    .toSorted((a, b) => attemptOf(b.job.flinkJobId) - attemptOf(a.job.flinkJobId));
}

/** Missed in this pass and in the one before, by a cluster that answered both times. */
export function isMissedTwice(job: DesiredJob, flinkJobIdText: string, context: JobContext): boolean {
  const ref = job.record?.status.operation?.cluster ?? job.record?.status.cluster;
  if (ref === undefined) return false;
  return findJob(context.lastSeen, job.id.zone, ref, flinkJobIdText).kind === "absent";
}

export function isPaused(job: DesiredJob, context: JobContext): boolean {
  return context.policy.paused || isPausedByHand(job);
}

/** By the annotation of its manifest. */
export function isPausedByHand({ declared }: Pick<DesiredJob, "declared">): boolean {
  return declared.kind === "declared" && declared.manifest.annotations["penstock/paused"] === "true";
}

function jobsOfOurs(job: DesiredJob, context: JobContext): readonly LiveJob[] {
  const digits = resourceDigits(job.id);
  return (
    context.observed.clusters
      .filter((cluster) => cluster.kind === "reachable")
      .filter((cluster) => cluster.zone === job.id.zone)
      .flatMap((cluster) => [...cluster.jobs.values()].map((listed) => ({ cluster, job: listed })))
      // In this order: the instance is hashed for the few that are this Job's alone.
      .filter(({ job: { flinkJobId: id } }) => parseFlinkJobId(id)?.resource === digits && isOurs(id, context.instance))
  );
}

/** The short forms of decisions, so that a decision reads as one line. */
export function head(job: DesiredJob): { readonly key: DesiredJob["key"]; readonly id: DesiredJob["id"] } {
  return { key: job.key, id: job.id };
}

export function leave(job: DesiredJob, because: string, block?: Block): JobDecision {
  return { ...head(job), kind: "leave", because, ...(block === undefined ? {} : { block }) };
}

/** Nothing is believed before another look. */
export function lookAgain(job: DesiredJob, because: string): JobDecision {
  return { ...head(job), kind: "leave", because, soon: true };
}

export function wait(job: DesiredJob, block: Block, because: string): JobDecision {
  return { ...head(job), kind: "wait", block, because };
}

export function awaitOutcome(job: DesiredJob, operation: Operation, block: Block | undefined, because: string): JobDecision {
  return { ...head(job), kind: "await", operation, block, because };
}

export function started(reason: Reason): Block {
  return { condition: "Started", reason };
}

/** What a stop is for is what its waiting is told under. */
const CONDITION_OF_STOP = {
  rescale: "Rescaled",
  migrate: "UpToDate",
  suspend: "Suspended",
  final: "Finalized",
  delete: "Deleted",
  duplicate: "Duplicate",
} as const satisfies Readonly<Record<StopPurpose, Block["condition"]>>;

/** Why a step on a job that runs waits, or came to nothing. */
export function notYet(purpose: StopPurpose, reason: Reason): Block {
  return { condition: CONDITION_OF_STOP[purpose], reason };
}
