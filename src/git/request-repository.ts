import { writeRef } from "isomorphic-git";
import { GitObjectError, GitServerError, GitTooLargeError } from "./errors.ts";
import type { GitTransport } from "./http-transport.ts";
import { listRefs, type RemoteRef } from "./list-refs.ts";
import { argumentsOf, createCopy, fetchInto, readCommit, readObject, readTree, verify, type LocalCopy } from "./local-copy.ts";
import type { BlobContent, CommitMessage } from "./manifest-repository.ts";
import { ancestorsOf, findMergeBase, type FindCommit } from "./merge-base.ts";
import { mergeTrees, type MergedTree } from "./merge-trees.ts";
import { Mutex } from "./mutex.ts";
import { readFiles, type TreeFile } from "./read-files.ts";

/** How head and base came together. */
export type RequestTree =
  /** The base has all of the head: there is nothing to merge. */
  | { readonly kind: "contained" }
  | { readonly kind: "conflict"; readonly mergeBase: string; readonly paths: readonly string[] }
  | (PlannedTree & { readonly kind: "merged"; readonly mergeBase: string })
  /** No common commit is known: the head as it stands. */
  | (PlannedTree & { readonly kind: "head-alone"; readonly because: string });

interface PlannedTree {
  readonly files: readonly TreeFile[];
  readonly readBlob: (oid: string, maxBytes: number) => Promise<BlobContent>;
  /** The bytes of the head's commit: what a signature is checked under. */
  readonly readHead: () => Promise<Buffer>;
  /** Of the commits that the base has not, newest first. */
  readonly messages: readonly CommitMessage[];
}

const HAVE_REF = "refs/penstock/have";
/** Most requests are a few commits away from their branch; who is far behind costs more. */
const DEPTHS = [10, 50, 500];
const MAX_MESSAGES = 100;
/** Everything that was fetched lies in memory; beyond this it is dropped and fetched anew. */
const MAX_BYTES = 256 * 1024 ** 2;
const MAX_FETCHES = 400;

/**
 * What others want to bring into the branch, read only, in a copy of its own: whatever it holds, and however long it takes, the branch itself is
 * read beside it. Calls wait for each other.
 */
export class RequestRepository {
  readonly #transport: GitTransport;
  readonly #mutex = new Mutex();
  #copy: LocalCopy | undefined;
  #fetches = 0;

  constructor(transport: GitTransport) {
    this.#transport = transport;
  }

  /** One question to the server, however many refs there are. */
  async listRefs(prefixes: readonly string[], signal: AbortSignal): Promise<readonly RemoteRef[]> {
    return listRefs(this.#transport, prefixes, signal);
  }

  /** The tree that merging `head` into `base` would make. */
  async merge(base: string, head: string, signal: AbortSignal): Promise<RequestTree> {
    return this.#mutex.run(async () => {
      signal.throwIfAborted();
      try {
        return await this.#merge(base, head, signal);
      } catch (error) {
        // What should be here and is not: the next one fetches all of it again.
        if (error instanceof GitObjectError) this.#copy = undefined;
        throw error;
      }
    });
  }

  async #merge(base: string, head: string, signal: AbortSignal): Promise<RequestTree> {
    const copy = await this.#copyWith(base, head, signal);
    const found = await this.#findMergeBase(copy, base, head, signal);
    const messages = await this.#messages(copy, head, base);
    if (found.kind === "none") {
      const { tree } = await verify(copy, head);
      return { kind: "head-alone", because: found.because, ...(await this.#planned(copy, head, tree)), messages };
    }
    const { mergeBase } = found;
    if (mergeBase === head) return { kind: "contained" };
    const [o, a, b] = await Promise.all([mergeBase, base, head].map(async (oid) => (await verify(copy, oid)).tree));
    const source = {
      readTree: async (oid: string) => readTree(copy, oid),
      readBlob: async (oid: string) => (await readObject(copy, oid, "blob")).content,
    };
    const merged = await mergeTrees(o!, a!, b!, source);
    if (merged.conflicts.length > 0) return { kind: "conflict", mergeBase, paths: merged.conflicts };
    return { kind: "merged", mergeBase, ...(await this.#planned(copy, head, merged.root, merged)), messages };
  }

  async #copyWith(base: string, head: string, signal: AbortSignal): Promise<LocalCopy> {
    const isWorn = this.#fetches >= MAX_FETCHES || (this.#copy?.store.bytes ?? 0) > MAX_BYTES;
    const copy = this.#copy === undefined || isWorn ? await createCopy(this.#transport.url) : this.#copy;
    if (copy !== this.#copy) this.#fetches = 0;
    for (const oid of [base, head]) {
      if (await isWhole(copy, oid)) continue;
      await this.#fetch(copy, oid, DEPTHS[0]!, signal);
      await verify(copy, oid);
      if (oid === base) await writeRef({ ...argumentsOf(copy), ref: HAVE_REF, value: base, force: true });
    }
    this.#copy = copy;
    return copy;
  }

  async #fetch(copy: LocalCopy, want: string, depth: number, signal: AbortSignal): Promise<void> {
    this.#fetches += 1;
    await fetchInto(copy, this.#transport, { want, have: HAVE_REF, depth }, signal);
    signal.throwIfAborted();
  }

  /** Head and base are deepened together until they meet. */
  async #findMergeBase(copy: LocalCopy, base: string, head: string, signal: AbortSignal) {
    for (const depth of DEPTHS) {
      const mergeBase = await findMergeBase(base, head, commitsOf(copy));
      if (mergeBase !== undefined) return { kind: "found" as const, mergeBase };
      if (depth === DEPTHS[0]) continue; // that far they were fetched already
      try {
        for (const oid of [base, head]) await this.#fetch(copy, oid, depth, signal);
      } catch (error) {
        if (!(error instanceof GitTooLargeError) && !(error instanceof GitServerError)) throw error;
        return { kind: "none" as const, because: `its history cannot be fetched: ${error.message}` };
      }
    }
    const mergeBase = await findMergeBase(base, head, commitsOf(copy));
    if (mergeBase !== undefined) return { kind: "found" as const, mergeBase };
    return { kind: "none" as const, because: `no common commit is among the newest ${DEPTHS.at(-1)!} of both` };
  }

  async #messages(copy: LocalCopy, head: string, base: string): Promise<readonly CommitMessage[]> {
    const findCommit = commitsOf(copy);
    const old = await ancestorsOf([base], findCommit);
    const messages: CommitMessage[] = [];
    for (const oid of await ancestorsOf([head], findCommit)) {
      if (messages.length === MAX_MESSAGES) break;
      const commit = old.has(oid) ? undefined : await findCommit(oid);
      if (commit !== undefined) messages.push({ oid, message: commit.message });
    }
    return messages;
  }

  async #planned(copy: LocalCopy, head: string, root: string, merged?: MergedTree): Promise<Omit<PlannedTree, "messages">> {
    const tree = async (oid: string) => merged?.trees.get(oid) ?? readTree(copy, oid);
    const { files } = await readFiles(root, tree, new Map(), this.#transport.publicUrl);
    return {
      files,
      readHead: async () => (await readObject(copy, head, "commit")).content,
      readBlob: async (oid, maxBytes) => {
        const content = merged?.blobs.get(oid) ?? (await readObject(copy, oid, "blob")).content;
        return content.byteLength > maxBytes ? { kind: "too-large", size: content.byteLength } : { kind: "read", content };
      },
    };
  }
}

async function isWhole(copy: LocalCopy, oid: string): Promise<boolean> {
  try {
    await verify(copy, oid);
    return true;
  } catch {
    return false; // Not here, or not all of it: that is what a fetch is for.
  }
}

function commitsOf(copy: LocalCopy): FindCommit {
  return async (oid) => {
    try {
      return await readCommit(copy, oid);
    } catch {
      return undefined; // Beyond the history that was fetched, which is what is asked here.
    }
  };
}
