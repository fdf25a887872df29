import PQueue from "p-queue";
import { ArtifactError } from "../artifacts/artifact-error.ts";
import type { ArtifactStore } from "../artifacts/artifact-store.ts";
import type { Clock } from "../common/clock.ts";
import { isAbort, messageOf } from "../common/errors.ts";
import type { Log } from "../common/log.ts";
import { type Observer, UNOBSERVED } from "../common/observer.ts";
import { retryDelayMs } from "../common/retry-delay.ts";
import { oneLine } from "../common/text.ts";
import type { Cluster } from "../flink/cluster.ts";
import type { ReachableCluster } from "../flink/cluster-seen.ts";
import { majorMinorOf } from "../flink/cluster-version.ts";
import type { JarFile } from "../flink/multipart.ts";
import { needsLauncher, type RunOptions } from "../flink/run-request.ts";
import type { ResourceId } from "../model/resource.ts";
import { CLUSTER_UNREACHABLE, submitJob, type SubmitOutcome } from "../flink/submit.ts";
import { Uploads } from "../flink/uploads.ts";
import type { Decisions, Work } from "./decision.ts";
import type { Observed } from "./observed.ts";
import { clusterKey } from "./place.ts";
import { revealSecrets } from "./secrets-for-job.ts";
import { takeStep, type StepOutcome, type StepWork } from "./take-step.ts";
import { DOUBT_MS, epochOf, type StepSeen, type Submission, type SubmissionSeen } from "./submissions.ts";
import { operationKey } from "./take-over.ts";

/** What takes longer than this gives its place in the cluster's queue to the next one, and goes on. */
const PLACE_HELD_MS = 10_000;
const SUBMISSIONS_AT_ONCE = 4;
const REFUSED_DELAY = { baseMs: 2000, maxMs: 300_000 };
const TIDY_AGAIN_MS = 900_000;
const STEP_DELAY = { baseMs: 5000, maxMs: 300_000 };
const UNKNOWN_DELAY = { baseMs: 10_000, maxMs: 300_000 };

export interface ActionsOptions {
  /** The daemon's: uploads whose names begin with it are ours. */
  readonly instance: string;
  readonly clusters: readonly Cluster[];
  readonly store: Pick<ArtifactStore, "fetch" | "inspect" | "retain" | "submittable">;
  readonly clock: Clock;
  readonly log: Log;
  /** Something ended, so that there may be a next step. */
  readonly wake: () => void;
  readonly observer?: Pick<Observer, "acted">;
}

interface Station {
  readonly cluster: Cluster;
  readonly uploads: Uploads;
  readonly queue: PQueue;
  /** What is to be removed there, and when that is looked at next. */
  readonly tidying: { needed: ReadonlySet<string>; dueAtMs: number; isUnderWay: boolean };
}

/**
 * Everything that a pass sets going and does not wait for. One queue a cluster, so that a hanging one blocks only itself. What came of
 * it is an input of later passes; it is lost with the process, and then the clusters tell.
 */
export class Actions {
  readonly #options: ActionsOptions;
  readonly #stations: ReadonlyMap<string, Station>;
  readonly #seen = new Map<string, SubmissionSeen>();
  readonly #steps = new Map<string, StepSeen>();
  readonly #abort = new AbortController();
  /** Steps that are under way, by what was announced. */
  readonly #underWay = new Map<string, { readonly work: StepWork; readonly abort: AbortController }>();

  constructor(options: ActionsOptions) {
    this.#options = options;
    this.#stations = new Map(options.clusters.map((cluster) => [clusterKey(cluster), buildStation(cluster, options.log)]));
  }

  /** What is known of the submissions of this process, by Flink job id. */
  see(): ReadonlyMap<string, SubmissionSeen> {
    return this.#seen;
  }

  /** What is known of the stops, cancellations and rescales of this process, by the Flink job id that they are for. */
  seeSteps(): ReadonlyMap<string, StepSeen> {
    return this.#steps;
  }

  /** Whether a call of ours is on its way. */
  isBusy(): boolean {
    return [...this.#seen.values(), ...this.#steps.values()].some(({ kind }) => kind === "under-way");
  }

  /** Downloads and uploads, with the digests of all jars that the status speaks of: they change nothing that runs, so they need no announcement and go on while one is pushed. */
  prepare(decisions: Decisions, observed: Observed, needed: ReadonlySet<string>): void {
    this.#options.store.retain(needed);
    for (const decision of decisions.artifacts) {
      if (decision.kind === "fetch") this.#options.store.fetch(decision.request);
      if (decision.kind === "inspect") this.#options.store.inspect(decision.request);
    }
    for (const { work } of worksOf(decisions)) {
      const submission = submissionOf(work);
      if (submission === undefined) continue;
      // A failed upload is tried again, and told, by the submission itself.
      this.#upload(submission, observed).catch((error: unknown) =>
        this.#options.log.debug({ err: error }, "early upload failed"),
      );
    }
  }

  /** Calls Flink for what was announced, and only for that. Returns at once; `see` and `seeSteps` tell how it went. */
  apply(decisions: Decisions, observed: Observed): void {
    for (const { id, because, work } of worksOf(decisions)) {
      if (work.kind === "start") this.#submit(work.submission, epochOf(work.operation), because, observed);
      else this.#take(id.zone, work, because, observed);
    }
  }

  /**
   * Removes uploads whose jar no resource speaks of any more: at the first look, and whenever one fell out of use. As little announced as
   * uploads are: what is missing is uploaded again.
   */
  tidy(needed: ReadonlySet<string>, observed: Observed): void {
    for (const seen of observed.clusters) {
      const station = this.#stations.get(clusterKey(seen));
      if (station === undefined || seen.kind !== "reachable" || !seen.webSubmit) continue;
      const { tidying } = station;
      if (![...tidying.needed].every((digest) => needed.has(digest))) tidying.dueAtMs = 0;
      tidying.needed = needed;
      if (tidying.isUnderWay || this.#options.clock.now() < tidying.dueAtMs || this.#abort.signal.aborted) continue;
      tidying.isUnderWay = true;
      void station.queue.add(async () => this.#tidy(station));
    }
  }

  /**
   * What nobody asks about any more goes. A step whose announcement stands on the branch no more is given up where it is: another daemon has
   * settled it, and what is not asked for yet must not be asked for now.
   */
  forgetAllBut(flinkJobIds: ReadonlySet<string>, announced?: ReadonlySet<string>): void {
    for (const [key, { work, abort }] of this.#underWay) {
      if (announced === undefined || announced.has(key)) continue;
      this.#underWay.delete(key);
      this.#steps.delete(stepKey(work.operation));
      abort.abort();
    }
    for (const known of [this.#seen, this.#steps]) {
      for (const [id, { kind }] of known) if (kind !== "under-way" && !flinkJobIds.has(id)) known.delete(id);
    }
  }

  /** Gives up waiting for answers; what was asked for may still happen, and the next daemon finds it announced. */
  async close(): Promise<void> {
    this.#abort.abort();
    await Promise.all([...this.#stations.values()].map(async ({ queue }) => queue.onIdle()));
  }

  /** Never rejects: what stays only costs room. */
  async #tidy({ uploads, tidying, cluster }: Station): Promise<void> {
    const { clock, instance, log } = this.#options;
    const nowMs = clock.now();
    tidying.dueAtMs = nowMs + TIDY_AGAIN_MS;
    try {
      const { young } = await uploads.removeUnused({ instance, needed: tidying.needed, nowMs }, this.#abort.signal);
      if (young === 0 && tidying.dueAtMs > 0) tidying.dueAtMs = Number.POSITIVE_INFINITY;
    } catch (error) {
      log.debug({ err: error, cluster: cluster.name }, "unused jars not removed; it is tried again");
    }
    tidying.isUnderWay = false;
  }

  /** A step on a live job. Not queued behind submissions: a stop must not wait for somebody's slow main(). */
  #take(zone: string, work: StepWork, because: string, observed: Observed): void {
    const { operation } = work;
    const { flinkJobId } = operation;
    const key = stepKey(operation);
    const station = this.#stationOf({ zone, cluster: operation.cluster.name });
    const before = this.#steps.get(key);
    const failures = before !== undefined && "failures" in before ? before.failures : 0;
    this.#steps.set(key, { announcedAt: epochOf(operation), kind: "under-way" });
    this.#underWay.set(operationKey(operation), { work, abort: new AbortController() });
    this.#options.log.info({ step: work.kind, flinkJobId, cluster: operation.cluster.name, because }, "acting");
    void this.#finish(station, work, failures + 1, because, observed);
  }

  async #finish(station: Station, work: StepWork, failures: number, because: string, observed: Observed): Promise<void> {
    const key = operationKey(work.operation);
    const own = this.#underWay.get(key)?.abort.signal ?? this.#abort.signal;
    const outcome = await this.#tryRun(station, work, observed, AbortSignal.any([own, this.#abort.signal]));
    if (this.#abort.signal.aborted || own.aborted) return;
    this.#underWay.delete(key);
    this.#rememberStep(work.operation, outcome, failures);
    this.#tell(station.cluster, work.operation.kind, outcome.kind);
    station.cluster.expire();
    // The savepoint is there: the next attempt starts from it at once, as it was announced.
    const next = work.kind === "stop" ? work.next : undefined;
    if (outcome.kind === "stopped" && next !== undefined) {
      const restoreFrom = { kind: "Savepoint", uri: outcome.uri } as const;
      this.#submit({ ...next, restoreFrom }, epochOf(work.operation), because, observed);
    }
    this.#options.wake();
  }

  async #tryRun(station: Station, work: StepWork, observed: Observed, signal: AbortSignal): Promise<StepOutcome> {
    const missing = work.kind === "stop" && work.next !== undefined ? await this.#whyNotUploaded(work.next, observed) : undefined;
    if (missing !== undefined) return { kind: "held", because: missing };
    try {
      return await takeStep(station.cluster, work, signal);
    } catch (error) {
      return { kind: "unknown", because: oneLine(messageOf(error), 300) };
    }
  }

  /** Nothing healthy is stopped on a hope: the jar that the next attempt needs has to lie with the JobManager before. */
  async #whyNotUploaded(next: Submission, observed: Observed): Promise<string | undefined> {
    try {
      await this.#upload(next, observed);
      return undefined;
    } catch (error) {
      return `it is not stopped before ${next.cluster} has the jar of its next attempt: ${oneLine(messageOf(error), 300)}`;
    }
  }

  #rememberStep(operation: Work["operation"], outcome: StepOutcome, failures: number): void {
    const { clock, log } = this.#options;
    const { flinkJobId } = operation;
    const announcedAt = epochOf(operation);
    const key = stepKey(operation);
    if (outcome.kind !== "not-done" && outcome.kind !== "unknown" && outcome.kind !== "held") {
      this.#steps.set(key, { announcedAt, ...outcome });
      return;
    }
    const delay = outcome.kind === "unknown" ? UNKNOWN_DELAY : STEP_DELAY;
    const retryAtMs = clock.now() + retryDelayMs(failures, delay, () => clock.random());
    this.#steps.set(key, { announcedAt, ...outcome, failures, retryAtMs });
    const isNews = outcome.kind !== "held" || failures === 1; // held for as long as it takes, and said once
    log[isNews ? "warn" : "debug"](
      { flinkJobId, because: outcome.because, outcome: outcome.kind },
      "step did not succeed; it is looked at again",
    );
  }

  #submit(submission: Submission, epoch: string, because: string, observed: Observed): void {
    const station = this.#stationOf(submission);
    const before = this.#seen.get(submission.flinkJobId);
    const target = targetOf(submission, observed);
    if (target === undefined) return;
    this.#seen.set(submission.flinkJobId, { kind: "under-way" });
    this.#options.log.info(
      { job: submission.key, flinkJobId: submission.flinkJobId, cluster: submission.cluster, because },
      "submitting",
    );
    const work = async (): Promise<void> => {
      const outcome = await this.#call(station, submission, target, before);
      this.#remember(submission, epoch, outcome, before);
    };
    void station.queue.add(async () => {
      const running = work().catch((error: unknown) => this.#rememberFailure(submission, epoch, error, before));
      await Promise.race([running, new Promise((resolve) => setTimeout(resolve, PLACE_HELD_MS).unref())]);
    });
  }

  async #call(
    station: Station,
    submission: Submission,
    target: ReachableCluster,
    before: SubmissionSeen | undefined,
  ): Promise<SubmitOutcome> {
    const { signal } = this.#abort;
    const jar = await this.#jarOf(submission, target).catch((error: unknown) => withoutJar(error, before));
    if ("kind" in jar) return jar;
    const revealed = revealSecrets(submission, majorMinorOf(target.flinkVersion) ?? target.flinkVersion);
    const options: RunOptions = {
      flinkVersion: target.flinkVersion,
      flinkJobId: submission.flinkJobId,
      entryClass: submission.entryClass,
      programArgs: revealed.mainArgs,
      parallelism: submission.parallelism,
      flinkConfiguration: revealed.configuration,
      ...(submission.restoreFrom === undefined
        ? {}
        : { restore: { path: submission.restoreFrom.uri, allowNonRestoredState: submission.allowNonRestoredState } }),
    };
    return submitJob(station.cluster, station.uploads, jar, options, target.incarnation, signal);
  }

  async #upload(submission: Submission, observed: Observed): Promise<void> {
    const target = targetOf(submission, observed);
    if (target === undefined) return;
    const jar = await this.#jarOf(submission, target);
    await this.#stationOf(submission).uploads.ensure(jar, target.incarnation, this.#abort.signal);
  }

  async #jarOf(submission: Submission, target: ReachableCluster): Promise<JarFile> {
    return this.#options.store.submittable(submission.artifactSha256, { launcher: needsLauncher(target.flinkVersion) });
  }

  #remember(submission: Submission, epoch: string, outcome: SubmitOutcome, before: SubmissionSeen | undefined): void {
    const { log, wake } = this.#options;
    const failures = failuresOf(before);
    const facts = { job: submission.key, flinkJobId: submission.flinkJobId, cluster: submission.cluster };
    this.#seen.set(submission.flinkJobId, this.#seenOf(withDoubt(outcome, before), epoch, failures + 1, before));
    const { cluster } = this.#stationOf(submission);
    this.#tell(cluster, "start", outcome.kind);
    cluster.expire();
    if (outcome.kind === "accepted") log.info(facts, "Flink accepted the job");
    else if (failures === 0)
      log.warn(
        { ...facts, because: outcome.because, outcome: outcome.kind },
        "submission did not succeed; it is looked at again",
      );
    wake();
  }

  /** Our own side failed in a way that nobody thought of. Flink was not called, or its answer was not understood. */
  #rememberFailure(submission: Submission, epoch: string, error: unknown, before: SubmissionSeen | undefined): void {
    if (isAbort(error, this.#abort.signal)) return;
    this.#remember(submission, epoch, { kind: "unknown", because: oneLine(messageOf(error), 300) }, before);
    this.#options.log.error({ err: error, job: submission.key }, "submission failed on our side");
  }

  #seenOf(outcome: SubmitOutcome, epoch: string, failures: number, before: SubmissionSeen | undefined): SubmissionSeen {
    const { clock } = this.#options;
    const random = (): number => clock.random();
    switch (outcome.kind) {
      case "accepted":
        return { kind: "accepted", acceptedAtMs: clock.now() };
      case "refused": {
        const retryAtMs = outcome.curable
          ? clock.now() + retryDelayMs(failures, REFUSED_DELAY, random)
          : Number.POSITIVE_INFINITY;
        const doubtUntilMs =
          before?.kind === "unknown" ? clock.now() + DOUBT_MS : before?.kind === "refused" ? before.doubtUntilMs : undefined;
        return { kind: "refused", reason: outcome.reason, because: outcome.because, failures, retryAtMs, doubtUntilMs, epoch };
      }
      case "unknown":
        return {
          kind: "unknown",
          because: outcome.because,
          failures,
          retryAtMs: clock.now() + retryDelayMs(failures, UNKNOWN_DELAY, random),
        };
      default:
        return outcome satisfies never;
    }
  }

  #tell(cluster: Cluster, kind: string, result: string): void {
    const { observer = UNOBSERVED } = this.#options;
    observer.acted({ kind, result, zone: cluster.zone, cluster: cluster.name });
  }

  #stationOf({ zone, cluster }: { readonly zone: string; readonly cluster: string }): Station {
    const station = this.#stations.get(clusterKey({ zone, name: cluster }));
    if (station === undefined) throw new Error(`cluster ${cluster} of zone ${zone} is not configured`);
    return station;
  }
}

interface Task {
  readonly id: ResourceId;
  readonly because: string;
  readonly work: Work;
}

/** What the decisions of a pass ask to be done, announced by this pass or by one before. */
function worksOf(decisions: Decisions): readonly Task[] {
  return [
    ...decisions.jobs.filter((decision) => "work" in decision),
    ...decisions.savepoints.filter((decision) => "work" in decision),
    ...decisions.disposals.filter((decision) => "work" in decision),
  ];
}

/** A job has one step at a time; savepoints of it are told apart by their triggers. */
export function stepKey(operation: Work["operation"]): string {
  return operation.kind === "take" || operation.kind === "dispose" ? operation.triggerId : operation.flinkJobId;
}

function submissionOf(work: Work): Submission | undefined {
  if (work.kind === "start") return work.submission;
  return work.kind === "stop" ? work.next : undefined;
}

function buildStation(cluster: Cluster, log: Log): Station {
  return {
    cluster,
    uploads: new Uploads(cluster, log),
    queue: new PQueue({ concurrency: SUBMISSIONS_AT_ONCE }),
    tidying: { needed: new Set(), dueAtMs: 0, isUnderWay: false },
  };
}

function targetOf(submission: Submission, observed: Observed): ReachableCluster | undefined {
  return observed.clusters
    .filter((cluster) => cluster.kind === "reachable")
    .find((cluster) => cluster.zone === submission.zone && cluster.name === submission.cluster);
}

/** Flink was not called for want of the jar: the disk is full, or the cache has lost it. That says nothing of a try before either. */
function withoutJar(error: unknown, before: SubmissionSeen | undefined): SubmitOutcome {
  if (!(error instanceof ArtifactError)) throw error;
  if (before?.kind === "unknown") return { kind: "unknown", because: before.because };
  return { kind: "refused", reason: error.data.reason, because: error.message, curable: true };
}

/** A try that did not reach Flink says nothing of the one before it: that one's `main` may still be at work. */
function withDoubt(outcome: SubmitOutcome, before: SubmissionSeen | undefined): SubmitOutcome {
  if (outcome.kind !== "refused" || outcome.reason !== CLUSTER_UNREACHABLE || before?.kind !== "unknown") return outcome;
  return { kind: "unknown", because: before.because };
}

function failuresOf(seen: SubmissionSeen | undefined): number {
  return seen?.kind === "refused" || seen?.kind === "unknown" ? seen.failures : 0;
}
