/** What the loop does next. The thrower knows; the catcher must not guess from a message. */
export type Retry = "next-pass" | "after-input-changes" | "never";

/** What every error of ours carries, whichever edge it comes from. */
export interface PenstockError extends Error {
  /** Stable and lower case, like `flink-rejected`: what code switches on. */
  readonly code: string;
  readonly retry: Retry;
}

/** Whether `error` is one of ours, so that its `code` and `retry` may be believed. */
export function isPenstockError(error: unknown): error is PenstockError {
  return (
    error instanceof Error && typeof Reflect.get(error, "code") === "string" && typeof Reflect.get(error, "retry") === "string"
  );
}

/** Whether the call ended because its signal was aborted: then nothing failed, somebody is leaving. */
export function isAbort(error: unknown, signal: AbortSignal): boolean {
  return signal.aborted && error instanceof Error && (error === signal.reason || error.name === "AbortError");
}

/** The message of whatever was thrown; for texts that people read use `oneLine` on it. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
