import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { freePorts, killed, launchJava, type RunningJava } from "./java-process.ts";
import { fetchExtraWithMaven, fetchWithMaven } from "./maven.ts";

export interface RealFlinkOptions {
  readonly version: string;
  /** Of each TaskManager; 4 by default. */
  readonly slots?: number;
  /** 1 by default. */
  readonly taskManagers?: number;
  /** More of Flink's own configuration, or other than ours. */
  readonly config?: Readonly<Record<string, string>>;
  /** Flink 1.19 and 1.20 with config.yaml, whose syntax is another, instead of flink-conf.yaml. */
  readonly standardYaml?: boolean;
  /** With the Table API and the state backends on disk. */
  readonly extra?: boolean;
  /** Directories that outlive this cluster, for one that is to be followed by another; by default its own. */
  readonly stateDir?: string;
  readonly onProgress?: (sentence: string) => void;
}

/** A session cluster of real processes on this machine: one JobManager, some TaskManagers, all on the loopback interface. */
export interface RealFlink {
  readonly url: URL;
  /** Of the second JobManager, when there is one. */
  readonly standbyUrl: URL;
  readonly version: string;
  /** Of all TaskManagers that were started with it. */
  readonly slots: number;
  readonly checkpointsDir: string;
  readonly savepointsDir: string;
  /** kill -9: what was in memory is lost. Ends when the process is gone. */
  killJobManager(): Promise<void>;
  /**
   * A new JobManager in the place of the one that was killed; ends when all slots are registered and free, or, where somebody takes them
   * at once, as soon as they are registered.
   */
  restartJobManager(until?: "free" | "registered"): Promise<void>;
  /** A second JobManager, for a cluster with high availability: it answers for the one that leads. Ends when it answers. */
  startStandby(): Promise<void>;
  killStandby(): Promise<void>;
  killTaskManager(index?: number): Promise<void>;
  /** One more TaskManager; ends when its slots are registered. */
  startTaskManager(): Promise<void>;
  /** What a process printed, for the text of an error. */
  readLogs(): Promise<string>;
  /** Ends all processes, waits until they are gone, removes the folders. */
  stop(): Promise<void>;
}

const START_TIMEOUT_MS = 90_000;

export async function startRealFlink(options: RealFlinkOptions): Promise<RealFlink> {
  const fetching = options.onProgress === undefined ? {} : { onProgress: options.onProgress };
  const lib = [await fetchWithMaven(options.version, fetching)];
  if (options.extra === true) lib.push(await fetchExtraWithMaven(options.version, fetching));
  const folder = await mkdtemp(join(tmpdir(), `penstock-flink-${options.version}-`));
  const cluster = new LocalCluster(options, lib, folder, await freePorts(3));
  try {
    await cluster.start();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    await cluster.kill();
    throw new Error(
      `Flink ${options.version} did not start: ${reason}\nIts logs are in ${folder}; the last lines:\n${await cluster.readLogs()}`,
      {
        cause: error,
      },
    );
  }
  return cluster;
}

class LocalCluster implements RealFlink {
  readonly url: URL;
  readonly standbyUrl: URL;
  readonly version: string;
  readonly slots: number;
  readonly checkpointsDir: string;
  readonly savepointsDir: string;
  readonly #options: RealFlinkOptions;
  readonly #lib: readonly string[];
  readonly #folder: string;
  readonly #stateDir: string;
  readonly #ports: readonly number[];
  readonly #slotsEach: number;
  readonly #taskManagers: (RunningJava | undefined)[] = [];
  #jobManager: RunningJava | undefined;
  #standby: RunningJava | undefined;
  #starts = 0;

  constructor(options: RealFlinkOptions, lib: readonly string[], folder: string, ports: readonly number[]) {
    this.#options = options;
    this.#lib = lib;
    this.#folder = folder;
    this.#ports = ports;
    this.#stateDir = options.stateDir ?? join(folder, "state");
    this.#slotsEach = options.slots ?? 4;
    this.version = options.version;
    this.slots = this.#slotsEach * (options.taskManagers ?? 1);
    this.url = new URL(`http://127.0.0.1:${ports[0]}/`);
    this.standbyUrl = new URL(`http://127.0.0.1:${ports[2]}/`);
    this.checkpointsDir = pathToFileURL(join(this.#stateDir, "checkpoints")).href;
    this.savepointsDir = pathToFileURL(join(this.#stateDir, "savepoints")).href;
  }

  async start(): Promise<void> {
    await this.#writeConfig();
    this.#options.onProgress?.(`Flink ${this.version} starts on ${this.url.href}`);
    this.#jobManager = this.#launchJobManager();
    for (let index = 0; index < (this.#options.taskManagers ?? 1); index += 1) this.#launchTaskManager();
    await this.#untilSlots((total) => total === this.slots, `all ${this.slots} slots are registered`);
  }

  async killJobManager(): Promise<void> {
    await killed(this.#jobManager);
    this.#jobManager = undefined;
  }

  async restartJobManager(until: "free" | "registered" = "free"): Promise<void> {
    if (this.#jobManager !== undefined) throw new Error("the JobManager still runs: kill it first");
    this.#jobManager = this.#launchJobManager();
    const living = this.#taskManagers.filter((running) => running !== undefined).length * this.#slotsEach;
    const isDone = (total: number, free: number): boolean => total === living && (until === "registered" || free === living);
    await this.#untilSlots(isDone, `all ${living} slots are registered${until === "free" ? " and free" : ""}`);
  }

  async startStandby(): Promise<void> {
    if (this.#standby !== undefined) throw new Error("the second JobManager still runs: kill it first");
    this.#standby = this.#launchJobManager(["-D", `rest.port=${this.standbyUrl.port}`]);
    const answers = async (): Promise<boolean> => "slots-total" in (await this.#read("overview", this.standbyUrl));
    await this.#until(answers, "the second JobManager answers");
  }

  async killStandby(): Promise<void> {
    await killed(this.#standby);
    this.#standby = undefined;
  }

  async killTaskManager(index = 0): Promise<void> {
    await killed(this.#taskManagers[index]);
    this.#taskManagers[index] = undefined;
  }

  async startTaskManager(): Promise<void> {
    const id = this.#launchTaskManager();
    // By its name: the JobManager may still count the slots of one that was killed.
    await this.#until(async () => (await this.#readTaskManagers()).includes(id), `TaskManager ${id} is registered`);
  }

  async readLogs(): Promise<string> {
    const all = [this.#jobManager, this.#standby, ...this.#taskManagers].filter((running) => running !== undefined);
    const texts = await Promise.all(
      all.map(async ({ log }) => `${log}:\n${(await readFile(log, "utf8")).split("\n").slice(-15).join("\n")}`),
    );
    return texts.join("\n");
  }

  async stop(): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** Ends the processes; the folders stay for whoever wants to read the logs. */
  async kill(): Promise<void> {
    await Promise.all([this.#jobManager, this.#standby, ...this.#taskManagers].map(killed));
  }

  #launchJobManager(options: readonly string[] = []): RunningJava {
    return this.#launch("jobmanager", [], "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint", options);
  }

  #launchTaskManager(): string {
    const main = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner";
    const id = `taskmanager-${this.#starts + 1}`;
    const running = this.#launch("taskmanager", ["-XX:MaxDirectMemorySize=128m"], main, ["-D", `taskmanager.resource-id=${id}`]);
    const place = this.#taskManagers.indexOf(undefined);
    if (place < 0) this.#taskManagers.push(running);
    else this.#taskManagers[place] = running;
    return id;
  }

  #launch(role: string, jvmOptions: readonly string[], main: string, options: readonly string[] = []): RunningJava {
    this.#starts += 1;
    const log = join(this.#folder, "log", `${role}-${this.#starts}.log`);
    const args = [
      ...(this.#options.extra === true ? EXTRA_JVM_OPTIONS : []),
      ...jvmOptions,
      `-Dlog4j.configurationFile=${pathToFileURL(join(this.#folder, "conf/log4j.properties")).href}`,
      `-Dlog.file=${log}`,
      "-cp",
      this.#lib.map((folder) => join(folder, "*")).join(delimiter),
      main,
      "--configDir",
      join(this.#folder, "conf"),
      ...options,
    ];
    return launchJava(args, this.#folder, log);
  }

  async #writeConfig(): Promise<void> {
    const folders = ["conf", "log", "tmp", "web"].map((name) => join(this.#folder, name));
    for (const name of [...folders, join(this.#stateDir, "checkpoints"), join(this.#stateDir, "savepoints")]) {
      await mkdir(name, { recursive: true });
    }
    const entries = { ...this.#configuration(), ...this.#options.config };
    const text = Object.entries(entries).map(([key, value]) => `${key}: ${value}\n`);
    const isOld = this.version.startsWith("1.") && this.#options.standardYaml !== true;
    const file = isOld ? "flink-conf.yaml" : "config.yaml";
    await writeFile(join(this.#folder, "conf", file), text.join(""));
    await writeFile(join(this.#folder, "conf/log4j.properties"), LOG4J);
  }

  #configuration(): Readonly<Record<string, string>> {
    const [restPort, rpcPort] = this.#ports;
    return {
      "jobmanager.rpc.address": "127.0.0.1",
      "jobmanager.rpc.port": String(rpcPort),
      "jobmanager.bind-host": "127.0.0.1",
      "rest.address": "127.0.0.1",
      "rest.bind-address": "127.0.0.1",
      "rest.port": String(restPort),
      "taskmanager.host": "127.0.0.1",
      "taskmanager.bind-host": "127.0.0.1",
      "taskmanager.numberOfTaskSlots": String(this.#slotsEach),
      ...TASK_MANAGER_MEMORY,
      "io.tmp.dirs": join(this.#folder, "tmp"),
      "web.tmpdir": join(this.#folder, "web"),
      "state.checkpoints.dir": this.checkpointsDir,
      "state.savepoints.dir": this.savepointsDir,
      // Without it a TaskManager that comes up before its JobManager waits 10 s.
      "cluster.registration.error-delay": "200",
      // What /jobs/:id shows is not older than that.
      "web.refresh-interval": "300",
      "rest.cache.checkpoint-statistics.timeout": "300",
      "heartbeat.interval": "1000",
      "heartbeat.timeout": "6000",
      "taskmanager.slot.timeout": "6000",
    };
  }

  async #untilSlots(isReached: (total: number, free: number) => boolean, what: string): Promise<void> {
    await this.#until(async () => {
      const overview = await this.#read("overview");
      return isReached(Number(overview["slots-total"] ?? 0), Number(overview["slots-available"] ?? 0));
    }, what);
  }

  async #until(isReached: () => Promise<boolean>, what: string): Promise<void> {
    const deadline = Date.now() + START_TIMEOUT_MS;
    while (Date.now() < deadline) {
      this.#throwIfEnded();
      if (await isReached()) return;
      await delay(100);
    }
    throw new Error(`after ${START_TIMEOUT_MS / 1000} s it is not so that ${what}`);
  }

  async #readTaskManagers(): Promise<readonly string[]> {
    const taskManagers = (await this.#read("taskmanagers"))["taskmanagers"];
    return Array.isArray(taskManagers) ? taskManagers.map((one: unknown) => String(Reflect.get(Object(one), "id"))) : [];
  }

  /** An empty answer while Flink is not up yet or elects its leader: the caller asks again until its time is over. */
  async #read(path: string, url = this.url): Promise<Readonly<Record<string, unknown>>> {
    try {
      const response = await fetch(new URL(path, url), { signal: AbortSignal.timeout(2000) });
      return Object(await response.json()) as Readonly<Record<string, unknown>>;
    } catch {
      return {};
    }
  }

  #throwIfEnded(): void {
    for (const running of [this.#jobManager, this.#standby, ...this.#taskManagers]) {
      if (running?.how !== undefined) throw new Error(`the process of ${running.log} ${running.how}`);
    }
  }
}

/** The planner of the Table API and the state backends' libraries need more; the last of two that say the same counts. */
const EXTRA_JVM_OPTIONS: readonly string[] = ["-Xmx512m", "-XX:MaxMetaspaceSize=512m"];

/** Flink's start scripts would compute these; without them all have to be given. */
const TASK_MANAGER_MEMORY: Readonly<Record<string, string>> = {
  "taskmanager.cpu.cores": "1",
  "taskmanager.memory.framework.heap.size": "64m",
  "taskmanager.memory.framework.off-heap.size": "32m",
  "taskmanager.memory.task.heap.size": "64m",
  "taskmanager.memory.task.off-heap.size": "0m",
  "taskmanager.memory.managed.size": "32m",
  "taskmanager.memory.network.min": "16m",
  "taskmanager.memory.network.max": "16m",
  "taskmanager.memory.jvm-metaspace.size": "128m",
  "taskmanager.memory.jvm-overhead.min": "64m",
  "taskmanager.memory.jvm-overhead.max": "64m",
};

const LOG4J = `rootLogger.level = INFO
rootLogger.appenderRef.stdout.ref = stdout
appender.stdout.name = stdout
appender.stdout.type = CONSOLE
appender.stdout.layout.type = PatternLayout
appender.stdout.layout.pattern = %d{HH:mm:ss,SSS} %-5p %-40.40c{1.} %m%n
`;
