import { isHealthy } from "../flink/cluster-seen.ts";
import { shownState, isFlinkState, type SeenJobState } from "../model/flink-job-state.ts";
import { withCondition, withoutCondition, withTransition } from "../model/conditions.ts";
import type { JobManifest } from "../model/manifest.ts";
import type { AcceptedSource, Condition, JobRecord, JobStatus, StartOperation } from "../model/status.ts";
import { acceptanceOfJob } from "./acceptance.ts";
import { isDeepStrictEqual } from "node:util";
import type { Block, JobDecision } from "./decision.ts";
import type { DesiredJob } from "./desired.ts";
import { jobConditions, type ConditionNow } from "./job-conditions.ts";
import { findJob, type JobSeen, type Observed } from "./observed.ts";

export interface StatusContext {
  readonly commit: string;
  readonly observed: Observed;
  readonly now: number;
}

/** The record of a Job after this pass; the very one that was there when nothing changed; undefined when there is none to keep. */
export function nextJobRecord(job: DesiredJob, decision: JobDecision, context: StatusContext): JobRecord | undefined {
  if (decision.kind === "forget") return undefined;
  const base = decision.kind === "adopt" ? decision.record : baseRecord(job, decision, context);
  if (base === undefined || job.recordProblem !== undefined) return job.record;
  const announced = decision.kind === "start" ? announce(base, decision.operation, decision.artifact) : base;
  const seen = seeJob(announced, context.observed);
  const settled = decision.kind === "start" ? announced : settle(announced, seen, decision);
  const status = withState(settled.status, seen);
  const acceptance = acceptanceOfJob({ ...job, record: { ...settled, status } });
  const conditions = applyConditions(
    status.conditions,
    jobConditions(acceptance, status, seen, blockOf(job, decision)),
    context.now,
  );
  const history = nextHistory(job.record?.status, status, whyMoved(decision, seen), context.now);
  const record: JobRecord = { ...settled, status: { ...status, conditions, history } };
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
  const bound = record?.status.operation !== undefined || record?.status.flinkJobId !== undefined;
  if (bound && decision.kind !== "start") return { ...record, labels: manifest.labels, annotations: manifest.annotations };
  const source = acceptedSource(manifest, record?.status.source, context.commit);
  const status: JobStatus = record?.status ?? {
    phase: "Pending",
    flinkJobState: "",
    run: 0,
    attempt: 0,
    source,
    conditions: [],
    history: [],
  };
  return {
    kind: "Job",
    id: job.id,
    labels: manifest.labels,
    annotations: manifest.annotations,
    spec: manifest.spec,
    status: { ...status, source },
  };
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

function announce(record: JobRecord, operation: StartOperation, artifact: NonNullable<JobStatus["artifact"]>): JobRecord {
  return { ...record, status: { ...record.status, attempt: operation.attempt, artifact, operation } };
}

function seeJob(record: JobRecord, observed: Observed): JobSeen | undefined {
  const { operation, cluster, flinkJobId } = record.status;
  const ref = operation?.cluster ?? cluster;
  const id = operation?.flinkJobId ?? flinkJobId;
  return ref === undefined || id === undefined ? undefined : findJob(observed.clusters, record.id.zone, ref, id);
}

/** Flink has the job: its start is over. From here on the Job is Ready until it is deleted, whatever happens. */
function settle(record: JobRecord, seen: JobSeen | undefined, decision: JobDecision): JobRecord {
  const { operation, ...rest } = record.status;
  if (operation === undefined || seen?.kind !== "listed" || decision.kind !== "leave") return record;
  const { flinkJobId, rpus, restoreFrom } = operation;
  const status: JobStatus = {
    ...rest,
    phase: "Ready",
    run: rest.run + 1,
    flinkJobState: "",
    flinkJobId,
    cluster: { ...operation.cluster, incarnation: seen.cluster.incarnation },
    flinkVersion: seen.cluster.flinkVersion,
    requestedRpus: rpus,
    ...(restoreFrom === undefined ? {} : { startedFrom: restoreFrom }),
  };
  return { ...record, status };
}

function withState(status: JobStatus, seen: JobSeen | undefined): JobStatus {
  if (status.phase === "Pending" || seen === undefined) return status;
  // What Flink shows on the way from one JobManager to another tells nothing; the first state is before all others.
  const flinkJobState = shownState(status.flinkJobState, stateOf(seen)) || "Initializing";
  const reached = seen.kind === "listed" ? seen.job.detail?.parallelism : undefined;
  return { ...status, flinkJobState, ...(reached === undefined || reached === 0 ? {} : { parallelism: reached }) };
}

function stateOf(seen: JobSeen): SeenJobState {
  if (seen.kind !== "listed" || !isFlinkState(seen.job.state)) return { kind: "not-seen" };
  return { kind: "shown", state: seen.job.state };
}

function blockOf(job: DesiredJob, decision: JobDecision): (Block & { readonly because: string }) | undefined {
  if (decision.kind !== "wait" && decision.kind !== "await") return decision.kind === "submit" ? lastTrouble(job) : undefined;
  return decision.block === undefined ? lastTrouble(job) : { ...decision.block, because: decision.because };
}

/** While a start is under way the outcome of the try before stands, or each try of a start that fails would be two commits. */
function lastTrouble({ record }: DesiredJob): (Block & { readonly because: string }) | undefined {
  const last = record?.status.conditions.find(({ type, status }) => type === "Started" && status === "False");
  return last === undefined ? undefined : { condition: "Started", reason: last.reason, because: last.message };
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
  if (decision.kind !== "leave" || seen?.kind !== "listed") return decision.because;
  const { state, detail } = seen.job;
  return `Flink shows ${state}${isHealthy(seen.job) ? ", all tasks running" : ""}${detail?.rootCause === undefined ? "" : `: ${detail.rootCause}`}`;
}

function nextHistory(before: JobStatus | undefined, after: JobStatus, because: string, now: number): JobStatus["history"] {
  const [from, to] = [before === undefined ? "" : label(before), label(after)];
  return from === to ? after.history : withTransition(after.history, { from, to, because }, now);
}

function label({ phase, flinkJobState }: JobStatus): string {
  return flinkJobState === "" ? phase : `${phase}, ${flinkJobState}`;
}
