import { describe, expect, it } from "vitest";
import type { FlinkJobSeen } from "../../src/flink/cluster-seen.ts";
import type { JobStatus } from "../../src/model/status.ts";
import type { Acceptance } from "../../src/pass/acceptance.ts";
import { jobConditions } from "../../src/pass/job-conditions.ts";
import type { JobSeen } from "../../src/pass/observed.ts";
import { aListedJob, aReachableCluster, CLUSTER, NOW, type ListedJobOverrides } from "./builders.ts";

const ACCEPTANCE: Acceptance = { status: "True", reason: "SpecAccepted", message: "as declared" };
const PENDING = { phase: "Pending" } as const;
const READY = { phase: "Ready", cluster: CLUSTER, requestedRpus: 2, parallelism: 2 } as const;

function listed(job: FlinkJobSeen): JobSeen {
  return { kind: "listed", cluster: aReachableCluster({ jobs: [job] }), job };
}

function conditionsOf(
  seen: JobSeen | undefined,
  status: Pick<JobStatus, "phase" | "cluster" | "requestedRpus" | "parallelism"> = READY,
) {
  const conditions = jobConditions(ACCEPTANCE, status, seen, undefined);
  return new Map(conditions.map(({ type, status: shown, reason, message }) => [type, [shown, reason, message]]));
}

describe("the conditions of a Job that waits", () => {
  it("say whether its spec is accepted, and nothing that is not known", () => {
    expect(jobConditions(ACCEPTANCE, PENDING, undefined, undefined)).toEqual([{ type: "Accepted", ...ACCEPTANCE }]);
  });

  it.each(["Placed", "Started"] as const)("say what it waits for as %s", (condition) => {
    const block = { condition, reason: "NotEnoughSlots", because: "needs 2 slots" } as const;
    expect(jobConditions(ACCEPTANCE, PENDING, undefined, block)).toEqual([
      { type: "Accepted", ...ACCEPTANCE },
      { type: condition, status: "False", reason: "NotEnoughSlots", message: "needs 2 slots" },
    ]);
  });

  it("say nothing of the health of a job that its start was announced for", () => {
    expect([...conditionsOf(listed(aListedJob()), PENDING).keys()]).toEqual(["Accepted"]);
  });
});

describe("the conditions of a Job that runs", () => {
  it("say that all is well", () => {
    const detail = { checkpoints: { completed: 3, latestPath: "file:///c/chk-3", enabled: true, retained: true } };
    expect([...conditionsOf(listed(aListedJob({ detail })))]).toEqual([
      ["Accepted", ["True", "SpecAccepted", "as declared"]],
      ["Placed", ["True", "ClusterChosen", "on main"]],
      ["Started", ["True", "AcceptedByFlink", "Flink took the job"]],
      ["Healthy", ["True", "AllTasksRunning", "all tasks are running"]],
      ["Reached", ["True", "AsRequested", "its largest vertex runs 2 times"]],
      ["Recoverable", ["True", "CheckpointCompleted", "a checkpoint is complete"]],
    ]);
  });

  it.each([
    [
      "its tasks wait",
      { tasks: { total: 3, running: 2, finished: 0 } },
      ["False", "TasksNotRunning", "not all tasks are running"],
    ],
    [
      "its tasks failed, with the cause",
      { tasks: { total: 3, running: 2, finished: 0 }, detail: { rootCause: "IOException: disk full" } },
      ["False", "TasksNotRunning", "not all tasks are running: IOException: disk full"],
    ],
    [
      "it has no tasks yet",
      { tasks: { total: 0, running: 0, finished: 0 } },
      ["False", "TasksNotRunning", "not all tasks are running"],
    ],
    [
      "some tasks are done already",
      { tasks: { total: 3, running: 2, finished: 1 } },
      ["True", "AllTasksRunning", "all tasks are running"],
    ],
    [
      "it restarts",
      { state: "RESTARTING", detail: { rootCause: "boom" } },
      ["False", "NotRunning", "Flink shows RESTARTING: boom"],
    ],
    ["it is only starting", { state: "INITIALIZING", detail: "unknown" }, ["False", "NotRunning", "Flink shows INITIALIZING"]],
    ["it finished", { state: "FINISHED" }, ["True", "Finished", "it ran out of data or was stopped, and stays so"]],
    ["it failed", { state: "FAILED", detail: { rootCause: "boom" } }, ["False", "Ended", "Flink ended it as FAILED (boom)"]],
    ["somebody cancelled it", { state: "CANCELED" }, ["False", "Ended", "Flink ended it as CANCELED"]],
  ] as const)("tell its health when %s", (_, job: ListedJobOverrides, healthy) => {
    expect(conditionsOf(listed(aListedJob(job))).get("Healthy")).toEqual(healthy);
  });

  it.each([
    [
      "cannot be seen, since when",
      { kind: "unseen", because: "connection refused", sinceMs: NOW },
      ["Unknown", "ClusterUnreachable", "cluster main cannot be seen since 2026-11-22T12:00:00Z; the last known state stays"],
    ],
    [
      "left the configuration",
      { kind: "unseen", because: "gone", sinceMs: undefined },
      ["Unknown", "ClusterUnreachable", "gone; the last known state stays"],
    ],
    [
      "does not list it",
      { kind: "absent", cluster: aReachableCluster() },
      ["Unknown", "Vanished", "cluster main answers and does not list the job"],
    ],
  ] as const)("do not guess its health when its cluster %s", (_, seen, healthy) => {
    const conditions = conditionsOf(seen);
    expect(conditions.get("Healthy")).toEqual(healthy);
    expect(conditions.has("Recoverable")).toBe(false);
    expect(conditions.get("Placed")?.[0]).toBe("True");
  });

  it.each([
    [
      "its program fixes its parallelism",
      { ...READY, parallelism: 1 },
      ["False", "OtherParallelism", "2 rpus are asked for, its largest vertex runs 1 times"],
    ],
    ["it is not known yet", { ...READY, parallelism: 0 }, undefined],
  ] as const)("tell what it reached when %s", (_, status, reached) => {
    expect(conditionsOf(listed(aListedJob()), status).get("Reached")).toEqual(reached);
  });

  it("tell when it can have no more", () => {
    const vertices = [
      { id: "a", parallelism: 1, maxParallelism: 1 },
      { id: "b", parallelism: 128, maxParallelism: 128 },
    ];
    const seen = listed(aListedJob({ detail: { parallelism: 128, vertices } }));
    expect(conditionsOf(seen, { ...READY, requestedRpus: 200, parallelism: 128 }).get("Reached")).toEqual([
      "False",
      "MaxParallelism",
      "200 rpus are asked for, its largest vertex runs 128 times, which is its max parallelism",
    ]);
    expect(conditionsOf(seen, { ...READY, requestedRpus: 200, parallelism: 100 }).get("Reached")?.[1]).toBe("OtherParallelism");
  });

  it.each([
    [
      "it takes no checkpoints",
      { completed: 0, latestPath: undefined, enabled: false, retained: true },
      ["False", "CheckpointingOff", "the job takes no checkpoints, so its state is lost when it fails"],
    ],
    [
      "none is complete",
      { completed: 0, latestPath: undefined, enabled: true, retained: true },
      ["False", "NoCheckpointYet", "no checkpoint is complete yet"],
    ],
    [
      "none would outlive it",
      { completed: 0, latestPath: undefined, enabled: true, retained: false },
      [
        "False",
        "CheckpointsNotRetained",
        "the program or its configuration has its checkpoints removed when it is cancelled or fails for good; let it set no retention but RETAIN_ON_CANCELLATION",
      ],
    ],
    [
      "they lie in memory",
      { completed: 2, latestPath: undefined, enabled: true, retained: true },
      [
        "False",
        "CheckpointsInMemory",
        "its checkpoints are kept in the JobManager's memory and go with it; set state.checkpoints.dir on the cluster",
      ],
    ],
    [
      "one is complete",
      { completed: 2, latestPath: "file:///c/chk-2", enabled: true, retained: true },
      ["True", "CheckpointCompleted", "a checkpoint is complete"],
    ],
  ] as const)("tell from the first minute whether it could be brought back: %s", (_, checkpoints, recoverable) => {
    expect(conditionsOf(listed(aListedJob({ detail: { checkpoints } }))).get("Recoverable")).toEqual(recoverable);
  });

  it.each([0, 3])("tell that nobody could find what it leaves, with %i checkpoints", (completed) => {
    const job = aListedJob({ detail: { checkpoints: { completed, latestPath: undefined, enabled: true, retained: true } } });
    const cluster = aReachableCluster({ jobs: [job], directoriesUnlistable: "s3://b cannot be listed" });
    expect(conditionsOf({ kind: "listed", cluster, job }).get("Recoverable")).toEqual([
      "False",
      "DirectoriesUnlistable",
      "what it leaves could not be found: s3://b cannot be listed",
    ]);
  });

  it("hold nothing that moves by itself", () => {
    const first = { checkpoints: { completed: 3, latestPath: "file:///c/chk-3", enabled: true, retained: true } };
    const later = { checkpoints: { completed: 4, latestPath: "file:///c/chk-4", enabled: true, retained: true } };
    expect(conditionsOf(listed(aListedJob({ detail: first })))).toEqual(conditionsOf(listed(aListedJob({ detail: later }))));
  });

  it("leave what can be recovered from open when it is not known, or over", () => {
    expect(conditionsOf(listed(aListedJob({ detail: "unknown" }))).has("Recoverable")).toBe(false);
    expect(conditionsOf(listed(aListedJob({ state: "FAILED" }))).has("Recoverable")).toBe(false);
  });
});
