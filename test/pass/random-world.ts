import type { ArtifactSeen } from "../../src/artifacts/artifact-store.ts";
import type { RefusalReason } from "../../src/flink/submit.ts";
import { stepKey } from "../../src/pass/apply.ts";
import type { Decisions, Work } from "../../src/pass/decision.ts";
import type { Observed } from "../../src/pass/observed.ts";
import { epochOf, type StepSeen, type Submission, type SubmissionSeen } from "../../src/pass/submissions.ts";
import { operationKey } from "../../src/pass/take-over.ts";
import type { Random } from "../support/random.ts";
import { anObserved, anUnreachableCluster, aReadyArtifact, NOW } from "./builders.ts";
import { RandomFlink, type JobManager, type Step } from "./random-flink.ts";
import { ALL_NAMES, RandomGit } from "./random-git.ts";

/** A submission on its way: it lands on the process that it was sent to, or never. */
interface Call {
  readonly caller: Memory;
  readonly flinkJobId: string;
  readonly submission: Submission;
  readonly epoch: string;
  readonly cluster: JobManager;
  readonly incarnation: number;
  /** The caller does not wait any more: main() runs on all the same. */
  abandoned: boolean;
}

/** A stop, a cancellation, a rescale, a savepoint or a disposal on its way. */
interface StepCall {
  readonly caller: Memory;
  readonly work: Step;
  readonly cluster: JobManager;
  readonly incarnation: number;
  abandoned: boolean;
}

/** What a daemon knows by heart, and lacks. */
export class Memory {
  /** How often it began anew, with nothing of it. */
  lives = 0;
  readonly submissions = new Map<string, SubmissionSeen>();
  readonly steps = new Map<string, StepSeen>();
  /** Clusters that this daemon alone cannot reach, and since when. */
  readonly cutOff = new Map<string, number>();
}

/** Git, Flink, the network between, and what its daemons know by heart; a pass sees only what `observe` shows of it. */
export class RandomWorld {
  now = NOW;
  readonly git: RandomGit;
  readonly flink: RandomFlink;
  /** What the project may have, in some worlds. */
  readonly maxRpus: number | undefined;
  readonly runtimeUpdates: "automatic" | "manual";
  readonly daemons: readonly [Memory, ...Memory[]];
  /** Told of every disposal before it happens. */
  onDispose: (uri: string) => void = () => {};
  /** Every Flink job id that was ever pushed. */
  readonly announced = new Set<string>();
  readonly #random: Random;
  #calls: readonly Call[] = [];
  #stepCalls: readonly StepCall[] = [];
  #artifact: ArtifactSeen = aReadyArtifact();

  constructor(random: Random, daemons: readonly [Memory, ...Memory[]] = [new Memory()]) {
    this.#random = random;
    this.daemons = daemons;
    this.git = new RandomGit(random);
    this.flink = new RandomFlink(random, ALL_NAMES);
    this.maxRpus = random.percent(25) ? 7 : undefined;
    this.runtimeUpdates = random.percent(20) ? "manual" : "automatic";
  }

  /** Something happens, or several things. */
  step(): void {
    const random = this.#random;
    this.now += random.oneOf([0, 250, 5000, 20_000, 600_000]);
    if (random.percent(25)) this.git.commit(this.#someSavepoint());
    if (random.percent(10)) this.#artifact = this.#anyArtifact();
    this.flink.move(this.now);
    for (const call of this.#calls) if (random.percent(50)) this.#moveCall(call);
    for (const call of this.#stepCalls) if (random.percent(50)) this.#moveStep(call);
    for (const daemon of this.daemons) if (random.percent(4)) this.restart(daemon);
  }

  /** From now on nothing goes wrong any more. */
  calmDown(): void {
    this.#artifact = aReadyArtifact();
    this.git.calmDown();
    this.flink.calmDown(this.now);
  }

  /** A step of a world in which everything works. */
  calmStep(): void {
    this.now += 600_000;
    for (const call of this.#calls) this.#land(call);
    for (const call of this.#stepCalls) this.#finishStep(call);
    this.flink.calmStep();
  }

  observe({ submissions, steps, cutOff }: Memory = this.daemons[0]): Observed {
    const clusters = this.flink.clusters.map((cluster) => {
      const sinceMs = cutOff.get(cluster.name);
      return sinceMs === undefined ? this.flink.see(cluster) : anUnreachableCluster({ name: cluster.name, sinceMs });
    });
    const observed = anObserved({ clusters, artifacts: { app: this.#artifact } });
    return { ...observed, submissions: new Map(submissions), steps: new Map(steps) };
  }

  /** Does what was announced, as `Actions` does; only so many calls of it when the daemon is killed between two of them. */
  apply(decisions: Decisions, caller: Memory = this.daemons[0], most = Number.POSITIVE_INFINITY): void {
    for (const work of worksOf(decisions).slice(0, most)) {
      if (work.kind === "start") this.#send(work.submission, epochOf(work.operation), caller);
      else this.#take(work, caller);
    }
  }

  /** What nobody asks about any more goes, and what stands on the branch no more is given up, as from `Actions`. */
  forgetAllBut(ids: ReadonlySet<string>, announced: ReadonlySet<string>, caller: Memory = this.daemons[0]): void {
    for (const call of this.#stepCalls) {
      const { operation } = call.work;
      if (call.caller !== caller || call.abandoned || announced.has(operationKey(operation))) continue;
      caller.steps.delete(stepKey(operation));
      call.abandoned = true;
      // It was on the wire, or was not asked for yet.
      if (this.#random.percent(50)) this.#perform(call, false);
      this.#stepCalls = this.#stepCalls.filter((other) => other !== call);
    }
    for (const known of [caller.submissions, caller.steps])
      for (const [id, { kind }] of known) if (kind !== "under-way" && !ids.has(id)) known.delete(id);
  }

  #someSavepoint(): string | undefined {
    const points = [...this.flink.attempts.values()].flatMap((attempt) => attempt.points);
    const uris = points.filter(({ kind, drained }) => kind === "Savepoint" && !drained).map(({ uri }) => uri);
    return uris[this.#random.below(uris.length)];
  }

  #send(submission: Submission, epoch: string, caller: Memory): void {
    const cluster = this.flink.cluster(submission.cluster);
    const { flinkJobId } = submission;
    caller.submissions.set(flinkJobId, { kind: "under-way" });
    const { incarnation } = cluster;
    const call = { caller, flinkJobId, submission, epoch, cluster, incarnation, abandoned: false };
    this.#calls = [...this.#calls, call];
  }

  #take(work: Step, caller: Memory): void {
    const { cluster: ref } = work.operation;
    const cluster = this.flink.cluster(ref.name);
    caller.steps.set(stepKey(work.operation), { announcedAt: epochOf(work.operation), kind: "under-way" });
    this.#stepCalls = [...this.#stepCalls, { caller, work, cluster, incarnation: cluster.incarnation, abandoned: false }];
  }

  #moveStep(call: StepCall): void {
    const outcome = this.#random.oneOf(["do", "do", "do", "refuse", "lose", "lose after doing", "half"]);
    if (outcome === "do") return this.#finishStep(call);
    if (outcome === "lose after doing") this.#perform(call, false);
    if (outcome === "half" && call.work.kind === "stop") this.#perform(call, true);
    const tried = { because: outcome, failures: 1, retryAtMs: this.now + 5000 };
    const isRefused = (outcome === "refuse" || outcome === "half") && !call.abandoned && this.#isLive(call);
    this.#tell(call, { kind: isRefused ? "not-done" : "unknown", ...tried });
    this.#stepCalls = this.#stepCalls.filter((other) => other !== call);
  }

  /** Flink does it, and whoever still waits learns how it went; a stop's next start is submitted at once. */
  #finishStep(call: StepCall): void {
    this.#stepCalls = this.#stepCalls.filter((other) => other !== call);
    const tried = { failures: 1, retryAtMs: this.now + 5000 };
    if (!call.cluster.reachable) return this.#tell(call, { kind: "unknown", because: "unreachable", ...tried });
    this.#perform(call, false);
    const { work, cluster } = call;
    const isLive = this.#isLive(call);
    switch (work.kind) {
      case "stop": {
        const uri = this.flink.lastOf(work.operation.flinkJobId, work.operation.triggerId);
        if (isLive) return this.#tell(call, { kind: "not-done", because: "not running", ...tried });
        if (uri === undefined) return this.#tell(call, { kind: "ended", because: "it ended" });
        this.#tell(call, { kind: "stopped", uri });
        if (!call.abandoned && work.next !== undefined)
          this.#send({ ...work.next, restoreFrom: { kind: "Savepoint", uri } }, epochOf(work.operation), call.caller);
        return;
      }
      case "cancel": {
        const isCancelled = this.flink.stateOf(cluster, work.operation.flinkJobId) === "CANCELED";
        return this.#tell(call, isCancelled ? { kind: "cancelled" } : { kind: "ended", because: "it ended" });
      }
      case "rescale":
        return this.#tell(call, isLive ? { kind: "rescale-asked" } : { kind: "unknown", because: "gone", ...tried });
      case "savepoint": {
        if (work.operation.kind === "dispose") return this.#tell(call, { kind: "disposed" });
        const uri = this.flink.savedBy(work.operation.flinkJobId, work.operation.triggerId);
        return this.#tell(
          call,
          uri === undefined ? { kind: "not-done", because: "not running", ...tried } : { kind: "taken", uri },
        );
      }
      default:
        return work satisfies never;
    }
  }

  #perform({ cluster, incarnation, work }: StepCall, half: boolean): void {
    if (work.kind === "savepoint" && work.operation.kind === "dispose") this.onDispose(work.operation.uri);
    this.flink.perform(cluster, incarnation, work, half);
  }

  #tell(call: StepCall, seen: WithoutTime<StepSeen>): void {
    const { operation } = call.work;
    if (!call.abandoned) call.caller.steps.set(stepKey(operation), { announcedAt: epochOf(operation), ...seen });
  }

  #isLive({ cluster, work }: StepCall): boolean {
    return this.flink.isLive(cluster, work.operation.flinkJobId);
  }

  #moveCall(call: Call): void {
    const { flinkJobId: id } = call;
    const random = this.#random;
    if (call.abandoned) {
      if (random.percent(70)) this.#land(call);
      else this.#end(call);
      return;
    }
    const outcome = random.oneOf(["land", "land", "land", "land", "refuse", "refuse", "refuse for ever", "lose"]);
    // An earlier try whose main() still runs may yet succeed; a refusal of this one would say nothing about it.
    const hasTwin = this.#calls.some((other) => other !== call && other.flinkJobId === id);
    if (outcome === "land") this.#land(call);
    else if (outcome === "lose" || hasTwin || call.cluster.jobs.has(id)) {
      call.caller.submissions.set(id, { kind: "unknown", because: "no answer", failures: 1, retryAtMs: this.now + 10_000 });
      call.abandoned = true;
    } else {
      const isCurable = outcome === "refuse";
      const retryAtMs = isCurable ? this.now + 2000 : Number.POSITIVE_INFINITY;
      refuse(call, isCurable ? "ProgramFailed" : "BadOption", retryAtMs, random.oneOf([1, 3]));
      this.#end(call);
    }
  }

  /** Flink gets it; the caller, if there still is one, learns what Flink says. */
  #land(call: Call): void {
    const { cluster, flinkJobId: id } = call;
    this.#end(call);
    const isSameProcess = cluster.incarnation === call.incarnation;
    const answer = isSameProcess ? this.flink.land(cluster, call.submission) : "reset";
    if (call.abandoned) return;
    const { submissions } = call.caller;
    if (answer === "accepted") submissions.set(id, { kind: "accepted", acceptedAtMs: this.now });
    else if (answer === "spent") refuse(call, "JobIdSpent", this.now, 1);
    else submissions.set(id, { kind: "unknown", because: "connection reset", failures: 1, retryAtMs: this.now });
  }

  #end(call: Call): void {
    this.#calls = this.#calls.filter((other) => other !== call);
  }

  /** What the process knew is lost; what it sent is not. */
  restart(daemon: Memory): void {
    daemon.lives += 1;
    daemon.submissions.clear();
    daemon.steps.clear();
    for (const call of [...this.#calls, ...this.#stepCalls]) if (call.caller === daemon) call.abandoned = true;
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
}

function refuse({ caller, flinkJobId, epoch }: Call, reason: RefusalReason, retryAtMs: number, failures: number): void {
  const told = { because: "no", failures, retryAtMs, doubtUntilMs: undefined, epoch };
  caller.submissions.set(flinkJobId, { kind: "refused", reason, ...told });
}

export function worksOf({ jobs, savepoints, disposals }: Decisions): readonly Work[] {
  return [...jobs, ...savepoints, ...disposals].flatMap((decision) => ("work" in decision ? [decision.work] : []));
}

type WithoutTime<S> = S extends StepSeen ? Omit<S, "announcedAt"> : never;
