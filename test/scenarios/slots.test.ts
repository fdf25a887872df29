import { describe, expect, it } from "vitest";
import { aJob, aRunningJob, anArtifact, counterJar } from "./manifests.ts";
import { conditionOf, createWorld, has, isRunning, RUN } from "./world.ts";

describe.concurrent("too few slots", () => {
  it("keep a Job Pending with the numbers, and it starts as soon as there are enough", async () => {
    await using world = await createWorld({ flink: { slots: 3 } });
    await world.push(await aRunningJob("orders", { rpus: 5 }));
    const daemon = world.startDaemon();
    await daemon.untilJob("orders", has("Placed", "NotEnoughSlots"));
    const waiting = await world.job("orders");
    expect(waiting?.status).toMatchObject({ phase: "Pending", flinkJobState: "" });
    expect(conditionOf(waiting, "Placed")?.message).toBe("needs 5 slots, 3 of 3 free in main in zone local for Flink 1.16");

    world.flink.setSlots(5);
    await daemon.untilJob("orders", isRunning);
    expect(conditionOf(await world.job("orders"), "Placed")).toMatchObject({ status: "True", message: "on main" });
    expect(world.flink.jobs).toHaveLength(1);
  });

  it("let one of two Jobs start, and the other one when the first has ended", async () => {
    await using world = await createWorld({ flink: { slots: 3 } });
    const jobs = aJob("clicks", { artifact: "app", rpus: 3 }) + aJob("orders", { artifact: "app", rpus: 2 });
    await world.push({ "jobs.yaml": anArtifact("app") + jobs, "jars/counter.jar": await counterJar() });
    const daemon = world.startDaemon();
    const clicks = await daemon.untilJob("clicks", isRunning);
    await daemon.untilJob("orders", has("Placed", "NotEnoughSlots"));
    await daemon.untilAtRest();
    expect(world.flink.jobs.map(({ flinkJobId }) => flinkJobId)).toEqual([clicks.flinkJobId]);

    world.flink.setJobState(clicks.flinkJobId!, "FINISHED");
    await daemon.untilJob("orders", isRunning);
    expect(world.flink.jobs.filter(({ state }) => state === "RUNNING")).toHaveLength(1);
  });

  it("are not given twice: what an announced start needs is no longer free for others", async () => {
    await using world = await createWorld({ flink: { slots: 4 } });
    const release = world.flink.holdMain();
    await world.push(await aRunningJob("clicks", { rpus: 3 }));
    const daemon = world.startDaemon();
    await daemon.untilJob("clicks", ({ operation }) => operation !== undefined);
    await world.push({ "orders.yaml": aJob("orders", { artifact: "clicks", rpus: 2 }) });
    await daemon.untilJob("orders", has("Placed", "NotEnoughSlots"));
    expect(conditionOf(await world.job("orders"), "Placed")?.message).toContain("needs 2 slots, 1 of 4 free in main");

    release();
    await daemon.untilJob("clicks", isRunning);
    await daemon.untilAtRest();
    expect(world.flink.countCalls(RUN)).toBe(1);
    expect(world.flink.jobs).toHaveLength(1);
  });

  it("are not taken from a job of ours that waits for them", async () => {
    await using world = await createWorld({ flink: { slots: 4 } });
    world.flink.holdDeployments();
    await world.push(await aRunningJob("clicks", { rpus: 3 }));
    const daemon = world.startDaemon();
    await daemon.untilJob("clicks", has("Healthy", "TasksNotRunning"));
    await world.push({ "orders.yaml": aJob("orders", { artifact: "clicks", rpus: 2 }) });
    await daemon.untilJob("orders", has("Placed", "NotEnoughSlots"));

    world.flink.releaseDeployments();
    await daemon.untilJob("clicks", has("Healthy", "AllTasksRunning"));
    await daemon.untilAtRest();
    expect(world.flink.jobs).toHaveLength(1);
  });

  it("on one cluster send a Job to another one of its version, and never to one of another version or that drains", async () => {
    await using world = await createWorld({
      flink: { slots: 1 },
      clusters: { other: { slots: 4 }, newer: { version: "1.20.5", slots: 20 } },
    });
    await world.push(await aRunningJob("orders", { rpus: 3 }));
    const daemon = world.startDaemon();
    const status = await daemon.untilJob("orders", isRunning);
    expect(status.cluster?.name).toBe("other");
    await world.push({ "next.yaml": aJob("next", { artifact: "orders", flinkVersion: "1.20" }) });
    expect((await daemon.untilJob("next", isRunning)).cluster?.name).toBe("newer");
    await world.push({ "lost.yaml": aJob("lost", { artifact: "orders", flinkVersion: "1.19" }) });
    await daemon.untilJob("lost", has("Placed", "NoCluster"));
    expect(conditionOf(await world.job("lost"), "Placed")?.message).toMatch(
      /zone local has no cluster for Flink 1\.19: main has 1\.16\.3, other has 1\.16\.3,? and newer has 1\.20\.5/,
    );
  });
});
