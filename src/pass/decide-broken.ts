import { countOf } from "../common/text.ts";
import type { JobRecord } from "../model/status.ts";
import { isSpecOf } from "./acceptance.ts";
import type { JobDecision } from "./decision.ts";
import { failedDueAtMs } from "./decide-start.ts";
import type { DesiredJob } from "./desired.ts";
import { head, isMissedTwice, leave, lineagePrefix, lookAgain, overQuota, type JobContext } from "./job-context.ts";
import type { JobSeen } from "./observed.ts";
import { chooseRestorePoint, isGone, wayOut } from "./restore-point.ts";
import { restored, startNext } from "./start-next.ts";

/** Failed, cancelled by somebody else, or gone with its JobManager: it is brought back from its newest restore point, for ever. */
export function decideBroken(
  job: DesiredJob,
  record: JobRecord,
  flinkJobId: string,
  seen: JobSeen,
  rpus: number,
  context: JobContext,
): JobDecision {
  if (seen.kind === "unseen") return leave(job, seen.because);
  const { cluster } = seen;
  const lineage = lineagePrefix(context.instance, job.id);
  const listed = cluster.restorePoints.get(lineage);
  if (seen.kind === "absent") {
    if (!isMissedTwice(job, flinkJobId, context))
      return lookAgain(job, `cluster ${cluster.name} does not list it; looking again before anything is believed`);
    const sameProcess = cluster.highAvailability || cluster.incarnation === record.status.cluster?.incarnation;
    if (sameProcess) {
      // Flink forgets ended jobs after an hour. What it left tells how it ended: a retained checkpoint is only left by a cancelled or failed one.
      if (listed === undefined) return lookAgain(job, "it ended unseen; looking for what it left");
      if (listed.kind === "cannot-tell")
        return leave(job, `it ended unseen, and how cannot be told: ${listed.because}`, restored("RestorePointUnknown"));
      // One that was last seen failing, or cancelled by somebody, did not finish: it only had no checkpoint to leave.
      const wasFailing = record.status.flinkJobState === "Failing";
      if (!wasFailing && !listed.entries.some((entry) => entry.kind === "Checkpoint" && entry.flinkJobId === flinkJobId)) {
        return {
          ...head(job),
          kind: "settle",
          because: "it ended unseen and left no checkpoint, so it finished",
          settlement: { kind: "finished" },
        };
      }
    }
  }
  const why = whyBroken(seen, record);
  if (rpus === 0) {
    const because = `${why}; rpus 0 keeps it down, and it goes on from its newest restore point when rpus is raised`;
    return leave(job, because, { condition: "Suspended", reason: "WasDown" });
  }
  if (!isSpecOf(record))
    return leave(
      job,
      `${why}, and the spec that it ran with was lost with the status branch; put the manifest back as it was`,
      restored("SpecUnknown"),
    );
  const restarts = record.status.restarts ?? 0;
  if (restarts > 0 && record.status.startedAt !== undefined) {
    const dueAtMs = failedDueAtMs(flinkJobId, restarts, record.status.startedAt, context.now);
    if (context.now < dueAtMs)
      return leave(
        job,
        `${why}; the next attempt waits a while after ${countOf(restarts, "failed one")}`,
        restored("BackingOff"),
      );
  }
  const choice = chooseRestorePoint(record, seen, listed, context.disposing);
  if (choice.kind === "looking") return lookAgain(job, `${why}; looking for its newest restore point`);
  if (choice.kind === "wait") return leave(job, `${why}; ${choice.because}`, restored(choice.reason));
  const point = choice.kind === "from" ? choice.point : undefined;
  // Flink would only fail once more, and nobody would be told what can be done.
  if (point !== undefined && isGone(point.uri, lineage, cluster, listed))
    return leave(
      job,
      `${why}; what it would go on from, ${point.uri}, is gone; ${wayOut(record)}`,
      restored("RestorePointMissing"),
    );
  const how = point === undefined ? `begins anew, since ${choice.because}` : `goes on from ${point.uri}: ${choice.because}`;
  const from = { run: record.status.run, restoreFrom: point, isSticky: true };
  const startWith = (count: number): JobDecision => startNext(job, record, count, from, cluster, `${why}; it ${how}`, context);
  const requested = record.status.requestedRpus ?? rpus;
  if (rpus <= requested) return startWith(rpus);
  // More than it had is no reason to stay down: it comes back as it was, and is rescaled when there is room.
  const raised = overQuota(context, job, rpus) === undefined ? startWith(rpus) : undefined;
  return raised?.kind === "announce" ? raised : startWith(requested);
}

function whyBroken(seen: JobSeen, record: JobRecord): string {
  if (seen.kind === "listed") {
    const cause = seen.job.detail?.rootCause;
    return `Flink ended it as ${seen.job.state}${cause === undefined ? "" : ` (${cause})`}`;
  }
  return `it vanished from cluster ${record.status.cluster?.name ?? ""}`;
}
