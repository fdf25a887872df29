import { buildUpload, type JarFile } from "./multipart.ts";
import * as decode from "./responses.ts";
import { buildRunRequest, type RunOptions } from "./run-request.ts";
import { FlinkReader, MAX_BYTES, type FlinkClientDeps, type FlinkClientSettings } from "./flink-reader.ts";
import type { Call, Target } from "./transport.ts";

export type CancelResult = "accepted" | "already-ended" | "not-found";

export interface SavepointRequest {
  /** 32 hex digits, announced before, used for this one operation only: Flink keeps savepoints and stops under one roof. */
  readonly triggerId: string;
  readonly targetDirectory: string;
}

const SUBMIT_TIMEOUT_MS = 120_000;

/**
 * Flink's REST API, 1.16 to 2.3, one method a call: what the reader has, and all that changes something. Writes are never repeated: after a
 * lost answer (`FlinkUnreachableError`, `FlinkAnswerError` with outcome "unknown") the caller looks. Whoever creates it closes it.
 */
export class FlinkClient extends FlinkReader {
  readonly #submitTimeoutMs: number;

  constructor(settings: FlinkClientSettings, deps: FlinkClientDeps) {
    super(settings, deps);
    this.#submitTimeoutMs = settings.submitTimeoutMs ?? SUBMIT_TIMEOUT_MS;
  }

  /** Streams the file; the id of the new copy. Each upload is a copy of its own: a lost answer costs disk, nothing else. */
  async uploadJar(jar: JarFile, signal: AbortSignal): Promise<string> {
    const call: Call = {
      write: "upload-jar",
      timeoutMs: this.#submitTimeoutMs,
      maxBytes: MAX_BYTES,
      upload: buildUpload(jar),
    };
    return this.decoded(call, await this.send(call, [200], signal), decode.decodeUpload);
  }

  /**
   * Submits the job under the id that was announced before and returns when its main() has returned. After any error the job may
   * exist nevertheless (also FAILED, or running): look with `readJob` before it is believed.
   */
  async runJar(jarId: string, options: RunOptions, signal: AbortSignal): Promise<void> {
    const call: Call = {
      write: "run-jar",
      id: jarId,
      timeoutMs: this.#submitTimeoutMs,
      maxBytes: MAX_BYTES,
      json: buildRunRequest(options),
      slow: true,
    };
    const flinkJobId = this.decoded(call, await this.send(call, [200], signal), decode.decodeRun);
    if (flinkJobId !== options.flinkJobId) throw this.strange(call, 200, `it started ${flinkJobId} instead of the job asked for`);
  }

  /** Gone is gone: a jar that Flink does not know is none to complain about. */
  async deleteJar(jarId: string, signal: AbortSignal): Promise<void> {
    const call = this.call({ write: "delete-jar", id: jarId });
    const answer = await this.transport.call(call, signal);
    if (answer.status === 200 || answer.errors.some((text) => /File .* does not exist in /.test(text))) return;
    throw this.rejected(call, answer);
  }

  /** Asks for it; the job is CANCELED some time later. Harmless to repeat. */
  async cancelJob(flinkJobId: string, signal: AbortSignal): Promise<CancelResult> {
    const call = this.call({ write: "cancel-job", id: flinkJobId });
    const answer = await this.transport.call(call, signal);
    if (answer.status === 202) return "accepted";
    if (answer.status === 409) return "already-ended";
    if (answer.status === 404 && answer.errors.some((text) => text.includes("Job could not be found"))) return "not-found";
    throw this.rejected(call, answer);
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
    await this.#trigger({ write: "stop-job", id: flinkJobId }, triggerId, { triggerId, targetDirectory, drain }, signal);
  }

  /** Asks for a savepoint; the job goes on. As with `stopWithSavepoint` the result comes later. */
  async triggerSavepoint(flinkJobId: string, options: SavepointRequest, signal: AbortSignal): Promise<void> {
    const { triggerId, targetDirectory } = options;
    const json = { triggerId, "target-directory": targetDirectory, "cancel-job": false };
    await this.#trigger({ write: "take-savepoint", id: flinkJobId }, triggerId, json, signal);
  }

  /** Has Flink delete a savepoint or a retained checkpoint; the trigger id to ask for the result with. */
  async disposeSavepoint(path: string, signal: AbortSignal): Promise<string> {
    const call = this.call({ write: "dispose-savepoint" }, { "savepoint-path": path });
    return this.decoded(call, await this.send(call, [200, 202], signal), decode.decodeRequestId);
  }

  /** Asks for another parallelism; every vertex of the job has to be named. Harmless to repeat. */
  async putResourceRequirements(
    flinkJobId: string,
    requirements: ReadonlyMap<string, decode.ResourceRequirement>,
    signal: AbortSignal,
  ): Promise<void> {
    const json = Object.fromEntries([...requirements].map(([id, parallelism]) => [id, { parallelism }]));
    await this.send(this.call({ write: "rescale-job", id: flinkJobId }, json), [200], signal);
  }

  async #trigger(target: Target, triggerId: string, json: unknown, signal: AbortSignal): Promise<void> {
    const call = this.call(target, json);
    const requestId = this.decoded(call, await this.send(call, [202], signal), decode.decodeRequestId);
    if (requestId !== triggerId) throw this.strange(call, 202, `it goes by the trigger id ${requestId} instead of ours`);
  }
}
