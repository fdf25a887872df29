import { Session, type Profiler } from "node:inspector";

/**
 * Which parts of the product's code an input reaches, by V8's own coverage: a fuzzer keeps the inputs that reach something new. It slows all
 * code of the process a little, so whoever starts it stops it.
 */
export class CodeCoverage implements Disposable {
  readonly #session = new Session();
  readonly #known = new Set<string>();

  constructor() {
    this.#session.connect();
    this.#session.post("Profiler.enable");
    this.#session.post("Profiler.startPreciseCoverage", { callCount: false, detailed: true });
  }

  /** Whether what ran since the last call reached a stretch of code that nothing before it had reached. */
  foundNew(): boolean {
    let result: readonly Profiler.ScriptCoverage[] = [];
    this.#session.post("Profiler.takePreciseCoverage", (_error, answer) => (result = answer.result)); // answers at once
    const before = this.#known.size;
    for (const { url, functions } of result) {
      if (!url.includes("/src/") && !url.includes("/yaml/")) continue;
      for (const { ranges } of functions)
        for (const { startOffset, endOffset, count } of ranges)
          this.#known.add(`${url}:${startOffset}:${endOffset}:${count > 0}`);
    }
    return this.#known.size > before;
  }

  get size(): number {
    return this.#known.size;
  }

  [Symbol.dispose](): void {
    this.#session.disconnect();
  }
}
