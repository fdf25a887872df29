export interface RetryDelayOptions {
  readonly baseMs: number;
  readonly maxMs: number;
}

/** Doubles with each failure up to `maxMs`, and spreads by ±20 % so that many waiters do not come back at once. `failures` counts from 1. */
export function retryDelayMs(failures: number, { baseMs, maxMs }: RetryDelayOptions, random: () => number): number {
  const exponential = Math.min(maxMs, baseMs * 2 ** Math.min(failures - 1, 30));
  return Math.round(exponential * (0.8 + 0.4 * random()));
}
