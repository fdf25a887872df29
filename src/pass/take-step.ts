import { cancelJob } from "../flink/cancel-job.ts";
import type { Cluster } from "../flink/cluster.ts";
import { disposeSavepoint } from "../flink/dispose-savepoint.ts";
import { rescaleInPlace } from "../flink/rescale-job.ts";
import { stopJob } from "../flink/stop-job.ts";
import { takeSavepoint } from "../flink/take-savepoint.ts";
import type { SavepointOperation } from "../model/status.ts";
import type { Work } from "./decision.ts";

/** Everything that is done to a job which runs, as against a start. */
export type StepWork = Exclude<Work, { readonly kind: "start" }>;

/** How a step ended, as far as it can be told now. */
export type StepOutcome =
  | { readonly kind: "stopped"; readonly uri: string }
  | { readonly kind: "taken"; readonly uri: string }
  | { readonly kind: "disposed" }
  | { readonly kind: "cancelled" }
  | { readonly kind: "rescale-asked" }
  | { readonly kind: "ended"; readonly because: string }
  | { readonly kind: "not-done"; readonly because: string }
  /** Flink was not asked: what comes after the step is not there yet. */
  | { readonly kind: "held"; readonly because: string }
  | { readonly kind: "unknown"; readonly because: string };

/** As long as Flink itself gives a checkpoint by default. */
const SAVEPOINT_TIMEOUT_MS = 600_000;
const CANCEL_TIMEOUT_MS = 120_000;

/** Calls Flink for one announced step and waits until it is settled. Asking again for the same step is harmless. */
export async function takeStep(cluster: Cluster, work: StepWork, signal: AbortSignal): Promise<StepOutcome> {
  switch (work.kind) {
    case "stop": {
      const { flinkJobId, triggerId, targetDirectory, drain = false } = work.operation;
      const outcome = await stopJob(
        cluster,
        { flinkJobId, triggerId, targetDirectory, drain, timeoutMs: SAVEPOINT_TIMEOUT_MS },
        signal,
      );
      if (outcome.kind === "still-running") return { kind: "not-done", because: outcome.because };
      return outcome.kind === "gone" ? { kind: "ended", because: outcome.because } : outcome;
    }
    case "cancel": {
      const outcome = await cancelJob(cluster, work.operation.flinkJobId, CANCEL_TIMEOUT_MS, signal);
      if (outcome.kind === "gone") return { kind: "ended", because: "the cluster does not know it any more" };
      return outcome.kind === "ended" ? { kind: "ended", because: `it ended as ${outcome.state}` } : outcome;
    }
    case "rescale": {
      const parallelism = { from: work.from, to: work.operation.rpus };
      const outcome = await rescaleInPlace(cluster, work.operation.flinkJobId, parallelism, signal);
      if (outcome.kind === "asked") return { kind: "rescale-asked" };
      return outcome.kind === "refused" ? { kind: "not-done", because: outcome.because } : outcome;
    }
    case "savepoint":
      return saveOrDispose(cluster, work.operation, signal);
    default:
      return work satisfies never;
  }
}

async function saveOrDispose(cluster: Cluster, operation: SavepointOperation, signal: AbortSignal): Promise<StepOutcome> {
  const { kind, flinkJobId, triggerId, uri } = operation;
  const outcome =
    kind === "dispose"
      ? await disposeSavepoint(cluster, uri, SAVEPOINT_TIMEOUT_MS, signal)
      : await takeSavepoint(cluster, { flinkJobId, triggerId, targetDirectory: uri, timeoutMs: SAVEPOINT_TIMEOUT_MS }, signal);
  return outcome.kind === "failed" ? { kind: "not-done", because: outcome.because } : outcome;
}
