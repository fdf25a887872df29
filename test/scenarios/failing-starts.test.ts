import { describe, expect, it, vi } from "vitest";
import { aJob, aRunningJob, anArtifact, counterJar } from "./manifests.ts";
import { conditionOf, createWorld, has, isRunning, RUN } from "./world.ts";

const MINUTES_MS = 20 * 60_000;
const SOON = { timeout: 30_000, interval: 20 };

describe.concurrent("a start that fails", () => {
  it("because of a misspelt entry class names the right one, submits nothing, and is mended by a push", async () => {
    await using world = await createWorld();
    await world.push(await aRunningJob("orders", { entryClass: "penstock.test.CountJob" }));
    const daemon = world.startDaemon();
    await daemon.untilJob("orders", has("Started", "EntryClassMissing"));
    expect(conditionOf(await world.job("orders"), "Started")?.message).toBe(
      "entry class penstock.test.CountJob is not in the jar; did you mean penstock.test.CounterJob? (Artifact orders)",
    );
    await daemon.untilAtRest();
    expect(world.flink.countCalls(RUN)).toBe(0);
    expect(world.flink.jarNames).toEqual([]);

    await world.push({ "orders.yaml": anArtifact("orders") + aJob("orders") });
    await daemon.untilJob("orders", isRunning);
    expect((await world.job("orders"))?.status).toMatchObject({ attempt: 1, run: 1 });
  });

  it("because main() throws shows the root cause in one line and is tried again under the same id, quietly", async () => {
    await using world = await createWorld();
    await world.push(await aRunningJob("orders", { mainArgs: ["--throw", "no such topic"] }));
    const daemon = world.startDaemon();
    const failed = await daemon.untilJob("orders", has("Started", "ProgramFailed"));
    await daemon.untilAtRest();
    const message = conditionOf(await world.job("orders"), "Started")?.message;
    expect(message).toContain("no such topic");
    expect(message).toContain("root cause of no such topic");
    expect(message).not.toMatch(/\n|\tat /);
    const commits = await world.statusCommits();

    for (let tries = 2; tries <= 5; tries += 1) {
      const releaseMain = world.flink.holdMain();
      world.clock.pass(MINUTES_MS);
      await vi.waitFor(() => expect(world.flink.countCalls(RUN)).toBe(tries), SOON);
      world.clock.pass(MINUTES_MS); // whatever is news while main() runs would be written now
      await daemon.passes(3);
      releaseMain();
      await daemon.untilAtRest();
    }
    expect(await world.statusCommits()).toEqual(commits);
    expect(new Set(runIds(world.flink.calls))).toEqual(new Set([failed.operation?.flinkJobId]));
    expect(daemon.logged("warn", "error")).toHaveLength(1);
    expect(world.flink.jobs).toEqual([]);

    await world.push({ "orders.yaml": anArtifact("orders") + aJob("orders") });
    const running = await daemon.untilJob("orders", isRunning);
    expect(running).toMatchObject({ run: 1, attempt: 2 });
    expect(world.flink.jobs).toHaveLength(1);
  });

  it("because the jar is no jar says so, and is mended by another Artifact", async () => {
    await using world = await createWorld();
    await world.push({ "orders.yaml": anArtifact("orders") + aJob("orders"), "jars/counter.jar": "PK but no zip\n" });
    const daemon = world.startDaemon();
    await daemon.untilJob("orders", has("Started", "ArtifactNotReady"));
    await daemon.untilAtRest();
    expect((await world.artifact("orders"))?.status.phase).toBe("Pending");
    expect(conditionOf(await world.artifact("orders"), "Available")).toMatchObject({ status: "False", reason: "NotAJar" });
    expect(conditionOf(await world.job("orders"), "Started")?.message).toMatch(/^waits for Artifact orders: .*jar/);

    await world.push({ "jars/counter.jar": await counterJar() });
    await daemon.untilJob("orders", isRunning);
    expect((await world.artifact("orders"))?.status.phase).toBe("Ready");
  });

  it("because Flink refuses the value of an option names it, and is mended by a push", async () => {
    await using world = await createWorld();
    world.flink.inject(RUN, {
      kind: "answer",
      answer: {
        status: 400,
        body: { errors: ["java.lang.IllegalArgumentException: Could not parse value '1x' for key 'taskmanager.x'."] },
      },
    });
    await world.push(await aRunningJob("orders"));
    const daemon = world.startDaemon();
    await daemon.untilJob("orders", has("Started", "BadOption"));
    expect(conditionOf(await world.job("orders"), "Started")?.message).toBe(
      "Could not parse value '1x' for key 'taskmanager.x'.",
    );

    world.flink.clearFaults();
    const fixed = { configuration: { "execution.checkpointing.interval": "30s" } };
    await world.push({ "orders.yaml": anArtifact("orders") + aJob("orders", fixed) });
    await daemon.untilJob("orders", isRunning);
    expect(world.flink.jobs[0]?.configuration["execution.checkpointing.interval"]).toBe("30 s");
  });

  it("because main() starts no job says so", async () => {
    await using world = await createWorld();
    await world.push(await aRunningJob("orders", { mainArgs: ["--noexec", "1"] }));
    const daemon = world.startDaemon();
    await daemon.untilJob("orders", has("Started", "ProgramStartsNoJob"));
    expect(conditionOf(await world.job("orders"), "Started")?.message).toContain("No jobs included in application");
  });

  it("delays no other job: those beside it start at once", async () => {
    await using world = await createWorld();
    await world.push({
      "a-class.yaml": aJob("a-class", { artifact: "app", entryClass: "Missing" }),
      "b-throws.yaml": aJob("b-throws", { artifact: "app", mainArgs: ["--throw", "boom"] }),
      "c-waits.yaml": aJob("c-waits", { artifact: "nowhere" }),
      "d-good.yaml": aJob("d-good", { artifact: "app" }),
      "app.yaml": anArtifact("app"),
      "jars/counter.jar": await counterJar(),
    });
    const daemon = world.startDaemon();
    await daemon.untilJob("d-good", isRunning);
    await daemon.untilJob("a-class", has("Started", "EntryClassMissing"));
    await daemon.untilJob("b-throws", has("Started", "ProgramFailed"));
    await daemon.untilJob("c-waits", has("Started", "ArtifactMissing"));
    expect(world.flink.jobs).toHaveLength(1);
  });
});

/** The Flink job ids that submissions asked for. */
function runIds(calls: readonly { readonly path: string; readonly body: string }[]): readonly string[] {
  return calls
    .filter(({ path }) => path.endsWith("/run"))
    .map(({ body }) => (JSON.parse(body) as { readonly jobId: string }).jobId);
}
