import { describe, expect, it } from "vitest";
import { formatTime } from "../../src/common/clock.ts";
import type { JobRecord, Operation } from "../../src/model/status.ts";
import type { Decisions } from "../../src/pass/decision.ts";
import { resourceKey } from "../../src/model/resource.ts";
import { chooseWork, operationKey, rememberAnnounced, withTakeOver, type Announced } from "../../src/pass/take-over.ts";
import { aStartedRecord, aStop, NOW } from "./builders.ts";

const S = 1000;
const STOP = aStop("rescale");
const NOTHING: Announced = { mine: new Set(), others: new Map() };

function recordOf(operation: Operation): JobRecord {
  return aStartedRecord({ status: { attempt: 2, operation } });
}

function recordsOf(operation: Operation) {
  const record = recordOf(operation);
  return new Map([[resourceKey(record.id), record]]);
}

function decisionsOf(kind: "resume" | "announce", operation: Operation): Decisions {
  const { id } = recordOf(operation);
  const work = { kind: "stop" as const, operation: operation as never, next: undefined };
  const jobs = [{ kind, key: resourceKey(id), id, because: "", work }];
  return { jobs, disposals: [], artifacts: [], savepoints: [], slots: new Map() };
}

/** What becomes of the resumption of a stop. */
function toldBy(known: Announced | undefined, operation: Operation = STOP, now = NOW): string {
  const { decisions, takesOver, repeats } = chooseWork(decisionsOf("resume", operation), recordsOf(operation), known, now);
  if (decisions.jobs.length === 0) return "left";
  return takesOver.size > 0 ? "taken over" : repeats ? "called again" : "called";
}

const seenAt = (since: number, operation: Operation = STOP): Announced => ({
  mine: new Set(),
  others: new Map([[operationKey(operation), since]]),
});

describe("what was announced", () => {
  it.each([
    ["by this process is called again", { mine: new Set([operationKey(STOP)]), others: new Map() }, "called again"],
    ["before this process began is taken over at once", undefined, "taken over"],
    ["by another daemon a moment ago is left to it", NOTHING, "left"],
    ["by another daemon some seconds ago is left to it", seenAt(NOW - 4999), "left"],
    ["by another daemon that did nothing about it is taken over", seenAt(NOW - 5000), "taken over"],
  ] as const)("%s", (_, known, told) => {
    expect(toldBy(known)).toBe(told);
  });

  it("is left to whoever has it the longer, the more often it changed hands: a slow stop is not handed to and fro", () => {
    const takenOver = (atMs: number): Operation => ({ ...STOP, takenOverAt: formatTime(Date.parse(STOP.announcedAt) + atMs) });
    const waits = (operation: Operation): number => {
      let seconds = 0;
      while (toldBy(seenAt(NOW - seconds * S, operation), operation) === "left") seconds += 1;
      return seconds;
    };
    expect(
      [STOP, takenOver(5 * S), takenOver(20 * S), takenOver(200 * S), takenOver(9000 * S), takenOver(-9000 * S)].map(waits),
    ).toEqual([5, 15, 60, 600, 600, 5]);
  });

  it("is announced anew by whoever takes it over, so that nobody else thinks it his", () => {
    const { decisions } = chooseWork(decisionsOf("resume", STOP), recordsOf(STOP), undefined, NOW);
    const record = withTakeOver(recordOf(STOP), ["operation"], NOW);
    const { operation } = record.status;
    expect(operation).toEqual({ ...STOP, takenOverAt: formatTime(NOW) });
    expect(decisions.jobs[0]).toMatchObject({ work: { operation } });
    const before = { mine: new Set([operationKey(STOP)]), others: new Map() };
    expect(toldBy(before, operation)).toBe("left");
    const records = new Map([[resourceKey(record.id), record]]);
    const after = rememberAnnounced(undefined, records, decisions, NOW);
    expect([...after.mine]).toEqual([operationKey(operation!)]); // it was just put there
    expect(toldBy(after, operation)).toBe("called again");
  });

  it("by this process stays its own until the branch does not hold it any more", () => {
    const mine = rememberAnnounced(NOTHING, recordsOf(STOP), decisionsOf("announce", STOP), NOW);
    expect(mine).toEqual({ mine: new Set([operationKey(STOP)]), others: new Map() });
    const none = { ...decisionsOf("announce", STOP), jobs: [] };
    expect(rememberAnnounced(mine, recordsOf(STOP), none, NOW)).toEqual(mine);
    expect(rememberAnnounced(mine, new Map(), none, NOW)).toEqual(NOTHING);
  });

  it("by another daemon is known since it was first seen", () => {
    const none = { ...decisionsOf("announce", STOP), jobs: [] };
    const first = rememberAnnounced(NOTHING, recordsOf(STOP), none, NOW);
    expect(rememberAnnounced(first, recordsOf(STOP), none, NOW + 3 * S)).toEqual(seenAt(NOW));
  });
});
