import type { Cluster } from "./cluster.ts";
import { isTerminal } from "./responses.ts";

/** What the cluster says of one job right now. */
export type JobLook =
  | { readonly kind: "live"; readonly state: string }
  | { readonly kind: "ended"; readonly state: string }
  /** The cluster answers and does not know the job. */
  | { readonly kind: "absent" };

/** The list of jobs is never out of a cache, unlike `/jobs/:id`; a job counts as absent when both do not know it. Throws when it cannot be told. */
export async function lookAtJob(cluster: Cluster, flinkJobId: string, signal: AbortSignal): Promise<JobLook> {
  const listed = (await cluster.client.readJobs(signal)).find((job) => job.flinkJobId === flinkJobId);
  const job = listed ?? (await cluster.client.readJob(flinkJobId, signal));
  if (job === undefined) return { kind: "absent" };
  return { kind: isTerminal(job.state) ? "ended" : "live", state: job.state };
}
