import { createHash } from "node:crypto";
import { appendFile, mkdir, readFile, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import type { ArtifactSeen, ArtifactStore } from "../../src/artifacts/artifact-store.ts";
import { inspectJar } from "../../src/artifacts/inspect-jar.ts";
import type { ReadBlob } from "../../src/artifacts/path-source.ts";
import { LAUNCHER_CLASS_NAME, LAUNCHER_VERSION } from "../../src/flink/launcher/launcher-class.ts";
import { aJar, aStore, filesUnder, key, pathRequest, tempFolder } from "./store-harness.ts";

const JAR = aJar();
const SHA256 = digestOf(JAR);
const OTHER = "0".repeat(64);

function digestOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Gives the same bytes for every blob and counts how often it was asked. */
function blobs(content: Uint8Array = JAR): { readonly readBlob: ReadBlob; asked: number } {
  const counted = {
    asked: 0,
    readBlob: async () => {
      counted.asked += 1;
      return { kind: "read" as const, content };
    },
  };
  return counted;
}

function ready(seen: ArtifactSeen): Extract<ArtifactSeen, { kind: "ready" }> {
  if (seen.kind !== "ready") throw new Error(`not ready but ${JSON.stringify(seen)}`);
  return seen;
}

describe("an Artifact from the repository", () => {
  it("is absent, then downloading, then ready with its digest, size, file and content", async () => {
    const { store, settle, cacheDir } = await aStore({}, blobs());
    expect(store.see(pathRequest())).toEqual({ kind: "absent" });
    const settled = settle(pathRequest());
    expect(store.see(pathRequest())).toMatchObject({ kind: "downloading", bytes: 0 });
    const seen = ready(await settled);
    expect(seen).toMatchObject({ sha256: SHA256, size: JAR.length, inspection: { mainClassOfManifest: "demo.TopSpeed" } });
    expect(seen.file).toBe(join(cacheDir, SHA256.slice(0, 2), `${SHA256}.jar`));
    expect((await readFile(seen.file)).equals(JAR)).toBe(true);
  });

  it("is asked for by the blob and the commit that the caller resolved", async () => {
    const asked: unknown[] = [];
    const readBlob: ReadBlob = async (...args) => {
      asked.push(args.slice(0, 2));
      return { kind: "read", content: JAR };
    };
    const { settle } = await aStore({}, { readBlob });
    await settle(pathRequest({ maxBytes: 12_345 }));
    expect(asked).toEqual([[pathRequest().blob, 12_345]]);
  });

  it("stays ready when another commit holds the same blob, and starts afresh with another blob", async () => {
    const { store, settle } = await aStore({}, blobs());
    await settle(pathRequest());
    const { oid } = pathRequest().blob!;
    expect(store.see(pathRequest({ blob: { commit: "d".repeat(40), oid } })).kind).toBe("ready");
    expect(store.see(pathRequest({ sha256: SHA256 })).kind).toBe("ready");
    expect(store.see(pathRequest({ sha256: OTHER })).kind).toBe("absent");
    expect(store.see(pathRequest({ blob: { commit: "d".repeat(40), oid: "e".repeat(40) } })).kind).toBe("absent");
    expect(store.see(pathRequest({ source: { kind: "path", path: "other.jar" } })).kind).toBe("absent");
  });

  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${OTHER}\nsize 12345\n`;
  it.each<[string, Partial<ReturnType<typeof pathRequest>>, ReadBlob, string, RegExp]>([
    [
      "nothing at that path",
      {},
      () => Promise.reject(new Error("never asked")),
      "FileMissing",
      /^jars\/app.jar is not in the repository$/,
    ],
    ["an LFS pointer", {}, blobs(Buffer.from(pointer)).readBlob, "LfsPointer", /is a Git LFS pointer.*spec\.source\.maven/],
    [
      "too large",
      { maxBytes: 2048 },
      async () => ({ kind: "too-large" }),
      "TooLarge",
      /larger than 2\.0 kB \(repository\.maxBlobSize\)/,
    ],
    ["no jar", {}, blobs(Buffer.from("PK?")).readBlob, "NotAJar", /^jars\/app\.jar is not a jar: /],
    [
      "not readable",
      {},
      () => Promise.reject(new Error("object\nis gone")),
      "BlobUnreadable",
      /cannot be read.*: object is gone$/,
    ],
    [
      "other bytes than pinned",
      { sha256: OTHER },
      blobs().readBlob,
      "DigestMismatch",
      new RegExp(`${SHA256.slice(0, 12)}….*000000000000….*the jar is not used`),
    ],
  ])("fails with a reason in one line: %s", async (what, changes, readBlob, reason, because) => {
    const { settle, cacheDir, logLines } = await aStore({}, { readBlob });
    const { blob, ...withoutBlob } = pathRequest(changes);
    const seen = await settle(
      what === "nothing at that path" ? withoutBlob : { ...withoutBlob, ...(blob === undefined ? {} : { blob }) },
    );
    expect(seen).toMatchObject({ kind: "failed", reason, because: expect.stringMatching(because), failures: 1 });
    expect(await filesUnder(cacheDir)).toEqual([]);
    expect(logLines.join("")).not.toContain("secret");
  });

  it("is ready soon after it is asked for: a small one within a few milliseconds", async () => {
    const { settle } = await aStore({}, blobs());
    await settle(pathRequest({ key: key("warm-up") }));
    const times: number[] = [];
    for (let n = 0; n < 20; n += 1) {
      const start = performance.now();
      ready(await settle(pathRequest({ key: key(`a${n}`), blob: { commit: "c", oid: `${n}` } })));
      times.push(performance.now() - start);
    }
    expect(times.sort((a, b) => a - b)[10]).toBeLessThan(50);
  });
});

describe("retries", () => {
  it("doubles from 5 s to 5 min, for ever, and fetches before that time for nobody", async () => {
    const source = blobs(Buffer.from("no jar"));
    const { store, settle, clock } = await aStore({}, source);
    const delays: number[] = [];
    for (let n = 1; n <= 9; n += 1) {
      const seen = await settle(pathRequest());
      if (seen.kind !== "failed") throw new Error(seen.kind);
      expect(seen.failures).toBe(n);
      delays.push(seen.retryAtMs - clock.nowMs);
      clock.nowMs = seen.retryAtMs - 1;
      store.fetch(pathRequest());
      expect(store.see(pathRequest()).kind).toBe("failed");
      clock.nowMs = seen.retryAtMs;
    }
    expect(delays).toEqual([5000, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000, 300_000]);
    expect(source.asked).toBe(9);
  });

  it("still tells the last failure while the next attempt runs, and warns only of what is new", async () => {
    const { store, settle, clock, logLines } = await aStore({}, blobs(Buffer.from("no jar")));
    for (let n = 0; n < 3; n += 1) {
      await settle(pathRequest());
      clock.nowMs += 1_000_000;
    }
    store.fetch(pathRequest());
    expect(store.see(pathRequest())).toMatchObject({ kind: "downloading", lastFailure: { reason: "NotAJar", failures: 3 } });
    expect(logLines.filter((line) => line.includes('"level":40'))).toHaveLength(1);
  });

  it("begins anew with a request that changed, at once", async () => {
    const { store, settle } = await aStore({}, blobs());
    expect((await settle(pathRequest({ sha256: OTHER }))).kind).toBe("failed");
    expect(store.see(pathRequest()).kind).toBe("absent");
    expect((await settle(pathRequest())).kind).toBe("ready");
  });
});

describe("the cache", () => {
  it("spares the source after a restart, by the recorded digest as well as by the blob", async () => {
    const cacheDir = await tempFolder();
    await (await aStore({ cacheDir }, blobs())).settle(pathRequest());
    const source = blobs();
    const { settle } = await aStore({ cacheDir }, source);
    expect(ready(await settle(pathRequest())).sha256).toBe(SHA256);
    expect(
      ready(await settle(pathRequest({ key: key("pinned"), sha256: SHA256, blob: { commit: "c", oid: "unknown" } }))).sha256,
    ).toBe(SHA256);
    expect(source.asked).toBe(0);
  });

  it.each<[string, (file: string) => Promise<unknown>]>([
    ["another byte at its end", (file) => appendFile(file, "x")],
    ["one flipped byte", async (file) => writeFile(file, (await readFile(file)).fill(1, 100, 101))],
    ["cut to nothing", (file) => writeFile(file, "")],
    ["removed", (file) => rm(file)],
    ["a folder in its place", async (file) => rm(file).then(() => mkdir(join(file, "deep"), { recursive: true }))],
    ["a symbolic link in its place", async (file) => rm(file).then(() => symlink("/etc/hostname", file))],
  ])("heals a bad entry by fetching again: %s", async (_, spoil) => {
    const cacheDir = await tempFolder();
    const { file } = ready(await (await aStore({ cacheDir }, blobs())).settle(pathRequest()));
    await spoil(file);
    const source = blobs();
    expect(ready(await (await aStore({ cacheDir }, source)).settle(pathRequest())).sha256).toBe(SHA256);
    expect(source.asked).toBe(1);
    expect((await readFile(file)).equals(JAR)).toBe(true);
  });

  it.each(["", "{", '{"source":"other","sha256":"x"}\n', `{"source":"blob:other","sha256":"${OTHER}"}\n`])(
    "believes no note that is not its own: %j",
    async (text) => {
      const cacheDir = await tempFolder();
      await (await aStore({ cacheDir }, blobs())).settle(pathRequest());
      const note = (await filesUnder(cacheDir)).find((name) => name.startsWith("sources"))!;
      await writeFile(join(cacheDir, note), text);
      const source = blobs();
      expect(ready(await (await aStore({ cacheDir }, source)).settle(pathRequest())).sha256).toBe(SHA256);
      expect(source.asked).toBe(1);
    },
  );

  it("may be shared by two daemons that fetch the same at once", async () => {
    const cacheDir = await tempFolder();
    const stores = await Promise.all([aStore({ cacheDir }, blobs()), aStore({ cacheDir }, blobs())]);
    const requests = Array.from({ length: 20 }, (_, n) =>
      pathRequest({ key: key(`a${n}`), blob: { commit: "c", oid: `${n % 3}` } }),
    );
    const seen = await Promise.all(stores.flatMap(({ settle }) => requests.map((request) => settle(request))));
    expect(new Set(seen.map((one) => ready(one).file)).size).toBe(1);
    expect((await filesUnder(cacheDir)).filter((name) => !/^(?:sources|used)/.test(name))).toEqual([
      join(SHA256.slice(0, 2), `${SHA256}.jar`),
    ]);
  });

  it("removes temporary files that are older than an hour, and leaves those of the living", async () => {
    const cacheDir = await tempFolder();
    await mkdir(join(cacheDir, "tmp"));
    for (const [name, ageSeconds] of [
      ["old.part", 3700],
      ["young.part", 3500],
    ] as const) {
      await writeFile(join(cacheDir, "tmp", name), "x");
      const at = Date.now() / 1000 - ageSeconds;
      await utimes(join(cacheDir, "tmp", name), at, at);
    }
    const { settle, store } = await aStore({ cacheDir }, blobs());
    await settle(pathRequest());
    await store.close();
    expect((await filesUnder(join(cacheDir, "tmp"))).map(String)).toEqual(["young.part"]);
  });

  it.each([
    ["a file", (path: string) => writeFile(path, "")],
    ["a symbolic link to nowhere", (path: string) => symlink("/nowhere/at/all", path)],
  ])("is a failure that names the option when its folder cannot be used: %s", async (_, spoil) => {
    const cacheDir = join(await tempFolder(), "cache");
    await spoil(cacheDir);
    const { settle, store } = await aStore({ cacheDir }, blobs());
    expect(await settle(pathRequest())).toMatchObject({
      kind: "failed",
      reason: "CacheUnusable",
      because: expect.stringContaining("artifacts.cacheDir"),
    });
    await expect(store.submittable(SHA256, { launcher: false })).rejects.toMatchObject({ code: "artifact-unavailable" });
  });
});

/** The digests of the jars in a cache. */
async function digestsIn(cacheDir: string): Promise<ReadonlySet<string>> {
  const jars = (await filesUnder(cacheDir)).filter((name) => name.endsWith(".jar"));
  return new Set(jars.map((name) => name.slice(3, 67)));
}

describe("the size of the cache", () => {
  const PATIENCE = { timeout: 20_000 };
  const HOUR_MS = 3_600_000;
  /** Three jars of which only the first is spoken of, each used an hour after the one before. */
  async function anOldCache(): Promise<{ readonly cacheDir: string; readonly digests: readonly string[] }> {
    const cacheDir = await tempFolder();
    const first = await aStore({ cacheDir }, { readBlob: async ({ oid }) => ({ kind: "read", content: aJar(oid) }) });
    const digests: string[] = [];
    for (const oid of ["1", "2", "3"]) {
      const request = pathRequest({ key: key(oid), blob: { commit: "c", oid } });
      digests.push(ready(await first.settle(request)).sha256);
    }
    await first.store.close();
    for (const [index, digest] of digests.entries()) {
      const at = (Date.now() - (10 - index) * HOUR_MS) / 1000;
      await utimes(join(cacheDir, digest.slice(0, 2), `${digest}.jar`), at, at);
      await utimes(join(cacheDir, "used", digest), at, at).catch(() => undefined);
    }
    return { cacheDir, digests };
  }

  it("is bounded: what was not used for longest goes, what the status branch speaks of and what is new stays", async () => {
    const { cacheDir, digests } = await anOldCache();
    const { store, settle, logLines } = await aStore({ cacheDir, cacheBytes: 3.5 * JAR.length }, blobs());
    store.retain(new Set([digests[0]!]));
    await settle(pathRequest());
    // Once it is told to leave it makes nothing smaller any more.
    await vi.waitFor(async () => expect(await digestsIn(cacheDir)).toEqual(new Set([digests[0], digests[2], SHA256])), PATIENCE);
    await store.close();
    expect(logLines.join("")).toContain("jars that nobody needs were removed from the cache");
  });

  it("counts a use of a jar and not only its making", async () => {
    const { cacheDir, digests } = await anOldCache();
    const reader = await aStore({ cacheDir }, blobs());
    await reader.settle(pathRequest({ key: key("again"), sha256: digests[1]! }));
    await reader.store.close();
    const { store, settle } = await aStore({ cacheDir, cacheBytes: 2.5 * JAR.length }, blobs());
    await settle(pathRequest());
    await vi.waitFor(async () => expect(await digestsIn(cacheDir)).toEqual(new Set([digests[1], SHA256])), PATIENCE);
    await store.close();
  });

  it("is exceeded by what is needed, and then that is said once", async () => {
    const { cacheDir, digests } = await anOldCache();
    const { store, settle, logLines } = await aStore({ cacheDir, cacheBytes: 1 }, blobs());
    store.retain(new Set(digests));
    await settle(pathRequest());
    const isSaid = () => logLines.filter((line) => line.includes("weigh more than artifacts.cacheSize"));
    await vi.waitFor(() => expect(isSaid()).toHaveLength(1), PATIENCE);
    await settle(pathRequest({ key: key("other"), blob: { commit: "c", oid: "other" } }));
    await store.close();
    expect((await digestsIn(cacheDir)).size).toBe(4);
    expect(isSaid()).toHaveLength(1);
  });
});

describe("submittable", () => {
  it("gives the jar as it is, under a name with instance and digest", async () => {
    const { store } = await readyStore();
    const jar = await store.submittable(SHA256, { launcher: false });
    expect(jar).toMatchObject({ size: JAR.length, fileName: `prod-${SHA256}.jar` });
    expect((await readFile(jar.path)).equals(JAR)).toBe(true);
  });

  it("gives a copy with the launcher in it, built once for all who ask, and again when it is gone", async () => {
    const { store, cacheDir } = await readyStore();
    const [one, two] = await Promise.all([1, 2].map(() => store.submittable(SHA256, { launcher: true })));
    expect(one).toBe(two);
    expect(one!.fileName).toBe(`prod-${SHA256}-${LAUNCHER_VERSION}.jar`);
    expect((await readFile(one!.path)).length).toBe(one!.size);
    const inspection = await inspectJar(one!.path);
    expect(inspection.kind === "jar" && [...inspection.classNames]).toEqual(["demo.TopSpeed", LAUNCHER_CLASS_NAME]);
    await rm(one!.path);
    const again = await store.submittable(SHA256, { launcher: true });
    expect((await readFile(again.path)).length).toBe(one!.size);
    expect((await filesUnder(join(cacheDir, "tmp"))).map(String)).toEqual([]);
  });

  it("says when the bytes are gone, and then they are absent and fetched again", async () => {
    const { store, settle } = await readyStore();
    await rm(ready(store.see(pathRequest())).file);
    await expect(store.submittable(SHA256, { launcher: false })).rejects.toMatchObject({ data: { reason: "BytesGone" } });
    expect(store.see(pathRequest()).kind).toBe("absent");
    expect((await settle(pathRequest())).kind).toBe("ready");
    expect((await store.submittable(SHA256, { launcher: false })).size).toBe(JAR.length);
  });

  it("never gives a jar whose bytes were changed after it was ready", async () => {
    const { store } = await readyStore();
    const { file } = ready(store.see(pathRequest()));
    await writeFile(file, (await readFile(file)).fill(1, 100, 101));
    await expect(store.submittable(SHA256, { launcher: true })).rejects.toMatchObject({ data: { reason: "BytesGone" } });
  });
});

describe("the life of the store", () => {
  it("fetches the same request once, however often it is asked", async () => {
    const source = slow();
    const { store, settle } = await aStore({}, source);
    for (let n = 0; n < 5; n += 1) store.fetch(pathRequest());
    await untilAsked(source.asked, 1);
    source.release();
    expect((await settle(pathRequest())).kind).toBe("ready");
    expect(source.asked).toHaveLength(1);
  });

  it("fetches one blob for several Artifacts once", async () => {
    const source = blobs();
    const { settle } = await aStore({}, source);
    const all = await Promise.all(["a", "b", "c", "d"].map((name) => settle(pathRequest({ key: key(name) }))));
    expect(all.map(({ kind }) => kind)).toEqual(["ready", "ready", "ready", "ready"]);
    expect(source.asked).toBe(1);
  });

  it("gives up after the time limit of the whole", async () => {
    const { settle } = await aStore({ timeoutMs: 50 }, slow());
    expect(await settle(pathRequest())).toMatchObject({
      kind: "failed",
      reason: "TimedOut",
      because: expect.stringContaining("artifacts.timeout"),
    });
  });

  it("ends what is forgotten, and reports nothing of it", async () => {
    const source = slow();
    const { store } = await aStore({}, source);
    fetchAll(store, ["one"]);
    await untilAsked(source.asked, 1);
    store.forget([key("a-one")]);
    expect(source.aborted).toEqual(["one"]);
    expect(store.see(pathRequest({ key: key("a-one"), blob: { commit: "c", oid: "one" } }))).toEqual({ kind: "absent" });
  });

  it("ends the attempt for an old source when the source changes", async () => {
    const source = slow();
    const { store, settle } = await aStore({}, source);
    store.fetch(pathRequest({ blob: { commit: "c", oid: "old" } }));
    await untilAsked(source.asked, 1);
    store.fetch(pathRequest({ blob: { commit: "c", oid: "new" } }));
    expect(source.aborted).toEqual(["old"]);
    source.release();
    expect((await settle(pathRequest({ blob: { commit: "c", oid: "new" } }))).kind).toBe("ready");
  });

  it("ends everything when it is closed, leaves no temporary file and starts nothing any more", async () => {
    const source = slow();
    const { store, cacheDir } = await aStore({}, source);
    fetchAll(store, ["one", "two", "three"]);
    await untilAsked(source.asked, 2);
    await store.close();
    expect(source.aborted).toEqual(["one", "two"]);
    expect(await filesUnder(cacheDir)).toEqual([]);
    fetchAll(store, ["four"]);
    expect(store.see(pathRequest({ key: key("a-four"), blob: { commit: "c", oid: "four" } }))).toEqual({ kind: "absent" });
  });
});

async function readyStore(): Promise<Awaited<ReturnType<typeof aStore>>> {
  const harness = await aStore({ instance: "prod" }, blobs());
  await harness.settle(pathRequest());
  return harness;
}

/** A source that answers when the test says so, and ends when it is aborted. */
function slow(): {
  readonly readBlob: ReadBlob;
  readonly asked: string[];
  readonly release: () => void;
  readonly aborted: string[];
} {
  const gate = Promise.withResolvers<void>();
  const asked: string[] = [];
  const aborted: string[] = [];
  const readBlob: ReadBlob = async ({ oid }, _maxBytes, signal) => {
    asked.push(oid);
    const abort = Promise.withResolvers<never>();
    signal.addEventListener("abort", () => {
      aborted.push(oid);
      abort.reject(signal.reason);
    });
    await Promise.race([gate.promise, abort.promise]);
    return { kind: "read", content: JAR };
  };
  return { readBlob, asked, release: gate.resolve, aborted };
}

async function untilAsked(asked: readonly string[], count: number): Promise<void> {
  while (asked.length < count) await new Promise((resolve) => setImmediate(resolve));
}

function fetchAll(store: ArtifactStore, oids: readonly string[]): void {
  for (const oid of oids) store.fetch(pathRequest({ key: key(`a-${oid}`), blob: { commit: "c", oid } }));
}
