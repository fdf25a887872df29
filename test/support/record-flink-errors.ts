/**
 * Records what real clusters answer when they refuse, into test/flink/fixtures: `node test/support/record-flink-errors.ts`. To be run
 * again when a version of Flink is added. Takes about a minute.
 */
import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { buildRunRequest } from "../../src/flink/run-request.ts";
import { launcherClass, LAUNCHER_CLASS_PATH } from "../../src/flink/launcher/launcher-class.ts";
import { packJar, readJar } from "./jar.ts";
import { EXAMPLES, fetchMavenArtifact, FLINK_VERSIONS } from "./maven.ts";
import { startRealFlink, type RealFlink } from "./real-flink.ts";
import { TEST_JOB_CLASS, TEST_JOB_JAR } from "./test-job.ts";

interface Recorded {
  readonly name: string;
  /** 0: not an answer of its own, but the stack trace inside one. */
  readonly status: number;
  readonly errors: readonly string[];
}

/** One cluster, its answers and what was written down of them. */
class Recorder {
  readonly recorded: Recorded[] = [];
  readonly #flink: RealFlink;
  #jar = "";

  constructor(flink: RealFlink) {
    this.#flink = flink;
  }

  async record(): Promise<void> {
    const plain = (await readJar(await readFile(TEST_JOB_JAR)))!;
    this.#jar = await this.#upload("counter.jar", packJar([...plain, [LAUNCHER_CLASS_PATH, launcherClass()]]));
    await this.#programs();
    await this.#jars();
    await this.#jobs();
    await this.#savepoints();
  }

  async #programs(): Promise<void> {
    const options = { "execution.checkpointing.interval": "10 s" };
    const keyOf = `${TEST_JOB_CLASS}$KeyOf`;
    await this.#run("entry class missing", { entryClass: "penstock.test.Nothing" });
    await this.#run("entry class missing, with options", { entryClass: "penstock.test.Nothing", flinkConfiguration: options });
    await this.#run("no main", { entryClass: keyOf });
    await this.#run("no main, with options", { entryClass: keyOf, flinkConfiguration: options });
    await this.#run("main throws", { programArgs: ["--throw", "no luck"] });
    await this.#run("main throws, with options", { programArgs: ["--throw", "no luck"], flinkConfiguration: options });
    await this.#run("bad arguments", { programArgs: ["stray"] });
    await this.#run("no jobs", { programArgs: ["--noexec", "1"] });
    await this.#run("bad option", { flinkConfiguration: { "execution.checkpointing.interval": "soon" } });
    await this.#run("above the max parallelism", { parallelism: 3, flinkConfiguration: { "pipeline.max-parallelism": "2" } });
    await this.#run("bad job id", { flinkJobId: "zz" });
    await this.#ask("unknown field", "POST", `/jars/${this.#jar}/run`, { fooBar: 1, entryClass: "penstock.test.Nothing" });
  }

  async #jars(): Promise<void> {
    const garbage = await this.#upload("garbage.jar", Buffer.from("this is no zip file"));
    await this.#ask("not a jar", "POST", `/jars/${garbage}/run`, { entryClass: TEST_JOB_CLASS });
    await this.#ask("jar missing", "POST", "/jars/00000000-0000-0000-0000-000000000000_a.jar/run", { entryClass: "a.B" });
    await this.#ask("jar to delete missing", "DELETE", "/jars/00000000-0000-0000-0000-000000000000_a.jar");
    const response = await this.#post("/jars/upload", formOf("a.zip", Buffer.from("x")));
    this.#write("only jars", response.status, await response.json());
  }

  async #jobs(): Promise<void> {
    const unknown = newId();
    await this.#ask("job not found", "GET", `/jobs/${unknown}`);
    await this.#ask("job not found, checkpoints", "GET", `/jobs/${unknown}/checkpoints`);
    await this.#ask("job not found, exceptions", "GET", `/jobs/${unknown}/exceptions`);
    await this.#ask("nothing served, GET", "GET", "/nope");
    await this.#ask("nothing served, POST", "POST", "/nope", {});
    await this.#ask("cancel unknown", "PATCH", `/jobs/${unknown}?mode=cancel`);
    await this.#ask("no requirements", "GET", `/jobs/${unknown}/resource-requirements`);
    const flinkJobId = await this.#run(undefined, { programArgs: ["--n", "5"] });
    await this.#until(flinkJobId, "FINISHED");
    await this.#run("duplicate, ended", { flinkJobId });
    await this.#ask("cancel finished", "PATCH", `/jobs/${flinkJobId}?mode=cancel`);
    const crowded = await this.#run(undefined, { parallelism: 9 });
    await this.#until(crowded, "FAILED");
    await this.#exceptionOf("not enough slots", crowded);
  }

  async #savepoints(): Promise<void> {
    const unknown = newId();
    await this.#ask("unknown trigger", "GET", `/jobs/${unknown}/savepoints/${newId()}`);
    await this.#ask("unknown disposal", "GET", `/savepoint-disposal/${newId()}`);
    await this.#ask("bad trigger id", "POST", `/jobs/${unknown}/stop`, { triggerId: "zz", targetDirectory: "file:///tmp/x" });
    await this.#stop("stop of an unknown job", unknown, this.#flink.savepointsDir);
    const running = await this.#run(undefined, {});
    await delay(2000);
    await this.#run("duplicate, running", { flinkJobId: running });
    await this.#ask("requirements of a default scheduler", "GET", `/jobs/${running}/resource-requirements`);
    await this.#stop("stop to a place that cannot be written", running, "file:///dev/null/nope");
    const path = await this.#stop(undefined, running, this.#flink.savepointsDir);
    await this.#until(running, "FINISHED");
    const crowded = await this.#run(undefined, {
      parallelism: 9,
      flinkConfiguration: { "execution.checkpointing.interval": "9 s" },
    });
    await this.#stop("stop while tasks wait", crowded, this.#flink.savepointsDir);
    await this.#ask("", "PATCH", `/jobs/${crowded}?mode=cancel`);
    const nowhere = `${this.#flink.savepointsDir}/nothing-here`;
    const lost = await this.#run("savepoint missing", { restore: { path: nowhere, allowNonRestoredState: false } });
    await this.#exceptionOf("savepoint missing, exception", lost);
    await this.#dispose("disposal of nothing", nowhere);
    if (path === undefined) throw new Error("the recorder has no savepoint to go on from");
    const restore = { path, allowNonRestoredState: false };
    const shrunk = await this.#run("max parallelism changed", {
      restore,
      flinkConfiguration: { "pipeline.max-parallelism": "64" },
    });
    await this.#exceptionOf("max parallelism changed, exception", shrunk);
    if (!this.#flink.version.startsWith("1.")) return; // There is no other program for it.
    const example = this.#flink.version.startsWith("1.16") ? EXAMPLES.topSpeed116 : EXAMPLES.topSpeed120;
    this.#jar = await this.#upload("other.jar", await readFile(await fetchMavenArtifact(example)));
    const entryClass = "org.apache.flink.streaming.examples.windowing.TopSpeedWindowing";
    await this.#run("state of another program", { entryClass, programArgs: [], restore });
  }

  async #run(name: string | undefined, options: Partial<Parameters<typeof buildRunRequest>[0]>): Promise<string> {
    const flinkJobId = options.flinkJobId ?? newId();
    const body = buildRunRequest({
      flinkVersion: this.#flink.version,
      flinkJobId,
      entryClass: TEST_JOB_CLASS,
      programArgs: [],
      parallelism: 1,
      flinkConfiguration: {},
      ...options,
    });
    await this.#ask(name ?? "", "POST", `/jars/${this.#jar}/run`, body);
    return flinkJobId;
  }

  /** Stops with a savepoint; the path of it, or what it failed with is written down. */
  async #stop(name: string | undefined, flinkJobId: string, targetDirectory: string): Promise<string | undefined> {
    const triggerId = newId();
    await this.#ask("", "POST", `/jobs/${flinkJobId}/stop`, { triggerId, targetDirectory });
    return this.#result(name, `/jobs/${flinkJobId}/savepoints/${triggerId}`);
  }

  async #dispose(name: string, path: string): Promise<void> {
    const { value } = await this.#ask("", "POST", "/savepoint-disposal", { "savepoint-path": path });
    await this.#result(name, `/savepoint-disposal/${String(member(value, "request-id"))}`);
  }

  async #result(name: string | undefined, path: string): Promise<string | undefined> {
    for (;;) {
      const { value } = await this.#ask("", "GET", path);
      if (member(member(value, "status"), "id") === "COMPLETED") {
        const operation = member(value, "operation");
        const stackTrace = member(member(operation, "failure-cause"), "stack-trace");
        if (name !== undefined) this.recorded.push({ name, status: 0, errors: [withFewerFrames(stackTrace)] });
        return typeof member(operation, "location") === "string" ? String(member(operation, "location")) : undefined;
      }
      await delay(50);
    }
  }

  async #exceptionOf(name: string, flinkJobId: string): Promise<void> {
    const { value } = await this.#ask("", "GET", `/jobs/${flinkJobId}/exceptions`);
    const newest = member(member(member(value, "exceptionHistory"), "entries"), "0");
    this.recorded.push({ name, status: 0, errors: [withFewerFrames(member(newest, "stacktrace"))] });
  }

  async #until(flinkJobId: string, state: string): Promise<void> {
    for (;;) {
      const { value } = await this.#ask("", "GET", `/jobs/${flinkJobId}`);
      if (member(value, "state") === state) return;
      await delay(50);
    }
  }

  /** Writes the answer down under its name, unless that is "". */
  async #ask(
    name: string,
    method: string,
    path: string,
    json?: unknown,
  ): Promise<{ readonly status: number; readonly value: unknown }> {
    const response = await fetch(new URL(path, this.#flink.url), {
      method,
      ...(json === undefined ? {} : { body: JSON.stringify(json), headers: { "content-type": "application/json" } }),
    });
    const value: unknown = await response.json();
    if (name !== "") this.#write(name, response.status, value);
    return { status: response.status, value };
  }

  #write(name: string, status: number, value: unknown): void {
    const errors = member(value, "errors");
    if (!Array.isArray(errors)) throw new Error(`${name} was not refused: ${JSON.stringify(value)}`);
    this.recorded.push({ name, status, errors: errors.map(withFewerFrames) });
  }

  async #post(path: string, body: FormData): Promise<Response> {
    return fetch(new URL(path, this.#flink.url), { method: "POST", body });
  }

  async #upload(name: string, content: Buffer): Promise<string> {
    const value: unknown = await (await this.#post("/jars/upload", formOf(name, content))).json();
    return String(member(value, "filename")).split("/").at(-1)!;
  }
}

/** The recorded text but for the frames after the second of each throwable: nobody looks at them, and they are nine tenths of it. */
function withFewerFrames(text: unknown): string {
  return String(text).replaceAll(/((?:^\s*at .+\n){2})(?:^\s*at .+\n)+/gm, "$1");
}

function formOf(name: string, content: Buffer): FormData {
  const form = new FormData();
  form.append("jarfile", new Blob([new Uint8Array(content)]), name);
  return form;
}

function member(value: unknown, name: string): unknown {
  return Reflect.get(Object(value), name);
}

function newId(): string {
  return randomBytes(16).toString("hex");
}

for (const version of FLINK_VERSIONS) {
  const config = { "resourcemanager.standalone.start-up-time": "500" };
  const flink = await startRealFlink({ version, slots: 4, config, onProgress: console.error });
  const recorder = new Recorder(flink);
  try {
    await recorder.record();
  } finally {
    await flink.stop();
  }
  const file = join(import.meta.dirname, `../flink/fixtures/errors-${version}.json`);
  await writeFile(file, `${JSON.stringify(recorder.recorded, undefined, 2)}\n`);
}
