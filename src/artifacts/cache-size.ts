import { readdir, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { codeOf } from "./artifact-error.ts";

export interface ShrinkOptions {
  readonly folder: string;
  readonly maxBytes: number;
  /** Digests of jars that stay, whatever the folder weighs: their source may have lost them. */
  readonly needed: ReadonlySet<string>;
  readonly nowMs: number;
}

export interface Shrunk {
  readonly bytes: number;
  readonly removed: number;
}

interface Found {
  readonly path: string;
  readonly digest: string;
  /** Not the jar itself but made of it, so it can be made again. */
  readonly derived: boolean;
  readonly size: number;
  readonly usedAtMs: number;
}

const FILE = /^([0-9a-f]{64})(-[\w.-]+)?\.jar$/;
const SHARD = /^[0-9a-f]{2}$/;
/** Somebody may be about to read it, this process or another one. */
const FRESH_MS = 600_000;

/** Removes what was not used for longest until the folder is no larger than it may be. What goes in between is none of ours any more. */
export async function shrinkCache({ folder, maxBytes, needed, nowMs }: ShrinkOptions): Promise<Shrunk> {
  const files = await listJars(folder);
  let bytes = files.reduce((sum, { size }) => sum + size, 0);
  let removed = 0;
  const oldestFirst = files.toSorted((a, b) => a.usedAtMs - b.usedAtMs);
  for (const { path, digest, derived, size, usedAtMs } of oldestFirst) {
    if (bytes <= maxBytes) break;
    if (nowMs - usedAtMs < FRESH_MS || (needed.has(digest) && !derived)) continue;
    await rm(path, { force: true });
    if (!derived) await rm(markerOf(folder, digest), { force: true });
    bytes -= size;
    removed += 1;
  }
  return { bytes, removed };
}

/** Notes beside the jar that it was used: the jar's own times would tell that somebody changed it. The folder for notes must be there. */
export async function markUsed(folder: string, sha256: string, nowMs: number): Promise<void> {
  const marker = markerOf(folder, sha256);
  const seconds = nowMs / 1000;
  await utimes(marker, seconds, seconds).catch(async (error: unknown) => {
    if (codeOf(error) !== "ENOENT") throw error;
    await writeFile(marker, "");
    await utimes(marker, seconds, seconds);
  });
}

export function markersIn(folder: string): string {
  return join(folder, "used");
}

function markerOf(folder: string, digest: string): string {
  return join(markersIn(folder), digest);
}

async function listJars(folder: string): Promise<readonly Found[]> {
  const found: Found[] = [];
  for (const shard of (await namesIn(folder)).filter((name) => SHARD.test(name))) {
    for (const name of await namesIn(join(folder, shard))) {
      const [, digest, suffix] = FILE.exec(name) ?? [];
      if (digest === undefined) continue;
      const path = join(folder, shard, name);
      const file = await statOf(path);
      if (file === undefined) continue;
      const marker = await statOf(markerOf(folder, digest));
      const usedAtMs = Math.max(file.mtimeMs, marker?.mtimeMs ?? 0);
      found.push({ path, digest, derived: suffix !== undefined, size: file.size, usedAtMs });
    }
  }
  return found;
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch((error: unknown) => {
    const code = codeOf(error);
    if (code === "ENOENT" || code === "ENOTDIR") return []; // gone meanwhile, or no folder of ours
    throw error;
  });
}

async function statOf(path: string) {
  return stat(path).catch((error: unknown) => {
    if (codeOf(error) !== "ENOENT") throw error;
    return undefined; // another process was quicker
  });
}
