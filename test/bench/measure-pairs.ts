import { setTimeout as delay } from "node:timers/promises";
import { TEST_JOB_JAR } from "../support/test-job.ts";
import { counterFiles, createBenchWorld, jobFiles, PROGRAM_ARGS, type BenchOptions, type BenchWorld } from "./bench-world.ts";
import type { DaemonUnderTest } from "./daemon-under-test.ts";
import { watchNewJobs } from "./watch-jobs.ts";

/** One new job by each side, in milliseconds. */
export interface Pair {
  readonly plain: PlainStart;
  readonly penstock: PenstockStart;
}

/** From the begin of the upload. */
export interface PlainStart {
  readonly uploadedMs: number;
  readonly acceptedMs: number;
  readonly runningMs: number;
}

export interface PenstockStart {
  /** From the end of `git push` to all tasks running. */
  readonly fromPushMs: number;
  /** From the daemon's line "branch moved" to all tasks running, and to its lines on the way. */
  readonly fromSeenMs: number;
  readonly announcedMs: number;
  readonly acceptedMs: number;
}

/** Not counted: both JVMs compile what they run first. */
const WARM_UP_PAIRS = 5;
/** For the warm-up's, and while one is being cancelled. */
const SPARE_SLOTS = 4;

export async function measurePairs(count: number, options: BenchOptions): Promise<readonly Pair[]> {
  const total = count + WARM_UP_PAIRS;
  const world = await createBenchWorld(total + SPARE_SLOTS, options);
  try {
    const daemon = await startWithOneJob(world, options);
    const pairs: Pair[] = [];
    for (let index = 1; index <= total; index += 1) {
      const plain = await startPlain(world, options.signal);
      const penstock = await startByPush(world, daemon, `pair-${String(index).padStart(3, "0")}`, options);
      pairs.push({ plain, penstock });
      options.say(
        `${index <= WARM_UP_PAIRS ? "warm-up" : "pair"} ${index}: plain ${plain.runningMs} ms, Penstock ${JSON.stringify(penstock)}`,
      );
    }
    for (const line of daemon.complaints()) options.say(`the daemon complained: ${line}`);
    return pairs.slice(WARM_UP_PAIRS);
  } finally {
    await world.close();
  }
}

/** A daemon whose Artifact is Ready and whose cluster has the jar, after one job that does not count. */
export async function startWithOneJob(world: BenchWorld, { flinkVersion }: BenchOptions): Promise<DaemonUnderTest> {
  const daemon = world.startDaemon();
  await world.push({ ...(await counterFiles()), ...jobFiles(["first"], flinkVersion) });
  await world.untilCondition(["first"], "Healthy");
  return daemon;
}

async function startPlain({ script }: BenchWorld, signal: AbortSignal): Promise<PlainStart> {
  await letItRest(signal);
  let startedAtMs = 0;
  let uploadedAtMs = 0;
  let acceptedAtMs = 0;
  let jarId = "";
  let jobId = "";
  const { runningAtMs } = await watchNewJobs(
    script,
    1,
    async () => {
      startedAtMs = Date.now();
      jarId = await script.upload(TEST_JOB_JAR);
      uploadedAtMs = Date.now();
      jobId = await script.run(jarId, PROGRAM_ARGS);
      acceptedAtMs = Date.now();
    },
    signal,
  );
  await script.cancel(jobId);
  await script.deleteJar(jarId);
  return {
    uploadedMs: uploadedAtMs - startedAtMs,
    acceptedMs: acceptedAtMs - startedAtMs,
    runningMs: runningAtMs - startedAtMs,
  };
}

async function startByPush(
  world: BenchWorld,
  daemon: DaemonUnderTest,
  name: string,
  { flinkVersion, signal }: BenchOptions,
): Promise<PenstockStart> {
  await letItRest(signal);
  let pushedAtMs = 0;
  const { runningAtMs } = await watchNewJobs(
    world.script,
    1,
    async () => void (pushedAtMs = await world.push(jobFiles([name], flinkVersion))),
    signal,
  );
  // Until the daemon has told of it too: then it is at rest, and all of its lines are there.
  await world.untilCondition([name], "Healthy");
  const seenAtMs = timeOf(daemon, "branch moved");
  return {
    fromPushMs: runningAtMs - pushedAtMs,
    fromSeenMs: runningAtMs - seenAtMs,
    announcedMs: timeOf(daemon, "submitting", name) - seenAtMs,
    acceptedMs: timeOf(daemon, "Flink accepted the job", name) - seenAtMs,
  };
}

/** Of the newest such line of the daemon, or the newest about this job. */
export function timeOf(daemon: DaemonUnderTest, msg: string, job = ""): number {
  const line = daemon.find((candidate) => candidate.msg === msg && candidate.job.endsWith(job));
  if (line === undefined) throw new Error(`the daemon never logged "${msg}"`);
  return line.atMs;
}

/** Both sides begin on a machine at rest, and at any moment between two polls. */
export async function letItRest(signal: AbortSignal): Promise<void> {
  await delay(700 + 1000 * Math.random(), undefined, { signal });
}
