import { fork } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { crc32 } from "node:zlib";
import { ArtifactStore, type ArtifactRequest } from "../../src/artifacts/artifact-store.ts";
import { createDispatcher } from "../../src/common/http.ts";
import { systemClock } from "../../src/common/clock.ts";
import { createLog } from "../../src/common/log.ts";
import { Secret } from "../../src/common/secrets.ts";
import { FlinkClient } from "../../src/flink/flink-client.ts";
import type { ArtifactSource } from "../../src/model/manifest.ts";
import type { ResourceKey } from "../../src/model/resource.ts";
import { buildClass } from "../support/class-bytes.ts";
import { buildZip } from "../support/zip.ts";

/**
 * What a large jar costs in memory from each source, and to upload: `node test/bench/measure-artifacts.ts [MEGABYTES]`. The servers run in a
 * process of their own, so that only Penstock's own memory counts.
 */
const MB = 1024 * 1024;
const SERVER = "server";

/** A valid jar of this size without ever holding it: its one large entry repeats a random block. */
class LargeJar {
  readonly #block = randomBytes(MB);
  readonly #blocks: number;
  readonly #head: Buffer;
  readonly #tail: Buffer;
  readonly sha1: string;

  constructor(megabytes: number) {
    this.#blocks = megabytes;
    const small = buildZip([
      { name: "META-INF/MANIFEST.MF", content: "Main-Class: demo.Main\n" },
      { name: "demo/Main.class", content: buildClass({ name: "demo.Main" }) },
    ]);
    const end = small.length - 22;
    const directory = small.subarray(small.readUInt32LE(end + 16), end);
    const locals = small.subarray(0, small.readUInt32LE(end + 16));
    const header = this.#header();
    this.#head = Buffer.concat([locals, Buffer.from("PK\u0003\u0004\u0014\u0000", "latin1"), header, Buffer.from("data.bin")]);
    const record = Buffer.concat([
      Buffer.from("PK\u0001\u0002\u0014\u0000\u0014\u0000", "latin1"),
      header,
      Buffer.alloc(10),
      u4(locals.length),
      Buffer.from("data.bin"),
    ]);
    const start = this.#head.length + this.#blocks * MB;
    const last = Buffer.concat([
      Buffer.from("PK\u0005\u0006", "latin1"),
      Buffer.alloc(4),
      u2(3),
      u2(3),
      u4(directory.length + record.length),
      u4(start),
      u2(0),
    ]);
    this.#tail = Buffer.concat([directory, record, last]);
    const hash = createHash("sha1");
    for (const chunk of this.chunks()) hash.update(chunk);
    this.sha1 = hash.digest("hex");
  }

  get size(): number {
    return this.#head.length + this.#blocks * MB + this.#tail.length;
  }

  *chunks(): Generator<Buffer> {
    yield this.#head;
    for (let block = 0; block < this.#blocks; block += 1) yield this.#block;
    yield this.#tail;
  }

  #header(): Buffer {
    let crc = 0;
    for (let block = 0; block < this.#blocks; block += 1) crc = crc32(this.#block, crc);
    const size = u4(this.#blocks * MB);
    return Buffer.concat([Buffer.from([0, 8, 0, 0, 0, 0, 0x21, 0]), u4(crc), size, size, u2(8), u2(0)]);
  }
}

function u2(value: number): Buffer {
  return Buffer.from([value & 0xff, value >> 8]);
}

function u4(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
}

/** Gives the jar under every path, and takes uploads as Flink does. */
async function serve(megabytes: number): Promise<void> {
  const jar = new LargeJar(megabytes);
  const server = createServer((request, response) => {
    const path = request.url ?? "";
    if (request.method === "POST") {
      request.on("end", () => response.end(JSON.stringify({ filename: "/tmp/1_large.jar", status: "success" }))).resume();
    } else if (path.endsWith(".sha1")) response.end(jar.sha1);
    else if (/\.sha\d+$/.test(path)) response.writeHead(404).end();
    else {
      response.writeHead(200, { "content-length": jar.size, etag: '"1"' });
      Readable.from(jar.chunks()).pipe(response);
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  process.send?.((server.address() as AddressInfo).port);
}

async function measure(megabytes: number): Promise<void> {
  const child = fork(import.meta.filename, [SERVER, String(megabytes)]);
  const [port] = (await once(child, "message")) as [number];
  const folder = await mkdtemp(join(tmpdir(), "penstock-measure-"));
  const base = `http://127.0.0.1:${port}`;
  try {
    const sources: readonly (readonly [string, ArtifactSource])[] = [
      ["url", { kind: "url", url: `${base}/large.jar` }],
      ["maven", { kind: "maven", coordinates: { group: "a", artifact: "b", version: "1", type: "jar" } }],
      ["s3", { kind: "s3", bucket: "jars", key: "large.jar" }],
    ];
    for (const [name, source] of sources) await measureSource(name, source, base, join(folder, name), megabytes);
  } finally {
    child.kill();
    await rm(folder, { recursive: true, force: true });
  }
}

async function measureSource(
  name: string,
  source: ArtifactSource,
  base: string,
  cacheDir: string,
  megabytes: number,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const credentials = { accessKeyId: new Secret("reader"), secretAccessKey: new Secret("secret") };
  const store = new ArtifactStore(
    {
      instance: "bench",
      cacheDir,
      maxBytes: 4096 * MB,
      cacheBytes: 8192 * MB,
      timeoutMs: 600_000,
      allowPrivateNetworks: true,
      hosts: new Map(),
      s3: { endpoint: new URL(base), region: "eu-west-1", pathStyle: true, credentials, tls: {} },
      maven: { repositories: [{ url: new URL(base), tls: {} }] },
    },
    {
      log: createLog({ level: "silent", people: false, stream: process.stderr }),
      clock: systemClock,
      readBlob: async () => Promise.reject(new Error("no blob here")),
      onChange: resolve,
      createDispatcher: (tls, lookup) => createDispatcher({ tls, ...(lookup === undefined ? {} : { lookup }) }),
    },
  );
  const request: ArtifactRequest = { key: `bench/${name}` as ResourceKey, source, maxBytes: 4096 * MB };
  if (source.kind === "s3") await import("@aws-sdk/client-s3"); // its own 20 MB are not the jar's
  const fetched = await withPeak(async () => {
    store.fetch(request);
    await promise;
  });
  const seen = store.see(request);
  if (seen.kind !== "ready") throw new Error(JSON.stringify(seen));
  const client = new FlinkClient(
    { name: "sink", url: new URL(base), timeoutMs: 600_000, submitTimeoutMs: 600_000 },
    { clock: systemClock },
  );
  const uploaded = await withPeak(async () => {
    await client.uploadJar(await store.submittable(seen.sha256, { launcher: false }), new AbortController().signal);
  });
  const launcher = await withPeak(async () => store.submittable(seen.sha256, { launcher: true }));
  await Promise.all([client.close(), store.close()]);
  const shown = [
    ["fetch and inspect", fetched],
    ["upload", uploaded],
    ["add the launcher", launcher],
  ] as const;
  for (const [what, { peakMb, seconds }] of shown) {
    console.log(`${name}, ${megabytes} MB: ${what}: +${peakMb} MB of RSS at most, ${seconds.toFixed(1)} s`);
  }
}

/** How far the resident memory of this process rose above where it was. */
async function withPeak(work: () => Promise<unknown>): Promise<{ readonly peakMb: number; readonly seconds: number }> {
  globalThis.gc?.();
  const before = await residentBytes();
  const began = performance.now();
  let peak = before;
  const timer = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss());
  }, 10);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  return {
    peakMb: Math.round((Math.max(peak, await residentBytes()) - before) / MB),
    seconds: (performance.now() - began) / 1000,
  };
}

async function residentBytes(): Promise<number> {
  const status = await readFile("/proc/self/status", "utf8");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? "0") * 1024;
}

const [mode = "500", size = "500"] = process.argv.slice(2);
if (mode === SERVER) await serve(Number(size));
else await measure(Number(mode));
