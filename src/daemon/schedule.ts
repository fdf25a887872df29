import { countOf } from "../common/text.ts";
import { findCondition, isTrouble } from "../model/conditions.ts";
import { displayName } from "../model/resource.ts";
import type { JobDecision, SavepointDecision } from "../pass/decision.ts";
import { isMoving } from "../pass/observe.ts";
import type { DonePass, Pass } from "../pass/reconcile.ts";

/** While something is on its way from one state to the next. */
const MOVING_MS = 250;
const AFTER_CONFLICT_MS = 50;
const AFTER_FAILURE_MS = 2000;
/** What cannot be reached for so long is a state of its own and not a slow start. */
const GIVE_UP_MS = 10_000;

/** How long the daemon may sleep after this pass if nothing wakes it. Pure. */
export function nextDelayMs(
  pass: Pass,
  context: { readonly pollIntervalMs: number; readonly busy: boolean; readonly now: number },
): number {
  if (pass.kind === "blind") return AFTER_FAILURE_MS;
  const { published } = pass;
  if (published.kind === "conflict") return AFTER_CONFLICT_MS;
  const usual =
    context.busy || isUnsettled(pass) ? MOVING_MS : published.kind === "failed" ? AFTER_FAILURE_MS : context.pollIntervalMs;
  return published.kind === "put-off" ? Math.min(usual, Math.max(1, published.untilMs - context.now)) : usual;
}

/** Whether a job is between two states or an announced step is not over. */
function isUnsettled({ desired, decisions, observed }: DonePass): boolean {
  if ([...decisions.jobs, ...decisions.savepoints].some(isUnderWay)) return true;
  // A disposal that failed and waits for its turn holds nobody up.
  if (decisions.disposals.some(({ kind }) => kind !== "wait" && kind !== "tidied")) return true;
  return observed.clusters.some((cluster) => desired.jobs.some((job) => isMoving(job, cluster, observed.clusters)));
}

function isUnderWay(decision: JobDecision | SavepointDecision): boolean {
  if (decision.kind === "await") return decision.block === undefined || decision.block.reason === "OutcomeUnknown";
  if (decision.kind === "leave") return "soon" in decision && decision.soon;
  return decision.kind === "announce" || decision.kind === "resume" || decision.kind === "settle" || decision.kind === "ready";
}

/** For `--once`: whether nothing more will happen unless something changes outside. Pure. */
export function isAtRest(
  pass: Pass,
  context: { readonly busy: boolean; readonly blindSinceMs: number | undefined; readonly now: number },
): boolean {
  if (pass.kind === "blind") return context.blindSinceMs !== undefined && context.now - context.blindSinceMs > GIVE_UP_MS;
  if (context.busy || pass.published.kind !== "nothing-to-write" || isUnsettled(pass)) return false;
  if (pass.observed.clusters.some((cluster) => cluster.kind === "unreachable" && context.now - cluster.sinceMs <= GIVE_UP_MS))
    return false;
  if ([...pass.observed.artifacts.values()].some(({ kind }) => kind === "downloading")) return false;
  return !pass.decisions.artifacts.some((decision) => decision.kind === "fetch" && decision.block === undefined);
}

/** What a person has to look after, one line each, in the order of the manifests. Empty: everything declared is as it should be. */
export function findTrouble(pass: Pass): readonly string[] {
  if (pass.kind === "blind") return [pass.because];
  const { problems, unmirrored = [], refused } = pass.update.summary;
  const trouble = [...(refused === undefined ? [] : [refused]), ...problems, ...unmirrored];
  for (const record of pass.update.records.values()) {
    if (record.kind === "Job" && record.status.deleted !== undefined) continue; // its tombstone is nobody's trouble
    const name = `${record.kind} ${displayName(record.id)}`;
    const bad = record.status.conditions.find(isTrouble);
    if (bad !== undefined) trouble.push(`${name}: ${bad.reason}: ${bad.message}`);
    else if (record.status.phase === "Pending") trouble.push(`${name}: Pending`);
  }
  if (pass.published.kind === "failed") trouble.push(`the status cannot be written: ${pass.published.because}`);
  return trouble;
}

/** `3 jobs, 2 healthy`. */
export function describeJobs(pass: DonePass): string {
  const jobs = [...pass.update.records.values()].filter((record) => record.kind === "Job");
  const healthy = jobs.filter((job) => findCondition(job.status.conditions, "Healthy")?.status === "True");
  return `${countOf(jobs.length, "job")}, ${healthy.length} healthy`;
}
