import { createHash, randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { ArtifactRequest } from "../../src/artifacts/artifact-store.ts";
import { Secret } from "../../src/common/secrets.ts";
import type { S3Config } from "../../src/config/config.ts";
import { BUCKET, type FakeS3, startFakeS3 } from "../support/fake-s3.ts";
import { aJar, aStore, atEnd, filesUnder, type Harness, key } from "./store-harness.ts";

const JAR = aJar(randomBytes(150_000).toString("hex"));
const SHA256 = createHash("sha256").update(JAR).digest("hex");
const IN_BASE64 = Buffer.from(SHA256, "hex").toString("base64");

async function aBucket(): Promise<FakeS3> {
  const s3 = await startFakeS3();
  atEnd(() => s3.close());
  return s3;
}

async function storeFor({ endpoint }: FakeS3, changes: Partial<S3Config> = {}, cacheDir?: string): Promise<Harness> {
  const credentials = { accessKeyId: new Secret("reader"), secretAccessKey: new Secret("hunter2") };
  const s3 = { endpoint, region: "eu-west-1", pathStyle: true, credentials, tls: {}, ...changes };
  return aStore({ s3, ...(cacheDir === undefined ? {} : { cacheDir }) });
}

function s3Request(changes: Partial<ArtifactRequest> = {}): ArtifactRequest {
  const source = { kind: "s3", bucket: BUCKET, key: "team/app jars/app+1.jar" } as const;
  return { key: key("orders"), source, maxBytes: 10_000_000, ...changes };
}

const FILE = "team/app jars/app+1.jar";

describe("an Artifact in a bucket", () => {
  it("is fetched with the configured access key, and asked for again by its ETag", async () => {
    const s3 = await aBucket();
    s3.files.set(FILE, { content: JAR, etag: '"1"' });
    const first = await storeFor(s3);
    expect(await first.settle(s3Request())).toMatchObject({ kind: "ready", sha256: SHA256, size: JAR.length });
    const second = await storeFor(s3, {}, first.cacheDir);
    expect(await second.settle(s3Request())).toMatchObject({ kind: "ready", sha256: SHA256 });
    expect(second.logLines.join("")).toContain("artifact found in the cache");
    expect([...first.logLines, ...second.logLines].join("")).not.toContain("hunter2");
  });

  it.each([
    ["sha256", { "x-amz-checksum-sha256": IN_BASE64 }, "ready"],
    ["sha256", { "x-amz-checksum-sha256": Buffer.alloc(32).toString("base64") }, "ChecksumMismatch"],
    ["crc32", { "x-amz-checksum-crc32": "AAAAAA==" }, "ChecksumMismatch"],
    ["crc64nvme", { "x-amz-checksum-crc64nvme": "AAAAAAAAAAA=" }, "ChecksumMismatch"],
  ])("is held against the checksum that the bucket keeps: %s", async (_, headers, expected) => {
    const s3 = await aBucket();
    s3.files.set(FILE, { content: JAR, etag: '"1"', headers });
    const { settle, cacheDir } = await storeFor(s3);
    const seen = await settle(s3Request());
    expect(seen.kind === "failed" ? seen.reason : seen.kind).toBe(expected);
    if (seen.kind === "failed") expect(await filesUnder(cacheDir)).toEqual([]);
  });

  it.each<[string, (s3: FakeS3) => void, string, RegExp]>([
    ["is not there", () => undefined, "NotFound", /^s3:\/\/streams\/team\/app jars\/app\+1\.jar is not there: .*NoSuchKey/],
    ["is denied", (s3) => s3.fail(403, "AccessDenied", "Access Denied"), "NotAuthorized", /artifacts\.s3$/],
    ["lies elsewhere", (s3) => s3.fail(301, "PermanentRedirect", "use another"), "DownloadFailed", /set artifacts\.s3\.region$/],
    [
      "is asked of a broken service",
      (s3) => s3.fail(500, "InternalError", "We are sorry"),
      "DownloadFailed",
      /InternalError, 500/,
    ],
    ["breaks off", (s3) => s3.files.set(FILE, { content: JAR, etag: '"1"', cutAt: 1000 }), "DownloadFailed", /could not be read/],
    [
      "is no jar",
      (s3) => s3.files.set(FILE, { content: Buffer.from("hello"), etag: '"1"' }),
      "NotAJar",
      /^s3:\/\/streams\/.* is not a jar/,
    ],
  ])("that %s is a clear problem", async (_, prepare, reason, because) => {
    const s3 = await aBucket();
    prepare(s3);
    const { settle, cacheDir } = await storeFor(s3);
    expect(await settle(s3Request())).toMatchObject({
      kind: "failed",
      reason,
      because: expect.stringMatching(because) as string,
    });
    expect((await filesUnder(cacheDir)).filter((name) => !name.startsWith("sources"))).toEqual([]);
  });

  it("that is too large is not read to its end", async () => {
    const s3 = await aBucket();
    s3.files.set(FILE, { content: JAR, etag: '"1"' });
    const { settle } = await storeFor(s3);
    expect(await settle(s3Request({ maxBytes: 100_000 }))).toMatchObject({
      reason: "TooLarge",
      because: expect.stringContaining("artifacts.maxSize") as string,
    });
  });

  it("whose bytes are gone waits for these very bytes, once they were Ready", async () => {
    const { settle } = await storeFor(await aBucket());
    expect(await settle(s3Request({ sha256: SHA256, recorded: true }))).toMatchObject({ reason: "BytesGone" });
  });

  it("whose content changed is refused", async () => {
    const s3 = await aBucket();
    s3.files.set(FILE, { content: aJar("other"), etag: '"2"' });
    const { settle } = await storeFor(s3);
    expect(await settle(s3Request({ sha256: SHA256, recorded: true }))).toMatchObject({ reason: "DigestMismatch" });
  });
});
