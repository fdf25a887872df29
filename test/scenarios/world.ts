import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { systemClock } from "../../src/common/clock.ts";
import { createLog } from "../../src/common/log.ts";
import type { Config } from "../../src/config/config.ts";
import { loadConfig } from "../../src/config/load-config.ts";
import { runDaemon, type DaemonEnd } from "../../src/daemon/daemon.ts";
import type { Pass } from "../../src/pass/reconcile.ts";
import { startFakeFlink, type FakeFlink, type FakeFlinkOptions } from "../support/fake-flink.ts";
import { startGitServer, type GitServer } from "../support/git-server.ts";

export type DonePass = Pass & { readonly kind: "done" };

export interface WorldOptions {
  readonly flink?: FakeFlinkOptions;
  /** Further clusters of the zone, by name. */
  readonly clusters?: Readonly<Record<string, string>>;
  /** More of the configuration, merged at its top level. */
  readonly config?: Readonly<Record<string, unknown>>;
}

export interface RunningDaemon {
  /** The first pass, from now on, of which this is true. Fails when the daemon ends before. */
  until(what: string, test: (pass: DonePass) => boolean): Promise<DonePass>;
  untilAnyPass(what: string, test: (pass: Pass) => boolean): Promise<Pass>;
  /** Everything logged so far, as JSON lines. */
  readonly log: () => string;
  /** As SIGTERM does. */
  stop(): Promise<DaemonEnd>;
}

/** A whole Penstock: a real Git server, a fake Flink, and daemons that are started and stopped at will. */
export interface World {
  readonly git: GitServer;
  readonly flink: FakeFlink;
  readonly configFile: string;
  readonly config: Config;
  /** Commits to main of the repository `jobs`. */
  push(files: Readonly<Record<string, string | Uint8Array | null>>, message?: string): Promise<string>;
  startDaemon(): RunningDaemon;
  runOnce(timeoutMs?: number): Promise<DaemonEnd>;
  /** A document of the status branch as plain values; undefined when there is none. */
  status(path: string): Promise<StatusFile | undefined>;
  statusCommits(): Promise<readonly string[]>;
  close(): Promise<void>;
}

export interface StatusFile {
  readonly spec: Record<string, unknown>;
  readonly status: {
    readonly phase: string;
    readonly flinkJobState?: string;
    readonly flinkJobId?: string;
    readonly parallelism?: number;
    readonly conditions: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason: string;
      readonly message: string;
    }[];
    readonly [key: string]: unknown;
  };
}

export const STATUS_BRANCH = "penstock/status";

export async function createWorld(options: WorldOptions = {}): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), "penstock-world-"));
  const git = await startGitServer();
  const flink = await startFakeFlink(options.flink);
  await git.createRepository("jobs");
  const configFile = join(folder, "penstock.json.yaml");
  await writeFile(configFile, JSON.stringify(buildConfig(git, flink, folder, options)));
  const loaded = await loadConfig(configFile, {});
  if (loaded.kind === "invalid") throw new Error(loaded.problems.map(({ message }) => message).join("\n"));
  const running = new Set<RunningDaemon>();
  const { config } = loaded;
  return {
    git,
    flink,
    configFile,
    config,
    push: async (files, message = "change") => git.commitFiles("jobs", "main", files, message),
    startDaemon() {
      const daemon = startDaemon(config);
      running.add(daemon);
      return daemon;
    },
    runOnce: async (timeoutMs = 15_000) =>
      runDaemon({
        config,
        clock: systemClock,
        log: createLog({ level: "silent", people: false, stream: process.stderr }),
        stop: new AbortController().signal,
        once: { timeoutMs },
      }),
    async status(path) {
      if ((await git.head("jobs", STATUS_BRANCH)) === undefined) return undefined;
      if (!(await git.listTree("jobs", STATUS_BRANCH)).some((line) => line.endsWith(path))) return undefined;
      return parse(await git.readFile("jobs", STATUS_BRANCH, path)) as StatusFile;
    },
    statusCommits: async () => (await git.log("jobs", STATUS_BRANCH)).map(({ message }) => message),
    async close() {
      for (const daemon of running) await daemon.stop();
      await flink.close();
      await git.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function buildConfig(git: GitServer, flink: FakeFlink, folder: string, options: WorldOptions): Readonly<Record<string, unknown>> {
  const clusters = { main: flink.url.href, ...options.clusters };
  return {
    instance: "test",
    repository: { url: git.urlOf("jobs"), pollInterval: "100ms", timeout: "5s" },
    zones: {
      local: {
        clusters: Object.fromEntries(
          Object.entries(clusters).map(([name, url]) => [name, { url, pollInterval: "100ms", timeout: "2s" }]),
        ),
      },
    },
    artifacts: { cacheDir: join(folder, "cache") },
    ...options.config,
  };
}

/** A daemon in this process, with hooks to wait for what its passes see. */
export function startDaemon(config: Config): RunningDaemon {
  const stop = new AbortController();
  const lines: string[] = [];
  const log = createLog({ level: "debug", people: false, stream: { write: (line) => void lines.push(line) } });
  const waiting = new Set<{
    readonly what: string;
    readonly test: (pass: Pass) => boolean;
    readonly resolve: (pass: Pass) => void;
    readonly reject: (error: Error) => void;
  }>();
  const onPass = (pass: Pass): void => {
    for (const waiter of waiting) {
      if (!waiter.test(pass)) continue;
      waiting.delete(waiter);
      waiter.resolve(pass);
    }
  };
  const end = runDaemon({ config, clock: systemClock, log, stop: stop.signal, onPass });
  void end.finally(() => {
    for (const { what, reject } of waiting) reject(new Error(`the daemon ended before ${what}:\n${lines.slice(-20).join("")}`));
  });
  const untilAnyPass = async (what: string, test: (pass: Pass) => boolean): Promise<Pass> => {
    const { promise, resolve, reject } = Promise.withResolvers<Pass>();
    waiting.add({ what, test, resolve, reject });
    return promise;
  };
  return {
    untilAnyPass,
    until: async (what, test) => (await untilAnyPass(what, (pass) => pass.kind === "done" && test(pass))) as DonePass,
    log: () => lines.join(""),
    async stop() {
      stop.abort();
      return end;
    },
  };
}

/** A Job and its Artifact, with what the test is about. The jar is `jars/counter.jar` of the repository. */
export function aJob(
  name: string,
  overrides: { readonly rpus?: number; readonly entryClass?: string; readonly spec?: string; readonly artifact?: string } = {},
): string {
  const { rpus = 2, entryClass = "penstock.test.CounterJob", spec = "", artifact = name } = overrides;
  return `apiVersion: core/v1alpha1
kind: Job
zone: local
metadata: {name: ${name}, project: default}
spec:
  flinkVersion: 1.16
  artifactRef:
    name: ${artifact}
    jarOptions: {entryClass: ${entryClass}}
  resources: {rpus: ${rpus}}
${spec}`;
}

export function anArtifact(name: string, source = "path: /jars/counter.jar"): string {
  return `apiVersion: core/v1alpha1
kind: Artifact
zone: local
metadata: {name: ${name}, project: default}
spec:
  type: Jar
  source: {${source}}
`;
}

/** The small test job that `jobs-example` ships. */
export async function counterJar(): Promise<Uint8Array> {
  return readFile(join(import.meta.dirname, "../../jobs-example/jars/counter.jar"));
}
