import { describe, expect, it } from "vitest";
import { compileSchema } from "../../src/common/schema-problems.ts";
import { isHealthy } from "../../src/flink/cluster-seen.ts";
import { resourceKey } from "../../src/model/resource.ts";
import type { ResourceRecord } from "../../src/model/status.ts";
import { buildPlan, type RestorePointAges } from "../../src/preview/build-plan.ts";
import { changesOf, type Plan } from "../../src/preview/plan.ts";
import { PLAN_SCHEMA } from "../../src/preview/plan-schema.ts";
import {
  aDesiredJob,
  aListedJob,
  aManifest,
  anArtifactManifest,
  anArtifactRecord,
  anAttempt,
  anId,
  anObserved,
  anUnreachableCluster,
  aReachableCluster,
  aRecord,
  aSavepointManifest,
  aSavepointRecord,
  aStartedRecord,
  aStatusView,
  aStop,
  COMMIT,
  INSTANCE,
  NOW,
  SAVEPOINT,
  ZONE,
} from "../pass/builders.ts";
import { runPass, type PassInput } from "../pass/pass-driver.ts";

const RUNNING = aListedJob({
  detail: { checkpoints: { completed: 3, latestPath: "file:///flink/checkpoints/x/chk-3", enabled: true, retained: true } },
});

/** `orders` runs with 2 rpus on `main`, where 6 of 8 slots are free. */
const LIVE = anObserved({ clusters: [aReachableCluster({ jobs: [RUNNING], slots: { free: 6 } })] });

function recorded(...records: readonly ResourceRecord[]): Pick<PassInput, "status"> {
  const all = [...records, anArtifactRecord()];
  return { status: aStatusView({ records: new Map(all.map((record) => [resourceKey(record.id), record])) }) };
}

interface PlanInput extends PassInput {
  readonly ages?: RestorePointAges;
  readonly zones?: Parameters<typeof buildPlan>[0]["config"]["zones"];
  readonly notAtHand?: Parameters<typeof buildPlan>[0]["notAtHand"];
}

function plan({ ages = new Map(), zones = new Map(), notAtHand = new Set(), ...input }: PlanInput): Plan {
  const decided = { ...runPass(input), kind: "decided" as const };
  const subject = { kind: "branch" as const, name: "main", commit: COMMIT };
  return buildPlan({ config: { instance: INSTANCE, zones }, subject, decided, notAtHand, ages, notices: [] });
}

function job(planned: Plan, name = "orders") {
  return planned.steps.find((step) => step.kind === "Job" && step.name === name);
}

function ordersWith(rpus: number) {
  return { manifests: [aManifest({ spec: { rpus } }), anArtifactManifest()] };
}

describe("buildPlan says of a Job", () => {
  const suspended = aStartedRecord({
    status: {
      suspended: true,
      requestedRpus: 0,
      flinkJobState: "Finished",
      lastSavepoint: { uri: SAVEPOINT, takenAt: "2026-11-22T11:00:00Z", flinkJobId: anAttempt(1), reason: "Suspend" },
    },
  });
  const failed = anObserved({
    clusters: [
      aReachableCluster({
        jobs: [aListedJob({ state: "FAILED", tasks: { total: 3, running: 0, finished: 0 } })],
        restorePoints: {
          [anAttempt(1).slice(0, 18)]: {
            kind: "listed",
            entries: [{ kind: "Checkpoint", flinkJobId: anAttempt(1), number: 3, uri: "file:///c/chk-3", writtenAtMs: NOW }],
          },
        },
      }),
    ],
  });
  const inPlace = anObserved({
    clusters: [aReachableCluster({ jobs: [RUNNING], flinkVersion: "1.16.3", inPlaceRescale: true, slots: { free: 6 } })],
  });
  const twoClusters = anObserved({
    clusters: [aReachableCluster({ jobs: [RUNNING], draining: true }), aReachableCluster({ name: "other" })],
  });

  it.each<readonly [string, PlanInput, string, string]>([
    ["that is new: create", {}, "create", "now"],
    ["that is new and finds no slots: it waits", ordersWith(100), "create", "waits"],
    ["that runs as declared: leave", { ...recorded(aStartedRecord()), observed: LIVE }, "leave", "none"],
    [
      "with other rpus: rescale by savepoint",
      { ...recorded(aStartedRecord()), ...ordersWith(4), observed: LIVE },
      "rescale-by-savepoint",
      "now",
    ],
    [
      "with other rpus on an adaptive cluster: rescale in place",
      { ...recorded(aStartedRecord()), ...ordersWith(4), observed: inPlace },
      "rescale-in-place",
      "now",
    ],
    [
      "with more rpus than there are slots: the rescale waits",
      { ...recorded(aStartedRecord()), ...ordersWith(40), observed: LIVE },
      "rescale-by-savepoint",
      "waits",
    ],
    ["with rpus 0: suspend", { ...recorded(aStartedRecord()), ...ordersWith(0), observed: LIVE }, "suspend", "now"],
    [
      "that is suspended and raised: resume",
      { ...recorded(suspended), ...ordersWith(2), observed: anObserved() },
      "resume",
      "now",
    ],
    [
      "that was changed in what is immutable: refuse",
      {
        ...recorded(aStartedRecord()),
        manifests: [aManifest({ spec: { jarOptions: { mainArgs: ["x"] } } }), anArtifactManifest()],
        observed: LIVE,
      },
      "refuse",
      "held",
    ],
    [
      "that failed: restart",
      { ...recorded(aStartedRecord({ status: { checkpointed: anAttempt(1) } })), observed: failed, lastSeen: failed.clusters },
      "restart",
      "now",
    ],
    [
      "that is gone from Git: delete",
      { ...recorded(aStartedRecord()), manifests: [anArtifactManifest()], observed: LIVE },
      "delete",
      "now",
    ],
    [
      "that is gone with all others: the deletion is held",
      { ...recorded(aStartedRecord()), manifests: [], observed: LIVE },
      "delete",
      "held",
    ],
    ["whose cluster drains: migrate", { ...recorded(aStartedRecord()), observed: twoClusters }, "migrate", "now"],
    [
      "whose cluster cannot be seen: leave",
      { ...recorded(aStartedRecord()), observed: anObserved({ clusters: [anUnreachableCluster()] }) },
      "leave",
      "none",
    ],
    [
      "whose cluster cannot be seen, with other rpus: it waits",
      { ...recorded(aStartedRecord()), ...ordersWith(4), observed: anObserved({ clusters: [anUnreachableCluster()] }) },
      "rescale-by-savepoint",
      "waits",
    ],
    [
      "that is being rescaled: it is under way",
      { ...recorded(aStartedRecord({ status: { attempt: 2, operation: aStop("rescale") } })), ...ordersWith(4), observed: LIVE },
      "rescale-by-savepoint",
      "under-way",
    ],
    [
      "that is paused: leave, held",
      {
        ...recorded(aStartedRecord()),
        manifests: [aManifest({ spec: { rpus: 4 }, annotations: { "penstock/paused": "true" } }), anArtifactManifest()],
        observed: LIVE,
      },
      "leave",
      "held",
    ],
    [
      "whose project may not run here: create, held",
      {
        decide: {
          config: {
            instance: INSTANCE,
            zones: new Map([[ZONE, { name: ZONE, clusters: [], projects: new Map() }]]),
            policy: {
              paused: false,
              runtimeUpdates: "automatic",
              onDelete: "savepoint",
              deleteTimeoutMs: 1,
              deletions: { max: 5 },
              restorePoints: { dispose: true, keep: 3 },
            },
            artifacts: { maxBytes: 1 },
            repository: { maxBlobBytes: 1 },
          },
        },
      },
      "create",
      "held",
    ],
  ])("%s", (_, input, action, verdict) => {
    expect(job(plan(input))).toMatchObject({ action, verdict });
  });

  it("nothing, once it is a tombstone that rests", () => {
    const buried = aStartedRecord({
      status: { phase: "Deleting", flinkJobState: "Cancelled", deleted: { at: "2026-11-20T00:00:00Z" } },
    });
    expect(job(plan({ ...recorded(buried), manifests: [anArtifactManifest()] }))).toBeUndefined();
  });

  it("of an upgrade, that the old one is stopped and the new one starts from its savepoint, in one plan", () => {
    const planned = plan({
      ...recorded(aStartedRecord()),
      manifests: [
        aManifest(),
        aManifest({
          id: { name: "orders-2" },
          spec: { rpus: 7, initialState: { savepoint: "final", allowNonRestoredState: false } },
        }),
        anArtifactManifest(),
        aSavepointManifest(),
      ],
      observed: LIVE,
    });
    expect(job(planned)).toMatchObject({ action: "stop", verdict: "now", slots: { needed: -2, freeNow: 6, freeAfter: 8 } });
    expect(job(planned, "orders-2")).toMatchObject({
      action: "upgrade",
      verdict: "now",
      because: "it starts from the Final Savepoint of orders as soon as that is taken",
      slots: { cluster: "main", needed: 7, freeNow: 8, freeAfter: 1 },
    });
    expect(planned.steps.find(({ kind }) => kind === "Savepoint")).toMatchObject({ action: "create", verdict: "now" });
    expect(planned.clusters).toEqual([
      { zone: ZONE, name: "main", flinkVersion: "1.16.3", slots: { total: 8, freeNow: 6, freeAfter: 1 } },
    ]);
    expect(planned.summary).toBe("3 changes (1 stop, 1 upgrade and 1 create); 1 stays as it is");
  });

  it("what it needs, what becomes of its state, how long it is down by its own past, and how old its restore point is", () => {
    const history = [
      { when: "2026-11-20T10:00:00Z", from: "Ready, Running", to: "Ready, Rescaling", because: "rpus 1 → 2" },
      { when: "2026-11-20T10:00:09Z", from: "Ready, Rescaling", to: "Ready, Running", because: "Flink shows RUNNING" },
    ];
    const planned = plan({
      ...recorded(aStartedRecord({ status: { history } })),
      ...ordersWith(4),
      observed: LIVE,
      ages: new Map([[aDesiredJob().key, { kind: "Checkpoint", uri: "file:///c/chk-3", takenAtMs: NOW - 42_000 }]]),
    });
    expect(job(planned)).toEqual({
      ...anId(),
      action: "rescale-by-savepoint",
      verdict: "now",
      because: "rpus 2 → 4",
      rpus: { from: 2, to: 4 },
      slots: { cluster: "main", needed: 2, freeNow: 6, freeAfter: 4 },
      state: "kept: it is stopped with a savepoint and started again from it",
      interruption: { kind: "brief", seconds: 9, text: "about 9s, as when it was last rescaled" },
      restorePoint: { kind: "Checkpoint", uri: "file:///c/chk-3", takenAt: "2026-11-22T11:59:18Z", ageSeconds: 42 },
      notes: [],
      at: { file: "orders.yaml", line: 1 },
    });
    expect(isHealthy(RUNNING)).toBe(true);
  });

  it("that its jar was not looked into, where it is not at hand", () => {
    const artifact = anId({ kind: "Artifact", name: "app" });
    const planned = plan({ notAtHand: new Set([resourceKey(artifact)]) });
    expect(job(planned)?.notes).toEqual(["its jar is not at hand; inspected when downloaded"]);
  });
});

describe("buildPlan", () => {
  it("says each reason of the guard once, and the quota with whom it holds back", () => {
    const zones = new Map([[ZONE, { name: ZONE, clusters: [], projects: new Map([["default", { maxRpus: 3 }]]) }]]);
    const held = plan({ ...recorded(aStartedRecord()), manifests: [], observed: LIVE, zones });
    expect(held.guard).toEqual([
      { reason: "TooManyDeletions", because: expect.stringContaining("the tree holds no manifest at all") as string },
    ]);
    expect(held.quotas).toEqual([{ zone: ZONE, project: "default", maxRpus: 3, usedNow: 2, usedAfter: 2, waiting: [] }]);
  });

  it("counts nothing as a change where all is as declared", () => {
    const planned = plan({ ...recorded(aStartedRecord()), observed: LIVE });
    expect(changesOf(planned)).toEqual([]);
    expect(planned.summary).toBe("nothing to change; 2 stay as they are");
  });

  it("refuses changes of what is immutable in Artifacts and Savepoints, too", () => {
    const external = { type: "External", uri: "file:///s/1", deletionPolicy: "Retain" } as const;
    const taken = aSavepointRecord(aSavepointManifest("named", external), { phase: "Ready", uri: "file:///s/1" });
    const planned = plan({
      ...recorded(taken),
      manifests: [
        anArtifactManifest("app", { jarOptions: { mainArgs: ["x"] } }),
        aSavepointManifest("named", { ...external, uri: "file:///s/2" }),
      ],
    });
    expect(planned.steps.map(({ kind, action, reason }) => [kind, action, reason])).toEqual([
      ["Savepoint", "refuse", "SpecChanged"],
      ["Artifact", "refuse", "SpecChanged"],
    ]);
  });

  it.each<readonly [string, PlanInput]>([
    ["of something new", {}],
    [
      "of a rescale",
      { ...recorded(aStartedRecord()), ...ordersWith(4), observed: LIVE, ages: new Map([[aDesiredJob().key, { kind: "none" }]]) },
    ],
    ["of a cluster that is away", { ...recorded(aRecord()), observed: anObserved({ clusters: [anUnreachableCluster()] }) }],
  ])("follows the schema that is published: %s", (_, input) => {
    const isPlan = compileSchema(PLAN_SCHEMA);
    const planned: unknown = JSON.parse(JSON.stringify(plan(input)));
    expect(isPlan(planned), JSON.stringify(isPlan.errors)).toBe(true);
  });
});
