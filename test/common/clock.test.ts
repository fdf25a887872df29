import { describe, expect, it } from "vitest";
import { formatTime, systemClock } from "../../src/common/clock.ts";

describe("formatTime", () => {
  it("writes UTC to the second", () => {
    expect(formatTime(Date.UTC(2026, 10, 22, 17, 30, 0, 0))).toBe("2026-11-22T17:30:00Z");
    expect(formatTime(Date.UTC(2026, 10, 22, 17, 30, 0, 999))).toBe("2026-11-22T17:30:00Z");
  });
});

describe("systemClock", () => {
  it("is the machine's time, and chance from 0 up to 1", () => {
    const before = Date.now();
    const now = systemClock.now();
    expect(now).toBeGreaterThanOrEqual(before);
    expect(now).toBeLessThanOrEqual(Date.now());
    const chance = systemClock.random();
    expect(chance).toBeGreaterThanOrEqual(0);
    expect(chance).toBeLessThan(1);
  });
});
