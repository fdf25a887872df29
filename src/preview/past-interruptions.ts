import type { Transition } from "../model/status.ts";

export type InterruptionCause = "rescale" | "in-place" | "restart";

export interface PastInterruption {
  readonly cause: InterruptionCause;
  readonly seconds: number;
  readonly endedAt: string;
}

/** What a Job's own history tells of the times in which it did not run, oldest first. Pure. */
export function pastInterruptions(history: readonly Transition[]): readonly PastInterruption[] {
  const found: PastInterruption[] = [];
  let left: { readonly cause: InterruptionCause; readonly atMs: number } | undefined;
  for (const { when, from, to } of history) {
    const atMs = Date.parse(when);
    if (isRunning(from) && !isRunning(to)) {
      const cause = causeOf(to);
      left = cause === undefined ? undefined : { cause, atMs };
    }
    if (!isRunning(to) || left === undefined) continue;
    found.push({ cause: left.cause, seconds: Math.max(0, Math.round((atMs - left.atMs) / 1000)), endedAt: when });
    left = undefined;
  }
  return found;
}

/** The last one of this cause: the job, its state and its cluster are most like those of now. */
export function lastInterruption(history: readonly Transition[], cause: InterruptionCause): PastInterruption | undefined {
  return pastInterruptions(history).findLast((past) => past.cause === cause);
}

function isRunning(label: string): boolean {
  return label === "Ready, Running";
}

/** What is stopped for good, or until it is resumed, tells nothing about how long a step takes. */
function causeOf(label: string): InterruptionCause | undefined {
  if (label === "Ready, Rescaling") return "rescale";
  if (label === "Ready, Restarting") return "in-place";
  return label === "Ready, Failing" ? "restart" : undefined;
}
