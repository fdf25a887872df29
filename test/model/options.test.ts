import { describe, expect, it } from "vitest";
import { FLINK_OPTIONS } from "../../src/model/option-list.ts";
import { parseOptionValue, type OptionType } from "../../src/model/option-values.ts";
import { buildFlinkConfiguration, canonicalConfiguration, checkConfiguration } from "../../src/model/options.ts";
import { optionsReference } from "../../src/model/options-reference.ts";

describe("parseOptionValue", () => {
  const duration: OptionType = { kind: "duration" };
  it.each([
    [duration, "30s", "30 s"],
    [duration, "30 s", "30 s"],
    [duration, "30 SEC", "30 s"],
    [duration, "30000", "30 s"],
    [duration, "30000ms", "30 s"],
    [duration, "PT30S", "30 s"],
    [duration, "pt0.5s", "500 ms"],
    [duration, "P1DT12H", "36 h"],
    [duration, "1 min", "1 min"],
    [duration, "90 s", "90 s"],
    [duration, "2 days", "2 d"],
    [duration, "10 µs", "10 µs"],
    [duration, "0", "0 ms"],
    [duration, "soon", undefined],
    [duration, "P1M", undefined],
    [duration, "PT", undefined],
    [duration, "-1s", undefined],
    [duration, "1.5s", undefined],
    [{ kind: "duration", minimumMs: 10 }, "9ms", undefined],
    [{ kind: "memory" }, "64mb", "64 mb"],
    [{ kind: "memory" }, "64 MB", "64 mb"],
    [{ kind: "memory" }, "67108864", "64 mb"],
    [{ kind: "memory" }, "1536k", "1536 kb"],
    [{ kind: "memory" }, "1 xb", undefined],
    [{ kind: "boolean" }, "True", "true"],
    [{ kind: "boolean" }, "yes", undefined],
    [{ kind: "integer", minimum: 1 }, "007", "7"],
    [{ kind: "integer", minimum: 1 }, "0", undefined],
    [{ kind: "integer" }, "1.0", undefined],
    [{ kind: "number", minimum: 0, maximum: 1 }, ".50", "0.5"],
    [{ kind: "number", minimum: 0, maximum: 1 }, "1.1", undefined],
    [{ kind: "enum", values: ["EXACTLY_ONCE", "AT_LEAST_ONCE"] }, "exactly_once", "EXACTLY_ONCE"],
    [{ kind: "enum", values: ["EXACTLY_ONCE"] }, "once", undefined],
    [{ kind: "list" }, "a; b", "a;b"],
    [{ kind: "list" }, "[a, b]", "a;b"],
    [{ kind: "list" }, "['a;b', c]", "'a;b';c"],
    [{ kind: "list" }, `'a;b'; "it's"`, "'a;b';'it''s'"],
    [{ kind: "list" }, "[007, true]", "007;true"],
    [{ kind: "list" }, "a;;b", undefined],
    [{ kind: "list" }, "a;", undefined],
    [{ kind: "list" }, "'a", undefined],
    [{ kind: "list" }, "'a'b;c", undefined],
    [{ kind: "list" }, "[]", undefined],
    [{ kind: "list" }, "[a", undefined],
    [{ kind: "list", values: ["X", "Y"] }, "[x, Y]", "X;Y"],
    [{ kind: "list", values: ["X", "Y"] }, "x;y", "X;Y"],
    [{ kind: "list", values: ["X"] }, "x;z", undefined],
    [{ kind: "map" }, "a:1, b:2", "a:1,b:2"],
    [{ kind: "map" }, "{a: 1, b: 2}", "a:1,b:2"],
    [{ kind: "map" }, "{url: 'http://h:1'}", "'url:''http://h:1'''"],
    [{ kind: "map" }, "'url:''http://h:1'''", "'url:''http://h:1'''"],
    [{ kind: "map" }, "a:'x:y'", "'a:''x:y'''"],
    [{ kind: "map" }, "a:1,", undefined],
    [{ kind: "map" }, "a:1:2", undefined],
    [{ kind: "map" }, "{a: [1]}", undefined],
    [{ kind: "map" }, "{}", undefined],
    [{ kind: "map" }, "a", undefined],
    [{ kind: "flow" }, "[a.B: {type: pojo}]", "[a.B: {type: pojo}]"],
    [{ kind: "flow" }, "a.B", undefined],
    [{ kind: "text" }, " ", undefined],
  ] satisfies readonly (readonly [OptionType, string, string | undefined])[])("reads %j %j as %j", (type, text, flink) => {
    expect(parseOptionValue(type, text)?.flink).toBe(flink);
  });

  it("gives every value that Flink would get back as it is", () => {
    for (const [type, text] of [
      [duration, "90 s"],
      [duration, "10 µs"],
      [{ kind: "memory" }, "1536 kb"],
    ] as const) {
      const once = parseOptionValue(type, text)!;
      expect(parseOptionValue(type, once.flink)).toEqual(once);
      expect(parseOptionValue(type, once.canonical)).toEqual(once);
    }
  });
});

describe("checkConfiguration", () => {
  it.each([
    [
      "a wrong key",
      "1.16",
      { "execution.checkpointing.intervall": "1 s" },
      ["unknown option execution.checkpointing.intervall; did you mean execution.checkpointing.interval?"],
    ],
    ["a key like no other", "1.16", { foo: "1" }, ["unknown option foo; config/options.md lists those that a Job may set"]],
    [
      "the parallelism",
      "1.16",
      { "parallelism.default": "4" },
      ["the option parallelism.default cannot be set by a Job: the parallelism is spec.resources.rpus; remove it here"],
    ],
    [
      "a directory",
      "1.16",
      { "state.checkpoints.dir": "s3://x" },
      [
        "the option state.checkpoints.dir cannot be set by a Job: directories belong to the cluster: Penstock has to find checkpoints and savepoints where the cluster keeps them; remove it here",
      ],
    ],
    [
      "the number of checkpoints",
      "2.3",
      { "execution.checkpointing.num-retained": "3" },
      [
        "the option execution.checkpointing.num-retained cannot be set by a Job: how many checkpoints are kept is a setting of the cluster; a job cannot change it; remove it here",
      ],
    ],
    [
      "where to start from",
      "1.16",
      { "execution.savepoint.path": "s3://x" },
      [
        "the option execution.savepoint.path cannot be set by a Job: Penstock chooses what a job starts from; name a Savepoint in spec.initialStateRef instead; remove it here",
      ],
    ],
    [
      "an option that is too new",
      "1.18",
      { "execution.checkpointing.file-merging.enabled": "true" },
      [
        "the option execution.checkpointing.file-merging.enabled needs Flink 1.20 or newer, and this Job asks for 1.18; remove it",
      ],
    ],
    [
      "an option that is gone",
      "2.0",
      { "pipeline.auto-type-registration": "true" },
      ["Flink 2.0 and newer have no option pipeline.auto-type-registration, and this Job asks for 2.0; remove it"],
    ],
    [
      "both names of one option",
      "1.16",
      { "state.backend": "hashmap", "state.backend.type": "rocksdb" },
      ["state.backend.type is another name of state.backend, which is set as well; keep one of the two"],
    ],
    [
      "an enum",
      "1.16",
      { "execution.checkpointing.mode": "ONCE" },
      ['spec.configuration: execution.checkpointing.mode must be EXACTLY_ONCE or AT_LEAST_ONCE, found "ONCE"'],
    ],
    [
      "an option that was the cluster's alone",
      "1.18",
      { "state.storage.fs.memory-threshold": "1 mb" },
      [
        "before Flink 1.19 only the cluster's own state.storage.fs.memory-threshold counts, and this Job asks for 1.18; set it there",
      ],
    ],
    [
      "an old and a very old name",
      "1.20",
      { "state.storage.fs.memory-threshold": "1 mb", "state.backend.fs.memory-threshold": "1 mb" },
      [
        "state.backend.fs.memory-threshold is another name of state.storage.fs.memory-threshold, which is set as well; keep one of the two",
      ],
    ],
    [
      "a number",
      "1.20",
      { "execution.checkpointing.write-buffer-size": "4kb", "pipeline.max-parallelism": "0" },
      [
        'spec.configuration: execution.checkpointing.write-buffer-size must be a whole number of bytes from 1 to 2147483647, such as 10, found "4kb"',
        'spec.configuration: pipeline.max-parallelism must be a whole number from 1 to 32768, such as 10, found "0"',
      ],
    ],
    [
      "a list",
      "1.20",
      { "table.column-expansion-strategy": "NONE" },
      [
        'spec.configuration: table.column-expansion-strategy must be a list such as EXCLUDE_ALIASED_VIRTUAL_METADATA_COLUMNS;EXCLUDE_DEFAULT_VIRTUAL_METADATA_COLUMNS, out of EXCLUDE_ALIASED_VIRTUAL_METADATA_COLUMNS and EXCLUDE_DEFAULT_VIRTUAL_METADATA_COLUMNS, found "NONE"',
      ],
    ],
    [
      "what a TaskManager reads for itself",
      "2.3",
      { "pipeline.watermark-alignment.buffer-size": "3" },
      [
        "the option pipeline.watermark-alignment.buffer-size cannot be set by a Job: a TaskManager reads it from its own configuration and never from a job's; set it on the cluster; remove it here",
      ],
    ],
    [
      "a state backend that comes later",
      "1.20",
      { "state.backend.type": "forst" },
      ["spec.configuration: state.backend.type: forst needs Flink 2.0 or newer; choose hashmap or rocksdb"],
    ],
    [
      "automatic mode",
      "1.16",
      { "execution.runtime-mode": "automatic" },
      [
        "spec.configuration: execution.runtime-mode: AUTOMATIC is refused: it could make a batch job, and only streaming jobs are supported; remove the line",
      ],
    ],
    [
      "only what is wrong in every version when the version cannot be read",
      undefined,
      { "execution.checkpointing.file-merging.enabled": "maybe" },
      ['spec.configuration: execution.checkpointing.file-merging.enabled must be true or false, found "maybe"'],
    ],
    [
      "nothing",
      "2.3",
      { "execution.runtime-mode": "STREAMING", "state.backend.type": "forst", "metrics.latency.interval": "1 s" },
      [],
    ],
  ])("says what is wrong with %s", (_, version, written, messages) => {
    const problems = checkConfiguration(written, version);
    expect(problems.map(({ message }) => message)).toEqual(messages);
  });

  it.each([
    "high-availability.type",
    "rest.port",
    "web.submit.enable",
    "jobmanager.scheduler",
    "pipeline.jars",
    "pipeline.classpaths",
    "$internal.pipeline.job-id",
    "execution.target",
    "execution.attached",
    "classloader.resolve-order",
    "security.ssl.enabled",
    "io.tmp.dirs",
    "env.java.opts",
    "s3.access-key",
  ])("refuses %s with a reason", (key) => {
    expect(checkConfiguration({ [key]: "x" }, "1.20")[0]?.message).toMatch(/cannot be set by a Job: .+; remove it here$/);
  });
});

describe("buildFlinkConfiguration", () => {
  it("gives a Job of Flink 1.16 its defaults by the old names", () => {
    expect(buildFlinkConfiguration({}, "1.16")).toEqual({
      "execution.checkpointing.interval": "1 min",
      "execution.checkpointing.mode": "EXACTLY_ONCE",
      "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
      "restart-strategy": "exponential-delay",
      "restart-strategy.exponential-delay.initial-backoff": "1 s",
      "restart-strategy.exponential-delay.max-backoff": "1 min",
    });
  });

  it("gives a Job of Flink 2.3 its defaults by the new names", () => {
    expect(buildFlinkConfiguration({}, "2.3")).toMatchObject({
      "restart-strategy.type": "exponential-delay",
      "restart-strategy.exponential-delay.attempts-before-reset-backoff": "2147483647",
    });
    expect(buildFlinkConfiguration({}, "2.3")).not.toHaveProperty("restart-strategy");
  });

  it.each([
    [
      "what is written wins over a default",
      "1.16",
      { "execution.checkpointing.interval": "30s" },
      { "execution.checkpointing.interval": "30 s" },
    ],
    [
      "an old name becomes the new one",
      "1.20",
      { "state.backend": "rocksdb", "state.backend.incremental": "true" },
      { "state.backend.type": "rocksdb", "execution.checkpointing.incremental": "true" },
    ],
    [
      "a new name becomes the old one",
      "1.16",
      { "state.backend.type": "rocksdb", "execution.checkpointing.incremental": "TRUE" },
      { "state.backend": "rocksdb", "state.backend.incremental": "true" },
    ],
    [
      "a duration is a number where it was one",
      "1.19",
      { "task.cancellation.timeout": "3 min" },
      { "task.cancellation.timeout": "180000" },
    ],
    [
      "and a duration where it is one",
      "1.20",
      { "task.cancellation.timeout": "180000" },
      { "task.cancellation.timeout": "3 min" },
    ],
    [
      "a very old name becomes the one of the version",
      "1.19",
      { "state.backend.fs.write-buffer-size": "4096", "task.cancellation-interval": "5 s" },
      { "state.storage.fs.write-buffer-size": "4096", "task.cancellation.interval": "5000" },
    ],
    [
      "a list and pairs are sent in the form that every version reads",
      "1.16",
      { "pipeline.registered-pojo-types": "[a.B, c.D]", "pipeline.global-job-parameters": "{k: v}" },
      { "pipeline.registered-pojo-types": "a.B;c.D", "pipeline.global-job-parameters": "k:v" },
    ],
    ["what is not known passes", "1.16", { "some.option": " x " }, { "some.option": " x " }],
    [
      "a value that cannot be read passes",
      "1.16",
      { "execution.checkpointing.interval": "soon" },
      { "execution.checkpointing.interval": "soon" },
    ],
  ])("%s", (_, version, written, expected) => {
    expect(buildFlinkConfiguration(written as unknown as Record<string, string>, version)).toMatchObject(expected);
  });

  it("leaves out what belongs to a restart strategy that was not chosen", () => {
    const built = buildFlinkConfiguration(
      { "restart-strategy": "fixed-delay", "restart-strategy.fixed-delay.attempts": "3" },
      "1.19",
    );
    expect(Object.keys(built).filter((key) => key.startsWith("restart-strategy"))).toEqual([
      "restart-strategy.fixed-delay.attempts",
      "restart-strategy.type",
    ]);
  });
});

describe("canonicalConfiguration", () => {
  it.each([
    [{ "execution.checkpointing.interval": "30s" }, { "execution.checkpointing.interval": "PT30S" }],
    [{ "pipeline.global-job-parameters": "b:2,a:1" }, { "pipeline.global-job-parameters": "{a: 1, b: 2}" }],
    [{ "state.backend": "ROCKSDB" }, { "state.backend.type": "rocksdb" }],
    [{ "state.backend.rocksdb.writebuffer.size": "64mb" }, { "state.backend.rocksdb.writebuffer.size": "65536 kb" }],
  ])("makes %j and %j alike", (a, b) => {
    expect(canonicalConfiguration(a as unknown as Record<string, string>)).toEqual(
      canonicalConfiguration(b as unknown as Record<string, string>),
    );
  });
});

describe("the list of options", () => {
  it("is documented in full", () => {
    const text = optionsReference();
    for (const { name } of FLINK_OPTIONS) expect(text).toContain(`| \`${name}\``);
  });
});
