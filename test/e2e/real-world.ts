import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { systemClock } from "../../src/common/clock.ts";
import type { Config } from "../../src/config/config.ts";
import { loadConfig } from "../../src/config/load-config.ts";
import { startDaemon, type RunningDaemon } from "../scenarios/running-daemon.ts";
import type { StatusFile } from "../scenarios/world.ts";
import { startGitServer, type GitServer } from "../support/git-server.ts";
import { serveLocalMavenRepository } from "../support/maven.ts";
import { startRealFlink, type RealFlink } from "../support/real-flink.ts";

/** A whole Penstock on real parts: Flink from Maven artifacts, a Git server over HTTP, Maven's own folder as a Maven repository. */
export interface RealWorld {
  readonly flink: RealFlink;
  readonly git: GitServer;
  readonly config: Config;
  readonly configFile: string;
  push(files: Readonly<Record<string, string | Uint8Array | null>>, message?: string): Promise<string>;
  startDaemon(): RunningDaemon;
  status(path: string): Promise<StatusFile>;
  statusCommits(): Promise<readonly string[]>;
  /** What Flink's REST API answers. */
  ask(path: string): Promise<unknown>;
  close(): Promise<void>;
}

export const ZONE = "shared-aws-eu-west-1";

export async function createRealWorld(version: string, slots = 8): Promise<RealWorld> {
  const flink = await startRealFlink({ version, slots });
  const git = await startGitServer();
  const maven = await serveLocalMavenRepository();
  const folder = await mkdtemp(join(tmpdir(), "penstock-e2e-"));
  const daemons = new Set<RunningDaemon>();
  await git.createRepository("jobs");
  const configFile = join(folder, "penstock.yaml");
  await writeFile(configFile, JSON.stringify(buildConfig(git, flink, maven.url, folder)));
  const loaded = await loadConfig(configFile, {});
  if (loaded.kind === "invalid") throw new Error(loaded.problems.map(({ message }) => message).join("\n"));
  return {
    flink,
    git,
    config: loaded.config,
    configFile,
    push: async (files, message = "change") => git.commitFiles("jobs", "main", files, message),
    startDaemon() {
      const daemon = startDaemon(loaded.config, systemClock);
      daemons.add(daemon);
      return daemon;
    },
    status: async (path) => parse(await git.readFile("jobs", "penstock/status", path)) as StatusFile,
    statusCommits: async () => (await git.log("jobs", "penstock/status")).map(({ message }) => message),
    ask: async (path) => (await fetch(new URL(path, flink.url), { signal: AbortSignal.timeout(10_000) })).json(),
    async close() {
      for (const daemon of daemons) await daemon.stop();
      await Promise.all([git.close(), maven.close(), flink.stop()]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function buildConfig(git: GitServer, flink: RealFlink, maven: URL, folder: string): unknown {
  return {
    instance: "e2e",
    repository: { url: git.urlOf("jobs"), pollInterval: "250ms" },
    zones: { [ZONE]: { clusters: { only: { url: flink.url.href, pollInterval: "1s" } } } },
    artifacts: { cacheDir: join(folder, "cache"), maven: { repositories: [{ url: maven.href }] } },
  };
}
