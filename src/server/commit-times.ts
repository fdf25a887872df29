import type { Clock } from "../common/clock.ts";
import { findCondition } from "../model/conditions.ts";
import type { ResourceKey } from "../model/resource.ts";
import type { JobStatus } from "../model/status.ts";
import type { DonePass } from "../pass/reconcile.ts";

/** The way of a commit, each step from the one before. */
export type Step = "seen" | "applied" | "running" | "first-checkpoint";

interface Way {
  readonly seenAtMs: number;
  appliedAtMs: number | undefined;
}

interface Start {
  readonly flinkJobId: string;
  readonly commit: string;
  runningAtMs: number | undefined;
}

const KEPT_COMMITS = 100;

/**
 * Follows what a commit brings about: from when it was made to when it is seen, decided and written, to when all tasks of the Jobs that it
 * started run, to their first checkpoint. Only commits that came while this process watched count, and of a Job only its first start under
 * a commit: what a daemon finds at its own start, or heals later, would tell how long it slept and not how quick it is.
 */
export class CommitTimes {
  readonly #clock: Clock;
  readonly #tell: (step: Step, seconds: number) => void;
  readonly #ways = new Map<string, Way>();
  readonly #starts = new Map<ResourceKey, Start>();

  constructor(clock: Clock, tell: (step: Step, seconds: number) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  branchMoved(commit: string): void {
    if (this.#ways.has(commit)) return;
    this.#ways.set(commit, { seenAtMs: this.#clock.now(), appliedAtMs: undefined });
    const oldest = this.#ways.keys().next();
    if (this.#ways.size > KEPT_COMMITS && oldest.done === false) this.#ways.delete(oldest.value);
  }

  commitRead(commit: string, committedAtMs: number): void {
    const way = this.#ways.get(commit);
    if (way === undefined || way.appliedAtMs !== undefined) return;
    this.#say("seen", committedAtMs, way.seenAtMs);
  }

  passEnded({ snapshot, update, published }: DonePass): void {
    const isWritten = published.kind === "written" || published.kind === "nothing-to-write";
    const way = this.#ways.get(snapshot.commit);
    if (way !== undefined && way.appliedAtMs === undefined && isWritten) {
      way.appliedAtMs = this.#clock.now();
      this.#say("applied", way.seenAtMs, way.appliedAtMs);
    }
    for (const key of this.#starts.keys()) if (!update.records.has(key)) this.#starts.delete(key);
    for (const [key, record] of update.records) if (record.kind === "Job") this.#follow(key, record.status);
  }

  #follow(key: ResourceKey, status: JobStatus): void {
    const { flinkJobId, checkpointed, source } = status;
    const way = this.#ways.get(source.commit);
    if (way?.appliedAtMs === undefined || flinkJobId === undefined || !startedUnder(way, status)) return;
    const known = this.#starts.get(key);
    const start = known?.commit === source.commit ? known : { flinkJobId, commit: source.commit, runningAtMs: undefined };
    if (start !== known) this.#starts.set(key, start);
    if (start.flinkJobId !== flinkJobId) return; // brought back since
    const now = this.#clock.now();
    if (start.runningAtMs === undefined && findCondition(status.conditions, "Healthy")?.status === "True") {
      start.runningAtMs = now;
      this.#say("running", way.appliedAtMs, now);
    }
    if (start.runningAtMs === undefined || !Number.isFinite(start.runningAtMs) || checkpointed !== flinkJobId) return;
    this.#say("first-checkpoint", start.runningAtMs, now);
    start.runningAtMs = Number.POSITIVE_INFINITY; // said once
  }

  /** Clocks of different machines may disagree; less than nothing is nothing. */
  #say(step: Step, fromMs: number, toMs: number): void {
    this.#tell(step, Math.max(0, toMs - fromMs) / 1000);
  }
}

function startedUnder(way: Way, { startedAt }: JobStatus): boolean {
  // Times in the status have no fractions.
  return startedAt !== undefined && Date.parse(startedAt) >= way.seenAtMs - 1000;
}
