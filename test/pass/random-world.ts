import type { ArtifactSeen } from "../../src/artifacts/artifact-store.ts";
import { stepKey } from "../../src/pass/apply.ts";
import type { Decisions } from "../../src/pass/decision.ts";
import type { Observed } from "../../src/pass/observed.ts";
import type { StepSeen, Submission, SubmissionSeen } from "../../src/pass/submissions.ts";
import type { Random } from "../support/random.ts";
import { anObserved, aReadyArtifact, NOW } from "./builders.ts";
import { RandomFlink, type JobManager, type Step } from "./random-flink.ts";
import { ALL_NAMES, RandomGit } from "./random-git.ts";

/** A submission on its way: it lands on the process that it was sent to, or never. */
interface Call {
  readonly flinkJobId: string;
  readonly submission: Submission;
  readonly cluster: JobManager;
  readonly incarnation: number;
  /** The caller does not wait any more: main() runs on all the same. */
  abandoned: boolean;
}

/** A stop, a cancellation, a rescale, a savepoint or a disposal on its way. */
interface StepCall {
  readonly work: Step;
  readonly cluster: JobManager;
  readonly incarnation: number;
  abandoned: boolean;
}

/** Git, Flink, the network between, and what a daemon knows by heart; a pass sees only what `observe` shows of it. */
export class RandomWorld {
  now = NOW;
  readonly git: RandomGit;
  readonly flink: RandomFlink;
  /** What the project may have, in some worlds. */
  readonly maxRpus: number | undefined;
  readonly runtimeUpdates: "automatic" | "manual";
  /** How often the daemon began anew, with an empty memory. */
  daemonLives = 0;
  /** Told of every disposal before it happens. */
  onDispose: (uri: string) => void = () => {};
  readonly submissions = new Map<string, SubmissionSeen>();
  readonly steps = new Map<string, StepSeen>();
  /** Every Flink job id that was ever pushed. */
  readonly announced = new Set<string>();
  readonly #random: Random;
  #calls: readonly Call[] = [];
  #stepCalls: readonly StepCall[] = [];
  #artifact: ArtifactSeen = aReadyArtifact();

  constructor(random: Random) {
    this.#random = random;
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
    if (random.percent(4)) this.#restartDaemon();
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

  observe(): Observed {
    const clusters = this.flink.clusters.map((cluster) => this.flink.see(cluster));
    const observed = anObserved({ clusters, artifacts: { app: this.#artifact } });
    return { ...observed, submissions: new Map(this.submissions), steps: new Map(this.steps) };
  }

  /** Does what was announced, as `Actions` does. */
  apply(decisions: Decisions): void {
    for (const decision of [...decisions.jobs, ...decisions.savepoints]) {
      if (!("work" in decision)) continue;
      const { work } = decision;
      if (work.kind === "start") this.#send(work.submission);
      else this.#take(work);
    }
  }

  /** What nobody asks about any more goes, as from `Actions`. */
  forgetAllBut(ids: ReadonlySet<string>): void {
    for (const known of [this.submissions, this.steps])
      for (const [id, { kind }] of known) if (kind !== "under-way" && !ids.has(id)) known.delete(id);
  }

  #someSavepoint(): string | undefined {
    const points = [...this.flink.attempts.values()].flatMap((attempt) => attempt.points);
    const uris = points.filter(({ kind, drained }) => kind === "Savepoint" && !drained).map(({ uri }) => uri);
    return uris[this.#random.below(uris.length)];
  }

  #send(submission: Submission): void {
    const cluster = this.flink.cluster(submission.cluster);
    const { flinkJobId } = submission;
    this.submissions.set(flinkJobId, { kind: "under-way" });
    const call = { flinkJobId, submission, cluster, incarnation: cluster.incarnation, abandoned: false };
    this.#calls = [...this.#calls, call];
  }

  #take(work: Step): void {
    const { announcedAt, cluster: ref } = work.operation;
    const cluster = this.flink.cluster(ref.name);
    this.steps.set(stepKey(work.operation), { announcedAt, kind: "under-way" });
    this.#stepCalls = [...this.#stepCalls, { work, cluster, incarnation: cluster.incarnation, abandoned: false }];
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
        if (!call.abandoned && work.next !== undefined) this.#send({ ...work.next, restoreFrom: { kind: "Savepoint", uri } });
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
    if (!call.abandoned) this.steps.set(stepKey(operation), { announcedAt: operation.announcedAt, ...seen });
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
      this.submissions.set(id, { kind: "unknown", because: "no answer", failures: 1, retryAtMs: this.now + 10_000 });
      call.abandoned = true;
    } else {
      const [reason, retryAtMs] =
        outcome === "refuse" ? ["ProgramFailed", this.now + 2000] : ["BadOption", Number.POSITIVE_INFINITY];
      this.#refuse(id, reason, retryAtMs, random.oneOf([1, 3]));
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
    if (answer === "accepted") this.submissions.set(id, { kind: "accepted", acceptedAtMs: this.now });
    else if (answer === "spent") this.#refuse(id, "JobIdSpent", this.now, 1);
    else this.submissions.set(id, { kind: "unknown", because: "connection reset", failures: 1, retryAtMs: this.now });
  }

  #refuse(id: string, reason: string, retryAtMs: number, failures: number): void {
    this.submissions.set(id, { kind: "refused", reason, because: "no", failures, retryAtMs, doubtUntilMs: undefined });
  }

  #end(call: Call): void {
    this.#calls = this.#calls.filter((other) => other !== call);
  }

  /** What the process knew is lost; what it sent is not. */
  #restartDaemon(): void {
    this.daemonLives += 1;
    this.submissions.clear();
    this.steps.clear();
    for (const call of [...this.#calls, ...this.#stepCalls]) call.abandoned = true;
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

type WithoutTime<S> = S extends StepSeen ? Omit<S, "announcedAt"> : never;
