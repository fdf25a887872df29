import { isDeepStrictEqual } from "node:util";
import { formatProblem } from "../common/problem.ts";
import { displayName, resourceKey, type ResourceId, type ResourceKey } from "../model/resource.ts";
import { stateLabel } from "../model/state-label.ts";
import type { Operation, ResourceRecord, Summary } from "../model/status.ts";
import {
  formatStatusDocument,
  formatStatusReadme,
  formatSummary,
  README_PATH,
  statusPath,
  SUMMARY_PATH,
} from "../model/status-document.ts";
import { nextArtifactRecord } from "./artifact-status.ts";
import type { Decisions } from "./decision.ts";
import type { Desired } from "./desired.ts";
import { isHeldBack, isSummaryHeldBack, SUMMARY_KEY, type Told } from "./hold-back.ts";
import { nextJobRecord } from "./job-status.ts";
import type { Observed } from "./observed.ts";
import { nextSavepointRecord } from "./savepoint-status.ts";
import type { Snapshot } from "./snapshot.ts";
import { isStatusFile } from "./status-view.ts";
import { findStrangers } from "./strangers.ts";
import { withTakeOver, type TakeOvers } from "./take-over.ts";

/** What the status branch is to hold after this pass. */
export interface StatusUpdate {
  /** Every file that differs from what the branch holds; undefined where it goes. Empty: there is nothing to write. */
  readonly changes: ReadonlyMap<string, string | undefined>;
  readonly records: ReadonlyMap<ResourceKey, ResourceRecord>;
  readonly summary: Summary;
  /** What is new, a line for each resource; the commit message is made of them. */
  readonly news: readonly News[];
  /** A commit message whose subject a person can read. */
  readonly message: string;
  /** The pass wants to call Flink, so this has to be pushed before, and now. */
  readonly announces: boolean;
}

export interface BuildStatusInput {
  readonly snapshot: Snapshot;
  readonly desired: Desired;
  readonly observed: Observed;
  readonly decisions: Decisions;
  readonly summary: Pick<Summary, "source" | "instance" | "statusLost" | "unmirrored" | "refused">;
  /** What this process told before; nothing by default. */
  readonly told?: Told;
  /** Operations that this process takes over from another daemon; none by default. */
  readonly takesOver?: TakeOvers;
  readonly now: number;
}

export interface News {
  readonly id: ResourceId;
  /** `Pending → Ready, Running`. */
  readonly what: string;
  readonly because: string;
}

/** Builds every document anew from what is known and compares: a pass that changes nothing yields no change. Pure. */
export function buildStatus(input: BuildStatusInput): StatusUpdate {
  const { snapshot } = input;
  const records = nextRecords(input);
  const removed = [...snapshot.status.records].filter(([key]) => !records.has(key));
  const changes = new Map<string, string | undefined>(removed.map(([, { id }]) => [statusPath(id), undefined]));
  // A branch that was set back may hold files of what was forgotten since; what this process remembers is all there is.
  if (snapshot.status.rewrite) {
    const kept = new Set([...records.values()].map(({ id }) => statusPath(id)));
    for (const path of snapshot.status.files.keys()) if (isStatusFile(path) && !kept.has(path)) changes.set(path, undefined);
  }
  for (const [key, record] of records) {
    const isKnown = snapshot.status.records.get(key) === record && !snapshot.status.rewrite;
    const text = isKnown ? undefined : formatStatusDocument(record);
    if (text !== undefined && snapshot.status.files.get(statusPath(record.id)) !== text) changes.set(statusPath(record.id), text);
  }
  const summary = buildSummary(input, records, changes.size > 0);
  // The two files about everything cost a walk over all records, so they are only made when there is something new to tell.
  if (changes.size > 0 || snapshot.status.rewrite || !isDeepStrictEqual(summary, snapshot.status.summary)) {
    const all = [...records.values()];
    changes.set(SUMMARY_PATH, formatSummary(summary, all));
    changes.set(README_PATH, formatStatusReadme(all, summary));
  }
  const { jobs, savepoints, disposals } = input.decisions;
  const isAnnounced = [...jobs, ...savepoints, ...disposals].some(({ kind }) => kind === "announce");
  const announces = isAnnounced || (input.takesOver?.size ?? 0) > 0;
  const news = buildNews(input, records);
  return { changes, records, summary, news, message: buildMessage(news, snapshot, summary), announces };
}

function buildNews(
  { snapshot, decisions }: BuildStatusInput,
  records: ReadonlyMap<ResourceKey, ResourceRecord>,
): readonly News[] {
  const news: News[] = [];
  // Jobs first: they are what a person looks for in the subject of a commit.
  const disposals = new Map(decisions.disposals.map((disposal) => [disposal.key, disposal.because]));
  for (const { key, id, because } of [...decisions.jobs, ...decisions.artifacts, ...decisions.savepoints]) {
    const [before, after] = [snapshot.status.records.get(key), records.get(key)];
    if (after === undefined && before !== undefined) news.push({ id, what: "forgotten", because });
    const change = after === undefined ? undefined : describeChange(before, after, disposals.get(key));
    if (change !== undefined) news.push({ id, what: change.what, because: change.because ?? because });
  }
  return news;
}

/** Decisions that only say what is seen: what they say may wait, when somebody else says otherwise. */
const ONLY_TELLING: ReadonlySet<string> = new Set(["leave", "wait", "await", "resume", "fetch", "inspect", "deleting"]);

function nextRecords({
  snapshot,
  desired,
  observed,
  decisions,
  told,
  takesOver,
  now,
}: BuildStatusInput): ReadonlyMap<ResourceKey, ResourceRecord> {
  const next = new Map<ResourceKey, ResourceRecord>();
  const taken = new Set([...desired.jobs, ...desired.savepoints].map(({ key }) => key));
  const context = { commit: snapshot.commit, observed, taken, now };
  const add = (made: ResourceRecord | undefined, ...decided: readonly (string | undefined)[]): void => {
    if (made === undefined) return;
    const key = resourceKey(made.id);
    const before = snapshot.status.records.get(key);
    const slots = takesOver?.get(key) ?? [];
    const record = withTakeOver(made, slots, now);
    const mayWait =
      slots.length === 0 &&
      before !== undefined &&
      before !== record &&
      decided.every((kind) => kind === undefined || ONLY_TELLING.has(kind));
    next.set(key, mayWait && isHeldBack(told?.get(key), record, before, now) ? before : record);
  };
  for (const [index, artifact] of desired.artifacts.entries()) {
    const decision = decisions.artifacts[index]!;
    add(nextArtifactRecord(artifact, decision, context), decision.kind);
  }
  for (const [index, savepoint] of desired.savepoints.entries()) {
    const decision = decisions.savepoints[index]!;
    add(nextSavepointRecord(savepoint, decision, context), decision.kind);
  }
  const disposals = new Map(decisions.disposals.map((disposal) => [disposal.key, disposal]));
  for (const [index, job] of desired.jobs.entries()) {
    const [decision, disposal] = [decisions.jobs[index]!, disposals.get(job.key)];
    add(nextJobRecord(job, decision, context, disposal), decision.kind, disposal?.kind);
  }
  return next;
}

/** So many lines of one kind are kept: the summary must stay small enough to be read again, whatever ten thousand documents do wrong. */
const MAX_LINES = 500;

function limited(lines: readonly string[]): readonly string[] {
  return lines.length <= MAX_LINES ? lines : [...lines.slice(0, MAX_LINES), `… and ${lines.length - MAX_LINES} more`];
}

/** The applied commit moves with what is written, or when something under the configured paths was changed; other commits are no news. */
function buildSummary(
  { snapshot, summary, observed, told, now: nowMs }: BuildStatusInput,
  records: ReadonlyMap<ResourceKey, ResourceRecord>,
  writes: boolean,
): Summary {
  const before = snapshot.status.summary;
  const sources = [snapshot.problems, [...snapshot.status.unreadable.values()]];
  const problems = sources.flatMap((found) => limited(found.map(formatProblem)));
  const strangers = findStrangers(observed, records.values(), summary.instance);
  const [orphans, unmanaged] = [limited(strangers.orphans), limited(strangers.unmanaged)];
  const { manifestsDigest } = snapshot;
  const now: Summary = { appliedCommit: snapshot.commit, manifestsDigest, ...summary, problems, orphans, unmanaged };
  const isQuiet =
    !writes &&
    before?.manifestsDigest === manifestsDigest &&
    now.refused === before.refused &&
    isDeepStrictEqual(now.unmirrored, before.unmirrored) &&
    isDeepStrictEqual(orphans, before.orphans) &&
    isDeepStrictEqual(problems, before.problems);
  const next = isQuiet ? { ...now, appliedCommit: before.appliedCommit, unmanaged: before.unmanaged } : now;
  const isDisputed = before !== undefined && isSummaryHeldBack(told?.get(SUMMARY_KEY), next, before, nowMs);
  if (!isDisputed) return next;
  return writes ? { ...before, appliedCommit: now.appliedCommit, unmanaged } : before;
}

/** The most telling difference; `because` where it knows better than the decision. */
function describeChange(
  before: ResourceRecord | undefined,
  after: ResourceRecord,
  disposal: string | undefined,
): { readonly what: string; readonly because?: string } | undefined {
  if (before === after) return undefined;
  const [from, to] = [before === undefined ? "new" : stateLabel(before.status), stateLabel(after.status)];
  const because = after.status.history.at(-1)?.because;
  if (from !== to) return { what: `${from} → ${to}`, ...(because === undefined ? {} : { because }) };
  if (
    after.kind === "Job" &&
    before?.kind === "Job" &&
    after.status.operation?.flinkJobId !== before.status.operation?.flinkJobId
  ) {
    const { operation } = after.status;
    if (operation !== undefined) return { what: describeOperation(operation) };
  }
  const old = new Map(before?.status.conditions.map((condition) => [condition.type, condition]));
  const moved = after.status.conditions.find(
    ({ type, status, reason }) => old.get(type)?.status !== status || old.get(type)?.reason !== reason,
  );
  if (moved === undefined && isTakenOver(before, after)) return { what: "another daemon goes on with what was announced" };
  if (moved === undefined && disposal !== undefined) return { what: "an old restore point", because: disposal };
  if (moved === undefined) return { what: "details" };
  return { what: `${moved.type} ${moved.status} (${moved.reason})`, because: moved.message };
}

function isTakenOver(before: ResourceRecord | undefined, after: ResourceRecord): boolean {
  return takenOverAt(after) !== undefined && takenOverAt(after) !== takenOverAt(before);
}

function takenOverAt(record: ResourceRecord | undefined): string | undefined {
  return record === undefined || record.kind === "Artifact" ? undefined : record.status.operation?.takenOverAt;
}

function describeOperation(operation: Operation): string {
  switch (operation.kind) {
    case "start":
      return `starting attempt ${operation.attempt} on ${operation.cluster.name}`;
    case "stop":
      if (operation.purpose === "duplicate") return `stopping a second Flink job of it, ${operation.flinkJobId}`;
      if (operation.purpose === "migrate") return `moving to ${operation.next?.cluster.name ?? "another cluster"} by savepoint`;
      return operation.next === undefined ? "stopping with a savepoint" : `rescaling to ${operation.next.rpus} rpus by savepoint`;
    case "cancel":
      return "cancelling";
    case "rescale":
      return `rescaling to ${operation.rpus} rpus in place`;
    default:
      return operation satisfies never;
  }
}

function buildMessage(news: readonly News[], snapshot: Snapshot, summary: Summary): string {
  const lines = news.map(({ id, what }) => `${id.kind === "Job" ? "" : `${id.kind} `}${displayName(id)}: ${what}`);
  const first =
    lines[0] ?? (snapshot.status.summary === undefined ? "Begin the status" : `Apply ${snapshot.commit.slice(0, 12)}`);
  const subject = lines.length > 1 ? `${first}, and ${lines.length - 1} more` : first;
  const body = lines.length > 1 ? `${lines.join("\n")}\n\n` : "";
  return `${subject}\n\n${body}Penstock-Applied-Commit: ${summary.appliedCommit}\n`;
}
