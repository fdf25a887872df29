import type { Clock } from "../common/clock.ts";
import type { BreakerState } from "../common/observer.ts";
import { retryDelayMs, type RetryDelayOptions } from "../common/retry-delay.ts";

type State =
  | { readonly kind: "closed"; readonly failures: number }
  | { readonly kind: "open"; readonly failures: number; readonly untilMs: number; readonly because: string }
  /** Calls pass again; the first that ends decides. */
  | { readonly kind: "half-open"; readonly failures: number; readonly because: string };

export interface CircuitBreakerOptions extends RetryDelayOptions {
  /** So many failures in a row open it. */
  readonly threshold: number;
}

export type Admission =
  | { readonly kind: "admitted" }
  | { readonly kind: "refused"; readonly untilMs: number; readonly because: string };

const DEFAULTS: CircuitBreakerOptions = { threshold: 3, baseMs: 1000, maxMs: 15_000 };

/**
 * Keeps a dead or hanging cluster from costing a time limit with every call. Closed: everything passes. Open: nothing, until a
 * growing delay is over. Then half-open: what comes now, together or one by one, finds out; a success closes it, a failure opens it for
 * longer. Who was admitted says how it went, unless that tells nothing about the cluster.
 */
export class CircuitBreaker {
  readonly #clock: Clock;
  readonly #options: CircuitBreakerOptions;
  readonly #onChange: (state: BreakerState) => void;
  #state: State = { kind: "closed", failures: 0 };

  constructor(clock: Clock, options: Partial<CircuitBreakerOptions> = {}, onChange: (state: BreakerState) => void = () => {}) {
    this.#clock = clock;
    this.#options = { ...DEFAULTS, ...options };
    this.#onChange = onChange;
  }

  enter(): Admission {
    const state = this.#state;
    if (state.kind !== "open") return { kind: "admitted" };
    if (this.#clock.now() < state.untilMs) return { kind: "refused", untilMs: state.untilMs, because: state.because };
    this.#enter({ kind: "half-open", failures: state.failures, because: state.because });
    return { kind: "admitted" };
  }

  /** The cluster answered, whatever it said. */
  succeeded(): void {
    this.#enter({ kind: "closed", failures: 0 });
  }

  /** The cluster could not be reached. Further failures of calls that were under way when it opened change nothing. */
  failed(because: string): void {
    if (this.#state.kind === "open") return;
    const failures = this.#state.failures + 1;
    const { threshold } = this.#options;
    if (failures < threshold) {
      this.#enter({ kind: "closed", failures });
      return;
    }
    const delayMs = retryDelayMs(failures - threshold + 1, this.#options, () => this.#clock.random());
    this.#enter({ kind: "open", failures, untilMs: this.#clock.now() + delayMs, because });
  }

  #enter(state: State): void {
    const before = this.#state.kind;
    this.#state = state;
    if (state.kind !== before) this.#onChange(state.kind);
  }
}
