import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { beforeAll, describe, expect, it } from "vitest";
import type { ArtifactSeen } from "../../src/artifacts/artifact-store.ts";
import { mavenPath } from "../../src/artifacts/maven.ts";
import { formatCoordinates } from "../../src/model/spec-fields.ts";
import { Secret } from "../../src/common/secrets.ts";
import type { MavenRepositoryConfig, TlsConfig } from "../../src/config/config.ts";
import { MavenServer } from "../support/maven-server.ts";
import { createTestCertificates, type TestCertificates } from "../support/test-certificates.ts";
import {
  aJar,
  aStore,
  atEnd,
  COORDINATES,
  filesUnder,
  type Harness,
  JAR_PATH,
  key,
  mavenRequest,
  pathRequest,
} from "./store-harness.ts";

const JAR = aJar();
const SHA256 = createHash("sha256").update(JAR).digest("hex");
const CREDENTIALS = { username: "reader", password: new Secret("pass:wörd") };
const BASIC = `Basic ${Buffer.from("reader:pass:wörd", "utf8").toString("base64")}`;

async function aServer(certificates?: TestCertificates): Promise<MavenServer> {
  const server = await MavenServer.start(certificates);
  atEnd(() => server.close());
  return server;
}

function at(server: MavenServer, changes: Partial<MavenRepositoryConfig> = {}): MavenRepositoryConfig {
  return { url: server.url, tls: {}, ...changes };
}

async function storeWith(...repositories: readonly MavenRepositoryConfig[]): Promise<Harness> {
  return aStore({ maven: { repositories } });
}

async function settledWith(...repositories: readonly MavenRepositoryConfig[]): Promise<ArtifactSeen> {
  return (await storeWith(...repositories)).settle(mavenRequest());
}

function redirect(from: MavenServer, path: string, location: string, status = 302): void {
  from.on(path, (_request, response) => response.writeHead(status, { location }).end("elsewhere"));
}

/** A failed state, and neither a secret nor a file is left anywhere. */
async function expectFailure(harness: Harness, reason: string, because: RegExp): Promise<void> {
  const seen = await harness.settle(mavenRequest());
  expect(seen).toMatchObject({ kind: "failed", reason, because: expect.stringMatching(because) });
  expect(await filesUnder(harness.cacheDir)).toEqual([]);
  const texts = `${JSON.stringify(seen)} ${harness.logLines.join("")}`;
  for (const secret of ["wörd", BASIC.slice(6), "token=secret"]) expect(texts).not.toContain(secret);
}

describe("mavenPath and formatCoordinates", () => {
  it.each([
    [COORDINATES, "org/example/jobs/1.0/jobs-1.0.jar", "org.example:jobs:1.0"],
    [{ ...COORDINATES, classifier: "shaded" }, "org/example/jobs/1.0/jobs-1.0-shaded.jar", "org.example:jobs:1.0:jar:shaded"],
    [{ ...COORDINATES, type: "war" }, "org/example/jobs/1.0/jobs-1.0.war", "org.example:jobs:1.0:war"],
    [
      {
        group: "org.apache.flink",
        artifact: "flink-examples-streaming_2.12",
        version: "1.16.2",
        type: "jar",
        classifier: "TopSpeedWindowing",
      },
      "org/apache/flink/flink-examples-streaming_2.12/1.16.2/flink-examples-streaming_2.12-1.16.2-TopSpeedWindowing.jar",
      "org.apache.flink:flink-examples-streaming_2.12:1.16.2:jar:TopSpeedWindowing",
    ],
    [{ ...COORDINATES, version: "1.0 ?#" }, "org/example/jobs/1.0%20%3F%23/jobs-1.0%20%3F%23.jar", "org.example:jobs:1.0 ?#"],
  ])("%o", (coordinates, path, text) => {
    expect(mavenPath(coordinates)).toBe(path);
    expect(formatCoordinates(coordinates)).toBe(text);
  });
});

describe("an Artifact from a Maven repository", () => {
  it("is fetched, checked and cached", async () => {
    const server = await aServer();
    server.put(JAR_PATH, JAR);
    const seen = await settledWith(at(server));
    expect(seen).toMatchObject({ kind: "ready", sha256: SHA256, size: JAR.length });
    expect(seen.kind === "ready" && (await readFile(seen.file)).equals(JAR)).toBe(true);
    expect(server.pathsAsked()).toEqual([JAR_PATH, `${JAR_PATH}.sha512`, `${JAR_PATH}.sha256`, `${JAR_PATH}.sha1`]);
  });

  it("comes from the first repository that has it, whether its URL ends with a slash or not", async () => {
    const [empty, full, unasked] = [await aServer(), await aServer(), await aServer()];
    full.put(JAR_PATH, JAR);
    const withoutSlash = new URL(String(full.url).replace(/\/$/, ""));
    expect((await settledWith(at(empty), at(full, { url: withoutSlash }), at(unasked))).kind).toBe("ready");
    expect(empty.pathsAsked()).toEqual([JAR_PATH]);
    expect(unasked.requests).toEqual([]);
  });

  it("is not fetched again after a restart, whether its digest is recorded or not", async () => {
    const server = await aServer();
    server.put(JAR_PATH, JAR);
    const { settle, cacheDir } = await storeWith(at(server));
    await settle(mavenRequest());
    const asked = server.requests.length;
    const again = await aStore({ cacheDir, maven: { repositories: [at(server)] } });
    expect((await again.settle(mavenRequest())).kind).toBe("ready");
    expect((await again.settle(mavenRequest({ key: key("other"), sha256: SHA256 }))).kind).toBe("ready");
    expect(server.requests).toHaveLength(asked);
  });

  it("is not taken from the notes when other repositories are configured meanwhile", async () => {
    const [before, after] = [await aServer(), await aServer()];
    before.put(JAR_PATH, JAR);
    after.put(JAR_PATH, aJar("another release of the same name"));
    const { settle, cacheDir } = await storeWith(at(before));
    await settle(mavenRequest());
    const seen = await (await aStore({ cacheDir, maven: { repositories: [at(after)] } })).settle(mavenRequest());
    expect(seen.kind === "ready" && seen.sha256).not.toBe(SHA256);
  });

  it("shows its progress", async () => {
    const server = await aServer();
    server.put(JAR_PATH, JAR);
    const half = Promise.withResolvers<ServerResponse>();
    server.on(JAR_PATH, (_request, response) => {
      response.writeHead(200, { "content-length": JAR.length });
      response.write(JAR.subarray(0, 100), () => half.resolve(response));
    });
    const { store, settle } = await storeWith(at(server));
    const settled = settle(mavenRequest());
    const response = await half.promise;
    let seen = store.see(mavenRequest());
    while (seen.kind === "downloading" && seen.bytes === 0) {
      await new Promise((resolve) => setImmediate(resolve));
      seen = store.see(mavenRequest());
    }
    expect(seen).toMatchObject({ kind: "downloading", bytes: 100, totalBytes: JAR.length });
    response.end(JAR.subarray(100));
    expect((await settled).kind).toBe("ready");
  });

  it("fails with the option to set when no repository is configured", async () => {
    await expectFailure(await storeWith(), "NoMavenRepository", /artifacts\.maven\.repositories/);
  });

  it("fails when no repository has it, naming all of them, and is found once it is there", async () => {
    const [one, two] = [await aServer(), await aServer()];
    const harness = await storeWith(at(one), at(two, { credentials: CREDENTIALS }));
    await expectFailure(harness, "NotFound", new RegExp(`^org.example:jobs:1.0 is not in ${one.url.href} and ${two.url.href}:`));
    two.put(JAR_PATH, JAR);
    harness.clock.nowMs += 10_000;
    expect((await harness.settle(mavenRequest())).kind).toBe("ready");
  });

  it.each([
    [500, "DownloadFailed", /the Maven repository http:\S+ answers 500$/],
    [204, "DownloadFailed", /answers 204$/],
    [401, "NotAuthorized", /refuses access \(401\): check its credentials/],
    [403, "NotAuthorized", /refuses access \(403\)/],
  ])("does not go on to the next repository after a %d", async (status, reason, because) => {
    const [broken, other] = [await aServer(), await aServer()];
    broken.on(JAR_PATH, (_request, response) => response.writeHead(status).end());
    other.put(JAR_PATH, JAR);
    await expectFailure(await storeWith(at(broken, { credentials: CREDENTIALS }), at(other)), reason, because);
    expect(other.requests).toEqual([]);
  });

  it("asks for credentials where none are configured", async () => {
    const server = await aServer();
    server.on(JAR_PATH, (_request, response) => response.writeHead(401, { "www-authenticate": "Basic" }).end());
    await expectFailure(await storeWith(at(server)), "NotAuthorized", /give it credentials under artifacts\.maven\.repositories/);
  });

  it("sends each repository its own credentials, also for the checksums", async () => {
    const [open, closed] = [await aServer(), await aServer()];
    closed.put(JAR_PATH, JAR);
    expect((await settledWith(at(open), at(closed, { credentials: CREDENTIALS }))).kind).toBe("ready");
    expect(open.requests.map(({ authorization }) => authorization)).toEqual([undefined]);
    expect(new Set(closed.requests.map(({ authorization }) => authorization))).toEqual(new Set([BASIC]));
  });

  it("fails when nobody listens", async () => {
    const server = await aServer();
    const repository = at(server);
    await server.close();
    await expectFailure(await storeWith(repository), "DownloadFailed", /could not be read: .*ECONNREFUSED/);
  });
});

describe("checksums", () => {
  it.each([
    ["alone, in capitals, with a line break", (hex: string) => `${hex.toUpperCase()}\n`],
    ["before the file's name", (hex: string) => `${hex}  jobs-1.0.jar`],
    ["behind the file's name", (hex: string) => `SHA1(jobs-1.0.jar)= ${hex}`],
  ])("are found in their files: %s", async (_, text) => {
    const server = await aServer();
    server.put(JAR_PATH, JAR, []);
    server.putText(`${JAR_PATH}.sha1`, text(createHash("sha1").update(JAR).digest("hex")));
    expect((await settledWith(at(server))).kind).toBe("ready");
  });

  it.each([["sha512"], ["sha256"], ["sha1"]])("refuse a jar that does not match its .%s", async (digest) => {
    const server = await aServer();
    server.put(JAR_PATH, JAR, ["sha512", "sha256", "sha1"].slice(["sha512", "sha256", "sha1"].indexOf(digest)));
    server.putText(`${JAR_PATH}.${digest}`, createHash(digest).update("other bytes").digest("hex"));
    await expectFailure(
      await storeWith(at(server)),
      "ChecksumMismatch",
      new RegExp(`does not match its \\.${digest} file .*the jar is not used`),
    );
  });

  it("are required", async () => {
    const server = await aServer();
    server.put(JAR_PATH, JAR, []);
    await expectFailure(await storeWith(at(server)), "NoChecksum", /spec\.source\.sha256/);
  });

  it("are not asked for when the digest is pinned, which is checked instead", async () => {
    const server = await aServer();
    server.put(JAR_PATH, JAR, []);
    const { settle } = await storeWith(at(server));
    expect((await settle(mavenRequest({ sha256: SHA256 }))).kind).toBe("ready");
    expect(server.pathsAsked()).toEqual([JAR_PATH]);
    const other = await settle(mavenRequest({ key: key("other"), sha256: "0".repeat(64) }));
    expect(other).toMatchObject({
      kind: "failed",
      reason: "DigestMismatch",
      because: expect.stringContaining(SHA256.slice(0, 12)),
    });
  });

  it.each([
    [
      "a page instead of a digest",
      (response: ServerResponse) => response.end("<html>Please sign in</html>"),
      "DownloadFailed",
      /holds no sha1 digest/,
    ],
    [
      "a digest of another length",
      (response: ServerResponse) => response.end("0".repeat(64)),
      "DownloadFailed",
      /holds no sha1 digest/,
    ],
    [
      "something endless",
      (response: ServerResponse) => response.end("0 ".repeat(100_000)),
      "TooLarge",
      /\.sha1 is larger than 4\.0 kB$/,
    ],
    ["an error", (response: ServerResponse) => response.writeHead(503).end(), "DownloadFailed", /answers 503/],
  ])("must be readable: %s", async (_, answer, reason, because) => {
    const server = await aServer();
    server.put(JAR_PATH, JAR, []);
    server.on(`${JAR_PATH}.sha1`, (_request, response) => answer(response));
    await expectFailure(await storeWith(at(server)), reason, because);
  });
});

describe("bad downloads", () => {
  it.each<[string, (response: ServerResponse) => unknown, string, RegExp]>([
    [
      "cut before the announced length",
      (response) => {
        response.writeHead(200, { "content-length": JAR.length });
        response.write(JAR.subarray(0, 50), () => response.destroy());
      },
      "DownloadFailed",
      /could not be read/,
    ],
    [
      "cut between two chunks",
      (response) => response.write(JAR.subarray(0, 50), () => response.destroy()),
      "DownloadFailed",
      /could not be read/,
    ],
    ["ended too early in good order", (response) => response.end(JAR.subarray(0, 50)), "ChecksumMismatch", /the jar is not used/],
    [
      "compressed unasked",
      (response) => response.writeHead(200, { "content-encoding": "gzip" }).end(JAR),
      "DownloadFailed",
      /came compressed \(gzip\)/,
    ],
    [
      "announced larger than allowed",
      (response) => response.writeHead(200, { "content-length": 50_000_000 }).write("x"),
      "TooLarge",
      /larger than 9\.5 MB \(artifacts\.maxSize\)/,
    ],
    [
      "larger than allowed without saying so",
      (response) => {
        response.write(Buffer.alloc(6_000_000));
        response.end(Buffer.alloc(6_000_000));
      },
      "TooLarge",
      /artifacts\.maxSize/,
    ],
  ])("%s", async (_, answer, reason, because) => {
    const server = await aServer();
    server.put(JAR_PATH, JAR);
    server.on(JAR_PATH, (_request, response) => void answer(response));
    await expectFailure(await storeWith(at(server)), reason, because);
  });

  it.each<[string, (response: ServerResponse) => unknown]>([
    ["no answer", () => undefined],
    ["an answer that stops", (response) => response.writeHead(200, { "content-length": JAR.length }).write(JAR.subarray(0, 10))],
  ])("end after the idle timeout: %s", async (_, answer) => {
    const server = await aServer();
    server.on(JAR_PATH, (_request, response) => void answer(response));
    const harness = await aStore({ maven: { repositories: [at(server)] } }, { idleTimeoutMs: 100 });
    await expectFailure(harness, "TimedOut", /does not answer in time$/);
  });

  it("end after the time limit of the whole, although bytes keep coming", async () => {
    const server = await aServer();
    server.on(JAR_PATH, (_request, response) => {
      const drip = setInterval(() => response.write("x"), 20);
      response.on("close", () => clearInterval(drip));
    });
    await expectFailure(
      await aStore({ maven: { repositories: [at(server)] }, timeoutMs: 200 }),
      "TimedOut",
      /artifacts\.timeout/,
    );
  });

  it("that hang delay neither blobs nor what finds a free slot", async () => {
    const server = await aServer();
    server.put(JAR_PATH, JAR);
    for (const name of ["a", "b", "c"]) server.on(`org/example/${name}/1.0/${name}-1.0.jar`, () => undefined);
    const readBlob = async () => ({ kind: "read" as const, content: JAR });
    const { store, settle } = await aStore({ maven: { repositories: [at(server)] } }, { readBlob });
    for (const name of ["a", "b", "c"]) {
      store.fetch(mavenRequest({ key: key(name), source: { kind: "maven", coordinates: { ...COORDINATES, artifact: name } } }));
    }
    expect((await settle(mavenRequest())).kind).toBe("ready");
    expect((await settle(pathRequest({ key: key("blob") }))).kind).toBe("ready");
  });
});

describe("redirects", () => {
  it.each([301, 302, 303, 307, 308])("within a server are followed with its credentials: %d", async (status) => {
    const server = await aServer();
    server.put("store/1", JAR);
    server.put(JAR_PATH, JAR);
    redirect(server, JAR_PATH, "/maven/store/1", status);
    expect((await settledWith(at(server, { credentials: CREDENTIALS }))).kind).toBe("ready");
    expect(server.requests.every(({ authorization }) => authorization === BASIC)).toBe(true);
  });

  it("to another server are followed without credentials, and so is the way back", async () => {
    const [server, store] = [await aServer(), await aServer()];
    server.put(JAR_PATH, JAR);
    server.put("back", JAR);
    redirect(server, JAR_PATH, `${store.url.href}signed?token=secret`);
    redirect(store, "signed?token=secret", `${server.url.href}back`);
    expect((await settledWith(at(server, { credentials: CREDENTIALS }))).kind).toBe("ready");
    expect(store.requests.map(({ authorization }) => authorization)).toEqual([undefined]);
    expect(server.requests.find(({ path }) => path.endsWith("back"))?.authorization).toBeUndefined();
    expect(server.requests.find(({ path }) => path.endsWith("sha1"))?.authorization).toBe(BASIC);
  });

  it("tell no secret of where they lead when that fails", async () => {
    const [server, store] = [await aServer(), await aServer()];
    redirect(server, JAR_PATH, `${store.url.href}signed?token=secret`);
    store.on("signed?token=secret", (_request, response) => response.writeHead(500).end());
    await expectFailure(
      await storeWith(at(server)),
      "DownloadFailed",
      /answers 500 \(for http:\/\/127\.0\.0\.1:\d+\/maven\/signed\)$/,
    );
  });

  it("are followed five times, not six", async () => {
    const server = await aServer();
    server.put(JAR_PATH, JAR);
    server.put("hop5", JAR);
    redirect(server, JAR_PATH, "/maven/hop1");
    for (let hop = 1; hop < 5; hop += 1) redirect(server, `hop${hop}`, `hop${hop + 1}`);
    expect((await settledWith(at(server))).kind).toBe("ready");
    redirect(server, "hop5", "hop6");
    server.put("hop6", JAR);
    await expectFailure(await storeWith(at(server)), "RedirectRefused", /redirects more than 5 times/);
  });

  it.each([
    ["nowhere", "http://", /redirects to nowhere/],
    ["another protocol", "file:///etc/passwd", /redirects to file:/],
  ])("are refused: to %s", async (_, location, because) => {
    const server = await aServer();
    redirect(server, JAR_PATH, location);
    await expectFailure(await storeWith(at(server)), "RedirectRefused", because);
  });

  describe("with TLS", () => {
    let certificates: TestCertificates;
    beforeAll(() => {
      certificates = createTestCertificates();
    });
    const own = (): TlsConfig => ({
      ca: certificates.ca,
      cert: certificates.client.cert,
      key: new Secret(certificates.client.key),
    });

    it("an own CA is trusted and a client certificate shown", async () => {
      const server = await aServer(certificates);
      server.put(JAR_PATH, JAR);
      expect((await settledWith(at(server, { tls: own() }))).kind).toBe("ready");
      expect(server.requests.every(({ certified }) => certified)).toBe(true);
    });

    it("a server with an unknown CA is not believed", async () => {
      const server = await aServer(certificates);
      server.put(JAR_PATH, JAR);
      await expectFailure(await storeWith(at(server)), "DownloadFailed", /could not be read: .*certificate/);
      expect(server.requests).toEqual([]);
    });

    it("the client certificate is not shown to another server, which may have the same CA", async () => {
      const [server, store] = [await aServer(certificates), await aServer(certificates)];
      server.put(JAR_PATH, JAR);
      store.put("elsewhere", JAR);
      redirect(server, JAR_PATH, `${store.url.href}elsewhere`);
      expect((await settledWith(at(server, { tls: own(), credentials: CREDENTIALS }))).kind).toBe("ready");
      expect(store.requests).toEqual([{ path: "/maven/elsewhere", authorization: undefined, certified: false }]);
    });

    it("from https to http is refused, and nothing is sent there", async () => {
      const [server, plain] = [await aServer(certificates), await aServer()];
      plain.put("elsewhere", JAR);
      redirect(server, JAR_PATH, `${plain.url.href}elsewhere`);
      await expectFailure(await storeWith(at(server, { tls: own() })), "RedirectRefused", /from https to http:/);
      expect(plain.requests).toEqual([]);
    });
  });
});
