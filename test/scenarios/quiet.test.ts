import { describe, expect, it } from "vitest";
import { aJob, anArtifact, counterJar } from "./manifests.ts";
import type { RunningDaemon } from "./running-daemon.ts";
import { createWorld, has, isRunning, WRITES, type World } from "./world.ts";

/** Some that run, one that waits, one with a problem: a usual day. */
async function aUsualDay(): Promise<{ world: World; daemon: RunningDaemon }> {
  const world = await createWorld();
  await world.push({
    "jobs.yaml": anArtifact("app") + aJob("orders", { artifact: "app" }) + aJob("clicks", { artifact: "app" }),
    "big.yaml": aJob("big", { artifact: "app", rpus: 100 }),
    "bad.yaml": aJob("bad", { rpus: -1 }),
    "jars/counter.jar": await counterJar(),
  });
  const daemon = world.startDaemon();
  await daemon.untilJob("orders", isRunning);
  await daemon.untilJob("clicks", isRunning);
  await daemon.untilJob("big", has("Placed", "NotEnoughSlots"));
  await daemon.untilAtRest();
  return { world, daemon };
}

describe.concurrent("a daemon to whom nothing happens", () => {
  it("writes nothing, to Git, to Flink or to its log, and asks little", async () => {
    const { world, daemon } = await aUsualDay();
    await using _ = world;
    const commits = await world.statusCommits();
    const lines = daemon.logged("info", "warn", "error").length;
    const [writes, calls] = [world.flink.countCalls(WRITES), world.flink.calls.length];
    world.git.resetTraffic();
    const passes = 20;
    await daemon.passes(passes);
    expect(await world.statusCommits()).toEqual(commits);
    expect(world.flink.countCalls(WRITES)).toBe(writes);
    expect(daemon.logged("info", "warn", "error")).toHaveLength(lines);
    expect(world.git.traffic("git-receive-pack").requests).toBe(0);
    // One list of jobs a pass, the slots for the Job that waits for some, and now and then what changes slowly.
    expect(world.flink.calls.length - calls).toBeLessThan(2.5 * passes + 15);
  });

  it("writes nothing either while an hour and a day go by", async () => {
    const { world, daemon } = await aUsualDay();
    await using _ = world;
    world.clock.pass(3_600_000); // a first checkpoint is complete by then, which is news
    await daemon.untilJob("orders", has("Recoverable", "CheckpointCompleted"));
    await daemon.untilJob("clicks", has("Recoverable", "CheckpointCompleted"));
    await daemon.untilAtRest();
    const commits = await world.statusCommits();
    for (const ms of [3_600_000, 24 * 3_600_000]) {
      world.clock.pass(ms);
      await daemon.passes(5);
    }
    expect(await world.statusCommits()).toEqual(commits);
    expect(daemon.logged("warn", "error")).toEqual([]);
  });

  it("makes no commit for a commit that touches no manifest, and one for a comment in a manifest", async () => {
    const { world, daemon } = await aUsualDay();
    await using _ = world;
    const commits = await world.statusCommits();
    await daemon.untilApplied(await world.push({ "README.md": "# Our jobs\n", "src/Main.java": "class Main {}" }));
    await daemon.passes(5);
    expect(await world.statusCommits()).toEqual(commits);

    const commented = await world.push({ "big.yaml": `# much data\n${aJob("big", { artifact: "app", rpus: 100 })}` });
    await daemon.untilApplied(commented);
    expect(await world.statusCommits()).toHaveLength(commits.length + 1);
    expect((await world.summary()).appliedCommit).toBe(commented);
  });
});
