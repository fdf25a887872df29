import type { FlinkJobState } from "./status.ts";

/** What Flink's REST API calls the states of a job; the same in 1.16 to 2.3. */
export const FLINK_STATES = [
  "INITIALIZING",
  "CREATED",
  "RUNNING",
  "FAILING",
  "FAILED",
  "CANCELLING",
  "CANCELED",
  "FINISHED",
  "RESTARTING",
  "SUSPENDED",
  "RECONCILING",
] as const;
export type FlinkState = (typeof FLINK_STATES)[number];

/** What is known of the Flink job behind a Job, when its shown state is to be told. */
export type SeenJobState =
  /** Flink shows this state, and nothing of ours is stopping the job. */
  | { readonly kind: "shown"; readonly state: FlinkState }
  /** Its cluster does not answer, or says nothing that can be believed. */
  | { readonly kind: "not-seen" }
  /** It vanished with its cluster, so that it needs another attempt. */
  | { readonly kind: "vanished" }
  /** We are stopping it in order to start it again: a rescale or a migration. */
  | { readonly kind: "stopping-to-restart" }
  /** We stopped it for good: `rpus: 0`, or a Final Savepoint. */
  | { readonly kind: "stopped" }
  /** We stopped or cancelled it because its manifest was deleted. */
  | { readonly kind: "deleted" };

/** The diagram: what may come next within one run. */
const NEXT: Readonly<Record<FlinkJobState, readonly FlinkJobState[]>> = {
  "": ["Initializing"],
  Initializing: ["Created"],
  Created: ["Running"],
  Running: ["Failing", "Rescaling", "Finished", "Cancelled"],
  Failing: ["Restarting"],
  Rescaling: ["Restarting"],
  Restarting: ["Running"],
  Finished: [],
  Cancelled: [],
};

const ALLOWED: ReadonlyMap<FlinkJobState, ReadonlySet<FlinkJobState>> = new Map(
  (Object.keys(NEXT) as FlinkJobState[]).map((from) => [from, reachableFrom(from)]),
);

/** Every state that comes later in the diagram: steps too quick to be seen may be skipped. */
function reachableFrom(from: FlinkJobState): ReadonlySet<FlinkJobState> {
  const found = new Set<FlinkJobState>();
  const waiting = [...NEXT[from]];
  for (let state = waiting.pop(); state !== undefined; state = waiting.pop()) {
    if (found.has(state)) continue;
    found.add(state);
    waiting.push(...NEXT[state]);
  }
  return found;
}

/** Whether a Job that was shown as `from` may be shown as `to` within the same run. Staying is allowed; nothing is ever reversed. */
export function isAllowedTransition(from: FlinkJobState, to: FlinkJobState): boolean {
  return from === to || (ALLOWED.get(from)?.has(to) ?? false);
}

/**
 * The state to show next within one run; a new run starts from `""`. What would reverse a step of the diagram leaves the state as it
 * was: a job that we call Finished is not running again, whatever an old answer says.
 */
export function shownState(previous: FlinkJobState, seen: SeenJobState): FlinkJobState {
  const next = translate(previous, seen);
  return isAllowedTransition(previous, next) ? next : previous;
}

function translate(previous: FlinkJobState, seen: SeenJobState): FlinkJobState {
  switch (seen.kind) {
    case "not-seen":
      return previous;
    case "vanished":
      return "Failing";
    case "stopping-to-restart":
      return "Rescaling";
    case "stopped":
      return "Finished";
    case "deleted":
      return "Cancelled";
    case "shown":
      return translateFlinkState(previous, seen.state);
    default:
      return seen satisfies never;
  }
}

function translateFlinkState(previous: FlinkJobState, state: FlinkState): FlinkJobState {
  switch (state) {
    case "INITIALIZING":
      return hasRun(previous) ? "Restarting" : "Initializing";
    case "CREATED":
      return hasRun(previous) ? "Restarting" : "Created";
    case "RUNNING":
      return "Running";
    case "FAILING":
      return "Failing";
    case "RESTARTING":
      return "Restarting";
    case "FINISHED":
      return "Finished";
    // Somebody else's doing, or Flink gave up: the next attempt brings it back.
    case "FAILED":
    case "CANCELED":
      return "Failing";
    // On the way from one JobManager to another, or on a way that only its end explains.
    case "CANCELLING":
    case "SUSPENDED":
    case "RECONCILING":
      return previous;
    default:
      return state satisfies never;
  }
}

/** Whether what Flink calls INITIALIZING or CREATED is a restart by now: an adaptive rescale, or a new attempt. */
function hasRun(previous: FlinkJobState): boolean {
  return previous !== "" && previous !== "Initializing" && previous !== "Created";
}

/** Whether Flink's word for a state is one that we know; anything else is treated as not seen. */
export function isFlinkState(text: string): text is FlinkState {
  return (FLINK_STATES as readonly string[]).includes(text);
}
