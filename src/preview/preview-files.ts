import { formatPlanJson } from "./format-json.ts";
import { formatPlanMarkdown } from "./format-markdown.ts";
import type { Plan } from "./plan.ts";

export interface PreviewChanges {
  readonly changes: ReadonlyMap<string, string | undefined>;
  /** Ids whose plan is another one now. */
  readonly planned: readonly string[];
  readonly removed: readonly string[];
}

/** A request may plan thousands of changes: of these as many as a person may read. */
const MAX_STEPS = 500;
const MAX_PROBLEMS = 500;
const OURS = /^([1-9]\d{0,8}|branch-[\w.-]+)\.(?:md|json)$/;

/**
 * What is to be written to the previews' branch: a plan that says the same as the one there is left as it is, whenever it was made. `plans` are all that
 * are known; `gone` says of an id without a plan whether its request is surely gone. Pure.
 */
export function previewChanges(
  files: ReadonlyMap<string, string>,
  plans: ReadonlyMap<string, Plan>,
  gone: (id: string) => boolean,
): PreviewChanges {
  const changes = new Map<string, string | undefined>();
  const planned: string[] = [];
  const removed = new Set<string>();
  for (const [id, whole] of plans) {
    const plan = bounded(whole);
    if (isSamePlan(readPlan(files, id), plan) && files.has(`${id}.md`)) continue;
    planned.push(id);
    changes.set(`${id}.json`, formatPlanJson(plan));
    changes.set(`${id}.md`, formatPlanMarkdown(plan));
  }
  for (const path of files.keys()) {
    const id = idOfPreview(path);
    if (id === undefined || plans.has(id) || !gone(id)) continue;
    removed.add(id);
    changes.set(path, undefined);
  }
  return { changes, planned, removed: [...removed] };
}

/** Undefined for what is somebody else's file. */
export function idOfPreview(path: string): string | undefined {
  return OURS.exec(path)?.[1];
}

/** A message whose subject a person can read. */
export function previewMessage({ planned, removed }: PreviewChanges): string {
  const parts = [
    ...(planned.length === 0 ? [] : [`Plan ${shorten(planned)}`]),
    ...(removed.length === 0 ? [] : [`${planned.length === 0 ? "Remove" : "remove"} ${shorten(removed)}`]),
  ];
  return `${parts.join("; ")}\n`;
}

function shorten(ids: readonly string[]): string {
  return ids.length <= 5 ? ids.join(", ") : `${ids.slice(0, 5).join(", ")} and ${ids.length - 5} more`;
}

function bounded(plan: Plan): Plan {
  if (plan.steps.length <= MAX_STEPS && plan.problems.length <= MAX_PROBLEMS) return plan;
  const steps = plan.steps.slice(0, MAX_STEPS);
  const problems = plan.problems.slice(0, MAX_PROBLEMS);
  const left = plan.steps.length - steps.length + plan.problems.length - problems.length;
  return { ...plan, steps, problems, notices: [...plan.notices, `${left} more steps and problems are left out`] };
}

/** What moves by itself does not count: when it was planned, and how far checkpoints have gone on since. */
function isSamePlan(written: Plan | undefined, plan: Plan): boolean {
  try {
    return written !== undefined && JSON.stringify(withoutTime(written)) === JSON.stringify(withoutTime(plan));
  } catch {
    return false; // Not what we wrote: then it is written again.
  }
}

/** The plan that stands on the previews' branch; undefined where there is none that can be read. */
export function readPlan(files: ReadonlyMap<string, string>, id: string): Plan | undefined {
  try {
    return JSON.parse(files.get(`${id}.json`) ?? "") as Plan; // who asks has found it to be the same as one of ours
  } catch {
    return undefined;
  }
}

function withoutTime(plan: Plan): unknown {
  return { ...plan, plannedAt: undefined, steps: plan.steps.map((step) => ({ ...step, restorePoint: step.restorePoint?.kind })) };
}
