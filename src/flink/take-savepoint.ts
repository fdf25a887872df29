import type { Cluster } from "./cluster.ts";
import { FlinkRejectedError } from "./errors.ts";
import { lookAtJob } from "./job-look.ts";
import { pollUntil } from "./poll.ts";
import { uriIn } from "./stop-aftermath.ts";

/** A savepoint that was announced before. Its trigger id and its directory belong to it alone. */
export interface SavepointOrder {
  readonly flinkJobId: string;
  readonly triggerId: string;
  readonly targetDirectory: string;
  readonly timeoutMs: number;
}

export type SavepointOutcome =
  | { readonly kind: "taken"; readonly uri: string }
  /** There is none, and there will be none by this request. */
  | { readonly kind: "failed"; readonly because: string }
  /** It may still be taken: ask again with the same request. */
  | { readonly kind: "unknown"; readonly because: string };

/**
 * Takes a savepoint and waits for it; the job goes on. May be called again with the same request at any time: what was asked before is
 * continued and not asked twice. Never throws but for `signal`.
 */
export async function takeSavepoint(cluster: Cluster, request: SavepointOrder, signal: AbortSignal): Promise<SavepointOutcome> {
  let asked = false;
  const polled = await pollUntil(request.timeoutMs, signal, async (either): Promise<SavepointOutcome | undefined> => {
    const operation = await cluster.client.readSavepointOperation(request.flinkJobId, request.triggerId, either);
    if (operation.kind === "in-progress") return undefined;
    if (operation.kind === "completed")
      return { kind: "taken", uri: uriIn(request.targetDirectory, operation.location) ?? operation.location };
    // A result can be lost or wrong; a complete savepoint cannot.
    const directory = await cluster.findSavepoint(request.targetDirectory, either);
    if (directory.kind === "saved") return { kind: "taken", uri: directory.uri };
    if (operation.kind === "failed") return { kind: "failed", because: operation.cause.line };
    if (asked) return { kind: "failed", because: "the JobManager has forgotten the savepoint: it was restarted meanwhile" };
    const refusal = await ask(cluster, request, either);
    asked = true;
    return refusal;
  });
  return polled.kind === "done" ? polled.value : { kind: "unknown", because: polled.because };
}

async function ask(cluster: Cluster, request: SavepointOrder, signal: AbortSignal): Promise<SavepointOutcome | undefined> {
  const job = await lookAtJob(cluster, request.flinkJobId, signal);
  if (job.kind === "absent") return { kind: "failed", because: "the cluster does not know the job" };
  if (job.kind === "ended") return { kind: "failed", because: `the job has ended: ${job.state}` };
  try {
    await cluster.client.triggerSavepoint(request.flinkJobId, request, signal);
    return undefined;
  } catch (error) {
    // What came of any other failure shows at the next look; asking again is harmless.
    if (!(error instanceof FlinkRejectedError) || error.data.status >= 500) throw error;
    return { kind: "failed", because: error.line };
  }
}
