import { createHash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { parseLfsPointer } from "../../src/artifacts/lfs.ts";
import type { LfsServer } from "../../src/artifacts/lfs.ts";
import { Secret } from "../../src/common/secrets.ts";
import { FileServer } from "../support/file-server.ts";
import { createTestCertificates } from "../support/test-certificates.ts";
import { aJar, aStore, atEnd, filesUnder, type Harness, pathRequest } from "./store-harness.ts";

const JAR = aJar("kept elsewhere");
const SHA256 = createHash("sha256").update(JAR).digest("hex");
const BATCH = "/team/jobs.git/info/lfs/objects/batch";
const OBJECT = `/lfs/${SHA256}`;
const BASIC = `Basic ${Buffer.from("me:hunter2").toString("base64")}`;

function pointer(size = JAR.length, oid = SHA256): Buffer {
  return Buffer.from(`version https://git-lfs.github.com/spec/v1\noid sha256:${oid}\nsize ${size}\n`);
}

async function aServer(certificates?: Parameters<typeof FileServer.start>[0]): Promise<FileServer> {
  const server = await FileServer.start(certificates);
  atEnd(() => server.close());
  return server;
}

function repositoryOn(server: FileServer, tls = {}): LfsServer {
  return {
    url: new URL(server.url("/team/jobs")),
    credentials: { username: "me", password: new Secret("hunter2") },
    tls,
  };
}

async function storeFor(
  repository: LfsServer | undefined,
  content = pointer(),
  settings: Parameters<typeof aStore>[0] = {},
): Promise<Harness> {
  const readBlob = async () => ({ kind: "read" as const, content });
  return aStore({ ...(repository === undefined ? {} : { repository }), ...settings }, { readBlob });
}

/** Answers the batch request with this; what was asked is in the promise. */
function onBatch(server: FileServer, answer: unknown, status = 200): Promise<unknown> {
  const asked = Promise.withResolvers<unknown>();
  const answerIt = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    asked.resolve(JSON.parse(await text(request)));
    response.writeHead(status, { "content-type": "application/vnd.git-lfs+json" });
    response.end(typeof answer === "string" ? answer : JSON.stringify(answer));
  };
  server.on(BATCH, (request, response) => void answerIt(request, response));
  return asked.promise;
}

function download(href: string, header: object = {}): object {
  return { transfer: "basic", objects: [{ oid: SHA256, size: JAR.length, actions: { download: { href, header } } }] };
}

describe("a jar in Git LFS", () => {
  it("is had by the batch API of the Git server, with the repository's credentials", async () => {
    const server = await aServer();
    server.needs = { authorization: BASIC };
    const asked = onBatch(server, download(server.url(OBJECT)));
    server.put(OBJECT, JAR);
    const { settle, logLines } = await storeFor(repositoryOn(server));
    expect(await settle(pathRequest())).toMatchObject({ kind: "ready", sha256: SHA256, size: JAR.length });
    expect(await asked).toMatchObject({
      operation: "download",
      transfers: ["basic"],
      objects: [{ oid: SHA256, size: JAR.length }],
    });
    expect(server.requests[0]?.headers).toMatchObject({ accept: "application/vnd.git-lfs+json" });
    expect(logLines.join("")).not.toMatch(/hunter2|bWU6/);
  });

  it("on another host is had with what the Git server hands out for it, and with nothing else", async () => {
    const [git, store] = [await aServer(), await aServer()];
    git.needs = { authorization: BASIC };
    store.needs = { "x-signed": "for-you" };
    void onBatch(git, download(store.url(OBJECT), { "X-Signed": "for-you", Host: "evil", Bad: 1 }));
    store.put(OBJECT, JAR);
    const { settle } = await storeFor(repositoryOn(git));
    expect((await settle(pathRequest())).kind).toBe("ready");
    expect(store.requests[0]?.headers).not.toHaveProperty("authorization");
    expect(store.requests[0]?.headers.host).toBe(store.host);
  });

  it("is believed by the CA of the repository, and never followed from https to http", async () => {
    const certificates = createTestCertificates();
    const [git, plain] = [await aServer(certificates), await aServer()];
    void onBatch(git, download(git.url(OBJECT)));
    git.put(OBJECT, JAR);
    const repository = repositoryOn(git, { ca: certificates.ca });
    expect((await (await storeFor(repository)).settle(pathRequest())).kind).toBe("ready");
    void onBatch(git, download(plain.url(OBJECT)));
    expect(await (await storeFor(repository)).settle(pathRequest())).toMatchObject({ reason: "RedirectRefused" });
    expect(plain.requests).toEqual([]);
  });

  it.each<[string, unknown, number, string, RegExp]>([
    [
      "offers no LFS",
      "not found",
      404,
      "LfsPointer",
      /does not offer LFS \(404\): commit the jar without LFS, or publish it and name it/,
    ],
    ["answers with a page", "<html>", 200, "LfsPointer", /is not understood: commit the jar without LFS/],
    ["answers with something else", { objects: [] }, 200, "LfsPointer", /is not understood/],
    ["wants other credentials", {}, 401, "NotAuthorized", /repository\.credentials/],
    ["is broken", {}, 503, "DownloadFailed", /answers 503/],
    [
      "does not have it",
      { objects: [{ oid: SHA256, error: { code: 404, message: "Object does not exist\n" } }] },
      200,
      "NotFound",
      /Object does not exist.*404.*git lfs push/,
    ],
    ["gives no address", download("file:///etc/passwd"), 200, "LfsPointer", /is not understood/],
  ])("of a server that %s is a clear problem", async (_, answer, status, reason, because) => {
    const server = await aServer();
    void onBatch(server, answer, status);
    const { settle, cacheDir } = await storeFor(repositoryOn(server));
    expect(await settle(pathRequest())).toMatchObject({
      kind: "failed",
      reason,
      because: expect.stringMatching(because) as string,
    });
    expect(await filesUnder(cacheDir)).toEqual([]);
  });

  it("with other bytes than its pointer says is not used", async () => {
    const server = await aServer();
    void onBatch(server, download(server.url(OBJECT)));
    server.put(OBJECT, aJar("something else"));
    const { settle } = await storeFor(repositoryOn(server));
    expect(await settle(pathRequest())).toMatchObject({ kind: "failed", reason: "ChecksumMismatch" });
  });

  it("may be larger than a file of the repository, and not larger than a jar", async () => {
    const server = await aServer();
    void onBatch(server, download(server.url(OBJECT)));
    server.put(OBJECT, JAR);
    const small = pathRequest({ maxBytes: 200 });
    expect((await (await storeFor(repositoryOn(server))).settle(small)).kind).toBe("ready");
    const limited = { maxBytes: 300 };
    expect(await (await storeFor(repositoryOn(server), pointer(), limited)).settle(small)).toMatchObject({ reason: "TooLarge" });
    // A pointer that lies about the size gains nothing.
    expect(await (await storeFor(repositoryOn(server), pointer(10), limited)).settle(small)).toMatchObject({
      reason: "TooLarge",
    });
  });

  it("without a Git server is refused with the way out", async () => {
    expect(await (await storeFor(undefined)).settle(pathRequest())).toMatchObject({ reason: "LfsPointer" });
  });
});

describe("parseLfsPointer", () => {
  it.each([
    ["a pointer", pointer(12), { sha256: SHA256, size: 12 }],
    ["one with Windows' line ends", Buffer.from(pointer(12).toString().replaceAll("\n", "\r\n")), { sha256: SHA256, size: 12 }],
    ["a jar", JAR, undefined],
    ["one without a size", Buffer.from(`version https://git-lfs.github.com/spec/v1\noid sha256:${SHA256}\n`), undefined],
    ["one of another kind", Buffer.from("version https://git-lfs.github.com/spec/v1\noid md5:00\nsize 1\n"), undefined],
    ["a large text that begins alike", Buffer.concat([pointer(), Buffer.alloc(2000, "x")]), undefined],
  ])("%s", (_, bytes, expected) => {
    expect(parseLfsPointer(bytes)).toEqual(expected);
  });
});
