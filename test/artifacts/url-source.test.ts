import { createHash, randomBytes } from "node:crypto";
import type { ServerResponse } from "node:http";
import { beforeAll, describe, expect, it } from "vitest";
import type { ArtifactRequest, ArtifactSeen } from "../../src/artifacts/artifact-store.ts";
import type { Lookup } from "../../src/common/http.ts";
import { Secret } from "../../src/common/secrets.ts";
import type { ArtifactHostConfig } from "../../src/config/config.ts";
import { FileServer } from "../support/file-server.ts";
import { createTestCertificates, type TestCertificates } from "../support/test-certificates.ts";
import { aJar, aStore, atEnd, filesUnder, type Harness, key } from "./store-harness.ts";

/** Random, so that it cannot be had from less than all of its bytes. */
const SALT = randomBytes(150_000).toString("hex");
const JAR = aJar(SALT);
const OTHER = aJar(randomBytes(150_000).toString("hex"));
const MINUTES_AGO = new Date(Date.now() - 600_000).toUTCString();

function sha256(content: Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}

async function aServer(certificates?: TestCertificates): Promise<FileServer> {
  const server = await FileServer.start(certificates);
  atEnd(() => server.close());
  return server;
}

function aHost(changes: Partial<ArtifactHostConfig> = {}): ArtifactHostConfig {
  return { allowPlainHttp: false, headers: new Map(), tls: {}, ...changes };
}

/** A store that may call these servers. */
async function storeFor(servers: readonly FileServer[], settings: Parameters<typeof aStore>[0] = {}): Promise<Harness> {
  return aStore({ hosts: new Map(servers.map(({ host }) => [host, aHost()])), ...settings });
}

function urlRequest(url: string, changes: Partial<ArtifactRequest> = {}): ArtifactRequest {
  return { key: key("orders"), source: { kind: "url", url }, maxBytes: 10_000_000, ...changes };
}

function digestOf(seen: ArtifactSeen): string {
  if (seen.kind !== "ready") throw new Error(JSON.stringify(seen));
  return seen.sha256;
}

const toIntranet: Lookup = (_hostname, _options, callback) => callback(null, [{ address: "10.1.2.3", family: 4 }]);

/** Breaks the connection as soon as so much of the file has arrived. */
async function cutAt(server: FileServer, { store }: Harness, request: ArtifactRequest, bytes: number): Promise<void> {
  await expect.poll(() => store.see(request), { interval: 5 }).toMatchObject({ kind: "downloading", bytes });
  server.cut();
}

/** The next attempt, which is due after a while. */
async function settleLater({ settle, clock }: Harness, request: ArtifactRequest): Promise<ArtifactSeen> {
  clock.nowMs += 600_000;
  return settle(request);
}

describe("an Artifact behind a URL", () => {
  it("is fetched and cached, and fetched no more once its digest is recorded", async () => {
    const server = await aServer();
    server.put("/app.jar", JAR);
    const { settle, cacheDir, logLines } = await storeFor([server]);
    expect(digestOf(await settle(urlRequest(server.url("/app.jar?token=secret"))))).toBe(sha256(JAR));
    const later = await storeFor([server], { cacheDir });
    const recorded = { sha256: sha256(JAR), recorded: true };
    expect(digestOf(await later.settle(urlRequest(server.url("/app.jar?token=secret"), recorded)))).toBe(sha256(JAR));
    expect(server.requests).toHaveLength(1);
    expect(logLines.join("")).not.toContain("secret");
  });

  it.each([
    ["an ETag", {}],
    ["a date", { etag: undefined, lastModified: MINUTES_AGO }],
  ])("is asked for again by %s, so that it is sent only when it changed", async (_, version) => {
    const server = await aServer();
    server.put("/app.jar", JAR, version);
    const first = await storeFor([server]);
    await first.settle(urlRequest(server.url("/app.jar")));
    const second = await storeFor([server], { cacheDir: first.cacheDir });
    expect(digestOf(await second.settle(urlRequest(server.url("/app.jar"))))).toBe(sha256(JAR));
    expect(second.logLines.join("")).toContain("artifact found in the cache");
    server.put("/app.jar", OTHER);
    const third = await storeFor([server], { cacheDir: first.cacheDir });
    expect(digestOf(await third.settle(urlRequest(server.url("/app.jar"))))).toBe(sha256(OTHER));
  });

  it("whose content changed is refused, and not sent over and over", async () => {
    const server = await aServer();
    server.put("/app.jar", OTHER);
    const harness = await storeFor([server]);
    const request = urlRequest(server.url("/app.jar"), { sha256: sha256(JAR), recorded: true });
    const because = expect.stringMatching(/recorded when the Artifact became Ready.*the jar is not used/) as string;
    expect(await harness.settle(request)).toMatchObject({ kind: "failed", reason: "DigestMismatch", because });
    const sent = server.requests.length;
    expect(await settleLater(harness, request)).toMatchObject({ kind: "failed", reason: "DigestMismatch", because });
    expect(server.requests.slice(sent).map(({ headers }) => headers["if-none-match"])).toEqual([expect.stringMatching(/^"/)]);
    expect(await filesUnder(harness.cacheDir)).toEqual([expect.stringMatching(/^sources\//)]);
    server.put("/app.jar", JAR);
    expect(digestOf(await settleLater(harness, request))).toBe(sha256(JAR));
  });

  it("whose bytes are gone waits for these very bytes, once they were Ready", async () => {
    const server = await aServer();
    const harness = await storeFor([server]);
    const url = server.url("/app.jar");
    expect(await harness.settle(urlRequest(url))).toMatchObject({ kind: "failed", reason: "NotFound" });
    const recorded = urlRequest(url, { sha256: sha256(JAR), recorded: true });
    expect(await settleLater(harness, recorded)).toMatchObject({
      reason: "BytesGone",
      because: `the bytes of ${url} are gone from there, and the cache does not hold them: put the jar with the sha256 ${sha256(JAR)} back; no other is taken`,
    });
    server.put("/app.jar", JAR);
    expect(digestOf(await settleLater(harness, recorded))).toBe(sha256(JAR));
  });

  it("shows how much of it has come", async () => {
    const server = await aServer();
    const { store, settle } = await storeFor([server]);
    const halfSent = Promise.withResolvers<ServerResponse>();
    server.on("/app.jar", (_request, response) => {
      response.writeHead(200, { "content-length": JAR.length });
      response.write(JAR.subarray(0, 1000), () => halfSent.resolve(response));
    });
    const request = urlRequest(server.url("/app.jar"));
    const settled = settle(request);
    const response = await halfSent.promise;
    await expect.poll(() => store.see(request)).toMatchObject({ kind: "downloading", bytes: 1000, totalBytes: JAR.length });
    response.end(JAR.subarray(1000));
    expect(digestOf(await settled)).toBe(sha256(JAR));
  });
});

describe("a download that is cut off", () => {
  it.each([
    ["an ETag", {}],
    ["a date", { etag: undefined, lastModified: MINUTES_AGO }],
  ])("goes on where it stopped, by %s", async (_, version) => {
    const server = await aServer();
    server.put("/app.jar", JAR, version);
    server.cuts.push(100_000, 50_000);
    const harness = await storeFor([server]);
    const request = urlRequest(server.url("/app.jar"));
    const settled = harness.settle(request);
    await cutAt(server, harness, request, 100_000);
    await cutAt(server, harness, request, 150_000);
    expect(digestOf(await settled)).toBe(sha256(JAR));
    expect(server.asked()).toEqual(["/app.jar", "/app.jar bytes=100000-", "/app.jar bytes=150000-"]);
  });

  it.each([
    ["and the server says so", (server: FileServer) => server.put("/app.jar", OTHER), OTHER],
    [
      "and the server sends the rest of the new one as if nothing were",
      (server: FileServer) => {
        server.ignoresIfRange = true;
        server.put("/app.jar", OTHER);
      },
      OTHER,
    ],
    [
      "and is shorter now",
      (server: FileServer) => {
        server.ignoresIfRange = true;
        server.put("/app.jar", aJar());
      },
      aJar(),
    ],
    [
      "and the server takes no ranges",
      (server: FileServer) => {
        server.ignoresRange = true;
      },
      JAR,
    ],
  ])("begins anew when the file was changed meanwhile, %s", async (_, change, expected) => {
    const server = await aServer();
    server.put("/app.jar", JAR);
    server.cuts.push(100_000);
    const harness = await storeFor([server]);
    const request = urlRequest(server.url("/app.jar"));
    const settled = harness.settle(request);
    await expect.poll(() => server.requests.length).toBe(1);
    change(server);
    await cutAt(server, harness, request, 100_000);
    expect(digestOf(await settled)).toBe(sha256(expected));
  });

  it("is never gone on with when nothing proves the version", async () => {
    const server = await aServer();
    server.put("/app.jar", JAR, { etag: 'W/"1"' });
    server.cuts.push(100_000);
    const harness = await storeFor([server]);
    const request = urlRequest(server.url("/app.jar"));
    const settled = harness.settle(request);
    await cutAt(server, harness, request, 100_000);
    expect(await settled).toMatchObject({ kind: "failed", reason: "DownloadFailed" });
    expect(digestOf(await settleLater(harness, request))).toBe(sha256(JAR));
    expect(server.asked()).toEqual(["/app.jar", "/app.jar"]);
  });

  it("is gone on with by the next attempt when the server is away for longer, and leaves no file when it is given up", async () => {
    const server = await aServer();
    server.put("/app.jar", JAR);
    server.cuts.push(100_000, 0, 0);
    const harness = await storeFor([server]);
    const request = urlRequest(server.url("/app.jar"));
    const settled = harness.settle(request);
    await cutAt(server, harness, request, 100_000);
    for (let tries = 2; tries <= 3; tries += 1) {
      if (tries === 3) void settleLater(harness, request);
      await expect.poll(() => server.requests.length).toBe(tries);
      server.cut();
      await settled;
    }
    await expect.poll(() => harness.store.see(request)).toMatchObject({ kind: "failed", reason: "DownloadFailed", failures: 2 });
    expect(await filesUnder(harness.cacheDir)).toHaveLength(1);
    expect(digestOf(await settleLater(harness, request))).toBe(sha256(JAR));
    expect(server.asked()).toEqual(["/app.jar", ...Array.from({ length: 3 }, () => "/app.jar bytes=100000-")]);
    expect((await filesUnder(harness.cacheDir)).filter((name) => name.startsWith("tmp"))).toEqual([]);
  });

  it("leaves no file behind when the store is closed", async () => {
    const server = await aServer();
    server.put("/app.jar", JAR);
    server.cuts.push(100_000, 0);
    const harness = await storeFor([server]);
    const request = urlRequest(server.url("/app.jar"));
    const settled = harness.settle(request);
    await cutAt(server, harness, request, 100_000);
    await expect.poll(() => server.requests.length).toBe(2);
    server.cut();
    expect(await settled).toMatchObject({ kind: "failed" });
    expect(await filesUnder(harness.cacheDir)).toHaveLength(1);
    await harness.store.close();
    expect(await filesUnder(harness.cacheDir)).toEqual([]);
  });
});

describe("credentials", () => {
  const secret = new Secret("hunter2");
  it.each<[string, Partial<ArtifactHostConfig>, Readonly<Record<string, string>>]>([
    [
      "Basic",
      { basic: { username: "me", password: secret } },
      { authorization: `Basic ${Buffer.from("me:hunter2").toString("base64")}` },
    ],
    ["Bearer", { bearer: secret }, { authorization: "Bearer hunter2" }],
    ["a header", { headers: new Map([["X-Key", secret]]) }, { "x-key": "hunter2" }],
  ])("of a host are sent to it and to nobody that it redirects to: %s", async (_, host, headers) => {
    const [own, other] = [await aServer(), await aServer()];
    own.needs = headers;
    own.redirect("/app.jar", "/moved.jar");
    own.redirect("/moved.jar", other.url("/app.jar"));
    other.put("/app.jar", JAR);
    const hosts = new Map([
      [own.host, aHost(host)],
      [other.host, aHost({ bearer: new Secret("of the other") })],
    ]);
    const { settle, logLines } = await aStore({ hosts });
    expect(digestOf(await settle(urlRequest(own.url("/app.jar"))))).toBe(sha256(JAR));
    expect(own.asked()).toEqual(["/app.jar", "/moved.jar"]);
    expect(other.requests[0]?.headers).not.toHaveProperty("authorization");
    expect(other.requests[0]?.headers).not.toHaveProperty("x-key");
    expect(logLines.join("")).not.toContain("hunter2");
  });

  it("that are missing or wrong are asked for by the option that holds them", async () => {
    const server = await aServer();
    server.needs = { authorization: "Bearer right" };
    const request = urlRequest(server.url("/app.jar"));
    expect(await (await storeFor([server])).settle(request)).toMatchObject({
      reason: "NotAuthorized",
      because: `${server.url("/app.jar")} refuses access (401): give it credentials under artifacts.hosts.${server.host}`,
    });
    const hosts = new Map([[server.host, aHost({ bearer: secret })]]);
    expect(await (await aStore({ hosts })).settle(request)).toMatchObject({
      because: expect.stringContaining("check its credentials") as string,
    });
  });
});

describe("where a URL may lead", () => {
  it("is not into a private network, unless the configuration says so or names the host", async () => {
    const server = await aServer();
    server.put("/app.jar", JAR);
    const request = urlRequest(server.url("/app.jar"));
    expect(await (await aStore()).settle(request)).toMatchObject({
      reason: "AddressRefused",
      because: `${server.url("/app.jar")} leads into a private network: name the host in the daemon's configuration under artifacts.hosts, or set artifacts.allowPrivateNetworks`,
    });
    expect(server.requests).toEqual([]);
    expect((await (await aStore({ allowPrivateNetworks: true })).settle(request)).kind).toBe("ready");
    const repository = { url: new URL(server.url("/jobs.git")), tls: {} };
    expect((await (await aStore({ repository })).settle(request)).kind).toBe("ready");
  });

  it.each([
    ["a private address", "AddressRefused", (to: FileServer) => to.url("/app.jar")],
    ["a link-local address", "AddressRefused", () => "https://169.254.169.254/latest/meta-data/"],
    ["a name of this machine", "AddressRefused", (to: FileServer) => `http://localhost:${to.port}/app.jar`],
    ["an unencrypted server", "PlainHttpRefused", () => "http://files.example.com/app.jar"],
    ["a file", "RedirectRefused", () => "file:///etc/passwd"],
    ["nowhere", "RedirectRefused", () => "http://"],
  ])("is checked at each hop: %s", async (_, reason, location) => {
    const [named, hidden] = [await aServer(), await aServer()];
    hidden.put("/app.jar", JAR);
    named.redirect("/app.jar", "/again.jar");
    named.redirect("/again.jar", location(hidden));
    const { settle } = await storeFor([named]);
    expect(await settle(urlRequest(named.url("/app.jar")))).toMatchObject({ kind: "failed", reason });
    expect(hidden.requests).toEqual([]);
  });

  it.each([
    "http://169.254.169.254/a.jar",
    "https://[fe80::1]/a.jar",
    "https://0.0.0.0/a.jar",
    "https://[::ffff:169.254.1.1]/a.jar",
    "https://2852039166/a.jar",
    "https://0251.0376.0251.0376/a.jar",
    "https://0xa9fea9fe/a.jar",
    "https://169.254.43518/a.jar",
    "https://１６９.２５４.１６９.２５４/a.jar",
    "https://[::a9fe:a9fe]/a.jar",
    "https://[64:ff9b::169.254.169.254]/a.jar",
    "https://169.254.169.254./a.jar",
  ])("is never this machine's own link, also where private networks are allowed: %s", async (url) => {
    const hosts = new Map([["169.254.169.254:1", aHost()]]);
    const { settle } = await aStore({ allowPrivateNetworks: true, hosts });
    const seen = await settle(urlRequest(url));
    expect(["AddressRefused", "PlainHttpRefused"]).toContain(seen.kind === "failed" ? seen.reason : seen.kind);
  });

  it("is judged by the addresses that are connected to, whatever a name led to before", async () => {
    const server = await aServer();
    server.put("/app.jar", JAR);
    const asked: string[] = [];
    const answers = [["127.0.0.1"], ["93.184.216.34", "10.0.0.1"], ["::ffff:127.0.0.1"], ["127.0.0.1"]];
    const lookup: Lookup = (hostname, _options, callback) => {
      asked.push(hostname);
      const found = answers.shift() ?? [];
      callback(
        null,
        found.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
      );
    };
    const url = `https://files.example.com:${server.port}/app.jar`;
    const harness = await aStore({}, { lookup });
    for (let attempt = 0; attempt < 3; attempt += 1) {
      expect(await settleLater(harness, urlRequest(url))).toMatchObject({
        reason: "AddressRefused",
        because: expect.stringContaining("files.example.com leads into a private network") as string,
      });
    }
    expect(asked).toEqual(Array.from({ length: 3 }, () => "files.example.com"));
    expect(server.requests).toEqual([]);
  });

  it("behind a proxy is judged by what this machine knows of the name", async () => {
    const { settle } = await aStore({ proxy: { https: "http://127.0.0.1:1" } }, { lookup: toIntranet });
    expect(await settle(urlRequest("https://intranet.example.com/app.jar"))).toMatchObject({ reason: "AddressRefused" });
  });

  it("is unencrypted only for hosts that the configuration names for it", async () => {
    const { settle } = await aStore();
    expect(await settle(urlRequest("http://files.example.com/app.jar"))).toMatchObject({
      reason: "PlainHttpRefused",
      because:
        "http://files.example.com/app.jar is not encrypted, so anybody on the way could change the jar: use https, or set artifacts.hosts.files.example.com.allowPlainHttp in the daemon's configuration",
    });
    const hosts = new Map([["files.example.com", aHost({ allowPlainHttp: true })]]);
    const allowed = await aStore({ hosts });
    expect(await allowed.settle(urlRequest("http://files.example.com/app.jar"))).not.toMatchObject({
      reason: "PlainHttpRefused",
    });
  });

  it("is at most five redirects away", async () => {
    const server = await aServer();
    for (let hop = 0; hop < 6; hop += 1) server.redirect(`/${hop}`, `/${hop + 1}`);
    server.put("/6", JAR);
    const harness = await storeFor([server]);
    expect((await harness.settle(urlRequest(server.url("/1")))).kind).toBe("ready");
    expect(await harness.settle(urlRequest(server.url("/0")))).toMatchObject({ reason: "RedirectRefused" });
  });

  describe("with TLS", () => {
    let certificates: TestCertificates;
    beforeAll(() => {
      certificates = createTestCertificates();
    });

    it("a server is believed by the CA of its host, and by no other", async () => {
      const server = await aServer(certificates);
      server.put("/app.jar", JAR);
      const request = urlRequest(server.url("/app.jar"));
      expect(await (await storeFor([server])).settle(request)).toMatchObject({ reason: "DownloadFailed" });
      const hosts = new Map([[server.host, aHost({ tls: { ca: certificates.ca } })]]);
      expect((await (await aStore({ hosts })).settle(request)).kind).toBe("ready");
    });

    it("from https to http is refused", async () => {
      const [own, plain] = [await aServer(certificates), await aServer()];
      own.redirect("/app.jar", plain.url("/app.jar"));
      const hosts = new Map([
        [own.host, aHost({ tls: { ca: certificates.ca } })],
        [plain.host, aHost({ allowPlainHttp: true })],
      ]);
      expect(await (await aStore({ hosts })).settle(urlRequest(own.url("/app.jar")))).toMatchObject({
        reason: "RedirectRefused",
      });
      expect(plain.requests).toEqual([]);
    });
  });
});

describe("a hostile server", () => {
  it.each<[string, (response: ServerResponse) => void, string, RegExp]>([
    [
      "sends without end",
      (response) => {
        const more = (): void => void (response.write(Buffer.alloc(100_000)) ? setImmediate(more) : response.once("drain", more));
        more();
      },
      "TooLarge",
      /larger than 977 kB \(artifacts\.maxSize\)/,
    ],
    [
      "says that it will send too much",
      (response) => void response.writeHead(200, { "content-length": 1_000_001 }).write("x"),
      "TooLarge",
      /artifacts\.maxSize/,
    ],
    ["falls silent", (response) => void response.writeHead(200, { "content-length": 100 }).write("x"), "TimedOut", /in time/],
    ["never answers", () => undefined, "TimedOut", /in time/],
    [
      "sends packed bytes",
      (response) => void response.writeHead(200, { "content-encoding": "gzip" }).end("x"),
      "DownloadFailed",
      /gzip/,
    ],
    ["sends a page", (response) => void response.end("<html>sign in</html>"), "NotAJar", /is not a jar/],
    ["answers with a part", (response) => void response.writeHead(206).end(JAR), "DownloadFailed", /answers 206/],
    ["claims that nothing changed", (response) => void response.writeHead(304).end(), "DownloadFailed", /answers 304/],
    ["fails", (response) => void response.writeHead(503).end(), "DownloadFailed", /answers 503/],
  ])("that %s is a clear problem, and nothing is left of it", async (_, behave, reason, because) => {
    const server = await aServer();
    server.on("/app.jar", (_request, response) => behave(response));
    const { settle, cacheDir } = await aStore({ hosts: new Map([[server.host, aHost()]]) }, { idleTimeoutMs: 300 });
    const seen = await settle(urlRequest(server.url("/app.jar"), { maxBytes: 1_000_000 }));
    expect(seen).toMatchObject({ kind: "failed", reason, because: expect.stringMatching(because) as string });
    expect(await filesUnder(cacheDir)).toEqual([]);
  });

  it("that sends drop by drop ends with the time limit of the whole", async () => {
    const server = await aServer();
    server.on("/app.jar", (_request, response) => {
      const timer = setInterval(() => response.write("x"), 20);
      response.on("close", () => clearInterval(timer));
    });
    const { settle } = await storeFor([server], { timeoutMs: 200 });
    expect(await settle(urlRequest(server.url("/app.jar")))).toMatchObject({
      reason: "TimedOut",
      because: "it took longer than 200ms (artifacts.timeout)",
    });
  });

  it("that changes the file at each call is given up on", async () => {
    const server = await aServer();
    let version = 0;
    server.on("/app.jar", (request, response) => {
      version += 1;
      const status = request.headers.range === undefined ? 200 : 206;
      response.writeHead(status, { etag: `"${version}"`, "content-length": 1000, "content-range": "bytes 0-999/1000" });
      response.write("xxxxx", () => response.socket?.end());
    });
    const { settle } = await storeFor([server]);
    expect(await settle(urlRequest(server.url("/app.jar")))).toMatchObject({ reason: "DownloadFailed" });
    expect(server.requests.length).toBeLessThan(10);
  });
});
