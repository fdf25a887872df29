import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { sha256Hex } from "../../src/common/hash.ts";
import { aJob, aRunningJob, anArtifact } from "./manifests.ts";
import type { RunningDaemon } from "./running-daemon.ts";
import { conditionOf, createWorld, has, isRunning, RUN, STATUS_BRANCH, type World } from "./world.ts";

const PASSWORD = "correct-horse-battery";
const OTHER = "another-staple-1";
const ARGS = ["--name", "password=${secret:db-password}"];

interface SecretWorld extends World {
  setSecret(name: string, value: string): Promise<void>;
  /** Everything that was written anywhere: the status branch, its commits, the log. */
  writings(daemon: RunningDaemon): Promise<string>;
}

/** A world with a folder of secrets, empty but for the project's own folder. */
async function createSecretWorld(): Promise<SecretWorld> {
  const dir = await mkdtemp(join(tmpdir(), "penstock-secrets-"));
  await mkdir(join(dir, "default"));
  const world = await createWorld({ config: { secrets: { dir } } });
  return {
    ...world,
    setSecret: async (name, value) => writeFile(join(dir, "default", name), `${value}\n`),
    async writings(daemon) {
      const paths = (await world.git.listTree("jobs", STATUS_BRANCH)).map((line) => line.split("\t").at(-1)!);
      const files = await Promise.all(paths.map(async (path) => world.git.readFile("jobs", STATUS_BRANCH, path)));
      return [...files, ...(await world.statusCommits()), daemon.log()].join("\n");
    },
    async [Symbol.asyncDispose]() {
      await world[Symbol.asyncDispose]();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

describe.concurrent("a secret of a Job", () => {
  it("holds it back by name while it is missing, reaches Flink alone, and shows as the digits of its digest", async () => {
    await using world = await createSecretWorld();
    const daemon = world.startDaemon();
    const configuration = { "pipeline.global-job-parameters": "token:${secret:token}" };
    await world.push(await aRunningJob("orders", { mainArgs: ARGS, configuration }));
    await daemon.untilJob("orders", has("Started", "SecretMissing"));
    const pending = await world.job("orders");
    expect(pending?.status.phase).toBe("Pending");
    expect(conditionOf(pending, "Started")?.message).toBe(
      "waits for secret token of project default: file default/token of secrets.dir does not exist",
    );

    await world.setSecret("token", OTHER);
    await world.setSecret("db-password", PASSWORD);
    await daemon.untilJob("orders", isRunning);
    await daemon.untilAtRest();
    const job = world.flink.jobs[0]!;
    expect(job.programArgs).toEqual(["--name", `password=${PASSWORD}`]);
    expect(job.configuration).toMatchObject({ "pipeline.global-job-parameters": `token:${OTHER}` });
    const running = await world.job("orders");
    expect(running?.status["secrets"]).toEqual({
      "db-password": sha256Hex(PASSWORD).slice(0, 8),
      token: sha256Hex(OTHER).slice(0, 8),
    });
    expect(JSON.stringify(running?.spec)).toContain("password=${secret:db-password}");
    const written = await world.writings(daemon);
    expect(written).toContain("secret:db-password");
    expect(written).not.toContain(PASSWORD);
    expect(written).not.toContain(OTHER);
  });

  it("stays out of what Flink says of a program that complains about its arguments", async () => {
    await using world = await createSecretWorld();
    await world.setSecret("db-password", PASSWORD);
    await world.push(await aRunningJob("orders", { mainArgs: ["--throw", "cannot log in with ${secret:db-password} at all"] }));
    const daemon = world.startDaemon();
    await daemon.untilJob("orders", has("Started", "ProgramFailed"));
    const message = conditionOf(await world.job("orders"), "Started")?.message;
    expect(message).toContain("cannot log in with [secret] at all");
    expect(await world.writings(daemon)).not.toContain(PASSWORD);
  });

  it("restarts nothing when it changes, is no change of the spec, and counts from the next start on", async () => {
    await using world = await createSecretWorld();
    await world.setSecret("db-password", PASSWORD);
    await world.push(await aRunningJob("orders", { mainArgs: ARGS }));
    const daemon = world.startDaemon();
    const first = await daemon.untilJob("orders", isRunning);
    await daemon.untilAtRest();
    await world.setSecret("db-password", OTHER);
    await daemon.passes(3);
    expect(world.flink.countCalls(RUN)).toBe(1);
    expect(conditionOf(await world.job("orders"), "Accepted")?.reason).toBe("SpecAccepted");
    expect((await world.job("orders"))?.status["secrets"]).toEqual(first.secrets);

    await world.push({ "orders.yaml": anArtifact("orders") + aJob("orders", { mainArgs: ARGS, rpus: 3 }) });
    const next = await daemon.untilJob(
      "orders",
      ({ requestedRpus, flinkJobState }) => requestedRpus === 3 && flinkJobState === "Running",
    );
    expect(next.secrets).toEqual({ "db-password": sha256Hex(OTHER).slice(0, 8) });
    expect(world.flink.job(next.flinkJobId!).programArgs).toEqual(["--name", `password=${OTHER}`]);
    expect(await world.writings(daemon)).not.toMatch(new RegExp(`${PASSWORD}|${OTHER}`));
  });

  it("that an option does not take is told by what it should be", async () => {
    await using world = await createSecretWorld();
    await world.setSecret("interval", PASSWORD);
    const configuration = { "execution.checkpointing.interval": "${secret:interval}" };
    await world.push(await aRunningJob("orders", { configuration }));
    const daemon = world.startDaemon();
    await daemon.untilJob("orders", has("Started", "SecretUnusable"));
    expect(conditionOf(await world.job("orders"), "Started")?.message).toBe(
      "with secret interval, the option execution.checkpointing.interval must be a duration of at least 10 ms, such as 30 s",
    );
    expect(await world.writings(daemon)).not.toContain(PASSWORD);
    await world.setSecret("interval", "45 s");
    await daemon.untilJob("orders", isRunning);
    expect(world.flink.jobs[0]!.configuration).toMatchObject({ "execution.checkpointing.interval": "45 s" });
  });

  it("that has gone stops nothing: a rescale waits for it", async () => {
    await using world = await createSecretWorld();
    await world.setSecret("db-password", PASSWORD);
    await world.push(await aRunningJob("orders", { mainArgs: ARGS }));
    const daemon = world.startDaemon();
    await daemon.untilJob("orders", isRunning);
    await world.setSecret("db-password", "");
    await world.push({ "orders.yaml": anArtifact("orders") + aJob("orders", { mainArgs: ARGS, rpus: 3 }) });
    await daemon.untilJob("orders", has("Rescaled", "SecretMissing"));
    expect((await world.job("orders"))?.status.flinkJobState).toBe("Running");
    expect(world.flink.countCalls(RUN)).toBe(1);
  });
});
