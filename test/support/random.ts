/** Chance that can be played again: the same seed gives the same numbers on every machine. */
export interface Random {
  /** From 0 up to, not including, 1. */
  next(): number;
  /** True so often out of a hundred times. */
  percent(share: number): boolean;
  oneOf<T>(items: readonly [T, ...T[]]): T;
  /** From 0 up to, not including, `limit`. */
  below(limit: number): number;
}

export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  // Mulberry32: one multiplication chain, good enough to shake a state machine.
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
  return {
    next,
    percent: (share) => next() * 100 < share,
    oneOf: (items) => items[Math.floor(next() * items.length)]!, // it is below the length
    below: (limit) => Math.floor(next() * limit),
  };
}

/** From, and up to but not including. */
export type Seeds = readonly [from: number, to: number];

/** `4711` or `4000-5000`. */
export function seedsOf(text: string | undefined): Seeds | undefined {
  const match = /^(\d+)(?:-(\d+))?$/.exec(text ?? "");
  return match === null ? undefined : [Number(match[1]), Number(match[2] ?? match[1]) + 1];
}
