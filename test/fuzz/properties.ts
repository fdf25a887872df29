import { expect } from "vitest";
import type { Position, Problem } from "../../src/common/problem.ts";
import { decodeText } from "../../src/common/text-file.ts";

const PROTOTYPES = [Object.prototype, Array.prototype, Function.prototype] as const;
const MEMBERS = PROTOTYPES.map((prototype) => Reflect.ownKeys(prototype).length);

/** Longest that a sentence may be: a page shows hundreds of them. */
const MAX_MESSAGE = 1500;

/** Each names a place within the file, and says in one harmless line what is wrong. */
export function checkProblems(problems: readonly Problem[], file: string, input: Buffer): void {
  const lengths = lengthsOf(input);
  for (const problem of problems) {
    checkPlace(problem, file, lengths);
    checkSentence(problem.message);
  }
}

export function checkPosition(position: Position, file: string, input: Buffer): void {
  checkPlace(position, file, lengthsOf(input));
}

function checkPlace({ file: named, line, column }: Position, file: string, lengths: readonly number[]): void {
  if (named !== file) throw new Error(`a place in another file: ${named}`);
  if (!Number.isInteger(line) || !Number.isInteger(column) || column < 1 || column > (lengths[line - 1] ?? -1) + 1)
    throw new Error(`a place at ${line}:${column}, which is not in the file of ${lengths.length} lines`);
}

function lengthsOf(input: Buffer): readonly number[] {
  const decoded = decodeText(input);
  return "text" in decoded ? decoded.text.split("\n").map(({ length }) => length) : [0];
}

export function checkSentence(text: string): void {
  if (text.length === 0 || text.length > MAX_MESSAGE)
    throw new Error(`a sentence of ${text.length} characters: ${text.slice(0, 200)}`);
  const odd = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u.exec(text);
  if (odd !== null) throw new Error(`a sentence with U+${text.codePointAt(odd.index)!.toString(16)}: ${JSON.stringify(text)}`);
}

export function checkPrototypes(): void {
  expect(PROTOTYPES.map((prototype) => Reflect.ownKeys(prototype).length)).toEqual(MEMBERS);
}

const MIN_BYTES = 2048;
const MOST = 40;
/** Less than that is what a busy machine does to anything. */
const LEAST_US = 50_000;

/**
 * That no input takes much more of the processor for each of its bytes than `usual` ones do, as measured in this very process. What seems slow
 * is measured again: a collection of garbage, or another thread, is not the input's fault.
 */
export class CpuGuard {
  readonly #usual: number;

  constructor(usual: readonly Buffer[], work: (input: Buffer) => unknown) {
    const whole = usual.map((input) =>
      Math.min(...Array.from({ length: 8 }, () => cpuOf(() => work(input)) / Math.max(MIN_BYTES, input.length))),
    );
    this.#usual = Math.max(...whole, 0.05);
  }

  run<T>(input: Buffer, work: (input: Buffer) => T): T {
    let result: T | undefined;
    const most = Math.max(LEAST_US, MOST * this.#usual * Math.max(MIN_BYTES, input.length));
    let taken = cpuOf(() => (result = work(input)));
    for (let again = 0; again < 4 && taken > most; again += 1)
      taken = Math.min(
        taken,
        cpuOf(() => void work(input)),
      );
    if (taken > most)
      throw new Error(
        `${input.length} bytes took ${Math.round(taken / 1000)} ms of the processor, and ${MOST} times the usual are ${Math.round(most / 1000)} ms`,
      );
    return result as T;
  }
}

/** In microseconds. */
function cpuOf(work: () => unknown): number {
  const before = process.threadCpuUsage();
  work();
  const { user, system } = process.threadCpuUsage(before);
  return user + system;
}
