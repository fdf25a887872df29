import { describe, expect, it } from "vitest";
import { formatTime } from "../../src/common/clock.ts";
import type { ClusterSeen } from "../../src/flink/cluster-seen.ts";
import type { JobStatus, RestorePoint } from "../../src/model/status.ts";
import type { JobDecision } from "../../src/pass/decision.ts";
import {
  anAttempt,
  anUnreachableCluster,
  aPolicy,
  aReachableCluster,
  aStartedRecord,
  CLUSTER,
  NOW,
  type ClusterOverrides,
  type DesiredJobOverrides,
  type ListedJobOverrides,
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
  RESTARTED,
  type ContextOverrides,
} from "./job-decisions.ts";

interface Situation extends ContextOverrides {
  readonly status?: Partial<JobStatus>;
  readonly manifest?: DesiredJobOverrides["manifest"];
  readonly live?: ListedJobOverrides;
  readonly cluster?: ClusterOverrides;
}

/** The next step of a Job with attempt 1 on the only cluster, healthy and as declared but for what is said. */
function decide({ status, manifest, live, cluster, ...context }: Situation = {}): JobDecision {
  const record = aStartedRecord(status === undefined ? {} : { status });
  return decideFor(
    { record, ...(manifest === undefined ? {} : { manifest }) },
    { clusters: [clusterWith(live, cluster)], ...context },
  );
}

const withRpus = (rpus: number) => ({ spec: { rpus } });
const RESTARTING = { state: "RESTARTING" };
const NOT_DONE = { kind: "not-done", announcedAt: "", because: "no storage", failures: 1 } as const;

/** `leave Rescaled NotHealthy`. */
function toldBy(decision: JobDecision): string {
  return `${decision.kind} ${blockOf(decision) ?? ""}`.trim();
}

/** What the next attempt is started from; the text tells what else came. */
function startedFrom(decision: JobDecision): RestorePoint | string | undefined {
  const isStart = decision.kind === "announce" && decision.work.kind === "start";
  return isStart && decision.work.kind === "start" ? decision.work.operation.restoreFrom : toldBy(decision);
}

describe("a Job that runs as declared", () => {
  it("is left alone", () => {
    expect(decide()).toMatchObject({ kind: "leave", because: "it already matches Git" });
    expect(decide({ live: RESTARTING })).toMatchObject({ kind: "leave" });
  });

  it("is left alone when its document is refused, its rpus included", () => {
    expect(decide({ manifest: { spec: { rpus: 5, flinkVersion: "1.20" } } })).toMatchObject({
      kind: "leave",
      because: "it already matches Git",
    });
    expect(decide({ manifest: { spec: { rpus: 0, flinkVersion: "1.20" } } })).toMatchObject({ kind: "leave" });
    expect(decide({ manifest: "broken" })).toMatchObject({ kind: "leave" });
  });

  it.each([
    ["its rpus", { manifest: withRpus(4) }],
    ["its end", { manifest: "absent" }],
    ["its failure", { live: { state: "FAILED" } }],
    ["a Final Savepoint", { final: { name: "final", drain: false, held: undefined } }],
  ] as const)("is left alone while all is paused, whatever is declared: %s", (_, situation) => {
    expect(toldBy(decide({ ...situation, policy: aPolicy({ paused: true }) }))).toBe("leave Started Paused");
  });

  it("is left alone while it is paused itself", () => {
    const manifest = { ...withRpus(4), annotations: { "penstock/paused": "true" } };
    expect(toldBy(decide({ manifest }))).toBe("leave Started Paused");
  });
});

describe("a rescale", () => {
  it("is a stop with savepoint and the start that follows it, announced as one", () => {
    const decision = decide({ manifest: withRpus(4) });
    const triggerId = "work" in decision && decision.work.kind === "stop" ? decision.work.operation.triggerId : "";
    expect(triggerId).toMatch(/^[0-9a-f]{32}$/);
    expect(decision).toMatchObject({
      kind: "announce",
      because: "rpus 2 → 4",
      work: {
        kind: "stop",
        operation: {
          kind: "stop",
          purpose: "rescale",
          flinkJobId: anAttempt(1),
          cluster: CLUSTER,
          targetDirectory: `file:///flink/savepoints/${anAttempt(1)}/${triggerId}`,
          next: { attempt: 2, flinkJobId: anAttempt(2), cluster: CLUSTER, rpus: 4 },
          announcedAt: formatTime(NOW),
        },
        next: { flinkJobId: anAttempt(2), parallelism: 4 },
      },
    });
  });

  it("uses another trigger for each time that it is tried", () => {
    const first = decide({ manifest: withRpus(4) });
    const second = decide({ manifest: withRpus(4), now: NOW + 1 });
    expect(JSON.stringify(first)).not.toBe(JSON.stringify(second));
  });

  it("is asked in place where the cluster can, of a job that has a checkpoint", () => {
    const cluster = { inPlaceRescale: true, slots: { free: 0 } };
    expect(decide({ manifest: withRpus(4), live: CHECKPOINTED, cluster })).toMatchObject({
      kind: "announce",
      because: "rpus 2 → 4, in place",
      work: { kind: "rescale", from: 2, operation: { kind: "rescale", flinkJobId: anAttempt(1), cluster: CLUSTER, rpus: 4 } },
    });
  });

  it.each([
    ["the job has no checkpoint", { live: {} }],
    ["it was refused in place", { live: CHECKPOINTED, step: { ...NOT_DONE, retryAtMs: NOW } }],
  ] as const)("goes by savepoint where the cluster could do it in place and %s", (_, situation) => {
    const decision = decide({ ...situation, manifest: withRpus(4), cluster: { inPlaceRescale: true } });
    expect(decision).toMatchObject({ kind: "announce", work: { kind: "stop", operation: { purpose: "rescale" } } });
  });

  it.each([
    ["the job is not healthy", { live: RESTARTING }, "NotHealthy", "rpus 2 → 9 waits until all tasks are running"],
    [
      "not all tasks run",
      { live: { tasks: { total: 3, running: 2, finished: 0 } } },
      "NotHealthy",
      "rpus 2 → 9 waits until all tasks are running",
    ],
    ["there are no tasks yet", { live: { tasks: { total: 0, running: 0, finished: 0 } } }, "NotHealthy", undefined],
    [
      "slots are missing",
      { cluster: { slots: { free: 6 } } },
      "NotEnoughSlots",
      "rpus 2 → 9 needs 7 more slots, 6 of 8 free in main",
    ],
    [
      "the job holds more slots than its rpus, and grows in proportion",
      { cluster: { slots: { free: 13, total: 20, heldByJob: new Map([[anAttempt(1), 4]]) } } },
      "NotEnoughSlots",
      "rpus 2 → 9 needs 14 more slots, 13 of 20 free in main",
    ],
    [
      "its state cannot be spread so wide",
      { live: { detail: { vertices: [{ id: "a", parallelism: 2, maxParallelism: 8 }] } } },
      "MaxParallelism",
      "rpus 2 → 9 cannot be: its state was written with a max parallelism of 8; ask for at most 8 rpus",
    ],
    [
      "the bytes are not there",
      { announcedArtifact: { kind: "not-ready", reason: "ArtifactNotReady", because: "waits for the bytes" } },
      "ArtifactNotReady",
      "rpus 2 → 9 waits: waits for the bytes",
    ],
    [
      "there is no savepoint directory",
      { cluster: { savepointsDir: undefined, checkpointsDir: undefined } },
      "NoSavepointDirectory",
      "rpus 2 → 9 needs a savepoint directory: set state.savepoints.dir on main, or savepointsDir in the configuration",
    ],
    [
      "the savepoint directory cannot be written",
      { cluster: { savepointsRefused: "read-only" } },
      "SavepointsRefused",
      "rpus 2 → 9 waits: a savepoint cannot be written: read-only",
    ],
    [
      "the project has no rpus left",
      { quota: { maxRpus: 10, usedRpus: 2 } },
      "QuotaExceeded",
      "rpus 2 → 9 waits: project default may have 10 rpus in zone local: 2 are taken, and it asks for 9",
    ],
    [
      "the cluster takes no jars",
      { cluster: { webSubmit: false } },
      "SubmissionDisabled",
      "rpus 2 → 9 waits: main does not accept jars",
    ],
    [
      "the savepoint failed a moment ago",
      { step: { ...NOT_DONE, retryAtMs: NOW + 1 } },
      "NotDone",
      "rpus 2 → 9 is tried again: no storage",
    ],
    [
      "it was tried and undone",
      { status: { rescaleFailed: { rpus: 9, because: "out of memory" } } },
      "NextStartFailed",
      "rpus 2 → 9 was tried and undone: out of memory",
    ],
  ] as const)("waits, and nothing is stopped, while %s", (_, situation, reason, because) => {
    const decision = decide({ cluster: { slots: { free: 20, total: 30 } }, ...situation, manifest: withRpus(9) });
    expect(toldBy(decision)).toBe(`leave Rescaled ${reason}`);
    expect(decision).not.toHaveProperty("work");
    if (because !== undefined) expect(decision.because).toBe(because);
  });

  it("is tried again with other rpus than those that were undone", () => {
    const status = { rescaleFailed: { rpus: 9, because: "out of memory" } };
    expect(decide({ manifest: withRpus(4), status })).toMatchObject({ kind: "announce" });
  });

  it("down needs neither slots nor quota", () => {
    const situation = { cluster: { slots: { free: 0 } }, quota: { maxRpus: 1, usedRpus: 9 }, manifest: withRpus(1) };
    expect(decide(situation)).toMatchObject({ kind: "announce", work: { operation: { next: { rpus: 1 } } } });
  });

  it("writes its savepoint beside the checkpoints where no directory of its own is set", () => {
    expect(decide({ manifest: withRpus(4), cluster: { savepointsDir: undefined } })).toMatchObject({
      work: { operation: { targetDirectory: expect.stringMatching(/^file:\/\/\/flink\/checkpoints\//) } },
    });
  });
});

describe("rpus 0", () => {
  it("stops with a savepoint, and nothing follows", () => {
    const decision = decide({ manifest: withRpus(0) });
    expect(decision).toMatchObject({
      kind: "announce",
      because: "rpus 0 suspends it",
      work: { kind: "stop", operation: { purpose: "suspend", flinkJobId: anAttempt(1) }, next: undefined },
    });
    expect("work" in decision && decision.work.operation).not.toHaveProperty("next");
  });

  it("needs neither slots nor bytes", () => {
    const announcedArtifact = { kind: "not-ready", reason: "ArtifactNotReady", because: "" } as const;
    expect(decide({ manifest: withRpus(0), cluster: { slots: { free: 0 } }, announcedArtifact })).toMatchObject({
      kind: "announce",
    });
  });

  it("waits for a job that is not healthy: it would lose its state", () => {
    expect(toldBy(decide({ manifest: withRpus(0), live: RESTARTING }))).toBe("leave Suspended NotHealthy");
  });

  it("keeps a job down that failed meanwhile, and keeps its state", () => {
    for (const live of [{ state: "FAILED" }, { state: "CANCELED" }])
      expect(decide({ manifest: withRpus(0), live, cluster: { restorePoints: listed(aCheckpoint()) } })).toMatchObject({
        kind: "leave",
        because: expect.stringContaining("rpus 0 keeps it down"),
        block: { condition: "Suspended", reason: "WasDown" },
      });
  });
});

describe("a suspended Job", () => {
  const lastSavepoint = { uri: aSavepoint().uri, takenAt: "", flinkJobId: anAttempt(1), reason: "Suspend" } as const;
  const status: Partial<JobStatus> = { suspended: true, requestedRpus: 0, flinkJobState: "Finished", lastSavepoint };
  const clusters = [aReachableCluster()];

  it("stays down, wherever its cluster went", () => {
    for (const where of [clusters, [anUnreachableCluster()], []])
      expect(decide({ manifest: withRpus(0), status, clusters: where })).toMatchObject({ kind: "leave" });
  });

  it("goes on from its savepoint when rpus is raised, as a new run", () => {
    expect(decide({ manifest: withRpus(3), status, clusters })).toMatchObject({
      kind: "announce",
      work: {
        kind: "start",
        operation: { attempt: 2, run: 2, rpus: 3, restoreFrom: { kind: "Savepoint", uri: lastSavepoint.uri } },
        submission: { parallelism: 3, restoreFrom: { uri: lastSavepoint.uri } },
      },
    });
  });

  it("goes on anywhere where there is its version, when its cluster is gone", () => {
    const other = aReachableCluster({ name: "other" });
    const decision = decide({ manifest: withRpus(3), status, clusters: [anUnreachableCluster(), other] });
    expect(decision).toMatchObject({
      work: { operation: { cluster: { name: "other" }, restoreFrom: { uri: lastSavepoint.uri } } },
    });
  });

  it("never goes on from nothing", () => {
    const { lastSavepoint: _, ...without } = status;
    const record = aStartedRecord({ status: without });
    expect(toldBy(decideFor({ record, manifest: withRpus(3) }, { clusters }))).toBe("wait Restored RestorePointMissing");
  });

  it("waits for the project's quota, of which it took nothing while it was down", () => {
    const quota = { maxRpus: 5, usedRpus: 3 };
    expect(toldBy(decide({ manifest: withRpus(3), status, clusters, quota }))).toBe("leave Restored QuotaExceeded");
    expect(toldBy(decide({ manifest: withRpus(2), status, clusters, quota }))).toBe("announce");
  });

  it("waits for slots and for the bytes", () => {
    const full = [aReachableCluster({ slots: { free: 2 } })];
    expect(toldBy(decide({ manifest: withRpus(3), status, clusters: full }))).toBe("leave Restored NotEnoughSlots");
    const announcedArtifact = { kind: "not-ready", reason: "ArtifactNotReady", because: "" } as const;
    expect(toldBy(decide({ manifest: withRpus(3), status, clusters, announcedArtifact }))).toBe(
      "leave Restored ArtifactNotReady",
    );
  });
});

const toldAfter = (restarts: number, seconds: number) =>
  toldBy(
    decide({
      live: { state: "FAILED" },
      cluster: { restorePoints: listed(aCheckpoint()) },
      status: { restarts, startedAt: formatTime(NOW) },
      now: NOW + seconds * 1000,
    }),
  );

describe("a Job that Flink ended", () => {
  const restorePoints = listed(aCheckpoint());

  it.each(["FAILED", "CANCELED"])("as %s goes on from its newest restore point, in the same run", (state) => {
    expect(decide({ live: { state }, cluster: { restorePoints } })).toMatchObject({
      kind: "announce",
      because: `Flink ended it as ${state}; it goes on from ${aCheckpoint().uri}: it is the newest one, left by attempt 1`,
      work: { kind: "start", operation: { attempt: 2, run: 1, rpus: 2, restoreFrom: { uri: aCheckpoint().uri } } },
    });
  });

  it("says why", () => {
    const live = { state: "FAILED", detail: { rootCause: "no broker" } };
    expect(decide({ live, cluster: { restorePoints } }).because).toContain("Flink ended it as FAILED (no broker)");
  });

  it.each([
    ["the project's quota has no room for", { quota: { maxRpus: 8, usedRpus: 4 } }, 8],
    ["the cluster has no slots for", {}, 3],
  ])("comes back as it was when %s the rpus that are declared now", (_, more, free) => {
    const [cluster, live] = [{ restorePoints, slots: { free } }, { state: "FAILED" }];
    expect(decide({ manifest: withRpus(6), live, cluster, ...more })).toMatchObject({
      kind: "announce",
      work: { operation: { rpus: 2, restoreFrom: { uri: aCheckpoint().uri } } },
    });
  });

  it("comes back with its accepted spec and the rpus that are declared now", () => {
    const manifest = withRpus(3);
    expect(decide({ manifest, live: { state: "FAILED" }, cluster: { restorePoints } })).toMatchObject({
      work: { operation: { rpus: 3, flinkJobId: anAttempt(2) } },
    });
    const refused = { spec: { rpus: 7, artifact: "other" } };
    expect(decide({ manifest: refused, live: { state: "FAILED" }, cluster: { restorePoints } })).toMatchObject({
      work: { operation: { rpus: 2, flinkJobId: anAttempt(2) } },
    });
  });

  it("looks for its restore point first", () => {
    expect(decide({ live: { state: "FAILED" } })).toMatchObject({ kind: "leave", soon: true });
  });

  it("waits for a person when its restore point is missing", () => {
    const situation = { live: { state: "FAILED" }, status: { checkpointed: anAttempt(1) }, cluster: { restorePoints: listed() } };
    expect(toldBy(decide(situation))).toBe("leave Restored RestorePointMissing");
  });

  it("starts anew only where it never had state", () => {
    const decision = decide({ live: { state: "FAILED" }, cluster: { restorePoints: listed() } });
    expect(startedFrom(decision)).toBeUndefined();
    expect(decision.because).toContain("begins anew, since it was started without state and completed no checkpoint");
  });

  it("waits ever longer between attempts that complete no checkpoint", () => {
    expect(toldAfter(1, 0)).toBe("leave Restored BackingOff");
    expect(toldAfter(1, 3)).toBe("announce");
    expect(toldAfter(6, 30)).toBe("leave Restored BackingOff");
    expect(toldAfter(6, 90)).toBe("announce");
    expect(toldAfter(50, 149)).toBe("leave Restored BackingOff");
    expect(toldAfter(50, 400)).toBe("announce");
    expect(toldAfter(0, 0)).toBe("announce");
  });

  it("does not wait for a time to come that a clock wrote down that was wrong", () => {
    expect(toldAfter(50, -60)).toBe("leave Restored BackingOff"); // clocks of two machines may differ by that
    expect(toldAfter(1, -3600)).toBe("announce");
    expect(toldAfter(50, -86_400)).toBe("announce");
  });

  it("comes back to its own cluster, and waits for slots there", () => {
    const other = aReachableCluster({ name: "other" });
    const full = clusterWith({ state: "FAILED" }, { restorePoints, slots: { free: 1 } });
    expect(toldBy(decide({ clusters: [full, other] }))).toBe("leave Restored NotEnoughSlots");
  });

  it("waits for its bytes", () => {
    const announcedArtifact = { kind: "not-ready", reason: "ArtifactNotReady", because: "gone" } as const;
    expect(toldBy(decide({ live: { state: "FAILED" }, cluster: { restorePoints }, announcedArtifact }))).toBe(
      "leave Restored ArtifactNotReady",
    );
  });

  it("stays finished, whatever is declared later, also when Flink forgets it", () => {
    expect(decide({ live: { state: "FINISHED" } })).toMatchObject({ kind: "leave" });
    expect(decide({ live: { state: "FINISHED" }, manifest: withRpus(5) })).toMatchObject({ kind: "leave" });
    const status = { flinkJobState: "Finished" } as const;
    for (const incarnation of ["first", "second"])
      expect(decide({ status, clusters: [aReachableCluster({ incarnation })] })).toMatchObject({
        kind: "leave",
        because: "it is finished, and stays so",
      });
  });
});

const without = (more: ClusterOverrides = {}): readonly ClusterSeen[] => [aReachableCluster(more)];

const fresh = (more: ClusterOverrides = {}) => without({ incarnation: RESTARTED.incarnation, ...more });

describe("a Job that its cluster does not list", () => {
  it.each([
    ["was not seen before", []],
    ["was listed in the pass before", [clusterWith()]],
    ["could not be seen in the pass before", [anUnreachableCluster()]],
  ])("is looked for again when it %s", (_, lastSeen) => {
    for (const clusters of [without({ restorePoints: listed(aCheckpoint()) }), fresh({ restorePoints: listed(aCheckpoint()) })])
      expect(decide({ clusters, lastSeen })).toMatchObject({ kind: "leave", soon: true });
  });

  it("is brought back from what it left when its JobManager is a new one", () => {
    expect(decide({ clusters: fresh({ restorePoints: listed(aCheckpoint()) }) })).toMatchObject({
      kind: "announce",
      because: expect.stringContaining("it vanished from cluster main"),
      work: { operation: { attempt: 2, cluster: RESTARTED, restoreFrom: { uri: aCheckpoint().uri } } },
    });
  });

  it("is brought back from what it was started from when it left nothing of its own", () => {
    const status = { startedFrom: { kind: "Savepoint", uri: "file:///old" } } as const;
    expect(startedFrom(decide({ status, clusters: fresh({ restorePoints: listed() }) }))).toEqual(status.startedFrom);
  });

  it.each([
    ["is gone from the listed directory", aSavepoint(1).uri, [], "RestorePointMissing"],
    ["is gone, in Flink's way to write it", aSavepoint(1).uri.replace("file:///", "file:/"), [], "RestorePointMissing"],
    ["is a checkpoint that is gone", aCheckpoint(1).uri, [], "RestorePointMissing"],
    ["is there", aSavepoint(1).uri, [aSavepoint(1)], undefined],
    ["is there, and lies below what was written down", aSavepoint(1).uri.replace("/savepoint-1", ""), [aSavepoint(1)], undefined],
    ["lies in another directory, so that nobody can tell", aSavepoint(1).uri.replace("/flink/", "/old/"), [], undefined],
    ["was left by another Job, so that nobody looked", aSavepoint(1).uri.replaceAll(anAttempt(1), "0".repeat(32)), [], undefined],
    ["lies where no list shows it", `file:///flink/savepoints/${anAttempt(1)}/by/hand`, [], undefined],
  ] as const)("waits for what it was started from only when that %s", (_, uri, left, reason) => {
    const status = { attempt: 2, flinkJobId: anAttempt(2), startedFrom: { kind: "Savepoint", uri } } as const;
    const decision = decide({ status, clusters: fresh({ restorePoints: listed(...left) }) });
    expect(blockOf(decision)).toBe(reason === undefined ? undefined : `Restored ${reason}`);
    expect(decision.kind).toBe(reason === undefined ? "announce" : "leave");
    if (reason !== undefined)
      expect(decision.because).toContain(`annotate the Job with "penstock/restore-from: ${anAttempt(2)}=<uri>"`);
  });

  it.each([
    ["the same JobManager forgot it", {}],
    ["jobs outlive their JobManager", { incarnation: "second", highAvailability: true }],
  ])("was cancelled or failed when it left a checkpoint and %s, so it is brought back", (_, more) => {
    expect(startedFrom(decide({ clusters: without({ ...more, restorePoints: listed(aCheckpoint()) }) }))).toMatchObject({
      uri: aCheckpoint().uri,
    });
  });

  it.each([
    ["the same JobManager forgot it", {}],
    ["jobs outlive their JobManager", { incarnation: "second", highAvailability: true }],
  ])("finished when it left none and %s", (_, more) => {
    expect(decide({ clusters: without({ ...more, restorePoints: listed(aSavepoint()) }) })).toMatchObject({
      kind: "settle",
      settlement: { kind: "finished" },
    });
  });

  it("did not finish when it was last seen failing, or cancelled by somebody, and had no checkpoint to leave", () => {
    const decision = decide({ status: { flinkJobState: "Failing" }, clusters: without({ restorePoints: listed() }) });
    expect(decision).toMatchObject({ kind: "announce", work: { kind: "start", operation: { attempt: 2, run: 1 } } });
  });

  it("is neither when nobody can tell what it left", () => {
    const clusters = without({ restorePoints: cannotTell("hdfs://x cannot be listed") });
    expect(toldBy(decide({ clusters }))).toBe("leave Restored RestorePointUnknown");
    const after = fresh({ restorePoints: cannotTell("hdfs://x cannot be listed") });
    expect(toldBy(decide({ clusters: after }))).toBe("leave Restored RestorePointUnknown");
  });

  it.each([
    ["its cluster left the configuration", []],
    ["its cluster has another url", [aReachableCluster({ url: "http://elsewhere:8081/" })]],
    ["its cluster does not answer", [anUnreachableCluster()]],
    ["another cluster answers", [anUnreachableCluster(), aReachableCluster({ name: "other" })]],
  ])("is never taken for gone while %s", (_, clusters) => {
    expect(toldBy(decide({ clusters }))).toBe("leave");
  });

  it("waits while the spec that it ran with is not known", () => {
    const status = { flinkJobId: anAttempt(1, { spec: { flinkVersion: "1.18" } }) };
    const clusters = fresh({ restorePoints: listed() });
    expect(toldBy(decide({ status, clusters }))).toBe("leave Restored SpecUnknown");
  });
});

const newer = (more: ClusterOverrides = {}) => aReachableCluster({ name: "newer", flinkVersion: "1.16.4", ...more });

describe("a newer patch of its Flink version", () => {
  const clusters = [clusterWith(), newer()];
  const migrate = (
    more: ContextOverrides = {},
    target: ClusterOverrides = {},
    here: ClusterOverrides = {},
    live: ListedJobOverrides = {},
  ) => decide({ clusters: [clusterWith(live, here), newer(target)], ...more });

  it("is moved to by savepoint, with as many rpus", () => {
    expect(decide({ clusters })).toMatchObject({
      kind: "announce",
      because: "newer has the newer Flink 1.16.4, so it moves there",
      work: {
        kind: "stop",
        operation: { purpose: "migrate", cluster: CLUSTER, next: { attempt: 2, rpus: 2, cluster: { name: "newer" } } },
        next: { cluster: "newer", parallelism: 2 },
      },
    });
  });

  it.each([
    ["another Job of the zone is on its way", { mayMigrate: false }, {}, {}, {}, "UpdateWaits"],
    ["the job is not healthy", {}, {}, {}, RESTARTING, "UpdateWaits"],
    ["there is no room", {}, { slots: { free: 1 } }, {}, {}, "UpdateWaits"],
    ["updates are a person's business", { policy: aPolicy({ runtimeUpdates: "manual" }) }, {}, {}, {}, "UpdateAvailable"],
    ["it was tried and undone", {}, {}, {}, {}, "UpdateFailed"],
    ["its savepoint failed a moment ago", { step: { ...NOT_DONE, retryAtMs: NOW + 1 } }, {}, {}, {}, "UpdateWaits"],
  ] as const)("waits while %s", (what, context, target, here, live, reason) => {
    const status = what === "it was tried and undone" ? { rescaleFailed: { rpus: 2, because: "no" } } : {};
    const decision = decide({ clusters: [clusterWith(live, here), newer(target)], status, ...context });
    expect(toldBy(decision)).toBe(`leave UpToDate ${reason}`);
    expect(decision).not.toHaveProperty("work");
  });

  it.each([
    ["drains", { draining: true }],
    ["takes no jars", { webSubmit: false }],
    ["has other directories", { savepointsDir: "file:///other" }],
    ["is another zone's", { zone: "far" }],
    ["is of another minor version", { flinkVersion: "1.17.2" }],
    ["is older", { flinkVersion: "1.16.1" }],
    ["is of the same patch", { flinkVersion: "1.16.3" }],
  ])("is none when its cluster %s", (_, target) => {
    expect(migrate({}, target)).toMatchObject({ kind: "leave", because: "it already matches Git" });
  });

  it("need not be newer when the own cluster drains", () => {
    for (const flinkVersion of ["1.16.1", "1.16.3"])
      expect(migrate({}, { flinkVersion }, { draining: true })).toMatchObject({
        kind: "announce",
        because: "main drains, so it moves there",
      });
  });

  it("comes after a change of rpus", () => {
    expect(decide({ clusters, manifest: withRpus(4) })).toMatchObject({ work: { operation: { purpose: "rescale" } } });
  });
});

const ago = (minutes: number) => formatTime(NOW - minutes * 60_000);
const settledWith = (uri: string) => ({
  kind: "settle",
  settlement: { kind: "finalized", savepoint: "final", uri, drained: false },
});

describe("a Final Savepoint", () => {
  const final = { name: "final", drain: false, held: undefined };

  it("stops its Job when all that wait for it could start", () => {
    expect(decide({ final })).toMatchObject({
      kind: "announce",
      work: { kind: "stop", operation: { purpose: "final", savepoint: "final" }, next: undefined },
    });
    expect(decide({ final: { ...final, drain: true } })).toMatchObject({
      work: { operation: { purpose: "final", drain: true } },
    });
  });

  it("leaves its Job alone while it is held, and the Job goes on as usual", () => {
    const held = { ...final, held: "Job b could not start from it" };
    expect(decide({ final: held })).toMatchObject({ kind: "leave", because: "it already matches Git" });
    expect(decide({ final: held, manifest: withRpus(4) })).toMatchObject({ work: { operation: { purpose: "rescale" } } });
  });

  it("keeps its Job from being deleted before", () => {
    const held = { ...final, held: "Job b could not start from it" };
    expect(toldBy(decide({ final: held, manifest: "absent" }))).toBe("leave Deleted FinalSavepointFirst");
    expect(decide({ final, manifest: "absent" })).toMatchObject({ work: { operation: { purpose: "final" } } });
  });

  it.each([
    ["is not healthy", { live: RESTARTING }, "leave Finalized NotHealthy"],
    [
      "could not write its savepoint a moment ago",
      { step: { ...NOT_DONE, retryAtMs: NOW + 1 } },
      "leave Finalized SavepointFailed",
    ],
    [
      "has no savepoint directory",
      { cluster: { savepointsDir: undefined, checkpointsDir: undefined } },
      "leave Finalized NoSavepointDirectory",
    ],
  ] as const)("waits while its Job %s", (_, situation, told) => {
    expect(toldBy(decide({ ...situation, final }))).toBe(told);
  });

  it("is the newest restore point of a Job that does not run", () => {
    const cluster = { restorePoints: listed(aCheckpoint()) };
    expect(decide({ final, live: { state: "FAILED" }, cluster })).toMatchObject(settledWith(aCheckpoint().uri));
    const lastSavepoint = { uri: aSavepoint().uri, takenAt: "", flinkJobId: anAttempt(1), reason: "Suspend" } as const;
    const status = { suspended: true, requestedRpus: 0, flinkJobState: "Finished", lastSavepoint } as const;
    expect(decide({ final, status, manifest: withRpus(0), clusters: [aReachableCluster()] })).toMatchObject(
      settledWith(aSavepoint().uri),
    );
  });

  it.each([
    ["what its last attempt left is from after that attempt's start", aCheckpoint().uri, ago(9)],
    ["what it was started from may be of any age", "file:///older/savepoint-1", undefined],
  ])("knows how old its state may be when its Job does not run: %s", (_, uri, takenAt) => {
    const status = { startedAt: ago(9), ...(takenAt === undefined ? { startedFrom: { kind: "Savepoint", uri } as const } : {}) };
    const cluster = { restorePoints: takenAt === undefined ? listed() : listed(aCheckpoint()) };
    expect(decide({ final, status, live: { state: "FAILED" }, cluster })).toEqual(
      expect.objectContaining({
        settlement: {
          kind: "finalized",
          savepoint: "final",
          uri,
          drained: false,
          ...(takenAt === undefined ? {} : { takenAt }),
        },
      }),
    );
  });

  it.each([
    ["is not listed yet", {}, "leave"],
    ["is missing", { restorePoints: listed() }, "leave Finalized RestorePointUnknown"],
    ["cannot be listed", { restorePoints: cannotTell("no") }, "leave Finalized RestorePointUnknown"],
  ])("waits when the restore point of a Job that is gone and does not run %s", (_, cluster, told) => {
    const status = { checkpointed: anAttempt(1) };
    const live = { state: "FAILED", detail: "unknown" } as const;
    expect(toldBy(decide({ final, status, live, cluster, manifest: "absent" }))).toBe(told);
  });

  it("does not stand in the way of a Job that has nothing to save: it comes back to be stopped then, or goes", () => {
    const situation = { final, live: { state: "FAILED" }, cluster: { restorePoints: listed() } } as const;
    expect(decide(situation)).toMatchObject({ kind: "announce", work: { kind: "start", operation: { attempt: 2 } } });
    expect(decide({ ...situation, manifest: "absent" })).toMatchObject({ kind: "settle", settlement: { kind: "buried" } });
    const finished = { ...situation, live: { state: "FINISHED" }, status: { checkpointed: anAttempt(1) } } as const;
    expect(toldBy(decide(finished))).toBe("leave");
    expect(decide({ ...finished, manifest: "absent" })).toMatchObject({ kind: "settle", settlement: { kind: "buried" } });
  });

  it("does not believe in the first look that its Job is gone", () => {
    const clusters = [aReachableCluster({ restorePoints: listed(aCheckpoint()) })];
    expect(decide({ final, clusters, lastSeen: [] })).toMatchObject({ kind: "leave", soon: true });
    expect(decide({ final, clusters, lastSeen: clusters })).toMatchObject(settledWith(aCheckpoint().uri));
  });

  it("that drains writes where no restore point is looked for", () => {
    const decision = decide({ final: { ...final, drain: true } });
    if (decision.kind !== "announce" || decision.work.kind !== "stop") throw new Error("it is not stopped");
    const { targetDirectory, triggerId } = decision.work.operation;
    expect(targetDirectory).toBe(`file:///flink/savepoints/${anAttempt(1)}/drained-${triggerId}`);
  });
});

describe("a Job that a Final Savepoint stopped", () => {
  const status: Partial<JobStatus> = {
    flinkJobState: "Finished",
    finalized: { savepoint: "final", uri: aSavepoint().uri, drained: false },
  };
  const clusters = [aReachableCluster()];

  it("stays down while something stands against its return", () => {
    expect(decide({ status, clusters, notBack: "Job b went on from it" })).toMatchObject({
      kind: "leave",
      because: "Job b went on from it",
    });
  });

  it("comes back from that savepoint when its upgrade was reverted, as a new run", () => {
    expect(decide({ status, clusters })).toMatchObject({
      kind: "announce",
      work: { operation: { attempt: 2, run: 2, restoreFrom: { kind: "Savepoint", uri: aSavepoint().uri } } },
    });
  });

  it("stays down with rpus 0", () => {
    expect(decide({ status, clusters, manifest: withRpus(0) })).toMatchObject({ kind: "leave" });
  });
});
