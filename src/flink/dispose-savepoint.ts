import type { Cluster } from "./cluster.ts";
import { FlinkRejectedError } from "./errors.ts";
import { pollUntil } from "./poll.ts";

export type DisposalOutcome =
  /** It is not there any more, whoever removed it. */
  | { readonly kind: "disposed" }
  | { readonly kind: "failed"; readonly because: string }
  /** It may still be removed: ask again. */
  | { readonly kind: "unknown"; readonly because: string };

/**
 * Has Flink remove a savepoint or a retained checkpoint with everything that belongs to it, and waits for it. May be called again at any
 * time. Whether somebody still needs it is not looked at. Never throws but for `signal`.
 */
export async function disposeSavepoint(
  cluster: Cluster,
  uri: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<DisposalOutcome> {
  let triggerId: string | undefined;
  const polled = await pollUntil(timeoutMs, signal, async (either): Promise<DisposalOutcome | undefined> => {
    try {
      triggerId ??= await cluster.client.disposeSavepoint(uri, either);
      const operation = await cluster.client.readDisposal(triggerId, either);
      switch (operation.kind) {
        case "in-progress":
          return undefined;
        case "completed":
          return { kind: "disposed" };
        case "failed":
          return operation.cause.kind === "savepoint-missing"
            ? { kind: "disposed" }
            : { kind: "failed", because: operation.cause.line };
        case "unknown-trigger":
          triggerId = undefined; // The JobManager was restarted: the next step asks again.
          return undefined;
        default:
          return operation satisfies never;
      }
    } catch (error) {
      if (!(error instanceof FlinkRejectedError) || error.data.status >= 500) throw error;
      return { kind: "failed", because: error.line };
    }
  });
  return polled.kind === "done" ? polled.value : { kind: "unknown", because: polled.because };
}
