import { describe, expect, it } from "vitest";
import type { SavepointOperation, SavepointRecord } from "../../src/model/status.ts";
import type { SavepointDecision } from "../../src/pass/decision.ts";
import { nextSavepointRecord } from "../../src/pass/savepoint-status.ts";
import {
  aDesiredSavepoint,
  anAttempt,
  anObserved,
  CLUSTER,
  COMMIT,
  FINAL,
  NOW,
  SAVEPOINT,
  type DesiredSavepointOverrides,
} from "./builders.ts";

type Step = SavepointDecision extends infer D ? (D extends SavepointDecision ? Omit<D, "key" | "id" | "because"> : never) : never;

const TAKE: SavepointOperation = {
  kind: "take",
  triggerId: "8".repeat(32),
  cluster: CLUSTER,
  flinkJobId: anAttempt(1),
  uri: "file:///s",
  announcedAt: "2026-11-22T11:00:00Z",
};
const READY = {
  kind: "ready",
  uri: SAVEPOINT,
  takenAt: "2026-11-22T11:00:00Z",
  takenOf: { flinkJobId: anAttempt(1), cluster: CLUSTER },
} as const;
const FAILED = { condition: "Available", reason: "SavepointFailed" } as const;

/** What the branch holds of a Savepoint after a decision about it. */
function after(savepoint: DesiredSavepointOverrides, step: Step, because = "so it is"): SavepointRecord | undefined {
  const desired = aDesiredSavepoint(savepoint);
  const decision = { ...step, key: desired.key, id: desired.id, because } as SavepointDecision;
  return nextSavepointRecord(desired, decision, { commit: COMMIT, observed: anObserved(), now: NOW });
}

const announced = (operation: SavepointOperation): Step => ({ kind: "announce", work: { kind: "savepoint", operation } });

describe("the status of a Savepoint", () => {
  it.each([
    ["Pending while it waits", {}, { kind: "wait", block: FAILED }, { phase: "Pending" }],
    ["InProgress while it is being taken", {}, announced(TAKE), { phase: "InProgress", operation: TAKE }],
    [
      "Ready with its place and its origin, and no operation any more",
      { status: { phase: "InProgress", operation: TAKE } },
      READY,
      { phase: "Ready", uri: SAVEPOINT, takenAt: READY.takenAt, flinkJobId: anAttempt(1), operation: undefined },
    ],
    [
      "Pending again when nothing came of it",
      { status: { phase: "InProgress", operation: TAKE } },
      { kind: "abandon", block: FAILED },
      { phase: "Pending", operation: undefined },
    ],
    [
      "Deleting while it is disposed of",
      { declared: "absent", status: { phase: "Ready", uri: SAVEPOINT } },
      announced({ ...TAKE, kind: "dispose" }),
      { phase: "Deleting", uri: SAVEPOINT, operation: { ...TAKE, kind: "dispose" } },
    ],
  ] satisfies readonly (readonly [string, DesiredSavepointOverrides, Step, object])[])(
    "is %s",
    (_, savepoint, step, expected) => {
      const { phase, uri, takenAt, flinkJobId, operation } = after(savepoint, step)!.status;
      const status = { phase, uri, takenAt, flinkJobId, operation };
      expect({ ...status, ...expected }).toEqual(status);
      expect(operation === undefined).toBe(!("operation" in expected) || expected.operation === undefined);
    },
  );

  it("is as new when its Job has run on: what it held is gone, and its manifest is in force", () => {
    const savepoint: DesiredSavepointOverrides = {
      status: { phase: "Ready", uri: SAVEPOINT, takenAt: "2026-11-22T11:00:00Z", flinkJobId: anAttempt(1), cluster: CLUSTER },
    };
    for (const [step, phase] of [
      [{ kind: "wait", block: FAILED, renews: true }, "Pending"],
      [{ kind: "await", block: undefined, renews: true }, "InProgress"],
    ] as const satisfies readonly (readonly [Step, string])[]) {
      const { status } = after(savepoint, step)!;
      expect(status).toMatchObject({ phase, history: [{ from: "Ready", to: phase }] });
      for (const field of ["uri", "takenAt", "flinkJobId", "cluster"]) expect(status).not.toHaveProperty(field);
    }
  });

  it("is gone with what is forgotten", () => {
    expect(after({ declared: "absent", status: {} }, { kind: "forget" })).toBeUndefined();
  });

  it("tells what keeps it from being Ready, and that it is", () => {
    expect(after({}, { kind: "wait", block: FAILED }, "no storage")?.status.conditions).toMatchObject([
      { type: "Available", status: "False", reason: "SavepointFailed", message: "no storage" },
    ]);
    expect(after({}, READY)?.status.conditions).toMatchObject([{ type: "Available", status: "True", message: SAVEPOINT }]);
  });

  it("refuses a change of what was taken, and keeps the spec that it was taken by", () => {
    const record = after({}, READY)!;
    const changed = aDesiredSavepoint({ spec: { ...FINAL, deletionPolicy: "Delete" } });
    const decision = { key: changed.key, id: changed.id, because: "it is Ready", kind: "leave" } as const;
    const next = nextSavepointRecord({ ...changed, record }, decision, { commit: COMMIT, observed: anObserved(), now: NOW });
    expect(next?.spec).toEqual(FINAL);
    expect(next?.status.conditions).toMatchObject([
      { type: "Accepted", status: "False", reason: "SpecChanged" },
      { type: "Available" },
    ]);
  });

  it("is the very record that was there when nothing changed", () => {
    const record = after({}, READY)!;
    const desired = { ...aDesiredSavepoint(), record };
    const decision = { key: desired.key, id: desired.id, because: "it is Ready", kind: "leave" } as const;
    expect(nextSavepointRecord(desired, decision, { commit: COMMIT, observed: anObserved(), now: NOW + 5000 })).toBe(record);
  });
});
