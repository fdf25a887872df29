import { escapeMarkdown } from "../common/markdown.ts";
import { formatProblem } from "../common/problem.ts";
import { countOf } from "../common/text.ts";
import {
  describeAction,
  describeCluster,
  describeNotices,
  describeQuota,
  describeSubject,
  factsOf,
  nameOf,
} from "./describe-plan.ts";
import { changesOf, type Plan, type PlanStep } from "./plan.ts";

/** Forges take comments of up to 65,536 characters; what is shown is cut at whole parts and says so. */
const MAX_CHARACTERS = 60_000;
const MAX_STEPS = 60;
const MAX_PROBLEMS = 50;
const MAX_OTHERS = 100;

/** For a comment, or a file that a forge shows. Everything foreign is escaped, and the whole is bounded. */
export function formatPlanMarkdown(plan: Plan): string {
  const changes = changesOf(plan);
  const stays = plan.steps.filter(({ action }) => action === "leave");
  const parts = [
    `### Penstock: ${escapeMarkdown(plan.summary)}`,
    `${escapeMarkdown(describeSubject(plan.subject))}, instance ${escapeMarkdown(plan.instance)}, as of ${plan.plannedAt}`,
    ...describeNotices(plan).map((notice) => `> ${escapeMarkdown(notice)}`),
    ...section(countOf(plan.problems.length, "problem"), bullets(plan.problems.map(formatProblem), MAX_PROBLEMS)),
    ...changes.slice(0, MAX_STEPS).map(formatStep),
    ...(changes.length > MAX_STEPS ? [`… and ${countOf(changes.length - MAX_STEPS, "more change")}`] : []),
    ...section(
      "Deletions are held",
      bullets(
        plan.guard.map(({ because }) => because),
        MAX_OTHERS,
      ),
    ),
    ...section("Slots", bullets(plan.clusters.map(describeCluster), MAX_OTHERS)),
    ...section("Quotas", bullets(plan.quotas.map(describeQuota), MAX_OTHERS)),
    ...section(
      "As it is",
      bullets(
        stays.map((step) => `${step.kind} ${nameOf(step)}: ${step.because}`),
        MAX_OTHERS,
      ),
    ),
  ];
  return joinWithin(parts, MAX_CHARACTERS);
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : [`**${title}**\n\n${lines.join("\n")}`];
}

function bullets(texts: readonly string[], max: number): readonly string[] {
  const shown = texts.slice(0, max).map((text) => `- ${escapeMarkdown(text)}`);
  return texts.length > max ? [...shown, `- … and ${texts.length - max} more`] : shown;
}

function formatStep(step: PlanStep): string {
  const facts = factsOf(step).map(([label, text]) => `| ${label} | ${escapeMarkdown(text)} |`);
  const head = `${step.kind} **${escapeMarkdown(nameOf(step))}**`;
  return [`| ${head} | **${describeAction(step)}** |`, "| --- | --- |", ...facts].join("\n");
}

function joinWithin(parts: readonly string[], max: number): string {
  const kept: string[] = [];
  let length = 0;
  for (const part of parts) {
    if (length + part.length > max - 100) {
      kept.push("… the rest is left out, this plan is too large");
      break;
    }
    kept.push(part);
    length += part.length + 2;
  }
  return `${kept.join("\n\n")}\n`;
}
