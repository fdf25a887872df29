import { randomBytes } from "node:crypto";
import { stat } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { systemClock } from "../../src/common/clock.ts";
import { FlinkClient } from "../../src/flink/flink-client.ts";
import { cappedParallelism, rescaleInPlace } from "../../src/flink/rescale-job.ts";
import type { ContractCluster } from "./flink-contract.ts";
import { ourClusterAt } from "./our-cluster.ts";
import { TEST_JOB_CLASS, TEST_JOB_JAR } from "./test-job.ts";

/** What we rely on from an adaptive scheduler with 4 slots, from 1.18 on. */
export function describeRescaleContract(version: string, start: () => Promise<ContractCluster>): void {
  describe(`an adaptive scheduler of Flink ${version}`, () => {
    const signal = new AbortController().signal;
    const flinkJobId = randomBytes(16).toString("hex");
    let cluster: ContractCluster;
    let client: FlinkClient;

    beforeAll(async () => {
      cluster = await start();
      client = new FlinkClient({ name: "contract", url: cluster.url, timeoutMs: 10_000 }, { clock: systemClock });
    });

    afterAll(async () => {
      await client?.close();
      await cluster?.close();
    });

    async function tasksRun(expected: string): Promise<void> {
      const look = async (): Promise<void> => {
        const job = (await client.readJobs(signal)).find((candidate) => candidate.flinkJobId === flinkJobId);
        expect(`${job?.state} ${job?.tasks.running}/${job?.tasks.total}`).toBe(expected);
      };
      await vi.waitFor(look, { timeout: 20_000, interval: 50 });
    }

    async function ask(of: (vertexName: string) => number): Promise<ReadonlyMap<string, unknown>> {
      const job = await client.readJob(flinkJobId, signal);
      const wanted = new Map(job!.vertices.map(({ id, name }) => [id, { lowerBound: 1, upperBound: of(name) }]));
      await client.putResourceRequirements(flinkJobId, wanted, signal);
      return wanted;
    }

    it("says that it can rescale in place", async () => {
      expect(await client.readConfig(signal)).toMatchObject({ flinkVersion: version, features: { webRescale: true } });
      expect(await client.readJobManagerConfig(signal)).toMatchObject({ scheduler: "adaptive" });
    });

    it("rescales a job under the same id", async () => {
      const fileName = "counter.jar";
      const jarId = await client.uploadJar({ fileName, path: TEST_JOB_JAR, size: (await stat(TEST_JOB_JAR)).size }, signal);
      const program = { entryClass: TEST_JOB_CLASS, programArgs: ["--rate", "500"], parallelism: 2 };
      const flinkConfiguration = { "execution.checkpointing.interval": "300 ms" };
      await client.runJar(jarId, { flinkVersion: version, flinkJobId, ...program, flinkConfiguration }, signal);
      await tasksRun("RUNNING 3/3");
      const wanted = await ask((name) => (name.startsWith("counter") ? 4 : 1));
      expect(await client.readResourceRequirements(flinkJobId, signal)).toEqual(wanted);
      await tasksRun("RUNNING 5/5");
    });

    it("reaches what there are slots for, and keeps what was asked for", async () => {
      const wanted = await ask((name) => (name.startsWith("counter") ? 6 : 1));
      await tasksRun("RUNNING 5/5");
      expect(await client.readResourceRequirements(flinkJobId, signal)).toEqual(wanted);
    });

    it("does what is asked for by our own operation, as far as the vertices go", async () => {
      const ours = ourClusterAt(cluster.url);
      const rescale = async (from: number, to: number) => rescaleInPlace(ours, flinkJobId, { from, to }, signal);
      // 6 were asked for and 4 reached: what follows the job's parallelism is known all the same.
      expect(await rescale(6, 3)).toEqual({ kind: "asked" });
      await tasksRun("RUNNING 4/4");
      expect(await rescale(3, 200)).toEqual({ kind: "asked" });
      await tasksRun("RUNNING 5/5");
      const asked = [...(await client.readResourceRequirements(flinkJobId, signal)).values()];
      expect(asked.map(({ upperBound }) => upperBound).toSorted((a, b) => a - b)).toEqual([1, 128]);
      expect(cappedParallelism((await client.readJob(flinkJobId, signal))!, 200)).toBe(128);
      const unknown = randomBytes(16).toString("hex");
      expect(await rescaleInPlace(ours, unknown, { from: 1, to: 2 }, signal)).toMatchObject({ kind: "refused" });
      const seen = await ours.look({ maxAgeMs: 0, slots: false, restorePointsOf: [] }, 10_000, signal);
      expect(seen).toMatchObject({ kind: "reachable", scheduler: "adaptive", inPlaceRescale: true });
      await ours.client.close();
    });

    it("refuses what cannot be", async () => {
      await expect(ask((name) => (name.startsWith("counter") ? 200 : 1))).rejects.toMatchObject({
        data: { status: 400 },
        line: expect.stringContaining("The newly requested parallelism 200 for the job vertex"),
      });
      await expect(client.putResourceRequirements(flinkJobId, new Map(), signal)).rejects.toMatchObject({
        data: { status: 400 },
      });
      const [{ id } = { id: "" }] = (await client.readJob(flinkJobId, signal))!.vertices;
      const incomplete = new Map([[id, { lowerBound: 1, upperBound: 1 }]]);
      await expect(client.putResourceRequirements(flinkJobId, incomplete, signal)).rejects.toMatchObject({
        line: expect.stringContaining("The request is incomplete, missing job vertex"),
      });
    });
  });
}
