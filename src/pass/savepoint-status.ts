import { isDeepStrictEqual } from "node:util";
import { withTransition } from "../model/conditions.ts";
import type { SavepointRecord, SavepointStatus } from "../model/status.ts";
import type { SavepointDecision } from "./decision.ts";
import type { DesiredSavepoint } from "./desired.ts";
import type { ConditionNow } from "./job-conditions.ts";
import { acceptedSource, applyConditions, type StatusContext } from "./job-status.ts";

/** The record of a Savepoint after this pass; the very one that was there when nothing changed; undefined when there is none to keep. */
export function nextSavepointRecord(
  savepoint: DesiredSavepoint,
  decision: SavepointDecision,
  context: StatusContext,
): SavepointRecord | undefined {
  if (decision.kind === "forget") return undefined;
  const base = baseRecord("renews" in decision ? asNew(savepoint) : savepoint, context);
  if (base === undefined || savepoint.recordProblem !== undefined) return savepoint.record;
  const status = withDecision(base.status, decision);
  const conditions = applyConditions(status.conditions, conditionsOf(savepoint, status, decision), context.now);
  const before = savepoint.record?.status.phase ?? "";
  const history =
    before === status.phase
      ? status.history
      : withTransition(status.history, { from: before, to: status.phase, because: decision.because }, context.now);
  const record: SavepointRecord = { ...base, status: { ...status, conditions, history } };
  return savepoint.record !== undefined && isDeepStrictEqual(record, savepoint.record) ? savepoint.record : record;
}

/** What it holds does not count any more. */
function asNew({ record, ...savepoint }: DesiredSavepoint): DesiredSavepoint {
  if (record === undefined) return { ...savepoint, record };
  const { uri: _uri, takenAt: _takenAt, flinkJobId: _flinkJobId, cluster: _cluster, ...status } = record.status;
  return { ...savepoint, record: { ...record, status } };
}

/** Immutable: from the moment that something was done for it the record keeps the spec that it was done by. */
function baseRecord(savepoint: DesiredSavepoint, context: StatusContext): SavepointRecord | undefined {
  const { record, declared } = savepoint;
  if (declared.kind !== "declared") return record;
  const { manifest } = declared;
  const { labels, annotations } = manifest;
  if (record?.status.uri !== undefined || record?.status.operation !== undefined) return { ...record, labels, annotations };
  const source = acceptedSource(manifest, record?.status.source, context.commit);
  const status: SavepointStatus = record?.status ?? { phase: "Pending", source, conditions: [], history: [] };
  return { kind: "Savepoint", id: savepoint.id, labels, annotations, spec: manifest.spec, status: { ...status, source } };
}

function withDecision(status: SavepointStatus, decision: SavepointDecision): SavepointStatus {
  const { operation, ...rest } = status;
  switch (decision.kind) {
    case "announce": {
      const { operation: announced } = decision.work;
      return { ...rest, phase: announced.kind === "take" ? "InProgress" : "Deleting", operation: announced };
    }
    case "ready": {
      const { uri, takenAt, takenOf } = decision;
      return { ...rest, phase: "Ready", uri, ...(takenAt === undefined ? {} : { takenAt }), ...takenOf };
    }
    case "abandon":
      return { ...rest, phase: "Pending" };
    case "await":
      return { ...status, phase: operation?.kind === "dispose" ? "Deleting" : "InProgress" };
    case "wait":
      return { ...status, phase: "Pending" };
    case "forget":
    case "leave":
    case "resume":
      return status;
    default:
      return decision satisfies never;
  }
}

function conditionsOf(
  savepoint: DesiredSavepoint,
  status: SavepointStatus,
  decision: SavepointDecision,
): readonly ConditionNow[] {
  const conditions: ConditionNow[] = [];
  const { record, declared } = savepoint;
  const isChanged =
    record !== undefined &&
    declared.kind === "declared" &&
    status.uri !== undefined &&
    !isDeepStrictEqual(record.spec, declared.manifest.spec);
  if (isChanged)
    conditions.push({
      type: "Accepted",
      status: "False",
      reason: "SpecChanged",
      message: "a Savepoint is immutable; put the manifest back, and declare one with a new name for what is different",
    });
  const block = "block" in decision ? decision.block : undefined;
  if (block !== undefined)
    conditions.push({ type: block.condition, status: "False", reason: block.reason, message: decision.because });
  else if (status.phase === "Ready")
    conditions.push({ type: "Available", status: "True", reason: "Taken", message: status.uri ?? "" });
  return conditions;
}
