import { describe, expect, it } from "vitest";
import { parseTrailers } from "../../src/git/commit.ts";
import { resourceKey } from "../../src/model/resource.ts";
import type { JobStatus } from "../../src/model/status.ts";
import type { DesiredJob } from "../../src/pass/desired.ts";
import { deletionsAllowed, guardDeletions, type GuardInput } from "../../src/pass/guard.ts";
import { aDesiredJob, anId, aRecord, aStartedRecord, type ManifestOverrides } from "./builders.ts";

const NAMES = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n"];

/** Different enough from each other not to be taken for a renamed one. */
const own = (name: string) => ({ id: { name }, spec: { artifact: `of-${name}`, configuration: { "pipeline.name": name } } });

function gone(name: string, status: Partial<JobStatus> = {}): DesiredJob {
  return aDesiredJob({ id: { name }, manifest: "absent", record: aStartedRecord({ ...own(name), status }) });
}

function kept(name: string): DesiredJob {
  return aDesiredJob({ id: { name }, manifest: manifestOf(name), record: aStartedRecord(own(name)) });
}

function manifestOf(name: string): ManifestOverrides {
  return { spec: own(name).spec, source: { path: `${name}.yaml` } };
}

function guard(jobs: readonly DesiredJob[], more: Partial<GuardInput> = {}) {
  return guardDeletions({
    jobs,
    retired: new Set(),
    manifests: 20,
    unreadable: undefined,
    sourceChanged: undefined,
    allowed: [],
    maxDeletions: 5,
    ...more,
  });
}

/** Why each is held, or that it goes, in the order of their names. */
function fates(jobs: readonly DesiredJob[], more: Partial<GuardInput> = {}): readonly string[] {
  return [...guard(jobs, more).deletions.values()].map((fate) => (fate.kind === "goes" ? "goes" : fate.reason));
}

/** So many of so many are gone. */
function some(goneCount: number, all: number): readonly DesiredJob[] {
  return NAMES.slice(0, all).map((name, index) => (index < goneCount ? gone(name) : kept(name)));
}

describe("the guard of deletions", () => {
  it.each([
    ["one of many", 1, 10, {}, "goes"],
    ["as many as may go", 5, 10, {}, "goes"],
    ["one more than may go", 6, 14, {}, "TooManyDeletions"],
    ["more than the policy allows", 2, 10, { maxDeletions: 1 }, "TooManyDeletions"],
    ["half of four", 2, 4, {}, "goes"],
    ["more than half of four", 3, 4, {}, "TooManyDeletions"],
    ["all of three", 3, 3, {}, "goes"],
    ["the only one, out of a tree that holds no manifest at all", 1, 1, { manifests: 0 }, "TooManyDeletions"],
    ["one, with a document that cannot be read", 1, 10, { unreadable: "a.yaml:1:1 is no YAML" }, "DeletionHeld"],
    ["one, with other settings of the source", 1, 10, { sourceChanged: "another repository" }, "SourceChanged"],
  ] as const)("decides about %s", (_, count, all, more, fate) => {
    expect(new Set(fates(some(count, all), more))).toEqual(new Set([fate]));
  });

  it("says how many would go, and how to say that it is meant", () => {
    const [fate] = guard(some(6, 14)).deletions.values();
    expect(fate).toMatchObject({
      because:
        '6 Jobs would be deleted at once, more than 5; if it is meant, push a commit with the trailer "Penstock-Allow-Deletions: N", where N is how many may go',
    });
  });

  it("takes no notice of Jobs that are declared, broken, or deleted already", () => {
    const tombstone = gone("x", { deleted: { at: "2026-11-01T00:00:00Z" } });
    const broken = aDesiredJob({ id: { name: "y" }, manifest: "broken", record: aStartedRecord(own("y")) });
    const { deletions } = guard([...some(1, 3), tombstone, broken]);
    expect([...deletions.keys()]).toEqual([resourceKey(anId({ name: "a" }))]);
    expect(fates([...some(2, 4), gone("x", { deleted: { at: "" } })])).toEqual(["goes", "goes"]);
  });

  it("does not count Jobs that never ran, but holds them with a document that cannot be read", () => {
    const never = NAMES.map((name) => aDesiredJob({ id: { name }, manifest: "absent", record: aRecord({ id: { name } }) }));
    expect(new Set(fates(never, { unreadable: "a.yaml:1:1 is no YAML" }))).toEqual(new Set(["DeletionHeld"]));
    expect(new Set(fates([...never.slice(2), ...some(1, 2)]))).toEqual(new Set(["goes"]));
  });

  it("lets go what is being deleted, whatever is held now: a deletion always completes", () => {
    const jobs = [gone("a", { phase: "Deleting" }), ...some(7, 14).slice(1)];
    expect(fates(jobs, { unreadable: "a.yaml:1:1 is no YAML" })).toEqual(["goes", ...Array(6).fill("DeletionHeld")]);
  });
});

describe("Jobs that a Final Savepoint stops for good", () => {
  const retired = new Set(NAMES.slice(0, 6).map((name) => resourceKey(anId({ name }))));

  it("go as many as they are: an upgrade of many in one commit is no slip", () => {
    expect(fates(some(6, 7), { retired })).toEqual(Array(6).fill("goes"));
  });

  it("neither count with others that go, nor are held with them", () => {
    expect(fates(some(11, 14), { retired })).toEqual(Array(11).fill("goes"));
    expect(fates(some(12, 14), { retired })).toEqual([...Array(6).fill("goes"), ...Array(6).fill("TooManyDeletions")]);
  });

  it("are held all the same by a document that cannot be read", () => {
    const unreadable = "a.yaml:1:1 is no YAML";
    expect(new Set(fates(some(6, 7), { retired, unreadable }))).toEqual(new Set(["DeletionHeld"]));
  });
});

describe("the trailer", () => {
  it("lets as many go as it says, by name, and no more", () => {
    expect(fates(some(7, 14), { allowed: ["2"] })).toEqual(["goes", "goes", ...Array(5).fill("TooManyDeletions")]);
    expect(fates(some(7, 14), { allowed: ["7"] })).toEqual(Array(7).fill("goes"));
  });

  it("does not say what stands in a document that cannot be read", () => {
    expect(fates(some(1, 10), { allowed: ["1"], unreadable: "a.yaml:1:1 is no YAML" })).toEqual(["DeletionHeld"]);
    expect(fates(some(1, 10), { allowed: ["1"], sourceChanged: "another repository" })).toEqual(["goes"]);
  });

  it("counts as the largest of several, and as none when it is no number", () => {
    expect(fates(some(7, 14), { allowed: ["1", "3"] }).filter((fate) => fate === "goes")).toHaveLength(3);
    expect(fates(some(7, 14), { allowed: ["all", "-3", "1e3", ""] })).toEqual(Array(7).fill("TooManyDeletions"));
  });

  it("does not count what is being deleted already", () => {
    const jobs = [gone("a", { phase: "Deleting" }), ...some(8, 14).slice(1)];
    expect(fates(jobs, { allowed: ["1"] }).filter((fate) => fate === "goes")).toHaveLength(2);
  });

  it("is found in a commit's message, however its name is written", () => {
    for (const name of ["Penstock-Allow-Deletions", "penstock-allow-deletions", "PENSTOCK-ALLOW-DELETIONS"])
      expect(deletionsAllowed(parseTrailers(`Drop old jobs\n\n${name}: 3\n`))).toEqual(["3"]);
    expect(deletionsAllowed(parseTrailers("Drop old jobs\n"))).toEqual([]);
  });
});

const fresh = (manifest: ManifestOverrides = {}, name = "orders-v2"): DesiredJob =>
  aDesiredJob({ id: { name }, manifest: { ...manifestOf("other"), ...manifest } });

describe("a Job that may be another one under a new name", () => {
  const old = gone("orders-v1");

  it.each([
    ["appears in the same file", { source: { path: "orders.yaml" } }],
    ["has the same Artifact", { spec: { artifact: "of-orders-v1" } }],
    ["has the same spec", { spec: own("orders-v1").spec }],
  ])("waits, and so does the old one, when it %s", (_, manifest) => {
    const twin = fresh(manifest);
    const { deletions, renames } = guard([old, twin]);
    expect(deletions.get(old.key)).toMatchObject({ kind: "held", reason: "LooksLikeRename" });
    expect(renames.get(twin.key)).toBe(
      "default/orders-v1 and default/orders-v2 look like one Job that was renamed, and renaming loses its state; " +
        "to keep it, declare { apiVersion: core/v1alpha1, kind: Savepoint, zone: local, metadata: { name: orders-v1-final, project: default }, " +
        "spec: { type: Final, finalOptions: { shutdownMethod: Graceful }, jobRef: { name: orders-v1 } } } " +
        "and give orders-v2 spec.initialStateRef: {name: orders-v1-final}; to start orders-v2 empty, annotate it with penstock/start-empty: new",
    );
  });

  it.each([
    ["another file and another Artifact", fresh()],
    [
      "a state to start from",
      fresh({ spec: { artifact: "of-orders-v1", initialState: { savepoint: "s", allowNonRestoredState: false } } }),
    ],
    [
      "the annotation that accepts the loss",
      fresh({ spec: { artifact: "of-orders-v1" }, annotations: { "penstock/start-empty": "new" } }),
    ],
    [
      "another project",
      aDesiredJob({ id: { name: "orders-v2", project: "other" }, manifest: { spec: { artifact: "of-orders-v1" } } }),
    ],
    [
      "run before",
      aDesiredJob({
        id: { name: "orders-v2" },
        manifest: { spec: { artifact: "of-orders-v1" } },
        record: aStartedRecord({ id: { name: "orders-v2" } }),
      }),
    ],
  ])("goes its own way when it has %s", (_, other) => {
    const { deletions, renames } = guard([old, other]);
    expect(deletions.get(old.key)).toEqual({ kind: "goes" });
    expect(renames.size).toBe(0);
  });

  it("is a new one when the old one never ran or is being deleted", () => {
    const twin = fresh({ spec: { artifact: "of-orders-v1" } });
    const never = aDesiredJob({ id: { name: "orders-v1" }, manifest: "absent", record: aRecord(own("orders-v1")) });
    expect(guard([never, twin]).renames.size).toBe(0);
    expect(guard([gone("orders-v1", { phase: "Deleting" }), twin]).renames.size).toBe(0);
  });

  it("stays held although a trailer allows deletions: the trailer says nothing about renames", () => {
    expect(fates([old, fresh({ spec: { artifact: "of-orders-v1" } })], { allowed: ["9"] })).toEqual(["LooksLikeRename"]);
  });
});
