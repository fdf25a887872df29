import { describe, expect, it } from "vitest";
import { retryDelayMs } from "../../src/common/retry-delay.ts";

const OPTIONS = { baseMs: 1000, maxMs: 60_000 };
const middle = (): number => 0.5;

describe("retryDelayMs", () => {
  it("doubles with each failure up to the maximum, and never overflows", () => {
    const delays = [1, 2, 3, 6, 7, 1000, Number.MAX_SAFE_INTEGER].map((failures) => retryDelayMs(failures, OPTIONS, middle));
    expect(delays).toEqual([1000, 2000, 4000, 32_000, 60_000, 60_000, 60_000]);
  });

  it("spreads by 20 % to both sides", () => {
    expect(retryDelayMs(1, OPTIONS, () => 0)).toBe(800);
    expect(retryDelayMs(1, OPTIONS, () => 0.999_999)).toBe(1200);
  });
});
