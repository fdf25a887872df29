import { describe, expect, it } from "vitest";
import type { ArtifactSeen } from "../../src/artifacts/artifact-store.ts";
import type { JarContent } from "../../src/artifacts/inspect-jar.ts";
import type { JarOptions } from "../../src/model/manifest.ts";
import { resourceKey } from "../../src/model/resource.ts";
import { announcedArtifact, artifactForJob } from "../../src/pass/artifact-for-job.ts";
import {
  aDesiredArtifact,
  aJar,
  anArtifactManifest,
  anArtifactRecord,
  anId,
  aReadyArtifact,
  aSpec,
  FROZEN,
  MAIN_CLASS,
  NOW,
  SHA256,
  type DesiredArtifactOverrides,
} from "./builders.ts";

const KEY = resourceKey(anId({ kind: "Artifact", name: "app" }));
const FAILURE = { reason: "NotFound", because: "it is in no repository", failures: 1 } as const;

function viewOf(artifact: DesiredArtifactOverrides | undefined, seen: ArtifactSeen | undefined) {
  return {
    desired: new Map(artifact === undefined ? [] : [[KEY, aDesiredArtifact(artifact)]]),
    seen: new Map(seen === undefined ? [] : [[KEY, seen]]),
  };
}

function askFor(
  jarOptions: JarOptions = {},
  artifact: DesiredArtifactOverrides | undefined = {},
  seen: ArtifactSeen | undefined = aReadyArtifact(),
) {
  return artifactForJob(aSpec({ jarOptions }), KEY, viewOf(artifact, seen));
}

function withoutManifestClass(): JarContent {
  const { mainClassOfManifest: _, ...jar } = aJar({ classNames: new Set() });
  return jar;
}

describe("artifactForJob", () => {
  it("freezes name, digest, size and the options that count", () => {
    expect(askFor()).toEqual({ kind: "ready", frozen: FROZEN, javaVersion: 8 });
  });

  const own = anArtifactManifest("app", { jarOptions: { entryClass: "com.example.Other", mainArgs: ["--artifact"] } });
  it.each([
    ["the jar's manifest", {}, {}, { entryClass: MAIN_CLASS, mainArgs: [] }],
    ["the Artifact's", {}, { manifest: own }, { entryClass: "com.example.Other", mainArgs: ["--artifact"] }],
    [
      "the Job's entry class with the Artifact's arguments",
      { entryClass: MAIN_CLASS },
      { manifest: own },
      { entryClass: MAIN_CLASS, mainArgs: ["--artifact"] },
    ],
    [
      "the Job's arguments, even none, with the Artifact's entry class",
      { mainArgs: [] },
      { manifest: own },
      { entryClass: "com.example.Other", mainArgs: [] },
    ],
    [
      "the accepted Artifact's while its manifest is broken",
      {},
      { manifest: "broken", record: anArtifactRecord("app", {}, { jarOptions: { entryClass: "com.example.Other" } }) },
      { entryClass: "com.example.Other", mainArgs: [] },
    ],
  ] as const)("takes %s", (_, jarOptions, artifact, expected) => {
    expect(askFor(jarOptions, artifact)).toMatchObject({ kind: "ready", frozen: { jarOptions: expected } });
  });

  const missing = "waits for Artifact app: no such Artifact is declared in this zone and project";
  it.each([
    ["ArtifactMissing", missing, viewOf(undefined, aReadyArtifact())],
    ["ArtifactMissing", missing, viewOf({ manifest: "absent", record: anArtifactRecord() }, aReadyArtifact())],
    ["ArtifactNotReady", "waits for Artifact app", viewOf({}, undefined)],
    ["ArtifactNotReady", "waits for Artifact app", viewOf({}, { kind: "absent" })],
    ["ArtifactNotReady", "waits for Artifact app", viewOf({}, { kind: "downloading", bytes: 0, sinceMs: NOW })],
    [
      "ArtifactNotReady",
      "waits for Artifact app: it is in no repository",
      viewOf({}, { kind: "failed", retryAtMs: NOW, ...FAILURE }),
    ],
    [
      "ArtifactNotReady",
      "waits for Artifact app: it is in no repository",
      viewOf({}, { kind: "downloading", bytes: 0, sinceMs: NOW, lastFailure: FAILURE }),
    ],
    [
      "ArtifactNotReady",
      "waits for Artifact app: its bytes are not those that it became Ready with",
      viewOf({ record: anArtifactRecord() }, aReadyArtifact({ sha256: "0".repeat(64) })),
    ],
    [
      "EntryClassMissing",
      "no entry class is given and the jar's manifest names none; set spec.artifactRef.jarOptions.entryClass (Artifact app)",
      viewOf({}, aReadyArtifact({ inspection: withoutManifestClass() })),
    ],
    [
      "EntryClassMissing",
      "entry class com.example.Main is not in the jar (Artifact app)",
      viewOf({}, aReadyArtifact({ inspection: aJar({ classNames: new Set() }) })),
    ],
  ] as const)("waits: %s, %s", (reason, because, view) => {
    expect(artifactForJob(aSpec(), KEY, view)).toEqual({ kind: "not-ready", reason, because });
  });

  it("names the class that was probably meant", () => {
    expect(askFor({ entryClass: "com.example.main" })).toMatchObject({
      reason: "EntryClassMissing",
      because: "entry class com.example.main is not in the jar; did you mean com.example.Main? (Artifact app)",
    });
  });

  it("waits while the class is being looked into", () => {
    const inspection = aJar({ classes: new Map() });
    expect(askFor({}, {}, aReadyArtifact({ inspection }))).toEqual({
      kind: "not-ready",
      reason: "ArtifactNotReady",
      because: "waits for Artifact app: its class com.example.Main is being looked into",
    });
  });

  it("has no use for a class without main", () => {
    const main = { kind: "no", because: "com.example.Main has no public static void main(String[])" } as const;
    const inspection = aJar({ classes: new Map([[MAIN_CLASS, { main, javaVersion: 8 }]]) });
    expect(askFor({}, {}, aReadyArtifact({ inspection }))).toMatchObject({
      reason: "EntryClassMissing",
      because: "com.example.Main has no public static void main(String[]) (Artifact app)",
    });
  });

  it("lets a class pass that may be where nobody looked", () => {
    const inspection = aJar({ hasNestedJars: true, classNames: new Set() });
    expect(askFor({ entryClass: "org.elsewhere.Job" }, {}, aReadyArtifact({ inspection }))).toMatchObject({ kind: "ready" });
  });
});

describe("announcedArtifact", () => {
  it("has the bytes that were announced, however the Artifact is declared by now", () => {
    const view = viewOf({ manifest: anArtifactManifest("app", { jarOptions: { entryClass: "x.Y" } }) }, aReadyArtifact());
    expect(announcedArtifact(FROZEN, KEY, view)).toEqual({ kind: "ready", frozen: FROZEN, javaVersion: 8 });
  });

  it.each([
    ["there are none", undefined],
    ["they are being fetched", { kind: "downloading", bytes: 0, sinceMs: NOW }],
    ["there are others", aReadyArtifact({ sha256: "0".repeat(64) })],
  ] as const)("waits when %s", (_, seen) => {
    expect(announcedArtifact(FROZEN, KEY, viewOf({}, seen))).toEqual({
      kind: "not-ready",
      reason: "ArtifactNotReady",
      because: `waits for the bytes of Artifact app that its start was announced with, sha256 ${SHA256.slice(0, 12)}…`,
    });
  });
});
