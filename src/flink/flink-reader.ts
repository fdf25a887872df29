import type { Clock } from "../common/clock.ts";
import { type FlinkObserver, UNOBSERVED_FLINK } from "../common/observer.ts";
import type { Redactor } from "../common/redactor.ts";
import type { ClusterConfig } from "../config/config.ts";
import { CircuitBreaker } from "./circuit-breaker.ts";
import { FlinkAnswerError, FlinkRejectedError } from "./errors.ts";
import * as decode from "./responses.ts";
import { readRootCause, type RootCause } from "./root-cause.ts";
import { type Answer, type Call, endpointOf, FlinkTransport, type Target, type TransportSettings } from "./transport.ts";

/** A cluster of the configuration; whatever else that one holds is not looked at. */
export type FlinkClientSettings = TransportSettings &
  Pick<ClusterConfig, "timeoutMs"> & {
    /** For uploads, and for submissions, which last as long as the user's main(). */
    readonly submitTimeoutMs?: number;
  };

export interface FlinkClientDeps {
  readonly clock: Clock;
  /** For all that Flink answers. */
  readonly redactor?: Redactor;
  readonly observer?: FlinkObserver;
}

export type SavepointOperation =
  | { readonly kind: "in-progress" }
  | { readonly kind: "completed"; readonly location: string }
  /** `savedAt`: the savepoint is there and usable, only the stop after it failed. Whether the job still runs has to be looked up. */
  | { readonly kind: "failed"; readonly cause: RootCause; readonly savedAt: string | undefined }
  /** The JobManager does not know it: never asked, forgotten after 5 minutes, or lost with the process. */
  | { readonly kind: "unknown-trigger" };

export type DisposalOperation =
  | { readonly kind: "in-progress" }
  | { readonly kind: "completed" }
  | { readonly kind: "failed"; readonly cause: RootCause }
  | { readonly kind: "unknown-trigger" };

export interface FlinkFailure {
  readonly cause: RootCause;
  readonly atMs: number;
  readonly taskName: string | undefined;
}

export const MAX_BYTES = 16 * 1024 * 1024;

/**
 * The half of Flink's REST API, 1.16 to 2.3, that changes nothing, one method a call; reads may be asked again. Who is only to look is
 * given this one, which has no other methods. Whoever creates it closes it.
 */
export class FlinkReader {
  readonly name: string;
  protected readonly transport: FlinkTransport;
  readonly #timeoutMs: number;

  constructor(settings: FlinkClientSettings, deps: FlinkClientDeps) {
    this.name = settings.name;
    this.#timeoutMs = settings.timeoutMs;
    const { clock, observer = UNOBSERVED_FLINK, redactor } = deps;
    const breaker = new CircuitBreaker(clock, {}, (state) => observer.breakerChanged(state));
    const parts = { breaker, clock, observer, ...(redactor === undefined ? {} : { redactor }) };
    this.transport = new FlinkTransport(settings, settings.timeoutMs, parts);
  }

  /** Ends all connections; calls under way fail. */
  async close(): Promise<void> {
    await this.transport.close();
  }

  async readConfig(signal: AbortSignal): Promise<decode.FlinkConfig> {
    return this.read("/config", decode.decodeConfig, signal);
  }

  async readJobManagerConfig(signal: AbortSignal): Promise<decode.JobManagerConfig> {
    return this.read("/jobmanager/config", decode.decodeJobManagerConfig, signal);
  }

  /** The release of the JVM that the JobManager runs on. */
  async readJavaVersion(signal: AbortSignal): Promise<number | undefined> {
    return this.read("/jobmanager/environment", decode.decodeJavaVersion, signal);
  }

  async readOverview(signal: AbortSignal): Promise<decode.FlinkOverview> {
    return this.read("/overview", decode.decodeOverview, signal);
  }

  /**
   * How many slots each job holds, by Flink job id, also of jobs that the JobManager has forgotten. Undefined when Flink does not tell
   * (1.16). One call for each TaskManager.
   */
  async readSlotHolders(signal: AbortSignal): Promise<ReadonlyMap<string, number> | undefined> {
    const taskManagers = await this.read("/taskmanagers", decode.decodeTaskManagerIds, signal);
    const holders = new Map<string, number>();
    for (const id of taskManagers) {
      const call = this.call({ method: "GET", path: `/taskmanagers/${encodeURIComponent(id)}` });
      const answer = await this.transport.call(call, signal);
      if (answer.status === 404) continue; // It left since the list was made, and its slots with it.
      if (answer.status !== 200) throw this.rejected(call, answer);
      const slots = this.decoded(call, answer, decode.decodeAllocatedSlots);
      if (slots === undefined) return undefined;
      for (const flinkJobId of slots) holders.set(flinkJobId, (holders.get(flinkJobId) ?? 0) + 1);
    }
    return holders;
  }

  /** All jobs the cluster knows, ended ones included for as long as it keeps them (an hour by default). */
  async readJobs(signal: AbortSignal): Promise<readonly decode.FlinkJobSummary[]> {
    return this.read("/jobs/overview", decode.decodeJobs, signal);
  }

  /** Undefined only when Flink itself says that it does not know the job; while its main() still runs it does not. */
  async readJob(flinkJobId: string, signal: AbortSignal): Promise<decode.FlinkJob | undefined> {
    return this.readOfJob(flinkJobId, "", decode.decodeJob, signal);
  }

  /** Undefined when Flink does not know the job. Up to 3 s old. */
  async readCheckpoints(flinkJobId: string, signal: AbortSignal): Promise<decode.FlinkCheckpoints | undefined> {
    return this.readOfJob(flinkJobId, "/checkpoints", decode.decodeCheckpoints, signal);
  }

  /** Undefined when Flink does not know the job. */
  async readCheckpointConfig(flinkJobId: string, signal: AbortSignal): Promise<decode.FlinkCheckpointConfig | undefined> {
    return this.readOfJob(flinkJobId, "/checkpoints/config", decode.decodeCheckpointConfig, signal);
  }

  /** The newest failure of the job, also of one that went on since; undefined when it has none or Flink does not know the job. */
  async readExceptions(flinkJobId: string, signal: AbortSignal): Promise<FlinkFailure | undefined> {
    const path = "/exceptions?maxExceptions=1";
    const newest = await this.readOfJob(flinkJobId, path, (value) => decode.decodeNewestException(value), signal);
    if (newest === undefined) return undefined;
    return { cause: readRootCause([newest.stackTrace]), atMs: newest.atMs, taskName: newest.taskName };
  }

  async listJars(signal: AbortSignal): Promise<readonly decode.FlinkJar[]> {
    return this.read("/jars", decode.decodeJars, signal);
  }

  /** Of a savepoint or a stop. A failed stop does not tell whether the job runs. */
  async readSavepointOperation(flinkJobId: string, triggerId: string, signal: AbortSignal): Promise<SavepointOperation> {
    const operation = await this.readOperation(`/jobs/${flinkJobId}/savepoints/${triggerId}`, signal);
    if (operation.kind === "completed") {
      if (operation.location !== undefined) return { kind: "completed", location: operation.location };
      const call = this.call({ method: "GET", path: `/jobs/${flinkJobId}/savepoints/${triggerId}` });
      throw this.strange(call, 200, "the savepoint is completed and has no location");
    }
    if (operation.kind !== "failed") return operation;
    const savedAt = /A savepoint has been created at: (\S{1,4000}), but/.exec(operation.stackTrace)?.[1];
    return { kind: "failed", cause: readRootCause([operation.stackTrace]), savedAt };
  }

  async readDisposal(triggerId: string, signal: AbortSignal): Promise<DisposalOperation> {
    const operation = await this.readOperation(`/savepoint-disposal/${triggerId}`, signal);
    if (operation.kind === "failed") return { kind: "failed", cause: readRootCause([operation.stackTrace]) };
    return operation.kind === "completed" ? { kind: "completed" } : operation;
  }

  /** What was asked of an adaptive scheduler, by vertex. Refused by any other scheduler and before 1.18. */
  async readResourceRequirements(
    flinkJobId: string,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, decode.ResourceRequirement>> {
    return this.read(`/jobs/${flinkJobId}/resource-requirements`, decode.decodeResourceRequirements, signal);
  }

  protected async read<T>(path: string, decoder: (value: unknown) => T, signal: AbortSignal): Promise<T> {
    const call = this.call({ method: "GET", path });
    return this.decoded(call, await this.send(call, [200], signal), decoder);
  }

  protected async readOfJob<T>(
    flinkJobId: string,
    path: string,
    decoder: (value: unknown) => T,
    signal: AbortSignal,
  ): Promise<T | undefined> {
    const call = this.call({ method: "GET", path: `/jobs/${flinkJobId}${path}` });
    const answer = await this.transport.call(call, signal);
    if (answer.status === 404 && answer.errors.some(isJobNotFound)) return undefined;
    if (answer.status !== 200) throw this.rejected(call, answer);
    return this.decoded(call, answer, decoder);
  }

  protected async readOperation(
    path: string,
    signal: AbortSignal,
  ): Promise<decode.DecodedOperation | { readonly kind: "unknown-trigger" }> {
    const call = this.call({ method: "GET", path });
    const answer = await this.transport.call(call, signal);
    if (answer.status === 404 && answer.errors.some(isUnknownTrigger)) return { kind: "unknown-trigger" };
    if (answer.status !== 200) throw this.rejected(call, answer);
    return this.decoded(call, answer, decode.decodeOperation);
  }

  protected async send(call: Call, expected: readonly number[], signal: AbortSignal): Promise<Answer> {
    const answer = await this.transport.call(call, signal);
    if (expected.includes(answer.status)) return answer;
    throw this.rejected(call, answer);
  }

  protected call(target: Target, json?: unknown): Call {
    return { ...target, timeoutMs: this.#timeoutMs, maxBytes: MAX_BYTES, ...(json === undefined ? {} : { json }) };
  }

  protected decoded<T>(call: Call, answer: Answer, decoder: (value: unknown) => T): T {
    try {
      return decoder(answer.value);
    } catch (error) {
      if (!(error instanceof decode.WrongShapeError)) throw error;
      throw this.strange(call, answer.status, error.message, { cause: error });
    }
  }

  protected rejected(call: Call, answer: Answer): Error {
    if (answer.status < 300) return this.strange(call, answer.status, "its status is none that was expected");
    const data = { cluster: this.name, endpoint: endpointOf(call) };
    return new FlinkRejectedError(data, answer.status, readRootCause(answer.errors));
  }

  protected strange(call: Call, status: number, because: string, options?: ErrorOptions): FlinkAnswerError {
    return new FlinkAnswerError({ cluster: this.name, endpoint: endpointOf(call) }, status, because, options);
  }
}

/** `Job <id> not found`, which only Flink says: a 404 for a path that nobody serves reads otherwise. */
function isJobNotFound(text: string): boolean {
  return /Job [0-9a-f]{32} not found/.test(text);
}

function isUnknownTrigger(text: string): boolean {
  return /There is no savepoint operation with triggerId=|Operation not found under key/.test(text);
}
