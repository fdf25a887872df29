import { setTimeout } from "node:timers/promises";
import type { CommitStatus } from "../forge/forge.ts";
import type { ResourceKey } from "../model/resource.ts";
import type { DonePass, Pass } from "../pass/reconcile.ts";
import { commitVerdict, jobsAcceptedWith, jobsVerdict, touchedJobs } from "./commit-verdict.ts";
import type { ForgeTeller } from "./forge-teller.ts";

/** Calls of a forge come no closer together, whatever moves. */
const APART_MS = 1000;
/** So many commits are followed that came before the newest one and still wait. */
const MAX_FOLLOWED = 20;

/**
 * Tells the forge of the branch's commits: pending, then success or failure. The newest one is told anew whenever that changes; one before it until it
 * waits no more, and what was true of it then stays. Beside the passes; what fails is told again.
 */
export class CommitStatuses {
  readonly #teller: ForgeTeller;
  #newest: DonePass | undefined;
  /** The Jobs that a commit touches; the newest commit last. */
  readonly #followed = new Map<string, ReadonlySet<ResourceKey>>();
  readonly #wanted = new Map<string, CommitStatus>();
  readonly #told = new Map<string, string>();

  constructor(teller: ForgeTeller) {
    this.#teller = teller;
  }

  /** Called after every pass. */
  notePass(pass: Pass): void {
    if (pass.kind !== "done") return;
    const newest = pass.snapshot.commit;
    const before = this.#newest;
    this.#newest = pass;
    if (before?.snapshot.commit !== newest) {
      const touched =
        before === undefined ? jobsAcceptedWith(pass) : touchedJobs(before.snapshot.manifests, pass.snapshot.manifests);
      this.#leaveBehind(touched);
      this.#followed.delete(newest); // the branch went back to it
      this.#followed.set(newest, touched);
    }
    for (const [commit, touched] of this.#followed) {
      const verdict = commit === newest ? commitVerdict(pass, touched) : jobsVerdict(pass, touched);
      this.#wanted.set(commit, { context: `penstock/applied/${this.#teller.instance}`, ...verdict });
      if (commit !== newest && verdict.state !== "pending") this.#followed.delete(commit);
    }
    for (const commit of [...this.#followed.keys()].slice(0, -MAX_FOLLOWED)) this.#forget(commit);
  }

  /** A newer commit came: of what it touches it tells itself, and what does not wait stays as it was said. */
  #leaveBehind(touched: ReadonlySet<ResourceKey>): void {
    for (const [commit, jobs] of this.#followed) {
      const left = new Set([...jobs].filter((key) => !touched.has(key)));
      if (left.size === 0 || this.#wanted.get(commit)?.state !== "pending") this.#followed.delete(commit);
      else this.#followed.set(commit, left);
    }
  }

  /** Until the signal is aborted. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#tell(signal).catch(() => undefined); // aborted: the loop ends
      await setTimeout(APART_MS, undefined, { signal, ref: false }).catch(() => undefined); // aborted: the loop ends
    }
  }

  /** One of them: calls stay apart. */
  async #tell(signal: AbortSignal): Promise<void> {
    for (const [commit, status] of this.#wanted) {
      const text = `${status.state} ${status.description}`;
      if (text !== this.#told.get(commit)) {
        const done = await this.#teller.try(async (forge) => {
          await forge.setStatus(commit, status, signal);
          return true;
        }, signal);
        if (done === true) this.#told.set(commit, text);
        return;
      }
      if (!this.#followed.has(commit)) this.#forget(commit);
    }
  }

  #forget(commit: string): void {
    this.#followed.delete(commit);
    this.#wanted.delete(commit);
    this.#told.delete(commit);
  }
}
