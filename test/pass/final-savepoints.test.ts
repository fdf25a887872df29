import { describe, expect, it } from "vitest";
import type { SavepointManifest } from "../../src/model/manifest.ts";
import type { JobStatus } from "../../src/model/status.ts";
import type { Desired, DesiredJob } from "../../src/pass/desired.ts";
import { findFinalRequests, initialStateOf, whyNotBack, type FinalsInput } from "../../src/pass/final-savepoints.ts";
import {
  aDesiredArtifact,
  aDesiredJob,
  aDesiredSavepoint,
  anAttempt,
  anObserved,
  aStartedRecord,
  FINAL,
  SAVEPOINT,
  type DesiredJobOverrides,
} from "./builders.ts";

const old = aDesiredJob({ record: aStartedRecord() });
const from = (savepoint: string, rpus = 2) => ({ rpus, initialState: { savepoint, allowNonRestoredState: false } });

function waiter(savepoint = "final", rpus = 2, more: Partial<DesiredJobOverrides> = {}): DesiredJob {
  return aDesiredJob({ id: { name: "orders-v2" }, manifest: { spec: from(savepoint, rpus) }, ...more });
}

/** What is asked of `orders`, with these Jobs beside it and so many free slots. */
function ask(
  jobs: readonly DesiredJob[],
  more: Partial<Desired> = {},
  free = 8,
  unreadable?: string,
  quota: FinalsInput["quotaOf"] = () => undefined,
) {
  const desired: Desired = { jobs: [old, ...jobs], artifacts: [aDesiredArtifact()], savepoints: [aDesiredSavepoint()], ...more };
  const observed = anObserved();
  const view = { desired: new Map(desired.artifacts.map((artifact) => [artifact.key, artifact])), seen: observed.artifacts };
  return findFinalRequests({ desired, observed, view, slots: new Map([["local/main", free]]), quotaOf: quota, unreadable }).get(
    old.key,
  );
}

/** 6 rpus, of which `orders` and another Job have 2 and 1. */
const quotaOf: FinalsInput["quotaOf"] = (_, instead) => {
  let usedRpus = 1 + (instead.has(old.key) ? 0 : 2);
  for (const rpus of instead.values()) usedRpus += rpus;
  return { maxRpus: 6, usedRpus };
};

describe("what a Final Savepoint asks of its Job", () => {
  it("is to stop when nobody waits for it, or all who do could start", () => {
    expect(ask([])).toEqual({ name: "final", drain: false, held: undefined });
    expect(ask([waiter()])).toMatchObject({ held: undefined });
    const spec: SavepointManifest["spec"] = { ...FINAL, type: "Final", job: "orders", shutdownMethod: "Drain" };
    expect(ask([], { savepoints: [aDesiredSavepoint({ spec })] })).toMatchObject({ drain: true });
  });

  it("counts the slots that its own Job gives back", () => {
    expect(ask([waiter("final", 5)], {}, 3)?.held).toBeUndefined();
    expect(ask([waiter("final", 6)], {}, 3)?.held).toContain("Job orders-v2 could not start from it: needs 6 slots");
  });

  it.each([
    ["a document cannot be read", [], {}, "a.yaml:1:1 no", "a.yaml:1:1 no"],
    [
      "a document beside it is broken",
      [aDesiredJob({ id: { name: "typo" }, manifest: "broken" })],
      {},
      undefined,
      "the manifest of Job typo has problems, and it may be one that this is about",
    ],
    [
      "a Job names a Savepoint that is not declared",
      [waiter("fnial")],
      {},
      undefined,
      "Job orders-v2 names a Savepoint that is not declared, and it may mean this one",
    ],
    ["who waits for it has no rpus", [waiter("final", 0)], {}, undefined, "Job orders-v2 waits for it and has 0 rpus"],
    [
      "who waits for it is paused",
      [
        aDesiredJob({
          id: { name: "orders-v2" },
          manifest: { spec: from("final"), annotations: { "penstock/paused": "true" } },
        }),
      ],
      {},
      undefined,
      "Job orders-v2 waits for it and is paused",
    ],
    [
      "who waits for it has no Artifact",
      [waiter()],
      { artifacts: [] },
      undefined,
      "Job orders-v2 could not start from it: waits for Artifact app: no such Artifact is declared in this zone and project",
    ],
  ] as const)("is held when %s", (_, jobs, more, unreadable, held) => {
    expect(ask(jobs, more, 8, unreadable)?.held).toBe(held);
  });

  it("is held when those who wait for it have no quota, which its own Job's rpus count for", () => {
    const v3 = aDesiredJob({ id: { name: "orders-v3" }, manifest: { spec: from("final", 2) } });
    expect(ask([waiter("final", 3), v3], {}, 8, undefined, quotaOf)?.held).toBeUndefined();
    expect(ask([waiter("final", 4), v3], {}, 8, undefined, quotaOf)?.held).toBe(
      "Job orders-v3 could not start from it: project default may have 6 rpus in zone local: 5 are taken, and it asks for 2",
    );
  });

  it("is to stop again when its Job has run on since it was Ready", () => {
    const status = { phase: "Ready", uri: SAVEPOINT, flinkJobId: anAttempt(1) } as const;
    const again = aDesiredJob({ record: aStartedRecord({ status: { attempt: 2, flinkJobId: anAttempt(2) } }) });
    const more = { jobs: [again], savepoints: [aDesiredSavepoint({ status })] };
    expect(ask([], more)).toMatchObject({ name: "final", held: undefined });
  });

  it("counts a Job as one that waits for it when only its former life has run", () => {
    for (const status of [{ phase: "Deleting" }, { phase: "Deleting", deleted: { at: "2026-11-22T11:00:00Z" } }] as const) {
      const id = { name: "orders-v2" };
      const reborn = waiter("final", 50, { record: aStartedRecord({ id, status }) });
      expect(ask([reborn])?.held).toContain("Job orders-v2 could not start from it: needs 50 slots");
    }
  });

  it("is not held by a Job that runs, whatever became of the Savepoint that it started from", () => {
    const id = { name: "orders-v2" };
    expect(ask([waiter("long-gone", 2, { record: aStartedRecord({ id, spec: from("long-gone") }) })])?.held).toBeUndefined();
  });

  it("is nothing once it is Ready, gone or broken", () => {
    expect(ask([], { savepoints: [aDesiredSavepoint({ status: { uri: SAVEPOINT } })] })).toBeUndefined();
    for (const declared of ["absent", "broken"] as const)
      expect(ask([], { savepoints: [aDesiredSavepoint({ declared })] })).toBeUndefined();
  });
});

const stateWith = (...savepoints: Desired["savepoints"]) => initialStateOf(waiter(), { jobs: [], artifacts: [], savepoints });

describe("the state that a new Job starts from", () => {
  it("is the Savepoint's, once that is Ready", () => {
    expect(stateWith(aDesiredSavepoint({ status: { phase: "Ready", uri: SAVEPOINT } }))).toMatchObject({
      kind: "ready",
      uri: SAVEPOINT,
    });
  });

  it.each([
    ["is not Ready", [aDesiredSavepoint()], "waits", "waits for Savepoint final"],
    ["is not declared", [], "undeclared", "waits for Savepoint final: no such Savepoint is declared in this zone and project"],
  ])("is waited for while it %s", (_, savepoints, kind, because) => {
    expect(stateWith(...savepoints)).toEqual({ kind, because });
  });

  it("is waited for when the Savepoint is from before its Job ran on", () => {
    const status = { phase: "Ready", uri: SAVEPOINT, flinkJobId: anAttempt(1) } as const;
    const job = aDesiredJob({ record: aStartedRecord({ status: { attempt: 2, flinkJobId: anAttempt(2) } }) });
    const state = initialStateOf(waiter(), { jobs: [job], artifacts: [], savepoints: [aDesiredSavepoint({ status })] });
    expect(state).toEqual({
      kind: "waits",
      because: "waits for Savepoint final, which is taken anew, since its Job has run on",
    });
  });

  it("says from when it is", () => {
    const history = [{ when: "2026-11-22T11:00:00Z", from: "InProgress", to: "Ready", because: "" }];
    const status = { phase: "Ready", uri: SAVEPOINT, takenAt: "2026-11-22T10:59:00Z", history } as const;
    expect(stateWith(aDesiredSavepoint({ status }))).toEqual({
      kind: "ready",
      uri: SAVEPOINT,
      takenAt: "2026-11-22T10:59:00Z",
      readyAt: "2026-11-22T11:00:00Z",
    });
  });

  it("is none where the Job names none", () => {
    expect(initialStateOf(old, { jobs: [], artifacts: [], savepoints: [] })).toEqual({ kind: "none" });
  });
});

describe("the return of a Job that a Final Savepoint stopped", () => {
  const finalized = { savepoint: "final", uri: SAVEPOINT, drained: false };
  const spec = from("final");
  const follower = (status: Partial<JobStatus>) =>
    aDesiredJob({
      id: { name: "orders-v2" },
      manifest: "absent",
      record: aStartedRecord({ id: { name: "orders-v2" }, spec, status }),
    });
  const why = (more: Partial<Desired>, drained = false) =>
    whyNotBack(old, { ...finalized, drained }, { jobs: [old], artifacts: [], savepoints: [], ...more });

  it("is free when its upgrade was reverted as a whole", () => {
    expect(why({})).toBeUndefined();
    expect(why({ jobs: [old, follower({ deleted: { at: "" } })] })).toBeUndefined();
    expect(why({ savepoints: [aDesiredSavepoint({ declared: "absent", status: { uri: SAVEPOINT } })] })).toBeUndefined();
  });

  it.each([
    ["its Savepoint is declared", { savepoints: [aDesiredSavepoint()] }],
    ["its Savepoint's document is broken", { savepoints: [aDesiredSavepoint({ declared: "broken" })] }],
    ["a declared Job names that Savepoint", { jobs: [old, waiter()] }],
    ["a Job that started from it is not down yet", { jobs: [old, follower({})] }],
    ["a Job that started from it is being deleted", { jobs: [old, follower({ phase: "Deleting" })] }],
  ] as const)("waits while %s", (_, more) => {
    expect(why(more)).toBeDefined();
  });

  it("waits while another Final Savepoint is declared for it, or a Job went on from the same state under another name", () => {
    const spec2: SavepointManifest["spec"] = { ...FINAL, type: "Final", job: "orders", shutdownMethod: "Graceful" };
    expect(why({ savepoints: [aDesiredSavepoint({ name: "final-2", spec: spec2 })] })).toBe(
      "the Final Savepoint final-2 stopped it",
    );
    const other = aDesiredJob({
      id: { name: "orders-v2" },
      manifest: "absent",
      record: aStartedRecord({ id: { name: "orders-v2" }, status: { initialState: SAVEPOINT } }),
    });
    expect(why({ jobs: [old, other] })).toContain("went on from its Final Savepoint");
  });

  it("never comes after a drain: what that left is not for resuming", () => {
    expect(why({}, true)).toContain("drained it");
  });
});
