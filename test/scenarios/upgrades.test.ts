import { describe, expect, it } from "vitest";
import type { JobStatus } from "../../src/model/status.ts";
import { runFailure } from "../support/fake-flink-cluster.ts";
import { aFinalSavepoint, aJob, anArtifact, aRunningJob } from "./manifests.ts";
import type { RunningDaemon } from "./running-daemon.ts";
import { createWorld, has, isRunning, RUN, type World } from "./world.ts";

const FINAL = aFinalSavepoint("orders");
const NEXT = aJob("orders-v2", { artifact: "orders", spec: "  initialStateRef: {name: orders-final}\n" });
const UPGRADE = { "upgrade.yaml": NEXT + FINAL };
const REVERT = { "upgrade.yaml": null };

async function aRunningWorld(): Promise<{ world: World; daemon: RunningDaemon; first: JobStatus }> {
  const world = await createWorld();
  const { "orders.yaml": _, ...jar } = await aRunningJob("orders");
  await world.push({ ...jar, "app.yaml": anArtifact("orders"), "orders.yaml": aJob("orders") });
  const daemon = world.startDaemon();
  return { world, daemon, first: await daemon.untilJob("orders", isRunning) };
}

/** The only job that runs, and what it was started from: the lineage of the state, since each stop's savepoint lies under its job's id. */
function running(world: World): { readonly flinkJobId: string; readonly restoredFrom: string | undefined } {
  const live = world.flink.jobs.filter(({ state }) => state === "RUNNING");
  expect(live).toHaveLength(1);
  return { flinkJobId: live[0]!.flinkJobId, restoredFrom: live[0]!.restoredFrom };
}

describe.concurrent("an upgrade that goes back and forth", () => {
  it("keeps the state at every turn: whoever runs goes on from who ran before", async () => {
    const { world, daemon, first } = await aRunningWorld();
    await using _ = world;
    let last = first.flinkJobId!;
    for (const round of [1, 2, 3]) {
      await world.push(UPGRADE);
      const next = await daemon.untilJob("orders-v2", (now) => isRunning(now) && now.run === round);
      await daemon.untilAtRest();
      expect(running(world).restoredFrom).toContain(`/${last}/`);
      const savepoint = await world.status("local/default/savepoint/orders-final.yaml");
      expect(savepoint?.status).toMatchObject({ phase: "Ready", uri: running(world).restoredFrom, flinkJobId: last });
      last = next.flinkJobId!;
      await world.push(REVERT);
      const back = await daemon.untilJob("orders", (now) => isRunning(now) && now.run === round + 1);
      await daemon.untilAtRest();
      // A revert goes back to what the old Job was stopped with: the new one's work is undone with it.
      expect(back.startedFrom?.uri).toBe(savepoint?.status["uri"]);
      last = back.flinkJobId!;
    }
    expect(world.flink.jobs.filter(({ state }) => state === "FINISHED")).toHaveLength(6);
  });

  it("stops the old Job again for a Final Savepoint that is still recorded as Ready from the time before", async () => {
    const { world, daemon, first } = await aRunningWorld();
    await using _ = world;
    const retained = aFinalSavepoint("orders").replace("spec: {", "spec: {deletionPolicy: Delete, ");
    await world.push({ "upgrade.yaml": NEXT + retained });
    await daemon.untilJob("orders-v2", isRunning);
    const before = await world.status("local/default/savepoint/orders-final.yaml");
    await world.push(REVERT);
    const back = await daemon.untilJob("orders", (now) => isRunning(now) && now.run === 2);
    // It is not disposed of while the old Job has nothing newer, so its record is still there.
    expect((await world.status("local/default/savepoint/orders-final.yaml"))?.status["uri"]).toBe(before?.status["uri"]);
    await world.push({ "upgrade.yaml": NEXT + retained });
    const again = await daemon.untilJob("orders-v2", (now) => isRunning(now) && now.run === 2);
    expect(again.startedFrom?.uri).toContain(`/${back.flinkJobId}/`);
    const after = await world.status("local/default/savepoint/orders-final.yaml");
    expect(after?.status["uri"]).toBe(again.startedFrom?.uri);
    expect(first.flinkJobId).not.toBe(back.flinkJobId);
  });

  it("that deleted the old manifest brings the old Job back only when the new one is down", async () => {
    const { world, daemon } = await aRunningWorld();
    await using _ = world;
    await world.push({ ...UPGRADE, "orders.yaml": null });
    const next = await daemon.untilJob("orders-v2", isRunning);
    await daemon.untilJob("orders", ({ deleted }) => deleted !== undefined);
    world.flink.holdSavepoints();
    await world.push({ ...REVERT, "orders.yaml": aJob("orders") });
    await daemon.untilJob("orders", has("Started", "FinalSavepointStands"));
    expect(running(world).flinkJobId).toBe(next.flinkJobId);
    world.flink.releaseSavepoints();
    const back = await daemon.untilJob("orders", isRunning);
    expect(back).toMatchObject({ run: 2, startedFrom: next.startedFrom });
    expect(running(world).flinkJobId).toBe(back.flinkJobId);
  });

  it("whose new Job cannot start from that state says why, and its revert brings the old Job back from it", async () => {
    const { world, daemon, first } = await aRunningWorld();
    await using _ = world;
    const why = "There is no operator for the state counter";
    world.flink.inject(RUN, { kind: "answer", answer: runFailure("other", why) });
    await world.push(UPGRADE);
    await daemon.untilJob("orders-v2", ({ conditions }) =>
      conditions.some(({ type, status, message }) => type === "Started" && status === "False" && message.includes(why)),
    );
    const old = await daemon.untilJob("orders", ({ finalized }) => finalized !== undefined);
    world.flink.clearFaults();
    await world.push(REVERT);
    const back = await daemon.untilJob("orders", (now) => isRunning(now) && now.run === 2);
    expect(back.startedFrom?.uri).toBe(old.finalized?.uri);
    expect(back.startedFrom?.uri).toContain(`/${first.flinkJobId}/`);
  });

  it("that is deleted whole by mistake comes back as it was: the new Job with its own state, the old one down", async () => {
    const { world, daemon } = await aRunningWorld();
    await using _ = world;
    await world.push(UPGRADE);
    const next = await daemon.untilJob("orders-v2", isRunning);
    await world.push({ ...REVERT, "orders.yaml": null });
    await daemon.untilJob("orders-v2", ({ deleted }) => deleted !== undefined);
    await daemon.untilJob("orders", ({ deleted }) => deleted !== undefined);
    await world.push({ ...UPGRADE, "orders.yaml": aJob("orders") });
    const back = await daemon.untilJob("orders-v2", (now) => isRunning(now) && now.run === 2);
    await daemon.untilAtRest();
    expect(back.startedFrom?.uri).toContain(`/${next.flinkJobId}/`);
    expect(running(world).flinkJobId).toBe(back.flinkJobId);
  });

  it("comes back with its own state when only the new Job was deleted", async () => {
    const { world, daemon } = await aRunningWorld();
    await using _ = world;
    await world.push(UPGRADE);
    const next = await daemon.untilJob("orders-v2", isRunning);
    await world.push({ "upgrade.yaml": FINAL });
    await daemon.untilJob("orders-v2", ({ deleted }) => deleted !== undefined);
    await world.push(UPGRADE);
    const back = await daemon.untilJob("orders-v2", (now) => isRunning(now) && now.run === 2);
    expect(back.startedFrom?.uri).toContain(`/${next.flinkJobId}/`);
    expect(running(world).flinkJobId).toBe(back.flinkJobId);
  });
});
