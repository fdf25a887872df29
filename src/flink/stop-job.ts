import { oneLine } from "../common/text.ts";
import type { Cluster } from "./cluster.ts";
import { FlinkRejectedError } from "./errors.ts";
import type { SavepointOperation } from "./flink-reader.ts";
import { lookAtJob, type JobLook } from "./job-look.ts";
import { pollUntil } from "./poll.ts";
import type { SavepointFound } from "./restore-directories.ts";
import { readAftermath, uriIn, type Aftermath, type WentOn } from "./stop-aftermath.ts";

/** A stop that was announced before. Its trigger id and its directory belong to it alone. */
export interface StopRequest {
  readonly flinkJobId: string;
  readonly triggerId: string;
  readonly targetDirectory: string;
  readonly drain: boolean;
  readonly timeoutMs: number;
}

export type StopOutcome =
  /** The job has ended, the savepoint is complete, and the job did nothing after it. */
  | { readonly kind: "stopped"; readonly uri: string }
  /** Nothing happened to the job, and nothing will by this request. */
  | { readonly kind: "still-running"; readonly because: string }
  /** It ended another way: no savepoint of this operation exists, or the job went on after it. */
  | { readonly kind: "ended"; readonly state: string; readonly because: string }
  /** The cluster answers and does not know the job, and no savepoint that could stand for its end lies in the directory. */
  | { readonly kind: "gone"; readonly because: string }
  /** It may still come to a stop: ask again with the same request. */
  | { readonly kind: "unknown"; readonly because: string };

/**
 * Stops the job with a savepoint and waits for both. May be called again with the same request at any time, also by another process:
 * what was asked before is continued and not asked twice. A failed or lost stop is settled by the job and the directory, never by
 * Flink's word alone. Takes `timeoutMs` and at most one more call's time. Never throws but for `signal`.
 */
export async function stopJob(cluster: Cluster, request: StopRequest, signal: AbortSignal): Promise<StopOutcome> {
  const stop = new Stop(cluster, request);
  const polled = await pollUntil(request.timeoutMs, signal, async (either) => stop.step(either));
  return polled.kind === "done" ? polled.value : { kind: "unknown", because: polled.because };
}

/** Everything that one look at a stop shows. */
export interface StopEvidence {
  readonly targetDirectory: string;
  readonly job: JobLook;
  readonly operation: SavepointOperation;
  readonly directory: SavepointFound;
  /** Only looked up when the job has ended and Flink does not vouch for the stop. */
  readonly aftermath: Aftermath | undefined;
  /** Flink has confirmed that it took our request, in this call. */
  readonly asked: boolean;
  /** Flink's reason for not taking it. */
  readonly refusal: string | undefined;
  /** How often it was looked at since the operation, or the job without it, came to an end. */
  readonly looks: number;
}

export type StopVerdict =
  | { readonly kind: "settled"; readonly outcome: StopOutcome }
  | { readonly kind: "ask" }
  | { readonly kind: "look-again" };

class Stop {
  readonly #cluster: Cluster;
  readonly #request: StopRequest;
  #asked = false;
  #refusal: string | undefined;
  #polls = 0;
  #looks = 0;

  constructor(cluster: Cluster, request: StopRequest) {
    this.#cluster = cluster;
    this.#request = request;
  }

  /** One poll: cheap while the operation is in progress, a full look otherwise. */
  async step(signal: AbortSignal): Promise<StopOutcome | undefined> {
    const operation = await this.#readOperation(signal);
    this.#polls += 1;
    if (operation.kind === "in-progress" && this.#polls % POLLS_FOR_A_LOOK !== 0) return undefined;
    const verdict = decideStop(await this.#look(operation, signal));
    switch (verdict.kind) {
      case "ask":
        await this.#ask(signal);
        return undefined;
      case "look-again":
        return undefined;
      case "settled":
        return verdict.outcome;
      default:
        return verdict satisfies never;
    }
  }

  async #readOperation(signal: AbortSignal): Promise<SavepointOperation> {
    const { flinkJobId, triggerId } = this.#request;
    return this.#cluster.client.readSavepointOperation(flinkJobId, triggerId, signal);
  }

  /** The job is looked at after the operation, so that what the operation says of the job can be held against it. */
  async #look(operation: SavepointOperation, signal: AbortSignal): Promise<StopEvidence> {
    const { flinkJobId, targetDirectory } = this.#request;
    const [job, directory] = await Promise.all([
      lookAtJob(this.#cluster, flinkJobId, signal),
      this.#cluster.findSavepoint(targetDirectory, signal),
    ]);
    const doubtful = job.kind !== "live" && operation.kind !== "completed";
    const aftermath = doubtful ? await readAftermath(this.#cluster, this.#request, directory, signal) : undefined;
    this.#looks = operation.kind === "in-progress" && job.kind === "live" ? 0 : this.#looks + 1;
    const [asked, refusal, looks] = [this.#asked, this.#refusal, this.#looks];
    return { targetDirectory, job, operation, directory, aftermath, asked, refusal, looks };
  }

  async #ask(signal: AbortSignal): Promise<void> {
    const { flinkJobId, triggerId, targetDirectory, drain } = this.#request;
    try {
      await this.#cluster.client.stopWithSavepoint(flinkJobId, { triggerId, targetDirectory, drain }, signal);
    } catch (error) {
      // What came of any other failure shows at the next look; asking again is harmless.
      if (!(error instanceof FlinkRejectedError) || error.data.status >= 500) throw error;
      this.#refusal = error.line;
      return;
    }
    this.#asked = true;
    this.#looks = 0;
  }
}

/** The operation is asked for often; the job, which can end without it, about every 2 s. */
const POLLS_FOR_A_LOOK = 8;
/** Job and operation end within some milliseconds of each other. */
const LOOKS_FOR_AN_END = 3;
/** About 2 s: another stop makes ours fail first and ends the job then. */
const LOOKS_FOR_ANOTHERS_END = 14;
/** About 4 s: what Flink says of an ended job's checkpoints can be 3 s old. */
const LOOKS_FOR_FRESH_NUMBERS = 27;

/** What a look means. Pure. */
export function decideStop(evidence: StopEvidence): StopVerdict {
  const { job, operation } = evidence;
  if (operation.kind === "in-progress") {
    return job.kind === "live" || evidence.looks < LOOKS_FOR_AN_END ? { kind: "look-again" } : decideEnded(evidence);
  }
  if (operation.kind === "completed") {
    // Flink completes it when the job is about to show its end.
    if (job.kind === "live") return { kind: "look-again" };
    return stopped(inWords(evidence, operation.location));
  }
  return job.kind === "live" ? decideLive(evidence, job.state) : decideEnded(evidence);
}

function decideLive(evidence: StopEvidence, state: string): StopVerdict {
  const { operation, looks } = evidence;
  if (state === "CANCELLING") return { kind: "look-again" };
  if (operation.kind === "failed") {
    const line = operation.cause.line;
    const anothers = state === "RUNNING" && /suspend|shut(?:ting)? ?down/i.test(line);
    if (looks < (anothers ? LOOKS_FOR_ANOTHERS_END : LOOKS_FOR_AN_END)) return { kind: "look-again" };
    return stillRunning(line);
  }
  if (evidence.refusal !== undefined) return stillRunning(evidence.refusal);
  if (evidence.asked) return stillRunning("the JobManager has forgotten the stop: it was restarted meanwhile");
  if (evidence.directory.kind !== "saved") return { kind: "ask" };
  // Asking again would put a second savepoint beside the first one.
  if (looks < LOOKS_FOR_AN_END) return { kind: "look-again" };
  return stillRunning(`the savepoint ${oneLine(evidence.directory.uri, 300)} was taken, and the job went on after it`);
}

function decideEnded(evidence: StopEvidence): StopVerdict {
  const { job, operation, directory, aftermath } = evidence;
  const line = operation.kind === "failed" ? operation.cause.line : "there is no result of the stop";
  const state = job.kind === "absent" ? undefined : job.state;
  const savedAt =
    operation.kind === "failed" && operation.savedAt !== undefined ? inWords(evidence, operation.savedAt) : undefined;
  const uri = directory.kind === "saved" ? directory.uri : (aftermath?.uri ?? savedAt);
  if (uri === undefined) {
    if (directory.kind === "none") return endedWithout(state, line);
    const because = `whether a savepoint was taken cannot be told: ${directory.kind === "cannot-tell" ? directory.because : line}`;
    if (aftermath?.numbers !== true) return unknown(because);
    return evidence.looks < LOOKS_FOR_FRESH_NUMBERS ? { kind: "look-again" } : endedWithout(state, line);
  }
  const wentOn: WentOn = aftermath?.wentOn ?? { kind: "no" };
  switch (wentOn.kind) {
    case "no":
      return stopped(uri);
    case "cannot-tell":
      return unknown(wentOn.because);
    case "yes":
      if (!wentOn.sure && evidence.looks < LOOKS_FOR_FRESH_NUMBERS) return { kind: "look-again" };
      return endedWithout(state, `it went on after the savepoint ${oneLine(uri, 300)}`);
    default:
      return wentOn satisfies never;
  }
}

/** Flink's words for a place, in ours where it is the announced one. */
function inWords({ targetDirectory }: StopEvidence, location: string): string {
  return uriIn(targetDirectory, location) ?? location;
}

function stopped(uri: string): StopVerdict {
  return { kind: "settled", outcome: { kind: "stopped", uri } };
}

function stillRunning(because: string): StopVerdict {
  return { kind: "settled", outcome: { kind: "still-running", because } };
}

function endedWithout(state: string | undefined, because: string): StopVerdict {
  return { kind: "settled", outcome: state === undefined ? { kind: "gone", because } : { kind: "ended", state, because } };
}

function unknown(because: string): StopVerdict {
  return { kind: "settled", outcome: { kind: "unknown", because } };
}
