import type { Clock } from "../common/clock.ts";
import { retryDelayMs, type RetryDelayOptions } from "../common/retry-delay.ts";

type State =
  | { readonly kind: "closed"; readonly failures: number }
  | { readonly kind: "open"; readonly failures: number; readonly untilMs: number; readonly because: string }
  /** One call is on its way to find out; all others wait for it. */
  | { readonly kind: "probing"; readonly failures: number; readonly because: string };

export interface CircuitBreakerOptions extends RetryDelayOptions {
  /** So many failures in a row open it. */
  readonly threshold: number;
}

export type Admission =
  | { readonly kind: "admitted" }
  | {
      readonly kind: "refused";
      /** When the next call may be tried; undefined while a probe is under way. */
      readonly untilMs: number | undefined;
      readonly because: string;
    };

const DEFAULTS: CircuitBreakerOptions = { threshold: 3, baseMs: 1000, maxMs: 15_000 };

/**
 * Keeps a dead or hanging cluster from costing a time limit with every call. Closed: everything passes. Open: nothing, until a
 * growing delay is over. Then one call passes as a probe: its success closes it, its failure opens it for longer.
 * Who was admitted says how it went, exactly once: `succeeded`, `failed` or `abandoned`.
 */
export class CircuitBreaker {
  readonly #clock: Clock;
  readonly #options: CircuitBreakerOptions;
  #state: State = { kind: "closed", failures: 0 };

  constructor(clock: Clock, options: Partial<CircuitBreakerOptions> = {}) {
    this.#clock = clock;
    this.#options = { ...DEFAULTS, ...options };
  }

  enter(): Admission {
    const state = this.#state;
    if (state.kind === "closed") return { kind: "admitted" };
    if (state.kind === "probing") return { kind: "refused", untilMs: undefined, because: state.because };
    if (this.#clock.now() < state.untilMs) return { kind: "refused", untilMs: state.untilMs, because: state.because };
    this.#state = { kind: "probing", failures: state.failures, because: state.because };
    return { kind: "admitted" };
  }

  /** The cluster answered, whatever it said. */
  succeeded(): void {
    this.#state = { kind: "closed", failures: 0 };
  }

  /** The cluster could not be reached. A late failure of a call from before it opened changes nothing. */
  failed(because: string): void {
    if (this.#state.kind === "open") return;
    const failures = this.#state.failures + 1;
    const { threshold } = this.#options;
    if (failures < threshold) {
      this.#state = { kind: "closed", failures };
      return;
    }
    const delayMs = retryDelayMs(failures - threshold + 1, this.#options, () => this.#clock.random());
    this.#state = { kind: "open", failures, untilMs: this.#clock.now() + delayMs, because };
  }

  /** The call ended without telling anything about the cluster: its caller left. The next one probes. */
  abandoned(): void {
    if (this.#state.kind !== "probing") return;
    this.#state = { ...this.#state, kind: "open", untilMs: this.#clock.now() };
  }
}
