import { setTimeout as delay } from "node:timers/promises";
import { TEST_JOB_JAR } from "../support/test-job.ts";
import { counterFiles, createBenchWorld, jobManifest, PROGRAM_ARGS, type BenchOptions, type BenchWorld } from "./bench-world.ts";
import { hasAllTasksRunning, type ListedJob } from "./flink-script.ts";
import { letItRest } from "./measure-pairs.ts";

export type RescaleWay = "by savepoint" | "in place";

/** One rescale by each side. */
export interface RescalePair {
  readonly from: number;
  readonly to: number;
  readonly plain: Interruption;
  readonly penstock: Interruption;
}

/** In milliseconds; of one job, as `/jobs/overview` shows it when it is asked every 5 ms. */
export interface Interruption {
  /** Not all tasks running: from the last answer before that showed them, to the first one with the new parallelism. */
  readonly downMs: number;
  /** Of that, until the job that comes after is listed; nothing where it is the same one. */
  readonly untilListedMs: number;
}

const NAME = "rescaled";
const WARM_UP_PAIRS = 3;
const SLOTS = 10;
const POLL_MS = 5;
const PATIENCE_MS = 90_000;
/** Often, since a job can only be rescaled in place after a checkpoint of its own. Both sides have it. */
const CONFIGURATION = { "execution.checkpointing.interval": "1s" };
/** Without these Flink itself waits for half a minute before and after each rescale. */
const IMPATIENT = {
  "jobmanager.scheduler": "adaptive",
  "jobmanager.adaptive-scheduler.scaling-interval.min": "100ms",
  "jobmanager.adaptive-scheduler.scaling-interval.max": "1s",
  "jobmanager.adaptive-scheduler.resource-stabilization-timeout": "100ms",
};

/** Two jobs alike on one cluster, one of a plain script and one of Penstock, rescaled in turn between two slots and four. */
export async function measureRescale(way: RescaleWay, count: number, options: BenchOptions): Promise<readonly RescalePair[]> {
  const world = await createBenchWorld(SLOTS, { ...options, ...(way === "in place" ? { flink: IMPATIENT } : {}) });
  try {
    const { script } = world;
    const daemon = world.startDaemon();
    await world.push({ ...(await counterFiles()), ...manifest(2, options) });
    await world.untilCondition([NAME], "Recoverable");
    const ours = new Set((await script.jobs()).map(({ jid }) => jid));
    const jarId = await script.upload(TEST_JOB_JAR);
    const plain = {
      jobId: await script.run(jarId, PROGRAM_ARGS, { parallelism: 2, flinkConfiguration: CONFIGURATION }),
      jarId,
      ours,
    };
    const pairs: RescalePair[] = [];
    for (let index = 1; index <= count + WARM_UP_PAIRS; index += 1) {
      const [from, to] = index % 2 === 1 ? ([2, 4] as const) : ([4, 2] as const);
      const pair = {
        from,
        to,
        plain: await rescalePlain(world, plain, way, [from, to], options),
        penstock: await rescaleByPush(world, plain, to, options),
      };
      pairs.push(pair);
      options.say(`${way}, ${index <= WARM_UP_PAIRS ? "warm-up" : "pair"} ${index}: ${JSON.stringify(pair)}`);
    }
    for (const line of daemon.complaints()) options.say(`the daemon complained: ${line}`);
    return pairs.slice(WARM_UP_PAIRS);
  } finally {
    await world.close();
  }
}

/** The script's own job, and the ids that are Penstock's. */
interface Plain {
  jobId: string;
  readonly jarId: string;
  readonly ours: Set<string>;
}

async function rescalePlain(
  world: BenchWorld,
  plain: Plain,
  way: RescaleWay,
  [from, to]: readonly [number, number],
  { signal }: BenchOptions,
): Promise<Interruption> {
  await letItRest(signal);
  const { script, flink } = world;
  return watch(
    world,
    ({ jid }) => !plain.ours.has(jid),
    to,
    signal,
    async () => {
      if (way === "in place") return script.rescaleInPlace(plain.jobId, from, to);
      const savepointPath = await script.stopWithSavepoint(plain.jobId, flink.savepointsDir);
      const more = { parallelism: to, savepointPath, flinkConfiguration: CONFIGURATION };
      plain.jobId = await script.run(plain.jarId, PROGRAM_ARGS, more);
    },
  );
}

async function rescaleByPush(world: BenchWorld, plain: Plain, to: number, options: BenchOptions): Promise<Interruption> {
  await letItRest(options.signal);
  const theirs = new Set((await world.script.jobs()).map(({ jid }) => jid).filter((jid) => !plain.ours.has(jid)));
  const interruption = await watch(
    world,
    ({ jid }) => !theirs.has(jid),
    to,
    options.signal,
    async () => {
      await world.push(manifest(to, options));
    },
  );
  await world.untilCondition([NAME], "Recoverable");
  for (const { jid } of await world.script.jobs()) if (!theirs.has(jid)) plain.ours.add(jid);
  return interruption;
}

function manifest(rpus: number, { flinkVersion }: BenchOptions): Readonly<Record<string, string>> {
  return { [`jobs/${NAME}.yaml`]: jobManifest(NAME, flinkVersion, { rpus, configuration: CONFIGURATION }) };
}

/** The source has one task whatever the parallelism, as its program says. */
const FIXED_TASKS = 1;

async function watch(
  { script }: BenchWorld,
  isIts: (job: ListedJob) => boolean,
  to: number,
  signal: AbortSignal,
  work: () => Promise<void>,
): Promise<Interruption> {
  const deadlineMs = Date.now() + PATIENCE_MS;
  const before = new Set((await script.jobs()).map(({ jid }) => jid));
  const failed = new AbortController();
  const working = work().catch((error: unknown) => failed.abort(error));
  let upAtMs = Date.now();
  let listedAtMs: number | undefined;
  for (;;) {
    const askedAtMs = Date.now();
    const jobs = (await script.jobs()).filter(isIts);
    const nowMs = Date.now();
    failed.signal.throwIfAborted();
    if (jobs.some(({ jid }) => !before.has(jid))) listedAtMs ??= nowMs;
    const running = jobs.find(hasAllTasksRunning);
    if (running !== undefined && running.tasks.total === to + FIXED_TASKS) {
      await working;
      failed.signal.throwIfAborted();
      return { downMs: nowMs - upAtMs, untilListedMs: (listedAtMs ?? upAtMs) - upAtMs };
    }
    if (running !== undefined) upAtMs = nowMs;
    if (nowMs > deadlineMs) throw new Error(`after ${PATIENCE_MS / 1000} s Flink shows ${JSON.stringify(jobs)}`);
    await delay(Math.max(0, askedAtMs + POLL_MS - nowMs), undefined, { signal });
  }
}
