import type { FlinkVersion } from "./manifest.ts";
import type { OptionType } from "./option-values.ts";

/**
 * The Flink options that a Job may set, as read from the classes of Flink 1.16.3, 1.17.2, 1.18.1, 1.19.3, 1.20.4, 2.0.1, 2.1.1, 2.2.0
 * and 2.3.0. Everything else belongs to the cluster or to Penstock.
 */
export interface FlinkOption {
  /** The newest name. */
  readonly name: string;
  /** The names it had before, the oldest first, each with the first version that no longer calls it so. */
  readonly formerly?: readonly { readonly name: string; readonly until: FlinkVersion }[];
  /** The first version that knows it under any name; 1.16 when not given. */
  readonly since?: FlinkVersion;
  /** The first version that does not know it any more. */
  readonly until?: FlinkVersion;
  readonly type: OptionType;
  /** A plain number of milliseconds before this version. */
  readonly numberBefore?: FlinkVersion;
  readonly description: string;
}

const duration: OptionType = { kind: "duration" };
const memory: OptionType = { kind: "memory" };
const boolean: OptionType = { kind: "boolean" };
const positive: OptionType = { kind: "integer", minimum: 1, maximum: 2_147_483_647 };
const count: OptionType = { kind: "integer", minimum: 0, maximum: 2_147_483_647 };
const ratio: OptionType = { kind: "number", minimum: 0, maximum: 1 };
const text: OptionType = { kind: "text" };
const oneOf = (...values: readonly string[]): OptionType => ({ kind: "enum", values });

const CHECKPOINTING: readonly FlinkOption[] = [
  {
    name: "execution.checkpointing.interval",
    type: { kind: "duration", minimumMs: 10 },
    description: "How often a checkpoint is taken.",
  },
  {
    name: "execution.checkpointing.interval-during-backlog",
    since: "1.19",
    type: duration,
    description: "How often while a source works off a backlog; 0 for not at all.",
  },
  {
    name: "execution.checkpointing.mode",
    type: oneOf("EXACTLY_ONCE", "AT_LEAST_ONCE"),
    description: "How often a record counts after a failure.",
  },
  {
    name: "execution.checkpointing.timeout",
    type: { kind: "duration", minimumMs: 10 },
    description: "A checkpoint that takes longer is given up.",
  },
  { name: "execution.checkpointing.min-pause", type: duration, description: "The least time between two checkpoints." },
  {
    name: "execution.checkpointing.max-concurrent-checkpoints",
    type: positive,
    description: "How many checkpoints may be under way at once.",
  },
  {
    name: "execution.checkpointing.tolerable-failed-checkpoints",
    type: count,
    description: "How many checkpoints may fail in a row before the job restarts.",
  },
  {
    name: "execution.checkpointing.externalized-checkpoint-retention",
    type: oneOf("RETAIN_ON_CANCELLATION", "DELETE_ON_CANCELLATION", "NO_EXTERNALIZED_CHECKPOINTS"),
    description:
      "Whether the last checkpoint outlives the job. Anything but RETAIN_ON_CANCELLATION leaves nothing to recover from.",
  },
  {
    name: "execution.checkpointing.snapshot-compression",
    type: boolean,
    description: "Compress state in checkpoints and savepoints.",
  },
  {
    name: "execution.checkpointing.unaligned.enabled",
    formerly: [{ name: "execution.checkpointing.unaligned", until: "1.17" }],
    type: boolean,
    description: "Let checkpoints overtake records under back pressure.",
  },
  {
    name: "execution.checkpointing.unaligned.forced",
    type: boolean,
    description: "Unaligned checkpoints even where a job's shape makes Flink refuse them.",
  },
  {
    name: "execution.checkpointing.unaligned.max-subtasks-per-channel-state-file",
    since: "1.17",
    type: positive,
    description: "How many subtasks share one file of in-flight data.",
  },
  {
    name: "execution.checkpointing.unaligned.interruptible-timers.enabled",
    since: "1.20",
    type: boolean,
    description: "Let unaligned checkpoints interrupt the firing of timers.",
  },
  {
    name: "execution.checkpointing.aligned-checkpoint-timeout",
    type: duration,
    description: "Start aligned, and go unaligned after this time.",
  },
  {
    name: "execution.checkpointing.checkpoints-after-tasks-finish",
    formerly: [{ name: "execution.checkpointing.checkpoints-after-tasks-finish.enabled", until: "1.20" }],
    type: boolean,
    description: "Go on with checkpoints when some tasks have finished.",
  },
  {
    name: "execution.checkpointing.incremental",
    formerly: [{ name: "state.backend.incremental", until: "1.20" }],
    type: boolean,
    description: "Write only what changed since the last checkpoint (rocksdb, forst).",
  },
  {
    name: "execution.checkpointing.data-inline-threshold",
    formerly: [{ name: "state.storage.fs.memory-threshold", until: "1.20" }],
    type: memory,
    description: "State below this size goes into the checkpoint's metadata.",
  },
  {
    name: "execution.checkpointing.write-buffer-size",
    formerly: [{ name: "state.storage.fs.write-buffer-size", until: "1.20" }],
    type: positive,
    description: "Bytes of the buffer for checkpoint files.",
  },
  {
    name: "execution.checkpointing.file-merging.enabled",
    since: "1.20",
    type: boolean,
    description: "Merge small checkpoint files.",
  },
  {
    name: "execution.checkpointing.file-merging.across-checkpoint-boundary",
    since: "1.20",
    type: boolean,
    description: "Merge files of several checkpoints.",
  },
  {
    name: "execution.checkpointing.file-merging.max-file-size",
    since: "1.20",
    type: memory,
    description: "The largest merged file.",
  },
  {
    name: "execution.checkpointing.file-merging.max-subtasks-per-file",
    since: "1.20",
    type: positive,
    description: "How many subtasks share a merged file.",
  },
];

const STATE: readonly FlinkOption[] = [
  {
    name: "state.backend.type",
    formerly: [{ name: "state.backend", until: "1.17" }],
    type: oneOf("hashmap", "rocksdb", "forst"),
    description: "Where state is kept while the job runs; forst from Flink 2.0 on.",
  },
  { name: "state.backend.rocksdb.memory.managed", type: boolean, description: "RocksDB uses the slot's managed memory." },
  {
    name: "state.backend.rocksdb.memory.fixed-per-slot",
    type: memory,
    description: "A fixed amount of memory per slot instead.",
  },
  { name: "state.backend.rocksdb.memory.write-buffer-ratio", type: ratio, description: "The part of it for write buffers." },
  {
    name: "state.backend.rocksdb.memory.high-prio-pool-ratio",
    type: ratio,
    description: "The part of it for indexes and filters.",
  },
  {
    name: "state.backend.rocksdb.memory.partitioned-index-filters",
    type: boolean,
    description: "Partition indexes and filters.",
  },
  {
    name: "state.backend.rocksdb.predefined-options",
    type: oneOf("DEFAULT", "SPINNING_DISK_OPTIMIZED", "SPINNING_DISK_OPTIMIZED_HIGH_MEM", "FLASH_SSD_OPTIMIZED"),
    description: "A set of options for a kind of disk.",
  },
  { name: "state.backend.rocksdb.timer-service.factory", type: oneOf("HEAP", "ROCKSDB"), description: "Where timers are kept." },
  {
    name: "state.backend.rocksdb.checkpoint.transfer.thread.num",
    type: positive,
    description: "Threads that move checkpoint files.",
  },
  { name: "state.backend.rocksdb.thread.num", type: positive, description: "Threads for flushes and compactions." },
  {
    name: "state.backend.rocksdb.files.open",
    type: { kind: "integer", minimum: -1, maximum: 2_147_483_647 },
    description: "Open files; -1 for all.",
  },
  { name: "state.backend.rocksdb.writebuffer.size", type: memory, description: "The size of a write buffer." },
  { name: "state.backend.rocksdb.writebuffer.count", type: positive, description: "The number of write buffers." },
  {
    name: "state.backend.rocksdb.writebuffer.number-to-merge",
    type: positive,
    description: "Write buffers merged before they are flushed.",
  },
  { name: "state.backend.rocksdb.write-batch-size", type: memory, description: "The size of a write batch." },
  { name: "state.backend.rocksdb.block.blocksize", type: memory, description: "The size of a block." },
  { name: "state.backend.rocksdb.block.metadata-blocksize", type: memory, description: "The size of a block of metadata." },
  { name: "state.backend.rocksdb.block.cache-size", type: memory, description: "The size of the block cache." },
  { name: "state.backend.rocksdb.use-bloom-filter", type: boolean, description: "Use Bloom filters." },
  {
    name: "state.backend.rocksdb.bloom-filter.bits-per-key",
    type: { kind: "number", minimum: 1, maximum: 64 },
    description: "Bits of a Bloom filter per key.",
  },
  {
    name: "state.backend.rocksdb.compaction.style",
    type: oneOf("LEVEL", "UNIVERSAL", "FIFO", "NONE"),
    description: "How files are compacted.",
  },
  {
    name: "state.backend.rocksdb.compaction.level.use-dynamic-size",
    type: boolean,
    description: "Choose the levels' sizes dynamically.",
  },
  {
    name: "state.backend.rocksdb.compaction.level.target-file-size-base",
    type: memory,
    description: "The size of a file of level 1.",
  },
  { name: "state.backend.rocksdb.compaction.level.max-size-level-base", type: memory, description: "The size of level 1." },
  {
    name: "state.backend.rocksdb.restore-overlap-fraction-threshold",
    type: ratio,
    description: "When a restored database is reused while rescaling.",
  },
  {
    name: "state.backend.rocksdb.use-ingest-db-restore-mode",
    since: "1.20",
    type: boolean,
    description: "Rescale by ingesting whole files.",
  },
];

const EXPONENTIAL = "restart-strategy.exponential-delay";

const RESTART: readonly FlinkOption[] = [
  {
    name: "restart-strategy.type",
    formerly: [{ name: "restart-strategy", until: "1.17" }],
    type: oneOf("exponential-delay", "fixed-delay", "failure-rate", "none"),
    description: "How Flink itself restarts the job. When it gives up, Penstock starts the next attempt.",
  },
  { name: `${EXPONENTIAL}.initial-backoff`, type: { kind: "duration", minimumMs: 1 }, description: "The first delay." },
  { name: `${EXPONENTIAL}.max-backoff`, type: { kind: "duration", minimumMs: 1 }, description: "The longest delay." },
  {
    name: `${EXPONENTIAL}.backoff-multiplier`,
    type: { kind: "number", minimum: 1 },
    description: "What each delay is multiplied with.",
  },
  {
    name: `${EXPONENTIAL}.reset-backoff-threshold`,
    type: { kind: "duration", minimumMs: 1 },
    description: "After so long without a failure the delay begins anew.",
  },
  { name: `${EXPONENTIAL}.jitter-factor`, type: ratio, description: "The random part of a delay." },
  {
    name: `${EXPONENTIAL}.attempts-before-reset-backoff`,
    since: "1.19",
    type: positive,
    description: "The restarts in a row after which Flink gives up.",
  },
  { name: "restart-strategy.fixed-delay.attempts", type: positive, description: "The restarts after which Flink gives up." },
  { name: "restart-strategy.fixed-delay.delay", type: duration, description: "The delay between two restarts." },
  {
    name: "restart-strategy.failure-rate.max-failures-per-interval",
    type: positive,
    description: "The failures in an interval after which Flink gives up.",
  },
  {
    name: "restart-strategy.failure-rate.failure-rate-interval",
    type: { kind: "duration", minimumMs: 1 },
    description: "The interval in which failures are counted.",
  },
  { name: "restart-strategy.failure-rate.delay", type: duration, description: "The delay between two restarts." },
];

const EXECUTION: readonly FlinkOption[] = [
  { name: "execution.runtime-mode", type: oneOf("STREAMING"), description: "Only streaming jobs are supported." },
  {
    name: "execution.buffer-timeout.interval",
    formerly: [{ name: "execution.buffer-timeout", until: "1.16" }],
    type: duration,
    description: "How long a record may wait in a buffer; 0 sends each one at once.",
  },
  { name: "execution.buffer-timeout.enabled", type: boolean, description: "Whether buffers are sent before they are full." },
  {
    name: "task.cancellation.interval",
    numberBefore: "1.20",
    type: duration,
    description: "The time between two attempts to cancel a task.",
  },
  {
    name: "task.cancellation.timeout",
    numberBefore: "1.20",
    type: duration,
    description: "A task that cannot be cancelled in this time ends its TaskManager; 0 waits for ever.",
  },
  {
    name: "metrics.latency.interval",
    numberBefore: "1.20",
    type: duration,
    description: "How often latency is measured; 0 for not at all.",
  },
];

const PIPELINE: readonly FlinkOption[] = [
  { name: "pipeline.name", type: text, description: "The job's name where the program gives none." },
  {
    name: "pipeline.max-parallelism",
    type: { kind: "integer", minimum: 1, maximum: 32_768 },
    description: "The largest parallelism the job can ever be scaled to. Cannot change once there is state.",
  },
  { name: "pipeline.object-reuse", type: boolean, description: "Operators may reuse the objects they pass on." },
  { name: "pipeline.auto-watermark-interval", type: duration, description: "How often watermarks are emitted." },
  {
    name: "pipeline.operator-chaining.enabled",
    formerly: [{ name: "pipeline.operator-chaining", until: "1.18" }],
    type: boolean,
    description: "Run neighbouring operators in one thread.",
  },
  {
    name: "pipeline.operator-chaining.chain-operators-with-different-max-parallelism",
    since: "1.18",
    type: boolean,
    description: "Also where their maximum parallelism differs.",
  },
  {
    name: "pipeline.auto-generate-uids",
    type: boolean,
    description: "Operators without uid get one; false makes the submission fail instead.",
  },
  {
    name: "pipeline.generic-types",
    type: boolean,
    description: "Allow types that need Kryo; false makes the submission fail instead.",
  },
  { name: "pipeline.force-avro", type: boolean, description: "Serialize with Avro." },
  { name: "pipeline.force-kryo", type: boolean, description: "Serialize with Kryo." },
  {
    name: "pipeline.auto-type-registration",
    until: "2.0",
    type: boolean,
    description: "Register the types of the program with Kryo.",
  },
  { name: "pipeline.registered-kryo-types", until: "2.0", type: { kind: "list" }, description: "Types to register with Kryo." },
  { name: "pipeline.registered-pojo-types", until: "2.0", type: { kind: "list" }, description: "Types to register as POJO." },
  {
    name: "pipeline.closure-cleaner-level",
    type: oneOf("NONE", "TOP_LEVEL", "RECURSIVE"),
    description: "How far closures are cleaned.",
  },
  {
    name: "pipeline.global-job-parameters",
    type: { kind: "map" },
    description: "Parameters that functions of the program can read.",
  },
  { name: "pipeline.vertex-description-mode", type: oneOf("TREE", "CASCADING"), description: "How vertices are described." },
  { name: "pipeline.vertex-name-include-index-prefix", type: boolean, description: "Number the vertices in their names." },
  {
    name: "pipeline.watermark-alignment.allow-unaligned-source-splits",
    since: "1.17",
    type: boolean,
    description: "Align sources whose splits cannot pause.",
  },
];

const TABLE: readonly FlinkOption[] = [
  { name: "table.exec.state.ttl", type: duration, description: "State that is idle for so long may go; 0 keeps it." },
  { name: "table.exec.mini-batch.enabled", type: boolean, description: "Collect records before they are aggregated." },
  { name: "table.exec.mini-batch.allow-latency", type: duration, description: "How long records are collected." },
  {
    name: "table.exec.mini-batch.size",
    type: { kind: "integer", minimum: -1, maximum: Number.MAX_SAFE_INTEGER },
    description: "How many records are collected.",
  },
  {
    name: "table.exec.source.idle-timeout",
    type: duration,
    description: "A source that is silent for so long does not hold up watermarks.",
  },
  { name: "table.exec.source.cdc-events-duplicate", type: boolean, description: "The change log of a source may repeat itself." },
  {
    name: "table.exec.sink.not-null-enforcer",
    type: oneOf("ERROR", "DROP"),
    description: "What happens to null in a NOT NULL column.",
  },
  {
    name: "table.exec.sink.type-length-enforcer",
    type: oneOf("IGNORE", "TRIM_PAD", "ERROR"),
    description: "What happens to text of another length; ERROR from Flink 2.1 on.",
  },
  {
    name: "table.exec.sink.upsert-materialize",
    type: oneOf("NONE", "AUTO", "FORCE"),
    description: "Correct the order of updates before the sink.",
  },
  { name: "table.exec.sink.keyed-shuffle", type: oneOf("NONE", "AUTO", "FORCE"), description: "Shuffle by the sink's key." },
  {
    name: "table.exec.sink.rowtime-inserter",
    since: "1.18",
    type: oneOf("ENABLED", "DISABLED"),
    description: "Give rows their time on the way to the sink.",
  },
  { name: "table.exec.async-lookup.buffer-capacity", type: positive, description: "Lookups under way at once." },
  { name: "table.exec.async-lookup.timeout", type: duration, description: "How long a lookup may take." },
  {
    name: "table.exec.async-lookup.output-mode",
    type: oneOf("ORDERED", "ALLOW_UNORDERED"),
    description: "Whether lookups keep the order.",
  },
  {
    name: "table.exec.deduplicate.insert-update-after-sensitive-enabled",
    type: boolean,
    description: "Whether the operators behind tell inserts from updates.",
  },
  {
    name: "table.exec.deduplicate.mini-batch.compact-changes-enabled",
    type: boolean,
    description: "Compact changes of a mini-batch.",
  },
  {
    name: "table.exec.interval-join.min-cleanup-interval",
    since: "1.18",
    type: duration,
    description: "The least time between two clean-ups of an interval join.",
  },
  { name: "table.exec.rank.topn-cache-size", type: positive, description: "Records cached by a Top-N." },
  { name: "table.exec.window-agg.buffer-size-limit", type: positive, description: "Records buffered by a window." },
  { name: "table.exec.legacy-cast-behaviour", type: oneOf("ENABLED", "DISABLED"), description: "Casts as before Flink 1.15." },
  { name: "table.exec.simplify-operator-name-enabled", type: boolean, description: "Short names of operators." },
  {
    name: "table.exec.uid.generation",
    type: oneOf("PLAN_ONLY", "ALWAYS", "DISABLED"),
    description: "Which operators get a uid.",
  },
  { name: "table.exec.uid.format", type: text, description: "The pattern of those uids." },
  {
    name: "table.optimizer.agg-phase-strategy",
    type: oneOf("AUTO", "ONE_PHASE", "TWO_PHASE"),
    description: "Whether aggregations have a local phase.",
  },
  { name: "table.optimizer.distinct-agg.split.enabled", type: boolean, description: "Split distinct aggregations." },
  { name: "table.optimizer.distinct-agg.split.bucket-num", type: positive, description: "Into how many buckets." },
  { name: "table.optimizer.join-reorder-enabled", type: boolean, description: "Reorder joins." },
  { name: "table.optimizer.reuse-source-enabled", type: boolean, description: "Read a source once." },
  { name: "table.optimizer.reuse-sub-plan-enabled", type: boolean, description: "Compute equal parts of a plan once." },
  {
    name: "table.optimizer.non-deterministic-update.strategy",
    type: oneOf("TRY_RESOLVE", "IGNORE"),
    description: "What is done about non-deterministic updates.",
  },
  { name: "table.local-time-zone", type: text, description: "The time zone of the session, such as Europe/Berlin." },
  { name: "table.dynamic-table-options.enabled", type: boolean, description: "Allow the OPTIONS hint." },
  { name: "table.generated-code.max-length", type: positive, description: "The longest generated method." },
];

export const FLINK_OPTIONS: readonly FlinkOption[] = [
  ...CHECKPOINTING,
  ...STATE,
  ...RESTART,
  ...EXECUTION,
  ...PIPELINE,
  ...TABLE,
];

/** What a Job gets where neither it nor a better reason says otherwise. */
export interface OptionDefault {
  readonly name: string;
  readonly value: string;
  readonly reason: string;
  /** Only where the job's restart strategy is this one. */
  readonly restartStrategy?: string;
}

export const OPTION_DEFAULTS: readonly OptionDefault[] = [
  {
    name: "execution.checkpointing.interval",
    value: "60 s",
    reason: "without checkpoints a failure loses all state; a minute of work is little to repeat, and little load",
  },
  {
    name: "execution.checkpointing.mode",
    value: "EXACTLY_ONCE",
    reason: "no result counts twice, whatever the cluster's own default is",
  },
  {
    name: "execution.checkpointing.externalized-checkpoint-retention",
    value: "RETAIN_ON_CANCELLATION",
    reason:
      "the last checkpoint must outlive a job that failed or was cancelled by somebody else: the next attempt starts from it",
  },
  {
    name: "restart-strategy.type",
    value: "exponential-delay",
    reason: "a Job never fails for good, and one that fails at once must not spin",
  },
  {
    name: `${EXPONENTIAL}.initial-backoff`,
    value: "1 s",
    reason: "most failures pass quickly",
    restartStrategy: "exponential-delay",
  },
  {
    name: `${EXPONENTIAL}.max-backoff`,
    value: "1 min",
    reason: "what was repaired runs again within a minute; Flink before 1.19 waits up to five",
    restartStrategy: "exponential-delay",
  },
  {
    name: `${EXPONENTIAL}.attempts-before-reset-backoff`,
    value: "2147483647",
    reason: "restart for ever, also where the cluster's own configuration gives up earlier",
    restartStrategy: "exponential-delay",
  },
];

/** Options that exist and that no Job may set; a name that ends in a dot or in `*` stands for all that begin so. The first match counts. */
export const REFUSED_OPTIONS: readonly { readonly names: readonly string[]; readonly reason: string }[] = [
  {
    names: ["parallelism.default", "table.exec.resource.default-parallelism", "pipeline.jobvertex-parallelism-overrides"],
    reason: "the parallelism is spec.resources.rpus",
  },
  {
    names: ["state.checkpoints.num-retained", "execution.checkpointing.num-retained"],
    reason: "how many checkpoints are kept is a setting of the cluster; a job cannot change it",
  },
  {
    names: [
      "state.checkpoints.dir",
      "state.savepoints.dir",
      "state.backend.fs.checkpointdir",
      "state.checkpoint-storage",
      "state.checkpoints.create-subdir",
      "execution.checkpointing.dir",
      "execution.checkpointing.savepoint-dir",
      "execution.checkpointing.storage",
      "execution.checkpointing.create-subdir",
      "execution.checkpointing.local-backup.",
      "state.backend.rocksdb.localdir",
      "state.backend.rocksdb.log.",
      "table.resources.download-dir",
      "io.tmp.dirs",
    ],
    reason: "directories belong to the cluster: Penstock has to find checkpoints and savepoints where the cluster keeps them",
  },
  {
    names: ["execution.savepoint.", "execution.savepoint-restore-mode", "execution.state-recovery."],
    reason: "Penstock chooses what a job starts from; name a Savepoint in spec.initialStateRef instead",
  },
  {
    names: ["execution.checkpointing.recover-without-channel-state.checkpoint-id"],
    reason: "Penstock chooses what a job starts from",
  },
  { names: ["pipeline.jars", "pipeline.classpaths", "pipeline.cached-files"], reason: "the program is spec.artifactRef" },
  {
    names: ["execution.sorted-inputs.", "execution.batch*", "execution.sort-*", "table.exec.sort.", "table.exec.shuffle-mode"],
    reason: "it is for batch jobs, and only streaming jobs are supported",
  },
  {
    names: [
      "execution.target",
      "execution.attached",
      "execution.shutdown-on-*",
      "execution.submit-failed-job-on-application-error",
      "execution.program-config.",
      "execution.job-listeners",
      "table.dml-sync",
      "$internal.",
      "client.",
    ],
    reason: "Penstock submits the job and sets this itself",
  },
  {
    names: ["state.backend.changelog.", "state.changelog.", "state.backend.local-recovery"],
    reason: "it needs a matching setting of the cluster; set it there",
  },
  { names: ["classloader."], reason: "the cluster has loaded the program before a job's own setting could count; set it there" },
  {
    names: [
      "akka.",
      "blob.",
      "cluster.",
      "containerized.",
      "env.",
      "external-resource*",
      "fs.",
      "heartbeat.",
      "high-availability*",
      "historyserver.",
      "hadoop.",
      "jmx.",
      "job-result-store.",
      "jobmanager.",
      "jobstore.",
      "kubernetes.",
      "mesos.",
      "metrics.",
      "pekko.",
      "plugin.",
      "process.",
      "python.",
      "queryable-state.",
      "resourcemanager.",
      "rest.",
      "s3.",
      "scheduler-mode",
      "security.",
      "slot*",
      "slotmanager.",
      "sql-gateway.",
      "task.",
      "taskmanager.",
      "web.",
      "yarn.",
      "zookeeper.",
    ],
    reason: "it belongs to the cluster; set it there",
  },
];
