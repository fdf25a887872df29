import type { Clock } from "../common/clock.ts";
import { messageOf } from "../common/errors.ts";
import { oneLine } from "../common/text.ts";
import type { Folders } from "./folders.ts";
import { listRestorePoints } from "./restore-directories.ts";
import { within } from "./within.ts";

const MAX_AGE_MS = 60_000;
const TIMEOUT_MS = 10_000;
/** A look at a cluster waits no longer for it: a mount that hangs must not make the cluster seem unreachable. */
const PATIENCE_MS = 200;
/** No Flink job id begins with it, so that the list is short. */
const NOTHING = "penstock-looks";

/** Whether the directories of a cluster can be listed: found out from the first minute on, and not only when something is to be found there. */
export class ListingProbe {
  readonly #clock: Clock;
  readonly #s3: Folders | undefined;
  #known: { readonly dirs: string; readonly because: string | undefined; readonly atMs: number } | undefined;
  #asking: Promise<void> | undefined;

  constructor(clock: Clock, s3: Folders | undefined) {
    this.#clock = clock;
    this.#s3 = s3;
  }

  /** Why they cannot be listed; undefined when they can, or when it is not known yet. Never throws. */
  async see(dirs: readonly string[], signal: AbortSignal): Promise<string | undefined> {
    const key = dirs.join("\n");
    const isFresh = this.#known?.dirs === key && this.#clock.now() - this.#known.atMs < MAX_AGE_MS;
    if (!isFresh) {
      this.#asking ??= this.#ask(dirs, key, signal).finally(() => (this.#asking = undefined));
      await within(this.#asking, PATIENCE_MS);
    }
    return this.#known?.dirs === key ? this.#known.because : undefined;
  }

  async #ask(dirs: readonly string[], key: string, signal: AbortSignal): Promise<void> {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
    const found = await Promise.all(dirs.map(async (dir) => this.#whyNot(dir, limit)));
    if (signal.aborted) return;
    const because = found.find((text) => text !== undefined);
    const before = this.#known?.dirs === key ? this.#known.because : undefined;
    // The words of the first failure stay as long as it fails: those of the next one may differ in what nobody cares about.
    this.#known = { dirs: key, because: because === undefined ? undefined : (before ?? because), atMs: this.#clock.now() };
  }

  async #whyNot(dir: string, limit: AbortSignal): Promise<string | undefined> {
    try {
      const listed = await listRestorePoints(dir, NOTHING, limit, this.#s3);
      return listed.kind === "listed" ? undefined : listed.because;
    } catch (error) {
      const what = limit.aborted ? `no answer within ${TIMEOUT_MS / 1000} s` : messageOf(error);
      return `${oneLine(dir, 200)} cannot be listed: ${oneLine(what, 200)}`;
    }
  }
}
