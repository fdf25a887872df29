import { createRandom, type Random } from "../support/random.ts";
import type { CodeCoverage } from "./code-coverage.ts";

/** Code that takes foreign bytes, and what must be true of it whatever they are. */
export interface Target {
  readonly name: string;
  /** Good inputs to begin with. */
  readonly seeds: readonly Buffer[];
  /** What is worth putting in. */
  readonly words: readonly string[];
  /** Throws when a property does not hold. */
  check(input: Buffer): void | Promise<void>;
}

export interface FuzzOptions {
  readonly seed: number;
  readonly runs: number;
  /** Inputs that reach new code are built upon. */
  readonly coverage?: CodeCoverage;
}

export interface FuzzResult {
  readonly runs: number;
  readonly corpus: number;
}

const MAX_BYTES = 48 * 1024;
const MAX_CORPUS = 3000;
const MAX_SHRINKS = 400;

/** Feeds the target with changed inputs; a failure is made small and names the seed and the bytes that bring it back. */
export async function fuzz(target: Target, { seed, runs, coverage }: FuzzOptions): Promise<FuzzResult> {
  const random = createRandom(seed);
  const corpus = [...target.seeds];
  for (let run = 0; run < runs; run += 1) {
    const input = run < target.seeds.length ? target.seeds[run]! : mutate(pick(corpus, random), corpus, target.words, random);
    try {
      await target.check(input);
    } catch (error) {
      const small = await shrink(target, input);
      const hint = `FUZZ_SEEDS=${seed} FUZZ_TARGET=${JSON.stringify(target.name)}, or FUZZ_INPUT=${small.toString("base64")}`;
      const shown = JSON.stringify(small.subarray(0, 2000).toString("utf8"));
      throw new Error(`${target.name}, seed ${seed}, run ${run}: ${String(error)}\n${shown}\nagain with ${hint}`, {
        cause: error,
      });
    }
    if (coverage?.foundNew() === true && corpus.length < MAX_CORPUS) corpus.push(input);
  }
  return { runs, corpus: corpus.length };
}

/** Newer inputs more often: they are where something new was found. */
function pick(corpus: readonly Buffer[], random: Random): Buffer {
  const from = random.percent(50) ? 0 : Math.max(0, corpus.length - 20);
  return corpus[from + random.below(corpus.length - from)]!;
}

function mutate(input: Buffer, corpus: readonly Buffer[], words: readonly string[], random: Random): Buffer {
  let bytes = input;
  for (let left = 1 + random.below(6); left > 0; left -= 1) bytes = mutateOnce(bytes, corpus, words, random);
  return bytes.subarray(0, MAX_BYTES);
}

function mutateOnce(bytes: Buffer, corpus: readonly Buffer[], words: readonly string[], random: Random): Buffer {
  const at = random.below(bytes.length + 1);
  const end = Math.min(bytes.length, at + 1 + random.below(random.percent(80) ? 12 : 400));
  const replaced = (by: Uint8Array): Buffer => Buffer.concat([bytes.subarray(0, at), by, bytes.subarray(end)]);
  const inserted = (piece: Uint8Array): Buffer => Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at)]);
  const word = Buffer.from(words[random.below(words.length)] ?? "");
  switch (random.below(9)) {
    case 0:
      return replaced(Buffer.alloc(0));
    case 1:
      return replaced(word);
    case 2:
      return inserted(word);
    case 3:
      return replaced(Buffer.from([random.below(256)]));
    case 4:
      return inserted(bytes.subarray(at, end));
    case 5: {
      const other = corpus[random.below(corpus.length)]!;
      const from = random.below(other.length + 1);
      return inserted(other.subarray(from, from + random.below(400)));
    }
    case 6: // bombs are made of repetition
      return inserted(
        Buffer.concat(Array<Uint8Array>(1 + random.below(300)).fill(random.percent(50) ? word : bytes.subarray(at, end))),
      );
    case 7:
      return random.percent(20) ? bytes.subarray(0, at) : replaced(Buffer.from(String(random.below(2 ** 32))));
    default: {
      const line = bytes.lastIndexOf(10, at);
      const next = bytes.indexOf(10, at);
      return next < 0
        ? inserted(word)
        : Buffer.concat([bytes.subarray(0, line + 1), bytes.subarray(next + 1), bytes.subarray(line + 1, next + 1)]);
    }
  }
}

/** The smallest input found that still fails, by leaving out ever smaller pieces. */
async function shrink(target: Target, failing: Buffer): Promise<Buffer> {
  let small = failing;
  let tries = 0;
  for (let size = small.length >> 1; size > 0; size >>= 1) {
    for (let at = 0; at < small.length && tries < MAX_SHRINKS; tries += 1) {
      const less = Buffer.concat([small.subarray(0, at), small.subarray(at + size)]);
      if (await fails(target, less)) small = less;
      else at += size;
    }
  }
  return small;
}

async function fails(target: Target, input: Buffer): Promise<boolean> {
  try {
    await target.check(input);
    return false;
  } catch {
    return true; // that is the question
  }
}

/** Chance that is taken from bytes: whoever changes a byte changes a choice, so a fuzzer of bytes becomes one of structures. */
export function chanceOf(bytes: Buffer): Random {
  let at = 0;
  const next = (): number => {
    const value = (bytes[at % Math.max(1, bytes.length)] ?? 0) / 256;
    at += 1;
    return value;
  };
  return {
    next,
    percent: (share) => next() * 100 < share,
    oneOf: (items) => items[Math.floor(next() * items.length)]!, // it is below the length
    below: (limit) => Math.floor(next() * limit),
  };
}
