import { readFile } from "node:fs/promises";
import { onTestFinished } from "vitest";
import type { Clock } from "../../src/common/clock.ts";
import { createLog, type Log } from "../../src/common/log.ts";
import type { ClusterConfig } from "../../src/config/config.ts";
import { Cluster, type LookRequest } from "../../src/flink/cluster.ts";
import type { ReachableCluster } from "../../src/flink/cluster-seen.ts";
import type { Folders } from "../../src/flink/folders.ts";
import { FlinkClient } from "../../src/flink/flink-client.ts";
import type { JarFile } from "../../src/flink/multipart.ts";
import type { RunOptions } from "../../src/flink/run-request.ts";
import { startFakeFlink, type FakeFlink, type FakeFlinkOptions } from "../support/fake-flink.ts";
import { TEST_JOB_CLASS, TEST_JOB_JAR } from "../support/test-job.ts";
import { anAttempt, INSTANCE } from "../pass/builders.ts";

export const NEVER = new AbortController().signal;

/** Everything fresh; a test says what it wants to be otherwise. */
export const FRESH: LookRequest = { maxAgeMs: 0, slots: true, restorePointsOf: [] };
export const PATIENCE_MS = 10_000;

export interface Harness {
  readonly fake: FakeFlink;
  readonly cluster: Cluster;
  /** The same cluster as another process sees it. */
  readonly another: () => Cluster;
  readonly log: Log;
  /** The time that cluster, client and fake go by. */
  readonly clock: { nowMs: number };
  readonly logLines: readonly string[];
  /** A look that has to succeed. */
  readonly look: (request?: Partial<LookRequest>) => Promise<ReachableCluster>;
  /** How many calls an action costs. */
  readonly callsOf: (action: () => Promise<unknown>) => Promise<readonly string[]>;
  /** Runs the test job, without any help from what is tested. */
  readonly start: (attempt: number, options?: Partial<RunOptions>) => Promise<string>;
}

export async function aCluster(
  options: FakeFlinkOptions & Partial<Pick<ClusterConfig, "timeoutMs" | "savepointsDir">> & { readonly s3?: Folders } = {},
): Promise<Harness> {
  const time = { nowMs: Date.now() };
  const clock: Clock = { now: () => time.nowMs, random: () => 0.5 };
  const fake = await startFakeFlink({ version: "1.20.5", clock, ...options });
  onTestFinished(async () => fake.close());
  const logLines: string[] = [];
  const log = createLog({ level: "debug", people: false, stream: { write: (line) => void logLines.push(line) } });
  const config: ClusterConfig = {
    name: "main",
    url: fake.url,
    draining: false,
    timeoutMs: options.timeoutMs ?? 5000,
    ...(options.savepointsDir === undefined ? {} : { savepointsDir: options.savepointsDir }),
    pollIntervalMs: 5000,
    headers: new Map(),
    tls: {},
  };
  const another = (): Cluster => {
    const client = new FlinkClient(config, { clock });
    onTestFinished(async () => client.close());
    const s3 = options.s3 === undefined ? {} : { s3: options.s3 };
    return new Cluster({ zone: "local", config, client, instance: INSTANCE, clock, log, ...s3 });
  };
  const cluster = another();
  const { client } = cluster;
  let jarId: string | undefined;
  return {
    fake,
    cluster,
    another,
    log,
    clock: time,
    logLines,
    async look(request = {}) {
      const seen = await cluster.look({ ...FRESH, ...request }, PATIENCE_MS, NEVER);
      if (seen.kind === "unreachable") throw new Error(seen.because);
      return seen;
    },
    async callsOf(action) {
      const before = fake.calls.length;
      await action();
      return fake.calls.slice(before).map(({ method, path }) => `${method} ${path}`);
    },
    async start(attempt, overrides = {}) {
      jarId ??= await client.uploadJar(await theJar(), NEVER);
      const run = aRun(attempt, overrides);
      await client.runJar(jarId, run, NEVER);
      return run.flinkJobId;
    },
  };
}

/** The test job as it would be uploaded. */
export async function theJar(fileName = "test-1.jar"): Promise<JarFile> {
  return { path: TEST_JOB_JAR, size: (await readFile(TEST_JOB_JAR)).byteLength, fileName };
}

export function aRun(attempt: number, overrides: Partial<RunOptions> = {}): RunOptions {
  return {
    flinkVersion: "1.20.5",
    flinkJobId: anAttempt(attempt),
    entryClass: TEST_JOB_CLASS,
    programArgs: [],
    parallelism: 2,
    flinkConfiguration: { "execution.checkpointing.interval": "1 h" },
    ...overrides,
  };
}
