import { sha256Hex } from "../common/hash.ts";
import { formatTime } from "../common/clock.ts";
import { countOf } from "../common/text.ts";
import type { PolicyConfig } from "../config/config.ts";
import { clusterRef, hasEnded, type ClusterSeen } from "../flink/cluster-seen.ts";
import { byAge, type RestorePointEntry } from "../flink/restore-directories.ts";
import { attemptOf } from "../model/flink-job-id.ts";
import type { ResourceKey } from "../model/resource.ts";
import type { JobRecord, SavepointOperation } from "../model/status.ts";
import type { DisposalDecision, JobDecision, SavepointWork } from "./decision.ts";
import type { Desired, DesiredJob } from "./desired.ts";
import { isPausedByHand, lineagePrefix } from "./job-context.ts";
import { findJob, liveIds, type JobSeen, type Observed } from "./observed.ts";
import { findNeededPlaces, isNeeded } from "./restore-point-users.ts";
import { epochOf } from "./submissions.ts";

/** So many are under way at a time, and so many Jobs' directories are listed for it in one pass. */
const AT_ONCE = 3;
/** Then it is left until the next attempt, or the next daemon. */
const MAX_FAILURES = 3;

export interface TidyingInput {
  readonly desired: Desired;
  readonly policy: Pick<PolicyConfig, "paused" | "restorePoints">;
  /** The clusters as the pass before saw them. */
  readonly lastSeen: readonly ClusterSeen[];
  /** Flink job ids of the attempts before which nothing superfluous is left, as far as this process knows. */
  readonly tidied: ReadonlySet<string>;
  /** Why something may be needed that nobody can see now: a document that cannot be read, a status branch that was lost. */
  readonly held: string | undefined;
}

/**
 * The Jobs whose directories are to be listed for superfluous restore points: those whose attempt has completed a checkpoint since they
 * were last tidied. A few at a time, for a list costs calls.
 */
export function chooseTidying(input: TidyingInput): ReadonlySet<ResourceKey> {
  const { desired, policy, lastSeen, tidied } = input;
  if (policy.paused || !policy.restorePoints.dispose || whyDisposalsWait(desired, input.held) !== undefined) return new Set();
  const isWhole = (zone: string): boolean => !lastSeen.some((cluster) => cluster.zone === zone && cluster.kind === "unreachable");
  const due = desired.jobs.filter((job) => job.record !== undefined && isDue(job, job.record, tidied) && isWhole(job.id.zone));
  return new Set(due.slice(0, AT_ONCE).map(({ key }) => key));
}

function isDue(job: DesiredJob, { status }: JobRecord, tidied: ReadonlySet<string>): boolean {
  if (job.declared.kind !== "declared" || isPausedByHand(job)) return false;
  if (status.operation !== undefined || status.disposal !== undefined) return false;
  if (status.deleted !== undefined || status.suspended === true || status.finalized !== undefined) return false;
  const { flinkJobId, checkpointed, attempt } = status;
  return attempt > 1 && flinkJobId !== undefined && checkpointed === flinkJobId && !tidied.has(flinkJobId);
}

/** One thing that nobody can read may name any restore point. */
export function whyDisposalsWait({ jobs, savepoints }: Desired, held: string | undefined): string | undefined {
  if (held !== undefined) return held;
  const dark = [...jobs, ...savepoints].find(
    ({ declared, recordProblem }) => declared.kind === "broken" || recordProblem !== undefined,
  );
  return dark === undefined ? undefined : `what ${dark.id.kind} ${dark.id.name} needs cannot be read`;
}

export interface DisposalsInput {
  readonly instance: string;
  readonly policy: Pick<PolicyConfig, "restorePoints">;
  readonly desired: Desired;
  readonly observed: Observed;
  /** A Job that makes a step in this pass is left alone. */
  readonly jobs: readonly JobDecision[];
  readonly tidying: ReadonlySet<ResourceKey>;
  readonly now: number;
}

/** What becomes of restore points that nothing needs any more. It never stands in the way of anything else, and may fail. Pure. */
export function decideDisposals(input: DisposalsInput): readonly DisposalDecision[] {
  const decisions: DisposalDecision[] = [];
  const places = findNeededPlaces(input.desired, input.observed);
  let room = AT_ONCE - input.desired.jobs.filter((job) => isUnderWay(job, input.observed)).length;
  for (const [index, job] of input.desired.jobs.entries()) {
    const { record } = job;
    if (record?.status.disposal !== undefined) decisions.push(goOn(job, record.status.disposal, places, input));
    else if (record !== undefined && room > 0 && input.tidying.has(job.key) && input.jobs[index]?.kind === "leave") {
      const decision = begin(job, record, places, input);
      if (decision?.kind === "announce") room -= 1;
      if (decision !== undefined) decisions.push(decision);
    }
  }
  return decisions;
}

function isUnderWay({ record }: DesiredJob, { steps }: Observed): boolean {
  const disposal = record?.status.disposal;
  return disposal !== undefined && steps.get(disposal.triggerId)?.kind === "under-way";
}

/** Undefined while it cannot be told yet. */
function begin(
  job: DesiredJob,
  record: JobRecord,
  places: readonly string[],
  input: DisposalsInput,
): DisposalDecision | undefined {
  const { flinkJobId, cluster } = record.status;
  if (flinkJobId === undefined || cluster === undefined) return undefined;
  const seen = findJob(input.observed.clusters, job.id.zone, cluster, flinkJobId);
  if (seen.kind !== "listed" || hasEnded(seen.job)) return undefined;
  const listed = seen.cluster.restorePoints.get(lineagePrefix(input.instance, job.id));
  if (listed === undefined || input.observed.clusters.some(({ zone, kind }) => zone === job.id.zone && kind === "unreachable"))
    return undefined;
  if (listed.kind === "cannot-tell") return nothingLeft(job, `its restore points cannot be listed: ${listed.because}`);
  const hasOwn = listed.entries.some((entry) => entry.kind === "Checkpoint" && entry.flinkJobId === flinkJobId);
  if (!hasOwn)
    return nothingLeft(job, "its own checkpoint does not lie where it is looked for, so nothing counts as superfluous");
  const [oldest] = findSuperfluous(record, listed.entries, places, input);
  if (oldest === undefined) return nothingLeft(job, "nothing that it left is superfluous");
  const { keep } = input.policy.restorePoints;
  const because = `${countOf(keep, "newer restore point")} of it ${keep === 1 ? "is" : "are"} there, and nothing needs ${oldest.uri} any more`;
  return {
    ...head(job),
    kind: "announce",
    because,
    work: { kind: "savepoint", operation: operationOf(job, oldest, seen, input.now) },
  };
}

function operationOf(
  job: DesiredJob,
  { flinkJobId, uri }: RestorePointEntry,
  { cluster }: JobSeen & { readonly kind: "listed" },
  now: number,
): SavepointOperation {
  return {
    kind: "dispose",
    triggerId: sha256Hex(`${job.key} dispose ${uri} ${now}`).slice(0, 32),
    cluster: clusterRef(cluster),
    flinkJobId,
    uri,
    announcedAt: formatTime(now),
  };
}

/** What goes only as a whole: a savepoint, or all checkpoints of one attempt, which may share files with each other. */
type Unit = readonly [RestorePointEntry, ...RestorePointEntry[]];

/**
 * Oldest first. Of savepoints only those count that the record says we took for the Job itself; others belong to a Savepoint or to
 * somebody else. Checkpoints count once for each attempt.
 */
function findSuperfluous(
  { status }: JobRecord,
  entries: readonly RestorePointEntry[],
  places: readonly string[],
  { observed, policy }: DisposalsInput,
): readonly RestorePointEntry[] {
  const ours = new Set(status.savepoints?.filter(({ reason }) => reason !== "Drain").map(({ uri }) => uri));
  const live = liveIds(observed);
  const isDead = ({ flinkJobId }: RestorePointEntry): boolean =>
    !live.has(flinkJobId) && flinkJobId !== status.flinkJobId && attemptOf(flinkJobId) < attemptOf(status.flinkJobId ?? "");
  const known = entries.filter(({ kind, uri }) => kind === "Checkpoint" || ours.has(uri));
  const newestFirst = unitsOf(known).toSorted((a, b) => byAge(b.at(-1)!, a.at(-1)!)); // no unit is empty
  return newestFirst
    .slice(policy.restorePoints.keep)
    .filter((unit) => unit.every((entry) => isDead(entry) && !isNeeded(entry.uri, places)))
    .toReversed()
    .flat();
}

function unitsOf(entries: readonly RestorePointEntry[]): readonly Unit[] {
  const sorted = entries.toSorted(byAge);
  const groups = Map.groupBy(sorted, (entry) => (entry.kind === "Checkpoint" ? entry.flinkJobId : entry.uri));
  return [...groups.values()] as unknown as readonly Unit[]; // no group of Map.groupBy is empty
}

/** Asking again is harmless, and so is giving up: at worst some files stay. */
function goOn(
  job: DesiredJob,
  operation: SavepointOperation,
  places: readonly string[],
  { observed, now }: DisposalsInput,
): DisposalDecision {
  const known = observed.steps.get(operation.triggerId);
  const step = known?.announcedAt === epochOf(operation) ? known : undefined;
  const { uri } = operation;
  if (step?.kind === "under-way") return { ...head(job), kind: "await", because: `${uri} is being disposed of` };
  if (step?.kind === "disposed")
    return { ...head(job), kind: "disposed", because: `nothing needed ${uri} any more, and it was disposed of` };
  const failed = step?.kind === "not-done" || step?.kind === "unknown" ? step : undefined;
  if (failed !== undefined && failed.failures >= MAX_FAILURES)
    return abandon(job, `${uri} could not be disposed of, and stays until the next attempt: ${failed.because}`, true);
  if (failed !== undefined && now < failed.retryAtMs)
    return { ...head(job), kind: "wait", because: `disposing of ${uri} is tried again: ${failed.because}` };
  const seen = findJob(observed.clusters, job.id.zone, operation.cluster, operation.flinkJobId);
  if (seen.kind === "unseen") return abandon(job, `${uri} is not disposed of now: ${seen.because}`, false);
  if (isNeeded(uri, places)) return abandon(job, `${uri} is needed again`, false);
  const work: SavepointWork = { kind: "savepoint", operation };
  return { ...head(job), kind: "resume", because: `disposing of ${uri} was announced and is gone on with`, work };
}

function nothingLeft(job: DesiredJob, because: string): DisposalDecision {
  return { ...head(job), kind: "tidied", because };
}

function abandon(job: DesiredJob, because: string, isTidied: boolean): DisposalDecision {
  return { ...head(job), kind: "abandon", because, isTidied };
}

function head({ key, id }: DesiredJob): Pick<DesiredJob, "key" | "id"> {
  return { key, id };
}
