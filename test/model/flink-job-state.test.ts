import { describe, expect, it } from "vitest";
import {
  FLINK_STATES,
  isAllowedTransition,
  isFlinkState,
  shownState,
  type FlinkState,
  type SeenJobState,
} from "../../src/model/flink-job-state.ts";
import type { FlinkJobState } from "../../src/model/status.ts";

const STATES: readonly FlinkJobState[] = [
  "",
  "Initializing",
  "Created",
  "Running",
  "Failing",
  "Rescaling",
  "Restarting",
  "Finished",
  "Cancelled",
];

const shown = (state: FlinkState): SeenJobState => ({ kind: "shown", state });

describe("isAllowedTransition", () => {
  it.each([
    ["Initializing", "Created"],
    ["Created", "Running"],
    ["Running", "Failing"],
    ["Running", "Rescaling"],
    ["Failing", "Restarting"],
    ["Rescaling", "Restarting"],
    ["Restarting", "Running"],
    ["Running", "Finished"],
    ["Running", "Cancelled"],
    ["", "Running"],
    ["Initializing", "Failing"],
    ["Failing", "Finished"],
    ["Running", "Running"],
  ] as const)("allows %s → %s", (from, to) => {
    expect(isAllowedTransition(from, to)).toBe(true);
  });

  it.each([
    ["Created", "Initializing"],
    ["Running", "Created"],
    ["Restarting", "Initializing"],
    ["Finished", "Running"],
    ["Cancelled", "Restarting"],
    ["Finished", "Cancelled"],
    ["Running", ""],
  ] as const)("does not allow %s → %s", (from, to) => {
    expect(isAllowedTransition(from, to)).toBe(false);
  });
});

describe("shownState", () => {
  it.each([
    ["", shown("INITIALIZING"), "Initializing"],
    ["Initializing", shown("CREATED"), "Created"],
    ["Created", shown("RUNNING"), "Running"],
    ["Running", shown("FAILING"), "Failing"],
    ["Failing", shown("RESTARTING"), "Restarting"],
    ["Restarting", shown("RUNNING"), "Running"],
    ["Running", shown("CREATED"), "Restarting"],
    ["Running", shown("INITIALIZING"), "Restarting"],
    ["Failing", shown("INITIALIZING"), "Restarting"],
    ["Running", shown("FAILED"), "Failing"],
    ["Running", shown("CANCELED"), "Failing"],
    ["Initializing", shown("FAILED"), "Failing"],
    ["Restarting", shown("FAILED"), "Failing"],
    ["Running", shown("CANCELLING"), "Running"],
    ["Restarting", shown("SUSPENDED"), "Restarting"],
    ["Created", shown("RECONCILING"), "Created"],
    ["Running", shown("FINISHED"), "Finished"],
    ["Finished", shown("RUNNING"), "Finished"],
    ["Created", shown("INITIALIZING"), "Created"],
    ["Running", { kind: "not-seen" }, "Running"],
    ["", { kind: "not-seen" }, ""],
    ["Running", { kind: "vanished" }, "Failing"],
    ["Running", { kind: "stopping-to-restart" }, "Rescaling"],
    ["Rescaling", shown("INITIALIZING"), "Restarting"],
    ["Running", { kind: "stopped" }, "Finished"],
    ["Running", { kind: "deleted" }, "Cancelled"],
    ["Finished", { kind: "deleted" }, "Finished"],
  ] as const satisfies readonly (readonly [FlinkJobState, SeenJobState, FlinkJobState])[])(
    "after %j, %j shows %s",
    (previous, seen, expected) => {
      expect(shownState(previous, seen)).toBe(expected);
    },
  );

  it("never leaves the diagram, whatever is seen in whatever order", () => {
    const kinds = ["not-seen", "vanished", "stopping-to-restart", "stopped", "deleted"] as const;
    const all: readonly SeenJobState[] = [...FLINK_STATES.map(shown), ...kinds.map((kind) => ({ kind }))];
    let seed = 7;
    const next = (limit: number): number => (seed = (seed * 48_271) % 2_147_483_647) % limit;
    for (let walk = 0; walk < 2000; walk += 1) {
      let state: FlinkJobState = "";
      for (let step = 0; step < 30; step += 1) {
        const to = shownState(state, all[next(all.length)]!);
        expect(STATES).toContain(to);
        expect(isAllowedTransition(state, to)).toBe(true);
        state = to;
      }
    }
  });
});

it("knows Flink's own words", () => {
  expect([isFlinkState("RUNNING"), isFlinkState("running"), isFlinkState("NEW_ONE")]).toEqual([true, false, false]);
});
