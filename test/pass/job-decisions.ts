import type { ClusterSeen } from "../../src/flink/cluster-seen.ts";
import type { RestorePointEntry } from "../../src/flink/restore-directories.ts";
import { epochOf } from "../../src/pass/submissions.ts";
import { decideJob } from "../../src/pass/decide-job.ts";
import type { JobDecision } from "../../src/pass/decision.ts";
import { lineagePrefix, type JobContext } from "../../src/pass/job-context.ts";
import type { StepSeen, SubmissionSeen } from "../../src/pass/submissions.ts";
import {
  aDesiredJob,
  aListedJob,
  anAttempt,
  anId,
  anObserved,
  aPolicy,
  aReachableCluster,
  CLUSTER,
  COMMIT,
  FROZEN,
  INSTANCE,
  NOW,
  type ClusterOverrides,
  type DesiredJobOverrides,
  type ListedJobOverrides,
} from "./builders.ts";

export interface ContextOverrides extends Omit<Partial<JobContext>, "observed" | "slots"> {
  readonly clusters?: readonly ClusterSeen[];
  /** Of attempt 1. */
  readonly submission?: SubmissionSeen;
  readonly submissions?: Readonly<Record<string, SubmissionSeen>>;
  /** The step on attempt 1. */
  readonly step?: StepSeen;
}

/** Everything that a Job's next step depends on, with nothing that stands in its way. */
export function aContext({
  clusters = [aReachableCluster()],
  submission,
  submissions = submission === undefined ? {} : { [anAttempt(1)]: submission },
  step,
  ...overrides
}: ContextOverrides = {}): JobContext {
  return {
    instance: INSTANCE,
    commit: COMMIT,
    observed: anObserved({ clusters, submissions, steps: step === undefined ? {} : { [anAttempt(1)]: step } }),
    lastSeen: clusters,
    slots: new Map(
      clusters.flatMap((seen) => (seen.kind === "reachable" ? [[`${seen.zone}/${seen.name}`, seen.slots.free] as const] : [])),
    ),
    artifact: { kind: "ready", frozen: FROZEN, javaVersion: 8, secrets: new Map() },
    announcedArtifact: { kind: "ready", frozen: FROZEN, javaVersion: 8, secrets: new Map() },
    policy: aPolicy(),
    statusLost: undefined,
    past: undefined,
    projectRefused: undefined,
    quota: undefined,
    mayMigrate: true,
    deletion: { kind: "goes" },
    initialState: { kind: "none" },
    final: undefined,
    savepointUnderWay: undefined,
    notBack: undefined,
    disposing: [],
    looksLikeRename: undefined,
    now: NOW,
    ...overrides,
  };
}

/** A refusal without an epoch is about the operation as the record has it. */
export function decideFor(job: DesiredJobOverrides = {}, context: ContextOverrides = {}): JobDecision {
  const desired = aDesiredJob(job);
  const made = aContext(context);
  const operation = desired.record?.status.operation;
  const submissions = [...made.observed.submissions].map(([id, seen]) => {
    const isBare = seen.kind === "refused" && seen.epoch === "" && operation !== undefined;
    return [id, isBare ? { ...seen, epoch: epochOf(operation) } : seen] as const;
  });
  return decideJob(desired, { ...made, observed: { ...made.observed, submissions: new Map(submissions) } });
}

/** The only cluster with attempt 1 on it, healthy by default. */
export function clusterWith(job: ListedJobOverrides = {}, more: ClusterOverrides = {}): ClusterSeen {
  return aReachableCluster({ jobs: [aListedJob(job)], ...more });
}

/** As a look at the directories shows what the attempts of `orders` left. */
export function listed(...entries: readonly RestorePointEntry[]): NonNullable<ClusterOverrides["restorePoints"]> {
  return { [ordersLineage()]: { kind: "listed", entries } };
}

export function cannotTell(because: string): NonNullable<ClusterOverrides["restorePoints"]> {
  return { [ordersLineage()]: { kind: "cannot-tell", because } };
}

function ordersLineage(): string {
  return lineagePrefix(INSTANCE, anId());
}

export function aCheckpoint(attempt = 1, number = 7): RestorePointEntry & { readonly kind: "Checkpoint" } {
  const flinkJobId = anAttempt(attempt);
  const uri = `file:///flink/checkpoints/${flinkJobId}/chk-${number}`;
  return { kind: "Checkpoint", flinkJobId, number, uri, writtenAtMs: NOW - 60_000 + number };
}

export function aSavepoint(attempt = 1, writtenAtMs = NOW - 30_000): RestorePointEntry & { readonly kind: "Savepoint" } {
  const flinkJobId = anAttempt(attempt);
  const triggerId = "7".repeat(32);
  const uri = `file:///flink/savepoints/${flinkJobId}/${triggerId}/savepoint-1`;
  return { kind: "Savepoint", flinkJobId, triggerId, uri, writtenAtMs };
}

/** What a Job's condition will say. */
export function blockOf(decision: JobDecision): string | undefined {
  const block = "block" in decision ? decision.block : undefined;
  return block === undefined ? undefined : `${block.condition} ${block.reason}`;
}

/** A job that completed one checkpoint. */
export const CHECKPOINTED: ListedJobOverrides = {
  detail: { checkpoints: { completed: 1, latestPath: aCheckpoint().uri, enabled: true, retained: true } },
};

/** The JobManager after a restart. */
export const RESTARTED = { ...CLUSTER, incarnation: "second" };
