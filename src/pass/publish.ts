import type { Clock } from "../common/clock.ts";
import type { Log } from "../common/log.ts";
import { messageOf } from "../common/errors.ts";
import { oneLine } from "../common/text.ts";
import type { StatusConfig } from "../config/config.ts";
import type { StatusBranch } from "../git/status-branch.ts";
import type { StatusUpdate } from "./build-status.ts";
import type { SnapshotReader } from "./read-snapshot.ts";
import type { Snapshot } from "./snapshot.ts";

export type Published =
  /** The branch holds what this pass decided, so what it announced may be done. */
  | { readonly kind: "written" }
  | { readonly kind: "nothing-to-write" }
  /** News that can wait a moment for more of them; nothing was announced. */
  | { readonly kind: "put-off"; readonly untilMs: number }
  /** Somebody else wrote in between: the next pass reads again. */
  | { readonly kind: "conflict" }
  /** It cannot be written now, so nothing may be started. */
  | { readonly kind: "failed"; readonly because: string };

export interface PublishDeps {
  readonly statusBranch: StatusBranch;
  readonly reader: SnapshotReader;
  readonly config: StatusConfig;
  readonly clock: Clock;
  readonly log: Log;
}

/** News without an announcement wait so long for company: one commit then tells them all. */
const BATCH_MS = 400;

/** Pushes one commit by compare-and-swap against what the pass has read. Nothing of it is called before it says `written`. */
export async function publish(
  deps: PublishDeps,
  snapshot: Snapshot,
  update: StatusUpdate,
  newsSinceMs: number | undefined,
  signal: AbortSignal,
): Promise<Published> {
  if (update.changes.size === 0) return { kind: "nothing-to-write" };
  const now = deps.clock.now();
  const dueAtMs = (newsSinceMs ?? now) + BATCH_MS;
  if (!update.announces && now < dueAtMs) return { kind: "put-off", untilMs: dueAtMs };
  try {
    const written = await deps.statusBranch.write(
      {
        expectedHead: snapshot.status.head,
        changes: update.changes,
        message: update.message,
        author: deps.config.author,
        nowMs: now,
      },
      signal,
    );
    if (written.kind === "written") deps.reader.wroteStatus(written.snapshot);
    if (written.kind === "conflict") deps.reader.expireStatus();
    return written.kind === "refused" ? { kind: "failed", because: written.because } : { kind: written.kind };
  } catch (error) {
    signal.throwIfAborted();
    // The push may have arrived nevertheless, so what the branch holds is not known any more.
    deps.reader.expireStatus();
    return { kind: "failed", because: oneLine(messageOf(error), 300) };
  }
}
