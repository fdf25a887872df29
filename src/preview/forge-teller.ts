import type { Clock } from "../common/clock.ts";
import { isAbort, messageOf } from "../common/errors.ts";
import type { Log } from "../common/log.ts";
import { oneLine } from "../common/text.ts";
import { ForgeError } from "../forge/forge-error.ts";
import type { Forge } from "../forge/forge.ts";

export interface ForgeTellerDeps {
  readonly forge: Forge;
  readonly instance: string;
  readonly clock: Clock;
  readonly log: Log;
}

const PAUSE_MS = 30_000;

/** Calls a forge for those who have something to tell it. After a failure it is left alone for a while; each trouble is said once. */
export class ForgeTeller {
  readonly instance: string;
  readonly #deps: ForgeTellerDeps;
  #pausedUntilMs = 0;
  #trouble: string | undefined;

  constructor(deps: ForgeTellerDeps) {
    this.instance = deps.instance;
    this.#deps = deps;
  }

  /** Undefined when it was not done: it is to be tried again. Throws only when the signal is aborted. */
  async try<Value>(work: (forge: Forge) => Promise<Value>, signal: AbortSignal): Promise<Value | undefined> {
    const { forge, clock, log } = this.#deps;
    if (clock.now() < this.#pausedUntilMs) return undefined;
    try {
      const value = await work(forge);
      this.#trouble = undefined;
      return value;
    } catch (error) {
      if (isAbort(error, signal)) throw error;
      const because = oneLine(messageOf(error), 300);
      const told = because.replaceAll(/\d+/g, "#"); // a time that moves is nothing new
      if (this.#trouble !== told) log.warn({ because }, "the forge cannot be told; it is tried again");
      this.#trouble = told;
      const askedForMs = error instanceof ForgeError ? (error.data.retryAtMs ?? 0) : 0;
      this.#pausedUntilMs = Math.max(askedForMs, clock.now() + PAUSE_MS);
      return undefined;
    }
  }
}
