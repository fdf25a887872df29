import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { parse } from "yaml";
import { gitEnvironment } from "../support/git-repositories.ts";
import { startGitServer, type GitServer } from "../support/git-server.ts";
import { startRealFlink, type RealFlink } from "../support/real-flink.ts";
import { TEST_JOB_CLASS, TEST_JOB_JAR } from "../support/test-job.ts";
import { startDaemonUnderTest, type DaemonUnderTest } from "./daemon-under-test.ts";
import { FlinkScript } from "./flink-script.ts";

export interface BenchOptions {
  readonly flinkVersion: string;
  readonly nodeOptions: readonly string[];
  /** Of every daemon. */
  readonly environment: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
  /** More of Flink's own configuration. */
  readonly flink?: Readonly<Record<string, string>>;
}

/** One Flink cluster, one repository with a person's clone of it, and the daemons that are started. Close it. */
export interface BenchWorld {
  readonly flink: RealFlink;
  readonly git: GitServer;
  readonly script: FlinkScript;
  /** Commits to the clone and then pushes; the time when `git push` was over. */
  push(files: Readonly<Record<string, string | Uint8Array>>): Promise<number>;
  startDaemon(environment?: Readonly<Record<string, string>>): DaemonUnderTest;
  /** When the status branch says of each of these jobs that its condition of this type is True. */
  untilCondition(jobs: readonly string[], type: string): Promise<void>;
  /** The newest commit of the status branch. */
  statusHead(): Promise<string | undefined>;
  close(): Promise<void>;
}

export const WEBHOOK_SECRET = "whsec-of-the-bench";
const WEBHOOK_SECRET_FILE = "webhook-secret";
const ZONE = "bench";
const STATUS_BRANCH = "penstock/status";
const PATIENCE_MS = 180_000;
/** What both sides run: one slot, one number a second, so that a hundred of them hardly load the machine. */
export const PROGRAM_ARGS: readonly string[] = ["--rate", "1"];

const run = promisify(execFile);

export async function createBenchWorld(slots: number, options: BenchOptions): Promise<BenchWorld> {
  const { flinkVersion, nodeOptions, signal, say } = options;
  const config = { ...ROOM_FOR_JOBS, ...options.flink };
  const cleanups: (() => Promise<unknown>)[] = [];
  const close = async (): Promise<void> => {
    for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
  };
  try {
    const folder = await mkdtemp(join(tmpdir(), "penstock-bench-"));
    cleanups.push(async () => rm(folder, { recursive: true, force: true }));
    const flink = await startRealFlink({ version: flinkVersion, slots, config, onProgress: say });
    cleanups.push(async () => flink.stop());
    const git = await startGitServer();
    cleanups.push(async () => git.close());
    await git.createRepository("jobs");
    const clone = join(folder, "clone");
    await runGit(folder, ["clone", "--quiet", git.urlOf("jobs"), clone]);
    await runGit(clone, ["config", "gc.auto", "0"]);
    const configFile = join(folder, "penstock.yaml");
    await writeFile(join(folder, WEBHOOK_SECRET_FILE), WEBHOOK_SECRET);
    await writeFile(configFile, JSON.stringify(buildConfig(git, flink, folder)));
    signal.throwIfAborted();
    return {
      flink,
      git,
      script: new FlinkScript(flink.url, signal),
      push: async (files) => push(clone, files, signal),
      startDaemon(environment = {}) {
        const daemon = startDaemonUnderTest(configFile, { ...options.environment, ...environment }, nodeOptions);
        cleanups.push(async () => daemon.stop());
        return daemon;
      },
      untilCondition: async (jobs, type) => untilCondition(git, jobs, type, signal),
      statusHead: async () => git.head("jobs", STATUS_BRANCH),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The small counter as an Artifact of the repository, with its jar. */
export async function counterFiles(): Promise<Readonly<Record<string, string | Uint8Array>>> {
  const manifest = `apiVersion: core/v1alpha1
kind: Artifact
zone: ${ZONE}
metadata: {name: counter, project: default}
spec:
  type: Jar
  source: {path: counter.jar}
  jarOptions: {entryClass: ${TEST_JOB_CLASS}}
`;
  return { "counter.jar": await readFile(TEST_JOB_JAR), "counter.yaml": manifest };
}

/** A file for each job. */
export function jobFiles(names: readonly string[], flinkVersion: string): Readonly<Record<string, string>> {
  return Object.fromEntries(names.map((name) => [`jobs/${name}.yaml`, jobManifest(name, flinkVersion)]));
}

export interface JobShape {
  readonly rpus?: number;
  readonly configuration?: Readonly<Record<string, string>>;
}

export function jobManifest(name: string, flinkVersion: string, { rpus = 1, configuration = {} }: JobShape = {}): string {
  return `apiVersion: core/v1alpha1
kind: Job
zone: ${ZONE}
metadata: {name: ${name}, project: default}
spec:
  flinkVersion: "${flinkVersion.split(".").slice(0, 2).join(".")}"
  artifactRef:
    name: counter
    jarOptions: {mainArgs: ${JSON.stringify(PROGRAM_ARGS)}}
  resources: {rpus: ${rpus}}
  configuration: ${JSON.stringify(configuration)}
`;
}

/** The test cluster is as small as can be; here a TaskManager holds a hundred jobs of two tasks each. */
const ROOM_FOR_JOBS = { "taskmanager.memory.network.min": "64m", "taskmanager.memory.network.max": "64m" };

function buildConfig(git: GitServer, flink: RealFlink, folder: string): unknown {
  return {
    instance: "bench",
    repository: { url: git.urlOf("jobs"), pollInterval: "1s" },
    zones: { [ZONE]: { clusters: { only: { url: flink.url.href } } } },
    artifacts: { cacheDir: join(folder, "cache") },
    server: { port: 0, webhookSecretFile: WEBHOOK_SECRET_FILE },
  };
}

async function push(clone: string, files: Readonly<Record<string, string | Uint8Array>>, signal: AbortSignal): Promise<number> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(clone, path)), { recursive: true });
    await writeFile(join(clone, path), content);
  }
  await runGit(clone, ["add", "--all"]);
  await runGit(clone, ["commit", "--quiet", "--message", `Add ${Object.keys(files).length} files`]);
  signal.throwIfAborted();
  await runGit(clone, ["push", "--quiet", "origin", "HEAD:main"]);
  return Date.now();
}

async function runGit(folder: string, args: readonly string[]): Promise<void> {
  await run("git", args, { cwd: folder, env: gitEnvironment(), timeout: 30_000 });
}

interface StatusDocument {
  readonly status: { readonly conditions: readonly { readonly type: string; readonly status: string }[] };
}

async function untilCondition(git: GitServer, jobs: readonly string[], type: string, signal: AbortSignal): Promise<void> {
  const deadlineMs = Date.now() + PATIENCE_MS;
  const waiting = new Set(jobs);
  for (;;) {
    for (const job of waiting) if (await holds(git, job, type)) waiting.delete(job);
    if (waiting.size === 0) return;
    if (Date.now() > deadlineMs) throw new Error(`the status does not say ${type} of ${[...waiting].join(", ")}`);
    await delay(200, undefined, { signal });
  }
}

async function holds(git: GitServer, job: string, type: string): Promise<boolean> {
  const path = `${ZONE}/default/job/${job}.yaml`;
  // No such branch or file yet: the job was not seen, which is what is asked here.
  const text = await git.readFile("jobs", STATUS_BRANCH, path).catch(() => undefined);
  if (text === undefined) return false;
  const { status } = parse(text) as StatusDocument;
  return status.conditions.some((condition) => condition.type === type && condition.status === "True");
}
