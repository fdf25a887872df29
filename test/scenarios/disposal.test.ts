import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { aRunningJob, type JobText } from "./manifests.ts";
import type { RunningDaemon } from "./running-daemon.ts";
import { createWorld, isRunning, RUN, type World, type WorldOptions, untilCheckpointed } from "./world.ts";

const DISPOSAL = /^POST \/savepoint-disposal$/;

interface RescaledWorld {
  readonly world: World;
  readonly daemon: RunningDaemon;
  /** Of each rescale, oldest first. */
  readonly savepoints: readonly string[];
}

const orders = async (rpus: number, more: JobText = {}) => aRunningJob("orders", { rpus, ...more });

/** `orders` after so many rescales, the last one with a checkpoint of its own. */
async function aRescaledWorld(rescales: number, options: WorldOptions = {}): Promise<RescaledWorld> {
  const world = await createWorld(options);
  await world.push(await orders(1));
  const daemon = world.startDaemon();
  await daemon.untilJob("orders", isRunning);
  const savepoints: string[] = [];
  for (let attempt = 2; attempt <= rescales + 1; attempt += 1) {
    await daemon.untilAtRest();
    await world.push(await orders(attempt % 2 === 0 ? 2 : 1));
    const status = await daemon.untilJob("orders", (now) => isRunning(now) && now.attempt === attempt);
    savepoints.push(status.startedFrom!.uri);
  }
  return { world, daemon, savepoints };
}

/** What the checkpoint of the attempt that runs lets loose. */
async function completeCheckpoint({ world, daemon }: RescaledWorld): Promise<void> {
  const id = (await world.job("orders"))!.status.flinkJobId!;
  await untilCheckpointed(world, daemon, id);
}

const isThere = (uri: string): boolean => existsSync(fileURLToPath(uri));
const hasNoDisposal = ({ disposal }: { readonly disposal?: unknown }): boolean => disposal === undefined;

describe.concurrent("savepoints that a Job left behind", () => {
  it("are disposed of after three newer ones, each announced before, once its attempt has a checkpoint of its own", async () => {
    const rescaled = await aRescaledWorld(5);
    await using world = rescaled.world;
    const { daemon, savepoints } = rescaled;
    await daemon.untilAtRest();
    expect(savepoints.map(isThere)).toEqual([true, true, true, true, true]);
    expect(world.flink.countCalls(DISPOSAL)).toBe(0);

    await completeCheckpoint(rescaled);
    await daemon.untilJob("orders", ({ savepoints: left }) => left?.length === 2);
    await daemon.untilAtRest();
    expect(savepoints.map(isThere)).toEqual([false, false, false, true, true]);
    expect(world.flink.countCalls(DISPOSAL)).toBe(3);
    expect((await world.job("orders"))?.status).toMatchObject({ flinkJobState: "Running", attempt: 6 });
    const commits = await world.statusCommits();
    expect(commits.filter((message) => message.includes("an old restore point")).length).toBeGreaterThan(0);
    await daemon.passes(5);
    expect(await world.statusCommits()).toEqual(commits);
  });

  it("stay when the policy says so, and as many as it says", async () => {
    const rescaled = await aRescaledWorld(3, { config: { policy: { restorePoints: { keep: 2 } } } });
    await using world = rescaled.world;
    const { daemon, savepoints } = rescaled;
    await daemon.stop();
    const keeping = world.startDaemon((config) => ({
      ...config,
      policy: { ...config.policy, restorePoints: { dispose: false, keep: 2 } },
    }));
    await completeCheckpoint({ ...rescaled, daemon: keeping });
    await keeping.passes(5);
    await keeping.untilAtRest();
    await keeping.stop();
    expect(savepoints.map(isThere)).toEqual([true, true, true]);
    const disposing = world.startDaemon();
    await disposing.untilJob("orders", ({ savepoints: left }) => left?.length === 1);
    expect(savepoints.map(isThere)).toEqual([false, false, true]);
  });

  it("that Flink cannot remove hold nothing up: the Job is rescaled meanwhile, and it is given up after some tries", async () => {
    const rescaled = await aRescaledWorld(3, { config: { policy: { restorePoints: { keep: 1 } } } });
    await using world = rescaled.world;
    const { daemon, savepoints } = rescaled;
    world.flink.failDisposals("permission denied");
    await completeCheckpoint(rescaled);
    await daemon.untilJob("orders", ({ disposal }) => disposal !== undefined);
    await world.push(await orders(3));
    await daemon.untilJob("orders", (status) => isRunning(status) && status.attempt === 5);
    for (let tries = 2; tries <= 3; tries += 1) {
      world.clock.pass(600_000);
      await world.flink.untilCalled(DISPOSAL, tries);
    }
    world.clock.pass(600_000);
    await daemon.untilJob("orders", hasNoDisposal);
    await daemon.untilAtRest();
    expect(savepoints.map(isThere)).toEqual([true, true, true]);
    expect((await world.job("orders"))?.status).toMatchObject({ flinkJobState: "Running", attempt: 5 });
  });

  it("are disposed of by the next daemon when the one that announced it was killed", async () => {
    await using world = await createWorld({ config: { policy: { restorePoints: { keep: 1 } } } });
    await world.push(await orders(1));
    const killed = world.startProcess();
    await killed.untilLog("Pending → Ready, Running");
    await world.push(await orders(2));
    await world.flink.untilCalled(RUN, 2);
    await world.push(await orders(1));
    await world.flink.untilCalled(RUN, 3);
    world.flink.inject(DISPOSAL, { kind: "hang" });
    const live = world.flink.jobs.find(({ state }) => state === "RUNNING")!;
    world.flink.completeCheckpoint(live.flinkJobId);
    await world.flink.untilCalled(DISPOSAL);
    await killed.kill();
    world.flink.clearFaults();
    const [savepoint] = (await world.job("orders"))!.status["savepoints"] as readonly { readonly uri: string }[];
    expect(isThere(savepoint!.uri)).toBe(true);
    const daemon = world.startDaemon();
    await daemon.untilJob("orders", (status) => hasNoDisposal(status) && status.savepoints?.length === 1);
    expect(isThere(savepoint!.uri)).toBe(false);
  });
});
