import { describe, expect, it } from "vitest";
import { aJob, aRunningJob } from "./manifests.ts";
import { pushRpus } from "./orders.ts";
import { conditionOf, createWorld, has, isRunning, RUN, untilCheckpointed, WRITES, type World } from "./world.ts";

const DAYS_MS = 7 * 86_400_000;

async function aSuspendedWorld(): Promise<{ world: World; daemon: ReturnType<World["startDaemon"]>; flinkJobId: string }> {
  const world = await createWorld();
  await world.push(await aRunningJob("orders"));
  const daemon = world.startDaemon();
  const { flinkJobId } = await daemon.untilJob("orders", isRunning);
  await pushRpus(world, 0);
  await daemon.untilJob("orders", ({ suspended }) => suspended === true);
  return { world, daemon, flinkJobId: flinkJobId! };
}

describe.concurrent("a Job whose rpus are set to 0", () => {
  it("is stopped with a savepoint, says so, stays down and gives its slots back", async () => {
    const { world, daemon, flinkJobId } = await aSuspendedWorld();
    await using _ = world;
    await daemon.untilAtRest();
    const suspended = await world.job("orders");
    expect(suspended?.status).toMatchObject({ phase: "Ready", flinkJobState: "Finished", requestedRpus: 0, run: 1, flinkJobId });
    expect(suspended?.status["lastSavepoint"]).toMatchObject({ flinkJobId, reason: "Suspend" });
    expect(conditionOf(suspended, "Suspended")).toMatchObject({ status: "True", reason: "RpusZero" });
    expect(world.flink.job(flinkJobId).state).toBe("FINISHED");
    const [writes, commits] = [world.flink.countCalls(WRITES), await world.statusCommits()];
    world.clock.pass(DAYS_MS);
    await daemon.passes(5);
    expect(world.flink.countCalls(WRITES)).toBe(writes);
    expect(await world.statusCommits()).toEqual(commits);
    await world.push({ "clicks.yaml": aJob("clicks", { artifact: "orders", rpus: 8 }) });
    await daemon.untilJob("clicks", isRunning);
  });

  it("goes on from that savepoint in a new run when they are raised, also after Flink and the daemon forgot it", async () => {
    const { world, daemon, flinkJobId } = await aSuspendedWorld();
    await using _ = world;
    await daemon.stop();
    const { count } = world.flink.job(flinkJobId);
    world.flink.restart();
    world.clock.pass(DAYS_MS);
    const next = world.startDaemon();
    await next.untilAtRest();
    await pushRpus(world, 3);
    const resumed = await next.untilJob("orders", isRunning);
    expect(resumed).toMatchObject({ run: 2, attempt: 2, requestedRpus: 3, startedFrom: { kind: "Savepoint" } });
    expect(resumed.suspended).toBeUndefined();
    expect(world.flink.jobs).toMatchObject([{ flinkJobId: resumed.flinkJobId, restoredFrom: resumed.startedFrom?.uri }]);
    expect(world.flink.jobs[0]!.count).toBeGreaterThan(count - 1);
  });

  it("after it failed stays down, is told as suspended, and comes back with its state when they are raised", async () => {
    await using world = await createWorld();
    await world.push(await aRunningJob("orders"));
    const first = world.startDaemon();
    const { flinkJobId } = await first.untilJob("orders", isRunning);
    await untilCheckpointed(world, first, flinkJobId!);
    await first.stop();
    world.flink.setJobState(flinkJobId!, "FAILED", "the disk is full");
    await pushRpus(world, 0);
    const second = world.startDaemon();
    await second.untilJob("orders", has("Suspended", "WasDown"));
    await second.untilAtRest();
    const down = await world.job("orders");
    expect(conditionOf(down, "Suspended")).toMatchObject({
      status: "True",
      message: expect.stringContaining("the disk is full"),
    });
    expect(conditionOf(down, "Healthy")).toBeUndefined();
    expect(world.flink.countCalls(RUN)).toBe(1);
    await pushRpus(world, 3);
    const back = await second.untilJob("orders", isRunning);
    expect(back).toMatchObject({ run: 1, attempt: 2, requestedRpus: 3, startedFrom: { kind: "Checkpoint" } });
    expect(conditionOf(await world.job("orders"), "Suspended")).toBeUndefined();
  });

  it("is resumed from its savepoint although the JobManager is lost while it is submitted", async () => {
    const { world, daemon, flinkJobId } = await aSuspendedWorld();
    await using _ = world;
    world.flink.inject(RUN, { kind: "drop" }, 1);
    await pushRpus(world, 3);
    await daemon.untilJob("orders", has("Started", "OutcomeUnknown"));
    world.flink.restart();
    const resumed = await daemon.untilJob("orders", isRunning);
    expect(resumed.startedFrom?.uri).toContain(`/${flinkJobId}/`);
    expect(world.flink.jobs).toHaveLength(1);
  });

  it("waits for slots when it is to go on, and keeps its savepoint meanwhile", async () => {
    const { world, daemon } = await aSuspendedWorld();
    await using _ = world;
    world.flink.setSlots(1);
    await pushRpus(world, 2);
    await daemon.untilJob("orders", has("Restored", "NotEnoughSlots"));
    expect((await world.job("orders"))?.status["suspended"]).toBe(true);
    world.flink.setSlots(2);
    expect(await daemon.untilJob("orders", isRunning)).toMatchObject({ run: 2, startedFrom: { kind: "Savepoint" } });
  });
});
