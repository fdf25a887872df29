import { jobSpecHash } from "../model/canonical-spec.ts";
import type { JobManifest } from "../model/manifest.ts";
import type { Reason } from "../model/reasons.ts";
import type { JobRecord, Tombstone } from "../model/status.ts";
import type { JobDecision } from "./decision.ts";
import { decideFirstStart } from "./decide-start.ts";
import type { DesiredJob } from "./desired.ts";
import type { InitialState } from "./final-savepoints.ts";
import { started, wait, type JobContext } from "./job-context.ts";
import { chosenByHand, wayOut } from "./restore-point.ts";

/** A Job that is declared again under its tombstone: the same spec goes on where it stopped; what would drop its state waits for a person. */
export function decideDeclaredAgain(
  job: DesiredJob,
  manifest: JobManifest,
  record: JobRecord,
  tombstone: Tombstone,
  context: JobContext,
): JobDecision {
  const { flinkJobId, initialState } = record.status;
  const byHand = chosenByHand(manifest.annotations, flinkJobId);
  if (byHand !== undefined) {
    const point = byHand.kind === "from" ? byHand.point : undefined;
    return decideFirstStart(job, manifest, context, { point, initialState: undefined, because: byHand.because });
  }
  const { restorePoint, lost } = tombstone;
  const mayHaveState = restorePoint !== undefined || lost !== undefined || tombstone.finalized !== undefined;
  if (!mayHaveState) return startAnew(job, manifest, context);
  if (jobSpecHash(manifest.spec) !== jobSpecHash(record.spec)) {
    if (manifest.spec.initialState !== undefined) return decideFirstStart(job, manifest, context); // it brings its state along
    const because =
      `a Job of this name and another spec was deleted at ${tombstone.at}, and ${describeState(tombstone)}; ` +
      `take another name, give it a spec.initialStateRef, or ${wayOut(record)}`;
    return wait(job, started("TombstoneStands"), because);
  }
  if (context.notBack !== undefined) {
    const because = `it was deleted, and comes back when its upgrade is reverted as a whole: ${context.notBack}; else ${wayOut(record)}`;
    return wait(job, started("FinalSavepointStands"), because);
  }
  const newer = compareWithTombstone(context.initialState, record, tombstone);
  if (newer.kind === "newer") return decideFirstStart(job, manifest, context);
  if (newer.kind === "waits")
    return wait(job, started(newer.reason), `it is declared again, and ${newer.because}; else ${wayOut(record)}`);
  if (restorePoint === undefined)
    return wait(job, started("NeedsRestore"), `it is declared again, and ${describeState(tombstone)}; ${wayOut(record)}`);
  return decideFirstStart(job, manifest, context, {
    point: restorePoint,
    initialState,
    because: `it is declared again and goes on from ${restorePoint.uri}`,
  });
}

function startAnew(job: DesiredJob, manifest: JobManifest, context: JobContext): JobDecision {
  if (manifest.spec.initialState !== undefined) return decideFirstStart(job, manifest, context);
  const because = "it is declared again, and had no state to keep";
  return decideFirstStart(job, manifest, context, { point: undefined, initialState: undefined, because });
}

type Compared =
  /** The Savepoint was surely taken after the Job was deleted. */
  | { readonly kind: "newer" }
  /** There is none, or the Job's own state came out of it. */
  | { readonly kind: "older" }
  | { readonly kind: "waits"; readonly reason: Reason; readonly because: string };

/**
 * Whether the Savepoint that `spec.initialStateRef` names is newer than what the tombstone keeps. Told by the Job's own lineage first, which
 * needs no clock; by time only where all that the Job did lies on one side of it. What cannot be told waits for a person.
 */
function compareWithTombstone(state: InitialState, { status }: JobRecord, tombstone: Tombstone): Compared {
  if (state.kind === "none" || state.kind === "undeclared") return { kind: "older" }; // there is nothing that could be newer
  if (state.kind === "waits") return { kind: "waits", reason: "InitialStateNotReady", because: state.because };
  const { uri, takenAt, readyAt } = state;
  if ([tombstone.restorePoint?.uri, status.initialState, status.startedFrom?.uri].includes(uri)) return { kind: "older" };
  if (readyAt !== undefined && status.startedAt !== undefined && readyAt <= status.startedAt) return { kind: "older" };
  if (takenAt !== undefined && takenAt >= tombstone.at) return { kind: "newer" };
  const because = `whether the Savepoint that it names (${uri}) is newer than what is kept of it (${tombstone.restorePoint?.uri ?? "not known"}) cannot be told`;
  return { kind: "waits", reason: "NeedsRestore", because };
}

function describeState({ restorePoint, lost, finalized }: Tombstone): string {
  if (restorePoint !== undefined) return `its state is kept at ${restorePoint.uri}`;
  if (lost !== undefined) return `what state it left is not known: ${lost}`;
  return `the Final Savepoint ${finalized?.savepoint ?? ""} drained it`;
}
