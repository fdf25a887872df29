import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { startFakeForge, type FakeForge } from "../support/fake-forge.ts";
import type { ForgeKind } from "../support/forge-contract.ts";
import { aJob, anArtifact, aRunningJob } from "./manifests.ts";
import type { RunningDaemon } from "./running-daemon.ts";
import { createWorld, isRunning, type World } from "./world.ts";

interface Forged extends AsyncDisposable {
  readonly world: World;
  readonly forge: FakeForge;
}

async function aWorldWithForge(kind: ForgeKind): Promise<Forged> {
  const forge = await startFakeForge(kind);
  const folder = await mkdtemp(join(tmpdir(), "penstock-forge-"));
  const tokenFile = join(folder, "token");
  await writeFile(tokenFile, `${forge.token}\n`);
  const world = await createWorld({ config: { forge: { kind, url: forge.url, tokenFile, repository: forge.repository } } });
  return {
    world,
    forge,
    async [Symbol.asyncDispose]() {
      await world[Symbol.asyncDispose]();
      await forge[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function until(daemon: RunningDaemon, what: string, test: () => boolean): Promise<void> {
  for (let passes = 0; passes < 400 && !test(); passes += 1) await daemon.passes(1);
  if (!test()) throw new Error(`${what} did not come about:\n${daemon.log()}`);
}

function statesOf(forge: FakeForge, context: string, commit: string): readonly string[] {
  return forge.statuses.filter((one) => one.context === context && one.commit === commit).map(({ state }) => state);
}

describe.concurrent.each<ForgeKind>(["github", "gitlab", "gitea"])("a daemon with %s", (kind) => {
  it("tells a commit pending and then success, and a request its plan in one comment and a status", async () => {
    await using forged = await aWorldWithForge(kind);
    const { world, forge } = forged;
    const commit = await world.push(await aRunningJob("orders"));
    const daemon = world.startDaemon();
    const { flinkJobId } = await daemon.untilJob("orders", isRunning);
    await until(daemon, "pending", () => statesOf(forge, "penstock/applied/test", commit).includes("pending"));
    world.flink.completeCheckpoint(flinkJobId!);
    world.clock.pass(10_000);
    await until(daemon, "success", () => statesOf(forge, "penstock/applied/test", commit).at(-1) === "success");

    forge.openRequest(7);
    const request = async (rpus: number): Promise<string> => {
      const files = { "orders.yaml": anArtifact("orders") + aJob("orders", { rpus }) };
      const head = await world.git.commitFiles("jobs", "work", files, "change", { parent: commit });
      await world.git.deleteBranch("jobs", "work");
      for (const ref of ["refs/pull/7/head", "refs/pull/6/head"]) await world.git.git("jobs", ["update-ref", ref, head]);
      return head;
    };
    const first = await request(4);
    await until(daemon, "the plan's status", () => statesOf(forge, "penstock/plan/test", first).length > 0);
    const second = await request(0);
    await until(daemon, "the next plan's status", () => statesOf(forge, "penstock/plan/test", second).length > 0);
    expect(forge.comments).toHaveLength(1); // request 6 is closed, though its ref is there
    expect(forge.comments[0]).toMatchObject({ request: 7, author: "penstock-bot" });
    expect(forge.comments[0]!.body).toContain("| Job **default/orders** | **suspend** |");
    expect(daemon.log()).not.toContain(forge.token);
  });
});

it.concurrent("tells of each commit what became of it: as declared, refused, put right, nothing touched, waiting", async () => {
  await using forged = await aWorldWithForge("github");
  const { world, forge } = forged;
  const newestOf = (commit: string) => forge.statuses.findLast((one) => one.commit === commit);
  const first = await world.push(await aRunningJob("orders"));
  const daemon = world.startDaemon();
  const { flinkJobId } = await daemon.untilJob("orders", isRunning);
  await until(
    daemon,
    "pending",
    () => newestOf(first)?.description === "default/orders: its first checkpoint is not complete yet",
  );
  world.flink.completeCheckpoint(flinkJobId!);
  world.clock.pass(10_000);
  await until(daemon, "success", () => newestOf(first)?.state === "success");
  expect(statesOf(forge, "penstock/applied/test", first).at(0)).toBe("pending");

  const edited = await world.push({ "orders.yaml": anArtifact("orders") + aJob("orders", { mainArgs: ["--other"] }) });
  await until(daemon, "a refusal", () => newestOf(edited)?.state === "failure");
  expect(newestOf(edited)?.description).toMatch(/^default\/orders: .*mainArgs/);
  const reverted = await world.push({ "orders.yaml": anArtifact("orders") + aJob("orders") });
  await until(daemon, "success again", () => newestOf(reverted)?.state === "success");
  expect(newestOf(reverted)?.description).toBe("1 Job as declared");
  const other = await world.push({ "zone.yaml": anArtifact("unused") });
  await until(daemon, "success of what touches none", () => newestOf(other)?.state === "success");
  expect(newestOf(other)?.description).toBe("no Job is touched");
  const big = await world.push({ "big.yaml": aJob("big", { artifact: "orders", rpus: 100 }) });
  await until(daemon, "what is missing", () => /needs 100 slots/.test(newestOf(big)?.description ?? ""));
  expect(newestOf(big)?.state).toBe("pending");
  // What became of them stays said.
  expect([first, edited, reverted, other].map((commit) => newestOf(commit)?.state)).toEqual([
    "success",
    "failure",
    "success",
    "success",
  ]);
});

it.concurrent("tells of a commit what became of it also after the next one, and of both that they wait", async () => {
  await using forged = await aWorldWithForge("gitlab");
  const { world, forge } = forged;
  const first = await world.push(await aRunningJob("orders"));
  const daemon = world.startDaemon();
  const { flinkJobId } = await daemon.untilJob("orders", isRunning);
  const next = await world.push({ "big.yaml": aJob("big", { artifact: "orders", rpus: 100 }) });
  const statesNow = () => [first, next].map((commit) => statesOf(forge, "penstock/applied/test", commit).at(-1));
  await until(daemon, "pending", () => statesNow().every((state) => state === "pending"));
  world.flink.completeCheckpoint(flinkJobId!);
  world.clock.pass(10_000);
  await until(daemon, "success of the first", () => statesNow()[0] === "success");
  expect(statesNow()[1]).toBe("pending");
});

it.concurrent("tells a request its plan while another one cannot be commented on", async () => {
  await using forged = await aWorldWithForge("github");
  const { world, forge } = forged;
  const commit = await world.push(await aRunningJob("orders"));
  const files = { "orders.yaml": anArtifact("orders") + aJob("orders", { rpus: 4 }) };
  const head = await world.git.commitFiles("jobs", "work", files, "change", { parent: commit });
  for (const number of [7, 8]) {
    forge.openRequest(number);
    await world.git.git("jobs", ["update-ref", `refs/pull/${number}/head`, head]);
  }
  forge.lockRequest(8);
  const daemon = world.startDaemon();
  await daemon.untilJob("orders", isRunning);
  for (let tries = 0; tries < 20 && forge.comments.length === 0; tries += 1) {
    world.clock.pass(60_000);
    await daemon.passes(10);
  }
  expect(forge.comments.map(({ request }) => request)).toEqual([7]);
});

it.concurrent("tells a plan that a daemon before it had written and not told, once", async () => {
  await using forged = await aWorldWithForge("github");
  const { world, forge } = forged;
  const commit = await world.push(await aRunningJob("orders"));
  const untold = world.startDaemon(({ forge: _forge, ...config }) => config);
  await untold.untilJob("orders", isRunning);
  const files = { "orders.yaml": anArtifact("orders") + aJob("orders", { rpus: 4 }) };
  const head = await world.git.commitFiles("jobs", "work", files, "change", { parent: commit });
  forge.openRequest(7);
  await world.git.git("jobs", ["update-ref", "refs/pull/7/head", head]);
  const plan = async () => world.git.readFile("jobs", "penstock/previews", "7.md").catch(() => undefined);
  while ((await plan())?.includes("rescale") !== true) await untold.passes(1);
  await untold.stop();

  for (let life = 0; life < 2; life += 1) {
    const daemon = world.startDaemon();
    const isTold = (): boolean => statesOf(forge, "penstock/plan/test", head).length > life;
    await daemon.passes(5); // it is left to whoever wrote it for half a minute
    world.clock.pass(31_000);
    await until(daemon, "the plan's status", isTold);
    await daemon.stop();
  }
  expect(forge.comments).toMatchObject([{ request: 7 }]);
  expect(forge.comments[0]!.body.trimEnd().endsWith((await plan())!.trimEnd())).toBe(true);
  expect(forge.calls.filter((call) => call.startsWith("PATCH "))).toEqual([]);
});

it.concurrent("goes on as ever while the forge is down, and tells it later", async () => {
  await using forged = await aWorldWithForge("github");
  const { world, forge } = forged;
  forge.refuse(3, 503);
  const commit = await world.push({ ...(await aRunningJob("orders")), "bad.yaml": aJob("bad", { rpus: -1 }) });
  const daemon = world.startDaemon();
  await daemon.untilJob("orders", isRunning);
  for (let tries = 0; tries < 5; tries += 1) {
    world.clock.pass(60_000);
    await daemon.passes(15);
  }
  await until(daemon, "failure", () => statesOf(forge, "penstock/applied/test", commit).at(-1) === "failure");
  expect(forge.statuses.at(-1)?.description).toMatch(/^1 problem: bad\.yaml:\d+:\d+ /);
  expect(daemon.logged("warn").filter(({ msg }) => msg.startsWith("the forge"))).toHaveLength(1);
});
