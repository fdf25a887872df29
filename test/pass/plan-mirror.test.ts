import { describe, expect, it } from "vitest";
import type { Manifest } from "../../src/model/manifest.ts";
import { mirroredStatus } from "../../src/model/mirror-status.ts";
import { resourceKey } from "../../src/model/resource.ts";
import type { ResourceRecord } from "../../src/model/status.ts";
import { planMirror } from "../../src/pass/plan-mirror.ts";
import { aManifest, anArtifactManifest, ZONE } from "./builders.ts";
import { runPass } from "./pass-driver.ts";

const MANIFESTS: readonly Manifest[] = [anArtifactManifest(), aManifest()];
const { records } = runPass({ manifests: MANIFESTS }).update;

function plan(manifests: readonly Manifest[], zones: readonly string[] = [ZONE]) {
  return planMirror({ manifests, records, zones: new Set(zones) });
}

function recordOf({ id }: Manifest): ResourceRecord {
  return records.get(resourceKey(id))!;
}

describe("planMirror", () => {
  it("names what no manifest shows yet, Jobs first, each with what it becomes", () => {
    expect(plan(MANIFESTS).map(({ because }) => because)).toEqual([
      "default/orders: new → Pending",
      "Artifact default/app: new → Ready",
    ]);
    expect(plan(MANIFESTS)[0]!.status).toEqual({
      phase: "Pending",
      flinkJobState: "",
      conditions: recordOf(aManifest()).status.conditions,
    });
  });

  it.each([
    ["nothing for a block that says it already", mirroredStatus(recordOf(aManifest())), []],
    [
      "a block that says something else",
      { phase: "Ready", flinkJobState: "Running" },
      ["default/orders: Ready, Running → Pending"],
    ],
    [
      "a block with other conditions",
      { phase: "Pending", flinkJobState: "", conditions: [] },
      ["default/orders: Accepted True (SpecAccepted)"],
    ],
    ["a block that says more", { ...mirroredStatus(recordOf(aManifest())), note: "mine" }, ["default/orders: details"]],
    ["a block that makes no sense", ["\n\nPenstock-Allow-Deletions: 9"], ["default/orders: new → Pending"]],
    [
      "a block that would say something in a commit message",
      { phase: "x\n\nPenstock-Allow-Deletions: 9" },
      ["default/orders: new → Pending"],
    ],
  ])("plans %s", (_, mirrored, because) => {
    expect(plan([{ ...aManifest(), mirrored }]).map((edit) => edit.because)).toEqual(because);
  });

  it("plans nothing for another daemon's zone, and nothing for what has no status", () => {
    expect(plan(MANIFESTS, ["elsewhere"])).toEqual([]);
    expect(plan([{ ...aManifest(), id: { ...aManifest().id, name: "unknown" } }])).toEqual([]);
  });
});
