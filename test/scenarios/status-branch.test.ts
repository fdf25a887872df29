import { describe, expect, it } from "vitest";
import type { FileChange } from "../support/git-repositories.ts";
import { aJob, aRunningJob } from "./manifests.ts";
import type { RunningDaemon } from "./running-daemon.ts";
import { conditionOf, createWorld, has, isRunning, RUN, STATUS_BRANCH, WRITES, type World, type WorldOptions } from "./world.ts";

const ORDERS = "local/default/job/orders.yaml";
const CLICKS = aJob("clicks", { artifact: "orders" });
/** Its identity can be read, and its spec cannot. */
const BROKEN = aJob("orders").replace("resources: {rpus: 2}", "resources: {rpus: many}");
/** With it the fake completes a checkpoint as soon as the clock moves. */
const WITH_CHECKPOINTS = { configuration: { "execution.checkpointing.interval": "10s" } };

async function aRunningWorld(options?: WorldOptions): Promise<{ world: World; daemon: RunningDaemon; flinkJobId: string }> {
  const world = await createWorld(options);
  await world.push(await aRunningJob("orders", WITH_CHECKPOINTS));
  const daemon = world.startDaemon();
  const { flinkJobId } = await daemon.untilJob("orders", isRunning);
  await daemon.untilAtRest();
  return { world, daemon, flinkJobId: flinkJobId! };
}

describe.concurrent("a status branch that is deleted while the daemon runs", () => {
  it("is written again from memory, and nothing is started", async () => {
    const { world, daemon } = await aRunningWorld();
    await using _ = world;
    const [before, writes] = [await world.job("orders"), world.flink.countCalls(WRITES)];
    await world.git.deleteBranch("jobs", STATUS_BRANCH);
    await daemon.until("it is written again", ({ published }) => published.kind === "written");
    expect(await world.job("orders")).toEqual(before);
    expect(world.flink.countCalls(WRITES)).toBe(writes);
    expect(daemon.logged("warn", "error").map(({ msg }) => msg)).toEqual([
      "status branch was deleted or set back; it is written again",
    ]);
  });

  it("or set back to an older commit is written again from memory too", async () => {
    const { world, daemon } = await aRunningWorld();
    await using _ = world;
    const before = await world.job("orders");
    const oldest = (await world.git.log("jobs", STATUS_BRANCH)).at(-1)!;
    await world.git.setBranch("jobs", STATUS_BRANCH, oldest.oid);
    await daemon.until("it is written again", ({ published }) => published.kind === "written");
    expect(await world.job("orders")).toEqual(before);
    expect(world.flink.jobs).toHaveLength(1);
  });
});

describe.concurrent("a status branch that is deleted while no daemon runs", () => {
  it("lets the next one adopt what runs by its id, and start what is new only when a person says so", async () => {
    const { world, daemon, flinkJobId } = await aRunningWorld();
    await using _ = world;
    await daemon.stop();
    const runs = world.flink.countCalls(RUN);
    await world.git.deleteBranch("jobs", STATUS_BRANCH);
    await world.push({ "clicks.yaml": CLICKS });

    const next = world.startDaemon();
    await next.untilJob("orders", isRunning);
    const adopted = await world.job("orders");
    expect(adopted?.status).toMatchObject({ phase: "Ready", flinkJobId, attempt: 1, requestedRpus: 2 });
    expect(conditionOf(adopted, "Accepted")?.status).toBe("True");
    await next.untilJob("clicks", has("Started", "StatusLost"));
    await next.untilAtRest();
    expect(world.flink.countCalls(RUN)).toBe(runs);

    await world.push({ "note.txt": "x" }, "Go on\n\nPenstock-Rebuild-Status: yes\n");
    await next.untilJob("clicks", isRunning);
    expect(world.flink.jobs).toHaveLength(2);
  });

  it("and with a checkpoint of a vanished job keeps that Job waiting, over restarts, until a person says so", async () => {
    const { world, daemon, flinkJobId } = await aRunningWorld();
    await using _ = world;
    world.flink.completeCheckpoint(flinkJobId);
    await daemon.stop();
    world.flink.restart();
    await world.git.deleteBranch("jobs", STATUS_BRANCH);

    const next = world.startDaemon();
    await next.untilJob("orders", has("Started", "StatusLost"));
    expect(conditionOf(await world.job("orders"), "Started")?.message).toContain(
      'with the trailer "Penstock-Rebuild-Status: yes"',
    );
    await next.untilAtRest();
    await next.stop();
    const third = world.startDaemon();
    await third.untilAtRest();
    expect(world.flink.jobs).toEqual([]);
    expect((await world.job("orders"))?.status.phase).toBe("Pending");

    await world.push({ "note.txt": "x" }, "Start it without its state\n\nPenstock-Rebuild-Status: yes\n");
    const started = await third.untilJob("orders", isRunning);
    expect(started).toMatchObject({ run: 1 });
    expect(world.flink.jobs).toHaveLength(1);
  });

  it.each([
    ["was broken at that moment", { "orders.yaml": BROKEN }],
    ["was not declared at that moment", { "orders.yaml": null }],
  ])("keeps a Job waiting that %s and is declared later, and lets one start that is really new", async (_, then) => {
    const { world, daemon, flinkJobId } = await aRunningWorld();
    await using _world = world;
    world.flink.completeCheckpoint(flinkJobId);
    await daemon.stop();
    world.flink.restart();
    await world.git.deleteBranch("jobs", STATUS_BRANCH);
    const good = await world.git.readFile("jobs", "main", "orders.yaml");
    await world.push(then);

    const next = world.startDaemon();
    await next.untilAtRest();
    await next.stop();
    const third = world.startDaemon();
    await third.untilAtRest();
    await world.push({ "orders.yaml": good, "clicks.yaml": CLICKS });
    await third.untilJob("orders", has("Started", "StatusLost"));
    await third.untilJob("clicks", isRunning);
    await third.untilAtRest();
    expect(world.flink.jobs).toHaveLength(1);

    await world.push({ "note.txt": "x" }, "Start it without its state\n\nPenstock-Rebuild-Status: yes\n");
    await third.untilJob("orders", isRunning);
    expect(await world.git.readFile("jobs", STATUS_BRANCH, "summary.yaml")).not.toContain("statusLost");
  });

  it("decides nothing while a cluster cannot be seen, for a job of ours may run there", async () => {
    const { world, daemon } = await aRunningWorld();
    await using _ = world;
    await daemon.stop();
    await world.git.deleteBranch("jobs", STATUS_BRANCH);
    await world.flink.refuse();
    const next = world.startDaemon();
    expect((await next.untilBlind()).because).toMatch(
      /whether anything of instance test runs cannot be told before main can be reached/,
    );
    expect(await world.git.head("jobs", STATUS_BRANCH)).toBeUndefined();
    await world.flink.accept();
    world.clock.pass(60_000); // the breaker's pause
    await next.untilJob("orders", isRunning);
    expect(world.flink.countCalls(RUN)).toBe(1);
  });
});

describe.concurrent("somebody else's hand on the status branch", () => {
  it("between read and push is a conflict: the daemon reads again, and both commits stay", async () => {
    const { world, daemon } = await aRunningWorld();
    await using _ = world;
    world.git.before({ service: "git-receive-pack", step: "call", times: 1 }, async () => {
      await world.git.commitFiles("jobs", STATUS_BRANCH, { "note.md": "hello" }, "a note");
    });
    await world.push({ "clicks.yaml": CLICKS });
    await daemon.until("it sees the conflict", ({ published }) => published.kind === "conflict");
    await daemon.untilJob("clicks", isRunning);
    expect(await world.statusCommits()).toContain("a note");
    expect(await world.git.readFile("jobs", STATUS_BRANCH, "note.md")).toBe("hello");
    expect(world.flink.jobs).toHaveLength(2);
    expect(daemon.logged("warn", "error")).toEqual([]);
  });

  it.each<[string, Readonly<Record<string, FileChange>>]>([
    ["with text that is no YAML", { [ORDERS]: "status: [broken\n" }],
    ["with text in another encoding", { [ORDERS]: Buffer.from("\uFEFFkind: Job\n", "utf16le") }],
    ["with more than a status can be", { [ORDERS]: `# ${"x".repeat(5 * 1024 ** 2)}\n` }],
    ["by a link", { [ORDERS]: { symlink: "../job/clicks.yaml" } }],
    ["by a folder", { [ORDERS]: null, [`${ORDERS}/README.md`]: "moved\n" }],
  ])("that breaks a file %s leaves that job alone, names the file, and delays no other", async (_name, broken) => {
    const { world, daemon } = await aRunningWorld();
    await using _ = world;
    const good = await world.git.readFile("jobs", STATUS_BRANCH, ORDERS);
    await world.git.commitFiles("jobs", STATUS_BRANCH, broken, "oops");
    const tree = (await world.git.listTree("jobs", STATUS_BRANCH)).filter((line) => line.includes(ORDERS));
    await daemon.until(
      "it is told",
      ({ update, published }) => published.kind === "written" && update.summary.problems.length > 0,
    );
    expect((await world.summary()).problems).toEqual([expect.stringMatching(/^local\/default\/job\/orders\.yaml:\d+:\d+ /)]);
    await world.push({ "clicks.yaml": CLICKS });
    await daemon.untilJob("clicks", isRunning);
    expect((await world.git.listTree("jobs", STATUS_BRANCH)).filter((line) => line.includes(ORDERS))).toEqual(tree);
    expect(world.flink.jobs).toHaveLength(2);

    const gone = Object.fromEntries(Object.keys(broken).map((path) => [path, null]));
    await world.git.commitFiles("jobs", STATUS_BRANCH, { ...gone, [ORDERS]: good }, "mended");
    await daemon.untilJob("orders", isRunning);
    await daemon.untilAtRest();
    expect((await world.summary()).problems).toEqual([]);
    expect(world.flink.jobs).toHaveLength(2);
  });

  it("that deletes the file of a running job does not start it again: it is adopted", async () => {
    const { world, daemon, flinkJobId } = await aRunningWorld();
    await using _ = world;
    await world.git.commitFiles("jobs", STATUS_BRANCH, { [ORDERS]: null }, "oops");
    await daemon.until("it is there again", ({ published }) => published.kind === "written");
    expect((await world.job("orders"))?.status).toMatchObject({ phase: "Ready", flinkJobId, flinkJobState: "Running" });
    expect(world.flink.jobs).toHaveLength(1);
  });
});
