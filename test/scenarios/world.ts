import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import type { Clock, MachineClock } from "../../src/common/clock.ts";
import { createLog } from "../../src/common/log.ts";
import { SteadyClock } from "../../src/common/steady-clock.ts";
import type { Config } from "../../src/config/config.ts";
import { loadConfig } from "../../src/config/load-config.ts";
import { runDaemon, type DaemonEnd } from "../../src/daemon/daemon.ts";
import { newWriter } from "../../src/git/status-branch.ts";
import type { Condition } from "../../src/model/status.ts";
import { startFakeFlink, type FakeFlink, type FakeFlinkOptions } from "../support/fake-flink.ts";
import type { FileChange } from "../support/git-repositories.ts";
import { startGitServer, type GitServer, type GitServerOptions } from "../support/git-server.ts";
import { startDaemonProcess, type DaemonProcess } from "./daemon-process.ts";
import { startDaemon, type RunningDaemon } from "./running-daemon.ts";

export interface WorldOptions {
  readonly git?: GitServerOptions;
  readonly flink?: FakeFlinkOptions;
  /** Further clusters of the zone `local`, by name; the first one is called `main`. */
  readonly clusters?: Readonly<Record<string, FakeFlinkOptions>>;
  /** More of the configuration, merged at its top level, into the repository, or into the zone. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly repository?: Readonly<Record<string, unknown>>;
  readonly zone?: Readonly<Record<string, unknown>>;
  /** How long a submission may take; the daemon's own two minutes when not given. */
  readonly submitTimeoutMs?: number;
}

/** A whole Penstock: a real Git server, a fake Flink, and daemons that are started and stopped at will. `await using` ends all of it. */
export interface World extends AsyncDisposable {
  readonly git: GitServer;
  readonly flink: FakeFlink;
  readonly configFile: string;
  readonly config: Config;
  /** The machine that all daemons in this process run on; the clusters have the same time without its jumps. */
  readonly clock: WorldClock;
  /** A cluster of `WorldOptions.clusters`. */
  cluster(name: string): FakeFlink;
  /** Commits to main of the repository `jobs`. */
  push(files: Readonly<Record<string, FileChange>>, message?: string): Promise<string>;
  /** Each has a cache folder of its own, as a container without a volume has. */
  startDaemon(change?: (config: Config) => Config): RunningDaemon;
  startProcess(): DaemonProcess;
  runOnce(timeoutMs?: number): Promise<DaemonEnd>;
  /** A document of the status branch as plain values; undefined when there is none. */
  status(path: string): Promise<StatusFile | undefined>;
  /** The one of a Job in the default project. */
  job(name: string): Promise<StatusFile | undefined>;
  artifact(name: string): Promise<StatusFile | undefined>;
  summary(): Promise<{ readonly appliedCommit: string; readonly problems: readonly string[] }>;
  /** Messages of the status branch's commits, newest first. */
  statusCommits(): Promise<readonly string[]>;
}

export interface StatusFile {
  readonly spec: Record<string, unknown>;
  readonly status: {
    readonly phase: string;
    readonly flinkJobState?: string;
    readonly flinkJobId?: string;
    readonly attempt?: number;
    readonly operation?: { readonly flinkJobId: string; readonly attempt: number };
    readonly conditions: readonly Condition[];
    readonly history: readonly { readonly from: string; readonly to: string; readonly because: string }[];
    readonly [key: string]: unknown;
  };
}

export const STATUS_BRANCH = "penstock/status";
/** What changes something at Flink; everything else only looks. */
export const WRITES = /^(?:POST|PUT|PATCH|DELETE) /;
export const RUN = /^POST \/jars\/.+\/run$/;
export const UPLOAD = /^POST \/jars\/upload$/;

/** Real time, and more of it whenever a test says so: what waits for a minute is due at once. */
export class WorldClock implements MachineClock {
  #aheadMs = 0;
  #jumpedMs = 0;

  now(): number {
    return Date.now() + this.#aheadMs + this.#jumpedMs;
  }

  elapsed(): number {
    return performance.now() + this.#aheadMs;
  }

  random(): number {
    return Math.random();
  }

  pass(ms: number): void {
    this.#aheadMs += ms;
  }

  /** Somebody sets the time of day, and no time goes by. */
  jump(ms: number): void {
    this.#jumpedMs += ms;
  }

  /** The time as others have it. */
  withoutJumps(): Clock {
    return { now: () => Date.now() + this.#aheadMs, random: () => Math.random() };
  }
}

export async function createWorld(options: WorldOptions = {}): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), "penstock-world-"));
  const clock = new WorldClock();
  const git = await startGitServer(options.git);
  const clusters = await startClusters(options, clock.withoutJumps());
  await git.createRepository("jobs");
  const configFile = join(folder, "penstock.json.yaml");
  await writeFile(configFile, JSON.stringify(buildConfig(git, clusters, folder, options)));
  const config = await readConfig(configFile, options);
  const running: (RunningDaemon | DaemonProcess)[] = [];
  let caches = 0;
  const ownCache = (): string => join(folder, `cache-${(caches += 1)}`);
  const status = async (path: string): Promise<StatusFile | undefined> => {
    const text = await readStatusFile(git, path);
    return text === undefined ? undefined : (parse(text) as StatusFile);
  };
  const start = <T extends RunningDaemon | DaemonProcess>(daemon: T): T => {
    running.push(daemon);
    return daemon;
  };
  return {
    git,
    flink: clusters.get("main")!,
    configFile,
    config,
    clock,
    cluster: (name) => clusters.get(name)!,
    push: async (files, message = "change") => git.commitFiles("jobs", "main", files, message),
    startDaemon: (change = (same) => same) => start(startDaemon(change(withCache(config, ownCache())), new SteadyClock(clock))),
    startProcess: () => start(startDaemonProcess(configFile, { PENSTOCK__ARTIFACTS__CACHE_DIR: ownCache() })),
    runOnce: async (timeoutMs = 15_000) =>
      runDaemon({
        writer: newWriter(),
        config: withCache(config, ownCache()),
        clock: new SteadyClock(clock),
        log: createLog({ level: "silent", people: false, stream: process.stderr }),
        stop: new AbortController().signal,
        once: { timeoutMs },
      }),
    status,
    job: async (name) => status(`local/default/job/${name}.yaml`),
    artifact: async (name) => status(`local/default/artifact/${name}.yaml`),
    summary: async () =>
      parse(await git.readFile("jobs", STATUS_BRANCH, "summary.yaml")) as Awaited<ReturnType<World["summary"]>>,
    statusCommits: async () => (await git.log("jobs", STATUS_BRANCH)).map(({ message }) => message),
    async [Symbol.asyncDispose]() {
      for (const daemon of running) await daemon.stop();
      for (const cluster of clusters.values()) await cluster.close();
      await git.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A checkpoint of the job is complete, and what Flink says of checkpoints, which is not asked for all the time, is asked for again. */
export function completeCheckpoint(world: World, flinkJobId: string): void {
  world.flink.completeCheckpoint(flinkJobId);
  world.clock.pass(10_000);
}

/** The same for `orders`, from when the daemon knows it on. */
export async function untilCheckpointed(world: World, daemon: RunningDaemon, flinkJobId: string): Promise<void> {
  completeCheckpoint(world, flinkJobId);
  await daemon.untilJob("orders", ({ checkpointed }) => checkpointed === flinkJobId);
}

/** For `untilJob`. */
export function isRunning({ flinkJobState }: { readonly flinkJobState: string }): boolean {
  return flinkJobState === "Running";
}

/** For `untilJob`: a condition of this type has this reason. */
export function has(type: string, reason: string): (status: { readonly conditions: readonly Condition[] }) => boolean {
  return ({ conditions }) => conditions.some((condition) => condition.type === type && condition.reason === reason);
}

export function conditionOf(file: StatusFile | undefined, type: string): Condition | undefined {
  return file?.status.conditions.find((condition) => condition.type === type);
}

async function startClusters({ flink = {}, clusters = {} }: WorldOptions, clock: Clock): Promise<ReadonlyMap<string, FakeFlink>> {
  const started = new Map<string, FakeFlink>();
  for (const [name, options] of Object.entries({ main: flink, ...clusters }))
    started.set(name, await startFakeFlink({ clock, ...options }));
  return started;
}

async function readStatusFile(git: GitServer, path: string): Promise<string | undefined> {
  if ((await git.head("jobs", STATUS_BRANCH)) === undefined) return undefined;
  const lines = await git.listTree("jobs", STATUS_BRANCH);
  return lines.some((line) => line.endsWith(`\t${path}`)) ? git.readFile("jobs", STATUS_BRANCH, path) : undefined;
}

async function readConfig(file: string, { submitTimeoutMs }: WorldOptions): Promise<Config> {
  const loaded = await loadConfig(file, {});
  if (loaded.kind === "invalid") throw new Error(loaded.problems.map(({ message }) => message).join("\n"));
  const { config } = loaded;
  if (submitTimeoutMs === undefined) return config;
  const zones = [...config.zones].map(([name, zone]) => {
    // Flink's client has this setting, and the daemon's configuration leaves it at its default.
    const clusters = zone.clusters.map((cluster) => ({ ...cluster, submitTimeoutMs }));
    return [name, { ...zone, clusters }] as const;
  });
  return { ...config, zones: new Map(zones) };
}

function withCache(config: Config, cacheDir: string): Config {
  return { ...config, artifacts: { ...config.artifacts, cacheDir } };
}

function buildConfig(
  git: GitServer,
  clusters: ReadonlyMap<string, FakeFlink>,
  folder: string,
  { config = {}, repository = {}, zone = {} }: WorldOptions,
): Readonly<Record<string, unknown>> {
  const addresses = [...clusters].map(([name, { url }]) => [name, { url: url.href, pollInterval: "100ms", timeout: "2s" }]);
  return {
    instance: "test",
    repository: { url: git.urlOf("jobs"), pollInterval: "200ms", timeout: "5s", ...repository },
    zones: { local: { clusters: Object.fromEntries(addresses) as unknown, ...zone } },
    artifacts: { cacheDir: join(folder, "cache") },
    server: { enabled: false }, // its port is a default, and there are many worlds
    ...config,
  };
}
