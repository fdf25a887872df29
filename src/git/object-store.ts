import { isDescendent, writeRef } from "isomorphic-git";
import type { Log } from "../common/log.ts";
import { isPenstockError } from "../common/errors.ts";
import type { Commit } from "./commit.ts";
import { GitCommitGoneError, GitObjectError, GitServerError, GitTooLargeError } from "./errors.ts";
import type { GitTransport } from "./http-transport.ts";
import {
  argumentsOf,
  createCopy,
  fetchInto,
  GITDIR,
  readCommit,
  readObject,
  readShallow,
  readTree,
  verify,
  type LocalCopy,
} from "./local-copy.ts";
import { readRemoteBranch } from "./remote-branch.ts";
import type { TreeEntry } from "./tree.ts";

/** One generation of the local copy: filled by fetches, never repaired, replaced as a whole. */
interface Generation extends LocalCopy {
  readonly firstBytes: number;
  readonly head: string;
  readonly fetches: number;
}

/** Ours alone: fetches never move it, so it names only what was verified. What we tell the server that we have. */
const HAVE_REF = "refs/penstock/have";
const MAX_FETCHES = 100;
const SPARE_BYTES = 16 * 1024 ** 2;

/**
 * The objects of one branch, fetched from the server into memory. The first fetch takes one commit without history, later ones what is
 * new; a fetch counts only when commit and all trees were read back. When something is wrong with the store, after a hundred
 * fetches, when it has grown, or when history was rewritten, a new one is built beside it and takes its place.
 */
export class ObjectStore {
  readonly #transport: GitTransport;
  readonly #branch: string;
  readonly #log: Log;
  #generation: Generation | undefined;

  constructor(transport: GitTransport, branch: string, log: Log) {
    this.#transport = transport;
    this.#branch = branch;
    this.#log = log;
  }

  /** Makes sure that the commit with all its trees is here. Not to be called twice at the same time. */
  async ensureCommit(oid: string, signal: AbortSignal): Promise<Commit> {
    const known = await this.#tryVerify(this.#generation, oid);
    if (known !== undefined) return known;
    const current = this.#generation;
    const isWorn =
      current === undefined || current.fetches >= MAX_FETCHES || current.store.bytes > 2 * current.firstBytes + SPARE_BYTES;
    return (isWorn ? undefined : await this.#fetchMore(current, oid, signal)) ?? this.#fetchAnew(oid, signal);
  }

  /** As much history behind `oid` as `depth` commits, for reading messages. */
  async deepen(oid: string, depth: number, signal: AbortSignal): Promise<void> {
    const generation = this.#generation;
    if (generation === undefined) return;
    await this.#fetch(generation, oid, depth, signal);
  }

  /** Whether the parents of this commit were left out when it was fetched. */
  async readShallow(): Promise<ReadonlySet<string>> {
    return this.#generation === undefined ? new Set() : readShallow(this.#generation);
  }

  /** Undefined when it is not here. */
  async findCommit(oid: string): Promise<Commit | undefined> {
    const generation = this.#generation;
    if (generation === undefined) return undefined;
    try {
      return await readCommit(generation, oid);
    } catch {
      return undefined; // Beyond the history that was fetched, which is what is asked here.
    }
  }

  /** The bytes of a commit that is here. */
  async readCommitObject(oid: string): Promise<Buffer> {
    return this.#guarded(oid, async (generation) => (await readObject(generation, oid, "commit")).content);
  }

  async readTree(oid: string): Promise<readonly TreeEntry[]> {
    return this.#guarded(oid, (generation) => readTree(generation, oid));
  }

  async readBlob(oid: string): Promise<Buffer> {
    return this.#guarded(oid, async (generation) => (await readObject(generation, oid, "blob")).content);
  }

  /**
   * Objects that we pushed ourselves on top of `parent`, so that the next fetch need not bring them; `head` is the commit among them.
   * After a hundred of these the copy is dropped: whoever pushes knows the content, and only a foreign commit needs a new copy.
   */
  async adopt(head: string, parent: string | undefined, looseObjects: ReadonlyMap<string, Uint8Array>): Promise<void> {
    const generation = this.#generation;
    this.#generation = undefined;
    if (generation === undefined || generation.head !== parent || generation.fetches >= MAX_FETCHES) return;
    const files = generation.store.fs.promises;
    for (const [oid, content] of looseObjects)
      await files.writeFile(`${GITDIR}/objects/${oid.slice(0, 2)}/${oid.slice(2)}`, content);
    await this.#trust(generation, head);
  }

  /** Objects that should be here and are not: everything is dropped, so that the next fetch starts anew instead of failing for ever. */
  async #guarded<Value>(oid: string, read: (generation: Generation) => Promise<Value>): Promise<Value> {
    const generation = this.#generation;
    if (generation === undefined) throw new GitObjectError(oid, "nothing has been fetched yet");
    try {
      return await read(generation);
    } catch (error) {
      this.#log.warn({ err: error, oid }, "a Git object is not readable; the local copy is built anew");
      if (this.#generation === generation) this.#generation = undefined;
      throw error;
    }
  }

  async #fetchMore(current: Generation, oid: string, signal: AbortSignal): Promise<Commit | undefined> {
    try {
      await this.#fetch(current, oid, undefined, signal);
      const commit = await verify(current, oid);
      const isForward = await isDescendent({ ...argumentsOf(current), oid, ancestor: current.head, depth: -1 });
      if (isForward) {
        await this.#trust(current, oid);
        return commit;
      }
      this.#log.info({ oid }, "the branch's history was rewritten; the local copy is built anew");
    } catch (error) {
      if (signal.aborted || !isAboutTheCopy(error)) throw error;
      this.#log.warn({ err: error, oid }, "the local copy of the repository cannot be brought up to date and is built anew");
    }
    return undefined;
  }

  async #fetchAnew(oid: string, signal: AbortSignal): Promise<Commit> {
    this.#log.debug({ oid }, "the repository is copied anew");
    const empty: Generation = { ...(await createCopy(this.#transport.url)), firstBytes: 0, head: oid, fetches: 0 };
    await this.#fetch(empty, oid, 1, signal);
    const commit = await verify(empty, oid);
    await this.#trust({ ...empty, firstBytes: empty.store.bytes }, oid);
    return commit;
  }

  async #trust(generation: Generation, head: string): Promise<void> {
    await writeRef({ ...argumentsOf(generation), ref: HAVE_REF, value: head, force: true });
    this.#generation = { ...generation, head, fetches: generation.fetches + 1 };
  }

  /** Asks for exactly this commit, wherever the branch has moved meanwhile. */
  async #fetch(generation: Generation, oid: string, depth: number | undefined, signal: AbortSignal): Promise<void> {
    try {
      await fetchInto(generation, this.#transport, { want: oid, have: HAVE_REF, depth }, signal);
    } catch (error) {
      if (!(error instanceof GitServerError)) throw error;
      // Servers have different words for a commit that they no longer offer, so the branch itself is asked.
      const branch = await readRemoteBranch(this.#transport, this.#branch, signal);
      if (branch.kind === "at" && branch.oid === oid) throw error;
      throw new GitCommitGoneError(this.#transport.publicUrl, oid, { cause: error });
    }
    signal.throwIfAborted();
  }

  async #tryVerify(generation: Generation | undefined, oid: string): Promise<Commit | undefined> {
    if (generation === undefined || (await this.findCommit(oid)) === undefined) return undefined;
    try {
      return await verify(generation, oid);
    } catch {
      return undefined; // The commit is here, but not all of it: that is what a fetch is for.
    }
  }
}

/** A new copy helps when the old one is damaged, has too much to catch up with, or is something that the server stumbles over. */
function isAboutTheCopy(error: unknown): boolean {
  const isOurs = isPenstockError(error);
  return !isOurs || error instanceof GitObjectError || error instanceof GitTooLargeError || error instanceof GitServerError;
}
