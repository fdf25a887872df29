import { parseAllDocuments } from "yaml";
import { describe, expect, it } from "vitest";
import { isMirrorCommit } from "../../src/git/mirror-commit.ts";
import { aJob, anArtifact, aRunningJob, counterJar } from "./manifests.ts";
import type { DonePass } from "../../src/pass/reconcile.ts";
import { isOnBranch, statusOfJob, type RunningDaemon } from "./running-daemon.ts";
import { createWorld, has, isRunning, type World, type WorldOptions } from "./world.ts";

const INLINE = { status: { target: "inline" } };
const PUSH_TO_MAIN = { service: "git-receive-pack", step: "call", body: "refs/heads/main" } as const;

async function createInlineWorld(options: WorldOptions = {}): Promise<World> {
  return createWorld({ ...options, config: { ...INLINE, ...options.config } });
}

interface Shown {
  readonly phase: string;
  readonly flinkJobState?: string;
  readonly flinkJobId?: string;
  readonly uri?: string;
  readonly conditions: readonly { readonly type: string; readonly reason: string }[];
}

/** What the documents of a file on main show, by kind and name. */
async function shownIn(world: World, path: string): Promise<Readonly<Record<string, Shown | undefined>>> {
  const documents = parseAllDocuments(await world.git.readFile("jobs", "main", path));
  return Object.fromEntries(
    documents.map((document) => {
      const { kind, metadata, status } = document.toJS() as { kind: string; metadata?: { name: string }; status?: Shown };
      return [`${kind} ${metadata?.name}`, status];
    }),
  );
}

/** The manifests show what the status branch says. */
function isMirrored(pass: DonePass): boolean {
  return isOnBranch(pass) && pass.unmirrored.length === 0;
}

async function untilMirrored(daemon: RunningDaemon, name: string): Promise<void> {
  await daemon.until(`${name} is shown as it runs`, (pass) => {
    const status = statusOfJob(pass, name);
    return isMirrored(pass) && status !== undefined && isRunning(status);
  });
}

async function commitsOf(world: World) {
  const [main, status] = [await world.git.log("jobs", "main"), await world.statusCommits()];
  return { main: main.map(({ oid }) => oid), status };
}

/** Everything in a file but the lines of the blocks that Penstock writes. */
function withoutBlocks(text: string): string {
  return text.replaceAll(/^status: # written by Penstock.*\r?\n(?: .*\r?\n)*/gm, "");
}

function jobsOfOneArtifact(...names: readonly string[]): string {
  return anArtifact("app") + names.map((name) => aJob(name, { artifact: "app", rpus: 1 })).join("");
}

describe.concurrent("a status that is mirrored into the manifests", () => {
  it("shows phase, state, job id and conditions, and leaves every other byte as it is", async () => {
    await using world = await createInlineWorld();
    const text = `# our jobs\r\n${(anArtifact("orders") + aJob("orders")).replaceAll("\n", "\r\n")}  # rpus: 3\r\n---\r\nkind:   Foreign # not ours\r\n`;
    const others = {
      "README.md": "status:\n",
      "tools/run.yaml": { executable: anArtifact("tools") },
      "bad.yaml": aJob("bad", { rpus: -1 }),
    };
    await world.push({ "orders.yaml": text, ...others, "jars/counter.jar": await counterJar() });
    const daemon = world.startDaemon();
    await untilMirrored(daemon, "orders");
    const branch = (await world.job("orders"))!.status;
    const { phase, flinkJobState, flinkJobId, conditions } = branch;
    expect((await shownIn(world, "orders.yaml"))["Job orders"]).toEqual({ phase, flinkJobState, flinkJobId, conditions });
    expect((await shownIn(world, "orders.yaml"))["Artifact orders"]).toMatchObject({ phase: "Ready" });
    expect(withoutBlocks(await world.git.readFile("jobs", "main", "orders.yaml"))).toBe(text);
    expect(await world.git.readFile("jobs", "main", "bad.yaml")).toBe(others["bad.yaml"]);
    expect((await world.git.listTree("jobs", "main")).filter((line) => line.startsWith("100755"))).toHaveLength(1);
    expect((await shownIn(world, "tools/run.yaml"))["Artifact tools"]).toMatchObject({ phase: "Ready" });
    const [newest] = await world.git.log("jobs", "main");
    expect(newest).toMatchObject({
      author: "Penstock <penstock@localhost>",
      message: expect.stringMatching(
        /^Status of default\/orders: .*Running[^]*\n\nPenstock-Status: test\nPenstock-Status-Tree: [0-9a-f]{40}$/,
      ),
    });
    await world.git.git("jobs", ["fsck", "--strict"]);
  });

  it("makes one commit for what is new and none when nothing is, also in a daemon that has just begun", async () => {
    await using world = await createInlineWorld();
    // A document with a problem and a Job that is not bound yet stand behind one that gets a block, so that their lines move.
    await world.push({
      ...(await aRunningJob()),
      "more.yaml": anArtifact("more") + aJob("bad", { rpus: -1 }) + aJob("early", { artifact: "nowhere" }),
    });
    const applied = (await world.git.head("jobs", "main"))!;
    const first = world.startDaemon();
    await untilMirrored(first, "orders");
    await first.untilJob("early", has("Started", "ArtifactMissing"));
    await first.until("all is shown", isMirrored);
    const before = await commitsOf(world);
    await first.passes(10);
    expect(await commitsOf(world)).toEqual(before);
    expect((await world.summary()).appliedCommit).toBe(applied);
    await first.stop();

    const second = world.startDaemon();
    await second.untilAtRest();
    await second.passes(10);
    expect(await commitsOf(world)).toEqual(before);
    expect(second.logged("warn", "error")).toEqual([]);
    // A mirror for each commit of the status at most.
    expect(before.main.length - 1).toBeLessThanOrEqual(before.status.length);
  });

  it("is no news: a commit on top of it that touches no manifest makes no commit of the status, one in a manifest makes one", async () => {
    await using world = await createInlineWorld();
    await world.push({ ...(await aRunningJob()), "big.yaml": aJob("big", { artifact: "orders", rpus: 100 }) });
    const daemon = world.startDaemon();
    await untilMirrored(daemon, "orders");
    await daemon.untilJob("big", has("Placed", "NotEnoughSlots"));
    await daemon.until("all is shown", isMirrored);
    const before = await commitsOf(world);
    await daemon.untilApplied(await world.push({ "README.md": "# Our jobs\n" }));
    await daemon.passes(5);
    expect((await commitsOf(world)).status).toEqual(before.status);
    expect((await commitsOf(world)).main).toHaveLength(before.main.length + 1);

    const text = await world.git.readFile("jobs", "main", "big.yaml");
    await daemon.untilApplied(await world.push({ "big.yaml": `# much data\n${text}` }));
    await daemon.passes(5);
    expect((await commitsOf(world)).status).toHaveLength(before.status.length + 1);
    expect((await commitsOf(world)).main).toHaveLength(before.main.length + 2);
  });

  it("is mended when somebody changes it, and is made again on a commit that was pushed at the same moment", async () => {
    await using world = await createInlineWorld();
    await world.push(await aRunningJob());
    const daemon = world.startDaemon();
    await untilMirrored(daemon, "orders");
    const shown = await world.git.readFile("jobs", "main", "orders.yaml");
    const before = await commitsOf(world);
    const pushes: string[] = [];
    world.git.before({ ...PUSH_TO_MAIN, times: 1 }, async () => {
      pushes.push(await world.push({ "notes.md": "at the same moment" }, "A note"));
    });
    const tampered = await world.push({ "orders.yaml": shown.replace("phase: Ready", "phase: Deleting") });
    await daemon.until("the file shows it again", (pass) => pass.snapshot.commit === pushes[0] && isMirrored(pass));
    expect(await world.git.readFile("jobs", "main", "orders.yaml")).toBe(shown);
    expect(await world.git.readFile("jobs", "main", "notes.md")).toBe("at the same moment");
    const after = await commitsOf(world);
    expect(after.main.slice(1)).toEqual([pushes[0], tampered, ...before.main]);
    expect(after.status).toEqual(before.status);
    expect(daemon.logged("warn", "error")).toEqual([]);
  });

  it("is not written to a branch that refuses it: the summary says so, the log once, and jobs run all the same", async () => {
    await using world = await createInlineWorld();
    await world.git.installHook(
      "jobs",
      "update",
      'if [ "$1" = refs/heads/main ]; then echo "main is protected, $(date +%N)" >&2; exit 1; fi',
    );
    const { config, clock } = world;
    await world.push(await aRunningJob());
    const daemon = world.startDaemon();
    const pass = await daemon.until("it is said", ({ snapshot }) => snapshot.status.summary?.unmirrored !== undefined);
    const text =
      /^the status cannot be mirrored into the branch main: .*main is protected.*; let the daemon's account push to it, or set status.target: branch$/;
    expect(pass.snapshot.status.summary!.unmirrored).toEqual([expect.stringMatching(text)]);
    await daemon.untilJob("orders", isRunning);
    await daemon.untilAtRest();
    const before = await commitsOf(world);
    world.git.resetTraffic();
    clock.pass(3_600_000);
    await daemon.untilJob("orders", has("Recoverable", "CheckpointCompleted"));
    clock.pass(3_600_000);
    await daemon.passes(10);
    expect((await commitsOf(world)).main).toEqual(before.main);
    expect((await commitsOf(world)).status).toHaveLength(before.status.length + 1);
    expect(daemon.logged("warn", "error").map(({ msg }) => msg)).toEqual([
      "status cannot be mirrored into the manifests; it is tried again",
    ]);
    expect(config.status.target).toBe("inline");
    expect((await world.runOnce()).trouble).toEqual([expect.stringMatching(text)]);

    await world.git.installHook("jobs", "update", "");
    clock.pass(3_600_000);
    await daemon.until(
      "it is shown and the summary is clean",
      (seen) => isMirrored(seen) && seen.update.summary.unmirrored === undefined,
    );
    expect((await shownIn(world, "orders.yaml"))["Job orders"]).toMatchObject({ flinkJobState: "Running" });
  });

  it("delays nothing when the server does not answer to its push", async () => {
    await using world = await createInlineWorld();
    world.git.fault({ kind: "hang", afterDoing: false }, PUSH_TO_MAIN);
    await world.push(await aRunningJob());
    const daemon = world.startDaemon();
    await daemon.untilJob("orders", isRunning);
    world.git.heal();
    await daemon.stop();
    expect((await world.job("orders"))!.status.flinkJobState).toBe("Running");
  });

  it("does not hide the trailer of a commit below it, and does not let it count twice", async () => {
    await using world = await createInlineWorld({ config: { ...INLINE, policy: { deletions: { max: 1 } } } });
    await world.push({ "jobs.yaml": jobsOfOneArtifact("a", "b", "c", "d"), "jars/counter.jar": await counterJar() });
    const daemon = world.startDaemon();
    for (const name of ["a", "b", "c", "d"]) await untilMirrored(daemon, name);
    await world.push({ "jobs.yaml": jobsOfOneArtifact("d") });
    await daemon.untilJob("a", has("Deleted", "TooManyDeletions"));
    await daemon.until("all is shown", isMirrored);
    await daemon.stop();
    // The wish, below a mirror that another daemon of the instance made of it.
    await world.push({ "README.md": "1\n" }, "Let one go\n\nPenstock-Allow-Deletions: 1");
    const shown = await world.git.readFile("jobs", "main", "jobs.yaml");
    await world.push({ "jobs.yaml": shown.replace(/phase: .*/, "phase: Other") });
    const tree = (await world.git.git("jobs", ["rev-parse", "main^{tree}"])).toString().trim();
    const wish = (await world.git.git("jobs", ["rev-parse", "main^"])).toString().trim();
    const message = `Status of default/d: Ready\n\nPenstock-Status: test\nPenstock-Status-Tree: ${tree}\n`;
    const mirror = (await world.git.git("jobs", ["commit-tree", tree, "-p", wish, "-m", message])).toString().trim();
    await world.git.setBranch("jobs", "main", mirror);

    const next = world.startDaemon();
    await next.untilJob("a", ({ phase, deleted }) => phase === "Deleting" && deleted !== undefined);
    await next.untilAtRest();
    expect((await world.summary()).appliedCommit).toBe(wish);
    for (const name of ["b", "c"])
      expect((await world.job(name))!.status).toMatchObject({ phase: "Ready", flinkJobState: "Running" });
    await next.stop();
    const last = world.startDaemon();
    await last.untilAtRest();
    await last.passes(5);
    expect((await world.job("b"))!.status.phase).toBe("Ready");
  });

  it("leaves the manifests of zones alone that this daemon does not know", async () => {
    await using world = await createInlineWorld();
    await world.push({ ...(await aRunningJob()), "far.yaml": aJob("far", { zone: "far", artifact: "orders" }) });
    const daemon = world.startDaemon();
    await untilMirrored(daemon, "orders");
    await daemon.until("far is known", ({ update }) => [...update.records.keys()].some((key) => key.startsWith("far/")));
    await daemon.untilAtRest();
    expect(await shownIn(world, "far.yaml")).toMatchObject({ "Job far": undefined });
  });

  it("is seen through by who reads the log: its commits are told from all others", async () => {
    await using world = await createInlineWorld();
    const pushed = await world.push(await aRunningJob());
    const daemon = world.startDaemon();
    await untilMirrored(daemon, "orders");
    const [newest] = await world.git.log("jobs", "main");
    const [tree, other] = (await world.git.git("jobs", ["rev-parse", "main^{tree}", `${pushed}^{tree}`])).toString().split("\n");
    const { message } = newest!;
    expect(isMirrorCommit({ message, tree: tree!, parents: [pushed] })).toBe(true);
    expect(isMirrorCommit({ message, tree: other!, parents: [pushed] })).toBe(false);
    expect(isMirrorCommit({ message: `${message}\nPenstock-Allow-Deletions: 9`, tree: tree!, parents: [pushed] })).toBe(false);
    expect(isMirrorCommit({ message, tree: tree!, parents: [pushed, pushed] })).toBe(false);
  });
});
