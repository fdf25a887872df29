import type { Log } from "../common/log.ts";
import { findCondition, isTrouble } from "../model/conditions.ts";
import { displayName } from "../model/resource.ts";
import type { StatusUpdate } from "./build-status.ts";
import type { Published } from "./publish.ts";
import type { Snapshot } from "./snapshot.ts";

interface PassToTell {
  readonly snapshot: Snapshot;
  readonly update: StatusUpdate;
  readonly published: Published;
}

/** Tells at `info` what a pass changed, each thing once, and at `warn` why nothing could be written. Returns what was said of the latter. */
export function logPass(
  log: Log,
  saidBefore: string | undefined,
  { snapshot, update, published }: PassToTell,
): string | undefined {
  if (published.kind === "failed") {
    if (saidBefore !== published.because)
      log.warn({ because: published.because }, "status cannot be written, so nothing is started; it is tried again");
    return published.because;
  }
  if (published.kind !== "written") return published.kind === "nothing-to-write" ? undefined : saidBefore;
  const known = new Set(snapshot.status.summary?.problems);
  for (const problem of update.summary.problems) if (!known.has(problem)) log.info({ problem }, "manifest has a problem");
  for (const { job, because } of newDuplicates(snapshot, update)) log.error({ job, because }, "two Flink jobs run for one Job");
  for (const { id, what, because } of update.news)
    log.info({ [id.kind.toLowerCase()]: displayName(id), change: what, because }, "status changed");
  return undefined;
}

/** Jobs that were found to run twice by this pass. What follows is told like every other change. */
function newDuplicates(
  { status }: Snapshot,
  { records }: StatusUpdate,
): readonly { readonly job: string; readonly because: string }[] {
  return [...records].flatMap(([key, record]) => {
    const [before, now] = [status.records.get(key), record].map((one) =>
      findCondition(one?.status.conditions ?? [], "Duplicate"),
    );
    const isNew = now !== undefined && isTrouble(now) && before === undefined;
    return isNew ? [{ job: displayName(record.id), because: now.message }] : [];
  });
}
