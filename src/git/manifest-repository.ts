import type { Log } from "../common/log.ts";
import type { Commit } from "./commit.ts";
import type { GitTransport } from "./http-transport.ts";
import { Mutex } from "./mutex.ts";
import { ObjectStore } from "./object-store.ts";
import { readFiles, type KnownFolders, type TreeFile } from "./read-files.ts";
import { readRemoteBranch, type RemoteHead } from "./remote-branch.ts";

export interface CommitSnapshot {
  readonly oid: string;
  readonly parents: readonly string[];
  readonly message: string;
  readonly committedAtMs: number;
  readonly files: readonly TreeFile[];
}

export type BlobContent =
  | { readonly kind: "read"; readonly content: Uint8Array }
  | { readonly kind: "too-large"; readonly size?: number };

export interface CommitMessage {
  readonly oid: string;
  readonly message: string;
}

/** The branch with the manifests, read only. All methods may be called at the same time; fetches wait for each other. */
export class ManifestRepository {
  readonly #transport: GitTransport;
  readonly #branch: string;
  protected readonly store: ObjectStore;
  protected readonly fetching = new Mutex();
  #known: KnownFolders = new Map();

  constructor(settings: { readonly transport: GitTransport; readonly branch: string }, deps: { readonly log: Log }) {
    this.#transport = settings.transport;
    this.#branch = settings.branch;
    this.store = new ObjectStore(settings.transport, settings.branch, deps.log);
  }

  /** One small question to the server; "missing" and "empty" were looked at twice. */
  async readHead(signal: AbortSignal): Promise<RemoteHead> {
    return readRemoteBranch(this.#transport, this.#branch, signal);
  }

  /**
   * The files of one commit, usually of the head just read; it is fetched when it is not here yet, also when the branch has moved on
   * meanwhile. A GitCommitGoneError says that the server no longer offers it: read the head again.
   */
  async readCommit(oid: string, signal: AbortSignal): Promise<CommitSnapshot> {
    return this.fetching.run(async () => {
      signal.throwIfAborted();
      const { tree, parents, message, committedAtMs } = await this.store.ensureCommit(oid, signal);
      const readTree = (folder: string) => this.store.readTree(folder);
      const { files, folders } = await readFiles(tree, readTree, this.#known, this.#transport.publicUrl);
      this.#known = folders;
      return { oid, parents, message, committedAtMs, files };
    });
  }

  /** The bytes of a commit that was read before, or whose message was: what a signature is checked under. */
  async readCommitObject(oid: string): Promise<Buffer> {
    return this.store.readCommitObject(oid);
  }

  /** A blob of a commit that was read before. A GitObjectError drops the local copy: `readCommit` brings it back. */
  async readBlob(oid: string, maxBytes: number, signal: AbortSignal): Promise<BlobContent> {
    signal.throwIfAborted();
    const content = await this.store.readBlob(oid);
    return content.byteLength > maxBytes ? { kind: "too-large", size: content.byteLength } : { kind: "read", content };
  }

  /**
   * The messages of the commits that `toOid` has and `fromOid` has not. History that was not fetched before is fetched once, at most `limit` commits
   * of it. When `fromOid` is not among these, history was rewritten or has gone on for longer, and what is new in it cannot be told: then, as without
   * `fromOid`, it is the message of `toOid`, which is new in any case.
   */
  async readMessagesSince(
    fromOid: string | undefined,
    toOid: string,
    limit: number,
    signal: AbortSignal,
  ): Promise<readonly CommitMessage[]> {
    if (fromOid === toOid) return [];
    return this.fetching.run(async () => {
      signal.throwIfAborted();
      await this.store.ensureCommit(toOid, signal);
      const found = await this.#walk(toOid, fromOid, limit);
      if (fromOid === undefined) return found.messages.slice(0, 1);
      if (!found.isComplete) await this.store.deepen(toOid, limit + 1, signal);
      const { messages, isBehind } = found.isComplete ? found : await this.#walk(toOid, fromOid, limit);
      return isBehind ? messages : messages.slice(0, 1);
    });
  }

  /**
   * The newest commit behind `oid`, itself included, that `isOurs` does not know, as far as all between the two have one parent. History that was
   * not fetched before is fetched once, at most `limit` commits of it; when that is not enough it is `oid` itself.
   */
  async findForeign(oid: string, isOurs: (commit: Commit) => boolean, limit: number, signal: AbortSignal): Promise<string> {
    return this.fetching.run(async () => {
      signal.throwIfAborted();
      if (!isOurs(await this.store.ensureCommit(oid, signal))) return oid;
      const known = await this.#findForeign(oid, isOurs, limit);
      if (known !== undefined) return known;
      await this.store.deepen(oid, limit + 1, signal);
      return (await this.#findForeign(oid, isOurs, limit)) ?? oid;
    });
  }

  /**
   * Whether `ancestor` is in the history of `oid`. History that was not fetched before is fetched once, at most `limit` commits of it; when that is
   * not enough it cannot be told.
   */
  async isBehind(ancestor: string, oid: string, limit: number, signal: AbortSignal): Promise<"yes" | "no" | "cannot-tell"> {
    return this.fetching.run(async () => {
      signal.throwIfAborted();
      await this.store.ensureCommit(oid, signal);
      if ((await this.#ancestors(oid)).has(ancestor)) return "yes";
      if (await this.#isCut(oid)) await this.store.deepen(oid, limit, signal);
      if ((await this.#ancestors(oid)).has(ancestor)) return "yes";
      return (await this.#isCut(oid)) ? "cannot-tell" : "no";
    });
  }

  /** Whether there is more history than what is here. */
  async #isCut(oid: string): Promise<boolean> {
    const shallow = await this.store.readShallow();
    for (const behind of await this.#ancestors(oid))
      if (shallow.has(behind) && ((await this.store.findCommit(behind))?.parents.length ?? 0) > 0) return true;
    return false;
  }

  async #findForeign(from: string, isOurs: (commit: Commit) => boolean, limit: number): Promise<string | undefined> {
    let oid: string | undefined = from;
    for (let seen = 0; oid !== undefined && seen <= limit; seen += 1) {
      const commit: Commit | undefined = await this.store.findCommit(oid);
      if (commit === undefined) return undefined;
      if (!isOurs(commit)) return oid;
      oid = commit.parents.length === 1 ? commit.parents[0] : undefined;
    }
    return undefined;
  }

  async #walk(toOid: string, fromOid: string | undefined, limit: number) {
    const old = fromOid === undefined ? new Set<string>() : await this.#ancestors(fromOid);
    const shallow = await this.store.readShallow();
    const seen = new Set<string>([toOid]);
    const waiting = [toOid];
    const messages: CommitMessage[] = [];
    let isComplete = true;
    let isBehind = false;
    for (let oid = waiting.shift(); oid !== undefined && messages.length < limit; oid = waiting.shift()) {
      const commit = await this.store.findCommit(oid);
      if (commit === undefined) continue;
      messages.push({ oid, message: commit.message });
      isBehind ||= commit.parents.some((parent) => old.has(parent));
      if (shallow.has(oid) && commit.parents.length > 0 && !commit.parents.every((parent) => old.has(parent))) isComplete = false;
      const parents = commit.parents.filter((parent) => !old.has(parent) && !seen.has(parent));
      for (const parent of parents) seen.add(parent);
      waiting.push(...(shallow.has(oid) ? [] : parents));
    }
    return { messages, isComplete, isBehind };
  }

  /** The commit itself and what is behind it, as far as it is here. */
  async #ancestors(oid: string): Promise<ReadonlySet<string>> {
    const found = new Set([oid]);
    const waiting = [oid];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const commit: Commit | undefined = await this.store.findCommit(next);
      const parents = (commit?.parents ?? []).filter((parent) => !found.has(parent));
      for (const parent of parents) found.add(parent);
      waiting.push(...parents);
    }
    return found;
  }
}
