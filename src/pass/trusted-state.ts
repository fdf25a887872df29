import type { ReachableCluster } from "../flink/cluster-seen.ts";
import type { JobDecision } from "./decision.ts";
import type { Desired, DesiredJob } from "./desired.ts";
import { awaitOutcome, wait } from "./job-context.ts";
import type { Observed } from "./observed.ts";
import { chosenByHand } from "./restore-point.ts";
import { restored } from "./start-next.ts";

const REASON = "RestorePointNotProven";

/**
 * With `repository.verify`: a job starts from no state but what lies in its clusters' own directories, or what a verified manifest names. Where a
 * restore point lies is told by the status branch, which is not signed, and reading state runs code that the state chooses. Pure.
 */
export function withTrustedState(job: DesiredJob, decision: JobDecision, desired: Desired, observed: Observed): JobDecision {
  if ((decision.kind !== "announce" && decision.kind !== "resume") || decision.work.kind !== "start") return decision;
  const { operation } = decision.work;
  const uri = operation.restoreFrom?.uri;
  if (uri === undefined || isNamed(uri, job, desired) || isInDirectories(uri, job, observed)) return decision;
  const because =
    `it would start from ${uri}, which lies in no checkpoint or savepoint directory of its zone and which no signed manifest names; ` +
    "declare it as a Savepoint of the type External, or name it in the annotation penstock/restore-from";
  return decision.kind === "announce"
    ? wait(job, restored(REASON), because)
    : awaitOutcome(job, operation, restored(REASON), because);
}

function isNamed(uri: string, { id, declared, record }: DesiredJob, { savepoints }: Desired): boolean {
  const external = savepoints.some(
    (savepoint) =>
      savepoint.id.zone === id.zone &&
      savepoint.declared.kind === "declared" &&
      savepoint.declared.manifest.spec.type === "External" &&
      savepoint.declared.manifest.spec.uri === uri,
  );
  if (external || declared.kind !== "declared") return external;
  const byHand = chosenByHand(declared.manifest.annotations, record?.status.flinkJobId);
  return byHand?.kind === "from" && byHand.point.uri === uri;
}

function isInDirectories(uri: string, { id }: DesiredJob, { clusters }: Observed): boolean {
  return clusters
    .filter((cluster): cluster is ReachableCluster => cluster.kind === "reachable" && cluster.zone === id.zone)
    .flatMap(({ checkpointsDir, savepointsDir }) => [checkpointsDir, savepointsDir])
    .some((directory) => directory !== undefined && isBelow(uri, directory));
}

/** By the text alone, so a path that could lead out of the directory is not below it. */
export function isBelow(uri: string, directory: string): boolean {
  const [path, folder] = [plain(uri), `${plain(directory).replace(/\/+$/, "")}/`];
  return path.startsWith(folder) && !/(?:^|\/)\.{1,2}(?:\/|$)|%|\\/.test(path.slice(folder.length));
}

/** Flink writes `file:/tmp`, people `file:///tmp`. */
function plain(uri: string): string {
  return uri.replace(/^file:\/*/i, "file:/");
}
