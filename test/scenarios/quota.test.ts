import { describe, expect, it } from "vitest";
import { aJob, anArtifact, counterJar } from "./manifests.ts";
import { conditionOf, createWorld, has, isRunning } from "./world.ts";

describe.concurrent("a project's quota", () => {
  it("keeps the Jobs over it Pending with the sum, and they start when others give theirs back", async () => {
    await using world = await createWorld({ zone: { projects: { default: { maxRpus: 5 } } } });
    await world.push({
      "app.yaml": anArtifact("app"),
      "a.yaml": aJob("a", { artifact: "app", rpus: 3 }),
      "jars/counter.jar": await counterJar(),
    });
    const daemon = world.startDaemon();
    await daemon.untilJob("a", isRunning);
    await world.push({ "b.yaml": aJob("b", { artifact: "app", rpus: 3 }) });
    await daemon.untilJob("b", has("Started", "QuotaExceeded"));
    expect(conditionOf(await world.job("b"), "Started")?.message).toBe(
      "project default may have 5 rpus in zone local: 3 are taken, and it asks for 3",
    );
    await world.push({ "a.yaml": aJob("a", { artifact: "app", rpus: 2 }) });
    await daemon.untilJob("b", isRunning);
    await daemon.untilJob("a", (now) => isRunning(now) && now.requestedRpus === 2);
    await world.push({ "a.yaml": aJob("a", { artifact: "app", rpus: 4 }) });
    await daemon.untilJob("a", has("Rescaled", "QuotaExceeded"));
    const live = world.flink.jobs.filter(({ state }) => state === "RUNNING");
    expect(live.map(({ requestedParallelism }) => requestedParallelism).toSorted((a, b) => a - b)).toEqual([2, 3]);
  });
});
