import { createHash, randomUUID } from "node:crypto";
import { createReadStream, type Stats } from "node:fs";
import { lstat, mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Clock } from "../common/clock.ts";
import { sha256Hex } from "../common/hash.ts";
import { codeOf, diskFailure } from "./artifact-error.ts";
import { markersIn, markUsed, shrinkCache, type Shrunk } from "./cache-size.ts";
import type { Validator } from "./download.ts";
import { type DigestName, IncomingFile } from "./incoming-file.ts";

export interface CachedFile {
  readonly file: string;
  readonly size: number;
}

/** What a source had when it was read last. */
export interface SourceNote {
  readonly sha256: string;
  /** Of a source that may change: with it the source is asked whether it did. */
  readonly validator?: Validator;
}

const NOTE_USE_EVERY_MS = 3_600_000;
/** Nobody writes that long without touching its file: every download has shorter time limits. */
const LEFTOVER_AGE_MS = 3_600_000;

/**
 * Jars by the SHA-256 of their bytes: `<folder>/<first 2 digits>/<digest>.jar`. Nothing in it is believed before this process has hashed
 * it once; later a look at size and times suffices. Several processes may share the folder: files are written under names of
 * their own in `tmp` and then renamed. Every failure of the disk is an ArtifactError.
 */
export class JarCache {
  readonly #folder: string;
  readonly #clock: Clock;
  readonly #verified = new Map<string, string>();
  /** When the use of a jar was noted last: once in a while is enough. */
  readonly #noted = new Map<string, number>();

  constructor(folder: string, clock: Clock) {
    this.#folder = folder;
    this.#clock = clock;
  }

  /** Removes what is used least until the folder weighs no more than `maxBytes`; `needed` stays. */
  async shrink(maxBytes: number, needed: ReadonlySet<string>): Promise<Shrunk> {
    return this.#onDisk(async () => shrinkCache({ folder: this.#folder, maxBytes, needed, nowMs: this.#clock.now() }));
  }

  /** Removes what processes left in `tmp` that died while writing, and notes about jars that are not here. */
  async removeLeftovers(): Promise<void> {
    await this.#onDisk(async () => {
      await this.#removeEmptyNotes();
      for (const name of await readdir(join(this.#folder, "tmp")).catch(emptyWhenMissing)) {
        const path = join(this.#folder, "tmp", name);
        const found = await stat(path).catch(undefinedWhenMissing);
        if (found !== undefined && this.#clock.now() - found.mtimeMs > LEFTOVER_AGE_MS) await rm(path, { force: true });
      }
    });
  }

  /** The jar with this digest, if its bytes are there and right. A bad one is removed: then it is fetched again. */
  async find(sha256: string, signal: AbortSignal): Promise<CachedFile | undefined> {
    return this.#onDisk(async () => {
      const file = this.#fileOf(sha256);
      const found = await lstat(file).catch(undefinedWhenMissing);
      if (found === undefined) return undefined;
      const isRight =
        this.#verified.get(sha256) === fingerprint(found) || (found.isFile() && (await hashFile(file, signal)) === sha256);
      if (isRight) {
        this.#verified.set(sha256, fingerprint(found));
        await this.#noteUse(sha256);
        return { file, size: found.size };
      }
      this.#verified.delete(sha256);
      await rm(file, { force: true, recursive: true });
      return undefined;
    });
  }

  /** A new file in `tmp`, to be given back by `keep` or discarded. */
  async receive(digests: readonly DigestName[]): Promise<IncomingFile> {
    return this.#onDisk(async () => IncomingFile.create(await this.#newTempPath(), this.#folder, digests));
  }

  /** Moves a file whose digest was just computed to its place; one that is there already is replaced, which heals it. */
  async keep(incoming: IncomingFile, options: { readonly durable: boolean }): Promise<CachedFile> {
    return this.#onDisk(async () => {
      const sha256 = incoming.digest("sha256");
      await incoming.finish(options);
      const file = this.#fileOf(sha256);
      const placed = await this.#place(incoming.path, file);
      this.#verified.set(sha256, fingerprint(placed));
      return { file, size: placed.size };
    });
  }

  /** A file made of the jar with this digest, beside it. `write` fills the path that it is given; nothing half-written is ever seen. */
  async derive(sha256: string, suffix: string, write: (tempPath: string) => Promise<void>): Promise<CachedFile> {
    return this.#onDisk(async () => {
      const tempPath = await this.#newTempPath();
      try {
        await write(tempPath);
        const file = this.#fileOf(`${sha256}-${suffix}`);
        return { file, size: (await this.#place(tempPath, file)).size };
      } finally {
        await rm(tempPath, { force: true });
      }
    });
  }

  /** Whether a derived file is still there with that size. */
  async hasDerived(derived: { readonly path: string; readonly size: number }): Promise<boolean> {
    const found = await this.#onDisk(() => lstat(derived.path).catch(undefinedWhenMissing));
    return found !== undefined && found.isFile() && found.size === derived.size;
  }

  /** Notes what a source had. One small file each, so processes cannot overwrite one another's notes. */
  async remember(source: string, note: SourceNote): Promise<void> {
    await this.#onDisk(async () => {
      const tempPath = await this.#newTempPath();
      try {
        await writeFile(tempPath, `${JSON.stringify({ source, ...note })}\n`, { flag: "wx" });
        await this.#place(tempPath, this.#noteOf(source));
      } finally {
        await rm(tempPath, { force: true });
      }
    });
  }

  /** What was noted for a source, if anything; the jar itself may be gone meanwhile. */
  async recall(source: string): Promise<SourceNote | undefined> {
    const text = await this.#onDisk(() => readFile(this.#noteOf(source), "utf8").catch(undefinedWhenMissing));
    return text === undefined ? undefined : parseNote(text, source);
  }

  async #noteUse(sha256: string): Promise<void> {
    const now = this.#clock.now();
    if (now - (this.#noted.get(sha256) ?? 0) < NOTE_USE_EVERY_MS) return;
    this.#noted.set(sha256, now);
    // A folder that only others may write to serves as well; then the oldest jars go first, used or not.
    await mkdir(markersIn(this.#folder), { recursive: true })
      .then(() => markUsed(this.#folder, sha256, now))
      .catch(() => undefined);
  }

  async #removeEmptyNotes(): Promise<void> {
    const folder = join(this.#folder, "sources");
    for (const name of await readdir(folder).catch(emptyWhenMissing)) {
      const path = join(folder, name);
      const text = await readFile(path, "utf8").catch(undefinedWhenMissing);
      const sha256 = /"sha256":"([0-9a-f]{64})"/.exec(text ?? "")?.[1];
      const jar = sha256 === undefined ? undefined : await lstat(this.#fileOf(sha256)).catch(undefinedWhenMissing);
      if (jar === undefined) await rm(path, { force: true });
    }
  }

  #fileOf(name: string): string {
    return join(this.#folder, name.slice(0, 2), `${name}.jar`);
  }

  #noteOf(source: string): string {
    return join(this.#folder, "sources", `${sha256Hex(source)}.json`);
  }

  async #newTempPath(): Promise<string> {
    const folder = join(this.#folder, "tmp");
    await mkdir(folder, { recursive: true });
    return join(folder, `${randomUUID()}.part`);
  }

  async #place(tempPath: string, file: string): Promise<Stats> {
    await mkdir(dirname(file), { recursive: true });
    await rename(tempPath, file).catch(async (error: unknown) => {
      // A folder where the file belongs is somebody's accident; it would be in the way for ever.
      if (codeOf(error) !== "EISDIR") throw error;
      await rm(file, { recursive: true, force: true });
      await rename(tempPath, file);
    });
    return lstat(file);
  }

  async #onDisk<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw diskFailure(error, this.#folder);
    }
  }
}

/** Anything but our own note is as good as none: the jar is fetched, and the note written anew. */
function parseNote(text: string, source: string): SourceNote | undefined {
  const note = parseJson(text);
  if (note?.["source"] !== source) return undefined;
  const { sha256, validator } = note;
  if (typeof sha256 !== "string" || !/^[0-9a-f]{64}$/.test(sha256)) return undefined;
  return { sha256, ...(typeof validator === "string" ? { validator } : {}) };
}

function parseJson(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    return undefined; // Half-written or foreign.
  }
}

async function hashFile(file: string, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file, { signal, highWaterMark: 1024 * 1024 })) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

/** Changes whenever somebody writes to the file or puts another one in its place. */
function fingerprint(found: Stats): string {
  return [found.ino, found.size, found.mtimeMs, found.ctimeMs].join("/");
}

function undefinedWhenMissing(error: unknown): undefined {
  if (codeOf(error) !== "ENOENT") throw error;
}

function emptyWhenMissing(error: unknown): readonly string[] {
  if (codeOf(error) !== "ENOENT") throw error;
  return [];
}
