import type { ClusterSeen } from "../../src/flink/cluster-seen.ts";
import type { RestorePointEntry } from "../../src/flink/restore-directories.ts";
import { parseFlinkJobId, resourceDigits } from "../../src/model/flink-job-id.ts";
import type { ClusterRef } from "../../src/model/status.ts";
import { lineagePrefix } from "../../src/pass/job-context.ts";
import type { Work } from "../../src/pass/decision.ts";
import type { Submission } from "../../src/pass/submissions.ts";
import type { Random } from "../support/random.ts";
import { aListedJob, anId, anUnreachableCluster, aReachableCluster, INSTANCE, NOW } from "./builders.ts";

interface Job {
  state: string;
  checkpoints: number;
  rpus: number;
}

/** A restore point on the disk; a drained one has emitted its last windows and is for no resumption. */
type Point = RestorePointEntry & { readonly drained: boolean };

/** What an attempt that Flink took was started from, what it left on the disk, and whether it ran out of data. */
interface Attempt {
  readonly startedFrom: string | undefined;
  points: Point[];
  ranOut: boolean;
  drained: boolean;
}

/** A JobManager; its disk is everybody's. */
export interface JobManager {
  readonly name: string;
  readonly flinkVersion: string;
  readonly highAvailability: boolean;
  readonly inPlaceRescale: boolean;
  incarnation: number;
  reachable: boolean;
  sinceMs: number;
  jobs: Map<string, Job>;
  readonly usedIds: Set<string>;
  draining: boolean;
  slots: number;
}

/** Everything that is done to a job that runs, as against a start. */
export type Step = Exclude<Work, { readonly kind: "start" }>;

/** Somebody else's, on every cluster. */
export const FOREIGN = "f".repeat(32);
const ENDED: ReadonlySet<string> = new Set(["FINISHED", "CANCELED", "FAILED"]);
const NEXT: Readonly<Record<string, readonly [string, ...string[]]>> = {
  INITIALIZING: ["CREATED", "CREATED", "FAILED"],
  CREATED: ["RUNNING", "RUNNING", "FAILED"],
  RUNNING: ["RUNNING", "RUNNING", "FAILING", "FINISHED", "CANCELED", "SUSPENDED"],
  SUSPENDED: ["RECONCILING"],
  RECONCILING: ["RUNNING"],
  FAILING: ["RESTARTING", "FAILED"],
  RESTARTING: ["RUNNING"],
};
const SLOTS = 8;

/** Two clusters of one minor version and their disk, as they really are; a pass sees only what `see` shows of them. */
export class RandomFlink {
  readonly clusters: readonly JobManager[];
  /** Everything that Flink ever took; its directories outlive every restart. */
  readonly attempts = new Map<string, Attempt>();
  /** Where a disposal was announced. */
  readonly condemned = new Set<string>();
  readonly #random: Random;
  readonly #names: readonly string[];
  #written = 0;
  #isCalm = false;

  constructor(random: Random, names: readonly string[]) {
    this.#random = random;
    this.#names = names;
    this.clusters = ["main", "other"].map((name) => ({
      name,
      flinkVersion: name === "other" && random.percent(20) ? "1.16.4" : "1.16.3",
      highAvailability: random.percent(20),
      inPlaceRescale: name === "other",
      incarnation: 1,
      reachable: true,
      sinceMs: NOW,
      jobs: new Map(),
      usedIds: new Set(),
      draining: false,
      slots: SLOTS,
    }));
  }

  cluster(name: string): JobManager {
    return this.clusters.find((cluster) => cluster.name === name)!; // both are configured for ever
  }

  /** Clusters come, go and restart; jobs move on by themselves. */
  move(now: number): void {
    const random = this.#random;
    for (const cluster of this.clusters) {
      if (random.percent(12)) setReachable(cluster, !cluster.reachable, now);
      if (random.percent(5)) restart(cluster);
      if (random.percent(3)) cluster.draining = !cluster.draining;
      for (const [id, job] of cluster.jobs) this.#moveJob(cluster, id, job);
    }
  }

  /** From now on every cluster is there, and has room for all. */
  calmDown(now: number): void {
    this.#isCalm = true;
    for (const cluster of this.clusters) {
      cluster.draining = false;
      cluster.slots = 4 * SLOTS;
      setReachable(cluster, true, now);
    }
  }

  /** Every job runs and completes a checkpoint. */
  calmStep(): void {
    for (const cluster of this.clusters)
      for (const [id, job] of cluster.jobs) {
        if (ENDED.has(job.state)) continue;
        job.state = "RUNNING";
        this.#checkpoint(id, job);
      }
  }

  /** What Flink does with a submission that arrives, and what it says. */
  land(cluster: JobManager, submission: Submission): "accepted" | "spent" {
    const { flinkJobId: id } = submission;
    if (cluster.jobs.has(id)) return "accepted";
    if (cluster.usedIds.has(id)) return "spent";
    cluster.usedIds.add(id);
    cluster.jobs.set(id, { state: "INITIALIZING", checkpoints: 0, rpus: submission.parallelism });
    // An id that two JobManagers took keeps what the first one left under it.
    const points = this.attempts.get(id)?.points ?? [];
    this.attempts.set(id, { startedFrom: submission.restoreFrom?.uri, points, ranOut: false, drained: false });
    return "accepted";
  }

  /** Whether this very process took the id once. */
  knows({ name, incarnation }: ClusterRef, id: string): boolean {
    const cluster = this.cluster(name);
    return cluster.usedIds.has(id) && `${name}-${cluster.incarnation}` === incarnation;
  }

  isLive(cluster: JobManager, id: string): boolean {
    const job = cluster.jobs.get(id);
    return job !== undefined && !ENDED.has(job.state);
  }

  stateOf(cluster: JobManager, id: string): string | undefined {
    return cluster.jobs.get(id)?.state;
  }

  /** What the JobManager of this incarnation does when it is asked for a step; `half` is a savepoint after which the job goes on. */
  perform(cluster: JobManager, incarnation: number, work: Step, half: boolean): void {
    if (work.kind === "savepoint" && work.operation.kind === "dispose") return this.#dispose(work.operation.uri);
    const { flinkJobId } = work.operation;
    const job = cluster.jobs.get(flinkJobId);
    if (job === undefined || !this.isLive(cluster, flinkJobId) || cluster.incarnation !== incarnation) return;
    if (work.kind === "cancel") job.state = "CANCELED";
    if (job.state !== "RUNNING") return;
    if (work.kind === "rescale") {
      job.rpus = work.operation.rpus;
      job.state = "RESTARTING";
    }
    if (work.kind === "savepoint") this.#save(flinkJobId, work.operation.triggerId, work.operation.uri, false);
    if (work.kind !== "stop") return;
    const { triggerId, targetDirectory, drain = false } = work.operation;
    this.#save(flinkJobId, triggerId, targetDirectory, drain);
    if (half) return;
    job.state = "FINISHED";
    this.#dropCheckpoints(flinkJobId);
    this.attempts.get(flinkJobId)!.drained = drain; // it runs
  }

  /** The savepoint that this trigger left, when the job did nothing after it. */
  lastOf(id: string, triggerId: string): string | undefined {
    const newest = newestOf(this.attempts.get(id)?.points ?? []);
    return newest?.kind === "Savepoint" && newest.triggerId === triggerId ? newest.uri : undefined;
  }

  savedBy(id: string, triggerId: string): string | undefined {
    const points = this.attempts.get(id)?.points ?? [];
    return points.find((point) => point.kind === "Savepoint" && point.triggerId === triggerId)?.uri;
  }

  /** Flink jobs that have not ended, by the digits of the Job that they belong to. */
  liveByResource(): ReadonlyMap<string, readonly string[]> {
    const live = this.clusters.flatMap((cluster) => [...cluster.jobs.keys()].filter((id) => this.isLive(cluster, id)));
    return Map.groupBy(live, (id) => parseFlinkJobId(id)!.resource); // all ids here are ours
  }

  /** The parallelisms with which a Job runs: one of them, or none. */
  liveRpus(name: string): readonly number[] {
    const digits = resourceDigits(anId({ name }));
    return this.clusters.flatMap((cluster) =>
      [...cluster.jobs]
        .filter(([id, { state }]) => !ENDED.has(state) && parseFlinkJobId(id)?.resource === digits)
        .map(([, { rpus }]) => rpus),
    );
  }

  lastAttempt(name: string): (Attempt & { readonly id: string; readonly state: string | undefined }) | undefined {
    const last = this.attemptsOf(name).at(-1);
    if (last === undefined) return undefined;
    const [id, attempt] = last;
    return { ...attempt, id, state: this.clusters.map(({ jobs }) => jobs.get(id)?.state).find((state) => state !== undefined) };
  }

  /** From what a Job has to go on: the newest point of its last attempt that Flink took and that is to stay, else what that was started from. */
  newestState(name: string): string | undefined {
    const last = this.lastAttempt(name);
    if (last === undefined) return undefined;
    return newestOf(last.points.filter(({ drained, uri }) => !drained && !this.condemned.has(uri)))?.uri ?? last.startedFrom;
  }

  /** Whether nothing but this restore point holds the state of a Job's last attempt. */
  isLastOf(name: string, uri: string): boolean {
    const last = this.lastAttempt(name);
    const points = last?.points.filter(({ drained }) => !drained) ?? [];
    return points.length === 0 ? last?.startedFrom === uri : points.every((point) => point.uri === uri);
  }

  isOnDisk(uri: string): boolean {
    return this.pointAt(uri) !== undefined;
  }

  pointAt(uri: string): Point | undefined {
    for (const { points } of this.attempts.values()) for (const point of points) if (point.uri === uri) return point;
    return undefined;
  }

  attemptsOf(name: string): readonly (readonly [string, Attempt])[] {
    const prefix = lineagePrefix(INSTANCE, anId({ name }));
    return [...this.attempts]
      .filter(([id]) => id.startsWith(prefix))
      .toSorted(([a], [b]) => (a.slice(-8) < b.slice(-8) ? -1 : 1));
  }

  see(cluster: JobManager): ClusterSeen {
    const { name } = cluster;
    if (!cluster.reachable) return anUnreachableCluster({ name, sinceMs: cluster.sinceMs });
    const jobs = [...cluster.jobs].map(([flinkJobId, { state, checkpoints, rpus }]) => {
      const isRunning = state === "RUNNING";
      const newest = this.attempts.get(flinkJobId)?.points.findLast(({ kind }) => kind === "Checkpoint");
      return aListedJob({
        flinkJobId,
        state,
        tasks: { total: 2, running: isRunning ? 2 : 0, finished: 0 },
        detail: {
          parallelism: rpus,
          checkpoints: { completed: checkpoints, latestPath: newest?.uri, enabled: true, retained: true },
        },
      });
    });
    const held = [...cluster.jobs.values()].reduce((sum, { state, rpus }) => sum + (ENDED.has(state) ? 0 : rpus), 0);
    return aReachableCluster({
      name,
      jobs: [...jobs, aListedJob({ flinkJobId: FOREIGN })],
      incarnation: `${name}-${cluster.incarnation}`,
      flinkVersion: cluster.flinkVersion,
      highAvailability: cluster.highAvailability,
      draining: cluster.draining,
      inPlaceRescale: cluster.inPlaceRescale,
      slots: { total: cluster.slots, free: Math.max(0, cluster.slots - held) },
      restorePoints:
        this.#isCalm || this.#random.percent(90) ? Object.fromEntries(this.#names.map((of) => this.#listingOf(of))) : {},
    });
  }

  #listingOf(name: string) {
    const prefix = lineagePrefix(INSTANCE, anId({ name }));
    if (!this.#isCalm && this.#random.percent(2))
      return [prefix, { kind: "cannot-tell", because: "no route to the disk" }] as const;
    // The daemon lists triggers, and nothing else that lies there.
    const entries = this.attemptsOf(name)
      .flatMap(([, { points }]) => points)
      .filter(({ kind, uri }) => kind === "Checkpoint" || /\/[0-9a-f]{32}\/savepoint$/.test(uri));
    return [prefix, { kind: "listed", entries }] as const;
  }

  #moveJob(cluster: JobManager, id: string, job: Job): void {
    const random = this.#random;
    if (ENDED.has(job.state)) {
      if (random.percent(20)) cluster.jobs.delete(id);
      return;
    }
    if (random.percent(50)) job.state = random.oneOf(NEXT[job.state]!); // every state that has not ended has a next one
    if (job.state === "FINISHED") {
      this.attempts.get(id)!.ranOut = true; // Flink took it
      this.#dropCheckpoints(id);
    }
    if (job.state === "RUNNING" && random.percent(50)) this.#checkpoint(id, job);
  }

  #checkpoint(id: string, job: Job): void {
    const attempt = this.attempts.get(id)!; // Flink took it
    job.checkpoints += 1;
    const number = (attempt.points.find((point) => point.kind === "Checkpoint")?.number ?? 0) + 1;
    this.#dropCheckpoints(id); // Flink keeps one
    const uri = `file:///c/${id}/chk-${number}`;
    attempt.points.push({ kind: "Checkpoint", flinkJobId: id, number, uri, writtenAtMs: this.#time(), drained: false });
  }

  #save(id: string, triggerId: string, directory: string, drained: boolean): void {
    const point = { kind: "Savepoint" as const, flinkJobId: id, triggerId, uri: `${directory}/savepoint`, drained };
    this.attempts.get(id)!.points.push({ ...point, writtenAtMs: this.#time() }); // Flink took it
  }

  /** The retained checkpoint goes with a job that ends well; its savepoints stay. */
  #dropCheckpoints(id: string): void {
    const attempt = this.attempts.get(id)!; // Flink took it
    attempt.points = attempt.points.filter(({ kind }) => kind === "Savepoint");
  }

  #dispose(uri: string): void {
    for (const attempt of this.attempts.values()) attempt.points = attempt.points.filter((point) => point.uri !== uri);
  }

  #time(): number {
    this.#written += 1;
    return this.#written;
  }
}

/** Under high availability the jobs come back by themselves, and what has ended stays known by its id. */
function restart(cluster: JobManager): void {
  cluster.incarnation += 1;
  if (!cluster.highAvailability) {
    cluster.jobs = new Map();
    cluster.usedIds.clear();
    return;
  }
  const recovered = [...cluster.jobs].filter(([, { state }]) => !ENDED.has(state));
  cluster.jobs = new Map(recovered.map(([id, { rpus }]) => [id, { state: "INITIALIZING", checkpoints: 0, rpus }]));
}

function setReachable(cluster: JobManager, reachable: boolean, now: number): void {
  if (cluster.reachable !== reachable) cluster.sinceMs = now;
  cluster.reachable = reachable;
}

function newestOf(points: readonly Point[]): Point | undefined {
  return points.toSorted((a, b) => a.writtenAtMs - b.writtenAtMs).at(-1);
}
