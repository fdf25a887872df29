import { messageOf } from "../common/errors.ts";
import { compareText } from "../common/problem.ts";
import { oneLine } from "../common/text.ts";
import { fileFolders, isFileUri } from "./file-folders.ts";
import { type Folders, parentOf, untilAborted } from "./folders.ts";
import { isS3Uri } from "./s3-folders.ts";

/** A checkpoint or savepoint that is complete: its `_metadata` is there. */
export type RestorePointEntry =
  | {
      readonly kind: "Checkpoint";
      readonly flinkJobId: string;
      readonly number: number;
      readonly uri: string;
      readonly writtenAtMs: number;
    }
  | {
      readonly kind: "Savepoint";
      readonly flinkJobId: string;
      readonly triggerId: string;
      readonly uri: string;
      readonly writtenAtMs: number;
    };

export type RestoreDirectory =
  | {
      readonly kind: "listed";
      /** Every job that has a folder, with or without a restore point in it. Sorted. */
      readonly flinkJobIds: readonly string[];
      /** By job, then by age, oldest first. */
      readonly entries: readonly RestorePointEntry[];
    }
  /** Nothing is known about what is there; never the same as empty. */
  | { readonly kind: "cannot-list"; readonly because: string };

export type SavepointFound =
  | { readonly kind: "saved"; readonly uri: string; readonly writtenAtMs: number }
  | { readonly kind: "none" }
  | { readonly kind: "cannot-tell"; readonly because: string };

/**
 * Lists a checkpoint or savepoint directory of Flink, which may be one and the same: `<job>/chk-<n>/_metadata`,
 * `<job>/<trigger>/_metadata` and, as Flink really does it, `<job>/<trigger>/savepoint-…/_metadata`. Only jobs whose id starts with the
 * prefix are looked at. Never throws but for the signal.
 */
export async function listRestorePoints(
  dirUri: string,
  flinkJobIdPrefix: string,
  signal: AbortSignal,
  s3?: Folders,
): Promise<RestoreDirectory> {
  const read = await reading(dirUri, s3, signal, async (folders, root) => listRoot(folders, root, flinkJobIdPrefix, signal));
  return read.kind === "read" ? read.value : { kind: "cannot-list", because: read.because };
}

/** The complete savepoint in the target directory of one operation; of several the newest. Never throws but for the signal. */
export async function findSavepoint(targetDirectory: string, signal: AbortSignal, s3?: Folders): Promise<SavepointFound> {
  const read = await reading(targetDirectory, s3, signal, async (folders, folder) => {
    const saved = await savepointIn(folders, folder, signal);
    if (saved !== undefined) return { kind: "saved" as const, ...saved };
    if (await isInSight(folders, folder, signal)) return { kind: "none" as const };
    return { kind: "cannot-tell" as const, because: outOfSight(folder) };
  });
  return read.kind === "read" ? read.value : { kind: "cannot-tell", because: read.because };
}

type Read<T> = { readonly kind: "read"; readonly value: T } | { readonly kind: "failed"; readonly because: string };

async function reading<T>(
  dirUri: string,
  s3: Folders | undefined,
  signal: AbortSignal,
  read: (folders: Folders, root: string) => Promise<T>,
): Promise<Read<T>> {
  const folders = isS3Uri(dirUri) ? s3 : isFileUri(dirUri) ? fileFolders : undefined;
  if (folders === undefined) return { kind: "failed", because: cannotBeListed(dirUri) };
  try {
    return { kind: "read", value: await untilAborted(read(folders, dirUri.replace(/\/+$/, "")), signal) };
  } catch (error) {
    signal.throwIfAborted();
    return { kind: "failed", because: `${oneLine(dirUri, 200)} cannot be listed: ${oneLine(messageOf(error), 200)}` };
  }
}

/**
 * The one to go on from: of the highest attempt (the last 8 digits of a job id of ours) the one that was written last. Entries of several
 * directories may be mixed, in any order; undefined when there are none.
 */
export function newestRestorePoint(entries: readonly RestorePointEntry[]): RestorePointEntry | undefined {
  return entries.toSorted(byAge).at(-1);
}

/** By attempt, then by age, oldest first; entries of several directories and jobs may be mixed. */
export function byAge(a: RestorePointEntry, b: RestorePointEntry): number {
  const attempts = compareText(a.flinkJobId.slice(-8), b.flinkJobId.slice(-8));
  if (attempts !== 0) return attempts;
  if (a.kind === "Checkpoint" && b.kind === "Checkpoint") return a.number - b.number;
  return a.writtenAtMs - b.writtenAtMs || compareText(a.kind, b.kind) || compareText(a.uri, b.uri);
}

/** Flink makes the directory with its first checkpoint, so one that is missing in a place that we can see is empty. */
async function listRoot(folders: Folders, root: string, prefix: string, signal: AbortSignal): Promise<RestoreDirectory> {
  const names = await folders.namesIn(root, prefix, signal);
  if (names === undefined) {
    if (await folders.sees(root)) return { kind: "listed", flinkJobIds: [], entries: [] };
    return { kind: "cannot-list", because: outOfSight(root) };
  }
  const flinkJobIds = names.filter((name) => /^[0-9a-f]{32}$/.test(name)).sort(compareText);
  const entries: RestorePointEntry[] = [];
  for (const flinkJobId of flinkJobIds) {
    const found = await listJob(folders, `${root}/${flinkJobId}`, flinkJobId, signal);
    entries.push(...found.sort(byAge));
  }
  return { kind: "listed", flinkJobIds, entries };
}

/** A trigger's folder is made with the savepoint and those around it with the first one: any of them tells that we look at the right place. */
async function isInSight(folders: Folders, folder: string, signal: AbortSignal): Promise<boolean> {
  const job = parentOf(folder);
  for (const place of [folder, job, parentOf(job)]) if ((await folders.namesIn(place, "", signal)) !== undefined) return true;
  return folders.sees(parentOf(job));
}

async function listJob(folders: Folders, folder: string, flinkJobId: string, signal: AbortSignal): Promise<RestorePointEntry[]> {
  const entries: RestorePointEntry[] = [];
  for (const name of (await folders.namesIn(folder, "", signal)) ?? []) {
    const uri = `${folder}/${name}`;
    const checkpoint = /^chk-(\d{1,15})$/.exec(name)?.[1];
    if (checkpoint !== undefined) {
      const writtenAtMs = await completedAt(folders, uri, signal);
      if (writtenAtMs !== undefined)
        entries.push({ kind: "Checkpoint", flinkJobId, number: Number(checkpoint), uri, writtenAtMs });
    } else if (/^[0-9a-f]{32}$/.test(name)) {
      const savepoint = await savepointIn(folders, uri, signal);
      if (savepoint !== undefined) entries.push({ kind: "Savepoint", flinkJobId, triggerId: name, ...savepoint });
    }
  }
  return entries;
}

/** A trigger is used once, so at most one savepoint should lie under it; if there are more, the newest has the newest state. */
async function savepointIn(
  folders: Folders,
  folder: string,
  signal: AbortSignal,
): Promise<{ readonly uri: string; readonly writtenAtMs: number } | undefined> {
  const direct = await completedAt(folders, folder, signal);
  if (direct !== undefined) return { uri: folder, writtenAtMs: direct };
  let newest: { readonly uri: string; readonly writtenAtMs: number } | undefined;
  for (const name of (await folders.namesIn(folder, "savepoint-", signal)) ?? []) {
    const writtenAtMs = await completedAt(folders, `${folder}/${name}`, signal);
    if (writtenAtMs !== undefined && writtenAtMs >= (newest?.writtenAtMs ?? 0))
      newest = { uri: `${folder}/${name}`, writtenAtMs };
  }
  return newest;
}

/** When `_metadata` was written; Flink renames it into place last, so it is complete. Undefined without one. */
async function completedAt(folders: Folders, folder: string, signal: AbortSignal): Promise<number | undefined> {
  return folders.writtenAtMs(`${folder}/_metadata`, signal);
}

function cannotBeListed(dirUri: string): string {
  const what = oneLine(dirUri, 200);
  if (isS3Uri(dirUri)) return `${what} cannot be listed without the option s3 of its cluster in the daemon's configuration`;
  return `${what} is neither a file:// nor an s3:// directory, and no other can be listed`;
}

function outOfSight(uri: string): string {
  return `${oneLine(uri, 200)} is not there as seen from here; is it mounted?`;
}
