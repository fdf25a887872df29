import type { JobDecision } from "./decision.ts";
import { decideAccepted } from "./decide-accepted.ts";
import { bury, decideDeleted } from "./decide-deleted.ts";
import { decideDuplicate } from "./decide-duplicate.ts";
import { decideFirstStart } from "./decide-start.ts";
import { continueOperation } from "./continue-operation.ts";
import type { DesiredJob } from "./desired.ts";
import { head, leave, started, wait, type JobContext } from "./job-context.ts";

/** The next step of one Job. First match; one step, the next pass looks and decides again. */
export function decideJob(job: DesiredJob, context: JobContext): JobDecision {
  if (job.recordProblem !== undefined) return leave(job, `its record cannot be understood: ${job.recordProblem}`);
  const { record } = job;
  if (record?.status.operation !== undefined) return continueOperation(job, record, record.status.operation, context);
  const twice = record === undefined ? undefined : decideDuplicate(job, record, context);
  if (twice !== undefined) return twice;
  if (record?.status.deleted !== undefined) return decideDeleted(job, record, record.status.deleted, context);
  if (record?.status.flinkJobId !== undefined) return decideAccepted(job, record, record.status.flinkJobId, context);
  if (job.declared.kind !== "declared" && record !== undefined && context.statusLost !== undefined) {
    return wait(job, started("StatusLost"), context.statusLost); // or the record would lose the mark that holds its start
  }
  if (job.declared.kind === "broken") return leave(job, "its manifest has problems, so nothing is done with it");
  if (job.declared.kind === "absent") return decideForgotten(job, context);
  return decideFirstStart(job, job.declared.manifest, context);
}

/** Nothing of it ever ran, so there is nothing to stop and nothing to keep. */
function decideForgotten(job: DesiredJob, context: JobContext): JobDecision {
  if (context.deletion.kind === "held")
    return leave(job, context.deletion.because, { condition: "Deleted", reason: context.deletion.reason });
  const because = "its manifest is gone and it never ran";
  // The numbers of its attempts are never used again.
  if ((job.record?.status.attempt ?? 0) > 0) return bury(job, undefined, because);
  return { ...head(job), kind: "forget", because };
}
