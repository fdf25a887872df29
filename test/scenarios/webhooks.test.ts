import { writeFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import {
  type TestDelivery,
  genericDelivery,
  giteaPush,
  githubDelivery,
  githubPush,
  gitlabDelivery,
  gitlabPush,
} from "../support/deliveries.ts";
import { aJob, aRunningJob } from "./manifests.ts";
import { createServedWorld, NEVER_POLLS, type ServedWorld, WEBHOOK_SECRET } from "./served-world.ts";
import { createWorld, isRunning, STATUS_BRANCH } from "./world.ts";

const WOKEN = { status: 202, answer: { outcome: "woken", because: "Git is asked where main stands" } };

/** One job runs, and Git is not asked again by itself. */
async function aQuietWorld(): Promise<ServedWorld> {
  const served = await createServedWorld({ repository: NEVER_POLLS }, async (world) => world.push(await aRunningJob("orders")));
  await served.daemon.untilJob("orders", isRunning);
  await served.daemon.untilAtRest();
  return served;
}

/** What is declared there is in force as soon as the delivery is there. */
async function pushAndDeliver(served: ServedWorld, rpus: number, delivery: (commit: string) => TestDelivery): Promise<void> {
  const commit = await served.world.push({ "more.yaml": aJob("more", { artifact: "orders", rpus }) });
  const applied = served.daemon.untilApplied(commit);
  expect(await served.deliver(delivery(commit))).toEqual(WOKEN);
  await applied;
}

describe.concurrent("a push that a webhook tells of", () => {
  it("is felt at once, whichever forge it comes from", async () => {
    await using served = await aQuietWorld();
    await pushAndDeliver(served, 100, (after) => githubPush(WEBHOOK_SECRET, { after }));
    await pushAndDeliver(served, 101, (after) => giteaPush(WEBHOOK_SECRET, { after }));
    await pushAndDeliver(served, 102, (after) => gitlabPush(WEBHOOK_SECRET, { after }));
    await pushAndDeliver(served, 103, () => genericDelivery({ ref: "main" }, WEBHOOK_SECRET, "hmac"));
    await pushAndDeliver(served, 104, () => genericDelivery(undefined, WEBHOOK_SECRET, "bearer"));
    await pushAndDeliver(served, 2, (after) => githubPush(WEBHOOK_SECRET, { after }));
    await served.daemon.untilJob("more", isRunning);
    expect(served.world.flink.jobs).toHaveLength(2);
  });

  it("is found a moment later too, when the server told of it before it showed it", async () => {
    await using served = await aQuietWorld();
    const asked = (): number => served.world.git.traffic("git-upload-pack").requests;
    const before = asked();
    expect(await served.deliver(githubPush(WEBHOOK_SECRET))).toEqual(WOKEN);
    while (asked() === before) await served.daemon.passes(1);
    await served.daemon.untilApplied(await served.world.push({ "more.yaml": aJob("more", { artifact: "orders" }) }));
  });

  it("is felt by the plan of a request as well", async () => {
    await using served = await aQuietWorld();
    const { world, daemon, deliver } = served;
    const main = await world.git.head("jobs", "main");
    const head = await world.git.commitFiles("jobs", "work", { "more.yaml": aJob("more", { artifact: "orders" }) }, "more", {
      parent: main!,
    });
    await world.git.git("jobs", ["update-ref", "refs/pull/7/head", head]);
    const payload = { action: "opened", number: 7, repository: { full_name: "jobs" } };
    expect(await deliver(githubDelivery("pull_request", payload, WEBHOOK_SECRET))).toMatchObject({ status: 202 });
    let written: string | undefined;
    for (let passes = 0; passes < 300 && written === undefined; passes += 1) {
      await daemon.passes(1);
      written = await world.git.head("jobs", "penstock/previews");
    }
    expect(await world.git.readFile("jobs", written!, "7.md")).toContain("| Job **default/more** | **create** |");
  });

  it("does no harm however often it comes", async () => {
    await using served = await aQuietWorld();
    const { world, daemon, deliver } = served;
    const commits = await world.statusCommits();
    const calls = world.git.traffic("git-upload-pack").requests;
    const delivery = githubPush(WEBHOOK_SECRET);
    const answers = await Promise.all(Array.from({ length: 8 }, async () => deliver(delivery)));
    for (let index = 0; index < 30; index += 1) answers.push(await deliver(delivery));
    expect(answers.every(({ status }) => status === 202)).toBe(true);
    await daemon.passes(10);
    expect(await world.statusCommits()).toEqual(commits);
    expect(world.flink.jobs).toHaveLength(1);
    // They are looked at together: one question at a time, and a pause after it.
    expect(world.git.traffic("git-upload-pack").requests - calls).toBeLessThan(20);
  });

  it("about a request wakes as well", async () => {
    await using served = await aQuietWorld();
    const commit = await served.world.push({ "more.yaml": aJob("more", { artifact: "orders" }) });
    const applied = served.daemon.untilApplied(commit);
    const payload = { action: "opened", number: 1, repository: { full_name: "jobs" } };
    expect(await served.deliver(githubDelivery("pull_request", payload, WEBHOOK_SECRET))).toEqual({
      status: 202,
      answer: { outcome: "woken", because: "open requests are looked at" },
    });
    await applied; // the same question to Git tells of both
  });
});

describe.concurrent("a webhook that is not about what is followed", () => {
  it("is answered with 202 and why it is ignored, and Git is not asked", async () => {
    await using served = await aQuietWorld();
    const asked = served.world.git.traffic("git-upload-pack").requests;
    const ours = { name: "Penstock", email: "penstock@localhost" };
    for (const [delivery, because] of [
      [githubPush(WEBHOOK_SECRET, { ref: "refs/heads/feature" }), /^this is about refs\/heads\/feature, and main is followed$/],
      [gitlabPush(WEBHOOK_SECRET, { ref: `refs/heads/${STATUS_BRANCH}` }), /is the branch that the daemon itself writes$/],
      [giteaPush(WEBHOOK_SECRET, { repository: "somebody/else" }), /about the repository somebody\/else, which is not the one/],
      [giteaPush(WEBHOOK_SECRET, { author: ours }), /^these are the daemon's own commits$/],
      [githubDelivery("ping", { zen: "Design for failure." }, WEBHOOK_SECRET), /neither about a push nor/],
      [gitlabDelivery("Tag Push Hook", { object_kind: "tag_push" }, WEBHOOK_SECRET), /neither about a push nor/],
    ] as const) {
      const { status, answer } = await served.deliver(delivery);
      expect({ status, answer }).toEqual({
        status: 202,
        answer: { outcome: "ignored", because: expect.stringMatching(because) },
      });
    }
    await served.daemon.passes(5);
    expect(served.world.git.traffic("git-upload-pack").requests).toBe(asked);
  });
});

describe.concurrent("a webhook without a valid proof", () => {
  it("is refused with 401, and nothing comes of it", async () => {
    await using served = await aQuietWorld();
    const asked = served.world.git.traffic("git-upload-pack").requests;
    const right = githubPush(WEBHOOK_SECRET);
    const { "x-hub-signature-256": _, ...unsigned } = right.headers;
    for (const delivery of [
      githubPush("another secret"),
      { ...right, headers: unsigned },
      { ...right, body: `${right.body} ` }, // one byte more than was signed
      giteaPush("another secret"),
      gitlabPush("another secret"),
      gitlabPush(""),
      genericDelivery({}, "another secret", "hmac"),
      genericDelivery({}, "another-secret", "bearer"),
      { ...right, path: "webhook/gitlab" },
    ]) {
      const { status, answer } = await served.deliver(delivery);
      expect({ status, answer }).toMatchObject({
        status: 401,
        answer: { detail: expect.stringContaining("missing, or not made with") },
      });
      expect(JSON.stringify(answer)).not.toContain(WEBHOOK_SECRET);
    }
    await served.daemon.passes(5);
    expect(served.world.git.traffic("git-upload-pack").requests).toBe(asked);
    expect(served.daemon.log()).not.toContain(WEBHOOK_SECRET);
  });

  it("is told from one that is proven and makes no sense", async () => {
    await using served = await createServedWorld();
    const { headers } = githubPush(WEBHOOK_SECRET);
    expect(
      await served.deliver({ path: "webhook/gitlab", headers: gitlabPush(WEBHOOK_SECRET).headers, body: "{" }),
    ).toMatchObject({
      status: 400,
      answer: { detail: "the body is no JSON object" },
    });
    expect((await served.fetch("webhook/github", { headers })).status).toBe(404);
    expect((await served.fetch("webhook/bitbucket", { method: "POST" })).status).toBe(404);
  });

  it("knows the secret that its file holds now", async () => {
    await using served = await createServedWorld();
    await writeFile(served.secretFile, "the-next-one\n");
    served.world.clock.pass(1000);
    expect((await served.deliver(githubPush(WEBHOOK_SECRET))).status).toBe(401);
    expect((await served.deliver(githubPush("the-next-one"))).status).toBe(202);
  });

  it("is refused altogether where no secret is configured", async () => {
    await using world = await createWorld({ config: { server: { port: 0 } } });
    const url = await world.startDaemon().listening;
    const { path, headers, body } = githubPush("");
    const response = await fetch(new URL(path, url), { method: "POST", headers, body });
    expect(response.status).toBe(403);
    expect(await response.json()).toMatchObject({ detail: expect.stringContaining("server.webhookSecretFile") });
  });
});
