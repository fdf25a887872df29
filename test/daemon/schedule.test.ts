import { describe, expect, it } from "vitest";
import { formatTime } from "../../src/common/clock.ts";
import { describeJobs, findTrouble, isAtRest, nextDelayMs } from "../../src/daemon/schedule.ts";
import type { Published } from "../../src/pass/publish.ts";
import { type DonePass, FIRST_MEMORY, type Pass } from "../../src/pass/reconcile.ts";
import type { SubmissionSeen } from "../../src/pass/submissions.ts";
import {
  aListedJob,
  aManifest,
  anArtifactManifest,
  anAttempt,
  anId,
  anObserved,
  anUnreachableCluster,
  aReachableCluster,
  aSavepointManifest,
  NOW,
  type ListedJobOverrides,
} from "../pass/builders.ts";
import { EMPTY_BRANCH, runPass, type PassInput } from "../pass/pass-driver.ts";

const BLIND: Pass = { kind: "blind", because: "the repository was not read yet", memory: FIRST_MEMORY };
const QUIET: Published = { kind: "nothing-to-write" };
const POLL_MS = 5000;
const CHECKPOINTED = { checkpoints: { completed: 1, latestPath: "file:///c/chk-1", enabled: true, retained: true } };

/** The last of some passes, each on what the ones before it wrote. */
function aPass(published: Published, ...inputs: readonly PassInput[]): DonePass {
  let status = EMPTY_BRANCH;
  let pass = runPass(inputs[0]);
  for (const input of inputs.slice(1)) {
    status = pass.status;
    pass = runPass({ status, ...input });
  }
  return { kind: "done", ...pass, published, unmirrored: [], memory: FIRST_MEMORY };
}

function listing(job: ListedJobOverrides = {}): PassInput {
  return { observed: anObserved({ clusters: [aReachableCluster({ jobs: [aListedJob({ detail: CHECKPOINTED, ...job })] })] }) };
}

function submitted(seen: Readonly<Record<string, SubmissionSeen>>): PassInput {
  return { observed: anObserved({ submissions: seen }) };
}

const REFUSED = {
  kind: "refused",
  reason: "BadOption",
  because: "no",
  failures: 1,
  doubtUntilMs: undefined,
  epoch: formatTime(NOW),
  retryAtMs: NOW + 60_000,
} as const;

/** A job that runs and a pass that has nothing to say about it. */
const running = (): DonePass => aPass(QUIET, {}, listing(), listing());

describe("nextDelayMs", () => {
  const delayAfter = (pass: Pass, busy = false) => nextDelayMs(pass, { pollIntervalMs: POLL_MS, busy, now: NOW });

  it.each([
    ["as long as configured while nothing moves", running(), POLL_MS],
    ["two seconds when nothing could be decided", BLIND, 2000],
    ["a moment after a conflict: somebody else wrote", { ...running(), published: { kind: "conflict" } }, 50],
    ["two seconds when the status cannot be written", { ...running(), published: { kind: "failed", because: "no" } }, 2000],
    ["until its news are due", { ...running(), published: { kind: "put-off", untilMs: NOW + 400 } }, 400],
    ["hardly at all when its news are due", { ...running(), published: { kind: "put-off", untilMs: NOW - 5 } }, 1],
    ["a quarter of a second after a start", aPass({ kind: "written" }, {}), 250],
    ["a quarter of a second while an announced start is submitted", aPass(QUIET, {}, {}), 250],
    [
      "a quarter of a second while a submission is under way",
      aPass(QUIET, {}, submitted({ [anAttempt(1)]: { kind: "under-way" } })),
      250,
    ],
    ["as long as configured while a refused start waits", aPass(QUIET, {}, submitted({ [anAttempt(1)]: REFUSED })), POLL_MS],
    [
      "a quarter of a second while tasks are deployed",
      aPass(QUIET, {}, listing({ tasks: { total: 3, running: 1, finished: 0 } })),
      250,
    ],
    ["a quarter of a second while a job restarts", aPass(QUIET, {}, listing(), listing({ state: "RESTARTING" })), 250],
    ["as long as configured once a job is finished", aPass(QUIET, {}, listing(), listing({ state: "FINISHED" })), POLL_MS],
    [
      "a quarter of a second once a job failed: it is brought back",
      aPass(QUIET, {}, listing(), listing({ state: "FAILED" })),
      250,
    ],
    [
      "as long as configured while a job waits for what only others can give",
      aPass(QUIET, { manifests: [aManifest({ spec: { rpus: 99 } }), anArtifactManifest()] }),
      POLL_MS,
    ],
  ] as const)("sleeps %s", (_, pass, delayMs) => {
    expect(delayAfter(pass)).toBe(delayMs);
  });

  it("sleeps a quarter of a second while a call of ours is on its way", () => {
    expect(delayAfter(running(), true)).toBe(250);
  });

  it("sleeps no longer than it would anyway when its news are due later", () => {
    expect(delayAfter({ ...aPass(QUIET, {}), published: { kind: "put-off", untilMs: NOW + 400 } })).toBe(250);
  });
});

const atRest = (pass: Pass, context: Partial<Parameters<typeof isAtRest>[1]> = {}) =>
  isAtRest(pass, { busy: false, blindSinceMs: undefined, now: NOW, ...context });

describe("isAtRest", () => {
  it.each([
    ["everything runs", running(), true],
    ["there is nothing to do", aPass(QUIET, { manifests: [] }, { manifests: [] }), true],
    ["a start is announced", aPass(QUIET, {}), false],
    ["something was just written", { ...running(), published: { kind: "written" } }, false],
    ["news wait to be written", { ...running(), published: { kind: "put-off", untilMs: NOW } }, false],
    ["the status cannot be written", { ...running(), published: { kind: "failed", because: "" } }, false],
    ["a job restarts", aPass(QUIET, {}, listing(), listing({ state: "RESTARTING" })), false],
    ["a start was refused", aPass(QUIET, {}, submitted({ [anAttempt(1)]: REFUSED })), true],
    [
      "an artifact is being fetched",
      aPass(QUIET, { observed: anObserved({ artifacts: { app: { kind: "downloading", bytes: 0, sinceMs: NOW } } }) }),
      false,
    ],
    ["an artifact is about to be fetched", aPass(QUIET, { observed: anObserved({ artifacts: {} }) }), false],
    [
      "an artifact failed and is tried again now and then",
      aPass(QUIET, {
        observed: anObserved({
          artifacts: { app: { kind: "failed", reason: "NotFound", because: "", failures: 1, retryAtMs: NOW } },
        }),
      }),
      true,
    ],
    [
      "a cluster has not answered for a moment",
      aPass(QUIET, {}, { observed: anObserved({ clusters: [anUnreachableCluster({ sinceMs: NOW - 10_000 })] }) }),
      false,
    ],
    [
      "a cluster has not answered for long",
      aPass(QUIET, {}, { observed: anObserved({ clusters: [anUnreachableCluster({ sinceMs: NOW - 10_001 })] }) }),
      true,
    ],
  ] as const)("when %s", (_, pass, expected) => {
    expect(atRest(pass)).toBe(expected);
  });

  it("is not while a call of ours is on its way", () => {
    expect(atRest(running(), { busy: true })).toBe(false);
  });

  it("gives up on what cannot be read only after a while", () => {
    expect(atRest(BLIND)).toBe(false);
    expect(atRest(BLIND, { blindSinceMs: NOW - 10_000 })).toBe(false);
    expect(atRest(BLIND, { blindSinceMs: NOW - 10_001 })).toBe(true);
  });
});

describe("findTrouble", () => {
  it("finds nothing where everything runs, with or without a first checkpoint", () => {
    expect(findTrouble(running())).toEqual([]);
    expect(findTrouble(aPass(QUIET, {}, listing({ detail: {} })))).toEqual([]);
  });

  it("tells why nothing could be decided", () => {
    expect(findTrouble(BLIND)).toEqual(["the repository was not read yet"]);
  });

  it("lists problems, then what is wrong with each resource, then why nothing can be written", () => {
    const problem = { file: "a.yaml", line: 1, column: 2, message: "unknown field" };
    const pass = aPass(
      { kind: "failed", because: "the push was refused" },
      {
        manifests: [aManifest({ spec: { rpus: 9 } }), anArtifactManifest(), aSavepointManifest()],
        snapshot: { problems: [problem] },
      },
    );
    expect(findTrouble(pass)).toEqual([
      "a.yaml:1:2 unknown field",
      "Savepoint default/final: JobNotRunning: waits for Job orders, which has not run yet",
      "Job default/orders: NotEnoughSlots: needs 9 slots, 8 of 8 free in main in zone local for Flink 1.16",
      "the status cannot be written: the push was refused",
    ]);
  });

  it("names a Job that is only being started", () => {
    expect(findTrouble(aPass({ kind: "written" }, {}))).toEqual(["Job default/orders: Pending"]);
  });

  it("names what cannot be seen", () => {
    const away = { observed: anObserved({ clusters: [anUnreachableCluster()] }) };
    expect(findTrouble(aPass(QUIET, {}, listing(), away))).toEqual([
      "Job default/orders: ClusterUnreachable: cluster main cannot be seen since 2026-11-22T11:59:00Z; the last known state stays",
    ]);
  });

  it("names a job that Flink gave up", () => {
    expect(findTrouble(aPass(QUIET, {}, listing(), listing({ state: "FAILED", detail: { rootCause: "boom" } })))).toEqual([
      "Job default/orders: Ended: Flink ended it as FAILED (boom)",
    ]);
  });

  it("is content with a job that finished", () => {
    expect(findTrouble(aPass(QUIET, {}, listing(), listing({ state: "FINISHED" })))).toEqual([]);
  });
});

describe("describeJobs", () => {
  it.each([
    ["0 jobs, 0 healthy", aPass(QUIET, { manifests: [] })],
    ["1 job, 1 healthy", running()],
    ["1 job, 0 healthy", aPass(QUIET, {})],
    [
      "2 jobs, 1 healthy",
      aPass(
        QUIET,
        {},
        { ...listing(), manifests: [aManifest(), aManifest({ id: anId({ name: "other" }) }), anArtifactManifest()] },
      ),
    ],
  ] as const)("says %s", (text, pass) => {
    expect(describeJobs(pass)).toBe(text);
  });
});
