import { JOB_ID_SPENT, type RefusalReason } from "../flink/submit.ts";
import type { RestorePoint } from "../model/status.ts";
import type { ResourceKey } from "../model/resource.ts";
import type { SecretsOfJob } from "./secrets-for-job.ts";

/** Everything that one submission needs. Its id and cluster stand in an operation that was pushed before. */
export interface Submission {
  readonly key: ResourceKey;
  readonly flinkJobId: string;
  readonly zone: string;
  readonly cluster: string;
  readonly artifactSha256: string;
  readonly entryClass: string;
  readonly mainArgs: readonly string[];
  readonly parallelism: number;
  readonly configuration: Readonly<Record<string, string>>;
  /** What `${secret:NAME}` in arguments and options stands for; put in at the very call. */
  readonly secrets: SecretsOfJob;
  readonly restoreFrom?: RestorePoint;
  readonly allowNonRestoredState: boolean;
}

interface Tried {
  readonly because: string;
  readonly failures: number;
  readonly retryAtMs: number;
}

/** What is known in this process of a submission that was made. */
export type SubmissionSeen =
  | { readonly kind: "under-way" }
  | { readonly kind: "accepted"; readonly acceptedAtMs: number }
  /**
   * Flink said no, and nothing runs under this id. Until `doubtUntilMs` the `main` of an earlier try may still be at work under it, and when
   * another daemon has taken the start over since its `epoch` that one's may at any time.
   */
  | ({
      readonly kind: "refused";
      readonly reason: RefusalReason;
      readonly doubtUntilMs: number | undefined;
      readonly epoch: string;
    } & Tried)
  /** The answer was lost: the job may yet appear, since the program's `main` may still be at work. */
  | ({ readonly kind: "unknown" } & Tried);

/** What is known in this process of a stop, a savepoint, a cancellation or a rescale that was asked for; `announcedAt` is the epoch of its operation. */
export type StepSeen = { readonly announcedAt: string } & (
  | { readonly kind: "under-way" }
  /** Stopped, and this savepoint is complete. */
  | { readonly kind: "stopped"; readonly uri: string }
  /** A savepoint was taken while the job goes on. */
  | { readonly kind: "taken"; readonly uri: string }
  | { readonly kind: "disposed" }
  | { readonly kind: "cancelled" }
  | { readonly kind: "rescale-asked" }
  /** Nothing happened to the job. */
  | ({ readonly kind: "not-done" } & Tried)
  /** This process did not ask Flink; whether a process before it did is not known. */
  | ({ readonly kind: "held" } & Tried)
  /** The job ended another way, or is not there any more; no savepoint of this step exists. */
  | { readonly kind: "ended"; readonly because: string }
  | ({ readonly kind: "unknown" } & Tried)
);

interface Epochal {
  readonly announcedAt: string;
  readonly takenOverAt?: string;
}

/**
 * Tells operations on one Flink job apart, and who goes on with one: what was learnt before another daemon took it over is no answer to what that
 * one asks for.
 */
export function epochOf({ announcedAt, takenOverAt }: Epochal): string {
  return takenOverAt ?? announcedAt;
}

/** A program's `main` that takes longer is none that anybody waits for. */
export const DOUBT_MS = 600_000;
/** Until then whoever had an operation has learnt that another daemon took it over, and has given up what he did not ask for yet. */
const HANDED_OVER_MS = 30_000;

/**
 * What is known of a start as it is announced now. What another daemon, which took it over, has called for since then is not known, so a refusal from
 * before says nothing; but that its id is spent stays true.
 */
export function submissionOf(
  submissions: ReadonlyMap<string, SubmissionSeen>,
  flinkJobId: string,
  operation: Epochal,
): SubmissionSeen | undefined {
  const seen = submissions.get(flinkJobId);
  return seen?.kind === "refused" && seen.reason !== JOB_ID_SPENT && seen.epoch !== epochOf(operation) ? undefined : seen;
}

/** Whether an earlier try of this start may still be at work, so that a refusal does not say that nothing runs. */
export function isInDoubt(
  { takenOverAt }: Epochal,
  { doubtUntilMs }: { readonly doubtUntilMs: number | undefined },
  now: number,
): boolean {
  const tooYoung = takenOverAt !== undefined && now < Date.parse(takenOverAt) + DOUBT_MS;
  return tooYoung || now < (doubtUntilMs ?? 0);
}

/** Whether what another daemon asked for may still arrive at Flink. */
export function isBeingHandedOver({ takenOverAt }: Epochal, now: number): boolean {
  return takenOverAt !== undefined && now < Date.parse(takenOverAt) + HANDED_OVER_MS;
}
