import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findCondition } from "../../src/model/conditions.ts";
import type { JobStatus } from "../../src/model/status.ts";
import { EXAMPLES, fetchMavenArtifact } from "../support/maven.ts";
import { createRealWorld, ZONE, type RealWorld } from "./real-world.ts";

const TOP_SPEED = "org.apache.flink.streaming.examples.windowing.TopSpeedWindowing";

/** The manifest of the design, as it stands, with the zone as the last key as Immerok printed it. */
function seed(
  options: {
    readonly name?: string;
    readonly version?: string;
    readonly maven?: string;
    readonly entryClass?: string;
    readonly rpus?: number;
  } = {},
): string {
  const { name = "top-speed-windowing-v1", version = "1.16", maven = EXAMPLES.topSpeed116, entryClass = TOP_SPEED } = options;
  return `apiVersion: core/v1alpha1
kind: Job
metadata:
  name: ${name}
  project: default
spec:
  flinkVersion: ${version}
  artifactRef:
    name: ${name}
    jarOptions:
      entryClass: ${entryClass}
      mainArgs: ["--topic", "input-topic"]
  resources:
    rpus: ${options.rpus ?? 5}
  configuration:
    execution.checkpointing.interval: 30s
zone: ${ZONE}
---
apiVersion: core/v1alpha1
kind: Artifact
zone: ${ZONE}
metadata: {name: ${name}, project: default}
spec:
  type: Jar
  source:
    maven: ${maven}
`;
}

const COUNTER = `apiVersion: core/v1alpha1
kind: Artifact
zone: ${ZONE}
metadata: {name: counter, project: default}
spec: {type: Jar, source: {path: /jars/counter.jar}}
---
apiVersion: core/v1alpha1
kind: Job
zone: ${ZONE}
metadata: {name: counter, project: default}
spec:
  flinkVersion: 2.3
  artifactRef: {jarOptions: {mainArgs: ["--rate", 50]}, name: counter}
  resources: {rpus: 5}
  configuration: {execution.checkpointing.interval: 30s}
`;

const isHealthy = (status: JobStatus): boolean =>
  status.flinkJobState === "Running" && findCondition(status.conditions, "Healthy")?.status === "True";

const isFinished = ({ phase, flinkJobState }: JobStatus): boolean => phase === "Ready" && flinkJobState === "Finished";

/** What the issue asks to be seen of a job at parallelism 5 with checkpoints every 30 s. */
async function expectRunningAsDeclared(world: RealWorld, name: string): Promise<void> {
  const daemon = world.startDaemon();
  await daemon.untilJob(name, isHealthy);
  const { status } = await world.status(`${ZONE}/default/job/${name}.yaml`);
  expect(status).toMatchObject({
    phase: "Ready",
    flinkJobState: "Running",
    parallelism: 5,
    requestedRpus: 5,
    flinkVersion: world.flink.version,
  });
  expect(await world.ask(`/jobs/${status.flinkJobId}/checkpoints/config`)).toMatchObject({
    interval: 30_000,
    mode: "exactly_once",
  });
  const { jobs } = (await world.ask("/jobs/overview")) as {
    jobs: readonly { jid: string; state: string; tasks: { total: number; running: number } }[];
  };
  const job = jobs.find(({ jid }) => jid === status.flinkJobId);
  expect(job?.state).toBe("RUNNING");
  expect(job?.tasks.running).toBe(job?.tasks.total);
  await daemon.stop();
}

describe("the seed case on Flink 1.16.3", () => {
  let world: RealWorld;
  beforeAll(async () => {
    await fetchMavenArtifact(EXAMPLES.topSpeed116);
    await fetchMavenArtifact(EXAMPLES.wordCount116);
    world = await createRealWorld("1.16.3");
  });
  afterAll(async () => world.close());

  it("goes from Pending to Ready, Running with parallelism 5, all tasks running and checkpoints every 30 s", async () => {
    await world.push({ "streams/top.yaml": seed() });
    await expectRunningAsDeclared(world, "top-speed-windowing-v1");
    expect((await world.statusCommits())[0]).toMatch(/top-speed-windowing-v1/);
  });

  it("names a misspelt entry class and suggests the right one from the jar, without submitting anything", async () => {
    await world.push({
      "streams/typo.yaml": seed({ name: "typo", entryClass: "org.apache.flink.streaming.examples.windowing.TopSpeedwindowing" }),
    });
    const daemon = world.startDaemon();
    await daemon.untilJob("typo", ({ conditions }) => findCondition(conditions, "Started")?.reason === "EntryClassMissing");
    const { status } = await world.status(`${ZONE}/default/job/typo.yaml`);
    expect(status.phase).toBe("Pending");
    const condition = status.conditions.find(({ type }) => type === "Started");
    expect(condition?.message).toBe(
      `entry class org.apache.flink.streaming.examples.windowing.TopSpeedwindowing is not in the jar; did you mean ${TOP_SPEED}? (Artifact typo)`,
    );
    const { jobs } = (await world.ask("/jobs/overview")) as { jobs: readonly unknown[] };
    expect(jobs).toHaveLength(1);
    await daemon.stop();
  });

  it("finds its job again after a restart: no second job, no commit", async () => {
    const commits = (await world.statusCommits()).length;
    const daemon = world.startDaemon();
    await daemon.untilAtRest();
    await daemon.stop();
    expect(await world.statusCommits()).toHaveLength(commits);
    expect(((await world.ask("/jobs/overview")) as { jobs: readonly unknown[] }).jobs).toHaveLength(1);
  });

  it("ends a bounded job as Finished, and starts it no more", async () => {
    const entryClass = "org.apache.flink.streaming.examples.wordcount.WordCount";
    await world.push({ "words.yaml": seed({ name: "word-count", maven: EXAMPLES.wordCount116, entryClass, rpus: 1 }) });
    const first = world.startDaemon();
    const finished = await first.untilJob("word-count", isFinished);
    await first.untilAtRest();
    await first.stop();
    const ofIt = async (): Promise<readonly string[]> =>
      (await world.statusCommits()).filter((text) => text.includes("word-count"));
    const commits = await ofIt();
    const second = world.startDaemon();
    await second.untilAtRest();
    await second.stop();
    expect(await ofIt()).toEqual(commits);
    const { status } = await world.status(`${ZONE}/default/job/word-count.yaml`);
    expect(status).toMatchObject({ flinkJobId: finished.flinkJobId, attempt: 1 });
  });
});

describe("the same on Flink 1.20.5", () => {
  let world: RealWorld;
  beforeAll(async () => {
    await fetchMavenArtifact(EXAMPLES.topSpeed120);
    world = await createRealWorld("1.20.5");
  });
  afterAll(async () => world.close());

  it("runs Flink's own example with the options of the manifest", async () => {
    await world.push({ "top.yaml": seed({ version: "1.20", maven: EXAMPLES.topSpeed120 }) });
    await expectRunningAsDeclared(world, "top-speed-windowing-v1");
  });
});

describe("the same on Flink 2.3.0", () => {
  let world: RealWorld;
  beforeAll(async () => {
    world = await createRealWorld("2.3.0");
  });
  afterAll(async () => world.close());

  it("runs our own test job from a jar of the repository", async () => {
    const jar = await readFile(join(import.meta.dirname, "../../jobs-example/jars/counter.jar"));
    await world.push({ "counter.yaml": COUNTER, "jars/counter.jar": jar });
    await expectRunningAsDeclared(world, "counter");
  });
});
