import { formatTime } from "../common/clock.ts";
import { isHealthy } from "../flink/cluster-seen.ts";
import { shownState, isFlinkState, type SeenJobState } from "../model/flink-job-state.ts";
import { withCondition, withoutCondition, withTransition } from "../model/conditions.ts";
import type { JobManifest } from "../model/manifest.ts";
import { isReason } from "../model/reasons.ts";
import { stateLabel } from "../model/state-label.ts";
import type { ResourceKey } from "../model/resource.ts";
import type {
  AcceptedSource,
  Condition,
  JobRecord,
  JobStatus,
  LastSavepoint,
  Operation,
  StopPurpose,
  TakenSavepoint,
} from "../model/status.ts";
import { specDigits } from "../model/canonical-spec.ts";
import { parseFlinkJobId } from "../model/flink-job-id.ts";
import { acceptanceOfJob, isSpecOf } from "./acceptance.ts";
import { isDeepStrictEqual } from "node:util";
import type { Block, DisposalDecision, JobDecision, JobWork, Settlement } from "./decision.ts";
import type { DesiredJob } from "./desired.ts";
import { isDown } from "./is-down.ts";
import { jobConditions, type ConditionNow } from "./job-conditions.ts";
import { findJob, type JobSeen, type Observed } from "./observed.ts";
import { ownOperation } from "./own-operation.ts";
import { digestsOf } from "./secrets-for-job.ts";

/** More than that only come together where nothing is disposed of; the oldest ones are then left to whoever set it so. */
const MAX_SAVEPOINTS = 50;
const TAKEN_FOR: Readonly<Partial<Record<StopPurpose, TakenSavepoint["reason"]>>> = {
  rescale: "Rescale",
  migrate: "Migrate",
  suspend: "Suspend",
  delete: "Delete",
};

export interface StatusContext {
  readonly commit: string;
  readonly observed: Observed;
  /** What is declared or recorded. */
  readonly taken?: ReadonlySet<ResourceKey>;
  readonly now: number;
}

/** The record of a Job after this pass; the very one that was there when nothing changed; undefined when there is none to keep. */
export function nextJobRecord(
  job: DesiredJob,
  decision: JobDecision,
  context: StatusContext,
  disposal?: DisposalDecision,
): JobRecord | undefined {
  if (decision.kind === "forget") return undefined;
  const base = decision.kind === "adopt" ? decision.record : baseRecord(job, decision, context);
  if (base === undefined || job.recordProblem !== undefined) return job.record;
  const moved: JobRecord = { ...base, status: withDisposal(withDecision(base.status, decision, context), disposal) };
  const seen = seeJob(moved, context.observed);
  const status = withCheckpoint(withState(moved.status, seen, decision), seen);
  const acceptance = acceptanceOfJob({ ...job, record: { ...moved, status } }, decision, context.taken);
  const conditions = applyConditions(
    status.conditions,
    jobConditions(acceptance, status, seen, blockOf(job, decision)),
    context.now,
  );
  const moves = nextHistory(job.record?.status, status, whyMoved(decision, seen), context.now);
  const history = isDuplicateNews(decision) ? withNote(moves, status, decision.because, context.now) : moves;
  const record: JobRecord = { ...moved, status: { ...status, conditions, history } };
  return job.record !== undefined && isDeepStrictEqual(record, job.record) ? job.record : record;
}

/**
 * As long as nothing of it ran, the record follows the manifest; so it does when an attempt that never ran makes room for the next one.
 * Afterwards the accepted spec stays what it was.
 */
function baseRecord(job: DesiredJob, decision: JobDecision, context: StatusContext): JobRecord | undefined {
  const { record, declared } = job;
  if (declared.kind !== "declared") return record;
  const { manifest } = declared;
  // The start of what is declared now: of an attempt that never ran, or of a Job that is declared again under its tombstone.
  const startsDeclared = decision.kind === "announce" && decision.artifact !== undefined;
  const bound = record !== undefined && (record.status.operation !== undefined || record.status.flinkJobId !== undefined);
  if (bound && !startsDeclared) {
    // An adopted Job whose manifest was put back: now the spec that it runs with is known again.
    const isFoundAgain = !isSpecOf(record) && specDigits(manifest.spec) === parseFlinkJobId(record.status.flinkJobId ?? "")?.spec;
    const spec = isFoundAgain ? manifest.spec : record.spec;
    return { ...record, spec, labels: manifest.labels, annotations: manifest.annotations };
  }
  const source = acceptedSource(manifest, record?.status.source, context.commit);
  const before: JobStatus = record?.status ?? {
    phase: "Pending",
    flinkJobState: "",
    run: 0,
    attempt: 0,
    source,
    conditions: [],
    history: [],
  };
  const status = before.deleted === undefined || !startsDeclared ? before : rebornStatus(before);
  return {
    kind: "Job",
    id: job.id,
    labels: manifest.labels,
    annotations: manifest.annotations,
    spec: manifest.spec,
    status: { ...status, source },
  };
}

/** What a Job keeps of its former life: its numbers, which are never used twice, what it left, and its history. */
function rebornStatus({ run, attempt, source, savepoints, disposal, conditions, history }: JobStatus): JobStatus {
  const left = { ...(savepoints === undefined ? {} : { savepoints }), ...(disposal === undefined ? {} : { disposal }) };
  return { phase: "Pending", flinkJobState: "", run, attempt, source, ...left, conditions, history };
}

/** The commit in which the spec was first seen as it is; one that leaves the file alone does not count. */
export function acceptedSource(
  manifest: Pick<JobManifest, "source">,
  known: AcceptedSource | undefined,
  commit: string,
): AcceptedSource {
  const { path, line, blob } = manifest.source;
  if (known !== undefined && known.path === path && known.blob === blob && known.line === line) return known;
  return { path, line, commit, blob };
}

/** What the decision itself makes of the status: an intent, an outcome, a phase. */
function withDecision(status: JobStatus, decision: JobDecision, context: StatusContext): JobStatus {
  const deleting = isDeleting(decision) ? markDeleting(status, context.now) : status;
  switch (decision.kind) {
    case "announce":
      return withSecretsOf(withAnnouncement(deleting, decision, context.now), decision.work);
    case "settle":
      return settle(deleting, decision.settlement, context);
    case "adopt":
    case "await":
    case "forget":
    case "leave":
    case "wait":
      return deleting;
    case "resume":
      return withSecretsOf(deleting, decision.work);
    default:
      return decision satisfies never;
  }
}

/** What the submission that follows is made with. */
function withSecretsOf({ secrets: before, ...status }: JobStatus, work: JobWork): JobStatus {
  const submission = work.kind === "start" ? work.submission : work.kind === "stop" ? work.next : undefined;
  const secrets = submission === undefined ? before : digestsOf(submission.secrets);
  return { ...status, ...(secrets === undefined ? {} : { secrets }) };
}

function withAnnouncement(
  { initialState: before, ...status }: JobStatus,
  { work, artifact, initialState: after, rescaleFailed }: JobDecision & { kind: "announce" },
  now: number,
): JobStatus {
  const { operation } = work;
  const initialState = artifact === undefined ? before : after;
  // A start in place of one that should have followed a stop: what the stop left is not forgotten.
  const left = operation.kind === "start" ? operation.restoreFrom?.uri : undefined;
  const attempt =
    operation.kind === "start" ? operation.attempt : operation.kind === "stop" ? operation.next?.attempt : undefined;
  return {
    ...status,
    ...(attempt === undefined ? {} : { attempt }),
    ...(artifact === undefined ? {} : { artifact }),
    ...(initialState === undefined ? {} : { initialState }),
    ...(rescaleFailed === undefined ? {} : { rescaleFailed }),
    ...(left === undefined ? {} : withTaken(status, status.operation, left, now)),
    operation,
  };
}

/** A deletion that the guard let go: its steps, and its waiting for a cluster that cannot be seen. */
function isDeleting(decision: JobDecision): boolean {
  if (decision.kind === "announce")
    return decision.work.kind === "cancel" || (decision.work.kind === "stop" && decision.work.operation.purpose === "delete");
  return decision.kind === "wait" && decision.block.condition === "Deleted";
}

function markDeleting(status: JobStatus, now: number): JobStatus {
  return { ...status, phase: "Deleting", deletingSince: status.deletingSince ?? formatTime(now) };
}

function settle(status: JobStatus, settlement: Settlement, { now }: StatusContext): JobStatus {
  const { operation, ...rest } = status;
  switch (settlement.kind) {
    case "started":
      return startedStatus(rest, operation, settlement, now);
    case "rescaled":
      return { ...rest, requestedRpus: settlement.rpus };
    case "suspended": {
      const lastSavepoint = savepointOf(operation, settlement.uri, "Suspend", now);
      const taken = withTaken(rest, operation, settlement.uri, now);
      return { ...rest, flinkJobState: "Finished", suspended: true, requestedRpus: 0, ...lastSavepoint, ...taken };
    }
    case "finalized": {
      const { kind: _kind, ...finalized } = settlement;
      const taken = withTaken(rest, operation, finalized.uri, now);
      return { ...rest, flinkJobState: shownState(rest.flinkJobState, { kind: "stopped" }), finalized, ...taken };
    }
    case "followed":
      return followedStatus(rest, settlement);
    case "deduplicated":
    case "abandoned":
      return rest;
    case "finished":
      return { ...rest, flinkJobState: shownState(rest.flinkJobState, { kind: "stopped" }) };
    case "buried": {
      const { restorePoint, lost } = settlement;
      const { suspended: _suspended, finalized, ...kept } = rest;
      const deleted = {
        at: formatTime(now),
        ...(restorePoint === undefined ? {} : { restorePoint }),
        ...(lost === undefined ? {} : { lost }),
        ...(finalized === undefined ? {} : { finalized }),
      };
      const taken = restorePoint === undefined ? {} : withTaken(rest, operation, restorePoint.uri, now);
      const flinkJobState = shownState(rest.flinkJobState, { kind: "deleted" });
      return { ...kept, ...taken, phase: "Deleting", flinkJobState, deleted };
    }
    default:
      return settlement satisfies never;
  }
}

function startedStatus(
  rest: JobStatus,
  operation: Operation | undefined,
  settlement: Settlement & { kind: "started" },
  now: number,
): JobStatus {
  const { flinkJobId, cluster, flinkVersion, rpus, run, restoredFrom, announcedAt } = settlement;
  const { suspended: _suspended, finalized: _finalized, ...others } = rest;
  const { startedFrom: _startedFrom, startedEmpty: _startedEmpty, checkpointed, ...kept } = others;
  const isNewRun = run !== rest.run;
  // An attempt that ended without a checkpoint of its own counts; one that took any starts the count anew.
  const isRepeat = !isNewRun && rest.flinkJobId !== undefined && operation?.kind === "start";
  const restarts = isRepeat && checkpointed !== rest.flinkJobId ? (rest.restarts ?? 0) + 1 : isRepeat ? 1 : 0;
  return {
    ...kept,
    phase: rest.phase === "Deleting" ? "Deleting" : "Ready",
    flinkJobState: isNewRun
      ? ""
      : shownState(rest.flinkJobState, { kind: operation?.kind === "stop" ? "stopping-to-restart" : "vanished" }),
    run,
    flinkJobId,
    cluster,
    flinkVersion,
    requestedRpus: rpus,
    startedAt: announcedAt,
    restarts,
    ...(restoredFrom === undefined ? { startedEmpty: true } : { startedFrom: restoredFrom }),
    ...(operation?.kind === "stop" && restoredFrom !== undefined
      ? savepointOf(operation, restoredFrom.uri, operation.purpose === "migrate" ? "Migrate" : "Rescale", now)
      : {}),
    ...(restoredFrom === undefined ? {} : withTaken(rest, operation, restoredFrom.uri, now)),
  };
}

/** What a stop left: ours to dispose of one day, or, of a drained job, never to be gone on from. A Final Savepoint has its own record. */
function withTaken(
  { savepoints = [] }: Pick<JobStatus, "savepoints">,
  operation: Operation | undefined,
  uri: string,
  now: number,
): Pick<JobStatus, "savepoints"> {
  if (operation?.kind !== "stop") return {};
  const reason = operation.drain === true ? "Drain" : TAKEN_FOR[operation.purpose];
  if (reason === undefined) return {};
  const others = savepoints.filter((other) => other.uri !== uri);
  const taken: TakenSavepoint = { uri, takenAt: formatTime(now), flinkJobId: operation.flinkJobId, reason };
  return { savepoints: [...others, taken].slice(-MAX_SAVEPOINTS) };
}

function withDisposal(status: JobStatus, decision: DisposalDecision | undefined): JobStatus {
  const { disposal, ...rest } = status;
  switch (decision?.kind) {
    case undefined:
    case "await":
    case "resume":
    case "tidied":
    case "wait":
      return status;
    case "announce":
      return { ...status, disposal: decision.work.operation };
    case "abandon":
      return rest;
    case "disposed": {
      const { savepoints, ...others } = rest;
      const left = savepoints?.filter(({ uri }) => uri !== disposal?.uri) ?? [];
      return left.length === 0 ? others : { ...rest, savepoints: left };
    }
    default:
      return decision satisfies never;
  }
}

/** The record was old: what runs counts. A Job that was down by the record is up again, which is a new run. */
function followedStatus(rest: JobStatus, settlement: Settlement & { kind: "followed" }): JobStatus {
  const { attempt, flinkJobId, cluster, flinkVersion, rpus, startedAt } = settlement;
  const { suspended: _suspended, finalized: _finalized, ...others } = rest;
  const { startedFrom: _startedFrom, checkpointed: _checkpointed, restarts: _restarts, ...kept } = others;
  const wasDown = isDown(rest);
  return {
    ...kept,
    phase: rest.phase === "Deleting" ? "Deleting" : "Ready",
    flinkJobState: wasDown ? "" : rest.flinkJobState,
    run: wasDown ? rest.run + 1 : Math.max(1, rest.run),
    attempt: Math.max(rest.attempt, attempt),
    flinkJobId,
    cluster,
    flinkVersion,
    requestedRpus: rpus,
    startedAt,
  };
}

function savepointOf(
  operation: Operation | undefined,
  uri: string,
  reason: LastSavepoint["reason"],
  now: number,
): { readonly lastSavepoint?: LastSavepoint } {
  if (operation === undefined) return {};
  return { lastSavepoint: { uri, takenAt: formatTime(now), flinkJobId: operation.flinkJobId, reason } };
}

function seeJob(record: JobRecord, observed: Observed): JobSeen | undefined {
  const { cluster, flinkJobId } = record.status;
  const operation = ownOperation(record.status);
  const ref = operation?.cluster ?? cluster;
  const id = operation?.flinkJobId ?? flinkJobId;
  return ref === undefined || id === undefined ? undefined : findJob(observed.clusters, record.id.zone, ref, id);
}

function withState(status: JobStatus, seen: JobSeen | undefined, decision: JobDecision): JobStatus {
  const isStill =
    status.phase === "Pending" || status.deleted !== undefined || status.suspended === true || status.finalized !== undefined;
  if (isStill || seen === undefined) return status;
  // What Flink shows on the way from one JobManager to another tells nothing; the first state is before all others.
  const flinkJobState = shownState(status.flinkJobState, stateOf(status, seen, decision)) || "Initializing";
  const reached = seen.kind === "listed" ? seen.job.detail?.parallelism : undefined;
  return { ...status, flinkJobState, ...(reached === undefined || reached === 0 ? {} : { parallelism: reached }) };
}

function stateOf(status: JobStatus, seen: JobSeen, decision: JobDecision): SeenJobState {
  const operation = ownOperation(status);
  if (operation?.kind === "stop" && operation.next !== undefined) return { kind: "stopping-to-restart" };
  // What is stopped for good says so when its savepoint is there, and not by Flink's word in between.
  if (operation?.kind === "stop" || operation?.kind === "cancel") return { kind: "not-seen" };
  if (operation?.kind === "start" && status.flinkJobId !== undefined) return { kind: "vanished" };
  if (seen.kind === "absent" && decision.kind === "leave" && decision.block?.condition === "Restored")
    return { kind: "vanished" };
  if (seen.kind !== "listed" || !isFlinkState(seen.job.state)) return { kind: "not-seen" };
  return { kind: "shown", state: seen.job.state };
}

/** Once a checkpoint of an attempt is complete, its state may never be taken for "it had none". */
function withCheckpoint(status: JobStatus, seen: JobSeen | undefined): JobStatus {
  if (seen?.kind !== "listed" || (seen.job.detail?.checkpoints.completed ?? 0) === 0) return status;
  if (seen.job.flinkJobId !== status.flinkJobId || status.checkpointed === status.flinkJobId) return status;
  return { ...status, checkpointed: status.flinkJobId };
}

function blockOf(job: DesiredJob, decision: JobDecision): (Block & { readonly because: string }) | undefined {
  if (decision.kind === "resume") return decision.work.kind === "start" ? lastTrouble(job) : undefined;
  const block = "block" in decision ? decision.block : undefined;
  if (block !== undefined) return { ...block, because: decision.because };
  return decision.kind === "await" ? lastTrouble(job) : undefined;
}

/** While a start is under way the outcome of the try before stands, or each try of a start that fails would be two commits. */
function lastTrouble({ record }: DesiredJob): (Block & { readonly because: string }) | undefined {
  const last = record?.status.conditions.find(({ type, status }) => type === "Started" && status === "False");
  if (last === undefined || !isReason(last.reason)) return undefined;
  return { condition: "Started", reason: last.reason, because: last.message };
}

/** Sets what is so now; what nothing is said about any more goes, or an old reason would outlive its cause. */
export function applyConditions(before: readonly Condition[], now: readonly ConditionNow[], nowMs: number): readonly Condition[] {
  let conditions = before;
  for (const { type } of before)
    if (!now.some((condition) => condition.type === type)) conditions = withoutCondition(conditions, type);
  for (const condition of now) conditions = withCondition(conditions, condition, nowMs);
  return conditions;
}

/** A Job that is left alone moves because of what Flink shows. */
function whyMoved(decision: JobDecision, seen: JobSeen | undefined): string {
  if (decision.kind !== "leave" || decision.block !== undefined || seen?.kind !== "listed") return decision.because;
  const { state, detail } = seen.job;
  return `Flink shows ${state}${isHealthy(seen.job) ? ", all tasks running" : ""}${detail?.rootCause === undefined ? "" : `: ${detail.rootCause}`}`;
}

/** A second Flink job of a Job leaves its mark, although the Job's own state does not move. */
function isDuplicateNews(decision: JobDecision): boolean {
  if (decision.kind === "announce") return decision.work.kind === "stop" && decision.work.operation.purpose === "duplicate";
  return decision.kind === "settle" && (decision.settlement.kind === "deduplicated" || decision.settlement.kind === "followed");
}

function withNote(history: JobStatus["history"], status: JobStatus, because: string, now: number): JobStatus["history"] {
  const last = history.at(-1);
  if (last?.because === because) return history; // the same pass moved its state as well
  return withTransition(history, { from: stateLabel(status), to: stateLabel(status), because }, now);
}

function nextHistory(before: JobStatus | undefined, after: JobStatus, because: string, now: number): JobStatus["history"] {
  const [from, to] = [before === undefined ? "" : stateLabel(before), stateLabel(after)];
  return from === to ? after.history : withTransition(after.history, { from, to, because }, now);
}
