import { describe, expect, it } from "vitest";
import type { RestorePointsSeen } from "../../src/flink/cluster-seen.ts";
import type { RestorePointEntry } from "../../src/flink/restore-directories.ts";
import type { JobStatus } from "../../src/model/status.ts";
import type { JobSeen } from "../../src/pass/observed.ts";
import { chooseRestorePoint } from "../../src/pass/restore-point.ts";
import { aListedJob, anAttempt, aReachableCluster, aStartedRecord, type ListedJobOverrides } from "./builders.ts";
import { aCheckpoint, aSavepoint, CHECKPOINTED } from "./job-decisions.ts";

const GONE: JobSeen = { kind: "absent", cluster: aReachableCluster() };
const NOTHING = entries();
const UNLISTABLE: RestorePointsSeen = { kind: "cannot-tell", because: "hdfs://x cannot be listed" };
const OLD = { kind: "Savepoint", uri: "file:///old/savepoint-1" } as const;

function entries(...all: readonly RestorePointEntry[]): RestorePointsSeen {
  return { kind: "listed", entries: all };
}

function ended(job: ListedJobOverrides): JobSeen {
  return { kind: "listed", cluster: aReachableCluster(), job: aListedJob({ state: "FAILED", ...job }) };
}

/** Of a Job whose attempt 2 is the last one that Flink took. */
function choose(
  status: Partial<JobStatus>,
  listed: RestorePointsSeen | undefined,
  seen: JobSeen = GONE,
  annotations: Readonly<Record<string, string>> = {},
  disposing: readonly string[] = [],
) {
  const record = aStartedRecord({ status: { attempt: 2, flinkJobId: anAttempt(2), ...status }, annotations });
  return chooseRestorePoint(record, seen, listed, disposing);
}

const ranOnce = { attempt: 1, flinkJobId: anAttempt(1) };
/** Of an attempt that a person let begin without state. */
const GIVEN_UP = { startedEmpty: true };
const hadCheckpoint = { checkpointed: anAttempt(2) };

describe("the restore point of a Job whose directories can be listed", () => {
  it.each([
    ["its last checkpoint", entries(aCheckpoint(2, 3), aCheckpoint(2, 10)), aCheckpoint(2, 10).uri],
    [
      "that of the highest attempt, not the one with the highest number",
      entries(aCheckpoint(2, 1), aCheckpoint(1, 900)),
      aCheckpoint(2, 1).uri,
    ],
    ["a savepoint that is newer than its last checkpoint", entries(aCheckpoint(2), aSavepoint(2)), aSavepoint(2).uri],
    ["a checkpoint that is newer than its last savepoint", entries(aSavepoint(2, 0), aCheckpoint(2)), aCheckpoint(2).uri],
    ["that of the attempt before, when the last one left none", entries(aCheckpoint(1), aSavepoint(1)), aSavepoint(1).uri],
  ])("is %s", (_, listed, uri) => {
    expect(choose({}, listed)).toMatchObject({ kind: "from", point: { uri } });
  });

  it("is what the last attempt was started from, when that left none: what older ones left is older", () => {
    expect(choose({ startedFrom: OLD }, NOTHING)).toMatchObject({ kind: "from", point: OLD });
    expect(choose({ startedFrom: OLD }, entries(aCheckpoint(1)))).toMatchObject({ kind: "from", point: OLD });
    expect(choose({ startedFrom: OLD }, entries(aCheckpoint(2)))).toMatchObject({ point: { uri: aCheckpoint(2).uri } });
  });

  it("is never one of a job that was drained: it lacks the windows that were emitted", () => {
    const savepoints = [{ uri: aSavepoint(1).uri, takenAt: "", flinkJobId: anAttempt(1), reason: "Drain" }] as const;
    expect(choose({}, entries(aSavepoint(1)))).toMatchObject({ kind: "from" });
    expect(choose({ savepoints }, entries(aSavepoint(1)))).toMatchObject({ kind: "wait", reason: "RestorePointUnknown" });
    expect(choose({ savepoints }, entries(aCheckpoint(1), aSavepoint(1)))).toMatchObject({ point: { uri: aCheckpoint(1).uri } });
  });

  it("is never one whose disposal is announced, however it is written: half of its files may be gone", () => {
    const { uri } = aSavepoint(2);
    for (const going of [uri, uri.replace("file:///", "file:/")]) {
      const left = entries(aCheckpoint(2), aSavepoint(2));
      expect(choose(hadCheckpoint, left, GONE, {}, [going])).toMatchObject({ point: { uri: aCheckpoint(2).uri } });
      expect(choose(hadCheckpoint, entries(aSavepoint(2)), GONE, {}, [going])).toMatchObject({ reason: "RestorePointMissing" });
    }
  });

  it("is never one of an attempt that was not announced", () => {
    expect(choose({}, entries(aCheckpoint(2), aCheckpoint(3)))).toMatchObject({ point: { uri: aCheckpoint(2).uri } });
  });

  it("is none where nothing of it ever completed a checkpoint", () => {
    expect(choose(ranOnce, NOTHING)).toMatchObject({ kind: "empty" });
  });

  it("is none again where its last attempt was started without any and left none, whatever older ones left", () => {
    for (const listed of [NOTHING, entries(aCheckpoint(1), aSavepoint(1))])
      for (const seen of [GONE, ended({})]) expect(choose(GIVEN_UP, listed, seen)).toMatchObject({ kind: "empty" });
  });

  it.each([
    ["it left a checkpoint", GIVEN_UP, entries(aCheckpoint(1), aCheckpoint(2)), GONE, "from"],
    ["it completed one that is missing", { ...GIVEN_UP, ...hadCheckpoint }, entries(aCheckpoint(1)), GONE, "wait"],
    ["Flink counts one that the record does not tell yet", GIVEN_UP, entries(aCheckpoint(1)), ended(CHECKPOINTED), "wait"],
    ["Flink does not say yet what it completed", GIVEN_UP, entries(aCheckpoint(1)), ended({ detail: "unknown" }), "looking"],
    ["its directories cannot be listed, and nobody lists it", GIVEN_UP, UNLISTABLE, GONE, "wait"],
    ["its directories cannot be listed, and Flink does not say", GIVEN_UP, UNLISTABLE, ended({ detail: "unknown" }), "wait"],
    ["its directories were not listed yet", GIVEN_UP, undefined, GONE, "looking"],
  ] as const)("is not none in silence although its last attempt was started without any: %s", (_, status, listed, seen, kind) => {
    expect(choose(status, listed, seen)).toMatchObject({ kind });
  });

  it("is none where Flink counts none of an attempt that was started without any, also where nothing can be listed", () => {
    expect(choose(GIVEN_UP, UNLISTABLE, ended({}))).toMatchObject({ kind: "empty" });
  });

  it("waits for a person where nobody knows what the last attempt was started from", () => {
    expect(choose({}, NOTHING)).toMatchObject({ kind: "wait", reason: "RestorePointUnknown" });
    expect(choose({}, UNLISTABLE, ended({}))).toMatchObject({ kind: "wait", reason: "RestorePointUnknown" });
  });

  it("is missing when Flink counted a checkpoint that is not there, although the record does not tell yet", () => {
    expect(choose(ranOnce, NOTHING, ended(CHECKPOINTED))).toMatchObject({ kind: "wait", reason: "RestorePointMissing" });
  });

  it.each([
    ["the directory was emptied", hadCheckpoint, NOTHING],
    ["only older attempts left some", hadCheckpoint, entries(aCheckpoint(1))],
    ["what it was started from is known", { ...hadCheckpoint, startedFrom: OLD }, NOTHING],
    [
      "its savepoint is gone",
      { lastSavepoint: { uri: "file:///x", takenAt: "", flinkJobId: anAttempt(2), reason: "Rescale" } },
      NOTHING,
    ],
  ] as const)("waits for a person when its own is missing, although %s", (_, status, listed) => {
    const choice = choose(status, listed);
    expect(choice).toMatchObject({ kind: "wait", reason: "RestorePointMissing" });
    expect("because" in choice && choice.because).toContain(
      `annotate the Job with "penstock/restore-from: ${anAttempt(2)}=<uri>", or with "penstock/start-empty: ${anAttempt(2)}"`,
    );
  });

  it("is looked for before anything is said", () => {
    expect(choose({}, undefined)).toEqual({ kind: "looking" });
    expect(choose({ startedFrom: OLD }, undefined, ended(CHECKPOINTED))).toEqual({ kind: "looking" });
  });
});

describe("the restore point of a Job whose directories cannot be listed", () => {
  it("is the last one that Flink names for the job that ended", () => {
    expect(choose(hadCheckpoint, UNLISTABLE, ended(CHECKPOINTED))).toMatchObject({
      kind: "from",
      point: { kind: "Checkpoint", uri: aCheckpoint().uri },
    });
  });

  it("is what it was started from when Flink says that it completed none", () => {
    expect(choose({ startedFrom: OLD }, UNLISTABLE, ended({}))).toMatchObject({ kind: "from", point: OLD });
    expect(choose(ranOnce, UNLISTABLE, ended({}))).toMatchObject({ kind: "empty" });
  });

  it.each([
    ["nobody lists the job any more", {}, GONE],
    ["Flink does not say what it completed", {}, ended({ detail: "unknown" })],
    ["it completed one and Flink does not name it", hadCheckpoint, ended({})],
    [
      "its checkpoints were in memory",
      {},
      ended({ detail: { checkpoints: { completed: 3, latestPath: undefined, enabled: true, retained: true } } }),
    ],
  ] as const)("waits for a person when %s", (_, status, seen) => {
    expect(choose({ startedFrom: OLD, ...status }, UNLISTABLE, seen)).toMatchObject({
      kind: "wait",
      reason: "RestorePointUnknown",
      because: expect.stringContaining("its checkpoints cannot be listed: hdfs://x cannot be listed; annotate the Job"),
    });
  });
});

const restoreFrom = (id: string) => ({ "penstock/restore-from": `${id}=s3://b/sp=1` });

const startEmpty = (id: string) => ({ "penstock/start-empty": id });

describe("a person's choice", () => {
  it("is taken when it names the incident, whatever lies there or cannot be listed", () => {
    for (const listed of [NOTHING, entries(aCheckpoint(2)), UNLISTABLE, undefined]) {
      expect(choose(hadCheckpoint, listed, GONE, restoreFrom(anAttempt(2)))).toMatchObject({
        kind: "from",
        point: { kind: "Savepoint", uri: "s3://b/sp=1" },
      });
      expect(choose(hadCheckpoint, listed, GONE, startEmpty(anAttempt(2)))).toMatchObject({ kind: "empty" });
    }
  });

  it.each([
    ["another attempt", restoreFrom(anAttempt(1))],
    ["another attempt, to start empty", startEmpty(anAttempt(1))],
    ["nothing", { "penstock/restore-from": "s3://b/sp", "penstock/start-empty": "true" }],
    ["what only new Jobs may say", startEmpty("new")],
  ])("does not act when it names %s", (_, annotations) => {
    expect(choose(hadCheckpoint, NOTHING, GONE, annotations)).toMatchObject({ kind: "wait" });
  });
});
