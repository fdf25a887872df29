import { describe, expect, it } from "vitest";
import { formatTime } from "../../src/common/clock.ts";
import { parseFlinkJobId } from "../../src/model/flink-job-id.ts";
import { buildFlinkConfiguration } from "../../src/model/options.ts";
import type { JobRecord } from "../../src/model/status.ts";
import type { JobDecision } from "../../src/pass/decision.ts";
import type { Submission } from "../../src/pass/submissions.ts";
import {
  aListedJob,
  anAnnouncedRecord,
  anAttempt,
  anOperation,
  anUnreachableCluster,
  aPolicy,
  aReachableCluster,
  aRecord,
  aRefusal,
  aStartedRecord,
  CLUSTER,
  COMMIT,
  FROZEN,
  MAIN_CLASS,
  NOW,
  SHA256,
  type ClusterOverrides,
  type DesiredJobOverrides,
  type ListedJobOverrides,
  SAVEPOINT,
} from "./builders.ts";
import { aCheckpoint, cannotTell, decideFor, listed, type ContextOverrides } from "./job-decisions.ts";

/** With the start of attempt 1 announced for the only cluster. */
function decideAnnounced(context: ContextOverrides = {}, job: DesiredJobOverrides = {}) {
  return decideFor({ record: anAnnouncedRecord(), ...job }, context);
}

function withJobs(...jobs: readonly ListedJobOverrides[]): ClusterOverrides {
  return { jobs: jobs.map(aListedJob) };
}

const RESTARTED = "second";
const live = (attempt: number, more: ListedJobOverrides = {}) => ({ flinkJobId: anAttempt(attempt), ...more });

const failed = (detail: ListedJobOverrides["detail"] = { rootCause: "no class" }) => [
  aReachableCluster(withJobs({ state: "FAILED", detail })),
];

const announcedAt = (text: string, attempt = 1) => ({ record: anAnnouncedRecord({ announcedAt: text, attempt }) });

const restarted = (restorePoints: ClusterOverrides["restorePoints"] = {}, more: ClusterOverrides = {}) => [
  aReachableCluster({ incarnation: RESTARTED, restorePoints, ...more }),
];

const endedAttempt = (attempt: number): ClusterOverrides => withJobs({ flinkJobId: anAttempt(attempt), state: "FAILED" });

const UNKNOWN = { kind: "unknown", because: "no answer within 2m", failures: 1 } as const;

describe("a Job whose documents cannot be understood", () => {
  it("is left alone when its record is unreadable, whatever else is known", () => {
    expect(decideFor({ recordProblem: "x.yaml:1:1 no" })).toMatchObject({
      kind: "leave",
      because: "its record cannot be understood: x.yaml:1:1 no",
    });
    expect(decideFor({ recordProblem: "x.yaml:1:1 no", manifest: "absent" })).toMatchObject({ kind: "leave" });
  });

  it("is left alone when its manifest is broken", () => {
    const expected = { kind: "leave", because: "its manifest has problems, so nothing is done with it" };
    expect(decideFor({ manifest: "broken" })).toMatchObject(expected);
    expect(decideFor({ manifest: "broken", record: aRecord() })).toMatchObject(expected);
  });

  it("goes on with an announced start although its manifest broke: the accepted spec counts", () => {
    expect(decideAnnounced({}, { manifest: "broken" })).toMatchObject({
      kind: "resume",
      work: { kind: "start", operation: anOperation() },
    });
  });
});

describe("a Job that was started", () => {
  it.each(["broken", "absent", {}, { spec: { rpus: 5 } }, { spec: { rpus: 0 } }, { spec: { flinkVersion: "1.17" } }] as const)(
    "is left alone while its cluster cannot be seen, whatever its manifest says: %j",
    (manifest) => {
      for (const clusters of [[anUnreachableCluster()], [], [aReachableCluster({ url: "http://elsewhere:8081/" })]]) {
        for (const policy of [aPolicy(), aPolicy({ onDelete: "cancel" })]) {
          const decision = decideFor({ manifest, record: aStartedRecord() }, { clusters, policy });
          expect(decision.kind).toBe(manifest === "absent" ? "wait" : "leave");
          expect(decision).not.toHaveProperty("work");
        }
      }
    },
  );

  it.each(["broken", {}, { spec: { flinkVersion: "1.17" } }, { spec: { flinkVersion: "1.17", rpus: 5 } }] as const)(
    "runs on when its manifest says nothing that may be acted on: %j",
    (manifest) => {
      expect(decideFor({ manifest, record: aStartedRecord() }, { clusters: [aReachableCluster(withJobs({}))] })).toMatchObject({
        kind: "leave",
        because: "it already matches Git",
      });
    },
  );
});

describe("a Job whose manifest is gone", () => {
  it.each([
    ["never ran", aRecord(), "forget", "its manifest is gone and it never ran"],
    ["was only ever refused", aRecord({ status: { attempt: 1 } }), "settle", "its manifest is gone and it never ran"],
  ] as const)("that %s", (_, record, kind, because) => {
    expect(decideFor({ manifest: "absent", record })).toMatchObject({ kind, because });
  });

  it("is not forgotten while a document's identity cannot be read", () => {
    const because = "nothing counts as deleted while the document at a.yaml:1:1 cannot be read";
    const deletion = { kind: "held", reason: "DeletionHeld", because } as const;
    expect(decideFor({ manifest: "absent", record: aRecord() }, { deletion })).toMatchObject({ kind: "leave", because });
  });

  it("goes on with its announced start", () => {
    expect(decideAnnounced({}, { manifest: "absent" })).toMatchObject({ kind: "resume", work: { kind: "start" } });
  });
});

describe("a Job that is new", () => {
  it("is started where there is room", () => {
    const decision = decideFor();
    expect(decision).toMatchObject({
      kind: "announce",
      because: "it is declared and main has the 2 slots that it needs",
      artifact: FROZEN,
      work: { kind: "start", operation: anOperation({ announcedAt: "2026-11-22T12:00:00Z" }) },
    });
  });

  it("is submitted with everything its start was announced with", () => {
    const configuration = { "execution.checkpointing.interval": "30s" };
    const decision = decideFor({ manifest: { spec: { configuration, rpus: 3 } } });
    expect(submissionIn(decision)).toEqual({
      key: "local/default/job/orders",
      flinkJobId: anAttempt(1, { spec: { configuration } }),
      zone: "local",
      cluster: "main",
      artifactSha256: SHA256,
      entryClass: MAIN_CLASS,
      mainArgs: [],
      parallelism: 3,
      configuration: buildFlinkConfiguration(configuration, "1.16"),
      secrets: new Map(),
      allowNonRestoredState: false,
    });
  });

  it("is started alike when it has waited before", () => {
    expect(decideFor({ record: aRecord() })).toMatchObject({
      kind: "announce",
      work: { kind: "start", operation: { attempt: 1 } },
    });
  });

  it.each([
    ["its status may be lost", { statusLost: "was lost" }, {}, "Started", "StatusLost", "was lost"],
    ["everything is paused", { policy: aPolicy({ paused: true }) }, {}, "Started", "Paused", "it is paused"],
    ["it is paused", {}, { annotations: { "penstock/paused": "true" } }, "Started", "Paused", "it is paused"],
    ["its project is not allowed", { projectRefused: "not here" }, {}, "Started", "ProjectNotAllowed", "not here"],
    ["it is suspended", {}, { spec: { rpus: 0 } }, "Started", "Suspended", "spec.resources.rpus is 0; raise it to start the job"],
    [
      "its Savepoint is not Ready",
      { initialState: { kind: "waits", because: "waits for Savepoint final" } },
      { spec: { initialState: { savepoint: "final", allowNonRestoredState: false } } },
      "Started",
      "InitialStateNotReady",
      "waits for Savepoint final",
    ],
    [
      "it looks like a renamed one",
      { looksLikeRename: "orders and old look like one" },
      {},
      "Started",
      "LooksLikeRename",
      "orders and old look like one",
    ],
    [
      "its project has no rpus left for it",
      { quota: { maxRpus: 5, usedRpus: 4 } },
      {},
      "Started",
      "QuotaExceeded",
      "project default may have 5 rpus in zone local: 4 are taken, and it asks for 2",
    ],
    [
      "its Artifact is not ready",
      { artifact: { kind: "not-ready", reason: "ArtifactNotReady", because: "waits for Artifact app" } },
      {},
      "Started",
      "ArtifactNotReady",
      "waits for Artifact app",
    ],
    [
      "there is no room",
      {},
      { spec: { rpus: 9 } },
      "Placed",
      "NotEnoughSlots",
      "needs 9 slots, 8 of 8 free in main in zone local for Flink 1.16",
    ],
    [
      "no cluster has its version",
      {},
      { spec: { flinkVersion: "1.20" } },
      "Placed",
      "NoCluster",
      "zone local has no cluster for Flink 1.20: main has 1.16.3",
    ],
    [
      "its cluster does not answer",
      { clusters: [anUnreachableCluster()] },
      {},
      "Placed",
      "ClusterUnreachable",
      "waits for main: it does not answer",
    ],
  ] as const)("waits while %s", (_, context, manifest, condition, reason, because) => {
    expect(decideFor({ manifest }, context)).toMatchObject({ kind: "wait", block: { condition, reason }, because });
  });

  it("is started although the annotation says that it is not paused", () => {
    expect(decideFor({ manifest: { annotations: { "penstock/paused": "false" } } })).toMatchObject({
      kind: "announce",
      work: { kind: "start" },
    });
  });

  it.each([
    ["ended jobs of its own", withJobs({ flinkJobId: anAttempt(7), state: "FAILED" }), 0, 8],
    ["its record", {}, 4, 5],
    ["both, where the record is ahead", withJobs({ flinkJobId: anAttempt(3), state: "CANCELED" }), 4, 5],
    [
      "ended jobs of its own with another spec",
      withJobs({ flinkJobId: anAttempt(9, { spec: { flinkVersion: "1.17" } }), state: "FINISHED" }),
      0,
      10,
    ],
  ] as const)("takes a larger attempt than any of %s", (_, cluster, recorded, attempt) => {
    const record = aRecord({ status: { attempt: recorded } });
    expect(decideFor({ record }, { clusters: [aReachableCluster(cluster)] })).toMatchObject({
      kind: "announce",
      work: { kind: "start", operation: { attempt, flinkJobId: anAttempt(attempt) } },
    });
  });

  it("counts attempts on every cluster of its zone, and on no other", () => {
    const clusters = [
      aReachableCluster(),
      aReachableCluster({ name: "full", slots: { free: 0 }, ...endedAttempt(3) }),
      aReachableCluster({ name: "far", zone: "elsewhere", ...endedAttempt(9) }),
    ];
    expect(decideFor({}, { clusters })).toMatchObject({ kind: "announce", work: { kind: "start", operation: { attempt: 4 } } });
  });

  it.each([
    ["another Job's", { flinkJobId: anAttempt(1, { id: { name: "other" } }) }],
    ["another instance's", { flinkJobId: `000000${anAttempt(1).slice(6)}` }],
    ["somebody else's", { flinkJobId: "f".repeat(32), name: "orders" }],
  ])("takes no notice of %s job", (_, foreign) => {
    expect(decideFor({}, { clusters: [aReachableCluster(withJobs(foreign))] })).toMatchObject({
      kind: "announce",
      work: { kind: "start", operation: { attempt: 1 } },
    });
  });
});

describe("a Job that runs although no record knows of it", () => {
  it("is adopted", () => {
    const decision = decideFor({}, { clusters: [aReachableCluster(withJobs(live(3, { detail: { parallelism: 4 } })))] });
    expect(decision).toMatchObject({ kind: "adopt", because: `it already runs on main as ${anAttempt(3)}` });
    expect(decision.kind === "adopt" && decision.record.status).toMatchObject({
      phase: "Ready",
      run: 1,
      attempt: 3,
      flinkJobId: anAttempt(3),
      cluster: CLUSTER,
      flinkVersion: "1.16.3",
      requestedRpus: 4,
      parallelism: 4,
      source: { path: "orders.yaml", line: 1, commit: COMMIT },
      artifact: FROZEN,
    });
  });

  it.each([
    ["its status was lost", { statusLost: "was lost" }, {}],
    ["it is paused", { policy: aPolicy({ paused: true }) }, {}],
    ["its Artifact is not ready", { artifact: { kind: "not-ready", reason: "ArtifactMissing", because: "" } }, {}],
    ["its spec is another one", {}, { spec: { flinkVersion: "1.20" } }],
    ["it is not healthy", {}, {}],
  ] as const)("is adopted although %s", (_, context, manifest) => {
    const clusters = [aReachableCluster(withJobs(live(1, { state: "RESTARTING", detail: "unknown" })))];
    expect(decideFor({ manifest }, { clusters, ...context })).toMatchObject({ kind: "adopt" });
  });

  it("is adopted wherever in its zone it runs", () => {
    const clusters = [aReachableCluster(), aReachableCluster({ name: "other", draining: true, ...withJobs(live(1)) })];
    expect(decideFor({}, { clusters })).toMatchObject({ kind: "adopt", record: { status: { cluster: { name: "other" } } } });
  });

  it("is adopted by its highest live attempt, and never counts behind the highest one of all", () => {
    const jobs = withJobs(live(1), live(2), live(5, { state: "FAILED" }));
    expect(decideFor({}, { clusters: [aReachableCluster(jobs)] })).toMatchObject({
      kind: "adopt",
      record: { status: { flinkJobId: anAttempt(2), attempt: 5 } },
    });
    const record = aRecord({ status: { attempt: 8 } });
    expect(decideFor({ record }, { clusters: [aReachableCluster(jobs)] })).toMatchObject({
      record: { status: { flinkJobId: anAttempt(2), attempt: 8 } },
    });
  });

  it("keeps the history that a record has", () => {
    const history = [{ when: "", from: "", to: "Pending", because: "declared" }];
    const decision = decideFor(
      { record: aRecord({ status: { history } }) },
      { clusters: [aReachableCluster(withJobs(live(1)))] },
    );
    expect(decision).toMatchObject({ kind: "adopt", record: { status: { history } } });
  });
});

describe("a start that was announced", () => {
  it("is waited for while its cluster does not answer", () => {
    expect(decideAnnounced({ clusters: [anUnreachableCluster({ because: "connection refused" })] })).toMatchObject({
      kind: "await",
      operation: anOperation(),
      block: { condition: "Placed", reason: "ClusterUnreachable" },
      because: "connection refused",
    });
  });

  it.each([
    ["left the configuration", [], "cluster main is no longer in the configuration of zone local"],
    [
      "has another url",
      [aReachableCluster({ url: "http://elsewhere:8081/" })],
      "cluster main has another url than the one that the job was started on, http://main:8081/",
    ],
    [
      "is another zone's",
      [aReachableCluster({ zone: "elsewhere" })],
      "cluster main is no longer in the configuration of zone local",
    ],
  ] as const)("is waited for when its cluster %s", (_, clusters, because) => {
    expect(decideAnnounced({ clusters })).toMatchObject({ kind: "await", because });
  });

  it("goes to no other cluster, however much room there is", () => {
    const clusters = [anUnreachableCluster(), aReachableCluster({ name: "other" })];
    expect(decideAnnounced({ clusters })).toMatchObject({ kind: "await" });
  });

  it("is over when Flink lists the job", () => {
    for (const state of ["INITIALIZING", "CREATED", "RUNNING", "RESTARTING", "FINISHED", "CANCELED"]) {
      expect(decideAnnounced({ clusters: [aReachableCluster(withJobs({ state }))] })).toMatchObject({
        kind: "settle",
        because: "Flink has it",
        settlement: { kind: "started", flinkJobId: anAttempt(1), rpus: 2, run: 1, restoredFrom: undefined },
      });
    }
  });

  it("is submitted when the cluster does not have it and nobody is at it: its daemon died in between", () => {
    const decision = decideAnnounced();
    expect(decision).toMatchObject({
      kind: "resume",
      because: "its start was announced as attempt 1 and the cluster does not have it",
      work: {
        operation: anOperation(),
        submission: { flinkJobId: anAttempt(1), cluster: "main", parallelism: 2, entryClass: MAIN_CLASS, artifactSha256: SHA256 },
      },
    });
  });

  it("is submitted with the accepted spec, whatever is declared by now", () => {
    const manifest = { spec: { rpus: 5, configuration: { "execution.checkpointing.interval": "5s" } } };
    expect(decideAnnounced({}, { manifest })).toMatchObject({
      kind: "resume",
      work: { submission: { flinkJobId: anAttempt(1), parallelism: 2, configuration: buildFlinkConfiguration({}, "1.16") } },
    });
  });

  it("goes on although everything is full: its slots are its own", () => {
    expect(decideAnnounced({ clusters: [aReachableCluster({ slots: { free: 0 } })] })).toMatchObject({
      kind: "resume",
      work: { kind: "start" },
    });
  });

  it("waits for the bytes that it was announced with", () => {
    const announcedArtifact = { kind: "not-ready", reason: "ArtifactNotReady", because: "waits for the bytes" } as const;
    expect(decideAnnounced({ announcedArtifact })).toMatchObject({
      kind: "await",
      block: { condition: "Started", reason: "ArtifactNotReady" },
      because: "waits for the bytes",
    });
  });

  it.each([
    ["under way", { kind: "under-way" }, undefined, "its submission is under way"],
    [
      "accepted",
      { kind: "accepted", acceptedAtMs: NOW - 59_999 },
      undefined,
      "Flink accepted it; the cluster does not list it yet",
    ],
    [
      "of unknown outcome and not due",
      { ...UNKNOWN, retryAtMs: NOW + 1 },
      { condition: "Started", reason: "OutcomeUnknown" },
      "the answer to its submission was lost (no answer within 2m); looking whether it runs",
    ],
    ["refused and not due", aRefusal({ retryAtMs: NOW + 1 }), { condition: "Started", reason: "ProgramFailed" }, "no broker"],
    [
      "refused for ever",
      aRefusal({ retryAtMs: Number.POSITIVE_INFINITY }),
      { condition: "Started", reason: "ProgramFailed" },
      "no broker",
    ],
  ] as const)("is waited for while its submission is %s", (_, submission, block, because) => {
    expect(decideAnnounced({ submission })).toEqual(
      expect.objectContaining({ kind: "await", operation: anOperation(), block, because }),
    );
  });

  it.each([
    ["of unknown outcome", { ...UNKNOWN, retryAtMs: NOW }],
    ["refused", aRefusal({ retryAtMs: NOW })],
  ] as const)("is submitted again under the same id when the one that was %s is due", (_, submission) => {
    expect(decideAnnounced({ submission })).toMatchObject({ kind: "resume", work: { kind: "start", operation: anOperation() } });
  });
});

describe("a start that ran and ended while nobody looked", () => {
  it.each([
    ["Flink took it and does not list it any more", { kind: "accepted", acceptedAtMs: NOW - 60_000 }],
    ["Flink knows its id and not the job", aRefusal({ reason: "JobIdSpent", retryAtMs: NOW })],
  ] as const)("is never started again from nothing: %s", (_, submission) => {
    for (const manifest of [{}, { spec: { rpus: 3 } }, "broken", "absent"] as const) {
      expect(decideAnnounced({ submission }, { manifest })).toMatchObject({
        kind: "settle",
        because: "attempt 1 ran and ended while nobody looked",
        settlement: { kind: "started", flinkJobId: anAttempt(1), cluster: CLUSTER, run: 1, rpus: 2 },
      });
    }
  });
});

describe("a start that Flink refused, once what it was refused for was changed", () => {
  const submission = aRefusal({ retryAtMs: Number.POSITIVE_INFINITY });

  it.each([
    ["its immutable spec", { spec: { jarOptions: { entryClass: "com.example.Other" } } }],
    ["its rpus", { spec: { rpus: 3 } }],
  ] as const)("starts the next attempt with %s as declared", (_, manifest) => {
    const decision = decideAnnounced({ submission }, { manifest });
    expect(decision).toMatchObject({
      kind: "announce",
      work: { kind: "start", operation: { attempt: 2, flinkJobId: anAttempt(2, { spec: manifest.spec }) } },
    });
  });

  it("starts the next attempt with other bytes of the Artifact", () => {
    const frozen = { ...FROZEN, sha256: "0".repeat(64) };
    expect(
      decideAnnounced({ submission, artifact: { kind: "ready", frozen, javaVersion: 8, secrets: new Map() } }),
    ).toMatchObject({
      kind: "announce",
      work: { kind: "start", operation: { attempt: 2 } },
      artifact: frozen,
    });
  });

  it.each([
    ["only what is mutable or means the same was changed", { annotations: { note: "x" }, spec: { jarOptions: {} } }],
    ["the manifest broke", "broken"],
  ] as const)("waits on when %s", (_, manifest) => {
    expect(decideAnnounced({ submission }, { manifest })).toMatchObject({ kind: "await", because: "no broker" });
  });

  const BURIED = { kind: "settle", settlement: { kind: "buried", restorePoint: undefined } } as const;

  it("leaves a tombstone when its manifest is gone, so that its number is never used again", () => {
    const because = "attempt 1 came to nothing, and its manifest is gone";
    expect(decideAnnounced({ submission }, { manifest: "absent" })).toMatchObject({ ...BURIED, because });
  });

  it("leaves a tombstone with its state when it is the next attempt of a Job that ran before", () => {
    const restoreFrom = { kind: "Savepoint", uri: SAVEPOINT } as const;
    const status = { operation: anOperation({ attempt: 2, restoreFrom }) };
    expect(
      decideAnnounced(
        { submissions: { [anAttempt(2)]: submission } },
        { manifest: "absent", record: aStartedRecord({ status }) },
      ),
    ).toMatchObject({
      kind: "settle",
      settlement: { kind: "buried", restorePoint: restoreFrom },
    });
  });

  it("waits on when its manifest is gone and the guard holds deletions", () => {
    const deletion = { kind: "held", reason: "DeletionHeld", because: "held" } as const;
    expect(decideAnnounced({ submission, deletion }, { manifest: "absent" })).toMatchObject({
      kind: "await",
      because: "no broker",
    });
  });

  it.each([{}, { spec: { rpus: 3 } }, "absent"] as const)(
    "never begins another id while the main of an earlier try may still come: %j",
    (manifest) => {
      const doubtful = { ...submission, doubtUntilMs: NOW + 1 };
      expect(decideAnnounced({ submission: doubtful }, { manifest })).toMatchObject({ kind: "await", because: "no broker" });
    },
  );

  it.each([{}, { spec: { rpus: 3 } }, "absent"] as const)(
    "never begins another id, ten minutes long, when another daemon may still be at this one: %j",
    (manifest) => {
      const takenOver = (agoMs: number) => {
        const record = anAnnouncedRecord({ takenOverAt: formatTime(NOW - agoMs) });
        return decideAnnounced({ submission: { ...submission, retryAtMs: NOW + 1 } }, { manifest, record }).kind;
      };
      expect(takenOver(599_000)).toBe("await");
      const sure = decideAnnounced({ submission: { ...submission, retryAtMs: NOW + 1 } }, { manifest });
      expect(takenOver(600_000)).toBe(sure.kind);
    },
  );

  it("waits like any first start when something is missing for it", () => {
    expect(decideAnnounced({ submission }, { manifest: { spec: { rpus: 9 } } })).toMatchObject({
      kind: "wait",
      block: { condition: "Placed", reason: "NotEnoughSlots" },
    });
  });

  it.each([
    ["unknown", { ...UNKNOWN, retryAtMs: NOW + 1 }],
    ["under way", { kind: "under-way" }],
    ["accepted", { kind: "accepted", acceptedAtMs: NOW - 59_999 }],
  ] as const)("never starts the next attempt while the outcome of this one is %s", (_, other) => {
    expect(decideAnnounced({ submission: other }, { manifest: { spec: { rpus: 3 } } })).toMatchObject({ kind: "await" });
  });
});

describe("an attempt that failed before it ran", () => {
  const LONG_AGO = "2026-11-22T11:00:00Z";

  it("is followed by the next one", () => {
    expect(decideAnnounced({ clusters: failed() }, announcedAt(LONG_AGO))).toMatchObject({
      kind: "announce",
      work: { kind: "start", operation: { attempt: 2, flinkJobId: anAttempt(2) } },
    });
  });

  it.each([
    ["Flink's own", { rootCause: "no class" }, undefined, "no class"],
    ["that of the refusal", {}, aRefusal({ retryAtMs: NOW }), "no broker"],
    ["not known", {}, undefined, "Flink does not say why"],
  ] as const)("is told with its cause, %s", (_, detail, submission, cause) => {
    const context = { clusters: failed(detail), ...(submission === undefined ? {} : { submission }) };
    expect(decideAnnounced(context, announcedAt("2026-11-22T12:00:00Z"))).toMatchObject({
      kind: "await",
      block: { condition: "Started", reason: "StartFailed" },
      because: `attempt 1 failed before it ran: ${cause}`,
    });
  });

  it.each([
    ["2 s after the first attempt", 1, 2.4],
    ["4 s after the second", 2, 4.8],
    ["5 min after many", 12, 360],
  ])("is followed %s, more or less", (_, attempt, atMostS) => {
    const flinkJobId = anAttempt(attempt);
    const clusters = [aReachableCluster(withJobs({ flinkJobId, state: "FAILED" }))];
    const after = (seconds: number) =>
      decideFor(announcedAt("2026-11-22T12:00:00Z", attempt), { clusters, now: NOW + seconds * 1000 }).kind;
    expect([after(0), after(atMostS / 2), after(atMostS)]).toEqual(["await", "await", "announce"]);
  });

  it("waits for the time that its refusal names", () => {
    const submission = aRefusal({ retryAtMs: NOW + 1 });
    expect(decideAnnounced({ clusters: failed(), submission }, announcedAt(LONG_AGO))).toMatchObject({ kind: "await" });
  });

  it("does not wait when its manifest was changed", () => {
    const job = { ...announcedAt("2026-11-22T12:00:00Z"), manifest: { spec: { rpus: 3 } } };
    expect(decideAnnounced({ clusters: failed() }, job)).toMatchObject({
      kind: "announce",
      work: { kind: "start", operation: { rpus: 3 } },
    });
  });

  it("begins no other attempt by a refusal that was told before another daemon took the start over: that one may have called since", () => {
    const record = anAnnouncedRecord({ announcedAt: LONG_AGO, takenOverAt: "2026-11-22T11:30:00Z" });
    const submission = aRefusal({ retryAtMs: Number.POSITIVE_INFINITY });
    const manifest = { spec: { rpus: 3 } };
    expect(decideAnnounced({ submission: { ...submission, epoch: LONG_AGO } }, { manifest, record })).toMatchObject({
      kind: "resume",
      work: { operation: { attempt: 1 } },
    });
    expect(decideAnnounced({ submission }, { manifest, record })).toMatchObject({
      kind: "announce",
      work: { operation: { attempt: 2 } },
    });
  });

  it("waits until its own submission is over", () => {
    expect(decideAnnounced({ clusters: failed(), submission: { kind: "under-way" } }, announcedAt(LONG_AGO))).toMatchObject({
      kind: "await",
      block: undefined,
    });
  });

  it.each([
    ["broken", "broken", "ManifestBroken", "its manifest has problems"],
    ["gone and deletions are held", "absent", "ManifestMissing", "its manifest is gone"],
  ] as const)("stays where it is while its manifest is %s", (_, manifest, reason, what) => {
    const deletion = { kind: "held", reason: "DeletionHeld", because: "held" } as const;
    expect(decideAnnounced({ clusters: failed(), deletion }, { ...announcedAt(LONG_AGO), manifest })).toMatchObject({
      kind: "await",
      operation: { attempt: 1 },
      block: { condition: "Started", reason },
      because: `attempt 1 came to nothing, and ${what}, so it is not started again`,
    });
  });

  it("leaves a tombstone of its Job when the manifest is gone", () => {
    expect(decideAnnounced({ clusters: failed() }, { ...announcedAt(LONG_AGO), manifest: "absent" })).toMatchObject({
      kind: "settle",
      settlement: { kind: "buried", restorePoint: undefined },
    });
  });

  it.each([
    ["it had completed a checkpoint", { checkpoints: { completed: 1, latestPath: "file:///x", enabled: true, retained: true } }],
    ["nobody knows whether it had", "unknown"],
  ] as const)("is not followed from nothing when %s", (_, detail) => {
    expect(decideAnnounced({ clusters: failed(detail) }, announcedAt(LONG_AGO))).toMatchObject({
      kind: "settle",
      because: "Flink has it",
      settlement: { kind: "started", flinkJobId: anAttempt(1) },
    });
  });

  const fromState = anAnnouncedRecord({ announcedAt: LONG_AGO, restoreFrom: { kind: "Savepoint", uri: "file:///x" } });

  it("is followed from the state that it was started from, and stays Pending so long: a new Job that does not fit can be mended", () => {
    expect(decideAnnounced({ clusters: failed() }, { record: fromState })).toMatchObject({
      kind: "announce",
      work: { operation: { attempt: 2, restoreFrom: { uri: "file:///x" } } },
    });
    const soon = anAnnouncedRecord({
      announcedAt: new Date(NOW).toISOString(),
      restoreFrom: { kind: "Savepoint", uri: "file:///x" },
    });
    expect(decideAnnounced({ clusters: failed() }, { record: soon })).toMatchObject({
      kind: "await",
      block: { condition: "Started", reason: "StartFailed" },
      because: "attempt 1 failed before it ran: no class",
    });
  });

  it("is followed from another Savepoint when the manifest names one now", () => {
    const initialState = { kind: "ready", uri: "file:///y", since: undefined } as const;
    const job = { record: fromState, manifest: { spec: { initialState: { savepoint: "other", allowNonRestoredState: false } } } };
    expect(decideAnnounced({ clusters: failed(), initialState }, job)).toMatchObject({
      work: { operation: { attempt: 2, restoreFrom: { uri: "file:///y" } } },
    });
  });
});

describe("a start whose cluster was restarted meanwhile", () => {
  it("looks first whether it left a checkpoint", () => {
    expect(decideAnnounced({ clusters: restarted() })).toMatchObject({
      kind: "await",
      block: undefined,
      because: "cluster main was restarted while the job was being started; looking for what the start left",
    });
  });

  it("is followed by the next attempt when it left none", () => {
    expect(decideAnnounced({ clusters: restarted(listed()) })).toMatchObject({
      kind: "announce",
      work: { kind: "start", operation: { attempt: 2, cluster: { incarnation: RESTARTED } } },
    });
  });

  it("waits when nobody can tell whether it left one", () => {
    const clusters = restarted(cannotTell("s3://x is not a file:// directory"));
    expect(decideAnnounced({ clusters })).toMatchObject({
      kind: "await",
      block: { condition: "Started", reason: "NeedsRestore" },
      because:
        "cluster main was restarted while the job was being started, and whether it left a checkpoint cannot be told: s3://x is not a file:// directory",
    });
  });

  it("counts as started when it left a checkpoint, so that it is brought back from that", () => {
    for (const manifest of [{}, { spec: { rpus: 3 } }, "broken", "absent"] as const) {
      expect(decideAnnounced({ clusters: restarted(listed(aCheckpoint())) }, { manifest })).toMatchObject({
        kind: "settle",
        settlement: { kind: "started", flinkJobId: anAttempt(1), cluster: CLUSTER },
      });
    }
  });

  it("counts as started when it was to start from a state, which may never be lost", () => {
    const restoreFrom = { kind: "Savepoint", uri: "file:///x" } as const;
    expect(decideAnnounced({ clusters: restarted(listed()) }, { record: anAnnouncedRecord({ restoreFrom }) })).toMatchObject({
      kind: "settle",
      settlement: { kind: "started", restoredFrom: restoreFrom },
    });
  });

  it("is never taken for a first start when the Job was accepted before: what is declared now is refused, or no change", () => {
    const status = { startedEmpty: true, operation: anOperation({ attempt: 2 }) };
    const manifest = { spec: { artifact: "other" } };
    expect(decideAnnounced({ clusters: restarted(listed()) }, { manifest, record: aStartedRecord({ status }) })).toMatchObject({
      kind: "settle",
      settlement: { kind: "started", flinkJobId: anAttempt(2) },
    });
  });

  it("looks twice before it is believed that the new JobManager does not have it", () => {
    expect(decideAnnounced({ clusters: restarted(listed()), lastSeen: [] })).toMatchObject({ kind: "await", block: undefined });
    expect(decideAnnounced({ clusters: restarted(listed()), lastSeen: [anUnreachableCluster()] })).toMatchObject({
      kind: "await",
    });
  });

  it.each([
    ["accepted", { kind: "accepted", acceptedAtMs: NOW - 59_999 }],
    ["of unknown outcome", { ...UNKNOWN, retryAtMs: NOW }],
    ["refused and due", aRefusal({ retryAtMs: NOW })],
  ] as const)("is never submitted again under its id, also when its submission was %s", (_, submission) => {
    expect(decideAnnounced({ clusters: restarted(), submission })).toMatchObject({ kind: "await" });
    const clusters = restarted(listed());
    expect(decideAnnounced({ clusters, submission })).toMatchObject({
      kind: "announce",
      work: { kind: "start", operation: { attempt: 2 } },
    });
  });

  it("waits while its submission is under way: another JobManager may have taken it", () => {
    const clusters = restarted(listed());
    expect(decideAnnounced({ clusters, submission: { kind: "under-way" } })).toMatchObject({
      kind: "await",
      because: "its submission is under way",
    });
  });

  it("is submitted again under its id with high availability: the jobs outlive their JobManager there", () => {
    expect(decideAnnounced({ clusters: restarted({}, { highAvailability: true }) })).toMatchObject({
      kind: "resume",
      work: { kind: "start", operation: anOperation() },
    });
  });

  it("is over when the new JobManager has it", () => {
    expect(decideAnnounced({ clusters: restarted({}, withJobs({})) })).toMatchObject({ kind: "settle", because: "Flink has it" });
  });

  it("is not followed by another while its manifest is broken", () => {
    const clusters = restarted(listed());
    expect(decideAnnounced({ clusters }, { manifest: "broken" })).toMatchObject({ kind: "await", operation: { attempt: 1 } });
  });

  it("leaves a tombstone when it left nothing and its manifest is gone", () => {
    expect(decideAnnounced({ clusters: restarted(listed()) }, { manifest: "absent" })).toMatchObject({
      kind: "settle",
      settlement: { kind: "buried" },
    });
  });

  it("adopts what runs on another cluster instead of starting the next attempt", () => {
    const clusters = [...restarted(listed()), aReachableCluster({ name: "other", ...withJobs({ flinkJobId: anAttempt(2) }) })];
    expect(decideAnnounced({ clusters })).toMatchObject({ kind: "adopt", record: { status: { attempt: 2 } } });
  });
});

describe("a Job that stood there when the status branch was lost", () => {
  const marked: JobRecord = aRecord({
    status: { conditions: [{ type: "Started", status: "False", reason: "StatusLost", message: "", since: "" }] },
  });

  it.each(["broken", "absent", {}] as const)("waits for a person, also while its manifest is %j", (manifest) => {
    expect(decideFor({ manifest, record: marked }, { statusLost: "was lost" })).toMatchObject({
      kind: "wait",
      block: { condition: "Started", reason: "StatusLost" },
      because: "was lost",
    });
  });

  it("is forgotten when a person said so and its manifest is gone", () => {
    expect(decideFor({ manifest: "absent", record: marked })).toMatchObject({ kind: "forget" });
  });
});

it("gives ids that tell whose they are", () => {
  const id = submissionIn(decideFor())?.flinkJobId;
  expect(id === undefined ? undefined : parseFlinkJobId(id)).toEqual(parseFlinkJobId(anAttempt(1)));
});

/** What is submitted now, or right after a stop. */
function submissionIn(decision: JobDecision): Submission | undefined {
  if (!("work" in decision)) return undefined;
  return decision.work.kind === "start" ? decision.work.submission : undefined;
}
