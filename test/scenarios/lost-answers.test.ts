import { describe, expect, it } from "vitest";
import type { Fault } from "../support/fake-flink.ts";
import { aRunningJob } from "./manifests.ts";
import { conditionOf, createWorld, has, isRunning, RUN, UPLOAD } from "./world.ts";

const NEVER = new Promise<void>(() => {});
/** Longer than an unknown outcome is only looked at. */
const A_MINUTE_MS = 60_000;

describe.concurrent("an answer to a submission that is lost although Flink took the job", () => {
  it.each<[string, Fault]>([
    ["because the connection breaks", { kind: "lose-answer" }],
    ["because it is cut in half", { kind: "cut" }],
    ["because it never comes", { kind: "slow", release: NEVER }],
  ])("%s is settled by looking: one job, one submission", async (_, fault) => {
    await using world = await createWorld({ submitTimeoutMs: 300 });
    world.flink.inject(RUN, fault, 1);
    await world.push(await aRunningJob("orders"));
    const daemon = world.startDaemon();
    await daemon.untilJob("orders", isRunning);
    await daemon.untilAtRest();
    expect(world.flink.jobs).toHaveLength(1);
    expect(world.flink.countCalls(RUN)).toBe(1);
  });
});

describe.concurrent("a submission that never reached Flink", () => {
  it.each<[string, Fault]>([
    ["because the connection breaks", { kind: "drop" }],
    ["because a proxy answers with a page", { kind: "html" }],
    ["because the answer has no end", { kind: "oversized" }],
    ["because nobody answers", { kind: "hang" }],
  ])("%s says that the outcome is unknown, and is made again under the same id", async (_, fault) => {
    await using world = await createWorld({ submitTimeoutMs: 300 });
    world.flink.inject(RUN, fault, 1);
    await world.push(await aRunningJob("orders"));
    const daemon = world.startDaemon();
    const unknown = await daemon.untilJob("orders", has("Started", "OutcomeUnknown"));
    await daemon.passes(3);
    expect(world.flink.countCalls(RUN)).toBe(1);

    world.clock.pass(A_MINUTE_MS);
    const running = await daemon.untilJob("orders", isRunning);
    expect(running.flinkJobId).toBe(unknown.operation?.flinkJobId);
    await daemon.untilAtRest();
    expect(world.flink.jobs).toHaveLength(1);
    expect(world.flink.countCalls(RUN)).toBe(2);
  });
});

describe.concurrent("an upload whose answer is lost", () => {
  it("is found again by its name, and not made twice", async () => {
    await using world = await createWorld({ submitTimeoutMs: 300 });
    world.flink.inject(UPLOAD, { kind: "lose-answer" }, 1);
    await world.push(await aRunningJob("orders"));
    const daemon = world.startDaemon();
    await world.flink.untilCalled(UPLOAD);
    world.clock.pass(A_MINUTE_MS);
    await daemon.untilJob("orders", isRunning);
    expect(world.flink.jarNames).toEqual([expect.stringMatching(/^test-[0-9a-f]{64}-.+\.jar$/)]);
    expect(world.flink.jobs).toHaveLength(1);
  });

  it("delays the job, says so, and does not lose it, while all uploads fail", async () => {
    await using world = await createWorld();
    world.flink.inject(UPLOAD, { kind: "html", status: 413 });
    await world.push(await aRunningJob("orders"));
    const daemon = world.startDaemon();
    await daemon.untilJob("orders", has("Started", "OutcomeUnknown"));
    expect(conditionOf(await world.job("orders"), "Started")?.message).toContain("Internal Server Error");
    world.flink.clearFaults();
    world.clock.pass(A_MINUTE_MS);
    await daemon.untilJob("orders", isRunning);
    expect(world.flink.jobs).toHaveLength(1);
  });
});
