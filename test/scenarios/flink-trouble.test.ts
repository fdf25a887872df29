import { describe, expect, it } from "vitest";
import { flinkJobId as buildFlinkJobId } from "../../src/model/flink-job-id.ts";
import { startForeignJob } from "./foreign-job.ts";
import { aJob, aRunningJob } from "./manifests.ts";
import type { RunningDaemon } from "./running-daemon.ts";
import {
  conditionOf,
  createWorld,
  has,
  isRunning,
  RUN,
  UPLOAD,
  WRITES,
  type World,
  type WorldOptions,
  untilCheckpointed,
} from "./world.ts";

const ONE_JOB = /^GET \/jobs\/[0-9a-f]{32}$/;
const NEVER = new Promise<void>(() => {});
const A_MINUTE_MS = 60_000;
const CLICKS = { "clicks.yaml": aJob("clicks", { artifact: "orders" }) };

async function aRunningWorld(options?: WorldOptions): Promise<{ world: World; daemon: RunningDaemon; flinkJobId: string }> {
  const world = await createWorld(options);
  await world.push(await aRunningJob("orders"));
  const daemon = world.startDaemon();
  const { flinkJobId } = await daemon.untilJob("orders", isRunning);
  await daemon.untilAtRest();
  return { world, daemon, flinkJobId: flinkJobId! };
}

describe.concurrent("a Flink cluster that cannot be reached", () => {
  it("at the very first start is waited for, since a job of ours may run there, and then everything starts", async () => {
    await using world = await createWorld();
    await world.flink.refuse();
    await world.push(await aRunningJob("orders"));
    const daemon = world.startDaemon();
    expect((await daemon.untilBlind()).because).toContain("cannot be told before main can be reached");
    await world.flink.accept();
    world.clock.pass(A_MINUTE_MS);
    await daemon.untilJob("orders", isRunning);
    expect(world.flink.jobs).toHaveLength(1);
  });

  it("keeps a new Job Pending, and it starts when the cluster is back", async () => {
    const { world, daemon } = await aRunningWorld();
    await using _ = world;
    await world.flink.refuse();
    await world.push(CLICKS);
    await daemon.untilJob("clicks", has("Placed", "ClusterUnreachable"));
    expect(conditionOf(await world.job("clicks"), "Placed")?.message).toBe("waits for main: it does not answer");
    await world.flink.accept();
    world.clock.pass(A_MINUTE_MS);
    await daemon.untilJob("clicks", isRunning);
  });

  it("leaves a running Job its last known state, with Healthy Unknown and since when, and commits that once", async () => {
    const { world, daemon, flinkJobId } = await aRunningWorld();
    await using _ = world;
    await world.flink.refuse();
    await daemon.untilJob("orders", has("Healthy", "ClusterUnreachable"));
    const unseen = await world.job("orders");
    expect(unseen?.status).toMatchObject({ phase: "Ready", flinkJobState: "Running", flinkJobId });
    expect(conditionOf(unseen, "Healthy")).toMatchObject({
      status: "Unknown",
      message: expect.stringMatching(/^cluster main cannot be seen since \d{4}-.*Z; the last known state stays$/) as string,
    });
    const commits = await world.statusCommits();
    world.clock.pass(A_MINUTE_MS);
    await daemon.passes(10);
    expect(await world.statusCommits()).toEqual(commits);

    await world.flink.accept();
    world.clock.pass(A_MINUTE_MS);
    await daemon.untilJob("orders", has("Healthy", "AllTasksRunning"));
    expect(world.flink.jobs).toHaveLength(1);
  });

  it("because it hangs delays nobody else: jobs of other clusters start and are seen as ever", async () => {
    const { world, daemon } = await aRunningWorld({ clusters: { newer: { version: "1.20.5" } } });
    await using _ = world;
    world.flink.inject(/./, { kind: "hang" });
    const before = performance.now();
    await world.push({ "clicks.yaml": aJob("clicks", { artifact: "orders", flinkVersion: "1.20" }) });
    expect((await daemon.untilJob("clicks", isRunning)).cluster?.name).toBe("newer");
    await daemon.untilJob("orders", has("Healthy", "ClusterUnreachable"));
    expect(performance.now() - before).toBeLessThan(30_000);
    world.flink.clearFaults();
  });

  it("because its submissions hang delays no other cluster's", async () => {
    const { world, daemon } = await aRunningWorld({ clusters: { newer: { version: "1.20.5" } } });
    await using _ = world;
    world.flink.inject(UPLOAD, { kind: "hang" });
    world.flink.inject(RUN, { kind: "hang" });
    await world.push({ ...CLICKS, "next.yaml": aJob("next", { artifact: "orders", flinkVersion: "1.20" }) });
    await daemon.untilJob("next", isRunning);
    expect((await world.job("clicks"))?.status.operation).toMatchObject({ attempt: 1 });
  });
});

describe.concurrent("a cluster that loses everything", () => {
  it("between the announcement and the call gets the next attempt, since nothing can be left of the first", async () => {
    await using world = await createWorld();
    await world.push(await aRunningJob("orders"));
    world.flink.inject(ONE_JOB, { kind: "hang" });
    const killed = world.startProcess();
    await world.flink.untilCalled(ONE_JOB);
    await killed.kill();
    const announced = (await world.job("orders"))?.status.operation;
    world.flink.clearFaults();
    world.flink.restart();

    const status = await world.startDaemon().untilJob("orders", isRunning);
    expect(status).toMatchObject({ attempt: 2, run: 1 });
    expect(status.flinkJobId).not.toBe(announced?.flinkJobId);
    expect(world.flink.jobs).toHaveLength(1);
  });

  it("after a job that nobody saw running took a checkpoint brings it back from that checkpoint", async () => {
    await using world = await createWorld();
    await world.push(await aRunningJob("orders"));
    world.flink.inject(RUN, { kind: "slow", release: NEVER });
    const killed = world.startProcess();
    await world.flink.untilCalled(RUN);
    await killed.kill();
    const unseen = world.flink.jobs[0]!;
    world.flink.completeCheckpoint(unseen.flinkJobId);
    world.flink.clearFaults();
    world.flink.restart();

    const daemon = world.startDaemon();
    const status = await daemon.untilJob("orders", (now) => isRunning(now) && now.flinkJobId !== unseen.flinkJobId);
    expect(status).toMatchObject({ attempt: 2, run: 1, startedFrom: { kind: "Checkpoint" } });
    expect(status.startedFrom?.uri).toContain(`${unseen.flinkJobId}/chk-`);
    expect(world.flink.jobs).toMatchObject([{ flinkJobId: status.flinkJobId, restoredFrom: status.startedFrom?.uri }]);
  });

  it("while a job runs brings it back from its newest checkpoint, in the same run", async () => {
    const { world, daemon, flinkJobId } = await aRunningWorld();
    await using _ = world;
    await untilCheckpointed(world, daemon, flinkJobId);
    const { count } = world.flink.job(flinkJobId);
    world.flink.restart();
    const status = await daemon.untilJob("orders", (now) => isRunning(now) && now.flinkJobId !== flinkJobId);
    expect(status).toMatchObject({ phase: "Ready", run: 1, attempt: 2, startedFrom: { kind: "Checkpoint" } });
    await daemon.untilAtRest();
    expect(world.flink.jobs).toHaveLength(1);
    expect(world.flink.job(status.flinkJobId!).restoredFrom).toContain(`${flinkJobId}/chk-`);
    expect(world.flink.job(status.flinkJobId!).count).toBeGreaterThanOrEqual(count);
    const history = (await world.job("orders"))?.status.history ?? [];
    expect(history.some(({ because }) => because.startsWith("it vanished from cluster main; it goes on from"))).toBe(true);
  });
});

describe.concurrent("a cluster", () => {
  it("that takes no jars keeps a Job Pending and says which setting is missing", async () => {
    await using world = await createWorld();
    const config = { "flink-version": "1.16.3", "refresh-interval": 3000, features: { "web-submit": false, "web-cancel": true } };
    world.flink.inject(/^GET \/config$/, { kind: "answer", answer: { status: 200, body: config } });
    await world.push(await aRunningJob("orders"));
    const daemon = world.startDaemon();
    await daemon.untilJob("orders", has("Placed", "SubmissionDisabled"));
    expect(conditionOf(await world.job("orders"), "Placed")?.message).toContain("set web.submit.enable to true");
    world.flink.clearFaults();
    world.clock.pass(2 * A_MINUTE_MS);
    await daemon.untilJob("orders", isRunning);
  });

  it("that others use too is shared: their jobs are listed, counted and never touched", async () => {
    await using world = await createWorld({ flink: { slots: 4 } });
    const theirs = "ff".repeat(16);
    await startForeignJob(world.flink, theirs, "their job", 3);
    const writes = world.flink.countCalls(WRITES);
    await world.push(await aRunningJob("orders", { rpus: 2 }));
    const daemon = world.startDaemon();
    await daemon.untilJob("orders", has("Placed", "NotEnoughSlots"));
    expect(conditionOf(await world.job("orders"), "Placed")?.message).toContain("needs 2 slots, 1 of 4 free");
    expect(await world.summary()).toMatchObject({ orphans: [], unmanaged: [`local/main: ${theirs} (their job)`] });
    await daemon.untilAtRest();
    expect(world.flink.countCalls(WRITES)).toBe(writes);
    expect(world.flink.job(theirs).state).toBe("RUNNING");
    expect(world.flink.calls.filter(({ path }) => path.includes(theirs))).toEqual([]);
  });

  it("that holds a job of ours which nobody declares keeps it, and lists it as an orphan", async () => {
    const { world, daemon } = await aRunningWorld();
    await using _ = world;
    const id = { kind: "Job", zone: "local", project: "default", name: "forgotten" } as const;
    const spec = { flinkVersion: "1.16", artifact: "orders", jarOptions: {}, rpus: 1, configuration: {} };
    const orphan = buildFlinkJobId({ instance: "test", id, spec, attempt: 1 });
    await startForeignJob(world.flink, orphan, "forgotten");
    await daemon.until(
      "it is listed",
      ({ update, published }) => published.kind === "written" && update.summary.orphans.length > 0,
    );
    expect(await world.summary()).toMatchObject({ orphans: [`local/main: ${orphan} (forgotten)`] });
    expect(world.flink.countCalls(/^PATCH|\/stop$/)).toBe(0);
    expect(world.flink.job(orphan).state).toBe("RUNNING");
  });
});
