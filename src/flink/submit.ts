import { isAbort, messageOf } from "../common/errors.ts";
import { oneLine } from "../common/text.ts";
import type { Reason } from "../model/reasons.ts";
import type { Cluster } from "./cluster.ts";
import { FlinkAnswerError, FlinkRejectedError, FlinkUnreachableError } from "./errors.ts";
import type { JarFile } from "./multipart.ts";
import { isTerminal } from "./responses.ts";
import type { RejectionKind } from "./root-cause.ts";
import type { RunOptions } from "./run-request.ts";
import type { Uploads } from "./uploads.ts";

/** Nearly always what the condition will say. */
export type RefusalReason = Reason | typeof JOB_ID_SPENT;

/** How a submission ended, as far as it can be told now. Only `accepted` and `refused` are certain. */
export type SubmitOutcome =
  | { readonly kind: "accepted" }
  /** Nothing runs under the id. `curable`: trying again can help although nothing is changed. */
  | { readonly kind: "refused"; readonly reason: RefusalReason; readonly because: string; readonly curable: boolean }
  | { readonly kind: "unknown"; readonly because: string };

/** The reason of a refusal that is none of Flink's: no connection came about, so it was not asked. */
export const CLUSTER_UNREACHABLE = "ClusterUnreachable";
/** The cluster is well and takes no jars: `web.submit.enable: false`, which leaves out everything below /jars. */
export const SUBMISSION_DISABLED = "SubmissionDisabled";
const NO_JARS = "the cluster does not accept jars: set web.submit.enable to true in its Flink configuration";
/** The reason of a refusal that proves the opposite of most: something ran under the id once. */
export const JOB_ID_SPENT = "JobIdSpent";

const REASON_OF: Readonly<Record<RejectionKind, RefusalReason>> = {
  "entry-class-not-found": "EntryClassMissing",
  "no-main": "EntryClassMissing",
  "main-threw": "ProgramFailed",
  "duplicate-job": JOB_ID_SPENT,
  "no-jobs": "ProgramStartsNoJob",
  "bad-option": "BadOption",
  "jar-missing": "JarMissing",
  "bad-request": "SubmissionRefused",
  "not-a-jar": "NotAJar",
  "savepoint-missing": "RestorePointMissing",
  "not-enough-slots": "NotEnoughSlots",
  "state-does-not-fit": "StateDoesNotFit",
  other: "SubmissionRefused",
};

/**
 * Uploads the jar if need be and submits the job under its announced id. Looks at the id before and after: a job that is there already
 * is the answer, whatever the call said. Never throws but for `signal`.
 */
export async function submitJob(
  cluster: Cluster,
  uploads: Uploads,
  jar: JarFile,
  options: RunOptions,
  incarnation: string,
  signal: AbortSignal,
): Promise<SubmitOutcome> {
  try {
    if (await isThere(cluster, options.flinkJobId, signal)) return { kind: "accepted" };
    return await uploadAndRun(cluster, uploads, jar, options, incarnation, signal);
  } catch (error) {
    if (isAbort(error, signal)) throw error;
    return settle(cluster, options.flinkJobId, error, signal);
  }
}

async function uploadAndRun(
  cluster: Cluster,
  uploads: Uploads,
  jar: JarFile,
  options: RunOptions,
  incarnation: string,
  signal: AbortSignal,
): Promise<SubmitOutcome> {
  try {
    await cluster.client.runJar(await uploads.ensure(jar, incarnation, signal), options, signal);
  } catch (error) {
    if (!(error instanceof FlinkRejectedError) || error.kind !== "jar-missing") throw error;
    // Somebody deleted the jar, or another JobManager answers than the one that took it.
    uploads.forget(jar.fileName);
    await cluster.client.runJar(await uploads.ensure(jar, incarnation, signal), options, signal);
  }
  return lookAfterwards(cluster, options.flinkJobId, signal);
}

/** Flink took the job, so whatever a look shows or how it fails, it is not refused any more. */
async function lookAfterwards(cluster: Cluster, flinkJobId: string, signal: AbortSignal): Promise<SubmitOutcome> {
  try {
    if (await isThere(cluster, flinkJobId, signal)) return { kind: "accepted" };
    return { kind: "unknown", because: "Flink said that it took the job and does not know it" };
  } catch (error) {
    if (!isFlinkError(error)) throw error;
    return { kind: "unknown", because: `Flink said that it took the job, and cannot be asked for it: ${describe(error)}` };
  }
}

/** After any failure the job may run all the same, so the cluster is asked; only when it answers is anything certain. */
async function settle(cluster: Cluster, flinkJobId: string, failure: unknown, signal: AbortSignal): Promise<SubmitOutcome> {
  const because = describe(failure);
  if (failure instanceof FlinkUnreachableError && failure.outcome === "not-sent")
    return { kind: "refused", reason: CLUSTER_UNREACHABLE, because, curable: true };
  try {
    const job = await cluster.client.readJob(flinkJobId, signal);
    if (job !== undefined && !isTerminal(job.state)) return { kind: "accepted" };
    if (!(failure instanceof FlinkRejectedError)) return job === undefined ? { kind: "unknown", because } : { kind: "accepted" };
    // A time limit inside of Flink is a 500 as well, and then the job may yet come.
    if (failure.kind === "other" && failure.data.status >= 500 && failure.data.endpoint.endsWith("/run"))
      return { kind: "unknown", because };
    if (isSwitchedOff(failure)) return { kind: "refused", reason: SUBMISSION_DISABLED, because: NO_JARS, curable: true };
    return { kind: "refused", reason: REASON_OF[failure.kind], because, curable: failure.retry === "next-pass" };
  } catch (error) {
    if (isAbort(error, signal)) throw error;
    if (!isFlinkError(error)) throw error;
    return { kind: "unknown", because };
  }
}

function isSwitchedOff({ data, kind }: FlinkRejectedError): boolean {
  return data.status === 404 && kind === "other" && / \/jars(?:\/|$)/.test(data.endpoint);
}

async function isThere(cluster: Cluster, flinkJobId: string, signal: AbortSignal): Promise<boolean> {
  return (await cluster.client.readJob(flinkJobId, signal)) !== undefined;
}

function isFlinkError(error: unknown): boolean {
  return error instanceof FlinkUnreachableError || error instanceof FlinkAnswerError || error instanceof FlinkRejectedError;
}

function describe(failure: unknown): string {
  return oneLine(failure instanceof FlinkRejectedError ? failure.line : messageOf(failure), 400);
}
