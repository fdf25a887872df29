import { describe, expect, it } from "vitest";
import type { Clock } from "../../src/common/clock.ts";
import { Secret } from "../../src/common/secrets.ts";
import type { Forge } from "../../src/forge/forge.ts";
import { openForge } from "../../src/forge/open-forge.ts";
import { startFakeForge, type FakeForge, type FakeForgeOptions } from "../support/fake-forge.ts";
import type { ForgeKind } from "../support/forge-contract.ts";

const NEVER = new AbortController().signal;
const COMMIT = "c0".repeat(20);
const MARKER = "<!-- penstock plan of test -->";
const CONTEXT = "penstock/applied/test";

class TestClock implements Clock {
  ms = Date.parse("2026-11-22T12:00:00Z");
  now(): number {
    return this.ms;
  }
  random(): number {
    return 0.5;
  }
}

interface Opened extends AsyncDisposable {
  readonly fake: FakeForge;
  readonly forge: Forge;
  readonly clock: TestClock;
  /** How long it waited between calls that write. */
  readonly slept: readonly number[];
}

async function open(kind: ForgeKind, token?: string, options: FakeForgeOptions = {}): Promise<Opened> {
  const fake = await startFakeForge(kind, options);
  const clock = new TestClock();
  const slept: number[] = [];
  const sleep = async (ms: number): Promise<void> => Promise.resolve(void slept.push(ms));
  const { url, repository } = fake;
  const settings = { kind, url: new URL(url), token: new Secret(token ?? fake.token), repository, tls: {} };
  const forge = openForge(settings, {}, clock, sleep);
  return {
    fake,
    forge,
    clock,
    slept,
    async [Symbol.asyncDispose]() {
      await forge.close();
      await fake[Symbol.asyncDispose]();
    },
  };
}

describe.each<ForgeKind>(["github", "gitlab", "gitea"])("%s", (kind) => {
  it("has one comment a request, which is updated in place, also by a daemon that starts again", async () => {
    await using opened = await open(kind);
    const { fake, forge } = opened;
    for (let count = 0; count < 60; count += 1) fake.addComment(7, "somebody", `comment ${count}`);
    await forge.upsertComment(7, MARKER, "first", NEVER);
    await forge.upsertComment(7, MARKER, "second", NEVER);
    const again = openForge(
      { kind, url: new URL(fake.url), token: new Secret(fake.token), repository: fake.repository, tls: {} },
      {},
      opened.clock,
    );
    await again.upsertComment(7, MARKER, "third", NEVER);
    await again.close();
    const ours = fake.comments.filter(({ author }) => author === "penstock-bot");
    expect(ours.map(({ body }) => body)).toEqual([`${MARKER}\nthird`]);
  });

  it("never takes a comment for ours that somebody else wrote", async () => {
    await using opened = await open(kind);
    const { fake, forge } = opened;
    fake.addComment(7, "mallory", `${MARKER}\nfake`);
    await forge.upsertComment(7, MARKER, "real", NEVER);
    expect(fake.comments.map(({ author, body }) => [author, body])).toEqual([
      ["mallory", `${MARKER}\nfake`],
      ["penstock-bot", `${MARKER}\nreal`],
    ]);
  });

  it("writes a new comment when somebody deleted it", async () => {
    await using opened = await open(kind);
    const { fake, forge } = opened;
    await forge.upsertComment(7, MARKER, "first", NEVER);
    fake.deleteComment(fake.comments[0]!.id);
    await forge.upsertComment(7, MARKER, "second", NEVER);
    expect(fake.comments.map(({ body }) => body)).toEqual([`${MARKER}\nsecond`]);
  });

  it("asks only for what the forge has published, as it has published it", async () => {
    await using opened = await open(kind);
    const { fake, forge } = opened;
    fake.openRequest(7);
    await forge.readOpenRequests(NEVER);
    await forge.upsertComment(7, MARKER, "first", NEVER);
    await forge.upsertComment(7, MARKER, "second", NEVER);
    for (const state of ["pending", "success", "failure"] as const)
      await forge.setStatus(COMMIT, { state, context: CONTEXT, description: state }, NEVER);
    const { used, violations, description } = fake.contract;
    expect(violations).toEqual([]);
    expect([...used].sort()).toEqual(description.endpoints.map(({ method, path }) => `${method} ${path}`).sort());
  });

  it("sets statuses of commits, twice the same too, and no longer than a forge takes", async () => {
    await using opened = await open(kind);
    const { fake, forge } = opened;
    await forge.setStatus(COMMIT, { state: "pending", context: CONTEXT, description: "x".repeat(300) }, NEVER);
    await forge.setStatus(COMMIT, { state: "pending", context: CONTEXT, description: "still" }, NEVER);
    await forge.setStatus(COMMIT, { state: "failure", context: CONTEXT, description: "no" }, NEVER);
    expect(fake.statuses[0]).toMatchObject({ commit: COMMIT, state: "pending", context: CONTEXT });
    expect(fake.statuses.at(-1)).toMatchObject({ state: kind === "gitlab" ? "failed" : "failure", description: "no" });
  });

  it("knows which requests are open, over several pages", async () => {
    await using opened = await open(kind);
    const { fake, forge } = opened;
    for (let number = 1; number <= 120; number += 1) fake.openRequest(number);
    fake.closeRequest(3);
    const found = await forge.readOpenRequests(NEVER);
    expect(found.size).toBe(119);
    expect(found.has(3)).toBe(false);
  });

  it.each([20, 100])("reads on where pages hold %i at most, whatever is asked for", async (maxPageSize) => {
    await using opened = await open(kind, undefined, { maxPageSize, pagedComments: true });
    const { fake, forge } = opened;
    for (let number = 1; number <= 70; number += 1) fake.openRequest(number);
    for (let count = 0; count < 60; count += 1) fake.addComment(7, "somebody", `comment ${count}`);
    fake.addComment(7, "penstock-bot", `${MARKER}\nof a daemon before`);
    expect((await forge.readOpenRequests(NEVER)).size).toBe(70);
    await forge.upsertComment(7, MARKER, "first", NEVER);
    expect(fake.comments.filter(({ author }) => author === "penstock-bot").map(({ body }) => body)).toEqual([`${MARKER}\nfirst`]);
  });

  it("makes no call before the time that the forge names", async () => {
    await using opened = await open(kind);
    const { fake, forge, clock } = opened;
    fake.refuse(1, kind === "github" ? 403 : 429, { "retry-after": "30" });
    await expect(forge.readOpenRequests(NEVER)).rejects.toMatchObject({ code: "forge", data: { retryAtMs: clock.ms + 30_000 } });
    clock.ms += 29_000;
    await expect(forge.readOpenRequests(NEVER)).rejects.toThrow(/fewer requests; again in 1s/);
    expect(fake.calls).toHaveLength(1);
    clock.ms += 2000;
    expect((await forge.readOpenRequests(NEVER)).size).toBe(0);
  });

  it("stops after the last call that the limit allows", async () => {
    await using opened = await open(kind);
    const { fake, forge, clock } = opened;
    const reset = String(Math.ceil(clock.ms / 1000) + 60);
    const names = kind === "gitlab" ? ["ratelimit-remaining", "ratelimit-reset"] : ["x-ratelimit-remaining", "x-ratelimit-reset"];
    fake.refuse(1, 200, { [names[0]!]: "0", [names[1]!]: reset }, "[]");
    expect((await forge.readOpenRequests(NEVER)).size).toBe(0);
    await expect(forge.readOpenRequests(NEVER)).rejects.toThrow(/again in 1m/);
    expect(fake.calls).toHaveLength(1);
  });

  it("says what is wrong, and never the token", async () => {
    await using opened = await open(kind, "wrong-token-3141");
    const error = await opened.forge
      .setStatus(COMMIT, { state: "success", context: CONTEXT, description: "" }, NEVER)
      .catch((thrown: unknown) => thrown);
    expect(String(error)).toMatch(/status 401: Bad credentials; check forge\.tokenFile/);
    expect(JSON.stringify(error) + String(error)).not.toContain("3141");
  });
});

describe("github", () => {
  it("writes at most once a second", async () => {
    await using opened = await open("github");
    const { forge, slept } = opened;
    await forge.upsertComment(7, MARKER, "first", NEVER);
    await forge.setStatus(COMMIT, { state: "success", context: CONTEXT, description: "" }, NEVER);
    expect(slept).toEqual([1000, 1000]);
  });

  it("takes a refusal for a secondary limit as one that passes, and waits longer each time", async () => {
    await using opened = await open("github");
    const { fake, forge, clock } = opened;
    const body = JSON.stringify({
      message: "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
    });
    const headers = { "x-ratelimit-remaining": "4987", "x-ratelimit-reset": String(clock.ms / 1000 + 3000) };
    for (const pauseMs of [60_000, 120_000, 240_000]) {
      fake.refuse(1, 403, headers, body);
      const retryAtMs = clock.ms + pauseMs;
      await expect(forge.readOpenRequests(NEVER)).rejects.toMatchObject({ retry: "next-pass", data: { retryAtMs } });
      clock.ms = retryAtMs;
    }
    expect((await forge.readOpenRequests(NEVER)).size).toBe(0);
    fake.refuse(1, 403, headers, body);
    await expect(forge.readOpenRequests(NEVER)).rejects.toMatchObject({ data: { retryAtMs: clock.ms + 60_000 } });
  });

  it("takes a refusal for want of rights as one that a person has to mend", async () => {
    await using opened = await open("github");
    opened.fake.refuse(
      1,
      403,
      { "x-ratelimit-remaining": "4987" },
      '{"message": "Resource not accessible by personal access token"}',
    );
    await expect(opened.forge.readOpenRequests(NEVER)).rejects.toMatchObject({ retry: "after-input-changes" });
  });
});

it("leaves a commit without status of which gitlab takes none, as it is in no branch of the project", async () => {
  await using opened = await open("gitlab");
  opened.fake.forkCommit(COMMIT);
  await opened.forge.setStatus(COMMIT, { state: "success", context: CONTEXT, description: "" }, NEVER);
  expect(opened.fake.statuses).toEqual([]);
});

it("takes a forge that is down, slow to end or not itself for what it is", async () => {
  await using opened = await open("github");
  const { fake, forge } = opened;
  fake.refuse(1, 502, {}, "<html>Bad gateway</html>");
  await expect(forge.readOpenRequests(NEVER)).rejects.toMatchObject({ code: "forge", retry: "next-pass" });
  fake.refuse(1, 200, {}, "<html>Sign in</html>");
  await expect(forge.readOpenRequests(NEVER)).rejects.toThrow(/it is no list/);
  fake.refuse(1, 302, { location: "http://127.0.0.1:1/" });
  await expect(forge.readOpenRequests(NEVER)).rejects.toThrow(/status 302/);
});
