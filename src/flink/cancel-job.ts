import type { Cluster } from "./cluster.ts";
import { lookAtJob } from "./job-look.ts";
import { pollUntil } from "./poll.ts";

export type CancelOutcome =
  | { readonly kind: "cancelled" }
  /** It ended another way before: FINISHED or FAILED. */
  | { readonly kind: "ended"; readonly state: string }
  /** The cluster answers and does not know the job. */
  | { readonly kind: "gone" }
  /** It may still be cancelled: ask again. */
  | { readonly kind: "unknown"; readonly because: string };

/** Cancels the job and waits until it is CANCELED. May be called again at any time. Never throws but for `signal`. */
export async function cancelJob(
  cluster: Cluster,
  flinkJobId: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<CancelOutcome> {
  let asked = false;
  const polled = await pollUntil(timeoutMs, signal, async (either): Promise<CancelOutcome | undefined> => {
    const job = await lookAtJob(cluster, flinkJobId, either);
    if (job.kind === "absent") return { kind: "gone" };
    if (job.kind === "ended") return job.state === "CANCELED" ? { kind: "cancelled" } : { kind: "ended", state: job.state };
    // Whatever Flink says to it, the next look tells what came of it.
    if (!asked) asked = (await cluster.client.cancelJob(flinkJobId, either)) === "accepted";
    return undefined;
  });
  return polled.kind === "done" ? polled.value : { kind: "unknown", because: polled.because };
}
