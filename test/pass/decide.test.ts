import { describe, expect, it } from "vitest";
import { resourceKey } from "../../src/model/resource.ts";
import type { JobRecord, SavepointOperation } from "../../src/model/status.ts";
import { decide, freeSlots } from "../../src/pass/decide.ts";
import type { Desired, DesiredJob, DesiredSavepoint } from "../../src/pass/desired.ts";
import { lineagePrefix } from "../../src/pass/job-context.ts";
import { epochOf, type StepSeen } from "../../src/pass/submissions.ts";
import {
  aDecideInput,
  aDesiredArtifact,
  aDesiredJob,
  aDesiredSavepoint,
  aListedJob,
  anAnnouncedRecord,
  anArtifactManifest,
  anArtifactRecord,
  anAttempt,
  anId,
  anObserved,
  anOperation,
  anUnreachableCluster,
  aReachableCluster,
  aReadyArtifact,
  aRecord,
  aRefusal,
  aSavepointManifest,
  aStartedRecord,
  CLUSTER,
  INSTANCE,
  NOW,
  type ClusterOverrides,
  type DesiredJobOverrides,
  FINAL,
} from "./builders.ts";
import { aCheckpoint, aSavepoint, CHECKPOINTED, listed as pointsLeft } from "./job-decisions.ts";

function desiredOf(jobs: readonly DesiredJob[], more: Partial<Desired> = {}): Desired {
  return { jobs, artifacts: [aDesiredArtifact()], savepoints: [], ...more };
}

function jobOf(name: string, rpus = 2): DesiredJob {
  return aDesiredJob({ id: { name }, manifest: { spec: { rpus } } });
}

function announced(name: string, rpus = 2): DesiredJob {
  return aDesiredJob({
    id: { name },
    manifest: { spec: { rpus } },
    record: anAnnouncedRecord({ id: { name }, spec: { rpus } }),
  });
}

function started(name: string, rpus = 2): DesiredJob {
  return aDesiredJob({ id: { name }, manifest: { spec: { rpus } }, record: aStartedRecord({ id: { name }, spec: { rpus } }) });
}

/** A Final Savepoint stopped it, that was reverted, and its start is announced. */
function beingBroughtBack(name: string): JobRecord {
  const operation = anOperation({ id: { name }, attempt: 2, flinkJobId: anAttempt(2, { id: { name } }) });
  const status = { finalized: { savepoint: "final", uri: "file:///x", drained: false }, requestedRpus: 2, operation };
  return aStartedRecord({ id: { name }, status });
}

/** Since then it waits. */
function waitingSince(name: string, when: string, rpus: number): DesiredJob {
  const status = { history: [{ when, from: "", to: "Pending", because: "" }] };
  return aDesiredJob({ id: { name }, manifest: { spec: { rpus } }, record: aRecord({ id: { name }, spec: { rpus }, status }) });
}

/** From 2 rpus to 3. */
function growing(name: string): DesiredJob {
  return aDesiredJob({ id: { name }, manifest: { spec: { rpus: 3 } }, record: aStartedRecord({ id: { name } }) });
}

function startedWith(more: DesiredJobOverrides): DesiredJob {
  return aDesiredJob({ id: { name: "a" }, record: aStartedRecord({ id: { name: "a" } }), ...more });
}

function idOf(name: string, rpus = 2): string {
  return anAttempt(1, { id: { name }, spec: { rpus } });
}

/** Free slots of the only cluster, seen so, with these Jobs. */
function freeWith(jobs: readonly DesiredJob[], cluster: ClusterOverrides, submissions = {}): number | undefined {
  return freeSlots(jobs, anObserved({ clusters: [aReachableCluster(cluster)], submissions }), NOW).get("local/main");
}

describe("decide", () => {
  it("gives every resource one decision, in the order of the desired lists", () => {
    const input = aDecideInput({ desired: desiredOf([jobOf("b"), jobOf("a")], { savepoints: [aDesiredSavepoint()] }) });
    const decisions = decide(input);
    expect(decisions.jobs.map(({ id }) => id.name)).toEqual(["b", "a"]);
    expect(decisions.artifacts.map(({ id }) => id.name)).toEqual(["app"]);
    expect(decisions.savepoints.map(({ id }) => id.name)).toEqual(["final"]);
  });

  it("gives the same decisions for the same input", () => {
    const input = aDecideInput({ desired: desiredOf([jobOf("a"), announced("b"), started("c")]) });
    expect(decide(input)).toEqual(decide(input));
  });

  it("shares the slots out in the order of the Jobs, and lets a small one through where a large one has to wait", () => {
    const decisions = decide(aDecideInput({ desired: desiredOf([jobOf("a", 5), jobOf("b", 4), jobOf("c", 3), jobOf("d", 1)]) }));
    expect(decisions.jobs.map(({ kind }) => kind)).toEqual(["announce", "wait", "announce", "wait"]);
    expect(decisions.jobs[1]).toMatchObject({
      because: "needs 4 slots, 3 of 8 free in main in zone local for Flink 1.16",
      block: { condition: "Placed", reason: "NotEnoughSlots" },
    });
    expect(decisions.slots.get("local/main")).toBe(0);
  });

  it("gives what is left to who has waited longest, and to the newest last", () => {
    const jobs = [
      jobOf("a", 5),
      waitingSince("b", "2026-11-22T11:00:00Z", 5),
      waitingSince("c", "2026-11-22T10:00:00Z", 2),
      started("d", 1),
    ];
    const decisions = decide(aDecideInput({ desired: desiredOf(jobs) }));
    expect(decisions.jobs.map(({ id, kind }) => `${id.name} ${kind}`)).toEqual(["a wait", "b announce", "c announce", "d leave"]);
  });

  it("counts what was decided in the same pass against the quota of a project, also a rescale", () => {
    const live = ["a", "b"].map((name) => aListedJob({ flinkJobId: idOf(name) }));
    const zones = new Map([["local", { name: "local", clusters: [], projects: new Map([["default", { maxRpus: 5 }]]) }]]);
    const input = aDecideInput({
      desired: desiredOf([growing("a"), growing("b")]),
      observed: anObserved({ clusters: [aReachableCluster({ jobs: live })] }),
    });
    const decisions = decide({ ...input, config: { ...input.config, zones } });
    expect(decisions.jobs).toMatchObject([
      { kind: "announce" },
      { kind: "leave", because: expect.stringContaining("3 are taken, and it asks for 3"), block: { reason: "QuotaExceeded" } },
    ]);
  });

  it("counts a Job whose manifest is gone against the quota for as long as a Final Savepoint that is held keeps it running", () => {
    const id = { name: "old" };
    const old = aDesiredJob({ id, manifest: "absent", record: aStartedRecord({ id }) });
    const final = aDesiredSavepoint({ name: "final", spec: { ...FINAL, type: "Final", job: "old", shutdownMethod: "Graceful" } });
    const tooLarge = aDesiredJob({
      id: { name: "z-next" },
      manifest: { spec: { rpus: 5, initialState: { savepoint: "final", allowNonRestoredState: false } } },
    });
    const zones = new Map([["local", { name: "local", clusters: [], projects: new Map([["default", { maxRpus: 3 }]]) }]]);
    const fates = (desired: Desired) => {
      const input = aDecideInput({ desired, observed: anObserved({ clusters: [aReachableCluster()] }) });
      const { jobs } = decide({ ...input, config: { ...input.config, zones } });
      return jobs.find(({ id: { name } }) => name === "a");
    };
    expect(fates(desiredOf([jobOf("a"), old, tooLarge], { savepoints: [final] }))).toMatchObject({
      kind: "wait",
      block: { reason: "QuotaExceeded" },
    });
    expect(fates(desiredOf([jobOf("a"), old]))).toMatchObject({ kind: "announce" });
  });

  it.each([
    [
      "whose manifest is gone while it is being started",
      { manifest: "absent", record: anAnnouncedRecord({ id: { name: "old" } }) },
    ],
    ["that was stopped and is being brought back", { record: beingBroughtBack("old") }],
  ] as const)("counts a Job %s against the quota", (_, more) => {
    const zones = new Map([["local", { name: "local", clusters: [], projects: new Map([["default", { maxRpus: 3 }]]) }]]);
    const desired = desiredOf([jobOf("a"), aDesiredJob({ id: { name: "old" }, ...more })]);
    const input = aDecideInput({ desired, observed: anObserved({ clusters: [aReachableCluster()] }) });
    const { jobs } = decide({ ...input, config: { ...input.config, zones } });
    expect(jobs[0]).toMatchObject({ kind: "wait", block: { reason: "QuotaExceeded" } });
  });

  it("spreads starts over clusters as their slots go", () => {
    const clusters = [aReachableCluster({ name: "a", slots: { free: 4 } }), aReachableCluster({ name: "b", slots: { free: 3 } })];
    const decisions = decide(
      aDecideInput({ desired: desiredOf([jobOf("a"), jobOf("b"), jobOf("c")]), observed: anObserved({ clusters }) }),
    );
    expect(decisions.jobs.map((decision) => decision.kind === "announce" && decision.work.operation.cluster.name)).toEqual([
      "a",
      "b",
      "a",
    ]);
  });

  it("keeps the slots of clusters apart that have one name in two zones", () => {
    const clusters = [aReachableCluster({ slots: { free: 2 } }), aReachableCluster({ zone: "other", slots: { free: 2 } })];
    const there = aDesiredJob({ id: { zone: "other", name: "b" } });
    const artifact = aDesiredArtifact({
      manifest: { ...anArtifactManifest(), id: anId({ kind: "Artifact", zone: "other", name: "app" }) },
    });
    const observed = anObserved({ clusters });
    const artifacts = new Map([...observed.artifacts, [artifact.key, [...observed.artifacts.values()][0]!] as const]);
    const decisions = decide(
      aDecideInput({
        desired: desiredOf([jobOf("a"), there], { artifacts: [aDesiredArtifact(), artifact] }),
        observed: { ...observed, artifacts },
      }),
    );
    expect(decisions.jobs.map(({ kind }) => kind)).toEqual(["announce", "announce"]);
  });

  it("waits for a project that the zone does not take", () => {
    const projects = new Map([
      ["b", {}],
      ["a", {}],
    ]);
    const input = aDecideInput({ desired: desiredOf([jobOf("a")]) });
    const zones = new Map([["local", { name: "local", clusters: [], projects }]]);
    expect(decide({ ...input, config: { ...input.config, zones } }).jobs[0]).toMatchObject({
      kind: "wait",
      block: { condition: "Started", reason: "ProjectNotAllowed" },
      because: "zone local does not take project default: the daemon's configuration names 2 projects for it, a, b",
    });
  });

  it("waits for a lost status only where the Job has no record, or one that says so", () => {
    const condition = { type: "Started", status: "False", reason: "StatusLost", message: "", since: "" } as const;
    const jobs = [
      jobOf("a"),
      aDesiredJob({ id: { name: "b" }, record: aRecord({ id: { name: "b" } }) }),
      aDesiredJob({ id: { name: "c" }, record: aRecord({ id: { name: "c" }, status: { conditions: [condition] } }) }),
    ];
    const lost = { unrecorded: "not there", marked: "was lost", unproven: undefined };
    const decisions = decide(aDecideInput({ desired: desiredOf(jobs), statusLost: lost }));
    expect(decisions.jobs.map(({ kind, because }) => (kind === "wait" ? because : kind))).toEqual([
      "not there",
      "announce",
      "was lost",
    ]);
  });
});

const withPast = (restorePoints: ClusterOverrides["restorePoints"] & object) => aReachableCluster({ restorePoints });

describe("a Job that stood nowhere when the status branch was lost", () => {
  const lineage = lineagePrefix(INSTANCE, anId({ name: "a" }));
  const lost = { unrecorded: undefined, marked: "was lost", unproven: "was lost" };
  const left = { kind: "Checkpoint", flinkJobId: anAttempt(1), number: 1, uri: "file:///c/chk-1", writtenAtMs: 1 } as const;
  const nothing = withPast({ [lineage]: { kind: "listed", entries: [] } });

  it.each([
    ["starts when all clusters of its zone show nothing of it", [nothing], "announce"],
    ["waits when it left something", [withPast({ [lineage]: { kind: "listed", entries: [left] } })], "wait StatusLost"],
    [
      "waits when nobody can tell what it left",
      [withPast({ [lineage]: { kind: "cannot-tell", because: "no" } })],
      "wait StatusLost",
    ],
    [
      "waits when Flink lists one that has ended",
      [aReachableCluster({ jobs: [aListedJob({ flinkJobId: anAttempt(1, { id: { name: "a" } }), state: "FAILED" })] })],
      "wait StatusLost",
    ],
    ["waits for a cluster that cannot be seen", [nothing, anUnreachableCluster({ name: "other" })], "wait ClusterUnreachable"],
    ["looks first", [aReachableCluster()], "leave"],
    ["does not look elsewhere than in its zone", [nothing, aReachableCluster({ name: "far", zone: "far" })], "announce"],
  ])("%s, whether it has a record by now or not", (_, clusters, told) => {
    for (const record of [undefined, aRecord({ id: { name: "a" } })]) {
      const job = aDesiredJob({ id: { name: "a" }, ...(record === undefined ? {} : { record }) });
      const [decision] = decide(
        aDecideInput({ desired: desiredOf([job]), observed: anObserved({ clusters }), statusLost: lost }),
      ).jobs;
      expect(decision?.kind === "wait" ? `wait ${decision.block.reason}` : decision?.kind).toBe(told);
    }
  });
});

/** A cluster that lists a job of `a` that failed, with so many completed checkpoints. */
function whereItEnded(completed: number) {
  return aReachableCluster({
    jobs: [
      aListedJob({
        flinkJobId: anAttempt(1, { id: { name: "a" } }),
        state: "FAILED",
        detail: { checkpoints: { completed, latestPath: undefined, enabled: true, retained: true } },
      }),
    ],
  });
}

describe("a Job that no record speaks of, with a status branch that is there", () => {
  const lineage = lineagePrefix(INSTANCE, anId({ name: "a" }));
  const left = { kind: "Checkpoint", flinkJobId: anAttempt(1), number: 1, uri: "file:///c/chk-1", writtenAtMs: 1 } as const;
  const hasLeft = withPast({ [lineage]: { kind: "listed", entries: [left] } });
  const marked = { unrecorded: undefined, marked: "was lost", unproven: undefined };

  it.each([
    ["starts when nothing shows that it ran", [withPast({ [lineage]: { kind: "listed", entries: [] } })], marked, "announce"],
    ["does not start without its state when it left something", [hasLeft], marked, "wait StatusLost"],
    [
      "does not start without its state when Flink lists one that ended with a checkpoint",
      [whereItEnded(1)],
      marked,
      "wait StatusLost",
    ],
    [
      "starts when Flink lists one that ended without a checkpoint, as a start that failed does",
      [whereItEnded(0)],
      marked,
      "announce",
    ],
    ["starts all the same when a person says so", [hasLeft], { ...marked, marked: undefined }, "announce"],
    ["starts where nobody can look", [withPast({ [lineage]: { kind: "cannot-tell", because: "no" } })], marked, "announce"],
    [
      "starts when only another cluster cannot be seen",
      [aReachableCluster(), anUnreachableCluster({ name: "b" })],
      marked,
      "announce",
    ],
    ["starts when it was looked for before", [aReachableCluster()], marked, "announce"],
  ])("%s", (_, clusters, statusLost, told) => {
    const desired = desiredOf([aDesiredJob({ id: { name: "a" } })]);
    const [decision] = decide(aDecideInput({ desired, observed: anObserved({ clusters }), statusLost })).jobs;
    expect(decision?.kind === "wait" ? `wait ${decision.block.reason}` : decision?.kind).toBe(told);
  });
});

describe("a Final Savepoint that has a namesake in another project", () => {
  it("waits for its own reason only", () => {
    const job = aDesiredJob({ id: { name: "orders" }, record: aStartedRecord({ id: { name: "orders" } }) });
    const own = aDesiredSavepoint();
    const id = { ...own.id, project: "blue" };
    const broken = aDesiredJob({ id: { name: "other", project: "blue" }, manifest: "broken" });
    const namesake = {
      ...own,
      key: resourceKey(id),
      id,
      declared: { kind: "declared" as const, manifest: { ...aSavepointManifest(), id } },
    };
    const desired = desiredOf([broken, job], { savepoints: [namesake, own] });
    const { savepoints } = decide(aDecideInput({ desired, observed: anObserved({ clusters: [aReachableCluster()] }) }));
    expect(savepoints.map(({ because }) => because)).toEqual([
      "waits for Job orders, which has not run yet",
      "waits until Job orders can be stopped with a savepoint",
    ]);
  });
});

describe("a savepoint that is taken while its Job goes on", () => {
  const spec = { type: "OnDemand", job: "a", deletionPolicy: "Retain" } as const;
  const take: SavepointOperation = {
    kind: "take",
    triggerId: "8".repeat(32),
    cluster: CLUSTER,
    flinkJobId: idOf("a"),
    uri: "file:///s",
    announcedAt: "2026-11-22T11:00:00Z",
  };
  const rescaledJob = aDesiredJob({
    id: { name: "a" },
    manifest: { spec: { rpus: 3 } },
    record: aStartedRecord({ id: { name: "a" } }),
  });

  function kindsWith(savepoint: DesiredSavepoint, steps: Readonly<Record<string, StepSeen>> = {}): readonly string[] {
    const artifacts = [aDesiredArtifact({ record: anArtifactRecord() })];
    const desired = desiredOf([rescaledJob], { artifacts, savepoints: [savepoint] });
    const cluster = aReachableCluster({ jobs: [aListedJob({ flinkJobId: idOf("a") })], slots: { free: 6 } });
    const { jobs, savepoints } = decide(aDecideInput({ desired, observed: anObserved({ clusters: [cluster], steps }) }));
    return [...jobs, ...savepoints].map(({ kind, because }) => `${kind}: ${because}`);
  }

  it("is not begun beside a step of its Job", () => {
    expect(kindsWith(aDesiredSavepoint({ spec }))).toEqual([
      "announce: rpus 2 → 3",
      "wait: waits until the step that begins for Job a is done",
    ]);
  });

  it("is waited for before its Job is stopped", () => {
    const underWay = aDesiredSavepoint({ spec, status: { phase: "InProgress", operation: take } });
    expect(kindsWith(underWay)[0]).toBe("leave: rpus 2 → 3 waits until Savepoint final is taken");
  });

  it("is not waited for once it has failed, however long it is until it is tried again", () => {
    const failed = aDesiredSavepoint({ spec, status: { phase: "InProgress", operation: take } });
    const step = {
      kind: "not-done",
      because: "disk full",
      retryAtMs: NOW + 1,
      failures: 1,
      announcedAt: take.announcedAt,
    } as const;
    expect(kindsWith(failed, { [take.triggerId]: step })[0]).toBe("announce: rpus 2 → 3");
  });
});

describe("the slots that are free for new starts", () => {
  it("are less by announced starts that the cluster does not list yet", () => {
    expect(freeWith([announced("a", 3)], { slots: { free: 5 } })).toBe(2);
  });

  it("are as Flink says while announced starts cannot be seen", () => {
    const observed = anObserved({ clusters: [anUnreachableCluster(), aReachableCluster({ name: "other" })] });
    expect([...freeSlots([announced("a", 3)], observed, NOW)]).toEqual([["local/other", 8]]);
  });

  it.each([
    ["healthy", aListedJob({ flinkJobId: idOf("a", 5) }), undefined, 3],
    ["finished", aListedJob({ flinkJobId: idOf("a", 5), state: "FINISHED" }), undefined, 3],
    ["failed, so that it is brought back", aListedJob({ flinkJobId: idOf("a", 5), state: "FAILED" }), undefined, -2],
    ["cancelled by hand, so that it is brought back", aListedJob({ flinkJobId: idOf("a", 5), state: "CANCELED" }), undefined, -2],
    ["restarting", aListedJob({ flinkJobId: idOf("a", 5), state: "RESTARTING" }), undefined, -2],
    ["restarting and holding some", aListedJob({ flinkJobId: idOf("a", 5), state: "RESTARTING" }), 4, 2],
    ["restarting and holding more than it asked for", aListedJob({ flinkJobId: idOf("a", 5), state: "RESTARTING" }), 6, 3],
    [
      "running without all its tasks",
      aListedJob({ flinkJobId: idOf("a", 5), tasks: { total: 5, running: 0, finished: 0 } }),
      undefined,
      -2,
    ],
  ] as const)("count what a job that is %s still has a claim on", (_, listed, held, left) => {
    const heldByJob = held === undefined ? undefined : new Map([[idOf("a", 5), held]]);
    expect(freeWith([started("a", 5)], { jobs: [listed], slots: { free: 3, heldByJob } })).toBe(left);
  });

  it("are kept for a job that vanished: no newcomer takes its place before it is back", () => {
    expect(freeWith([started("a", 5)], { slots: { free: 3 } })).toBe(-2);
  });

  it.each([
    ["suspended", { suspended: true, flinkJobState: "Finished", requestedRpus: 0 }],
    ["stopped by a Final Savepoint", { finalized: { savepoint: "final", uri: "file:///x", drained: false } }],
    ["finished", { flinkJobState: "Finished" }],
    ["deleted", { deleted: { at: "2026-11-01T00:00:00Z" } }],
  ] as const)("are not kept for a job that is %s", (_, status) => {
    const job = aDesiredJob({ id: { name: "a" }, record: aStartedRecord({ id: { name: "a" }, spec: { rpus: 5 }, status }) });
    expect(freeWith([job], { slots: { free: 3 } })).toBe(3);
  });

  it("are kept for a job that is being brought back", () => {
    const job = aDesiredJob({ id: { name: "a" }, record: beingBroughtBack("a") });
    expect(freeWith([job], { slots: { free: 3 } })).toBe(1);
  });

  it("ignore jobs that are not ours", () => {
    const foreign = aListedJob({ flinkJobId: "f".repeat(32), state: "RESTARTING" });
    const own = aListedJob({ flinkJobId: idOf("a", 5) });
    expect(freeWith([started("a", 5)], { jobs: [foreign, own], slots: { free: 3 } })).toBe(3);
  });

  it.each([
    ["nothing while it is not due again", NOW + 1, 8],
    ["nothing when only another input can help", Number.POSITIVE_INFINITY, 8],
    ["its slots when it is due again", NOW, 6],
    ["its slots when another daemon has taken it over since", NOW + 1, 6, "before that"],
  ])("let a start that Flink refused hold back %s", (_, retryAtMs, left, since?: string) => {
    const job = announced("a");
    const refused = aRefusal({ reason: "BadOption", epoch: since ?? epochOf(job.record!.status.operation!), retryAtMs });
    expect(freeWith([job], {}, { [idOf("a")]: refused })).toBe(left);
  });

  it("are not taken from a Job by its own former start", () => {
    const jobs = [announced("a", 5)];
    const clusters = [
      aReachableCluster({
        incarnation: "second",
        restorePoints: { [lineagePrefix(INSTANCE, anId({ name: "a" }))]: { kind: "listed", entries: [] } },
      }),
    ];
    const decisions = decide(aDecideInput({ desired: desiredOf(jobs), observed: anObserved({ clusters }), lastSeen: clusters }));
    expect(decisions.jobs[0]).toMatchObject({
      kind: "announce",
      work: { kind: "start", operation: { attempt: 2, cluster: { incarnation: "second" } } },
    });
    expect(decisions.slots.get("local/main")).toBe(3);
  });

  it("go to as many of the Jobs that are to be brought back as there is room for, and to no newcomer before all of them", () => {
    const lineages = ["a", "b", "c"].map((name) => lineagePrefix(INSTANCE, anId({ name })));
    const restorePoints = Object.fromEntries(lineages.map((lineage) => [lineage, { kind: "listed", entries: [] } as const]));
    const clusters = [aReachableCluster({ incarnation: "second", slots: { free: 5, total: 5 }, restorePoints })];
    const jobs = [started("a", 2), started("b", 4), started("c", 2), jobOf("d", 1)];
    const decisions = decide(aDecideInput({ desired: desiredOf(jobs), observed: anObserved({ clusters }), lastSeen: clusters }));
    expect(decisions.jobs.map(({ kind }) => kind)).toEqual(["announce", "leave", "announce", "wait"]);
    expect(decisions.jobs[1]?.because).toContain("needs 4 slots, 3 of 5 free in main");
    expect(decisions.jobs[3]?.because).toContain("0 of 5 free in main");
    expect(decisions.slots.get("local/main")).toBe(5 - 2 - 2 - 4);
  });

  it("go to the Job whose start was announced before they go to a new one", () => {
    const jobs = [jobOf("a", 5), announced("b", 5)];
    const decisions = decide(aDecideInput({ desired: desiredOf(jobs) }));
    expect(decisions.jobs.map(({ kind }) => kind)).toEqual(["wait", "resume"]);
  });
});

describe("the artifacts that are needed", () => {
  const key = resourceKey(anId({ kind: "Artifact", name: "app" }));

  function artifactDecision(jobs: readonly DesiredJob[], record = anArtifactRecord()) {
    const input = aDecideInput({
      desired: desiredOf(jobs, { artifacts: [aDesiredArtifact({ record })] }),
      observed: anObserved({ artifacts: {}, clusters: [aReachableCluster({ jobs: [aListedJob({ flinkJobId: idOf("a") })] })] }),
    });
    return decide(input).artifacts.find((decision) => decision.key === key)?.kind;
  }

  it.each([
    ["a Job is to be started", [jobOf("a")], "fetch"],
    ["an announced start may have to be repeated", [announced("a")], "fetch"],
    ["every Job with it runs", [started("a")], "leave"],
    ["a Job is to be rescaled", [startedWith({ manifest: { spec: { rpus: 3 } } })], "fetch"],
    ["a Job is to be brought back", [started("b")], "fetch"],
    ["no Job names it", [], "leave"],
    ["a Job that waits names another one", [aDesiredJob({ manifest: { spec: { artifact: "other" } } })], "leave"],
  ] as const)("are fetched again after a restart: %s", (_, jobs, kind) => {
    expect(artifactDecision(jobs)).toBe(kind);
  });

  it.each([
    ["its cluster drains", [{ draining: true }]],
    ["a newer patch stands beside it", [{}, { name: "newer", flinkVersion: "1.16.4" }]],
  ])("are fetched for a Job that is to move: %s", (_, [here, ...others]) => {
    const clusters = [
      aReachableCluster({ ...here, jobs: [aListedJob({ flinkJobId: idOf("a") })] }),
      ...others.map((more) => aReachableCluster(more)),
    ];
    const desired = desiredOf([started("a")], { artifacts: [aDesiredArtifact({ record: anArtifactRecord() })] });
    const decisions = decide(aDecideInput({ desired, observed: anObserved({ artifacts: {}, clusters }) }));
    expect(decisions.artifacts[0]?.kind).toBe("fetch");
  });

  it("are fetched for a Job that comes back from a reverted upgrade, and not while it stays down", () => {
    const status = { flinkJobState: "Finished", finalized: { savepoint: "final", uri: "file:///s", drained: false } } as const;
    const record = aStartedRecord({ id: { name: "a" }, status });
    const kindWith = (savepoints: Desired["savepoints"]) => {
      const artifacts = [aDesiredArtifact({ record: anArtifactRecord() })];
      const desired = desiredOf([startedWith({ record })], { artifacts, savepoints });
      return decide(aDecideInput({ desired, observed: anObserved({ artifacts: {} }) })).artifacts[0]?.kind;
    };
    expect(kindWith([])).toBe("fetch");
    expect(kindWith([aDesiredSavepoint()])).toBe("leave");
  });

  it("are those of the announced start, whatever the manifest names by now", () => {
    const job = aDesiredJob({ manifest: { spec: { artifact: "other" } }, record: anAnnouncedRecord() });
    expect(artifactDecision([job])).toBe("fetch");
  });

  it("are kept while a recorded Job uses them, also one whose manifest is gone", () => {
    const absent = { record: anArtifactRecord(), manifest: "absent" } as const;
    const decisionFor = (jobs: readonly DesiredJob[]) =>
      decide(aDecideInput({ desired: desiredOf(jobs, { artifacts: [aDesiredArtifact(absent)] }) })).artifacts[0]?.kind;
    expect(decisionFor([started("a")])).toBe("deleting");
    expect(decisionFor([aDesiredJob({ manifest: "absent", record: aStartedRecord() })])).toBe("deleting");
    const deleted = aStartedRecord({ status: { deleted: { at: "2026-11-01T00:00:00Z" } } });
    expect(decisionFor([aDesiredJob({ manifest: "absent", record: deleted })])).toBe("forget");
    expect(decisionFor([])).toBe("forget");
  });

  it("decide what an announced start is repeated with", () => {
    const other = anArtifactManifest("other");
    const job = aDesiredJob({ manifest: { spec: { artifact: "other" } }, record: anAnnouncedRecord() });
    const desired = desiredOf([job], { artifacts: [aDesiredArtifact(), aDesiredArtifact({ manifest: other })] });
    const repeated = decide(aDecideInput({ desired })).jobs[0];
    expect(repeated).toMatchObject({ kind: "resume", work: { kind: "start", operation: anOperation({ cluster: CLUSTER }) } });
  });
});

describe("a Job that goes down while a newer savepoint of it is disposed of", () => {
  const dispose: SavepointOperation = {
    kind: "dispose",
    triggerId: "8".repeat(32),
    cluster: CLUSTER,
    flinkJobId: anAttempt(1),
    uri: aSavepoint(1).uri,
    announcedAt: "2026-11-22T11:00:00Z",
  };
  const record = aStartedRecord({ status: { checkpointed: anAttempt(1) } });
  const clusters = [
    aReachableCluster({
      jobs: [aListedJob({ state: "FAILED", ...CHECKPOINTED })],
      restorePoints: pointsLeft(aCheckpoint(1), aSavepoint(1)),
    }),
  ];
  it.each([
    ["goes on from its checkpoint", dispose, aCheckpoint(1).uri],
    ["goes on from the savepoint when nothing was announced about that", undefined, aSavepoint(1).uri],
  ])("%s, and nothing more is disposed of before it is back", (_, operation, uri) => {
    const spec = { type: "OnDemand", job: "orders", deletionPolicy: "Delete" } as const;
    const status = { uri: dispose.uri, cluster: CLUSTER, ...(operation === undefined ? {} : { operation }) };
    const savepoint = aDesiredSavepoint({ spec, declared: "absent", status: { phase: "Deleting", ...status } });
    const artifacts = [aDesiredArtifact({ record: anArtifactRecord() })];
    const desired = desiredOf([aDesiredJob({ record })], { artifacts, savepoints: [savepoint] });
    const { jobs, savepoints } = decide(
      aDecideInput({ desired, observed: anObserved({ clusters, artifacts: { app: aReadyArtifact() } }) }),
    );
    expect(jobs).toMatchObject([{ kind: "announce", work: { operation: { kind: "start", restoreFrom: { uri } } } }]);
    expect(savepoints.map(({ kind }) => kind)).toEqual([operation === undefined ? "leave" : "await"]);
  });
});
