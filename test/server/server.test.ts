import { rename, rm, symlink, writeFile } from "node:fs/promises";
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { request } from "undici";
import { createDispatcher } from "../../src/common/http.ts";
import { describe, expect, it } from "vitest";
import { createTestCertificates } from "../support/test-certificates.ts";
import { startTestServer, type TestServer } from "./server-harness.ts";

const TOKEN = "correct-horse-battery";
const NEXT = "staple-correct-horse";

async function statusWith({ fetch: get }: TestServer, path: string, authorization?: string): Promise<number> {
  return (await get(path, { headers: authorization === undefined ? {} : { authorization } })).status;
}

/** Sends text as it is, and gives back everything that comes until the server ends the connection. */
async function sendRaw({ server }: TestServer, text: string): Promise<string> {
  const socket = connect(Number(server.url.port), server.url.hostname);
  const chunks: Buffer[] = [];
  socket.on("data", (chunk) => chunks.push(chunk));
  socket.on("error", () => {}); // cut off in the middle of what it sends
  socket.write(text);
  await once(socket, "close");
  return Buffer.concat(chunks).toString();
}

describe.concurrent("tokens", () => {
  const guarded = { server: { host: "0.0.0.0", tokensFile: "tokens" }, files: { tokens: `${TOKEN}\n# the next one\n${NEXT}\n` } };

  it.each(["api/v1/openapi.json", "api/v1/events", "metrics"])("are needed for /%s", async (path) => {
    await using test = await startTestServer(guarded);
    for (const wrong of [undefined, "", "Bearer", "Bearer ", `Bearer ${TOKEN}x`, `Bearer ${TOKEN} x`, `Basic ${TOKEN}`, TOKEN])
      expect([wrong, await statusWith(test, path, wrong)]).toEqual([wrong, 401]);
    for (const right of [`Bearer ${TOKEN}`, `bearer  ${NEXT}`]) expect(await statusWith(test, path, right)).toBe(200);
    const refused = await test.fetch(path);
    expect(refused.headers.get("www-authenticate")).toBe('Bearer realm="penstock"');
    expect(refused.headers.get("content-type")).toBe("application/problem+json; charset=utf-8");
    expect(await refused.text()).not.toContain(TOKEN);
  });

  it("are not needed for health", async () => {
    await using test = await startTestServer(guarded);
    expect(await statusWith(test, "healthz")).toBe(200);
    expect(await statusWith(test, "readyz")).toBe(503);
  });

  it("are read again when their file was changed, or swapped as a mounted one is", async () => {
    await using test = await startTestServer(guarded);
    const file = join(test.folder, "tokens");
    await writeFile(file, "another-token-altogether\n");
    test.clock.pass(1000);
    expect(await statusWith(test, "metrics", `Bearer ${TOKEN}`)).toBe(401);
    expect(await statusWith(test, "metrics", "Bearer another-token-altogether")).toBe(200);

    await writeFile(join(test.folder, "data"), `${TOKEN}\n`);
    await symlink("data", join(test.folder, "link"));
    await rename(join(test.folder, "link"), file);
    test.clock.pass(1000);
    expect(await statusWith(test, "metrics", `Bearer ${TOKEN}`)).toBe(200);
  });

  it("stay in force while their file cannot be used, which is said once", async () => {
    await using test = await startTestServer(guarded);
    const file = join(test.folder, "tokens");
    for (const spoil of [
      async () => writeFile(file, "short\n"),
      async () => writeFile(file, "shorter\n"),
      async () => rm(file),
    ]) {
      await spoil();
      test.clock.pass(1000);
      expect(await statusWith(test, "metrics", `Bearer ${TOKEN}`)).toBe(200);
    }
    const lines = test.log.filter((line) => line.includes("secret file cannot be used"));
    expect(lines.map((line) => (JSON.parse(line) as { readonly because: string }).because)).toEqual([
      "has a token in line 1 of less than 16 characters",
      "does not exist",
    ]);
    expect(test.log.join("")).not.toMatch(/"short|correct-horse/);
  });
});

describe.concurrent("without tokens", () => {
  it("the API answers on this machine, under its own names alone", async () => {
    await using test = await startTestServer();
    expect(await statusWith(test, "metrics")).toBe(200);
    const port = test.server.url.port;
    for (const [host, status] of [
      [`localhost:${port}`, 200],
      [`evil.example.com:${port}`, 403],
      ["127.0.0.1.evil.example.com", 403],
    ] as const) {
      const answer = await sendRaw(test, `GET /metrics HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
      expect(answer.slice(0, 12)).toBe(`HTTP/1.1 ${status}`);
    }
  });
});

describe.concurrent("every answer", () => {
  it.each(["healthz", "metrics", "api/v1/openapi.json", "nowhere", "webhook/github", "api/v1/jobs?limit=x"])(
    "has the headers that keep browsers from harm: /%s",
    async (path) => {
      await using test = await startTestServer();
      const { headers } = await test.fetch(path);
      expect(Object.fromEntries(headers)).toMatchObject({
        "content-security-policy": "default-src 'none';frame-ancestors 'none'",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-resource-policy": "same-origin",
      });
      expect(headers.has("strict-transport-security")).toBe(false);
      expect(headers.has("x-powered-by")).toBe(false);
    },
  );

  it("that is none has one form, and names what is wrong", async () => {
    await using test = await startTestServer();
    const get = async (path: string, init?: RequestInit) => (await test.fetch(path, init)).json();
    expect(await get("nowhere")).toEqual({
      type: "about:blank",
      title: "Not Found",
      status: 404,
      detail: "nothing is served here; see /api/v1/openapi.json",
    });
    expect(await get("api/v1/jobs?limit=501")).toMatchObject({ status: 400, detail: "querystring/limit must be <= 500" });
    expect(await get("api/v1/jobs?colour=red")).toMatchObject({ status: 400 });
    expect(await get("api/v1/jobs")).toMatchObject({ status: 503, detail: "the first pass is not done yet" });
    expect(await get("healthz", { method: "POST" })).toMatchObject({ status: 404 });
  });
});

describe.concurrent("limits", () => {
  it("are set for headers, and for the body of what takes none", async () => {
    await using test = await startTestServer();
    const long = await sendRaw(test, `GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Long: ${"x".repeat(20_000)}\r\n\r\n`);
    expect(long).toMatch(/^HTTP\/1\.1 431 /);
    const odd = await sendRaw(test, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost : x\r\n\r\n");
    expect(odd).toMatch(/^HTTP\/1\.1 400 /);
  });

  it("are set for bodies of webhooks, before anybody knows who sends them", async () => {
    await using test = await startTestServer({ server: { webhookSecretFile: "hook" }, files: { hook: "secret" } });
    const send = async (bytes: number) =>
      test.fetch("webhook/github", {
        method: "POST",
        headers: {
          "content-type": "application/json",
          "x-github-event": "push",
          "x-hub-signature-256": `sha256=${"0".repeat(64)}`,
        },
        body: "x".repeat(bytes),
      });
    expect((await send(3 * 1024 ** 2)).status).toBe(401);
    const refused = await send(3 * 1024 ** 2 + 1);
    expect(refused.status).toBe(413);
    expect(await refused.json()).toMatchObject({ title: "Content Too Large", detail: "Request body is too large" });
  });

  it("are set for how many bodies of webhooks come at once", async () => {
    await using test = await startTestServer({ server: { webhookSecretFile: "hook" }, files: { hook: "secret" } });
    const { hostname, port } = test.server.url;
    const head = `POST /webhook/gitlab HTTP/1.1\r\nHost: ${hostname}\r\nX-Gitlab-Token: guess\r\nContent-Length: 1000\r\n\r\n`;
    const sockets = Array.from({ length: 8 }, () => connect(Number(port), hostname));
    for (const socket of sockets) socket.write(head);
    const busy = async () =>
      (await test.fetch("webhook/gitlab", { method: "POST", headers: { "x-gitlab-token": "guess" } })).status === 503;
    while (!(await busy())); // until all eight were seen
    expect(await statusWith(test, "healthz")).toBe(200);
    for (const socket of sockets) socket.destroy();
    while (await busy()); // until all eight are gone
  });
});

describe("TLS", () => {
  it("is spoken with a certificate, and says that it is to stay", async () => {
    const certificates = createTestCertificates();
    const { cert, key } = certificates.server;
    await using test = await startTestServer({ server: { tls: { certFile: "cert", keyFile: "key" } }, files: { cert, key } });
    expect(test.server.url.protocol).toBe("https:");
    const dispatcher = createDispatcher({ tls: { ca: certificates.ca } });
    const { statusCode, headers } = await request(new URL("healthz", test.server.url), { dispatcher });
    await dispatcher.close();
    expect(statusCode).toBe(200);
    expect(headers["strict-transport-security"]).toMatch(/^max-age=\d+/);
    expect(test.log.join("")).not.toContain("PRIVATE KEY");
  });
});
