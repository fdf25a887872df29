import { formatTime } from "../common/clock.ts";
import { formatDuration } from "../common/units.ts";
import { countOf } from "../common/text.ts";
import type { ClusterSeen } from "../flink/cluster-seen.ts";
import type { PassWatch } from "./pass-watch.ts";

export interface Health {
  readonly healthy: boolean;
  readonly reasons: readonly string[];
}

/** `reasons` are why it is not ready; `remarks` are what is wrong besides, and no reason to send nothing here any more. */
export interface Readiness {
  readonly ready: boolean;
  readonly reasons: readonly string[];
  readonly remarks: readonly string[];
}

export interface LoopLimits {
  /** How long a pass may take at the most: longer than what it waits for has time limits for. */
  readonly passMs: number;
  /** How long the loop may sleep between two passes at the most. */
  readonly pauseMs: number;
}

type Watched = Pick<PassWatch, "startedAtMs" | "runningSinceMs" | "lastEndedAtMs" | "last" | "failure" | "leaving">;

/** Whether the loop of passes is alive. What is wrong outside of the process is none of it: a restart would not help. Pure. */
export function decideHealth(watch: Watched, limits: LoopLimits, now: number): Health {
  const { runningSinceMs } = watch;
  if (runningSinceMs !== undefined) {
    if (now - runningSinceMs <= limits.passMs) return { healthy: true, reasons: [] };
    const reason = `the pass that began at ${formatTime(runningSinceMs)} has not ended; ${formatDuration(limits.passMs)} are the most that one may take`;
    return { healthy: false, reasons: [reason] };
  }
  const idleSinceMs = watch.lastEndedAtMs ?? watch.startedAtMs;
  if (watch.leaving || now - idleSinceMs <= limits.pauseMs) return { healthy: true, reasons: [] };
  return { healthy: false, reasons: [`no pass has begun since ${formatTime(idleSinceMs)}`] };
}

/**
 * Whether the daemon can do its work. A cluster that cannot be reached is a remark as long as another one can: its jobs are looked after
 * again as soon as it is back, and the other ones need the daemon meanwhile. Pure.
 */
export function decideReadiness(watch: Watched): Readiness {
  const { last, failure } = watch;
  const reasons: string[] = [];
  const remarks: string[] = [];
  if (watch.leaving) reasons.push("the daemon is ending");
  if (failure !== undefined) reasons.push(`the last pass failed: ${failure}`);
  if (last === undefined) reasons.push("the first pass is not done");
  else if (last.kind === "blind") reasons.push(last.because);
  else {
    const { snapshot, published, observed } = last;
    if (snapshot.stale !== undefined) reasons.push(`the repository cannot be read: ${snapshot.stale}`);
    if (published.kind === "failed") reasons.push(`the status branch cannot be written: ${published.because}`);
    const unreachable = observed.clusters.filter((cluster) => cluster.kind === "unreachable");
    const lines = unreachable.map(describeCluster);
    if (unreachable.length === observed.clusters.length) reasons.push(...lines);
    else remarks.push(...lines);
    if (snapshot.refused !== undefined) remarks.push(snapshot.refused);
    const problems = last.update.summary.problems.length;
    if (problems > 0) remarks.push(`${countOf(problems, "problem")} in the manifests`);
  }
  return { ready: reasons.length === 0, reasons, remarks };
}

function describeCluster(cluster: ClusterSeen & { readonly kind: "unreachable" }): string {
  return `cluster ${cluster.zone}/${cluster.name} cannot be reached since ${formatTime(cluster.sinceMs)}: ${cluster.because}`;
}
