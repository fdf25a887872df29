import type { Log } from "../common/log.ts";
import { buildCommit } from "./commit.ts";
import type { GitTransport } from "./http-transport.ts";
import { ManifestRepository } from "./manifest-repository.ts";
import { NewObjects } from "./new-objects.ts";
import { Pusher, type PushOutcome } from "./pusher.ts";
import { applyChanges, readStatusFolder } from "./status-tree.ts";

export interface ManifestWrite {
  /** The commit that the changes were made for. */
  readonly expectedHead: string;
  /** New contents of files that are there. */
  readonly changes: ReadonlyMap<string, Uint8Array>;
  /** The commit message, which may name the tree that it is about. */
  readonly message: (tree: string) => string;
  readonly author: { readonly name: string; readonly email: string };
  readonly nowMs: number;
}

export type ManifestWriteResult =
  | { readonly kind: "written"; readonly head: string }
  | Exclude<PushOutcome, { readonly kind: "written" }>;

/** The branch with the manifests, for the one who mirrors the status into them. */
export class ManifestBranch extends ManifestRepository {
  readonly #pusher: Pusher;

  constructor(settings: { readonly transport: GitTransport; readonly branch: string }, deps: { readonly log: Log }) {
    super(settings, deps);
    this.#pusher = new Pusher(settings.transport, { branch: settings.branch, write: "push-mirror" }, deps.log);
  }

  /**
   * One commit with `changes` on `expectedHead`, which was read before; every other entry of the tree stays as it is. When the answer is lost, the
   * branch itself is asked whether the commit arrived; an error means that it had not, or that nobody can tell.
   */
  async write(write: ManifestWrite, signal: AbortSignal): Promise<ManifestWriteResult> {
    const { expectedHead, changes, message, author, nowMs } = write;
    const objects = new NewObjects();
    const { tree: before } = await this.fetching.run(async () => this.store.ensureCommit(expectedHead, signal));
    const folder = await readStatusFolder(before, async (oid) => this.store.readTree(oid));
    const { oid: tree } = applyChanges(folder, changes, objects);
    const commit = { tree, parent: expectedHead, message: message(tree), author, nowMs };
    const head = objects.add("commit", buildCommit(commit));
    const outcome = await this.#pusher.push({ expected: expectedHead, head, pack: objects.buildPack() }, signal);
    return outcome.kind === "written" ? { kind: "written", head } : outcome;
  }
}
