import { readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ARTIFACT, counterJob, expectStateWasKept, isHealthy, isSettled } from "../e2e/counter.ts";
import { createRealWorld, liveIds, type RealWorld } from "../e2e/real-world.ts";
import type { RunningDaemon } from "../scenarios/running-daemon.ts";
import { has } from "../scenarios/world.ts";
import { TEST_JOB_JAR } from "../support/test-job.ts";
import { startZooKeeper, type ZooKeeper } from "../support/zookeeper.ts";

const NAMES = ["clicks", "orders", "payments"] as const;
const outOf = (name: string): string => join(tmpdir(), `penstock-ha-${process.pid}-${name}`);

function jobs(minor: string, rpus = 1): Readonly<Record<string, string>> {
  return Object.fromEntries(NAMES.map((name) => [`${name}.yaml`, counterJob(minor, rpus, { name, out: outOf(name) })]));
}

describe.each([
  ["1.16.3", "1.16"],
  ["1.20.5", "1.20"],
  ["2.3.0", "2.3"],
])("a cluster of Flink %s with high availability", (version, minor) => {
  let zooKeeper: ZooKeeper;
  let world: RealWorld;
  let daemon: RunningDaemon;
  beforeAll(async () => {
    zooKeeper = await startZooKeeper(version);
    world = await createRealWorld(version, { flink: zooKeeper.flinkConfig });
    daemon = world.startDaemon();
    await world.push({ "artifact.yaml": ARTIFACT, ...jobs(minor), "jars/counter.jar": await readFile(TEST_JOB_JAR) });
    await untilAll(daemon, isSettled);
  });
  afterAll(async () => {
    await world.close();
    await zooKeeper.stop();
    for (const name of NAMES) await rm(outOf(name), { force: true });
  });

  it("whose JobManager is killed, twice, goes on with the same Flink jobs, and nothing is submitted", async () => {
    const before = await liveIds(world);
    const submissions = submissionsOf(daemon);
    for (let time = 1; time <= 2; time += 1) {
      await world.flink.killJobManager();
      await untilAll(daemon, has("Healthy", "ClusterUnreachable"));
      await world.flink.restartJobManager("registered");
      await untilAll(daemon, isHealthy);
      expect(await liveIds(world)).toEqual(before);
      for (const id of before) expect(await restoredFrom(world, id)).toContain(`${id}/chk-`);
    }
    expect(submissionsOf(daemon)).toBe(submissions);
    for (const name of NAMES) await expectStateWasKept(outOf(name));
  });

  it("whose second JobManager takes the lead is the same cluster, whichever of the two answers, also for a rescale", async () => {
    const before = await liveIds(world);
    const submissions = submissionsOf(daemon);
    await world.flink.startStandby();
    await world.flink.killJobManager();
    await untilAll(daemon, has("Healthy", "ClusterUnreachable"));
    // The url now belongs to one that does not lead.
    await world.flink.restartJobManager("registered");
    await untilAll(daemon, isHealthy);
    expect(await liveIds(world)).toEqual(before);
    expect(submissionsOf(daemon)).toBe(submissions);

    await world.push(jobs(minor, 2), "rescale");
    await untilAll(daemon, (status) => isSettled(status) && status.parallelism === 2 && status.attempt === 2);
    const rescaled = await liveIds(world);
    expect(rescaled).toHaveLength(NAMES.length);

    // Nobody leads until the other one notices, and its url answers all the time.
    await world.flink.killStandby();
    await daemon.untilJob("orders", (status) => !isHealthy(status));
    await untilAll(daemon, isHealthy);
    expect(await liveIds(world)).toEqual(rescaled);
    expect(submissionsOf(daemon)).toBe(submissions + NAMES.length);
    for (const name of NAMES) await expectStateWasKept(outOf(name));
  });
});

async function untilAll(daemon: RunningDaemon, test: Parameters<RunningDaemon["untilJob"]>[1]): Promise<void> {
  await Promise.all(NAMES.map(async (name) => daemon.untilJob(name, test)));
}

async function restoredFrom(world: RealWorld, flinkJobId: string): Promise<string | undefined> {
  const { latest } = (await world.ask(`/jobs/${flinkJobId}/checkpoints`)) as {
    readonly latest: { readonly restored: { readonly external_path: string } | null };
  };
  return latest.restored?.external_path;
}

function submissionsOf(daemon: RunningDaemon): number {
  return daemon.logged("info").filter(({ msg }) => msg === "Flink accepted the job").length;
}
