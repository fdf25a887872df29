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
import { startRecordingProxy } from "../support/recording-proxy.ts";

/** A whole Penstock on real parts: Flink from Maven artifacts, a Git server over HTTP, Maven's own folder as a Maven repository. */
export interface RealWorld {
  readonly flink: RealFlink;
  readonly second: RealFlink | undefined;
  readonly git: GitServer;
  readonly config: Config;
  readonly configFile: string;
  push(files: Readonly<Record<string, string | Uint8Array | null>>, message?: string): Promise<string>;
  /** With a change of the configuration, as after a restart with another file. */
  startDaemon(change?: (config: Config) => Config): RunningDaemon;
  status(path: string): Promise<StatusFile>;
  statusCommits(): Promise<readonly string[]>;
  /** What Flink's REST API answers. */
  ask(path: string): Promise<unknown>;
  /** With `recordCalls`: `METHOD /path` of every call of the first cluster by whoever goes by the configuration, in order. */
  readonly flinkCalls: readonly string[];
  close(): Promise<void>;
}

export const ZONE = "shared-aws-eu-west-1";

export interface RealWorldOptions {
  readonly slots?: number;
  /** More of Flink's own configuration. */
  readonly flink?: Readonly<Record<string, string>>;
  /** A second cluster of the zone, on the same state directories; drained or newer than the first. */
  readonly second?: { readonly version: string };
  /** The configuration names an address in front of the first cluster, where calls are noted. */
  readonly recordCalls?: boolean;
}

export async function createRealWorld(version: string, options: RealWorldOptions = {}): Promise<RealWorld> {
  const { slots = 8, flink: config = {}, second } = options;
  const stateDir = await mkdtemp(join(tmpdir(), "penstock-e2e-state-"));
  const flink = await startRealFlink({ version, slots, config, stateDir });
  const other = second === undefined ? undefined : await startRealFlink({ version: second.version, slots, config, stateDir });
  const front = options.recordCalls === true ? await startRecordingProxy(flink.url) : undefined;
  const git = await startGitServer();
  const maven = await serveLocalMavenRepository();
  const folder = await mkdtemp(join(tmpdir(), "penstock-e2e-"));
  const daemons = new Set<RunningDaemon>();
  await git.createRepository("jobs");
  const configFile = join(folder, "penstock.yaml");
  await writeFile(
    configFile,
    JSON.stringify(
      buildConfig(git, { only: front ?? flink, ...(other === undefined ? {} : { second: other }) }, maven.url, folder),
    ),
  );
  const loaded = await loadConfig(configFile, {});
  if (loaded.kind === "invalid") throw new Error(loaded.problems.map(({ message }) => message).join("\n"));
  return {
    flink,
    second: other,
    git,
    config: loaded.config,
    configFile,
    push: async (files, message = "change") => git.commitFiles("jobs", "main", files, message),
    startDaemon(change = (unchanged) => unchanged) {
      const daemon = startDaemon(change(loaded.config), systemClock);
      daemons.add(daemon);
      return daemon;
    },
    status: async (path) => parse(await git.readFile("jobs", "penstock/status", path)) as StatusFile,
    statusCommits: async () => (await git.log("jobs", "penstock/status")).map(({ message }) => message),
    ask: async (path) => (await fetch(new URL(path, flink.url), { signal: AbortSignal.timeout(10_000) })).json(),
    flinkCalls: front?.calls ?? [],
    async close() {
      for (const daemon of daemons) await daemon.stop();
      await front?.[Symbol.asyncDispose]();
      await Promise.all([git.close(), maven.close(), flink.stop(), other?.stop()]);
      await rm(stateDir, { recursive: true, force: true });
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function buildConfig(
  git: GitServer,
  clusters: Readonly<Record<string, { readonly url: URL }>>,
  maven: URL,
  folder: string,
): unknown {
  return {
    instance: "e2e",
    repository: { url: git.urlOf("jobs"), pollInterval: "250ms" },
    zones: {
      [ZONE]: {
        clusters: Object.fromEntries(
          Object.entries(clusters).map(([name, { url }]) => [name, { url: url.href, pollInterval: "1s" }]),
        ),
      },
    },
    server: { enabled: false },
    artifacts: { cacheDir: join(folder, "cache"), maven: { repositories: [{ url: maven.href }] } },
  };
}

/** The ids of the Flink jobs that did not finish. */
export async function liveIds(world: RealWorld): Promise<readonly string[]> {
  const { jobs: listed } = (await world.ask("/jobs/overview")) as {
    readonly jobs: readonly { readonly jid: string; readonly state: string }[];
  };
  return listed
    .filter(({ state }) => state !== "FINISHED")
    .map(({ jid }) => jid)
    .toSorted();
}
