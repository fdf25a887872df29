import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { disposeSavepoint } from "../../src/flink/dispose-savepoint.ts";
import { type SavepointOutcome, takeSavepoint } from "../../src/flink/take-savepoint.ts";
import { anAttempt } from "../pass/builders.ts";
import { aCluster, type Harness, NEVER } from "./cluster-harness.ts";

const ID = anAttempt(1);
const TRIGGER_ID = "5".repeat(32);
const TRIGGER = new RegExp(`POST /jobs/${ID}/savepoints`);
const RESULT = new RegExp(`GET /jobs/${ID}/savepoints/`);
const DISPOSE = /POST \/savepoint-disposal/;

async function take(
  { fake, cluster }: Harness,
  more: { timeoutMs?: number; signal?: AbortSignal } = {},
): Promise<SavepointOutcome> {
  const targetDirectory = `${fake.savepointsDir}/${ID}/${TRIGGER_ID}`;
  const request = { flinkJobId: ID, triggerId: TRIGGER_ID, targetDirectory, timeoutMs: more.timeoutMs ?? 10_000 };
  return takeSavepoint(cluster, request, more.signal ?? NEVER);
}

async function aSavepoint(harness: Harness): Promise<string> {
  await harness.start(1);
  const outcome = await take(harness);
  if (outcome.kind !== "taken") throw new Error(outcome.because);
  return outcome.uri;
}

function isThere(uri: string): boolean {
  return existsSync(fileURLToPath(`${uri}/_metadata`));
}

describe("takeSavepoint", () => {
  it("takes one while the job goes on, and says where it is however often it is asked", async () => {
    const harness = await aCluster();
    const { fake, start } = harness;
    await start(1);
    const taken = await take(harness);
    expect(taken).toEqual({ kind: "taken", uri: fake.job(ID).checkpoints[0]!.externalPath });
    expect(fake.job(ID).state).toBe("RUNNING");
    expect(await take(harness)).toEqual(taken);
    fake.forgetOperations();
    expect(await take(harness)).toEqual(taken);
    fake.restart();
    expect(await take(harness)).toEqual(taken);
    expect(fake.countCalls(TRIGGER)).toBe(1);
  });

  it("goes on with what a process that died had asked for", async () => {
    const harness = await aCluster();
    const { fake, start } = harness;
    await start(1);
    fake.holdSavepoints();
    const dies = new AbortController();
    const first = take(harness, { signal: dies.signal });
    await fake.untilCalled(RESULT, 3);
    dies.abort();
    await expect(first).rejects.toBe(dies.signal.reason);
    const second = take({ ...harness, cluster: harness.another() });
    await fake.untilCalled(RESULT, 5);
    fake.releaseSavepoints();
    expect(await second).toMatchObject({ kind: "taken" });
    expect(fake.countCalls(TRIGGER)).toBe(1);
  });

  it.each(["lose-answer", "drop", "cut"] as const)("survives an answer that is gone (%s)", async (kind) => {
    const harness = await aCluster();
    await harness.start(1);
    harness.fake.inject(TRIGGER, { kind }, 1);
    expect(await take(harness)).toMatchObject({ kind: "taken" });
    expect(harness.fake.job(ID).checkpoints).toHaveLength(1);
  });

  it("says why there is none", async () => {
    const harness = await aCluster();
    const { fake, start } = harness;
    expect(await take(harness)).toEqual({ kind: "failed", because: "the cluster does not know the job" });
    await start(1);
    fake.failSavepoints("the disk is full");
    expect(await take(harness)).toEqual({ kind: "failed", because: expect.stringContaining("the disk is full") });
    fake.forgetOperations();
    fake.setJobState(ID, "FINISHED");
    expect(await take(harness)).toEqual({ kind: "failed", because: "the job has ended: FINISHED" });
  });

  it("fails when the JobManager that was to take it is gone, and does not ask the new one", async () => {
    const harness = await aCluster({ highAvailability: "ZOOKEEPER" });
    const { fake, start } = harness;
    await start(1);
    fake.holdSavepoints();
    const outcome = take(harness);
    await fake.untilCalled(RESULT, 3);
    fake.restart();
    expect(await outcome).toEqual({ kind: "failed", because: expect.stringContaining("restarted meanwhile") });
    expect(fake.countCalls(TRIGGER)).toBe(1);
  });

  it("knows nothing while it is in progress or out of sight", async () => {
    const harness = await aCluster();
    const { fake, start } = harness;
    await start(1);
    fake.holdSavepoints();
    expect(await take(harness, { timeoutMs: 100 })).toMatchObject({ kind: "unknown" });
    await fake.refuse();
    expect(await take(harness)).toMatchObject({ kind: "unknown", because: expect.stringContaining("connection refused") });
  });
});

describe("disposeSavepoint", () => {
  it("has Flink remove it, once and for all", async () => {
    const harness = await aCluster();
    const uri = await aSavepoint(harness);
    expect(await disposeSavepoint(harness.cluster, uri, 10_000, NEVER)).toEqual({ kind: "disposed" });
    expect(isThere(uri)).toBe(false);
    expect(await disposeSavepoint(harness.cluster, uri, 10_000, NEVER)).toEqual({ kind: "disposed" });
  });

  it.each(["lose-answer", "drop", "html"] as const)("asks again when the answer is gone (%s)", async (kind) => {
    const harness = await aCluster();
    const uri = await aSavepoint(harness);
    harness.fake.inject(DISPOSE, { kind }, 1);
    expect(await disposeSavepoint(harness.cluster, uri, 10_000, NEVER)).toEqual({ kind: "disposed" });
    expect(isThere(uri)).toBe(false);
  });

  it("asks the JobManager that came after the one it had asked", async () => {
    const harness = await aCluster();
    const uri = await aSavepoint(harness);
    const { promise, resolve } = Promise.withResolvers<void>();
    harness.fake.inject(DISPOSE, { kind: "slow", release: promise }, 1);
    const outcome = disposeSavepoint(harness.cluster, uri, 10_000, NEVER);
    await harness.fake.untilCalled(DISPOSE);
    harness.fake.restart();
    resolve();
    expect(await outcome).toEqual({ kind: "disposed" });
    expect(harness.fake.countCalls(DISPOSE)).toBe(2);
  });

  it("says why it stays", async () => {
    const harness = await aCluster();
    const uri = await aSavepoint(harness);
    harness.fake.failDisposals("Permission denied");
    const outcome = await disposeSavepoint(harness.cluster, uri, 10_000, NEVER);
    expect(outcome).toEqual({ kind: "failed", because: expect.stringContaining("Permission denied") });
    expect(isThere(uri)).toBe(true);
  });

  it("knows nothing when the cluster cannot be reached", async () => {
    const harness = await aCluster();
    await harness.fake.refuse();
    expect(await disposeSavepoint(harness.cluster, "file:///nowhere", 10_000, NEVER)).toMatchObject({ kind: "unknown" });
  });
});
