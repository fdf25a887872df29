import { existsSync } from "node:fs";
import { readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../src/common/clock.ts";
import type { Config } from "../../src/config/config.ts";
import { FlinkClient } from "../../src/flink/flink-client.ts";
import type { JobStatus } from "../../src/model/status.ts";
import { TEST_JOB_CLASS, TEST_JOB_JAR } from "../support/test-job.ts";
import { ARTIFACT, counterJob, expectStateWasKept, isHealthy, isSettled } from "./counter.ts";
import { createRealWorld, ZONE, type RealWorld } from "./real-world.ts";

const VERSION = "1.20.5";
const OUT = join(tmpdir(), `penstock-restore-points-${process.pid}`);
const OTHER_OUT = `${OUT}-other`;
const JOB = `${ZONE}/default/job/counter.yaml`;

const counter = (rpus: number): string => counterJob("1.20", rpus, { out: OUT });
const isThere = (uri: string): boolean => existsSync(fileURLToPath(uri));
/** Only the newest restore point stays besides what is needed. */
const keepOne = (config: Config): Config => ({
  ...config,
  policy: { ...config.policy, restorePoints: { dispose: true, keep: 1 } },
});

/** The checkpoints of an attempt that lie in the cluster's directory. */
async function checkpointsOf(world: RealWorld, flinkJobId: string): Promise<readonly string[]> {
  const names = await readdir(fileURLToPath(`${world.flink.checkpointsDir}/${flinkJobId}`));
  return names.filter((name) => name.startsWith("chk-"));
}

/** As a daemon would that another status branch told to. */
async function startByHand(world: RealWorld, flinkJobId: string): Promise<void> {
  const signal = AbortSignal.timeout(60_000);
  const client = new FlinkClient({ name: "by hand", url: world.flink.url, timeoutMs: 10_000 }, { clock: systemClock });
  try {
    const { size } = await stat(TEST_JOB_JAR);
    const jarId = await client.uploadJar({ fileName: "by-hand.jar", path: TEST_JOB_JAR, size }, signal);
    const flinkConfiguration = { "execution.checkpointing.interval": "500ms" };
    const programArgs = ["--rate", "200", "--out", OTHER_OUT];
    const program = { entryClass: TEST_JOB_CLASS, programArgs, parallelism: 1, flinkConfiguration };
    await client.runJar(jarId, { ...program, flinkVersion: VERSION, flinkJobId }, signal);
  } finally {
    await client.close();
  }
}

describe(`on Flink ${VERSION}`, () => {
  let world: RealWorld;
  beforeAll(async () => {
    world = await createRealWorld(VERSION);
  });
  afterAll(async () => {
    await world.close();
    for (const file of [OUT, OTHER_OUT]) await rm(file, { force: true });
  });

  it("superfluous savepoints and checkpoints are disposed of, and the job goes on, also after it was cancelled by hand", async () => {
    const daemon = world.startDaemon(keepOne);
    const jar = await readFile(TEST_JOB_JAR);
    await world.push({ "artifact.yaml": ARTIFACT, "counter.yaml": counter(1), "jars/counter.jar": jar });
    await daemon.untilJob("counter", isSettled);
    const points: string[] = [];
    for (const rpus of [2, 1]) {
      await world.push({ "counter.yaml": counter(rpus) }, `rescale to ${rpus}`);
      const status = await daemon.untilJob("counter", (now) => isSettled(now) && now.requestedRpus === rpus);
      points.push(status.startedFrom!.uri);
    }
    await daemon.untilJob("counter", ({ savepoints, disposal }) => savepoints?.length === 1 && disposal === undefined);
    expect(points.map(isThere)).toEqual([false, true]);

    const dead: string[] = [];
    for (const attempt of [4, 5]) {
      const { flinkJobId } = (await world.status(JOB)).status;
      dead.push(flinkJobId!);
      await fetch(new URL(`/jobs/${flinkJobId}?mode=cancel`, world.flink.url), { method: "PATCH" });
      await daemon.untilJob("counter", (now) => isSettled(now) && now.attempt === attempt);
    }
    await daemon.until("nothing is left to dispose of", ({ decisions, published }) => {
      return published.kind === "nothing-to-write" && decisions.disposals.some(({ kind }) => kind === "tidied");
    });
    for (const flinkJobId of dead) expect(await checkpointsOf(world, flinkJobId)).toEqual([]);
    await daemon.untilJob("counter", isHealthy);
    await expectStateWasKept(OUT);
    await daemon.stop();
  });

  it("of two Flink jobs for one Job the higher attempt is kept and the other one is stopped with a savepoint", async () => {
    const daemon = world.startDaemon(keepOne);
    const before = await daemon.untilJob("counter", isSettled);
    const higher = `${before.flinkJobId!.slice(0, 24)}${"9".padStart(8, "0")}`;
    await startByHand(world, higher);
    const kept = await daemon.untilJob("counter", (now) => isSettled(now) && leftBy(now) !== undefined);
    expect(kept).toMatchObject({ flinkJobId: higher, attempt: 9, requestedRpus: 1 });
    expect(kept.conditions.map(({ type }) => type)).not.toContain("Duplicate");
    const states = await statesOf(world);
    expect([states.get(before.flinkJobId!), states.get(higher)]).toEqual(["FINISHED", "RUNNING"]);
    expect(isThere(leftBy(kept)!)).toBe(true);
    expect(daemon.logged("error").map(({ msg }) => msg)).toEqual(["two Flink jobs run for one Job"]);
    await daemon.stop();
  });
});

/** Where the history says that the state of a second Flink job lies. */
function leftBy({ history }: Pick<JobStatus, "history">): string | undefined {
  return /what it left is kept at (file:\S+)/.exec(history.map(({ because }) => because).join("\n"))?.[1];
}

/** By Flink job id. What Flink says of one job alone can be three seconds old. */
async function statesOf(world: RealWorld): Promise<ReadonlyMap<string, string>> {
  const { jobs } = (await world.ask("/jobs/overview")) as {
    readonly jobs: readonly { readonly jid: string; readonly state: string }[];
  };
  return new Map(jobs.map(({ jid, state }) => [jid, state]));
}
