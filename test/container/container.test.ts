import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { majorMinorOf } from "../../src/flink/cluster-version.ts";
import { buildContainerImage, type ContainerImage } from "./container-image.ts";
import { runContainer, runPodman, startContainer, type Container } from "./container.ts";
import { freePorts } from "../support/java-process.ts";
import { TEST_JOB_JAR } from "../support/test-job.ts";
import { ARTIFACT, counterJob, expectStateWasKept } from "../e2e/counter.ts";
import { createRealWorld } from "../e2e/real-world.ts";

const ROOT = join(import.meta.dirname, "../..");
const DRAIN_MS = 10_000;
const TOKEN = "0123456789abcdef";
const VERSIONS = ["1.16.3", "1.20.5", "2.3.0"] as const;

describe("the container", () => {
  let image: ContainerImage;
  let folder: string;
  let port: number;

  beforeAll(async () => {
    image = await buildContainerImage();
    folder = await mkdtemp(join(tmpdir(), "penstock-container-"));
    [port] = (await freePorts(1)) as [number];
    await chmod(folder, 0o755);
  });

  afterAll(async () => {
    await image?.remove();
    await rm(folder, { recursive: true, force: true });
  });

  async function ask(path: string, token?: string): Promise<number> {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    return (await fetch(`http://127.0.0.1:${port}${path}`, { headers, signal: AbortSignal.timeout(10_000) })).status;
  }

  /** A folder to be mounted, with this configuration in it. */
  async function aConfiguration(name: string, config: Readonly<Record<string, unknown>>): Promise<string> {
    const place = join(folder, name);
    await mkdir(place);
    await writeFile(join(place, "penstock.yaml"), JSON.stringify(config));
    await writeFile(join(place, "tokens"), `${TOKEN}\n`);
    return place;
  }

  it("is built with labels, for a user that is not root", async () => {
    const { Docker: docker } = await image.inspect();
    expect(docker.config).toMatchObject({ User: "1000:1000", Labels: { "org.opencontainers.image.title": "Penstock" } });
    expect(docker.config.Healthcheck?.Test[0]).toBe("CMD");
  });

  it("does not listen for everybody without tokens, and says what to do", async () => {
    const open = await aConfiguration("open", {
      instance: "test",
      repository: { url: "http://127.0.0.1:9/jobs.git" },
      zones: { local: { clusters: { main: { url: "http://127.0.0.1:9" } } } },
      server: { port },
    });
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

  it.each(VERSIONS)(
    "runs a job on Flink %s, drains within 10 s, and goes on without a volume as if nothing had been",
    async (version) => {
      const world = await createRealWorld(version);
      onTestFinished(async () => world.close());
      const config = JSON.parse(await readFile(world.configFile, "utf8")) as Readonly<Record<string, unknown>>;
      const mounted = await aConfiguration(version, { ...config, artifacts: {}, server: { port, tokensFile: "tokens" } });
      // The directories of the cluster are what it looks for restore points in.
      const stateDir = dirname(fileURLToPath(world.flink.checkpointsDir));
      await chmod(stateDir, 0o755);
      const start = (name: string): Container =>
        startContainer(image, {
          name,
          mounts: [`${mounted}:/etc/penstock:ro`, `${stateDir}:${stateDir}:ro`],
          environment: { HEALTH_URL: `http://127.0.0.1:${port}/healthz` },
        });
      const out = join(folder, `out-${version}`);
      await world.push({
        "jars/counter.jar": await readFile(TEST_JOB_JAR),
        "counter.yaml": `${ARTIFACT}---\n${counterJob(majorMinorOf(version)!, 2, { out })}`,
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
    },
  );
});
