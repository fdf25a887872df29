import { FLINK_STATES, type FlinkState } from "../model/flink-job-state.ts";
import { majorMinorOf } from "./cluster-version.ts";

/** An answer that cannot be what was asked for; `message` names the member and what was found. */
export class WrongShapeError extends Error {
  override readonly name = "WrongShapeError";
}

export interface FlinkConfig {
  /** With its patch: `1.16.3`. */
  readonly flinkVersion: string;
  readonly features: {
    /** Jars can be uploaded and run. */
    readonly webSubmit: boolean;
    /** In-place rescaling: an adaptive scheduler, from 1.18 on. */
    readonly webRescale: boolean;
  };
}

export interface JobManagerConfig {
  /** The UUID in `web.tmpdir`: new with each start of the JobManager. */
  readonly incarnation: string;
  readonly checkpointsDir: string | undefined;
  readonly savepointsDir: string | undefined;
  /** `NONE` when jobs do not survive the JobManager; otherwise `ZOOKEEPER`, `KUBERNETES` or a factory's class. */
  readonly highAvailability: string;
  /** As configured, in lower case; `default` when it is not. */
  readonly scheduler: string;
  /** Everything, as Flink shows it: its own secrets are masked already. */
  readonly entries: ReadonlyMap<string, string>;
}

export interface FlinkOverview {
  readonly slotsTotal: number;
  readonly slotsFree: number;
  readonly taskManagers: number;
}

export { FLINK_STATES, type FlinkState };

/** Whether the job has ended for ever in the eyes of its cluster. */
export function isTerminal(state: string): boolean {
  return state === "FINISHED" || state === "CANCELED" || state === "FAILED";
}

/** How many tasks are in which state. `total` is 0 while the job has no tasks yet: INITIALIZING, and CREATED of an adaptive scheduler. */
export interface TaskCounts {
  readonly total: number;
  readonly running: number;
  readonly finished: number;
  readonly failed: number;
  readonly canceled: number;
  readonly scheduled: number;
  readonly deploying: number;
  readonly initializing: number;
}

/** A line of `/jobs/overview`. */
export interface FlinkJobSummary {
  readonly flinkJobId: string;
  /** The program's own, free choice: never an identity. */
  readonly name: string;
  readonly state: FlinkState;
  readonly startTimeMs: number;
  /** Undefined while it has not ended. */
  readonly endTimeMs: number | undefined;
  /** When job or tasks last changed their state; checkpoints do not move it. */
  readonly lastModifiedMs: number;
  readonly tasks: TaskCounts;
}

export interface FlinkVertex {
  readonly id: string;
  readonly name: string;
  readonly parallelism: number;
  readonly maxParallelism: number;
}

/** `/jobs/:id`: up to `web.refresh-interval` (3 s) older than the overview. */
export interface FlinkJob {
  readonly flinkJobId: string;
  readonly name: string;
  readonly state: FlinkState;
  readonly startTimeMs: number;
  readonly endTimeMs: number | undefined;
  readonly vertices: readonly FlinkVertex[];
}

export interface CompletedCheckpoint {
  readonly id: number;
  readonly triggeredAtMs: number;
  readonly isSavepoint: boolean;
  /** Undefined when it lives in the JobManager's memory only. */
  readonly externalPath: string | undefined;
}

export interface FlinkCheckpoints {
  readonly counts: {
    readonly restored: number;
    readonly total: number;
    readonly inProgress: number;
    readonly completed: number;
    readonly failed: number;
  };
  readonly latestCompleted: CompletedCheckpoint | undefined;
  readonly latestSavepoint: CompletedCheckpoint | undefined;
  readonly latestFailed: { readonly failedAtMs: number; readonly message: string } | undefined;
  readonly restored:
    | {
        readonly id: number;
        readonly restoredAtMs: number;
        readonly isSavepoint: boolean;
        readonly externalPath: string | undefined;
      }
    | undefined;
}

export interface FlinkCheckpointConfig {
  /** Undefined: checkpointing is off. */
  readonly intervalMs: number | undefined;
  readonly mode: string;
  readonly timeoutMs: number;
  /** Completed checkpoints stay when the job is cancelled or fails. */
  readonly retained: boolean;
}

export interface FlinkJar {
  /** `<uuid>_<the name it was uploaded under>`. */
  readonly id: string;
  readonly name: string;
  readonly uploadedAtMs: number;
}

/** The bounds of one vertex, as asked for; what is reached is the vertex' `parallelism`. */
export interface ResourceRequirement {
  readonly lowerBound: number;
  readonly upperBound: number;
}

export function decodeConfig(value: unknown): FlinkConfig {
  const flinkVersion = text(value, "flink-version");
  if (majorMinorOf(flinkVersion) === undefined) throw new WrongShapeError(`flink-version is ${shown(flinkVersion)}`);
  const features = member(value, "features");
  return {
    flinkVersion,
    features: { webSubmit: flag(features, "web-submit", false), webRescale: flag(features, "web-rescale", false) },
  };
}

export function decodeJobManagerConfig(value: unknown): JobManagerConfig {
  const entries = new Map(list(value, "the configuration").map((entry) => [text(entry, "key"), text(entry, "value")] as const));
  const incarnation = /flink-web-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/.exec(entries.get("web.tmpdir") ?? "")?.[1];
  if (incarnation === undefined) throw new WrongShapeError(`web.tmpdir is ${shown(entries.get("web.tmpdir"))}`);
  // From 1.20 on the names of the right are the new ones; the old ones are still read by Flink.
  const either = (...keys: string[]): string | undefined =>
    keys.map((key) => entries.get(key)).find((found) => found !== undefined && found !== "");
  return {
    incarnation,
    checkpointsDir: either("execution.checkpointing.dir", "state.checkpoints.dir"),
    savepointsDir: either("execution.checkpointing.savepoint-dir", "state.savepoints.dir"),
    highAvailability: either("high-availability.type", "high-availability") ?? "NONE",
    scheduler: (either("jobmanager.scheduler") ?? "default").toLowerCase(),
    entries,
  };
}

/** The release of the JVM, `17` of `OpenJDK 64-Bit Server VM - Debian - 17/17.0.13+11`, `8` of `… - 1.8/25.392-b08`; undefined when it is worded otherwise. */
export function decodeJavaVersion(value: unknown): number | undefined {
  const version = optionalText(member(value, "jvm"), "version") ?? "";
  const release = /(?:^|[\s-])(?:1\.)?(\d{1,3})(?:\.\d+)*\/[\w.+-]+$/.exec(version)?.[1];
  return release === undefined ? undefined : Number(release);
}

export function decodeOverview(value: unknown): FlinkOverview {
  return {
    slotsTotal: count(value, "slots-total"),
    slotsFree: count(value, "slots-available"),
    taskManagers: count(value, "taskmanagers"),
  };
}

export function decodeTaskManagerIds(value: unknown): readonly string[] {
  return list(member(value, "taskmanagers"), "taskmanagers").map((taskManager) => text(taskManager, "id"));
}

/** The Flink job id of each slot that is taken on one TaskManager; undefined when Flink does not tell (1.16 lists none). */
export function decodeAllocatedSlots(value: unknown): readonly string[] | undefined {
  const holders = list(member(value, "allocatedSlots"), "allocatedSlots").map((slot) => text(slot, "jobId"));
  const taken = count(value, "slotsNumber") - count(value, "freeSlots");
  return holders.length === 0 && taken > 0 ? undefined : holders;
}

export function decodeJobs(value: unknown): readonly FlinkJobSummary[] {
  return list(member(value, "jobs"), "jobs").map((job) => ({
    flinkJobId: text(job, "jid"),
    name: text(job, "name"),
    state: stateOf(job),
    startTimeMs: number(job, "start-time"),
    endTimeMs: endTime(job),
    lastModifiedMs: number(job, "last-modification"),
    tasks: taskCounts(member(job, "tasks")),
  }));
}

export function decodeJob(value: unknown): FlinkJob {
  return {
    flinkJobId: text(value, "jid"),
    name: text(value, "name"),
    state: stateOf(value),
    startTimeMs: number(value, "start-time"),
    endTimeMs: endTime(value),
    vertices: list(member(value, "vertices"), "vertices").map((vertex) => ({
      id: text(vertex, "id"),
      name: text(vertex, "name"),
      parallelism: number(vertex, "parallelism"),
      maxParallelism: number(vertex, "maxParallelism"),
    })),
  };
}

export function decodeCheckpoints(value: unknown): FlinkCheckpoints {
  const counts = member(value, "counts");
  const latest = member(value, "latest");
  const failed = optionalMember(latest, "failed");
  const restored = optionalMember(latest, "restored");
  return {
    counts: {
      restored: count(counts, "restored"),
      total: count(counts, "total"),
      inProgress: count(counts, "in_progress"),
      completed: count(counts, "completed"),
      failed: count(counts, "failed"),
    },
    latestCompleted: completed(optionalMember(latest, "completed")),
    latestSavepoint: completed(optionalMember(latest, "savepoint")),
    latestFailed:
      failed === undefined
        ? undefined
        : {
            failedAtMs: number(failed, "failure_timestamp"),
            message: optionalText(failed, "failure_message") ?? "no reason given",
          },
    restored:
      restored === undefined
        ? undefined
        : {
            id: number(restored, "id"),
            restoredAtMs: number(restored, "restore_timestamp"),
            isSavepoint: flag(restored, "is_savepoint", false),
            externalPath: externalPath(restored),
          },
  };
}

/** Flink says "off" with an interval of 2^63 - 1, which JSON numbers cannot hold exactly. */
const LONGEST_INTERVAL_MS = 1e15;

export function decodeCheckpointConfig(value: unknown): FlinkCheckpointConfig {
  const intervalMs = number(value, "interval");
  const externalization = member(value, "externalization");
  return {
    intervalMs: intervalMs > LONGEST_INTERVAL_MS ? undefined : intervalMs,
    mode: text(value, "mode"),
    timeoutMs: number(value, "timeout"),
    retained: flag(externalization, "enabled", false) && !flag(externalization, "delete_on_cancellation", true),
  };
}

/** The stack trace of the newest failure and when it was; undefined when there was none. */
export function decodeNewestException(
  value: unknown,
): { readonly stackTrace: string; readonly atMs: number; readonly taskName: string | undefined } | undefined {
  const [newest] = list(member(member(value, "exceptionHistory"), "entries"), "entries");
  if (newest === undefined) return undefined;
  return {
    stackTrace: optionalText(newest, "stacktrace") ?? text(newest, "exceptionName"),
    atMs: number(newest, "timestamp"),
    taskName: optionalText(newest, "taskName"),
  };
}

export function decodeJars(value: unknown): readonly FlinkJar[] {
  return list(member(value, "files"), "files").map((jar) => ({
    id: text(jar, "id"),
    name: text(jar, "name"),
    uploadedAtMs: number(jar, "uploaded"),
  }));
}

/** The id of an uploaded jar is the last part of the path under which the JobManager keeps it (which may be a Windows path). */
export function decodeUpload(value: unknown): string {
  const id = text(value, "filename").split(/[/\\]/).at(-1) ?? "";
  if (!id.endsWith(".jar")) throw new WrongShapeError(`filename ends in ${shown(id)}`);
  return id;
}

export function decodeRun(value: unknown): string {
  return text(value, "jobid");
}

export function decodeRequestId(value: unknown): string {
  return text(value, "request-id");
}

/** What a savepoint, a stop or a disposal has come to; a failure still as Flink's stack trace. */
export type DecodedOperation =
  | { readonly kind: "in-progress" }
  | { readonly kind: "completed"; readonly location: string | undefined }
  | { readonly kind: "failed"; readonly stackTrace: string };

export function decodeOperation(value: unknown): DecodedOperation {
  const status = text(member(value, "status"), "id");
  if (status === "IN_PROGRESS") return { kind: "in-progress" };
  if (status !== "COMPLETED") throw new WrongShapeError(`status.id is ${shown(status)}`);
  const operation = optionalMember(value, "operation");
  const failure = operation === undefined ? undefined : optionalMember(operation, "failure-cause");
  if (failure !== undefined) {
    return { kind: "failed", stackTrace: optionalText(failure, "stack-trace") ?? text(failure, "class") };
  }
  return { kind: "completed", location: operation === undefined ? undefined : optionalText(operation, "location") };
}

export function decodeResourceRequirements(value: unknown): ReadonlyMap<string, ResourceRequirement> {
  const vertices = Object.entries(record(value, "the answer"));
  return new Map(
    vertices.map(([id, vertex]) => {
      const parallelism = member(vertex, "parallelism");
      return [id, { lowerBound: number(parallelism, "lowerBound"), upperBound: number(parallelism, "upperBound") }] as const;
    }),
  );
}

/** The strings of Flink's `{"errors": […]}`; undefined when the value is something else, as a proxy may send. */
export function decodeErrors(value: unknown): readonly string[] | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const errors: unknown = Reflect.get(value, "errors");
  if (!Array.isArray(errors)) return undefined;
  return errors.filter((error): error is string => typeof error === "string");
}

function completed(value: unknown): CompletedCheckpoint | undefined {
  if (value === undefined) return undefined;
  return {
    id: number(value, "id"),
    triggeredAtMs: number(value, "trigger_timestamp"),
    isSavepoint: flag(value, "is_savepoint", false),
    externalPath: externalPath(value),
  };
}

/** Without a storage directory Flink writes `<checkpoint-not-externally-addressable>`. */
function externalPath(value: unknown): string | undefined {
  const path = optionalText(value, "external_path");
  return path === undefined || path === "" || path.startsWith("<") ? undefined : path;
}

function taskCounts(value: unknown): TaskCounts {
  const of = (name: string): number => (optionalMember(value, name) === undefined ? 0 : count(value, name));
  return {
    total: count(value, "total"),
    running: of("running"),
    finished: of("finished"),
    failed: of("failed"),
    canceled: of("canceled"),
    scheduled: of("scheduled"),
    deploying: of("deploying"),
    initializing: of("initializing"),
  };
}

function endTime(value: unknown): number | undefined {
  const endMs = number(value, "end-time");
  return endMs < 0 ? undefined : endMs;
}

function stateOf(value: unknown): FlinkState {
  const found = text(value, "state");
  const known = FLINK_STATES.find((candidate) => candidate === found);
  if (known === undefined) throw new WrongShapeError(`state is ${shown(found)}`);
  return known;
}

function record(value: unknown, what: string): object {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new WrongShapeError(`${what} is ${shown(value)}`);
  return value;
}

function list(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new WrongShapeError(`${what} is ${shown(value)}`);
  return value;
}

function member(value: unknown, name: string): unknown {
  const found: unknown = Reflect.get(record(value, "the answer"), name);
  if (found === undefined || found === null) throw new WrongShapeError(`${name} is missing`);
  return found;
}

function optionalMember(value: unknown, name: string): unknown {
  const found: unknown = Reflect.get(record(value, "the answer"), name);
  return found ?? undefined;
}

function text(value: unknown, name: string): string {
  const found = member(value, name);
  if (typeof found !== "string") throw new WrongShapeError(`${name} is ${shown(found)}`);
  return found;
}

function optionalText(value: unknown, name: string): string | undefined {
  const found = optionalMember(value, name);
  return typeof found === "string" ? found : undefined;
}

function number(value: unknown, name: string): number {
  const found = member(value, name);
  if (typeof found !== "number" || !Number.isFinite(found)) throw new WrongShapeError(`${name} is ${shown(found)}`);
  return found;
}

function count(value: unknown, name: string): number {
  const found = number(value, name);
  if (!Number.isInteger(found) || found < 0) throw new WrongShapeError(`${name} is ${found}`);
  return found;
}

function flag(value: unknown, name: string, otherwise: boolean): boolean {
  const found = optionalMember(value, name);
  return typeof found === "boolean" ? found : otherwise;
}

function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, 80));
  return value === null || value === undefined ? "missing" : `of type ${Array.isArray(value) ? "array" : typeof value}`;
}
