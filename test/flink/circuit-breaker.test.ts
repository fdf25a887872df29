import { describe, expect, it } from "vitest";
import { CircuitBreaker } from "../../src/flink/circuit-breaker.ts";

/** A clock that tests move; chance is always the middle, so that delays are exact. */
function aClock(): { now: () => number; random: () => number; pass: (ms: number) => void } {
  let nowMs = 1_000_000;
  return { now: () => nowMs, random: () => 0.5, pass: (ms) => void (nowMs += ms) };
}

function anOpenBreaker(clock = aClock()): { breaker: CircuitBreaker; clock: ReturnType<typeof aClock> } {
  const breaker = new CircuitBreaker(clock, { threshold: 3, baseMs: 1000, maxMs: 4000 });
  for (let index = 0; index < 3; index += 1) breaker.failed("connection refused");
  return { breaker, clock };
}

describe("CircuitBreaker", () => {
  it("lets calls pass until so many failed in a row", () => {
    const breaker = new CircuitBreaker(aClock(), { threshold: 3 });
    breaker.failed("a");
    breaker.failed("b");
    expect(breaker.enter()).toEqual({ kind: "admitted" });
    breaker.succeeded();
    breaker.failed("c");
    breaker.failed("d");
    expect(breaker.enter()).toEqual({ kind: "admitted" });
  });

  it("refuses at once when open, with the reason and until when", () => {
    const { breaker, clock } = anOpenBreaker();
    expect(breaker.enter()).toEqual({ kind: "refused", untilMs: clock.now() + 1000, because: "connection refused" });
  });

  it("lets calls through after the delay, and a success closes it", () => {
    const { breaker, clock } = anOpenBreaker();
    clock.pass(1000);
    expect([breaker.enter().kind, breaker.enter().kind]).toEqual(["admitted", "admitted"]);
    breaker.succeeded();
    breaker.failed("once");
    expect(breaker.enter().kind).toBe("admitted");
  });

  it("waits twice as long after each failed try, up to the longest", () => {
    const { breaker, clock } = anOpenBreaker();
    const delays: number[] = [];
    for (const delayMs of [1000, 2000, 4000, 4000]) {
      clock.pass(delayMs);
      expect(breaker.enter().kind).toBe("admitted");
      breaker.failed("still refused");
      breaker.failed("another that was under way");
      const refused = breaker.enter();
      if (refused.kind === "refused") delays.push(refused.untilMs - clock.now());
    }
    expect(delays).toEqual([2000, 4000, 4000, 4000]);
  });
});
