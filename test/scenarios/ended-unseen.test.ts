import { describe, expect, it } from "vitest";
import type { Config } from "../../src/config/config.ts";
import { aRunningJob } from "./manifests.ts";
import { conditionOf, createWorld, has, isRunning, RUN, type World, type WorldOptions, untilCheckpointed } from "./world.ts";

/** `orders` ran and has a checkpoint; no daemon looks any more. */
async function anUnwatchedWorld(options?: WorldOptions): Promise<{ world: World; flinkJobId: string }> {
  const world = await createWorld(options);
  await world.push(await aRunningJob("orders"));
  const daemon = world.startDaemon();
  const { flinkJobId } = await daemon.untilJob("orders", isRunning);
  await untilCheckpointed(world, daemon, flinkJobId!);
  await daemon.stop();
  return { world, flinkJobId: flinkJobId! };
}

const CASES: readonly (readonly [string, WorldOptions, (world: World, flinkJobId: string) => void])[] = [
  ["and was forgotten by the same JobManager", {}, (world, id) => world.flink.forgetJob(id)],
  [
    "and was forgotten with its JobManager, under high availability",
    { flink: { highAvailability: "ZOOKEEPER" } },
    (world) => world.flink.restart(),
  ],
];

describe.concurrent.each(CASES)("a Job that ended while nobody looked %s", (_, options, forget) => {
  it.each(["FAILED", "CANCELED"] as const)("as %s comes back from the checkpoint that it left", async (state) => {
    const { world, flinkJobId } = await anUnwatchedWorld(options);
    await using _world = world;
    world.flink.setJobState(flinkJobId, state);
    forget(world, flinkJobId);
    const daemon = world.startDaemon();
    const healed = await daemon.untilJob("orders", (status) => isRunning(status) && status.flinkJobId !== flinkJobId);
    expect(healed).toMatchObject({ run: 1, attempt: 2, startedFrom: { kind: "Checkpoint" } });
    expect(world.flink.job(healed.flinkJobId!).restoredFrom).toContain(`${flinkJobId}/chk-`);
  });

  it("as FINISHED left no checkpoint, so it is Finished and stays so", async () => {
    const { world, flinkJobId } = await anUnwatchedWorld(options);
    await using _world = world;
    world.flink.setJobState(flinkJobId, "FINISHED");
    forget(world, flinkJobId);
    const daemon = world.startDaemon();
    await daemon.untilJob("orders", ({ flinkJobState }) => flinkJobState === "Finished");
    await daemon.untilAtRest();
    expect(world.flink.countCalls(RUN)).toBe(1);
    expect((await world.job("orders"))?.status).toMatchObject({ phase: "Ready", attempt: 1 });
  });
});

/** The daemon's configuration with other clusters in the zone. */
function withClusters(config: Config, change: (cluster: ClusterOf) => readonly ClusterOf[]): Config {
  const zones = [...config.zones].map(([name, zone]) => [name, { ...zone, clusters: zone.clusters.flatMap(change) }] as const);
  return { ...config, zones: new Map(zones) };
}

type ClusterOf =
  Config["zones"] extends ReadonlyMap<string, infer Zone>
    ? Zone extends { readonly clusters: readonly (infer One)[] }
      ? One
      : never
    : never;

describe.concurrent("a Job whose cluster", () => {
  it.each<[string, (world: World) => (cluster: ClusterOf) => readonly ClusterOf[], string]>([
    [
      "has another url, at which nothing of it is known,",
      (world) => (cluster) => (cluster.name === "main" ? [{ ...cluster, url: world.cluster("other").url }] : []),
      "cluster main has another url than the one that the job was started on",
    ],
    [
      "left the configuration",
      () => (cluster) => (cluster.name === "main" ? [] : [cluster]),
      "cluster main is no longer in the configuration of zone local",
    ],
  ])("%s cannot be seen: nothing is started and nothing is believed", async (_, change, because) => {
    const world = await createWorld({ clusters: { other: {} } });
    await using _world = world;
    await world.push(await aRunningJob("orders"));
    const first = world.startDaemon();
    const { flinkJobId } = await first.untilJob("orders", (status) => isRunning(status) && status.cluster?.name === "main");
    await first.untilAtRest();
    await first.stop();
    const next = world.startDaemon((config) => withClusters(config, change(world)));
    await next.untilJob("orders", has("Healthy", "ClusterUnreachable"));
    await next.passes(5);
    expect((await world.job("orders"))?.status).toMatchObject({
      phase: "Ready",
      flinkJobState: "Running",
      flinkJobId,
      attempt: 1,
    });
    expect(world.flink.job(flinkJobId!).state).toBe("RUNNING");
    expect(world.cluster("other").jobs).toEqual([]);
    expect(conditionOf(await world.job("orders"), "Healthy")?.message).toContain(because);
  });
});
