import type { FlinkOption } from "../../src/model/option-list/flink-option.ts";
import { parseOptionValue, type OptionType } from "../../src/model/option-values.ts";

/** A value that a small job runs well with, and where possible another than Flink's own default. */
export function sampleValue(option: FlinkOption): string {
  return SAMPLES[option.name] ?? sampleOf(option.type);
}

function sampleOf(type: OptionType): string {
  switch (type.kind) {
    case "duration":
      return "7 min";
    case "memory":
      return "8 mb";
    case "boolean":
      return "true";
    case "integer":
      return String(Math.min(Math.max(type.minimum ?? 3, 3), type.maximum ?? 3));
    case "number":
      return type.maximum === 1 ? "0.25" : "2.5";
    case "enum":
      return type.values.at(-1)!;
    case "list":
      return (type.values ?? ["java.util.ArrayList", "java.util.HashMap"]).slice(0, 2).join(";");
    case "map":
      return "from:here,at:'12:30'";
    case "flow":
      return "[java.util.ArrayList: {type: kryo}]";
    case "text":
      return "sample";
    default:
      return type satisfies never;
  }
}

/** Where Flink, or a job this small, does not take any value of the type. */
const SAMPLES: Readonly<Record<string, string>> = {
  "execution.checkpointing.max-concurrent-checkpoints": "1", // more than 1 and unaligned do not go together
  "execution.checkpointing.interval": "500 ms",
  "execution.checkpointing.interval-during-backlog": "2 s",
  "execution.checkpointing.min-pause": "50 ms",
  "execution.checkpointing.mode": "EXACTLY_ONCE",
  "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
  "execution.checkpointing.data-inline-threshold": "100 kb",
  "execution.checkpointing.write-buffer-size": "8192",
  "execution.checkpointing.aligned-checkpoint-timeout": "5 s",
  "execution.buffer-timeout.interval": "50 ms",
  "execution.runtime-mode": "STREAMING",
  "pipeline.max-parallelism": "256",
  "pipeline.auto-watermark-interval": "300 ms",
  "pipeline.force-avro": "false", // these two need flink-avro
  "pipeline.force-kryo-avro": "false",
  "pipeline.default-kryo-serializers":
    "'class:java.util.ArrayList,serializer:com.esotericsoftware.kryo.serializers.CollectionSerializer'",
  "state.backend.rocksdb.compaction.style": "UNIVERSAL",
  "state.backend.forst.compaction.style": "LEVEL",
  "state.backend.rocksdb.memory.fixed-per-slot": "16 mb",
  "state.backend.forst.memory.fixed-per-slot": "16 mb",
  "state.backend.rocksdb.options-factory": "penstock.test.RocksOptions",
  "state.backend.forst.options-factory": "penstock.test.ForStOptions",
  "state.backend.rocksdb.compression.per.level": "NO_COMPRESSION;SNAPPY_COMPRESSION",
  "state.backend.forst.compression.per.level": "NO_COMPRESSION;SNAPPY_COMPRESSION",
  "state.backend.rocksdb.block.blocksize": "8 kb",
  "state.backend.forst.block.blocksize": "8 kb",
  "restart-strategy.exponential-delay.initial-backoff": "2 s",
  "restart-strategy.exponential-delay.max-backoff": "9 s",
  "table.local-time-zone": "Europe/Berlin",
  "table.exec.uid.format": "<id>_<transformation>",
  "table.exec.mini-batch.allow-latency": "1 s",
  "table.exec.sink.nested-constraint-enforcer": "ROWS", // collections and TRIM_PAD do not go together
  "table.exec.sink.type-length-enforcer": "TRIM_PAD",
  "table.exec.sink.upsert-materialize": "AUTO",
  "table.exec.sink.upsert-materialize-strategy.adaptive.threshold.high": "400",
  "table.exec.sink.upsert-materialize-strategy.adaptive.threshold.low": "300",
  "table.optimizer.agg-phase-strategy": "TWO_PHASE",
  "table.generated-code.max-length": "4000",
  "table.generated-code.max-members": "9000",
};

/** Whether Java's way to print a value that it read with its type says what was written. */
export function saysTheSame(type: OptionType, written: string, printed: string): boolean {
  const expected = parseOptionValue(type, written);
  if (type.kind === "list") return printed === `[${written.replaceAll("'", "").split(";").join(", ")}]`;
  if (type.kind === "map") return printed.length > 2; // in an order of its own; the caller asks REST
  if (type.kind === "flow") return printed.includes("ArrayList");
  return expected !== undefined && parseOptionValue(type, printed)?.canonical === expected.canonical;
}
