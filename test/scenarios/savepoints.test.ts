import { describe, expect, it } from "vitest";
import { aFinalSavepoint, aJob, anArtifact, aRunningJob, aSavepoint } from "./manifests.ts";
import type { RunningDaemon } from "./running-daemon.ts";
import { completeCheckpoint, conditionOf, createWorld, has, isRunning, type StatusFile, type World } from "./world.ts";

const STOP = /^POST \/jobs\/[0-9a-f]{32}\/stop$/;
const FINAL = aFinalSavepoint("orders");

/** The next version of `orders`, which starts from its Final Savepoint. */
function aNext(rpus = 2): string {
  return aJob("orders-v2", { artifact: "orders", rpus, spec: "  initialStateRef: {name: orders-final}\n" });
}

async function aRunningWorld(): Promise<{ world: World; daemon: RunningDaemon; flinkJobId: string }> {
  const world = await createWorld();
  const { "orders.yaml": _, ...jar } = await aRunningJob("orders");
  await world.push({ ...jar, "app.yaml": anArtifact("orders"), "orders.yaml": aJob("orders") });
  const daemon = world.startDaemon();
  const { flinkJobId } = await daemon.untilJob("orders", isRunning);
  return { world, daemon, flinkJobId: flinkJobId! };
}

async function untilSavepoint(world: World, daemon: RunningDaemon, name: string, phase: string): Promise<StatusFile> {
  await daemon.until(`Savepoint ${name} is ${phase}`, ({ update, published }) => {
    const record = [...update.records.values()].find(({ kind, id }) => kind === "Savepoint" && id.name === name);
    return record?.status.phase === phase && (published.kind === "written" || published.kind === "nothing-to-write");
  });
  return (await world.status(`local/default/savepoint/${name}.yaml`))!;
}

describe.concurrent("a Savepoint", () => {
  it.each([
    ["Retain", false],
    ["Delete", true],
  ])("OnDemand is taken while the job goes on, and %s says what becomes of it", async (deletionPolicy, isDisposed) => {
    const { world, daemon, flinkJobId } = await aRunningWorld();
    await using _ = world;
    const spec = `{type: OnDemand, jobRef: {name: orders}, deletionPolicy: ${deletionPolicy}}`;
    await world.push({ "demand.yaml": aSavepoint("demand", spec) });
    const ready = await untilSavepoint(world, daemon, "demand", "Ready");
    expect(ready.status["uri"]).toContain(`${world.flink.savepointsDir}/${flinkJobId}/`);
    expect(world.flink.job(flinkJobId).state).toBe("RUNNING");
    expect(world.flink.countCalls(STOP)).toBe(0);
    completeCheckpoint(world, flinkJobId); // or the Job might go back to the savepoint
    await world.push({ "demand.yaml": null });
    await daemon.until("it is forgotten", ({ update }) => ![...update.records.values()].some(({ kind }) => kind === "Savepoint"));
    await daemon.untilAtRest();
    expect(world.flink.countCalls(/^POST \/savepoint-disposal$/)).toBe(isDisposed ? 1 : 0);
  });

  it("External names one that exists, and a new Job starts from it", async () => {
    const { world, daemon, flinkJobId } = await aRunningWorld();
    await using _ = world;
    await world.push({ "demand.yaml": aSavepoint("demand", "{type: OnDemand, jobRef: {name: orders}}") });
    const uri = String((await untilSavepoint(world, daemon, "demand", "Ready")).status["uri"]);
    const copy = aJob("copy", { artifact: "orders", spec: "  initialStateRef: {name: theirs}\n" });
    await world.push({ "copy.yaml": copy + aSavepoint("theirs", `{type: External, uri: "${uri}"}`) });
    const started = await daemon.untilJob("copy", isRunning);
    expect(started.startedFrom).toEqual({ kind: "Savepoint", uri });
    expect(world.flink.job(started.flinkJobId!).restoredFrom).toBe(uri);
    expect(world.flink.job(flinkJobId).state).toBe("RUNNING");
  });

  it("OnDemand is taken to its end before its Job is stopped for a rescale", async () => {
    const { world, daemon, flinkJobId } = await aRunningWorld();
    await using _ = world;
    world.flink.holdSavepoints();
    await world.push({ "demand.yaml": aSavepoint("demand", "{type: OnDemand, jobRef: {name: orders}}") });
    await daemon.until("it is being taken", () => world.flink.countCalls(/^POST \/jobs\/[0-9a-f]{32}\/savepoints$/) === 1);
    await world.push({ "orders.yaml": aJob("orders", { rpus: 4 }) });
    await daemon.untilJob("orders", has("Rescaled", "SavepointUnderWay"));
    expect(world.flink.countCalls(STOP)).toBe(0);
    world.flink.releaseSavepoints();
    await untilSavepoint(world, daemon, "demand", "Ready");
    await daemon.untilJob("orders", (now) => isRunning(now) && now.parallelism === 4);
    expect(world.flink.job(flinkJobId).state).toBe("FINISHED");
    expect(world.flink.countCalls(STOP)).toBe(1);
  });

  it("OnDemand that fails is Pending with the reason and is tried again", async () => {
    const { world, daemon } = await aRunningWorld();
    await using _ = world;
    world.flink.failSavepoints("no space left on device");
    await world.push({ "demand.yaml": aSavepoint("demand", "{type: OnDemand, jobRef: {name: orders}}") });
    await daemon.until("it failed", ({ update }) =>
      [...update.records.values()].some(
        ({ kind, status }) => kind === "Savepoint" && status.conditions.some(({ reason }) => reason === "SavepointFailed"),
      ),
    );
    world.flink.failSavepoints(undefined);
    world.clock.pass(600_000);
    await untilSavepoint(world, daemon, "demand", "Ready");
  });
});

describe.concurrent("a Savepoint whose manifest goes while it is being taken", () => {
  it.each([
    ["Retain", 0],
    ["Delete", 1],
  ])("comes to its end first, and then %s says what becomes of it", async (deletionPolicy, disposals) => {
    const { world, daemon, flinkJobId } = await aRunningWorld();
    await using _ = world;
    world.flink.holdSavepoints();
    const spec = `{type: OnDemand, jobRef: {name: orders}, deletionPolicy: ${deletionPolicy}}`;
    await world.push({ "demand.yaml": aSavepoint("demand", spec) });
    await untilSavepoint(world, daemon, "demand", "InProgress");
    await daemon.untilApplied(await world.push({ "demand.yaml": null }));
    expect((await world.status("local/default/savepoint/demand.yaml"))?.status.phase).toBe("InProgress");
    world.flink.releaseSavepoints();
    completeCheckpoint(world, flinkJobId); // or the Job might go back to the savepoint
    await daemon.until("it is forgotten", ({ update }) => ![...update.records.values()].some(({ kind }) => kind === "Savepoint"));
    await daemon.untilAtRest();
    expect(world.flink.countCalls(/^POST \/savepoint-disposal$/)).toBe(disposals);
    expect(world.flink.job(flinkJobId).state).toBe("RUNNING");
  });

  it("of a Job that it is stopping brings that Job back from it", async () => {
    const { world, daemon } = await aRunningWorld();
    await using _ = world;
    world.flink.holdSavepoints();
    await world.push({ "final.yaml": FINAL });
    await daemon.untilJob("orders", ({ operation }) => operation?.kind === "stop");
    await daemon.untilApplied(await world.push({ "final.yaml": null }));
    world.flink.releaseSavepoints();
    const back = await daemon.untilJob("orders", (now) => isRunning(now) && now.run === 2);
    expect(back.startedFrom?.kind).toBe("Savepoint");
  });
});

describe.concurrent("an upgrade in one commit", () => {
  it.each([
    ["with the new Job first and the old manifest kept", { "a-new.yaml": aNext() + FINAL }, false],
    ["with the Savepoint first and the old manifest deleted", { "z-new.yaml": FINAL + aNext(), "orders.yaml": null }, true],
  ])("%s stops the old Job with a savepoint, and the new one starts from it", async (_, change, isDeleted) => {
    const { world, daemon, flinkJobId } = await aRunningWorld();
    await using _world = world;
    await world.push(change);
    const next = await daemon.untilJob("orders-v2", isRunning);
    const uri = (await untilSavepoint(world, daemon, "orders-final", "Ready")).status["uri"];
    expect(next).toMatchObject({ run: 1, attempt: 1, startedFrom: { kind: "Savepoint", uri } });
    const old = await daemon.untilJob("orders", (now) => (isDeleted ? now.deleted : now.finalized) !== undefined);
    expect(isDeleted ? old.deleted?.restorePoint?.uri : old.finalized?.uri).toBe(uri);
    await daemon.untilAtRest();
    expect(world.flink.job(flinkJobId).state).toBe("FINISHED");
    expect(world.flink.job(next.flinkJobId!).restoredFrom).toBe(uri);
    expect([world.flink.countCalls(STOP), world.flink.jobs.length]).toEqual([1, 2]);
  });

  it("leaves the old Job running while the new one could not start, and says why", async () => {
    const { world, daemon, flinkJobId } = await aRunningWorld();
    await using _ = world;
    await world.push({ "new.yaml": aNext(100) + FINAL });
    await daemon.untilJob("orders-v2", has("Started", "InitialStateNotReady"));
    await daemon.untilAtRest();
    expect(conditionOf(await world.status("local/default/savepoint/orders-final.yaml"), "Available")?.message).toMatch(
      /^Job orders is not stopped yet: Job orders-v2 could not start from it: needs 100 slots/,
    );
    expect(world.flink.job(flinkJobId).state).toBe("RUNNING");
    expect(world.flink.countCalls(STOP)).toBe(0);
  });

  it("that is reverted brings the old Job back from its Final Savepoint", async () => {
    const { world, daemon } = await aRunningWorld();
    await using _ = world;
    await world.push({ "new.yaml": aNext() + FINAL });
    const next = await daemon.untilJob("orders-v2", isRunning);
    await world.push({ "new.yaml": null });
    await daemon.untilJob("orders-v2", ({ deleted }) => deleted !== undefined);
    const back = await daemon.untilJob("orders", isRunning);
    expect(back).toMatchObject({ run: 2, attempt: 2, startedFrom: next.startedFrom });
    await daemon.untilAtRest();
    expect(world.flink.jobs.filter(({ state }) => state === "RUNNING")).toHaveLength(1);
  });

  it("that is made again after its revert goes on from what the old Job did meanwhile, and not from its own former life", async () => {
    const { world, daemon } = await aRunningWorld();
    await using _ = world;
    await world.push({ "new.yaml": aNext() + FINAL });
    await daemon.untilJob("orders-v2", isRunning);
    await world.push({ "new.yaml": null });
    await daemon.untilJob("orders-v2", ({ deleted }) => deleted !== undefined);
    const back = await daemon.untilJob("orders", isRunning);
    world.clock.pass(60_000);
    await world.push({ "new.yaml": aNext() + FINAL });
    const again = await daemon.untilJob("orders-v2", (status) => isRunning(status) && status.deleted === undefined);
    expect(again).toMatchObject({ run: 2, startedFrom: { kind: "Savepoint" } });
    expect(again.startedFrom?.uri).toContain(`/${back.flinkJobId}/`);
  });
});

describe.concurrent("a Final Savepoint that drains", () => {
  it("ends the Job for good: neither it nor its tombstone goes on from what it left", async () => {
    const { world, daemon, flinkJobId } = await aRunningWorld();
    await using _ = world;
    const drain = "{type: Final, finalOptions: {shutdownMethod: Drain}, jobRef: {name: orders}}";
    await world.push({ "drain.yaml": aSavepoint("drained", drain) });
    const { status } = await untilSavepoint(world, daemon, "drained", "Ready");
    expect(status["uri"]).toContain(`/${flinkJobId}/drained-`);
    expect(JSON.parse(world.flink.calls.find(({ method, path }) => STOP.test(`${method} ${path}`))!.body)).toMatchObject({
      drain: true,
    });
    await world.push({ "drain.yaml": null });
    await daemon.until(
      "the Savepoint is forgotten",
      ({ update }) => ![...update.records.values()].some(({ kind }) => kind === "Savepoint"),
    );
    await daemon.untilAtRest();
    expect((await world.job("orders"))?.status).toMatchObject({ flinkJobState: "Finished", attempt: 1 });
    await world.push({ "orders.yaml": null }, "Penstock-Allow-Deletions: 1");
    const gone = await daemon.untilJob("orders", ({ deleted }) => deleted !== undefined);
    expect(gone.deleted?.restorePoint).toBeUndefined();
  });
});
