import { describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { aJob, anArtifact, aRunningJob, counterJar } from "./manifests.ts";
import type { RunningDaemon } from "./running-daemon.ts";
import {
  conditionOf,
  createWorld,
  has,
  isRunning,
  RUN,
  STATUS_BRANCH,
  untilCheckpointed,
  WRITES,
  type StatusFile,
  type World,
} from "./world.ts";

const ORDERS = "local/default/job/orders.yaml";
const CLICKS = aJob("clicks", { artifact: "orders" });

interface RunningWorld {
  readonly world: World;
  readonly daemon: RunningDaemon;
  readonly flinkJobId: string;
}

/** `orders` runs and has a checkpoint, beside another Job in a file of its own. */
async function aRunningWorld(): Promise<RunningWorld> {
  const world = await createWorld();
  await world.push({ ...(await aRunningJob("orders")), ...(await otherFiles()) });
  return runOrders(world, world.startDaemon());
}

/** The same, and the newest commit of the status branch that knows nothing of `orders`. */
async function aWorldWithAPast(): Promise<RunningWorld & { readonly before: string }> {
  const world = await createWorld();
  await world.push(await otherFiles());
  const daemon = world.startDaemon();
  await daemon.untilJob("other", isRunning);
  const before = (await world.git.head("jobs", STATUS_BRANCH))!;
  await world.push(await aRunningJob("orders"));
  return { ...(await runOrders(world, daemon)), before };
}

async function otherFiles(): Promise<Readonly<Record<string, string | Uint8Array>>> {
  return {
    "other.yaml": anArtifact("app") + aJob("other", { artifact: "app", rpus: 1 }),
    "jars/counter.jar": await counterJar(),
  };
}

async function runOrders(world: World, daemon: RunningDaemon): Promise<RunningWorld> {
  const { flinkJobId } = await daemon.untilJob("orders", isRunning);
  await untilCheckpointed(world, daemon, flinkJobId!);
  await daemon.untilJob("other", isRunning);
  await daemon.untilAtRest(); // who writes to the status branch now is a person
  return { world, daemon, flinkJobId: flinkJobId! };
}

function liveIds(world: World): readonly string[] {
  return world.flink.jobs.filter(({ state }) => state === "RUNNING").map(({ flinkJobId }) => flinkJobId);
}

/** Somebody edits the file of `orders` on the status branch. */
async function edit(world: World, change: (file: StatusFile) => unknown): Promise<void> {
  const file = parse(await world.git.readFile("jobs", STATUS_BRANCH, ORDERS)) as StatusFile;
  await world.git.commitFiles("jobs", STATUS_BRANCH, { [ORDERS]: stringify(change(file)) }, "I know better");
}

describe.concurrent("a status branch that is set back while no daemon runs", () => {
  it("to before a Job was started lets the next daemon adopt what runs, and start nothing twice", async () => {
    const { world, daemon, flinkJobId, before } = await aWorldWithAPast();
    await using _ = world;
    await daemon.stop();
    const runs = world.flink.countCalls(RUN);
    await world.git.setBranch("jobs", STATUS_BRANCH, before);
    const next = world.startDaemon();
    await next.untilJob("orders", isRunning);
    await next.untilAtRest();
    expect((await world.job("orders"))?.status).toMatchObject({ phase: "Ready", flinkJobId, attempt: 1 });
    expect(world.flink.countCalls(RUN)).toBe(runs);
  });

  it("to before a Job was started that has vanished since does not start it without its state", async () => {
    const { world, daemon, before } = await aWorldWithAPast();
    await using _ = world;
    await daemon.stop();
    world.flink.restart();
    await world.git.setBranch("jobs", STATUS_BRANCH, before);
    const next = world.startDaemon();
    await next.untilJob("other", isRunning);
    await next.until("orders is decided", ({ update }) => [...update.records.keys()].some((key) => key.endsWith("/job/orders")));
    await next.untilAtRest();
    const orders = await world.job("orders");
    expect(liveIds(world)).toHaveLength(1);
    expect(conditionOf(orders, "Started")).toMatchObject({ status: "False", reason: "StatusLost" });
  });

  it("to an older attempt adopts the newer one that runs", async () => {
    const { world, daemon, flinkJobId } = await aRunningWorld();
    await using _ = world;
    const before = (await world.git.head("jobs", STATUS_BRANCH))!;
    world.flink.setJobState(flinkJobId, "FAILED", "out of memory");
    const healed = await daemon.untilJob("orders", (now) => isRunning(now) && now.flinkJobId !== flinkJobId);
    await daemon.untilAtRest();
    await daemon.stop();
    const [runs, live] = [world.flink.countCalls(RUN), liveIds(world)];
    await world.git.setBranch("jobs", STATUS_BRANCH, before);
    const next = world.startDaemon();
    await next.untilJob("orders", (now) => isRunning(now) && now.flinkJobId === healed.flinkJobId);
    await next.untilAtRest();
    expect((await world.job("orders"))?.status).toMatchObject({ attempt: 2 });
    expect(world.flink.countCalls(RUN)).toBe(runs);
    expect(liveIds(world)).toEqual(live);
  });

  it("over a deletion makes its tombstone anew, with the savepoint that it was stopped with", async () => {
    const { world, daemon } = await aRunningWorld();
    await using _ = world;
    const before = (await world.git.head("jobs", STATUS_BRANCH))!;
    await world.push({ "orders.yaml": null });
    const { deleted } = await daemon.untilJob("orders", (now) => now.deleted !== undefined);
    await daemon.untilAtRest();
    await daemon.stop();
    await world.git.setBranch("jobs", STATUS_BRANCH, before);
    const next = world.startDaemon();
    const again = await next.untilJob("orders", (now) => now.deleted !== undefined);
    expect(again.deleted?.restorePoint).toEqual(deleted?.restorePoint);
    expect(liveIds(world)).toHaveLength(1);
  });
});

type Change = (file: StatusFile) => unknown;
const withStatus =
  (more: Readonly<Record<string, unknown>>): Change =>
  (file) => ({ ...file, status: { ...file.status, ...more } });
const ELSEWHERE = { name: "elsewhere", url: "http://127.0.0.1:1", incarnation: "x" };

describe.concurrent("a status file that a person edits", () => {
  it.each<readonly [string, Change, string]>([
    ["so that a field is missing", withStatus({ attempt: undefined }), "missing field status.attempt"],
    ["so that it has neither spec nor status", ({ spec: _spec, status: _status, ...file }) => file, "missing field spec"],
    ["so that it is a list", () => ["what", "is", "this"], "restore the file from the branch's history"],
  ])("%s leaves the Job alone and says where; it goes on when the file is put back", async (_, change, problem) => {
    const { world, daemon, flinkJobId } = await aRunningWorld();
    await using _world = world;
    const [good, writes] = [await world.git.readFile("jobs", STATUS_BRANCH, ORDERS), world.flink.countCalls(WRITES)];
    await edit(world, change);
    await daemon.until(
      "it is told",
      ({ update, published }) => published.kind === "written" && update.summary.problems.length > 0,
    );
    await daemon.passes(3);
    expect((await world.summary()).problems).toEqual([expect.stringContaining(problem)]);
    expect(world.flink.countCalls(WRITES)).toBe(writes);
    await world.git.commitFiles("jobs", STATUS_BRANCH, { [ORDERS]: good }, "sorry");
    await daemon.until(
      "it is as it was",
      ({ update, published }) => published.kind === "written" && update.summary.problems.length === 0,
    );
    expect((await world.job("orders"))?.status).toMatchObject({ flinkJobId, flinkJobState: "Running" });
    expect(world.flink.countCalls(WRITES)).toBe(writes);
  });

  it("so that it names a cluster that is none touches nothing, and says that it cannot see it", async () => {
    const { world, daemon, flinkJobId } = await aRunningWorld();
    await using _ = world;
    const writes = world.flink.countCalls(WRITES);
    await edit(world, withStatus({ cluster: ELSEWHERE }));
    await daemon.untilJob("orders", has("Duplicate", "ClusterUnreachable"));
    await daemon.untilAtRest();
    expect(conditionOf(await world.job("orders"), "Healthy")?.message).toContain("elsewhere is no longer in the configuration");
    expect(liveIds(world)).toContain(flinkJobId);
    expect(world.flink.countCalls(WRITES)).toBe(writes);
  });

  it("so that its rpus are others is made right by Git, with its state", async () => {
    const { world, daemon, flinkJobId } = await aRunningWorld();
    await using _ = world;
    await edit(world, withStatus({ requestedRpus: 1 }));
    const now = await daemon.untilJob(
      "orders",
      (status) => isRunning(status) && status.requestedRpus === 2 && status.attempt === 2,
    );
    expect(now.startedFrom).toMatchObject({ kind: "Savepoint", uri: expect.stringContaining(flinkJobId) as unknown });
    expect(liveIds(world)).toHaveLength(2);
  });

  it("so that an attempt counts that never was has the one that runs stopped with a savepoint, which the history names", async () => {
    const { world, daemon, flinkJobId } = await aRunningWorld();
    await using _ = world;
    await edit(world, withStatus({ flinkJobId: `${flinkJobId.slice(0, 24)}00000009`, attempt: 9 }));
    const { history } = await daemon.untilJob("orders", (now) =>
      now.history.some(({ because }) => because.includes("is kept at ")),
    );
    expect(history.at(-1)?.because).toContain(`${flinkJobId}, was stopped; what it left is kept at file:`);
    expect(liveIds(world)).toHaveLength(1);
  });
});

describe.concurrent("a Job that is no loss", () => {
  it("because its only start failed is withdrawn, and starts under the same name when it is declared again", async () => {
    const { world, daemon } = await aRunningWorld();
    await using _ = world;
    await world.push({ "clicks.yaml": aJob("clicks", { artifact: "orders", mainArgs: ["--throw", "no such topic"] }) });
    await daemon.untilJob("clicks", has("Started", "ProgramFailed"));
    await daemon.untilApplied(await world.push({ "clicks.yaml": null }));
    await daemon.untilAtRest();
    await world.push({ "clicks.yaml": CLICKS });
    await daemon.untilJob("clicks", isRunning);
    expect(liveIds(world)).toHaveLength(3);
  });
});

describe.concurrent("a file of the status branch that a person", () => {
  it("removes while no daemon runs is written again from what runs", async () => {
    const { world, daemon, flinkJobId } = await aRunningWorld();
    await using _ = world;
    await daemon.stop();
    const writes = world.flink.countCalls(WRITES);
    await world.git.commitFiles("jobs", STATUS_BRANCH, { [ORDERS]: null, "summary.yaml": null, "README.md": null }, "tidy up");
    const next = world.startDaemon();
    await next.untilJob("orders", isRunning);
    await next.untilAtRest();
    expect((await world.job("orders"))?.status).toMatchObject({ phase: "Ready", flinkJobId, attempt: 1 });
    expect(world.flink.countCalls(WRITES)).toBe(writes);
  });

  it("removes of a Job that has vanished does not start it without its state, until a person says so", async () => {
    const { world, daemon } = await aRunningWorld();
    await using _ = world;
    await daemon.stop();
    world.flink.restart();
    await world.git.commitFiles("jobs", STATUS_BRANCH, { [ORDERS]: null }, "tidy up");
    const next = world.startDaemon();
    await next.untilJob("orders", has("Started", "StatusLost"));
    await next.untilJob("other", isRunning);
    await next.untilAtRest();
    expect(conditionOf(await world.job("orders"), "Started")?.message).toContain(
      'with the trailer "Penstock-Rebuild-Status: yes"',
    );
    expect(liveIds(world)).toHaveLength(1);
    await world.push({ "note.txt": "x" }, "Start it without its state\n\nPenstock-Rebuild-Status: yes\n");
    const { attempt } = await next.untilJob("orders", isRunning);
    expect(attempt).toBe(2); // an id is never used twice
  });

  it("removes of a Job that has vanished holds it as well when its cluster is away at first", async () => {
    const { world, daemon } = await aRunningWorld();
    await using _ = world;
    await daemon.stop();
    world.flink.restart();
    await world.git.commitFiles("jobs", STATUS_BRANCH, { [ORDERS]: null }, "tidy up");
    await world.flink.refuse();
    const next = world.startDaemon();
    await next.untilJob("orders", ({ phase }) => phase === "Pending"); // written without a look at what it left
    await next.untilAtRest();
    await world.flink.accept();
    world.clock.pass(60_000); // its calls are let pass again
    await next.untilJob("orders", has("Started", "StatusLost"));
    await next.untilAtRest();
    expect(liveIds(world)).toHaveLength(1);
  });

  it("adds stays where it is, whatever it is called, and nothing is made of it", async () => {
    const { world, daemon } = await aRunningWorld();
    await using _ = world;
    const strange = {
      "local/default/job/orders.yaml.bak": "status: none\n",
      "local/default/thing/a.yaml": "kind: Thing\n",
      "notes/\u001b[31mred.md": "hello",
      "bytes.bin": new Uint8Array([0xff, 0xfe, 0]),
      "link.yaml": { symlink: "/etc/passwd" },
    };
    await world.git.commitFiles("jobs", STATUS_BRANCH, strange, "my own files");
    await world.push({ "clicks.yaml": CLICKS });
    await daemon.untilJob("clicks", isRunning);
    await daemon.untilAtRest();
    const names = (await world.git.listTree("jobs", STATUS_BRANCH)).map((line) => line.slice(line.indexOf("\t") + 1));
    expect(names).toEqual(
      expect.arrayContaining(["bytes.bin", "link.yaml", "local/default/job/orders.yaml.bak", "local/default/thing/a.yaml"]),
    );
    expect((await world.summary()).problems).toEqual([]);
    expect(liveIds(world)).toHaveLength(3);
    expect(daemon.logged("warn", "error")).toEqual([]);
  });
});

describe.concurrent("somebody else who writes to the status branch all the time", () => {
  it("delays what is announced, and nothing of either is lost or done twice", async () => {
    const { world, daemon } = await aRunningWorld();
    await using _ = world;
    let notes = 0;
    world.git.before({ service: "git-receive-pack", step: "call", times: 5 }, async () => {
      notes += 1;
      await world.git.commitFiles("jobs", STATUS_BRANCH, { [`note-${notes}.md`]: "hello" }, `note ${notes}`);
    });
    await world.push({ "clicks.yaml": CLICKS });
    await daemon.untilJob("clicks", isRunning);
    const commits = await world.statusCommits();
    for (let note = 1; note <= 5; note += 1) expect(commits).toContain(`note ${note}`);
    expect(world.flink.countCalls(RUN)).toBe(3);
    expect((await world.job("clicks"))?.status).toMatchObject({ attempt: 1, run: 1 });
    expect(daemon.logged("warn", "error")).toEqual([]);
  });
});
