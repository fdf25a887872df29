import { listOf } from "../common/text.ts";
import type { ClusterSeen } from "../flink/cluster-seen.ts";
import { isOurs } from "../model/flink-job-id.ts";

export const REBUILD_TRAILER = "Penstock-Rebuild-Status";

/** Whether the absence of the status branch means that nothing ever ran, or that what is known of it was lost. */
export type Establishment =
  | { readonly kind: "known" }
  /** Not every cluster can be seen, so neither can be told. Nothing is started and nothing is written. */
  | { readonly kind: "undetermined"; readonly because: string }
  /** What runs is adopted by its id; what does not run waits for a person. */
  | { readonly kind: "lost"; readonly because: string };

/** What the directories of one cluster hold of this instance. */
export interface Traces {
  readonly cluster: string;
  readonly found:
    | { readonly kind: "none" }
    | { readonly kind: "found"; readonly example: string }
    | { readonly kind: "cannot-tell"; readonly because: string };
}

export interface EstablishInput {
  readonly instance: string;
  /** The branch is there, or this process has read or written it before. */
  readonly branchKnown: boolean;
  readonly branch: string;
  /** The applied commit carries the trailer: a person says that nothing which ran before is to be waited for. */
  readonly rebuild: boolean;
  readonly clusters: readonly ClusterSeen[];
  readonly traces: readonly Traces[];
}

/**
 * A first run needs proof: all clusters answer, none lists a job of this instance, and no directory of theirs holds a trace of one. A
 * cluster that is gone for good has to leave the configuration.
 */
export function establish(input: EstablishInput): Establishment {
  if (input.branchKnown) return { kind: "known" };
  const unreachable = input.clusters.filter(({ kind }) => kind === "unreachable");
  if (unreachable.length > 0) {
    const names = listOf(unreachable.map(({ name }) => name));
    return {
      kind: "undetermined",
      because: `branch ${input.branch} does not exist, and whether anything of instance ${input.instance} runs cannot be told before ${names} can be reached`,
    };
  }
  // Only now: whatever a person says, a job that runs where nobody can look would be started a second time.
  if (input.rebuild) return { kind: "known" };
  const evidence = findEvidence(input);
  if (evidence === undefined) return { kind: "known" };
  return { kind: "lost", because: lostBecause(input, evidence) };
}

/** Whether a person says, in a commit since the newest applied one, that nothing which ran before is to be waited for. */
export function asksForRebuild(trailers: ReadonlyMap<string, readonly string[]>): boolean {
  return trailers.get(REBUILD_TRAILER.toLowerCase())?.some((value) => value.toLowerCase() === "yes") ?? false;
}

/** What a Job waits for that may have run before the branch was lost. */
export function statusLostBecause(branch: string): string {
  return `what branch ${branch} said of this Job was lost, or it was deleted long ago, and it may have run before; if it may start without its former state, push a commit with the trailer "${REBUILD_TRAILER}: yes"`;
}

/** Whether a Job that no record speaks of may have run before the branch was lost. */
export type Past =
  | { readonly kind: "none" }
  | { readonly kind: "possible" }
  /** Its directories were not listed yet; the next pass knows. */
  | { readonly kind: "looking" }
  | { readonly kind: "unseen"; readonly because: string };

/**
 * The proof of a first run, for one Job: every cluster of its zone answers, none lists a Flink job of it, and no directory holds what one
 * left. For Jobs that were not declared, or not readable, when the branch was lost, and so could not be marked.
 */
export function pastOf(lineage: string, zone: string, clusters: readonly ClusterSeen[]): Past {
  let isLooking = false;
  for (const cluster of clusters) {
    if (cluster.zone !== zone) continue;
    if (cluster.kind === "unreachable") return { kind: "unseen", because: cluster.because };
    if ([...cluster.jobs.keys()].some((id) => id.startsWith(lineage))) return { kind: "possible" };
    const left = cluster.restorePoints.get(lineage);
    if (left === undefined) isLooking = true;
    else if (left.kind === "cannot-tell" || left.entries.length > 0) return { kind: "possible" };
  }
  return isLooking ? { kind: "looking" } : { kind: "none" };
}

/**
 * Whether something shows that a Job ran before which no record speaks of: the status branch was set back while no daemon ran, or the Job's file was
 * removed. What ended without a checkpoint left nothing to lose. Where nobody can look there is nothing to show; that holds no new Job back.
 */
export function hasLeftTraces(lineage: string, zone: string, clusters: readonly ClusterSeen[]): boolean {
  return clusters.some((cluster) => {
    if (cluster.zone !== zone || cluster.kind === "unreachable") return false;
    const ended = [...cluster.jobs.values()].filter(({ flinkJobId }) => flinkJobId.startsWith(lineage));
    if (ended.some(({ detail }) => (detail?.checkpoints.completed ?? 0) > 0)) return true;
    const left = cluster.restorePoints.get(lineage);
    return left?.kind === "listed" && left.entries.length > 0;
  });
}

function findEvidence({ clusters, instance, traces }: EstablishInput): string | undefined {
  for (const cluster of clusters) {
    if (cluster.kind !== "reachable") continue;
    const job = [...cluster.jobs.keys()].find((id) => isOurs(id, instance));
    if (job !== undefined) return `cluster ${cluster.name} lists job ${job} of instance ${instance}`;
  }
  for (const { cluster, found } of traces) {
    if (found.kind === "found") return `${found.example} was left by instance ${instance}`;
    if (found.kind === "cannot-tell")
      return `whether cluster ${cluster} holds checkpoints of instance ${instance} cannot be told: ${found.because}`;
  }
  return undefined;
}

function lostBecause({ branch }: EstablishInput, evidence: string): string {
  return `branch ${branch} does not exist although ${evidence}; running jobs are adopted, others wait for a commit with the trailer "${REBUILD_TRAILER}: yes"`;
}
