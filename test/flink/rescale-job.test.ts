import { describe, expect, it } from "vitest";
import { cappedParallelism, mostFromState, rescaleInPlace } from "../../src/flink/rescale-job.ts";
import { anAttempt } from "../pass/builders.ts";
import { bodies } from "../support/fake-flink-bodies.ts";
import { aCluster, NEVER } from "./cluster-harness.ts";

const ID = anAttempt(1);
const PUT = /PUT \/jobs\/.*\/resource-requirements/;

describe("rescaleInPlace", () => {
  it("asks for the new parallelism where the old one was, and leaves what the program fixed", async () => {
    const { fake, cluster, start } = await aCluster({ adaptive: true });
    await start(1, { parallelism: 2 });
    expect(await rescaleInPlace(cluster, ID, { from: 2, to: 5 }, NEVER)).toEqual({ kind: "asked" });
    expect(fake.job(ID)).toMatchObject({ parallelism: 5, sourceParallelism: 1 });
    const body = JSON.parse(fake.calls.find(({ method }) => method === "PUT")!.body) as Record<string, unknown>;
    expect(Object.values(body)).toEqual([
      { parallelism: { lowerBound: 1, upperBound: 1 } },
      { parallelism: { lowerBound: 1, upperBound: 5 } },
    ]);
  });

  it("knows what follows the job's parallelism although less than that was reached", async () => {
    const { fake, cluster, start } = await aCluster({ adaptive: true, slots: 3 });
    await start(1, { parallelism: 6 });
    expect(fake.job(ID).parallelism).toBe(3);
    await rescaleInPlace(cluster, ID, { from: 6, to: 2 }, NEVER);
    expect(fake.job(ID)).toMatchObject({ requestedParallelism: 2, sourceParallelism: 1 });
  });

  it("asks for no more than a vertex can be", async () => {
    const { fake, cluster, start } = await aCluster({ adaptive: true, slots: 20 });
    await start(1, { parallelism: 2, flinkConfiguration: { "pipeline.max-parallelism": "6" } });
    expect(await rescaleInPlace(cluster, ID, { from: 2, to: 9 }, NEVER)).toEqual({ kind: "asked" });
    expect(fake.job(ID).requestedParallelism).toBe(6);
    await rescaleInPlace(cluster, ID, { from: 9, to: 3 }, NEVER);
    expect(fake.job(ID).requestedParallelism).toBe(3);
  });

  it("lets the newest win when the answer to the one before was lost", async () => {
    const { fake, cluster, start } = await aCluster({ adaptive: true, slots: 20 });
    await start(1, { parallelism: 2 });
    fake.inject(PUT, { kind: "lose-answer" }, 1);
    expect(await rescaleInPlace(cluster, ID, { from: 2, to: 4 }, NEVER)).toMatchObject({ kind: "unknown" });
    expect(await rescaleInPlace(cluster, ID, { from: 2, to: 7 }, NEVER)).toEqual({ kind: "asked" });
    expect(fake.job(ID)).toMatchObject({ parallelism: 7, sourceParallelism: 1 });
  });

  it.each([
    ["before 1.18", { version: "1.16.3", adaptive: true }],
    ["by another scheduler", { version: "1.20.5", adaptive: false }],
  ])("is refused %s", async (_, options) => {
    const { fake, cluster, start } = await aCluster(options);
    await start(1, { flinkVersion: fake.version, flinkConfiguration: {} });
    expect(await rescaleInPlace(cluster, ID, { from: 2, to: 4 }, NEVER)).toMatchObject({ kind: "refused" });
    expect(fake.countCalls(PUT)).toBe(0);
  });

  it("is refused for a job that is not there", async () => {
    const { cluster } = await aCluster({ adaptive: true });
    expect(await rescaleInPlace(cluster, ID, { from: 2, to: 4 }, NEVER)).toEqual({
      kind: "refused",
      because: expect.stringContaining("Could not find Flink job"),
    });
  });

  it.each(["drop", "html"] as const)("is no refusal when Flink did not answer (%s)", async (kind) => {
    const { fake, cluster, start } = await aCluster({ adaptive: true });
    await start(1);
    fake.inject(PUT, { kind }, 1);
    expect(await rescaleInPlace(cluster, ID, { from: 2, to: 4 }, NEVER)).toMatchObject({ kind: "unknown" });
  });

  it("is no refusal while another update or an election is in progress", async () => {
    const { fake, cluster, start } = await aCluster({ adaptive: true });
    await start(1);
    fake.inject(PUT, { kind: "answer", answer: bodies.leaderElection() }, 1);
    expect(await rescaleInPlace(cluster, ID, { from: 2, to: 4 }, NEVER)).toMatchObject({ kind: "unknown" });
    fake.inject(PUT, { kind: "answer", answer: bodies.updateInProgress() }, 1);
    expect(await rescaleInPlace(cluster, ID, { from: 2, to: 4 }, NEVER)).toMatchObject({ kind: "unknown" });
  });
});

function vertex(maxParallelism: number, parallelism = 1) {
  return { id: String(maxParallelism), parallelism, maxParallelism };
}

describe("mostFromState", () => {
  it.each([
    ["the max parallelism of what follows the job", [vertex(128, 2), vertex(64, 2)], 64],
    ["not that of a vertex whose parallelism the program fixed", [vertex(128, 2), vertex(1, 1)], 128],
    ["unknown when Flink names none", [vertex(-1, 2)], undefined],
    ["unknown when nothing follows the job", [vertex(128, 3)], undefined],
    ["unknown before there are vertices", [], undefined],
  ])("is %s", (_, vertices, expected) => {
    expect(mostFromState({ vertices }, 2)).toBe(expected);
  });
});

describe("cappedParallelism", () => {
  it.each([
    ["what was asked for", [vertex(1), vertex(128)], 4],
    ["the most that the widest vertex can be", [vertex(1), vertex(3)], 3],
    ["no more than 1 for a program without parallelism", [vertex(1)], 1],
    ["what was asked for when Flink names no maximum", [vertex(-1)], 4],
  ])("is %s", (_, vertices, expected) => {
    expect(cappedParallelism({ vertices }, 4)).toBe(expected);
  });
});
