import { describe, expect, it } from "vitest";
import { acceptanceOfArtifact, acceptanceOfJob, isSpecOf } from "../../src/pass/acceptance.ts";
import {
  aDesiredArtifact,
  aDesiredJob,
  anAnnouncedRecord,
  anArtifactManifest,
  anArtifactRecord,
  anAttempt,
  aRecord,
  aStartedRecord,
  BLOB,
  COMMIT,
} from "./builders.ts";

const LEFT = { kind: "leave" } as const;

const ACCEPTED = { status: "True", reason: "SpecAccepted", message: "the spec is in force as it is declared" };
const BROKEN = {
  status: "False",
  reason: "ManifestBroken",
  message: "the manifest has problems, so the accepted spec stays in force; see summary.yaml",
};

function refused(reason: string, message: unknown) {
  return { status: "False", reason, message };
}

describe("acceptanceOfJob", () => {
  it.each([
    ["a new Job", { manifest: {} }],
    ["one that never ran, whatever changed", { manifest: { spec: { flinkVersion: "1.20", rpus: 7 } }, record: aRecord() }],
    ["one that runs as declared", { manifest: {}, record: aStartedRecord() }],
    ["one whose start is announced as declared", { manifest: {}, record: anAnnouncedRecord() }],
    [
      "one whose options mean the same as before",
      {
        manifest: { spec: { configuration: { "execution.checkpointing.interval": "30 s" } } },
        record: aStartedRecord({ spec: { configuration: { "execution.checkpointing.interval": "30s" } } }),
      },
    ],
    [
      "one whose labels and annotations changed",
      { manifest: { labels: { a: "b" }, annotations: { c: "d" } }, record: aStartedRecord() },
    ],
  ] as const)("accepts %s", (_, job) => {
    expect(acceptanceOfJob(aDesiredJob(job), LEFT)).toEqual(ACCEPTED);
  });

  it.each([aRecord(), anAnnouncedRecord(), aStartedRecord()])("refuses a broken manifest", (record) => {
    expect(acceptanceOfJob(aDesiredJob({ manifest: "broken", record }), LEFT)).toEqual(BROKEN);
  });

  it.each([anAnnouncedRecord(), aStartedRecord()])("says of a Job that was started that its manifest is gone", (record) => {
    expect(acceptanceOfJob(aDesiredJob({ manifest: "absent", record }), LEFT)).toEqual(
      refused("ManifestGone", "the manifest is gone"),
    );
  });

  const wayOut =
    "put it back; for what is different declare these two documents as well: " +
    "{ apiVersion: core/v1alpha1, kind: Savepoint, zone: local, metadata: { name: orders-final, project: default }, " +
    "spec: { type: Final, finalOptions: { shutdownMethod: Graceful }, jobRef: { name: orders } } } and " +
    "{ apiVersion: core/v1alpha1, kind: Job, zone: local, metadata: { name: orders-v2, project: default }, " +
    'spec: { flinkVersion: "1.20", artifactRef: { name: app-2 }, resources: { rpus: 2 }, initialStateRef: { name: orders-final } } }';

  it("refuses immutable changes, each with its old and new value and its place, and shows the way out", () => {
    const positions = new Map([
      ["/spec/flinkVersion", { file: "orders.yaml", line: 5, column: 17 }],
      ["/spec/artifactRef/name", { file: "orders.yaml", line: 7, column: 11 }],
    ]);
    const manifest = { spec: { flinkVersion: "1.20", artifact: "app-2" }, positions };
    expect(acceptanceOfJob(aDesiredJob({ manifest, record: aStartedRecord() }), LEFT)).toEqual(
      refused(
        "SpecChanged",
        `orders.yaml:5:17 spec.flinkVersion was 1.16 and is 1.20 and orders.yaml:7:11 spec.artifactRef.name was app and is app-2; only spec.resources.rpus may change; ${wayOut}`,
      ),
    );
  });

  it("accepts other rpus, of a job that runs and of one that is being started", () => {
    for (const record of [aStartedRecord(), anAnnouncedRecord()])
      expect(acceptanceOfJob(aDesiredJob({ manifest: { spec: { rpus: 5 } }, record }), LEFT)).toEqual(ACCEPTED);
  });

  it("says that rpus is not changed either when something immutable was changed with it", () => {
    const job = aDesiredJob({ manifest: { spec: { rpus: 5, flinkVersion: "1.20" } }, record: aStartedRecord() });
    expect(acceptanceOfJob(job, LEFT)).toMatchObject({
      reason: "SpecChanged",
      message: expect.stringContaining("only spec.resources.rpus may change, and rpus is not changed either; put it back"),
    });
  });

  it("takes a Job that is declared again under its tombstone for a new one", () => {
    const record = aStartedRecord({ status: { phase: "Deleting", deleted: { at: "2026-11-01T00:00:00Z" } } });
    const job = aDesiredJob({ manifest: { spec: { flinkVersion: "1.20" } }, record });
    expect(acceptanceOfJob(job, { kind: "announce" })).toEqual(ACCEPTED);
    expect(acceptanceOfJob(job, { kind: "wait" })).toEqual(ACCEPTED);
    expect(acceptanceOfJob(aDesiredJob({ manifest: "absent", record }), LEFT)).toEqual(
      refused("ManifestGone", "the manifest is gone"),
    );
  });

  describe("of a job that was adopted", () => {
    const lost = { flinkVersion: "1.18" };
    /** It runs with a spec that nobody knows any more; the record took what was declared then. */
    const adopted = aStartedRecord({ spec: { flinkVersion: "1.16" }, status: { flinkJobId: anAttempt(1, { spec: lost }) } });

    it("refuses what is not the spec in its id", () => {
      expect(isSpecOf(adopted)).toBe(false);
      expect(acceptanceOfJob(aDesiredJob({ manifest: {}, record: adopted }), LEFT)).toMatchObject({
        status: "False",
        reason: "SpecChanged",
        message: expect.stringMatching(
          /^the declared spec is not the one that the job runs with, and the accepted one was lost with the status branch; put it back; .*name: orders-v2/,
        ),
      });
    });

    it("accepts the spec in its id when it is declared again", () => {
      expect(acceptanceOfJob(aDesiredJob({ manifest: { spec: lost }, record: adopted }), LEFT)).toEqual(ACCEPTED);
    });
  });
});

describe("acceptanceOfArtifact", () => {
  const ready = anArtifactRecord();

  it.each([
    ["a new one", {}],
    ["one that was never Ready, whatever changed", { record: { ...ready, status: { ...ready.status, sha256: undefined } } }],
    ["a Ready one as declared", { record: ready }],
    [
      "a Ready one whose repository was rewritten with the same file",
      { record: ready, entry: { kind: "file", commit: "e0".repeat(20), blob: "a0".repeat(20) } },
    ],
    ["a Ready one whose file is gone: its bytes are recorded", { record: ready, entry: undefined }],
  ] as const)("accepts %s", (_, artifact) => {
    expect(acceptanceOfArtifact(aDesiredArtifact(artifact as Parameters<typeof aDesiredArtifact>[0]))).toEqual(ACCEPTED);
  });

  it("refuses a broken manifest", () => {
    expect(acceptanceOfArtifact(aDesiredArtifact({ manifest: "broken", record: ready }))).toEqual(BROKEN);
  });

  it.each([
    [
      "a changed spec",
      { manifest: anArtifactManifest("app", { jarOptions: { entryClass: "a.B" } }) },
      "SpecChanged",
      "a Ready Artifact is immutable; put the manifest back, and declare an Artifact with a new name for what is different",
    ],
    [
      "a manifest that is gone",
      { manifest: "absent" },
      "ManifestGone",
      "the manifest is gone, and Jobs use it; it stays until they are gone",
    ],
    [
      "changed bytes at the source",
      { entry: { kind: "file", commit: "e0".repeat(20), blob: BLOB } },
      "ContentChanged",
      `the file at the source was changed; a Ready Artifact is immutable, so its Jobs keep the bytes of commit ${COMMIT.slice(0, 12)}`,
    ],
  ] as const)("refuses %s", (_, artifact, reason, message) => {
    expect(acceptanceOfArtifact(aDesiredArtifact({ ...artifact, record: ready }))).toEqual(refused(reason, message));
  });

  it("takes the same spec for the same, in whatever order its fields came out of a file", () => {
    const record = anArtifactRecord("app", {}, { jarOptions: { mainArgs: [], entryClass: "a.B" } });
    const manifest = anArtifactManifest("app", { jarOptions: { entryClass: "a.B", mainArgs: [] } });
    expect(acceptanceOfArtifact(aDesiredArtifact({ manifest, record }))).toEqual(ACCEPTED);
  });
});
