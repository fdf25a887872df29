import type { ClusterRef } from "../model/status.ts";
import { type FlinkVertex, isTerminal } from "./responses.ts";
import type { RestorePointEntry } from "./restore-directories.ts";

/** What one look at a cluster showed. Not to be reached is a state, not an exception. */
export type ClusterSeen = ReachableCluster | UnreachableCluster;

export interface UnreachableCluster {
  readonly kind: "unreachable";
  readonly zone: string;
  readonly name: string;
  readonly url: string;
  /** One line: what was tried and what came of it. */
  readonly because: string;
  readonly sinceMs: number;
}

export interface ReachableCluster {
  readonly kind: "reachable";
  readonly zone: string;
  readonly name: string;
  readonly url: string;
  readonly draining: boolean;
  /** The JobManager process: a new one means that jobs without high availability are gone. */
  readonly incarnation: string;
  /** With its patch: `1.16.3`. */
  readonly flinkVersion: string;
  /** The release of the JobManager's JVM: 17. Undefined when it does not say. */
  readonly javaVersion: number | undefined;
  /** False with `web.submit.enable: false`: then no jar can be uploaded or run. */
  readonly webSubmit: boolean;
  readonly highAvailability: boolean;
  /** As configured, in lower case: `default`, `adaptive`. */
  readonly scheduler: string;
  /** The parallelism of a running job can be changed without a stop. */
  readonly inPlaceRescale: boolean;
  readonly checkpointsDir: string | undefined;
  readonly savepointsDir: string | undefined;
  /** Why a savepoint can surely not be written where it would go; undefined when it can, or when that cannot be told from here. */
  readonly savepointsRefused: string | undefined;
  /** Why what lies in its checkpoint and savepoint directories cannot be listed from here; undefined when it can, or is not known yet. */
  readonly directoriesUnlistable: string | undefined;
  readonly slots: SlotsSeen;
  /** All jobs that Flink lists, ours or not, ended ones included, by Flink job id. */
  readonly jobs: ReadonlyMap<string, FlinkJobSeen>;
  /** What lies in the checkpoint and savepoint directories, by the prefix of Flink job ids that was asked about. */
  readonly restorePoints: ReadonlyMap<string, RestorePointsSeen>;
}

export type RestorePointsSeen =
  /** Complete ones only; by attempt, then by time, so that the last one is the newest. */
  | { readonly kind: "listed"; readonly entries: readonly RestorePointEntry[] }
  /** Never the same as none. */
  | { readonly kind: "cannot-tell"; readonly because: string };

export interface SlotsSeen {
  readonly total: number;
  readonly free: number;
  /** How many slots each job holds; only read when a job is not healthy, else undefined. */
  readonly heldByJob: ReadonlyMap<string, number> | undefined;
}

export interface FlinkJobSeen {
  readonly flinkJobId: string;
  readonly name: string;
  /** Flink's own word: `RUNNING`. */
  readonly state: string;
  readonly startedAtMs: number;
  readonly tasks: { readonly total: number; readonly running: number; readonly finished: number };
  /** Read for our own jobs only, and again whenever the job's state changed. */
  readonly detail: FlinkJobDetail | undefined;
}

export interface FlinkJobDetail {
  /** The largest vertex: what is reached. */
  readonly parallelism: number;
  readonly vertices: readonly Pick<FlinkVertex, "id" | "parallelism" | "maxParallelism">[];
  readonly startedAtMs: number;
  readonly checkpoints: {
    readonly completed: number;
    readonly latestPath: string | undefined;
    readonly enabled: boolean;
    /** The last one stays when the job is cancelled or fails for good; a program may decide otherwise than its options. */
    readonly retained: boolean;
  };
  /** Why Flink last failed it, in one line. */
  readonly rootCause: string | undefined;
}

/** Whether Flink will never run this job id again. */
export function hasEnded(job: FlinkJobSeen): boolean {
  return isTerminal(job.state);
}

/** `RUNNING` does not mean running: only when it has tasks and every one runs (or is finished) is a job healthy. */
export function isHealthy(job: FlinkJobSeen): boolean {
  const { total, running, finished } = job.tasks;
  return job.state === "RUNNING" && total > 0 && running > 0 && running + finished === total;
}

export function clusterRef(cluster: ReachableCluster): ClusterRef {
  return { name: cluster.name, url: cluster.url, incarnation: cluster.incarnation };
}
