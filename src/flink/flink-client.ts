import type { Clock } from "../common/clock.ts";
import type { ClusterConfig } from "../config/config.ts";
import { CircuitBreaker } from "./circuit-breaker.ts";
import { FlinkAnswerError, FlinkRejectedError } from "./errors.ts";
import { buildUpload, type JarFile } from "./multipart.ts";
import * as decode from "./responses.ts";
import { readRootCause, type RootCause } from "./root-cause.ts";
import { buildRunRequest, type RunOptions } from "./run-request.ts";
import { type Answer, type Call, endpointOf, FlinkTransport, type TransportSettings } from "./transport.ts";

/** A cluster of the configuration; whatever else that one holds is not looked at. */
export type FlinkClientSettings = TransportSettings &
  Pick<ClusterConfig, "timeoutMs"> & {
    /** For uploads, and for submissions, which last as long as the user's main(). */
    readonly submitTimeoutMs?: number;
  };

export interface FlinkClientDeps {
  readonly clock: Clock;
}

export type CancelResult = "accepted" | "already-ended" | "not-found";

export interface SavepointRequest {
  /** 32 hex digits, announced before, used for this one operation only: Flink keeps savepoints and stops under one roof. */
  readonly triggerId: string;
  readonly targetDirectory: string;
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

const SUBMIT_TIMEOUT_MS = 120_000;
const MAX_BYTES = 16 * 1024 * 1024;

/**
 * Flink's REST API, 1.16 to 2.3, one method a call. Reads may be asked again; writes never are: after a lost answer
 * (`FlinkUnreachableError`, `FlinkAnswerError` with outcome "unknown") the caller looks. Whoever creates it closes it.
 */
export class FlinkClient {
  readonly name: string;
  readonly #transport: FlinkTransport;
  readonly #timeoutMs: number;
  readonly #submitTimeoutMs: number;

  constructor(settings: FlinkClientSettings, deps: FlinkClientDeps) {
    this.name = settings.name;
    this.#timeoutMs = settings.timeoutMs;
    this.#submitTimeoutMs = settings.submitTimeoutMs ?? SUBMIT_TIMEOUT_MS;
    this.#transport = new FlinkTransport(settings, settings.timeoutMs, new CircuitBreaker(deps.clock));
  }

  /** Ends all connections; calls under way fail. */
  async close(): Promise<void> {
    await this.#transport.close();
  }

  async readConfig(signal: AbortSignal): Promise<decode.FlinkConfig> {
    return this.#read("/config", decode.decodeConfig, signal);
  }

  async readJobManagerConfig(signal: AbortSignal): Promise<decode.JobManagerConfig> {
    return this.#read("/jobmanager/config", decode.decodeJobManagerConfig, signal);
  }

  async readOverview(signal: AbortSignal): Promise<decode.FlinkOverview> {
    return this.#read("/overview", decode.decodeOverview, signal);
  }

  /**
   * How many slots each job holds, by Flink job id, also of jobs that the JobManager has forgotten. Undefined when Flink does not tell
   * (1.16). One call for each TaskManager.
   */
  async readSlotHolders(signal: AbortSignal): Promise<ReadonlyMap<string, number> | undefined> {
    const taskManagers = await this.#read("/taskmanagers", decode.decodeTaskManagerIds, signal);
    const holders = new Map<string, number>();
    for (const id of taskManagers) {
      const call = this.#call("GET", `/taskmanagers/${encodeURIComponent(id)}`);
      const answer = await this.#transport.call(call, signal);
      if (answer.status === 404) continue; // It left since the list was made, and its slots with it.
      if (answer.status !== 200) throw this.#rejected(call, answer);
      const slots = this.#decoded(call, answer, decode.decodeAllocatedSlots);
      if (slots === undefined) return undefined;
      for (const flinkJobId of slots) holders.set(flinkJobId, (holders.get(flinkJobId) ?? 0) + 1);
    }
    return holders;
  }

  /** All jobs the cluster knows, ended ones included for as long as it keeps them (an hour by default). */
  async readJobs(signal: AbortSignal): Promise<readonly decode.FlinkJobSummary[]> {
    return this.#read("/jobs/overview", decode.decodeJobs, signal);
  }

  /** Undefined only when Flink itself says that it does not know the job; while its main() still runs it does not. */
  async readJob(flinkJobId: string, signal: AbortSignal): Promise<decode.FlinkJob | undefined> {
    return this.#readOfJob(flinkJobId, "", decode.decodeJob, signal);
  }

  /** Undefined when Flink does not know the job. Up to 3 s old. */
  async readCheckpoints(flinkJobId: string, signal: AbortSignal): Promise<decode.FlinkCheckpoints | undefined> {
    return this.#readOfJob(flinkJobId, "/checkpoints", decode.decodeCheckpoints, signal);
  }

  /** Undefined when Flink does not know the job. */
  async readCheckpointConfig(flinkJobId: string, signal: AbortSignal): Promise<decode.FlinkCheckpointConfig | undefined> {
    return this.#readOfJob(flinkJobId, "/checkpoints/config", decode.decodeCheckpointConfig, signal);
  }

  /** The newest failure of the job, also of one that went on since; undefined when it has none or Flink does not know the job. */
  async readExceptions(flinkJobId: string, signal: AbortSignal): Promise<FlinkFailure | undefined> {
    const path = "/exceptions?maxExceptions=1";
    const newest = await this.#readOfJob(flinkJobId, path, (value) => decode.decodeNewestException(value), signal);
    if (newest === undefined) return undefined;
    return { cause: readRootCause([newest.stackTrace]), atMs: newest.atMs, taskName: newest.taskName };
  }

  async listJars(signal: AbortSignal): Promise<readonly decode.FlinkJar[]> {
    return this.#read("/jars", decode.decodeJars, signal);
  }

  /** Streams the file; the id of the new copy. Each upload is a copy of its own: a lost answer costs disk, nothing else. */
  async uploadJar(jar: JarFile, signal: AbortSignal): Promise<string> {
    const call: Call = {
      method: "POST",
      path: "/jars/upload",
      timeoutMs: this.#submitTimeoutMs,
      maxBytes: MAX_BYTES,
      upload: buildUpload(jar),
    };
    return this.#decoded(call, await this.#send(call, [200], signal), decode.decodeUpload);
  }

  /**
   * Submits the job under the id that was announced before and returns when its main() has returned. After any error the job may
   * exist nevertheless (also FAILED, or running): look with `readJob` before it is believed.
   */
  async runJar(jarId: string, options: RunOptions, signal: AbortSignal): Promise<void> {
    const call: Call = {
      method: "POST",
      path: `/jars/${encodeURIComponent(jarId)}/run`,
      timeoutMs: this.#submitTimeoutMs,
      maxBytes: MAX_BYTES,
      json: buildRunRequest(options),
      slow: true,
    };
    const flinkJobId = this.#decoded(call, await this.#send(call, [200], signal), decode.decodeRun);
    if (flinkJobId !== options.flinkJobId)
      throw this.#strange(call, 200, `it started ${flinkJobId} instead of the job asked for`);
  }

  /** Gone is gone: a jar that Flink does not know is none to complain about. */
  async deleteJar(jarId: string, signal: AbortSignal): Promise<void> {
    const call = this.#call("DELETE", `/jars/${encodeURIComponent(jarId)}`);
    const answer = await this.#transport.call(call, signal);
    if (answer.status === 200 || answer.errors.some((text) => /File .* does not exist in /.test(text))) return;
    throw this.#rejected(call, answer);
  }

  /** Asks for it; the job is CANCELED some time later. Harmless to repeat. */
  async cancelJob(flinkJobId: string, signal: AbortSignal): Promise<CancelResult> {
    const call = this.#call("PATCH", `/jobs/${flinkJobId}?mode=cancel`);
    const answer = await this.#transport.call(call, signal);
    if (answer.status === 202) return "accepted";
    if (answer.status === 409) return "already-ended";
    if (answer.status === 404 && answer.errors.some((text) => text.includes("Job could not be found"))) return "not-found";
    throw this.#rejected(call, answer);
  }

  /**
   * Asks for a stop with a savepoint; the job ends FINISHED. Harmless to repeat with the same trigger id. Flink accepts it for any job,
   * even one it does not know: how it went is told by `readSavepointOperation`, by the job and by the directory.
   */
  async stopWithSavepoint(
    flinkJobId: string,
    options: SavepointRequest & { readonly drain: boolean },
    signal: AbortSignal,
  ): Promise<void> {
    const { triggerId, targetDirectory, drain } = options;
    await this.#trigger(`/jobs/${flinkJobId}/stop`, triggerId, { triggerId, targetDirectory, drain }, signal);
  }

  /** Asks for a savepoint; the job goes on. As with `stopWithSavepoint` the result comes later. */
  async triggerSavepoint(flinkJobId: string, options: SavepointRequest, signal: AbortSignal): Promise<void> {
    const { triggerId, targetDirectory } = options;
    const json = { triggerId, "target-directory": targetDirectory, "cancel-job": false };
    await this.#trigger(`/jobs/${flinkJobId}/savepoints`, triggerId, json, signal);
  }

  /** Of a savepoint or a stop. A failed stop does not tell whether the job runs. */
  async readSavepointOperation(flinkJobId: string, triggerId: string, signal: AbortSignal): Promise<SavepointOperation> {
    const operation = await this.#readOperation(`/jobs/${flinkJobId}/savepoints/${triggerId}`, signal);
    if (operation.kind === "completed") {
      if (operation.location !== undefined) return { kind: "completed", location: operation.location };
      const call = this.#call("GET", `/jobs/${flinkJobId}/savepoints/${triggerId}`);
      throw this.#strange(call, 200, "the savepoint is completed and has no location");
    }
    if (operation.kind !== "failed") return operation;
    const savedAt = /A savepoint has been created at: (\S+), but/.exec(operation.stackTrace)?.[1];
    return { kind: "failed", cause: readRootCause([operation.stackTrace]), savedAt };
  }

  /** Has Flink delete a savepoint or a retained checkpoint; the trigger id to ask for the result with. */
  async disposeSavepoint(path: string, signal: AbortSignal): Promise<string> {
    const call = this.#call("POST", "/savepoint-disposal", { "savepoint-path": path });
    return this.#decoded(call, await this.#send(call, [200, 202], signal), decode.decodeRequestId);
  }

  async readDisposal(triggerId: string, signal: AbortSignal): Promise<DisposalOperation> {
    const operation = await this.#readOperation(`/savepoint-disposal/${triggerId}`, signal);
    if (operation.kind === "failed") return { kind: "failed", cause: readRootCause([operation.stackTrace]) };
    return operation.kind === "completed" ? { kind: "completed" } : operation;
  }

  /** What was asked of an adaptive scheduler, by vertex. Refused by any other scheduler and before 1.18. */
  async readResourceRequirements(
    flinkJobId: string,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, decode.ResourceRequirement>> {
    return this.#read(`/jobs/${flinkJobId}/resource-requirements`, decode.decodeResourceRequirements, signal);
  }

  /** Asks for another parallelism; every vertex of the job has to be named. Harmless to repeat. */
  async putResourceRequirements(
    flinkJobId: string,
    requirements: ReadonlyMap<string, decode.ResourceRequirement>,
    signal: AbortSignal,
  ): Promise<void> {
    const json = Object.fromEntries([...requirements].map(([id, parallelism]) => [id, { parallelism }]));
    await this.#send(this.#call("PUT", `/jobs/${flinkJobId}/resource-requirements`, json), [200], signal);
  }

  async #read<T>(path: string, decoder: (value: unknown) => T, signal: AbortSignal): Promise<T> {
    const call = this.#call("GET", path);
    return this.#decoded(call, await this.#send(call, [200], signal), decoder);
  }

  async #readOfJob<T>(
    flinkJobId: string,
    path: string,
    decoder: (value: unknown) => T,
    signal: AbortSignal,
  ): Promise<T | undefined> {
    const call = this.#call("GET", `/jobs/${flinkJobId}${path}`);
    const answer = await this.#transport.call(call, signal);
    if (answer.status === 404 && answer.errors.some(isJobNotFound)) return undefined;
    if (answer.status !== 200) throw this.#rejected(call, answer);
    return this.#decoded(call, answer, decoder);
  }

  async #readOperation(
    path: string,
    signal: AbortSignal,
  ): Promise<decode.DecodedOperation | { readonly kind: "unknown-trigger" }> {
    const call = this.#call("GET", path);
    const answer = await this.#transport.call(call, signal);
    if (answer.status === 404 && answer.errors.some(isUnknownTrigger)) return { kind: "unknown-trigger" };
    if (answer.status !== 200) throw this.#rejected(call, answer);
    return this.#decoded(call, answer, decode.decodeOperation);
  }

  async #trigger(path: string, triggerId: string, json: unknown, signal: AbortSignal): Promise<void> {
    const call = this.#call("POST", path, json);
    const requestId = this.#decoded(call, await this.#send(call, [202], signal), decode.decodeRequestId);
    if (requestId !== triggerId) throw this.#strange(call, 202, `it goes by the trigger id ${requestId} instead of ours`);
  }

  async #send(call: Call, expected: readonly number[], signal: AbortSignal): Promise<Answer> {
    const answer = await this.#transport.call(call, signal);
    if (expected.includes(answer.status)) return answer;
    throw this.#rejected(call, answer);
  }

  #call(method: Call["method"], path: string, json?: unknown): Call {
    return { method, path, timeoutMs: this.#timeoutMs, maxBytes: MAX_BYTES, ...(json === undefined ? {} : { json }) };
  }

  #decoded<T>(call: Call, answer: Answer, decoder: (value: unknown) => T): T {
    try {
      return decoder(answer.value);
    } catch (error) {
      if (!(error instanceof decode.WrongShapeError)) throw error;
      throw this.#strange(call, answer.status, error.message, { cause: error });
    }
  }

  #rejected(call: Call, answer: Answer): Error {
    if (answer.status < 300) return this.#strange(call, answer.status, "its status is none that was expected");
    const data = { cluster: this.name, endpoint: endpointOf(call) };
    return new FlinkRejectedError(data, answer.status, readRootCause(answer.errors));
  }

  #strange(call: Call, status: number, because: string, options?: ErrorOptions): FlinkAnswerError {
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
