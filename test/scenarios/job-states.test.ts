import { describe, expect, it } from "vitest";
import type { Config } from "../../src/config/config.ts";
import type { FlinkState } from "../../src/flink/responses.ts";
import { aRunningJob, type JobText } from "./manifests.ts";
import type { RunningDaemon } from "./running-daemon.ts";
import { conditionOf, createWorld, has, isRunning, RUN, type World } from "./world.ts";

const HOURS_MS = 2 * 3_600_000;

async function aRunningWorld(job?: JobText): Promise<{ world: World; daemon: RunningDaemon; flinkJobId: string }> {
  const world = await createWorld();
  await world.push(await aRunningJob("orders", job));
  const daemon = world.startDaemon();
  const { flinkJobId } = await daemon.untilJob("orders", isRunning);
  return { world, daemon, flinkJobId: flinkJobId! };
}

describe.concurrent("the state of a job", () => {
  it("is shown step by step, and what Flink calls INITIALIZING or CREATED again is a restart", async () => {
    await using world = await createWorld();
    const { promise, resolve } = Promise.withResolvers<void>();
    world.flink.inject(RUN, { kind: "slow", release: promise });
    await world.push(await aRunningJob("orders"));
    const daemon = world.startDaemon();
    await world.flink.untilCalled(RUN);
    const { flinkJobId } = world.flink.jobs[0]!;
    const show = async (state: FlinkState, shown: string): Promise<void> => {
      world.flink.setJobState(flinkJobId, state);
      await daemon.untilJob("orders", ({ flinkJobState }) => flinkJobState === shown);
    };
    await show("INITIALIZING", "Initializing");
    resolve();
    await show("CREATED", "Created");
    await show("RUNNING", "Running");
    await show("FAILING", "Failing");
    await show("RESTARTING", "Restarting");
    await show("RUNNING", "Running");
    await show("CREATED", "Restarting");
    await show("RUNNING", "Running");
    const job = await world.job("orders");
    expect(job?.status.history.map(({ to }) => to)).toEqual([
      "Pending",
      "Ready, Initializing",
      "Ready, Created",
      "Ready, Running",
      "Ready, Failing",
      "Ready, Restarting",
      "Ready, Running",
      "Ready, Restarting",
      "Ready, Running",
    ]);
    expect(job?.status).toMatchObject({ run: 1, attempt: 1, flinkJobId });
  });

  it("RUNNING with waiting tasks is Running and not Healthy", async () => {
    await using world = await createWorld();
    world.flink.holdDeployments();
    await world.push(await aRunningJob("orders"));
    const daemon = world.startDaemon();
    await daemon.untilJob("orders", has("Healthy", "TasksNotRunning"));
    const waiting = await world.job("orders");
    expect(waiting?.status).toMatchObject({ phase: "Ready", flinkJobState: "Running" });
    expect(conditionOf(waiting, "Healthy")).toMatchObject({ status: "False", message: "not all tasks are running" });
    world.flink.releaseDeployments();
    await daemon.untilJob("orders", has("Healthy", "AllTasksRunning"));
  });

  it("RESTARTING shows why in one line, and the job is left to Flink", async () => {
    const { world, daemon, flinkJobId } = await aRunningWorld();
    await using _ = world;
    world.flink.setJobState(flinkJobId, "RESTARTING", "disk is full");
    await daemon.untilJob("orders", has("Healthy", "NotRunning"));
    expect(conditionOf(await world.job("orders"), "Healthy")?.message).toMatch(/^Flink shows RESTARTING: .*disk is full$/);
    world.flink.setJobState(flinkJobId, "RUNNING");
    await daemon.untilJob("orders", has("Healthy", "AllTasksRunning"));
    expect(world.flink.countCalls(RUN)).toBe(1);
  });

  it.each<FlinkState>(["FAILED", "CANCELED"])(
    "%s is healed from its newest checkpoint, and never reads Failed",
    async (state) => {
      const { world, daemon, flinkJobId } = await aRunningWorld();
      await using _ = world;
      world.flink.completeCheckpoint(flinkJobId);
      await daemon.untilJob("orders", ({ checkpointed }) => checkpointed === flinkJobId);
      world.flink.setJobState(flinkJobId, state, "no route to Kafka");
      const healed = await daemon.untilJob("orders", (now) => isRunning(now) && now.flinkJobId !== flinkJobId);
      expect(healed).toMatchObject({ phase: "Ready", run: 1, attempt: 2, startedFrom: { kind: "Checkpoint" } });
      await daemon.untilAtRest();
      expect(world.flink.job(healed.flinkJobId!).restoredFrom).toContain(`${flinkJobId}/chk-`);
      expect(world.flink.countCalls(RUN)).toBe(2);
      const history = (await world.job("orders"))?.status.history ?? [];
      // Restarting is too quick to be seen each time; what is seen is never in another order, and never Failed.
      expect(history.map(({ to }) => to).filter((to) => to !== "Ready, Restarting")).toEqual([
        "Pending",
        "Ready, Running",
        "Ready, Failing",
        "Ready, Running",
      ]);
      expect(history.map(({ because }) => because).join("\n")).toMatch(
        new RegExp(`Flink ended it as ${state} \\(.*no route to Kafka\\); it goes on from file:`),
      );
    },
  );

  it("FINISHED stays Finished, over a restart of the daemon and after Flink has forgotten the job", async () => {
    const { world, daemon, flinkJobId } = await aRunningWorld({ mainArgs: ["--n", "1000", "--rate", "1000"] });
    await using _ = world;
    world.clock.pass(10_000);
    await daemon.untilJob("orders", ({ flinkJobState }) => flinkJobState === "Finished");
    await daemon.untilAtRest();
    const finished = await world.job("orders");
    expect(conditionOf(finished, "Healthy")).toMatchObject({ status: "True", reason: "Finished" });
    const commits = await world.statusCommits();

    world.flink.forgetJob(flinkJobId);
    await daemon.passes(5);
    await daemon.stop();
    world.clock.pass(HOURS_MS);
    const next = world.startDaemon();
    await next.untilAtRest();
    await next.passes(5);
    expect(await world.job("orders")).toEqual(finished);
    expect(await world.statusCommits()).toEqual(commits);
    expect(world.flink.countCalls(RUN)).toBe(1);
    expect((await world.runOnce()).trouble).toEqual([]);
  });

  it("says from the first minute whether it could be brought back", async () => {
    const { world, daemon, flinkJobId } = await aRunningWorld();
    await using _ = world;
    await daemon.untilJob("orders", has("Recoverable", "NoCheckpointYet"));
    world.flink.completeCheckpoint(flinkJobId);
    world.clock.pass(10_000);
    await daemon.untilJob("orders", has("Recoverable", "CheckpointCompleted"));
  });

  it("says from the first minute that its checkpoints would not outlive it", async () => {
    await using world = await createWorld();
    const retention = { "execution.checkpointing.externalized-checkpoint-retention": "DELETE_ON_CANCELLATION" };
    await world.push(await aRunningJob("orders", { configuration: retention }));
    await world.startDaemon().untilJob("orders", has("Recoverable", "CheckpointsNotRetained"));
  });

  it("says from the first minute that the daemon could not find what it leaves", async () => {
    const { world, daemon: before } = await aRunningWorld();
    await using _ = world;
    await before.stop();
    const daemon = world.startDaemon((config) => withDirectory(config, "s3://streams/checkpoints"));
    await daemon.untilJob("orders", has("Recoverable", "DirectoriesUnlistable"));
    expect(conditionOf(await world.job("orders"), "Recoverable")?.message).toBe(
      "what it leaves could not be found: s3://streams/checkpoints cannot be listed without the option s3 of its cluster in the daemon's configuration",
    );
    await daemon.untilAtRest();
    const commits = await world.statusCommits();
    world.clock.pass(120_000);
    await daemon.passes(3);
    expect(await world.statusCommits()).toEqual(commits);
  });
});

/** As if the daemon's configuration said where the checkpoints of all clusters lie. */
function withDirectory(config: Config, checkpointsDir: string): Config {
  const zones = [...config.zones].map(([name, zone]) => {
    const clusters = zone.clusters.map((cluster) => ({ ...cluster, checkpointsDir }));
    return [name, { ...zone, clusters }] as const;
  });
  return { ...config, zones: new Map(zones) };
}
