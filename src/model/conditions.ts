import { formatTime } from "../common/clock.ts";
import { compareText } from "../common/problem.ts";
import type { Condition, Transition } from "./status.ts";

const MAX_HISTORY = 20;

/**
 * The conditions with this one in place of an older one of its type, sorted by type. `since` stays while status and reason do. What
 * changes nothing returns the very array that was given, so that a pass can see it has nothing to write.
 */
export function withCondition(
  conditions: readonly Condition[],
  condition: Omit<Condition, "since">,
  nowMs: number,
): readonly Condition[] {
  const old = conditions.find(({ type }) => type === condition.type);
  const isSame = old?.status === condition.status && old.reason === condition.reason;
  if (isSame && old.message === condition.message) return conditions;
  const since = isSame ? old.since : formatTime(nowMs);
  const { type, status, reason, message } = condition;
  const others = conditions.filter((other) => other !== old);
  return [...others, { type, status, reason, message, since }].sort((a, b) => compareText(a.type, b.type));
}

/** The conditions without this type; the very array that was given when there is none. */
export function withoutCondition(conditions: readonly Condition[], type: string): readonly Condition[] {
  return conditions.some((condition) => condition.type === type)
    ? conditions.filter((condition) => condition.type !== type)
    : conditions;
}

export function findCondition(conditions: readonly Condition[], type: string): Condition | undefined {
  return conditions.find((condition) => condition.type === type);
}

/** Whether a person has to look after it. A job without a checkpoint yet, or with an older patch of its Flink, runs all the same. */
export function isTrouble({ type, status }: Condition): boolean {
  if (type === "Duplicate") return status === "True";
  return status !== "True" && type !== "Recoverable" && type !== "UpToDate";
}

/** The history with one more transition, the oldest ones dropped beyond twenty. */
export function withTransition(
  history: readonly Transition[],
  transition: Omit<Transition, "when">,
  nowMs: number,
): readonly Transition[] {
  const { from, to, because } = transition;
  return [...history, { when: formatTime(nowMs), from, to, because }].slice(-MAX_HISTORY);
}
