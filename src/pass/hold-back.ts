import { isDeepStrictEqual } from "node:util";
import { canonicalJson, sha256Hex } from "../common/hash.ts";
import type { ResourceKey } from "../model/resource.ts";
import type { Condition, ResourceRecord, Summary } from "../model/status.ts";

/** What this process last told of a resource, or of everything, and how often somebody else took that back. */
export interface Telling {
  /** What it says but for times and history. */
  readonly text: string;
  /** The same without words that may differ from look to look. */
  readonly core: string;
  readonly takenBack: number;
  /** The same is not told again before, should somebody else have taken it back. */
  readonly againAtMs: number;
  /** The record that was last found to say so; it need not be looked at twice. */
  readonly checked?: ResourceRecord;
}

export const SUMMARY_KEY = "summary";
export type Told = ReadonlyMap<ResourceKey | typeof SUMMARY_KEY, Telling>;

/** One that somebody else corrects was told at a cost of two commits. It gets rarer until it hardly happens. */
const FIRST_MS = 60_000;
const LONGEST_MS = 6 * 3_600_000;

/**
 * Whether `next` is what this process told before and somebody else took back since, too short a time ago: another daemon that sees other
 * clusters, or has another configuration or version. Two that each told what they see would go on for ever. Pure.
 */
export function isHeldBack(telling: Telling | undefined, next: ResourceRecord, before: ResourceRecord, now: number): boolean {
  // Who sees is believed: nobody waits with that.
  if (isBlind(before) && !isBlind(next)) return false;
  return isRefused(telling, coreOf(next), textOf(before)) && now < telling!.againAtMs; // refused is only what was told
}

/** The same for what the summary says of everything. */
export function isSummaryHeldBack(telling: Telling | undefined, next: Summary, before: Summary, now: number): boolean {
  const [text, core] = [summaryText(before), summaryText(next)];
  return isRefused(telling, core, text) && now < telling!.againAtMs; // as above
}

export interface TellingInput {
  readonly before: { readonly records: ReadonlyMap<ResourceKey, ResourceRecord>; readonly summary: Summary | undefined };
  readonly after: { readonly records: ReadonlyMap<ResourceKey, ResourceRecord>; readonly summary: Summary };
  /** Whether it was pushed. */
  readonly written: boolean;
  readonly now: number;
}

/** What is remembered after a pass. Whoever agrees with what stands there has nothing more to insist on. Pure. */
export function rememberTold(told: Told, { before, after, written, now }: TellingInput): Told {
  const next = new Map<ResourceKey | typeof SUMMARY_KEY, Telling>();
  for (const [key, record] of after.records) {
    const old = before.records.get(key);
    const telling = told.get(key);
    if (record === old) {
      const kept = telling === undefined ? undefined : keep(telling, record, now);
      if (kept !== undefined) next.set(key, kept);
    } else if (!written) {
      if (telling !== undefined) next.set(key, telling);
    } else {
      const is = { text: textOf(record), core: coreOf(record), isBlind: isBlind(record) };
      next.set(key, tell(telling, is, old === undefined ? undefined : textOf(old), now));
    }
  }
  const telling = told.get(SUMMARY_KEY);
  if (isDeepStrictEqual(before.summary, after.summary) || !written) {
    if (telling !== undefined) next.set(SUMMARY_KEY, telling);
  } else {
    const text = summaryText(after.summary);
    const old = before.summary === undefined ? undefined : summaryText(before.summary);
    if (text !== old) next.set(SUMMARY_KEY, tell(telling, { text, core: text, isBlind: false }, old, now));
    else if (telling !== undefined) next.set(SUMMARY_KEY, telling);
  }
  return next;
}

/** It is what stands there, or it may still be asked for how long it is not told again; undefined: nobody asks any more. */
function keep(telling: Telling, standing: ResourceRecord, now: number): Telling | undefined {
  if (telling.checked === standing) return telling;
  if (telling.text === textOf(standing)) return { ...telling, checked: standing };
  return now < telling.againAtMs ? telling : undefined;
}

function tell(
  telling: Telling | undefined,
  is: { readonly text: string; readonly core: string; readonly isBlind: boolean },
  before: string | undefined,
  now: number,
): Telling {
  const isAgain = before !== undefined && isRefused(telling, is.core, before);
  const takenBack = isAgain ? telling!.takenBack + 1 : telling?.core === is.core ? telling.takenBack : 0; // as above
  // What one cannot see another may: that it is corrected is likely from the first time on.
  const times = takenBack + (is.isBlind ? 1 : 0);
  const waitMs = times === 0 ? 0 : Math.min(LONGEST_MS, FIRST_MS * 2 ** (times - 1));
  return { text: is.text, core: is.core, takenBack, againAtMs: now + waitMs };
}

/** What was told does not stand there any more, and this process sees no reason why. */
function isRefused(telling: Telling | undefined, core: string, standing: string): boolean {
  return telling !== undefined && telling.core === core && telling.text !== standing;
}

/** It says that its cluster cannot be seen. */
function isBlind({ status }: ResourceRecord): boolean {
  return status.conditions.some(({ reason }) => reason === "ClusterUnreachable");
}

function textOf(record: ResourceRecord): string {
  return digestOf(record, ({ type, status, reason, message }) => ({ type, status, reason, message }));
}

function coreOf(record: ResourceRecord): string {
  return digestOf(record, ({ type, status, reason }) => ({ type, status, reason }));
}

function digestOf({ labels, annotations, spec, status }: ResourceRecord, told: (condition: Condition) => object): string {
  const { history: _history, conditions, ...rest } = status;
  return sha256Hex(canonicalJson({ labels, annotations, spec, rest, conditions: conditions.map(told) }));
}

/** The applied commit and the jobs of others move with whatever else is written. */
function summaryText({ appliedCommit: _applied, unmanaged: _unmanaged, ...rest }: Summary): string {
  return sha256Hex(canonicalJson(rest));
}
