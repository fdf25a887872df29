import { describe, expect, it } from "vitest";
import type { ClusterSeen } from "../../src/flink/cluster-seen.ts";
import type { JobStatus, SavepointOperation, Tombstone } from "../../src/model/status.ts";
import { decideSavepoint, type SavepointContext } from "../../src/pass/decide-savepoint.ts";
import type { DesiredJob, DesiredSavepoint } from "../../src/pass/desired.ts";
import type { StepSeen } from "../../src/pass/submissions.ts";
import {
  aDesiredJob,
  aDesiredSavepoint,
  anAttempt,
  anOperation,
  anObserved,
  anUnreachableCluster,
  aReachableCluster,
  aStartedRecord,
  aStop,
  CLUSTER,
  NOW,
  SAVEPOINT,
  type DesiredSavepointOverrides,
} from "./builders.ts";
import { aCheckpoint, clusterWith } from "./job-decisions.ts";

const ON_DEMAND = { type: "OnDemand", job: "orders", deletionPolicy: "Retain" } as const;
const DISPOSED = { ...ON_DEMAND, deletionPolicy: "Delete" } as const;

interface Situation extends Partial<Omit<SavepointContext, "desired" | "observed">> {
  readonly job?: DesiredJob;
  readonly clusters?: readonly ClusterSeen[];
  readonly step?: StepSeen;
  /** Beside the one that is asked about. */
  readonly others?: readonly DesiredSavepoint[];
}

function decide(savepoint: DesiredSavepointOverrides, { job = running(), clusters, step, others = [], ...more }: Situation = {}) {
  const desired = { jobs: [job], artifacts: [], savepoints: [aDesiredSavepoint(savepoint), ...others] };
  const observed = anObserved({
    clusters: clusters ?? [clusterWith()],
    steps: step === undefined ? {} : { [TAKE.triggerId]: step },
  });
  return decideSavepoint(desired.savepoints[0]!, {
    desired,
    observed,
    request: undefined,
    deletionsHeld: undefined,
    stepping: new Set(),
    now: NOW,
    ...more,
  });
}

function running(status: Partial<JobStatus> = {}): DesiredJob {
  return aDesiredJob({ record: aStartedRecord({ status }) });
}

function deletedJob(tombstone: Partial<Tombstone>, manifest?: "absent"): DesiredJob {
  const status = { phase: "Deleting", deleted: { at: "2026-11-22T11:00:00Z", ...tombstone } } as const;
  return aDesiredJob({ record: aStartedRecord({ status }), ...(manifest === undefined ? {} : { manifest }) });
}

const TAKE: SavepointOperation = {
  kind: "take",
  triggerId: "8".repeat(32),
  cluster: CLUSTER,
  flinkJobId: anAttempt(1),
  uri: "file:///s",
  announcedAt: "2026-11-22T11:00:00Z",
};

describe("a Savepoint whose documents cannot be acted on", () => {
  it.each([
    ["its record is unreadable", { recordProblem: "x.yaml:1:1 no" }, "its record cannot be understood: x.yaml:1:1 no"],
    ["its manifest is broken", { declared: "broken" }, "its manifest has problems, so nothing is done with it"],
    ["it is Ready", { status: { phase: "Ready", uri: SAVEPOINT } }, "it is Ready"],
  ] as const)("is left alone when %s", (_, savepoint, because) => {
    expect(decide(savepoint)).toMatchObject({ kind: "leave", because });
  });
});

describe("an External Savepoint", () => {
  it("is Ready at once", () => {
    const spec = { type: "External", uri: "s3://b/sp", deletionPolicy: "Retain" } as const;
    expect(decide({ spec })).toMatchObject({ kind: "ready", uri: "s3://b/sp", takenOf: undefined });
  });
});

describe("a Final Savepoint", () => {
  it.each([
    ["its Job has not run", { job: aDesiredJob() }, "wait", "JobNotRunning"],
    ["it is held", { request: { name: "final", drain: false, held: "Job b waits" } }, "wait", "WaitersNotReady"],
    ["its Job cannot be stopped yet", {}, "wait", "JobNotStopped"],
    ["its Job is being stopped", { job: running({ operation: aStop("final") }) }, "await", undefined],
  ] as const)("waits while %s", (_, situation, kind, reason) => {
    const decision = decide({}, situation);
    expect(decision.kind).toBe(kind);
    expect("block" in decision ? decision.block?.reason : undefined).toBe(reason);
  });

  const finalized = { savepoint: "final", uri: SAVEPOINT, drained: false, takenAt: "2026-11-22T11:59:00Z" };
  const takenOf = { flinkJobId: anAttempt(1), cluster: CLUSTER };

  it("is Ready with what its Job was stopped with, and from when that is", () => {
    expect(decide({}, { job: running({ finalized }) })).toMatchObject({
      kind: "ready",
      uri: SAVEPOINT,
      takenAt: finalized.takenAt,
      takenOf,
    });
  });

  it("is Ready with what another one stopped its Job with, unless that drained it", () => {
    const other = { ...finalized, savepoint: "older" };
    expect(decide({}, { job: running({ finalized: other }) })).toMatchObject({ kind: "ready", uri: SAVEPOINT });
    expect(decide({}, { job: running({ finalized: { ...other, drained: true } }) })).toMatchObject({ kind: "wait" });
  });

  it("is Ready with what is kept of a Job that was deleted", () => {
    const restorePoint = { kind: "Savepoint", uri: SAVEPOINT } as const;
    expect(decide({}, { job: deletedJob({ restorePoint }, "absent") })).toMatchObject({ kind: "ready", uri: SAVEPOINT });
    expect(decide({}, { job: deletedJob({ restorePoint, finalized }) })).toMatchObject({ kind: "ready", takenOf });
    // It will run on: then it is stopped again.
    expect(decide({}, { job: deletedJob({ restorePoint }) })).toMatchObject({ kind: "wait" });
    expect(decide({}, { job: deletedJob({}, "absent") })).toMatchObject({ kind: "wait" });
  });

  const ready = { phase: "Ready", uri: SAVEPOINT, flinkJobId: anAttempt(1), cluster: CLUSTER } as const;
  it("stays Ready as long as its Job has not run on", () => {
    for (const job of [running({ finalized }), running({ attempt: 2, finalized }), aDesiredJob()])
      expect(decide({ status: ready }, { job })).toMatchObject({ kind: "leave", because: "it is Ready" });
  });

  const ranOn = { attempt: 2, flinkJobId: anAttempt(2) };
  it.each([
    ["has run a later attempt", ranOn, "wait"],
    ["is being brought back", { finalized, attempt: 2, operation: anOperation({ attempt: 2, run: 2 }) }, "wait"],
    ["is being stopped for it again", { ...ranOn, operation: aStop("final", { flinkJobId: anAttempt(2) }) }, "await"],
  ] as const)("that was Ready is as new when its Job %s", (_, status, kind) => {
    expect(decide({ status: ready }, { job: running(status) })).toMatchObject({ kind, renews: true });
  });

  it("that was Ready is Ready with the new savepoint when its Job was stopped again", () => {
    const again = { ...finalized, uri: "file:///flink/savepoints/second" };
    expect(decide({ status: ready }, { job: running({ ...ranOn, finalized: again }) })).toMatchObject({
      kind: "ready",
      uri: again.uri,
      takenOf: { flinkJobId: anAttempt(2) },
    });
  });
});

function buried(deleted: NonNullable<JobStatus["deleted"]>): DesiredJob {
  return aDesiredJob({ manifest: "absent", record: aStartedRecord({ status: { phase: "Deleting", deleted } }) });
}

describe("a Final Savepoint of a Job that cannot be stopped any more", () => {
  const point = { kind: "Savepoint", uri: SAVEPOINT } as const;

  it("is Ready with what the tombstone of a deleted one keeps", () => {
    const job = buried({ at: "2026-11-22T11:00:00Z", restorePoint: point });
    expect(decide({}, { job })).toMatchObject({ kind: "ready", uri: SAVEPOINT, takenOf: { flinkJobId: anAttempt(1) } });
  });

  it.each([
    ["deleted, and had no state", buried({ at: "2026-11-22T11:00:00Z" }), "which is deleted and had no state to keep"],
    ["finished", running({ flinkJobState: "Finished" }), "which has finished and left nothing to go on from"],
  ])("says that it is %s", (_, job, because) => {
    const decision = decide({}, { job });
    expect(decision).toMatchObject({ kind: "wait", block: { reason: "JobNotRunning" } });
    expect(decision.because).toContain(because);
  });
});

describe("an OnDemand Savepoint", () => {
  it("is announced with a trigger and a directory of its own", () => {
    const decision = decide({ spec: ON_DEMAND });
    expect(decision).toMatchObject({ kind: "announce", work: { operation: { kind: "take", flinkJobId: anAttempt(1) } } });
    if (!("work" in decision)) throw new Error("it was not announced");
    const { triggerId, uri } = decision.work.operation;
    expect(uri).toBe(`file:///flink/savepoints/${anAttempt(1)}/${triggerId}`);
  });

  it.each([
    ["does not run", { clusters: [aReachableCluster()] }, "JobNotRunning"],
    ["is not healthy", { clusters: [clusterWith({ state: "RESTARTING" })] }, "JobNotRunning"],
    ["has a step of its own", { job: running({ operation: aStop("rescale") }) }, "JobNotRunning"],
    ["cannot be seen", { clusters: [anUnreachableCluster()] }, "ClusterUnreachable"],
    [
      "has nowhere to write it",
      { clusters: [clusterWith({}, { savepointsDir: undefined, checkpointsDir: undefined })] },
      "NoSavepointDirectory",
    ],
  ] as const)("waits while its Job %s", (_, situation, reason) => {
    expect(decide({ spec: ON_DEMAND }, situation)).toMatchObject({ kind: "wait", block: { reason } });
  });

  const tried = { because: "no storage", failures: 1, announcedAt: TAKE.announcedAt };
  it.each([
    ["gone on with when nobody is at it", undefined, "resume"],
    ["waited for", { kind: "under-way", announcedAt: TAKE.announcedAt }, "await"],
    ["Ready when it was taken", { kind: "taken", uri: SAVEPOINT, announcedAt: TAKE.announcedAt }, "ready"],
    ["waited with when it failed", { kind: "not-done", ...tried, retryAtMs: NOW + 1 }, "await"],
    ["begun anew when that is due", { kind: "not-done", ...tried, retryAtMs: NOW }, "abandon"],
    ["looked at again when the answer was lost", { kind: "unknown", ...tried, retryAtMs: NOW }, "resume"],
    ["not mistaken for an earlier one", { kind: "taken", uri: SAVEPOINT, announcedAt: "before" }, "resume"],
  ] as const)("that was announced is %s", (_, step, kind) => {
    const situation = step === undefined ? {} : { step };
    expect(decide({ spec: ON_DEMAND, status: { operation: TAKE } }, situation).kind).toBe(kind);
  });
});

describe("a Savepoint whose manifest is gone", () => {
  const gone = { declared: "absent", status: { phase: "Ready", uri: SAVEPOINT, cluster: CLUSTER } } as const;

  it("is forgotten, and its files stay", () => {
    expect(decide({ ...gone, spec: ON_DEMAND })).toMatchObject({ kind: "forget" });
  });

  it("is kept while deletions are held", () => {
    expect(decide({ ...gone, spec: DISPOSED }, { deletionsHeld: "held" })).toMatchObject({ kind: "leave", because: "held" });
  });

  it("is not disposed of while its Job is down or has no checkpoint of its own, and may go back to it", () => {
    for (const clusters of [[clusterWith()], [clusterWith({ state: "FAILED" })], [aReachableCluster()]])
      expect(decide({ ...gone, spec: DISPOSED }, { clusters })).toMatchObject({
        kind: "leave",
        because: "its manifest is gone; it is disposed of when Job orders needs it no more",
      });
  });

  it("is disposed of when its policy says so and nobody needs it", () => {
    const checkpoints = { completed: 1, latestPath: aCheckpoint().uri, enabled: true, retained: true };
    const situation = { job: running({ checkpointed: anAttempt(1) }), clusters: [clusterWith({ detail: { checkpoints } })] };
    expect(decide({ ...gone, spec: DISPOSED }, situation)).toMatchObject({
      kind: "announce",
      work: { operation: { kind: "dispose", uri: SAVEPOINT } },
    });
  });

  const point = { kind: "Savepoint", uri: SAVEPOINT } as const;
  it.each([
    ["a tombstone keeps it", { deleted: { at: "", restorePoint: point } }],
    ["it stopped the Job", { finalized: { savepoint: "final", uri: SAVEPOINT, drained: false } }],
    ["the Job has no newer state than it", { startedFrom: point }],
    ["the Job is being stopped with it, to start from it", { operation: aStop("migrate") }],
    ["it suspended the Job", { lastSavepoint: { uri: SAVEPOINT, takenAt: "", flinkJobId: "", reason: "Suspend" } }],
  ] as const)("is not disposed of while %s", (_, status) => {
    expect(decide({ ...gone, spec: DISPOSED }, { job: running(status) })).toMatchObject({ kind: "leave" });
  });

  it.each([
    [
      "is not disposed of while all that was counted since is another savepoint, which Flink itself does not go back to",
      SAVEPOINT,
      "leave",
    ],
    ["is disposed of when the Job that was started from it has a checkpoint of its own", aCheckpoint().uri, "announce"],
  ] as const)("%s", (_, latestPath, kind) => {
    const job = running({ startedFrom: point, checkpointed: anAttempt(1) });
    const clusters = [clusterWith({ detail: { checkpoints: { completed: 1, latestPath, enabled: true, retained: true } } })];
    expect(decide({ ...gone, spec: DISPOSED }, { job, clusters }).kind).toBe(kind);
  });

  it("is disposed of when the Job that was started from it has finished", () => {
    const job = running({ startedFrom: point, flinkJobState: "Finished" });
    expect(decide({ ...gone, spec: DISPOSED }, { job, clusters: [aReachableCluster()] }).kind).toBe("announce");
  });

  it.each([
    ["the record of a Job cannot be understood", { job: aDesiredJob({ recordProblem: "orders.yaml:1:1 is no YAML" }) }],
    ["the manifest of a Job has problems", { job: aDesiredJob({ manifest: "broken", record: aStartedRecord() }) }],
    ["the record of another Savepoint cannot be understood", { others: [aDesiredSavepoint({ name: "x", recordProblem: "no" })] }],
  ])("is not disposed of while %s: it may be needed there", (_, situation) => {
    const decision = decide({ ...gone, spec: DISPOSED }, situation);
    expect(decision).toMatchObject({ kind: "leave" });
    expect(decision.because).toMatch(/needs cannot be read$/);
  });

  const dispose: SavepointOperation = { ...TAKE, kind: "dispose", uri: SAVEPOINT };
  const going = { ...gone, spec: DISPOSED, status: { ...gone.status, phase: "Deleting", operation: dispose } } as const;
  const external = { type: "External", uri: SAVEPOINT, deletionPolicy: "Retain" } as const;

  it.each([
    ["the start of a Job from it was announced", { job: running({ operation: anOperation({ restoreFrom: point }) }) }],
    ["its Job is down and may go back to it", { job: running(), clusters: [clusterWith({ state: "FAILED" })] }],
    ["another Savepoint names the same files", { others: [aDesiredSavepoint({ name: "theirs", spec: external })] }],
    ["the record of a Job cannot be understood", { job: aDesiredJob({ recordProblem: "orders.yaml:1:1 is no YAML" }) }],
    ["deletions are held", { deletionsHeld: "held" }],
  ])("is not disposed of a second time, although that was announced, while %s", (_, situation) => {
    expect(decide(going, situation)).toMatchObject({ kind: "await", block: { reason: "DisposalWaits" } });
  });

  it("is gone on with being disposed of when nobody needs it, not even who names it, for it will be taken anew", () => {
    const job = aDesiredJob({ manifest: { spec: { initialState: { savepoint: "final", allowNonRestoredState: false } } } });
    expect(decide(going, { job })).toMatchObject({ kind: "resume", work: { operation: dispose } });
  });

  it("is not disposed of while another Savepoint names the same files", () => {
    const twin = aDesiredSavepoint({ name: "theirs", spec: external });
    expect(decide({ ...gone, spec: DISPOSED }, { others: [twin] })).toMatchObject({ kind: "leave" });
  });
});
