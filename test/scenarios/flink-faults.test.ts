import { rename, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import type { Fault } from "../support/fake-flink.ts";
import { aJob, aRunningJob, anArtifact, counterJar } from "./manifests.ts";
import { aCheckpointedWorld, pushRpus, type OrdersWorld } from "./orders.ts";
import type { RunningDaemon } from "./running-daemon.ts";
import { conditionOf, createWorld, has, isRunning, RUN, WRITES, type World, type WorldOptions, UPLOAD } from "./world.ts";

const A_MINUTE_MS = 60_000;
const MINUTES_MS = 10 * A_MINUTE_MS;
const READS = /^GET /;
const STOP = /^POST \/jobs\/[0-9a-f]{32}\/stop$/;
/** Whole worlds, and several at a time. */
const BUSY = { timeout: 180_000 };
const NAMES = ["alerts", "clicks", "orders", "payments", "sessions"] as const;

/** Nothing is left to do for `orders`, which has completed a checkpoint. */
async function aRunningWorld(options?: WorldOptions): Promise<OrdersWorld> {
  const running = await aCheckpointedWorld("1.16", options);
  await running.daemon.untilAtRest();
  return running;
}

/** Five Jobs of 2 rpus, each with a checkpoint. */
async function aCrowdedWorld(options: WorldOptions = { flink: { slots: 10 } }): Promise<{ world: World; daemon: RunningDaemon }> {
  const world = await createWorld(options);
  const jobs = NAMES.map((name) => aJob(name, { artifact: "app" })).join("");
  await world.push({ "jobs.yaml": anArtifact("app") + jobs, "jars/counter.jar": await counterJar() });
  const daemon = world.startDaemon();
  const ids = await Promise.all(NAMES.map(async (name) => (await daemon.untilJob(name, isRunning)).flinkJobId!));
  for (const id of ids) world.flink.completeCheckpoint(id);
  world.clock.pass(10_000);
  await Promise.all(
    NAMES.map(async (name) => daemon.untilJob(name, ({ checkpointed, flinkJobId }) => checkpointed === flinkJobId)),
  );
  return { world, daemon };
}

const LEADERLESS = "Service temporarily unavailable due to an ongoing leader election. Please refresh.";

describe.concurrent("a cluster that answers for a minute as nobody should", BUSY, () => {
  it.each<[string, Fault, string]>([
    ["hangs", { kind: "hang" }, "no answer within 2s"],
    ["breaks every connection", { kind: "drop" }, "the connection was closed"],
    ["cuts every answer in half", { kind: "cut" }, "the connection was closed"],
    ["answers without end", { kind: "oversized" }, "larger"],
    ["has a proxy in front that answers 500 with a page", { kind: "html", status: 500 }, '"500 Internal Server Error"'],
    ["has a proxy in front that answers 200 with a page", { kind: "html", status: 200 }, "it is no JSON"],
    ["has a proxy in front that answers 404 with a page", { kind: "html", status: 404 }, '"500 Internal Server Error"'],
    ["answers with JSON that is none of Flink's", answer(200, ["hello"]), "the answer is of type array"],
    ["answers 404 to everything in Flink's own form", answer(404, { errors: ["Not found: /jobs/overview"] }), "404"],
    ["has no leader", answer(503, { errors: [LEADERLESS] }), "leader election"],
  ])(
    "because it %s cannot be seen: nothing is done, a change waits, and afterwards everything goes on",
    async (_, fault, why) => {
      const { world, daemon, flinkJobId } = await aRunningWorld();
      await using _world = world;
      const writes = world.flink.countCalls(WRITES);
      world.flink.inject(READS, fault);
      await daemon.untilJob("orders", has("Healthy", "ClusterUnreachable"));
      await pushRpus(world, 4);
      for (let half = 1; half <= 2; half += 1) {
        world.clock.pass(A_MINUTE_MS / 2);
        await daemon.passes(1);
      }
      expect(world.flink.countCalls(WRITES)).toBe(writes);
      expect((await world.job("orders"))?.status).toMatchObject({ phase: "Ready", flinkJobState: "Running", flinkJobId });
      const told = () => daemon.logged("warn").filter(({ msg }) => msg === "cluster cannot be reached; it is asked again");
      // A pass waits for a second; a cluster that hangs is told of when its call has run out of time.
      for (let tries = 0; tries < 400 && told().length === 0; tries += 1) await daemon.passes(1);
      expect(told()).toEqual([expect.objectContaining({ because: expect.stringContaining(why) as string })]);

      world.flink.clearFaults();
      world.clock.pass(A_MINUTE_MS);
      const after = await daemon.untilJob("orders", (now) => isRunning(now) && now.parallelism === 4);
      expect(after).toMatchObject({ run: 1, attempt: 2, startedFrom: { kind: "Savepoint" } });
      expect([world.flink.countCalls(STOP), world.flink.countCalls(RUN)]).toEqual([1, 2]);
    },
  );

  it("to a change that was announced before is asked again, and the change is carried out once", async () => {
    const { world, daemon } = await aRunningWorld();
    await using _ = world;
    world.flink.holdSavepoints();
    await pushRpus(world, 4);
    await world.flink.untilCalled(STOP);
    world.flink.inject(/./, { kind: "html", status: 502 });
    await daemon.untilJob("orders", has("Rescaled", "ClusterUnreachable"));
    world.flink.releaseSavepoints();
    world.flink.clearFaults();
    world.clock.pass(MINUTES_MS);
    const after = await daemon.untilJob("orders", (now) => isRunning(now) && now.parallelism === 4);
    expect(after).toMatchObject({ run: 1, attempt: 2, startedFrom: { kind: "Savepoint" } });
    await daemon.untilAtRest();
    expect(world.flink.jobs.map(({ state }) => state).toSorted()).toEqual(["FINISHED", "RUNNING"]);
    expect(world.flink.countCalls(RUN)).toBe(2);
  });
});

describe.concurrent("a cluster that began anew", BUSY, () => {
  it("gets all its Jobs back after one upload, no more than four at once", async () => {
    const { world, daemon } = await aCrowdedWorld();
    await using _ = world;
    const [runs, uploads] = [world.flink.countCalls(RUN), world.flink.countCalls(UPLOAD)];
    const release = world.flink.holdMain();
    world.flink.restart();
    while (world.flink.countCalls(RUN) < runs + 4) await daemon.passes(1);
    expect(world.flink.countCalls(RUN)).toBe(runs + 4);
    release();
    await Promise.all(NAMES.map(async (name) => daemon.untilJob(name, (now) => isRunning(now) && now.attempt === 2)));
    await daemon.untilAtRest();
    expect(world.flink.jobs).toHaveLength(NAMES.length);
    for (const { restoredFrom } of world.flink.jobs) expect(restoredFrom).toMatch(/chk-\d+$/);
    expect(world.flink.countCalls(UPLOAD)).toBe(uploads + 1);
  });

  it("with fewer slots than before gets back as many Jobs as it can hold, and the others as soon as there is room", async () => {
    const { world, daemon } = await aCrowdedWorld();
    await using _ = world;
    world.flink.restart();
    world.flink.setSlots(0);
    await daemon.untilJob("alerts", has("Restored", "NotEnoughSlots"));
    world.flink.setSlots(5);
    await Promise.all(
      NAMES.map(async (name) =>
        daemon.untilJob(name, name < "d" ? (now) => isRunning(now) && now.attempt === 2 : has("Restored", "NotEnoughSlots")),
      ),
    );
    await daemon.untilAtRest();
    expect(world.flink.jobs).toHaveLength(2);
    expect(conditionOf(await world.job("orders"), "Restored")?.message).toContain("needs 2 slots, 1 of 5 free in main");
    world.flink.setSlots(10);
    await Promise.all(NAMES.map(async (name) => daemon.untilJob(name, (now) => isRunning(now) && now.attempt === 2)));
    await daemon.untilAtRest();
    expect(world.flink.jobs).toHaveLength(NAMES.length);
  });

  it("again and again before a checkpoint gets its Job back ever later, always from the same checkpoint", async () => {
    const { world, daemon, flinkJobId } = await aRunningWorld();
    await using _ = world;
    const checkpoint = world.flink.job(flinkJobId).checkpoints.at(-1)!.externalPath;
    let waits = 0;
    // On a busy machine the first delays are over before anybody looks; they double.
    for (let attempt = 2; waits < 2; attempt += 1) {
      const runs = world.flink.countCalls(RUN);
      world.flink.restart();
      const next = await daemon.untilJob("orders", (now) => now.attempt === attempt || has("Restored", "BackingOff")(now));
      if (next.attempt !== attempt) {
        waits += 1;
        expect(world.flink.countCalls(RUN)).toBe(runs);
        world.clock.pass(MINUTES_MS);
      }
      const back = await daemon.untilJob("orders", (now) => isRunning(now) && now.attempt === attempt);
      expect(world.flink.job(back.flinkJobId!).restoredFrom).toBe(checkpoint);
      expect(world.flink.countCalls(RUN)).toBe(runs + 1);
    }
  });

  it("with another Flink version holds what ran there back, and nothing of it is lost when the old version is back", async () => {
    const { world, daemon, flinkJobId } = await aRunningWorld();
    await using _ = world;
    const writes = world.flink.countCalls(WRITES);
    world.flink.restart("1.20.5");
    await daemon.untilJob("orders", has("Restored", "NoCluster"));
    await world.push({ "clicks.yaml": aJob("clicks", { artifact: "orders" }) });
    await daemon.untilJob("clicks", has("Placed", "NoCluster"));
    await daemon.untilAtRest();
    const message = "zone local has no cluster for Flink 1.16: main has 1.20.5";
    expect(conditionOf(await world.job("orders"), "Restored")?.message).toContain(message);
    expect(conditionOf(await world.job("clicks"), "Placed")?.message).toContain(message);
    expect(world.flink.countCalls(WRITES)).toBe(writes);
    world.flink.restart("1.16.3");
    const back = await daemon.untilJob("orders", (now) => isRunning(now) && now.attempt === 2);
    expect(world.flink.job(back.flinkJobId!).restoredFrom).toContain(`${flinkJobId}/chk-`);
    await daemon.untilJob("clicks", isRunning);
  });

  it("with another Flink version while nobody looked and nothing ran takes no Job of the old one", async () => {
    await using world = await createWorld({ clusters: { newer: { version: "1.20.5" } } });
    await world.push({ "artifact.yaml": anArtifact("orders"), "jars/counter.jar": await counterJar() });
    const daemon = world.startDaemon();
    await daemon.untilAtRest();
    world.flink.restart("1.20.5");
    await world.push({ "orders.yaml": aJob("orders", { artifact: "orders" }) });
    await daemon.untilJob("orders", has("Placed", "NoCluster"));
    await daemon.untilAtRest();
    expect(world.flink.countCalls(WRITES)).toBe(0);
  });

  it("with another Flink version in the middle of a rescale starts nothing there, and goes on from the savepoint", async () => {
    const { world, daemon } = await aRunningWorld();
    await using _ = world;
    const uploads = world.flink.countCalls(UPLOAD);
    world.flink.inject(RUN, { kind: "html", status: 502 });
    await pushRpus(world, 4);
    await world.flink.untilCalled(RUN, 2);
    world.flink.clearFaults();
    const { operation } = await daemon.untilJob("orders", (now) => now.operation?.kind === "stop");
    world.flink.restart("1.20.5");
    world.clock.pass(A_MINUTE_MS);
    await daemon.untilJob("orders", has("Restored", "NoCluster"));
    await daemon.untilAtRest();
    expect(world.flink.jobs).toEqual([]);
    world.flink.restart("1.16.3");
    const back = await daemon.untilJob("orders", (now) => isRunning(now) && now.parallelism === 4);
    expect(world.flink.job(back.flinkJobId!).restoredFrom).toContain(operation?.kind === "stop" ? operation.triggerId : "-");
    expect(world.flink.countCalls(UPLOAD)).toBeGreaterThan(uploads);
  });
});

describe.concurrent("slots that vanish", BUSY, () => {
  it("while a Job waits for more are told as they are, and nothing is started", async () => {
    await using world = await createWorld({ flink: { slots: 3 } });
    await world.push(await aRunningJob("orders", { rpus: 4 }));
    const daemon = world.startDaemon();
    for (const slots of [3, 0]) {
      world.flink.setSlots(slots);
      const message = `needs 4 slots, ${slots} of ${slots} free in main in zone local for Flink 1.16`;
      await daemon.untilJob("orders", ({ conditions }) => conditions.some((condition) => condition.message === message));
    }
    expect(world.flink.countCalls(RUN)).toBe(0);
    world.flink.setSlots(4);
    await daemon.untilJob("orders", isRunning);
  });

  it("while a rescale is under way leave one Flink job that waits for them, from the savepoint, and it runs when they are back", async () => {
    const { world, daemon } = await aRunningWorld();
    await using _ = world;
    world.flink.holdSavepoints();
    await pushRpus(world, 4);
    await daemon.untilJob("orders", ({ operation }) => operation?.kind === "stop");
    world.flink.setSlots(2);
    world.flink.releaseSavepoints();
    const stuck = await daemon.untilJob("orders", has("Healthy", "TasksNotRunning"));
    expect(stuck).toMatchObject({ attempt: 2, requestedRpus: 4, startedFrom: { kind: "Savepoint" } });
    world.clock.pass(MINUTES_MS);
    await daemon.passes(5);
    expect(world.flink.countCalls(RUN)).toBe(2);
    world.flink.setSlots(4);
    await daemon.untilJob("orders", has("Healthy", "AllTasksRunning"));
    expect([world.flink.countCalls(STOP), world.flink.countCalls(RUN)]).toEqual([1, 2]);
  });
});

describe.concurrent("a savepoint directory that cannot be written to", BUSY, () => {
  it("as seen from here stops nothing, says where, and the change is made when it can", async () => {
    const { world, daemon, flinkJobId } = await aRunningWorld();
    await using _ = world;
    const directory = fileURLToPath(world.flink.savepointsDir);
    await rm(directory, { recursive: true, force: true });
    await writeFile(directory, "a file where the directory was");
    for (const [rpus, condition] of [
      [0, "Suspended"],
      [4, "Rescaled"],
    ] as const) {
      await pushRpus(world, rpus);
      await daemon.untilJob("orders", has(condition, "SavepointsRefused"));
      expect(conditionOf(await world.job("orders"), condition)?.message).toContain(`${directory} is none`);
    }
    expect(world.flink.countCalls(STOP)).toBe(0);
    expect(world.flink.job(flinkJobId).state).toBe("RUNNING");
    await rm(directory);
    await daemon.untilJob("orders", (now) => isRunning(now) && now.parallelism === 4);
  });
});

describe.concurrent("a directory that was emptied", BUSY, () => {
  it("of savepoints holds back what was suspended, never starts it empty, and it goes on when they are there again", async () => {
    const { world, daemon } = await aRunningWorld();
    await using _ = world;
    await pushRpus(world, 0);
    const suspended = await daemon.untilJob("orders", (now) => now.suspended === true);
    const directory = fileURLToPath(world.flink.savepointsDir);
    await rename(directory, `${directory}-elsewhere`);
    await pushRpus(world, 2);
    await daemon.untilJob("orders", has("Restored", "RestorePointMissing"));
    const { uri } = suspended.lastSavepoint!;
    expect(conditionOf(await world.job("orders"), "Restored")?.message).toContain(`${uri}, is gone; annotate the Job with`);
    const tries = world.flink.countCalls(RUN);
    world.clock.pass(MINUTES_MS);
    await daemon.passes(5);
    expect(world.flink.countCalls(RUN)).toBe(tries);
    expect(world.flink.jobs.at(-1)).toMatchObject({ state: "FAILED", restoredFrom: uri });
    await rename(`${directory}-elsewhere`, directory);
    world.clock.pass(MINUTES_MS);
    const back = await daemon.untilJob("orders", isRunning);
    expect(world.flink.job(back.flinkJobId!).restoredFrom).toBe(uri);
  });

  it("of checkpoints while a Job runs does not hold up its rescale, which takes a savepoint", async () => {
    const { world, daemon } = await aRunningWorld();
    await using _ = world;
    await rm(fileURLToPath(world.flink.checkpointsDir), { recursive: true });
    await pushRpus(world, 4);
    const after = await daemon.untilJob("orders", (now) => isRunning(now) && now.parallelism === 4);
    expect(after).toMatchObject({ attempt: 2, startedFrom: { kind: "Savepoint" } });
  });

  it("of checkpoints under a Job that then fails makes it wait and ask; it comes back when they do", async () => {
    const { world, daemon, flinkJobId } = await aRunningWorld();
    await using _ = world;
    const directory = fileURLToPath(world.flink.checkpointsDir);
    await rename(directory, `${directory}-elsewhere`);
    world.flink.setJobState(flinkJobId, "FAILED", "the disk was replaced");
    await daemon.untilJob("orders", has("Restored", "RestorePointMissing"));
    world.clock.pass(MINUTES_MS);
    await daemon.passes(5);
    expect(world.flink.countCalls(RUN)).toBe(1);
    await rename(`${directory}-elsewhere`, directory);
    const back = await daemon.untilJob("orders", (now) => isRunning(now) && now.attempt === 2);
    expect(world.flink.job(back.flinkJobId!).restoredFrom).toContain(`${flinkJobId}/chk-`);
  });
});

function answer(status: number, body: unknown): Fault {
  return { kind: "answer", answer: { status, body } };
}
