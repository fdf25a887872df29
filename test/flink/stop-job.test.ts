import { existsSync } from "node:fs";
import { rename } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { stopJob, type StopOutcome, type StopRequest } from "../../src/flink/stop-job.ts";
import { bodies } from "../support/fake-flink-bodies.ts";
import type { FakeJob } from "../support/fake-flink.ts";
import { anAttempt } from "../pass/builders.ts";
import { aCluster, type Harness, NEVER } from "./cluster-harness.ts";

const FLINK_JOB_ID = anAttempt(1);
const TRIGGER_ID = "7".repeat(32);

const STOP = new RegExp(`POST /jobs/${FLINK_JOB_ID}/stop`);
const RESULT = new RegExp(`GET /jobs/${FLINK_JOB_ID}/savepoints/`);
const OTHER_TRIGGER = "8".repeat(32);

async function stop(harness: Harness, request: Partial<StopRequest> = {}): Promise<StopOutcome> {
  return stopJob(harness.cluster, aRequest(harness, request), NEVER);
}

function aRequest({ fake }: Harness, more: Partial<StopRequest> = {}): StopRequest {
  const targetDirectory = `${fake.savepointsDir}/${FLINK_JOB_ID}/${TRIGGER_ID}`;
  return { flinkJobId: FLINK_JOB_ID, triggerId: TRIGGER_ID, targetDirectory, drain: false, timeoutMs: 15_000, ...more };
}

/** The test job without checkpoints. */
async function started({ fake, start }: Harness): Promise<FakeJob> {
  return fake.job(await start(1, { flinkVersion: fake.version, flinkConfiguration: {} }));
}

function savedBy(harness: Harness): string {
  return harness.fake.job(FLINK_JOB_ID).checkpoints.findLast(({ isSavepoint }) => isSavepoint)!.externalPath;
}

describe("stopJob", () => {
  it.each(["1.16.3", "1.20.5", "2.3.0"])("stops a job of Flink %s and says where its savepoint is", async (version) => {
    const harness = await aCluster({ version });
    const job = await started(harness);
    const outcome = await stop(harness);
    expect(outcome).toEqual({ kind: "stopped", uri: savedBy(harness) });
    expect(job.state).toBe("FINISHED");
    expect(existsSync(fileURLToPath(`${savedBy(harness)}/_metadata`))).toBe(true);
    expect(harness.fake.countCalls(STOP)).toBe(1);
  });

  it("says the same again when it is asked again, without asking Flink", async () => {
    const harness = await aCluster();
    await started(harness);
    const first = await stop(harness);
    expect(await stop(harness)).toEqual(first);
    harness.fake.forgetOperations();
    expect(await stopJob(harness.another(), aRequest(harness), NEVER)).toEqual(first);
    expect(harness.fake.countCalls(STOP)).toBe(1);
  });

  it("goes on with the stop that a process which died had asked for", async () => {
    const harness = await aCluster();
    await started(harness);
    harness.fake.holdSavepoints();
    const dies = new AbortController();
    const first = stopJob(harness.cluster, aRequest(harness), dies.signal);
    await harness.fake.untilCalled(RESULT, 3);
    dies.abort();
    await expect(first).rejects.toBe(dies.signal.reason);
    const second = stopJob(harness.another(), aRequest(harness), NEVER);
    await harness.fake.untilCalled(RESULT, 6);
    harness.fake.releaseSavepoints();
    expect(await second).toEqual({ kind: "stopped", uri: savedBy(harness) });
    expect(harness.fake.countCalls(STOP)).toBe(1);
  });

  it.each(["lose-answer", "cut", "drop"] as const)("survives an answer to the stop that is gone (%s)", async (kind) => {
    const harness = await aCluster();
    await started(harness);
    harness.fake.inject(STOP, { kind }, 1);
    expect(await stop(harness)).toEqual({ kind: "stopped", uri: savedBy(harness) });
    expect(harness.fake.job(FLINK_JOB_ID).checkpoints).toHaveLength(1);
  });

  it("waits out a leader election", async () => {
    const harness = await aCluster();
    await started(harness);
    harness.fake.inject(STOP, { kind: "answer", answer: bodies.leaderElection() }, 2);
    expect(await stop(harness)).toMatchObject({ kind: "stopped" });
  });

  it("leaves a job running whose savepoint fails, and says why", async () => {
    const harness = await aCluster();
    const job = await started(harness);
    harness.fake.failSavepoints("the disk is full");
    expect(await stop(harness)).toEqual({ kind: "still-running", because: expect.stringContaining("the disk is full") });
    expect(job.state).toBe("RUNNING");
  });

  it("leaves a job alone whose tasks wait for slots", async () => {
    const harness = await aCluster();
    harness.fake.holdDeployments();
    const job = await started(harness);
    expect(await stop(harness)).toMatchObject({
      kind: "still-running",
      because: expect.stringContaining("Not all required tasks"),
    });
    expect(job.state).toBe("RUNNING");
  });

  it("takes Flink's refusal for what it is", async () => {
    const harness = await aCluster();
    await started(harness);
    expect(await stop(harness, { triggerId: "no trigger" })).toMatchObject({
      kind: "still-running",
      because: expect.stringContaining("StopWithSavepointRequestBody"),
    });
  });

  it("believes the job and not the result when another stop came first", async () => {
    const harness = await aCluster();
    await started(harness);
    const { fake, cluster } = harness;
    fake.holdSavepoints();
    const elsewhere = `${fake.savepointsDir}/by-hand`;
    await cluster.client.stopWithSavepoint(
      FLINK_JOB_ID,
      { triggerId: OTHER_TRIGGER, targetDirectory: elsewhere, drain: false },
      NEVER,
    );
    const outcome = stop(harness);
    await fake.untilCalled(STOP, 2);
    await fake.untilCalled(RESULT, 4);
    fake.releaseSavepoints();
    expect(await outcome).toEqual({
      kind: "ended",
      state: "FINISHED",
      because: expect.stringContaining("Checkpoint Coordinator is suspending"),
    });
  });

  it("takes the savepoint of a stop that failed after it, when the job is down for good", async () => {
    const harness = await aCluster();
    await started(harness);
    harness.fake.breakStops("FAILED");
    expect(await stop(harness)).toEqual({ kind: "stopped", uri: savedBy(harness) });
  });

  it("does not ask twice for a stop that failed after its savepoint, when the job went on", async () => {
    const harness = await aCluster();
    const job = await started(harness);
    harness.fake.breakStops("RESTARTING");
    expect(await stop(harness)).toMatchObject({ kind: "still-running" });
    harness.fake.breakStops(undefined);
    harness.fake.setJobState(FLINK_JOB_ID, "RUNNING");
    harness.fake.forgetOperations();
    expect(await stop(harness)).toEqual({ kind: "still-running", because: expect.stringContaining(savedBy(harness)) });
    expect(harness.fake.countCalls(STOP)).toBe(1);
    expect(job.checkpoints).toHaveLength(1);
  });

  it("does not take a savepoint for the end of a job that took a checkpoint after it", async () => {
    const harness = await aCluster();
    await started(harness);
    harness.fake.breakStops("RESTARTING");
    await stop(harness);
    harness.fake.setJobState(FLINK_JOB_ID, "RUNNING");
    harness.fake.completeCheckpoint(FLINK_JOB_ID);
    harness.fake.setJobState(FLINK_JOB_ID, "FAILED", "boom");
    expect(await stop(harness)).toEqual({
      kind: "ended",
      state: "FAILED",
      because: expect.stringContaining("it went on after the savepoint"),
    });
  });

  it("finds the savepoint of a job that its cluster has forgotten", async () => {
    const harness = await aCluster();
    await started(harness);
    const stopped = await stop(harness);
    harness.fake.restart();
    expect(await stop(harness)).toEqual(stopped);
  });

  it("does not take a savepoint for the end of a forgotten job that left a later checkpoint", async () => {
    const harness = await aCluster();
    await started(harness);
    harness.fake.breakStops("RESTARTING");
    await stop(harness);
    harness.fake.completeCheckpoint(FLINK_JOB_ID);
    harness.fake.restart();
    expect(await stop(harness)).toMatchObject({
      kind: "gone",
      because: expect.stringContaining("it went on after the savepoint"),
    });
  });

  it("says that a job is gone when its cluster was restarted before the savepoint", async () => {
    const harness = await aCluster();
    await started(harness);
    harness.fake.holdSavepoints();
    const outcome = stop(harness);
    await harness.fake.untilCalled(RESULT, 3);
    harness.fake.restart();
    expect(await outcome).toMatchObject({ kind: "gone" });
  });

  it("leaves a job running that another JobManager took over in the middle of the stop", async () => {
    const harness = await aCluster({ highAvailability: "ZOOKEEPER" });
    await started(harness);
    harness.fake.holdSavepoints();
    const outcome = stop(harness);
    await harness.fake.untilCalled(RESULT, 3);
    harness.fake.restart();
    harness.fake.releaseSavepoints();
    expect(await outcome).toMatchObject({ kind: "still-running", because: expect.stringContaining("restarted meanwhile") });
    expect(harness.fake.job(FLINK_JOB_ID).state).toBe("RUNNING");
  });

  it.each(["FINISHED", "FAILED", "CANCELED"] as const)("says how a job ended that was %s before", async (state) => {
    const harness = await aCluster();
    await started(harness);
    harness.fake.setJobState(FLINK_JOB_ID, state);
    expect(await stop(harness)).toMatchObject({ kind: "ended", state });
    expect(harness.fake.countCalls(STOP)).toBe(0);
  });

  it("does not take an older savepoint for that of the stop", async () => {
    const harness = await aCluster();
    await started(harness);
    const { fake, cluster } = harness;
    const options = { triggerId: OTHER_TRIGGER, targetDirectory: `${fake.savepointsDir}/on-demand` };
    await cluster.client.triggerSavepoint(FLINK_JOB_ID, options, NEVER);
    fake.setJobState(FLINK_JOB_ID, "FINISHED");
    expect(await stop(harness)).toMatchObject({ kind: "ended", state: "FINISHED" });
  });

  it("finds the savepoint by Flink's numbers where the directory cannot be seen", async () => {
    const harness = await aCluster();
    await started(harness);
    expect(await stop(harness)).toMatchObject({ kind: "stopped" });
    const uri = savedBy(harness);
    harness.fake.forgetOperations();
    const folder = fileURLToPath(harness.fake.savepointsDir);
    await rename(folder, `${folder}-unmounted`);
    // As a path of the cluster's host that this one does not have.
    expect(await stop(harness)).toEqual({ kind: "stopped", uri });
  });

  it("knows nothing when neither Flink nor the directory can tell", async () => {
    const harness = await aCluster();
    const outcome = await stop(harness, { targetDirectory: "hdfs://namenode/savepoints/a/b" });
    expect(outcome).toEqual({ kind: "unknown", because: expect.stringContaining("hdfs://namenode/savepoints/a/b") });
  });

  it("knows nothing while the cluster cannot be reached", async () => {
    const harness = await aCluster();
    await started(harness);
    await harness.fake.refuse();
    expect(await stop(harness)).toMatchObject({ kind: "unknown", because: expect.stringContaining("connection refused") });
    await harness.fake.accept();
  });

  it("gives up when its time is over; a later call ends what this one began", async () => {
    const harness = await aCluster();
    await started(harness);
    harness.fake.holdSavepoints();
    expect(await stop(harness, { timeoutMs: 100 })).toMatchObject({ kind: "unknown", because: expect.stringContaining("100ms") });
    harness.fake.releaseSavepoints();
    expect(await stop(harness)).toMatchObject({ kind: "stopped" });
    expect(harness.fake.countCalls(STOP)).toBe(1);
  });

  it("passes on that the last windows are wanted", async () => {
    const harness = await aCluster();
    await started(harness);
    await stop(harness, { drain: true });
    const call = harness.fake.calls.find(({ method, path }) => STOP.test(`${method} ${path}`));
    expect(JSON.parse(call!.body)).toMatchObject({ drain: true, triggerId: TRIGGER_ID });
  });
});
