import { describe, expect, it } from "vitest";
import type { FileChange } from "../support/git-repositories.ts";
import { aJob, aRunningJob, anArtifact, counterJar } from "./manifests.ts";
import type { RunningDaemon } from "./running-daemon.ts";
import { conditionOf, createWorld, has, isRunning, WRITES, type World, type WorldOptions, untilCheckpointed } from "./world.ts";

const A_MINUTE_MS = 60_000;
const isGone = ({ deleted }: { readonly deleted?: unknown }): boolean => deleted !== undefined;

interface RunningWorld {
  readonly world: World;
  readonly daemon: RunningDaemon;
  readonly names: readonly string[];
}

/** So many Jobs of one rpu, a file each, all running; their Artifact stands in a file of its own. */
async function aWorldOf(count: number, options: WorldOptions = {}): Promise<RunningWorld> {
  const world = await createWorld({ flink: { slots: 20 }, ...options });
  const names = Array.from({ length: count }, (_, index) => `job-${index}`);
  const files = names.map((name) => [`${name}.yaml`, aJob(name, { artifact: "app", rpus: 1 })] as const);
  await world.push({ ...Object.fromEntries(files), "app.yaml": anArtifact("app"), "jars/counter.jar": await counterJar() });
  const daemon = world.startDaemon();
  await daemon.until("all run", ({ update }) =>
    names.every((name) => {
      const record = [...update.records.values()].find(({ id, kind }) => kind === "Job" && id.name === name);
      return record?.kind === "Job" && record.status.flinkJobState === "Running";
    }),
  );
  await daemon.untilAtRest();
  return { world, daemon, names };
}

async function aRunningWorld(options?: WorldOptions): Promise<{ world: World; daemon: RunningDaemon; flinkJobId: string }> {
  const world = await createWorld(options);
  await world.push(await aRunningJob("orders"));
  const daemon = world.startDaemon();
  const { flinkJobId } = await daemon.untilJob("orders", isRunning);
  await untilCheckpointed(world, daemon, flinkJobId!);
  return { world, daemon, flinkJobId: flinkJobId! };
}

function without(names: readonly string[]): Readonly<Record<string, FileChange>> {
  return Object.fromEntries(names.map((name) => [`${name}.yaml`, null]));
}

function running(world: World): number {
  return world.flink.jobs.filter(({ state }) => state === "RUNNING").length;
}

describe.concurrent("a deletion that may be a slip is held", () => {
  it("when more go at once than the policy lets, until a trailer lets so many go, by name", async () => {
    const { world, daemon, names } = await aWorldOf(5, { config: { policy: { deletions: { max: 1 } } } });
    await using _ = world;
    const writes = world.flink.countCalls(WRITES);
    await world.push(without(names.slice(0, 2)));
    await daemon.untilJob("job-0", has("Deleted", "TooManyDeletions"));
    expect(conditionOf(await world.job("job-0"), "Deleted")?.message).toContain("2 Jobs would be deleted at once, more than 1");
    expect(conditionOf(await world.job("job-0"), "Deleted")?.message).toContain('"Penstock-Allow-Deletions: N"');
    await daemon.untilAtRest();
    expect(world.flink.countCalls(WRITES)).toBe(writes);
    await world.push({ "README.md": "hello" }, "clean up\n\nPenstock-Allow-Deletions: 2");
    await daemon.untilJob("job-0", isGone);
    await daemon.untilJob("job-1", isGone);
    await daemon.untilAtRest();
    expect(running(world)).toBe(3);
  });

  it("when it is more than half of at least four", async () => {
    const { world, daemon, names } = await aWorldOf(4);
    await using _ = world;
    await world.push(without(names.slice(0, 3)));
    await daemon.untilJob("job-2", has("Deleted", "TooManyDeletions"));
    expect(conditionOf(await world.job("job-2"), "Deleted")?.message).toContain("3 of 4 Jobs would be deleted at once");
    await daemon.untilAtRest();
    expect(running(world)).toBe(4);
    await world.push({ "job-2.yaml": aJob("job-2", { artifact: "app", rpus: 1 }) });
    await daemon.untilJob("job-0", isGone);
    await daemon.untilJob("job-1", isGone);
    await daemon.untilAtRest();
    expect(running(world)).toBe(2);
  });

  it("when the tree holds no manifest at all", async () => {
    const { world, daemon } = await aWorldOf(1);
    await using _ = world;
    await world.push({ "job-0.yaml": null, "app.yaml": null });
    await daemon.untilJob("job-0", has("Deleted", "TooManyDeletions"));
    expect(conditionOf(await world.job("job-0"), "Deleted")?.message).toContain("the tree holds no manifest at all");
    await daemon.untilAtRest();
    expect(running(world)).toBe(1);
  });

  it("while a document cannot be read, naming it, and it goes when that is mended", async () => {
    const { world, daemon } = await aWorldOf(2);
    await using _ = world;
    await world.push({ "job-0.yaml": null, "broken.yaml": "apiVersion: core/v1alpha1\nkind: [" });
    await daemon.untilJob("job-0", has("Deleted", "DeletionHeld"));
    expect(conditionOf(await world.job("job-0"), "Deleted")?.message).toMatch(/broken\.yaml:\d+/);
    await daemon.untilAtRest();
    expect(running(world)).toBe(2);
    await world.push({ "broken.yaml": null });
    await daemon.untilJob("job-0", isGone);
    expect(running(world)).toBe(1);
  });

  it("when it looks like a rename in place: both wait, the upgrade is printed, and an annotation accepts the loss", async () => {
    const { world, daemon } = await aWorldOf(1);
    await using _ = world;
    const writes = world.flink.countCalls(WRITES);
    await world.push({ "job-0.yaml": aJob("job-0-v2", { artifact: "app", rpus: 1 }) });
    await daemon.untilJob("job-0", has("Deleted", "LooksLikeRename"));
    await daemon.untilJob("job-0-v2", has("Started", "LooksLikeRename"));
    expect(conditionOf(await world.job("job-0-v2"), "Started")?.message).toContain(
      "give job-0-v2 spec.initialStateRef: {name: job-0-final}",
    );
    await daemon.untilAtRest();
    expect(world.flink.countCalls(WRITES)).toBe(writes);
    const accepted = aJob("job-0-v2", { artifact: "app", rpus: 1, annotations: { "penstock/start-empty": "new" } });
    await world.push({ "job-0.yaml": accepted });
    await daemon.untilJob("job-0", isGone);
    const fresh = await daemon.untilJob("job-0-v2", isRunning);
    expect(fresh).toMatchObject({ run: 1, attempt: 1 });
    expect(fresh.startedFrom).toBeUndefined();
  });
});

describe.concurrent("a Job that was deleted", () => {
  it("comes back with its state when the deletion is reverted", async () => {
    const { world, daemon, flinkJobId } = await aRunningWorld();
    await using _ = world;
    await world.push({ "orders.yaml": anArtifact("orders") });
    const gone = await daemon.untilJob("orders", isGone);
    expect(gone).toMatchObject({
      phase: "Deleting",
      flinkJobState: "Cancelled",
      deleted: { restorePoint: { kind: "Savepoint" } },
    });
    await world.push({ "orders.yaml": anArtifact("orders") + aJob("orders") });
    const back = await daemon.untilJob("orders", isRunning);
    expect(back).toMatchObject({ phase: "Ready", run: 2, attempt: 2, startedFrom: gone.deleted?.restorePoint });
    expect(back.deleted).toBeUndefined();
    expect(back.flinkJobId).not.toBe(flinkJobId);
    expect(world.flink.job(back.flinkJobId!).restoredFrom).toBe(gone.deleted?.restorePoint?.uri);
  });

  it("keeps another spec under its name waiting, until a person gives the state up", async () => {
    const { world, daemon, flinkJobId } = await aRunningWorld();
    await using _ = world;
    await world.push({ "orders.yaml": anArtifact("orders") });
    await daemon.untilJob("orders", isGone);
    const other = { mainArgs: ["--rate", "1"] };
    await world.push({ "orders.yaml": anArtifact("orders") + aJob("orders", other) });
    await daemon.untilJob("orders", has("Started", "TombstoneStands"));
    expect(conditionOf(await world.job("orders"), "Started")?.message).toContain(`"penstock/start-empty: ${flinkJobId}"`);
    await daemon.untilAtRest();
    expect(running(world)).toBe(0);
    const annotated = aJob("orders", { ...other, annotations: { "penstock/start-empty": flinkJobId } });
    await world.push({ "orders.yaml": anArtifact("orders") + annotated });
    const fresh = await daemon.untilJob("orders", isRunning);
    expect(fresh.startedFrom).toBeUndefined();
    expect(world.flink.job(fresh.flinkJobId!)).toMatchObject({ restoredFrom: undefined, programArgs: ["--rate", "1"] });
  });

  it("with onDelete: cancel is cancelled, and its newest checkpoint is kept", async () => {
    const { world, daemon, flinkJobId } = await aRunningWorld({ config: { policy: { onDelete: "cancel" } } });
    await using _ = world;
    await world.push({ "orders.yaml": anArtifact("orders") });
    const gone = await daemon.untilJob("orders", isGone);
    expect(gone.deleted?.restorePoint).toMatchObject({ kind: "Checkpoint" });
    expect(gone.deleted?.restorePoint?.uri).toContain(`${flinkJobId}/chk-`);
    expect(world.flink.job(flinkJobId).state).toBe("CANCELED");
    expect(world.flink.countCalls(/\/stop$/)).toBe(0);
  });

  it("right after its first checkpoint is still stopped with a savepoint, although Flink's numbers are older than that", async () => {
    await using world = await createWorld();
    await world.push(await aRunningJob("orders"));
    const daemon = world.startDaemon();
    const { flinkJobId } = await daemon.untilJob("orders", has("Recoverable", "NoCheckpointYet"));
    await daemon.untilAtRest();
    world.flink.completeCheckpoint(flinkJobId!); // the clock stands almost still, so nobody asks for its numbers
    await world.push({ "orders.yaml": anArtifact("orders") });
    const gone = await daemon.untilJob("orders", isGone);
    expect(gone.deleted?.restorePoint).toMatchObject({ kind: "Savepoint" });
    expect(world.flink.job(flinkJobId!).state).toBe("FINISHED");
  });

  it("before its first checkpoint is cancelled at once", async () => {
    await using world = await createWorld();
    await world.push(await aRunningJob("orders"));
    const daemon = world.startDaemon();
    const { flinkJobId } = await daemon.untilJob("orders", has("Recoverable", "NoCheckpointYet"));
    await world.push({ "orders.yaml": anArtifact("orders") });
    const gone = await daemon.untilJob("orders", isGone);
    expect(gone.deleted?.restorePoint).toBeUndefined();
    expect(world.flink.job(flinkJobId!).state).toBe("CANCELED");
    expect(world.flink.countCalls(/\/stop$/)).toBe(0);
  });

  it("while its cluster cannot be seen waits in Deleting, and goes when it is back", async () => {
    const { world, daemon, flinkJobId } = await aRunningWorld();
    await using _ = world;
    await world.flink.refuse();
    await daemon.untilJob("orders", has("Healthy", "ClusterUnreachable"));
    await world.push({ "orders.yaml": anArtifact("orders") });
    const waiting = await daemon.untilJob("orders", ({ phase }) => phase === "Deleting");
    expect(waiting).toMatchObject({ flinkJobState: "Running", flinkJobId });
    expect(waiting.deleted).toBeUndefined();
    await world.flink.accept();
    world.clock.pass(A_MINUTE_MS);
    const gone = await daemon.untilJob("orders", isGone);
    expect(gone.deleted?.restorePoint).toMatchObject({ kind: "Savepoint" });
    expect(world.flink.job(flinkJobId).state).toBe("FINISHED");
  });

  it("by a daemon that is killed meanwhile is gone all the same, by one stop", async () => {
    await using world = await createWorld();
    await world.push(await aRunningJob("orders"));
    const killed = world.startProcess();
    await killed.untilLog("Pending → Ready, Running");
    const { flinkJobId } = world.flink.jobs[0]!;
    world.flink.completeCheckpoint(flinkJobId);
    await killed.untilLog("CheckpointCompleted"); // or it would be cancelled as one that never had state
    world.flink.holdSavepoints();
    await world.push({ "orders.yaml": anArtifact("orders") });
    await world.flink.untilCalled(/^POST .*\/stop$/);
    await killed.kill();
    const daemon = world.startDaemon();
    await daemon.passes(2);
    world.flink.releaseSavepoints();
    const gone = await daemon.untilJob("orders", isGone);
    expect(gone).toMatchObject({ flinkJobState: "Cancelled", attempt: 1, deleted: { restorePoint: { kind: "Savepoint" } } });
    expect(world.flink.jobs).toMatchObject([{ flinkJobId, state: "FINISHED" }]);
    expect(new Set(world.flink.calls.filter(({ path }) => path.endsWith("/stop")).map(({ body }) => body)).size).toBe(1);
  });
});
