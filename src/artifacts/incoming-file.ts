import { createHash, type Hash } from "node:crypto";
import { open, rm, type FileHandle } from "node:fs/promises";
import { diskFailure } from "./artifact-error.ts";

export type DigestName = "sha256" | "sha512" | "sha1";

/** A file that is being written and hashed at once. It ends either in `finish` or in `discard`; whoever created it calls one of them. */
export class IncomingFile {
  readonly path: string;
  readonly #folder: string;
  readonly #handle: FileHandle;
  readonly #digests: readonly DigestName[];
  #hashes: ReadonlyMap<DigestName, Hash>;
  #size = 0;

  private constructor(path: string, folder: string, handle: FileHandle, digests: readonly DigestName[]) {
    this.path = path;
    this.#folder = folder;
    this.#handle = handle;
    this.#digests = digests;
    this.#hashes = newHashes(digests);
  }

  /** The file must not exist yet. `folder` is what a failure of the disk names. */
  static async create(path: string, folder: string, digests: readonly DigestName[]): Promise<IncomingFile> {
    return new IncomingFile(path, folder, await open(path, "wx"), digests);
  }

  get size(): number {
    return this.#size;
  }

  /** A failure of the disk is an ArtifactError, so that it is not taken for one of the network that the bytes come from. */
  async write(chunk: Uint8Array): Promise<void> {
    for (const hash of this.#hashes.values()) hash.update(chunk);
    try {
      let written = 0;
      while (written < chunk.byteLength) {
        written += (await this.#handle.write(chunk, written, chunk.byteLength - written, this.#size + written)).bytesWritten;
      }
    } catch (error) {
      throw diskFailure(error, this.#folder);
    }
    this.#size += chunk.byteLength;
  }

  /** What was written so far counts no more. */
  async restart(): Promise<void> {
    if (this.#size === 0) return;
    this.#hashes = newHashes(this.#digests);
    this.#size = 0;
    try {
      await this.#handle.truncate(0);
    } catch (error) {
      throw diskFailure(error, this.#folder);
    }
  }

  /** In hex digits, of what was written so far. Only for digests that were asked for at the start. */
  digest(name: DigestName): string {
    const hash = this.#hashes.get(name);
    if (hash === undefined) throw new Error(`${name} is not computed for this file`);
    return hash.copy().digest("hex");
  }

  /** `durable`: the bytes survive a power cut. */
  async finish(options: { readonly durable: boolean }): Promise<void> {
    if (options.durable) await this.#handle.sync();
    await this.#handle.close();
  }

  /** Removes the file; harmless after `finish` and after the file was moved away. Never rejects. */
  async discard(): Promise<void> {
    // What made the file unwanted is to be told, not this; and a file that cannot be removed is removed by its age later.
    await this.#handle.close().catch(() => undefined);
    await rm(this.path, { force: true }).catch(() => undefined);
  }
}

function newHashes(digests: readonly DigestName[]): ReadonlyMap<DigestName, Hash> {
  return new Map(digests.map((name) => [name, createHash(name)]));
}
