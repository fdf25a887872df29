import { readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Config } from "../../src/config/config.ts";
import { findCondition } from "../../src/model/conditions.ts";
import type { JobStatus } from "../../src/model/status.ts";
import { ARTIFACT, counterJob, expectStateWasKept, isHealthy, isSettled } from "../e2e/counter.ts";
import { createRealWorld, liveIds, ZONE, type RealWorld } from "../e2e/real-world.ts";
import type { RunningDaemon } from "../scenarios/running-daemon.ts";
import { has } from "../scenarios/world.ts";
import { TEST_JOB_JAR } from "../support/test-job.ts";

const NAMES = ["alerts", "clicks", "orders", "payments", "sessions"] as const;
const outOf = (name: string): string => join(tmpdir(), `penstock-faults-${process.pid}-${name}`);
const A_FILE = outOf("a-file");

type Name = (typeof NAMES)[number];
type Statuses = Readonly<Record<Name, JobStatus>>;

function jobs(minor: string, rpus: Readonly<Partial<Record<Name, number>>> = {}): Readonly<Record<string, string>> {
  return Object.fromEntries(
    NAMES.map((name) => [`${name}.yaml`, counterJob(minor, rpus[name] ?? 1, { name, out: outOf(name) })]),
  );
}

describe.each([
  ["1.16.3", "1.16"],
  ["1.20.5", "1.20"],
  ["2.3.0", "2.3"],
])("a cluster of Flink %s without high availability", (version, minor) => {
  let world: RealWorld;
  beforeAll(async () => {
    world = await createRealWorld(version);
    await world.push({ "artifact.yaml": ARTIFACT, ...jobs(minor), "jars/counter.jar": await readFile(TEST_JOB_JAR) });
    const daemon = world.startDaemon();
    await untilAll(daemon, isSettled);
    await daemon.stop();
  });
  afterAll(async () => {
    await world.close();
    for (const name of NAMES) await rm(outOf(name), { force: true });
    await rm(A_FILE, { force: true });
  });

  it("whose JobManager is killed, twice, gets its jar and every job back, each from its newest checkpoint and once", async () => {
    const daemon = world.startDaemon();
    let before = await untilAll(daemon, isSettled);
    for (let time = 1; time <= 2; time += 1) {
      const submissions = submissionsOf(daemon);
      await world.flink.killJobManager();
      await untilAll(daemon, has("Healthy", "ClusterUnreachable"));
      const newest = await newestCheckpoints(world, before);
      await world.flink.restartJobManager("registered");
      const after = await untilAll(daemon, (now, name) => isSettled(now) && now.attempt === before[name].attempt + 1);
      expect(mapped(after, ({ startedFrom }) => startedFrom)).toEqual(mapped(newest, (uri) => ({ kind: "Checkpoint", uri })));
      expect(await liveIds(world)).toEqual(idsOf(after));
      expect(await jarsOf(world)).toEqual([expect.stringMatching(/^e2e-[0-9a-f]{64}.*\.jar$/)]);
      expect(submissionsOf(daemon) - submissions).toBe(NAMES.length);
      before = after;
    }
    for (const name of NAMES) await expectStateWasKept(outOf(name));
    await daemon.stop();
  });

  it("whose only TaskManager is killed restarts its jobs itself: the status says so, and nothing is started beside them", async () => {
    const daemon = world.startDaemon();
    const before = await untilAll(daemon, isSettled);
    await world.flink.killTaskManager();
    const broken = await untilAll(daemon, (status) => findCondition(status.conditions, "Healthy")?.status === "False");
    await daemon.passes(10);
    expect(idsOf(broken)).toEqual(idsOf(before));
    await world.flink.startTaskManager();
    const after = await untilAll(daemon, isHealthy);
    expect(idsOf(after)).toEqual(idsOf(before));
    expect(await liveIds(world)).toEqual(idsOf(before));
    expect(submissionsOf(daemon)).toBe(0);
    for (const name of NAMES) await expectStateWasKept(outOf(name));
    await daemon.stop();
  });

  it("that cannot write savepoints goes on as it is, says why, and is rescaled when it can", async () => {
    const before = (await world.status(`${ZONE}/default/job/orders.yaml`)).status;
    await writeFile(A_FILE, "");
    await world.push(jobs(minor, { orders: 2 }), "rescale");
    // The one is seen from here; of the other only Flink can tell.
    const places = [
      [pathToFileURL(join(A_FILE, "savepoints")).href, "SavepointsRefused", A_FILE],
      ["file:///proc/no/such/place/for/savepoints", "NotDone", "Failed to create savepoint directory"],
    ] as const;
    for (const [savepointsDir, reason, message] of places) {
      const daemon = world.startDaemon((config) => withSavepointsIn(config, savepointsDir));
      const stuck = await daemon.untilJob("orders", has("Rescaled", reason));
      expect(findCondition(stuck.conditions, "Rescaled")?.message).toContain(message);
      expect(stuck).toMatchObject({ flinkJobId: before.flinkJobId, requestedRpus: 1, flinkJobState: "Running" });
      await daemon.stop();
    }
    const daemon = world.startDaemon();
    const after = await daemon.untilJob("orders", (status) => isSettled(status) && status.parallelism === 2);
    expect(after.startedFrom?.uri).toContain(`${world.flink.savepointsDir}/${before.flinkJobId}/`);
    await expectStateWasKept(outOf("orders"));
    await daemon.stop();
  });

  it("whose checkpoints are gone when its JobManager comes back empty starts nothing and asks, and goes on when they are there again", async () => {
    const daemon = world.startDaemon();
    const before = await untilAll(daemon, isSettled);
    const directory = fileURLToPath(world.flink.checkpointsDir);
    await world.flink.killJobManager();
    await untilAll(daemon, has("Healthy", "ClusterUnreachable"));
    await rename(directory, `${directory}-elsewhere`);
    await world.flink.restartJobManager("registered");
    const asking = await untilAll(daemon, has("Restored", "RestorePointMissing"));
    for (const status of Object.values(asking))
      expect(findCondition(status.conditions, "Restored")?.message).toContain(`"penstock/start-empty: ${status.flinkJobId}"`);
    await daemon.passes(5);
    expect(await liveIds(world)).toEqual([]);
    await rm(directory, { recursive: true, force: true });
    await rename(`${directory}-elsewhere`, directory);
    await untilAll(daemon, (now, name) => isSettled(now) && now.attempt === before[name].attempt + 1);
    for (const name of NAMES) await expectStateWasKept(outOf(name));
    await daemon.stop();
  });
});

async function untilAll(daemon: RunningDaemon, test: (status: JobStatus, name: Name) => boolean): Promise<Statuses> {
  const waiting = NAMES.map(async (name) => [name, await daemon.untilJob(name, (status) => test(status, name))] as const);
  return Object.fromEntries(await Promise.all(waiting)) as Record<Name, JobStatus>;
}

function mapped<T, R>(values: Readonly<Record<Name, T>>, map: (value: T) => R): Readonly<Record<string, R>> {
  return Object.fromEntries(NAMES.map((name) => [name, map(values[name])]));
}

function idsOf(statuses: Statuses): readonly string[] {
  return NAMES.map((name) => statuses[name].flinkJobId!).toSorted(); // all of them were accepted
}

async function jarsOf(world: RealWorld): Promise<readonly string[]> {
  const { files } = (await world.ask("/jars")) as { readonly files: readonly { readonly name: string }[] };
  return files.map(({ name }) => name);
}

/** While nobody writes: the highest number that is complete, of each job. */
async function newestCheckpoints(world: RealWorld, statuses: Statuses): Promise<Readonly<Record<Name, string>>> {
  const found = NAMES.map(async (name) => {
    const uri = `${world.flink.checkpointsDir}/${statuses[name].flinkJobId}`;
    const names = await readdir(fileURLToPath(uri), { recursive: true });
    const numbers = names.map((path) => Number(/^chk-(\d+)\/_metadata$/.exec(path)?.[1] ?? 0));
    return [name, `${uri}/chk-${Math.max(...numbers)}`] as const;
  });
  return Object.fromEntries(await Promise.all(found)) as Record<Name, string>;
}

function submissionsOf(daemon: RunningDaemon): number {
  return daemon.logged("info").filter(({ msg }) => msg === "Flink accepted the job").length;
}

function withSavepointsIn(config: Config, savepointsDir: string): Config {
  const zones = [...config.zones].map(([name, zone]) => {
    return [name, { ...zone, clusters: zone.clusters.map((cluster) => ({ ...cluster, savepointsDir })) }] as const;
  });
  return { ...config, zones: new Map(zones) };
}
