import { describe, expect, it } from "vitest";
import type { GitFault } from "../support/git-faults.ts";
import type { RequestMatch } from "../support/git-server.ts";
import { aJob, anArtifact, aRunningJob, counterJar } from "./manifests.ts";
import type { RunningDaemon } from "./running-daemon.ts";
import { createServedWorld } from "./served-world.ts";
import { conditionOf, createWorld, has, isRunning, STATUS_BRANCH, untilCheckpointed, WRITES, type World } from "./world.ts";

const [SECOND_MS, MINUTE_MS] = [1000, 60_000] as const;
const CLICKS = aJob("clicks", { artifact: "orders" });
const READS = { service: "git-upload-pack" } as const;
const PUSHES = { service: "git-receive-pack" } as const;
const FETCH: RequestMatch = { service: "git-upload-pack", step: "call", body: "want " };
const ALLOW = "Penstock-Allow-Deletions";

async function aRunningWorld(): Promise<{ world: World; daemon: RunningDaemon; flinkJobId: string }> {
  const world = await createWorld();
  await world.push(await aRunningJob("orders"));
  const daemon = world.startDaemon();
  const { flinkJobId } = await daemon.untilJob("orders", isRunning);
  await untilCheckpointed(world, daemon, flinkJobId!);
  await daemon.untilAtRest();
  return { world, daemon, flinkJobId: flinkJobId! };
}

function running(world: World): number {
  return world.flink.jobs.filter(({ state }) => state === "RUNNING").length;
}

/** How often the server was asked anything since `resetTraffic`. */
function requestsTo({ git }: World): number {
  return git.traffic("git-upload-pack").requests + git.traffic("git-receive-pack").requests;
}

describe.concurrent("a Git server that lets nobody read", () => {
  it.each([
    [401, "does not accept the credentials; check repository.credentials (401)"],
    [403, "does not allow this with the given credentials; check their rights (403)"],
    [404, "or the credentials may not see it (404); check repository.url and repository.credentials"],
  ])("with %i stops nothing, says once what to check, and what runs is healed meanwhile", async (status, words) => {
    const { world, daemon, flinkJobId } = await aRunningWorld();
    await using _ = world;
    world.git.fault({ kind: "status", status }, READS);
    await world.push({ "orders.yaml": null, "clicks.yaml": CLICKS });
    await daemon.until("it is told", ({ snapshot }) => snapshot.stale !== undefined);
    await daemon.passes(10);
    expect(running(world)).toBe(1);
    expect(daemon.logged("warn", "error")).toEqual([
      { because: expect.stringContaining(words) as unknown, msg: "repository cannot be read; the last commit stays in force" },
    ]);
    world.flink.setJobState(flinkJobId, "FAILED", "out of memory");
    await daemon.untilJob("orders", (now) => isRunning(now) && now.flinkJobId !== flinkJobId);
    expect(running(world)).toBe(1);
    world.git.heal();
    await daemon.until("it is read again", ({ snapshot }) => snapshot.stale === undefined);
  });
});

describe.concurrent("a Git server that wants fewer requests", () => {
  it.each([
    ["in seconds", { "retry-after": "40" }],
    ["by a date of its own clock", { "retry-after": "Thu, 01 Jan 2026 00:00:40 GMT", date: "Thu, 01 Jan 2026 00:00:00 GMT" }],
  ])("%s is left alone for that long, whatever is pushed, and then catches up", async (_, headers) => {
    const { world, daemon } = await aRunningWorld();
    await using _world = world;
    world.git.fault({ kind: "status", status: 429, headers }, { times: 1 });
    await daemon.until("it is told", ({ snapshot }) => snapshot.stale !== undefined);
    expect(daemon.logged("warn").map(({ because }) => because)).toEqual([
      expect.stringContaining("wants fewer requests (429); again in 40s"),
    ]);
    world.git.resetTraffic();
    await world.push({ "clicks.yaml": CLICKS });
    await daemon.passes(10);
    world.clock.pass(30 * SECOND_MS);
    await daemon.passes(10);
    expect(requestsTo(world)).toBe(0);
    world.clock.pass(10 * SECOND_MS);
    await daemon.untilJob("clicks", isRunning);
  });

  it("for a day is asked again after a quarter of an hour", async () => {
    const { world, daemon } = await aRunningWorld();
    await using _ = world;
    world.git.fault({ kind: "status", status: 503, headers: { "retry-after": "86400" } }, { times: 1 });
    await daemon.until("it is told", ({ snapshot }) => snapshot.stale !== undefined);
    world.clock.pass(15 * MINUTE_MS);
    await daemon.until("it is read again", ({ snapshot }) => snapshot.stale === undefined);
  });

  it("when the status is pushed starts nothing before, and then once", async () => {
    const { world, daemon } = await aRunningWorld();
    await using _ = world;
    world.git.fault({ kind: "status", status: 429, headers: { "retry-after": "40" } }, { ...PUSHES, step: "call", times: 1 });
    await world.push({ "clicks.yaml": CLICKS });
    await daemon.until("it is told", ({ published }) => published.kind === "failed");
    await daemon.until("it is not polled either", ({ snapshot }) => snapshot.stale !== undefined);
    world.git.resetTraffic();
    await daemon.passes(5);
    expect(requestsTo(world)).toBe(0);
    expect(world.flink.jobs).toHaveLength(1);
    world.clock.pass(40 * SECOND_MS);
    await daemon.untilJob("clicks", isRunning);
    expect(world.flink.jobs).toHaveLength(2);
  });
});

describe.concurrent("a Git server that is down for a minute", () => {
  it("while a job fails and another is pushed loses nothing: one new attempt, one start", async () => {
    const { world, daemon, flinkJobId } = await aRunningWorld();
    await using _ = world;
    world.git.fault({ kind: "drop" });
    await world.push({ "clicks.yaml": CLICKS });
    await daemon.until("it is missed", ({ snapshot }) => snapshot.stale !== undefined);
    world.flink.setJobState(flinkJobId, "FAILED", "out of memory");
    for (let seconds = 0; seconds < 60; seconds += 10) {
      world.clock.pass(10 * SECOND_MS);
      await daemon.passes(2);
    }
    expect(running(world)).toBe(0); // what cannot be announced is not called
    world.git.heal();
    const healed = await daemon.untilJob("orders", (now) => isRunning(now) && now.flinkJobId !== flinkJobId);
    expect(healed).toMatchObject({ attempt: 2, startedFrom: { kind: "Checkpoint" } });
    await daemon.untilJob("clicks", isRunning);
    expect(running(world)).toBe(2);
  });
});

const DAMAGES: readonly (readonly [string, GitFault])[] = [
  ["is cut between two lines", { kind: "cut-between-lines", after: -1 }],
  ["is cut in a line", { kind: "cut-inside-line" }],
  ["ends with the socket", { kind: "close-socket" }],
  ["has a byte flipped", { kind: "flip-byte" }],
  ["is a page of a proxy", { kind: "replace", body: "<!DOCTYPE html><html>Sign in</html>" }],
];

describe.concurrent("a pack", () => {
  it.each(DAMAGES)("of the manifests that %s changes nothing, and is fetched again", async (_, fault) => {
    const { world, daemon } = await aRunningWorld();
    await using _world = world;
    const writes = world.flink.countCalls(WRITES);
    world.git.fault(fault, FETCH);
    await world.push({ "more.yaml": anArtifact("app") + aJob("clicks", { artifact: "app" }), "README.md": "x".repeat(5000) });
    await daemon.until("it is told", ({ snapshot }) => snapshot.stale !== undefined);
    await daemon.passes(5);
    expect(world.flink.countCalls(WRITES)).toBe(writes);
    expect(daemon.logged("warn", "error")).toHaveLength(1);
    world.git.heal();
    await daemon.untilJob("clicks", isRunning);
    expect(running(world)).toBe(2);
  });

  it.each(DAMAGES.slice(1, 4))("of the status that %s is no loss of the status: a new daemon waits for it", async (_, fault) => {
    const { world, daemon } = await aRunningWorld();
    await using _world = world;
    await daemon.stop();
    const [before, commits, writes] = [await world.job("orders"), await world.statusCommits(), world.flink.countCalls(WRITES)];
    const [head, main] = [await world.git.head("jobs", STATUS_BRANCH), await world.git.head("jobs", "main")];
    world.git.fault(fault, { ...FETCH, body: `want ${head}` });
    const next = world.startDaemon();
    await next.untilBlind();
    await next.untilBlind();
    expect(next.logged("warn", "error").length).toBeLessThanOrEqual(2);
    world.git.heal();
    await next.untilApplied(main!);
    await next.untilAtRest();
    expect(await world.job("orders")).toEqual(before);
    expect(await world.statusCommits()).toEqual(commits);
    expect(world.flink.countCalls(WRITES)).toBe(writes);
  });
});

/** Four Jobs, a file each, all running; the history holds a permission that was used up. */
async function aWorldOfFour(): Promise<{ world: World; daemon: RunningDaemon; names: readonly string[] }> {
  const world = await createWorld({ flink: { slots: 20 } });
  const names = ["a", "b", "c", "d"].map((letter) => `job-${letter}`);
  const files = names.map((name) => [`${name}.yaml`, aJob(name, { artifact: "app", rpus: 1 })] as const);
  await world.push({ "app.yaml": anArtifact("app"), "jars/counter.jar": await counterJar() });
  await world.push(Object.fromEntries(files), `All of them\n\n${ALLOW}: 4\n`);
  const daemon = world.startDaemon();
  for (const name of names) await daemon.untilJob(name, isRunning);
  await daemon.untilApplied(await world.push({ "job-a.yaml": `# the first\n${aJob("job-a", { artifact: "app", rpus: 1 })}` }));
  await daemon.untilAtRest();
  return { world, daemon, names };
}

describe.concurrent("a history that is rewritten by force", () => {
  it.each([
    ["keeps what permission was given in it used up", false],
    ["keeps it used up for a daemon that is started since, too", true],
  ])("so that most Jobs are gone %s: the guard holds them", async (_, restart) => {
    const { world, daemon } = await aWorldOfFour();
    await using _world = world;
    if (restart) await daemon.stop();
    const writes = world.flink.countCalls(WRITES);
    const [, allowed] = await world.git.log("jobs", "main");
    const gone = { "job-b.yaml": null, "job-c.yaml": null, "job-d.yaml": null };
    const rewritten = await world.git.commitFiles("jobs", "main", gone, "start over", { parent: allowed!.oid });
    const next = restart ? world.startDaemon() : daemon;
    if (restart) {
      expect((await next.untilBlind()).because).toMatch(/then the branch counts as set back$/); // it may be a copy that lags
      world.clock.pass(2 * MINUTE_MS);
    }
    await next.untilJob("job-d", has("Deleted", "TooManyDeletions"));
    await next.untilAtRest();
    expect((await world.summary()).appliedCommit).toBe(rewritten);
    expect(world.flink.countCalls(WRITES)).toBe(writes);
    expect(running(world)).toBe(4);

    await world.push({ "README.md": "I mean it" }, `Clean up\n\n${ALLOW}: 3\n`);
    for (const name of ["job-b", "job-c", "job-d"]) await next.untilJob(name, ({ deleted }) => deleted !== undefined);
    expect(running(world)).toBe(1);
  });

  it("and put back as it was stops nothing in between", async () => {
    const { world, daemon, names } = await aWorldOfFour();
    await using _ = world;
    const writes = world.flink.countCalls(WRITES);
    const head = (await world.git.head("jobs", "main"))!;
    await world.git.commitFiles("jobs", "main", { "README.md": "empty" }, "start over", { parent: "none" });
    await daemon.untilJob("job-d", has("Deleted", "TooManyDeletions"));
    await world.git.setBranch("jobs", "main", head);
    await daemon.untilApplied(head);
    await daemon.untilAtRest();
    for (const name of names) expect(conditionOf(await world.job(name), "Deleted")).toBeUndefined();
    expect(world.flink.countCalls(WRITES)).toBe(writes);
  });
});

describe.concurrent("a push of the status that the server refuses", () => {
  it.each([
    ["pre-receive", "pre-receive hook declined"],
    ["update", "hook declined"],
  ])(
    "in its %s hook, as a protected branch does, starts nothing and shows what it says, escaped and in bounds",
    async (hook, reason) => {
      const { world, daemon } = await aRunningWorld();
      await using _ = world;
      const commits = await world.statusCommits();
      const says = String.raw`printf '\033[31mGL-HOOK-ERR: <b>protected</b>\a\r\nask ada@example.com\n%5000s\n' x >&2; exit 1`;
      await world.git.installHook("jobs", hook, says);
      await world.push({ "clicks.yaml": CLICKS });
      await daemon.until("it is refused", ({ published }) => published.kind === "failed");
      await daemon.passes(3);
      const [line, ...more] = daemon.logged("warn", "error");
      expect(more).toEqual([]);
      expect(line).toMatchObject({ msg: "status cannot be written, so nothing is started; it is tried again" });
      const because = String(line!["because"]);
      expect(because).toMatch(new RegExp(`^${reason}: .*GL-HOOK-ERR: <b>protected</b> ask ada@example.com`));
      expect(because).not.toMatch(/\p{Cc}/u);
      expect(because.length).toBeLessThanOrEqual(400);
      expect(world.flink.jobs).toHaveLength(1);
      expect(await world.statusCommits()).toEqual(commits);
      await world.git.installHook("jobs", hook, "");
      await daemon.untilJob("clicks", isRunning);
      expect(world.flink.jobs).toHaveLength(2);
    },
  );

  it("for this branch alone goes on with its own commits when it may: nothing is lost that was learnt meanwhile", async () => {
    const { world, daemon, flinkJobId } = await aRunningWorld();
    await using _ = world;
    await world.git.installHook(
      "jobs",
      "update",
      `case "$1" in refs/heads/penstock/*) echo "$1 is protected" >&2; exit 1;; esac`,
    );
    world.flink.setJobState(flinkJobId, "FAILED", "out of memory");
    await daemon.until("it is refused", ({ published }) => published.kind === "failed");
    await daemon.passes(3);
    expect(running(world)).toBe(0);
    expect(String(daemon.logged("warn").at(-1)?.["because"])).toContain("refs/heads/penstock/status is protected");
    await world.git.installHook("jobs", "update", "");
    await daemon.untilJob("orders", (now) => isRunning(now) && now.flinkJobId !== flinkJobId);
    expect(running(world)).toBe(1);
  });
});

describe.concurrent("a token that may only read", () => {
  it.each([
    [403, "does not allow this with the given credentials; check their rights (403"],
    [401, "does not accept the credentials; check repository.credentials (401"],
  ])(
    "as the server says with %i keeps the daemon running and changing nothing, which readyz says, until it may write",
    async (status, words) => {
      await using served = await createServedWorld({}, async (world) => {
        world.git.fault({ kind: "status", status }, PUSHES);
        await world.push(await aRunningJob("orders"));
      });
      const { world, daemon } = served;
      await daemon.until("it is told", ({ published }) => published.kind === "failed");
      await daemon.passes(5);
      expect(world.flink.countCalls(/\/run$/)).toBe(0);
      expect(await world.git.head("jobs", STATUS_BRANCH)).toBeUndefined();
      expect(daemon.logged("warn", "error")).toEqual([
        {
          because: expect.stringContaining(words) as unknown,
          msg: "status cannot be written, so nothing is started; it is tried again",
        },
      ]);
      const ready = await served.fetch("readyz");
      expect(ready.status).toBe(503);
      expect(await ready.json()).toMatchObject({
        reasons: [expect.stringContaining(`the status branch cannot be written: the Git server at`) as unknown],
      });
      expect((await served.fetch("healthz")).status).toBe(200);
      world.git.heal();
      await daemon.untilJob("orders", isRunning);
      await daemon.untilAtRest();
      expect((await served.fetch("readyz")).status).toBe(200);
      expect(world.flink.jobs).toHaveLength(1);
    },
  );
});

/** The branch as a replica that lags shows it: the next `times` questions get an older head. */
async function answerWith(world: World, oid: string, times: number): Promise<void> {
  const line = `${oid} refs/heads/main\n`;
  const body = `${(line.length + 4).toString(16).padStart(4, "0")}${line}0000`;
  world.git.fault({ kind: "replace", body }, { ...READS, step: "call", body: "ref-prefix refs/heads/main", times });
}

describe.concurrent("an answer that comes out of order", () => {
  it("and tells where the branch stood before stops nothing that was declared since", async () => {
    const { world, daemon } = await aRunningWorld();
    await using _ = world;
    const before = (await world.git.head("jobs", "main"))!;
    const after = await world.push({ "clicks.yaml": CLICKS });
    await daemon.untilJob("clicks", isRunning);
    await daemon.untilAtRest();
    const writes = world.flink.countCalls(WRITES);
    for (let times = 0; times < 3; times += 1) {
      await answerWith(world, before, 1);
      await daemon.passes(10); // polls with the old answer, and then with the right one
    }
    expect((await world.summary()).appliedCommit).toBe(after);
    expect(world.flink.countCalls(WRITES)).toBe(writes);
    expect(running(world)).toBe(2);
  });

  it("is the truth when it stays so: the branch was set back", async () => {
    const { world, daemon } = await aRunningWorld();
    await using _ = world;
    const before = (await world.git.head("jobs", "main"))!;
    await world.push({ "clicks.yaml": CLICKS });
    await daemon.untilJob("clicks", isRunning);
    await world.git.setBranch("jobs", "main", before);
    await daemon.untilJob("clicks", ({ deleted }) => deleted !== undefined);
    expect(running(world)).toBe(1);
  });
});
