import { describe, expect, it } from "vitest";
import { findCondition, withCondition, withoutCondition, withTransition } from "../../src/model/conditions.ts";
import type { Condition, Transition } from "../../src/model/status.ts";

const NOON = Date.UTC(2026, 10, 22, 12);
const placed: Condition = {
  type: "Placed",
  status: "False",
  reason: "TooFewSlots",
  message: "needs 5",
  since: "2026-11-22T10:00:00Z",
};

describe("withCondition", () => {
  it("adds a condition with the time, sorted by type", () => {
    const accepted = { type: "Accepted", status: "True", reason: "Valid", message: "" } as const;
    expect(withCondition([placed], accepted, NOON)).toEqual([{ ...accepted, since: "2026-11-22T12:00:00Z" }, placed]);
  });

  it("keeps since while status and reason stay", () => {
    expect(withCondition([placed], { ...placed, message: "needs 4" }, NOON)).toEqual([{ ...placed, message: "needs 4" }]);
  });

  it.each([
    ["status", { status: "True" }],
    ["reason", { reason: "NoCluster" }],
  ] as const)("renews since with the %s", (_, change) => {
    expect(withCondition([placed], { ...placed, ...change }, NOON)[0]?.since).toBe("2026-11-22T12:00:00Z");
  });

  it("returns the same array when nothing changes", () => {
    const conditions = [placed];
    expect(withCondition(conditions, { ...placed }, NOON)).toBe(conditions);
    expect(withoutCondition(conditions, "Healthy")).toBe(conditions);
  });

  it("finds and removes by type", () => {
    expect(findCondition([placed], "Placed")).toBe(placed);
    expect(withoutCondition([placed], "Placed")).toEqual([]);
  });
});

it("withTransition keeps the last twenty", () => {
  let history: readonly Transition[] = [];
  for (let index = 0; index < 25; index += 1)
    history = withTransition(history, { from: `${index}`, to: "b", because: "c" }, NOON);
  expect(history).toHaveLength(20);
  expect([history[0]?.from, history[19]]).toEqual(["5", { when: "2026-11-22T12:00:00Z", from: "24", to: "b", because: "c" }]);
});
