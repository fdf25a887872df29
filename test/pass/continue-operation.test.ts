import { describe, expect, it } from "vitest";
import { formatTime } from "../../src/common/clock.ts";
import type { ClusterSeen } from "../../src/flink/cluster-seen.ts";
import type { JobStatus, Operation } from "../../src/model/status.ts";
import type { JobDecision } from "../../src/pass/decision.ts";
import { epochOf, type StepSeen, type SubmissionSeen } from "../../src/pass/submissions.ts";
import {
  aCancel,
  aListedJob,
  anAttempt,
  anIntent,
  anUnreachableCluster,
  aReachableCluster,
  aRefusal,
  aRescale,
  aStartedRecord,
  aStop,
  NOW,
  SAVEPOINT,
  type ManifestOverrides,
} from "./builders.ts";
import { aCheckpoint, blockOf, clusterWith, decideFor, listed, type ContextOverrides } from "./job-decisions.ts";

type Outcome = StepSeen extends infer S ? (S extends StepSeen ? Omit<S, "announcedAt"> : never) : never;

interface Situation extends Omit<ContextOverrides, "step"> {
  readonly step?: Outcome;
  /** Of another operation on the same job. */
  readonly oldStep?: boolean;
  readonly next?: SubmissionSeen;
  readonly manifest?: ManifestOverrides | "broken" | "absent";
  readonly status?: Partial<JobStatus>;
}

/** The next step of a Job with this operation announced; attempt 1 is healthy on the only cluster but for what is said. */
function decide(operation: Operation, { step, oldStep, next, manifest, status, ...context }: Situation = {}): JobDecision {
  const seen =
    step === undefined ? undefined : ({ ...step, announcedAt: oldStep === true ? "before" : epochOf(operation) } as StepSeen);
  return decideFor(
    { record: aStartedRecord({ status: { attempt: 2, operation, ...status } }), ...(manifest === undefined ? {} : { manifest }) },
    {
      clusters: [clusterWith()],
      ...(seen === undefined ? {} : { step: seen }),
      ...(next === undefined ? {} : { submissions: { [anAttempt(2)]: next } }),
      ...context,
    },
  );
}

function toldBy(decision: JobDecision): string {
  const what = "work" in decision ? decision.work.kind : "settlement" in decision ? decision.settlement.kind : undefined;
  return [decision.kind, what, blockOf(decision)].filter((part) => part !== undefined).join(" ");
}

const TRIED = { because: "no storage", failures: 1 } as const;
const LATER = NOW + 1;
/** Attempt 1 ended, and what is said of attempt 2. */
const afterStop = (job?: Parameters<typeof aListedJob>[0]): readonly ClusterSeen[] => [
  aReachableCluster({
    jobs: [aListedJob({ state: "FINISHED" }), ...(job === undefined ? [] : [aListedJob({ flinkJobId: anAttempt(2), ...job })])],
  }),
];
const STOPPED = { kind: "stopped", uri: SAVEPOINT } as const;
const FINISHED_WITHOUT_CHECKPOINT = { state: "FAILED", detail: { rootCause: "out of memory" } };

const takenOver = <O extends Operation>(operation: O, agoMs: number): O => ({
  ...operation,
  takenOverAt: formatTime(NOW - agoMs),
});

describe("an operation that was taken over from another daemon", () => {
  const NOT_DONE = { kind: "not-done", ...TRIED, retryAtMs: LATER } as const;

  it.each([
    ["a stop that came to nothing", aStop("rescale"), NOT_DONE, "settle abandoned Rescaled SavepointFailed"],
    ["a rescale that Flink was asked for", aRescale(), { kind: "rescale-asked" }, "settle rescaled"],
  ] as const)("is not over, half a minute long, while that one may still ask Flink: %s", (_, operation, step, told) => {
    expect(toldBy(decide(takenOver(operation, 29_000), { step }))).toBe("await");
    expect(toldBy(decide(takenOver(operation, 30_000), { step }))).toBe(told);
  });

  it("is settled by what was learnt since, and not by what was learnt before", () => {
    const operation = takenOver(aStop("suspend"), 60_000);
    expect(toldBy(decide(operation, { step: STOPPED }))).toBe("settle suspended");
    expect(toldBy(decide(operation, { step: STOPPED, oldStep: true }))).toBe("resume stop");
  });

  it("does not go back to what ran before, ten minutes long, while that one may still start the next attempt", () => {
    const never = aRefusal({ reason: "BadOption", retryAtMs: Number.POSITIVE_INFINITY });
    const told = (agoMs: number) =>
      toldBy(decide(takenOver(aStop("rescale"), agoMs), { step: STOPPED, clusters: afterStop(), next: never }));
    expect(told(599_000)).toMatch(/^await/);
    expect(told(600_000)).toBe("announce start");
  });
});

const PURPOSES = ["rescale", "migrate", "suspend", "final", "delete"] as const;

const settlementOf = (operation: Operation) => {
  const decision = decide(operation, { step: STOPPED, clusters: afterStop() });
  return decision.kind === "settle" ? decision.settlement : decision;
};

describe("a stop that was announced", () => {
  it.each(PURPOSES)("to %s is gone on with when nobody is at it: its daemon died in between", (purpose) => {
    const operation = aStop(purpose);
    for (const manifest of [{}, "broken", "absent", { spec: { rpus: 9 } }, { spec: { artifact: "other" } }] as const)
      expect(decide(operation, { manifest })).toMatchObject({ kind: "resume", work: { kind: "stop", operation } });
  });

  it.each(PURPOSES)(
    "to %s is gone on with although its job is not listed any more: the savepoint tells how it ended",
    (purpose) => {
      expect(toldBy(decide(aStop(purpose), { clusters: [aReachableCluster()] }))).toBe("resume stop");
      expect(toldBy(decide(aStop(purpose), { clusters: [clusterWith({ state: "FINISHED" })] }))).toBe("resume stop");
    },
  );

  it.each([
    ["is under way", { step: { kind: "under-way" } }, "await"],
    [
      "has an outcome that is not known yet",
      { step: { kind: "unknown", ...TRIED, retryAtMs: LATER } },
      "await Rescaled OutcomeUnknown",
    ],
    ["has an outcome that is to be looked at again", { step: { kind: "unknown", ...TRIED, retryAtMs: NOW } }, "resume stop"],
    ["cannot be seen", { clusters: [anUnreachableCluster()] }, "await Rescaled ClusterUnreachable"],
    ["came to nothing", { step: { kind: "not-done", ...TRIED, retryAtMs: LATER } }, "settle abandoned Rescaled SavepointFailed"],
    [
      "is held until the jar of what follows is uploaded",
      { step: { kind: "held", ...TRIED, retryAtMs: LATER } },
      "await Rescaled JarNotUploaded",
    ],
    ["was held and is due again", { step: { kind: "held", ...TRIED, retryAtMs: NOW } }, "resume stop"],
    ["was overtaken by another end", { step: { kind: "ended", because: "it failed" } }, "settle abandoned"],
    ["is known of an earlier one only", { step: STOPPED, oldStep: true }, "resume stop"],
  ] as const)("%s", (_, situation, told) => {
    const conditions = {
      rescale: "Rescaled",
      migrate: "UpToDate",
      suspend: "Suspended",
      final: "Finalized",
      delete: "Deleted",
    } as const;
    for (const purpose of PURPOSES)
      expect(toldBy(decide(aStop(purpose), situation))).toBe(told.replace("Rescaled", conditions[purpose]));
  });

  it("settles what it was for when the savepoint is there", () => {
    const point = { kind: "Savepoint", uri: SAVEPOINT };
    expect(settlementOf(aStop("suspend"))).toEqual({ kind: "suspended", uri: SAVEPOINT });
    expect(settlementOf(aStop("delete"))).toEqual({ kind: "buried", restorePoint: point });
    expect(settlementOf(aStop("final"))).toEqual({
      kind: "finalized",
      savepoint: "final",
      uri: SAVEPOINT,
      drained: false,
      takenAt: aStop("final").announcedAt,
    });
    expect(settlementOf(aStop("final", { drain: true }))).toMatchObject({ drained: true });
  });

  it("waits for the bytes of what follows it before it is gone on with", () => {
    const announcedArtifact = { kind: "not-ready", reason: "ArtifactNotReady", because: "waits for the bytes" } as const;
    expect(toldBy(decide(aStop("rescale"), { announcedArtifact }))).toBe("await Rescaled ArtifactNotReady");
    expect(toldBy(decide(aStop("suspend"), { announcedArtifact }))).toBe("resume stop");
  });
});

const inAnotherProcess = (more: Parameters<typeof aReachableCluster>[0]) => [
  aReachableCluster({ incarnation: "second", ...more }),
];

describe("the start that follows a stop", () => {
  const rescale = aStop("rescale");
  const follow = (situation: Situation = {}) => decide(rescale, { step: STOPPED, clusters: afterStop(), ...situation });

  it("is made from the savepoint, under the id that was announced", () => {
    expect(follow()).toMatchObject({
      kind: "resume",
      work: {
        kind: "start",
        operation: { attempt: 2, flinkJobId: anAttempt(2), run: 1, rpus: 4, restoreFrom: { kind: "Savepoint", uri: SAVEPOINT } },
        submission: { flinkJobId: anAttempt(2), parallelism: 4, restoreFrom: { uri: SAVEPOINT } },
      },
    });
  });

  it.each([
    ["under way", { kind: "under-way" }, "await"],
    ["accepted and not listed yet", { kind: "accepted", acceptedAtMs: NOW }, "await"],
    ["accepted and not listed any more", { kind: "accepted", acceptedAtMs: NOW - 60_000 }, "settle started"],
    ["known to Flink as an id that is spent", aRefusal({ reason: "JobIdSpent" }), "settle started"],
    [
      "refused for good as an id that is spent",
      aRefusal({ reason: "JobIdSpent", retryAtMs: Infinity, failures: 5 }),
      "settle started",
    ],
    ["of unknown outcome", { kind: "unknown", ...TRIED, retryAtMs: LATER }, "await Started OutcomeUnknown"],
    ["of unknown outcome and due", { kind: "unknown", ...TRIED, retryAtMs: NOW }, "resume start"],
    ["refused and not due", aRefusal({ retryAtMs: LATER }), "await Started ProgramFailed"],
    ["refused and due", aRefusal(), "resume start"],
  ] as const)("is not made twice: %s", (_, next, told) => {
    expect(toldBy(follow({ next }))).toBe(told);
  });

  it.each(["INITIALIZING", "CREATED", "RUNNING", "RESTARTING", "FINISHED", "CANCELED"])(
    "is over when Flink lists it as %s",
    (state) => {
      expect(follow({ clusters: afterStop({ state }) })).toMatchObject({
        kind: "settle",
        settlement: { kind: "started", flinkJobId: anAttempt(2), rpus: 4, run: 1, restoredFrom: { uri: SAVEPOINT } },
      });
    },
  );

  it("never goes under its id to another JobManager: what it left there counts, or what it was to start from", () => {
    expect(toldBy(follow({ clusters: inAnotherProcess({}) }))).toBe("await");
    for (const restorePoints of [listed(), listed(aCheckpoint(2))])
      expect(follow({ clusters: inAnotherProcess({ restorePoints }) })).toMatchObject({
        kind: "settle",
        settlement: { kind: "started", flinkJobId: anAttempt(2), restoredFrom: { uri: SAVEPOINT } },
      });
    const resumed = decide(rescale, { clusters: inAnotherProcess({}) });
    expect(resumed).toMatchObject({ kind: "resume", work: { kind: "stop", operation: rescale, next: undefined } });
  });

  it("waits while its cluster cannot be seen", () => {
    const other = aReachableCluster({ name: "other" });
    expect(toldBy(follow({ clusters: [anUnreachableCluster(), other] }))).toBe("await Rescaled ClusterUnreachable");
  });

  it.each([
    ["it failed at once", { clusters: afterStop(FINISHED_WITHOUT_CHECKPOINT) }, "out of memory"],
    ["Flink refuses it for good", { next: aRefusal({ retryAtMs: Number.POSITIVE_INFINITY }) }, "no broker"],
    ["Flink refused it three times", { next: aRefusal({ failures: 3, retryAtMs: LATER }) }, "no broker"],
  ] as const)("goes back to what ran before, from the same savepoint, when %s", (_, situation, why) => {
    expect(follow(situation)).toMatchObject({
      kind: "announce",
      because: `its start with 4 rpus failed (${why}), so it goes back to 2 from the same savepoint`,
      rescaleFailed: { rpus: 4, because: why },
      work: {
        kind: "start",
        operation: { attempt: 3, flinkJobId: anAttempt(3), run: 1, rpus: 2, restoreFrom: { kind: "Savepoint", uri: SAVEPOINT } },
        submission: { flinkJobId: anAttempt(3), parallelism: 2, restoreFrom: { uri: SAVEPOINT } },
      },
    });
  });

  it("does not go back while an earlier try may still come", () => {
    for (const retryAtMs of [LATER, Number.POSITIVE_INFINITY])
      expect(toldBy(follow({ next: aRefusal({ failures: 3, retryAtMs, doubtUntilMs: LATER }) }))).toMatch(/^await/);
  });

  it("does not go back from one that completed a checkpoint: that one has newer state", () => {
    const clusters = afterStop({
      state: "FAILED",
      detail: { checkpoints: { completed: 1, latestPath: undefined, enabled: true, retained: true } },
    });
    expect(toldBy(follow({ clusters }))).toBe("settle started");
  });

  it("does not go back under high availability: it may have been recovered with newer state", () => {
    const [cluster] = afterStop(FINISHED_WITHOUT_CHECKPOINT);
    expect(toldBy(follow({ clusters: [{ ...cluster!, highAvailability: true } as ClusterSeen] }))).toBe("settle started");
  });

  it("goes back to the cluster that it came from when it cannot start where it was to move", () => {
    const migrate = aStop("migrate", {
      next: anIntent({ rpus: 2, cluster: { name: "newer", url: "http://newer:8081/", incarnation: "first" } }),
    });
    const clusters = [...afterStop(), aReachableCluster({ name: "newer" })];
    const next = aRefusal({ retryAtMs: Number.POSITIVE_INFINITY });
    expect(decide(migrate, { step: STOPPED, clusters, next })).toMatchObject({
      kind: "announce",
      work: { kind: "start", operation: { cluster: { name: "main" }, restoreFrom: { uri: SAVEPOINT } } },
    });
  });

  it("is not tried again with the rpus that were undone, and is with others", () => {
    const back = follow({ clusters: afterStop(FINISHED_WITHOUT_CHECKPOINT) });
    if (back.kind !== "announce" || back.rescaleFailed === undefined) throw new Error("it did not go back");
    const status = { attempt: 3, flinkJobId: anAttempt(3), rescaleFailed: back.rescaleFailed };
    const clusters = [clusterWith({ flinkJobId: anAttempt(3) })];
    const record = aStartedRecord({ status });
    expect(toldBy(decideFor({ record, manifest: { spec: { rpus: 4 } } }, { clusters }))).toBe("leave Rescaled NextStartFailed");
    expect(toldBy(decideFor({ record, manifest: { spec: { rpus: 3 } } }, { clusters }))).toBe("announce stop");
  });
});

describe("a cancellation that was announced", () => {
  const cancel = aCancel();

  it.each([
    ["is gone on with while the job lives", {}, "resume cancel"],
    ["is under way", { step: { kind: "under-way" } }, "await"],
    [
      "is waited for while its cluster cannot be seen",
      { clusters: [anUnreachableCluster()] },
      "await Deleted ClusterUnreachable",
    ],
    ["is asked for again later", { step: { kind: "not-done", ...TRIED, retryAtMs: LATER } }, "await Deleted OutcomeUnknown"],
    ["is asked for again now", { step: { kind: "unknown", ...TRIED, retryAtMs: NOW } }, "resume cancel"],
    ["looks first for what the job left", { clusters: [clusterWith({ state: "CANCELED" })] }, "await"],
  ] as const)("%s", (_, situation, told) => {
    expect(toldBy(decide(cancel, { manifest: "absent", ...situation }))).toBe(told);
  });

  it("ends in a tombstone with the newest checkpoint, however the job ended", () => {
    const restorePoints = listed(aCheckpoint());
    for (const state of ["CANCELED", "FAILED", "FINISHED"])
      expect(decide(cancel, { manifest: "absent", clusters: [clusterWith({ state }, { restorePoints })] })).toMatchObject({
        kind: "settle",
        settlement: { kind: "buried", restorePoint: { kind: "Checkpoint", uri: aCheckpoint().uri } },
      });
    expect(toldBy(decide(cancel, { clusters: [aReachableCluster({ restorePoints })] }))).toBe("settle buried");
  });
});

describe("a rescale in place that was announced", () => {
  it.each([
    ["is gone on with when nobody is at it", {}, "resume rescale"],
    ["is under way", { step: { kind: "under-way" } }, "await"],
    ["is over when Flink was asked", { step: { kind: "rescale-asked" } }, "settle rescaled"],
    [
      "gives way to a savepoint when it is refused",
      { step: { kind: "not-done", ...TRIED, retryAtMs: LATER } },
      "settle abandoned Rescaled InPlaceRefused",
    ],
    [
      "is waited for while its cluster cannot be seen",
      { clusters: [anUnreachableCluster()] },
      "await Rescaled ClusterUnreachable",
    ],
    [
      "is asked again later when the answer was lost",
      { step: { kind: "unknown", ...TRIED, retryAtMs: LATER } },
      "await Rescaled OutcomeUnknown",
    ],
    ["is asked again now when the answer was lost", { step: { kind: "unknown", ...TRIED, retryAtMs: NOW } }, "resume rescale"],
    ["is dropped when the job ended", { clusters: [clusterWith({ state: "FAILED" })] }, "settle abandoned"],
    ["is dropped when the job is gone", { clusters: [aReachableCluster()] }, "settle abandoned"],
  ] as const)("%s", (_, situation, told) => {
    expect(toldBy(decide(aRescale(), situation))).toBe(told);
  });

  it("asks from what was asked of this attempt to what was announced", () => {
    expect(decide(aRescale(4))).toMatchObject({ work: { from: 2, operation: { rpus: 4 } } });
    expect(decide(aRescale(4), { step: { kind: "rescale-asked" } })).toMatchObject({ settlement: { rpus: 4 } });
  });
});
