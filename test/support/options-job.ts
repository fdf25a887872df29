import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { addClassToJar } from "../../src/artifacts/with-launcher.ts";
import { systemClock } from "../../src/common/clock.ts";
import { majorMinorOf } from "../../src/flink/cluster-version.ts";
import { FlinkClient } from "../../src/flink/flink-client.ts";
import { LAUNCHER_CLASS_NAME, launcherClass } from "../../src/flink/launcher/launcher-class.ts";
import { buildFlinkConfiguration } from "../../src/model/options.ts";
import { packJar } from "./jar.ts";
import { compileJava } from "./java.ts";
import { fetchExtraWithMaven, fetchWithMaven } from "./maven.ts";
import { startRealFlink, type RealFlink } from "./real-flink.ts";

const SOURCE = join(import.meta.dirname, "../options-job/src/penstock/test/OptionsJob.java");

/** A program on a real cluster that tells which options reached it. */
export interface OptionsJobCluster {
  readonly flink: RealFlink;
  /** Submits as Penstock does (through the launcher where Flink needs it); resolves when all tasks run and a checkpoint is complete. */
  run(written: Readonly<Record<string, string>>, args?: readonly string[]): Promise<OptionsRun>;
  close(): Promise<void>;
}

export interface OptionsRun {
  readonly flinkJobId: string;
  /** What Flink read of each option that is set, by the key that its class declares. */
  readonly read: ReadonlyMap<string, string>;
  /** What Flink could not read. */
  readonly unreadable: readonly string[];
  /** GET of something below /jobs/:id. */
  ask(path: string): Promise<Readonly<Record<string, unknown>>>;
  cancel(): Promise<void>;
}

const RUN_TIMEOUT_MS = 90_000;

export async function startOptionsJobCluster(
  version: string,
  options: { readonly standardYaml?: boolean } = {},
): Promise<OptionsJobCluster> {
  const folder = await mkdtemp(join(tmpdir(), "penstock-options-job-"));
  const flink = await startRealFlink({ version, slots: 2, extra: true, ...options });
  const client = new FlinkClient({ name: "options", url: flink.url, timeoutMs: 60_000 }, { clock: systemClock });
  const signal = new AbortController().signal;
  const jar = await buildJar(version, folder, signal);
  const jarId = await client.uploadJar({ fileName: "options.jar", path: jar, size: (await stat(jar)).size }, signal);
  let runs = 0;
  const ask = async (path: string): Promise<Readonly<Record<string, unknown>>> => {
    const response = await fetch(new URL(path, flink.url), { signal: AbortSignal.timeout(10_000) });
    return (await response.json()) as Readonly<Record<string, unknown>>;
  };

  async function untilCheckpoint(flinkJobId: string): Promise<void> {
    const deadline = Date.now() + RUN_TIMEOUT_MS;
    for (;;) {
      const counts = Object((await ask(`jobs/${flinkJobId}/checkpoints`))["counts"]) as Readonly<Record<string, number>>;
      if ((counts["completed"] ?? 0) > 0) return;
      if (Date.now() > deadline) {
        const why = JSON.stringify(await ask(`jobs/${flinkJobId}/exceptions`)).slice(0, 3000);
        throw new Error(`no checkpoint of ${flinkJobId}: ${why}\n${await flink.readLogs()}`);
      }
      await delay(200);
    }
  }

  return {
    flink,
    async run(written, args = []) {
      runs += 1;
      const flinkJobId = runs.toString(16).padStart(32, "0");
      const out = join(folder, `out-${runs}`);
      const flinkConfiguration = buildFlinkConfiguration(written, majorMinorOf(version)!);
      const entryClass = "penstock.test.OptionsJob";
      const programArgs = ["--out", out, ...args];
      const run = { flinkVersion: version, flinkJobId, entryClass, programArgs, parallelism: 1, flinkConfiguration };
      await client.runJar(jarId, run, signal);
      await untilCheckpoint(flinkJobId);
      const lines = (await readFile(out, "utf8")).split("\n");
      if (!lines.includes("done")) throw new Error("the program did not write all that it read");
      return {
        flinkJobId,
        read: new Map(lines.flatMap((line) => entryOf(line))),
        unreadable: lines.filter((line) => line.startsWith("unreadable ")),
        ask: async (path) => ask(`jobs/${flinkJobId}/${path}`),
        async cancel() {
          await client.cancelJob(flinkJobId, signal);
        },
      };
    },
    async close() {
      await client.close();
      await flink.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function entryOf(line: string): readonly (readonly [string, string])[] {
  const match = /^option ([^=]+)=(.*)$/.exec(line);
  return match === null ? [] : [[match[1]!, match[2]!]];
}

async function buildJar(version: string, folder: string, signal: AbortSignal): Promise<string> {
  const libs = [await fetchWithMaven(version), await fetchExtraWithMaven(version)];
  const sources = [SOURCE];
  for (const [name, source] of Object.entries(factories(version))) {
    sources.push(join(folder, name));
    await writeFile(join(folder, name), source);
  }
  const classes = await compileJava({ sources, classPath: libs.map((lib) => join(lib, "*")).join(delimiter) });
  const plain = join(folder, "plain.jar");
  await writeFile(plain, packJar(classes));
  const jar = join(folder, "options.jar");
  await addClassToJar({ from: plain, to: jar, className: LAUNCHER_CLASS_NAME, classBytes: launcherClass() }, signal);
  return jar;
}

/** Classes of the program for `state.backend.*.options-factory`: the packages differ from version to version. */
function factories(version: string): Readonly<Record<string, string>> {
  const isOld = version.startsWith("1.");
  const rocks = isOld ? "org.apache.flink.contrib.streaming.state" : "org.apache.flink.state.rocksdb";
  const all = { "RocksOptions.java": factory("RocksOptions", `${rocks}.RocksDBOptionsFactory`, "org.rocksdb") };
  if (isOld) return all;
  const forst = factory("ForStOptions", "org.apache.flink.state.forst.ForStOptionsFactory", "org.forstdb");
  return { ...all, "ForStOptions.java": forst };
}

function factory(name: string, contract: string, library: string): string {
  return `package penstock.test;
public final class ${name} implements ${contract} {
    @Override
    public ${library}.DBOptions createDBOptions(${library}.DBOptions options, java.util.Collection<AutoCloseable> handles) {
        return options;
    }

    @Override
    public ${library}.ColumnFamilyOptions createColumnOptions(
            ${library}.ColumnFamilyOptions options, java.util.Collection<AutoCloseable> handles) {
        return options;
    }
}
`;
}
