import {
  boolean,
  duration,
  integer,
  list,
  map,
  numberOf,
  oneOf,
  option,
  positive,
  text,
  type FlinkOption,
} from "./flink-option.ts";

const ASYNC_STATE = "execution.async-state";

export const EXECUTION: readonly FlinkOption[] = [
  option("execution.runtime-mode", oneOf("STREAMING"), "Only streaming jobs are supported."),
  option("execution.buffer-timeout.interval", duration, "How long a record may wait in a buffer; 0 sends each one at once.", {
    formerly: [{ name: "execution.buffer-timeout", until: "1.16" }],
  }),
  option("execution.buffer-timeout.enabled", boolean, "Whether buffers are sent before they are full."),
  option(`${ASYNC_STATE}.total-buffer-size`, positive, "Records in work at once with asynchronous state.", {
    since: "1.20",
    formerly: [{ name: `${ASYNC_STATE}.in-flight-records-limit`, until: "2.0" }],
  }),
  option(`${ASYNC_STATE}.active-buffer-size`, positive, "Requests to asynchronous state that are made at once.", {
    since: "1.20",
    formerly: [{ name: `${ASYNC_STATE}.buffer-size`, until: "2.0" }],
  }),
  option(
    `${ASYNC_STATE}.active-buffer-timeout`,
    numberOf("milliseconds"),
    "How long requests to asynchronous state are collected.",
    { since: "1.20", formerly: [{ name: `${ASYNC_STATE}.buffer-timeout`, until: "2.0" }] },
  ),
  option("task.cancellation.interval", duration, "The time between two attempts to cancel a task.", {
    numberBefore: "1.20",
    aliases: ["task.cancellation-interval"],
  }),
  option(
    "task.cancellation.timeout",
    duration,
    "A task that cannot be cancelled in this time ends its TaskManager; 0 waits for ever.",
    { numberBefore: "1.20" },
  ),
  option("metrics.latency.interval", duration, "How often latency is measured; 0 for not at all.", { numberBefore: "1.20" }),
];

export const PIPELINE: readonly FlinkOption[] = [
  option("pipeline.name", text, "The job's name where the program gives none."),
  option(
    "pipeline.max-parallelism",
    integer(1, 32_768),
    "The largest parallelism the job can ever be scaled to. Cannot change once there is state.",
  ),
  option("pipeline.object-reuse", boolean, "Operators may reuse the objects they pass on."),
  option("pipeline.auto-watermark-interval", duration, "How often watermarks are emitted."),
  option("pipeline.operator-chaining.enabled", boolean, "Run neighbouring operators in one thread.", {
    formerly: [{ name: "pipeline.operator-chaining", until: "1.18" }],
  }),
  option(
    "pipeline.operator-chaining.chain-operators-with-different-max-parallelism",
    boolean,
    "Also where their maximum parallelism differs.",
    { since: "1.18" },
  ),
  option("pipeline.auto-generate-uids", boolean, "Operators without uid get one; false makes the submission fail instead."),
  option("pipeline.generic-types", boolean, "Allow types that need Kryo; false makes the submission fail instead."),
  option("pipeline.force-avro", boolean, "Serialize with Avro."),
  option("pipeline.force-kryo", boolean, "Serialize with Kryo."),
  option("pipeline.force-kryo-avro", boolean, "Serialize Avro classes with Kryo as Avro does; needs flink-avro.", {
    since: "1.20",
  }),
  option(
    "pipeline.serialization-config",
    { kind: "flow" },
    "Serializers by class. Before Flink 2.0 only on clusters with config.yaml.",
    { since: "1.19" },
  ),
  option("pipeline.auto-type-registration", boolean, "Register the types of the program with Kryo.", { until: "2.0" }),
  option("pipeline.registered-kryo-types", list, "Types to register with Kryo.", { until: "2.0" }),
  option("pipeline.registered-pojo-types", list, "Types to register as POJO.", { until: "2.0" }),
  option("pipeline.default-kryo-serializers", list, "Kryo serializers by class: class:…,serializer:….", { until: "2.0" }),
  option("pipeline.closure-cleaner-level", oneOf("NONE", "TOP_LEVEL", "RECURSIVE"), "How far closures are cleaned."),
  option("pipeline.global-job-parameters", map, "Parameters that functions of the program can read."),
  option("pipeline.vertex-description-mode", oneOf("TREE", "CASCADING"), "How vertices are described."),
  option("pipeline.vertex-name-include-index-prefix", boolean, "Number the vertices in their names."),
  option("pipeline.sources.pause-until-first-checkpoint", boolean, "Read nothing before the first checkpoint is triggered.", {
    since: "2.3",
  }),
];
