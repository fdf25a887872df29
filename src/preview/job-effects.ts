import { formatDuration } from "../common/units.ts";
import type { JobRecord } from "../model/status.ts";
import type { JobDecision } from "../pass/decision.ts";
import type { DesiredJob } from "../pass/desired.ts";
import { isOver } from "../pass/is-down.ts";
import type { JobAction } from "./job-action.ts";
import { lastInterruption, type InterruptionCause } from "./past-interruptions.ts";
import type { PlanInterruption } from "./plan.ts";

/** What becomes of the job's state, in one sentence. Undefined where nothing is done to it. Pure. */
export function effectOnState(job: DesiredJob, decision: JobDecision, { action }: JobAction): string | undefined {
  switch (action) {
    case "create":
      return startedFrom(decision) ?? "none: it starts empty";
    case "upgrade":
      return startedFrom(decision) ?? "kept: it starts from the Final Savepoint of the Job before it";
    case "resume":
      return startedFrom(decision) ?? "kept: it goes on from the savepoint that it was stopped with";
    case "restart":
      return (
        startedFrom(decision) ?? (decision.kind === "announce" ? "none: it begins anew" : "kept, as far as a checkpoint holds it")
      );
    case "rescale-in-place":
      return "kept: Flink redistributes it, without a savepoint";
    case "rescale-by-savepoint":
    case "migrate":
      return "kept: it is stopped with a savepoint and started again from it";
    case "suspend":
      return "kept in a savepoint until it is resumed";
    case "stop":
      return isDrained(decision)
        ? "emitted: it is drained, and what it leaves is not for resuming"
        : "kept in the Final Savepoint";
    case "delete":
      return effectOfDeletion(job.record, decision);
    case "deduplicate":
      return "that of the highest attempt goes on; the other one's is kept in a savepoint";
    case "adopt":
    case "refuse":
      return "untouched: it goes on as it is";
    case "leave":
      return undefined;
    default:
      return action satisfies never;
  }
}

/** How long nothing runs, from the job's own past where it has one; for an upgrade, from that of the Job `before`. Pure. */
export function expectedInterruption(
  job: DesiredJob,
  { action }: JobAction,
  before: DesiredJob | undefined,
): PlanInterruption | undefined {
  switch (action) {
    case "rescale-in-place":
      return brief(job, "in-place", "a moment: the job goes on under its id", "it was last rescaled in place");
    case "rescale-by-savepoint":
    case "migrate":
      return brief(job, "rescale", "unknown: it was never stopped and started again before", "it was last rescaled");
    case "restart":
      return brief(job, "restart", "it is down until its next attempt runs", "it last came back");
    case "suspend":
      return { kind: "until-resumed", text: "until spec.resources.rpus is raised again" };
    case "stop":
      return { kind: "for-good", text: "for good; what starts from its savepoint goes on for it" };
    case "delete":
      return runs(job.record) ? { kind: "for-good", text: "for good" } : { kind: "none", text: "none: it does not run" };
    case "upgrade":
      if (before === undefined || !runs(before.record)) return { kind: "none", text: "none: nothing runs in its place" };
      return brief(
        before,
        "rescale",
        `from the stop of ${before.id.name} until this one runs`,
        `${before.id.name} was last rescaled`,
      );
    case "create":
    case "resume":
      return { kind: "none", text: "none: it does not run yet" };
    case "adopt":
    case "deduplicate":
    case "refuse":
      return { kind: "none", text: "none" };
    case "leave":
      return undefined;
    default:
      return action satisfies never;
  }
}

function brief(job: DesiredJob, cause: InterruptionCause, unknown: string, when: string): PlanInterruption {
  const past = lastInterruption(job.record?.status.history ?? [], cause);
  if (past === undefined) return { kind: "brief", text: unknown };
  return { kind: "brief", seconds: past.seconds, text: `about ${formatDuration(past.seconds * 1000)}, as when ${when}` };
}

function startedFrom(decision: JobDecision): string | undefined {
  if (decision.kind !== "announce" && decision.kind !== "resume") return undefined;
  const { work } = decision;
  if (work.kind !== "start" || work.operation.restoreFrom === undefined) return undefined;
  const { kind, uri } = work.operation.restoreFrom;
  return `kept: it starts from ${kind === "Savepoint" ? "savepoint" : "checkpoint"} ${uri}`;
}

function effectOfDeletion(record: JobRecord | undefined, decision: JobDecision): string {
  if (!runs(record) && record?.status.lastSavepoint === undefined) return "none to keep";
  const isCancelled = decision.kind === "announce" && decision.work.kind === "cancel";
  if (isCancelled) return "not saved: it is cancelled, and only a retained checkpoint is kept";
  return "kept: a tombstone keeps its last restore point for 30 days";
}

function isDrained(decision: JobDecision): boolean {
  if (decision.kind !== "announce" && decision.kind !== "resume") return false;
  return decision.work.kind === "stop" && decision.work.operation.drain === true;
}

function runs(record: JobRecord | undefined): boolean {
  return record?.status.flinkJobId !== undefined && !isOver(record.status);
}
