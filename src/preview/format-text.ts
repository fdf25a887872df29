import { formatProblem } from "../common/problem.ts";
import { countOf, oneLine } from "../common/text.ts";
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

export type PlanColour = "green" | "yellow" | "red" | "gray" | "bold" | "cyan";

export interface TextOptions {
  readonly columns: number;
  readonly paint: (colour: PlanColour, text: string) => string;
}

const MIN_COLUMNS = 40;
const LABEL_WIDTH = 15;
const INDENT = "      ";

/** For a terminal. Everything foreign is one harmless line, wrapped at the terminal's width. */
export function formatPlanText(plan: Plan, options: TextOptions): string {
  const columns = Math.max(MIN_COLUMNS, options.columns);
  const { paint } = options;
  const lines = wrap(describeSubject(plan.subject), columns).map((line) => paint("bold", line));
  const section = (title: string, body: readonly string[]): void => {
    if (body.length > 0) lines.push("", paint("bold", title), ...body);
  };
  const list = (texts: readonly string[], colour?: PlanColour): readonly string[] =>
    texts.flatMap((text) => hang("  ", text, columns)).map((line) => (colour === undefined ? line : paint(colour, line)));
  for (const notice of describeNotices(plan)) lines.push(...wrap(notice, columns).map((line) => paint("yellow", line)));
  section(countOf(plan.problems.length, "problem"), list(plan.problems.map(formatProblem), "red"));
  for (const step of changesOf(plan)) lines.push("", ...formatStep(step, columns, paint));
  section(
    "deletions are held",
    list(
      plan.guard.map(({ because }) => because),
      "yellow",
    ),
  );
  section("slots", list(plan.clusters.map(describeCluster)));
  section("quotas", list(plan.quotas.map(describeQuota)));
  const stays = plan.steps.filter(({ action }) => action === "leave");
  section(
    "as it is",
    list(
      stays.map((step) => `${step.kind} ${nameOf(step)}: ${step.because}`),
      "gray",
    ),
  );
  lines.push("", ...wrap(plan.summary, columns).map((line) => paint(colourOfSummary(plan), line)));
  return `${lines.join("\n")}\n`;
}

function formatStep(step: PlanStep, columns: number, paint: TextOptions["paint"]): readonly string[] {
  const { mark, colour } = lookOf(step);
  const title = `${mark} ${step.kind} ${oneLine(nameOf(step), 200)}`;
  const action = describeAction(step);
  const head = `  ${title}  ${action}`;
  const headLines = head.length <= columns ? [head] : [...hang("  ", title, columns), `${INDENT}${action}`];
  const facts = factsOf(step).flatMap(([label, text]) => hang(`${INDENT}${label.padEnd(LABEL_WIDTH)}`, text, columns));
  return [...headLines.map((line) => paint(colour, line)), ...facts];
}

function lookOf({ action, verdict }: PlanStep): { readonly mark: string; readonly colour: PlanColour } {
  if (action === "refuse" || verdict === "held") return { mark: "!", colour: "red" };
  if (verdict === "waits") return { mark: "…", colour: "yellow" };
  switch (action) {
    case "create":
    case "upgrade":
    case "resume":
    case "adopt":
      return { mark: "+", colour: "green" };
    case "deduplicate":
    case "delete":
    case "stop":
    case "suspend":
      return { mark: "-", colour: "red" };
    case "leave":
    case "migrate":
    case "rescale-by-savepoint":
    case "rescale-in-place":
    case "restart":
      return { mark: "~", colour: "cyan" };
    default:
      return action satisfies never;
  }
}

function colourOfSummary(plan: Plan): PlanColour {
  if (plan.problems.length > 0) return "red";
  return changesOf(plan).length > 0 ? "yellow" : "green";
}

/** The text behind `prefix`, its further lines below its first word. */
function hang(prefix: string, text: string, columns: number): readonly string[] {
  const width = Math.max(20, columns - prefix.length);
  return wrap(text, width).map((line, index) => `${index === 0 ? prefix : " ".repeat(prefix.length)}${line}`);
}

/** At spaces; a word that is longer than a line is cut. */
function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of oneLine(text, 4000).split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = "";
    }
    let rest = line === "" ? word : `${line} ${word}`;
    while (rest.length > width) {
      lines.push(rest.slice(0, width));
      rest = rest.slice(width);
    }
    line = rest;
  }
  return [...lines, line];
}
