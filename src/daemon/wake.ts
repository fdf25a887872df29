/** One waiter, many who wake it. Wakes that come while nobody waits are kept as one, so none is lost and none is doubled. */
export class Wake {
  #pending = false;
  #resolve: (() => void) | undefined;

  wake(): void {
    this.#pending = true;
    this.#resolve?.();
  }

  /** Ends at the next wake, after `delayMs`, or when the signal is aborted, whatever comes first. True when somebody woke it. */
  async wait(delayMs: number, signal: AbortSignal): Promise<boolean> {
    if (this.#pending || signal.aborted) return this.#takePending();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#resolve = resolve;
    const timer = setTimeout(resolve, delayMs);
    const abort = (): void => resolve();
    signal.addEventListener("abort", abort, { once: true });
    await promise;
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
    this.#resolve = undefined;
    return this.#takePending();
  }

  #takePending(): boolean {
    const pending = this.#pending;
    this.#pending = false;
    return pending;
  }
}
