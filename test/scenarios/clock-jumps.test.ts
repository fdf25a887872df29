import { describe, expect, it } from "vitest";
import { aJob, anArtifact, aRunningJob, counterJar } from "./manifests.ts";
import { createServedWorld } from "./served-world.ts";
import type { RunningDaemon } from "./running-daemon.ts";
import { conditionOf, createWorld, has, isRunning, RUN, untilCheckpointed, WRITES, type World } from "./world.ts";

const [MINUTE, HOUR, DAY] = [60_000, 3_600_000, 86_400_000] as const;
const JUMPS = [
  ["an hour back", -HOUR],
  ["a day ahead", DAY],
  ["three seconds back, as NTP steps", -3000],
] as const;
const ORDERS = aJob("orders", { artifact: "app", configuration: { "execution.checkpointing.interval": "10s" } });
const isGone = ({ deleted }: { readonly deleted?: unknown }): boolean => deleted !== undefined;

/** `orders` and another Job run, a file each, so that one of them may go. */
async function aRunningWorld(): Promise<{ world: World; daemon: RunningDaemon; flinkJobId: string }> {
  const world = await createWorld();
  await world.push({
    "orders.yaml": ORDERS,
    "app.yaml": anArtifact("app") + aJob("other", { artifact: "app", rpus: 1 }),
    "jars/counter.jar": await counterJar(),
  });
  const daemon = world.startDaemon();
  const { flinkJobId } = await daemon.untilJob("orders", isRunning);
  await untilCheckpointed(world, daemon, flinkJobId!);
  await daemon.untilAtRest();
  return { world, daemon, flinkJobId: flinkJobId! };
}

describe.concurrent("a clock that is set", () => {
  it.each(JUMPS)("%s delays nothing that is pushed, and no time that is told goes back", async (_, jump) => {
    const { world, daemon } = await aRunningWorld();
    await using _world = world;
    const writes = world.flink.countCalls(WRITES);
    world.clock.jump(jump);
    await daemon.passes(5);
    expect(world.flink.countCalls(WRITES)).toBe(writes);
    await world.push({ "clicks.yaml": aJob("clicks", { artifact: "app" }) });
    await daemon.untilJob("clicks", isRunning);
    await world.push({ "orders.yaml": null });
    await daemon.untilJob("orders", isGone);
    await daemon.untilAtRest();
    const history = (await world.job("orders"))!.status.history as unknown as readonly { readonly when: string }[];
    const times = history.map(({ when }) => Date.parse(when));
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    const realNow = world.clock.withoutJumps().now();
    expect(Math.abs(realNow - times.at(-1)!)).toBeLessThan(10 * MINUTE); // not by the clock that was set
    expect(daemon.logged("warn", "error")).toEqual([]);
  });

  it.each(JUMPS)("%s makes what failed wait neither longer nor for ever", async (_, jump) => {
    await using world = await createWorld();
    await world.push(await aRunningJob("orders", { mainArgs: ["--throw", "no such topic"] }));
    const daemon = world.startDaemon();
    await daemon.untilJob("orders", has("Started", "ProgramFailed"));
    const tries = 7; // the next one is a minute away: longer than what follows takes on any machine
    for (let made = 2; made <= tries; made += 1) {
      world.clock.pass(5 * MINUTE);
      await world.flink.untilCalled(RUN, made);
      await daemon.untilAtRest();
    }
    world.clock.jump(jump);
    await daemon.passes(3);
    expect(world.flink.countCalls(RUN)).toBe(tries);
    world.clock.pass(5 * MINUTE);
    await world.flink.untilCalled(RUN, tries + 1);
  });

  it.each(JUMPS)("%s keeps no cluster away that is back", async (_, jump) => {
    const { world, daemon } = await aRunningWorld();
    await using _world = world;
    await world.flink.refuse();
    await daemon.passes(10); // enough failures for its calls to be held back
    world.clock.jump(jump);
    await world.flink.accept();
    world.clock.pass(MINUTE);
    await daemon.until("it is back", ({ observed }) => observed.clusters.every(({ kind }) => kind === "reachable"));
  });

  it.each(JUMPS)("%s keeps no server waiting longer than it asked for", async (_, jump) => {
    const { world, daemon } = await aRunningWorld();
    await using _world = world;
    world.git.fault({ kind: "status", status: 429, headers: { "retry-after": "40" } }, { times: 1 });
    await daemon.until("it is left alone", ({ snapshot }) => snapshot.stale !== undefined);
    world.clock.jump(jump);
    world.clock.pass(40_000);
    await daemon.until("it is asked again", ({ snapshot }) => snapshot.stale === undefined);
  });

  it("a day ahead, and back, does not make a deletion give up its savepoint", async () => {
    const { world, daemon, flinkJobId } = await aRunningWorld();
    await using _ = world;
    world.flink.failSavepoints("no space left");
    await world.push({ "orders.yaml": null });
    await daemon.untilJob("orders", has("Deleted", "SavepointFailed"));
    world.clock.jump(DAY);
    await daemon.passes(3);
    expect(world.flink.job(flinkJobId).state).toBe("RUNNING");
    world.flink.failSavepoints(undefined);
    world.clock.jump(-DAY);
    world.clock.pass(5 * MINUTE);
    const { deleted } = await daemon.untilJob("orders", isGone);
    expect(deleted?.restorePoint?.kind).toBe("Savepoint");
  });
});

describe.concurrent("a tombstone, which rests for 30 days", () => {
  it("is kept when the clock jumps over them and back, and its Job goes on with its state", async () => {
    const { world, daemon } = await aRunningWorld();
    await using _ = world;
    await world.push({ "orders.yaml": null });
    const { deleted } = await daemon.untilJob("orders", isGone);
    await daemon.untilAtRest();
    world.clock.jump(31 * DAY);
    world.clock.pass(9 * MINUTE);
    await daemon.passes(5);
    expect((await world.job("orders"))?.status["deleted"]).toEqual(deleted);
    world.clock.jump(-31 * DAY);
    await world.push({ "orders.yaml": ORDERS });
    const { startedFrom } = await daemon.untilJob("orders", isRunning);
    expect(startedFrom).toEqual(deleted?.restorePoint);
  });

  it("goes when the jump has stood for ten minutes, for then it is taken for the time that has gone by", async () => {
    const { world, daemon } = await aRunningWorld();
    await using _ = world;
    await world.push({ "orders.yaml": null });
    await daemon.untilJob("orders", isGone);
    await daemon.untilAtRest();
    world.clock.jump(31 * DAY);
    await daemon.passes(2);
    world.clock.pass(10 * MINUTE);
    await daemon.until("it is forgotten", ({ update }) => ![...update.records.keys()].some((key) => key.endsWith("/job/orders")));
  });
});

describe.concurrent("a daemon that is started by a clock that is behind", () => {
  it("an hour does not wait for that hour before it starts a failed Job again", async () => {
    const { world, daemon, flinkJobId } = await aRunningWorld();
    await using _ = world;
    world.flink.setJobState(flinkJobId, "FAILED", "out of memory");
    const second = await daemon.untilJob("orders", (now) => isRunning(now) && now.flinkJobId !== flinkJobId);
    await daemon.stop();
    world.flink.setJobState(second.flinkJobId!, "FAILED", "out of memory");
    world.clock.jump(-HOUR);
    const next = world.startDaemon();
    await next.untilJob("orders", (now) => isRunning(now) && now.flinkJobId !== second.flinkJobId);
    expect(conditionOf(await world.job("orders"), "Restored")?.reason).not.toBe("BackingOff");
    expect(world.flink.jobs.filter(({ state }) => state === "RUNNING")).toHaveLength(2);
  });
});

describe.concurrent("/healthz", () => {
  it("is about time that has gone by, and not about a clock that was set", async () => {
    await using served = await createServedWorld({}, async (world) => world.push(await aRunningJob("orders")));
    await served.daemon.untilJob("orders", isRunning);
    const [arrived, held] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    served.world.git.before({ service: "git-receive-pack" }, async () => {
      arrived.resolve();
      await held.promise;
    });
    await served.world.push({ "orders.yaml": null });
    await arrived.promise; // a pass is under way
    served.world.clock.jump(DAY);
    expect((await served.fetch("healthz")).status).toBe(200);
    held.resolve();
  });
});
