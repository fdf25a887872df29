import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import type { WritingCall } from "../../src/common/writing-calls.ts";
import { loadConfig } from "../../src/config/load-config.ts";
import { parseFlinkJobId, resourceDigits } from "../../src/model/flink-job-id.ts";
import { startDaemonProcess } from "../scenarios/daemon-process.ts";
import { startDaemon } from "../scenarios/running-daemon.ts";
import { STATUS_BRANCH, WorldClock, type StatusFile } from "../scenarios/world.ts";
import { startFakeForge, type FakeForge } from "../support/fake-forge.ts";
import type { FileChange } from "../support/git-repositories.ts";
import { startGitServer, type GitServer } from "../support/git-server.ts";
import { recognizeFlinkWrite, recognizeForgeWrite, recognizePush } from "../support/recognize-write.ts";
import { openWriteGate, type Guard, type WriteGate } from "../support/write-gate.ts";
import type { ClusterUnderTest, StartCluster } from "./cluster-under-test.ts";

export interface KillWorldOptions {
  /** Each by the clock that the world has; the state directories are the first one's. */
  readonly clusters: Readonly<Record<string, StartCluster>>;
  /**
   * A process is killed by SIGKILL. A daemon in this process is cut off from everything at once and then ended, which from outside looks the
   * same and takes no time; the time that it waits for passes quicker.
   */
  readonly daemons: "processes" | "in this process";
}

interface Daemon {
  kill(): Promise<void>;
  stop(): Promise<unknown>;
  log(): string;
}

interface SeenJob {
  readonly jid: string;
  readonly state: string;
}

export const ZONE = "local";
export const PROJECT = "default";
const ENDED: ReadonlySet<string> = new Set(["FINISHED", "CANCELED", "FAILED"]);
const PATIENCE_MS = 90_000;
const LOOK_MS = 40;
/** When nothing has changed for so long, it is waited for something that comes after so long at most. */
const STILL_MS = 1500;
const WAITED_FOR_MS = 15_000;

/** Git, Flink and a forge, each behind a gate that knows what changes something there, and one daemon after another. Close it. */
export class KillWorld {
  readonly git: GitServer;
  readonly forge: FakeForge;
  readonly clusters: ReadonlyMap<string, ClusterUnderTest>;
  readonly clock = new WorldClock();
  readonly folder: string;
  /** What was seen that must never be. */
  readonly violations: string[] = [];
  /** Told of every writing call of whatever daemon. */
  guard: Guard = async () => "pass";
  readonly #options: KillWorldOptions;
  readonly #gates: ReadonlyMap<string, WriteGate>;
  readonly #configFile: string;
  readonly #read = new Map<string, Promise<string | undefined>>();
  #daemon: Daemon | undefined;
  #lives = 0;
  #watching = true;
  #watch: Promise<void> = Promise.resolve();

  private constructor(
    options: KillWorldOptions,
    parts: { git: GitServer; forge: FakeForge; clusters: ReadonlyMap<string, ClusterUnderTest>; folder: string },
    gates: ReadonlyMap<string, WriteGate>,
  ) {
    this.#options = options;
    this.git = parts.git;
    this.forge = parts.forge;
    this.clusters = parts.clusters;
    this.folder = parts.folder;
    this.#gates = gates;
    this.#configFile = join(parts.folder, "penstock.yaml");
  }

  static async open(options: KillWorldOptions): Promise<KillWorld> {
    const folder = await mkdtemp(join(tmpdir(), "penstock-kills-"));
    const [git, forge] = [await startGitServer(), await startFakeForge("github")];
    await git.createRepository("jobs");
    await writeFile(join(folder, "token"), forge.token);
    const clusters = new Map<string, ClusterUnderTest>();
    const gates = new Map<string, WriteGate>();
    const world = new KillWorld(options, { git, forge, clusters, folder }, gates);
    const guard: Guard = async (call, moment) => world.guard(call, moment);
    const open = async (name: string, target: string, recognize: Parameters<typeof openWriteGate>[0]): Promise<void> => {
      const gate = await openWriteGate(recognize, guard);
      gate.target = new URL(target);
      gates.set(name, gate);
    };
    await open("git", git.origin, (method, path, body) => recognizePush(method, path, body, BRANCHES));
    await open("forge", forge.url, recognizeForgeWrite);
    for (const [name, start] of Object.entries(options.clusters)) {
      const cluster = await start(world.clock, [...clusters.values()][0]);
      clusters.set(name, cluster);
      await open(name, cluster.url.href, recognizeFlinkWrite);
    }
    await world.configure();
    world.#watch = world.#watchForTwins();
    return world;
  }

  /** The daemon's configuration, with these clusters draining. In force with the next daemon, and with a process at once. */
  async configure(draining: readonly string[] = []): Promise<void> {
    const addresses = [...this.clusters].map(([name, { checkpointsDir, savepointsDir }]) => {
      const url = this.#gates.get(name)!.url.href; // each has one
      return [
        name,
        { url, pollInterval: "100ms", timeout: "10s", draining: draining.includes(name), checkpointsDir, savepointsDir },
      ];
    });
    const config = {
      instance: "kills",
      repository: { url: `${this.#gates.get("git")!.url.href}jobs.git`, pollInterval: "200ms", timeout: "10s" },
      status: { target: "inline" },
      zones: { [ZONE]: { clusters: Object.fromEntries(addresses) as unknown } },
      artifacts: { cacheDir: join(this.folder, "cache") },
      forge: {
        kind: "github",
        url: this.#gates.get("forge")!.url.href,
        tokenFile: join(this.folder, "token"),
        repository: this.forge.repository,
      },
      server: { enabled: false },
      log: { level: "debug" },
    };
    await writeFile(this.#configFile, JSON.stringify(config));
  }

  /** With an empty cache, as a container without a volume has it. */
  async start(): Promise<void> {
    this.#lives += 1;
    const cacheDir = join(this.folder, `cache-${this.#lives}`);
    if (this.#options.daemons === "processes") {
      this.#daemon = startDaemonProcess(this.#configFile, { PENSTOCK__ARTIFACTS__CACHE_DIR: cacheDir });
      return;
    }
    const loaded = await loadConfig(this.#configFile, {});
    if (loaded.kind === "invalid") throw new Error(loaded.problems.map(({ message }) => message).join("\n"));
    const { config } = loaded;
    const daemon = startDaemon({ ...config, artifacts: { ...config.artifacts, cacheDir } }, this.clock);
    const kill = async (): Promise<void> => {
      for (const gate of this.#gates.values()) gate.sever();
      await daemon.stop();
      for (const gate of this.#gates.values()) gate.mend();
    };
    this.#daemon = { kill, stop: async () => daemon.stop(), log: () => daemon.log() };
  }

  async stop(): Promise<void> {
    await this.#daemon?.stop();
    this.#daemon = undefined;
  }

  async kill(): Promise<void> {
    await this.#daemon?.kill();
    this.#daemon = undefined;
  }

  async push(files: Readonly<Record<string, FileChange>>, message: string): Promise<string> {
    return this.git.commitFiles("jobs", "main", files, message);
  }

  /** What stands on a branch; undefined when it does not. Asked again and again, so Git is only asked for what is new. */
  async read(branch: string, path: string): Promise<string | undefined> {
    const ref = join(this.git.folderOf("jobs"), "refs/heads", branch);
    const head = await readFile(ref, "utf8").catch(() => undefined); // nothing here ever packs refs
    if (head === undefined) return undefined;
    const key = `${head.trim()}:${path}`;
    const known = this.#read.get(key) ?? this.#readAt(key);
    this.#read.set(key, known);
    return known;
  }

  async #readAt(key: string): Promise<string | undefined> {
    return (await this.git.git("jobs", ["cat-file", "blob", key]).catch(() => undefined))?.toString(); // it is not there
  }

  async status(kind: "job" | "savepoint" | "artifact", name: string): Promise<StatusFile | undefined> {
    const text = await this.read(STATUS_BRANCH, `${ZONE}/${PROJECT}/${kind}/${name}.yaml`);
    return text === undefined ? undefined : (parse(text) as StatusFile);
  }

  /** The Flink jobs that have not ended, on any cluster, of this Job. */
  async live(name: string): Promise<readonly string[]> {
    const digits = resourceDigits({ kind: "Job", zone: ZONE, project: PROJECT, name });
    return (await this.#liveIds()).filter((id) => parseFlinkJobId(id)?.resource === digits);
  }

  /** Asks Flink itself, past the gate. */
  async ask(cluster: string, path: string, init: RequestInit = {}): Promise<unknown> {
    const url = new URL(path, this.clusters.get(cluster)!.url);
    return (await fetch(url, { signal: AbortSignal.timeout(20_000), ...init })).json();
  }

  /** When `missing` says nothing any more; fails with the last that it said, and with what the daemon logged. */
  async until(what: string | (() => string), missing: () => Promise<string | undefined>): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    let last: string | undefined;
    let newsAt = performance.now();
    while (performance.now() < deadline) {
      const before = last;
      last = await missing();
      if (last === undefined) return;
      if (this.violations.length > 0) break;
      const now = performance.now();
      if (last !== before) newsAt = now;
      if (this.#options.daemons === "in this process" && now - newsAt > STILL_MS) {
        this.clock.pass(WAITED_FOR_MS);
        newsAt = now;
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    const log = this.#daemon?.log().split("\n").slice(-25).join("\n") ?? "";
    throw new Error([`${typeof what === "string" ? what : what()}: ${last ?? "?"}`, ...this.violations, log].join("\n"));
  }

  async close(): Promise<void> {
    await this.stop();
    this.#watching = false;
    await this.#watch;
    for (const gate of this.#gates.values()) await gate.close();
    for (const cluster of this.clusters.values()) await cluster.close();
    await this.git.close();
    await this.forge[Symbol.asyncDispose]();
    await rm(this.folder, { recursive: true, force: true });
  }

  async #liveIds(): Promise<readonly string[]> {
    const lists = await Promise.all([...this.clusters.keys()].map(async (name) => this.ask(name, "/jobs/overview")));
    const jobs = lists.flatMap((list) => Reflect.get(Object(list), "jobs") as readonly SeenJob[]);
    return jobs.filter(({ state }) => !ENDED.has(state)).map(({ jid }) => jid);
  }

  /** All the time. Clusters are asked one after the other, so two are only believed when the first one is seen again after the second. */
  async #watchForTwins(): Promise<void> {
    while (this.#watching) {
      const first = await this.#twins();
      const twins = first.length === 0 ? [] : (await this.#twins()).filter((one) => first.includes(one));
      for (const two of twins) if (!this.violations.includes(two)) this.violations.push(two);
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  async #twins(): Promise<readonly string[]> {
    const ids = await this.#liveIds().catch(() => []); // a cluster that does not answer shows no twins
    const groups = Map.groupBy(ids, (id) => parseFlinkJobId(id)?.resource);
    return [...groups.values()]
      .filter((group) => group.length > 1)
      .map((group) => `two live jobs of one Job: ${group.join(", ")}`);
  }
}

const BRANCHES = { "push-status": STATUS_BRANCH, "push-mirror": "main", "push-previews": "penstock/previews" } as const;

export type { WritingCall };
