import { describe, expect, it } from "vitest";
import type { Config } from "../../src/config/config.ts";
import { aRunningJob } from "./manifests.ts";
import { conditionOf, createWorld, has, isRunning, type World } from "./world.ts";

const STOP = /^POST \/jobs\/[0-9a-f]{32}\/stop$/;

/** A Job on the older of two clusters that share their directories, before the newer one is configured. */
async function aWorldWithANewerCluster(runtimeUpdates: string): Promise<{ world: World; flinkJobId: string }> {
  const world = await createWorld({
    flink: { version: "1.16.2" },
    clusters: { newer: { version: "1.16.3" } },
    config: { policy: { runtimeUpdates } },
  });
  await world.push(await aRunningJob("orders"));
  const daemon = world.startDaemon(withoutNewer);
  const { flinkJobId } = await daemon.untilJob("orders", isRunning);
  await daemon.stop();
  return { world, flinkJobId: flinkJobId! };
}

function withoutNewer(config: Config): Config {
  return mapClusters(config, (clusters) => clusters.filter(({ name }) => name !== "newer"));
}

/** One pair of directories for both, as clusters that Jobs are to move between have it. */
function withSharedDirectories({ flink }: World): (config: Config) => Config {
  const { checkpointsDir, savepointsDir } = flink;
  return (config) => mapClusters(config, (clusters) => clusters.map((one) => ({ ...one, checkpointsDir, savepointsDir })));
}

type Clusters = NonNullable<ReturnType<Config["zones"]["get"]>>["clusters"];

function mapClusters(config: Config, change: (clusters: Clusters) => Clusters): Config {
  const zones = [...config.zones].map(([name, zone]) => [name, { ...zone, clusters: change(zone.clusters) }] as const);
  return { ...config, zones: new Map(zones) };
}

describe.concurrent("a cluster with a newer patch in the zone", () => {
  it("is only reported with runtimeUpdates: manual", async () => {
    const { world, flinkJobId } = await aWorldWithANewerCluster("manual");
    await using _ = world;
    const daemon = world.startDaemon(withSharedDirectories(world));
    await daemon.untilJob("orders", has("UpToDate", "UpdateAvailable"));
    await daemon.untilAtRest();
    const { status, message } = conditionOf(await world.job("orders"), "UpToDate") ?? {};
    expect(status).toBe("False");
    expect(message).toBe("newer has the newer Flink 1.16.3; policy.runtimeUpdates is manual, so it stays");
    expect(world.flink.job(flinkJobId).state).toBe("RUNNING");
    expect(world.flink.countCalls(STOP)).toBe(0);
  });

  it("is moved to by savepoint with runtimeUpdates: automatic", async () => {
    const { world, flinkJobId } = await aWorldWithANewerCluster("automatic");
    await using _ = world;
    const daemon = world.startDaemon(withSharedDirectories(world));
    const moved = await daemon.untilJob("orders", (status) => isRunning(status) && status.cluster?.name === "newer");
    expect(moved).toMatchObject({ run: 1, attempt: 2, flinkVersion: "1.16.3", lastSavepoint: { reason: "Migrate" } });
    expect(world.flink.job(flinkJobId).state).toBe("FINISHED");
    expect(world.cluster("newer").job(moved.flinkJobId!).restoredFrom).toBe(moved.startedFrom?.uri);
  });
});
