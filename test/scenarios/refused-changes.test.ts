import { describe, expect, it } from "vitest";
import { aJob, aRunningJob, anArtifact, type JobText } from "./manifests.ts";
import { conditionOf, createWorld, has, isRunning, STATUS_BRANCH, WRITES, type World, untilCheckpointed } from "./world.ts";

const ORIGINAL: JobText = { configuration: { "execution.checkpointing.interval": "30s" } };

async function aWorldWithOrders(): Promise<{ world: World; daemon: ReturnType<World["startDaemon"]>; writes: number }> {
  const world = await createWorld();
  await world.push(await aRunningJob("orders", ORIGINAL));
  const daemon = world.startDaemon();
  await daemon.untilJob("orders", isRunning);
  return { world, daemon, writes: world.flink.countCalls(WRITES) };
}

describe.concurrent("a change of a Job that was started", () => {
  it("of its spec is refused whole, naming each field with its place and both values, until it is put back", async () => {
    const { world, daemon, writes } = await aWorldWithOrders();
    await using _ = world;
    const changed: JobText = {
      rpus: 4,
      entryClass: "penstock.test.Other",
      mainArgs: ["--rate", "1"],
      configuration: { "execution.checkpointing.interval": "1min" },
    };
    await world.push({ "orders.yaml": anArtifact("orders") + aJob("orders", changed) });
    await daemon.untilJob("orders", has("Accepted", "SpecChanged"));
    const message = conditionOf(await world.job("orders"), "Accepted")?.message;
    expect(message).toMatch(
      /orders\.yaml:\d+:\d+ spec\.artifactRef\.jarOptions\.entryClass was penstock\.test\.CounterJob and is penstock\.test\.Other/,
    );
    expect(message).toMatch(/orders\.yaml:\d+:\d+ spec\.artifactRef\.jarOptions\.mainArgs was not set and is \["--rate","1"\]/);
    expect(message).toMatch(
      /orders\.yaml:\d+:\d+ spec\.configuration\.execution\.checkpointing\.interval was 30s? .*and is 1 ?min/,
    );
    expect(message).toContain("rpus is not changed either");
    expect((await world.job("orders"))?.spec).toMatchObject({
      resources: { rpus: 2 },
      configuration: { "execution.checkpointing.interval": "30s" },
    });

    await world.push({ "orders.yaml": anArtifact("orders") + aJob("orders", ORIGINAL) });
    await daemon.untilJob("orders", has("Accepted", "SpecAccepted"));
    expect(world.flink.countCalls(WRITES)).toBe(writes);
    expect(world.flink.jobs).toHaveLength(1);
  });

  it("shows the way out ready to paste, and that works: the new Job goes on from the state of the old one", async () => {
    const { world, daemon } = await aWorldWithOrders();
    await using _ = world;
    const { flinkJobId } = world.flink.jobs[0]!;
    await world.push({ "orders.yaml": anArtifact("orders") + aJob("orders", { ...ORIGINAL, mainArgs: ["--rate", "7"] }) });
    await daemon.untilJob("orders", has("Accepted", "SpecChanged"));
    const message = conditionOf(await world.job("orders"), "Accepted")!.message;
    const [savepoint, job] = message.slice(message.indexOf("{ apiVersion")).split(/(?<=\}) and (?=\{)/);
    await world.push({
      "upgrade.yaml": `${savepoint}\n---\n${job}\n`,
      "orders.yaml": anArtifact("orders") + aJob("orders", ORIGINAL),
    });
    const next = await daemon.untilJob("orders-v2", isRunning);
    expect(next.startedFrom?.uri).toContain(`/${flinkJobId}/`);
    expect(next.artifact?.jarOptions.mainArgs).toEqual(["--rate", "7"]);
    await daemon.untilAtRest();
    expect(world.flink.job(flinkJobId).state).toBe("FINISHED");
    expect(conditionOf(await world.job("orders"), "Accepted")?.reason).toBe("SpecAccepted");
  });

  it("stays refused after a restart, and after the status branch was lost, then without the names of its fields", async () => {
    const { world, daemon, writes } = await aWorldWithOrders();
    await using _ = world;
    const changed = { "orders.yaml": anArtifact("orders") + aJob("orders", { ...ORIGINAL, mainArgs: ["--rate", "7"] }) };
    await world.push(changed);
    await daemon.untilJob("orders", has("Accepted", "SpecChanged"));
    await daemon.stop();
    const second = world.startDaemon();
    await second.untilAtRest();
    const message = conditionOf(await world.job("orders"), "Accepted")?.message;
    expect(message).toContain("spec.artifactRef.jarOptions.mainArgs was not set");
    await second.stop();
    await world.git.deleteBranch("jobs", STATUS_BRANCH);
    const third = world.startDaemon();
    await third.untilJob("orders", has("Accepted", "SpecChanged"));
    const adopted = conditionOf(await world.job("orders"), "Accepted")?.message;
    expect(adopted).toContain("the accepted one was lost with the status branch; put it back; for what is different");
    await world.push({ "orders.yaml": anArtifact("orders") + aJob("orders", ORIGINAL) });
    await third.untilJob("orders", has("Accepted", "SpecAccepted"));
    expect(world.flink.countCalls(WRITES)).toBe(writes);
  });

  it("that only writes a value differently is none", async () => {
    const { world, daemon, writes } = await aWorldWithOrders();
    await using _ = world;
    const sameSpec: JobText = { configuration: { "execution.checkpointing.interval": "30000 ms" }, annotations: { note: "hi" } };
    await daemon.untilApplied(await world.push({ "orders.yaml": anArtifact("orders") + aJob("orders", sameSpec) }));
    expect(await world.job("orders")).toMatchObject({ metadata: { annotations: { note: "hi" } } });
    expect(conditionOf(await world.job("orders"), "Accepted")?.status).toBe("True");
    expect(world.flink.countCalls(WRITES)).toBe(writes);
  });

  it("of its rpus alone is none that is refused: it is rescaled with its state", async () => {
    const { world, daemon } = await aWorldWithOrders();
    await using _ = world;
    await world.push({ "orders.yaml": anArtifact("orders") + aJob("orders", { ...ORIGINAL, rpus: 4 }) });
    const status = await daemon.untilJob("orders", (now) => isRunning(now) && now.parallelism === 4);
    expect(status).toMatchObject({ run: 1, attempt: 2, requestedRpus: 4, startedFrom: { kind: "Savepoint" } });
    expect(conditionOf(await world.job("orders"), "Accepted")?.reason).toBe("SpecAccepted");
  });

  it("that moves its manifest to another file is none", async () => {
    const { world, daemon, writes } = await aWorldWithOrders();
    await using _ = world;
    const moved = { "orders.yaml": null, "elsewhere/jobs.yaml": anArtifact("orders") + aJob("orders", ORIGINAL) };
    await daemon.untilApplied(await world.push(moved));
    await daemon.untilAtRest();
    expect((await world.job("orders"))?.status).toMatchObject({ phase: "Ready", flinkJobState: "Running", attempt: 1 });
    expect(world.flink.countCalls(WRITES)).toBe(writes);
  });

  it("that takes its manifest away stops it with a savepoint, and its Artifact stays until it is gone", async () => {
    const { world, daemon } = await aWorldWithOrders();
    await using _ = world;
    await daemon.untilApplied(await world.push({ "clicks.yaml": anArtifact("clicks") }));
    const { flinkJobId } = world.flink.jobs[0]!;
    await untilCheckpointed(world, daemon, flinkJobId);
    world.flink.holdSavepoints();
    await world.push({ "orders.yaml": null });
    const deleting = await daemon.untilJob("orders", ({ phase, operation }) => phase === "Deleting" && operation !== undefined);
    expect(deleting.operation).toMatchObject({ kind: "stop", purpose: "delete", flinkJobId });
    expect((await world.artifact("orders"))?.status.phase).toBe("Deleting");
    world.flink.releaseSavepoints();

    const gone = await daemon.untilJob("orders", ({ deleted }) => deleted !== undefined);
    expect(gone).toMatchObject({
      phase: "Deleting",
      flinkJobState: "Cancelled",
      deleted: { restorePoint: { kind: "Savepoint" } },
    });
    await daemon.untilAtRest();
    expect(world.flink.job(flinkJobId).state).toBe("FINISHED");
    expect(await world.artifact("orders")).toBeUndefined();
  });
});

describe.concurrent("a change that comes while a start is under way", () => {
  it("of its spec is refused: what was announced is started, once", async () => {
    await using world = await createWorld();
    const releaseMain = world.flink.holdMain();
    await world.push(await aRunningJob("orders", ORIGINAL));
    const daemon = world.startDaemon();
    const announced = await daemon.untilJob("orders", ({ operation }) => operation !== undefined);
    const change = anArtifact("orders") + aJob("orders", { mainArgs: ["--rate", "1"] });
    await daemon.untilApplied(await world.push({ "orders.yaml": change }));
    releaseMain();
    const running = await daemon.untilJob("orders", isRunning);
    expect(running.flinkJobId).toBe(announced.operation?.flinkJobId);
    await daemon.untilJob("orders", has("Accepted", "SpecChanged"));
    expect(world.flink.jobs).toHaveLength(1);
    expect((await world.job("orders"))?.spec).toMatchObject({ configuration: ORIGINAL.configuration });
  });

  it("that takes its manifest away ends what was announced as soon as it is known to run, and starts nothing else", async () => {
    await using world = await createWorld();
    const releaseMain = world.flink.holdMain();
    await world.push(await aRunningJob("orders", ORIGINAL));
    const daemon = world.startDaemon();
    const announced = await daemon.untilJob("orders", ({ operation }) => operation !== undefined);
    await daemon.untilApplied(await world.push({ "orders.yaml": anArtifact("orders") }));
    releaseMain();
    const gone = await daemon.untilJob("orders", ({ deleted }) => deleted !== undefined);
    expect(gone).toMatchObject({ attempt: 1, flinkJobId: announced.operation?.flinkJobId, flinkJobState: "Cancelled" });
    await daemon.untilAtRest();
    expect(world.flink.jobs).toHaveLength(1);
    expect(["CANCELED", "FINISHED"]).toContain(world.flink.jobs[0]?.state);
  });
});

describe.concurrent("a Job that was never started", () => {
  it("may be edited in any way, and starts as it is declared then", async () => {
    await using world = await createWorld({ flink: { slots: 2 } });
    await world.push(await aRunningJob("orders", { rpus: 5, entryClass: "a.B" }));
    const daemon = world.startDaemon();
    await daemon.untilJob("orders", has("Started", "EntryClassMissing"));
    await world.push({ "orders.yaml": anArtifact("orders") + aJob("orders", { rpus: 5 }) });
    await daemon.untilJob("orders", has("Placed", "NotEnoughSlots"));
    await world.push({ "orders.yaml": anArtifact("orders") + aJob("orders", { rpus: 1, mainArgs: ["--rate", "7"] }) });
    const status = await daemon.untilJob("orders", isRunning);
    expect(status).toMatchObject({ requestedRpus: 1, attempt: 1, run: 1 });
    expect(world.flink.jobs[0]?.programArgs).toEqual(["--rate", "7"]);
  });

  it("may be deleted, and is forgotten", async () => {
    await using world = await createWorld({ flink: { slots: 2 } });
    await world.push({ ...(await aRunningJob("clicks")), "orders.yaml": aJob("orders", { artifact: "clicks", rpus: 5 }) });
    const daemon = world.startDaemon();
    await daemon.untilJob("orders", has("Placed", "NotEnoughSlots"));
    await daemon.untilJob("clicks", isRunning);
    await daemon.untilApplied(await world.push({ "orders.yaml": null }));
    expect(await world.job("orders")).toBeUndefined();
    expect((await world.statusCommits())[0]).toMatch(/^default\/orders: forgotten/);
  });

  it("is not forgotten while a document cannot be read, for it might be this one", async () => {
    await using world = await createWorld({ flink: { slots: 1 } });
    await world.push(await aRunningJob("orders"));
    const daemon = world.startDaemon();
    await daemon.untilJob("orders", has("Placed", "NotEnoughSlots"));
    await daemon.untilApplied(await world.push({ "orders.yaml": "apiVersion: core/v1alpha1\nkind: [" }));
    await daemon.untilAtRest();
    expect((await world.job("orders"))?.status.phase).toBe("Pending");
  });
});
