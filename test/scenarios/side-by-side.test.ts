import { describe, expect, it } from "vitest";
import type { Config } from "../../src/config/config.ts";
import { startLink, type Link } from "../support/link.ts";
import { aJob, anArtifact, aRunningJob, counterJar } from "./manifests.ts";
import { pushRpus } from "./orders.ts";
import type { RunningDaemon } from "./running-daemon.ts";
import {
  completeCheckpoint,
  conditionOf,
  createWorld,
  has,
  isRunning,
  RUN,
  untilCheckpointed,
  WRITES,
  type World,
} from "./world.ts";

const STOP = /^POST \/jobs\/[0-9a-f]{32}\/stop$/;
const ONE_JOB = /^GET \/jobs\/[0-9a-f]{32}$/;
const TEN = Array.from({ length: 10 }, (_, number) => `job-${number}`);
/** Two daemons, and often two processes, on a machine that may be busy. */
const LONG = { timeout: 180_000 };
/** What a survivor may take, by its own clock. */
const HALF_A_MINUTE_MS = 30_000;

/** So that a daemon's way to Flink and to Git is its own. */
function through(link: Link): (config: Config) => Config {
  return (config) => ({ ...config, proxy: { http: link.url, https: "", no: "" } });
}

interface TwoDaemons extends AsyncDisposable {
  readonly world: World;
  readonly first: RunningDaemon;
  /** The one whose way goes through the link. */
  readonly second: RunningDaemon;
  readonly link: Link;
  readonly flinkJobId: string;
}

/** `orders` runs with 2 rpus and has completed a checkpoint, and both know it. */
async function twoDaemons(change: (config: Config) => Config = (same) => same): Promise<TwoDaemons> {
  const link = await startLink();
  const world = await createWorld();
  await world.push(await aRunningJob("orders"));
  const first = world.startDaemon();
  const { flinkJobId } = await first.untilJob("orders", isRunning);
  await untilCheckpointed(world, first, flinkJobId!);
  const second = world.startDaemon((config) => change(through(link)(config)));
  await second.untilJob("orders", ({ checkpointed }) => checkpointed === flinkJobId);
  return {
    world,
    first,
    second,
    link,
    flinkJobId: flinkJobId!,
    async [Symbol.asyncDispose]() {
      await world[Symbol.asyncDispose]();
      await link[Symbol.asyncDispose]();
    },
  };
}

/** Both look so often. */
async function passes({ first, second }: TwoDaemons, count: number): Promise<void> {
  await Promise.all([first.passes(count), second.passes(count)]);
}

/** Whether a while comes in which nobody writes, although either one passes often enough to take back what the other one told. */
async function comesToRest(two: TwoDaemons): Promise<boolean> {
  for (let tries = 0; tries < 8; tries += 1) {
    const before = await commitsOf(two.world);
    await passes(two, 20);
    if ((await commitsOf(two.world)) === before) return true;
  }
  return false;
}

async function commitsOf(world: World): Promise<number> {
  return (await world.statusCommits()).length;
}

describe("two processes of one instance", LONG, () => {
  it("that begin at once on an empty branch start ten jobs once each", async () => {
    await using world = await createWorld({ flink: { slots: 40 } });
    const jobs = TEN.map((name) => aJob(name, { artifact: "app" })).join("");
    await world.push({ "jobs.yaml": anArtifact("app") + jobs, "jars/counter.jar": await counterJar() });
    world.startProcess();
    world.startProcess();
    const watch = world.startDaemon();
    for (const name of TEN) await watch.untilJob(name, isRunning);
    await watch.untilAtRest();
    expect(world.flink.jobs).toHaveLength(TEN.length);
    for (const name of TEN) expect((await world.job(name))?.status).toMatchObject({ attempt: 1, run: 1 });
  });
});

describe("a daemon that is killed right after it announced", LONG, () => {
  it("a start is followed within half a minute by the other one, under the same id", async () => {
    await using world = await createWorld();
    await using link = await startLink();
    await world.push({ "README.md": "nothing yet" });
    const survivor = world.startDaemon(through(link));
    await survivor.passes(2);
    link.freeze("refs/heads/main"); // so that it is the other one who announces
    const killed = world.startProcess();
    world.flink.inject(ONE_JOB, { kind: "hang" });
    await world.push(await aRunningJob("orders"));
    await world.flink.untilCalled(ONE_JOB);
    await killed.kill();
    const announced = (await world.job("orders"))?.status.operation;
    expect(announced).toMatchObject({ attempt: 1 });
    world.flink.clearFaults();

    link.thaw();
    await survivor.untilJob("orders", ({ operation }) => operation !== undefined);
    world.clock.pass(HALF_A_MINUTE_MS);
    await survivor.untilJob("orders", isRunning);
    await survivor.untilAtRest();
    expect(world.flink.jobs.map(({ flinkJobId }) => flinkJobId)).toEqual([announced?.flinkJobId]);
    expect(world.flink.countCalls(RUN)).toBe(1);
    expect((await world.job("orders"))?.status).toMatchObject({ attempt: 1, run: 1 });
  });

  it("a rescale is followed by the other one, which stops the job once and starts the announced attempt", async () => {
    await using world = await createWorld();
    await using link = await startLink();
    await world.push(await aRunningJob("orders"));
    const survivor = world.startDaemon(through(link));
    const { flinkJobId } = await survivor.untilJob("orders", isRunning);
    await untilCheckpointed(world, survivor, flinkJobId!);
    await survivor.untilAtRest();
    const killed = world.startProcess();
    link.freeze("refs/heads/main");
    world.flink.inject(STOP, { kind: "hang" }, 1);
    await pushRpus(world, 4);
    await world.flink.untilCalled(STOP);
    await killed.kill();

    link.thaw();
    await survivor.untilJob("orders", ({ operation }) => operation?.kind === "stop");
    world.clock.pass(HALF_A_MINUTE_MS);
    await survivor.untilJob("orders", (status) => isRunning(status) && status.parallelism === 4);
    await survivor.untilAtRest();
    expect((await world.job("orders"))?.status).toMatchObject({ attempt: 2, run: 1, requestedRpus: 4 });
    expect(world.flink.countCalls(STOP)).toBe(2); // one of them never arrived
    expect(world.flink.jobs.filter(({ state }) => state === "RUNNING")).toHaveLength(1);
  });
});

describe("two daemons of one instance side by side", LONG, () => {
  it("rescale once: whoever announced it does it, and the other one looks on", async () => {
    await using two = await twoDaemons();
    const { world, first, second } = two;
    const runs = world.flink.countCalls(RUN);
    await pushRpus(world, 4);
    await Promise.all(
      [first, second].map((daemon) => daemon.untilJob("orders", (now) => isRunning(now) && now.parallelism === 4)),
    );
    world.clock.pass(60_000); // a first checkpoint is complete by then
    for (const daemon of [first, second])
      await daemon.untilJob("orders", ({ checkpointed, flinkJobId }) => checkpointed === flinkJobId);
    await Promise.all([first.untilAtRest(), second.untilAtRest()]);
    expect((await world.job("orders"))?.status).toMatchObject({ attempt: 2, requestedRpus: 4 });
    expect([world.flink.countCalls(STOP), world.flink.countCalls(RUN) - runs]).toEqual([1, 1]);
    const commits = await commitsOf(world);
    world.clock.pass(60_000);
    await passes(two, 5);
    expect(await commitsOf(world)).toBe(commits);
  });

  it("of which one cannot reach the cluster do not tell it in turns: who sees is believed", async () => {
    await using two = await twoDaemons();
    const { world, first, second, link } = two;
    await first.untilAtRest();
    link.cut(new URL(world.flink.url));
    await second.until("the cluster is away", ({ observed }) => observed.clusters.some(({ kind }) => kind === "unreachable"));
    expect(await comesToRest(two)).toBe(true);
    await first.untilJob("orders", has("Healthy", "AllTasksRunning"));
    expect(conditionOf(await world.job("orders"), "Healthy")?.reason).toBe("AllTasksRunning");
    expect(world.flink.jobs).toHaveLength(1);

    await pushRpus(world, 4);
    await first.untilJob("orders", (now) => isRunning(now) && now.parallelism === 4);
    link.mend(new URL(world.flink.url));
    world.clock.pass(60_000);
    await second.untilJob("orders", (now) => isRunning(now) && now.parallelism === 4);
    expect((await world.job("orders"))?.status).toMatchObject({ attempt: 2 });
    expect(world.flink.countCalls(STOP)).toBe(1);
  });

  it("of which one is shown an old commit do not rescale to and fro: it waits for the one that the status was made with", async () => {
    await using two = await twoDaemons();
    const { world, first, second, link } = two;
    link.freeze("refs/heads/main");
    await pushRpus(world, 4);
    await first.untilJob("orders", (now) => isRunning(now) && now.parallelism === 4);
    expect((await second.untilBlind()).because).toMatch(/^the status was made with commit [0-9a-f]{40}, which the branch at/);
    const [commits, writes] = [await commitsOf(world), world.flink.countCalls(WRITES)];
    await passes(two, 3);
    expect([await commitsOf(world), world.flink.countCalls(WRITES)]).toEqual([commits, writes]);
    link.thaw();
    await second.untilJob("orders", ({ requestedRpus }) => requestedRpus === 4);
    await second.untilAtRest();
    expect((await world.job("orders"))?.status).toMatchObject({ attempt: 2, requestedRpus: 4 });
    expect(world.flink.countCalls(STOP)).toBe(1);
  });

  it("of different configurations do not rewrite each other's status for ever, nor rescale", async () => {
    await using two = await twoDaemons((config) => ({
      ...config,
      zones: new Map([...config.zones, ["elsewhere", { ...config.zones.get("local")!, name: "elsewhere", clusters: [] }]]),
      policy: { ...config.policy, runtimeUpdates: "manual" },
    }));
    const { world, first, second } = two;
    await pushRpus(world, 4);
    for (const daemon of [first, second]) await daemon.untilJob("orders", (now) => isRunning(now) && now.parallelism === 4);
    completeCheckpoint(world, (await world.job("orders"))!.status.flinkJobId!);
    await first.untilJob("orders", ({ checkpointed, flinkJobId }) => checkpointed === flinkJobId);
    expect(await comesToRest(two)).toBe(true);
    expect((await world.job("orders"))?.status).toMatchObject({ attempt: 2, requestedRpus: 4 });
    expect(world.flink.countCalls(STOP)).toBe(1);
  });
});
