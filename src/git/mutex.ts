/** One at a time, in the order of asking. */
export class Mutex {
  #last: Promise<unknown> = Promise.resolve();

  async run<Value>(work: () => Promise<Value>): Promise<Value> {
    const before = this.#last;
    const done = before.then(work);
    // Whoever comes next waits for the end, not for the success.
    this.#last = done.catch(() => undefined);
    return done;
  }
}
