import { describe, expect, it } from "vitest";
import { aJob, anArtifact, counterJar } from "./manifests.ts";
import { createWorld, isRunning, RUN } from "./world.ts";

const NAMES = ["clicks", "orders", "payments"];

describe.concurrent("two daemons of one instance on one repository", () => {
  it("start each Job once, and both end up seeing the same", async () => {
    await using world = await createWorld();
    const jobs = NAMES.map((name) => aJob(name, { artifact: "app" })).join("");
    await world.push({ "jobs.yaml": anArtifact("app") + jobs, "jars/counter.jar": await counterJar() });
    const daemons = [world.startDaemon(), world.startDaemon()];
    for (const daemon of daemons) for (const name of NAMES) await daemon.untilJob(name, isRunning);
    const ends = await Promise.all(daemons.map((daemon) => daemon.untilAtRest()));

    expect(world.flink.jobs).toHaveLength(NAMES.length);
    // Each may call for what the other announced and Flink does not list yet; it is the same id, and Flink takes it once.
    expect(world.flink.countCalls(RUN)).toBeLessThanOrEqual(2 * NAMES.length);
    for (const name of NAMES)
      expect((await world.job(name))?.status).toMatchObject({ attempt: 1, run: 1, flinkJobState: "Running" });
    expect(ends[0]?.update.records).toEqual(ends[1]?.update.records);
    for (const daemon of daemons) expect(daemon.logged("warn", "error")).toEqual([]);
  });

  it("go on for each other: what one announced the other does not start again", async () => {
    await using world = await createWorld();
    await world.push({
      "jobs.yaml": anArtifact("app") + aJob("orders", { artifact: "app" }),
      "jars/counter.jar": await counterJar(),
    });
    const release = world.flink.holdMain();
    const first = world.startDaemon();
    await first.until("it submits", ({ decisions }) =>
      decisions.jobs.some((decision) => "work" in decision && decision.work.kind === "start"),
    );
    const second = world.startDaemon();
    await second.untilJob("orders", ({ operation }) => operation !== undefined);
    release();
    await Promise.all([first.untilJob("orders", isRunning), second.untilJob("orders", isRunning)]);
    expect(world.flink.jobs).toHaveLength(1);
    expect((await world.job("orders"))?.status).toMatchObject({ attempt: 1, run: 1 });
  });
});
