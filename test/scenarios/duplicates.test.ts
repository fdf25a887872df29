import { describe, expect, it } from "vitest";
import { startForeignJob } from "./foreign-job.ts";
import { aRunningJob } from "./manifests.ts";
import type { RunningDaemon } from "./running-daemon.ts";
import { conditionOf, createWorld, has, isRunning, RUN, STATUS_BRANCH, type World } from "./world.ts";

const ORDERS = "local/default/job/orders.yaml";

interface TwoWorlds {
  readonly world: World;
  readonly daemon: RunningDaemon;
  readonly flinkJobId: string;
}

const orders = async (rpus = 2) => aRunningJob("orders", { rpus, configuration: { "execution.checkpointing.interval": "10s" } });

/** `orders` runs on `main`; there is a second cluster in its zone. */
async function aRunningWorld(): Promise<TwoWorlds> {
  const world = await createWorld({ clusters: { other: {} } });
  await world.push(await orders());
  const daemon = world.startDaemon();
  const { flinkJobId } = await daemon.untilJob("orders", isRunning);
  await daemon.untilAtRest();
  return { world, daemon, flinkJobId: flinkJobId! };
}

const withAttempt = (flinkJobId: string, attempt: number): string =>
  flinkJobId.slice(0, 24) + attempt.toString(16).padStart(8, "0");

describe.concurrent("two live Flink jobs for one Job", () => {
  it("on two clusters: the higher attempt is kept, the other one is stopped with a savepoint, loudly and once", async () => {
    const { world, daemon, flinkJobId } = await aRunningWorld();
    await using _ = world;
    const higher = withAttempt(flinkJobId, 7);
    await startForeignJob(world.cluster("other"), higher, "CounterJob", 2);
    const kept = await daemon.untilJob(
      "orders",
      (status) =>
        isRunning(status) &&
        status.flinkJobId === higher &&
        status.operation === undefined &&
        !has("Duplicate", "Stopping")(status),
    );
    expect(kept).toMatchObject({ attempt: 7, run: 1, requestedRpus: 2, cluster: { name: "other" } });
    await daemon.untilAtRest();
    expect(world.flink.job(flinkJobId)).toMatchObject({ state: "FINISHED" });
    expect(world.cluster("other").job(higher)).toMatchObject({ state: "RUNNING" });
    expect(world.flink.countCalls(/\/stop$/)).toBe(1);
    const notes = (await world.job("orders"))!.status.history.map(({ because }) => because);
    expect(notes.join("\n")).toMatch(/was stopped; what it left is kept at file:\S+\/savepoint-/);
    expect(daemon.logged("error").map(({ msg, job }) => [msg, job])).toEqual([
      ["two Flink jobs run for one Job", "default/orders"],
    ]);
    expect(conditionOf(await world.job("orders"), "Duplicate")).toBeUndefined();
  });

  it("of which the record names the higher one: that goes on untouched", async () => {
    const { world, daemon, flinkJobId } = await aRunningWorld();
    await using _ = world;
    await world.push(await orders(3));
    const rescaled = await daemon.untilJob("orders", (status) => isRunning(status) && status.attempt === 2);
    const other = world.cluster("other");
    await startForeignJob(other, flinkJobId, "CounterJob");
    await daemon.untilJob("orders", has("Duplicate", "Stopping"));
    await daemon.untilJob("orders", (status) => status.operation === undefined);
    await daemon.untilAtRest();
    expect(other.job(flinkJobId).state).toBe("FINISHED");
    expect((await world.job("orders"))?.status).toMatchObject({ flinkJobId: rescaled.flinkJobId, flinkJobState: "Running" });
    expect(world.flink.job(rescaled.flinkJobId!).state).toBe("RUNNING");
  });

  it("whose other one can take no savepoint are both left running, and it is tried again later and not all the time", async () => {
    const { world, daemon, flinkJobId } = await aRunningWorld();
    await using _ = world;
    const other = world.cluster("other");
    world.flink.failSavepoints("no storage");
    await startForeignJob(other, withAttempt(flinkJobId, 2), "CounterJob");
    await daemon.untilJob("orders", has("Duplicate", "SavepointFailed"));
    await daemon.passes(5);
    expect(world.flink.countCalls(/\/stop$/)).toBe(1);
    expect(world.flink.job(flinkJobId).state).toBe("RUNNING");
    world.flink.failSavepoints(undefined);
    world.clock.pass(600_000);
    await daemon.untilJob(
      "orders",
      (status) => status.operation === undefined && !status.conditions.some(({ type }) => type === "Duplicate"),
    );
    expect(world.flink.job(flinkJobId).state).toBe("FINISHED");
  });
});

describe.concurrent("a status branch that was restored from a backup", () => {
  it("with a record of a suspended Job that runs by now: it is followed, and not started a second time", async () => {
    const { world, daemon } = await aRunningWorld();
    await using _ = world;
    await world.push(await orders(0));
    await daemon.untilJob("orders", (status) => status.suspended === true);
    const backup = await world.git.readFile("jobs", STATUS_BRANCH, ORDERS);
    await world.push(await orders(2));
    const resumed = await daemon.untilJob("orders", (status) => isRunning(status) && status.attempt === 2);
    await daemon.untilAtRest();
    await daemon.stop();
    await world.git.commitFiles("jobs", STATUS_BRANCH, { [ORDERS]: backup }, "restore a backup");
    const clusters = [world.flink, world.cluster("other")];
    const runs = (): number => clusters.reduce((sum, flink) => sum + flink.countCalls(RUN), 0);
    const before = runs();
    const next = world.startDaemon();
    const found = await next.untilJob("orders", isRunning);
    await next.untilAtRest();
    expect(found).toMatchObject({ flinkJobId: resumed.flinkJobId, run: 2, attempt: 2 });
    expect(runs()).toBe(before);
    expect(clusters.flatMap(({ jobs }) => jobs).filter(({ state }) => state === "RUNNING")).toHaveLength(1);
  });
});
