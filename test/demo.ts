import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { stringify } from "yaml";
import { systemClock } from "../src/common/clock.ts";
import { createLog } from "../src/common/log.ts";
import { formatProblem } from "../src/common/problem.ts";
import { loadConfig } from "../src/config/load-config.ts";
import { runDaemon } from "../src/daemon/daemon.ts";
import { newWriter } from "../src/git/status-branch.ts";
import { displayName } from "../src/model/resource.ts";
import type { Pass } from "../src/pass/reconcile.ts";
import { startGitServer, type GitServer } from "./support/git-server.ts";
import { EXAMPLES, fetchMavenArtifact, serveLocalMavenRepository } from "./support/maven.ts";
import { preflight } from "./preflight.ts";
import { startRealFlink } from "./support/real-flink.ts";

/**
 * Penstock on real parts, on this machine: a Flink session cluster from Maven artifacts, a Git server over HTTP with `jobs-example` as its
 * `main`, and the daemon. Stays up until Ctrl-C, which ends everything it started and nothing else.
 */

const HELP = `npm run demo -- [--flink-version 1.16.3] [--flink-url URL]

Starts a real Flink session cluster (1 JobManager, 1 TaskManager, 8 slots), a Git server over HTTP with the
sample repository, and Penstock. Clone the printed address, edit or add a manifest, push, and watch.

  --flink-version V   1.16.3 (the default), 1.20.5 or 2.3.0
  --flink-url URL     an existing session cluster instead: neither Java nor Maven is needed then
  --help              this text

Ctrl-C ends everything that the demo started.
`;

/** Flink's own example where it is published for that version, by major.minor. */
const TOP_SPEED: Readonly<Record<string, string>> = { "1.16": EXAMPLES.topSpeed116, "1.20": EXAMPLES.topSpeed120 };

interface Cleanup {
  add(what: () => Promise<void>): void;
  run(): Promise<void>;
}

interface Cluster {
  readonly url: string;
  readonly minor: string;
  /** A Maven repository that holds Flink's example; undefined where there is none for this version. */
  readonly mavenUrl: string | undefined;
}

const say = (line = ""): void => void process.stdout.write(`${line}\n`);

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      "flink-version": { type: "string", default: "1.16.3" },
      "flink-url": { type: "string" },
      help: { type: "boolean" },
    },
  });
  if (values.help === true) {
    say(HELP);
    return 0;
  }
  if (!(await preflight(values["flink-url"] === undefined ? "all" : "fast", say, "programs"))) return 1;
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stop.abort(new Error(name)));
  const cleanup = buildCleanup();
  try {
    await demonstrate(values, stop.signal, cleanup);
    return 0;
  } catch (error) {
    if (stop.signal.aborted) return 0;
    process.stderr.write(`the demo failed: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  } finally {
    say("\nending what the demo started …");
    await cleanup.run();
    say("done");
  }
}

async function demonstrate(
  values: { "flink-version": string; "flink-url"?: string },
  stop: AbortSignal,
  cleanup: Cleanup,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "penstock-demo-"));
  cleanup.add(async () => rm(folder, { recursive: true, force: true }));
  const cluster =
    values["flink-url"] === undefined
      ? await startCluster(values["flink-version"], stop, cleanup)
      : await useCluster(values["flink-url"]);
  const git = await startGitServer();
  cleanup.add(async () => git.close());
  await git.createRepository("jobs");
  await git.commitFiles("jobs", "main", await sampleFiles(cluster), "Add the sample jobs");
  const configFile = join(folder, "penstock.yaml");
  await writeFile(configFile, stringify(buildConfig(git, cluster, folder)));
  introduce(git, cluster, configFile);
  await runPenstock(configFile, stop);
}

async function startCluster(version: string, stop: AbortSignal, cleanup: Cleanup): Promise<Cluster> {
  const minor = version.split(".").slice(0, 2).join(".");
  say(`starting Flink ${version} (the first time its jars are fetched by Maven; later they come from .cache)`);
  const flink = await startRealFlink({ version, slots: 8, onProgress: (line) => say(`  ${line}`) });
  cleanup.add(async () => flink.stop());
  stop.throwIfAborted();
  const example = TOP_SPEED[minor];
  if (example === undefined) {
    say(`  Flink publishes no TopSpeedWindowing example for ${minor}, so only the small test job is pushed`);
    return { url: flink.url.href, minor, mavenUrl: undefined };
  }
  say(`  fetching ${example}`);
  await fetchMavenArtifact(example, stop);
  const maven = await serveLocalMavenRepository();
  cleanup.add(async () => maven.close());
  return { url: flink.url.href, minor, mavenUrl: maven.url.href };
}

async function useCluster(url: string): Promise<Cluster> {
  const response = await fetch(new URL("config", url.endsWith("/") ? url : `${url}/`), { signal: AbortSignal.timeout(10_000) });
  const config = (await response.json()) as { readonly "flink-version"?: unknown };
  const version = config["flink-version"];
  if (typeof version !== "string") throw new Error(`${url} does not answer as a Flink cluster does`);
  say(`using the Flink ${version} at ${url}; only the small test job is pushed, since its jar is in the repository`);
  return { url, minor: version.split(".").slice(0, 2).join("."), mavenUrl: undefined };
}

/** `jobs-example` as it is, but for the Flink version, and for the example that this cluster cannot have. */
async function sampleFiles(cluster: Cluster): Promise<Record<string, string | Uint8Array>> {
  const root = join(import.meta.dirname, "../jobs-example");
  const files: Record<string, string | Uint8Array> = {};
  for (const name of await readdir(root, { recursive: true })) {
    const path = join(root, name);
    if (!(await stat(path)).isFile()) continue;
    const content = await readFile(path);
    const text = content.toString("utf8");
    if (!/\.ya?ml$/.test(name)) files[relative(root, path)] = content;
    else if (cluster.mavenUrl !== undefined || !text.includes("maven:"))
      files[relative(root, path)] = adaptVersion(text, cluster.minor);
  }
  return files;
}

function adaptVersion(text: string, minor: string): string {
  const example = TOP_SPEED[minor];
  const versioned = text.replaceAll(/flinkVersion: "?1\.16"?/g, `flinkVersion: ${minor}`);
  return example === undefined ? versioned : versioned.replaceAll(EXAMPLES.topSpeed116, example);
}

function buildConfig(git: GitServer, cluster: Cluster, folder: string): unknown {
  return {
    instance: "demo",
    repository: { url: git.urlOf("jobs"), branch: "main", pollInterval: "1s" },
    zones: { "shared-aws-eu-west-1": { clusters: { demo: { url: cluster.url } } } },
    server: { port: 0 },
    artifacts: {
      cacheDir: join(folder, "cache"),
      ...(cluster.mavenUrl === undefined ? {} : { maven: { repositories: [{ url: cluster.mavenUrl }] } }),
    },
  };
}

function introduce(git: GitServer, cluster: Cluster, configFile: string): void {
  const url = git.urlOf("jobs");
  say();
  say(`repository     ${url}`);
  say(`Flink's page   ${cluster.url}`);
  say(`configuration  ${configFile}`);
  say();
  say("in another terminal:");
  say(`  git clone ${url} /tmp/penstock-jobs && cd /tmp/penstock-jobs`);
  say(`  git fetch origin && git show origin/penstock/status:README.md`);
  say(`  (cd ${join(import.meta.dirname, "..")} && npm run penstock -- status --config ${configFile})`);
  say();
}

async function runPenstock(configFile: string, stop: AbortSignal): Promise<void> {
  const loaded = await loadConfig(configFile, {});
  if (loaded.kind === "invalid") throw new Error(loaded.problems.map(formatProblem).join("\n"));
  const log = createLog({ level: "warn", people: process.stderr.isTTY, stream: process.stderr });
  await runDaemon({ writer: newWriter(), config: loaded.config, clock: systemClock, log, stop, onPass: createNarrator() });
}

/** Tells what each commit of the status says, and once that everything runs. */
function createNarrator(): (pass: Pass) => void {
  let toldRunning = false;
  return (pass) => {
    if (pass.kind !== "done") return;
    const time = new Date().toLocaleTimeString("en-GB");
    if (pass.published.kind === "written") {
      for (const { id, what, because } of pass.update.news) say(`${time}  ${id.kind} ${displayName(id)}: ${what}  (${because})`);
      const known = new Set(pass.snapshot.status.summary?.problems);
      for (const problem of pass.update.summary.problems) if (!known.has(problem)) say(`${time}  ${problem}`);
    }
    const jobs = [...pass.update.records.values()].filter((record) => record.kind === "Job");
    const allRun = jobs.length > 0 && jobs.every(({ status }) => status.flinkJobState === "Running");
    if (allRun && !toldRunning) say(`${time}  everything that is declared runs; push a change, or end the demo with Ctrl-C`);
    toldRunning = allRun;
  };
}

function buildCleanup(): Cleanup {
  const steps: (() => Promise<void>)[] = [];
  return {
    add: (what) => void steps.unshift(what),
    async run() {
      for (const step of steps) {
        try {
          await step();
        } catch (error) {
          // The others have to be ended all the same.
          process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
        }
      }
    },
  };
}

process.exitCode = await main();
