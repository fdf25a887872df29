import { readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TEST_JOB_JAR } from "../support/test-job.ts";
import { ARTIFACT, counterJob, expectStateWasKept, isHealthy, isSettled } from "./counter.ts";
import { createRealWorld, type RealWorld } from "./real-world.ts";

const OUT = join(tmpdir(), `penstock-in-place-${process.pid}`);

/** Without these an adaptive scheduler takes half a minute for what is tested here. */
const ADAPTIVE: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "1.20.5": {
    "jobmanager.scheduler": "adaptive",
    "jobmanager.adaptive-scheduler.scaling-interval.min": "100ms",
    "jobmanager.adaptive-scheduler.scaling-interval.max": "1s",
    "jobmanager.adaptive-scheduler.resource-stabilization-timeout": "500ms",
  },
  "2.3.0": {
    "jobmanager.scheduler": "adaptive",
    "jobmanager.adaptive-scheduler.executing.cooldown-after-rescaling": "100ms",
    "jobmanager.adaptive-scheduler.executing.resource-stabilization-timeout": "500ms",
    "jobmanager.adaptive-scheduler.rescale-trigger.max-delay": "1s",
    "jobmanager.adaptive-scheduler.submission.resource-stabilization-timeout": "500ms",
  },
};

describe.each([
  ["1.20.5", "1.20"],
  ["2.3.0", "2.3"],
])("a change of rpus on Flink %s with the adaptive scheduler", (version, minor) => {
  let world: RealWorld;
  beforeAll(async () => {
    world = await createRealWorld(version, { flink: ADAPTIVE[version] ?? {} });
  });
  afterAll(async () => {
    await world.close();
    await rm(OUT, { force: true });
  });

  it("rescales in place, up and down: the same Flink job, the new parallelism reached, its state kept", async () => {
    const daemon = world.startDaemon();
    const jar = await readFile(TEST_JOB_JAR);
    await world.push({ "artifact.yaml": ARTIFACT, "counter.yaml": counterJob(minor, 2, { out: OUT }), "jars/counter.jar": jar });
    const first = await daemon.untilJob("counter", isSettled);
    for (const rpus of [4, 3]) {
      await world.push({ "counter.yaml": counterJob(minor, rpus, { out: OUT }) }, `rpus ${rpus}`);
      const rescaled = await daemon.untilJob("counter", (status) => isHealthy(status) && status.parallelism === rpus);
      expect(rescaled).toMatchObject({ flinkJobId: first.flinkJobId, attempt: 1, requestedRpus: rpus });
    }
    await expectStateWasKept(OUT);
    await daemon.stop();
  });
});
