import { createHash, randomUUID } from "node:crypto";
import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Clock } from "../../src/common/clock.ts";
import { LAUNCHER_CLASS_NAME } from "../../src/flink/launcher/launcher-class.ts";
import { type FlinkState, isTerminal } from "../../src/flink/responses.ts";
import { bodies, type FakeAnswer, refused, stackTrace } from "./fake-flink-bodies.ts";
import {
  checkpointIntervalMs,
  type FakeCheckpoint,
  type FakeJob,
  newestCheckpoint,
  parseFlinkDurationMs,
  removeDirectory,
  retainsCheckpoints,
  writeMetadata,
} from "./fake-flink-job.ts";
import { readJar } from "./jar.ts";

export interface FakeJar {
  readonly id: string;
  readonly name: string;
  readonly content: Buffer;
  readonly uploadedAtMs: number;
}

export interface FakeClusterSettings {
  readonly version: string;
  readonly adaptive: boolean;
  readonly slots: number;
  readonly checkpointsDir: string | undefined;
  readonly savepointsDir: string | undefined;
  readonly highAvailability: string | undefined;
  readonly clock: Clock;
}

interface FakeOperation {
  readonly isStop: boolean;
  /** What the operation will do as soon as it may go on; its own result. */
  finish: (() => { readonly location: string } | { readonly failure: string }) | undefined;
  result: { readonly location: string } | { readonly failure: string } | undefined;
}

/** The JobManager's side of the fake: jobs, jars, savepoints. Knows nothing of HTTP; time passes only when somebody looks. */
export class FakeCluster {
  settings: FakeClusterSettings;
  incarnation: string = randomUUID();
  slots: number;
  readonly jobs = new Map<string, FakeJob>();
  readonly jars = new Map<string, FakeJar>();
  /** Refuses the next submissions so often. */
  runFailures: FakeAnswer[] = [];
  /** Main methods wait for it when it is there. */
  mainGate: Promise<void> | undefined;
  /** Tasks stay scheduled, savepoints in progress, while these are set. */
  deploymentsHeld = false;
  savepointsHeld = false;
  savepointFailure: string | undefined;
  disposalFailure: string | undefined;
  /** Where a stop leaves the job that fails after its savepoint was taken. */
  brokenStops: FlinkState | undefined;
  /** A cancellation stays CANCELLING while set. */
  cancellationsHeld = false;
  /** A PUT of resource requirements is accepted and shows no effect while set. */
  rescalesHeld = false;
  readonly #operations = new Map<string, FakeOperation>();
  readonly #everUsed = new Set<string>();
  readonly #deployed = new Set<string>();

  constructor(settings: FakeClusterSettings) {
    this.settings = settings;
    this.slots = settings.slots;
  }

  get minor(): number {
    const [major = 0, minor = 0] = this.settings.version.split(".").map(Number);
    return major * 100 + minor;
  }

  /**
   * A JobManager that was killed and started again: nothing of memory is left, the files are. With high availability jobs that had not
   * ended go on under their ids. Another version: it was upgraded in place.
   */
  restart(version = this.settings.version): void {
    this.settings = { ...this.settings, version };
    const live = this.live();
    this.incarnation = randomUUID();
    this.jobs.clear();
    if (this.settings.highAvailability !== undefined) for (const job of live) this.jobs.set(job.flinkJobId, recovered(job));
    this.jars.clear();
    this.#operations.clear();
    this.#everUsed.clear();
    this.#deployed.clear();
  }

  slotsFree(): number {
    return this.slots - this.live().reduce((used, job) => used + job.parallelism, 0);
  }

  live(): readonly FakeJob[] {
    return [...this.jobs.values()].filter((job) => !isTerminal(job.state));
  }

  /** As after five minutes: results of savepoints and stops are forgotten, what they did stays. */
  forgetOperations(): void {
    this.#operations.clear();
  }

  /** Lets time pass: slots are taken, checkpoints completed, bounded jobs finished. Called before every look. */
  advance(): void {
    for (const job of this.live()) {
      this.#schedule(job);
      if (job.state === "CANCELLING" && !this.cancellationsHeld) this.setState(job, "CANCELED");
      this.#checkpointDue(job);
      this.#finishDue(job);
    }
    if (this.savepointsHeld) return;
    for (const operation of this.#operations.values()) {
      if (operation.result === undefined && operation.finish !== undefined) operation.result = operation.finish();
    }
  }

  /** Whether all tasks run: RUNNING alone says nothing. */
  isDeployed(job: FakeJob): boolean {
    return job.state === "RUNNING" && this.#deployed.has(job.flinkJobId);
  }

  setState(job: FakeJob, state: FlinkState, because?: string): void {
    const now = this.settings.clock.now();
    job.state = state;
    job.changedAtMs = now;
    if (because !== undefined)
      job.exceptions.push({ stackTrace: stackTrace(`java.lang.RuntimeException: ${because}`), atMs: now });
    if (state !== "RUNNING") this.#deployed.delete(job.flinkJobId);
    if (!isTerminal(state)) return;
    job.endedAtMs = now;
    job.parallelism = 0;
    if (state === "FINISHED" || !retainsCheckpoints(job)) this.#dropCheckpoints(job);
  }

  completeCheckpoint(job: FakeJob): FakeCheckpoint | undefined {
    const { checkpointsDir, clock } = this.settings;
    if (checkpointsDir === undefined) return undefined;
    job.count += 1;
    const previous = newestCheckpoint(job, false);
    const id = (job.checkpoints.at(-1)?.id ?? 0) + 1;
    const checkpoint = {
      id,
      isSavepoint: false,
      atMs: clock.now(),
      externalPath: `${checkpointsDir}/${job.flinkJobId}/chk-${id}`,
    };
    writeMetadata(checkpoint.externalPath, job);
    job.checkpoints.push(checkpoint);
    if (previous !== undefined) removeDirectory(previous.externalPath); // num-retained is 1
    return checkpoint;
  }

  upload(name: string, content: Buffer): FakeJar {
    const jar = { id: `${randomUUID()}_${name}`, name, content, uploadedAtMs: this.settings.clock.now() };
    this.jars.set(jar.id, jar);
    return jar;
  }

  /** Submits as /jars/:id/run does: synchronously, as long as main() lasts. */
  async run(jarId: string, request: RunRequest): Promise<FakeAnswer> {
    const jar = this.jars.get(jarId);
    if (jar === undefined) return bodies.jarMissing(`/tmp/flink-web-upload/${jarId}`);
    const entries = await readJar(jar.content);
    if (entries === undefined) return bodies.notAJar(`/tmp/flink-web-upload/${jarId}`);
    const viaLauncher = request.entryClass === LAUNCHER_CLASS_NAME;
    if (!entries.has(classFile(request.entryClass))) return bodies.entryClassMissing(request.entryClass);
    const program = viaLauncher ? unwrap(request) : request;
    if (!entries.has(classFile(program.entryClass))) return bodies.entryClassMissingInLauncher(program.entryClass);
    if (program.entryClass.includes("$"))
      return viaLauncher ? bodies.noMainInLauncher(program.entryClass) : bodies.noMain(program.entryClass);
    await this.mainGate;
    say(program, `main [${program.programArgs.join(", ")}]`);
    const failure = this.runFailures.shift() ?? this.#mainFailure(program);
    if (failure !== undefined) return failure;
    if (this.#everUsed.has(request.jobId)) return bodies.duplicate(this.minor >= 203);
    return this.#submit(jarId, request, program);
  }

  #submit(jarId: string, request: RunRequest, program: Program): FakeAnswer {
    const now = this.settings.clock.now();
    this.#everUsed.add(request.jobId);
    const restored = request.savepointPath === undefined ? 0 : readCount(request.savepointPath);
    const job: FakeJob = {
      flinkJobId: request.jobId,
      name: argument(program, "name") ?? "CounterJob",
      entryClass: program.entryClass,
      programArgs: program.programArgs,
      configuration: program.configuration,
      jarId,
      submittedAtMs: now,
      restoredFrom: request.savepointPath,
      state: "RUNNING",
      requestedParallelism: request.parallelism,
      sourceParallelism: 1,
      parallelism: 0,
      endedAtMs: undefined,
      changedAtMs: now,
      count: restored ?? 0,
      checkpoints: [],
      failedCheckpoints: 0,
      exceptions: [],
    };
    this.jobs.set(job.flinkJobId, job);
    if (request.savepointPath !== undefined && restored === undefined) {
      // The job exists afterwards: FAILED, with its id spent.
      this.setState(job, "FAILED", `Cannot find checkpoint or savepoint file/directory '${request.savepointPath}'`);
      if (!this.settings.adaptive) return bodies.savepointMissing(request.savepointPath);
    } else startCounting(job);
    this.advance();
    const id = job.flinkJobId;
    return { status: 200, body: this.minor >= 203 ? { jobid: id, applicationId: id } : { jobid: id } };
  }

  trigger(flinkJobId: string, triggerId: string, operation: SavepointTrigger): void {
    // One cache for savepoints and stops: a trigger id that was used before starts nothing.
    const key = `${flinkJobId}/${triggerId}`;
    if (this.#operations.has(key)) return;
    const stopping = [...this.#operations].some(
      ([other, { isStop, result }]) => other.startsWith(`${flinkJobId}/`) && isStop && result === undefined,
    );
    const finish = (): { location: string } | { failure: string } => this.#savepoint(flinkJobId, triggerId, operation);
    const result = stopping ? { failure: checkpointFailure("Checkpoint Coordinator is suspending.") } : undefined;
    this.#operations.set(key, { isStop: operation.ending !== undefined, finish, result });
    this.advance();
  }

  operation(flinkJobId: string, triggerId: string): FakeOperation | undefined {
    return this.#operations.get(`${flinkJobId}/${triggerId}`);
  }

  dispose(path: string): string {
    const triggerId = randomUUID().replaceAll("-", "");
    const known = path.startsWith("file:") && readCount(path) !== undefined;
    if (known && this.disposalFailure !== undefined) {
      const result = { failure: stackTrace(`java.io.IOException: ${this.disposalFailure}`) };
      this.#operations.set(`disposal/${triggerId}`, { isStop: false, finish: undefined, result });
      return triggerId;
    }
    if (known) removeDirectory(path);
    const missing = `java.io.FileNotFoundException: Cannot find checkpoint or savepoint file/directory '${path}' on file system 'file'.`;
    this.#operations.set(`disposal/${triggerId}`, {
      isStop: false,
      finish: undefined,
      result: known ? { location: path } : { failure: stackTrace(missing) },
    });
    return triggerId;
  }

  #savepoint(flinkJobId: string, triggerId: string, operation: SavepointTrigger): { location: string } | { failure: string } {
    const job = this.jobs.get(flinkJobId);
    if (job === undefined || isTerminal(job.state)) {
      const missing = `org.apache.flink.runtime.messages.FlinkJobNotFoundException: Could not find Flink job (${flinkJobId})`;
      return { failure: stackTrace(`java.util.concurrent.CompletionException: ${missing}`, missing) };
    }
    if (!this.isDeployed(job)) {
      const waiting =
        "org.apache.flink.runtime.checkpoint.CheckpointException: Checkpoint triggering task count (1/1) of job is not being executed at the moment. Aborting checkpoint. Failure reason: Not all required tasks are currently running.";
      return { failure: stackTrace(`java.util.concurrent.CompletionException: ${waiting}`, waiting) };
    }
    if (this.savepointFailure !== undefined) {
      return { failure: checkpointFailure(this.savepointFailure) };
    }
    job.count += 1;
    const suffix = createHash("sha256").update(triggerId).digest("hex").slice(0, 12);
    const location = `${operation.targetDirectory}/savepoint-${flinkJobId.slice(0, 6)}-${suffix}`;
    try {
      writeMetadata(location, job);
    } catch {
      const failure = `java.io.IOException: Failed to create savepoint directory at ${operation.targetDirectory}`; // as Flink reports it
      return { failure: stackTrace(`java.util.concurrent.CompletionException: ${failure}`, failure) };
    }
    const id = (job.checkpoints.at(-1)?.id ?? 0) + 1;
    job.checkpoints.push({ id, isSavepoint: true, atMs: this.settings.clock.now(), externalPath: location });
    if (operation.ending === undefined) return { location };
    if (this.brokenStops === undefined) {
      this.setState(job, operation.ending);
      return { location };
    }
    this.setState(job, this.brokenStops, "the sink could not be closed");
    return { failure: stoppingFailure(location, flinkJobId) };
  }

  #mainFailure(program: Program): FakeAnswer | undefined {
    const thrown = argument(program, "throw");
    if (thrown !== undefined) {
      return bodies.mainThrew(
        thrown,
        `java.lang.IllegalStateException: ${thrown}`,
        `java.lang.RuntimeException: root cause of ${thrown}`,
      );
    }
    const stray = program.programArgs.find((text, index) => index % 2 === 0 && !text.startsWith("--"));
    if (stray !== undefined) {
      const message = `Error parsing arguments '[${program.programArgs.join(", ")}]' on '${stray}'.`;
      return bodies.mainThrew(message, `java.lang.IllegalArgumentException: ${message}`);
    }
    const interval = program.configuration["execution.checkpointing.interval"];
    if (interval !== undefined && parseFlinkDurationMs(interval) === undefined) {
      return bodies.badOption(interval, "execution.checkpointing.interval");
    }
    return argument(program, "noexec") === undefined ? undefined : bodies.noJobs();
  }

  /** Slots are taken all at once, or as many as there are by an adaptive scheduler. */
  #schedule(job: FakeJob): void {
    if (job.state !== "RUNNING" || this.deploymentsHeld) return;
    const available = this.slotsFree() + job.parallelism;
    if (this.settings.adaptive) {
      const reached = this.rescalesHeld && job.parallelism > 0 ? job.parallelism : Math.min(job.requestedParallelism, available);
      if (reached === 0) return;
      // A rescale is a restart from within: the list of jobs shows that the job moved.
      if (job.parallelism > 0 && job.parallelism !== reached) job.changedAtMs = this.settings.clock.now();
      job.parallelism = reached;
    } else if (job.parallelism === 0) {
      if (job.requestedParallelism > available) {
        // With checkpoints Flink restarts for ever; without, it gives up at once.
        if (checkpointIntervalMs(job) === undefined) {
          this.setState(job, "FAILED", "Could not acquire the minimum required resources.");
        }
        return;
      }
      job.parallelism = job.requestedParallelism;
    }
    this.#deployed.add(job.flinkJobId);
  }

  #checkpointDue(job: FakeJob): void {
    const intervalMs = checkpointIntervalMs(job);
    if (intervalMs === undefined || !this.isDeployed(job)) return;
    const lastAtMs = newestCheckpoint(job, false)?.atMs ?? job.submittedAtMs;
    if (this.settings.clock.now() - lastAtMs >= intervalMs) this.completeCheckpoint(job);
  }

  #finishDue(job: FakeJob): void {
    const records = argument(job, "n");
    if (records === undefined || !this.isDeployed(job)) return;
    const rate = Number(argument(job, "rate") ?? "200");
    if (this.settings.clock.now() - job.submittedAtMs >= (Number(records) / rate) * 1000) this.setState(job, "FINISHED");
  }

  #dropCheckpoints(job: FakeJob): void {
    for (const { isSavepoint, externalPath } of job.checkpoints) if (!isSavepoint) removeDirectory(externalPath);
  }
}

function checkpointFailure(message: string): string {
  const failure = `org.apache.flink.runtime.checkpoint.CheckpointException: ${message}`;
  return stackTrace(`java.util.concurrent.CompletionException: ${failure}`, failure);
}

/** The savepoint is there, only the stop after it came to nothing. */
function stoppingFailure(location: string, flinkJobId: string): string {
  const failure = `org.apache.flink.runtime.scheduler.stopwithsavepoint.StopWithSavepointStoppingException: A savepoint has been created at: ${location}, but the corresponding job ${flinkJobId} failed during stopping. The savepoint is consistent, but might have uncommitted transactions. If you want to commit the transaction please restart a job from this savepoint.`;
  return stackTrace(`java.util.concurrent.CompletionException: ${failure}`, failure);
}

/** As another JobManager takes it up: from its newest checkpoint, without the numbers of its former life. */
function recovered(job: FakeJob): FakeJob {
  return {
    ...job,
    state: "RUNNING",
    parallelism: 0,
    checkpoints: job.checkpoints.slice(-1),
    failedCheckpoints: 0,
    exceptions: [],
  };
}

export interface Program {
  readonly entryClass: string;
  readonly programArgs: readonly string[];
  readonly configuration: Readonly<Record<string, string>>;
}

export interface RunRequest extends Program {
  readonly jobId: string;
  readonly parallelism: number;
  readonly savepointPath: string | undefined;
}

export interface SavepointTrigger {
  readonly targetDirectory: string;
  /** The state it leaves the job in; undefined: the job goes on. */
  readonly ending: "FINISHED" | "CANCELED" | undefined;
}

/** What the launcher does: the class and the options out of its arguments. */
function unwrap(request: RunRequest): Program {
  const [entryClass = "", options = "", ...programArgs] = request.programArgs;
  const configuration = { ...request.configuration, ...parseProperties(Buffer.from(options, "base64").toString("utf8")) };
  return { entryClass, programArgs, configuration };
}

/** As much of java.util.Properties as our own writer uses: one entry a line, backslash escapes. */
function parseProperties(text: string): Readonly<Record<string, string>> {
  const lines = text.split("\n").filter((line) => line !== "");
  return Object.fromEntries(
    lines.map((line) => {
      const [, key = "", value = ""] = /^((?:[^=\\]|\\.)*)=(.*)$/.exec(line) ?? [];
      return [unescaped(key), unescaped(value)];
    }),
  );
}

function unescaped(text: string): string {
  return text.replaceAll(/\\(?:u([0-9a-f]{4})|(.))/g, (_, hex: string | undefined, character: string) =>
    hex === undefined ? character : String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

function argument(program: Pick<Program, "programArgs">, name: string): string | undefined {
  const index = program.programArgs.indexOf(`--${name}`);
  return index < 0 ? undefined : program.programArgs[index + 1];
}

/** What the test job writes to its `--out`. */
function say(program: Pick<Program, "programArgs">, line: string): void {
  const out = argument(program, "out");
  if (out !== undefined) appendFileSync(out, `${line}\n`);
}

/** As the test job: says what it found, then the first counts of key 0. */
function startCounting(job: FakeJob): void {
  say(job, job.count === 0 ? "started empty" : `restored ${job.count}`);
  for (let records = 0; records < 3; records += 1) {
    say(job, `${job.count * 64} ${job.count + 1}`);
    job.count += 1;
  }
}

function classFile(className: string): string {
  return `${className.replaceAll(".", "/")}.class`;
}

/** The count in a savepoint or checkpoint of ours; undefined when there is none. */
function readCount(uri: string): number | undefined {
  try {
    const metadata: unknown = JSON.parse(readFileSync(join(fileURLToPath(uri), "_metadata"), "utf8"));
    const count: unknown = Reflect.get(Object(metadata), "count");
    return typeof count === "number" ? count : 0;
  } catch {
    return undefined; // Not there or not readable: Flink says "cannot find" to both.
  }
}

/** What a refused run looks like, for tests that want one without its reason being real. */
export function runFailure(kind: "main-threw" | "other", message: string): FakeAnswer {
  return kind === "main-threw" ? bodies.mainThrew(message, `java.lang.IllegalStateException: ${message}`) : refused(500, message);
}
