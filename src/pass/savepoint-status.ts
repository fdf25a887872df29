import { isDeepStrictEqual } from "node:util";
import { withTransition } from "../model/conditions.ts";
import type { SavepointRecord, SavepointStatus } from "../model/status.ts";
import type { SavepointDecision } from "./decision.ts";
import type { DesiredSavepoint } from "./desired.ts";
import { acceptedSource, applyConditions, type StatusContext } from "./job-status.ts";

/** The record of a Savepoint after this pass; the very one that was there when nothing changed; undefined when there is none to keep. */
export function nextSavepointRecord(
  savepoint: DesiredSavepoint,
  decision: SavepointDecision,
  context: StatusContext,
): SavepointRecord | undefined {
  if (decision.kind === "forget") return undefined;
  if (savepoint.declared.kind !== "declared" || savepoint.recordProblem !== undefined) return savepoint.record;
  const { manifest } = savepoint.declared;
  const source = acceptedSource(manifest, savepoint.record?.status.source, context.commit);
  const status: SavepointStatus = savepoint.record?.status ?? { phase: "Pending", source, conditions: [], history: [] };
  const said =
    decision.kind === "wait"
      ? [{ type: decision.block.condition, status: "False" as const, reason: decision.block.reason, message: decision.because }]
      : [];
  const conditions = applyConditions(status.conditions, said, context.now);
  const history =
    savepoint.record === undefined
      ? withTransition(status.history, { from: "", to: "Pending", because: "it was declared" }, context.now)
      : status.history;
  const { labels, annotations, spec } = manifest;
  const record: SavepointRecord = {
    kind: "Savepoint",
    id: savepoint.id,
    labels,
    annotations,
    spec,
    status: { ...status, source, conditions, history },
  };
  return savepoint.record !== undefined && isDeepStrictEqual(record, savepoint.record) ? savepoint.record : record;
}
