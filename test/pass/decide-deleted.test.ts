import { describe, expect, it } from "vitest";
import { formatTime } from "../../src/common/clock.ts";
import type { JobStatus } from "../../src/model/status.ts";
import type { InitialState } from "../../src/pass/final-savepoints.ts";
import type { JobDecision } from "../../src/pass/decision.ts";
import {
  anAttempt,
  anUnreachableCluster,
  aPolicy,
  aReachableCluster,
  aRecord,
  aStartedRecord,
  CLUSTER,
  NOW,
  type ClusterOverrides,
  type ListedJobOverrides,
  type ManifestOverrides,
} from "./builders.ts";
import {
  aCheckpoint,
  aSavepoint,
  blockOf,
  cannotTell,
  CHECKPOINTED,
  clusterWith,
  decideFor,
  listed,
  type ContextOverrides,
} from "./job-decisions.ts";

interface Situation extends ContextOverrides {
  readonly status?: Partial<JobStatus>;
  readonly live?: ListedJobOverrides;
  readonly cluster?: ClusterOverrides;
}

/** The next step of a Job whose manifest is gone, with attempt 1 healthy on the only cluster and with a checkpoint. */
function decide({ status, live = CHECKPOINTED, cluster, ...context }: Situation = {}): JobDecision {
  const record = aStartedRecord(status === undefined ? {} : { status });
  return decideFor({ record, manifest: "absent" }, { clusters: [clusterWith(live, cluster)], ...context });
}

function toldBy(decision: JobDecision): string {
  const work = "work" in decision ? decision.work.kind : "settlement" in decision ? decision.settlement.kind : blockOf(decision);
  return `${decision.kind} ${work ?? ""}`.trim();
}

/** What its tombstone will keep; the text tells what else came. */
function keptBy(decision: JobDecision): string | undefined {
  if (decision.kind !== "settle" || decision.settlement.kind !== "buried") return toldBy(decision);
  return decision.settlement.restorePoint?.uri;
}

const NOT_DONE = { kind: "not-done", announcedAt: "", because: "no storage", failures: 1 } as const;
const ago = (minutes: number) => formatTime(NOW - minutes * 60_000);

describe("a Job whose manifest is gone", () => {
  it("is stopped with a savepoint, for good", () => {
    expect(decide()).toMatchObject({
      kind: "announce",
      because: "its manifest is gone",
      work: { kind: "stop", operation: { purpose: "delete", flinkJobId: anAttempt(1), cluster: CLUSTER }, next: undefined },
    });
  });

  it.each([
    ["TooManyDeletions", "6 Jobs would be deleted at once"],
    ["DeletionHeld", "a.yaml:1:1 cannot be read"],
    ["LooksLikeRename", "orders and orders-v2 look like one"],
  ] as const)("is left alone while the guard holds it: %s", (reason, because) => {
    const deletion = { kind: "held", reason, because } as const;
    for (const live of [CHECKPOINTED, { state: "RESTARTING" }, { state: "FAILED" }])
      expect(decide({ deletion, live })).toMatchObject({ kind: "leave", because, block: { condition: "Deleted", reason } });
  });

  it.each([
    ["the policy says so", { policy: aPolicy({ onDelete: "cancel" }) }, "policy.onDelete is cancel"],
    ["it never had state", { live: {}, cluster: { restorePoints: listed() } }, "it never had state to keep"],
    [
      "it is not healthy",
      { live: { ...CHECKPOINTED, state: "RESTARTING" } },
      "it cannot take a savepoint now, its newest checkpoint is kept",
    ],
    [
      "not all of its tasks run",
      { live: { ...CHECKPOINTED, tasks: { total: 3, running: 1, finished: 0 } } },
      "it cannot take a savepoint now, its newest checkpoint is kept",
    ],
    [
      "there is nowhere to write a savepoint",
      { cluster: { savepointsDir: undefined, checkpointsDir: undefined } },
      "no savepoint directory is configured for main",
    ],
    [
      "no savepoint came about in time",
      { status: { deletingSince: ago(11) }, step: { ...NOT_DONE, retryAtMs: NOW + 1 } },
      "no savepoint came about in time, its newest checkpoint is kept",
    ],
    [
      "the savepoint directory could not be written all the time",
      { status: { deletingSince: ago(11) }, cluster: { savepointsRefused: "read-only" } },
      "no savepoint came about in time, its newest checkpoint is kept",
    ],
  ] as const)("is cancelled when %s", (_, situation, why) => {
    expect(decide(situation)).toMatchObject({
      kind: "announce",
      because: `its manifest is gone; ${why}`,
      work: { kind: "cancel", operation: { kind: "cancel", flinkJobId: anAttempt(1), cluster: CLUSTER } },
    });
  });

  it.each([
    ["was started from a state", { status: { startedFrom: { kind: "Savepoint", uri: "file:///x" } }, live: {} }],
    ["completed a checkpoint once", { status: { checkpointed: anAttempt(1) }, live: {} }],
    [
      "takes no checkpoints, so that nobody knows",
      { live: { detail: { checkpoints: { completed: 0, latestPath: undefined, enabled: false, retained: true } } } },
    ],
    ["does not say what it completed", { live: { detail: "unknown" } }],
    ["has just completed its first checkpoint", { live: {}, cluster: { restorePoints: listed(aCheckpoint()) } }],
    ["may have completed one where nobody can look", { live: {}, cluster: { restorePoints: cannotTell("no") } }],
    ["may keep one in the JobManager's memory", { live: {}, cluster: { checkpointsDir: undefined, restorePoints: listed() } }],
  ] as const)("is stopped with a savepoint when it %s", (_, situation) => {
    expect(toldBy(decide(situation))).toBe("announce stop");
  });

  it.each([
    ["its savepoint failed a moment ago", { step: { ...NOT_DONE, retryAtMs: NOW + 1 } }, "SavepointFailed"],
    ["a savepoint cannot be written", { cluster: { savepointsRefused: "read-only" } }, "SavepointsRefused"],
    ["its cluster does not answer", { clusters: [anUnreachableCluster()] }, "ClusterUnreachable"],
    ["its cluster left the configuration", { clusters: [] }, "ClusterUnreachable"],
  ] as const)("waits in Deleting while %s", (_, situation, reason) => {
    expect(toldBy(decide(situation))).toBe(`wait Deleted ${reason}`);
  });

  it("is asked for its savepoint again when that is due", () => {
    expect(toldBy(decide({ step: { ...NOT_DONE, retryAtMs: NOW } }))).toBe("announce stop");
  });

  it("is still stopped with a savepoint when its cluster comes back after long: the time was not its own", () => {
    expect(toldBy(decide({ status: { phase: "Deleting", deletingSince: ago(600) } }))).toBe("announce stop");
  });

  it("is buried with its newest restore point when it does not run", () => {
    const cluster = { restorePoints: listed(aCheckpoint()) };
    expect(keptBy(decide({ live: { state: "FAILED" }, cluster }))).toBe(aCheckpoint().uri);
    expect(keptBy(decide({ live: { state: "CANCELED" }, cluster }))).toBe(aCheckpoint().uri);
    expect(keptBy(decide({ clusters: [aReachableCluster(cluster)] }))).toBe(aCheckpoint().uri);
  });

  it("is buried with what suspended it, or with its Final Savepoint, whether its cluster can be seen or not", () => {
    const lastSavepoint = { uri: aSavepoint().uri, takenAt: "", flinkJobId: anAttempt(1), reason: "Suspend" } as const;
    const finalized = { savepoint: "final", uri: aSavepoint().uri, drained: false };
    for (const clusters of [[aReachableCluster()], [anUnreachableCluster()], []]) {
      expect(keptBy(decide({ status: { suspended: true, lastSavepoint }, clusters }))).toBe(aSavepoint().uri);
      expect(keptBy(decide({ status: { finalized }, clusters }))).toBe(aSavepoint().uri);
      expect(keptBy(decide({ status: { finalized: { ...finalized, drained: true } }, clusters }))).toBeUndefined();
    }
  });

  it("is buried without one when it was finished or never had any", () => {
    const finished = (more: ClusterOverrides) => decide({ live: { state: "FINISHED" }, cluster: more });
    expect(toldBy(finished({}))).toBe("leave"); // looks first
    expect(keptBy(finished({ restorePoints: listed(aCheckpoint()) }))).toBeUndefined();
    expect(keptBy(finished({ restorePoints: cannotTell("no") }))).toBeUndefined();
    expect(keptBy(finished({ restorePoints: listed(aSavepoint(1)) }))).toBe(aSavepoint(1).uri); // stopped, and the record of it was lost
    expect(keptBy(decide({ status: { flinkJobState: "Finished" }, clusters: [aReachableCluster()] }))).toBeUndefined();
    expect(keptBy(decide({ live: { state: "FAILED" }, cluster: { restorePoints: listed() } }))).toBeUndefined();
  });

  it("always comes to its end, also where nobody can tell what it left", () => {
    const decision = decide({ live: { state: "FAILED", detail: "unknown" }, cluster: { restorePoints: cannotTell("no") } });
    expect(keptBy(decision)).toBeUndefined();
    expect(decision.because).toContain("its checkpoints cannot be listed: no");
    expect(decision).toMatchObject({ settlement: { lost: expect.stringContaining("its checkpoints cannot be listed: no") } });
    const suspended = decide({ status: { suspended: true, requestedRpus: 0 } });
    expect(suspended).toMatchObject({ settlement: { lost: "the savepoint that suspended it is not recorded" } });
  });

  it("completes its deletion although it is declared again meanwhile: it starts afterwards", () => {
    const record = aStartedRecord({ status: { phase: "Deleting", deletingSince: ago(1) } });
    for (const manifest of [{}, { spec: { rpus: 5 } }, "broken"] as const) {
      expect(toldBy(decideFor({ record, manifest }, { clusters: [clusterWith(CHECKPOINTED)] }))).toBe("announce stop");
      expect(toldBy(decideFor({ record, manifest }, { clusters: [anUnreachableCluster()] }))).toBe(
        "wait Deleted ClusterUnreachable",
      );
    }
  });

  it("looks first for what it left, and while it runs for what it may have completed a moment ago", () => {
    expect(decide({ live: { state: "FAILED" } })).toMatchObject({ kind: "leave", soon: true });
    expect(decide({ live: {} })).toMatchObject({ kind: "leave", soon: true });
  });
});

const point = { kind: "Savepoint", uri: aSavepoint().uri } as const;
const TOMBSTONE: Partial<JobStatus> = {
  phase: "Deleting",
  flinkJobState: "Cancelled",
  deleted: { at: ago(60), restorePoint: point },
};
const tombstoneOf = (days: number) => ({ ...TOMBSTONE, deleted: { at: ago(days * 1440), restorePoint: point } });

function decideAgain(manifest: ManifestOverrides | "absent" | "broken", status = TOMBSTONE, context: ContextOverrides = {}) {
  return decideFor({ record: aStartedRecord({ status }), manifest }, context);
}

describe("a tombstone", () => {
  it("is kept for 30 days", () => {
    expect(decideAgain("absent", tombstoneOf(29))).toMatchObject({ kind: "leave" });
    expect(decideAgain("absent", tombstoneOf(30.1))).toMatchObject({ kind: "forget" });
  });

  it("lets the same spec go on where it stopped, as a new run", () => {
    for (const manifest of [{}, { spec: { rpus: 5 } }, { labels: { a: "b" } }]) {
      const decision = decideAgain(manifest);
      expect(decision).toMatchObject({
        kind: "announce",
        because: `it is declared again and goes on from ${point.uri}`,
        work: { kind: "start", operation: { attempt: 2, run: 2, restoreFrom: point }, submission: { restoreFrom: point } },
      });
    }
  });

  it("waits like any start while something is missing for it", () => {
    expect(toldBy(decideAgain({}, TOMBSTONE, { clusters: [anUnreachableCluster()] }))).toBe("wait Placed ClusterUnreachable");
    expect(toldBy(decideAgain({ spec: { rpus: 9 } }))).toBe("wait Placed NotEnoughSlots");
    expect(decideAgain("broken")).toMatchObject({ kind: "leave" });
  });

  it("holds another spec, and names both ways out", () => {
    expect(decideAgain({ spec: { artifact: "other" } })).toMatchObject({
      kind: "wait",
      block: { condition: "Started", reason: "TombstoneStands" },
      because: expect.stringMatching(
        new RegExp(`its state is kept at ${point.uri}; .*annotate the Job with .*"penstock/start-empty: ${anAttempt(1)}"`),
      ),
    });
  });

  it("lets another spec start from the Savepoint that it names", () => {
    const uri = "file:///other/savepoint-1";
    const manifest = { spec: { artifact: "other", initialState: { savepoint: "s", allowNonRestoredState: false } } };
    const ready = { kind: "ready", uri, allowNonRestoredState: false } as const;
    expect(decideAgain(manifest, TOMBSTONE, { initialState: ready })).toMatchObject({
      kind: "announce",
      work: { operation: { run: 2, restoreFrom: { uri } } },
    });
    const waits = { kind: "waits", because: "waits for Savepoint s" } as const;
    expect(toldBy(decideAgain(manifest, TOMBSTONE, { initialState: waits }))).toBe("wait Started InitialStateNotReady");
  });

  it("gives way to a person who gives its state up by name", () => {
    const annotations = { "penstock/start-empty": anAttempt(1) };
    for (const spec of [{}, { artifact: "other" }]) {
      const decision = decideAgain({ spec, annotations });
      expect(decision).toMatchObject({ kind: "announce", work: { operation: { attempt: 2, run: 2 } } });
      expect("work" in decision && decision.work.operation).not.toHaveProperty("restoreFrom");
    }
    expect(toldBy(decideAgain({ spec: { artifact: "other" }, annotations: { "penstock/start-empty": "new" } }))).toBe(
      "wait Started TombstoneStands",
    );
  });

  it("of a Job that never came to run keeps what it was to start from", () => {
    const record = aRecord({ status: { ...TOMBSTONE, attempt: 1 } });
    expect(decideFor({ record })).toMatchObject({ kind: "announce", work: { operation: { restoreFrom: point } } });
  });

  const initial = { spec: { initialState: { savepoint: "s", allowNonRestoredState: false } } };
  const fromInitial = (context: ContextOverrides, status: Partial<JobStatus> = {}) =>
    decideFor(
      {
        record: aStartedRecord({ spec: initial.spec, status: { ...TOMBSTONE, startedAt: ago(120), ...status } }),
        manifest: initial,
      },
      context,
    );
  const SINCE = "file:///flink/savepoints/since";
  const readyWith = (more: Partial<InitialState & { kind: "ready" }>) => ({
    initialState: { kind: "ready", uri: SINCE, ...more } as const,
  });

  it.each([
    ["it was taken after the Job was deleted", readyWith({ takenAt: ago(59), readyAt: ago(58) }), {}],
    ["it was asked for when the Job was deleted", readyWith({ takenAt: ago(60), readyAt: ago(58) }), {}],
  ])("gives way to the Savepoint that the same spec names when %s", (_, context, status) => {
    expect(fromInitial(context, status)).toMatchObject({
      kind: "announce",
      work: { operation: { run: 2, restoreFrom: { uri: SINCE } } },
      initialState: SINCE,
    });
  });

  it.each([
    ["the Job's state began with it", readyWith({ takenAt: ago(1) }), { initialState: SINCE }],
    ["its last attempt was started from it", readyWith({}), { startedFrom: { kind: "Savepoint", uri: SINCE } }],
    ["it was there before the Job's last attempt was started", readyWith({ readyAt: ago(120) }), {}],
    ["it is not declared any more", { initialState: { kind: "undeclared", because: "" } }, {}],
  ] as const)("wins over the Savepoint that the same spec names when %s", (_, context, status) => {
    expect(fromInitial(context, status)).toMatchObject({
      kind: "announce",
      work: { operation: { run: 2, restoreFrom: point } },
    });
  });

  it("remembers what the Job's state began with when it goes on from its own", () => {
    const context = { initialState: { kind: "undeclared", because: "" } } as const;
    expect(fromInitial(context, { initialState: SINCE })).toMatchObject({ initialState: SINCE });
  });

  it.each([
    ["it is not Ready", { initialState: { kind: "waits", because: "waits for Savepoint s" } }, "InitialStateNotReady"],
    ["it names a place and no time", readyWith({}), "NeedsRestore"],
    ["it was taken while the Job still ran", readyWith({ takenAt: ago(61), readyAt: ago(59) }), "NeedsRestore"],
    ["it became Ready later, and its state may be older", readyWith({ readyAt: ago(59) }), "NeedsRestore"],
  ] as const)("waits, and names the ways out, when whether the Savepoint is newer cannot be told: %s", (_, context, reason) => {
    const decision = fromInitial(context);
    expect(toldBy(decision)).toBe(`wait Started ${reason}`);
    expect(decision.because).toContain(`"penstock/start-empty: ${anAttempt(1, { spec: initial.spec })}"`);
  });

  it("gives way to a restore point that a person names", () => {
    const annotations = { "penstock/restore-from": `${anAttempt(1)}=s3://b/chosen` };
    for (const spec of [{}, { artifact: "other" }])
      expect(decideAgain({ spec, annotations })).toMatchObject({
        work: { operation: { run: 2, restoreFrom: { uri: "s3://b/chosen" } } },
      });
  });

  it("of a Job that a Final Savepoint had stopped holds it down as long as its upgrade stands", () => {
    const finalized = { savepoint: "final", uri: point.uri, drained: false };
    const status = { ...TOMBSTONE, deleted: { ...TOMBSTONE.deleted!, finalized } };
    const decision = decideAgain({}, status, { notBack: "1 Job went on from its Final Savepoint and is not gone: orders-v2" });
    expect(toldBy(decision)).toBe("wait Started FinalSavepointStands");
    expect(decision.because).toContain("orders-v2");
    expect(decideAgain({}, status)).toMatchObject({ work: { operation: { restoreFrom: point } } });
  });

  it.each([
    ["nobody can tell what it left", { lost: "its checkpoints cannot be listed" }],
    ["its Final Savepoint drained it", { finalized: { savepoint: "final", uri: "file:///x", drained: true } }],
  ])("never lets a Job start empty in silence when %s", (_, more) => {
    const status = { ...TOMBSTONE, deleted: { at: ago(60), ...more } };
    expect(toldBy(decideAgain({}, status))).toBe("wait Started NeedsRestore");
    expect(toldBy(decideAgain({ spec: { artifact: "other" } }, status))).toBe("wait Started TombstoneStands");
    expect(toldBy(decideAgain({ annotations: { "penstock/start-empty": anAttempt(1) } }, status))).toBe("announce start");
  });

  it("without state lets a Job begin with the Savepoint that it names", () => {
    expect(fromInitial(readyWith({}), { deleted: { at: ago(60) } })).toMatchObject({
      work: { operation: { restoreFrom: { uri: SINCE } } },
    });
  });

  it("without a restore point holds nothing", () => {
    const status = { ...TOMBSTONE, deleted: { at: ago(60) } };
    expect(toldBy(decideAgain({ spec: { artifact: "other" } }, status))).toBe("announce start");
    expect(toldBy(decideAgain({}, status))).toBe("announce start");
  });
});
