import { readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findCondition } from "../../src/model/conditions.ts";
import type { ResourceKey } from "../../src/model/resource.ts";
import type { SavepointStatus } from "../../src/model/status.ts";
import type { DonePass } from "../scenarios/running-daemon.ts";
import { TEST_JOB_JAR } from "../support/test-job.ts";
import { ARTIFACT, counterJob, expectStateWasKept, isHealthy, isSettled } from "./counter.ts";
import { createRealWorld, ZONE, type RealWorld } from "./real-world.ts";

const OUT = join(tmpdir(), `penstock-life-${process.pid}`);

function counter(version: string, rpus: number, options: { readonly name?: string; readonly more?: string } = {}): string {
  return counterJob(version, rpus, { ...options, out: OUT });
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

    await world.push({ "counter.yaml": counter(minor, 2).replace("500ms", "600ms") }, "change what is immutable");
    const refused = await daemon.untilJob(
      "counter",
      ({ conditions }) => findCondition(conditions, "Accepted")?.reason === "SpecChanged",
    );
    expect(refused).toMatchObject({ flinkJobId: first.flinkJobId, requestedRpus: 1 });

    await world.push({ "counter.yaml": counter(minor, 2) }, "rescale");
    const second = await daemon.untilJob("counter", (status) => isHealthy(status) && status.parallelism === 2);
    expect(second.flinkJobId).not.toBe(first.flinkJobId);
    expect(second).toMatchObject({ run: 1, attempt: 2, requestedRpus: 2, startedFrom: { kind: "Savepoint" } });

    await world.push({ "counter.yaml": counter(minor, 0) }, "suspend");
    const suspended = await daemon.untilJob("counter", (status) => status.suspended === true);
    expect(suspended).toMatchObject({ phase: "Ready", flinkJobState: "Finished", requestedRpus: 0 });

    await world.push({ "counter.yaml": counter(minor, 1) }, "resume");
    const resumed = await daemon.untilJob("counter", isSettled);
    expect(resumed).toMatchObject({ run: 2, attempt: 3, startedFrom: { kind: "Savepoint" } });

    await fetch(new URL(`/jobs/${resumed.flinkJobId}?mode=cancel`, world.flink.url), { method: "PATCH" });
    const healed = await daemon.untilJob(
      "counter",
      (status) => isHealthy(status) && status.attempt === 4 && status.checkpointed === status.flinkJobId,
    );
    expect(healed).toMatchObject({ run: 2, startedFrom: { kind: "Checkpoint" } });

    await world.flink.killJobManager();
    await world.flink.restartJobManager("registered");
    const restored = await daemon.untilJob("counter", (status) => isSettled(status) && status.attempt === 5);
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
    expect(back).toMatchObject({ run: 3, attempt: 6, startedFrom: deleted.deleted?.restorePoint });
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
});
