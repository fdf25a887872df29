import { describe, expect, it } from "vitest";
import { aJob, aRunningJob, anArtifact } from "./manifests.ts";
import { conditionOf, createWorld, has, isRunning, WRITES } from "./world.ts";

describe.concurrent("a Job with an initialStateRef", () => {
  it("to a Savepoint that nobody declares waits, and is never started empty instead", async () => {
    await using world = await createWorld();
    await world.push(await aRunningJob("orders", { spec: "  initialStateRef: {name: orders-final}\n" }));
    const daemon = world.startDaemon();
    await daemon.untilJob("orders", has("Started", "InitialStateNotReady"));
    await daemon.untilAtRest();
    expect(conditionOf(await world.job("orders"), "Started")?.message).toBe(
      "waits for Savepoint orders-final: no such Savepoint is declared in this zone and project",
    );
    expect(world.flink.countCalls(WRITES)).toBe(0);
  });
});

describe.concurrent("a Job that is not to run now", () => {
  it("because its rpus are 0 is Suspended, and starts when they are raised", async () => {
    await using world = await createWorld();
    await world.push(await aRunningJob("orders", { rpus: 0 }));
    const daemon = world.startDaemon();
    await daemon.untilJob("orders", has("Started", "Suspended"));
    await world.push({ "orders.yaml": anArtifact("orders") + aJob("orders", { rpus: 3 }) });
    expect(await daemon.untilJob("orders", isRunning)).toMatchObject({ requestedRpus: 3, parallelism: 3 });
  });

  it("because its zone does not take its project says which ones it takes", async () => {
    await using world = await createWorld({ zone: { projects: { default: {}, etl: {} } } });
    const files = { "orders.yaml": anArtifact("orders") + aJob("orders"), "ours.yaml": aJob("ours", { project: "private" }) };
    await world.push({ ...(await aRunningJob("orders")), ...files });
    const daemon = world.startDaemon();
    await daemon.untilJob("orders", isRunning);
    await daemon.untilAtRest();
    const refused = await world.status("local/private/job/ours.yaml");
    expect(conditionOf(refused, "Started")).toMatchObject({
      reason: "ProjectNotAllowed",
      message: expect.stringMatching(/^zone local does not take project private: .*default, etl$/) as string,
    });
  });

  it("because its zone is none of the configuration says so", async () => {
    await using world = await createWorld();
    await world.push({ ...(await aRunningJob("orders")), "far.yaml": aJob("far", { zone: "far-away", artifact: "orders" }) });
    const daemon = world.startDaemon();
    await daemon.untilJob("orders", isRunning);
    await daemon.untilAtRest();
    const far = await world.status("far-away/default/job/far.yaml");
    expect(far?.status.phase).toBe("Pending");
    expect(conditionOf(far, "Placed")).toMatchObject({
      reason: "NoZone",
      message: "zone far-away has no cluster in the daemon's configuration",
    });
  });

  it("because it is paused by its annotation waits for it to go", async () => {
    await using world = await createWorld();
    await world.push(await aRunningJob("orders", { annotations: { "penstock/paused": "true" } }));
    const daemon = world.startDaemon();
    await daemon.untilJob("orders", has("Started", "Paused"));
    await daemon.untilAtRest();
    expect(world.flink.jobs).toEqual([]);
    await world.push({ "orders.yaml": anArtifact("orders") + aJob("orders") });
    await daemon.untilJob("orders", isRunning);
  });

  it("because the whole daemon is paused is seen, told and not started", async () => {
    await using world = await createWorld({ config: { policy: { paused: true } } });
    await world.push(await aRunningJob("orders"));
    const daemon = world.startDaemon();
    await daemon.untilJob("orders", has("Started", "Paused"));
    await daemon.untilAtRest();
    expect(world.flink.countCalls(WRITES)).toBe(0);
  });
});
