import type { ArtifactSeen } from "../../src/artifacts/artifact-store.ts";
import type { ClusterSeen } from "../../src/flink/cluster-seen.ts";
import type { RestorePointEntry } from "../../src/flink/restore-directories.ts";
import type { JobSpec, Manifest } from "../../src/model/manifest.ts";
import { parseFlinkJobId } from "../../src/model/flink-job-id.ts";
import type { ResourceId } from "../../src/model/resource.ts";
import type { Decisions, JobWork } from "../../src/pass/decision.ts";
import { lineagePrefix } from "../../src/pass/job-context.ts";
import type { Observed } from "../../src/pass/observed.ts";
import type { StepSeen, Submission, SubmissionSeen } from "../../src/pass/submissions.ts";
import type { Random } from "../support/random.ts";
import {
  aListedJob,
  aManifest,
  anArtifactManifest,
  anId,
  anObserved,
  anUnreachableCluster,
  aReachableCluster,
  aReadyArtifact,
  INSTANCE,
  NOW,
} from "./builders.ts";

interface Job {
  state: string;
  checkpoints: number;
  rpus: number;
}

/** What an attempt that Flink took was started from, and what it left on the disk. */
interface Attempt {
  readonly startedFrom: string | undefined;
  points: RestorePointEntry[];
}

/** A JobManager and its disk. */
interface JobManager {
  readonly name: string;
  incarnation: number;
  reachable: boolean;
  sinceMs: number;
  jobs: Map<string, Job>;
  readonly usedIds: Set<string>;
  draining: boolean;
}

/** A submission on its way: it lands on the process that it was sent to, or never. */
interface Call {
  readonly flinkJobId: string;
  readonly submission: Submission;
  readonly cluster: JobManager;
  readonly incarnation: number;
  /** The caller does not wait any more: main() runs on all the same. */
  abandoned: boolean;
}

/** A stop, a cancellation or a rescale on its way. */
interface StepCall {
  readonly work: Exclude<JobWork, { readonly kind: "start" }>;
  readonly cluster: JobManager;
  readonly incarnation: number;
  abandoned: boolean;
}

type Declaration = { readonly kind: "declared"; readonly spec: Partial<JobSpec> } | { readonly kind: "broken" | "absent" };

export const NAMES = ["a", "b", "c"] as const;
/** Somebody else's, on every cluster. */
export const FOREIGN = "f".repeat(32);
const ENDED: ReadonlySet<string> = new Set(["FINISHED", "CANCELED", "FAILED"]);
const NEXT: Readonly<Record<string, readonly [string, ...string[]]>> = {
  INITIALIZING: ["CREATED", "CREATED", "FAILED"],
  CREATED: ["RUNNING", "RUNNING", "FAILED"],
  RUNNING: ["RUNNING", "FAILING", "FINISHED", "CANCELED", "SUSPENDED"],
  SUSPENDED: ["RECONCILING"],
  RECONCILING: ["RUNNING"],
  FAILING: ["RESTARTING", "FAILED"],
  RESTARTING: ["RUNNING"],
};

/** Git, two clusters and the network between, as they really are; a pass sees only what `observe` shows of it. */
export class RandomWorld {
  now = NOW;
  deletionsHeld = false;
  readonly submissions = new Map<string, SubmissionSeen>();
  readonly steps = new Map<string, StepSeen>();
  /** Every Flink job id that was ever pushed. */
  readonly announced = new Set<string>();
  /** Everything that Flink ever took; its directories outlive every restart, and both clusters share them. */
  readonly attempts = new Map<string, Attempt>();
  #stepCalls: readonly StepCall[] = [];
  #written = 0;
  readonly #random: Random;
  readonly #declared = new Map<string, Declaration>(NAMES.map((name) => [name, { kind: "declared", spec: {} }]));
  readonly #clusters: readonly JobManager[];
  #calls: readonly Call[] = [];
  #artifact: ArtifactSeen = aReadyArtifact();

  constructor(random: Random) {
    this.#random = random;
    this.#clusters = ["main", "other"].map((name) => ({
      name,
      incarnation: 1,
      reachable: true,
      sinceMs: NOW,
      jobs: new Map(),
      usedIds: new Set(),
      draining: false,
    }));
  }

  /** Something happens, or several things. */
  step(): void {
    const random = this.#random;
    this.now += random.oneOf([0, 250, 5000, 20_000, 600_000]);
    if (random.percent(25)) this.#changeManifest(random.oneOf(NAMES));
    if (random.percent(10)) this.#artifact = this.#anyArtifact();
    if (random.percent(5)) this.deletionsHeld = !this.deletionsHeld;
    for (const cluster of this.#clusters) {
      if (random.percent(12)) this.#setReachable(cluster, !cluster.reachable);
      if (random.percent(5)) this.#restart(cluster);
      if (random.percent(3)) cluster.draining = !cluster.draining;
      for (const [id, job] of cluster.jobs) this.#moveJob(cluster, id, job);
    }
    for (const call of this.#calls) if (random.percent(50)) this.#moveCall(call);
    for (const call of this.#stepCalls) if (random.percent(50)) this.#moveStep(call);
    if (random.percent(4)) this.#restartDaemon();
  }

  /** From now on nothing goes wrong any more. */
  calmDown(): void {
    this.deletionsHeld = false;
    this.#artifact = aReadyArtifact();
    for (const cluster of this.#clusters) {
      cluster.draining = false;
      this.#setReachable(cluster, true);
    }
    for (const name of NAMES) this.#declared.set(name, { kind: "declared", spec: {} });
  }

  /** A step of a world in which everything works. */
  calmStep(): void {
    this.now += 600_000;
    for (const call of this.#calls) this.#land(call);
    for (const call of this.#stepCalls) this.#finishStep(call);
    for (const cluster of this.#clusters)
      for (const job of cluster.jobs.values()) if (!ENDED.has(job.state)) job.state = "RUNNING";
  }

  manifests(): { readonly manifests: readonly Manifest[]; readonly broken: readonly ResourceId[] } {
    const manifests: Manifest[] = [anArtifactManifest()];
    const broken: ResourceId[] = [];
    for (const [name, declaration] of this.#declared) {
      if (declaration.kind === "declared") manifests.push(manifestOf(name, declaration.spec));
      if (declaration.kind === "broken") broken.push(anId({ name }));
    }
    return { manifests, broken };
  }

  observe(): Observed {
    const observed = anObserved({
      clusters: this.#clusters.map((cluster) => this.#see(cluster)),
      artifacts: { app: this.#artifact },
    });
    return { ...observed, submissions: new Map(this.submissions), steps: new Map(this.steps) };
  }

  /** Does what was announced, as `Actions` does. */
  apply(decisions: Decisions): void {
    for (const decision of decisions.jobs) {
      if (!("work" in decision)) continue;
      const { work } = decision;
      if (work.kind === "start") this.#send(work.submission);
      else this.#take(work);
    }
  }

  /** Flink jobs that have not ended, by the digits of the Job that they belong to. */
  liveByResource(): ReadonlyMap<string, readonly string[]> {
    const live = this.#clusters.flatMap(({ jobs }) => [...jobs].filter(([, { state }]) => !ENDED.has(state)).map(([id]) => id));
    return Map.groupBy(live, (id) => parseFlinkJobId(id)!.resource); // all ids here are ours
  }

  /** From what a Job has to go on: the newest point of its last attempt that Flink took, else what that was started from. */
  newestState(name: string): string | undefined {
    const last = this.#attemptsOf(name).at(-1);
    return last === undefined ? undefined : (newestOf(last[1].points)?.uri ?? last[1].startedFrom);
  }

  /** How the last attempt ended that Flink took; undefined when it is not listed any more. */
  lastState(name: string): string | undefined {
    const last = this.#attemptsOf(name).at(-1)?.[0];
    return this.#clusters
      .flatMap(({ jobs }) => (last === undefined ? [] : [jobs.get(last)?.state]))
      .find((state) => state !== undefined);
  }

  #attemptsOf(name: string) {
    const prefix = lineagePrefix(INSTANCE, anId({ name }));
    return [...this.attempts]
      .filter(([id]) => id.startsWith(prefix))
      .toSorted(([a], [b]) => (a.slice(-8) < b.slice(-8) ? -1 : 1));
  }

  #send(submission: Submission): void {
    const cluster = this.#cluster(submission.cluster);
    const { flinkJobId } = submission;
    this.submissions.set(flinkJobId, { kind: "under-way" });
    const call = { flinkJobId, submission, cluster, incarnation: cluster.incarnation, abandoned: false };
    this.#calls = [...this.#calls, call];
  }

  #take(work: StepCall["work"]): void {
    const { flinkJobId, announcedAt, cluster: ref } = work.operation;
    const cluster = this.#cluster(ref.name);
    this.steps.set(flinkJobId, { announcedAt, kind: "under-way" });
    this.#stepCalls = [...this.#stepCalls, { work, cluster, incarnation: cluster.incarnation, abandoned: false }];
  }

  #cluster(name: string): JobManager {
    return this.#clusters.find((cluster) => cluster.name === name)!; // both are configured for ever
  }

  #moveStep(call: StepCall): void {
    const outcome = this.#random.oneOf(["do", "do", "do", "refuse", "lose", "lose after doing"]);
    if (outcome === "do") return this.#finishStep(call);
    if (outcome === "lose after doing") this.#perform(call);
    const tried = { because: outcome, failures: 1, retryAtMs: this.now + 5000 };
    if (outcome === "refuse" && !call.abandoned && this.#isLive(call)) this.#tell(call, { kind: "not-done", ...tried });
    else this.#tell(call, { kind: "unknown", ...tried });
    this.#stepCalls = this.#stepCalls.filter((other) => other !== call);
  }

  /** Flink does it, and whoever still waits learns how it went; a stop's next start is submitted at once. */
  #finishStep(call: StepCall): void {
    this.#stepCalls = this.#stepCalls.filter((other) => other !== call);
    if (!call.cluster.reachable) {
      return this.#tell(call, { kind: "unknown", because: "unreachable", failures: 1, retryAtMs: this.now + 5000 });
    }
    this.#perform(call);
    const { work } = call;
    const job = call.cluster.jobs.get(work.operation.flinkJobId);
    const points = this.attempts.get(work.operation.flinkJobId)?.points ?? [];
    if (work.kind === "stop") {
      const newest = newestOf(points);
      const isThere = newest?.kind === "Savepoint" && newest.triggerId === work.operation.triggerId;
      if (this.#isLive(call))
        this.#tell(call, { kind: "not-done", because: "not running", failures: 1, retryAtMs: this.now + 5000 });
      else if (!isThere) this.#tell(call, { kind: "ended", because: "it ended" });
      else {
        this.#tell(call, { kind: "stopped", uri: newest.uri });
        if (!call.abandoned && work.next !== undefined)
          this.#send({ ...work.next, restoreFrom: { kind: "Savepoint", uri: newest.uri } });
      }
    } else if (work.kind === "cancel") {
      this.#tell(call, job?.state === "CANCELED" ? { kind: "cancelled" } : { kind: "ended", because: "it ended" });
    } else if (this.#isLive(call)) this.#tell(call, { kind: "rescale-asked" });
    else this.#tell(call, { kind: "unknown", because: "gone", failures: 1, retryAtMs: this.now });
  }

  #tell(call: StepCall, seen: Step): void {
    const { flinkJobId, announcedAt } = call.work.operation;
    if (!call.abandoned) this.steps.set(flinkJobId, { announcedAt, ...seen });
  }

  #isLive({ cluster, work }: StepCall): boolean {
    const job = cluster.jobs.get(work.operation.flinkJobId);
    return job !== undefined && !ENDED.has(job.state);
  }

  #perform(call: StepCall): void {
    const { cluster, work } = call;
    const { flinkJobId } = work.operation;
    const job = cluster.jobs.get(flinkJobId);
    if (job === undefined || !this.#isLive(call) || cluster.incarnation !== call.incarnation) return;
    if (work.kind === "cancel") job.state = "CANCELED";
    if (job.state !== "RUNNING") return;
    if (work.kind === "rescale") {
      job.rpus = work.operation.rpus;
      job.state = "RESTARTING";
    }
    if (work.kind === "stop") this.#stop(job, flinkJobId, work.operation.triggerId);
  }

  /** Its retained checkpoint goes with a job that ends well; its savepoints stay. */
  #stop(job: Job, flinkJobId: string, triggerId: string): void {
    const attempt = this.attempts.get(flinkJobId)!; // it runs
    const uri = `file:///s/${flinkJobId}/${triggerId}`;
    job.state = "FINISHED";
    this.#written += 1;
    attempt.points = attempt.points.filter(({ kind }) => kind === "Savepoint");
    attempt.points.push({ kind: "Savepoint", flinkJobId, triggerId, uri, writtenAtMs: this.#written });
  }

  #moveCall(call: Call): void {
    const { flinkJobId: id } = call;
    const random = this.#random;
    if (call.abandoned) {
      if (random.percent(70)) this.#land(call);
      else this.#end(call);
      return;
    }
    const outcome = random.oneOf(["land", "land", "land", "refuse", "refuse", "refuse for ever", "lose"]);
    // An earlier try whose main() still runs may yet succeed; a refusal of this one would say nothing about it.
    const hasTwin = this.#calls.some((other) => other !== call && other.flinkJobId === id);
    if (outcome === "land") this.#land(call);
    else if (outcome === "lose" || hasTwin || call.cluster.jobs.has(id)) {
      this.submissions.set(id, { kind: "unknown", because: "no answer", failures: 1, retryAtMs: this.now + 10_000 });
      call.abandoned = true;
    } else {
      const [reason, retryAtMs] =
        outcome === "refuse" ? ["ProgramFailed", this.now + 2000] : ["BadOption", Number.POSITIVE_INFINITY];
      this.submissions.set(id, {
        kind: "refused",
        reason,
        because: "no",
        failures: random.oneOf([1, 3]),
        retryAtMs,
        doubtUntilMs: undefined,
      });
      this.#end(call);
    }
  }

  /** What Flink does with a submission that arrives; the caller, if there still is one, learns it. */
  #land(call: Call): void {
    const { cluster, flinkJobId: id } = call;
    this.#end(call);
    const tell = (seen: SubmissionSeen): void => {
      if (!call.abandoned) this.submissions.set(id, seen);
    };
    if (cluster.incarnation !== call.incarnation)
      return tell({ kind: "unknown", because: "connection reset", failures: 1, retryAtMs: this.now });
    if (cluster.jobs.has(id)) return tell({ kind: "accepted", acceptedAtMs: this.now });
    if (cluster.usedIds.has(id)) {
      return tell({
        kind: "refused",
        reason: "JobIdSpent",
        because: "already submitted",
        failures: 1,
        retryAtMs: this.now,
        doubtUntilMs: undefined,
      });
    }
    cluster.usedIds.add(id);
    cluster.jobs.set(id, { state: "INITIALIZING", checkpoints: 0, rpus: call.submission.parallelism });
    // An id that two JobManagers took keeps what the first one left under it.
    const points = this.attempts.get(id)?.points ?? [];
    this.attempts.set(id, { startedFrom: call.submission.restoreFrom?.uri, points });
    tell({ kind: "accepted", acceptedAtMs: this.now });
  }

  #end(call: Call): void {
    this.#calls = this.#calls.filter((other) => other !== call);
  }

  #moveJob(cluster: JobManager, id: string, job: Job): void {
    const random = this.#random;
    if (ENDED.has(job.state)) {
      if (random.percent(20)) cluster.jobs.delete(id);
      return;
    }
    if (random.percent(50)) job.state = random.oneOf(NEXT[job.state]!); // every state that has not ended has a next one
    const attempt = this.attempts.get(id)!; // Flink took it
    if (job.state === "FINISHED") attempt.points = attempt.points.filter(({ kind }) => kind === "Savepoint");
    if (job.state !== "RUNNING" || !random.percent(50)) return;
    job.checkpoints += 1;
    this.#written += 1;
    const number = (attempt.points.find((point) => point.kind === "Checkpoint")?.number ?? 0) + 1;
    const uri = `file:///c/${id}/chk-${number}`;
    attempt.points = attempt.points.filter(({ kind }) => kind === "Savepoint");
    attempt.points.push({ kind: "Checkpoint", flinkJobId: id, number, uri, writtenAtMs: this.#written });
  }

  #restart(cluster: JobManager): void {
    cluster.incarnation += 1;
    cluster.jobs = new Map();
    cluster.usedIds.clear();
  }

  /** What the process knew is lost; what it sent is not. */
  #restartDaemon(): void {
    this.submissions.clear();
    this.steps.clear();
    for (const call of [...this.#calls, ...this.#stepCalls]) call.abandoned = true;
  }

  #setReachable(cluster: JobManager, reachable: boolean): void {
    if (cluster.reachable !== reachable) cluster.sinceMs = this.now;
    cluster.reachable = reachable;
  }

  #changeManifest(name: string): void {
    const random = this.#random;
    const specs: readonly [Partial<JobSpec>, ...Partial<JobSpec>[]] = [
      {},
      {},
      { rpus: 3 },
      { rpus: 1 },
      { rpus: 0 },
      { artifact: "other" },
      { rpus: 99 },
    ];
    const declared = { kind: "declared", spec: random.oneOf(specs) } as const;
    this.#declared.set(name, random.oneOf<Declaration>([declared, declared, { kind: "broken" }, { kind: "absent" }]));
  }

  #anyArtifact(): ArtifactSeen {
    return this.#random.oneOf<ArtifactSeen>([
      aReadyArtifact(),
      aReadyArtifact(),
      { kind: "absent" },
      { kind: "downloading", bytes: 1, sinceMs: this.now },
      { kind: "failed", because: "it is nowhere", reason: "NotFound", failures: 1, retryAtMs: this.now + 5000 },
    ]);
  }

  #see(cluster: JobManager): ClusterSeen {
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
    const isListed = this.#random.percent(90);
    return aReachableCluster({
      name,
      jobs: [...jobs, aListedJob({ flinkJobId: FOREIGN })],
      incarnation: `${name}-${cluster.incarnation}`,
      draining: cluster.draining,
      inPlaceRescale: name === "other",
      slots: { total: 16, free: 16 },
      restorePoints: isListed ? Object.fromEntries(NAMES.map((of) => this.#listingOf(of))) : {},
    });
  }

  #listingOf(name: string) {
    const entries = this.#attemptsOf(name).flatMap(([, { points }]) => points);
    return [lineagePrefix(INSTANCE, anId({ name })), { kind: "listed", entries }] as const;
  }
}

type Step = StepSeen extends infer S ? (S extends StepSeen ? Omit<S, "announcedAt"> : never) : never;

function newestOf(points: readonly RestorePointEntry[]): RestorePointEntry | undefined {
  return points.toSorted((a, b) => a.writtenAtMs - b.writtenAtMs).at(-1);
}

/** Each in a file of its own, and never taken for another one that was renamed. */
function manifestOf(name: string, spec: Partial<JobSpec>): Manifest {
  const annotations = { "penstock/start-empty": "new" };
  return aManifest({ id: { name }, spec, annotations, source: { path: `${name}.yaml` } });
}
