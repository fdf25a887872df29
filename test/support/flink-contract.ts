import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { addClassToJar } from "../../src/artifacts/with-launcher.ts";
import { systemClock } from "../../src/common/clock.ts";
import { supportsFlinkConfiguration } from "../../src/flink/cluster-version.ts";
import { FlinkRejectedError } from "../../src/flink/errors.ts";
import { FlinkClient } from "../../src/flink/flink-client.ts";
import type { SavepointOperation } from "../../src/flink/flink-reader.ts";
import { LAUNCHER_CLASS_NAME, launcherClass } from "../../src/flink/launcher/launcher-class.ts";
import type { FlinkState } from "../../src/flink/responses.ts";
import { listRestorePoints } from "../../src/flink/restore-directories.ts";
import type { RejectionKind } from "../../src/flink/root-cause.ts";
import type { RunOptions } from "../../src/flink/run-request.ts";
import { TEST_JOB_CLASS, TEST_JOB_JAR } from "./test-job.ts";

/** A cluster of at least 4 slots whose scheduler is the default one and which gives up at once on jobs that need more slots than it has. */
export interface ContractCluster {
  readonly url: URL;
  readonly version: string;
  readonly slots: number;
  readonly checkpointsDir: string;
  readonly savepointsDir: string;
  close(): Promise<void>;
}

/** What we rely on, held against the fake in every run of the tests and against real clusters in the long one. */
export function describeFlinkContract(version: string, start: (version: string) => Promise<ContractCluster>): void {
  describe(`Flink ${version}`, () => {
    const signal = new AbortController().signal;
    let cluster: ContractCluster;
    let client: FlinkClient;
    let folder: string;
    let jarId: string;

    beforeAll(async () => {
      cluster = await start(version);
      client = new FlinkClient({ name: "contract", url: cluster.url, timeoutMs: 10_000 }, { clock: systemClock });
      folder = await mkdtemp(join(tmpdir(), "penstock-contract-"));
      const jar = join(folder, "counter.jar");
      const launcher = { className: LAUNCHER_CLASS_NAME, classBytes: launcherClass() };
      await addClassToJar({ from: TEST_JOB_JAR, to: jar, ...launcher }, signal);
      jarId = await upload("counter.jar", jar);
    });

    afterAll(async () => {
      await client?.close();
      await cluster?.close();
      if (folder !== undefined) await rm(folder, { recursive: true, force: true });
    });

    async function upload(fileName: string, path: string): Promise<string> {
      return client.uploadJar({ fileName, path, size: (await stat(path)).size }, signal);
    }

    function aRun(options: Partial<RunOptions> = {}): RunOptions {
      return {
        flinkVersion: cluster.version,
        flinkJobId: newId(),
        entryClass: TEST_JOB_CLASS,
        programArgs: ["--rate", "500"],
        parallelism: 1,
        flinkConfiguration: {},
        ...options,
      };
    }

    async function run(options: Partial<RunOptions> = {}): Promise<string> {
      const complete = aRun(options);
      await client.runJar(jarId, complete, signal);
      return complete.flinkJobId;
    }

    async function refusalOf(options: Partial<RunOptions>, jar = jarId): Promise<FlinkRejectedError> {
      const refusal: unknown = await client.runJar(jar, aRun(options), signal).catch((error: unknown) => error);
      expect(refusal).toBeInstanceOf(FlinkRejectedError);
      return refusal as FlinkRejectedError;
    }

    async function jobIn(flinkJobId: string, state: FlinkState): Promise<void> {
      await eventually(async () => {
        const job = (await client.readJobs(signal)).find((candidate) => candidate.flinkJobId === flinkJobId);
        expect(job?.state).toBe(state);
        if (state === "RUNNING") expect(job?.tasks).toMatchObject({ running: job?.tasks.total });
      });
    }

    async function cancel(flinkJobId: string): Promise<void> {
      expect(await client.cancelJob(flinkJobId, signal)).toBe("accepted");
      await jobIn(flinkJobId, "CANCELED");
    }

    async function operationOf(flinkJobId: string, triggerId: string): Promise<SavepointOperation> {
      return eventually(async () => {
        const operation = await client.readSavepointOperation(flinkJobId, triggerId, signal);
        expect(operation.kind).not.toBe("in-progress");
        return operation;
      });
    }

    async function savedBy(flinkJobId: string, triggerId: string): Promise<string> {
      const operation = await operationOf(flinkJobId, triggerId);
      if (operation.kind !== "completed") throw new Error(`no savepoint: ${JSON.stringify(operation)}`);
      return operation.location;
    }

    it("says what it is", async () => {
      expect(await client.readConfig(signal)).toEqual({
        flinkVersion: version,
        features: { webSubmit: true, webRescale: false },
      });
      expect(await client.readJobManagerConfig(signal)).toMatchObject({
        incarnation: expect.stringMatching(/^[0-9a-f-]{36}$/),
        checkpointsDir: cluster.checkpointsDir,
        savepointsDir: cluster.savepointsDir,
        highAvailability: "NONE",
        scheduler: "default",
      });
      expect(await client.readOverview(signal)).toMatchObject({ slotsTotal: cluster.slots, slotsFree: cluster.slots });
    });

    it("runs a job with its options in effect and its arguments as they were", async () => {
      const out = join(folder, "options.txt");
      const name = 'Zähler "1" $HOME\\n, a=b 雪';
      const flinkJobId = await run({
        parallelism: 2,
        programArgs: ["--rate", "500", "--name", name, "--out", out],
        flinkConfiguration: {
          "execution.checkpointing.interval": "300 ms",
          "execution.checkpointing.timeout": "2 min",
          "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
        },
      });
      await jobIn(flinkJobId, "RUNNING");
      const job = await client.readJob(flinkJobId, signal);
      expect(job?.name).toBe(name);
      expect(job?.vertices.map(({ parallelism }) => parallelism).sort()).toEqual([1, 2]);
      expect(await client.readCheckpointConfig(flinkJobId, signal)).toEqual({
        intervalMs: 300,
        mode: "exactly_once",
        timeoutMs: 120_000,
        retained: true,
      });
      const holders = await client.readSlotHolders(signal);
      expect(holders?.get(flinkJobId)).toBe(version.startsWith("1.16") ? undefined : 2);
      expect(await readFile(out, "utf8")).toContain(`main [--rate, 500, --name, ${name}, --out, ${out}]`);

      const completed = await eventually(async () => {
        const checkpoints = await client.readCheckpoints(flinkJobId, signal);
        expect(checkpoints?.latestCompleted?.externalPath).toContain(`/${flinkJobId}/chk-`);
        return checkpoints!;
      });
      expect(completed.counts.completed).toBeGreaterThan(0);
      expect(completed.restored).toBeUndefined();
      await cancel(flinkJobId);
      const kept = await listRestorePoints(cluster.checkpointsDir, flinkJobId, signal);
      expect(kept).toMatchObject({ kind: "listed", flinkJobIds: [flinkJobId], entries: [{ kind: "Checkpoint", flinkJobId }] });
    });

    it("has checkpoints off and drops none when no option asks for them", async () => {
      const flinkJobId = await run();
      expect(await client.readCheckpointConfig(flinkJobId, signal)).toMatchObject({ intervalMs: undefined, retained: false });
      expect(await client.readCheckpoints(flinkJobId, signal)).toMatchObject({
        counts: { completed: 0 },
        latestCompleted: undefined,
      });
      expect(await client.readExceptions(flinkJobId, signal)).toBeUndefined();
      await cancel(flinkJobId);
    });

    it("starts a job id once, also after it has ended", async () => {
      const flinkJobId = await run();
      expect(await refusalOf({ flinkJobId })).toMatchObject({ kind: "duplicate-job", retry: "next-pass" });
      await cancel(flinkJobId);
      expect(await refusalOf({ flinkJobId })).toMatchObject({ kind: "duplicate-job" });
    });

    it("starts one job when the same id is submitted twice at once", async () => {
      const options = aRun();
      const both = await Promise.allSettled([client.runJar(jarId, options, signal), client.runJar(jarId, options, signal)]);
      expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
      await jobIn(options.flinkJobId, "RUNNING");
      await cancel(options.flinkJobId);
    });

    const checkpointed = { "execution.checkpointing.interval": "10 s" };
    const entryClass = "penstock.test.CounterJobb";
    it.each<[string, Partial<RunOptions>, RejectionKind, RegExp]>([
      [
        "a class that is not there",
        { entryClass },
        "entry-class-not-found",
        /class 'penstock.test.CounterJobb' was not found in the jar/,
      ],
      [
        "a class that is not there, with options",
        { entryClass, flinkConfiguration: checkpointed },
        "entry-class-not-found",
        /class 'penstock.test.CounterJobb' was not found in the jar/,
      ],
      ["a class without a main()", { entryClass: `${TEST_JOB_CLASS}$KeyOf` }, "no-main", /main/],
      [
        "a class without a main(), with options",
        { entryClass: `${TEST_JOB_CLASS}$KeyOf`, flinkConfiguration: checkpointed },
        "no-main",
        /main/,
      ],
      ["a main() that throws", { programArgs: ["--throw", "no luck"] }, "main-threw", /no luck.*root cause of no luck/],
      [
        "a main() that throws, with options",
        { programArgs: ["--throw", "no luck"], flinkConfiguration: checkpointed },
        "main-threw",
        /no luck.*root cause of no luck/,
      ],
      ["bad arguments", { programArgs: ["stray"] }, "main-threw", /Error parsing arguments '\[stray\]' on 'stray'\./],
      ["a main() without execute()", { programArgs: ["--noexec", "1"] }, "no-jobs", /./],
      [
        "an option that Flink cannot read",
        { flinkConfiguration: { "execution.checkpointing.interval": "soon" } },
        "bad-option",
        /Could not parse value 'soon' for key 'execution.checkpointing.interval'/,
      ],
      ["an id that is none", { flinkJobId: "zz" }, "bad-request", /JarRunRequestBody.*"zz"/],
    ])("refuses %s", async (_, options, kind, line) => {
      const flinkJobId = options.flinkJobId ?? newId();
      const refusal = await refusalOf({ flinkJobId, ...options });
      expect(refusal).toMatchObject({ kind, line: expect.stringMatching(line) });
      expect(refusal.message).not.toMatch(/\n|\tat |Caused by/);
      if (kind !== "bad-request") expect(await client.readJob(flinkJobId, signal)).toBeUndefined();
    });

    it("takes what is no jar, and refuses to run it", async () => {
      const path = join(folder, "garbage.jar");
      await writeFile(path, "this is no zip file");
      const garbage = await upload("garbage.jar", path);
      expect(await refusalOf({}, garbage)).toMatchObject({ kind: "not-a-jar", retry: "after-input-changes" });
      await client.deleteJar(garbage, signal);
    });

    it("lists what was uploaded and forgets what was deleted", async () => {
      const another = await upload("prod-0123456789abcdef-launcher1.jar", TEST_JOB_JAR);
      expect(await client.listJars(signal)).toContainEqual({
        id: another,
        name: "prod-0123456789abcdef-launcher1.jar",
        uploadedAtMs: expect.any(Number),
      });
      await client.deleteJar(another, signal);
      await client.deleteJar(another, signal);
      expect((await client.listJars(signal)).map(({ id }) => id)).not.toContain(another);
      expect(await refusalOf({}, another)).toMatchObject({ kind: "jar-missing", retry: "next-pass" });
    });

    it("stops with a savepoint and goes on from it with another parallelism", async () => {
      const out = join(folder, "restored.txt");
      const programArgs = ["--rate", "1000", "--out", out];
      const first = await run({ programArgs, parallelism: 1, flinkConfiguration: checkpointed });
      await jobIn(first, "RUNNING");
      await counted(out, 3);
      const triggerId = newId();
      const targetDirectory = `${cluster.savepointsDir}/${first}/${triggerId}`;
      await client.stopWithSavepoint(first, { triggerId, targetDirectory, drain: false }, signal);
      const location = await savedBy(first, triggerId);
      await jobIn(first, "FINISHED");
      // Asking again is harmless: the same savepoint, no second one.
      await client.stopWithSavepoint(first, { triggerId, targetDirectory, drain: false }, signal);
      expect(await savedBy(first, triggerId)).toBe(location);
      const listed = await listRestorePoints(cluster.savepointsDir, first, signal);
      expect(listed).toMatchObject({ entries: [{ kind: "Savepoint", flinkJobId: first, triggerId }] });
      const [entry] = listed.kind === "listed" ? listed.entries : [];
      expect(new URL(entry!.uri).pathname).toBe(new URL(location).pathname);

      const restore = { path: entry!.uri, allowNonRestoredState: false };
      const second = await run({ programArgs, parallelism: 3, flinkConfiguration: checkpointed, restore });
      await jobIn(second, "RUNNING");
      expect((await client.readJob(second, signal))?.vertices.map(({ parallelism }) => parallelism).sort()).toEqual([1, 3]);
      await eventually(async () => {
        const restored = (await client.readCheckpoints(second, signal))?.restored;
        expect(new URL(restored?.externalPath ?? "x:").pathname).toBe(new URL(location).pathname);
        expect(await readFile(out, "utf8")).toMatch(/started empty[^]*\nrestored [1-9]/);
      });
      await cancel(second);
      expect((await stat(new URL(`${entry!.uri}/_metadata`))).size).toBeGreaterThan(0); // NO_CLAIM: it stays
    });

    it("takes a savepoint while the job goes on, and disposes of it", async () => {
      const flinkJobId = await run();
      await jobIn(flinkJobId, "RUNNING");
      const triggerId = newId();
      const targetDirectory = `${cluster.savepointsDir}/${flinkJobId}/${triggerId}`;
      await client.triggerSavepoint(flinkJobId, { triggerId, targetDirectory }, signal);
      const location = await savedBy(flinkJobId, triggerId);
      await jobIn(flinkJobId, "RUNNING");
      const disposal = await client.disposeSavepoint(location, signal);
      await eventually(async () => expect(await client.readDisposal(disposal, signal)).toEqual({ kind: "completed" }));
      expect(await listRestorePoints(cluster.savepointsDir, flinkJobId, signal)).toMatchObject({ entries: [] });
      await cancel(flinkJobId);
    });

    it("accepts a stop of a job that it does not know, and fails it later", async () => {
      const [unknown, triggerId] = [newId(), newId()];
      const targetDirectory = `${cluster.savepointsDir}/${unknown}`;
      await client.stopWithSavepoint(unknown, { triggerId, targetDirectory, drain: false }, signal);
      expect(await operationOf(unknown, triggerId)).toMatchObject({
        kind: "failed",
        cause: { line: expect.stringContaining("Could not find Flink job") },
        savedAt: undefined,
      });
      expect(await client.readSavepointOperation(unknown, newId(), signal)).toEqual({ kind: "unknown-trigger" });
      expect(await client.readDisposal(newId(), signal)).toEqual({ kind: "unknown-trigger" });
    });

    it("leaves a job running whose savepoint cannot be written", async () => {
      const flinkJobId = await run();
      await jobIn(flinkJobId, "RUNNING");
      const triggerId = newId();
      await client.stopWithSavepoint(flinkJobId, { triggerId, targetDirectory: "file:///dev/null/nope", drain: false }, signal);
      expect(await operationOf(flinkJobId, triggerId)).toMatchObject({ kind: "failed", savedAt: undefined });
      await jobIn(flinkJobId, "RUNNING");
      await cancel(flinkJobId);
    });

    it("refuses a savepoint that is not there; the job's id is spent", async () => {
      const flinkJobId = newId();
      const restore = { path: `${cluster.savepointsDir}/nothing-here`, allowNonRestoredState: false };
      const refusal = await refusalOf({ flinkJobId, restore });
      expect(refusal).toMatchObject({ kind: "savepoint-missing", line: expect.stringContaining("nothing-here") });
      expect((await client.readJob(flinkJobId, signal))?.state).toBe("FAILED");
      expect((await refusalOf({ flinkJobId })).kind).toBe("duplicate-job");
    });

    it("cancels, and says when there is nothing to cancel", async () => {
      const flinkJobId = await run();
      await cancel(flinkJobId);
      expect(await client.cancelJob(flinkJobId, signal)).toBe("accepted");
      expect(await client.cancelJob(newId(), signal)).toBe("not-found");
      const bounded = await run({ programArgs: ["--n", "20", "--rate", "1000"] });
      await jobIn(bounded, "FINISHED");
      // Flink takes a cancellation of a job that it shows as FINISHED for as long as that job's own master is not gone.
      await eventually(async () => expect(await client.cancelJob(bounded, signal)).toBe("already-ended"));
      const finished = (await client.readJobs(signal)).find((job) => job.flinkJobId === bounded);
      expect(finished?.endTimeMs).toBeGreaterThanOrEqual(finished!.startTimeMs);
    });

    it("tells an unknown job from a path that is not served", async () => {
      const unknown = newId();
      expect(await client.readJob(unknown, signal)).toBeUndefined();
      expect(await client.readCheckpoints(unknown, signal)).toBeUndefined();
      expect(await client.readCheckpointConfig(unknown, signal)).toBeUndefined();
      expect(await client.readExceptions(unknown, signal)).toBeUndefined();
      await expect(client.readJob(`${unknown}/nothing`, signal)).rejects.toMatchObject({
        code: "flink-rejected",
        data: { status: 404 },
      });
      await expect(client.readResourceRequirements(unknown, signal)).rejects.toBeInstanceOf(FlinkRejectedError);
    });

    it("fails a job that needs more slots than there are", async () => {
      const flinkJobId = await run({ parallelism: cluster.slots + 1 });
      await jobIn(flinkJobId, "FAILED");
      const failure = await client.readExceptions(flinkJobId, signal);
      expect(failure?.cause).toMatchObject({ kind: "not-enough-slots" });
    });

    it("keeps a job with checkpoints waiting for slots", async () => {
      const flinkJobId = await run({ parallelism: cluster.slots + 1, flinkConfiguration: checkpointed });
      const job = (await client.readJobs(signal)).find((candidate) => candidate.flinkJobId === flinkJobId);
      expect(["RUNNING", "RESTARTING"]).toContain(job?.state);
      expect(job?.tasks.running).toBe(0);
      const triggerId = newId();
      const targetDirectory = `${cluster.savepointsDir}/${flinkJobId}/${triggerId}`;
      await client.stopWithSavepoint(flinkJobId, { triggerId, targetDirectory, drain: false }, signal);
      expect((await operationOf(flinkJobId, triggerId)).kind).toBe("failed");
      await cancel(flinkJobId);
    });

    if (supportsFlinkConfiguration(version)) {
      it("takes options without the launcher", async () => {
        const plain = await upload("plain.jar", TEST_JOB_JAR);
        const options = aRun({ flinkConfiguration: { "pipeline.name": "unused", "execution.checkpointing.interval": "7 s" } });
        await client.runJar(plain, options, signal);
        expect(await client.readCheckpointConfig(options.flinkJobId, signal)).toMatchObject({ intervalMs: 7000 });
        await client.deleteJar(plain, signal);
        await cancel(options.flinkJobId);
      });
    }
  });
}

function newId(): string {
  return randomBytes(16).toString("hex");
}

/** Until key 0 was counted so often. */
async function counted(out: string, times: number): Promise<void> {
  await eventually(async () => {
    const text = await readFile(out, "utf8");
    expect(text.match(/^\d+ \d+$/gm)?.length ?? 0).toBeGreaterThanOrEqual(times);
  });
}

async function eventually<T>(look: () => Promise<T>): Promise<T> {
  return vi.waitFor(look, { timeout: 20_000, interval: 50 });
}
