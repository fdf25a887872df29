import { describe, expect, it } from "vitest";
import type { Plan } from "../../src/preview/plan.ts";
import type { FileChange } from "../support/git-repositories.ts";
import { aJob, anArtifact, aRunningJob } from "./manifests.ts";
import type { RunningDaemon } from "./running-daemon.ts";
import { createWorld, isRunning, WRITES, type World } from "./world.ts";

const BRANCH = "penstock/previews";

/** One commit on the newest of main, that no ref names. */
async function commitRequest(world: World, files: Readonly<Record<string, FileChange>>, message = "change"): Promise<string> {
  const main = await world.git.head("jobs", "main");
  const head = await world.git.commitFiles("jobs", "work", files, message, { parent: main! });
  await world.git.deleteBranch("jobs", "work");
  return head;
}

/** Opens or moves a request: such a commit under the ref that a forge gives it. */
async function pushRequest(
  world: World,
  ref: string,
  files: Readonly<Record<string, FileChange>>,
  message = "change",
): Promise<string> {
  const head = await commitRequest(world, files, message);
  await world.git.git("jobs", ["update-ref", ref, head]);
  return head;
}

/** The plan on the previews' branch as soon as it is so; the daemon's passes go on meanwhile. */
async function untilPlan(
  world: World,
  daemon: RunningDaemon,
  id: string,
  test: (plan: Plan | undefined) => boolean,
): Promise<Plan | undefined> {
  for (let passes = 0; passes < 400; passes += 1) {
    const plan = await readPlan(world, id);
    if (test(plan)) return plan;
    await daemon.passes(1);
  }
  throw new Error(`the plan of ${id} did not come about:\n${daemon.log()}`);
}

async function readFile(world: World, path: string): Promise<string | undefined> {
  const head = await world.git.head("jobs", BRANCH);
  if (head === undefined) return undefined;
  const lines = await world.git.listTree("jobs", head);
  return lines.some((line) => line.endsWith(`\t${path}`)) ? world.git.readFile("jobs", head, path) : undefined;
}

async function readPlan(world: World, id: string): Promise<Plan | undefined> {
  const text = await readFile(world, `${id}.json`);
  return text === undefined ? undefined : (JSON.parse(text) as Plan);
}

/** `orders` runs with 2 rpus. */
async function aWorld(previews: object = {}): Promise<{ readonly world: World; readonly daemon: RunningDaemon }> {
  const world = await createWorld({ config: { previews } });
  await world.push(await aRunningJob("orders"));
  const daemon = world.startDaemon();
  await daemon.untilJob("orders", isRunning);
  return { world, daemon };
}

function hasOther(plan: Plan): boolean {
  return plan.steps.some(({ name, action }) => name === "other" && action === "leave");
}

const rescaled = (rpus: number): Readonly<Record<string, string>> => ({
  "orders.yaml": anArtifact("orders") + aJob("orders", { rpus }),
});

describe.concurrent("previews of requests", () => {
  it("say what a request would do, follow its head, and go with its ref", async () => {
    const { world, daemon } = await aWorld();
    await using _ = world;
    const head = await pushRequest(world, "refs/pull/7/head", rescaled(4));
    const first = await untilPlan(world, daemon, "7", (plan) => plan !== undefined);
    expect(first).toMatchObject({
      subject: { kind: "request", name: "request 7", head, merge: { kind: "merged" } },
      steps: [{ name: "orders", action: "rescale-by-savepoint", verdict: "now", slots: { needed: 2 } }, { action: "leave" }],
    });
    expect(await readFile(world, "7.md")).toContain("| Job **default/orders** | **rescale by savepoint** |");
    await pushRequest(world, "refs/pull/7/head", rescaled(0));
    await untilPlan(world, daemon, "7", (plan) => plan?.steps[0]?.action === "suspend");
    await world.git.git("jobs", ["update-ref", "-d", "refs/pull/7/head"]);
    await untilPlan(world, daemon, "7", (plan) => plan === undefined);
    expect(await readFile(world, "7.md")).toBeUndefined();
    expect(
      world.flink.calls.filter(({ method, path }) => /stop|savepoints/.test(path) && WRITES.test(`${method} ${path}`)),
    ).toEqual([]);
  });

  it("are planned against base and live state as they are by now", async () => {
    const { world, daemon } = await aWorld();
    await using _ = world;
    await pushRequest(world, "refs/merge-requests/3/head", { "big.yaml": aJob("big", { artifact: "orders", rpus: 6 }) });
    await untilPlan(world, daemon, "3", (plan) => plan?.steps[0]?.name === "big" && plan.steps[0].verdict === "now");
    await world.push({ "other.yaml": aJob("other", { artifact: "orders", rpus: 3 }) });
    const later = await untilPlan(world, daemon, "3", (plan) => plan?.steps[0]?.verdict === "waits" && hasOther(plan));
    expect(later?.steps[0]).toMatchObject({ name: "big", reason: "NotEnoughSlots" });
  });

  it("say which files conflict, and plan nothing then", async () => {
    const { world, daemon } = await aWorld();
    await using _ = world;
    await pushRequest(world, "refs/pull/8/head", rescaled(4));
    await world.push(rescaled(3));
    const plan = await untilPlan(
      world,
      daemon,
      "8",
      (found) => found?.subject.kind === "request" && found.subject.merge.kind === "conflict",
    );
    expect(plan).toMatchObject({ subject: { merge: { files: ["orders.yaml"] } }, steps: [] });
    expect(await readFile(world, "8.md")).toMatch(/conflicts with the branch it is for in orders\.yaml/);
  });

  it("plan branches that a pattern names, and say all problems of a tree, harmlessly", async () => {
    const { world, daemon } = await aWorld({ branches: ["feature/**"] });
    await using _ = world;
    const evil = "<script>alert(1)</script> @all";
    await pushRequest(world, "refs/heads/feature/more-jobs", {
      "bad.yaml": `${aJob("bad", { rpus: -1 })}  ${JSON.stringify(evil)}: 1\n`,
    });
    const plan = await untilPlan(world, daemon, "branch-feature-more-jobs-15deba86", (found) => found !== undefined);
    expect(plan).toMatchObject({ subject: { name: "branch feature/more-jobs" } });
    expect(plan?.problems.length).toBeGreaterThan(1);
    const text = await readFile(world, "branch-feature-more-jobs-15deba86.md");
    expect(text).toContain("&lt;script");
    expect(text).not.toMatch(/<script|@all/);
  });

  it("are left alone by a daemon that starts again, and by passes that change nothing", async () => {
    const { world, daemon } = await aWorld();
    await using _ = world;
    await daemon.untilAtRest(); // what is live moves no more
    await pushRequest(world, "refs/pull/7/head", rescaled(4));
    await untilPlan(world, daemon, "7", (plan) => plan?.steps[0]?.verdict === "now");
    await daemon.stop();
    const head = await world.git.head("jobs", BRANCH);
    const next = world.startDaemon();
    await pushRequest(world, "refs/pull/9/head", rescaled(5));
    await untilPlan(world, next, "9", (plan) => plan !== undefined);
    const log = await world.git.log("jobs", BRANCH);
    expect(log[0]?.message).toMatch(/^Plan 9\n/);
    expect((await world.git.git("jobs", ["rev-parse", `${BRANCH}~1`])).toString().trim()).toBe(head);
  });

  it("delay nothing else while one cannot be had", async () => {
    const { world, daemon } = await aWorld();
    await using _ = world;
    const asked = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    const head = await commitRequest(world, rescaled(4));
    world.git.before({ body: `want ${head}` }, async () => {
      asked.resolve();
      await released.promise;
    });
    await world.git.git("jobs", ["update-ref", "refs/pull/7/head", head]);
    await asked.promise;
    await world.push({ "other.yaml": aJob("other", { artifact: "orders", rpus: 1 }) });
    await daemon.untilJob("other", isRunning);
    expect(await readPlan(world, "7")).toBeUndefined();
    released.resolve();
    await untilPlan(world, daemon, "7", (plan) => plan !== undefined);
  });

  it("are written a part at a time where planning all of them takes long", async () => {
    const { world, daemon } = await aWorld();
    await using _ = world;
    const refs: string[] = [];
    for (let number = 1; number <= 6; number += 1) {
      const head = await commitRequest(world, rescaled(10 + number));
      refs.push(`create refs/pull/${number}/head ${head}\n`);
      world.git.before({ body: `want ${head}` }, async () => world.clock.pass(6000));
    }
    await world.git.git("jobs", ["update-ref", "--stdin"], refs.join(""));
    await untilPlan(world, daemon, "1", (plan) => plan !== undefined);
    const written = (await world.git.log("jobs", BRANCH)).map(({ message }) => message.split("\n")[0]!);
    expect(written.filter((message) => message.startsWith("Plan")).toReversed()).toEqual(["Plan 6, 5", "Plan 4, 3", "Plan 2, 1"]);
  });

  it("stay as they are while a daemon that starts again cannot have their requests", async () => {
    const { world, daemon } = await aWorld();
    await using _ = world;
    const head = await pushRequest(world, "refs/pull/7/head", rescaled(4));
    await untilPlan(world, daemon, "7", (plan) => plan !== undefined);
    await daemon.stop();
    world.git.fault({ kind: "status", status: 503 }, { body: `want ${head}`, times: 1000 });
    const next = world.startDaemon();
    await pushRequest(world, "refs/pull/9/head", rescaled(5));
    await untilPlan(world, next, "9", (plan) => plan !== undefined);
    expect(await readPlan(world, "7")).toBeDefined();
  });

  it("are none where the configuration wants none", async () => {
    const { world, daemon } = await aWorld({ plans: false });
    await using _ = world;
    await pushRequest(world, "refs/pull/7/head", rescaled(4));
    await daemon.passes(30);
    expect(await world.git.head("jobs", BRANCH)).toBeUndefined();
  });
});

// Alone, as 200 plans are some work.
describe("previews of 200 requests", () => {
  it("cost one listing of refs a poll when 200 are open, once they are planned", async () => {
    const { world, daemon } = await aWorld();
    await using _ = world;
    const heads: string[] = [];
    for (const rpus of [3, 4, 5, 6]) heads.push(await pushRequest(world, "refs/pull/1/head", rescaled(rpus)));
    const refs = Array.from(
      { length: 200 },
      (__, index) => `update refs/pull/${index + 1}/head ${heads[index % heads.length]}\n`,
    );
    await world.git.git("jobs", ["update-ref", "--stdin"], refs.join(""));
    for (const id of ["1", "200"]) await untilPlan(world, daemon, id, (plan) => plan !== undefined);
    expect(await world.git.listTree("jobs", BRANCH)).toHaveLength(400);
    await daemon.passes(10);
    const head = await world.git.head("jobs", BRANCH);
    let listings = 0;
    let polls = 0;
    let others = 0;
    world.git.before({ body: "ref-prefix refs/pull/" }, async () => void (listings += 1));
    world.git.before({ body: "ref-prefix refs/heads/main" }, async () => void (polls += 1));
    world.git.before({ service: "git-upload-pack", step: "call", body: "want " }, async () => void (others += 1));
    const calls = world.flink.calls.length;
    await daemon.passes(40);
    expect(listings).toBeGreaterThan(0);
    expect(listings).toBeLessThanOrEqual(polls * 1.5 + 2); // each has its own timer with the same interval
    expect(others).toBe(0);
    // The daemon itself looks at its job now and then.
    expect(world.flink.calls.slice(calls).filter(({ path }) => path.includes("checkpoints")).length).toBeLessThan(10);
    expect(await world.git.head("jobs", BRANCH)).toBe(head);
  });
});
