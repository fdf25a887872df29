import { githubPush } from "../support/deliveries.ts";
import { createBenchWorld, jobFiles, WEBHOOK_SECRET, type BenchOptions, type BenchWorld } from "./bench-world.ts";
import type { DaemonUnderTest } from "./daemon-under-test.ts";
import { letItRest, startWithOneJob, timeOf } from "./measure-pairs.ts";

/** One push of a new job that a webhook tells of, in milliseconds since the webhook was sent. */
export interface WebhookRound {
  readonly answeredMs: number;
  /** The daemon's line "branch moved". */
  readonly seenMs: number;
  /** The first call to Flink by the pass that has the new commit: it looks before it acts. */
  readonly firstCallMs: number;
  /** The call that runs the job, after the status was pushed. */
  readonly runCallMs: number;
}

const WARM_UP_ROUNDS = 5;

/** Git is never asked by itself here, so whatever happens is the webhook's doing. */
export async function measureWebhooks(count: number, options: BenchOptions): Promise<readonly WebhookRound[]> {
  const total = count + WARM_UP_ROUNDS;
  const world = await createBenchWorld(total + 1, options);
  try {
    const first = await startWithOneJob(world, options);
    await first.stop();
    const daemon = world.startDaemon({ PENSTOCK__REPOSITORY__POLL_INTERVAL: "24h" });
    await world.untilCondition(["first"], "Recoverable");
    const rounds: WebhookRound[] = [];
    for (let index = 1; index <= total; index += 1) {
      rounds.push(await measureRound(world, daemon, `hook-${index}`, options));
      options.say(`${index <= WARM_UP_ROUNDS ? "warm-up" : "webhook"} ${index}: ${JSON.stringify(rounds.at(-1))}`);
    }
    for (const line of daemon.complaints()) options.say(`the daemon complained: ${line}`);
    return rounds.slice(WARM_UP_ROUNDS);
  } finally {
    await world.close();
  }
}

async function measureRound(
  world: BenchWorld,
  daemon: DaemonUnderTest,
  name: string,
  options: BenchOptions,
): Promise<WebhookRound> {
  await letItRest(options.signal);
  await world.push(jobFiles([name], options.flinkVersion));
  const { path, headers, body } = githubPush(WEBHOOK_SECRET);
  const url = new URL(path, addressOf(daemon));
  const sentAtMs = Date.now();
  const response = await fetch(url, { method: "POST", headers, body, signal: options.signal });
  const answeredAtMs = Date.now();
  if (response.status !== 202) throw new Error(`the webhook was answered with ${response.status}: ${await response.text()}`);
  await response.arrayBuffer();
  await world.untilCondition([name], "Healthy");
  const seenAtMs = timeOf(daemon, "branch moved");
  const requests = (await daemon.newestRequests()).filter(
    ({ origin, atMs }) => origin === world.flink.url.origin && atMs >= seenAtMs,
  );
  const run = requests.find(({ path: called }) => called.endsWith("/run"));
  const [firstCall] = requests;
  if (firstCall === undefined || run === undefined) throw new Error("Flink was not called after the webhook");
  return {
    answeredMs: answeredAtMs - sentAtMs,
    seenMs: seenAtMs - sentAtMs,
    firstCallMs: firstCall.atMs - sentAtMs,
    runCallMs: run.atMs - sentAtMs,
  };
}

function addressOf(daemon: DaemonUnderTest): string {
  const line = daemon.find(({ msg }) => msg === "listening");
  if (line === undefined) throw new Error("the daemon does not listen");
  return (JSON.parse(line.text) as { readonly url: string }).url;
}
