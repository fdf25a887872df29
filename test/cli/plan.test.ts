import { mkdtemp, mkdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { compileSchema } from "../../src/common/schema-problems.ts";
import { FlinkReader } from "../../src/flink/flink-reader.ts";
import { StatusReader } from "../../src/git/status-reader.ts";
import type { Plan } from "../../src/preview/plan.ts";
import { PLAN_SCHEMA } from "../../src/preview/plan-schema.ts";
import { aJob, anArtifact, aRunningJob, counterJar } from "../scenarios/manifests.ts";
import { createWorld, WRITES, type World } from "../scenarios/world.ts";
import { penstock, type CommandResult } from "./command.ts";

async function plan(world: World, ...more: readonly string[]): Promise<CommandResult> {
  return penstock(["plan", "--config", world.configFile, ...more], { clock: world.clock });
}

async function planJson(world: World, ...more: readonly string[]): Promise<Plan & { readonly exit: number }> {
  const { status, stdout } = await plan(world, "--output", "json", ...more);
  return { exit: status, ...(JSON.parse(stdout) as Plan) };
}

/** `orders` runs with 2 rpus and has a checkpoint. */
async function aRunningWorld(): Promise<World> {
  const world = await createWorld();
  await world.push(await aRunningJob("orders"));
  await world.runOnce();
  for (const { flinkJobId } of world.flink.jobs) world.flink.completeCheckpoint(flinkJobId);
  return world;
}

/** A folder of the disk with these files. */
async function aFolder(
  files: Readonly<Record<string, string | Uint8Array>>,
): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "penstock-folder-"));
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(path, name)), { recursive: true });
    await writeFile(join(path, name), content);
  }
  return { path, [Symbol.asyncDispose]: async () => rm(path, { recursive: true, force: true }) };
}

describe.concurrent("penstock plan", () => {
  it("says what run would start, in 80 columns, changes nothing, and ends with 1", async () => {
    await using world = await createWorld();
    await world.push({ ...(await aRunningJob("orders")), "big.yaml": aJob("big", { artifact: "orders", rpus: 100 }) });
    const { status, stdout, stderr } = await plan(world);
    expect({ status, stderr }).toEqual({ status: 1, stderr: "" });
    expect(
      stdout
        .replace(/\b[0-9a-f]{12}\b/, "COMMIT")
        .trimEnd()
        .split("\n"),
    ).toEqual([
      "plan of branch main at COMMIT",
      "",
      "  … Job default/big  create, waits",
      "      because        needs 100 slots, 8 of 8 free in main in zone local for",
      "                     Flink 1.16",
      "      slots          needs 100: 8 free",
      "      state          none: it starts empty",
      "      interruption   none: it does not run yet",
      "      declared       big.yaml:2",
      "",
      "  + Job default/orders  create",
      "      because        it is declared and main has the 2 slots that it needs",
      "      slots          needs 2 in main: 8 free before, 6 after",
      "      state          none: it starts empty",
      "      interruption   none: it does not run yet",
      "      declared       orders.yaml:10",
      "",
      "  + Artifact default/orders  create",
      "      because        it is declared",
      "      declared       orders.yaml:2",
      "",
      "slots",
      "  local/main (Flink 1.16.3): 8 of 8 slots free, 6 after",
      "",
      "3 changes (3 create), 1 of them waits",
    ]);
    expect(stdout.split("\n").every((line) => line.length <= 80)).toBe(true);
  });

  it("asks Flink and Git only to read: it has no client that writes", async () => {
    await using world = await aRunningWorld();
    await world.push({ "orders.yaml": anArtifact("orders") + aJob("orders", { rpus: 4 }) });
    const before = { status: await world.git.head("jobs", "penstock/status"), calls: world.flink.calls.length };
    let pushes = 0;
    world.git.before({ service: "git-receive-pack" }, async () => void (pushes += 1));
    expect(await planJson(world)).toMatchObject({ exit: 1, steps: [{ name: "orders", action: "rescale-by-savepoint" }, {}] });
    const calls = world.flink.calls.slice(before.calls);
    expect(calls.length).toBeGreaterThan(0);
    expect(calls.filter(({ method, path }) => WRITES.test(`${method} ${path}`))).toEqual([]);
    expect(pushes).toBe(0);
    expect(await world.git.head("jobs", "penstock/status")).toBe(before.status);
    for (const reader of [FlinkReader, StatusReader]) {
      const methods = Object.getOwnPropertyNames(reader.prototype);
      expect(methods.filter((name) => /^(?:write|push|run|upload|delete|cancel|stop|trigger|dispose|put)/.test(name))).toEqual(
        [],
      );
    }
  });

  it("ends with 0 when there is nothing to do", async () => {
    await using world = await aRunningWorld();
    const { status, stdout } = await plan(world);
    expect(status).toBe(0);
    expect(stdout).toMatch(/\nnothing to change; 2 stay as they are\n$/);
  });

  it("says what would be refused and which deletions are held, and ends with 1", async () => {
    await using world = await aRunningWorld();
    await world.push({ "orders.yaml": anArtifact("orders") + aJob("orders", { mainArgs: ["--rate", "1"] }) });
    expect(await planJson(world)).toMatchObject({ exit: 1, steps: [{ action: "refuse", reason: "SpecChanged" }, {}] });
    await world.push({ "orders.yaml": null });
    const held = await planJson(world);
    expect(held).toMatchObject({ exit: 1, steps: [{ action: "delete", verdict: "held", reason: "TooManyDeletions" }, {}] });
    expect(held.guard).toHaveLength(1);
  });

  it("shows no secret that Flink tells", async () => {
    await using folder = await aFolder({ "default/db-password": "correct-horse-battery\n" });
    await using world = await createWorld({ config: { secrets: { dir: folder.path } } });
    await world.push(await aRunningJob("orders", { mainArgs: ["--password", "${secret:db-password}"] }));
    await world.runOnce();
    const because = "java.lang.IllegalStateException: cannot log in with correct-horse-battery at all";
    world.flink.setJobState(world.flink.jobs[0]!.flinkJobId, "FAILED", because);
    const { stdout } = await plan(world, "--output", "json");
    expect(stdout).toContain("cannot log in with [secret] at all");
    expect(stdout).not.toContain("correct-horse-battery");
  });

  it("gives programs the JSON that config/plan.schema.json describes", async () => {
    await using world = await aRunningWorld();
    await world.push({ "orders.yaml": anArtifact("orders") + aJob("orders", { rpus: 4 }) });
    const { stdout } = await plan(world, "--output", "json");
    const isPlan = compileSchema(PLAN_SCHEMA);
    expect(isPlan(JSON.parse(stdout)), JSON.stringify(isPlan.errors)).toBe(true);
    expect(JSON.parse(stdout)).toMatchObject({ version: 1, steps: [{ restorePoint: { kind: "Checkpoint" } }, {}] });
  });

  it("gives a comment's Markdown, in which nothing foreign is markup", async () => {
    await using world = await aRunningWorld();
    const annoying = "--<img src=x> @everyone **bold** [a](http://evil.example)";
    await world.push({ "orders.yaml": anArtifact("orders") + aJob("orders", { mainArgs: [annoying] }) });
    const { stdout } = await plan(world, "--output", "markdown");
    expect(stdout).toContain("| Job **default/orders** | **refuse** |");
    expect(stdout).toContain(String.raw`&lt;img src=x\>`);
    expect(stdout).not.toMatch(/<img|@everyone|\*\*bold|\]\(http|:\/\/evil/);
  });

  it("says all problems of the planned tree with file and line, and ends with 2", async () => {
    await using world = await createWorld();
    await world.push({ ...(await aRunningJob("orders")), "bad.yaml": aJob("bad", { rpus: -1 }) });
    const { status, stdout } = await plan(world);
    expect(status).toBe(2);
    expect(stdout).toMatch(/\n1 problem\n {2}bad\.yaml:\d+:\d+ spec\.resources\.rpus must be a whole number/);
    expect(stdout).toContain("+ Job default/orders  create");
  });

  it("plans a folder of the disk in place of the head, its jars included", async () => {
    await using world = await aRunningWorld();
    await using folder = await aFolder({
      "orders.yaml": anArtifact("orders") + aJob("orders", { rpus: 3 }),
      "typo.yaml": aJob("typo", { artifact: "orders", entryClass: "penstock.test.CounterJb" }),
      "jars/counter.jar": await counterJar(),
    });
    const planned = await planJson(world, "--dir", folder.path);
    expect(planned.steps.map(({ name, action, verdict, reason }) => [name, action, verdict, reason])).toEqual([
      ["orders", "rescale-by-savepoint", "now", undefined],
      ["typo", "create", "waits", "EntryClassMissing"],
      ["orders", "leave", "none", undefined],
    ]);
    expect(planned).toMatchObject({ exit: 1, subject: { kind: "folder" } });
    expect(await plan(world, "--dir", join(folder.path, "nowhere"))).toMatchObject({ status: 2, stdout: "" });
  });

  it("plans another branch or any ref of the repository", async () => {
    await using world = await aRunningWorld();
    const change = { "orders.yaml": anArtifact("orders") + aJob("orders", { rpus: 0 }) };
    const main = await world.git.head("jobs", "main");
    await world.git.setBranch("jobs", "next", main!);
    const next = await world.git.commitFiles("jobs", "next", change, "suspend");
    await world.git.git("jobs", ["update-ref", "refs/pull/7/head", next]);
    for (const ref of ["next", "refs/pull/7/head"])
      expect(await planJson(world, "--ref", ref)).toMatchObject({
        exit: 1,
        subject: { kind: "ref", name: ref, commit: next },
        steps: [{ name: "orders", action: "suspend" }, {}],
      });
    const missing = await plan(world, "--ref", "nxt");
    expect(missing).toMatchObject({ status: 2, stdout: "" });
    expect(missing.stderr).toContain("the repository has no nxt");
  });

  it("takes a jar that is not at hand for good, and says so", async () => {
    await using world = await createWorld();
    await world.push({ "new.yaml": anArtifact("new", "maven: org.example:new:1.0") + aJob("new") });
    const planned = await planJson(world);
    expect(planned.steps[0]).toMatchObject({
      action: "create",
      verdict: "now",
      notes: ["its jar is not at hand; inspected when downloaded"],
    });
  });

  it("sees what failed twice before it believes it, as the daemon does, and plans its return", async () => {
    await using world = await aRunningWorld();
    await world.runOnce();
    world.flink.restart();
    expect(await planJson(world)).toMatchObject({ exit: 1, steps: [{ name: "orders", action: "restart", verdict: "now" }, {}] });
  });

  it("ends with 2 when a cluster cannot be seen, and when the repository cannot be reached", async () => {
    await using world = await aRunningWorld();
    await world.flink.refuse();
    const { status, stdout } = await plan(world);
    expect(status).toBe(2);
    expect(stdout).toMatch(/cluster main cannot be seen/);
    world.git.fault({ kind: "status", status: 503 });
    const down = await plan(world);
    expect(down).toMatchObject({ status: 2, stdout: "" });
    expect(down.stderr).toMatch(/^nothing can be planned: .*503/);
  });

  it("is in colour on a terminal", async () => {
    await using world = await aRunningWorld();
    await world.push({ "orders.yaml": anArtifact("orders") + aJob("orders", { rpus: 4 }) });
    const { stdout } = await penstock(["plan", "--config", world.configFile], { clock: world.clock, terminal: true });
    expect(stdout).toContain("\u001B[36m  ~ Job default/orders  rescale by savepoint\u001B[39m");
  });

  it("takes one of --dir and --ref", async () => {
    expect(await penstock(["plan", "--config", "x", "--dir", ".", "--ref", "main"])).toMatchObject({ status: 2, stdout: "" });
  });
});
