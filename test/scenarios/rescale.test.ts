import { describe, expect, it } from "vitest";
import { aCheckpointedWorld, pushRpus } from "./orders.ts";
import { conditionOf, has, isRunning, RUN, WRITES } from "./world.ts";

const STOP = /^POST \/jobs\/[0-9a-f]{32}\/stop$/;
const REQUIREMENTS = /^PUT \/jobs\/[0-9a-f]{32}\/resource-requirements$/;
const MINUTES_MS = 10 * 60_000;

describe.concurrent("a change of rpus", () => {
  it("stops the job with a savepoint and starts the next attempt from it, state and all", async () => {
    const { world, daemon, flinkJobId } = await aCheckpointedWorld();
    await using _ = world;
    await pushRpus(world, 4);
    const status = await daemon.untilJob("orders", (now) => isRunning(now) && now.parallelism === 4);
    expect(status).toMatchObject({ phase: "Ready", run: 1, attempt: 2, requestedRpus: 4, startedFrom: { kind: "Savepoint" } });
    expect(status.lastSavepoint).toMatchObject({ uri: status.startedFrom?.uri, flinkJobId, reason: "Rescale" });
    await daemon.untilAtRest();
    expect(world.flink.job(flinkJobId).state).toBe("FINISHED");
    const next = world.flink.job(status.flinkJobId!);
    expect(next).toMatchObject({ state: "RUNNING", parallelism: 4, restoredFrom: status.startedFrom?.uri });
    expect(next.count).toBeGreaterThan(world.flink.job(flinkJobId).count - 1);
    expect([world.flink.countCalls(STOP), world.flink.countCalls(RUN)]).toEqual([1, 2]);
    const shown = ((await world.job("orders"))?.status.history ?? []).map(({ to }) => to);
    expect(shown).toContain("Ready, Rescaling");
    expect(shown.at(-1)).toBe("Ready, Running");
  });

  it("is carried out in place where the cluster can, under the same id", async () => {
    const { world, daemon, flinkJobId } = await aCheckpointedWorld("1.20", { flink: { version: "1.20.5", adaptive: true } });
    await using _ = world;
    await pushRpus(world, 4, "1.20");
    const status = await daemon.untilJob("orders", (now) => isRunning(now) && now.parallelism === 4);
    expect(status).toMatchObject({ flinkJobId, run: 1, attempt: 1, requestedRpus: 4 });
    await daemon.untilJob("orders", has("Reached", "AsRequested"));
    expect([world.flink.countCalls(REQUIREMENTS), world.flink.countCalls(STOP), world.flink.countCalls(RUN)]).toEqual([1, 0, 1]);
  });

  it("waits while slots are missing, with the numbers, and stops nothing before they are there", async () => {
    const { world, daemon, flinkJobId } = await aCheckpointedWorld("1.16", { flink: { slots: 3 } });
    await using _ = world;
    const writes = world.flink.countCalls(WRITES);
    await pushRpus(world, 4);
    await daemon.untilJob("orders", has("Rescaled", "NotEnoughSlots"));
    expect(conditionOf(await world.job("orders"), "Rescaled")?.message).toBe(
      "rpus 2 → 4 needs 2 more slots, 1 of 3 free in main",
    );
    await daemon.untilAtRest();
    expect(world.flink.countCalls(WRITES)).toBe(writes);
    expect(world.flink.job(flinkJobId).state).toBe("RUNNING");
    world.flink.setSlots(4);
    await daemon.untilJob("orders", (now) => isRunning(now) && now.parallelism === 4);
    expect(conditionOf(await world.job("orders"), "Rescaled")).toBeUndefined();
  });

  it("waits while the job is not healthy, since it could take no savepoint", async () => {
    const { world, daemon, flinkJobId } = await aCheckpointedWorld();
    await using _ = world;
    world.flink.setJobState(flinkJobId, "RESTARTING", "disk is full");
    await daemon.untilJob("orders", has("Healthy", "NotRunning"));
    await pushRpus(world, 4);
    await daemon.untilJob("orders", has("Rescaled", "NotHealthy"));
    expect(world.flink.countCalls(STOP)).toBe(0);
    world.flink.setJobState(flinkJobId, "RUNNING");
    await daemon.untilJob("orders", (now) => isRunning(now) && now.parallelism === 4);
  });

  it("that comes while another is under way follows it, and the newest wins", async () => {
    const { world, daemon } = await aCheckpointedWorld();
    await using _ = world;
    world.flink.holdSavepoints();
    await pushRpus(world, 3);
    await daemon.untilJob("orders", ({ operation }) => operation?.kind === "stop");
    await pushRpus(world, 5);
    await daemon.untilApplied(await pushRpus(world, 4));
    world.flink.releaseSavepoints();
    const status = await daemon.untilJob("orders", (now) => isRunning(now) && now.requestedRpus === 4 && now.parallelism === 4);
    expect(status).toMatchObject({ run: 1, attempt: 3 });
    expect(world.flink.countCalls(STOP)).toBe(2);
    expect(world.flink.jobs.filter(({ state }) => state === "RUNNING")).toHaveLength(1);
  });

  it("whose savepoint fails leaves the job running as it was, with the reason, and is tried again", async () => {
    const { world, daemon, flinkJobId } = await aCheckpointedWorld();
    await using _ = world;
    world.flink.failSavepoints("no space left on device");
    await pushRpus(world, 4);
    await daemon.untilJob("orders", has("Rescaled", "NotDone"));
    expect(conditionOf(await world.job("orders"), "Rescaled")?.message).toContain("no space left on device");
    expect((await world.job("orders"))?.status).toMatchObject({ flinkJobState: "Running", flinkJobId, requestedRpus: 2 });
    expect(world.flink.job(flinkJobId).state).toBe("RUNNING");
    world.flink.failSavepoints(undefined);
    world.clock.pass(MINUTES_MS);
    await daemon.untilJob("orders", (now) => isRunning(now) && now.parallelism === 4);
  });

  it("whose next start Flink refuses goes back to what ran before, from the same savepoint, and is not tried for ever", async () => {
    const { world, daemon, flinkJobId } = await aCheckpointedWorld();
    await using _ = world;
    world.flink.holdSavepoints();
    await pushRpus(world, 4);
    const { operation } = await daemon.untilJob("orders", (now) => now.operation?.kind === "stop");
    world.flink.inject(RUN, { kind: "answer", answer: { status: 400, body: { errors: ["No slots for 4"] } } });
    world.flink.releaseSavepoints();
    await world.flink.untilCalled(RUN, 2);
    for (let tries = 3; tries <= 4; tries += 1) {
      await daemon.passes(2);
      world.clock.pass(MINUTES_MS);
    }
    await daemon.untilJob("orders", ({ rescaleFailed }) => rescaleFailed !== undefined);
    world.flink.clearFaults();
    world.clock.pass(MINUTES_MS);
    const back = await daemon.untilJob("orders", (now) => isRunning(now) && now.flinkJobId !== flinkJobId);
    expect(back).toMatchObject({ requestedRpus: 2, run: 1, rescaleFailed: { rpus: 4 }, startedFrom: { kind: "Savepoint" } });
    expect(back.flinkJobId).not.toBe(operation?.kind === "stop" ? operation.next?.flinkJobId : undefined);
    await daemon.untilJob("orders", has("Rescaled", "NextStartFailed"));
    await daemon.untilAtRest();
    expect(world.flink.countCalls(STOP)).toBe(1);
    expect(world.flink.job(back.flinkJobId!).restoredFrom).toBe(back.startedFrom?.uri);
  });
});
