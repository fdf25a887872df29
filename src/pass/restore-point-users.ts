import { hasEnded } from "../flink/cluster-seen.ts";
import type { JobManifest } from "../model/manifest.ts";
import type { Desired, DesiredJob, DesiredSavepoint } from "./desired.ts";
import { isOver } from "./is-down.ts";
import { findJob, type Observed } from "./observed.ts";

/** The digits of a Flink job id that all attempts of a Job share: the instance's and the Job's. */
const LINEAGE_DIGITS = 18;

/**
 * Every place that a Job, a tombstone, a Savepoint or a start that is announced may still have to read. A place is needed with all that
 * lies in it, and with all that it lies in. Pure; in doubt it is needed.
 */
export function findNeededPlaces({ jobs, savepoints }: Desired, observed: Observed): readonly string[] {
  return [...jobs.flatMap((job) => placesNeededBy(job, observed)), ...savepoints.flatMap(namedBy)];
}

/** Every place whose disposal is announced: what lies there may be gone by half, and nothing is to start from it any more. */
export function findPlacesDisposedOf({ jobs, savepoints }: Desired): readonly string[] {
  const announced = [
    ...savepoints.map(({ record }) => record?.status.operation),
    ...jobs.map(({ record }) => record?.status.disposal),
  ];
  return announced.flatMap((operation) => (operation?.kind === "dispose" ? [operation.uri] : []));
}

/** Whether a restore point is one of the places, lies in one, or holds one. */
export function isNeeded(uri: string, places: readonly string[]): boolean {
  const place = normalized(uri);
  return places
    .map(normalized)
    .some((other) => other === place || other.startsWith(`${place}/`) || place.startsWith(`${other}/`));
}

/** Whether one Job may still have to read it, be it only because it is down and goes on from what lies there newest. */
export function mayNeed(job: DesiredJob, uri: string, observed: Observed): boolean {
  return isNeeded(uri, placesNeededBy(job, observed)) || mayGoBackTo(job, uri, observed);
}

/** It is among what the Job's attempts left, and the Job has no checkpoint that it would go on from instead. */
function mayGoBackTo(job: DesiredJob, uri: string, observed: Observed): boolean {
  const status = job.record?.status;
  if (status?.flinkJobId === undefined || isOver(status) || hasOwnCheckpoint(job, observed)) return false;
  return uri.includes(`/${status.flinkJobId.slice(0, LINEAGE_DIGITS)}`);
}

/** Those of one Job, its tombstone and the start that is announced for it. */
function placesNeededBy(job: DesiredJob, observed: Observed): readonly string[] {
  const { record, declared } = job;
  const byHand = declared.kind === "declared" ? chosenByHand(declared.manifest) : [];
  if (record === undefined) return byHand;
  const { lastSavepoint, finalized, deleted, startedFrom, operation } = record.status;
  const places = [lastSavepoint?.uri, finalized?.uri, deleted?.restorePoint?.uri, deleted?.finalized?.uri];
  if (operation?.kind === "start") places.push(operation.restoreFrom?.uri);
  if (operation?.kind === "stop") places.push(operation.targetDirectory);
  if (!isOver(record.status) && !hasOwnCheckpoint(job, observed)) places.push(startedFrom?.uri);
  return [...places.filter((place) => place !== undefined), ...byHand, ...chosenByHand(record)];
}

/**
 * From its first completed checkpoint on a job reads nothing any more of what it was started from, for `NO_CLAIM` makes that checkpoint a
 * full one. A savepoint is none: a restart of the job would not use it.
 */
function hasOwnCheckpoint({ record, id }: DesiredJob, observed: Observed): boolean {
  const { flinkJobId, cluster, checkpointed } = record?.status ?? {};
  if (flinkJobId === undefined || cluster === undefined || checkpointed !== flinkJobId) return false;
  const seen = findJob(observed.clusters, id.zone, cluster, flinkJobId);
  if (seen.kind !== "listed" || hasEnded(seen.job)) return false;
  return /\/chk-\d+\/?$/.test(seen.job.detail?.checkpoints.latestPath ?? "");
}

function namedBy({ record, declared }: DesiredSavepoint): readonly string[] {
  const specs = [record?.spec, declared.kind === "declared" ? declared.manifest.spec : undefined];
  const places = [record?.status.uri, record?.status.operation?.uri];
  for (const spec of specs) if (spec?.type === "External") places.push(spec.uri);
  return places.filter((place) => place !== undefined);
}

/** Whatever attempt the annotation is about: a person wrote down that this place matters. */
function chosenByHand({ annotations }: Pick<JobManifest, "annotations">): readonly string[] {
  const from = annotations["penstock/restore-from"];
  return from === undefined ? [] : [from.slice(from.indexOf("=") + 1)];
}

/** Flink writes `file:/a` for `file:///a`, takes three names for S3, and lets the `_metadata` stand for its folder. */
export function normalized(uri: string): string {
  return uri
    .trim()
    .replace(/^file:\/+/, "file:/")
    .replace(/^s3[ap]:/, "s3:")
    .replace(/\/+$/, "")
    .replace(/\/_metadata$/, "");
}
