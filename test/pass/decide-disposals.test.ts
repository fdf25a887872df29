import { describe, expect, it } from "vitest";
import { formatTime } from "../../src/common/clock.ts";
import type { RestorePointEntry } from "../../src/flink/restore-directories.ts";
import { resourceKey } from "../../src/model/resource.ts";
import type { JobRecord, JobStatus, SavepointOperation, TakenSavepoint } from "../../src/model/status.ts";
import { chooseTidying, decideDisposals, type TidyingInput } from "../../src/pass/decide-disposals.ts";
import type { DisposalDecision } from "../../src/pass/decision.ts";
import type { DesiredJob, DesiredSavepoint } from "../../src/pass/desired.ts";
import type { StepSeen } from "../../src/pass/submissions.ts";
import type { Observed } from "../../src/pass/observed.ts";
import {
  aDesiredJob,
  aDesiredSavepoint,
  aListedJob,
  anAttempt,
  anId,
  anObserved,
  anOperation,
  anUnreachableCluster,
  aPolicy,
  aReachableCluster,
  aStartedRecord,
  aStatusView,
  aStop,
  CLUSTER,
  FINAL,
  FROZEN,
  INSTANCE,
  NOW,
  SAVEPOINT,
  type ClusterOverrides,
} from "./builders.ts";
import { aCheckpoint, aSavepoint, cannotTell, listed } from "./job-decisions.ts";
import { runPass, type PurePass } from "./pass-driver.ts";

const KEY = resourceKey(anId());
/** What `orders` left: a savepoint of each of its attempts 1 to 5, which it took itself, and a checkpoint of attempt 6, which runs. */
const SAVEPOINTS = [1, 2, 3, 4, 5].map((attempt) => aSavepoint(attempt));
const OWN = aCheckpoint(6);
const ENTRIES: readonly RestorePointEntry[] = [...SAVEPOINTS, OWN];

const takenOf = ({ uri, flinkJobId }: RestorePointEntry, reason: TakenSavepoint["reason"] = "Rescale"): TakenSavepoint => ({
  uri,
  takenAt: formatTime(NOW),
  flinkJobId,
  reason,
});

const RUNNING: Partial<JobStatus> = {
  attempt: 6,
  flinkJobId: anAttempt(6),
  checkpointed: anAttempt(6),
  startedFrom: { kind: "Savepoint", uri: SAVEPOINTS[4]!.uri },
  savepoints: SAVEPOINTS.map((entry) => takenOf(entry)),
};

function aTidyJob(status: Partial<JobStatus> = {}, more: { readonly annotations?: JobRecord["annotations"] } = {}): DesiredJob {
  return aDesiredJob({ record: aStartedRecord({ status: { ...RUNNING, ...status }, ...more }) });
}

interface Situation {
  readonly status?: Partial<JobStatus>;
  readonly entries?: readonly RestorePointEntry[];
  readonly others?: readonly DesiredJob[];
  readonly savepoints?: readonly DesiredSavepoint[];
  readonly cluster?: ClusterOverrides;
  readonly clusters?: readonly ReturnType<typeof aReachableCluster | typeof anUnreachableCluster>[];
  readonly keep?: number;
  readonly job?: DesiredJob;
  readonly step?: Readonly<Record<string, StepSeen>>;
}

const LIVE = aListedJob({
  flinkJobId: anAttempt(6),
  detail: { checkpoints: { completed: 1, latestPath: OWN.uri, enabled: true, retained: true } },
});

function decideAll(situation: Situation = {}): readonly DisposalDecision[] {
  const { status, entries = ENTRIES, others = [], savepoints = [], cluster, clusters = [], keep = 3, step } = situation;
  const jobs = [situation.job ?? aTidyJob(status), ...others];
  const main = aReachableCluster({ jobs: [LIVE], restorePoints: listed(...entries), ...cluster });
  return decideDisposals({
    instance: INSTANCE,
    policy: aPolicy({ restorePoints: { dispose: true, keep } }),
    desired: { jobs, artifacts: [], savepoints },
    observed: anObserved({ clusters: [main, ...clusters], ...(step === undefined ? {} : { steps: step }) }),
    jobs: jobs.map(({ key, id }) => ({ kind: "leave", key, id, because: "" })),
    tidying: new Set([KEY]),
    now: NOW,
  });
}

/** What is disposed of now; the kind of the decision where it is none. */
function disposedBy(situation: Situation = {}): string | undefined {
  const [decision] = decideAll(situation);
  return decision?.kind === "announce" ? decision.work.operation.uri : decision?.kind;
}

const FIRST = SAVEPOINTS[0]!.uri;
const SECOND = SAVEPOINTS[1]!.uri;
const otherJob = (status: Partial<JobStatus>): DesiredJob =>
  aDesiredJob({ id: { name: "clicks" }, record: aStartedRecord({ id: { name: "clicks" }, status }) });

describe("restore points of a Job that nothing needs", () => {
  it("go after three newer ones, the oldest first, with an intent that is announced", () => {
    const [decision] = decideAll();
    expect(decision).toMatchObject({
      kind: "announce",
      because: `3 newer restore points of it are there, and nothing needs ${FIRST} any more`,
      work: { kind: "savepoint", operation: { kind: "dispose", cluster: CLUSTER, flinkJobId: anAttempt(1), uri: FIRST } },
    });
  });

  it.each([
    ["as long as there are not more than that", ENTRIES.slice(3), 3],
    ["as long as there are not more than the policy keeps", ENTRIES, 6],
  ])("stay %s", (_, entries, keep) => {
    expect(disposedBy({ entries, keep })).toBe("tidied");
  });

  it("are counted with the newest of the attempt that runs, one after the other until so many are left", () => {
    expect(disposedBy({ entries: ENTRIES.slice(1) })).toBe(SECOND);
    expect(disposedBy({ entries: ENTRIES.slice(2) })).toBe(SAVEPOINTS[2]!.uri);
    expect(disposedBy({ entries: ENTRIES.slice(3) })).toBe("tidied");
    expect(
      disposedBy({ keep: 1, entries: ENTRIES.slice(3), status: { startedFrom: { kind: "Savepoint", uri: "file:///x" } } }),
    ).toBe(SAVEPOINTS[3]!.uri);
  });

  it.each<[string, Situation]>([
    ["the Job's last savepoint", { status: { lastSavepoint: { ...takenOf(SAVEPOINTS[0]!), reason: "Rescale" } } }],
    [
      "another Job, which was started from it and has no checkpoint of its own",
      { others: [otherJob({ startedFrom: { kind: "Savepoint", uri: FIRST } })] },
    ],
    [
      "another Job, which has only counted a savepoint",
      {
        others: [
          otherJob({ startedFrom: { kind: "Savepoint", uri: FIRST }, checkpointed: anAttempt(1, { id: { name: "clicks" } }) }),
        ],
        cluster: {
          jobs: [
            LIVE,
            aListedJob({
              flinkJobId: anAttempt(1, { id: { name: "clicks" } }),
              detail: { checkpoints: { completed: 1, latestPath: "file:///s/x/savepoint-1", enabled: true, retained: true } },
            }),
          ],
        },
      },
    ],
    ["a tombstone", { others: [otherJob({ deleted: { at: "", restorePoint: { kind: "Savepoint", uri: FIRST } } })] }],
    [
      "a Job that a Final Savepoint stopped",
      { others: [otherJob({ finalized: { savepoint: "f", uri: FIRST, drained: false } })] },
    ],
    [
      "a start that is announced",
      {
        others: [
          otherJob({ operation: anOperation({ id: { name: "clicks" }, restoreFrom: { kind: "Savepoint", uri: FIRST } }) }),
        ],
      },
    ],
    ["a Savepoint", { savepoints: [aDesiredSavepoint({ status: { phase: "Ready", uri: FIRST } })] }],
    [
      "a Savepoint that is new and names it in other words",
      {
        savepoints: [
          aDesiredSavepoint({
            spec: { type: "External", uri: `${FIRST.replace("file:///", "file:/")}/_metadata`, deletionPolicy: "Retain" },
          }),
        ],
      },
    ],
    [
      "a Savepoint whose manifest is gone",
      { savepoints: [aDesiredSavepoint({ declared: "absent", spec: { ...FINAL }, status: { phase: "Deleting", uri: FIRST } })] },
    ],
    ["an annotation", { job: aTidyJob({}, { annotations: { "penstock/restore-from": `${anAttempt(6)}=${FIRST}` } }) }],
    [
      "an annotation that is only declared",
      { others: [aDesiredJob({ id: { name: "clicks" }, manifest: { annotations: { "penstock/restore-from": `x=${FIRST}` } } })] },
    ],
  ])("stay while %s needs them, and the next one goes", (_, situation) => {
    expect(disposedBy(situation)).toBe(SECOND);
  });

  it("stay while the Job itself was started from them and has no checkpoint of its own", () => {
    const detail = { checkpoints: { completed: 1, latestPath: "file:///s/x/savepoint-1", enabled: true, retained: true } };
    const cluster = { jobs: [aListedJob({ flinkJobId: anAttempt(6), detail })] };
    const status = { startedFrom: { kind: "Savepoint", uri: FIRST } } as const;
    expect(disposedBy({ status, cluster })).toBe(SECOND);
    expect(disposedBy({ status, entries: SAVEPOINTS })).toBe("tidied");
  });

  it.each<[string, Situation]>([
    ["nobody can list them", { cluster: { restorePoints: cannotTell("no") } }],
    ["the attempt that runs left none of its own", { entries: SAVEPOINTS }],
    ["we did not take them for the Job itself: they belong to Savepoints, or to somebody else", { status: { savepoints: [] } }],
    ["they are those of a drained job", { status: { savepoints: SAVEPOINTS.map((entry) => takenOf(entry, "Drain")) } }],
  ])("stay when %s", (_, situation) => {
    expect(disposedBy(situation)).toBe("tidied");
  });

  it.each<[string, Situation]>([
    ["the directories were not listed yet", { cluster: { restorePoints: {} } }],
    ["the Job does not run", { cluster: { jobs: [] } }],
    [
      "a cluster of the zone cannot be seen, where an old attempt may still live",
      { clusters: [anUnreachableCluster({ name: "other" })] },
    ],
  ])("are not looked at while %s", (_, situation) => {
    expect(disposedBy(situation)).toBeUndefined();
  });
});

describe("checkpoints that dead attempts left", () => {
  const [first, second] = [aCheckpoint(1, 4), aCheckpoint(1, 5)];
  const entries = [first, second, ...SAVEPOINTS.slice(1), OWN];

  it("go all of an attempt, for they may share files, and count once", () => {
    expect(disposedBy({ entries, keep: 5 })).toBe(first.uri);
    expect(disposedBy({ entries: entries.slice(1), keep: 5 })).toBe(second.uri);
    expect(disposedBy({ entries, keep: 6 })).toBe("tidied");
  });

  it("stay all of an attempt when one of them is needed", () => {
    const savepoints = [aDesiredSavepoint({ spec: { type: "External", uri: second.uri, deletionPolicy: "Retain" } })];
    expect(disposedBy({ entries, keep: 5, savepoints })).toBe("tidied");
  });

  it("stay when the attempt lives on another cluster", () => {
    const clusters = [aReachableCluster({ name: "other", jobs: [aListedJob({ flinkJobId: anAttempt(1) })] })];
    expect(disposedBy({ entries, keep: 5, clusters })).toBe("tidied");
  });

  it("are never those of the attempt that runs, however many it keeps", () => {
    const own = [aCheckpoint(6, 1), aCheckpoint(6, 2), aCheckpoint(6, 3), aCheckpoint(6, 4), OWN];
    expect(disposedBy({ entries: own, keep: 1 })).toBe("tidied");
  });
});

const DISPOSAL: SavepointOperation = {
  kind: "dispose",
  triggerId: "9".repeat(32),
  cluster: CLUSTER,
  flinkJobId: anAttempt(1),
  uri: FIRST,
  announcedAt: formatTime(NOW - 1000),
};
const withStep = (step: object): Pick<Situation, "step" | "status"> => ({
  status: { disposal: DISPOSAL },
  step: { [DISPOSAL.triggerId]: { announcedAt: DISPOSAL.announcedAt, ...step } as never },
});
const failed = (kind: "not-done" | "unknown", failures: number, retryAtMs: number) =>
  withStep({ kind, because: "no", failures, retryAtMs });

const underWay = (triggerIds: readonly string[]): Readonly<Record<string, StepSeen>> =>
  Object.fromEntries(triggerIds.map((id) => [id, { kind: "under-way", announcedAt: DISPOSAL.announcedAt }]));

describe("a disposal that was announced", () => {
  it.each<[string, Situation, string]>([
    ["by a daemon that died is called for", { status: { disposal: DISPOSAL } }, "resume"],
    ["is waited for", withStep({ kind: "under-way" }), "await"],
    ["is over when Flink says so", withStep({ kind: "disposed" }), "disposed"],
    ["that failed waits for its turn", failed("not-done", 1, NOW + 1), "wait"],
    ["that failed is tried again when that is due", failed("not-done", 1, NOW), "resume"],
    ["of which nobody knows is asked for again when that is due", failed("unknown", 1, NOW), "resume"],
    ["that keeps failing is given up, and the files stay", failed("not-done", 3, NOW), "abandon"],
    [
      "on a cluster that left the configuration is given up",
      { status: { disposal: { ...DISPOSAL, cluster: { ...CLUSTER, name: "gone" } } } },
      "abandon",
    ],
    [
      "of what somebody needs since is given up",
      {
        status: { disposal: DISPOSAL },
        savepoints: [aDesiredSavepoint({ spec: { type: "External", uri: FIRST, deletionPolicy: "Retain" } })],
      },
      "abandon",
    ],
  ])("%s", (_, situation, kind) => {
    expect(decideAll(situation).map((decision) => decision.kind)).toEqual([kind]);
  });

  it("leaves room for two more, and no more than three are under way at a time", () => {
    const names = ["a", "b", "c", "d", "e"];
    const jobs = names.map((name) =>
      aDesiredJob({
        id: { name },
        record: aStartedRecord({ id: { name }, status: { disposal: { ...DISPOSAL, triggerId: name } } }),
      }),
    );
    expect(decideAll({ others: jobs, step: underWay(["a", "b"]) })[0]?.kind).toBe("announce");
    expect(decideAll({ others: jobs, step: underWay(["a", "b", "c"]) })[0]?.key).not.toBe(KEY);
  });
});

function choose(jobs: readonly DesiredJob[], more: Partial<TidyingInput> = {}): readonly string[] {
  const desired = { jobs, artifacts: [], savepoints: [] };
  return [...chooseTidying({ desired, policy: aPolicy(), lastSeen: [], tidied: new Set(), held: undefined, ...more })];
}

describe("the Jobs that are looked at for it", () => {
  it("are those whose attempt has completed a checkpoint and is not the first, three at a time", () => {
    const names = ["a", "b", "c", "d"];
    const jobs = names.map((name) => {
      const flinkJobId = anAttempt(2, { id: { name } });
      return aDesiredJob({
        id: { name },
        record: aStartedRecord({ id: { name }, status: { attempt: 2, flinkJobId, checkpointed: flinkJobId } }),
      });
    });
    expect(choose(jobs)).toEqual(jobs.slice(0, 3).map(({ key }) => key));
    const tidied = new Set([anAttempt(2, { id: { name: "a" } })]);
    expect(choose(jobs, { tidied })).toEqual(jobs.slice(1).map(({ key }) => key));
  });

  it.each<[string, DesiredJob, Partial<TidyingInput>]>([
    ["its first attempt runs", aTidyJob({ attempt: 1 }), {}],
    ["its attempt has no checkpoint yet", aTidyJob({ checkpointed: anAttempt(5) }), {}],
    ["a step of it is under way", aTidyJob({ operation: aStop("rescale") }), {}],
    ["a disposal of it is under way", aTidyJob({ disposal: DISPOSAL }), {}],
    ["it is suspended", aTidyJob({ suspended: true }), {}],
    ["it is a tombstone", aTidyJob({ deleted: { at: "" } }), {}],
    ["its manifest is gone", aDesiredJob({ manifest: "absent", record: aStartedRecord({ status: RUNNING }) }), {}],
    [
      "it is paused",
      aDesiredJob({ manifest: { annotations: { "penstock/paused": "true" } }, record: aStartedRecord({ status: RUNNING }) }),
      {},
    ],
    ["everything is paused", aTidyJob(), { policy: aPolicy({ paused: true }) }],
    ["the policy disposes of nothing", aTidyJob(), { policy: aPolicy({ restorePoints: { dispose: false, keep: 3 } }) }],
    ["a document cannot be read", aTidyJob(), { held: "a.yaml cannot be read" }],
    ["a cluster of its zone could not be seen", aTidyJob(), { lastSeen: [anUnreachableCluster()] }],
  ])("are none while %s", (_, job, more) => {
    expect(choose([job], more)).toEqual([]);
  });

  it("are none while what any Job or Savepoint needs cannot be read", () => {
    expect(choose([aTidyJob()])).toEqual([KEY]);
    expect(choose([aTidyJob(), aDesiredJob({ id: { name: "z" }, manifest: "broken" })])).toEqual([]);
    expect(choose([aTidyJob(), aDesiredJob({ id: { name: "z" }, recordProblem: "no YAML" })])).toEqual([]);
    const savepoints = [aDesiredSavepoint({ declared: "broken" })];
    expect(choose([aTidyJob()], { desired: { jobs: [aTidyJob()], artifacts: [], savepoints } })).toEqual([]);
  });
});

function statusAfter(status: Partial<JobStatus>, observed: Observed): { readonly pass: PurePass; readonly status: JobStatus } {
  const record = aStartedRecord({ status: { artifact: FROZEN, ...status } });
  const view = aStatusView({ records: new Map([[KEY, record]]) });
  const pass = runPass({ status: view, observed });
  const after = pass.update.records.get(KEY);
  if (after?.kind !== "Job") throw new Error("the Job has no record");
  return { pass, status: after.status };
}

describe("what the status keeps of it", () => {
  const clusters = [aReachableCluster({ jobs: [LIVE], restorePoints: listed(...ENTRIES) })];

  it("announces the disposal, says so, and the Job's own state stays", () => {
    const observed = anObserved({ clusters });
    const before = statusAfter(RUNNING, observed).pass;
    const pass = runPass({ status: before.status, observed, decide: { tidying: new Set([KEY]) } });
    expect(pass.update.announces).toBe(true);
    expect(pass.update.message).toContain("default/orders: an old restore point");
    const after = pass.status.records.get(KEY); // as another daemon reads it
    expect(after?.status).toMatchObject({ disposal: { kind: "dispose", uri: FIRST }, flinkJobState: "Running" });
    expect(after?.status).not.toHaveProperty("operation");
  });

  it("forgets what was disposed of", () => {
    const observed = anObserved({
      clusters,
      steps: { [DISPOSAL.triggerId]: { kind: "disposed", announcedAt: DISPOSAL.announcedAt } },
    });
    const { status } = statusAfter({ ...RUNNING, disposal: DISPOSAL }, observed);
    expect(status.disposal).toBeUndefined();
    expect(status.savepoints?.map(({ uri }) => uri)).toEqual(SAVEPOINTS.slice(1).map(({ uri }) => uri));
  });

  it.each([
    ["suspend", "Suspend"],
    ["delete", "Delete"],
  ] as const)("remembers a savepoint that was taken to %s the Job", (purpose, reason) => {
    const operation = aStop(purpose);
    const steps = { [anAttempt(1)]: { kind: "stopped", announcedAt: operation.announcedAt, uri: SAVEPOINT } } as const;
    const ended = [aReachableCluster({ jobs: [aListedJob({ state: "FINISHED" })] })];
    const { status } = statusAfter({ operation }, anObserved({ clusters: ended, steps }));
    expect(status.savepoints).toEqual([{ uri: SAVEPOINT, takenAt: formatTime(NOW), flinkJobId: anAttempt(1), reason }]);
  });

  it("remembers a Final Savepoint only when it drained the job: that is never gone on from", () => {
    for (const drain of [true, false]) {
      const operation = aStop("final", drain ? { drain } : {});
      const steps = { [anAttempt(1)]: { kind: "stopped", announcedAt: operation.announcedAt, uri: SAVEPOINT } } as const;
      const ended = [aReachableCluster({ jobs: [aListedJob({ state: "FINISHED" })] })];
      const { status } = statusAfter({ operation }, anObserved({ clusters: ended, steps }));
      expect(status.savepoints?.map(({ reason }) => reason)).toEqual(drain ? ["Drain"] : undefined);
    }
  });
});
