import { readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { findCondition } from "../../src/model/conditions.ts";
import type { ResourceKey } from "../../src/model/resource.ts";
import type { SavepointStatus } from "../../src/model/status.ts";
import type { DonePass } from "../../src/pass/reconcile.ts";
import { statusOfJob } from "../scenarios/running-daemon.ts";
import { TEST_JOB_JAR } from "../support/test-job.ts";
import { ARTIFACT, type CounterOptions, counterJob, expectStateWasKept, isHealthy, isSettled } from "./counter.ts";
import { createRealWorld, ZONE, type RealWorld } from "./real-world.ts";

const OUT = join(tmpdir(), `penstock-life-${process.pid}`);

function counter(version: string, rpus: number, options: Partial<CounterOptions> = {}): string {
  return counterJob(version, rpus, { out: OUT, ...options });
}

const FINAL = `apiVersion: core/v1alpha1
kind: Savepoint
zone: ${ZONE}
metadata: {name: counter-final, project: default}
spec: {type: Final, finalOptions: {shutdownMethod: Graceful}, jobRef: {name: counter}}
`;

function savepoint(name: string, spec: string): string {
  return `apiVersion: core/v1alpha1\nkind: Savepoint\nzone: ${ZONE}\nmetadata: {name: ${name}, project: default}\nspec: ${spec}\n`;
}

function savepointOf(pass: DonePass, name: string): SavepointStatus | undefined {
  const record = pass.snapshot.status.records.get(`${ZONE}/default/savepoint/${name}` as ResourceKey);
  return record?.kind === "Savepoint" ? record.status : undefined;
}

describe.each([
  ["1.16.3", "1.16"],
  ["1.20.5", "1.20"],
  ["2.3.0", "2.3"],
])("the life of a Job on Flink %s", (version, minor) => {
  let world: RealWorld;
  beforeAll(async () => {
    world = await createRealWorld(version);
  });
  afterAll(async () => {
    await world.close();
    await rm(OUT, { force: true });
  });

  it("is rescaled, suspended, resumed, healed by hand and after the JobManager, deleted and brought back, always with its state", async () => {
    const daemon = world.startDaemon();
    await world.push({
      "artifact.yaml": ARTIFACT,
      "counter.yaml": counter(minor, 1),
      "jars/counter.jar": await readFile(TEST_JOB_JAR),
    });
    const first = await daemon.untilJob("counter", (status) => isHealthy(status) && status.checkpointed !== undefined);

    await world.push(
      { "counter.yaml": counter(minor, 2, { configuration: { "execution.checkpointing.interval": "600ms" } }) },
      "change what is immutable",
    );
    const refused = await daemon.untilJob(
      "counter",
      ({ conditions }) => findCondition(conditions, "Accepted")?.reason === "SpecChanged",
    );
    expect(refused).toMatchObject({ flinkJobId: first.flinkJobId, requestedRpus: 1 });

    await world.push({ "counter.yaml": counter(minor, 2) }, "rescale");
    const second = await daemon.untilJob("counter", (status) => isHealthy(status) && status.parallelism === 2);
    expect(second.flinkJobId).not.toBe(first.flinkJobId);
    expect(second).toMatchObject({ run: 1, attempt: 2, requestedRpus: 2, startedFrom: { kind: "Savepoint" } });

    await world.push({ "counter.yaml": counter(minor, 1) }, "rescale down");
    const third = await daemon.untilJob("counter", (status) => isHealthy(status) && status.parallelism === 1);
    expect(third).toMatchObject({ run: 1, attempt: 3, requestedRpus: 1, startedFrom: { kind: "Savepoint" } });

    await world.push({ "counter.yaml": counter(minor, 0) }, "suspend");
    const suspended = await daemon.untilJob("counter", (status) => status.suspended === true);
    expect(suspended).toMatchObject({ phase: "Ready", flinkJobState: "Finished", requestedRpus: 0 });

    await world.push({ "counter.yaml": counter(minor, 1) }, "resume");
    const resumed = await daemon.untilJob("counter", isSettled);
    expect(resumed).toMatchObject({ run: 2, attempt: 4, startedFrom: { kind: "Savepoint" } });

    await fetch(new URL(`/jobs/${resumed.flinkJobId}?mode=cancel`, world.flink.url), { method: "PATCH" });
    const healed = await daemon.untilJob(
      "counter",
      (status) => isHealthy(status) && status.attempt === 5 && status.checkpointed === status.flinkJobId,
    );
    expect(healed).toMatchObject({ run: 2, startedFrom: { kind: "Checkpoint" } });

    await world.flink.killJobManager();
    await world.flink.restartJobManager("registered");
    const restored = await daemon.untilJob("counter", (status) => isSettled(status) && status.attempt === 6);
    expect(restored).toMatchObject({ run: 2, startedFrom: { kind: "Checkpoint" } });

    await world.push({ "counter.yaml": null }, "delete");
    const deleted = await daemon.untilJob("counter", (status) => status.deleted !== undefined);
    expect(deleted).toMatchObject({
      phase: "Deleting",
      flinkJobState: "Cancelled",
      deleted: { restorePoint: { kind: "Savepoint" } },
    });

    await world.push({ "counter.yaml": counter(minor, 1) }, "revert");
    const back = await daemon.untilJob("counter", (status) => isHealthy(status) && status.deleted === undefined);
    expect(back).toMatchObject({ run: 3, attempt: 7, startedFrom: deleted.deleted?.restorePoint });
    await expectStateWasKept(OUT);
    await daemon.stop();
  });

  it("takes a savepoint on demand, is upgraded by a Final Savepoint in one commit, and comes back when that is reverted", async () => {
    const daemon = world.startDaemon();
    await daemon.untilJob("counter", isSettled);
    await world.push({ "demand.yaml": savepoint("on-demand", "{type: OnDemand, jobRef: {name: counter}}") }, "savepoint");
    const taken = await daemon.until("the savepoint is Ready", (pass) => savepointOf(pass, "on-demand")?.phase === "Ready");
    expect(savepointOf(taken, "on-demand")?.uri).toContain(world.flink.savepointsDir);

    // The new Job stands before its Savepoint in the commit, and the old manifest goes in the same commit.
    const next = counter(minor, 1, { name: "counter-v2", more: "  initialStateRef: {name: counter-final}\n" });
    await world.push({ "a-new.yaml": next, "counter.yaml": null, "final.yaml": FINAL }, "upgrade");
    const upgraded = await daemon.untilJob("counter-v2", isHealthy);
    expect(upgraded).toMatchObject({ run: 1, attempt: 1, startedFrom: { kind: "Savepoint" } });
    const old = await daemon.untilJob("counter", (status) => status.deleted !== undefined);
    expect(old.deleted?.restorePoint).toEqual(upgraded.startedFrom);

    await world.push({ "a-new.yaml": null, "counter.yaml": counter(minor, 1), "final.yaml": null }, "revert the upgrade");
    await daemon.untilJob("counter-v2", (status) => status.deleted !== undefined);
    const back = await daemon.untilJob("counter", isHealthy);
    expect(back.startedFrom).toEqual(upgraded.startedFrom);
    await daemon.stop();
  });

  // What differs little from version to version is looked at on one of them, and on all by `npm run test:long`.
  if (inject("extent") === "short" && version !== "1.20.5") return;

  it("says in one line why an upgrade cannot start from its state, and its revert brings the old Job back", async () => {
    const daemon = world.startDaemon();
    const before = await daemon.untilJob("counter", isSettled);
    const misfit = counter(minor, 1, {
      name: "counter-v3",
      configuration: { "pipeline.max-parallelism": 64 },
      more: "  initialStateRef: {name: counter-final}\n",
    });
    await world.push({ "a-new.yaml": misfit, "final.yaml": FINAL }, "upgrade to what does not fit");
    const stuck = await daemon.untilJob(
      "counter-v3",
      ({ conditions }) =>
        findCondition(conditions, "Started")?.reason === "StartFailed" &&
        /parallelism/.test(findCondition(conditions, "Started")?.message ?? ""),
    );
    expect(findCondition(stuck.conditions, "Started")?.message).not.toContain("\n");
    await world.push({ "a-new.yaml": null, "final.yaml": null }, "revert it");
    const back = await daemon.untilJob("counter", (status) => isHealthy(status) && status.attempt > before.attempt);
    expect(back.startedFrom?.kind).toBe("Savepoint");
    await daemon.stop();
  });

  it("leaves finished what ran out of data or was stopped by hand, and brings a failed one back without ever calling it Failed", async () => {
    const daemon = world.startDaemon();
    await daemon.untilJob("counter", isSettled);
    const outs = ["bounded", "failing"].map((name) => `${OUT}-${name}`) as [string, string];
    const fail = `${OUT}-fail`;
    const noRestart = { [minor === "1.16" ? "restart-strategy" : "restart-strategy.type"]: "none" };
    await world.push({
      "bounded.yaml": counter(minor, 1, { name: "bounded", out: outs[0], args: ["--n", "300"] }),
      "failing.yaml": counter(minor, 1, { name: "failing", out: outs[1], args: ["--fail", fail], configuration: noRestart }),
    });
    const bounded = await daemon.untilJob("bounded", ({ flinkJobState }) => flinkJobState === "Finished");

    const first = await daemon.untilJob("failing", isSettled);
    await writeFile(fail, "");
    await daemon.untilJob("failing", ({ flinkJobState, attempt }) => flinkJobState !== "Running" || attempt > 1);
    await rm(fail);
    const healed = await daemon.untilJob("failing", (status) => isHealthy(status) && status.attempt > first.attempt);
    expect(healed).toMatchObject({ run: 1, startedFrom: { kind: "Checkpoint" } });
    const shown = healed.history.map(({ to }) => to);
    expect(shown).toContain("Ready, Failing");
    expect(shown.filter((state) => state.includes("Failed"))).toEqual([]);

    const counted = await daemon.untilJob("counter", isSettled);
    const body = JSON.stringify({ targetDirectory: world.flink.savepointsDir, drain: false });
    const headers = { "content-type": "application/json" };
    await fetch(new URL(`/jobs/${counted.flinkJobId}/stop`, world.flink.url), { method: "POST", headers, body });
    await daemon.untilJob("counter", ({ flinkJobState }) => flinkJobState === "Finished");
    await daemon.stop();

    const next = world.startDaemon();
    const pass = await next.untilAtRest();
    for (const [name, { flinkJobId }] of Object.entries({ bounded, counter: counted }))
      expect(statusOfJob(pass, name)).toMatchObject({ flinkJobState: "Finished", flinkJobId });
    await next.stop();
    await Promise.all(outs.map(async (out) => rm(out, { force: true })));
  });
});
