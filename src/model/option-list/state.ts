import type { OptionType } from "../option-values.ts";
import {
  boolean,
  integer,
  listOf,
  long,
  memory,
  oneOf,
  option,
  positive,
  ratio,
  text,
  duration,
  type FlinkOption,
} from "./flink-option.ts";

const ROCKSDB = "state.backend.rocksdb";
const FORST = "state.backend.forst";
const FORST_SINCE = "2.0";

/** An option of RocksDB (with the first version that has it, where that is not 1.16) that ForSt has as well. */
function ofBoth(name: string, type: OptionType, description: string, since?: string): readonly FlinkOption[] {
  return [
    option(`${ROCKSDB}.${name}`, type, description, since === undefined ? {} : { since }),
    option(`${FORST}.${name}`, type, description, { since: FORST_SINCE }),
  ];
}

/** What either backend reports of itself when asked to. */
const METRICS: readonly (readonly [name: string, since: string | undefined])[] = [
  ["actual-delayed-write-rate", undefined],
  ["background-errors", undefined],
  ["block-cache-capacity", undefined],
  ["block-cache-hit", undefined],
  ["block-cache-miss", undefined],
  ["block-cache-pinned-usage", undefined],
  ["block-cache-usage", undefined],
  ["bloom-filter-full-positive", "1.20"],
  ["bloom-filter-full-true-positive", "1.20"],
  ["bloom-filter-useful", "1.20"],
  ["bytes-read", undefined],
  ["bytes-written", undefined],
  ["compaction-pending", undefined],
  ["compaction-read-bytes", undefined],
  ["compaction-write-bytes", undefined],
  ["cur-size-active-mem-table", undefined],
  ["cur-size-all-mem-tables", undefined],
  ["estimate-live-data-size", undefined],
  ["estimate-num-keys", undefined],
  ["estimate-pending-compaction-bytes", undefined],
  ["estimate-table-readers-mem", undefined],
  ["is-write-stopped", undefined],
  ["iter-bytes-read", undefined],
  ["live-sst-files-size", undefined],
  ["mem-table-flush-pending", undefined],
  ["num-deletes-active-mem-table", undefined],
  ["num-deletes-imm-mem-tables", undefined],
  ["num-entries-active-mem-table", undefined],
  ["num-entries-imm-mem-tables", undefined],
  ["num-files-at-level", "1.20"],
  ["num-immutable-mem-table", undefined],
  ["num-live-versions", undefined],
  ["num-running-compactions", undefined],
  ["num-running-flushes", undefined],
  ["num-snapshots", undefined],
  ["size-all-mem-tables", undefined],
  ["stall-micros", undefined],
  ["total-sst-files-size", undefined],
];

const COMPRESSION = listOf(
  "NO_COMPRESSION",
  "SNAPPY_COMPRESSION",
  "ZLIB_COMPRESSION",
  "BZLIB2_COMPRESSION",
  "LZ4_COMPRESSION",
  "LZ4HC_COMPRESSION",
  "XPRESS_COMPRESSION",
  "ZSTD_COMPRESSION",
  "DISABLE_COMPRESSION_OPTION",
);

const BOTH_BACKENDS: readonly FlinkOption[] = [
  ofBoth("memory.managed", boolean, "Use the slot's managed memory."),
  ofBoth("memory.fixed-per-slot", memory, "A fixed amount of memory per slot instead."),
  ofBoth("memory.write-buffer-ratio", ratio, "The part of that memory for write buffers."),
  ofBoth("memory.high-prio-pool-ratio", ratio, "The part of that memory for indexes and filters."),
  ofBoth("memory.partitioned-index-filters", boolean, "Partition indexes and filters."),
  ofBoth("thread.num", positive, "Threads for flushes and compactions."),
  ofBoth("files.open", integer(-1), "Open files; -1 for all."),
  ofBoth("writebuffer.size", memory, "The size of a write buffer."),
  ofBoth("writebuffer.count", positive, "The number of write buffers."),
  ofBoth("writebuffer.number-to-merge", positive, "Write buffers merged before they are flushed."),
  ofBoth("write-batch-size", memory, "The size of a write batch."),
  ofBoth("block.blocksize", memory, "The size of a block."),
  ofBoth("block.metadata-blocksize", memory, "The size of a block of metadata."),
  ofBoth("block.cache-size", memory, "The size of the block cache."),
  ofBoth("use-bloom-filter", boolean, "Use Bloom filters."),
  ofBoth("bloom-filter.bits-per-key", { kind: "number", minimum: 1, maximum: 64 }, "Bits of a Bloom filter per key."),
  ofBoth("bloom-filter.block-based-mode", boolean, "One Bloom filter for each block instead of each file."),
  ofBoth("compaction.style", oneOf("LEVEL", "UNIVERSAL", "FIFO", "NONE"), "How files are compacted."),
  ofBoth("compaction.level.use-dynamic-size", boolean, "Choose the levels' sizes dynamically."),
  ofBoth("compaction.level.target-file-size-base", memory, "The size of a file of level 1."),
  ofBoth("compaction.level.max-size-level-base", memory, "The size of level 1."),
  ofBoth(
    "compaction.filter.periodic-compaction-time",
    duration,
    "Files older than this are compacted again, so that expired state goes.",
    FORST_SINCE,
  ),
  ofBoth(
    "compaction.filter.query-time-after-num-entries",
    long(0),
    "After how many entries a compaction looks at the clock to find expired state.",
    FORST_SINCE,
  ),
  ofBoth("compression.per.level", COMPRESSION, "How each level is compressed, the first level first.", "1.19"),
  ofBoth("restore-overlap-fraction-threshold", ratio, "When a restored database is reused while rescaling."),
  ofBoth("rescaling.use-delete-files-in-range", boolean, "Delete whole files that rescaling made useless.", "1.20"),
  ofBoth("use-ingest-db-restore-mode", boolean, "Rescale by ingesting whole files.", "1.20"),
  ofBoth("timer-service.cache-size", positive, "Timers cached per key group where the timers are on disk.", "1.19"),
  ofBoth("options-factory", text, "A class of the program that chooses further options."),
  ofBoth("metrics.column-family-as-variable", boolean, "Report the state's name as a variable of its metrics."),
  ...METRICS.map(([name, since]) => ofBoth(`metrics.${name}`, boolean, `Report the metric ${name}.`, since)),
].flat();

const ROCKSDB_ONLY: readonly FlinkOption[] = [
  option(
    `${ROCKSDB}.predefined-options`,
    oneOf("DEFAULT", "SPINNING_DISK_OPTIMIZED", "SPINNING_DISK_OPTIMIZED_HIGH_MEM", "FLASH_SSD_OPTIMIZED"),
    "A set of options for a kind of disk.",
  ),
  option(`${ROCKSDB}.timer-service.factory`, oneOf("HEAP", "ROCKSDB"), "Where timers are kept."),
  option(`${ROCKSDB}.checkpoint.transfer.thread.num`, positive, "Threads that move checkpoint files."),
  option(`${ROCKSDB}.incremental-restore-async-compact-after-rescale`, boolean, "Compact in the background after a rescale.", {
    since: "1.20",
  }),
  option(`${ROCKSDB}.manual-compaction.min-interval`, duration, "The least time between two merges of small files; 0 for none.", {
    since: "1.20",
  }),
  option(`${ROCKSDB}.manual-compaction.max-parallel-compactions`, positive, "Merges of small files at once.", {
    since: "1.20",
  }),
  option(`${ROCKSDB}.manual-compaction.max-file-size-to-compact`, memory, "What counts as a small file.", { since: "1.20" }),
  option(`${ROCKSDB}.manual-compaction.min-files-to-compact`, positive, "The fewest small files to merge.", { since: "1.20" }),
  option(`${ROCKSDB}.manual-compaction.max-files-to-compact`, positive, "The most small files to merge at once.", {
    since: "1.20",
  }),
  option(`${ROCKSDB}.manual-compaction.max-output-file-size`, memory, "The largest merged file.", { since: "1.20" }),
  option(
    `${ROCKSDB}.manual-compaction.max-auto-compactions`,
    positive,
    "Small files are merged only while fewer compactions of RocksDB's own are under way.",
    { since: "1.20" },
  ),
];

const FORST_ONLY: readonly FlinkOption[] = [
  option(`${FORST}.timer-service.factory`, oneOf("HEAP", "ForStDB"), "Where timers are kept.", { since: FORST_SINCE }),
  option(`${FORST}.cache.size-based-limit`, memory, "The most disk for cached files; 0 for no limit of this kind.", {
    since: FORST_SINCE,
  }),
  option(`${FORST}.cache.reserve-size`, memory, "The disk that the cache leaves free; 0 for no limit of this kind.", {
    since: FORST_SINCE,
  }),
  option(`${FORST}.cache.lru.access-before-promote`, positive, "Reads after which a cold file is cached.", {
    since: FORST_SINCE,
  }),
  option(`${FORST}.cache.lru.promote-limit`, positive, "How often a file may be promoted again.", { since: FORST_SINCE }),
  option(`${FORST}.executor.read-io-parallelism`, positive, "Threads that read state.", { since: FORST_SINCE }),
  option(`${FORST}.executor.write-io-parallelism`, positive, "Threads that write state.", { since: FORST_SINCE }),
  option(`${FORST}.executor.inline-coordinator`, boolean, "Distribute requests in the task's own thread.", {
    since: FORST_SINCE,
  }),
  option(`${FORST}.executor.inline-write`, boolean, "Write in the thread that distributes requests.", { since: FORST_SINCE }),
  option(`${FORST}.sync.enforce-local`, boolean, "Keep the state of synchronous operators on the local disk.", {
    since: "2.2",
  }),
];

const TRACKING: readonly FlinkOption[] = [
  ...track("latency-track", "the latency", undefined),
  ...track("size-track", "the size", "2.1"),
];

function track(name: string, what: string, since: string | undefined): readonly FlinkOption[] {
  const tracked = (field: string, type: OptionType, description: string): FlinkOption =>
    option(
      `state.${name}.${field}`,
      type,
      description,
      since === undefined ? { formerly: [{ name: `state.backend.${name}.${field}`, until: "1.20" }] } : { since },
    );
  return [
    tracked("keyed-state-enabled", boolean, `Report ${what} of accesses to keyed state.`),
    tracked("sample-interval", positive, "One in so many accesses is measured."),
    tracked("history-size", positive, "How many measurements are kept."),
    tracked("state-name-as-variable", boolean, "Report the state's name as a variable."),
  ];
}

export const STATE: readonly FlinkOption[] = [
  option(
    "state.backend.type",
    { kind: "enum", values: ["hashmap", "rocksdb", "forst"], since: { forst: FORST_SINCE } },
    "Where state is kept while the job runs. rocksdb and forst need their jar in the cluster's lib folder.",
    { formerly: [{ name: "state.backend", until: "1.17" }] },
  ),
  ...TRACKING,
  ...ROCKSDB_ONLY,
  ...BOTH_BACKENDS.filter(({ name }) => name.startsWith(ROCKSDB)),
  ...FORST_ONLY,
  ...BOTH_BACKENDS.filter(({ name }) => name.startsWith(FORST)),
];
