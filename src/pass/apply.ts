import PQueue from "p-queue";
import type { ArtifactStore } from "../artifacts/artifact-store.ts";
import type { Clock } from "../common/clock.ts";
import { isAbort, messageOf } from "../common/errors.ts";
import type { Log } from "../common/log.ts";
import { retryDelayMs } from "../common/retry-delay.ts";
import { oneLine } from "../common/text.ts";
import type { Cluster } from "../flink/cluster.ts";
import type { ReachableCluster } from "../flink/cluster-seen.ts";
import type { JarFile } from "../flink/multipart.ts";
import { needsLauncher, type RunOptions } from "../flink/run-request.ts";
import { CLUSTER_UNREACHABLE, submitJob, type SubmitOutcome } from "../flink/submit.ts";
import { Uploads } from "../flink/uploads.ts";
import type { Decisions } from "./decision.ts";
import type { Observed } from "./observed.ts";
import { clusterKey } from "./place.ts";
import type { Submission, SubmissionSeen } from "./submissions.ts";

/** What takes longer than this gives its place in the cluster's queue to the next one, and goes on. */
const PLACE_HELD_MS = 10_000;
const SUBMISSIONS_AT_ONCE = 4;
const REFUSED_DELAY = { baseMs: 2000, maxMs: 300_000 };
const UNKNOWN_DELAY = { baseMs: 10_000, maxMs: 300_000 };

export interface ActionsOptions {
  readonly clusters: readonly Cluster[];
  readonly store: Pick<ArtifactStore, "fetch" | "submittable">;
  readonly clock: Clock;
  readonly log: Log;
  /** Something ended, so that there may be a next step. */
  readonly wake: () => void;
}

interface Station {
  readonly cluster: Cluster;
  readonly uploads: Uploads;
  readonly queue: PQueue;
}

/**
 * Everything that a pass sets going and does not wait for. One queue a cluster, so that a hanging one blocks only itself. What came of
 * it is an input of later passes; it is lost with the process, and then the clusters tell.
 */
export class Actions {
  readonly #options: ActionsOptions;
  readonly #stations: ReadonlyMap<string, Station>;
  readonly #seen = new Map<string, SubmissionSeen>();
  readonly #abort = new AbortController();

  constructor(options: ActionsOptions) {
    this.#options = options;
    this.#stations = new Map(options.clusters.map((cluster) => [clusterKey(cluster), buildStation(cluster, options.log)]));
  }

  /** What is known of the submissions of this process, by Flink job id. */
  see(): ReadonlyMap<string, SubmissionSeen> {
    return this.#seen;
  }

  /** Whether a call of ours is on its way. */
  isBusy(): boolean {
    return [...this.#seen.values()].some(({ kind }) => kind === "under-way");
  }

  /** Downloads and uploads: they change nothing that runs, so they need no announcement and go on while one is pushed. */
  prepare(decisions: Decisions, observed: Observed): void {
    for (const decision of decisions.artifacts) if (decision.kind === "fetch") this.#options.store.fetch(decision.request);
    for (const decision of decisions.jobs) {
      if (decision.kind !== "start" && decision.kind !== "submit") continue;
      // A failed upload is tried again, and told, by the submission itself.
      this.#upload(decision.submission, observed).catch((error: unknown) =>
        this.#options.log.debug({ err: error }, "early upload failed"),
      );
    }
  }

  /** Calls Flink for what was announced, and only for that. Returns at once; `see` tells how it went. */
  apply(decisions: Decisions, observed: Observed): void {
    for (const decision of decisions.jobs) {
      if (decision.kind !== "start" && decision.kind !== "submit") continue;
      this.#submit(decision.submission, decision.because, observed);
    }
  }

  /** Submissions that nobody asks about any more. */
  forgetAllBut(flinkJobIds: ReadonlySet<string>): void {
    for (const [id, seen] of this.#seen) if (seen.kind !== "under-way" && !flinkJobIds.has(id)) this.#seen.delete(id);
  }

  /** Gives up waiting for answers; what was asked for may still happen, and the next daemon finds it announced. */
  async close(): Promise<void> {
    this.#abort.abort();
    await Promise.all([...this.#stations.values()].map(async ({ queue }) => queue.onIdle()));
  }

  #submit(submission: Submission, because: string, observed: Observed): void {
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
      const outcome = await this.#run(station, submission, target);
      this.#remember(submission, outcome, before);
    };
    void station.queue.add(async () => {
      const running = work().catch((error: unknown) => this.#rememberFailure(submission, error, before));
      await Promise.race([running, new Promise((resolve) => setTimeout(resolve, PLACE_HELD_MS).unref())]);
    });
  }

  async #run(station: Station, submission: Submission, target: ReachableCluster): Promise<SubmitOutcome> {
    const { signal } = this.#abort;
    const jar = await this.#jarOf(submission, target);
    const options: RunOptions = {
      flinkVersion: target.flinkVersion,
      flinkJobId: submission.flinkJobId,
      entryClass: submission.entryClass,
      programArgs: submission.mainArgs,
      parallelism: submission.parallelism,
      flinkConfiguration: submission.configuration,
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

  #remember(submission: Submission, outcome: SubmitOutcome, before: SubmissionSeen | undefined): void {
    const { log, wake } = this.#options;
    const failures = failuresOf(before);
    const facts = { job: submission.key, flinkJobId: submission.flinkJobId, cluster: submission.cluster };
    this.#seen.set(submission.flinkJobId, this.#seenOf(withDoubt(outcome, before), failures + 1));
    this.#stationOf(submission).cluster.expire();
    if (outcome.kind === "accepted") log.info(facts, "Flink accepted the job");
    else if (failures === 0)
      log.warn(
        { ...facts, because: outcome.because, outcome: outcome.kind },
        "submission did not succeed; it is looked at again",
      );
    wake();
  }

  /** Our own side failed: the jar cannot be read, the disk is full. Flink was not called, or its answer was not understood. */
  #rememberFailure(submission: Submission, error: unknown, before: SubmissionSeen | undefined): void {
    if (isAbort(error, this.#abort.signal)) return;
    this.#remember(submission, { kind: "unknown", because: oneLine(messageOf(error), 300) }, before);
    this.#options.log.error({ err: error, job: submission.key }, "submission failed on our side");
  }

  #seenOf(outcome: SubmitOutcome, failures: number): SubmissionSeen {
    const { clock } = this.#options;
    const random = (): number => clock.random();
    switch (outcome.kind) {
      case "accepted":
        return { kind: "accepted", acceptedAtMs: clock.now() };
      case "refused": {
        const retryAtMs = outcome.curable
          ? clock.now() + retryDelayMs(failures, REFUSED_DELAY, random)
          : Number.POSITIVE_INFINITY;
        return { kind: "refused", reason: outcome.reason, because: outcome.because, failures, retryAtMs };
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

  #stationOf(submission: Submission): Station {
    const station = this.#stations.get(clusterKey({ zone: submission.zone, name: submission.cluster }));
    if (station === undefined) throw new Error(`cluster ${submission.cluster} of zone ${submission.zone} is not configured`);
    return station;
  }
}

function buildStation(cluster: Cluster, log: Log): Station {
  return { cluster, uploads: new Uploads(cluster, log), queue: new PQueue({ concurrency: SUBMISSIONS_AT_ONCE }) };
}

function targetOf(submission: Submission, observed: Observed): ReachableCluster | undefined {
  return observed.clusters
    .filter((cluster) => cluster.kind === "reachable")
    .find((cluster) => cluster.zone === submission.zone && cluster.name === submission.cluster);
}

/** A try that did not reach Flink says nothing of the one before it: that one's `main` may still be at work. */
function withDoubt(outcome: SubmitOutcome, before: SubmissionSeen | undefined): SubmitOutcome {
  if (outcome.kind !== "refused" || outcome.reason !== CLUSTER_UNREACHABLE || before?.kind !== "unknown") return outcome;
  return { kind: "unknown", because: before.because };
}

function failuresOf(seen: SubmissionSeen | undefined): number {
  return seen?.kind === "refused" || seen?.kind === "unknown" ? seen.failures : 0;
}
