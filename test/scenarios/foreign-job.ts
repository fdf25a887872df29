import { stat } from "node:fs/promises";
import { systemClock } from "../../src/common/clock.ts";
import { FlinkClient } from "../../src/flink/flink-client.ts";
import type { FakeFlink } from "../support/fake-flink.ts";
import { TEST_JOB_CLASS, TEST_JOB_JAR } from "../support/test-job.ts";

/** Starts a job as somebody else would who uses the same cluster. */
export async function startForeignJob(flink: FakeFlink, flinkJobId: string, name: string, parallelism = 1): Promise<void> {
  const signal = new AbortController().signal;
  const client = new FlinkClient({ name: "foreign", url: flink.url, timeoutMs: 10_000 }, { clock: systemClock });
  try {
    const { size } = await stat(TEST_JOB_JAR);
    const jarId = await client.uploadJar({ fileName: "theirs.jar", path: TEST_JOB_JAR, size }, signal);
    const program = { entryClass: TEST_JOB_CLASS, programArgs: ["--name", name], parallelism, flinkConfiguration: {} };
    await client.runJar(jarId, { ...program, flinkVersion: flink.version, flinkJobId }, signal);
  } finally {
    await client.close();
  }
}
