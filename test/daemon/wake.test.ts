import { getEventListeners } from "node:events";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Wake } from "../../src/daemon/wake.ts";

const HOUR_MS = 3_600_000;

/** Whether the wait is over by now. */
async function isOver(wait: Promise<unknown>): Promise<boolean> {
  let over = false;
  void wait.then(() => (over = true));
  await vi.advanceTimersByTimeAsync(0);
  return over;
}

describe("Wake", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  const never = new AbortController().signal;

  it("waits until the time is over", async () => {
    const wait = new Wake().wait(HOUR_MS, never);
    expect(await isOver(wait)).toBe(false);
    await vi.advanceTimersByTimeAsync(HOUR_MS);
    expect(await isOver(wait)).toBe(true);
  });

  it("ends a wait at the first wake", async () => {
    const wake = new Wake();
    const wait = wake.wait(HOUR_MS, never);
    wake.wake();
    expect(await isOver(wait)).toBe(true);
  });

  it("keeps wakes that came while nobody waited, as one", async () => {
    const wake = new Wake();
    wake.wake();
    wake.wake();
    expect(await isOver(wake.wait(HOUR_MS, never))).toBe(true);
    expect(await isOver(wake.wait(HOUR_MS, never))).toBe(false);
  });

  it("takes several wakes of one wait for one", async () => {
    const wake = new Wake();
    const wait = wake.wait(HOUR_MS, never);
    wake.wake();
    wake.wake();
    expect(await isOver(wait)).toBe(true);
    expect(await isOver(wake.wait(HOUR_MS, never))).toBe(false);
  });

  it("keeps a wake that comes when the wait before it is over", async () => {
    const wake = new Wake();
    const wait = wake.wait(1, never);
    await vi.advanceTimersByTimeAsync(1);
    expect(await isOver(wait)).toBe(true);
    wake.wake();
    expect(await isOver(wake.wait(HOUR_MS, never))).toBe(true);
  });

  it("ends at once when its signal is aborted, before and while it waits", async () => {
    const abort = new AbortController();
    const wait = new Wake().wait(HOUR_MS, abort.signal);
    expect(await isOver(wait)).toBe(false);
    abort.abort();
    expect(await isOver(wait)).toBe(true);
    expect(await isOver(new Wake().wait(HOUR_MS, abort.signal))).toBe(true);
  });

  it("leaves neither a timer nor a listener behind, however it ends", async () => {
    const abort = new AbortController();
    const wake = new Wake();
    for (let round = 0; round < 20; round += 1) {
      const wait = wake.wait(HOUR_MS, abort.signal);
      wake.wake();
      await wait;
      const short = wake.wait(1, abort.signal);
      await vi.advanceTimersByTimeAsync(1);
      await short;
    }
    expect(vi.getTimerCount()).toBe(0);
    expect(getEventListeners(abort.signal, "abort")).toEqual([]);
  });
});
