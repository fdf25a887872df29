import { CHECKPOINTING } from "./option-list/checkpointing.ts";
import type { FlinkOption } from "./option-list/flink-option.ts";
import { EXECUTION, PIPELINE } from "./option-list/pipeline.ts";
import { RESTART } from "./option-list/restart.ts";
import { STATE } from "./option-list/state.ts";
import { TABLE } from "./option-list/table.ts";

/**
 * The Flink options that a Job may set. Which version has which, by which name and of which type was read from Flink's own classes
 * (test/model/fixtures/flink-options.tsv, which a test compares); whether a job's own value counts, from what reads them. Everything
 * else belongs to the cluster or to Penstock: option-list/refused.ts says why.
 */
export const FLINK_OPTIONS: readonly FlinkOption[] = [
  ...CHECKPOINTING,
  ...STATE,
  ...RESTART,
  ...EXECUTION,
  ...PIPELINE,
  ...TABLE,
];

const EXPONENTIAL = "restart-strategy.exponential-delay";

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
