import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { systemClock } from "../../src/common/clock.ts";
import { messageOf } from "../../src/common/errors.ts";
import { FlinkUnreachableError } from "../../src/flink/errors.ts";
import { FlinkClient } from "../../src/flink/flink-client.ts";
import { listRestorePoints, newestRestorePoint } from "../../src/flink/restore-directories.ts";
import type { RunOptions } from "../../src/flink/run-request.ts";
import { type RealFlink, type RealFlinkOptions, startRealFlink } from "../support/real-flink.ts";
import { TEST_JOB_CLASS, TEST_JOB_JAR } from "../support/test-job.ts";

const signal = new AbortController().signal;

/** A cluster, a client for it and the test job on it. */
interface Setting {
  readonly flink: RealFlink;
  readonly client: FlinkClient;
  readonly run: (options: Partial<RunOptions>) => Promise<string>;
  readonly tasksOf: (flinkJobId: string) => Promise<string>;
  readonly close: () => Promise<void>;
}

async function aSetting(options: RealFlinkOptions): Promise<Setting> {
  const flink = await startRealFlink(options);
  const client = new FlinkClient({ name: "real", url: flink.url, timeoutMs: 5000 }, { clock: systemClock });
  const size = (await stat(TEST_JOB_JAR)).size;
  return {
    flink,
    client,
    run: async (changes) => {
      const flinkJobId = randomBytes(16).toString("hex");
      const jar = await client.uploadJar({ fileName: "counter.jar", path: TEST_JOB_JAR, size }, signal);
      const common = { flinkVersion: flink.version, flinkJobId, entryClass: TEST_JOB_CLASS, parallelism: 2 };
      const defaults = { programArgs: ["--rate", "500"], flinkConfiguration: OPTIONS };
      await client.runJar(jar, { ...common, ...defaults, ...changes }, signal);
      return flinkJobId;
    },
    tasksOf: async (flinkJobId) => {
      const job = (await client.readJobs(signal)).find((candidate) => candidate.flinkJobId === flinkJobId);
      return `${job?.state} ${job?.tasks.running}/${job?.tasks.total}`;
    },
    close: async () => {
      await client.close();
      await flink.stop();
    },
  };
}

const OPTIONS = {
  "execution.checkpointing.interval": "300 ms",
  "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
  "restart-strategy": "fixed-delay",
  "restart-strategy.fixed-delay.attempts": "1000",
  "restart-strategy.fixed-delay.delay": "300 ms",
};

async function eventually<T>(look: () => Promise<T>): Promise<T> {
  return vi.waitFor(look, { timeout: 40_000, interval: 100 });
}

describe("a real cluster", () => {
  let setting: Setting;
  let folder: string;
  beforeAll(async () => {
    setting = await aSetting({ version: "1.20.5", slots: 4 });
    folder = await mkdtemp(join(tmpdir(), "penstock-real-flink-"));
  });
  afterAll(async () => {
    await setting?.close();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });
  afterEach(async () => {
    for (const { flinkJobId } of await setting.client.readJobs(signal)) await setting.client.cancelJob(flinkJobId, signal);
  });

  it("counts every number once, across a stop with a savepoint and another parallelism", async () => {
    const { client, flink, run, tasksOf } = setting;
    const out = join(folder, "exact.txt");
    const programArgs = ["--rate", "1000", "--n", "3000", "--out", out];
    const first = await run({ programArgs, parallelism: 1 });
    await eventually(async () => expect(await readFile(out, "utf8")).toMatch(/^640 /m));
    const triggerId = randomBytes(16).toString("hex");
    const targetDirectory = `${flink.savepointsDir}/${first}/${triggerId}`;
    await client.stopWithSavepoint(first, { triggerId, targetDirectory, drain: false }, signal);
    const path = await eventually(async () => {
      const operation = await client.readSavepointOperation(first, triggerId, signal);
      if (operation.kind !== "completed") throw new Error(`the stop is ${operation.kind}`);
      return operation.location;
    });
    await eventually(async () => expect(await tasksOf(first)).toMatch(/^FINISHED/));
    const second = await run({ programArgs, parallelism: 3, restore: { path, allowNonRestoredState: false } });
    await eventually(async () => expect(await tasksOf(second)).toMatch(/^FINISHED/));
    const counts = (await readFile(out, "utf8")).match(/^\d+ \d+$/gm);
    expect(counts).toEqual(Array.from({ length: Math.ceil(3000 / 64) }, (_, index) => `${index * 64} ${index + 1}`));
  });

  it("restarts a job by itself when a TaskManager comes back", async () => {
    const { client, flink, run, tasksOf } = setting;
    const flinkJobId = await run({});
    await eventually(async () => expect(await tasksOf(flinkJobId)).toBe("RUNNING 3/3"));
    await eventually(async () => expect((await client.readCheckpoints(flinkJobId, signal))?.counts.completed).toBeGreaterThan(0));
    await flink.killTaskManager();
    await eventually(async () => expect(await tasksOf(flinkJobId)).toMatch(/^RESTARTING/));
    expect((await client.readExceptions(flinkJobId, signal))?.cause.line).toMatch(/./);
    await flink.startTaskManager();
    await eventually(async () => expect(await tasksOf(flinkJobId)).toBe("RUNNING 3/3"));
  });

  it("forgets its jobs with its JobManager, but their checkpoints stay", async () => {
    const { client, flink, run, tasksOf } = setting;
    const flinkJobId = await run({});
    await eventually(async () => expect((await client.readCheckpoints(flinkJobId, signal))?.counts.completed).toBeGreaterThan(0));
    const { incarnation } = await client.readJobManagerConfig(signal);
    await flink.killJobManager();
    await expect(client.readJobs(signal)).rejects.toBeInstanceOf(FlinkUnreachableError);
    await flink.restartJobManager();
    expect(await eventually(async () => client.readJobs(signal))).toEqual([]);
    expect(await client.readJob(flinkJobId, signal)).toBeUndefined();
    expect((await client.readJobManagerConfig(signal)).incarnation).not.toBe(incarnation);

    const left = await listRestorePoints(flink.checkpointsDir, flinkJobId, signal);
    const newest = left.kind === "listed" ? newestRestorePoint(left.entries) : undefined;
    const restore = { path: newest!.uri, allowNonRestoredState: false };
    const next = await run({ restore });
    await eventually(async () => expect(await tasksOf(next)).toBe("RUNNING 3/3"));
    await eventually(async () => expect((await client.readCheckpoints(next, signal))?.counts.restored).toBe(1));
  });

  it("says why it did not start", async () => {
    const broken = startRealFlink({ version: "1.20.5", config: { "taskmanager.memory.task.heap.size": "a lot" } });
    const message = await broken.then(() => "it did start", messageOf);
    expect(message).toMatch(/^Flink 1\.20\.5 did not start: .*ended with status[^]*taskmanager/);
    const [, logs = ""] = /^Its logs are in (\S+);/m.exec(message) ?? [];
    await rm(logs, { recursive: true });
  });
});
