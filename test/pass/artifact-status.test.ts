import { describe, expect, it } from "vitest";
import type { ArtifactSeen } from "../../src/artifacts/artifact-store.ts";
import type { ArtifactRecord } from "../../src/model/status.ts";
import type { ArtifactDecision } from "../../src/pass/decision.ts";
import { nextArtifactRecord } from "../../src/pass/artifact-status.ts";
import { aDesiredArtifact, aJar, anArtifactRecord, anObserved, aReadyArtifact, COMMIT, NOW } from "./builders.ts";

const MB = 1024 * 1024;

function next(record: ArtifactRecord | undefined, seen: ArtifactSeen | undefined): ArtifactRecord {
  const artifact = aDesiredArtifact(record === undefined ? {} : { record });
  const decision: ArtifactDecision = { key: artifact.key, id: artifact.id, kind: "leave", because: "it is looked at" };
  const observed = anObserved({ artifacts: seen === undefined ? {} : { app: seen } });
  return nextArtifactRecord(artifact, decision, { commit: COMMIT, observed, now: NOW })!;
}

function loading(bytes: number, totalBytes?: number): ArtifactSeen {
  return { kind: "downloading", bytes, sinceMs: NOW, ...(totalBytes === undefined ? {} : { totalBytes }) };
}

describe("the progress of a download", () => {
  it.each([
    ["not before a quarter is there", 99 * MB, 400 * MB, undefined],
    ["by quarters", 199 * MB, 400 * MB, { bytes: 100 * MB, totalBytes: 400 * MB }],
    ["up to the end", 400 * MB, 400 * MB, { bytes: 400 * MB, totalBytes: 400 * MB }],
    ["not of what is small", 30 * MB, 40 * MB, undefined],
    ["not of what has no known size", 300 * MB, undefined, undefined],
  ])("is told %s", (_, bytes, totalBytes, expected) => {
    expect(next(undefined, loading(bytes, totalBytes)).status).toMatchObject({ phase: "Downloading" });
    expect(next(undefined, loading(bytes, totalBytes)).status.download).toEqual(expected);
  });

  it("is the same record, and so no commit, as long as the quarter is", () => {
    const half = next(undefined, loading(200 * MB, 400 * MB));
    expect(next(half, loading(299 * MB, 400 * MB))).toBe(half);
  });

  it("is forgotten when the bytes are there", () => {
    const half = next(undefined, loading(200 * MB, 400 * MB));
    expect(next(half, aReadyArtifact()).status).not.toHaveProperty("download");
  });
});

describe("the condition about Flink's own classes", () => {
  const seen = aReadyArtifact({
    inspection: aJar({ flinkClasses: { count: 1, examples: ["org/apache/flink/runtime/A.class"] } }),
  });

  it("warns, and stays while nobody looks at the jar", () => {
    const warned = next(undefined, seen);
    expect(warned.status.conditions.at(-1)).toMatchObject({
      type: "FlinkBundled",
      status: "True",
      reason: "FlinkClassesInJar",
      message: expect.stringContaining("org/apache/flink/runtime/A.class") as string,
    });
    expect(next(warned, undefined)).toBe(warned);
    expect(next(warned, { kind: "absent" })).toBe(warned);
  });

  it("is not there for a clean jar", () => {
    expect(next(anArtifactRecord(), aReadyArtifact()).status.conditions.map(({ type }) => type)).toEqual([
      "Accepted",
      "Available",
    ]);
  });
});
