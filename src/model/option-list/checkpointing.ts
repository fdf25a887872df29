import {
  atLeast,
  boolean,
  count,
  duration,
  memory,
  numberOf,
  oneOf,
  option,
  positive,
  type FlinkOption,
} from "./flink-option.ts";

const NAME = "execution.checkpointing";

export const CHECKPOINTING: readonly FlinkOption[] = [
  option(`${NAME}.interval`, atLeast(10), "How often a checkpoint is taken."),
  option(`${NAME}.interval-during-backlog`, duration, "How often while a source works off a backlog; 0 for not at all.", {
    since: "1.19",
  }),
  option(`${NAME}.mode`, oneOf("EXACTLY_ONCE", "AT_LEAST_ONCE"), "How often a record counts after a failure."),
  option(`${NAME}.timeout`, atLeast(10), "A checkpoint that takes longer is given up."),
  option(`${NAME}.min-pause`, duration, "The least time between two checkpoints."),
  option(`${NAME}.max-concurrent-checkpoints`, positive, "How many checkpoints may be under way at once."),
  option(`${NAME}.tolerable-failed-checkpoints`, count, "How many checkpoints may fail in a row before the job restarts."),
  option(
    `${NAME}.externalized-checkpoint-retention`,
    oneOf("RETAIN_ON_CANCELLATION", "DELETE_ON_CANCELLATION", "NO_EXTERNALIZED_CHECKPOINTS"),
    "Whether the last checkpoint outlives the job. Anything but RETAIN_ON_CANCELLATION leaves nothing to recover from.",
  ),
  option(`${NAME}.snapshot-compression`, boolean, "Compress state in checkpoints and savepoints."),
  option(`${NAME}.unaligned.enabled`, boolean, "Let checkpoints overtake records under back pressure.", {
    formerly: [{ name: `${NAME}.unaligned`, until: "1.17" }],
  }),
  option(`${NAME}.unaligned.forced`, boolean, "Unaligned checkpoints even where a job's shape makes Flink refuse them."),
  option(
    `${NAME}.unaligned.max-subtasks-per-channel-state-file`,
    positive,
    "How many subtasks share one file of in-flight data.",
    { since: "1.17" },
  ),
  option(`${NAME}.unaligned.interruptible-timers.enabled`, boolean, "Let unaligned checkpoints interrupt the firing of timers.", {
    since: "1.20",
  }),
  option(
    `${NAME}.unaligned.recover-output-on-downstream.enabled`,
    boolean,
    "Recover the output buffers of an unaligned checkpoint where they are read.",
    { since: "2.3" },
  ),
  option(`${NAME}.during-recovery.enabled`, boolean, "Take checkpoints while an unaligned one is still being recovered.", {
    since: "2.3",
  }),
  option(`${NAME}.aligned-checkpoint-timeout`, duration, "Start aligned, and go unaligned after this time.", {
    aliases: [`${NAME}.alignment-timeout`],
  }),
  option(`${NAME}.checkpoints-after-tasks-finish`, boolean, "Go on with checkpoints when some tasks have finished.", {
    formerly: [{ name: `${NAME}.checkpoints-after-tasks-finish.enabled`, until: "1.20" }],
  }),
  option(`${NAME}.incremental`, boolean, "Write only what changed since the last checkpoint (rocksdb, forst).", {
    formerly: [{ name: "state.backend.incremental", until: "1.20" }],
  }),
  option(`${NAME}.data-inline-threshold`, memory, "State below this size goes into the checkpoint's metadata.", {
    formerly: [{ name: "state.storage.fs.memory-threshold", until: "1.20" }],
    aliases: ["state.backend.fs.memory-threshold"],
    countsSince: "1.19",
  }),
  option(`${NAME}.write-buffer-size`, numberOf("bytes"), "The buffer for checkpoint files.", {
    formerly: [{ name: "state.storage.fs.write-buffer-size", until: "1.20" }],
    aliases: ["state.backend.fs.write-buffer-size"],
    countsSince: "1.19",
  }),
  option(`${NAME}.file-merging.enabled`, boolean, "Merge small checkpoint files.", { since: "1.20" }),
  option(`${NAME}.file-merging.across-checkpoint-boundary`, boolean, "Merge files of several checkpoints.", {
    since: "1.20",
  }),
  option(`${NAME}.file-merging.max-file-size`, memory, "The largest merged file.", { since: "1.20" }),
  option(`${NAME}.file-merging.max-subtasks-per-file`, positive, "How many subtasks share a merged file.", {
    since: "1.20",
  }),
  option(
    `${NAME}.file-merging.max-space-amplification`,
    { kind: "number", minimum: 1 },
    "How many times the valid data merged files may take before they are written anew.",
    { since: "1.20" },
  ),
  option(`${NAME}.file-merging.pool-blocking`, boolean, "Wait for a merged file rather than open one more.", {
    since: "1.20",
  }),
];
