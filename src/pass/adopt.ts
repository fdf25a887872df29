import { clusterRef, type FlinkJobSeen, type ReachableCluster } from "../flink/cluster-seen.ts";
import type { JobManifest } from "../model/manifest.ts";
import type { JobRecord } from "../model/status.ts";
import type { ProgramForJob } from "./secrets-for-job.ts";
import type { DesiredJob } from "./desired.ts";

interface Adoption {
  readonly job: DesiredJob;
  readonly manifest: JobManifest;
  readonly commit: string;
  readonly cluster: ReachableCluster;
  readonly seen: FlinkJobSeen;
  readonly artifact: ProgramForJob;
  /** The highest that is known of: it need not be the one that runs. */
  readonly attempt: number;
}

/**
 * The record of a job that runs although the status branch knows nothing of it. Its id proves whose it is. Whether the declared spec
 * is the one it runs with is told by the digits in the id: where they differ, the record's spec is not the accepted one, and every
 * reader of it has to ask `isSpecOf` first.
 */
export function adoptedRecord({ job, manifest, commit, cluster, seen, artifact, attempt }: Adoption): JobRecord {
  const { path, line, blob } = manifest.source;
  const parallelism = seen.detail?.parallelism;
  return {
    kind: "Job",
    id: job.id,
    labels: manifest.labels,
    annotations: manifest.annotations,
    spec: manifest.spec,
    status: {
      phase: "Ready",
      flinkJobState: "",
      run: 1,
      attempt,
      flinkJobId: seen.flinkJobId,
      cluster: clusterRef(cluster),
      flinkVersion: cluster.flinkVersion,
      requestedRpus: parallelism ?? manifest.spec.rpus,
      ...(parallelism === undefined ? {} : { parallelism }),
      source: { path, line, commit, blob },
      ...(artifact.kind === "ready" ? { artifact: artifact.frozen } : {}),
      conditions: [],
      history: job.record?.status.history ?? [],
    },
  };
}
