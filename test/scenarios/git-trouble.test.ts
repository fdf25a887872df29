import { describe, expect, it } from "vitest";
import { aJob, aRunningJob, anArtifact, counterJar } from "./manifests.ts";
import type { RunningDaemon } from "./running-daemon.ts";
import { conditionOf, createWorld, isRunning, STATUS_BRANCH, WRITES, type World, type WorldOptions } from "./world.ts";

const CLICKS = aJob("clicks", { artifact: "orders" });

/** A world in which `orders` runs. */
async function aRunningWorld(options?: WorldOptions): Promise<{ world: World; daemon: RunningDaemon }> {
  const world = await createWorld(options);
  await world.push(await aRunningJob("orders"));
  const daemon = world.startDaemon();
  await daemon.untilJob("orders", isRunning);
  await daemon.untilAtRest();
  return { world, daemon };
}

describe.concurrent("a Git server that is down", () => {
  it("when the daemon starts is waited for, said once, and then everything starts", async () => {
    await using world = await createWorld();
    world.git.fault({ kind: "status", status: 503 });
    await world.push(await aRunningJob("orders"));
    const daemon = world.startDaemon();
    const { because } = await daemon.untilBlind();
    expect(because).toContain("503");
    await daemon.untilBlind();
    expect(daemon.logged("warn", "error").map(({ msg }) => msg)).toEqual([
      "repository cannot be read; the last commit stays in force",
      "nothing can be decided; it is tried again",
    ]);
    world.git.heal();
    await daemon.untilJob("orders", isRunning);
  });

  it("later stops nothing, is said once, and what was pushed meanwhile starts when it is back", async () => {
    const { world, daemon } = await aRunningWorld();
    await using _ = world;
    world.git.fault({ kind: "drop" });
    await world.push({ "clicks.yaml": CLICKS });
    await daemon.until("the last commit stays in force", ({ snapshot }) => snapshot.stale !== undefined);
    await daemon.passes(10);
    expect(world.flink.jobs.map(({ state }) => state)).toEqual(["RUNNING"]);
    expect(daemon.logged("warn", "error")).toHaveLength(1);

    world.git.heal();
    await daemon.untilJob("clicks", isRunning);
    expect(daemon.logged("info").map(({ msg }) => msg)).toContain("repository can be read again");
  });

  it("while the status is to be written starts nothing, and starts it once when it is back", async () => {
    const { world, daemon } = await aRunningWorld();
    await using _ = world;
    world.git.fault({ kind: "status", status: 500 }, { service: "git-receive-pack" });
    await world.push({ "clicks.yaml": CLICKS });
    await daemon.until("writing fails", ({ published }) => published.kind === "failed");
    await daemon.passes(3);
    expect(world.flink.jobs).toHaveLength(1);
    world.git.heal();
    await daemon.untilJob("clicks", isRunning);
    expect(world.flink.jobs).toHaveLength(2);
  });

  it("for the answer to a push is asked whether the push arrived, and goes on with it", async () => {
    const { world, daemon } = await aRunningWorld();
    await using _ = world;
    world.git.fault({ kind: "lose-answer" }, { service: "git-receive-pack", step: "call" });
    await world.push({ "clicks.yaml": CLICKS });
    await daemon.untilJob("clicks", isRunning);
    expect((await world.job("clicks"))?.status).toMatchObject({ attempt: 1, run: 1 });
    expect(world.flink.jobs).toHaveLength(2);
    expect(daemon.logged("warn", "error")).toEqual([]);
  });
});

describe.concurrent("a branch", () => {
  it("that does not exist yet is waited for and named", async () => {
    await using world = await createWorld({ repository: { branch: "live" } });
    await world.push(await aRunningJob("orders"));
    const daemon = world.startDaemon();
    expect((await daemon.untilBlind()).because).toBe(
      "the branch does not exist on the server, so nothing is started, changed or deleted for it; push it, or mend repository.branch",
    );
    await world.git.commitFiles("jobs", "live", await aRunningJob("orders"), "go live");
    await daemon.untilJob("orders", isRunning);
  });

  it("of an empty repository is waited for", async () => {
    await using world = await createWorld();
    const daemon = world.startDaemon();
    expect((await daemon.untilBlind()).because).toBe("the repository is empty; push the first commit");
    await world.push(await aRunningJob("orders"));
    await daemon.untilJob("orders", isRunning);
  });

  it("that is deleted while jobs run stops nothing and counts for no deletion", async () => {
    const { world, daemon } = await aRunningWorld();
    await using _ = world;
    const [before, writes] = [await world.job("orders"), world.flink.countCalls(WRITES)];
    const head = (await world.git.head("jobs", "main"))!;
    await world.git.deleteBranch("jobs", "main");
    await daemon.until("it is missed", ({ snapshot }) => snapshot.stale !== undefined);
    await daemon.passes(5);
    expect(await world.job("orders")).toEqual(before);
    await world.git.setBranch("jobs", "main", head);
    await daemon.until("it is back", ({ snapshot }) => snapshot.stale === undefined);
    expect(await world.job("orders")).toEqual(before);
    expect(world.flink.countCalls(WRITES)).toBe(writes);
  });

  it("whose history is rewritten is followed: what it declares now is what counts", async () => {
    const { world, daemon } = await aRunningWorld();
    await using _ = world;
    const files = { "all.yaml": anArtifact("orders") + aJob("orders") + CLICKS, "jars/counter.jar": await counterJar() };
    const rewritten = await world.git.commitFiles("jobs", "main", files, "start over", { parent: "none" });
    await daemon.untilJob("clicks", isRunning);
    expect((await world.summary()).appliedCommit).toBe(rewritten);
    expect(world.flink.jobs).toHaveLength(2);
    expect(conditionOf(await world.job("orders"), "Accepted")?.status).toBe("True");
  });
});

describe.concurrent("a push of the status that the server refuses", () => {
  it("with a hook starts nothing, is said once with the hook's words, and goes on when it may", async () => {
    await using world = await createWorld();
    await world.git.installHook("jobs", "pre-receive", "echo 'penstock may not write here' >&2; exit 1");
    await world.push(await aRunningJob("orders"));
    const daemon = world.startDaemon();
    for (let refused = 0; refused < 2; refused += 1)
      await daemon.until("it is refused", ({ published }) => published.kind === "failed");
    expect(world.flink.jobs).toEqual([]);
    expect(daemon.logged("warn", "error")).toEqual([
      {
        because: expect.stringContaining("penstock may not write here"),
        msg: "status cannot be written, so nothing is started; it is tried again",
      },
    ]);
    await world.git.installHook("jobs", "pre-receive", "");
    await daemon.untilJob("orders", isRunning);
    expect((await world.job("orders"))?.status).toMatchObject({ attempt: 1, run: 1 });
  });

  it("with 403 starts nothing and says what to check, while what runs is looked after", async () => {
    const { world, daemon } = await aRunningWorld();
    await using _ = world;
    const commits = await world.statusCommits();
    world.git.fault({ kind: "status", status: 403 }, { service: "git-receive-pack" });
    await world.push({ "clicks.yaml": CLICKS });
    const pass = await daemon.until("it is refused", ({ published }) => published.kind === "failed");
    expect(pass.published).toMatchObject({ because: expect.stringContaining("check their rights (403") as string });
    await daemon.passes(3);
    expect(world.flink.jobs).toHaveLength(1);
    expect(await world.statusCommits()).toEqual(commits);
    world.git.heal();
    await daemon.untilJob("clicks", isRunning);
    expect(await world.git.head("jobs", STATUS_BRANCH)).toBeDefined();
  });
});
