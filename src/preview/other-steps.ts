import { compareText } from "../common/problem.ts";
import { shownPath } from "../common/text.ts";
import type { ArtifactDecision, SavepointDecision } from "../pass/decision.ts";
import type { DesiredArtifact, DesiredSavepoint } from "../pass/desired.ts";
import { acceptanceOfArtifact } from "../pass/acceptance.ts";
import { canonicalJson } from "../common/hash.ts";
import type { PlanAction, PlanStep, PlanVerdict } from "./plan.ts";

type Judged = Pick<PlanStep, "action" | "verdict" | "because"> & Pick<Partial<PlanStep>, "reason">;

/** An Artifact is new, refused, forgotten, or as it was; fetching bytes again is nothing that a reader of a plan asks for. Pure. */
export function artifactStep(artifact: DesiredArtifact, decision: ArtifactDecision, isNotAtHand: boolean): PlanStep {
  const notes =
    isNotAtHand && artifact.record?.status.sha256 === undefined ? ["its jar is not at hand; inspected when downloaded"] : [];
  return stepOf(artifact, judgeArtifact(artifact, decision), notes);
}

function judgeArtifact(artifact: DesiredArtifact, decision: ArtifactDecision): Judged {
  const { because } = decision;
  const acceptance = acceptanceOfArtifact(artifact);
  if (acceptance.reason === "SpecChanged" || acceptance.reason === "ContentChanged")
    return { action: "refuse", verdict: "held", because: acceptance.message, reason: acceptance.reason };
  if (decision.kind === "forget") return { action: "delete", verdict: "now", because };
  if (decision.kind === "deleting") return { action: "delete", verdict: "waits", because };
  const isNew = artifact.record?.status.sha256 === undefined && artifact.declared.kind === "declared";
  if (decision.kind === "wait")
    return { action: isNew ? "create" : "leave", verdict: isNew ? "waits" : "none", because, reason: decision.block.reason };
  if (isNew && artifact.record === undefined) return { action: "create", verdict: "now", because: "it is declared" };
  return { action: "leave", verdict: "none", because };
}

/** A Savepoint is taken, named or forgotten; a Final one is taken by the step of its Job. Pure. */
export function savepointStep(savepoint: DesiredSavepoint, decision: SavepointDecision, isTakenNow: boolean): PlanStep {
  return stepOf(savepoint, judgeSavepoint(savepoint, decision, isTakenNow), []);
}

function judgeSavepoint(savepoint: DesiredSavepoint, decision: SavepointDecision, isTakenNow: boolean): Judged {
  const { because } = decision;
  const { declared, record } = savepoint;
  if (
    declared.kind === "declared" &&
    record?.status.uri !== undefined &&
    canonicalJson(declared.manifest.spec) !== canonicalJson(record.spec)
  )
    return {
      action: "refuse",
      verdict: "held",
      because: "a Savepoint is immutable; put the manifest back, and declare one with a new name",
      reason: "SpecChanged",
    };
  const action: PlanAction = declared.kind === "absent" ? "delete" : "create";
  switch (decision.kind) {
    case "forget":
      return { action: "delete", verdict: "now", because };
    case "announce":
      return { action, verdict: "now", because };
    case "ready":
      return { action, verdict: record?.status.operation === undefined ? "now" : "under-way", because };
    case "resume":
    case "await":
    case "abandon":
      return { action, verdict: "under-way", because };
    case "wait": {
      if (isTakenNow) return { action, verdict: "now", because: "its Job is stopped with it" };
      const verdict: PlanVerdict = decision.block.reason === "NoSavepointDirectory" ? "held" : "waits";
      return { action, verdict, because, reason: decision.block.reason };
    }
    case "leave":
      return declared.kind === "absent" && record !== undefined
        ? { action: "delete", verdict: "waits", because }
        : { action: "leave", verdict: "none", because };
    default:
      return decision satisfies never;
  }
}

function stepOf(resource: DesiredArtifact | DesiredSavepoint, judged: Judged, notes: readonly string[]): PlanStep {
  const { kind, zone, project, name } = resource.id;
  const source = resource.declared.kind === "declared" ? resource.declared.manifest.source : resource.record?.status.source;
  return {
    kind,
    zone,
    project,
    name,
    ...judged,
    notes,
    ...(source === undefined ? {} : { at: { file: shownPath(source.path), line: source.line } }),
  };
}

const KIND_ORDER = ["Job", "Savepoint", "Artifact"];

/** What changes first; in each part Jobs, Savepoints, Artifacts, by name. */
export function sortSteps(steps: readonly PlanStep[]): readonly PlanStep[] {
  return steps.toSorted(
    (a, b) =>
      rankOf(a) - rankOf(b) || compareText(a.zone, b.zone) || compareText(a.project, b.project) || compareText(a.name, b.name),
  );
}

function rankOf({ action, kind }: PlanStep): number {
  return (action === "leave" ? KIND_ORDER.length : 0) + KIND_ORDER.indexOf(kind);
}
