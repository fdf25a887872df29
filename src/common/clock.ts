/** Time and chance, passed in so that whatever depends on them can be tested and replayed. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** A number from 0 up to, not including, 1. */
  random(): number;
}

/** A machine tells the time of day, which somebody or something may set, and how long it has been running, which nobody can set. */
export interface MachineClock extends Clock {
  /** Milliseconds since some moment; never goes back. */
  elapsed(): number;
}

export const systemClock: MachineClock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  random: () => Math.random(),
};

/** `2026-11-22T17:30:00Z`: how times are written in status files. */
export function formatTime(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d{3}Z$/, "Z");
}
