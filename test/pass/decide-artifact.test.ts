import { describe, expect, it } from "vitest";
import type { ArtifactSeen } from "../../src/artifacts/artifact-store.ts";
import type { ArtifactSource } from "../../src/model/manifest.ts";
import { artifactRequest, decideArtifact, type ArtifactContext } from "../../src/pass/decide-artifact.ts";
import {
  aDesiredArtifact,
  aJar,
  anArtifactManifest,
  anArtifactRecord,
  aReadyArtifact,
  BLOB,
  COMMIT,
  ENTRY,
  MAIN_CLASS,
  NOW,
  SHA256,
  type DesiredArtifactOverrides,
} from "./builders.ts";

const LIMITS = { maxBytes: 500, maxBlobBytes: 20 };
const MAVEN: ArtifactSource = {
  kind: "maven",
  coordinates: { group: "org.example", artifact: "app", version: "1.0", type: "jar" },
};
const FAILURE = { reason: "NotFound", because: "org.example:app:1.0 is in no repository", failures: 2 } as const;

function decideFor(artifact: DesiredArtifactOverrides = {}, context: Partial<ArtifactContext> = {}) {
  return decideArtifact(aDesiredArtifact(artifact), {
    seen: undefined,
    needed: true,
    entryClasses: [],
    inUse: true,
    deletionsHeld: undefined,
    now: NOW,
    ...LIMITS,
    ...context,
  });
}

describe("what the artifact store is asked for", () => {
  it("is the file of the applied commit, for a path", () => {
    expect(artifactRequest(aDesiredArtifact(), LIMITS)).toEqual({
      key: "local/default/artifact/app",
      source: { kind: "path", path: "jars/app.jar" },
      blob: { commit: COMMIT, oid: ENTRY.kind === "file" ? ENTRY.blob : "" },
      maxBytes: 20,
    });
  });

  it("is the coordinates, for Maven", () => {
    const manifest = anArtifactManifest("app", { source: MAVEN, sha256: SHA256 });
    expect(artifactRequest(aDesiredArtifact({ manifest }), LIMITS)).toEqual({
      key: "local/default/artifact/app",
      source: MAVEN,
      sha256: SHA256,
      maxBytes: 500,
    });
  });

  it.each([{ kind: "url", url: "https://example.org/a.jar" } as const, { kind: "s3", bucket: "b", key: "k" } as const])(
    "is the address, for $kind, and from the first Ready on the digest of that time",
    (source) => {
      const manifest = anArtifactManifest("app", { source });
      const request = { key: "local/default/artifact/app", source, maxBytes: 500 };
      expect(artifactRequest(aDesiredArtifact({ manifest }), LIMITS)).toEqual(request);
      const record = anArtifactRecord("app", {}, { source });
      expect(artifactRequest(aDesiredArtifact({ manifest, record }), LIMITS)).toEqual({
        ...request,
        sha256: SHA256,
        recorded: true,
      });
    },
  );

  it("is the recorded digest and blob once it was Ready, whatever lies at the path by now", () => {
    const entry = { kind: "file", commit: "e0".repeat(20), blob: BLOB } as const;
    const manifest = anArtifactManifest("app", { source: { kind: "path", path: "jars/other.jar" } });
    for (const declared of [manifest, "broken", "absent"] as const) {
      expect(artifactRequest(aDesiredArtifact({ manifest: declared, record: anArtifactRecord(), entry }), LIMITS)).toMatchObject({
        source: { path: "jars/app.jar" },
        sha256: SHA256,
        blob: { commit: COMMIT, oid: "a0".repeat(20) },
      });
    }
  });

  it.each([
    ["SourceMissing", "jars/app.jar is not in the repository", { entry: undefined }],
    ["SourceMissing", "jars/app.jar cannot be used: it is a folder", { entry: { kind: "other", because: "it is a folder" } }],
    ["ManifestBroken", "its manifest has problems", { manifest: "broken" }],
  ] as const)("is nothing: %s, %s", (reason, because, artifact) => {
    expect(artifactRequest(aDesiredArtifact(artifact), LIMITS)).toEqual({ condition: "Available", reason, because });
    expect(decideFor(artifact)).toMatchObject({ kind: "wait", block: { condition: "Available", reason }, because });
  });
});

describe("the classes that Jobs want to run", () => {
  const seen = aReadyArtifact({ inspection: aJar({ classes: new Map() }) });

  it("are asked for along with the bytes", () => {
    const entryClasses = ["com.example.Main"];
    expect(decideFor({}, { entryClasses })).toMatchObject({ kind: "fetch", request: { entryClasses } });
  });

  it("are looked into when the bytes are there already, unless they were, or are not in the jar", () => {
    const entryClasses = [MAIN_CLASS];
    expect(decideFor({}, { entryClasses, seen })).toMatchObject({ kind: "inspect", request: { entryClasses } });
    expect(decideFor({}, { entryClasses, seen: aReadyArtifact() })).toMatchObject({ kind: "leave" });
    const other = aReadyArtifact({ inspection: aJar({ classNames: new Set(), classes: new Map() }) });
    expect(decideFor({}, { entryClasses: ["com.example.Absent"], seen: other })).toMatchObject({ kind: "leave" });
  });
});

describe("decideArtifact", () => {
  const downloading: ArtifactSeen = { kind: "downloading", bytes: 1, sinceMs: NOW };
  const failed: ArtifactSeen = { kind: "failed", retryAtMs: NOW + 1, ...FAILURE };

  it.each([
    ["fetches what is new", {}, {}, "fetch", "its bytes are needed from jars/app.jar"],
    ["fetches what the store does not have", {}, { seen: { kind: "absent" } }, "fetch", "its bytes are needed from jars/app.jar"],
    ["fetches what no Job needs, the first time", {}, { needed: false }, "fetch", "its bytes are needed from jars/app.jar"],
    ["fetches again what a Job waits for", { record: anArtifactRecord() }, {}, "fetch", "its bytes are needed from jars/app.jar"],
    [
      "does not fetch again what nobody waits for",
      { record: anArtifactRecord() },
      { needed: false },
      "leave",
      "it is Ready, and no Job waits for its bytes",
    ],
    ["lets a download go on", {}, { seen: downloading }, "leave", "it is being fetched from jars/app.jar"],
    ["leaves what is there", {}, { seen: aReadyArtifact() }, "leave", "its bytes are there and verified"],
    ["waits after a failure", {}, { seen: failed }, "wait", FAILURE.because],
    ["tries again when it is due", {}, { seen: { ...failed, retryAtMs: NOW } }, "fetch", FAILURE.because],
    [
      "keeps telling the failure while it tries again",
      {},
      { seen: { ...downloading, lastFailure: FAILURE } },
      "wait",
      FAILURE.because,
    ],
    [
      "leaves what has an unreadable record",
      { recordProblem: "x.yaml:1:1 no" },
      {},
      "leave",
      "its record cannot be understood: x.yaml:1:1 no",
    ],
    [
      "forgets what is gone and unused",
      { manifest: "absent", record: anArtifactRecord() },
      { inUse: false },
      "forget",
      "its manifest is gone and no Job uses it",
    ],
    [
      "keeps what is gone and used",
      { manifest: "absent", record: anArtifactRecord() },
      {},
      "deleting",
      "its manifest is gone, and Jobs use it; it stays until they are gone",
    ],
    [
      "keeps what is gone while deletions are held",
      { manifest: "absent", record: anArtifactRecord() },
      { inUse: false, deletionsHeld: "held" },
      "leave",
      "held",
    ],
    [
      "goes by the record while the manifest is broken",
      { manifest: "broken", record: anArtifactRecord() },
      {},
      "fetch",
      "its bytes are needed from jars/app.jar",
    ],
  ] as const)("%s", (_, artifact, context, kind, because) => {
    expect(decideFor(artifact, context)).toMatchObject({ kind, because });
  });

  it.each([
    ["waits", failed],
    ["tries again", { ...failed, retryAtMs: NOW }],
    ["is at it", { ...downloading, lastFailure: FAILURE }],
  ] as const)("shows one and the same reason while it %s, so that a retry is no news", (_, seen) => {
    const decision = decideFor({}, { seen });
    expect("block" in decision && decision.block).toEqual({ condition: "Available", reason: "NotFound" });
  });
});
