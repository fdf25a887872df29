import { opendir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { messageOf } from "../common/errors.ts";
import { compareText } from "../common/problem.ts";
import { oneLine } from "../common/text.ts";

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

/** More folders than that in one place are nothing that a job of Flink makes. */
const MAX_ENTRIES = 20_000;

/**
 * Lists a checkpoint or savepoint directory of Flink, which may be one and the same: `<job>/chk-<n>/_metadata`,
 * `<job>/<trigger>/_metadata` and, as Flink really does it, `<job>/<trigger>/savepoint-…/_metadata`. Only jobs whose id starts with the
 * prefix are looked at. Never throws but for the signal.
 */
export async function listRestorePoints(
  dirUri: string,
  flinkJobIdPrefix: string,
  signal: AbortSignal,
): Promise<RestoreDirectory> {
  const root = pathOf(dirUri);
  if (root === undefined) return cannotList(`${oneLine(dirUri, 200)} is not a file:// directory, and no other can be listed yet`);
  try {
    return await untilAborted(listRoot(dirUri.replace(/\/+$/, ""), root, flinkJobIdPrefix, signal), signal);
  } catch (error) {
    signal.throwIfAborted();
    return cannotList(`${oneLine(dirUri, 200)} cannot be listed: ${oneLine(messageOf(error), 200)}`);
  }
}

/**
 * The one to go on from: of the highest attempt (the last 8 digits of a job id of ours) the one that was written last. Entries of several
 * directories may be mixed, in any order; undefined when there are none.
 */
export function newestRestorePoint(entries: readonly RestorePointEntry[]): RestorePointEntry | undefined {
  return entries.toSorted(byAge).at(-1);
}

function byAge(a: RestorePointEntry, b: RestorePointEntry): number {
  const attempts = compareText(a.flinkJobId.slice(-8), b.flinkJobId.slice(-8));
  if (attempts !== 0) return attempts;
  if (a.kind === "Checkpoint" && b.kind === "Checkpoint") return a.number - b.number;
  return a.writtenAtMs - b.writtenAtMs || compareText(a.kind, b.kind) || compareText(a.uri, b.uri);
}

async function listRoot(uri: string, root: string, prefix: string, signal: AbortSignal): Promise<RestoreDirectory> {
  const folders = await namesIn(root, signal);
  if (folders === undefined) return missingRoot(uri, root);
  const flinkJobIds = folders.filter((name) => /^[0-9a-f]{32}$/.test(name) && name.startsWith(prefix)).sort(compareText);
  const entries: RestorePointEntry[] = [];
  for (const flinkJobId of flinkJobIds) {
    const found = await listJob(`${uri}/${flinkJobId}`, join(root, flinkJobId), flinkJobId, signal);
    entries.push(...found.sort(byAge));
  }
  return { kind: "listed", flinkJobIds, entries };
}

/**
 * Flink makes the directory with its first checkpoint, so one that is missing in a place that we can see is empty. A missing place, or one
 * that every machine has, is rather a file system that is not mounted here.
 */
async function missingRoot(uri: string, root: string): Promise<RestoreDirectory> {
  const parent = dirname(root);
  if (dirname(parent) !== parent && (await isFolder(parent))) return { kind: "listed", flinkJobIds: [], entries: [] };
  return cannotList(`${oneLine(uri, 200)} is not there as seen from here; is it mounted?`);
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

async function listJob(uri: string, folder: string, flinkJobId: string, signal: AbortSignal): Promise<RestorePointEntry[]> {
  const entries: RestorePointEntry[] = [];
  for (const name of (await namesIn(folder, signal)) ?? []) {
    const checkpoint = /^chk-(\d{1,15})$/.exec(name)?.[1];
    if (checkpoint !== undefined) {
      const writtenAtMs = await completedAt(join(folder, name));
      if (writtenAtMs === undefined) continue;
      entries.push({ kind: "Checkpoint", flinkJobId, number: Number(checkpoint), uri: `${uri}/${name}`, writtenAtMs });
    } else if (/^[0-9a-f]{32}$/.test(name)) {
      const savepoint = await savepointIn(`${uri}/${name}`, join(folder, name), signal);
      if (savepoint !== undefined) entries.push({ kind: "Savepoint", flinkJobId, triggerId: name, ...savepoint });
    }
  }
  return entries;
}

/** A trigger is used once, so at most one savepoint lies under it. */
async function savepointIn(
  uri: string,
  folder: string,
  signal: AbortSignal,
): Promise<{ readonly uri: string; readonly writtenAtMs: number } | undefined> {
  const direct = await completedAt(folder);
  if (direct !== undefined) return { uri, writtenAtMs: direct };
  for (const name of (await namesIn(folder, signal)) ?? []) {
    if (!name.startsWith("savepoint-")) continue;
    const writtenAtMs = await completedAt(join(folder, name));
    if (writtenAtMs !== undefined) return { uri: `${uri}/${name}`, writtenAtMs };
  }
  return undefined;
}

/** When `_metadata` was written; Flink renames it into place last, so it is complete. Undefined without one. */
async function completedAt(folder: string): Promise<number | undefined> {
  try {
    const found = await stat(join(folder, "_metadata"));
    return found.isFile() && found.size > 0 ? found.mtimeMs : undefined;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** The names of the sub-folders; undefined when the folder is missing or is none. */
async function namesIn(folder: string, signal: AbortSignal): Promise<readonly string[] | undefined> {
  const names: string[] = [];
  try {
    for await (const entry of await opendir(folder)) {
      signal.throwIfAborted();
      if (entry.isFile()) continue;
      names.push(entry.name);
      if (names.length > MAX_ENTRIES) throw new Error(`more than ${MAX_ENTRIES} folders in ${folder}`);
    }
    return names;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function pathOf(dirUri: string): string | undefined {
  if (!/^file:\/(?!\/[^/])/.test(dirUri)) return undefined; // file:/a and file:///a, but no host
  const url = URL.parse(dirUri.replaceAll("%", "%25").replaceAll("?", "%3F").replaceAll("#", "%23"));
  return url === null ? undefined : fileURLToPath(url);
}

/** A file system can hang for ever, and its calls know no signal. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    signal.throwIfAborted();
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", abort);
    work.catch(() => {}); // When the race is over without it, nobody is left to be told how it ended.
  }
}

function isMissing(error: unknown): boolean {
  const code: unknown = error instanceof Error ? Reflect.get(error, "code") : undefined;
  return code === "ENOENT" || code === "ENOTDIR";
}

function cannotList(because: string): RestoreDirectory {
  return { kind: "cannot-list", because };
}
