import { describe, expect, it } from "vitest";
import type { Transition } from "../../src/model/status.ts";
import { lastInterruption, pastInterruptions } from "../../src/preview/past-interruptions.ts";

/** Labels by the second at which they were reached. */
function history(...labels: readonly (readonly [second: number, label: string])[]): readonly Transition[] {
  return labels.map(([second, to], index) => ({
    when: `2026-11-22T12:00:${String(second).padStart(2, "0")}Z`,
    from: labels[index - 1]?.[1] ?? "",
    to,
    because: "x",
  }));
}

const RUNNING = "Ready, Running";

describe("pastInterruptions", () => {
  it.each([
    ["a job that never stopped has none", history([0, "Pending"], [2, RUNNING]), []],
    [
      "a rescale by savepoint",
      history([0, RUNNING], [5, "Ready, Rescaling"], [7, "Ready, Restarting"], [9, RUNNING]),
      [["rescale", 4]],
    ],
    ["a rescale in place", history([0, RUNNING], [5, "Ready, Restarting"], [6, RUNNING]), [["in-place", 1]]],
    [
      "a failure that was healed",
      history([0, RUNNING], [1, "Ready, Failing"], [2, "Ready, Restarting"], [8, RUNNING]),
      [["restart", 7]],
    ],
    ["a suspension tells nothing", history([0, RUNNING], [1, "Ready, Finished"], [50, RUNNING]), []],
    ["what is not over tells nothing", history([0, RUNNING], [1, "Ready, Rescaling"]), []],
  ] as const)("%s", (_, past, expected) => {
    expect(pastInterruptions(past).map(({ cause, seconds }) => [cause, seconds])).toEqual(expected);
  });

  it("the last one of a cause is what the next one is expected to be like", () => {
    const past = history(
      [0, RUNNING],
      [5, "Ready, Rescaling"],
      [9, RUNNING],
      [20, "Ready, Rescaling"],
      [22, RUNNING],
      [30, "Ready, Failing"],
      [39, RUNNING],
    );
    expect(lastInterruption(past, "rescale")).toMatchObject({ seconds: 2 });
    expect(lastInterruption(past, "in-place")).toBeUndefined();
  });
});
