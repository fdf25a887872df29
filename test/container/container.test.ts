import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildContainerImage, type ContainerImage } from "./container-image.ts";
import { runContainer, runPodman, startContainer, type Container } from "./container.ts";
import { freePorts } from "../support/java-process.ts";
import { TEST_JOB_JAR } from "../support/test-job.ts";
import { ARTIFACT, counterJob, expectStateWasKept } from "../e2e/counter.ts";
import { createRealWorld, type RealWorld } from "../e2e/real-world.ts";

const ROOT = join(import.meta.dirname, "../..");
const DRAIN_MS = 10_000;
const TOKEN = "0123456789abcdef";

describe("the container", () => {
  let image: ContainerImage;
  let world: RealWorld;
  let folder: string;
  let port: number;

  beforeAll(async () => {
    [image, world] = await Promise.all([buildContainerImage(), createRealWorld("1.16.3")]);
    folder = await mkdtemp(join(tmpdir(), "penstock-container-"));
    const config = JSON.parse(await readFile(world.configFile, "utf8")) as Readonly<Record<string, unknown>>;
    [port] = (await freePorts(1)) as [number];
    const server = { port, tokensFile: "tokens" };
    await writeFile(join(folder, "penstock.yaml"), JSON.stringify({ ...config, artifacts: {}, server }));
    await writeFile(join(folder, "tokens"), `${TOKEN}\n`);
    for (const path of [folder, stateDir()]) await chmod(path, 0o755);
  });

  afterAll(async () => {
    await world?.close();
    await image?.remove();
    await rm(folder, { recursive: true, force: true });
  });

  function stateDir(): string {
    return dirname(fileURLToPath(world.flink.checkpointsDir));
  }

  function start(name: string): Container {
    // The directories of the cluster are what it looks for restore points in.
    const mounts = [`${folder}:/etc/penstock:ro`, `${stateDir()}:${stateDir()}:ro`];
    return startContainer(image, { name, mounts, environment: { HEALTH_URL: `http://127.0.0.1:${port}/healthz` } });
  }

  async function ask(path: string, token?: string): Promise<number> {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    return (await fetch(`http://127.0.0.1:${port}${path}`, { headers, signal: AbortSignal.timeout(10_000) })).status;
  }

  it("is built with labels, for a user that is not root", async () => {
    const { Docker: docker } = await image.inspect();
    expect(docker.config).toMatchObject({ User: "1000:1000", Labels: { "org.opencontainers.image.title": "Penstock" } });
    expect(docker.config.Healthcheck?.Test[0]).toBe("CMD");
  });

  it("does not listen for everybody without tokens, and says what to do", async () => {
    const open = join(folder, "open");
    await mkdir(open);
    const config = JSON.parse(await readFile(join(folder, "penstock.yaml"), "utf8")) as Readonly<Record<string, unknown>>;
    await writeFile(join(open, "penstock.yaml"), JSON.stringify({ ...config, server: { port } }));
    const container = startContainer(image, { name: "penstock-open", mounts: [`${open}:/etc/penstock:ro`] });
    expect((await container.ended).status).toBe(2);
    expect(container.output()).toMatch(/server\.host.*tokensFile/);
  });

  /** There is no Docker here; podman takes the same words. The test adds what keeps it apart from others on this machine. */
  it("runs by the line that the Dockerfile shows, with the configuration that is there to begin with", async () => {
    const dockerfile = await readFile(join(ROOT, "Dockerfile"), "utf8");
    const shown = /^# +docker run (.*) penstock$/m.exec(dockerfile)![1]!;
    const begin = join(folder, "begin");
    for (const path of ["etc", "secrets"]) await mkdir(join(begin, path), { recursive: true });
    await copyFile(join(ROOT, "config/deploy/penstock.yaml"), join(begin, "etc/penstock.yaml"));
    for (const name of ["git-token", "api-tokens", "webhook-secret"]) await writeFile(join(begin, "secrets", name), `${TOKEN}\n`);
    const words = shown.replaceAll('"', "").replaceAll("$PWD", begin).split(" ");
    const container = runContainer(image, ["--network", "host", "-e", `PENSTOCK__SERVER__PORT=${port}`, ...words]);
    await container.until("listening");
    expect([await ask("/healthz"), await ask("/metrics"), await ask("/metrics", TOKEN)]).toEqual([200, 401, 200]);
    expect((await container.stop()).status).toBe(0);
  });

  it("runs a job, drains within 10 s, and goes on without a volume as if nothing had been", async () => {
    const out = join(folder, "out");
    await world.push({
      "jars/counter.jar": await readFile(TEST_JOB_JAR),
      "counter.yaml": `${ARTIFACT}---\n${counterJob("1.16", 2, { out })}`,
    });
    const first = start("penstock-first");
    await first.until("Pending → Ready, Running");
    expect(await runPodman(image, ["healthcheck", "run", "penstock-first"])).toMatchObject({ status: 0 });
    expect([await ask("/readyz"), await ask("/metrics"), await ask("/metrics", TOKEN)]).toEqual([200, 401, 200]);
    const stopped = await first.stop();
    expect(stopped.status).toBe(0);
    expect(stopped.afterMs).toBeLessThan(DRAIN_MS);
    const [commits, jobs] = [await world.statusCommits(), await world.ask("/jobs")];

    const second = start("penstock-second");
    await second.until("penstock starts");
    await world.push({ "note.md": "nothing that concerns it" });
    await world.push({ "bad.yaml": "kind: Job\napiVersion: core/v1alpha1\n" });
    await second.until("bad.yaml");
    expect((await second.stop()).status).toBe(0);
    await expectStateWasKept(out);
    expect(await world.ask("/jobs")).toEqual(jobs);
    const after = await world.statusCommits();
    expect(after.slice(1)).toEqual(commits);
  });
});
