/** One waiter, many who wake it. Wakes that come while nobody waits are kept as one, so none is lost and none is doubled. */
export class Wake {
  #pending = false;
  #resolve: (() => void) | undefined;

  wake(): void {
    this.#pending = true;
    this.#resolve?.();
  }

  /** Ends at the next wake, after `delayMs`, or when the signal is aborted, whatever comes first. */
  async wait(delayMs: number, signal: AbortSignal): Promise<void> {
    if (this.#pending || signal.aborted) {
      this.#pending = false;
      return;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#resolve = resolve;
    const timer = setTimeout(resolve, delayMs);
    const abort = (): void => resolve();
    signal.addEventListener("abort", abort, { once: true });
    await promise;
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
    this.#resolve = undefined;
    this.#pending = false;
  }
}
