import { setTimeout } from "node:timers/promises";
import type { CommitStatus } from "../forge/forge.ts";
import type { ResourceKey } from "../model/resource.ts";
import type { DonePass, Pass } from "../pass/reconcile.ts";
import { commitVerdict, jobsAcceptedWith, touchedJobs } from "./commit-verdict.ts";
import type { ForgeTeller } from "./forge-teller.ts";

interface Followed {
  readonly pass: DonePass;
  readonly touched: ReadonlySet<ResourceKey>;
}

/** Calls of a forge come no closer together, whatever moves. */
const APART_MS = 1000;

/**
 * Tells the forge of the branch's newest commit: pending, then success or failure. Statuses of older commits stay as they were last: what was true of
 * them is the newest one's matter now. Beside the passes; what fails is told again.
 */
export class CommitStatuses {
  readonly #teller: ForgeTeller;
  #followed: Followed | undefined;
  #wanted: { readonly commit: string; readonly status: CommitStatus } | undefined;
  #told: string | undefined;

  constructor(teller: ForgeTeller) {
    this.#teller = teller;
  }

  /** Called after every pass. */
  notePass(pass: Pass): void {
    if (pass.kind !== "done") return;
    const { commit } = pass.snapshot;
    const before = this.#followed;
    if (before?.pass.snapshot.commit === commit) this.#followed = { pass, touched: before.touched };
    else {
      const touched =
        before === undefined ? jobsAcceptedWith(pass) : touchedJobs(before.pass.snapshot.manifests, pass.snapshot.manifests);
      this.#followed = { pass, touched };
    }
    const status = { context: `penstock/applied/${this.#teller.instance}`, ...commitVerdict(pass, this.#followed.touched) };
    this.#wanted = { commit, status };
  }

  /** Until the signal is aborted. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#tell(signal).catch(() => undefined); // aborted: the loop ends
      await setTimeout(APART_MS, undefined, { signal, ref: false }).catch(() => undefined); // aborted: the loop ends
    }
  }

  async #tell(signal: AbortSignal): Promise<void> {
    const wanted = this.#wanted;
    if (wanted === undefined) return;
    const { commit, status } = wanted;
    const text = `${commit} ${status.state} ${status.description}`;
    if (text === this.#told) return;
    const done = await this.#teller.try(async (forge) => {
      await forge.setStatus(commit, status, signal);
      return true;
    }, signal);
    if (done === true) this.#told = text;
  }
}
