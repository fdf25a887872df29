import { setTimeout as delay } from "node:timers/promises";
import { TEST_JOB_JAR } from "../support/test-job.ts";
import { createBenchWorld, jobFiles, PROGRAM_ARGS, type BenchOptions, type BenchWorld } from "./bench-world.ts";
import type { DaemonUnderTest } from "./daemon-under-test.ts";
import { letItRest, startWithOneJob, timeOf } from "./measure-pairs.ts";
import { hasAllTasksRunning } from "./flink-script.ts";
import { watchNewJobs } from "./watch-jobs.ts";

/** Twenty new jobs by each side, in milliseconds until the last of them has all its tasks running. */
export interface TwentyRound {
  /** One after the other: upload the jar, run it, wait until it runs. */
  readonly plainMs: number;
  /** The same, but the jar is uploaded once for all. */
  readonly plainOneUploadMs: number;
  readonly fromPushMs: number;
  readonly fromSeenMs: number;
}

export const JOBS = 20;
const WARM_UP_ROUNDS = 1;
const SPARE_SLOTS = 4;

export async function measureTwenty(rounds: number, options: BenchOptions): Promise<readonly TwentyRound[]> {
  const total = rounds + WARM_UP_ROUNDS;
  const world = await createBenchWorld((total + 1) * JOBS + SPARE_SLOTS, options);
  try {
    const daemon = await startWithOneJob(world, options);
    const measured: TwentyRound[] = [];
    for (let index = 1; index <= total; index += 1) {
      const plainMs = await startSerially(world, "each", options.signal);
      const plainOneUploadMs = await startSerially(world, "once", options.signal);
      const round = { plainMs, plainOneUploadMs, ...(await startByOnePush(world, daemon, index, options)) };
      measured.push(round);
      options.say(`${index <= WARM_UP_ROUNDS ? "warm-up" : "round"} ${index}: ${JSON.stringify(round)}`);
    }
    for (const line of daemon.complaints()) options.say(`the daemon complained: ${line}`);
    return measured.slice(WARM_UP_ROUNDS);
  } finally {
    await world.close();
  }
}

/** Nothing else asks Flink meanwhile, which is to the advantage of this side. */
async function startSerially({ script }: BenchWorld, upload: "each" | "once", signal: AbortSignal): Promise<number> {
  await letItRest(signal);
  const jarIds: string[] = [];
  const jobIds: string[] = [];
  const startedAtMs = Date.now();
  for (let index = 0; index < JOBS; index += 1) {
    if (upload === "each" || index === 0) jarIds.push(await script.upload(TEST_JOB_JAR));
    const jobId = await script.run(jarIds.at(-1)!, PROGRAM_ARGS); // uploaded in the line above, or for the first job
    jobIds.push(jobId);
    while (!(await script.jobs()).some((job) => job.jid === jobId && hasAllTasksRunning(job)))
      await delay(5, undefined, { signal });
  }
  const runningMs = Date.now() - startedAtMs;
  for (const jobId of jobIds) await script.cancel(jobId);
  for (const jarId of jarIds) await script.deleteJar(jarId);
  return runningMs;
}

async function startByOnePush(
  world: BenchWorld,
  daemon: DaemonUnderTest,
  round: number,
  { flinkVersion, signal }: BenchOptions,
): Promise<Pick<TwentyRound, "fromPushMs" | "fromSeenMs">> {
  await letItRest(signal);
  const names = Array.from({ length: JOBS }, (_, index) => `round-${round}-job-${index + 1}`);
  let pushedAtMs = 0;
  const work = async (): Promise<void> => void (pushedAtMs = await world.push(jobFiles(names, flinkVersion)));
  const { runningAtMs } = await watchNewJobs(world.script, JOBS, work, signal);
  await world.untilCondition(names, "Healthy");
  return { fromPushMs: runningAtMs - pushedAtMs, fromSeenMs: runningAtMs - timeOf(daemon, "branch moved") };
}
