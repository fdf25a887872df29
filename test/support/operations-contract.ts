import { randomBytes } from "node:crypto";
import { stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { cancelJob } from "../../src/flink/cancel-job.ts";
import type { Cluster } from "../../src/flink/cluster.ts";
import { disposeSavepoint } from "../../src/flink/dispose-savepoint.ts";
import { rescaleInPlace } from "../../src/flink/rescale-job.ts";
import { findSavepoint } from "../../src/flink/restore-directories.ts";
import { uriIn } from "../../src/flink/stop-aftermath.ts";
import { stopJob, type StopOutcome, type StopRequest } from "../../src/flink/stop-job.ts";
import { takeSavepoint } from "../../src/flink/take-savepoint.ts";
import type { ContractCluster } from "./flink-contract.ts";
import { ourClusterAt } from "./our-cluster.ts";
import { TEST_JOB_CLASS, TEST_JOB_JAR } from "./test-job.ts";

const TIMEOUT_MS = 20_000;

/** What our operations make of Flink's ways, held against the fake in every run of the tests and against real clusters in the long one. */
export function describeOperationsContract(version: string, start: (version: string) => Promise<ContractCluster>): void {
  describe(`operations on Flink ${version}`, () => {
    const { signal } = new AbortController();
    let flink: ContractCluster;
    let cluster: Cluster;
    let jarId: string;

    beforeAll(async () => {
      flink = await start(version);
      cluster = ourClusterAt(flink.url);
      const { size } = await stat(TEST_JOB_JAR);
      jarId = await cluster.client.uploadJar({ fileName: "counter.jar", path: TEST_JOB_JAR, size }, signal);
    });

    afterAll(async () => {
      await cluster?.client.close();
      await flink?.close();
    });

    async function submit(parallelism: number, programArgs: readonly string[] = ["--rate", "500"]): Promise<string> {
      const flinkJobId = newId();
      const program = { entryClass: TEST_JOB_CLASS, programArgs, parallelism, flinkConfiguration: {} };
      await cluster.client.runJar(jarId, { flinkVersion: version, flinkJobId, ...program }, signal);
      return flinkJobId;
    }

    async function running(parallelism = 1): Promise<string> {
      const flinkJobId = await submit(parallelism);
      await untilJob(flinkJobId, /^RUNNING (\d+)\/\1$/);
      return flinkJobId;
    }

    async function untilJob(flinkJobId: string, pattern: RegExp): Promise<void> {
      const look = async (): Promise<void> => {
        const job = (await cluster.client.readJobs(signal)).find((candidate) => candidate.flinkJobId === flinkJobId);
        expect(`${job?.state} ${job?.tasks.running}/${job?.tasks.total}`).toMatch(pattern);
      };
      await vi.waitFor(look, { timeout: TIMEOUT_MS, interval: 20 });
    }

    function aStop(flinkJobId: string, triggerId = newId()): StopRequest {
      const targetDirectory = `${flink.savepointsDir}/${flinkJobId}/${triggerId}`;
      return { flinkJobId, triggerId, targetDirectory, drain: false, timeoutMs: TIMEOUT_MS };
    }

    async function stop(request: StopRequest): Promise<StopOutcome> {
      return stopJob(cluster, request, signal);
    }

    it("stops a job and says the same to whoever asks again", async () => {
      const request = aStop(await running(2));
      const stopped = await stop(request);
      expect(stopped.kind).toBe("stopped");
      expect(await findSavepoint(request.targetDirectory, signal)).toMatchObject({
        kind: "saved",
        uri: Reflect.get(stopped, "uri"),
      });
      await untilJob(request.flinkJobId, /^FINISHED /);
      const another = ourClusterAt(flink.url);
      expect(await stopJob(another, request, signal)).toEqual(stopped);
      await another.client.close();
      // What is left to believe where the result is forgotten and the directory out of sight.
      await vi.waitFor(async () => {
        const saved = (await cluster.client.readCheckpoints(request.flinkJobId, signal))?.latestSavepoint?.externalPath;
        expect(uriIn(request.targetDirectory, saved ?? "")).toBe(Reflect.get(stopped, "uri"));
      });
    });

    it("stops a job with its last windows", async () => {
      const request = { ...aStop(await running()), drain: true };
      expect(await stop(request)).toMatchObject({ kind: "stopped" });
    });

    it("stops a job once when it is asked twice at the same time", async () => {
      const request = aStop(await running());
      const [first, second] = await Promise.all([stop(request), stop(request)]);
      expect(first).toMatchObject({ kind: "stopped" });
      expect(second).toEqual(first);
    });

    it("tells the truth of two stops at once, which can take a job down without any savepoint", async () => {
      const flinkJobId = await running();
      const requests = [aStop(flinkJobId), aStop(flinkJobId)];
      const outcomes = await Promise.all(requests.map(stop));
      // "At most one stop-with-savepoint checkpoint at a time is allowed", says Flink, and fails the job, now before and now after a savepoint.
      const state = (await cluster.client.readJob(flinkJobId, signal))?.state;
      expect(["FINISHED", "FAILED"]).toContain(state);
      for (const [index, outcome] of outcomes.entries()) {
        const saved = await findSavepoint(requests[index]!.targetDirectory, signal);
        if (saved.kind === "saved") expect(outcome).toEqual({ kind: "stopped", uri: saved.uri });
        else expect(outcome).toMatchObject({ kind: "ended", state });
      }
    });

    it("leaves a job running whose savepoint cannot be written", async () => {
      const flinkJobId = await running();
      expect(await stop({ ...aStop(flinkJobId), targetDirectory: "file:///dev/null/nope" })).toMatchObject({
        kind: "still-running",
      });
      await untilJob(flinkJobId, /^RUNNING /);
      expect(await cancelJob(cluster, flinkJobId, TIMEOUT_MS, signal)).toEqual({ kind: "cancelled" });
      expect(await cancelJob(cluster, flinkJobId, TIMEOUT_MS, signal)).toEqual({ kind: "cancelled" });
      expect(await stop(aStop(flinkJobId))).toMatchObject({ kind: "ended", state: "CANCELED" });
    });

    it("says what there is to stop and to cancel", async () => {
      const unknown = newId();
      expect(await stop(aStop(unknown))).toMatchObject({ kind: "gone" });
      expect(await cancelJob(cluster, unknown, TIMEOUT_MS, signal)).toEqual({ kind: "gone" });
      const bounded = await submit(1, ["--n", "20", "--rate", "1000"]);
      await untilJob(bounded, /^FINISHED /);
      expect(await stop(aStop(bounded))).toMatchObject({ kind: "ended", state: "FINISHED" });
      expect(await cancelJob(cluster, bounded, TIMEOUT_MS, signal)).toEqual({ kind: "ended", state: "FINISHED" });
    });

    it("takes a savepoint of a job that goes on, and disposes of it", async () => {
      const flinkJobId = await running();
      const request = aStop(flinkJobId);
      const taken = await takeSavepoint(cluster, request, signal);
      if (taken.kind !== "taken") throw new Error(taken.because);
      expect(await takeSavepoint(cluster, request, signal)).toEqual(taken);
      expect((await stat(fileURLToPath(`${taken.uri}/_metadata`))).size).toBeGreaterThan(0);
      await untilJob(flinkJobId, /^RUNNING /);
      expect(await disposeSavepoint(cluster, taken.uri, TIMEOUT_MS, signal)).toEqual({ kind: "disposed" });
      expect(await findSavepoint(request.targetDirectory, signal)).toEqual({ kind: "none" });
      expect(await disposeSavepoint(cluster, taken.uri, TIMEOUT_MS, signal)).toEqual({ kind: "disposed" });
      const stopped = await stop(aStop(flinkJobId));
      expect(stopped).toMatchObject({ kind: "stopped" });
      expect(await takeSavepoint(cluster, aStop(flinkJobId), signal)).toEqual({
        kind: "failed",
        because: "the job has ended: FINISHED",
      });
    });

    it("waits for a savepoint that is asked for before the job is stopped", async () => {
      const flinkJobId = await running();
      const [order, request] = [aStop(flinkJobId), aStop(flinkJobId)];
      // The other way round a task may see the savepoint's barrier first and drop the stop's: it then hangs until its checkpoint times out.
      await cluster.client.triggerSavepoint(flinkJobId, order, signal);
      const [taken, stopped] = await Promise.all([takeSavepoint(cluster, order, signal), stop(request)]);
      expect(stopped).toMatchObject({ kind: "stopped" });
      // Whichever comes first, each is told what became of it.
      expect(["taken", "failed"]).toContain(taken.kind);
    });

    it("is refused a rescale in place by the default scheduler", async () => {
      const flinkJobId = await running();
      expect(await rescaleInPlace(cluster, flinkJobId, { from: 1, to: 2 }, signal)).toMatchObject({ kind: "refused" });
      await cancelJob(cluster, flinkJobId, TIMEOUT_MS, signal);
    });
  });
}

function newId(): string {
  return randomBytes(16).toString("hex");
}
