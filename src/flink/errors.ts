import type { Retry } from "../common/errors.ts";
import type { RejectionKind, RootCause } from "./root-cause.ts";

/**
 * Whether the request can have had an effect: `not-sent` is certain that Flink never saw it; after `unknown` the caller has to look
 * again before it believes anything.
 */
export type Outcome = "not-sent" | "unknown";

interface CallData {
  readonly cluster: string;
  /** `POST /jars/upload`. */
  readonly endpoint: string;
}

/** The cluster cannot be seen: no connection, no answer in time, a broken connection. Never means that anything is gone. */
export class FlinkUnreachableError extends Error {
  override readonly name = "FlinkUnreachableError";
  readonly code = "flink-unreachable";
  readonly retry: Retry = "next-pass";
  readonly outcome: Outcome;
  readonly data: CallData;

  constructor(call: CallData, outcome: Outcome, because: string, options?: ErrorOptions) {
    super(`cluster ${call.cluster} cannot be reached: ${because} (${call.endpoint})`, options);
    this.outcome = outcome;
    this.data = call;
  }
}

/** What another input would cure. Everything else may pass by itself: a main() that misses a service, storage that is away, a JobManager that elects its leader. */
const CURED_BY_INPUT: ReadonlySet<RejectionKind> = new Set([
  "entry-class-not-found",
  "no-main",
  "no-jobs",
  "bad-option",
  "bad-request",
  "not-a-jar",
  "state-does-not-fit",
]);

/** Flink itself said no. `kind` and `line` are the root cause, taken out of Flink's pages of stack trace. */
export class FlinkRejectedError extends Error {
  override readonly name = "FlinkRejectedError";
  readonly code = "flink-rejected";
  readonly retry: Retry;
  readonly kind: RejectionKind;
  /** One line for people, without the endpoint. */
  readonly line: string;
  readonly data: CallData & { readonly status: number };

  constructor(call: CallData, status: number, cause: RootCause, options?: ErrorOptions) {
    super(`Flink refused ${call.endpoint} with ${status}: ${cause.line}`, options);
    this.kind = cause.kind;
    this.line = cause.line;
    this.retry = CURED_BY_INPUT.has(cause.kind) ? "after-input-changes" : "next-pass";
    this.data = { ...call, status };
  }
}

/** Something answered, but not as Flink does: a proxy's page, a redirect, too many bytes, no JSON, a wrong shape. A write may have been done. */
export class FlinkAnswerError extends Error {
  override readonly name = "FlinkAnswerError";
  readonly code = "flink-answer";
  readonly retry: Retry = "next-pass";
  readonly outcome: Outcome = "unknown";
  readonly data: CallData & { readonly status: number };

  constructor(call: CallData, status: number, because: string, options?: ErrorOptions) {
    super(`cluster ${call.cluster} gave an answer that is not Flink's: ${because} (${call.endpoint}, status ${status})`, options);
    this.data = { ...call, status };
  }
}
