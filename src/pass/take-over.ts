import { formatTime } from "../common/clock.ts";
import type { ResourceKey } from "../model/resource.ts";
import type { ResourceRecord } from "../model/status.ts";
import type { Decisions, Work } from "./decision.ts";
import { epochOf } from "./submissions.ts";

/** Who announced what is under way, as far as this process knows: by operation, those of others with the time when they were first seen. */
export interface Announced {
  readonly mine: ReadonlySet<string>;
  readonly others: ReadonlyMap<string, number>;
}

/** What of the announced work is called in this pass. */
export interface Undertaking {
  readonly decisions: Decisions;
  readonly takesOver: TakeOvers;
  /** Something is called again that this process announced or took over before. */
  readonly repeats: boolean;
}

/** Which operations of which resources somebody else announced and this process goes on with from now on. */
export type TakeOvers = ReadonlyMap<ResourceKey, readonly Slot[]>;

type Records = ReadonlyMap<ResourceKey, ResourceRecord>;
type Deed = Decisions["jobs" | "savepoints" | "disposals"][number];
/** Where a record keeps an operation. */
type Slot = "operation" | "disposal";
const SLOTS: readonly Slot[] = ["operation", "disposal"];

/**
 * Somebody else's announcement is left to him for so long: most of the time he is about to act on it. With what it takes to learn of it, a
 * daemon that died is followed within half a minute.
 */
const PATIENCE_MS = 5000;
/** Two that live would hand a slow operation to and fro: each time it is left to the other one longer. */
const MORE_PATIENCE = 3;
/** However far apart the clocks of two machines are. */
const MOST_PATIENCE_MS = 600_000;

/**
 * Which announced work this process goes on with. `known` is undefined in its first pass: what it finds then was left by a daemon before it,
 * and is taken over at once. What is taken over is announced anew. Pure.
 */
export function chooseWork(decisions: Decisions, records: Records, known: Announced | undefined, now: number): Undertaking {
  const takesOver = new Map<ResourceKey, readonly Slot[]>();
  let repeats = false;
  const choose =
    <D extends Deed>(slot: Slot) =>
    (decision: D): readonly D[] => {
      if (decision.kind !== "resume") return [decision];
      const operation = operationIn(records, decision.key, slot);
      const key = operation === undefined ? "" : operationKey(operation);
      if (known?.mine.has(key) === true) {
        repeats = true;
        return [decision];
      }
      const sinceMs = known === undefined ? Number.NEGATIVE_INFINITY : (known.others.get(key) ?? now);
      if (operation !== undefined && now - sinceMs < patienceMs(operation)) return [];
      takesOver.set(decision.key, [...(takesOver.get(decision.key) ?? []), slot]);
      return [{ ...decision, work: { ...decision.work, operation: takenOver(decision.work.operation, now) } }];
    };
  const chosen = {
    ...decisions,
    jobs: decisions.jobs.flatMap(choose("operation")),
    savepoints: decisions.savepoints.flatMap(choose("operation")),
    disposals: decisions.disposals.flatMap(choose("disposal")),
  };
  return { decisions: chosen, takesOver, repeats };
}

/** The record with the announcement of who goes on with its operations. */
export function withTakeOver<R extends ResourceRecord>(record: R, slots: readonly Slot[], now: number): R {
  const anew = slots.flatMap((slot) => {
    const operation = operationOf(record, slot);
    return operation === undefined ? [] : [[slot, takenOver(operation, now)] as const];
  });
  return anew.length === 0 ? record : { ...record, status: { ...record.status, ...Object.fromEntries(anew) } };
}

function takenOver<O extends Work["operation"]>(operation: O, now: number): O {
  return { ...operation, takenOverAt: formatTime(now) };
}

function patienceMs({ announcedAt, takenOverAt }: Work["operation"]): number {
  if (takenOverAt === undefined) return PATIENCE_MS;
  const heldMs = Date.parse(takenOverAt) - Date.parse(announcedAt);
  return Math.min(MOST_PATIENCE_MS, Math.max(PATIENCE_MS, MORE_PATIENCE * heldMs));
}

/**
 * What the next pass knows. `records` are those that this pass made, and `called` what it announced, took over or called again; whether that
 * was pushed does not matter: what is not on the branch is forgotten with the next pass.
 */
export function rememberAnnounced(known: Announced | undefined, records: Records, called: Decisions, now: number): Announced {
  const keys = operationKeys(records);
  const ours = [
    ...[...called.jobs, ...called.savepoints].filter(isDone).map((deed) => keyIn(records, deed, "operation")),
    ...called.disposals.filter(isDone).map((deed) => keyIn(records, deed, "disposal")),
  ];
  const mine = new Set([...(known?.mine ?? []), ...ours].filter((key) => key !== undefined && keys.has(key)) as string[]);
  const since = known === undefined ? Number.NEGATIVE_INFINITY : now;
  const others = [...keys].filter((key) => !mine.has(key)).map((key) => [key, known?.others.get(key) ?? since] as const);
  return { mine, others: new Map(others) };
}

function isDone({ kind }: Deed): boolean {
  return kind === "announce" || kind === "resume";
}

/** Every operation that the records hold. */
export function operationKeys(records: Records): ReadonlySet<string> {
  const keys = new Set<string>();
  for (const record of records.values())
    for (const slot of SLOTS) {
      const operation = operationOf(record, slot);
      if (operation !== undefined) keys.add(operationKey(operation));
    }
  return keys;
}

/** One is told from every other by what it is, for whom, since when, and since when another daemon has it. */
export function operationKey(operation: Work["operation"]): string {
  const trigger = "triggerId" in operation ? operation.triggerId : "";
  return [operation.kind, operation.flinkJobId, trigger, operation.announcedAt, epochOf(operation)].join(" ");
}

/** The operation that a decision is about. The start that follows a stop belongs to the stop. */
function keyIn(records: Records, { key }: Deed, slot: Slot): string | undefined {
  const operation = operationIn(records, key, slot);
  return operation === undefined ? undefined : operationKey(operation);
}

function operationIn(records: Records, key: ResourceKey, slot: Slot): Work["operation"] | undefined {
  const record = records.get(key);
  return record === undefined ? undefined : operationOf(record, slot);
}

function operationOf(record: ResourceRecord, slot: Slot): Work["operation"] | undefined {
  if (record.kind === "Artifact") return undefined;
  if (slot === "operation") return record.status.operation;
  return record.kind === "Job" ? record.status.disposal : undefined;
}
