import type { ArtifactSpec, JarOptions, JobSpec, SavepointSpec } from "./manifest.ts";
import type { ResourceId } from "./resource.ts";

/** Exactly these, in this order, never back. */
export type JobPhase = "Pending" | "Ready" | "Deleting";

/** `""` while Pending. See `flink-job-state.ts` for the transitions that are allowed. */
export type FlinkJobState =
  | ""
  | "Initializing"
  | "Created"
  | "Running"
  | "Failing"
  | "Rescaling"
  | "Restarting"
  | "Finished"
  | "Cancelled";

export interface Condition {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  /** One CamelCase word that programs may switch on. */
  readonly reason: string;
  /** One line for people: what is so, and what to do. Holds nothing that changes by itself, or each pass would commit. */
  readonly message: string;
  /** Since when `status` and `reason` are as they are. */
  readonly since: string;
}

export interface Transition {
  readonly when: string;
  readonly from: string;
  readonly to: string;
  readonly because: string;
}

/** Where and when an accepted spec was read. */
export interface AcceptedSource {
  readonly path: string;
  readonly line: number;
  readonly commit: string;
  readonly blob: string;
}

export interface ClusterRef {
  readonly name: string;
  readonly url: string;
  /** The JobManager process: the UUID of its `web.tmpdir`. */
  readonly incarnation: string;
}

/** The Artifact as it was when the Job was accepted; later changes of the manifest do not reach this Job. */
export interface FrozenArtifact {
  readonly name: string;
  readonly sha256: string;
  readonly size: number;
  readonly jarOptions: JarOptions;
}

export interface RestorePoint {
  readonly kind: "Savepoint" | "Checkpoint";
  readonly uri: string;
}

/** A Flink job that is to be started: everything that must not be chosen twice. */
export interface StartIntent {
  readonly attempt: number;
  readonly flinkJobId: string;
  readonly cluster: ClusterRef;
  readonly rpus: number;
}

/**
 * The write-ahead record of a start: pushed before Flink is called, dropped in the commit that knows how it ended. `takenOverAt`, here and in
 * every other one: since then another daemon than the one that announced it goes on with it.
 */
export interface StartOperation extends StartIntent {
  readonly kind: "start";
  readonly run: number;
  readonly restoreFrom?: RestorePoint;
  readonly announcedAt: string;
  readonly takenOverAt?: string;
}

/**
 * Why a job is stopped: to start it again with another parallelism or on another cluster, until it is resumed, for good, or because
 * another one of the same Job runs; the operation's Flink job is the Job's own then only in name.
 */
export type StopPurpose = "rescale" | "migrate" | "suspend" | "final" | "delete" | "duplicate";

/** The write-ahead record of a stop with savepoint; `next` is the start that follows it, so that nothing is pushed between the two. */
export interface StopOperation {
  readonly kind: "stop";
  readonly purpose: StopPurpose;
  readonly flinkJobId: string;
  readonly cluster: ClusterRef;
  readonly triggerId: string;
  readonly targetDirectory: string;
  readonly next?: StartIntent;
  /** The Final Savepoint that asks for it. */
  readonly savepoint?: string;
  /** Emits the last windows; what it leaves is not for resuming. */
  readonly drain?: boolean;
  readonly announcedAt: string;
  readonly takenOverAt?: string;
}

/** Without a savepoint: the job never had state, cannot take one, or `policy.onDelete` says so. Only for a deletion. */
export interface CancelOperation {
  readonly kind: "cancel";
  readonly flinkJobId: string;
  readonly cluster: ClusterRef;
  readonly announcedAt: string;
  readonly takenOverAt?: string;
}

/** Another parallelism asked of an adaptive scheduler; the job goes on under its id. */
export interface RescaleOperation {
  readonly kind: "rescale";
  readonly flinkJobId: string;
  readonly cluster: ClusterRef;
  readonly rpus: number;
  readonly announcedAt: string;
  readonly takenOverAt?: string;
}

export type Operation = StartOperation | StopOperation | CancelOperation | RescaleOperation;

export interface LastSavepoint {
  readonly uri: string;
  readonly takenAt: string;
  readonly flinkJobId: string;
  readonly reason: "Rescale" | "Migrate" | "Suspend";
}

export interface Finalized {
  /** The Savepoint's name. */
  readonly savepoint: string;
  readonly uri: string;
  readonly drained: boolean;
  /** The state in it is not older than this; not known for every one. */
  readonly takenAt?: string;
}

export interface Tombstone {
  readonly at: string;
  readonly restorePoint?: RestorePoint;
  /** Why it has no restore point although there may have been state. */
  readonly lost?: string;
  /** What a Final Savepoint had made of the Job before it was deleted. */
  readonly finalized?: Finalized;
}

/** A savepoint that we took for the Job itself, and not for a Savepoint. Its files are ours to dispose of when nothing needs them. */
export interface TakenSavepoint {
  readonly uri: string;
  readonly takenAt: string;
  readonly flinkJobId: string;
  /** `Drain`: a Final Savepoint's, which is no restore point, and whose files are not ours. */
  readonly reason: "Rescale" | "Migrate" | "Suspend" | "Delete" | "Drain";
}

export interface JobStatus {
  readonly phase: JobPhase;
  readonly flinkJobState: FlinkJobState;
  readonly run: number;
  /** The largest attempt ever announced; 0 before the first. Never used twice. */
  readonly attempt: number;
  readonly flinkJobId?: string;
  readonly cluster?: ClusterRef;
  /** The cluster's, with its patch: `1.16.3`. */
  readonly flinkVersion?: string;
  readonly requestedRpus?: number;
  /** What is reached: the largest vertex. */
  readonly parallelism?: number;
  readonly source: AcceptedSource;
  readonly artifact?: FrozenArtifact;
  /** The secrets that the last submission was made with: the first 8 digits of their SHA-256, by name. */
  readonly secrets?: Readonly<Record<string, string>>;
  readonly startedFrom?: RestorePoint;
  /** The last attempt was started without any state, because there was none or a person gave it up. Not set where nobody knows. */
  readonly startedEmpty?: boolean;
  /** What `spec.initialStateRef` stood for when the Job was started from it; all that it left since is newer. */
  readonly initialState?: string;
  /** When the start of the Flink job was announced. */
  readonly startedAt?: string;
  /** The Flink job id that is known to have completed a checkpoint: what it left may not be missing. */
  readonly checkpointed?: string;
  /** Attempts in a row that ended before they completed a checkpoint: the next one waits the longer. */
  readonly restarts?: number;
  readonly lastSavepoint?: LastSavepoint;
  /** Oldest first. */
  readonly savepoints?: readonly TakenSavepoint[];
  /** The write-ahead record of the disposal of a restore point that nothing needs. It stands in the way of no other step. */
  readonly disposal?: SavepointOperation;
  /** A rescale whose next start failed, so that the job runs as before: not tried again with the same rpus. */
  readonly rescaleFailed?: { readonly rpus: number; readonly because: string };
  /** Stopped by us until `rpus` is raised again. */
  readonly suspended?: boolean;
  /** Stopped for good by a Final Savepoint, which holds this. */
  readonly finalized?: Finalized;
  /** When its manifest was first missed and the guard let it go. */
  readonly deletingSince?: string;
  /** The tombstone of a Job that was deleted: kept for 30 days, so that declaring it again goes on where it stopped. */
  readonly deleted?: Tombstone;
  readonly operation?: Operation;
  readonly conditions: readonly Condition[];
  readonly history: readonly Transition[];
}

export type ArtifactPhase = "Pending" | "Downloading" | "Ready" | "Deleting";

export interface ArtifactStatus {
  readonly phase: ArtifactPhase;
  /** Binding from the first Ready on. */
  readonly sha256?: string;
  readonly size?: number;
  readonly source: AcceptedSource;
  /** How far the download is, in quarters: each one is a commit. Only of large ones, and only while they come. */
  readonly download?: { readonly bytes: number; readonly totalBytes: number };
  /** For `path` sources: where the bytes are, for ever. */
  readonly bytes?: { readonly commit: string; readonly blob: string };
  readonly conditions: readonly Condition[];
  readonly history: readonly Transition[];
}

export type SavepointPhase = "Pending" | "InProgress" | "Ready" | "Deleting";

/** The write-ahead record of a savepoint that is taken while the job goes on, or of one that is disposed of. */
export interface SavepointOperation {
  readonly kind: "take" | "dispose";
  readonly triggerId: string;
  readonly cluster: ClusterRef;
  readonly flinkJobId: string;
  /** Where it is written to, or what is removed. */
  readonly uri: string;
  readonly announcedAt: string;
  readonly takenOverAt?: string;
}

export interface SavepointStatus {
  readonly phase: SavepointPhase;
  readonly uri?: string;
  /** The state in it is not older than this; not known for every one. */
  readonly takenAt?: string;
  /** The Flink job that it was taken of, and where; undefined for an external one. */
  readonly flinkJobId?: string;
  readonly cluster?: ClusterRef;
  readonly operation?: SavepointOperation;
  readonly source: AcceptedSource;
  readonly conditions: readonly Condition[];
  readonly history: readonly Transition[];
}

interface RecordBase {
  readonly id: ResourceId;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** One file of the status branch: the accepted manifest with its status. */
export interface JobRecord extends RecordBase {
  readonly kind: "Job";
  readonly spec: JobSpec;
  readonly status: JobStatus;
}

export interface ArtifactRecord extends RecordBase {
  readonly kind: "Artifact";
  readonly spec: ArtifactSpec;
  readonly status: ArtifactStatus;
}

export interface SavepointRecord extends RecordBase {
  readonly kind: "Savepoint";
  readonly spec: SavepointSpec;
  readonly status: SavepointStatus;
}

export type ResourceRecord = JobRecord | ArtifactRecord | SavepointRecord;
export type RecordKind = ResourceRecord["kind"];

/** `summary.yaml`: what the whole branch stands for. */
export interface Summary {
  /** The newest commit of the manifests' branch that this status is about. */
  readonly appliedCommit: string;
  /** Changes when, and only when, something under the configured paths does. */
  readonly manifestsDigest: string;
  /** The source's settings; a change of them holds deletions. */
  readonly source: {
    readonly url: string;
    readonly branch: string;
    readonly paths: readonly string[];
    readonly zones: readonly string[];
  };
  readonly instance: string;
  readonly problems: readonly string[];
  /** Since when it is known that an earlier status branch was lost, until a commit with the trailer says that nothing is to be waited for. */
  readonly statusLost?: string;
  /** With `status.target: inline`: why some manifests do not show their status. Absent when all do. */
  readonly unmirrored?: readonly string[];
  /** With `repository.verify`: why the newest commit is not the one that is applied. */
  readonly refused?: string;
  /** Live Flink jobs with this instance's prefix that no record speaks of; never touched. */
  readonly orphans: readonly string[];
  /** Live Flink jobs of others, as of the last commit of the status; they alone are no reason for one. */
  readonly unmanaged: readonly string[];
}
