import {
  boolean,
  duration,
  integer,
  listOf,
  long,
  oneOf,
  option,
  positive,
  count,
  text,
  type FlinkOption,
} from "./flink-option.ts";

const RETRY = oneOf("NO_RETRY", "FIXED_DELAY");
const OUTPUT_MODE = oneOf("ORDERED", "ALLOW_UNORDERED");

const ASYNC: readonly FlinkOption[] = [
  option("table.exec.async-lookup.buffer-capacity", positive, "Lookups under way at once."),
  option("table.exec.async-lookup.timeout", duration, "How long a lookup may take."),
  option("table.exec.async-lookup.output-mode", OUTPUT_MODE, "Whether lookups keep the order."),
  option("table.exec.async-lookup.key-ordered-enabled", boolean, "Keep the order per key of a change log.", { since: "2.1" }),
  option("table.exec.async-scalar.max-concurrent-operations", positive, "Calls of an asynchronous function under way at once.", {
    since: "1.19",
    formerly: [{ name: "table.exec.async-scalar.buffer-capacity", until: "2.2" }],
  }),
  option("table.exec.async-scalar.timeout", duration, "How long a call may take.", { since: "1.19" }),
  option("table.exec.async-scalar.retry-strategy", RETRY, "Whether a failed call is made again.", { since: "1.19" }),
  option("table.exec.async-scalar.retry-delay", duration, "After how long.", { since: "1.19" }),
  option("table.exec.async-scalar.max-attempts", positive, "How often.", { since: "1.19" }),
  option("table.exec.async-table.max-concurrent-operations", positive, "Calls of an asynchronous table function at once.", {
    since: "2.2",
  }),
  option("table.exec.async-table.timeout", duration, "How long a call may take.", { since: "2.2" }),
  option("table.exec.async-table.retry-strategy", RETRY, "Whether a failed call is made again.", { since: "2.2" }),
  option("table.exec.async-table.retry-delay", duration, "After how long.", { since: "2.2" }),
  option("table.exec.async-table.max-retries", count, "How often.", { since: "2.2" }),
  option("table.exec.async-ml-predict.max-concurrent-operations", positive, "Predictions under way at once.", { since: "2.1" }),
  option("table.exec.async-ml-predict.timeout", duration, "How long a prediction may take.", { since: "2.1" }),
  option("table.exec.async-ml-predict.output-mode", OUTPUT_MODE, "Whether predictions keep the order.", { since: "2.1" }),
  option("table.exec.async-vector-search.max-concurrent-operations", positive, "Vector searches under way at once.", {
    since: "2.2",
  }),
  option("table.exec.async-vector-search.timeout", duration, "How long a vector search may take.", { since: "2.2" }),
  option("table.exec.async-vector-search.output-mode", OUTPUT_MODE, "Whether vector searches keep the order.", { since: "2.2" }),
  option("table.exec.async-state.enabled", boolean, "Use operators with asynchronous state.", { since: "2.0" }),
];

const SINK: readonly FlinkOption[] = [
  option("table.exec.sink.not-null-enforcer", oneOf("ERROR", "DROP"), "What happens to null in a NOT NULL column."),
  option(
    "table.exec.sink.type-length-enforcer",
    { kind: "enum", values: ["IGNORE", "TRIM_PAD", "ERROR"], since: { ERROR: "2.1" } },
    "What happens to text of another length.",
  ),
  option(
    "table.exec.sink.nested-constraint-enforcer",
    oneOf("IGNORE", "ROWS", "ROWS_AND_COLLECTIONS"),
    "Whether those rules hold for nested fields.",
    { since: "2.1" },
  ),
  option("table.exec.sink.upsert-materialize", oneOf("NONE", "AUTO", "FORCE"), "Correct the order of updates before the sink."),
  option(
    "table.exec.sink.upsert-materialize-strategy.type",
    oneOf("LEGACY", "MAP", "VALUE", "ADAPTIVE"),
    "How that is kept in state. Cannot change once there is state.",
    { since: "2.2" },
  ),
  option(
    "table.exec.sink.upsert-materialize-strategy.adaptive.threshold.high",
    long(1),
    "From how many entries per key ADAPTIVE keeps a map.",
    { since: "2.2" },
  ),
  option(
    "table.exec.sink.upsert-materialize-strategy.adaptive.threshold.low",
    long(1),
    "From how few entries per key ADAPTIVE goes back to a list.",
    { since: "2.2" },
  ),
  option("table.exec.sink.keyed-shuffle", oneOf("NONE", "AUTO", "FORCE"), "Shuffle by the sink's key."),
  option("table.exec.sink.rowtime-inserter", oneOf("ENABLED", "DISABLED"), "Give rows their time on the way to the sink.", {
    since: "1.18",
  }),
  option(
    "table.exec.sink.require-on-conflict",
    boolean,
    "Refuse a query whose key is not the sink's unless it says what to do about conflicts.",
    { since: "2.3" },
  ),
];

const EXEC: readonly FlinkOption[] = [
  option("table.exec.state.ttl", duration, "State that is idle for so long may go; 0 keeps it."),
  option("table.exec.mini-batch.enabled", boolean, "Collect records before they are aggregated."),
  option("table.exec.mini-batch.allow-latency", duration, "How long records are collected."),
  option("table.exec.mini-batch.size", long(-1), "How many records are collected."),
  option("table.exec.source.idle-timeout", duration, "A source that is silent for so long does not hold up watermarks."),
  option("table.exec.source.cdc-events-duplicate", boolean, "The change log of a source may repeat itself."),
  ...SINK,
  ...ASYNC,
  option(
    "table.exec.deduplicate.insert-update-after-sensitive-enabled",
    boolean,
    "Whether the operators behind tell inserts from updates.",
    { aliases: ["table.exec.deduplicate.insert-and-updateafter-sensitive.enabled"] },
  ),
  option("table.exec.deduplicate.mini-batch.compact-changes-enabled", boolean, "Compact changes of a mini-batch.", {
    aliases: ["table.exec.deduplicate.mini-batch.compact-changes.enabled"],
  }),
  option("table.exec.interval-join.min-cleanup-interval", duration, "The least time between two clean-ups of an interval join.", {
    since: "1.18",
  }),
  option("table.exec.delta-join.cache-enabled", boolean, "Cache what a delta join looks up.", { since: "2.2" }),
  option("table.exec.delta-join.left.cache-size", long(1), "Records cached of the left table.", { since: "2.2" }),
  option("table.exec.delta-join.right.cache-size", long(1), "Records cached of the right table.", { since: "2.2" }),
  option("table.exec.rank.topn-cache-size", positive, "Records cached by a Top-N.", { aliases: ["table.exec.topn-cache-size"] }),
  option("table.exec.window-agg.buffer-size-limit", positive, "Records buffered by a window."),
  option("table.exec.unbounded-over.version", integer(1, 2), "Which implementation of unbounded OVER; 1 for old state.", {
    since: "2.1",
  }),
  option("table.exec.legacy-cast-behaviour", oneOf("ENABLED", "DISABLED"), "Casts as before Flink 1.15."),
  option("table.exec.legacy-transformation-uids", boolean, "Operators without uid, as before Flink 1.15.", { until: "2.0" }),
  option("table.exec.simplify-operator-name-enabled", boolean, "Short names of operators."),
  option("table.exec.uid.generation", oneOf("PLAN_ONLY", "ALWAYS", "DISABLED"), "Which operators get a uid."),
  option("table.exec.uid.format", text, "The pattern of those uids."),
];

const OPTIMIZER: readonly FlinkOption[] = [
  option(
    "table.optimizer.agg-phase-strategy",
    oneOf("AUTO", "ONE_PHASE", "TWO_PHASE"),
    "Whether aggregations have a local phase.",
  ),
  option("table.optimizer.distinct-agg.split.enabled", boolean, "Split distinct aggregations."),
  option("table.optimizer.distinct-agg.split.bucket-num", positive, "Into how many buckets."),
  option("table.optimizer.incremental-agg-enabled", boolean, "Aggregate split distinct aggregations incrementally.", {
    since: "1.20",
  }),
  option("table.optimizer.join-reorder-enabled", boolean, "Reorder joins."),
  option("table.optimizer.bushy-join-reorder-threshold", positive, "Up to how many tables all orders of joins are tried.", {
    since: "1.17",
  }),
  option("table.optimizer.multi-join.enabled", boolean, "Join a chain of tables in one operator.", { since: "2.1" }),
  option(
    "table.optimizer.delta-join.strategy",
    oneOf("AUTO", "FORCE", "NONE"),
    "Whether joins look up both sides instead of keeping them.",
    {
      since: "2.1",
    },
  ),
  option("table.optimizer.reuse-source-enabled", boolean, "Read a source once."),
  option("table.optimizer.reuse-sub-plan-enabled", boolean, "Compute equal parts of a plan once."),
  option("table.optimizer.reuse-sink-enabled", boolean, "Write equal sinks once.", { since: "2.1" }),
  option(
    "table.optimizer.reuse-optimize-block-with-digest-enabled",
    boolean,
    "Find equal parts of a plan before it is optimized.",
    { since: "1.20" },
  ),
  option("table.optimizer.union-all-as-breakpoint-enabled", boolean, "Optimize what comes before a UNION ALL on its own.", {
    since: "1.20",
  }),
  option("table.optimizer.sql2rel.project-merge.enabled", boolean, "Merge projections early.", {
    since: "1.18",
    aliases: ["table.optimizer.sql-to-rel.project.merge.enabled"],
  }),
  option("table.optimizer.source.aggregate-pushdown-enabled", boolean, "Let sources aggregate.", { until: "2.0" }),
  option("table.optimizer.source.predicate-pushdown-enabled", boolean, "Let sources filter.", { until: "2.0" }),
  option("table.optimizer.source.report-statistics-enabled", boolean, "Ask sources for statistics."),
  option(
    "table.optimizer.non-deterministic-update.strategy",
    oneOf("TRY_RESOLVE", "IGNORE"),
    "What is done about non-deterministic updates.",
  ),
  option("table.optimizer.ptf.max-tables", positive, "Tables that a process table function may take.", { since: "2.1" }),
];

export const TABLE: readonly FlinkOption[] = [
  ...EXEC,
  ...OPTIMIZER,
  option("table.local-time-zone", text, "The time zone of the session, such as Europe/Berlin."),
  option("table.dynamic-table-options.enabled", boolean, "Allow the OPTIONS hint."),
  option(
    "table.column-expansion-strategy",
    listOf("EXCLUDE_ALIASED_VIRTUAL_METADATA_COLUMNS", "EXCLUDE_DEFAULT_VIRTUAL_METADATA_COLUMNS"),
    "Which columns SELECT * leaves out.",
    { since: "1.19" },
  ),
  option("table.legacy-nested-row-nullability", boolean, "Nullability of nested rows as before Flink 2.2.", { since: "2.2" }),
  option("table.generated-code.max-length", positive, "The longest generated method."),
  option("table.generated-code.max-members", positive, "From how many members of a generated class on they become arrays."),
  option("table.plan.compile.catalog-objects", oneOf("ALL", "SCHEMA", "IDENTIFIER"), "What a compiled plan holds of its tables."),
  option(
    "table.plan.restore.catalog-objects",
    oneOf("ALL", "ALL_ENFORCED", "IDENTIFIER"),
    "What of its tables is taken from a compiled plan.",
  ),
  option("table.plan.force-recompile", boolean, "Write a compiled plan although its file exists."),
  option("table.rtas-ctas.atomicity-enabled", boolean, "CREATE TABLE AS SELECT leaves no table when it fails.", {
    since: "1.18",
  }),
];
