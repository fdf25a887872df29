import { describe, expect, it } from "vitest";
import type { Clock } from "../../src/common/clock.ts";
import { formatTime } from "../../src/common/clock.ts";
import { CommitTimes } from "../../src/server/commit-times.ts";
import type { DonePass } from "../../src/pass/reconcile.ts";

const T0 = Date.UTC(2026, 10, 22, 17, 0, 0);

interface JobSeen {
  readonly commit?: string;
  readonly flinkJobId?: string;
  readonly startedAtMs?: number;
  readonly healthy?: boolean;
  readonly checkpointed?: string;
}

class Harness {
  readonly told: (readonly [step: string, seconds: number])[] = [];
  #nowMs = T0;
  readonly times: CommitTimes;

  constructor() {
    const clock: Clock = { now: () => this.#nowMs, random: () => 0.5 };
    this.times = new CommitTimes(clock, (step, seconds) => this.told.push([step, seconds]));
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  after(seconds: number): this {
    this.#nowMs += seconds * 1000;
    return this;
  }

  /** A pass that applied this commit, with one Job; only what is looked at. */
  pass(commit: string, job: JobSeen = {}, published = "written"): void {
    const { healthy = false, startedAtMs, flinkJobId, checkpointed } = job;
    const status = {
      source: { commit: job.commit ?? commit },
      conditions: [{ type: "Healthy", status: healthy ? "True" : "False" }],
      ...(flinkJobId === undefined ? {} : { flinkJobId }),
      ...(startedAtMs === undefined ? {} : { startedAt: formatTime(startedAtMs) }),
      ...(checkpointed === undefined ? {} : { checkpointed }),
    };
    const records = new Map([["eu/default/job/orders", { kind: "Job", status }]]);
    this.times.passEnded({ snapshot: { commit }, published: { kind: published }, update: { records } } as unknown as DonePass);
  }
}

describe("the way of a commit", () => {
  it("is told step by step, each from the one before", () => {
    const h = new Harness();
    h.times.branchMoved("c1");
    h.after(1).times.commitRead("c1", T0 - 3000);
    h.pass("c1", {}, "put-off");
    h.after(1).pass("c1");
    const startedAtMs = h.nowMs;
    h.after(4).pass("c1", { flinkJobId: "f1", startedAtMs });
    h.after(1).pass("c1", { flinkJobId: "f1", startedAtMs, healthy: true });
    h.after(60).pass("c1", { flinkJobId: "f1", startedAtMs, healthy: true, checkpointed: "f1" });
    h.after(60).pass("c1", { flinkJobId: "f1", startedAtMs, healthy: true, checkpointed: "f1" });
    expect(h.told).toEqual([
      ["seen", 3],
      ["applied", 2],
      ["running", 5],
      ["first-checkpoint", 60],
    ]);
  });

  it("tells nothing of a commit that was there before the daemon was", () => {
    const h = new Harness();
    h.times.commitRead("c0", T0 - 86_400_000);
    h.pass("c0", { flinkJobId: "f1", startedAtMs: T0, healthy: true, checkpointed: "f1" });
    expect(h.told).toEqual([]);
  });

  it("tells nothing of a Job that ran before, or that is brought back later", () => {
    const h = new Harness();
    h.times.branchMoved("c1");
    h.pass("c1", { flinkJobId: "old", startedAtMs: T0 - 60_000, healthy: true, checkpointed: "old" });
    h.pass("c1", { flinkJobId: "f1", startedAtMs: T0, healthy: true });
    h.after(3600).pass("c1", { flinkJobId: "f2", startedAtMs: h.nowMs, healthy: true, checkpointed: "f2" });
    expect(h.told).toEqual([
      ["applied", 0],
      ["running", 0],
    ]);
  });

  it("is not less than nothing when clocks disagree", () => {
    const h = new Harness();
    h.times.branchMoved("c1");
    h.times.commitRead("c1", T0 + 5000);
    expect(h.told).toEqual([["seen", 0]]);
  });

  it("is not remembered for ever", () => {
    const h = new Harness();
    h.times.branchMoved("c1");
    for (let index = 0; index < 100; index += 1) h.times.branchMoved(`other-${index}`);
    h.pass("c1");
    expect(h.told).toEqual([]);
  });
});
