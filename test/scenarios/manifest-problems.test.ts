import { describe, expect, it } from "vitest";
import { aJob, aRunningJob, anArtifact, counterJar } from "./manifests.ts";
import { conditionOf, createWorld, has, isRunning, WRITES } from "./world.ts";

describe.concurrent("a manifest with a problem", () => {
  it("stops nobody else: the good one beside it starts, and the problem stands in the summary", async () => {
    await using world = await createWorld();
    const typo = aJob("orders", { configuration: { "execution.checkpointing.intervall": "30s" } });
    await world.push({ ...(await aRunningJob("clicks")), "orders.yaml": typo });
    const daemon = world.startDaemon();
    await daemon.untilJob("clicks", isRunning);
    await daemon.untilAtRest();
    expect((await world.summary()).problems).toEqual([
      "orders.yaml:13:5 unknown option execution.checkpointing.intervall; did you mean execution.checkpointing.interval?",
    ]);
    expect(world.flink.jobs).toHaveLength(1);

    await world.push({ "orders.yaml": aJob("orders", { artifact: "clicks" }) });
    await daemon.untilJob("orders", isRunning);
    expect((await world.summary()).problems).toEqual([]);
  });

  it("changes nothing for the job that runs under its name, and says so until it is mended", async () => {
    await using world = await createWorld();
    const good = await aRunningJob("orders");
    await world.push(good);
    const daemon = world.startDaemon();
    const before = await daemon.untilJob("orders", isRunning);
    const writes = world.flink.countCalls(WRITES);
    await world.push({ "orders.yaml": anArtifact("orders") + aJob("orders", { rpus: -1 }) });
    await daemon.untilJob("orders", has("Accepted", "ManifestBroken"));
    const broken = await world.job("orders");
    expect(broken?.status).toMatchObject({ phase: "Ready", flinkJobState: "Running", flinkJobId: before.flinkJobId });
    expect(broken?.spec).toMatchObject({ resources: { rpus: 2 } });
    expect(world.flink.countCalls(WRITES)).toBe(writes);

    await world.push(good);
    await daemon.untilJob("orders", has("Accepted", "SpecAccepted"));
    expect(world.flink.countCalls(WRITES)).toBe(writes);
  });

  it("is told together with all others of the commit, in the order of the files", async () => {
    await using world = await createWorld();
    await world.push({
      "a.yaml": "apiVersion: core/v1alpha1\nkind: Jobb\nzone: local\nmetadata: {name: a, project: default}\n",
      "b.yaml": "kind: [unclosed\n",
      "c.yaml": aJob("c", { rpus: -1, flinkVersion: "sixteen" }),
      "d.yaml": anArtifact("d", "path: a.jar, maven: a:b:1"),
      "e.yaml": "apiVersion: v1\nkind: ConfigMap\n",
    });
    const daemon = world.startDaemon();
    await daemon.untilAtRest();
    const { problems } = await world.summary();
    expect(problems.map((problem) => problem.split(" ")[0]?.split(":")[0])).toEqual([
      "a.yaml",
      "b.yaml",
      "c.yaml",
      "c.yaml",
      "d.yaml",
    ]);
    for (const problem of problems) expect(problem).toMatch(/^[a-d]\.yaml:\d+:\d+ \S/);

    await daemon.untilApplied(await world.push({ "a.yaml": null, "b.yaml": null, "c.yaml": null, "d.yaml": null }));
    expect((await world.summary()).problems).toEqual([]);
  });
});

describe.concurrent("two documents of one identity", () => {
  it("are both problems, and what runs under it keeps running", async () => {
    await using world = await createWorld();
    await world.push(await aRunningJob("orders"));
    const daemon = world.startDaemon();
    const before = await daemon.untilJob("orders", isRunning);
    const writes = world.flink.countCalls(WRITES);
    await world.push({ "copy.yaml": aJob("orders", { rpus: 4 }) });
    await daemon.untilJob("orders", has("Accepted", "ManifestBroken"));
    const { problems } = await world.summary();
    expect(problems).toHaveLength(2);
    expect(problems.join("\n")).toMatch(/^copy\.yaml:.*orders\.yaml(?:.|\n)*^orders\.yaml:.*copy\.yaml/m);
    expect((await world.job("orders"))?.status.flinkJobId).toBe(before.flinkJobId);

    await world.push({ "copy.yaml": null });
    await daemon.untilJob("orders", has("Accepted", "SpecAccepted"));
    expect((await world.summary()).problems).toEqual([]);
    expect(world.flink.countCalls(WRITES)).toBe(writes);
  });

  it("start nothing when neither ran before", async () => {
    await using world = await createWorld();
    const twins = { "a.yaml": aJob("orders", { artifact: "app" }), "b.yaml": aJob("orders", { artifact: "app", rpus: 1 }) };
    await world.push({ ...twins, "app.yaml": anArtifact("app"), "jars/counter.jar": await counterJar() });
    const daemon = world.startDaemon();
    await daemon.untilAtRest();
    expect((await world.summary()).problems).toHaveLength(2);
    expect(world.flink.countCalls(WRITES)).toBe(0);
    expect(await world.job("orders")).toBeUndefined();

    await world.push({ "b.yaml": null });
    await daemon.untilJob("orders", isRunning);
    expect(conditionOf(await world.job("orders"), "Accepted")?.status).toBe("True");
  });
});
