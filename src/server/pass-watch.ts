import type { Clock } from "../common/clock.ts";
import type { DonePass, Pass } from "../pass/reconcile.ts";

/** What the server knows of the pass loop: all that health, the API and the gauges are made of. */
export class PassWatch {
  readonly startedAtMs: number;
  readonly #clock: Clock;
  /** When the pass began that is under way. */
  runningSinceMs: number | undefined;
  lastEndedAtMs: number | undefined;
  /** The newest pass that came to a result, blind ones included. */
  last: Pass | undefined;
  /** The newest one whose records are what the branch holds, or soon will. */
  shown: DonePass | undefined;
  /** Why the newest pass came to no result. */
  failure: string | undefined;
  /** The daemon was told to end. */
  leaving = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.startedAtMs = clock.now();
  }

  begins(): void {
    this.runningSinceMs = this.#clock.now();
  }

  /** How long the pass took. Without a pass it threw, and `failure` says what. */
  ended(pass: Pass | undefined, failure: string | undefined): number {
    const now = this.#clock.now();
    const ms = now - (this.runningSinceMs ?? now);
    this.runningSinceMs = undefined;
    this.lastEndedAtMs = now;
    this.failure = pass === undefined ? failure : undefined;
    if (pass !== undefined) this.last = pass;
    if (pass?.kind === "done" && (isOnBranch(pass) || this.shown === undefined)) this.shown = pass;
    return ms;
  }
}

/** A pass that met somebody else's push, or none that went through, decided something that never came true. */
export function isOnBranch({ published }: DonePass): boolean {
  return published.kind !== "conflict" && published.kind !== "failed";
}
