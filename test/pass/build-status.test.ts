import { describe, expect, it } from "vitest";
import { formatTime } from "../../src/common/clock.ts";
import { resourceKey } from "../../src/model/resource.ts";
import { parseSummary, SUMMARY_PATH } from "../../src/model/status-document.ts";
import type { JobRecord, JobStatus } from "../../src/model/status.ts";
import type { StatusView } from "../../src/pass/snapshot.ts";
import {
  aListedJob,
  aManifest,
  anArtifactManifest,
  anAttempt,
  anId,
  anObserved,
  anUnreachableCluster,
  aReachableCluster,
  aReadyArtifact,
  aRefusal,
  aSavepointManifest,
  CLUSTER,
  COMMIT,
  FROZEN,
  NOW,
  type ListedJobOverrides,
} from "./builders.ts";
import { EMPTY_BRANCH, runPass, type PassInput, type PurePass } from "./pass-driver.ts";

const JOB = resourceKey(anId());
const JOB_FILE = "local/default/job/orders.yaml";
const ARTIFACT_FILE = "local/default/artifact/app.yaml";
const NO_ARTIFACT = anObserved({ artifacts: {} });

function listing(job: ListedJobOverrides = {}) {
  return anObserved({ clusters: [aReachableCluster({ jobs: [aListedJob(job)] })] });
}

const checkpointed = (completed: number): ListedJobOverrides => ({
  detail: { checkpoints: { completed, latestPath: `file:///c/chk-${completed}`, enabled: true, retained: true } },
});
const unseen = (because: string) => anObserved({ clusters: [anUnreachableCluster({ because })] });
const withFreeSlots = (free: number) => anObserved({ clusters: [aReachableCluster({ slots: { free } })] });

/** Passes one after another, each on what the ones before it wrote. */
function runPasses(...inputs: readonly PassInput[]): PurePass {
  let pass: PurePass | undefined;
  for (const input of inputs) pass = runPass({ status: pass?.status ?? EMPTY_BRANCH, ...input });
  if (pass === undefined) throw new Error("there is no pass to run");
  return pass;
}

function recordIn(pass: PurePass): JobRecord {
  const record = pass.update.records.get(JOB);
  if (record?.kind !== "Job") throw new Error("the Job has no record");
  return record;
}

function statusIn(pass: PurePass): JobStatus {
  return recordIn(pass).status;
}

function artifactIn(pass: PurePass) {
  return pass.update.records.get(resourceKey(anId({ kind: "Artifact", name: "app" })))?.status;
}

function conditionIn(pass: PurePass, type: string) {
  return statusIn(pass).conditions.find((condition) => condition.type === type);
}

function subjectOf(pass: PurePass): string {
  return pass.update.message.split("\n")[0]!;
}

describe("the first pass", () => {
  it("writes a document for each resource, the summary and the page for people", () => {
    const { update } = runPass({ manifests: [aManifest(), anArtifactManifest(), aSavepointManifest()], observed: NO_ARTIFACT });
    expect([...update.changes.keys()].sort()).toEqual([
      "README.md",
      ARTIFACT_FILE,
      JOB_FILE,
      "local/default/savepoint/final.yaml",
      "summary.yaml",
    ]);
    expect(update.announces).toBe(false);
  });

  it("says what it saw, Jobs first", () => {
    const pass = runPass({ manifests: [aManifest(), anArtifactManifest(), aSavepointManifest()], observed: NO_ARTIFACT });
    expect(pass.update.message).toBe(`default/orders: new → Pending, and 2 more

default/orders: new → Pending
Artifact default/app: new → Downloading
Savepoint default/final: new → Pending

Penstock-Applied-Commit: ${COMMIT}
`);
  });

  it("begins the status of a repository without manifests", () => {
    const pass = runPass({ manifests: [] });
    expect(pass.update.message).toBe(`Begin the status\n\nPenstock-Applied-Commit: ${COMMIT}\n`);
    expect([...pass.update.changes.keys()].sort()).toEqual(["README.md", "summary.yaml"]);
  });

  it("announces a start with everything that a restarted daemon needs for it", () => {
    const pass = runPass();
    expect(pass.update.announces).toBe(true);
    expect(statusIn(pass)).toMatchObject({
      phase: "Pending",
      flinkJobState: "",
      run: 0,
      attempt: 1,
      artifact: FROZEN,
      operation: { kind: "start", attempt: 1, flinkJobId: anAttempt(1), cluster: CLUSTER, rpus: 2 },
    });
    expect(pass.status.records.get(JOB)).toEqual(recordIn(pass));
  });

  it("tells the announcement as what it is when the Job was known before", () => {
    expect(subjectOf(runPasses({ observed: NO_ARTIFACT }, {}))).toBe("default/orders: starting attempt 1 on main, and 1 more");
  });
});

describe("a pass that changes nothing", () => {
  const lives: readonly (readonly [string, readonly PassInput[]])[] = [
    ["while the artifact is fetched", [{ observed: NO_ARTIFACT }]],
    ["while a start is under way", [{}]],
    ["while the job runs", [{}, { observed: listing() }]],
    [
      "while the cluster cannot be seen",
      [{}, { observed: listing() }, { observed: anObserved({ clusters: [anUnreachableCluster()] }) }],
    ],
    ["while the manifest is broken", [{}, { observed: listing() }, { manifests: [anArtifactManifest()], broken: [anId()] }]],
    ["while the manifest is gone", [{}, { observed: listing() }, { manifests: [anArtifactManifest()] }]],
    [
      "of a Job that was changed",
      [{}, { observed: listing() }, { manifests: [aManifest({ spec: { rpus: 7 } }), anArtifactManifest()] }],
    ],
    ["of a Job that waits for slots", [{ manifests: [aManifest({ spec: { rpus: 99 } }), anArtifactManifest()] }]],
    ["with Savepoints", [{ manifests: [aSavepointManifest()] }]],
    [
      "with texts that YAML has a hard time with",
      [{ manifests: [aManifest({ labels: { a: "1.20", b: "no", c: "~" }, annotations: { note: "a: b # c\n- d" } })] }],
    ],
    ["in an empty repository", [{ manifests: [] }]],
  ];

  it.each(lives)("writes nothing %s", (_, inputs) => {
    const last = inputs.at(-1)!;
    const before = runPasses(...inputs);
    const later = { ...last, status: before.status, now: NOW + 3_600_000 };
    // The announced start of a pass before is under way by now, or it would be submitted again.
    const observed = last.observed ?? anObserved();
    const submissions = new Map([[anAttempt(1), { kind: "under-way" } as const]]);
    const settled = runPass({ ...later, observed: { ...observed, submissions } });
    const again = runPass({ ...later, observed: { ...observed, submissions }, status: settled.status });
    expect([...again.update.changes]).toEqual([]);
    expect(again.update.announces).toBe(false);
    expect(again.update.news).toEqual([]);
    if (inputs.length > 1) expect([...settled.update.changes]).toEqual([]);
  });

  it.each(lives)("keeps the very records that it read %s", (_, inputs) => {
    const before = runPasses(...inputs);
    const submissions = new Map([[anAttempt(1), { kind: "under-way" } as const]]);
    const observed = { ...(inputs.at(-1)!.observed ?? anObserved()), submissions };
    const settled = runPass({ ...inputs.at(-1)!, observed, status: before.status });
    const again = runPass({ ...inputs.at(-1)!, observed, status: settled.status });
    for (const [key, record] of settled.status.records) expect(again.update.records.get(key)).toBe(record);
  });

  it("writes nothing for commits that change no manifest", () => {
    const before = runPasses({}, { observed: listing() });
    const later = runPass({ observed: listing(), status: before.status, snapshot: { commit: "c1".repeat(20) } });
    expect(later.update.changes.size).toBe(0);
    expect(later.update.summary.appliedCommit).toBe(COMMIT);
  });

  it("does not notice checkpoints, slots or a patch of the reason why a cluster cannot be reached", () => {
    const before = runPasses({}, { observed: listing(checkpointed(1)) });
    const later = runPass({ observed: listing(checkpointed(2)), status: before.status });
    expect(later.update.changes.size).toBe(0);
    const away = runPass({ observed: unseen("connection refused"), status: before.status });
    expect(runPass({ observed: unseen("no answer within 5s"), status: away.status }).update.changes.size).toBe(0);
  });
});

describe("the applied commit", () => {
  it("moves when something under the configured paths was changed", () => {
    const before = runPasses({}, { observed: listing() });
    const snapshot = { commit: "c1".repeat(20), manifestsDigest: "digest-2" };
    const later = runPass({ observed: listing(), status: before.status, snapshot });
    expect(later.update.summary.appliedCommit).toBe("c1".repeat(20));
    expect([...later.update.changes.keys()].sort()).toEqual(["README.md", "summary.yaml"]);
    expect(later.update.message).toBe(`Apply ${"c1".repeat(6)}\n\nPenstock-Applied-Commit: ${"c1".repeat(20)}\n`);
  });

  it("moves with whatever else is written", () => {
    const before = runPasses({});
    const later = runPass({ observed: listing(), status: before.status, snapshot: { commit: "c1".repeat(20) } });
    expect(later.update.summary.appliedCommit).toBe("c1".repeat(20));
    expect(later.update.message).toContain(`Penstock-Applied-Commit: ${"c1".repeat(20)}`);
  });

  it("stays small enough to be read again, whatever is wrong and whoever else is there", () => {
    const problems = Array.from({ length: 10_000 }, (_, index) => ({
      file: "a.yaml",
      line: index,
      column: 1,
      message: "x".repeat(600),
    }));
    const jobs = Array.from({ length: 2000 }, (_, index) =>
      aListedJob({ flinkJobId: `ff${String(index).padStart(30, "0")}`, name: "y".repeat(600) }),
    );
    const observed = anObserved({ clusters: [aReachableCluster({ jobs })] });
    const { update } = runPass({ snapshot: { problems }, observed });
    expect(update.summary.problems).toHaveLength(501);
    expect(update.summary.problems[500]).toBe("… and 9500 more");
    expect(update.summary.unmanaged.at(-1)).toBe("… and 1500 more");
    expect(parseSummary(update.changes.get(SUMMARY_PATH)!)).toEqual(update.summary);
  });

  it("comes with the problems of the commit, and with files of the branch that cannot be read", () => {
    const problem = { file: "a.yaml", line: 1, column: 2, message: "spec.rpus must be a number" };
    const unreadable = { file: JOB_FILE, line: 3, column: 4, message: "status.phase is unknown" };
    const status: StatusView = { ...EMPTY_BRANCH, unreadable: new Map([[JOB, unreadable]]) };
    const { update } = runPass({ snapshot: { problems: [problem] }, status });
    expect(update.summary.problems).toEqual(["a.yaml:1:2 spec.rpus must be a number", `${JOB_FILE}:3:4 status.phase is unknown`]);
  });
});

describe("a file of the branch that cannot be understood", () => {
  it("is left as it is, whatever is declared", () => {
    const before = runPasses({}, { observed: listing() });
    const files = new Map([...before.status.files, [JOB_FILE, "not: [yaml"]]);
    const records = new Map([...before.status.records].filter(([key]) => key !== JOB));
    const problem = { file: JOB_FILE, line: 1, column: 1, message: "is no YAML" };
    const status = { ...before.status, files, records, unreadable: new Map([[JOB, problem]]) };
    for (const manifests of [undefined, [anArtifactManifest()]]) {
      const pass = runPass({ ...(manifests === undefined ? {} : { manifests }), observed: listing(), status });
      expect(pass.update.changes.has(JOB_FILE)).toBe(false);
      expect(pass.update.announces).toBe(false);
    }
  });
});

describe("a Job from Pending to Ready", () => {
  it("is told in its history, oldest first, each step with its reason", () => {
    const pass = runPasses(
      { observed: NO_ARTIFACT },
      {},
      { observed: listing({ state: "CREATED", tasks: { total: 0, running: 0, finished: 0 } }), now: NOW + 1000 },
      { observed: listing(), now: NOW + 2000 },
    );
    expect(statusIn(pass).history).toEqual([
      { when: "2026-11-22T12:00:00Z", from: "", to: "Pending", because: "waits for Artifact app" },
      { when: "2026-11-22T12:00:01Z", from: "Pending", to: "Ready, Created", because: "Flink has it" },
      {
        when: "2026-11-22T12:00:02Z",
        from: "Ready, Created",
        to: "Ready, Running",
        because: "Flink shows RUNNING, all tasks running",
      },
    ]);
    expect(subjectOf(pass)).toBe("default/orders: Ready, Created → Ready, Running");
  });

  it("drops the announcement in the commit that knows how it ended", () => {
    const status = statusIn(runPasses({}, { observed: listing() }));
    expect(status).toMatchObject({
      phase: "Ready",
      flinkJobState: "Running",
      run: 1,
      attempt: 1,
      flinkJobId: anAttempt(1),
      cluster: CLUSTER,
      flinkVersion: "1.16.3",
      requestedRpus: 2,
      parallelism: 2,
    });
    expect(status.operation).toBeUndefined();
  });

  it("notes the JobManager that took it, where that is another than the announced one", () => {
    const clusters = [aReachableCluster({ incarnation: "second", jobs: [aListedJob()] })];
    expect(statusIn(runPasses({}, { observed: anObserved({ clusters }) })).cluster?.incarnation).toBe("second");
  });

  it.each(["SUSPENDED", "RECONCILING", "CANCELLING"])("is shown in the first state when Flink first shows %s", (state) => {
    expect(statusIn(runPasses({}, { observed: listing({ state }) }))).toMatchObject({
      phase: "Ready",
      flinkJobState: "Initializing",
    });
  });

  it("keeps the last twenty transitions", () => {
    const states = Array.from({ length: 30 }, (_, index) => listing({ state: index % 2 === 0 ? "RESTARTING" : "RUNNING" }));
    const pass = runPasses({}, { observed: listing() }, ...states.map((observed) => ({ observed })));
    expect(statusIn(pass).history).toHaveLength(20);
    expect(statusIn(pass).history.at(-1)).toMatchObject({ from: "Ready, Restarting", to: "Ready, Running" });
  });

  it("stays Ready in its last known state while its cluster cannot be seen, and says since when", () => {
    const pass = runPasses(
      {},
      { observed: listing() },
      { observed: anObserved({ clusters: [anUnreachableCluster()] }), now: NOW + 5000 },
    );
    expect(statusIn(pass)).toMatchObject({ phase: "Ready", flinkJobState: "Running", parallelism: 2 });
    expect(conditionIn(pass, "Healthy")).toEqual({
      type: "Healthy",
      status: "Unknown",
      reason: "ClusterUnreachable",
      message: "cluster main cannot be seen since 2026-11-22T11:59:00Z; the last known state stays",
      since: "2026-11-22T12:00:05Z",
    });
    expect(subjectOf(pass)).toBe("default/orders: Healthy Unknown (ClusterUnreachable)");
  });
});

describe("the accepted spec", () => {
  it("follows the manifest as long as nothing was announced", () => {
    const manifests = [aManifest({ spec: { flinkVersion: "1.20" }, source: { line: 9 } }), anArtifactManifest()];
    const pass = runPasses(
      { observed: NO_ARTIFACT },
      { manifests, observed: NO_ARTIFACT, snapshot: { commit: "c1".repeat(20) } },
    );
    expect(recordIn(pass).spec.flinkVersion).toBe("1.20");
    expect(statusIn(pass).source).toMatchObject({ line: 9, commit: "c1".repeat(20) });
  });

  it("stays what it was from the announcement on; labels and annotations follow", () => {
    const manifests = [
      aManifest({ spec: { flinkVersion: "1.20" }, labels: { team: "a" }, source: { line: 9 } }),
      anArtifactManifest(),
    ];
    const pass = runPasses({}, { manifests, observed: listing(), snapshot: { commit: "c1".repeat(20) } });
    expect(recordIn(pass)).toMatchObject({ spec: { flinkVersion: "1.16" }, labels: { team: "a" } });
    expect(statusIn(pass).source).toMatchObject({ line: 1, commit: COMMIT });
    expect(conditionIn(pass, "Accepted")).toMatchObject({ status: "False", reason: "SpecChanged" });
  });

  it("is the declared one again when the next attempt is announced, so that a restarted daemon submits the same", () => {
    const refused = aRefusal({ reason: "BadOption", epoch: formatTime(NOW), retryAtMs: Number.POSITIVE_INFINITY });
    const changed = { jarOptions: { entryClass: "com.example.Other" }, rpus: 3 };
    const manifests = [aManifest({ spec: changed, source: { line: 9 } }), anArtifactManifest()];
    const announced = runPasses({}, { manifests, observed: anObserved({ submissions: { [anAttempt(1)]: refused } }) });
    expect(recordIn(announced).spec).toEqual(aManifest({ spec: changed }).spec);
    expect(statusIn(announced)).toMatchObject({
      attempt: 2,
      source: { line: 9 },
      operation: { attempt: 2, flinkJobId: anAttempt(2, { spec: changed }), rpus: 3 },
    });
    expect(conditionIn(announced, "Accepted")).toMatchObject({ status: "True" });
    const afterwards = runPass({ manifests, status: announced.status });
    expect(afterwards.decisions.jobs[0]).toMatchObject({
      kind: "resume",
      work: { kind: "start", submission: { entryClass: "com.example.Other", parallelism: 3 } },
    });
  });
});

describe("a condition", () => {
  it("keeps its time while only its message changes", () => {
    const pass = runPasses({ observed: withFreeSlots(0) }, { observed: withFreeSlots(1), now: NOW + 60_000 });
    expect(conditionIn(pass, "Placed")).toEqual({
      type: "Placed",
      status: "False",
      reason: "NotEnoughSlots",
      message: "needs 2 slots, 1 of 8 free in main in zone local for Flink 1.16",
      since: "2026-11-22T12:00:00Z",
    });
  });

  it.each([
    ["stands while the start is tried again", "BadOption", "BadOption"],
    ["does not stand when its reason is none that is ever written", "Nonsense", undefined],
  ])("%s", (_, reason, expected) => {
    const announced = runPasses({});
    const record = recordIn(announced);
    const started = { type: "Started", status: "False", reason, message: "no", since: "2026-11-22T11:00:00Z" } as const;
    const told = { ...record, status: { ...record.status, conditions: [started] } };
    const pass = runPass({ status: { ...announced.status, records: new Map([...announced.status.records, [JOB, told]]) } });
    expect(pass.decisions.jobs[0]?.kind).toBe("resume");
    expect(conditionIn(pass, "Started")?.reason).toBe(expected);
  });

  it("goes when nothing is said about it any more", () => {
    expect(conditionIn(runPasses({ observed: withFreeSlots(0) }, {}), "Placed")).toBeUndefined();
  });
});

describe("an Artifact", () => {
  const downloading = anObserved({ artifacts: { app: { kind: "downloading", bytes: 1, sinceMs: NOW } } });
  const failed = anObserved({
    artifacts: { app: { kind: "failed", reason: "NotFound", because: "it is nowhere", failures: 1, retryAtMs: NOW + 5000 } },
  });
  it("goes from Downloading to Ready and notes the bytes for good", () => {
    const ready = runPasses({ manifests: [anArtifactManifest()], observed: downloading }, { manifests: [anArtifactManifest()] });
    expect(artifactIn(ready)).toMatchObject({
      phase: "Ready",
      sha256: FROZEN.sha256,
      size: 1000,
      bytes: { commit: COMMIT, blob: "a0".repeat(20) },
      history: [
        { from: "", to: "Downloading", because: "it is being fetched from jars/app.jar" },
        { from: "Downloading", to: "Ready", because: "its bytes are there and verified" },
      ],
    });
    expect(subjectOf(ready)).toBe("Artifact default/app: Downloading → Ready");
  });

  it("goes back to Pending with the failure, and stays there without a commit for each retry", () => {
    const manifests = [anArtifactManifest()];
    const pending = runPasses({ manifests, observed: downloading }, { manifests, observed: failed });
    expect(artifactIn(pending)).toMatchObject({
      phase: "Pending",
      conditions: [{ type: "Accepted" }, { type: "Available", status: "False", reason: "NotFound", message: "it is nowhere" }],
    });
    const retry = runPass({ manifests, observed: failed, status: pending.status, now: NOW + 6000 });
    expect(retry.decisions.artifacts[0]?.kind).toBe("fetch");
    expect(retry.update.changes.size).toBe(0);
    const lastFailure = { reason: "NotFound", because: "it is nowhere", failures: 1 } as const;
    const artifacts = { app: { kind: "downloading", bytes: 1, sinceMs: NOW, lastFailure } } as const;
    expect(runPass({ manifests, observed: anObserved({ artifacts }), status: pending.status }).update.changes.size).toBe(0);
  });

  it("keeps its recorded bytes when the store shows others", () => {
    const manifests = [anArtifactManifest()];
    const other = anObserved({ artifacts: { app: aReadyArtifact({ sha256: "0".repeat(64) }) } });
    expect(artifactIn(runPasses({ manifests }, { manifests, observed: other }))).toMatchObject({ sha256: FROZEN.sha256 });
  });

  it("disappears from the branch when it is forgotten", () => {
    const pass = runPasses({ manifests: [anArtifactManifest()] }, { manifests: [] });
    expect(pass.update.changes.get(ARTIFACT_FILE)).toBeUndefined();
    expect(pass.update.changes.has(ARTIFACT_FILE)).toBe(true);
    expect(subjectOf(pass)).toBe("Artifact default/app: forgotten");
    expect(pass.status.records.size).toBe(0);
  });
});

describe("a branch that was deleted or set back", () => {
  it("is written again in full from what is remembered", () => {
    const before = runPasses({}, { observed: listing() });
    const status: StatusView = { ...before.status, head: undefined, files: new Map(), rewrite: true };
    const { update } = runPass({ observed: listing(), status });
    expect(update.changes).toEqual(before.status.files);
    expect(update.announces).toBe(false);
    expect(update.news).toEqual([]);
  });

  it("is not written where it still says the same", () => {
    const before = runPasses({}, { observed: listing() });
    const files = new Map([[JOB_FILE, before.status.files.get(JOB_FILE)!]]);
    const { update } = runPass({ observed: listing(), status: { ...before.status, files, rewrite: true } });
    expect([...update.changes.keys()].sort()).toEqual(["README.md", ARTIFACT_FILE, "summary.yaml"]);
  });

  it("is written again with what this pass announces", () => {
    const before = runPasses({ observed: NO_ARTIFACT });
    const { update } = runPass({ status: { ...before.status, head: undefined, files: new Map(), rewrite: true } });
    expect(update.announces).toBe(true);
    expect(update.changes.get(JOB_FILE)).toContain(anAttempt(1));
  });
});

describe("an adopted job", () => {
  it("is Ready at once and says where it came from", () => {
    const pass = runPass({ observed: listing({ flinkJobId: anAttempt(3) }) });
    expect(statusIn(pass)).toMatchObject({
      phase: "Ready",
      flinkJobState: "Running",
      run: 1,
      attempt: 3,
      flinkJobId: anAttempt(3),
      history: [{ from: "", to: "Ready, Running", because: `it already runs on main as ${anAttempt(3)}` }],
    });
    expect(pass.update.announces).toBe(false);
    expect(subjectOf(pass)).toBe("default/orders: new → Ready, Running, and 1 more");
  });
});
