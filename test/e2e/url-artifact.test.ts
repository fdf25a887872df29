import { createHash } from "node:crypto";
import { readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findCondition } from "../../src/model/conditions.ts";
import { buildClass } from "../support/class-bytes.ts";
import { FileServer } from "../support/file-server.ts";
import { packJar, readJar } from "../support/jar.ts";
import { TEST_JOB_JAR } from "../support/test-job.ts";
import { ARTIFACT, counterJob, isHealthy } from "./counter.ts";
import { createRealWorld, ZONE, type RealWorld } from "./real-world.ts";

const OUT = join(tmpdir(), `penstock-url-${process.pid}`);

describe("an Artifact behind a URL, on Flink 1.20.5", () => {
  let world: RealWorld;
  let server: FileServer;
  beforeAll(async () => {
    world = await createRealWorld("1.20.5");
    server = await FileServer.start();
  });
  afterAll(async () => {
    await world.close();
    await server.close();
    await rm(OUT, { force: true });
  });

  it("is run from what was had in two pieces, and a class for a newer Java than the cluster's is not submitted", async () => {
    const entries = (await readJar(await readFile(TEST_JOB_JAR)))!;
    const newer = buildClass({ name: "demo.Newer", javaVersion: 99 });
    const jar = packJar([...entries, ["demo/Newer.class", newer]]);
    server.put("/counter.jar", jar);
    server.cuts.push(Math.floor(jar.length / 2));
    const source = `source: {url: "${server.url("/counter.jar")}"}`;
    const daemon = world.startDaemon((config) => ({
      ...config,
      artifacts: { ...config.artifacts, allowPrivateNetworks: true },
    }));
    const refused = counterJob("1.20", 1, { name: "newer", out: OUT }).replace(
      "jarOptions: {",
      "jarOptions: {entryClass: demo.Newer, ",
    );
    await world.push({
      "artifact.yaml": ARTIFACT.replace("source: {path: /jars/counter.jar}", source),
      "counter.yaml": counterJob("1.20", 1, { out: OUT }),
      "newer.yaml": refused,
    });
    await expect.poll(() => server.requests.length, { timeout: 20_000 }).toBe(1);
    await daemon.until("half of it is here", ({ observed }) =>
      [...observed.artifacts.values()].some((seen) => seen.kind === "downloading" && seen.bytes > 0),
    );
    server.cut();
    const running = await daemon.untilJob("counter", isHealthy);
    expect(running.artifact?.sha256).toBe(createHash("sha256").update(jar).digest("hex"));
    expect(server.asked()).toEqual(["/counter.jar", `/counter.jar bytes=${Math.floor(jar.length / 2)}-`]);
    const newerJob = await daemon.untilJob("newer", (status) => findCondition(status.conditions, "Placed")?.status === "False");
    expect(findCondition(newerJob.conditions, "Placed")).toMatchObject({
      reason: "JavaTooOld",
      message: expect.stringMatching(/compiled for Java 99, and only runs on Java \d+: compile with --release \d+/) as string,
    });
    const { files } = (await world.ask("/jars")) as { readonly files: readonly unknown[] };
    expect(files).toHaveLength(1);
    expect((await world.status(`${ZONE}/default/artifact/counter.yaml`)).status.phase).toBe("Ready");
  });
});
