import { readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findCondition } from "../../src/model/conditions.ts";
import type { ResourceKey } from "../../src/model/resource.ts";
import type { JobStatus, SavepointStatus } from "../../src/model/status.ts";
import type { DonePass } from "../scenarios/running-daemon.ts";
import { TEST_JOB_JAR } from "../support/test-job.ts";
import { createRealWorld, ZONE, type RealWorld } from "./real-world.ts";

const OUT = join(tmpdir(), `penstock-life-${process.pid}`);

const ARTIFACT = `apiVersion: core/v1alpha1
kind: Artifact
zone: ${ZONE}
metadata: {name: counter, project: default}
spec: {type: Jar, source: {path: /jars/counter.jar}}
`;

function counter(version: string, rpus: number, options: { readonly name?: string; readonly more?: string } = {}): string {
  const { name = "counter", more = "" } = options;
  return `apiVersion: core/v1alpha1
kind: Job
zone: ${ZONE}
metadata: {name: ${name}, project: default}
spec:
  flinkVersion: ${version}
  artifactRef: {jarOptions: {mainArgs: ["--rate", 200, "--out", ${OUT}]}, name: counter}
  resources: {rpus: ${rpus}}
  configuration: {execution.checkpointing.interval: 500ms}
${more}`;
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

const isHealthy = (status: JobStatus): boolean =>
  status.flinkJobState === "Running" && findCondition(status.conditions, "Healthy")?.status === "True";

/** Every count of key 0 that the job printed, as "number count": when state is kept, a number never gets two different counts. */
async function readCounts(): Promise<ReadonlyMap<number, readonly number[]>> {
  const counts = new Map<number, readonly number[]>();
  for (const line of (await readFile(OUT, "utf8")).split("\n")) {
    const match = /^(\d+) (\d+)$/.exec(line);
    if (match === null) continue;
    const [number, count] = [Number(match[1]), Number(match[2])];
    counts.set(number, [...(counts.get(number) ?? []), count]);
  }
  return counts;
}

/** Number n of key 0 is its (n / 64 + 1)th: any other count says that state was lost or counted twice. */
async function expectStateWasKept(): Promise<void> {
  const counts = await readCounts();
  expect(counts.size).toBeGreaterThan(0);
  for (const [number, seen] of counts) for (const count of seen) expect(count).toBe(number / 64 + 1);
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

  it("is rescaled, suspended, resumed, healed, deleted and brought back, always with its state", async () => {
    const daemon = world.startDaemon();
    await world.push({
      "artifact.yaml": ARTIFACT,
      "counter.yaml": counter(minor, 1),
      "jars/counter.jar": await readFile(TEST_JOB_JAR),
    });
    const first = await daemon.untilJob("counter", (status) => isHealthy(status) && status.checkpointed !== undefined);

    await world.push({ "counter.yaml": counter(minor, 2) }, "rescale");
    const second = await daemon.untilJob("counter", (status) => isHealthy(status) && status.parallelism === 2);
    expect(second.flinkJobId).not.toBe(first.flinkJobId);
    expect(second).toMatchObject({ run: 1, attempt: 2, requestedRpus: 2, startedFrom: { kind: "Savepoint" } });

    await world.push({ "counter.yaml": counter(minor, 0) }, "suspend");
    const suspended = await daemon.untilJob("counter", (status) => status.suspended === true);
    expect(suspended).toMatchObject({ phase: "Ready", flinkJobState: "Finished", requestedRpus: 0 });

    await world.push({ "counter.yaml": counter(minor, 1) }, "resume");
    const resumed = await daemon.untilJob("counter", (status) => isHealthy(status) && status.checkpointed === status.flinkJobId);
    expect(resumed).toMatchObject({ run: 2, attempt: 3, startedFrom: { kind: "Savepoint" } });

    await fetch(new URL(`/jobs/${resumed.flinkJobId}?mode=cancel`, world.flink.url), { method: "PATCH" });
    const healed = await daemon.untilJob(
      "counter",
      (status) => isHealthy(status) && status.attempt === 4 && status.checkpointed === status.flinkJobId,
    );
    expect(healed).toMatchObject({ run: 2, startedFrom: { kind: "Checkpoint" } });

    await world.push({ "counter.yaml": null }, "delete");
    const deleted = await daemon.untilJob("counter", (status) => status.deleted !== undefined);
    expect(deleted).toMatchObject({
      phase: "Deleting",
      flinkJobState: "Cancelled",
      deleted: { restorePoint: { kind: "Savepoint" } },
    });

    await world.push({ "counter.yaml": counter(minor, 1) }, "revert");
    const back = await daemon.untilJob("counter", (status) => isHealthy(status) && status.deleted === undefined);
    expect(back).toMatchObject({ run: 3, attempt: 5, startedFrom: deleted.deleted?.restorePoint });
    await expectStateWasKept();
    await daemon.stop();
  });

  it("takes a savepoint on demand, is upgraded by a Final Savepoint in one commit, and comes back when that is reverted", async () => {
    const daemon = world.startDaemon();
    await daemon.untilJob("counter", (status) => isHealthy(status) && status.checkpointed === status.flinkJobId);
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
