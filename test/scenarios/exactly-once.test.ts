import { describe, expect, it, vi } from "vitest";
import type { DaemonProcess } from "./daemon-process.ts";
import { aJob, aRunningJob, anArtifact, counterJar } from "./manifests.ts";
import { createWorld, isRunning, RUN, UPLOAD, WRITES, type World } from "./world.ts";

const NEVER = new Promise<void>(() => {});
const SOON = { timeout: 30_000, interval: 20 };
const ONE_JOB = /^GET \/jobs\/[0-9a-f]{32}$/;

/** Where a daemon is when it is killed, and how it is kept there until it is. */
const DEATHS: readonly (readonly [when: string, reach: (world: World, daemon: DaemonProcess) => Promise<void>])[] = [
  [
    "right after it announced the start",
    async ({ flink }) => {
      flink.inject(ONE_JOB, { kind: "hang" });
      await flink.untilCalled(ONE_JOB);
    },
  ],
  [
    "between the upload and the call that runs the jar",
    async ({ flink }) => {
      flink.inject(RUN, { kind: "hang" });
      await flink.untilCalled(RUN);
    },
  ],
  [
    "after Flink took the job and before its answer",
    async ({ flink }) => {
      flink.inject(RUN, { kind: "slow", release: NEVER });
      await flink.untilCalled(RUN);
    },
  ],
  [
    "after Flink's answer and before the status was written",
    async ({ flink, git }, daemon) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      flink.inject(RUN, { kind: "slow", release: promise });
      await flink.untilCalled(RUN);
      git.fault({ kind: "hang" }, { service: "git-receive-pack" });
      resolve();
      await daemon.untilLog("Flink accepted the job");
    },
  ],
];

describe.concurrent("a daemon that is killed", () => {
  it.each(DEATHS)("%s leaves one that goes on under the same id, and one job", async (_, reach) => {
    await using world = await createWorld();
    await world.push(await aRunningJob("orders"));
    const killed = world.startProcess();
    await reach(world, killed);
    await killed.kill();
    const announced = (await world.job("orders"))?.status.operation;
    expect(announced).toMatchObject({ attempt: 1 });

    world.flink.clearFaults();
    world.git.heal();
    const daemon = world.startDaemon();
    await daemon.untilJob("orders", isRunning);
    await daemon.untilAtRest();
    expect(world.flink.jobs.map(({ flinkJobId }) => flinkJobId)).toEqual([announced?.flinkJobId]);
    expect((await world.job("orders"))?.status).toMatchObject({ flinkJobId: announced?.flinkJobId, attempt: 1, run: 1 });
    expect(world.flink.jarNames).toHaveLength(1);
  });

  it("while the user's main() runs leaves one whose second submission Flink refuses, so that there is one job", async () => {
    await using world = await createWorld();
    await world.push(await aRunningJob("orders"));
    const releaseMain = world.flink.holdMain();
    const killed = world.startProcess();
    await vi.waitFor(() => expect(world.flink.countCalls(RUN)).toBe(1), SOON);
    await killed.kill();

    const daemon = world.startDaemon();
    await vi.waitFor(() => expect(world.flink.countCalls(RUN)).toBe(2), SOON);
    releaseMain();
    await daemon.untilJob("orders", isRunning);
    await daemon.untilAtRest();
    expect(world.flink.jobs).toHaveLength(1);
    expect((await world.job("orders"))?.status).toMatchObject({ attempt: 1, run: 1 });
  });

  it("before it announced anything has started nothing", async () => {
    await using world = await createWorld();
    world.git.fault({ kind: "hang" }, { service: "git-receive-pack", step: "call" });
    const { promise: pushing, resolve } = Promise.withResolvers<void>();
    world.git.before({ service: "git-receive-pack" }, async () => resolve());
    await world.push(await aRunningJob("orders"));
    const killed = world.startProcess();
    await pushing;
    await world.flink.untilCalled(UPLOAD);
    await killed.kill();
    expect(world.flink.countCalls(RUN)).toBe(0);

    world.git.heal();
    await world.startDaemon().untilJob("orders", isRunning);
    expect(world.flink.jobs).toHaveLength(1);
  });
});

describe.concurrent("a daemon that is told to stop", () => {
  it("while it waits for Flink's answer leaves at once with 0, and the next one goes on", async () => {
    await using world = await createWorld();
    await world.push(await aRunningJob("orders"));
    world.flink.inject(RUN, { kind: "hang" });
    const first = world.startProcess();
    await world.flink.untilCalled(RUN);
    const before = performance.now();
    expect(await first.stop()).toBe(0);
    expect(performance.now() - before).toBeLessThan(8000); // less than its grace: nothing was waited for
    const announced = (await world.job("orders"))?.status.operation;

    world.flink.clearFaults();
    const running = await world.startDaemon().untilJob("orders", isRunning);
    expect(running).toMatchObject({ flinkJobId: announced?.flinkJobId, attempt: 1 });
    expect(world.flink.jobs).toHaveLength(1);
  });
});

describe.concurrent("a daemon that is restarted while everything runs", () => {
  it("starts, uploads, commits and changes nothing", async () => {
    await using world = await createWorld();
    const jobs = anArtifact("app") + aJob("orders", { artifact: "app" }) + aJob("clicks", { artifact: "app", rpus: 3 });
    await world.push({ "jobs.yaml": jobs, "jars/counter.jar": await counterJar() });
    const first = world.startDaemon();
    await first.untilJob("clicks", isRunning);
    await first.untilJob("orders", isRunning);
    await first.untilAtRest();
    await first.stop();
    const before = { orders: await world.job("orders"), clicks: await world.job("clicks"), commits: await world.statusCommits() };
    const writes = world.flink.countCalls(WRITES);

    const second = world.startDaemon();
    await second.untilAtRest();
    await second.passes(10);
    expect({
      orders: await world.job("orders"),
      clicks: await world.job("clicks"),
      commits: await world.statusCommits(),
    }).toEqual(before);
    expect(world.flink.countCalls(WRITES)).toBe(writes);
    expect(world.flink.jobs).toHaveLength(2);
    expect(second.logged("info", "warn", "error")).toEqual([]);
  });
});
