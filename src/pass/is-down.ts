import type { JobStatus } from "../model/status.ts";

/** Stopped by us for good, or ended by itself: it does not run, whether its cluster can be seen or not. */
export function isDown({ suspended, finalized, flinkJobState }: JobStatus): boolean {
  return suspended === true || finalized !== undefined || flinkJobState === "Finished";
}

/** Down, or deleted: it holds nothing on any cluster, and goes on, if it ever does, from what ended it. */
export function isOver(status: JobStatus): boolean {
  return status.deleted !== undefined || isDown(status);
}

/** It takes no slots and no rpus: it is over, and no start is announced that brings it back. */
export function takesNothing(status: JobStatus): boolean {
  return isOver(status) && status.operation?.kind !== "start";
}
