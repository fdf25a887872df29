import { afterEach, describe, expect, it } from "vitest";
import { aRunningJob } from "./manifests.ts";
import { createWorld, type World } from "./world.ts";

describe("a pushed manifest", () => {
  let world: World;
  afterEach(async () => world.close());

  it("runs on Flink, and its status comes back in Git", async () => {
    world = await createWorld();
    const daemon = world.startDaemon();
    await world.push(await aRunningJob("orders"));
    await daemon.untilJob("orders", ({ flinkJobState }) => flinkJobState === "Running");
    await daemon.untilAtRest();
    const job = await world.job("orders");
    expect(job?.status).toMatchObject({ phase: "Ready", flinkJobState: "Running", run: 1, parallelism: 2 });
    expect(world.flink.jobs.map(({ flinkJobId }) => flinkJobId)).toEqual([job?.status.flinkJobId]);
    expect(await world.statusCommits()).toContainEqual(expect.stringMatching(/^default\/orders: Pending → Ready, Running/));
  });
});
