import { isHealthy } from "../flink/cluster-seen.ts";
import type { SavepointSpec } from "../model/manifest.ts";
import { siblingKey } from "../model/resource.ts";
import type { Operation } from "../model/status.ts";
import { acceptanceOfJob } from "../pass/acceptance.ts";
import type { Block, JobDecision, JobWork, Settlement } from "../pass/decision.ts";
import type { Desired, DesiredJob } from "../pass/desired.ts";
import type { Decided } from "../pass/observe-and-decide.ts";
import { findJob } from "../pass/observed.ts";
import type { PlanAction, PlanVerdict } from "./plan.ts";

export interface JobAction {
  readonly action: PlanAction;
  readonly verdict: PlanVerdict;
  readonly because: string;
  readonly reason?: string;
}

type Facts = Pick<Decided, "desired" | "observed" | "decisions">;

/** What only a person can mend or decide; all else that waits goes on by itself. */
export const HELD: ReadonlySet<string> = new Set([
  "DeletionHeld",
  "TooManyDeletions",
  "SourceChanged",
  "LooksLikeRename",
  "StatusLost",
  "NeedsRestore",
  "TombstoneStands",
  "ProjectNotAllowed",
  "Paused",
  "NoZone",
  "SpecUnknown",
  "RestorePointMissing",
  "RestorePointUnknown",
  "MaxParallelism",
  "NextStartFailed",
  "UpdateFailed",
  "SavepointsRefused",
  "NoSavepointDirectory",
  "Suspended",
]);

/** The decision on one Job in the words of a plan. Pure. */
export function actionOfJob(job: DesiredJob, decision: JobDecision, facts: Facts): JobAction {
  const { because } = decision;
  switch (decision.kind) {
    case "announce":
      return { action: actionOfWork(job, decision.work, facts.desired), verdict: "now", because };
    case "resume":
      return { action: actionOfOperation(job, decision.work.operation, facts.desired), verdict: "under-way", because };
    case "await":
      return {
        action: actionOfOperation(job, decision.operation, facts.desired),
        verdict: "under-way",
        because,
        ...reasonOf(decision.block),
      };
    case "settle":
      return settled(job, decision.settlement, because, facts.desired);
    case "adopt":
      return { action: "adopt", verdict: "now", because };
    case "forget":
      return { action: "delete", verdict: "now", because };
    case "wait":
      return waiting(job, decision.block, because, facts);
    case "leave":
      return left(job, decision, facts);
    default:
      return decision satisfies never;
  }
}

function actionOfWork(job: DesiredJob, work: JobWork, desired: Desired): PlanAction {
  return actionOfOperation(job, work.operation, desired);
}

function actionOfOperation(job: DesiredJob, operation: Operation, desired: Desired): PlanAction {
  switch (operation.kind) {
    case "start":
      return actionOfStart(job, desired);
    case "cancel":
      return "delete";
    case "rescale":
      return "rescale-in-place";
    case "stop":
      if (operation.purpose === "rescale") return "rescale-by-savepoint";
      if (operation.purpose === "duplicate") return "deduplicate";
      return operation.purpose === "final" ? "stop" : operation.purpose;
    default:
      return operation satisfies never;
  }
}

/** A start is the first one, the one of an upgrade, a return from a savepoint, or the next attempt of what broke. */
function actionOfStart(job: DesiredJob, desired: Desired): PlanAction {
  const status = job.record?.status;
  if (status?.flinkJobId === undefined || status.deleted !== undefined) {
    if (isUpgrade(job, desired)) return "upgrade";
    return status?.deleted?.restorePoint === undefined ? "create" : "resume";
  }
  return status.suspended === true || status.finalized !== undefined ? "resume" : "restart";
}

/** It starts from the Final Savepoint of another Job. */
function isUpgrade(job: DesiredJob, desired: Desired): boolean {
  return initialSavepointOf(job, desired)?.type === "Final";
}

/** The Savepoint that a declared Job starts from, as it is declared or else recorded. */
export function initialSavepointOf({ id, declared }: DesiredJob, { savepoints }: Desired): SavepointSpec | undefined {
  const named = declared.kind === "declared" ? declared.manifest.spec.initialState : undefined;
  if (named === undefined) return undefined;
  const key = siblingKey(id, "Savepoint", named.savepoint);
  const found = savepoints.find((savepoint) => savepoint.key === key);
  return found?.declared.kind === "declared" ? found.declared.manifest.spec : found?.record?.spec;
}

function settled(job: DesiredJob, settlement: Settlement, because: string, desired: Desired): JobAction {
  const operation = job.record?.status.operation;
  if (settlement.kind === "finished") return { action: "leave", verdict: "none", because };
  if (operation !== undefined) return { action: actionOfOperation(job, operation, desired), verdict: "under-way", because };
  return { action: settlement.kind === "buried" ? "delete" : "stop", verdict: "now", because };
}

function waiting(job: DesiredJob, block: Block, because: string, facts: Facts): JobAction {
  if (block.condition === "Deleted") return blocked("delete", block, because);
  if (block.reason === "Suspended") return { action: "leave", verdict: "none", because, reason: block.reason };
  const action = block.condition === "Restored" ? "resume" : actionOfStart(job, facts.desired);
  if (block.reason !== "InitialStateNotReady") return blocked(action, block, because);
  const stopped = jobThatIsStoppedFor(job, facts);
  if (stopped === undefined) return blocked(action, block, because);
  return { action, verdict: "now", because: `it starts from the Final Savepoint of ${stopped} as soon as that is taken` };
}

/** The Job whose Final Savepoint this one waits for, where it is stopped in this very plan. */
function jobThatIsStoppedFor(job: DesiredJob, { desired, decisions }: Facts): string | undefined {
  if (job.declared.kind !== "declared") return undefined;
  const name = job.declared.manifest.spec.initialState?.savepoint;
  const found = decisions.jobs.find((decision) => {
    if (decision.id.zone !== job.id.zone || decision.id.project !== job.id.project) return false;
    if (decision.kind === "settle") return decision.settlement.kind === "finalized" && decision.settlement.savepoint === name;
    const operation =
      decision.kind === "announce" || decision.kind === "resume"
        ? decision.work.operation
        : decision.kind === "await"
          ? decision.operation
          : undefined;
    return operation?.kind === "stop" && operation.savepoint !== undefined && operation.savepoint === name;
  });
  return found === undefined || !isUpgrade(job, desired) ? undefined : found.id.name;
}

function left(job: DesiredJob, decision: JobDecision & { readonly kind: "leave" }, facts: Facts): JobAction {
  const { because, block } = decision;
  const acceptance = acceptanceOfJob(job, decision);
  const refusal: JobAction | undefined =
    acceptance.reason === "SpecChanged"
      ? { action: "refuse", verdict: "held", because: acceptance.message, reason: acceptance.reason }
      : undefined;
  if (block === undefined) return refusal ?? unblocked(job, decision, facts);
  switch (block.condition) {
    case "Deleted":
      return blocked("delete", block, because);
    case "Rescaled":
      return blocked(canInPlace(job, facts) ? "rescale-in-place" : "rescale-by-savepoint", block, because);
    case "Suspended":
      if (block.reason === "WasDown") return refusal ?? { action: "leave", verdict: "none", because };
      return blocked("suspend", block, because);
    case "Finalized":
      return blocked("stop", block, because);
    case "Restored":
      return blocked(actionOfStart(job, facts.desired), block, because);
    case "Duplicate":
      return blocked("deduplicate", block, because);
    case "UpToDate":
      // The policy says that it stays: nothing waits.
      if (block.reason === "UpdateAvailable") return refusal ?? { action: "leave", verdict: "none", because };
      return refusal ?? blocked("migrate", block, because);
    case "Available":
    case "Placed":
    case "Started":
      return refusal ?? { action: "leave", verdict: "held", because, reason: block.reason };
    default:
      return block.condition satisfies never;
  }
}

/** Left alone, as it is right; or because it cannot be seen, though something is wanted of it. */
function unblocked(job: DesiredJob, { because, soon }: JobDecision & { readonly kind: "leave" }, facts: Facts): JobAction {
  if (soon === true) return { action: actionOfStart(job, facts.desired), verdict: "under-way", because };
  const { record, declared } = job;
  const status = record?.status;
  if (declared.kind !== "declared" || status?.cluster === undefined || status.flinkJobId === undefined)
    return { action: "leave", verdict: "none", because };
  const isUnseen = findJob(facts.observed.clusters, job.id.zone, status.cluster, status.flinkJobId).kind === "unseen";
  const { rpus } = declared.manifest.spec;
  if (!isUnseen || status.requestedRpus === undefined || rpus === status.requestedRpus)
    return { action: "leave", verdict: "none", because };
  const action = rpus === 0 ? "suspend" : status.requestedRpus === 0 ? "resume" : "rescale-by-savepoint";
  return { action, verdict: "waits", because, reason: "ClusterUnreachable" };
}

/** Whether the cluster would be asked to rescale the job without a stop. */
function canInPlace(job: DesiredJob, { observed }: Facts): boolean {
  const status = job.record?.status;
  if (status?.cluster === undefined || status.flinkJobId === undefined) return false;
  const seen = findJob(observed.clusters, job.id.zone, status.cluster, status.flinkJobId);
  if (seen.kind !== "listed") return false;
  return seen.cluster.inPlaceRescale && isHealthy(seen.job) && (seen.job.detail?.checkpoints.completed ?? 0) > 0;
}

function blocked(action: PlanAction, block: Block, because: string): JobAction {
  return { action, verdict: HELD.has(block.reason) ? "held" : "waits", because, reason: block.reason };
}

function reasonOf(block: Block | undefined): { readonly reason?: string } {
  return block === undefined ? {} : { reason: block.reason };
}
