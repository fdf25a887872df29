import { rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { aJob, aRunningJob, anArtifact, counterJar } from "./manifests.ts";
import type { RunningDaemon } from "./running-daemon.ts";
import { conditionOf, createWorld, has, isRunning, type World, untilCheckpointed } from "./world.ts";

const NAMES = ["clicks", "orders", "payments"];

/** `orders` had a checkpoint, its directory is empty, and its JobManager began anew: its state cannot be found. */
async function aLostWorld(): Promise<{ world: World; daemon: RunningDaemon; flinkJobId: string }> {
  const world = await createWorld();
  await world.push(await aRunningJob("orders"));
  const daemon = world.startDaemon();
  const { flinkJobId } = await daemon.untilJob("orders", isRunning);
  await untilCheckpointed(world, daemon, flinkJobId!);
  await rm(fileURLToPath(world.flink.checkpointsDir), { recursive: true });
  world.flink.restart();
  await daemon.untilJob("orders", has("Restored", "RestorePointMissing"));
  return { world, daemon, flinkJobId: flinkJobId! };
}

/** `orders` with the annotation that gives up the state of this attempt. */
function startEmpty(flinkJobId: string): Readonly<Record<string, string>> {
  return { "orders.yaml": anArtifact("orders") + aJob("orders", { annotations: { "penstock/start-empty": flinkJobId } }) };
}

describe.concurrent("a cluster whose JobManager began anew", () => {
  it("gets all its Jobs back, each from its own newest checkpoint, and once", async () => {
    await using world = await createWorld();
    const jobs = NAMES.map((name) => aJob(name, { artifact: "app" })).join("");
    await world.push({ "jobs.yaml": anArtifact("app") + jobs, "jars/counter.jar": await counterJar() });
    const daemon = world.startDaemon();
    const before = new Map<string, string>();
    for (const name of NAMES) before.set(name, (await daemon.untilJob(name, isRunning)).flinkJobId!);
    for (const id of before.values()) world.flink.completeCheckpoint(id);
    world.clock.pass(10_000);
    for (const [name, id] of before) await daemon.untilJob(name, ({ checkpointed }) => checkpointed === id);
    world.flink.restart();
    for (const [name, id] of before) {
      const healed = await daemon.untilJob(name, (now) => isRunning(now) && now.flinkJobId !== id);
      expect(healed).toMatchObject({ run: 1, attempt: 2, startedFrom: { kind: "Checkpoint" } });
      expect(world.flink.job(healed.flinkJobId!).restoredFrom).toContain(`${id}/chk-`);
    }
    await daemon.untilAtRest();
    expect(world.flink.jobs).toHaveLength(NAMES.length);
  });

  it("leaves what had finished finished", async () => {
    await using world = await createWorld();
    await world.push(await aRunningJob("orders", { mainArgs: ["--n", "1000", "--rate", "1000"] }));
    const daemon = world.startDaemon();
    await daemon.untilJob("orders", isRunning);
    world.clock.pass(10_000);
    await daemon.untilJob("orders", ({ flinkJobState }) => flinkJobState === "Finished");
    world.flink.restart();
    await daemon.passes(5);
    await daemon.untilAtRest();
    expect((await world.job("orders"))?.status).toMatchObject({ flinkJobState: "Finished", attempt: 1 });
    expect(world.flink.jobs).toEqual([]);
  });
});

describe.concurrent("a Job whose checkpoints are gone", () => {
  it("waits, starts nothing, and names both ways out", async () => {
    const { world, daemon, flinkJobId } = await aLostWorld();
    await using _ = world;
    await daemon.untilAtRest();
    const message = conditionOf(await world.job("orders"), "Restored")?.message;
    expect(message).toContain(`"penstock/restore-from: ${flinkJobId}=<uri>"`);
    expect(message).toContain(`"penstock/start-empty: ${flinkJobId}"`);
    expect((await world.job("orders"))?.status).toMatchObject({ phase: "Ready", attempt: 1 });
    expect(world.flink.jobs).toEqual([]);
  });

  it("starts empty when an annotation names this incident, and not when it names another one", async () => {
    const { world, daemon, flinkJobId } = await aLostWorld();
    await using _ = world;
    await daemon.untilApplied(await world.push(startEmpty("0".repeat(32))));
    await daemon.untilAtRest();
    expect(world.flink.jobs).toEqual([]);
    await world.push(startEmpty(flinkJobId));
    const fresh = await daemon.untilJob("orders", (now) => isRunning(now) && now.flinkJobId !== flinkJobId);
    expect(fresh.startedFrom).toBeUndefined();
    expect(world.flink.jobs).toMatchObject([{ restoredFrom: undefined }]);
  });

  it("starts empty again when the attempt that was given leave to dies before its first checkpoint, until it has one", async () => {
    const { world, daemon, flinkJobId } = await aLostWorld();
    await using _ = world;
    await world.push(startEmpty(flinkJobId));
    let { flinkJobId: last, attempt } = await daemon.untilJob("orders", (now) => isRunning(now) && now.flinkJobId !== flinkJobId);
    for (const fail of [() => world.flink.setJobState(last!, "FAILED", "out of memory"), () => world.flink.restart()]) {
      fail();
      world.clock.pass(300_000);
      const next = await daemon.untilJob("orders", (now) => isRunning(now) && now.flinkJobId !== last);
      expect(next).toMatchObject({ attempt: attempt + 1, startedEmpty: true });
      expect(world.flink.job(next.flinkJobId!).restoredFrom).toBeUndefined();
      ({ flinkJobId: last, attempt } = next);
    }
    world.flink.completeCheckpoint(last!);
    world.clock.pass(10_000);
    await daemon.untilJob("orders", ({ checkpointed }) => checkpointed === last);
    await rm(fileURLToPath(world.flink.checkpointsDir), { recursive: true });
    world.flink.restart();
    await daemon.untilJob("orders", has("Restored", "RestorePointMissing"));
    await daemon.untilAtRest();
    expect(world.flink.jobs).toEqual([]);
  });

  it("starts from the place that an annotation names", async () => {
    const { world, daemon, flinkJobId } = await aLostWorld();
    await using _ = world;
    await world.push({ "clicks.yaml": aJob("clicks", { artifact: "orders" }) });
    const donor = await daemon.untilJob("clicks", isRunning);
    world.flink.completeCheckpoint(donor.flinkJobId!);
    const uri = world.flink.job(donor.flinkJobId!).checkpoints.at(-1)!.externalPath;
    const annotations = { "penstock/restore-from": `${flinkJobId}=${uri}` };
    await world.push({ "orders.yaml": anArtifact("orders") + aJob("orders", { annotations }) });
    const back = await daemon.untilJob("orders", (now) => isRunning(now) && now.flinkJobId !== flinkJobId);
    expect(back.startedFrom?.uri).toBe(uri);
    expect(world.flink.job(back.flinkJobId!).restoredFrom).toBe(uri);
  });
});
