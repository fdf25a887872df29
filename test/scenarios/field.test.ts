import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { findCondition } from "../../src/model/conditions.ts";
import { startFakeForge } from "../support/fake-forge.ts";
import { FileServer } from "../support/file-server.ts";
import { aFinalSavepoint, aJob, anArtifact, aRunningJob } from "./manifests.ts";
import { statusOfJob } from "./running-daemon.ts";
import { completeCheckpoint, conditionOf, createWorld, has, isRunning, RUN, untilCheckpointed, type World } from "./world.ts";

/** What users of other systems live with, each seen there; the README's table names these and the scenarios elsewhere. */

const STOP = /^POST \/jobs\/[0-9a-f]{32}\/stop$/;
const FROM_FINAL = "  initialStateRef: {name: orders-final}\n";

async function anUpgradedWorld(): Promise<{ world: World; daemon: ReturnType<World["startDaemon"]>; flinkJobId: string }> {
  const world = await createWorld();
  await world.push(await aRunningJob("orders"));
  const daemon = world.startDaemon();
  await daemon.untilJob("orders", isRunning);
  const next = anArtifact("orders") + aJob("orders-v2", { artifact: "orders", spec: FROM_FINAL }) + aFinalSavepoint("orders");
  await world.push({ "orders.yaml": next });
  const { flinkJobId } = await daemon.untilJob("orders-v2", isRunning);
  return { world, daemon, flinkJobId: flinkJobId! };
}

describe.concurrent("a job that is cancelled by hand", () => {
  it("long after its last upgrade comes back from its newest checkpoint, not from the savepoint of that upgrade", async () => {
    const { world, daemon, flinkJobId } = await anUpgradedWorld();
    await using _ = world;
    for (let checkpoints = 0; checkpoints < 5; checkpoints += 1) completeCheckpoint(world, flinkJobId);
    await daemon.untilJob("orders-v2", ({ checkpointed }) => checkpointed === flinkJobId);
    const { count } = world.flink.job(flinkJobId);
    world.flink.setJobState(flinkJobId, "CANCELED");
    const back = await daemon.untilJob("orders-v2", (status) => isRunning(status) && status.flinkJobId !== flinkJobId);
    expect(back.startedFrom?.uri).toBe(`${world.flink.checkpointsDir}/${flinkJobId}/chk-5`);
    expect(world.flink.job(back.flinkJobId!).count).toBeGreaterThanOrEqual(count);
    const { history } = (await world.job("orders-v2"))!.status;
    expect(history.map(({ because }) => because)).toContainEqual(expect.stringContaining("Flink ended it as CANCELED"));
  });
});

describe.concurrent("a job that fails at every start", () => {
  it("is brought back ever more rarely, which a restart of the daemon does not forget", async () => {
    await using world = await createWorld();
    await world.push(await aRunningJob("orders"));
    const first = world.startDaemon();
    let { flinkJobId: failed } = await first.untilJob("orders", isRunning);
    await untilCheckpointed(world, first, failed!);
    for (let failures = 0; failures < 6; failures += 1) {
      world.flink.setJobState(failed!, "FAILED", "it fails again");
      world.clock.pass(1_800_000);
      ({ flinkJobId: failed } = await first.untilJob("orders", (status) => isRunning(status) && status.flinkJobId !== failed));
    }
    world.flink.setJobState(failed!, "FAILED", "it fails again");
    await first.untilJob("orders", has("Restored", "BackingOff"));
    await first.stop();
    const starts = world.flink.countCalls(RUN);
    const second = world.startDaemon();
    await second.until("it has looked", () => true);
    await second.passes(5);
    expect(conditionOf(await world.job("orders"), "Restored")?.reason).toBe("BackingOff");
    expect(world.flink.countCalls(RUN)).toBe(starts);
    world.clock.pass(1_800_000);
    await second.untilJob("orders", isRunning);
    expect(world.flink.countCalls(RUN)).toBe(starts + 1);
  });
});

describe.concurrent("an upgrade in one commit leaves the healthy job alone", () => {
  it("when the new entry class is misspelt, and names the right one", async () => {
    await using world = await createWorld();
    await world.push(await aRunningJob("orders"));
    const daemon = world.startDaemon();
    const { flinkJobId } = await daemon.untilJob("orders", isRunning);
    const misspelt = aJob("orders-v2", { artifact: "orders", entryClass: "penstock.test.CountJob", spec: FROM_FINAL });
    await world.push({ "orders.yaml": anArtifact("orders") + misspelt + aFinalSavepoint("orders") });
    await daemon.untilJob("orders-v2", has("Started", "InitialStateNotReady"));
    await daemon.untilAtRest();
    expect(conditionOf(await world.job("orders-v2"), "Started")?.message).toContain("did you mean penstock.test.CounterJob?");
    expect(world.flink.job(flinkJobId!).state).toBe("RUNNING");
    expect(world.flink.countCalls(STOP)).toBe(0);
  });

  it("when the new jar answers 404, and goes on by itself as soon as it is there", async () => {
    await using cleanups = new AsyncDisposableStack();
    const files = await FileServer.start();
    cleanups.defer(async () => files.close());
    await using world = await createWorld({ config: { artifacts: { hosts: { [files.host]: {} } } } });
    const first = await aRunningJob("orders");
    await world.push(first);
    const daemon = world.startDaemon();
    const { flinkJobId } = await daemon.untilJob("orders", isRunning);
    const next = anArtifact("new", `url: "${files.url("/app.jar")}"`) + aJob("orders-v2", { artifact: "new", spec: FROM_FINAL });
    await world.push({ "orders.yaml": anArtifact("orders") + next + aFinalSavepoint("orders") });
    await daemon.untilJob(
      "orders-v2",
      ({ conditions }) => findCondition(conditions, "Started")?.message.includes("404") === true,
    );
    await daemon.untilAtRest();
    expect(world.flink.job(flinkJobId!).state).toBe("RUNNING");
    expect(world.flink.countCalls(STOP)).toBe(0);

    files.put("/app.jar", first["jars/counter.jar"] as Uint8Array);
    world.clock.pass(600_000);
    const started = await daemon.untilJob("orders-v2", isRunning);
    expect(started.startedFrom?.uri).toContain(`/${flinkJobId}/`);
  });
});

describe.concurrent("the status branch", () => {
  it("says Running by the pass that sees it, not at the next interval", async () => {
    await using world = await createWorld();
    world.flink.holdDeployments();
    await world.push(await aRunningJob("orders"));
    const daemon = world.startDaemon();
    await daemon.untilJob("orders", has("Healthy", "TasksNotRunning"));
    world.flink.releaseDeployments();
    const pass = await daemon.until("all tasks are seen running", ({ observed }) =>
      observed.clusters.some(
        (cluster) =>
          cluster.kind === "reachable" &&
          [...cluster.jobs.values()].some(({ tasks }) => tasks.running === tasks.total && tasks.total > 0),
      ),
    );
    // It is written with the news of 400 ms; nothing waits for an interval.
    expect(statusOfJob(pass, "orders")?.conditions).toContainEqual(expect.objectContaining({ type: "Healthy", status: "True" }));
    await daemon.untilJob("orders", has("Healthy", "AllTasksRunning"));
    expect(conditionOf(await world.job("orders"), "Healthy")?.status).toBe("True");
  });
});

describe.concurrent("a Job that does not get healthy", () => {
  it("holds up no newer commit: others are changed, and so is it", async () => {
    await using world = await createWorld({ flink: { slots: 4 } });
    const many = (await aRunningJob("clicks", { rpus: 100 }))["clicks.yaml"]!;
    await world.push({ ...(await aRunningJob("orders")), "clicks.yaml": many });
    const daemon = world.startDaemon();
    await daemon.untilJob("clicks", has("Placed", "NotEnoughSlots"));
    await daemon.untilJob("orders", isRunning);
    await world.push({ "orders.yaml": anArtifact("orders") + aJob("orders", { rpus: 1 }) });
    await daemon.untilJob("orders", (status) => isRunning(status) && status.requestedRpus === 1);
    await world.push({ "clicks.yaml": anArtifact("clicks") + aJob("clicks", { rpus: 3 }) });
    await daemon.untilJob("clicks", isRunning);
  });
});

describe.concurrent("a deletion", () => {
  it("of a job that takes no savepoint any more comes to its end: it is cancelled, and its newest checkpoint is kept", async () => {
    await using world = await createWorld();
    await world.push(await aRunningJob("orders"));
    const daemon = world.startDaemon();
    const { flinkJobId } = await daemon.untilJob("orders", isRunning);
    await untilCheckpointed(world, daemon, flinkJobId!);
    world.flink.setJobState(flinkJobId!, "RESTARTING", "the sink is down");
    await world.push({ "orders.yaml": anArtifact("orders") });
    await daemon.untilJob("orders", ({ deleted }) => deleted !== undefined);
    expect(world.flink.job(flinkJobId!).state).toBe("CANCELED");
    expect((await world.job("orders"))?.status["deleted"]).toMatchObject({
      restorePoint: { kind: "Checkpoint", uri: `${world.flink.checkpointsDir}/${flinkJobId}/chk-1` },
    });
  });

  it("whose savepoint never comes gives up on it in the time that the policy sets, and not before", async () => {
    await using world = await createWorld({ config: { policy: { deleteTimeout: "10m" } } });
    await world.push(await aRunningJob("orders"));
    const daemon = world.startDaemon();
    const { flinkJobId } = await daemon.untilJob("orders", isRunning);
    await untilCheckpointed(world, daemon, flinkJobId!);
    world.flink.failSavepoints("the storage is away");
    await world.push({ "orders.yaml": anArtifact("orders") });
    await world.flink.untilCalled(STOP);
    await daemon.untilAtRest();
    expect(world.flink.job(flinkJobId!).state).toBe("RUNNING");
    world.clock.pass(601_000);
    await daemon.untilJob("orders", ({ deleted }) => deleted !== undefined);
    expect(world.flink.job(flinkJobId!).state).toBe("CANCELED");
  });
});

describe.concurrent("a stop that fails after its savepoint was taken", () => {
  it("loses nothing: the next attempt goes on from that savepoint", async () => {
    await using world = await createWorld();
    await world.push(await aRunningJob("orders"));
    const daemon = world.startDaemon();
    const { flinkJobId } = await daemon.untilJob("orders", isRunning);
    await untilCheckpointed(world, daemon, flinkJobId!);
    world.flink.breakStops("FAILED");
    await world.push({ "orders.yaml": anArtifact("orders") + aJob("orders", { rpus: 3 }) });
    const next = await daemon.untilJob("orders", (status) => isRunning(status) && status.flinkJobId !== flinkJobId);
    expect(next.startedFrom?.uri).toContain(`${world.flink.savepointsDir}/${flinkJobId}/`);
    expect(world.flink.countCalls(RUN)).toBe(2);
  });
});

describe.concurrent("a forge", () => {
  it("is told of a commit when something changes, and not by every pass", async () => {
    await using forge = await startFakeForge("github");
    const folder = await mkdtemp(join(tmpdir(), "penstock-forge-"));
    await using cleanups = new AsyncDisposableStack();
    cleanups.defer(async () => rm(folder, { recursive: true, force: true }));
    const tokenFile = join(folder, "token");
    await writeFile(tokenFile, forge.token);
    const { url, repository } = forge;
    await using world = await createWorld({ config: { forge: { kind: "github", url, tokenFile, repository } } });
    const commit = await world.push(await aRunningJob("orders"));
    const daemon = world.startDaemon();
    const { flinkJobId } = await daemon.untilJob("orders", isRunning);
    await untilCheckpointed(world, daemon, flinkJobId!);
    const told = (): readonly string[] => forge.statuses.filter((status) => status.commit === commit).map(({ state }) => state);
    for (let passes = 0; passes < 400 && told().at(-1) !== "success"; passes += 1) await daemon.passes(1);
    const before = told();
    expect(before.at(-1)).toBe("success");
    expect(before.length).toBeLessThan(5);
    for (let hours = 0; hours < 3; hours += 1) {
      world.clock.pass(3_600_000);
      await daemon.passes(10);
    }
    expect(told()).toEqual(before);
  });
});
