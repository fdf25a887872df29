import { formatTime } from "../common/clock.ts";
import { oneLine } from "../common/text.ts";
import { clusterRef, hasEnded, isHealthy } from "../flink/cluster-seen.ts";
import { attemptOf } from "../model/flink-job-id.ts";
import type { JobRecord } from "../model/status.ts";
import { announceStop } from "./announce-stop.ts";
import type { JobDecision } from "./decision.ts";
import type { DesiredJob } from "./desired.ts";
import { isDown } from "./is-down.ts";
import { findLiveOfOurs, head, isPaused, leave, notYet, type JobContext, type LiveJob } from "./job-context.ts";
import { findJob } from "./observed.ts";

/**
 * Two live jobs of ours for one Job can only come of a record that was restored from a backup, or of a JobManager that was. The highest
 * attempt is kept and every other one is stopped with a savepoint, one at a time. Undefined when there is no other one.
 */
export function decideDuplicate(job: DesiredJob, record: JobRecord, context: JobContext): JobDecision | undefined {
  const { status } = record;
  const { flinkJobId, cluster } = status;
  if (flinkJobId === undefined || cluster === undefined || status.deleted !== undefined) return undefined;
  const isOwn = ({ cluster: where, job: seen }: LiveJob): boolean =>
    seen.flinkJobId === flinkJobId && where.name === cluster.name && where.url === cluster.url;
  const others = findLiveOfOurs(job, context).filter((found) => !isOwn(found));
  const [highest, lowest] = [others[0], others.at(-1)];
  if (highest === undefined || lowest === undefined) return undefined;
  const what = describe(highest, flinkJobId);
  if (isPaused(job, context)) return leave(job, `${what}; it is paused, so neither is touched`, notYet("duplicate", "Paused"));
  const own = findJob(context.observed.clusters, job.id.zone, cluster, flinkJobId);
  if (own.kind === "unseen" && !isDown(status))
    return leave(
      job,
      `${what}, which cannot be seen, so neither is touched: ${own.because}`,
      notYet("duplicate", "ClusterUnreachable"),
    );
  const isLive = own.kind === "listed" && !hasEnded(own.job);
  const isNewer = attemptOf(highest.job.flinkJobId) - attemptOf(flinkJobId);
  if (isNewer > 0 || (isNewer === 0 && !isLive)) return follow(job, record, highest);
  return stopOther(job, record, lowest, context);
}

/** A higher attempt than the record's runs: the record is old, and goes on with what runs. */
export function follow(job: DesiredJob, record: JobRecord, { cluster, job: seen }: LiveJob): JobDecision {
  const { spec, status } = record;
  const attempt = attemptOf(seen.flinkJobId);
  const rpus = seen.detail?.parallelism || status.requestedRpus || spec.rpus;
  const because = `attempt ${attempt} of it runs on ${cluster.name} as ${seen.flinkJobId}, and the record names attempt ${status.attempt}: the highest one counts`;
  const settlement = {
    kind: "followed" as const,
    attempt,
    flinkJobId: seen.flinkJobId,
    cluster: clusterRef(cluster),
    flinkVersion: cluster.flinkVersion,
    rpus,
    startedAt: formatTime(seen.startedAtMs),
  };
  return { ...head(job), kind: "settle", because, settlement };
}

function stopOther(job: DesiredJob, record: JobRecord, other: LiveJob, context: JobContext): JobDecision {
  const because = `${describe(other, record.status.flinkJobId ?? "")}; the highest attempt is kept, and the other one is stopped with a savepoint`;
  const last = context.observed.steps.get(other.job.flinkJobId);
  if (last?.kind === "not-done" && context.now < last.retryAtMs)
    return leave(job, `${because}; tried again: ${last.because}`, notYet("duplicate", "SavepointFailed"));
  if (!isHealthy(other.job))
    return leave(
      job,
      `${because} as soon as all its tasks are running, for its state may be the one that counts; or cancel it by hand`,
      notYet("duplicate", "NotHealthy"),
    );
  return announceStop(job, record, { kind: "listed", ...other }, "duplicate", because, context);
}

function describe({ cluster, job }: LiveJob, flinkJobId: string): string {
  const name = oneLine(job.name, 100);
  return `a second Flink job of this Job runs: attempt ${attemptOf(job.flinkJobId)} on ${cluster.name} as ${job.flinkJobId} (${name}), beside the record's ${flinkJobId}`;
}
