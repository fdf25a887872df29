import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import type { FlinkState } from "../../src/flink/responses.ts";

/** A job inside the fake, as tests may look at it. */
export interface FakeJob {
  readonly flinkJobId: string;
  readonly name: string;
  readonly entryClass: string;
  readonly programArgs: readonly string[];
  /** What the job runs with, whichever way it came: launcher or flinkConfiguration. */
  readonly configuration: Readonly<Record<string, string>>;
  readonly jarId: string;
  readonly submittedAtMs: number;
  readonly restoredFrom: string | undefined;
  state: FlinkState;
  /** As submitted, or as an adaptive scheduler was told. */
  requestedParallelism: number;
  /** 1, as the program says, until an adaptive scheduler is told otherwise. */
  sourceParallelism: number;
  /** What it has slots for; 0 while it waits for them. */
  parallelism: number;
  endedAtMs: number | undefined;
  changedAtMs: number;
  /** Records counted so far: goes into savepoints and comes back out of them. */
  count: number;
  readonly checkpoints: FakeCheckpoint[];
  failedCheckpoints: number;
  readonly exceptions: { readonly stackTrace: string; readonly atMs: number }[];
}

export interface FakeCheckpoint {
  readonly id: number;
  readonly isSavepoint: boolean;
  readonly atMs: number;
  readonly externalPath: string;
}

/** Milliseconds of Flink's durations: `30s`, `5 min`, `250` (milliseconds); undefined when Flink would not read it. */
export function parseFlinkDurationMs(text: string): number | undefined {
  const match = /^(\d+)\s*(ms|milli|s|sec|second|seconds|m|min|minute|minutes|h|hour|hours|d|day|days)?$/.exec(text.trim());
  if (match === null) return undefined;
  const unit = match[2] ?? "ms";
  const factor = unit.startsWith("ms") || unit === "milli" ? 1 : { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[unit[0]!];
  return Number(match[1]) * (factor ?? 1);
}

export function checkpointIntervalMs(job: Pick<FakeJob, "configuration">): number | undefined {
  const written = job.configuration["execution.checkpointing.interval"];
  return written === undefined ? undefined : parseFlinkDurationMs(written);
}

export function retainsCheckpoints(job: Pick<FakeJob, "configuration">): boolean {
  return job.configuration["execution.checkpointing.externalized-checkpoint-retention"] === "RETAIN_ON_CANCELLATION";
}

/** Writes what Flink would write: a folder whose `_metadata` is there last. Ours holds the count, so that a restore goes on with it. */
export function writeMetadata(uri: string, job: Pick<FakeJob, "flinkJobId" | "count">): void {
  const folder = fileURLToPath(uri);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "_metadata"), JSON.stringify({ flinkJobId: job.flinkJobId, count: job.count }));
}

export function removeDirectory(uri: string): void {
  rmSync(fileURLToPath(uri), { recursive: true, force: true });
}

export function newestCheckpoint(job: FakeJob, isSavepoint: boolean): FakeCheckpoint | undefined {
  return job.checkpoints.findLast((checkpoint) => checkpoint.isSavepoint === isSavepoint);
}
