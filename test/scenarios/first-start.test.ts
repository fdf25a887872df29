import { describe, expect, it } from "vitest";
import { aRunningJob } from "./manifests.ts";
import { createWorld, isRunning } from "./world.ts";

describe.concurrent("a pushed manifest", () => {
  it("runs on Flink, and its status comes back in Git", async () => {
    await using world = await createWorld();
    const daemon = world.startDaemon();
    await world.push(await aRunningJob("orders"));
    await daemon.untilJob("orders", isRunning);
    await daemon.untilAtRest();
    const job = await world.job("orders");
    expect(job?.status).toMatchObject({ phase: "Ready", flinkJobState: "Running", run: 1, parallelism: 2 });
    expect(world.flink.jobs.map(({ flinkJobId }) => flinkJobId)).toEqual([job?.status.flinkJobId]);
    expect(await world.statusCommits()).toContainEqual(expect.stringMatching(/^default\/orders: Pending → Ready, Running/));
  });
});
