import type { ArtifactSeen } from "../../src/artifacts/artifact-store.ts";
import type { ClusterSeen } from "../../src/flink/cluster-seen.ts";
import type { JobSpec, Manifest } from "../../src/model/manifest.ts";
import { parseFlinkJobId } from "../../src/model/flink-job-id.ts";
import type { ResourceId } from "../../src/model/resource.ts";
import type { Decisions } from "../../src/pass/decision.ts";
import type { Observed } from "../../src/pass/observed.ts";
import type { Submission, SubmissionSeen } from "../../src/pass/submissions.ts";
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
  NOW,
} from "./builders.ts";

interface Job {
  state: string;
  checkpoints: number;
}

/** A JobManager and its disk. */
interface JobManager {
  readonly name: string;
  incarnation: number;
  reachable: boolean;
  sinceMs: number;
  jobs: Map<string, Job>;
  readonly usedIds: Set<string>;
  /** Outlives every restart. */
  readonly retained: Set<string>;
}

/** A submission on its way: it lands on the process that it was sent to, or never. */
interface Call {
  readonly flinkJobId: string;
  readonly cluster: JobManager;
  readonly incarnation: number;
  /** The caller does not wait any more: main() runs on all the same. */
  abandoned: boolean;
}

type Declaration = { readonly kind: "declared"; readonly spec: Partial<JobSpec> } | { readonly kind: "broken" | "absent" };

export const NAMES = ["a", "b", "c"] as const;
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
  /** Every Flink job id that was ever pushed: their directories are always asked about. */
  readonly announced = new Set<string>();
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
      retained: new Set(),
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
      for (const [id, job] of cluster.jobs) this.#moveJob(cluster, id, job);
    }
    for (const call of this.#calls) if (random.percent(50)) this.#moveCall(call);
    if (random.percent(4)) this.#restartDaemon();
  }

  /** From now on nothing goes wrong any more. */
  calmDown(): void {
    this.deletionsHeld = false;
    this.#artifact = aReadyArtifact();
    for (const cluster of this.#clusters) this.#setReachable(cluster, true);
    for (const name of NAMES) this.#declared.set(name, { kind: "declared", spec: {} });
  }

  /** A step of a world in which everything works. */
  calmStep(): void {
    this.now += 600_000;
    for (const call of this.#calls) this.#land(call);
    for (const cluster of this.#clusters)
      for (const job of cluster.jobs.values()) if (!ENDED.has(job.state)) job.state = "RUNNING";
  }

  manifests(): { readonly manifests: readonly Manifest[]; readonly broken: readonly ResourceId[] } {
    const manifests: Manifest[] = [anArtifactManifest()];
    const broken: ResourceId[] = [];
    for (const [name, declaration] of this.#declared) {
      if (declaration.kind === "declared") manifests.push(aManifest({ id: { name }, spec: declaration.spec }));
      if (declaration.kind === "broken") broken.push(anId({ name }));
    }
    return { manifests, broken };
  }

  isDeclared(name: string): boolean {
    return this.#declared.get(name)?.kind === "declared";
  }

  observe(): Observed {
    const observed = anObserved({
      clusters: this.#clusters.map((cluster) => this.#see(cluster)),
      artifacts: { app: this.#artifact },
    });
    return { ...observed, submissions: new Map(this.submissions) };
  }

  /** Sends what was announced, as `Actions` does. */
  apply(decisions: Decisions): void {
    for (const decision of decisions.jobs)
      if (decision.kind === "start" || decision.kind === "submit") this.#send(decision.submission);
  }

  /** Flink jobs that have not ended, by the digits of the Job that they belong to. */
  liveByResource(): ReadonlyMap<string, readonly string[]> {
    const live = this.#clusters.flatMap(({ jobs }) => [...jobs].filter(([, { state }]) => !ENDED.has(state)).map(([id]) => id));
    return Map.groupBy(live, (id) => parseFlinkJobId(id)!.resource); // all ids here are ours
  }

  /** Whether what ran under this id left state behind, on a disk or in a job that still runs. */
  hasState(flinkJobId: string): boolean {
    return this.#clusters.some(({ retained }) => retained.has(flinkJobId));
  }

  #send(submission: Submission): void {
    const cluster = this.#clusters.find(({ name }) => name === submission.cluster)!; // both are configured for ever
    this.submissions.set(submission.flinkJobId, { kind: "under-way" });
    const call = { flinkJobId: submission.flinkJobId, cluster, incarnation: cluster.incarnation, abandoned: false };
    this.#calls = [...this.#calls, call];
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
      this.submissions.set(id, { kind: "refused", reason, because: "no", failures: 1, retryAtMs });
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
      return tell({ kind: "refused", reason: "JobIdSpent", because: "already submitted", failures: 1, retryAtMs: this.now });
    }
    cluster.usedIds.add(id);
    cluster.jobs.set(id, { state: "INITIALIZING", checkpoints: 0 });
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
    if (job.state === "FINISHED") cluster.retained.delete(id);
    if (job.state !== "RUNNING" || !random.percent(50)) return;
    job.checkpoints += 1;
    cluster.retained.add(id);
  }

  #restart(cluster: JobManager): void {
    cluster.incarnation += 1;
    cluster.jobs = new Map();
    cluster.usedIds.clear();
  }

  /** What the process knew is lost; what it sent is not. */
  #restartDaemon(): void {
    this.submissions.clear();
    for (const call of this.#calls) call.abandoned = true;
  }

  #setReachable(cluster: JobManager, reachable: boolean): void {
    if (cluster.reachable !== reachable) cluster.sinceMs = this.now;
    cluster.reachable = reachable;
  }

  #changeManifest(name: string): void {
    const random = this.#random;
    const specs: readonly [Partial<JobSpec>, ...Partial<JobSpec>[]] = [{}, {}, { rpus: 3 }, { artifact: "other" }, { rpus: 99 }];
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
    const jobs = [...cluster.jobs].map(([flinkJobId, { state, checkpoints }]) => {
      const isRunning = state === "RUNNING";
      return aListedJob({
        flinkJobId,
        state,
        tasks: { total: 2, running: isRunning ? 2 : 0, finished: 0 },
        detail: { checkpoints: { completed: checkpoints, latestPath: undefined, enabled: true } },
      });
    });
    const found = (id: string) =>
      cluster.retained.has(id)
        ? ({ kind: "found", newest: { kind: "Checkpoint", uri: `file:///c/${id}/chk-1` } } as const)
        : ({ kind: "none" } as const);
    const restorePoints = Object.fromEntries([...this.announced].map((id) => [id, found(id)]));
    return aReachableCluster({
      name,
      jobs,
      incarnation: `${name}-${cluster.incarnation}`,
      slots: { total: 16, free: 16 },
      restorePoints,
    });
  }
}
