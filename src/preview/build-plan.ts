import { formatTime } from "../common/clock.ts";
import { compareText, sortProblems } from "../common/problem.ts";
import { countOf, listOf, shownPath } from "../common/text.ts";
import { canonicalJson } from "../common/hash.ts";
import type { Config } from "../config/config.ts";
import { siblingKey, type ResourceKey } from "../model/resource.ts";
import type { JobDecision } from "../pass/decision.ts";
import type { DesiredJob } from "../pass/desired.ts";
import type { Guarded } from "../pass/guard.ts";
import type { Decided } from "../pass/observe-and-decide.ts";
import { actionOfJob, initialSavepointOf, type JobAction } from "./job-action.ts";
import { effectOnState, expectedInterruption } from "./job-effects.ts";
import { artifactStep, savepointStep, sortSteps } from "./other-steps.ts";
import { PLAN_VERSION, type Plan, type PlanRestorePoint, type PlanSlots, type PlanStep, type PlanSubject } from "./plan.ts";
import { planQuotas, planSlots, type ActedJob } from "./plan-slots.ts";

/** When a Job's newest restore point was taken; what is not in the map was not asked for. */
export type RestorePointAges = ReadonlyMap<
  ResourceKey,
  | { readonly kind: "Savepoint" | "Checkpoint"; readonly uri: string; readonly takenAtMs: number }
  | { readonly kind: "none" }
  | { readonly kind: "unknown"; readonly because: string }
>;

export interface BuildPlanInput {
  readonly config: Pick<Config, "instance" | "zones">;
  readonly subject: PlanSubject;
  readonly decided: Decided;
  /** Artifacts that nobody has looked into. */
  readonly notAtHand: ReadonlySet<ResourceKey>;
  readonly ages: RestorePointAges;
  readonly notices: readonly string[];
}

/** The decisions of a pass as a person and a program read them. Pure. */
export function buildPlan(input: BuildPlanInput): Plan {
  const { config, subject, decided, notAtHand } = input;
  const { desired, decisions, snapshot } = decided;
  const acted = actedJobs(decided);
  const slots = planSlots(acted, decided);
  const steps = sortSteps([
    ...acted.map((one) => jobStep(one, slots.byJob.get(one.job.key), input)),
    ...desired.savepoints.map((savepoint, index) =>
      savepointStep(savepoint, decisions.savepoints[index]!, isTakenNow(savepoint.id.name, savepoint.id, decided)),
    ),
    ...desired.artifacts.map((artifact, index) =>
      artifactStep(artifact, decisions.artifacts[index]!, notAtHand.has(artifact.key)),
    ),
  ]);
  const problems = sortProblems([...snapshot.problems, ...snapshot.status.unreadable.values()]);
  const appliedCommit = snapshot.status.summary?.appliedCommit;
  return {
    version: PLAN_VERSION,
    instance: config.instance,
    subject,
    ...(appliedCommit === undefined ? {} : { appliedCommit }),
    plannedAt: formatTime(decided.now),
    summary: summarize(steps, problems.length),
    notices: [
      ...(snapshot.stale === undefined ? [] : [`the repository cannot be read now: ${snapshot.stale}`]),
      ...(snapshot.refused === undefined ? [] : [snapshot.refused]),
      ...input.notices,
    ],
    problems,
    guard: guardLines(decided.guarded, acted),
    quotas: planQuotas(acted, config.zones),
    clusters: slots.clusters,
    steps,
  };
}

/** Jobs whose decision a plan shows, with what is done; a tombstone that only rests is none. Pure. */
export function actedJobs(decided: Decided): readonly ActedJob[] {
  const { desired, decisions } = decided;
  return desired.jobs.flatMap((job, index) => {
    if (job.record?.status.deleted !== undefined && job.declared.kind === "absent") return [];
    const decision: JobDecision = decisions.jobs[index]!; // one for each, in the same order
    return [{ job, decision, action: actionOfJob(job, decision, decided) }];
  });
}

function jobStep({ job, decision, action }: ActedJob, slots: PlanSlots | undefined, input: BuildPlanInput): PlanStep {
  const { kind, zone, project, name } = job.id;
  const state = effectOnState(job, decision, action);
  const interruption = expectedInterruption(job, action, beforeOf(job, input.decided));
  const restorePoint = action.action === "leave" ? undefined : restorePointOf(job, input);
  const source = job.declared.kind === "declared" ? job.declared.manifest.source : job.record?.status.source;
  return {
    kind,
    zone,
    project,
    name,
    ...action,
    ...rpusOfStep(job, action),
    ...(slots === undefined ? {} : { slots }),
    ...(state === undefined ? {} : { state }),
    ...(interruption === undefined ? {} : { interruption }),
    ...(restorePoint === undefined ? {} : { restorePoint }),
    notes: notesOf(job, action, input),
    ...(source === undefined ? {} : { at: { file: shownPath(source.path), line: source.line } }),
  };
}

/** The Job whose Final Savepoint an upgrade starts from. */
function beforeOf(job: DesiredJob, { desired }: Decided): DesiredJob | undefined {
  const spec = initialSavepointOf(job, desired);
  if (spec === undefined || spec.type === "External") return undefined;
  const before = siblingKey(job.id, "Job", spec.job);
  return desired.jobs.find((candidate) => candidate.key === before);
}

function rpusOfStep(job: DesiredJob, { action }: JobAction): Pick<PlanStep, "rpus"> {
  const from = job.record?.status.requestedRpus;
  const to =
    job.declared.kind === "declared" && action !== "stop" && action !== "refuse" ? job.declared.manifest.spec.rpus : undefined;
  if (action === "leave" || (from === undefined && to === undefined)) return {};
  return { rpus: { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) } };
}

function restorePointOf(job: DesiredJob, { ages, decided }: BuildPlanInput): PlanRestorePoint | undefined {
  const found = ages.get(job.key);
  if (found === undefined || found.kind === "none" || found.kind === "unknown") return found;
  const { kind, uri, takenAtMs } = found;
  const ageSeconds = Math.max(0, Math.round((decided.now - takenAtMs) / 1000));
  return { kind, uri, takenAt: formatTime(takenAtMs), ageSeconds };
}

const STARTS = new Set(["create", "upgrade", "resume", "restart", "rescale-by-savepoint", "migrate"]);

/** What a Job was accepted with was looked into then. */
function notesOf(job: DesiredJob, { action }: JobAction, { notAtHand }: BuildPlanInput): readonly string[] {
  const wasInspected = job.record?.status.artifact !== undefined && job.record.status.deleted === undefined;
  if (!STARTS.has(action) || wasInspected || job.artifactKey === undefined || !notAtHand.has(job.artifactKey)) return [];
  return ["its jar is not at hand; inspected when downloaded"];
}

/** Whether its Job is stopped with this Savepoint in this very plan. */
function isTakenNow(name: string, id: { readonly zone: string; readonly project: string }, { decisions }: Decided): boolean {
  return decisions.jobs.some((decision) => {
    if (decision.id.zone !== id.zone || decision.id.project !== id.project || decision.kind !== "announce") return false;
    return decision.work.kind === "stop" && decision.work.operation.savepoint === name;
  });
}

function guardLines({ deletions }: Guarded, acted: readonly ActedJob[]): Plan["guard"] {
  const known = new Set(acted.map(({ job }) => job.key));
  const lines = [...deletions].flatMap(([key, deletion]) =>
    deletion.kind === "held" && known.has(key) ? [{ reason: deletion.reason, because: deletion.because }] : [],
  );
  return [...new Map(lines.map((line) => [canonicalJson(line), line])).values()].sort((a, b) =>
    compareText(a.because, b.because),
  );
}

/** `3 changes (1 create, 2 rescale by savepoint), 1 refused, 1 held; 4 stay as they are`. */
function summarize(steps: readonly PlanStep[], problems: number): string {
  const changes = steps.filter(({ action }) => action !== "leave" && action !== "refuse");
  const refused = steps.filter(({ action }) => action === "refuse").length;
  const stay = steps.filter(({ action }) => action === "leave").length;
  const counts = [...Map.groupBy(changes, ({ action }) => action)].map(([action, of]) => `${of.length} ${formatAction(action)}`);
  const waiting = changes.filter(({ verdict }) => verdict === "waits").length;
  const held = changes.filter(({ verdict }) => verdict === "held").length;
  const parts = [
    ...(problems === 0 ? [] : [countOf(problems, "problem")]),
    changes.length === 0 ? "nothing to change" : `${countOf(changes.length, "change")} (${listOf(counts)})`,
    ...(waiting === 0 ? [] : [`${waiting} of them ${waiting === 1 ? "waits" : "wait"}`]),
    ...(held === 0 ? [] : [`${held} of them held`]),
    ...(refused === 0 ? [] : [`${refused} refused`]),
  ];
  const rest = stay === 0 ? "" : `; ${stay} ${stay === 1 ? "stays as it is" : "stay as they are"}`;
  return `${parts.join(", ")}${rest}`;
}

/** `rescale by savepoint`. */
function formatAction(action: string): string {
  return action.replaceAll("-", " ");
}
