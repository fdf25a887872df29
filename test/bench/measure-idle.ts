import { setTimeout as delay } from "node:timers/promises";
import { createBenchWorld, jobFiles, type BenchOptions, type BenchWorld } from "./bench-world.ts";
import type { DaemonUnderTest } from "./daemon-under-test.ts";
import { startWithOneJob } from "./measure-pairs.ts";

/** What the daemon costs while nothing happens. */
export interface Idle {
  /** How often it asks Git. */
  readonly gitPoll: string;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly rssBytesAtStart: number;
  readonly rssBytesAtEnd: number;
  readonly flinkRequests: number;
  readonly gitRequests: number;
  /** Bodies of requests and answers. */
  readonly gitBytes: number;
}

export const IDLE_JOBS = 20;
/** After a start the details of all jobs are read again once. */
const SETTLE_MS = 15_000;
/** For so long no commit on the status branch: nothing is left to tell. */
const QUIET_MS = 10_000;

/** With the Git poll of the other measurements, by the daemon that has started the jobs; then with the default, by one that found them. */
export async function measureIdle(seconds: number, options: BenchOptions): Promise<readonly Idle[]> {
  const world = await createBenchWorld(IDLE_JOBS + 1, options);
  try {
    const first = await startWithOneJob(world, options);
    const names = Array.from({ length: IDLE_JOBS - 1 }, (_, index) => `idle-${index + 1}`);
    await world.push(jobFiles(names, options.flinkVersion));
    options.say(`waiting for the first checkpoint of ${IDLE_JOBS} jobs`);
    await world.untilCondition(["first", ...names], "Recoverable");
    await untilQuiet(world, options.signal);
    const busy = await measure(world, first, "1s", seconds, options);
    await first.stop();
    const second = world.startDaemon({ PENSTOCK__REPOSITORY__POLL_INTERVAL: "10s" });
    await delay(SETTLE_MS, undefined, { signal: options.signal });
    await untilQuiet(world, options.signal);
    return [busy, await measure(world, second, "10s", seconds, options)];
  } finally {
    await world.close();
  }
}

async function measure(
  world: BenchWorld,
  daemon: DaemonUnderTest,
  gitPoll: string,
  seconds: number,
  { signal, say }: BenchOptions,
): Promise<Idle> {
  say(`idle for ${seconds} s, asking Git every ${gitPoll}`);
  const [usage, requests] = await Promise.all([daemon.usage(), daemon.countRequests()]);
  world.git.resetTraffic();
  await delay(seconds * 1000, undefined, { signal });
  const traffic = (["git-upload-pack", "git-receive-pack"] as const).map((service) => world.git.traffic(service));
  const [usageAfter, requestsAfter] = await Promise.all([daemon.usage(), daemon.countRequests()]);
  const flink = world.flink.url.origin;
  return {
    gitPoll,
    seconds,
    cpuSeconds: usageAfter.cpuSeconds - usage.cpuSeconds,
    rssBytesAtStart: usage.rssBytes,
    rssBytesAtEnd: usageAfter.rssBytes,
    flinkRequests: (requestsAfter[flink] ?? 0) - (requests[flink] ?? 0),
    gitRequests: traffic.reduce((sum, { requests: count }) => sum + count, 0),
    gitBytes: traffic.reduce((sum, { bytesIn, bytesOut }) => sum + bytesIn + bytesOut, 0),
  };
}

async function untilQuiet(world: BenchWorld, signal: AbortSignal): Promise<void> {
  let head = await world.statusHead();
  for (let sinceMs = Date.now(); Date.now() - sinceMs < QUIET_MS;) {
    await delay(500, undefined, { signal });
    const now = await world.statusHead();
    if (now !== head) sinceMs = Date.now();
    head = now;
  }
}
