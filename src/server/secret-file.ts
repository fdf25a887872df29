import type { Clock } from "../common/clock.ts";
import type { Log } from "../common/log.ts";
import { readFileAtMost } from "../config/read-file.ts";

const LIMITS = { maxBytes: 256 * 1024, timeoutMs: 2000 };
/** What is asked for more often is not looked at each time. */
const FRESH_MS = 1000;

export interface SecretFileOptions<T> {
  readonly file: string;
  /** What the text comes to, or what is wrong with it as the end of a sentence and without a word of it. */
  readonly parse: (text: string) => { readonly value: T } | { readonly problem: string };
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * What a file with secrets holds, read again when it is asked for and may have changed; so a rotated one needs no restart, and a mounted
 * one may be swapped in any way. One that cannot be read or used is reported once and changes nothing.
 */
export class SecretFile<T> {
  readonly #options: SecretFileOptions<T>;
  #value: T;
  #readAtMs: number;
  #reading: Promise<void> | undefined;
  #problem: string | undefined;

  constructor(options: SecretFileOptions<T>, value: T) {
    this.#options = options;
    this.#value = value;
    this.#readAtMs = options.clock.now();
  }

  /** Never throws. */
  async current(): Promise<T> {
    if (this.#options.clock.now() - this.#readAtMs >= FRESH_MS) {
      this.#reading ??= this.#read().finally(() => (this.#reading = undefined));
      await this.#reading;
    }
    return this.#value;
  }

  async #read(): Promise<void> {
    const { file, parse, clock, log } = this.#options;
    const read = await readFileAtMost(file, LIMITS);
    const parsed = "problem" in read ? read : parse(read.content.toString("utf8"));
    this.#readAtMs = clock.now();
    const problem = "problem" in parsed ? parsed.problem : undefined;
    if ("value" in parsed) this.#value = parsed.value;
    if (problem !== undefined && problem !== this.#problem)
      log.warn({ file, because: problem }, "secret file cannot be used; what it held before stays in force");
    if (problem === undefined && this.#problem !== undefined) log.info({ file }, "secret file can be used again");
    this.#problem = problem;
  }
}
