import { formatDuration } from "../common/units.ts";
import { countOf } from "../common/text.ts";
import type { Plan, PlanCluster, PlanQuota, PlanRestorePoint, PlanSlots, PlanStep, PlanSubject } from "./plan.ts";

/** The sentences that text and Markdown share. Names and messages in them may be foreign: whoever prints them escapes. */

/** `plan of branch main at 4f2a1b9c3d2e`. */
export function describeSubject(subject: PlanSubject): string {
  switch (subject.kind) {
    case "branch":
    case "ref":
      return `plan of ${subject.kind} ${subject.name} at ${subject.commit.slice(0, 12)}`;
    case "folder":
      return `plan of folder ${subject.name}`;
    case "request": {
      const { name, base, head } = subject;
      return `plan of ${name}: ${head.slice(0, 12)} on ${base.slice(0, 12)}`;
    }
    default:
      return subject satisfies never;
  }
}

/** What a reader should know of how the planned tree came about, and of what could not be seen. */
export function describeNotices(plan: Plan): readonly string[] {
  const notices = [...plan.notices];
  if (plan.subject.kind === "request") {
    const { merge } = plan.subject;
    if (merge.kind === "head-alone") notices.unshift(`the head is planned as it stands, not merged: ${merge.because}`);
    if (merge.kind === "conflict")
      notices.unshift(
        `it conflicts with the branch it is for in ${merge.files.join(", ")}; nothing is planned before that is resolved`,
      );
  }
  for (const { name, unreachable } of plan.clusters)
    if (unreachable !== undefined) notices.push(`cluster ${name} cannot be seen: ${unreachable}`);
  return notices;
}

const VERDICTS: Readonly<Record<PlanStep["verdict"], string>> = {
  now: "",
  "under-way": "under way",
  waits: "waits",
  held: "held",
  none: "",
};

/** `rescale by savepoint`, `create, waits`. */
export function describeAction({ action, verdict }: PlanStep): string {
  const verdictText = action === "refuse" ? "" : VERDICTS[verdict];
  return `${action.replaceAll("-", " ")}${verdictText === "" ? "" : `, ${verdictText}`}`;
}

/** `project/name`. */
export function nameOf({ project, name }: PlanStep): string {
  return `${project}/${name}`;
}

/** What there is to say of a step, as pairs of a label and a sentence, in the order in which a person asks. */
export function factsOf(step: PlanStep): readonly (readonly [label: string, text: string])[] {
  const facts: (readonly [string, string])[] = [["because", step.because]];
  if (step.slots !== undefined) facts.push(["slots", describeSlots(step.slots)]);
  if (step.state !== undefined) facts.push(["state", step.state]);
  if (step.interruption !== undefined) facts.push(["interruption", step.interruption.text]);
  if (step.restorePoint !== undefined) facts.push(["restore point", describeRestorePoint(step.restorePoint)]);
  for (const note of step.notes) facts.push(["note", note]);
  if (step.at !== undefined) facts.push(["declared", `${step.at.file}:${step.at.line}`]);
  return facts;
}

/** Without `after` where the step does not begin now: then nothing is taken yet. */
function describeSlots({ cluster, needed, freeNow, freeAfter }: PlanSlots): string {
  const where = cluster === undefined ? "" : ` in ${cluster}`;
  if (needed === 0) return `needs no more${where}`;
  const isTaken = freeNow !== freeAfter;
  const what = needed > 0 ? `needs ${needed}` : `${isTaken ? "gives" : "would give"} ${-needed} back`;
  return isTaken ? `${what}${where}: ${freeNow} free before, ${freeAfter} after` : `${what}${where}: ${freeNow} free`;
}

function describeRestorePoint(point: PlanRestorePoint): string {
  if (point.kind === "none") return "none yet";
  if (point.kind === "unknown") return `not known: ${point.because}`;
  return `${point.kind.toLowerCase()}, ${formatDuration(Math.max(1, point.ageSeconds) * 1000)} old`;
}

/** `main (Flink 1.16.3): 6 of 8 slots free, 2 after`. */
export function describeCluster({ zone, name, slots, flinkVersion, unreachable }: PlanCluster): string {
  if (slots === undefined) return `${zone}/${name}: ${unreachable === undefined ? "not seen" : "cannot be seen"}`;
  const after = slots.freeAfter === slots.freeNow ? "" : `, ${slots.freeAfter} after`;
  return `${zone}/${name} (Flink ${flinkVersion ?? "?"}): ${slots.freeNow} of ${countOf(slots.total, "slot")} free${after}`;
}

export function describeQuota({ zone, project, maxRpus, usedNow, usedAfter, waiting }: PlanQuota): string {
  const after = usedAfter === usedNow ? "" : `, ${usedAfter} after`;
  const who = waiting.length === 0 ? "" : `; it holds back ${waiting.join(", ")}`;
  return `project ${project} in zone ${zone}: ${usedNow} of ${countOf(maxRpus, "rpu")} taken${after}${who}`;
}
