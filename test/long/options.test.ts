import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { majorMinorOf } from "../../src/flink/cluster-version.ts";
import { isAtLeast } from "../../src/model/flink-version.ts";
import type { FlinkOption } from "../../src/model/option-list/flink-option.ts";
import { FLINK_OPTIONS } from "../../src/model/option-list.ts";
import { nameIn, namesOf } from "../../src/model/options.ts";
import { FLINK_VERSIONS } from "../support/maven.ts";
import { startOptionsJobCluster, type OptionsJobCluster, type OptionsRun } from "../support/options-job.ts";
import { sampleValue, saysTheSame } from "../support/option-values.ts";

type Written = Readonly<Record<string, string>>;

/** Options that go into one job, and what else it takes. */
interface Batch {
  readonly name: string;
  readonly options: RegExp;
  readonly more?: Written;
  readonly args?: readonly string[];
}

const EVERY_SECOND = { "execution.checkpointing.interval": "1 s" };
const STRATEGIES = ["exponential-delay", "fixed-delay", "failure-rate"] as const;

const BATCHES: readonly Batch[] = [
  {
    name: "checkpoints, execution and pipeline",
    options: /^(?!state\.backend\.|restart-strategy|table\.)/,
    more: { "state.backend.type": "hashmap" },
  },
  { name: "RocksDB", options: /^state\.backend\.rocksdb\./, more: { "state.backend.type": "rocksdb", ...EVERY_SECOND } },
  { name: "ForSt", options: /^state\.backend\.forst\./, more: { "state.backend.type": "forst", ...EVERY_SECOND } },
  { name: "the Table API", options: /^table\./, more: EVERY_SECOND, args: ["--table", "1"] },
  ...STRATEGIES.map((strategy) => ({
    name: `restarts by ${strategy}`,
    options: new RegExp(`^restart-strategy\\.${strategy}\\.`),
    more: { "restart-strategy.type": strategy, ...EVERY_SECOND },
  })),
];

/** What REST shows of the first batch: `/jobs/:id/checkpoints/config` and `/jobs/:id/config`. */
const CHECKPOINTS_SEEN = {
  mode: "exactly_once",
  interval: 500,
  timeout: 420_000,
  min_pause: 50,
  max_concurrent: 1,
  externalization: { enabled: true, delete_on_cancellation: false },
  state_backend: "HashMapStateBackend",
  unaligned_checkpoints: true,
  tolerable_failed_checkpoints: 3,
  aligned_checkpoint_timeout: 5000,
  checkpoints_after_tasks_finish: true,
};
const EXECUTION_SEEN = { "object-reuse-mode": true, "user-config": { at: "12:30", from: "here" } };

const RESTARTS_SEEN: Readonly<Record<string, RegExp>> = {
  "exponential-delay": /exponential delay: starting at (2000 ms|PT2S), increasing by 2\.5.*maximum (9000 ms|PT9S).*jitter 0\.25/,
  "fixed-delay": /fixed delay \((420000 ms|PT7M)\)\. #3 restart attempts/,
  "failure-rate": /Failure rate.*maximum of 3.*(420000 ms|PT7M)/,
};

const CLUSTERS: readonly { readonly version: string; readonly standardYaml?: boolean }[] = [
  ...FLINK_VERSIONS.map((version) => ({ version })),
  { version: "1.20.5", standardYaml: true },
];

describe.each(CLUSTERS)("the options of a Job on Flink $version (config.yaml: $standardYaml)", ({ version, standardYaml }) => {
  const minor = majorMinorOf(version)!;
  const here = FLINK_OPTIONS.filter((option) => isThere(option, minor)).filter(
    ({ type }) => type.kind !== "flow" || standardYaml === true || isAtLeast(minor, "2.0"),
  );
  const batches = BATCHES.filter((batch) => here.some(({ name }) => batch.options.test(name)));
  let cluster: OptionsJobCluster;

  beforeAll(async () => {
    cluster = await startOptionsJobCluster(version, standardYaml === undefined ? {} : { standardYaml });
  });

  afterAll(async () => cluster?.close());

  async function runBatch(batch: Batch): Promise<{ readonly run: OptionsRun; readonly wrong: readonly string[] }> {
    const options = here.filter(({ name }) => batch.options.test(name));
    const written: Written = {
      ...Object.fromEntries(options.map((option) => [option.name, sampleValue(option)])),
      ...batch.more,
    };
    const run = await cluster.run(written, batch.args);
    return { run, wrong: [...run.unreadable, ...options.flatMap((option) => differences(option, written, run))] };
  }

  function differences(option: FlinkOption, written: Written, run: OptionsRun): readonly string[] {
    const name = nameIn(option, minor);
    const read = run.read.get(name);
    if (read === undefined) return [`${name} did not reach Flink`];
    const value = written[option.name]!;
    return saysTheSame(option.type, value, read) ? [] : [`${name} was ${value} and is ${read}`];
  }

  it("are all in one of the batches, or the one that chooses a batch", () => {
    const left = here.filter(({ name }) => !batches.some((batch) => batch.options.test(name)));
    expect(left.map(({ name }) => name).sort()).toEqual(["restart-strategy.type", "state.backend.type"]);
  });

  it.each(batches)("for $name are read by Flink as they were meant, and the job runs and takes checkpoints", async (batch) => {
    const { run, wrong } = await runBatch(batch);
    expect(wrong).toEqual([]);
    expect((await run.ask("exceptions"))["root-exception"] ?? null).toBeNull();
    await expectSeen(batch, run);
    await run.cancel();
  });

  async function expectSeen(batch: Batch, run: OptionsRun): Promise<void> {
    const checkpoints = await run.ask("checkpoints/config");
    const config = await run.ask("config");
    const execution = Object(config["execution-config"]) as Readonly<Record<string, unknown>>;
    if (batch === BATCHES[0]) {
      expect(checkpoints).toMatchObject(CHECKPOINTS_SEEN);
      expect(execution).toMatchObject(EXECUTION_SEEN);
      expect(config["name"]).toBe("sample");
    }
    if (batch.name === "RocksDB") expect(checkpoints["state_backend"]).toBe("EmbeddedRocksDBStateBackend");
    if (batch.name === "ForSt") expect(checkpoints["state_backend"]).toBe("ForStStateBackend");
    const restarts = RESTARTS_SEEN[batch.more?.["restart-strategy.type"] ?? ""];
    // Flink 1.20 shows the cluster's strategy, whatever the job has.
    if (restarts !== undefined && minor !== "1.20") expect(execution["restart-strategy"]).toMatch(restarts);
  }

  it("may be written by the names of another version", async () => {
    const renamed = here.filter(({ formerly }) => formerly !== undefined).filter(({ name }) => BATCHES[0]!.options.test(name));
    const written = Object.fromEntries(renamed.map((option) => [otherName(option, minor), sampleValue(option)]));
    const run = await cluster.run({ ...EVERY_SECOND, ...written });
    expect(renamed.filter((option) => !run.read.has(nameIn(option, minor)))).toEqual([]);
    await run.cancel();
  });

  it("give way to what the program sets itself", async () => {
    const written = { ...EVERY_SECOND, "pipeline.max-parallelism": "64", "pipeline.object-reuse": "true" };
    const run = await cluster.run(written, ["--own", "pipeline.max-parallelism=32", "--interval", "1234"]);
    expect(run.read.get("pipeline.max-parallelism")).toBe("32");
    expect(await run.ask("checkpoints/config")).toMatchObject({ interval: 1234 });
    expect((await run.ask("config"))["execution-config"]).toMatchObject({ "object-reuse-mode": true });
    await run.cancel();
  });
});

/** One that this version does not call it by. */
function otherName(option: FlinkOption, version: string): string {
  return namesOf(option).find((name) => name !== nameIn(option, version))!;
}

/** Whether the version has the option and a job's own value counts in it. */
function isThere(option: FlinkOption, version: string): boolean {
  const first = [option.since, option.countsSince].every((since) => since === undefined || isAtLeast(version, since));
  return first && (option.until === undefined || !isAtLeast(version, option.until));
}
