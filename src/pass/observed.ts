import type { ArtifactSeen } from "../artifacts/artifact-store.ts";
import { hasEnded, type ClusterSeen, type FlinkJobSeen, type ReachableCluster } from "../flink/cluster-seen.ts";
import type { ResourceKey } from "../model/resource.ts";
import type { ClusterRef } from "../model/status.ts";
import type { SecretsSeen } from "./read-secrets.ts";
import type { StepSeen, SubmissionSeen } from "./submissions.ts";

/** Everything outside of Git that one pass decides by, as it was seen; nothing in it acts. */
export interface Observed {
  readonly clusters: readonly ClusterSeen[];
  readonly artifacts: ReadonlyMap<ResourceKey, ArtifactSeen>;
  /** What the arguments and options of Jobs name. */
  readonly secrets: SecretsSeen;
  /** What came of our own submissions, by Flink job id. Lost with the daemon: then only the clusters tell. */
  readonly submissions: ReadonlyMap<string, SubmissionSeen>;
  /** What came of our own stops, cancellations and rescales, by the Flink job id that they were for. Lost with the daemon likewise. */
  readonly steps: ReadonlyMap<string, StepSeen>;
}

/** One Flink job id as the clusters show it. "Cannot see" is never "is gone". */
export type JobSeen =
  | { readonly kind: "unseen"; readonly because: string; readonly sinceMs: number | undefined }
  | { readonly kind: "absent"; readonly cluster: ReachableCluster }
  | { readonly kind: "listed"; readonly cluster: ReachableCluster; readonly job: FlinkJobSeen };

/** Looks only at the recorded cluster: a job lives where its start was announced. */
export function findJob(clusters: readonly ClusterSeen[], zone: string, ref: ClusterRef, flinkJobId: string): JobSeen {
  const cluster = clusters.find((seen) => seen.zone === zone && seen.name === ref.name);
  if (cluster === undefined) return unseen(`cluster ${ref.name} is no longer in the configuration of zone ${zone}`);
  if (cluster.url !== ref.url)
    return unseen(`cluster ${ref.name} has another url than the one that the job was started on, ${ref.url}`);
  if (cluster.kind === "unreachable") return { kind: "unseen", because: cluster.because, sinceMs: cluster.sinceMs };
  const job = cluster.jobs.get(flinkJobId);
  return job === undefined ? { kind: "absent", cluster } : { kind: "listed", cluster, job };
}

/** The Flink job ids of all that lives on a cluster that can be seen, ours or not. */
export function liveIds({ clusters }: Pick<Observed, "clusters">): ReadonlySet<string> {
  const listed = clusters.flatMap((cluster) => (cluster.kind === "reachable" ? [...cluster.jobs.values()] : []));
  return new Set(listed.filter((job) => !hasEnded(job)).map(({ flinkJobId }) => flinkJobId));
}

function unseen(because: string): JobSeen {
  return { kind: "unseen", because, sinceMs: undefined };
}
