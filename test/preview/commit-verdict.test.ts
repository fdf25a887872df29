import { describe, expect, it } from "vitest";
import { resourceKey } from "../../src/model/resource.ts";
import type { Condition, JobStatus } from "../../src/model/status.ts";
import { FIRST_MEMORY } from "../../src/pass/reconcile.ts";
import { commitVerdict, touchedJobs } from "../../src/preview/commit-verdict.ts";
import type { DonePass } from "../../src/pass/reconcile.ts";
import { aManifest, anArtifactManifest, anAttempt, anId, aSavepointManifest, aStartedRecord } from "../pass/builders.ts";
import { runPass } from "../pass/pass-driver.ts";

const ORDERS = resourceKey(anId());

function condition(type: string, reason: string, status: Condition["status"] = "True"): Condition {
  return { type, reason, status, message: `${reason}.`, since: "2026-11-22T12:00:00Z" };
}

const WELL = [
  condition("Accepted", "SpecAccepted"),
  condition("Healthy", "AllTasksRunning"),
  condition("Recoverable", "CheckpointCompleted"),
];

/** A pass after which `orders`, which declares 2 rpus unless told otherwise, has this status. */
function aPass(status: Partial<JobStatus>, rpus: number | "gone" = 2, problems: DonePass["snapshot"]["problems"] = []): DonePass {
  const manifests = rpus === "gone" ? [anArtifactManifest()] : [aManifest({ spec: { rpus } }), anArtifactManifest()];
  const record = aStartedRecord({ status: { checkpointed: anAttempt(1), conditions: WELL, ...status } });
  const pass = runPass({ manifests, snapshot: { problems } });
  const desired = runPass({ manifests, status: { ...pass.status, records: new Map([[ORDERS, record]]) } }).desired;
  const done = { ...pass, desired, update: { ...pass.update, records: new Map([[ORDERS, record]]) } };
  return { ...done, kind: "done", published: { kind: "written" }, unmirrored: [], memory: FIRST_MEMORY };
}

describe("commitVerdict", () => {
  it.each<readonly [string, DonePass, string, RegExp]>([
    ["success when all is well", aPass({}), "success", /^1 Job as declared$/],
    ["pending until the first checkpoint", aPass({ checkpointed: "x" }), "pending", /orders: its first checkpoint/],
    [
      "success without one where none is taken",
      aPass({ checkpointed: "x", conditions: [...WELL.slice(0, 2), condition("Recoverable", "CheckpointingOff", "False")] }),
      "success",
      /./,
    ],
    [
      "pending while it is not healthy",
      aPass({ conditions: [WELL[0]!, condition("Healthy", "TasksNotRunning", "False")] }),
      "pending",
      /TasksNotRunning\./,
    ],
    [
      "pending while slots are missing",
      aPass({ phase: "Pending", conditions: [WELL[0]!, condition("Placed", "NotEnoughSlots", "False")] }),
      "pending",
      /NotEnoughSlots\./,
    ],
    ["pending while other rpus are asked for", aPass({}, 4), "pending", /not as declared yet/],
    [
      "failure when it is refused",
      aPass({ conditions: [condition("Accepted", "SpecChanged", "False")] }),
      "failure",
      /orders: SpecChanged\./,
    ],
    [
      "failure when the program failed",
      aPass({ phase: "Pending", conditions: [WELL[0]!, condition("Started", "ProgramFailed", "False")] }),
      "failure",
      /ProgramFailed\./,
    ],
    [
      "failure when a person has to decide",
      aPass({ conditions: [WELL[0]!, condition("Restored", "RestorePointMissing", "False")] }),
      "failure",
      /RestorePointMissing/,
    ],
    [
      "failure for a problem of the tree",
      aPass({}, 2, [{ file: "a.yaml", line: 3, column: 1, message: "no" }]),
      "failure",
      /^1 problem: a\.yaml:3:1 no$/,
    ],
    [
      "success when it is suspended as declared",
      aPass({ suspended: true, requestedRpus: 0, flinkJobState: "Finished" }, 0),
      "success",
      /./,
    ],
    ["pending while it is being deleted", aPass({}, "gone"), "pending", /being deleted/],
    [
      "failure when its deletion is held",
      aPass({ conditions: [condition("Deleted", "TooManyDeletions", "False")] }, "gone"),
      "failure",
      /TooManyDeletions/,
    ],
    ["success when it is deleted", aPass({ phase: "Deleting", deleted: { at: "2026-11-22T12:00:00Z" } }, "gone"), "success", /./],
  ])("%s", (_, pass, state, description) => {
    const verdict = commitVerdict(pass, new Set([ORDERS]));
    expect(verdict.state).toBe(state);
    expect(verdict.description).toMatch(description);
  });

  it("looks only at what the commit touches", () => {
    const pass = aPass({ conditions: [condition("Accepted", "SpecChanged", "False")] });
    expect(commitVerdict(pass, new Set())).toEqual({ state: "success", description: "no Job is touched" });
  });
});

describe("touchedJobs", () => {
  const before = [aManifest(), anArtifactManifest()];
  it.each<readonly [string, Parameters<typeof touchedJobs>[1], boolean]>([
    ["nothing was changed", before, false],
    ["it only moved within its file", [aManifest({ source: { line: 9 } }), anArtifactManifest()], false],
    ["its rpus were changed", [aManifest({ spec: { rpus: 9 } }), anArtifactManifest()], true],
    ["its Artifact was changed", [aManifest(), anArtifactManifest("app", { sha256: "a".repeat(64) })], true],
    ["it is gone", [anArtifactManifest()], true],
    ["a Savepoint of it came", [...before, aSavepointManifest()], true],
    ["another Artifact came", [...before, anArtifactManifest("other")], false],
  ])("when %s", (_, after, isTouched) => {
    expect(touchedJobs(before, after).has(ORDERS)).toBe(isTouched);
  });
});
