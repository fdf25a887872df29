import type { ReachableCluster } from "../flink/cluster-seen.ts";
import { majorMinorOf } from "../flink/cluster-version.ts";
import type { JobSpec } from "../model/manifest.ts";
import { buildFlinkConfiguration } from "../model/options.ts";
import type { StartIntent, StartOperation } from "../model/status.ts";
import type { DesiredJob } from "./desired.ts";
import type { ProgramForJob } from "./secrets-for-job.ts";
import type { Submission } from "./submissions.ts";

/** What is sent to Flink for an announced start: options with their defaults, in the words of that cluster's version. */
export function buildSubmission(
  job: Pick<DesiredJob, "key" | "id">,
  spec: JobSpec,
  operation: StartIntent & Pick<StartOperation, "restoreFrom">,
  { frozen, secrets }: Pick<ProgramForJob & { readonly kind: "ready" }, "frozen" | "secrets">,
  cluster: ReachableCluster,
): Submission {
  const { entryClass } = frozen.jarOptions;
  if (entryClass === undefined) throw new Error(`the artifact of ${job.key} was frozen without its entry class`);
  return {
    key: job.key,
    flinkJobId: operation.flinkJobId,
    zone: job.id.zone,
    cluster: operation.cluster.name,
    artifactSha256: frozen.sha256,
    entryClass,
    mainArgs: frozen.jarOptions.mainArgs ?? [],
    parallelism: operation.rpus,
    configuration: buildFlinkConfiguration(spec.configuration, majorMinorOf(cluster.flinkVersion) ?? spec.flinkVersion),
    secrets,
    ...(operation.restoreFrom === undefined ? {} : { restoreFrom: operation.restoreFrom }),
    allowNonRestoredState: spec.initialState?.allowNonRestoredState ?? false,
  };
}
