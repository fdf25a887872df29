import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findCondition } from "../../src/model/conditions.ts";
import { FLINK_VERSIONS } from "../support/maven.ts";
import { TEST_JOB_JAR } from "../support/test-job.ts";
import { ARTIFACT, isHealthy } from "./counter.ts";
import { createRealWorld, ZONE, type RealWorld } from "./real-world.ts";

const PASSWORD = "correct-horse/battery+staple";

function job(version: string, mainArgs: readonly string[]): string {
  return `apiVersion: core/v1alpha1
kind: Job
zone: ${ZONE}
metadata: {name: counter, project: default}
spec:
  flinkVersion: "${version.slice(0, version.lastIndexOf("."))}"
  artifactRef: {jarOptions: {mainArgs: ${JSON.stringify(mainArgs)}}, name: counter}
  resources: {rpus: 1}
  configuration: {pipeline.global-job-parameters: "token:\${secret:token}"}
`;
}

describe.each(FLINK_VERSIONS)("secrets of a Job on Flink %s", (version) => {
  let world: RealWorld;
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "penstock-e2e-secrets-"));
    await mkdir(join(folder, "default"));
    await writeFile(join(folder, "default/db"), `${PASSWORD}\n`);
    await writeFile(join(folder, "default/token"), "abc:def");
    world = await createRealWorld(version, { slots: 2 });
  });

  afterEach(async () => {
    await world?.close();
    await rm(folder, { recursive: true, force: true });
  });

  it("reach the program, and stay out of what Flink says when it complains about them", async () => {
    const out = join(folder, "out.txt");
    const daemon = world.startDaemon((config) => ({ ...config, secrets: { dir: folder } }));
    await world.push({
      "artifact.yaml": ARTIFACT,
      "jars/counter.jar": await readFile(TEST_JOB_JAR),
      "job.yaml": job(version, ["--out", out, "--throw", "no login with ${secret:db} today"]),
    });
    const failed = await daemon.untilJob(
      "counter",
      ({ conditions }) => findCondition(conditions, "Started")?.reason === "ProgramFailed",
    );
    expect(findCondition(failed.conditions, "Started")?.message).toContain("no login with [secret] today");
    expect(await readFile(out, "utf8")).toContain(PASSWORD); // the program had it

    await world.push({ "job.yaml": job(version, ["--out", out, "--name", "job with ${secret:db}"]) });
    const running = await daemon.untilJob("counter", isHealthy);
    const config = (await world.ask(`jobs/${running.flinkJobId}/config`)) as {
      name: string;
      "execution-config": { "user-config": Record<string, string> };
    };
    expect(config.name).toBe(`job with ${PASSWORD}`);
    const written = [
      JSON.stringify(await world.status(`${ZONE}/default/job/counter.yaml`)),
      ...(await world.statusCommits()),
      daemon.log(),
    ].join("\n");
    expect(written).toContain("secret:db");
    expect(written).not.toContain(PASSWORD);
  });
});
