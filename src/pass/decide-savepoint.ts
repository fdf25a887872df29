import type { SavepointDecision } from "./decision.ts";
import type { DesiredSavepoint } from "./desired.ts";

/** Savepoints are read, checked and shown, and nothing is done with them yet; the condition says so. */
export function decideSavepoint(savepoint: DesiredSavepoint, deletionsHeld: string | undefined): SavepointDecision {
  const { key, id } = savepoint;
  if (savepoint.recordProblem !== undefined)
    return { key, id, kind: "leave", because: `its record cannot be understood: ${savepoint.recordProblem}` };
  if (savepoint.declared.kind === "absent") {
    if (deletionsHeld !== undefined) return { key, id, kind: "leave", because: deletionsHeld };
    return { key, id, kind: "forget", because: "its manifest is gone and it was never acted on" };
  }
  if (savepoint.declared.kind === "broken")
    return { key, id, kind: "leave", because: "its manifest has problems, so nothing is done with it" };
  return {
    key,
    id,
    kind: "wait",
    block: { condition: "Available", reason: "NotYetActedOn" },
    because: "Savepoints are not yet acted on: none is taken, and no Job is stopped for it",
  };
}
