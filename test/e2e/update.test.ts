import { readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TEST_JOB_JAR } from "../support/test-job.ts";
import { ARTIFACT, counterJob, expectStateWasKept, isSettled } from "./counter.ts";
import { createRealWorld, type RealWorld } from "./real-world.ts";

const OUT = join(tmpdir(), `penstock-update-${process.pid}`);

describe("two clusters of one minor version in a zone, 1.16.2 and 1.16.3", () => {
  let world: RealWorld;
  beforeAll(async () => {
    world = await createRealWorld("1.16.2", { slots: 4, second: { version: "1.16.3" } });
  });
  afterAll(async () => {
    await world.close();
    await rm(OUT, { force: true });
  });

  it("moves a job to the newest patch by savepoint, and back when that cluster drains", async () => {
    const onlyTheOld = world.startDaemon((config) => without(config, "second"));
    const jar = await readFile(TEST_JOB_JAR);
    await world.push({ "artifact.yaml": ARTIFACT, "counter.yaml": counterJob("1.16", 1, { out: OUT }), "jars/counter.jar": jar });
    const first = await onlyTheOld.untilJob("counter", isSettled);
    expect(first).toMatchObject({ flinkVersion: "1.16.2", cluster: { name: "only" } });
    await onlyTheOld.stop();

    const daemon = world.startDaemon();
    const moved = await daemon.untilJob("counter", (status) => isSettled(status) && status.cluster?.name === "second");
    expect(moved).toMatchObject({
      flinkVersion: "1.16.3",
      attempt: 2,
      run: 1,
      startedFrom: { kind: "Savepoint" },
      lastSavepoint: { reason: "Migrate" },
    });
    await daemon.stop();

    const draining = world.startDaemon((config) => drained(config, "second"));
    const back = await draining.untilJob("counter", (status) => isSettled(status) && status.cluster?.name === "only");
    expect(back).toMatchObject({ flinkVersion: "1.16.2", attempt: 3 });
    await expectStateWasKept(OUT);
    await draining.stop();
  });
});

type Config = RealWorld["config"];

function mapClusters(config: Config, change: (clusters: Clusters) => Clusters): Config {
  return {
    ...config,
    zones: new Map([...config.zones].map(([name, zone]) => [name, { ...zone, clusters: change(zone.clusters) }])),
  };
}

type Clusters = NonNullable<ReturnType<Config["zones"]["get"]>>["clusters"];

function without(config: Config, name: string): Config {
  return mapClusters(config, (clusters) => clusters.filter((cluster) => cluster.name !== name));
}

function drained(config: Config, name: string): Config {
  return mapClusters(config, (clusters) => clusters.map((cluster) => ({ ...cluster, draining: cluster.name === name })));
}
