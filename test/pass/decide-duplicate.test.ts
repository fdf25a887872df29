import { describe, expect, it } from "vitest";
import type { JobStatus } from "../../src/model/status.ts";
import { findCondition } from "../../src/model/conditions.ts";
import { resourceKey } from "../../src/model/resource.ts";
import type { JobDecision } from "../../src/pass/decision.ts";
import {
  aListedJob,
  anAttempt,
  anId,
  anObserved,
  anOperation,
  anUnreachableCluster,
  aPolicy,
  aReachableCluster,
  aStartedRecord,
  aStatusView,
  aStop,
  CLUSTER,
  FROZEN,
  NOW,
  SAVEPOINT,
  type ClusterOverrides,
  type DesiredJobOverrides,
  type ListedJobOverrides,
} from "./builders.ts";
import { blockOf, decideFor, type ContextOverrides } from "./job-decisions.ts";
import { runPass } from "./pass-driver.ts";

interface Situation extends ContextOverrides {
  readonly status?: Partial<JobStatus>;
  readonly manifest?: DesiredJobOverrides["manifest"];
}

/** The next step of a Job whose record names attempt 2 on `main`. */
function decide({ status, manifest, ...context }: Situation = {}): JobDecision {
  const record = aStartedRecord({ status: { attempt: 2, flinkJobId: anAttempt(2), ...status } });
  return decideFor({ record, ...(manifest === undefined ? {} : { manifest }) }, context);
}

const attempt = (number: number, more: ListedJobOverrides = {}) => aListedJob({ flinkJobId: anAttempt(number), ...more });
const main = (...jobs: ClusterOverrides["jobs"] & object) => aReachableCluster({ jobs });
const other = (...jobs: ClusterOverrides["jobs"] & object) => aReachableCluster({ name: "other", jobs });
const toldBy = (decision: JobDecision) => `${decision.kind} ${blockOf(decision) ?? ""}`.trim();

/** `stop 1 on other`, `follow 3 on other`. */
function doneBy(decision: JobDecision): string {
  if (decision.kind === "announce" && decision.work.kind === "stop") {
    const { purpose, flinkJobId, cluster } = decision.work.operation;
    expect(purpose).toBe("duplicate");
    expect(decision.work.next).toBeUndefined();
    return `stop ${Number.parseInt(flinkJobId.slice(-8), 16)} on ${cluster.name}`;
  }
  if (decision.kind === "settle" && decision.settlement.kind === "followed")
    return `follow ${decision.settlement.attempt} on ${decision.settlement.cluster.name}`;
  return toldBy(decision);
}

const SUSPENDED = { suspended: true, requestedRpus: 0, flinkJobState: "Finished" } as const;

describe("two live Flink jobs of one Job", () => {
  it.each([
    ["a lower attempt on the same cluster", [main(attempt(2), attempt(1))], "stop 1 on main"],
    ["a lower attempt on another cluster of the zone", [main(attempt(2)), other(attempt(1))], "stop 1 on other"],
    ["the same attempt on another cluster", [main(attempt(2)), other(attempt(2))], "stop 2 on other"],
    [
      "a lower attempt while the record's is restarting",
      [main(attempt(2, { state: "RESTARTING" }), attempt(1))],
      "stop 1 on main",
    ],
    ["a lower attempt while the record's has failed", [main(attempt(2, { state: "FAILED" }), attempt(1))], "stop 1 on main"],
    ["a lower attempt while the record's has vanished", [main(attempt(1))], "stop 1 on main"],
    ["a higher attempt", [main(attempt(2)), other(attempt(3))], "follow 3 on other"],
    ["a higher attempt alone", [main(), other(attempt(3))], "follow 3 on other"],
    ["the same attempt elsewhere alone", [main(), other(attempt(2))], "follow 2 on other"],
    ["several: the highest counts first", [main(attempt(2), attempt(1)), other(attempt(4), attempt(3))], "follow 4 on other"],
  ])("keep the highest and stop the other with a savepoint: %s", (_, clusters, step) => {
    expect(doneBy(decide({ clusters }))).toBe(step);
  });

  it("say so in words, with both ids", () => {
    const { because } = decide({ clusters: [main(attempt(2)), other(attempt(1, { name: "Counter" }))] });
    expect(because).toBe(
      `a second Flink job of this Job runs: attempt 1 on other as ${anAttempt(1)} (Counter), beside the record's ${anAttempt(2)}; the highest attempt is kept, and the other one is stopped with a savepoint`,
    );
  });

  it.each([
    ["its manifest is gone", { manifest: "absent" }],
    ["its manifest is broken", { manifest: "broken" }],
    ["its deletion is held", { manifest: "absent", deletion: { kind: "held", reason: "DeletionHeld", because: "" } }],
    ["it is to be rescaled", { manifest: { spec: { rpus: 4 } } }],
  ] as const)("come first when %s", (_, situation) => {
    expect(doneBy(decide({ ...situation, clusters: [main(attempt(2), attempt(1))] }))).toBe("stop 1 on main");
  });

  it.each([
    ["lower", 1, "stop 1 on other"],
    ["higher", 3, "follow 3 on other"],
  ])("are settled before a suspended Job is resumed: a %s attempt runs", (_, number, step) => {
    for (const clusters of [
      [main(), other(attempt(number))],
      [anUnreachableCluster(), other(attempt(number))],
    ])
      expect(doneBy(decide({ status: SUSPENDED, clusters }))).toBe(step);
  });

  it.each([
    ["is paused", { policy: aPolicy({ paused: true }), clusters: [main(attempt(2), attempt(1))] }, "leave Duplicate Paused"],
    [
      "has the record's attempt out of sight: it may run there",
      { clusters: [anUnreachableCluster(), other(attempt(1))] },
      "leave Duplicate ClusterUnreachable",
    ],
    [
      "has another one that cannot take a savepoint now: its state may be the one that counts",
      { clusters: [main(attempt(2), attempt(1, { state: "RESTARTING" }))] },
      "leave Duplicate NotHealthy",
    ],
    [
      "has another one whose savepoint failed a moment ago",
      {
        clusters: [main(attempt(2), attempt(1))],
        step: { kind: "not-done", announcedAt: "", because: "no storage", failures: 1, retryAtMs: NOW + 1 },
      },
      "leave Duplicate SavepointFailed",
    ],
    [
      "has another one where no savepoint can be written",
      {
        clusters: [
          main(attempt(2)),
          aReachableCluster({ name: "other", jobs: [attempt(1)], savepointsDir: undefined, checkpointsDir: undefined }),
        ],
      },
      "leave Duplicate NoSavepointDirectory",
    ],
  ] as const)("are left alone when the Job %s", (_, situation, told) => {
    expect(toldBy(decide(situation))).toBe(told);
  });

  it.each([
    ["a second one that has ended", [main(attempt(2), attempt(1, { state: "CANCELED" }))]],
    ["another Job's", [main(attempt(2), aListedJob({ flinkJobId: anAttempt(1, { id: { name: "clicks" } }) }))]],
    ["somebody else's", [main(attempt(2), aListedJob({ flinkJobId: "f".repeat(32) }))]],
    ["one in another zone", [main(attempt(2)), aReachableCluster({ name: "far", zone: "far", jobs: [attempt(1)] })]],
  ])("are not: %s", (_, clusters) => {
    expect(toldBy(decide({ clusters }))).toBe("leave");
  });

  it("are not touched under a tombstone, where nobody wants either", () => {
    const status = { deleted: { at: "2026-11-22T11:00:00Z" }, phase: "Deleting" } as const;
    expect(decide({ status, manifest: "absent", clusters: [main(attempt(1))] }).kind).toBe("leave");
  });
});

describe("a start that was announced long ago, by a record that was restored from a backup", () => {
  it("is not made while a higher attempt runs: that one counts", () => {
    const record = aStartedRecord({ status: { operation: anOperation({ attempt: 2 }), attempt: 2 } });
    expect(doneBy(decideFor({ record }, { clusters: [main(), other(attempt(3))] }))).toBe("follow 3 on other");
    expect(decideFor({ record }, { clusters: [main(), other(attempt(1))] })).toMatchObject({ kind: "resume" });
  });
});

describe("what the status says of it", () => {
  const clusters = [main(attempt(2), attempt(1))];
  const running = { attempt: 2, flinkJobId: anAttempt(2), artifact: FROZEN } as const;
  const view = (status: Partial<JobStatus>) => {
    const record = aStartedRecord({ status: { ...running, ...status } });
    return aStatusView({ records: new Map([[resourceKey(anId()), record]]) });
  };
  const statusAfter = (status: Partial<JobStatus>, observed = anObserved({ clusters })): JobStatus => {
    const record = runPass({ status: view(status), observed }).update.records.get(resourceKey(anId()));
    if (record?.kind !== "Job") throw new Error("the Job has no record");
    return record.status;
  };

  it("announces the stop, shows the condition and keeps a note, and the Job's own state stays as it is", () => {
    const status = statusAfter({});
    expect(status).toMatchObject({ phase: "Ready", flinkJobState: "Running", flinkJobId: anAttempt(2) });
    expect(status.operation).toMatchObject({ kind: "stop", purpose: "duplicate", flinkJobId: anAttempt(1) });
    expect(findCondition(status.conditions, "Duplicate")).toMatchObject({ status: "True", reason: "Stopping" });
    expect(findCondition(status.conditions, "Healthy")).toMatchObject({ status: "True", reason: "AllTasksRunning" });
    expect(status.history.at(-1)?.because).toContain("a second Flink job of this Job runs");
  });

  it("keeps where the other one's state lies, and the condition goes when it has ended", () => {
    const operation = aStop("duplicate");
    const steps = { [anAttempt(1)]: { kind: "stopped", announcedAt: operation.announcedAt, uri: SAVEPOINT } } as const;
    const status = statusAfter(
      { operation },
      anObserved({ clusters: [main(attempt(2), attempt(1, { state: "FINISHED" }))], steps }),
    );
    expect(status).toMatchObject({ phase: "Ready", flinkJobState: "Running", flinkJobId: anAttempt(2), attempt: 2 });
    expect(status.operation).toBeUndefined();
    expect(findCondition(status.conditions, "Duplicate")).toBeUndefined();
    expect(status.history.at(-1)?.because).toContain(SAVEPOINT);
  });

  it("follows the higher attempt: its id, its cluster, its parallelism", () => {
    const observed = anObserved({ clusters: [main(attempt(2)), other(attempt(5, { detail: { parallelism: 3 } }))] });
    const status = statusAfter({ checkpointed: anAttempt(2) }, observed);
    expect(status).toMatchObject({
      flinkJobId: anAttempt(5),
      attempt: 5,
      run: 1,
      requestedRpus: 3,
      cluster: { name: "other", url: "http://other:8081/", incarnation: CLUSTER.incarnation },
    });
    expect(status.checkpointed).toBeUndefined();
  });

  it("begins a new run when the record said that the Job was down", () => {
    const observed = anObserved({ clusters: [main(), other(attempt(5))] });
    const status = statusAfter({ ...SUSPENDED }, observed);
    expect(status).toMatchObject({ flinkJobId: anAttempt(5), run: 2, flinkJobState: "Running" });
    expect(status.suspended).toBeUndefined();
  });
});
