import { atLeast, duration, oneOf, option, positive, ratio, type FlinkOption } from "./flink-option.ts";

const EXPONENTIAL = "restart-strategy.exponential-delay";

export const RESTART: readonly FlinkOption[] = [
  option(
    "restart-strategy.type",
    oneOf("exponential-delay", "fixed-delay", "failure-rate", "none"),
    "How Flink itself restarts the job. When it gives up, Penstock starts the next attempt.",
    { formerly: [{ name: "restart-strategy", until: "1.17" }] },
  ),
  option(`${EXPONENTIAL}.initial-backoff`, atLeast(1), "The first delay."),
  option(`${EXPONENTIAL}.max-backoff`, atLeast(1), "The longest delay."),
  option(`${EXPONENTIAL}.backoff-multiplier`, { kind: "number", minimum: 1 }, "What each delay is multiplied with."),
  option(`${EXPONENTIAL}.reset-backoff-threshold`, atLeast(1), "After so long without a failure the delay begins anew."),
  option(`${EXPONENTIAL}.jitter-factor`, ratio, "The random part of a delay."),
  option(`${EXPONENTIAL}.attempts-before-reset-backoff`, positive, "The restarts in a row after which Flink gives up.", {
    since: "1.19",
  }),
  option("restart-strategy.fixed-delay.attempts", positive, "The restarts after which Flink gives up."),
  option("restart-strategy.fixed-delay.delay", duration, "The delay between two restarts."),
  option(
    "restart-strategy.failure-rate.max-failures-per-interval",
    positive,
    "The failures in an interval after which Flink gives up.",
  ),
  option("restart-strategy.failure-rate.failure-rate-interval", atLeast(1), "The interval in which failures are counted."),
  option("restart-strategy.failure-rate.delay", duration, "The delay between two restarts."),
];
