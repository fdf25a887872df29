import { setTimeout as delay } from "node:timers/promises";
import { messageOf } from "../common/errors.ts";
import { oneLine } from "../common/text.ts";
import { formatDuration } from "../common/units.ts";
import { FlinkAnswerError, FlinkRejectedError, FlinkUnreachableError } from "./errors.ts";

/** Flink answers a small savepoint after 60 ms and a large one after minutes. */
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 250;
const PAUSE_GROWTH = 1.2;
/** In a row. A cluster that is down longer than that is looked at by the next pass, not here. */
const TROUBLES_BORNE = 3;

export type Polled<T> =
  | { readonly kind: "done"; readonly value: T }
  /** Time is over, or the cluster cannot be asked; `because` says which. What was asked of Flink may still happen. */
  | { readonly kind: "gave-up"; readonly because: string };

/**
 * Calls `step` again and again until it gives a value, with growing pauses. A step that Flink did not answer is tried anew a few times,
 * so a step that writes has to be one that may be repeated. Never throws but for `signal` and for what is no trouble with Flink.
 */
export async function pollUntil<T>(
  timeoutMs: number,
  signal: AbortSignal,
  step: (signal: AbortSignal) => Promise<T | undefined>,
): Promise<Polled<T>> {
  const limit = AbortSignal.timeout(timeoutMs);
  const either = AbortSignal.any([signal, limit]);
  let troubles = 0;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * PAUSE_GROWTH)) {
    try {
      const value = await step(either);
      if (value !== undefined) return { kind: "done", value };
      troubles = 0;
    } catch (error) {
      if (either.aborted) break;
      if (!isFlinkTrouble(error)) throw error;
      troubles += 1;
      if (troubles === TROUBLES_BORNE) return { kind: "gave-up", because: lineOfTrouble(error) };
    }
    if (!(await paused(pauseMs, either))) break;
  }
  signal.throwIfAborted();
  return { kind: "gave-up", because: `it was not done within ${formatDuration(timeoutMs)}` };
}

/** Whether Flink, or the way to it, is what failed; anything else is a mistake of ours. */
export function isFlinkTrouble(error: unknown): error is FlinkUnreachableError | FlinkAnswerError | FlinkRejectedError {
  return error instanceof FlinkUnreachableError || error instanceof FlinkAnswerError || error instanceof FlinkRejectedError;
}

function lineOfTrouble(error: unknown): string {
  return oneLine(error instanceof FlinkRejectedError ? error.line : messageOf(error), 400);
}

/** False when the signal came first. */
async function paused(ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await delay(ms, undefined, { signal });
    return true;
  } catch {
    return false; // Only the signal ends a pause early, and whoever asked looks at it.
  }
}
