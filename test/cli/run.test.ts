import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { aJob, anArtifact, aRunningJob } from "../scenarios/manifests.ts";
import { createWorld, type World } from "../scenarios/world.ts";
import { penstock, startPenstock, type CommandResult } from "./command.ts";

async function runOnce(world: World, ...more: readonly string[]): Promise<CommandResult> {
  return penstock(["run", "--config", world.configFile, "--once", ...more]);
}

function messages(log: string): readonly string[] {
  return log
    .trimEnd()
    .split("\n")
    .map((line) => (JSON.parse(line) as { readonly msg: string }).msg);
}

describe.concurrent("penstock run --once", () => {
  it("starts what is declared, says so in a line, and ends with 0 when all is well", async () => {
    await using world = await createWorld();
    await world.push(await aRunningJob("orders"));
    const first = await runOnce(world);
    expect(first).toMatchObject({ status: 0, stdout: "1 job, 1 healthy\n" });
    expect(messages(first.stderr)).toEqual(
      expect.arrayContaining(["penstock starts", "submitting", "Flink accepted the job", "penstock ends"]),
    );
    expect((await world.job("orders"))?.status).toMatchObject({ phase: "Ready", flinkJobState: "Running" });

    const second = await runOnce(world);
    expect(second).toMatchObject({ status: 0, stdout: "1 job, 1 healthy\n" });
    expect(messages(second.stderr)).toEqual(["penstock starts", "penstock ends"]);
    expect(world.flink.jobs).toHaveLength(1);
  });

  it("ends with 1 and a line for each problem, refusal and Job that waits", async () => {
    await using world = await createWorld();
    await world.push(await aRunningJob("orders"));
    expect((await runOnce(world)).status).toBe(0);
    await world.push({
      "orders.yaml": anArtifact("orders") + aJob("orders", { mainArgs: ["--rate", "1"] }),
      "bad.yaml": aJob("bad", { rpus: -1 }),
      "big.yaml": aJob("big", { artifact: "orders", rpus: 100 }),
    });
    const { status, stdout } = await runOnce(world);
    expect(status).toBe(1);
    expect(stdout.trimEnd().split("\n")).toEqual([
      expect.stringMatching(/^bad\.yaml:\d+:\d+ spec\.resources\.rpus must be a whole number of at least 0 .*found -1$/),
      "Job default/big: NotEnoughSlots: needs 100 slots, 6 of 8 free in main in zone local for Flink 1.16",
      expect.stringMatching(
        /^Job default\/orders: SpecChanged: orders\.yaml:\d+:\d+ .*mainArgs was not set and is \["--rate","1"\]/,
      ),
      "2 jobs, 1 healthy; 3 to look after",
    ]);
  });

  it("ends with 1 after --timeout, and says what it waited for", async () => {
    await using world = await createWorld();
    world.flink.holdDeployments();
    await world.push(await aRunningJob("orders"));
    const daemon = startPenstock(["run", "--config", world.configFile, "--once"], { clock: world.clock });
    await daemon.until("Pending → Ready");
    world.clock.pass(10 * 60_000);
    const { status, stdout } = await daemon.ended;
    expect(status).toBe(1);
    expect(stdout).toMatch(/^not at rest after 10m\nJob default\/orders: .*\n1 job, 0 healthy; 2 to look after\n$/);
  });

  it.each([
    ["an unknown key, with what was meant", { instanz: "x" }, /unknown field instanz; did you mean instance\?/],
    ["a missing mandatory one", { instance: undefined }, /instance/],
    ["a wrong type", { repository: { url: 7 } }, /repository\.url/],
  ])("ends with 2 for %s in the configuration, and calls nobody", async (_, change, message) => {
    await using world = await createWorld();
    const file = join(dirname(world.configFile), "wrong.yaml");
    const zones = { local: { clusters: { main: { url: world.flink.url.href } } } };
    await writeFile(file, JSON.stringify({ instance: "test", repository: { url: world.git.urlOf("jobs") }, zones, ...change }));
    const { status, stdout, stderr } = await penstock(["run", "--config", file, "--once"]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/\d+ problems? in the configuration\n$/);
    expect(world.flink.calls).toEqual([]);
  });

  it("ends with 2 when the configuration cannot be read, or --timeout is no duration", async () => {
    const missing = await penstock(["run", "--config", "/nowhere/penstock.yaml", "--once"]);
    expect(missing.status).toBe(2);
    expect(missing.stderr).toContain("/nowhere/penstock.yaml");
    expect(await penstock(["run", "--config", "x", "--once", "--timeout", "soon"])).toEqual({
      status: 2,
      stdout: "",
      stderr: '--timeout must be a duration like 90s or 10m, found "soon"\n',
    });
  });
});

describe.concurrent("penstock run", () => {
  it("goes on until it is stopped, and then ends with 0, whatever waits", async () => {
    await using world = await createWorld();
    await world.push({ ...(await aRunningJob("orders")), "bad.yaml": aJob("bad", { rpus: -1 }) });
    const daemon = startPenstock(["run", "--config", world.configFile]);
    await daemon.until("Pending → Ready, Running");
    const { status, stdout, stderr } = await daemon.stop();
    expect({ status, stdout }).toEqual({ status: 0, stdout: "" });
    expect(messages(stderr).at(-1)).toBe("penstock ends");
  });

  it("logs lines for people on a terminal", async () => {
    await using world = await createWorld();
    await world.push(await aRunningJob("orders"));
    const { stderr } = await penstock(["run", "--config", world.configFile, "--once"], { terminal: true });
    expect(stderr).toMatch(/penstock starts/);
    expect(stderr).not.toMatch(/^\{"level"/m);
  });
});
