import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { buildClass } from "../support/class-bytes.ts";
import { FileServer } from "../support/file-server.ts";
import { packJar, readJar } from "../support/jar.ts";
import { MavenServer } from "../support/maven-server.ts";
import { aJob, aRunningJob, anArtifact, counterJar } from "./manifests.ts";
import { conditionOf, createWorld, has, isRunning, UPLOAD, type World } from "./world.ts";

const MAVEN_PATH = "com/example/counter/1.0/counter-1.0.jar";
const A_MINUTE_MS = 60_000;

/** Another jar of the same program. */
async function otherJar(): Promise<Uint8Array> {
  const entries = (await readJar(Buffer.from(await counterJar())))!;
  return packJar([...entries, ["note.txt", Buffer.from("another build")]]);
}

function sha256(content: Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}

function withDigest(digest: string): string {
  return anArtifact("orders", `path: /jars/counter.jar, sha256: "${digest}"`) + aJob("orders");
}

async function aMavenWorld(): Promise<{ world: World; maven: MavenServer } & AsyncDisposable> {
  const maven = await MavenServer.start();
  const repositories = [{ url: maven.url.href }];
  const world = await createWorld({ config: { artifacts: { cacheDir: "/nonexistent", maven: { repositories } } } });
  const end = async (): Promise<void> => {
    await world[Symbol.asyncDispose]();
    await maven.close();
  };
  return { world, maven, [Symbol.asyncDispose]: end };
}

describe.concurrent("an Artifact of the repository", () => {
  it("whose file is changed once it is Ready refuses the change: its Jobs keep the bytes they have, new ones too", async () => {
    await using world = await createWorld();
    await world.push(await aRunningJob("orders"));
    const first = world.startDaemon();
    await first.untilJob("orders", isRunning);
    await world.push({ "jars/counter.jar": await otherJar() });
    await first.until("it is refused", ({ update, published }) => published.kind === "written" && update.news.length > 0);
    const refused = await world.artifact("orders");
    expect(refused?.status).toMatchObject({ phase: "Ready", sha256: sha256(await counterJar()) });
    expect(conditionOf(refused, "Accepted")).toMatchObject({ status: "False", reason: "ContentChanged" });
    await first.stop();

    // A daemon with an empty cache has to fetch the bytes of the old commit.
    await world.push({ "clicks.yaml": aJob("clicks", { artifact: "orders" }) });
    const clicks = await world.startDaemon().untilJob("clicks", isRunning);
    expect(clicks.artifact?.sha256).toBe(sha256(await counterJar()));
    expect(world.flink.jarNames).toHaveLength(1);
  });

  it("whose file is missing is Pending and says so, and is Ready as soon as the file is there", async () => {
    await using world = await createWorld();
    await world.push({ "orders.yaml": anArtifact("orders") + aJob("orders") });
    const daemon = world.startDaemon();
    await daemon.untilJob("orders", has("Started", "ArtifactNotReady"));
    await daemon.untilAtRest();
    expect((await world.artifact("orders"))?.status.phase).toBe("Pending");
    expect(conditionOf(await world.artifact("orders"), "Available")).toMatchObject({
      reason: "SourceMissing",
      message: "jars/counter.jar is not in the repository",
    });
    await world.push({ "jars/counter.jar": await counterJar() });
    await daemon.untilJob("orders", isRunning);
    expect((await world.artifact("orders"))?.status).toMatchObject({ phase: "Ready", size: (await counterJar()).byteLength });
  });

  it("with another sha256 than its bytes have is not used until one of both is put right", async () => {
    await using world = await createWorld();
    await world.push({ "orders.yaml": withDigest("ab".repeat(32)), "jars/counter.jar": await counterJar() });
    const daemon = world.startDaemon();
    await daemon.untilJob("orders", has("Started", "ArtifactNotReady"));
    await daemon.untilAtRest();
    expect(conditionOf(await world.artifact("orders"), "Available")).toMatchObject({
      reason: "DigestMismatch",
      message: expect.stringContaining(sha256(await counterJar()).slice(0, 12)) as string,
    });
    expect(world.flink.countCalls(UPLOAD)).toBe(0);
    await world.push({ "orders.yaml": withDigest(sha256(await counterJar())) });
    await daemon.untilJob("orders", isRunning);
  });

  it("that is a Git LFS pointer says what to do instead", async () => {
    await using world = await createWorld();
    const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${"1f".repeat(32)}\nsize 123\n`;
    await world.push({ "orders.yaml": anArtifact("orders") + aJob("orders"), "jars/counter.jar": pointer });
    const daemon = world.startDaemon();
    await daemon.untilJob("orders", has("Started", "ArtifactNotReady"));
    await daemon.untilAtRest();
    expect(conditionOf(await world.artifact("orders"), "Available")).toMatchObject({
      reason: "LfsPointer",
      message: expect.stringContaining("commit the jar without LFS, or publish it and name it with spec.source.maven") as string,
    });
  });

  it("whose entry class has no main is not submitted, and says what is wrong", async () => {
    await using world = await createWorld();
    const jar = packJar([["demo/Job.class", buildClass({ name: "demo.Job", methods: [] })]]);
    await world.push({
      "orders.yaml": anArtifact("orders") + aJob("orders", { entryClass: "demo.Job" }),
      "jars/counter.jar": jar,
    });
    const daemon = world.startDaemon();
    await daemon.untilJob("orders", has("Started", "EntryClassMissing"));
    await daemon.untilAtRest();
    expect(conditionOf(await world.job("orders"), "Started")?.message).toBe(
      "demo.Job has no public static void main(String[]) (Artifact orders)",
    );
    expect(world.flink.countCalls(UPLOAD)).toBe(0);
  });

  it("that is compiled for a newer Java than the cluster's is not submitted, and a Job of another class of it is", async () => {
    await using world = await createWorld();
    const jar = (await readJar(Buffer.from(await counterJar())))!;
    const forJava21 = buildClass({ name: "demo.Newer", javaVersion: 21 });
    await world.push({
      "orders.yaml": anArtifact("app") + aJob("orders", { artifact: "app" }),
      "jars/counter.jar": packJar([...jar, ["demo/Newer.class", forJava21]]),
    });
    const daemon = world.startDaemon();
    await daemon.untilJob("orders", isRunning);
    await world.push({ "clicks.yaml": aJob("clicks", { artifact: "app", entryClass: "demo.Newer" }) });
    await daemon.untilJob("clicks", has("Placed", "JavaTooOld"));
    await daemon.untilAtRest();
    expect(conditionOf(await world.job("clicks"), "Placed")?.message).toBe(
      "its entry class is compiled for Java 21, and main runs on Java 17: compile with --release 17, or run the cluster on Java 21",
    );
  });

  it("that holds classes of Flink itself runs, with a warning", async () => {
    await using world = await createWorld();
    const jar = (await readJar(Buffer.from(await counterJar())))!;
    const bundled = packJar([...jar, ["org/apache/flink/runtime/jobgraph/JobGraph.class", Buffer.from("x")]]);
    await world.push({ "orders.yaml": anArtifact("orders") + aJob("orders"), "jars/counter.jar": bundled });
    const daemon = world.startDaemon();
    await daemon.untilJob("orders", isRunning);
    expect(conditionOf(await world.artifact("orders"), "FlinkBundled")).toMatchObject({
      status: "True",
      message: expect.stringContaining("org/apache/flink/runtime/jobgraph/JobGraph.class") as string,
    });
  });

  it("that nobody needs any more is forgotten with its manifest", async () => {
    await using world = await createWorld();
    await world.push({ "app.yaml": anArtifact("app"), "jars/counter.jar": await counterJar() });
    const daemon = world.startDaemon();
    await daemon.until(
      "it is Ready",
      ({ update, published }) => published.kind === "written" && update.message.includes("Ready"),
    );
    await daemon.untilApplied(await world.push({ "app.yaml": null }));
    expect(await world.artifact("app")).toBeUndefined();
  });
});

async function aUrlWorld(): Promise<{ world: World; server: FileServer } & AsyncDisposable> {
  const server = await FileServer.start();
  const artifacts = { cacheDir: "/nonexistent", hosts: { [server.host]: {} } };
  const world = await createWorld({ config: { artifacts } });
  const end = async (): Promise<void> => {
    await world[Symbol.asyncDispose]();
    await server.close();
  };
  return { world, server, [Symbol.asyncDispose]: end };
}

describe.concurrent("an Artifact behind a URL", () => {
  it("is fetched once and run, and its digest is binding from then on, whatever the cache still holds", async () => {
    await using both = await aUrlWorld();
    const { world, server } = both;
    server.put("/app.jar", await counterJar());
    await world.push({ "orders.yaml": anArtifact("orders", `url: "${server.url("/app.jar")}"`) + aJob("orders") });
    const first = world.startDaemon();
    await first.untilJob("orders", isRunning);
    await first.untilAtRest();
    expect((await world.artifact("orders"))?.status).toMatchObject({ phase: "Ready", sha256: sha256(await counterJar()) });
    expect(server.asked()).toEqual(["/app.jar"]);
    await first.stop();

    // The next daemon has an empty cache, and another jar lies there.
    server.put("/app.jar", await otherJar());
    await world.push({ "clicks.yaml": aJob("clicks", { artifact: "orders" }) });
    const second = world.startDaemon();
    await second.untilJob("clicks", has("Started", "ArtifactNotReady"));
    await second.untilAtRest();
    expect(conditionOf(await world.artifact("orders"), "Available")).toMatchObject({ reason: "DigestMismatch" });
    expect((await world.artifact("orders"))?.status).toMatchObject({ phase: "Ready", sha256: sha256(await counterJar()) });

    server.remove("/app.jar");
    world.clock.pass(10 * A_MINUTE_MS);
    await second.until("it is gone", ({ update }) =>
      [...update.records.values()].some(({ status }) => status.conditions.some(({ reason }) => reason === "BytesGone")),
    );
    expect(world.flink.jarNames).toHaveLength(1);

    server.put("/app.jar", await counterJar());
    world.clock.pass(10 * A_MINUTE_MS);
    await second.untilJob("clicks", isRunning);
  });

  it("into a private network is not fetched unless the configuration names it", async () => {
    await using both = await aUrlWorld();
    const { world } = both;
    await world.push({ "orders.yaml": anArtifact("orders", 'url: "http://127.0.0.1:1/app.jar"') + aJob("orders") });
    const daemon = world.startDaemon();
    await daemon.untilJob("orders", has("Started", "ArtifactNotReady"));
    await daemon.untilAtRest();
    expect(conditionOf(await world.artifact("orders"), "Available")).toMatchObject({ reason: "AddressRefused" });
  });
});

describe.concurrent("uploaded jars", () => {
  it("that nobody needs any more are removed from the cluster", async () => {
    await using world = await createWorld();
    await world.push({ ...(await aRunningJob("orders")), "spare.yaml": anArtifact("spare", "path: /jars/spare.jar") });
    const daemon = world.startDaemon();
    await daemon.untilJob("orders", isRunning);
    expect(world.flink.jarNames).toHaveLength(1);
    await daemon.untilApplied(await world.push({ "orders.yaml": null }));
    await daemon.until("the jar is gone", () => {
      world.clock.pass(20 * A_MINUTE_MS);
      return world.flink.jarNames.length === 0;
    });
  });
});

describe.concurrent("an Artifact of a Maven repository", () => {
  it("is fetched, checked and run", async () => {
    await using both = await aMavenWorld();
    const { world, maven } = both;
    maven.put(MAVEN_PATH, await counterJar());
    await world.push({ "orders.yaml": anArtifact("orders", "maven: com.example:counter:1.0") + aJob("orders") });
    const daemon = world.startDaemon();
    await daemon.untilJob("orders", isRunning);
    await daemon.untilAtRest();
    expect((await world.artifact("orders"))?.status).toMatchObject({ phase: "Ready", sha256: sha256(await counterJar()) });
    expect(maven.pathsAsked().filter((path) => path === MAVEN_PATH)).toHaveLength(1);
  });

  it("that is not published yet is waited for, with a quiet status branch, and runs when it is there", async () => {
    await using both = await aMavenWorld();
    const { world, maven } = both;
    await world.push({ "orders.yaml": anArtifact("orders", "maven: com.example:counter:1.0") + aJob("orders") });
    const daemon = world.startDaemon();
    await daemon.untilJob("orders", has("Started", "ArtifactNotReady"));
    await daemon.untilAtRest();
    const commits = await world.statusCommits();
    world.clock.pass(10 * A_MINUTE_MS);
    await daemon.until("it was tried again", () => maven.requests.length >= 2);
    await daemon.untilAtRest();
    expect(await world.statusCommits()).toEqual(commits);

    maven.put(MAVEN_PATH, await counterJar());
    world.clock.pass(10 * A_MINUTE_MS);
    await daemon.untilJob("orders", isRunning);
  });

  it("whose checksum file says something else is not used", async () => {
    await using both = await aMavenWorld();
    const { world, maven } = both;
    maven.put(MAVEN_PATH, await counterJar());
    maven.putText(`${MAVEN_PATH}.sha1`, "00".repeat(20));
    await world.push({ "orders.yaml": anArtifact("orders", "maven: com.example:counter:1.0") + aJob("orders") });
    const daemon = world.startDaemon();
    await daemon.untilJob("orders", has("Started", "ArtifactNotReady"));
    await daemon.untilAtRest();
    expect(conditionOf(await world.artifact("orders"), "Available")).toMatchObject({
      status: "False",
      reason: "ChecksumMismatch",
    });
    expect(world.flink.countCalls(UPLOAD)).toBe(0);
  });

  it("without a configured repository says how to name one", async () => {
    await using world = await createWorld();
    await world.push({ "orders.yaml": anArtifact("orders", "maven: com.example:counter:1.0") + aJob("orders") });
    const daemon = world.startDaemon();
    await daemon.untilJob("orders", has("Started", "ArtifactNotReady"));
    await daemon.untilAtRest();
    expect(conditionOf(await world.artifact("orders"), "Available")?.message).toContain("artifacts.maven.repositories");
  });
});
