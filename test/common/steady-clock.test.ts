import { describe, expect, it } from "vitest";
import type { MachineClock } from "../../src/common/clock.ts";
import { SteadyClock } from "../../src/common/steady-clock.ts";

const [SECOND, MINUTE, HOUR, DAY] = [1000, 60_000, 3_600_000, 86_400_000] as const;
const START = Date.UTC(2026, 0, 1);

/** A machine whose time of day is set at will; it is looked at once a second, as a daemon does. */
class Machine implements MachineClock {
  #elapsedMs = 123.4;
  #dayMs = START;
  readonly clock = new SteadyClock(this);

  now(): number {
    return Math.floor(this.#dayMs);
  }

  elapsed(): number {
    return this.#elapsedMs;
  }

  random(): number {
    return 0.25;
  }

  jump(ms: number): void {
    this.#dayMs += ms;
  }

  /** What the steady clock has told since the start when so much time has gone by, in whole seconds. */
  after(ms: number): number {
    let told = this.clock.now();
    for (let passed = 0; passed < ms; passed += SECOND) {
      this.#elapsedMs += SECOND;
      this.#dayMs += SECOND;
      const next = this.clock.now();
      expect(next).toBeGreaterThanOrEqual(told); // never back
      told = next;
    }
    return Math.round((told - START) / SECOND) * SECOND;
  }
}

describe("the steady clock", () => {
  it.each([
    ["an hour back", -HOUR],
    ["two seconds back", -2 * SECOND],
    ["a day ahead", DAY],
  ])("goes on as if nothing had happened when the time of day jumps %s, and when that is undone", (_, jump) => {
    const machine = new Machine();
    expect(machine.after(MINUTE)).toBe(MINUTE);
    machine.jump(jump);
    expect(machine.after(9 * MINUTE)).toBe(10 * MINUTE);
    machine.jump(-jump);
    expect(machine.after(HOUR)).toBe(70 * MINUTE);
  });

  it("follows a jump ahead that has stood for ten minutes", () => {
    const machine = new Machine();
    machine.jump(DAY);
    expect(machine.after(9 * MINUTE)).toBe(9 * MINUTE);
    expect(machine.after(2 * MINUTE)).toBe(DAY + 11 * MINUTE);
  });

  it("follows one back at half the speed, so that no wait takes more than twice as long", () => {
    const machine = new Machine();
    machine.jump(-HOUR);
    expect(machine.after(10 * MINUTE)).toBe(10 * MINUTE);
    expect(machine.after(HOUR)).toBe(40 * MINUTE);
    expect(machine.after(HOUR)).toBe(70 * MINUTE);
    expect(machine.after(HOUR)).toBe(130 * MINUTE); // the machine's own time
  });

  it("follows a jump from when it stands still on", () => {
    const machine = new Machine();
    machine.jump(HOUR);
    machine.after(9 * MINUTE);
    machine.jump(HOUR);
    expect(machine.after(9 * MINUTE)).toBe(18 * MINUTE);
    expect(machine.after(2 * MINUTE)).toBe(2 * HOUR + 20 * MINUTE);
  });

  it("follows small corrections at once, in whole milliseconds, and never back", () => {
    const machine = new Machine();
    machine.jump(300);
    expect(machine.clock.now()).toBe(START + 300);
    machine.jump(-250);
    expect(machine.clock.now()).toBe(START + 300);
    machine.after(2 * SECOND);
    expect(machine.clock.now()).toBe(machine.now());
    expect(machine.clock.random()).toBe(0.25);
  });
});
