import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, it, vi } from "vitest";
import { anAttempt } from "../pass/builders.ts";
import { aCluster, FRESH, NEVER, PATIENCE_MS } from "./cluster-harness.ts";

const MINUTE_MS = 60_000;
const FOREIGN = "f".repeat(32);

describe("a look at a cluster", () => {
  it("shows what it is and what it has", async () => {
    const { fake, look } = await aCluster({ version: "1.16.3" });
    expect(await look()).toEqual({
      kind: "reachable",
      zone: "local",
      name: "main",
      url: fake.url.href,
      draining: false,
      incarnation: fake.incarnation,
      flinkVersion: "1.16.3",
      javaVersion: 17,
      webSubmit: true,
      highAvailability: false,
      scheduler: "default",
      inPlaceRescale: false,
      checkpointsDir: fake.checkpointsDir,
      savepointsDir: fake.savepointsDir,
      slots: { total: 8, free: 8, heldByJob: undefined },
      jobs: new Map(),
      restorePoints: new Map(),
    });
  });

  it.each([
    ["NONE", false],
    ["none", false],
    ["ZOOKEEPER", true],
    ["org.example.OurOwnFactory", true],
  ])("knows that %s means high availability: %s", async (highAvailability, expected) => {
    const { look } = await aCluster({ highAvailability });
    expect((await look()).highAvailability).toBe(expected);
  });

  it("shows our own jobs in detail and others in short", async () => {
    const { look, start } = await aCluster();
    const ours = await start(1);
    const foreign = await start(1, { flinkJobId: FOREIGN, parallelism: 1 });
    const { jobs, slots } = await look();
    expect(jobs.get(ours)).toMatchObject({
      flinkJobId: anAttempt(1),
      state: "RUNNING",
      tasks: { total: 3, running: 3, finished: 0 },
      detail: {
        parallelism: 2,
        checkpoints: { completed: 0, latestPath: undefined, enabled: true, retained: false },
        rootCause: undefined,
      },
    });
    expect(jobs.get(foreign)).toMatchObject({ state: "RUNNING", detail: undefined });
    expect(slots).toEqual({ total: 8, free: 5, heldByJob: undefined });
  });

  it("asks nothing about the details of jobs that are not ours", async () => {
    const { look, start, callsOf } = await aCluster();
    await start(1, { flinkJobId: FOREIGN });
    const calls = await callsOf(() => look());
    expect(calls.filter((call) => call.includes(FOREIGN))).toEqual([]);
  });

  it("tells whether its checkpoints outlive a job", async () => {
    const { look, start } = await aCluster();
    const retention = "execution.checkpointing.externalized-checkpoint-retention";
    const interval = { "execution.checkpointing.interval": "1 h" };
    const kept = await start(1, { flinkConfiguration: { ...interval, [retention]: "RETAIN_ON_CANCELLATION" } });
    const dropped = await start(2, { flinkConfiguration: { ...interval, [retention]: "DELETE_ON_CANCELLATION" } });
    const { jobs } = await look();
    expect(jobs.get(kept)?.detail?.checkpoints).toMatchObject({ enabled: true, retained: true });
    expect(jobs.get(dropped)?.detail?.checkpoints).toMatchObject({ enabled: true, retained: false });
  });

  it("tells a job without checkpointing, and the root cause of one that fails", async () => {
    const { fake, look, start } = await aCluster();
    const id = await start(1, { flinkConfiguration: {} });
    fake.setJobState(id, "RESTARTING", "disk full");
    expect((await look()).jobs.get(id)).toMatchObject({
      state: "RESTARTING",
      detail: { checkpoints: { enabled: false }, rootCause: expect.stringContaining("disk full") },
    });
  });

  it("shows who holds which slots, as long as a job of ours is not healthy and somebody wants to start one", async () => {
    const { fake, look, start } = await aCluster();
    const [id, healthy] = [await start(1), await start(2, { parallelism: 3 })];
    fake.holdDeployments();
    fake.setJobState(id, "RESTARTING");
    expect((await look({ slots: false })).slots.heldByJob).toBeUndefined();
    expect((await look()).slots.heldByJob).toEqual(
      new Map([
        [healthy, 3],
        [id, 2],
      ]),
    );
  });
});

describe("what a look costs", () => {
  it("is one call while nothing changes", async () => {
    const { fake, clock, look, start, callsOf } = await aCluster();
    fake.completeCheckpoint(await start(1));
    await look({ slots: false });
    clock.nowMs += 5000; // what was read right after a change is read once more
    await look({ slots: false });
    clock.nowMs += 5000;
    expect(await callsOf(() => look({ slots: false }))).toEqual(["GET /jobs/overview"]);
  });

  it("is nothing while what was seen is fresh enough", async () => {
    const { clock, look, callsOf } = await aCluster();
    await look();
    clock.nowMs += 199;
    expect(await callsOf(() => look({ maxAgeMs: 200 }))).toEqual([]);
    clock.nowMs += 1;
    expect(await callsOf(() => look({ maxAgeMs: 200 }))).not.toEqual([]);
  });

  it("is shared by those who look at the same time", async () => {
    const { look, callsOf } = await aCluster();
    const calls = await callsOf(async () => Promise.all([look(), look(), look()]));
    expect(calls.filter((call) => call === "GET /jobs/overview")).toHaveLength(1);
  });

  it("is more when somebody wants to start a job: then the slots are fresh, however fresh the last look was", async () => {
    const { clock, look, start } = await aCluster();
    await look({ slots: false });
    await start(1);
    clock.nowMs += 100;
    expect((await look({ maxAgeMs: 200, slots: false })).slots.free).toBe(8);
    expect((await look({ maxAgeMs: 200 })).slots.free).toBe(6);
  });

  it("is a call for version and identity once a minute, and one for the slots every 15 s", async () => {
    const { clock, look, callsOf } = await aCluster();
    const idle = async (): Promise<readonly string[]> => callsOf(() => look({ slots: false }));
    await idle();
    clock.nowMs += 15_000;
    expect([...(await idle())].sort()).toEqual(["GET /jobs/overview", "GET /overview"]);
    clock.nowMs += 45_000;
    expect([...(await idle())].sort()).toEqual(["GET /config", "GET /jobmanager/config", "GET /jobs/overview", "GET /overview"]);
  });

  it("is the job's details again when its state changed", async () => {
    const { fake, clock, look, start, callsOf } = await aCluster();
    const id = await start(1);
    await look({ slots: false });
    clock.nowMs += 5000;
    await look({ slots: false });
    clock.nowMs += 1000;
    fake.setJobState(id, "FAILING", "boom");
    const calls = await callsOf(() => look({ slots: false }));
    expect([...calls].sort()).toEqual([
      `GET /jobs/${id}`,
      `GET /jobs/${id}/checkpoints`,
      `GET /jobs/${id}/exceptions`,
      "GET /jobs/overview",
    ]);
  });

  it("stays small however many jobs wait for their first checkpoint: each is asked about in its turn", async () => {
    const { clock, look, start, callsOf } = await aCluster({ slots: 40 });
    for (let attempt = 1; attempt <= 20; attempt += 1) await start(attempt);
    await look({ slots: false });
    clock.nowMs += 5000; // what was read right after a change is read once more
    await look({ slots: false });
    clock.nowMs += 5000;
    const asked = new Set<string>();
    for (const count of [8, 8, 4]) {
      const calls = (await callsOf(() => look({ slots: false }))).filter((call) => /^GET \/jobs\/[0-9a-f]{32}/.test(call));
      expect(calls).toHaveLength(count);
      for (const call of calls) asked.add(call);
    }
    expect(asked.size).toBe(20);
  });

  it("notices the first checkpoint of a job within seconds", async () => {
    const { fake, clock, look, start } = await aCluster();
    const id = await start(1);
    await look({ slots: false });
    fake.completeCheckpoint(id);
    clock.nowMs += 5000;
    expect((await look({ slots: false })).jobs.get(id)?.detail?.checkpoints).toEqual({
      completed: 1,
      latestPath: `${fake.checkpointsDir}/${id}/chk-1`,
      enabled: true,
      retained: false,
    });
  });
});

describe("the first checkpoint of a job that has long run", () => {
  it("is noticed within seconds, for one call more", async () => {
    const { fake, clock, look, start, callsOf } = await aCluster();
    const id = await start(1);
    await look({ slots: false });
    clock.nowMs += 5000; // what was read right after a change is read once more
    const before = (await look({ slots: false })).jobs.get(id)?.detail;
    fake.completeCheckpoint(id);
    clock.nowMs += 5000;
    const calls = await callsOf(() => look({ slots: false }));
    expect([...calls].sort()).toEqual([`GET /jobs/${id}/checkpoints`, "GET /jobs/overview"]);
    const checkpoints = { completed: 1, latestPath: `${fake.checkpointsDir}/${id}/chk-1`, enabled: true, retained: false };
    expect((await look({ maxAgeMs: 1000, slots: false })).jobs.get(id)?.detail).toEqual({ ...before, checkpoints });
  });
});

describe("after something was done to the cluster", () => {
  it("the next look asks again, however fresh the last one is", async () => {
    const { cluster, look, start } = await aCluster();
    await look();
    const id = await start(1);
    expect((await look({ maxAgeMs: MINUTE_MS })).jobs.has(id)).toBe(false);
    cluster.expire();
    expect((await look({ maxAgeMs: MINUTE_MS })).jobs.has(id)).toBe(true);
  });

  it("a look that began before does not count as the next one", async () => {
    const { fake, cluster, look, start } = await aCluster();
    const id = await start(1);
    fake.forgetJob(id);
    const release = Promise.withResolvers<void>();
    fake.inject(/GET \/jobs\/overview/, { kind: "slow", release: release.promise }, 1);
    const before = look();
    await vi.waitFor(() => expect(fake.countCalls(/GET \/jobs\/overview/)).toBe(1));
    const other = await start(2);
    cluster.expire();
    expect((await look({ maxAgeMs: MINUTE_MS })).jobs.has(other)).toBe(true);
    release.resolve();
    expect((await before).jobs.has(other)).toBe(false);
    expect((await look({ maxAgeMs: MINUTE_MS })).jobs.has(other)).toBe(true);
  });
});

describe("a cluster that does not answer", () => {
  it("is unreachable, since when and why, and is told once", async () => {
    const { fake, cluster, clock, look, logLines } = await aCluster();
    await look();
    await fake.refuse();
    const sinceMs = clock.nowMs;
    const first = await cluster.look(FRESH, PATIENCE_MS, NEVER);
    expect(first).toEqual({
      kind: "unreachable",
      zone: "local",
      name: "main",
      url: fake.url.href,
      because: expect.stringContaining("cluster main cannot be reached: connection refused"),
      sinceMs,
    });
    clock.nowMs += 100;
    expect(await cluster.look(FRESH, PATIENCE_MS, NEVER)).toMatchObject({ kind: "unreachable", sinceMs });
    expect(logLines.filter((line) => line.includes("cannot be reached; it is asked again"))).toHaveLength(1);
    await fake.accept();
    clock.nowMs += MINUTE_MS; // the circuit breaker lets calls through again
    expect((await look()).kind).toBe("reachable");
    expect(logLines.filter((line) => line.includes("can be reached again"))).toHaveLength(1);
  });

  it("is told once as well when it hangs, and one that is only slow is not told at all", async () => {
    const { fake, cluster, look, logLines } = await aCluster({ timeoutMs: 300 });
    const told = (): readonly string[] => logLines.filter((line) => line.includes("reached"));
    const release = Promise.withResolvers<void>();
    fake.inject(/GET \/jobs\/overview/, { kind: "slow", release: release.promise }, 1);
    await cluster.look(FRESH, 20, NEVER);
    release.resolve();
    await look();
    expect(told()).toEqual([]);

    fake.inject(/GET \/jobs\/overview/, { kind: "hang" });
    cluster.expire();
    for (let pass = 0; pass < 2; pass += 1) {
      await cluster.look(FRESH, 20, NEVER);
      await cluster.look(FRESH, PATIENCE_MS, NEVER); // the end of the same look
    }
    expect(told()).toEqual([expect.stringContaining("no answer within 300ms")]);
  });

  it.each([
    ["hangs", { kind: "hang" }],
    ["answers with a proxy's page", { kind: "html" }],
    ["cuts its answer", { kind: "cut" }],
    ["answers without end", { kind: "oversized" }],
    ["elects its leader", { kind: "answer", answer: { status: 503, body: { errors: ["leader election"] } } }],
    ["answers with something else", { kind: "answer", answer: { status: 200, body: { jobs: "none" } } }],
  ] as const)("is unreachable and never empty when it %s", async (_, fault) => {
    const { fake, cluster, look, start } = await aCluster({ timeoutMs: 300 });
    await start(1);
    await look();
    for (const path of [/GET \/jobs\/overview/, /GET \/overview/, /GET \/jobmanager\/config/]) {
      fake.inject(path, fault);
      cluster.expire();
      const seen = await cluster.look(FRESH, PATIENCE_MS, NEVER);
      // What identifies the cluster is asked once a minute, so this look could do without.
      if (!path.test("GET /jobmanager/config")) expect(seen.kind).toBe("unreachable");
      fake.clearFaults();
    }
  });

  it("is there although it tells nothing yet of a job that it is just initializing", async () => {
    const { fake, look, start } = await aCluster();
    const ours = await start(1);
    const body = { errors: ["UnavailableDispatcherOperationException: Unable to get JobMasterGateway for initializing job."] };
    fake.inject(/GET \/jobs\/[0-9a-f]{32}\/checkpoints$/, { kind: "answer", answer: { status: 500, body } }, 1);
    const seen = await look();
    expect(seen.jobs.get(ours)).toMatchObject({ state: "RUNNING", detail: undefined });
  });

  it("costs a pass no more than its patience, and the look goes on", async () => {
    const { fake, cluster, clock, start } = await aCluster();
    const id = await start(1);
    const release = Promise.withResolvers<void>();
    fake.inject(/GET \/jobs\/overview/, { kind: "slow", release: release.promise }, 1);
    const sinceMs = clock.nowMs;
    expect(await cluster.look(FRESH, 20, NEVER)).toMatchObject({
      kind: "unreachable",
      because: "it has not answered within 20 ms",
      sinceMs,
    });
    // A later pass waits for the same look, and no longer than the first one would have.
    clock.nowMs += 20;
    expect(await cluster.look(FRESH, 20, NEVER)).toMatchObject({ kind: "unreachable", sinceMs });
    expect(fake.countCalls(/GET \/jobs\/overview/)).toBe(1);
    release.resolve();
    const seen = await cluster.look(FRESH, PATIENCE_MS, NEVER);
    expect(seen.kind === "reachable" && seen.jobs.has(id)).toBe(true);
    expect(fake.countCalls(/GET \/jobs\/overview/)).toBe(1);
  });

  it("shows an answer that came too late for one pass to the next one, or a slow cluster would never be seen", async () => {
    const { fake, cluster, clock, look } = await aCluster();
    const release = Promise.withResolvers<void>();
    fake.inject(/GET \/jobs\/overview/, { kind: "slow", release: release.promise }, 1);
    expect(await cluster.look(FRESH, 20, NEVER)).toMatchObject({ kind: "unreachable" });
    const late = look();
    release.resolve();
    await late;
    clock.nowMs += 5000;
    fake.inject(/GET \/jobs\/overview/, { kind: "hang" });
    expect(await cluster.look(FRESH, 20, NEVER)).toMatchObject({ kind: "reachable" });
    expect(await cluster.look(FRESH, 20, NEVER)).toMatchObject({ kind: "unreachable" });
  });

  it("does not show a late answer after something was done to the cluster", async () => {
    const { fake, cluster, look } = await aCluster();
    const release = Promise.withResolvers<void>();
    fake.inject(/GET \/jobs\/overview/, { kind: "slow", release: release.promise }, 1);
    expect(await cluster.look(FRESH, 20, NEVER)).toMatchObject({ kind: "unreachable" });
    const late = look();
    release.resolve();
    await late;
    cluster.expire();
    fake.inject(/GET \/jobs\/overview/, { kind: "hang" });
    expect(await cluster.look(FRESH, 20, NEVER)).toMatchObject({ kind: "unreachable" });
  });

  it("lets a look be aborted", async () => {
    const { fake, cluster } = await aCluster();
    fake.inject(/GET/, { kind: "hang" });
    const abort = new AbortController();
    const look = cluster.look(FRESH, PATIENCE_MS, abort.signal);
    abort.abort();
    await expect(look).rejects.toThrow();
  });
});

describe("a cluster that was restarted", () => {
  it("shows its new incarnation at once when a job of ours is not listed any more", async () => {
    const { fake, clock, look, start } = await aCluster();
    await start(1);
    const before = (await look()).incarnation;
    fake.restart();
    clock.nowMs += 1000;
    const seen = await look();
    expect(seen.incarnation).toBe(fake.incarnation);
    expect(seen.incarnation).not.toBe(before);
    expect(seen.jobs.size).toBe(0);
  });

  it("shows its new incarnation at once when it could not be reached in between", async () => {
    const { fake, cluster, clock, look } = await aCluster();
    await look();
    await fake.refuse();
    await cluster.look(FRESH, PATIENCE_MS, NEVER);
    fake.restart();
    await fake.accept();
    clock.nowMs += 30_000;
    expect((await look()).incarnation).toBe(fake.incarnation);
  });

  it("shows its new incarnation and version at once to who wants to start a job, though nobody could notice before", async () => {
    const { fake, clock, look } = await aCluster();
    await look();
    fake.restart("1.20.5");
    clock.nowMs += 1000;
    expect(await look({ slots: true })).toMatchObject({ incarnation: fake.incarnation, flinkVersion: "1.20.5" });
  });

  it("shows its new incarnation within a minute when nobody could notice", async () => {
    const { fake, clock, look } = await aCluster();
    await look({ slots: false });
    fake.restart();
    clock.nowMs += MINUTE_MS;
    expect((await look({ slots: false })).incarnation).toBe(fake.incarnation);
  });
});

const NOTHING = { kind: "listed", entries: [] };

describe("a cluster's scheduler", () => {
  it.each([
    ["1.16.3", true, false],
    ["1.20.5", false, false],
    ["1.20.5", true, true],
    ["2.3.0", true, true],
  ])("of Flink %s, adaptive: %s, can rescale in place: %s", async (version, adaptive, inPlaceRescale) => {
    const { look } = await aCluster({ version, adaptive });
    expect(await look()).toMatchObject({ scheduler: adaptive ? "adaptive" : "default", inPlaceRescale });
  });

  it("shows the vertices of our jobs with the most that they can be", async () => {
    const { look, start } = await aCluster();
    const id = await start(1, { parallelism: 3, flinkConfiguration: { "pipeline.max-parallelism": "12" } });
    const { detail } = (await look()).jobs.get(id)!;
    expect(detail).toMatchObject({ parallelism: 3, startedAtMs: expect.any(Number) });
    expect(detail?.vertices.map(({ parallelism, maxParallelism }) => [parallelism, maxParallelism])).toEqual([
      [1, 12],
      [3, 12],
    ]);
  });
});

describe("what lies in the cluster's directories", () => {
  it("is told in the order of attempts and time, whichever directory it lies in", async () => {
    const { fake, cluster, look, start } = await aCluster();
    const [first, second] = [await start(1), await start(2)];
    fake.completeCheckpoint(second);
    const options = { triggerId: "7".repeat(32), targetDirectory: `${fake.savepointsDir}/${first}/${"7".repeat(32)}` };
    await cluster.client.triggerSavepoint(first, options, NEVER);
    const prefix = first.slice(0, 18);
    const { restorePoints } = await look({ restorePointsOf: [prefix] });
    expect(restorePoints.get(prefix)).toMatchObject({
      entries: [
        { kind: "Savepoint", flinkJobId: first },
        { kind: "Checkpoint", flinkJobId: second },
      ],
    });
  });

  it("cannot be told when one of the two directories cannot be listed", async () => {
    const { cluster } = await aCluster({ savepointsDir: "hdfs://namenode/savepoints" });
    expect(await cluster.readRestorePoints("a", NEVER)).toEqual({
      kind: "cannot-tell",
      because: expect.stringContaining("hdfs://namenode/savepoints"),
    });
  });

  it.each([
    ["hdfs://namenode/savepoints", "neither a file:// nor an s3:// directory"],
    ["s3://bucket/savepoints", "without the option s3 of its cluster"],
    ["file:///nowhere/to/be/seen", "is it mounted?"],
  ])("can be seen to be unlistable before anything is to be found there: %s", async (savepointsDir, because) => {
    const { look, clock } = await aCluster({ savepointsDir });
    const { directoriesUnlistable } = await look();
    expect(directoriesUnlistable).toContain(savepointsDir);
    expect(directoriesUnlistable).toContain(because);
    clock.nowMs += MINUTE_MS;
    expect((await look()).directoriesUnlistable).toBe(directoriesUnlistable);
  });

  it("is asked about on S3 about once a minute, and a list that hangs holds no look up", async () => {
    const release = Promise.withResolvers<readonly string[]>();
    let [asked, hangs] = [0, false];
    const s3 = {
      namesIn: async () => ((asked += 1), hangs ? release.promise : []),
      writtenAtMs: async () => undefined,
      sees: async () => true,
    };
    const { look, clock } = await aCluster({ savepointsDir: "s3://bucket/savepoints", s3 });
    for (let passes = 0; passes < 3; passes += 1) expect((await look()).directoriesUnlistable).toBeUndefined();
    expect(asked).toBe(1);
    clock.nowMs += MINUTE_MS;
    hangs = true;
    expect((await look()).kind).toBe("reachable");
    await look();
    expect(asked).toBe(2);
    release.reject(new Error("Access Denied"));
    expect((await look()).directoriesUnlistable).toBe("s3://bucket/savepoints cannot be listed: Access Denied");
  });

  it("is told for the ids that are asked about", async () => {
    const { fake, look, start } = await aCluster();
    const id = await start(1);
    fake.completeCheckpoint(id);
    const { restorePoints } = await look({ restorePointsOf: [id, anAttempt(2)] });
    const uri = `${fake.checkpointsDir}/${id}/chk-1`;
    expect([...restorePoints]).toEqual([
      [
        id,
        { kind: "listed", entries: [{ kind: "Checkpoint", flinkJobId: id, number: 1, uri, writtenAtMs: expect.any(Number) }] },
      ],
      [anAttempt(2), NOTHING],
    ]);
  });

  it("is looked up again for ids that the last look was not asked about, however fresh it is", async () => {
    const { look } = await aCluster();
    await look();
    const { restorePoints } = await look({ maxAgeMs: MINUTE_MS, restorePointsOf: [anAttempt(1)] });
    expect(restorePoints.get(anAttempt(1))).toEqual(NOTHING);
  });

  it("is nothing when the cluster has no directories: its checkpoints go with it", async () => {
    const { cluster } = await aCluster({ directories: false });
    expect(await cluster.readRestorePoints(anAttempt(1).slice(0, 6), NEVER)).toEqual(NOTHING);
  });

  it("is told for a whole instance, by the prefix of its ids", async () => {
    const { fake, cluster, start } = await aCluster();
    await mkdir(fileURLToPath(fake.savepointsDir), { recursive: true });
    expect(await cluster.readRestorePoints(anAttempt(1).slice(0, 6), NEVER)).toEqual(NOTHING);
    const id = await start(3);
    fake.completeCheckpoint(id);
    expect(await cluster.readRestorePoints(anAttempt(1).slice(0, 6), NEVER)).toMatchObject({ entries: [{ flinkJobId: id }] });
    expect(await cluster.readRestorePoints("000000", NEVER)).toEqual(NOTHING);
  });
});
