import { describe, expect, it } from "vitest";
import type { Config } from "../../src/config/config.ts";
import { packJar, readJar } from "../support/jar.ts";
import { mountSmallDisk, type SmallDisk } from "../support/small-disk.ts";
import { aJob, anArtifact, aRunningJob, counterJar } from "./manifests.ts";
import type { RunningDaemon } from "./running-daemon.ts";
import { conditionOf, createWorld, has, isRunning, untilCheckpointed, WRITES, type World } from "./world.ts";

const A_MINUTE_MS = 60_000;
/** Room for some jars of the test job, of 11 kB each, and their copies with the launcher. */
const SIZE = 256 * 1024;
const STOP = /^POST \/jobs\/[0-9a-f]{32}\/stop$/;

const cachedOn =
  ({ folder }: SmallDisk) =>
  (config: Config): Config => ({ ...config, artifacts: { ...config.artifacts, cacheDir: `${folder}/cache` } });

/** `orders` runs, and its jar is in a cache on this disk. */
async function aRunningWorld(disk: SmallDisk): Promise<{ world: World; daemon: RunningDaemon; flinkJobId: string }> {
  const world = await createWorld();
  await world.push(await aRunningJob("orders"));
  const daemon = world.startDaemon(cachedOn(disk));
  const { flinkJobId } = await daemon.untilJob("orders", isRunning);
  await untilCheckpointed(world, daemon, flinkJobId!);
  await daemon.untilAtRest();
  return { world, daemon, flinkJobId: flinkJobId! };
}

function withRpus(rpus: number): Readonly<Record<string, string>> {
  return { "orders.yaml": anArtifact("orders") + aJob("orders", { rpus }) };
}

/** Another jar of the same program. */
async function otherJar(): Promise<Uint8Array> {
  const entries = (await readJar(Buffer.from(await counterJar())))!;
  return packJar([...entries, ["note.txt", Buffer.from("another build")]]);
}

describe.concurrent("a disk that is full", () => {
  it("delays the Artifact that needs it, says what to do, and nothing else; with room it is fetched", async () => {
    await using disk = await mountSmallDisk(SIZE);
    const { world, daemon, flinkJobId } = await aRunningWorld(disk);
    await using _ = world;
    await disk.fill();
    await world.push({
      "clicks.yaml": anArtifact("clicks", "path: /jars/other.jar") + aJob("clicks"),
      "jars/other.jar": await otherJar(),
    });
    await daemon.untilJob("clicks", has("Started", "ArtifactNotReady"));
    await daemon.untilAtRest();
    const message = `the disk under artifacts.cacheDir (${disk.folder}/cache) is full (ENOSPC): make room there, or set another folder`;
    expect(conditionOf(await world.artifact("clicks"), "Available")).toMatchObject({
      status: "False",
      reason: "DiskFull",
      message,
    });
    expect(daemon.logged("warn", "error")).toEqual([
      expect.objectContaining({ reason: "DiskFull", because: message }) as unknown,
    ]);

    world.flink.setJobState(flinkJobId, "FAILED", "out of memory");
    await daemon.untilJob("orders", (now) => isRunning(now) && now.flinkJobId !== flinkJobId);
    await world.push(withRpus(3));
    await daemon.untilJob("orders", (now) => isRunning(now) && now.requestedRpus === 3);
    await world.push({ "more.yaml": aJob("more", { artifact: "orders", rpus: 1 }) });
    await daemon.untilJob("more", isRunning);
    expect((await world.artifact("clicks"))?.status.phase).toBe("Pending");

    await disk.empty();
    world.clock.pass(5 * A_MINUTE_MS);
    await daemon.untilJob("clicks", isRunning);
    expect(conditionOf(await world.artifact("clicks"), "Available")?.status).toBe("True");
  });

  it("from the start on starts nothing and ends nothing: the daemon waits for room", async () => {
    await using disk = await mountSmallDisk(SIZE);
    await using world = await createWorld();
    await disk.fill();
    await world.push(await aRunningJob("orders"));
    const daemon = world.startDaemon(cachedOn(disk));
    await daemon.untilJob("orders", has("Started", "ArtifactNotReady"));
    expect(world.flink.countCalls(WRITES)).toBe(0);
    await disk.empty();
    world.clock.pass(A_MINUTE_MS);
    await daemon.untilJob("orders", isRunning);
  });

  it("after the jar and before the copy of it that Flink 1.16 needs delays the start, and says so", async () => {
    await using disk = await mountSmallDisk(SIZE);
    await using world = await createWorld();
    await disk.fill(20 * 1024);
    await world.push(await aRunningJob("orders"));
    const daemon = world.startDaemon(cachedOn(disk));
    await daemon.untilJob("orders", has("Started", "DiskFull"));
    await daemon.untilAtRest();
    expect((await world.artifact("orders"))?.status.phase).toBe("Ready");
    expect(conditionOf(await world.job("orders"), "Started")?.message).toContain("is full (ENOSPC): make room there");
    await disk.empty();
    world.clock.pass(A_MINUTE_MS);
    const { attempt } = await daemon.untilJob("orders", isRunning);
    expect(attempt).toBe(1);
  });

  it("stops no job that could not be started again", async () => {
    await using disk = await mountSmallDisk(SIZE);
    const { world, daemon, flinkJobId } = await aRunningWorld(disk);
    await using _ = world;
    await daemon.stop();
    await disk.fill();
    await world.push(withRpus(3));
    const next = world.startDaemon(cachedOn(disk)); // what it finds in the cache is the jar, and not yet the copy with the launcher
    await next.untilJob("orders", ({ conditions }) => conditions.some(({ message }) => message.includes("ENOSPC")));
    await next.untilAtRest();
    expect(world.flink.job(flinkJobId).state).toBe("RUNNING");
    expect(world.flink.countCalls(STOP)).toBe(0);
    await disk.empty();
    world.clock.pass(5 * A_MINUTE_MS);
    await next.untilJob("orders", (now) => isRunning(now) && now.requestedRpus === 3);
  });
});
