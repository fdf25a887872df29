import { inspect } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Secret } from "../../src/common/secrets.ts";
import { startForwardProxy } from "../support/forward-proxy.ts";
import { NEVER, openGitClient } from "../support/git-client.ts";
import type { GitFault } from "../support/git-faults.ts";
import { startGitServer, type GitServer, type RequestMatch } from "../support/git-server.ts";
import { createTestCertificates } from "../support/test-certificates.ts";

const AUTH = { username: "penstock", password: "s3cret-token" };
const CREDENTIALS = { username: AUTH.username, password: new Secret(AUTH.password) };
const HEAD = { kind: "at" } as const;
const LIST: RequestMatch = { service: "git-upload-pack", step: "call" };
let server: GitServer;
let url: string;

beforeAll(async () => {
  server = await startGitServer({ auth: AUTH });
  await server.createRepository("jobs");
  await server.commitFiles("jobs", "main", { "a.yaml": "1" }, "first");
  url = server.urlOf("jobs");
});
afterEach(() => server.heal());
afterAll(async () => server.close());

/** The error of a first question to the server that goes wrong in this way; checked to hold no secret. */
async function failureOf(fault: GitFault, match: RequestMatch = {}, timeoutMs = 5000): Promise<Error> {
  server.fault(fault, match);
  await using client = openGitClient(url, { credentials: CREDENTIALS, timeoutMs });
  const error: unknown = await client.manifests.readHead(NEVER).catch((thrown: unknown) => thrown);
  if (!(error instanceof Error)) throw new Error("it did not fail");
  const everything = `${inspect(error, { depth: 10 })}${JSON.stringify(error)}${client.logged.join("")}`;
  expect(everything).not.toContain(AUTH.password);
  expect(everything).not.toContain(Buffer.from(`${AUTH.username}:${AUTH.password}`).toString("base64"));
  return error;
}

describe("an answer with a bad status", () => {
  // The daemon's own clock says midnight; what it says is none of the server's business.
  const [MIDNIGHT, in30s] = ["Thu, 01 Jan 2026 00:00:00 GMT", "Thu, 01 Jan 2026 00:00:30 GMT"];

  it.each([
    [401, {}, { code: "git-auth", data: { status: 401 } }],
    [203, {}, { code: "git-auth", data: { status: 401 } }],
    [403, {}, { code: "git-auth", data: { status: 403 } }],
    [404, {}, { code: "git-repository-not-found" }],
    [429, { "retry-after": "17" }, { code: "git-rate-limited", data: { retryAfterMs: 17_000 } }],
    [429, { "retry-after": in30s, date: MIDNIGHT }, { code: "git-rate-limited", data: { retryAfterMs: 30_000 } }],
    [429, { "retry-after": in30s, date: "whenever" }, { code: "git-rate-limited", data: { retryAfterMs: 30_000 } }],
    [429, { "retry-after": MIDNIGHT, date: in30s }, { code: "git-rate-limited", data: { retryAfterMs: 0 } }],
    [429, { "retry-after": "86400" }, { code: "git-rate-limited", data: { retryAfterMs: 900_000 } }],
    [429, { "retry-after": "9".repeat(400) }, { code: "git-rate-limited", data: { retryAfterMs: 900_000 } }],
    [429, { "retry-after": "soon" }, { code: "git-rate-limited", data: { retryAfterMs: 60_000 } }],
    [429, {}, { code: "git-rate-limited", data: { retryAfterMs: 60_000 } }],
    [403, { "retry-after": "5" }, { code: "git-rate-limited", data: { retryAfterMs: 5000 } }],
    [500, {}, { code: "git-unreachable", retry: "next-pass" }],
    [503, {}, { code: "git-unreachable" }],
    [418, {}, { code: "git-protocol" }],
  ])("%i %j is an error that says what to do with it", async (status, headers, expected) => {
    expect(await failureOf({ kind: "status", status, headers })).toMatchObject(expected);
    expect(await failureOf({ kind: "status", status, headers }, LIST)).toMatchObject(expected);
  });

  it("quotes what the server says in plain text, without our own secret", async () => {
    const body = `upstream died\u001b[31m for ${AUTH.password}`;
    const error = await failureOf({ kind: "status", status: 502, headers: { "content-type": "text/plain" }, body });
    expect(error.message).toMatch(/status 502: upstream died \[31m for \[secret\]$/);
  });

  it("is not read to its end", async () => {
    const error = await failureOf({ kind: "status", status: 500, body: "<html>".repeat(1_000_000) });
    expect(error).toMatchObject({ code: "git-unreachable" });
  });
});

describe("a server that wants fewer requests", () => {
  it("is sent none, for whatever, before the time that it names, and then all of them again", async () => {
    let nowMs = Date.UTC(2026, 0, 1);
    await using client = openGitClient(url, { credentials: CREDENTIALS }, { now: () => nowMs, random: () => 0.5 });
    server.fault({ kind: "status", status: 429, headers: { "retry-after": "17" } }, { ...LIST, times: 1 });
    const first: unknown = await client.manifests.readHead(NEVER).catch((error: unknown) => error);
    expect(first).toMatchObject({ message: expect.stringMatching(/wants fewer requests \(429\); again in 17s$/) as unknown });
    server.resetTraffic();
    nowMs += 16_999;
    await expect(client.manifests.readHead(NEVER)).rejects.toBe(first);
    await expect(client.status.read(NEVER)).rejects.toBe(first);
    expect([server.traffic("git-upload-pack").requests, server.traffic("git-receive-pack").requests]).toEqual([0, 0]);
    nowMs += 1;
    expect(await client.manifests.readHead(NEVER)).toMatchObject(HEAD);
  });
});

describe("credentials", () => {
  it("are sent with the first request, so that nothing is asked twice", async () => {
    await using client = openGitClient(url, { credentials: CREDENTIALS });
    server.resetTraffic();
    expect(await client.manifests.readHead(NEVER)).toMatchObject(HEAD);
    expect(server.traffic("git-upload-pack").requests).toBe(2);
  });

  it("that are wrong or missing are an error that names the setting", async () => {
    await using wrong = openGitClient(url, { credentials: { username: "penstock", password: new Secret("other") } });
    await using none = openGitClient(url);
    for (const client of [wrong, none]) {
      await expect(client.manifests.readHead(NEVER)).rejects.toThrow(/repository\.credentials \(401/);
    }
  });
});

describe("time limits", () => {
  it("end a connection to a server that never answers", async () => {
    expect((await failureOf({ kind: "hang" }, {}, 300)).message).toMatch(/silence for 300ms/);
    expect((await failureOf({ kind: "hang" }, LIST, 300)).message).toMatch(/silence for 300ms/);
  });

  it("end an answer that drips for ever, although it is never silent", async () => {
    const error = await failureOf({ kind: "slow-drip", everyMs: 40 }, {}, 100);
    expect(error.message).toMatch(/not done after 1s/);
  });

  it("end an answer that grows for ever", async () => {
    expect(await failureOf({ kind: "endless" }, LIST)).toMatchObject({ code: "git-too-large" });
  });

  it("say where nobody listens", async () => {
    const closed = await startGitServer();
    const gone = closed.urlOf("jobs");
    await closed.close();
    await using client = openGitClient(gone);
    await expect(client.manifests.readHead(NEVER)).rejects.toMatchObject({
      code: "git-unreachable",
      message: expect.stringContaining("ECONNREFUSED"),
    });
  });

  it("leave the server's own slowness alone while it sends", async () => {
    server.fault({ kind: "slow-drip", everyMs: 1 });
    await using client = openGitClient(url, { credentials: CREDENTIALS, timeoutMs: 500 });
    expect(await client.manifests.readHead(NEVER)).toMatchObject(HEAD);
  });
});

describe("a kept connection that the server has given up", () => {
  it("is replaced by a new one, once for each question", async () => {
    await using client = openGitClient(url, { credentials: CREDENTIALS });
    await client.manifests.readHead(NEVER);
    server.fault({ kind: "drop" }, { ...LIST, times: 1 });
    expect(await client.manifests.readHead(NEVER)).toMatchObject(HEAD);
    server.fault({ kind: "drop" }, LIST);
    await expect(client.manifests.readHead(NEVER)).rejects.toMatchObject({
      code: "git-unreachable",
      data: { connectionLost: true },
    });
  });
});

describe("an abort", () => {
  it.each([
    ["while waiting for the list", {}],
    ["while waiting for the pack", { body: "want " }],
  ])("%s ends the call at once with the signal's reason", async (_, match) => {
    await using client = openGitClient(url, { credentials: CREDENTIALS });
    const { oid } = (await client.manifests.readHead(NEVER)) as { readonly oid: string };
    const leaving = new AbortController();
    server.before(match, async () => leaving.abort(new Error("the daemon stops")));
    server.fault({ kind: "hang" }, match);
    await expect(client.manifests.readCommit(oid, leaving.signal)).rejects.toThrow("the daemon stops");
    server.heal();
    expect((await client.manifests.readCommit(oid, NEVER)).files).toHaveLength(1);
  });

  it("before the call sends nothing", async () => {
    await using client = openGitClient(url, { credentials: CREDENTIALS });
    server.resetTraffic();
    await expect(client.manifests.readHead(AbortSignal.abort(new Error("gone")))).rejects.toThrow("gone");
    expect(server.traffic("git-upload-pack").requests).toBe(0);
  });
});

describe("redirects", () => {
  it.each([301, 302, 307, 308])(
    "of the first question by %i are followed on the same server, and calls go there too",
    async (status) => {
      const old = openGitClient(`${server.origin}/old/jobs.git`, { credentials: CREDENTIALS });
      await using client = old;
      for (const service of ["git-upload-pack", "git-receive-pack"] as const) {
        const location = `/moved/jobs.git/info/refs?service=${service}`;
        server.fault({ kind: "redirect", status, location }, { service, step: "advertisement", path: "/old/" });
      }
      const { oid } = (await client.manifests.readHead(NEVER)) as { readonly oid: string };
      expect((await client.manifests.readCommit(oid, NEVER)).files).toHaveLength(1);
      expect(await client.manifests.readHead(NEVER)).toEqual({ kind: "at", oid });
    },
  );

  it("of a call by 307 keep its method and body", async () => {
    server.fault({ kind: "redirect", status: 307, location: "/moved/jobs.git/git-upload-pack" }, { ...LIST, times: 1 });
    await using client = openGitClient(url, { credentials: CREDENTIALS });
    expect(await client.manifests.readHead(NEVER)).toMatchObject(HEAD);
  });

  it("of a call by 301 are refused: most servers would take it for a question", async () => {
    const error = await failureOf({ kind: "redirect", status: 301, location: "/moved/jobs.git/git-upload-pack" }, LIST);
    expect(error.message).toMatch(
      /redirects to http:\/\/127\.0\.0\.1:\d+\/moved\/jobs\.git; if that is right, make it repository\.url/,
    );
  });

  it("to another server are refused, and the credentials stay here", async () => {
    const elsewhere = await startGitServer({ auth: AUTH });
    try {
      const location = `${elsewhere.urlOf("jobs")}/info/refs?service=git-upload-pack`;
      const error = await failureOf({ kind: "redirect", status: 302, location });
      expect(error.message).toContain(`redirects to ${elsewhere.urlOf("jobs")};`);
      expect(elsewhere.traffic("git-upload-pack").requests).toBe(0);
    } finally {
      await elsewhere.close();
    }
  });

  it("in a circle end", async () => {
    const error = await failureOf({ kind: "redirect", status: 302, location: "/jobs.git/info/refs?service=git-upload-pack" });
    expect(error.message).toContain("circles");
  });
});

describe("over TLS", () => {
  it("trusts an own authority and nobody else, and shows a client certificate", async () => {
    const certificates = createTestCertificates();
    const secure = await startGitServer({ tls: { ...certificates, clientCertificateRequired: true } });
    await using proxy = await startForwardProxy();
    try {
      await secure.createRepository("jobs");
      await secure.commitFiles("jobs", "main", { "a.yaml": "1" }, "first");
      const tls = { ca: certificates.ca, cert: certificates.client.cert, key: new Secret(certificates.client.key) };
      await using known = openGitClient(secure.urlOf("jobs"), { tls });
      expect(await known.manifests.readHead(NEVER)).toMatchObject(HEAD);
      await using tunnelled = openGitClient(secure.urlOf("jobs"), { tls, proxy: { https: proxy.url } });
      expect(await tunnelled.manifests.readHead(NEVER)).toMatchObject(HEAD);
      expect(new Set(proxy.seen)).toEqual(new Set([`CONNECT ${secure.origin.slice("https://".length)}`]));
      await using stranger = openGitClient(secure.urlOf("jobs"));
      await expect(stranger.manifests.readHead(NEVER)).rejects.toThrow(/signed by nobody we know.*repository\.tls\.caFile/);
      await using anonymous = openGitClient(secure.urlOf("jobs"), { tls: { ca: certificates.ca } });
      await expect(anonymous.manifests.readHead(NEVER)).rejects.toMatchObject({ code: "git-unreachable" });
    } finally {
      await secure.close();
    }
  });
});

describe("through a proxy", () => {
  it("goes with its credentials, except to hosts that are to be reached directly", async () => {
    await using proxy = await startForwardProxy({ auth: "user:pr0xy" });
    const withAuth = proxy.url.replace("http://", "http://user:pr0xy@");
    await using client = openGitClient(url, { credentials: CREDENTIALS, proxy: { http: withAuth } });
    expect(await client.manifests.readHead(NEVER)).toMatchObject(HEAD);
    expect(proxy.seen).toHaveLength(2);
    await using direct = openGitClient(url, { credentials: CREDENTIALS, proxy: { http: withAuth, no: "localhost, 127.0.0.1" } });
    expect(await direct.manifests.readHead(NEVER)).toMatchObject(HEAD);
    expect(proxy.seen).toHaveLength(2);
  });

  it("says that the proxy refused, without its password", async () => {
    await using proxy = await startForwardProxy({ auth: "user:pr0xy" });
    const wrong = proxy.url.replace("http://", "http://user:wr0ng@");
    await using client = openGitClient(url, { credentials: CREDENTIALS, proxy: { http: wrong } });
    const error: unknown = await client.manifests.readHead(NEVER).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ message: expect.stringContaining("407") });
    expect(inspect(error, { depth: 10 })).not.toContain("wr0ng");
  });
});
