import { messageOf } from "../common/errors.ts";
import type { Log } from "../common/log.ts";
import { type Observer, UNOBSERVED } from "../common/observer.ts";
import { oneLine, shownPath } from "../common/text.ts";
import type { CommitMessage, CommitSnapshot, ManifestRepository } from "../git/manifest-repository.ts";
import type { RemoteHead } from "../git/remote-branch.ts";
import { mergeTrailers, parseTrailers } from "../git/commit.ts";
import { GitCommitGoneError, GitObjectError, GitServerError, GitTooLargeError } from "../git/errors.ts";
import { isMirrorCommit } from "../git/mirror-commit.ts";
import type { StatusReader, StatusSnapshot } from "../git/status-reader.ts";
import { ManifestCache } from "../model/parse-manifests.ts";
import type { ResourceKey } from "../model/resource.ts";
import { BranchPosition } from "./branch-position.ts";
import { RecordProofs, type Evidence } from "./prove-records.ts";
import { headOf, manifestsOf, readManifestTree, type ManifestTree } from "./read-manifests.ts";
import type { Snapshot, StatusView } from "./snapshot.ts";
import { buildStatusView } from "./status-view.ts";
import { describeRefusal, findChangeBesidesStatus, refusedHead, type RefusedHead, type Verification } from "./verify-head.ts";

const MAX_MESSAGES = 100;
/** So many mirrors of the status are looked through for the commit below them. */
const MAX_MIRRORS = 100;
/** So far back the commit that the status was made with is looked for in the branch. */
const MAX_APPLIED_BEHIND = 500;
const MAX_KNOWN = 200;

export type SnapshotRead =
  | { readonly kind: "read"; readonly snapshot: Snapshot }
  | { readonly kind: "unreadable"; readonly because: string };

interface ReadCommit {
  readonly commit: CommitSnapshot;
  readonly tree: ManifestTree;
}

/** The branch's head, and the commit that everything is decided by: the head itself, or what lies below our own mirrors of the status. */
interface ReadHead {
  readonly head: ReadCommit;
  readonly below: ReadCommit;
}

/**
 * What is known of the repository, kept between passes so that a pass without news costs no call. `poll` asks the server for the head;
 * `read` fetches what is new. A repository that cannot be read leaves the last commit in force: "cannot see" is never "is gone".
 */
export class SnapshotReader {
  readonly #manifests: ManifestRepository;
  readonly #statusBranch: StatusReader;
  readonly #paths: readonly string[];
  readonly #log: Log;
  readonly #observer: Pick<Observer, "branchMoved" | "commitRead">;
  readonly #verification: Verification | undefined;
  readonly #proofs: RecordProofs | undefined;
  readonly #cache = new ManifestCache();
  readonly #position: BranchPosition;
  #current: ReadHead | undefined;
  /** Where the branch stands, when that is not what is in force. */
  #refused: RefusedHead | undefined;
  /** A recorded commit that does not count either. */
  #dismissed: string | undefined;
  #status: StatusView | undefined;
  #statusIsOld = true;
  #written: StatusSnapshot | undefined;
  /** What is wrong with asking where the branch stands, and with reading what stands there: a server may do the one and not the other. */
  readonly #troubles: { poll: string | undefined; read: string | undefined } = { poll: undefined, read: undefined };
  /** Commits that the branch had while this process was there, or has in its history, as far as it was looked for. */
  #known: readonly string[] = [];

  constructor(options: {
    readonly manifests: ManifestRepository;
    readonly statusBranch: StatusReader;
    readonly paths: readonly string[];
    readonly log: Log;
    readonly observer?: Pick<Observer, "branchMoved" | "commitRead">;
    /** Undefined: every commit counts. */
    readonly verification?: Verification | undefined;
  }) {
    this.#manifests = options.manifests;
    this.#statusBranch = options.statusBranch;
    this.#paths = options.paths;
    this.#log = options.log;
    this.#position = new BranchPosition(options.log);
    this.#observer = options.observer ?? UNOBSERVED;
    const { verification } = options;
    this.#verification = verification;
    this.#proofs =
      verification === undefined
        ? undefined
        : new RecordProofs(async (oid, signal) => this.#readEvidence(oid, verification, signal), verification.clock);
  }

  /** Asks where the branch stands. True when it moved or when the repository can be read again. Never throws but for the signal. */
  async poll(signal: AbortSignal): Promise<boolean> {
    try {
      const head = await this.#manifests.readHead(signal);
      const isFirst = this.#position.head === undefined;
      const news = this.#position.note(head);
      if (news === "doubted") return this.#recover("poll", undefined);
      if (news === "moved" && head.kind === "at" && !isFirst) this.#observer.branchMoved(head.oid);
      const recovered = this.#recover("poll", troubleOf(head));
      return news === "moved" || recovered;
    } catch (error) {
      signal.throwIfAborted();
      return this.#recover("poll", oneLine(messageOf(error), 300));
    }
  }

  /** Asks where the status branch stands. True when somebody else wrote it: the next `read` looks at it then. Never throws but for the signal. */
  async pollStatus(signal: AbortSignal): Promise<boolean> {
    if (this.#status === undefined) return false; // the first `read` looks anyway
    try {
      const head = await this.#statusBranch.readHead(signal);
      if (head === (this.#written ?? this.#status).head) return false;
      this.expireStatus();
      return true;
    } catch (error) {
      signal.throwIfAborted();
      this.#log.debug({ err: error }, "cannot ask where the status branch stands"); // `poll` tells of a server that is not there
      return false;
    }
  }

  /**
   * Whether the status branch still stands where it was read, asked of the server now. When it does not, or cannot be asked, the next `read` looks
   * at it again. Never throws but for the signal.
   */
  async statusStands(signal: AbortSignal): Promise<boolean> {
    try {
      const head = await this.#statusBranch.readHead(signal);
      if (head === (this.#written ?? this.#status)?.head) return true;
    } catch (error) {
      signal.throwIfAborted();
      this.#log.debug({ err: error }, "cannot ask where the status branch stands, so nothing is called again");
    }
    this.expireStatus();
    return false;
  }

  /** This process pushed a mirror of the status: the branch stands there now, which is no news. The next `read` looks at it. */
  wroteHead(oid: string): void {
    this.#position.wrote(oid);
  }

  /** Whether the branch is known to stand at this commit. */
  isAt(oid: string): boolean {
    return this.#position.isAt(oid);
  }

  /** Somebody else wrote the status branch, or may have: the next `read` looks at it again. */
  expireStatus(): void {
    this.#statusIsOld = true;
  }

  /** What this process just wrote is what it would read. It is parsed with the next `read`: what was announced comes first. */
  wroteStatus(written: StatusSnapshot): void {
    this.#written = written;
    this.#statusIsOld = false;
  }

  /** Whether this process has ever seen the status branch, so that its absence now means that it was deleted. */
  knewStatus(): boolean {
    return this.#status?.head !== undefined || this.#status?.rewrite === true;
  }

  async read(signal: AbortSignal): Promise<SnapshotRead> {
    if (this.#written !== undefined) this.#status = buildStatusView(this.#written, this.#status);
    this.#written = undefined;
    if (this.#position.head === undefined) await this.poll(signal);
    try {
      const { head } = this.#position;
      if (head?.kind === "at") await this.#follow(head.oid, signal);
      if (this.#status === undefined || this.#statusIsOld) await this.#readStatus(signal);
      this.#recover("read", undefined);
    } catch (error) {
      signal.throwIfAborted();
      this.#recover("read", oneLine(messageOf(error), 300));
    }
    const current = this.#current;
    const status = this.#status;
    if (current === undefined || status === undefined) {
      const refused = this.#refused === undefined ? undefined : describeRefusal(this.#refused, undefined);
      return { kind: "unreadable", because: this.#trouble() ?? refused ?? "the repository was not read yet" };
    }
    const snapshot = await this.#build(current, status, signal);
    // A daemon that does not know the newest applied commit fetches before it acts.
    if (snapshot.ahead !== undefined && (await this.poll(signal))) return this.read(signal);
    return { kind: "read", snapshot };
  }

  /** Makes a commit that the branch stands at the one in force, or keeps what is when it does not count. */
  async #follow(oid: string, signal: AbortSignal): Promise<void> {
    const known = this.#current;
    if (known?.head.commit.oid === oid || (known !== undefined && this.#refused?.oid === oid)) {
      if (this.#refused?.oid !== oid) this.#refused = undefined; // the branch was set back to what is in force
      return;
    }
    const read = await this.#readHead(oid, signal);
    const refused = await this.#judge(read);
    if (refused === undefined) {
      if (this.#refused !== undefined) this.#log.info({ commit: oid }, "the newest commit is verified, and in force");
      [this.#current, this.#refused] = [read, undefined];
      return;
    }
    if (this.#refused?.oid !== oid) this.#log.warn({ because: refused.because }, "the newest commit is not applied");
    this.#refused = refused;
    this.#current ??= await this.#readKept(signal);
  }

  async #judge({ head, below }: ReadHead): Promise<RefusedHead | undefined> {
    const { oid } = head.commit;
    if (this.#verification === undefined) return undefined;
    if (below.commit.oid !== this.#current?.below.commit.oid) {
      const content = await this.#manifests.readCommitObject(below.commit.oid);
      const verdict = await this.#verification.verifier.verify(content, "new");
      if (verdict.kind === "refused") return refusedHead(below.commit.oid, verdict.because);
    }
    const changed = head === below ? undefined : findChangeBesidesStatus(below.tree, head.tree);
    if (changed === undefined) return undefined;
    return refusedHead(
      oid,
      `it is not signed, and changes ${shownPath(changed)}, although it says that it only mirrors statuses`,
    );
  }

  /** For a daemon that has just begun: the newest commit that was applied, where it is verified. The record of it is not, so it is not believed. */
  async #readKept(signal: AbortSignal): Promise<ReadHead | undefined> {
    if (this.#status === undefined || this.#statusIsOld) await this.#readStatus(signal);
    const applied = this.#status?.summary?.appliedCommit;
    if (this.#verification === undefined || applied === undefined || applied === this.#dismissed) return undefined;
    try {
      const found = await this.#readVerified(applied, this.#verification, signal);
      if ("commit" in found) return { head: found, below: found };
      this.#log.warn({ because: found.because, commit: applied }, "the commit that was applied last does not count either");
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof GitCommitGoneError)) throw error;
      this.#log.warn({ err: error, commit: applied }, "the commit that was applied last cannot be read");
    }
    this.#dismissed = applied;
    return undefined;
  }

  /** A commit that was applied before, if it counts. */
  async #readVerified(
    oid: string,
    { verifier, openWitness }: Verification,
    signal: AbortSignal,
  ): Promise<ReadCommit | { readonly because: string }> {
    const witness = openWitness();
    const commit = await witness.readCommit(oid, signal);
    const verdict = await verifier.verify(await witness.readCommitObject(oid), "kept");
    return verdict.kind === "verified" ? this.#readTree(commit, witness, signal) : { because: verdict.because };
  }

  async #readEvidence(oid: string, verification: Verification, signal: AbortSignal): Promise<Evidence> {
    const found = await this.#readVerified(oid, verification, signal);
    return "commit" in found
      ? { kind: "tree", tree: found.tree }
      : { kind: "none", because: `commit ${oid.slice(0, 12)}, from which it says that it is, does not count: ${found.because}` };
  }

  /** What the status branch remembers, where no verified commit says the same: nothing is done with it. */
  async #withDoubts(status: StatusView, { tree }: ReadCommit, signal: AbortSignal): Promise<StatusView> {
    const doubts = (await this.#proofs?.findDoubts(status.records, tree, signal)) ?? new Map<ResourceKey, string>();
    if (doubts.size === 0) return status;
    const unreadable = new Map(status.unreadable);
    for (const [key, doubt] of doubts) {
      const message = `no signed commit proves it, and repository.verify is set: ${doubt}; put back what was there, from the history of the status branch, or remove the file when nothing of it runs`;
      unreadable.set(key, { file: shownPath(`${key}.yaml`), line: 1, column: 1, message });
    }
    return { ...status, unreadable };
  }

  /**
   * Mirrors of the status on top of a commit are looked through: they change nothing, so nothing may look changed by them, not even the
   * line that a problem stands in.
   */
  async #readHead(oid: string, signal: AbortSignal): Promise<ReadHead> {
    const head = await this.#readCommit(oid, signal);
    try {
      const foreign = await this.#manifests.findForeign(oid, isMirrorCommit, MAX_MIRRORS, signal);
      if (foreign === oid) return { head, below: head };
      const known = this.#current?.below;
      return { head, below: known?.commit.oid === foreign ? known : await this.#readCommit(foreign, signal) };
    } catch (error) {
      signal.throwIfAborted();
      if (!isAboutHistory(error)) throw error;
      // The server does not give away what lies further back. The head says the same, at most in other lines.
      this.#log.debug({ err: error, oid }, "cannot look below a mirror of the status");
      return { head, below: head };
    }
  }

  async #readCommit(oid: string, signal: AbortSignal): Promise<ReadCommit> {
    const commit = await this.#manifests.readCommit(oid, signal);
    this.#observer.commitRead(oid, commit.committedAtMs);
    return this.#readTree(commit, this.#manifests, signal);
  }

  async #readTree(commit: CommitSnapshot, from: ManifestRepository, signal: AbortSignal): Promise<ReadCommit> {
    const readBlob = async (blob: string, maxBytes: number) => from.readBlob(blob, maxBytes, signal);
    return { commit, tree: await readManifestTree(commit.files, { paths: this.#paths, cache: this.#cache, readBlob }) };
  }

  /** A branch that is gone, or does not descend from what was read, lost something that this process still knows. */
  async #readStatus(signal: AbortSignal): Promise<void> {
    const known = this.#status;
    const read = await this.#statusBranch.read(signal);
    const view = buildStatusView(read, known);
    const isLost = known !== undefined && (known.head !== undefined || known.rewrite) && !read.descends;
    if (isLost && !known.rewrite)
      this.#log.warn(
        { before: known.head, after: read.head ?? "none" },
        "status branch was deleted or set back; it is written again",
      );
    this.#status = isLost
      ? { ...view, records: known.records, unreadable: known.unreadable, summary: known.summary, rewrite: true }
      : view;
    this.#statusIsOld = false;
  }

  async #build({ head, below }: ReadHead, status: StatusView, signal: AbortSignal): Promise<Snapshot> {
    const { commit, tree } = below;
    const applied = status.summary?.appliedCommit;
    this.#noteKnown(commit.oid);
    const messages =
      applied === commit.oid ? [] : await this.#manifests.readMessagesSince(applied, commit.oid, MAX_MESSAGES, signal);
    const refused = this.#refused === undefined ? undefined : describeRefusal(this.#refused, commit.oid);
    const manifests = manifestsOf(tree, commit.oid);
    return {
      commit: commit.oid,
      ...manifests,
      deletionsHeld: manifests.deletionsHeld ?? refused,
      head: headOf(head.tree, head.commit.oid),
      trailers: mergeTrailers((await this.#heeded(messages, commit.oid)).map(({ message }) => message)),
      ahead: applied === undefined || (await this.#knows(applied, commit.oid, signal)) ? undefined : applied,
      stale: this.#trouble(),
      ...(refused === undefined ? {} : { refused }),
      status: await this.#withDoubts(status, below, signal),
    };
  }

  /** Whether the branch has or had this commit, as far as this process was shown; where nobody can tell nothing is waited for. */
  async #knows(applied: string, commit: string, signal: AbortSignal): Promise<boolean> {
    if (this.#known.includes(applied)) return true;
    try {
      const isKnown = (await this.#manifests.isBehind(applied, commit, MAX_APPLIED_BEHIND, signal)) !== "no";
      if (isKnown) this.#noteKnown(applied);
      return isKnown;
    } catch (error) {
      signal.throwIfAborted();
      if (!isAboutHistory(error)) throw error;
      this.#log.debug({ err: error, applied }, "cannot tell whether the branch has the commit that the status was made with");
      return true;
    }
  }

  #noteKnown(oid: string): void {
    if (!this.#known.includes(oid)) this.#known = [...this.#known, oid].slice(-MAX_KNOWN);
  }

  /** Wishes in trailers count where their own commit is signed: whoever signs a merge need not have read all that it brings. */
  async #heeded(messages: readonly CommitMessage[], inForce: string): Promise<readonly CommitMessage[]> {
    if (this.#verification === undefined) return messages;
    const heeded: CommitMessage[] = [];
    for (const one of messages) {
      if (one.oid !== inForce && parseTrailers(one.message).size === 0) continue;
      const isVerified = async (verification: Verification): Promise<boolean> =>
        (await verification.verifier.verify(await this.#manifests.readCommitObject(one.oid), "new")).kind === "verified";
      if (one.oid === inForce || (await isVerified(this.#verification))) heeded.push(one);
    }
    return heeded;
  }

  #trouble(): string | undefined {
    return this.#troubles.poll ?? this.#troubles.read;
  }

  /** Keeps what is wrong with the repository now; says it once. True when it is right again. */
  #recover(step: "poll" | "read", found: string | undefined): boolean {
    const before = this.#trouble();
    this.#troubles[step] = found;
    const trouble = this.#trouble();
    if (trouble !== undefined && before !== trouble)
      this.#log.warn({ because: trouble }, "repository cannot be read; the last commit stays in force");
    if (trouble === undefined && before !== undefined) this.#log.info("repository can be read again");
    return trouble === undefined && before !== undefined;
  }
}

/** Asking again would not bring it. */
function isAboutHistory(error: unknown): boolean {
  return (
    error instanceof GitCommitGoneError ||
    error instanceof GitObjectError ||
    error instanceof GitServerError ||
    error instanceof GitTooLargeError
  );
}

function troubleOf(head: RemoteHead): string | undefined {
  if (head.kind === "branch-missing")
    return "the branch does not exist on the server, so nothing is started, changed or deleted for it; push it, or mend repository.branch";
  if (head.kind === "empty") return "the repository is empty; push the first commit";
  return undefined;
}
