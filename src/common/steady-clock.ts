import type { Clock, MachineClock } from "./clock.ts";

/** A jump is believed when it has stood for so long: one that is undone before never happened. */
const BELIEVED_AFTER_MS = 600_000;
/** What the time of day may be corrected by at once and is no jump. */
const JITTER_MS = 500;

/**
 * The time of day without its jumps. It goes on with the machine's running time, never back and never faster, whatever the time of day does. When
 * a jump has stood for ten minutes it is followed: ahead at once, back by going at half the speed until both agree. So back-offs go on, nothing
 * expires by a clock that was wrong for a moment, and the times that are written down are right again in the end.
 */
export class SteadyClock implements Clock {
  readonly #machine: MachineClock;
  /** Added to the running time it is the time that is told. */
  #offsetMs: number;
  /** The same by the machine's time of day, and since when it has been so by the running time. */
  #told: { readonly offsetMs: number; readonly sinceMs: number };
  #readAtMs: number;

  constructor(machine: MachineClock) {
    this.#machine = machine;
    this.#readAtMs = machine.elapsed();
    this.#offsetMs = machine.now() - this.#readAtMs;
    this.#told = { offsetMs: this.#offsetMs, sinceMs: this.#readAtMs };
  }

  now(): number {
    const elapsedMs = this.#machine.elapsed();
    const offsetMs = this.#machine.now() - elapsedMs;
    const isJump = Math.abs(offsetMs - this.#told.offsetMs) > JITTER_MS;
    this.#told = { offsetMs, sinceMs: isJump ? elapsedMs : this.#told.sinceMs };
    if (Math.abs(offsetMs - this.#offsetMs) <= JITTER_MS || elapsedMs - this.#told.sinceMs >= BELIEVED_AFTER_MS)
      this.#offsetMs = Math.max(offsetMs, this.#offsetMs - (elapsedMs - this.#readAtMs) / 2);
    this.#readAtMs = elapsedMs;
    return Math.floor(elapsedMs + this.#offsetMs);
  }

  random(): number {
    return this.#machine.random();
  }
}
