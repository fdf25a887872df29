import { describe, expect, it } from "vitest";
import { establish, REBUILD_TRAILER, statusLostBecause, type EstablishInput, type Traces } from "../../src/pass/establish.ts";
import { aListedJob, anAttempt, anUnreachableCluster, aReachableCluster, INSTANCE } from "./builders.ts";

const NOTHING: Traces = { cluster: "main", found: { kind: "none" } };

function establishWith(overrides: Partial<EstablishInput> = {}) {
  return establish({
    instance: INSTANCE,
    branchKnown: false,
    branch: "penstock/status",
    rebuild: false,
    clusters: [aReachableCluster()],
    traces: [NOTHING],
    ...overrides,
  });
}

describe("establish", () => {
  it("takes it for a first run when every cluster answers and shows nothing of this instance", () => {
    const clusters = [aReachableCluster({ jobs: [aListedJob({ flinkJobId: "f".repeat(32) })] })];
    expect(establishWith({ clusters })).toEqual({ kind: "known" });
  });

  it("asks nothing when the branch is known", () => {
    expect(establishWith({ branchKnown: true, clusters: [anUnreachableCluster()] })).toEqual({ kind: "known" });
  });

  it.each([
    ["one cluster", ["a"], "a"],
    ["three clusters", ["a", "b", "c"], "a, b and c"],
  ] as const)("cannot tell while %s cannot be seen", (_, names, shown) => {
    const clusters = [aReachableCluster(), ...names.map((name) => anUnreachableCluster({ name }))];
    expect(establishWith({ clusters })).toEqual({
      kind: "undetermined",
      because: `branch penstock/status does not exist, and whether anything of instance test runs cannot be told before ${shown} can be reached`,
    });
  });

  it.each([
    [
      "a job of this instance is listed, also an ended one",
      { clusters: [aReachableCluster({ jobs: [aListedJob({ state: "FAILED" })] })] },
      `cluster main lists job ${anAttempt(1)} of instance test`,
    ],
    [
      "a directory holds something of it",
      { traces: [NOTHING, { cluster: "other", found: { kind: "found", example: "file:///x/chk-1" } }] },
      "file:///x/chk-1 was left by instance test",
    ],
    [
      "a directory cannot be listed",
      { traces: [{ cluster: "main", found: { kind: "cannot-tell", because: "s3://x is not a file:// directory" } }] },
      "whether cluster main holds checkpoints of instance test cannot be told: s3://x is not a file:// directory",
    ],
  ] as const)("takes the branch for lost when %s", (_, input, evidence) => {
    expect(establishWith(input)).toEqual({
      kind: "lost",
      because: `branch penstock/status does not exist although ${evidence}; running jobs are adopted, others wait for a commit with the trailer "Penstock-Rebuild-Status: yes"`,
    });
  });

  it("lets a person say that nothing is to be waited for", () => {
    const clusters = [aReachableCluster({ jobs: [aListedJob()] })];
    expect(establishWith({ rebuild: true, clusters, traces: [] })).toEqual({ kind: "known" });
  });

  it("waits for every cluster even then: a job that runs where nobody can look must not be started a second time", () => {
    expect(establishWith({ rebuild: true, clusters: [aReachableCluster(), anUnreachableCluster()] })).toMatchObject({
      kind: "undetermined",
    });
  });
});

it("tells a Job's owner what it waits for, and the way out", () => {
  expect(REBUILD_TRAILER).toBe("Penstock-Rebuild-Status");
  expect(statusLostBecause("penstock/status")).toBe(
    'what branch penstock/status said of this Job was lost, or it was deleted long ago, and it may have run before; if it may start without its former state, push a commit with the trailer "Penstock-Rebuild-Status: yes"',
  );
});
