import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { sha256Hex } from "../../src/common/hash.ts";
import { aJob, aRunningJob, anArtifact, counterJar } from "../scenarios/manifests.ts";
import { createWorld, type World } from "../scenarios/world.ts";
import { penstock, type CommandResult } from "./command.ts";

async function status(world: World, ...more: readonly string[]): Promise<CommandResult> {
  return penstock(["status", "--config", world.configFile, ...more], { clock: world.clock });
}

/** What differs from run to run, by what it is. */
function withoutChance(text: string, world: World): string {
  return text
    .replaceAll(world.flink.url.href, "URL")
    .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, "TIME")
    .replaceAll(/\b[0-9a-f]{64}\b/g, "SHA256")
    .replaceAll(/\b[0-9a-f]{32}\b/g, "JOBID")
    .replaceAll(/\b[0-9a-f]{12}\b/g, "COMMIT")
    .replaceAll(/last changed \S+(?: \S+)*? ago/g, "last changed AGE ago")
    .trimEnd();
}

/** `orders` runs, `big` waits. */
async function aWorldAtRest(): Promise<World> {
  const world = await createWorld();
  await world.push({
    "jobs.yaml": anArtifact("app") + aJob("orders", { artifact: "app" }) + aJob("big", { artifact: "app", rpus: 100 }),
    "jars/counter.jar": await counterJar(),
  });
  await world.runOnce();
  return world;
}

describe.concurrent("penstock status", () => {
  it("shows every resource in a table, how old it is, and ends with 1 when one waits", async () => {
    await using world = await aWorldAtRest();
    const result = await status(world);
    expect(result).toMatchObject({ status: 1, stderr: "" });
    expect(withoutChance(result.stdout, world).split("\n")).toEqual([
      "applied commit COMMIT, last changed AGE ago",
      "",
      "KIND      NAME            PHASE           RUNS ON                     WHAT IS MISSING",
      "Artifact  default/app     Ready",
      "Job       default/big     Pending                                     needs 100 slots, 6 of 8 free in main in zone local for Flink 1.16",
      "Job       default/orders  Ready, Running  main (1.16.3), 2 of 2 rpus",
    ]);
  });

  it("shows one resource in detail, by its name or with its project, and ends with 0 when it is well", async () => {
    await using world = await aWorldAtRest();
    const result = await status(world, "orders");
    expect(result).toMatchObject({ status: 0, stderr: "" });
    expect(withoutChance(result.stdout, world).split("\n")).toEqual([
      "applied commit COMMIT, last changed AGE ago",
      "",
      "KIND  NAME            PHASE           RUNS ON                     WHAT IS MISSING",
      "Job   default/orders  Ready, Running  main (1.16.3), 2 of 2 rpus",
      "",
      "Job default/orders in zone local",
      "accepted from jobs.yaml:10 in commit COMMIT",
      "Flink job JOBID on URL, run 1, attempt 1",
      "jar of Artifact app, sha256 SHA256, entry class penstock.test.CounterJob",
      "conditions",
      "  Accepted     True   SpecAccepted     TIME  the spec is in force as it is declared",
      "  Healthy      True   AllTasksRunning  TIME  all tasks are running",
      "  Placed       True   ClusterChosen    TIME  on main",
      "  Reached      True   AsRequested      TIME  its largest vertex runs 2 times",
      "  Recoverable  False  NoCheckpointYet  TIME  no checkpoint is complete yet",
      "  Started      True   AcceptedByFlink  TIME  Flink took the job",
      "history",
      "  TIME  new → Pending             it is declared and main has the 2 slots that it needs",
      "  TIME  Pending → Ready, Running  Flink has it",
    ]);
    expect((await status(world, "default/orders")).stdout).toContain("Job default/orders in zone local");
    expect((await status(world, "big")).status).toBe(1);
  });

  it("shows by the digits of their digests which secrets a job was submitted with", async () => {
    const dir = await mkdtemp(join(tmpdir(), "penstock-secrets-"));
    try {
      await mkdir(join(dir, "default"));
      await writeFile(join(dir, "default/db"), "correct-horse\n");
      await using world = await createWorld({ config: { secrets: { dir } } });
      await world.push(await aRunningJob("orders", { mainArgs: ["--name", "${secret:db}"] }));
      await world.runOnce();
      const { stdout } = await status(world, "orders");
      expect(stdout).toContain(`submitted with secret db (sha256 ${sha256Hex("correct-horse").slice(0, 8)}…)\n`);
      expect(stdout).not.toContain("correct-horse");
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });

  it("gives programs a stable JSON", async () => {
    await using world = await aWorldAtRest();
    const result = await status(world, "--output", "json");
    expect(result).toMatchObject({ status: 1, stderr: "" });
    const shown = JSON.parse(result.stdout) as { readonly resources: readonly Record<string, unknown>[] };
    expect(Object.keys(shown)).toEqual(["head", "writtenAt", "newestCommit", "summary", "unreadable", "resources"]);
    expect(shown).toMatchObject({
      head: await world.git.head("jobs", "penstock/status"),
      newestCommit: await world.git.head("jobs", "main"),
      writtenAt: expect.stringMatching(/^\d{4}-.*Z$/) as string,
      summary: { instance: "test", problems: [], source: { branch: "main" } },
      unreadable: [],
    });
    expect(shown.resources.map(({ kind, name }) => `${String(kind)} ${String(name)}`)).toEqual([
      "Artifact app",
      "Job big",
      "Job orders",
    ]);
    expect(Object.keys(shown.resources[2]!)).toEqual([
      "kind",
      "zone",
      "project",
      "name",
      "labels",
      "annotations",
      "spec",
      "status",
    ]);
    expect(shown.resources[2]).toMatchObject({ status: { phase: "Ready", flinkJobState: "Running", requestedRpus: 2 } });
  });

  it("says all problems of the commit, and ends with 1 for them", async () => {
    await using world = await createWorld();
    await world.push({ ...(await aRunningJob("orders")), "bad.yaml": aJob("bad", { rpus: -1 }) });
    await world.runOnce();
    const result = await status(world);
    expect(result.status).toBe(1);
    expect(result.stdout).toMatch(/^bad\.yaml:\d+:\d+ spec\.resources\.rpus must be a whole number/m);
  });

  it("says when the branch has moved on, and for how long nothing was written", async () => {
    await using world = await createWorld();
    await world.push(await aRunningJob("orders"));
    await world.runOnce();
    expect((await status(world)).status).toBe(0);
    const newest = await world.push({ "README.md": "hello" });
    world.clock.pass(3 * 3_600_000);
    const { stdout } = await status(world);
    expect(stdout.split("\n")[0]).toMatch(
      new RegExp(
        `^applied commit [0-9a-f]{12}, last changed 3h.* ago; the branch is at ${newest.slice(0, 12)}, which changes no manifest or is not applied yet$`,
      ),
    );
  });

  it("names a file of the branch that it cannot understand, and ends with 1 for it", async () => {
    await using world = await createWorld();
    await world.push(await aRunningJob("orders"));
    await world.runOnce();
    expect((await status(world)).status).toBe(0);
    await world.git.commitFiles("jobs", "penstock/status", { "local/default/job/orders.yaml": "status: [\n" }, "oops");
    const { status: exit, stdout } = await status(world);
    expect(exit).toBe(1);
    expect(stdout).toContain("local/default/job/orders.yaml cannot be understood");
    const json = await status(world, "--output", "json");
    expect(JSON.parse(json.stdout)).toMatchObject({ unreadable: [{ file: "local/default/job/orders.yaml" }] });
  });

  it("ends with 2 for a name that nothing has, and says which there are", async () => {
    await using world = await aWorldAtRest();
    expect(await status(world, "odrers")).toEqual({
      status: 2,
      stdout: "",
      stderr: "no resource is called odrers; there are default/app, default/big, default/orders\n",
    });
  });

  it("ends with 2 when no daemon has written yet, and when the repository cannot be reached", async () => {
    await using world = await createWorld();
    await world.push(await aRunningJob("orders"));
    expect(await status(world)).toEqual({
      status: 2,
      stdout: "",
      stderr: "branch penstock/status does not exist: no daemon of instance test has written it yet\n",
    });
    world.git.fault({ kind: "status", status: 503 });
    const down = await status(world);
    expect(down).toMatchObject({ status: 2, stdout: "" });
    expect(down.stderr).toMatch(/^the status cannot be read: .*503/);
  });
});
