import { newestRestorePoint, type RestorePointEntry } from "../flink/restore-directories.ts";
import type { ReachableCluster, RestorePointsSeen } from "../flink/cluster-seen.ts";
import { attemptOf } from "../model/flink-job-id.ts";
import type { Reason } from "../model/reasons.ts";
import type { JobRecord, RestorePoint } from "../model/status.ts";
import type { JobSeen } from "./observed.ts";
import { isNeeded, normalized } from "./restore-point-users.ts";

/** What the next attempt of a Job that ran before starts from. */
export type RestoreChoice =
  | { readonly kind: "from"; readonly point: RestorePoint; readonly because: string }
  /** It never had state that could be lost, or a person gave it up by name. */
  | { readonly kind: "empty"; readonly because: string }
  /** State may exist and is not known well enough: nothing starts, a person decides. */
  | { readonly kind: "wait"; readonly reason: Reason; readonly because: string }
  /** The directories were not listed yet; the next pass knows. */
  | { readonly kind: "looking" };

/**
 * The newest restore point along a Job's lineage. What ever had state starts again only from it: the highest attempt that left a complete
 * checkpoint or savepoint, else what the last attempt itself was started from; never one whose disposal is announced, be it the newest:
 * that was only announced because the Job had a checkpoint besides. Pure; never guesses.
 */
export function chooseRestorePoint(
  record: JobRecord,
  seen: JobSeen,
  listed: RestorePointsSeen | undefined,
  disposing: readonly string[],
): RestoreChoice {
  const byHand = chosenByHand(record.annotations, record.status.flinkJobId);
  if (byHand !== undefined) return byHand;
  if (listed === undefined) return { kind: "looking" };
  if (listed.kind !== "listed") return withoutList(record, seen, listed.because, disposing);
  const stays = listed.entries.filter(({ uri }) => !isNeeded(uri, disposing));
  return fromList(record, seen, stays);
}

/** The annotations name the incident, so that they cannot act a second time. */
export function chosenByHand(
  annotations: JobRecord["annotations"],
  flinkJobId: string | undefined,
): (RestoreChoice & { readonly kind: "from" | "empty" }) | undefined {
  if (flinkJobId === undefined) return undefined;
  const from = annotations["penstock/restore-from"];
  if (from?.startsWith(`${flinkJobId}=`) === true) {
    const uri = from.slice(flinkJobId.length + 1);
    return { kind: "from", point: { kind: "Savepoint", uri }, because: "the annotation penstock/restore-from names it" };
  }
  if (annotations["penstock/start-empty"] === flinkJobId) {
    return { kind: "empty", because: "the annotation penstock/start-empty gives up the state of this attempt" };
  }
  return undefined;
}

/**
 * Whether it would stand in the list of what the Job's attempts left, and does not: then every start from it would fail. In doubt, as where
 * it lies in no directory that was listed, it is not gone.
 */
export function isGone(
  uri: string,
  lineage: string,
  { checkpointsDir, savepointsDir }: Pick<ReachableCluster, "checkpointsDir" | "savepointsDir">,
  listed: RestorePointsSeen | undefined,
): boolean {
  if (listed?.kind !== "listed") return false;
  const place = normalized(uri);
  const wouldBeListed = [checkpointsDir, savepointsDir].some((dir) => {
    const start = dir === undefined ? undefined : `${normalized(dir)}/${lineage}`;
    return start !== undefined && place.startsWith(start) && LISTED.test(place.slice(start.length));
  });
  const left = listed.entries.map((entry) => entry.uri);
  return wouldBeListed && !isNeeded(uri, left);
}

/** What follows a lineage's digits: the rest of a Flink job id, and a checkpoint's or a savepoint's own folders. */
const LISTED = /^[0-9a-f]{14}\/(?:chk-\d+|[0-9a-f]{32}(?:\/savepoint-[^/]+)?)$/;

/** As long as the JobManager lists an ended job it knows its last completed checkpoint for certain. */
function latestOfEndedJob(seen: JobSeen): RestorePoint | undefined {
  const path = seen.kind === "listed" ? seen.job.detail?.checkpoints.latestPath : undefined;
  return path === undefined ? undefined : { kind: "Checkpoint", uri: path };
}

function withoutList(record: JobRecord, seen: JobSeen, because: string, disposing: readonly string[]): RestoreChoice {
  const known = latestOfEndedJob(seen);
  if (known !== undefined && !isNeeded(known.uri, disposing))
    return { kind: "from", point: known, because: "it is the last one that Flink names for the job that ended" };
  const { startedFrom, checkpointed, flinkJobId } = record.status;
  const tookNone = seen.kind === "listed" && seen.job.detail !== undefined && seen.job.detail.checkpoints.completed === 0;
  if (tookNone && checkpointed !== flinkJobId) {
    if (startedFrom !== undefined) return again(startedFrom);
    if (isKnownEmpty(record)) return neverHadState();
  }
  return wait("RestorePointUnknown", `its checkpoints cannot be listed: ${because}; ${wayOut(record)}`);
}

function fromList(record: JobRecord, seen: JobSeen, entries: readonly RestorePointEntry[]): RestoreChoice {
  const { startedFrom, checkpointed, flinkJobId, lastSavepoint, savepoints = [] } = record.status;
  // What a drained job left lacks the windows that it emitted.
  const drained = new Set(savepoints.filter(({ reason }) => reason === "Drain").map(({ uri }) => uri));
  const usable = entries.filter((entry) => attemptOf(entry.flinkJobId) <= record.status.attempt && !drained.has(entry.uri));
  const newest = newestRestorePoint(usable);
  // Flink's numbers may be news that the record does not tell yet.
  const tookSome = seen.kind === "listed" && (seen.job.detail?.checkpoints.completed ?? 0) > 0;
  const hadOwn = tookSome || checkpointed === flinkJobId || lastSavepoint?.flinkJobId === flinkJobId;
  if (hadOwn && newest?.flinkJobId !== flinkJobId) {
    return wait(
      "RestorePointMissing",
      `attempt ${record.status.attempt} completed checkpoints and none of them is left; ${wayOut(record)}`,
    );
  }
  const leftNone = newest === undefined || attemptOf(newest.flinkJobId) < attemptOf(flinkJobId ?? "");
  // What it was started from is newer than whatever older attempts left, or a person chose it.
  if (leftNone && startedFrom !== undefined) return again(startedFrom);
  // Older attempts' states were given up, or were never its own, when it was started without any.
  const isEmpty = isKnownEmpty(record);
  if (leftNone && isEmpty) return seen.kind === "listed" && seen.job.detail === undefined ? { kind: "looking" } : neverHadState();
  if (newest !== undefined) {
    const because = `it is the newest one, left by attempt ${attemptOf(newest.flinkJobId)}`;
    return { kind: "from", point: { kind: newest.kind, uri: newest.uri }, because };
  }
  return wait(
    "RestorePointUnknown",
    `what it was started from was lost with the status branch, and it left nothing; ${wayOut(record)}`,
  );
}

/** Whether the last attempt was surely started without any state. */
function isKnownEmpty({ spec, status }: JobRecord): boolean {
  return status.startedEmpty === true || (attemptOf(status.flinkJobId ?? "") === 1 && spec.initialState === undefined);
}

function neverHadState(): RestoreChoice {
  return { kind: "empty", because: "it was started without state and completed no checkpoint" };
}

function again(point: RestorePoint): RestoreChoice {
  return { kind: "from", point, because: "the last attempt was started from it and completed no checkpoint of its own" };
}

/** What a person may annotate. */
export function wayOut({ status }: JobRecord): string {
  const id = status.flinkJobId ?? "";
  return `annotate the Job with "penstock/restore-from: ${id}=<uri>", or with "penstock/start-empty: ${id}" to give the state up`;
}

function wait(reason: Reason, because: string): RestoreChoice {
  return { kind: "wait", reason, because };
}
