import { describe, expect, it } from "vitest";
import type { JobSpec } from "../../src/model/manifest.ts";
import { parseManifestFile } from "../../src/model/parse-manifests.ts";
import { formatSpecChange, specChanges } from "../../src/model/spec-changes.ts";
import { aManifest, aSpec } from "../pass/builders.ts";

function changesOf(accepted: Partial<JobSpec>, declared: Partial<JobSpec>): readonly string[] {
  return specChanges(aSpec(accepted), aManifest({ spec: declared })).map(formatSpecChange);
}

const INTERVAL = "execution.checkpointing.interval";

function fileWith(spec: string) {
  const content = `apiVersion: core/v1alpha1
kind: Job
zone: local
metadata: {name: orders, project: default}
spec:
  flinkVersion: 1.16
${spec}`;
  return { path: "jobs/orders.yaml", blob: "b0", content: Buffer.from(content) };
}

function placesIn(accepted: Partial<JobSpec>, spec: string): readonly string[] {
  const { manifests, problems } = parseManifestFile(fileWith(spec));
  expect(problems).toEqual([]);
  const [manifest] = manifests;
  if (manifest?.kind !== "Job") throw new Error("the manifest is no Job");
  return specChanges(aSpec(accepted), manifest).map(formatSpecChange);
}

describe("specChanges", () => {
  it.each([
    ["flinkVersion", {}, { flinkVersion: "1.20" }, "spec.flinkVersion was 1.16 and is 1.20"],
    ["artifact", {}, { artifact: "other" }, "spec.artifactRef.name was app and is other"],
    [
      "entryClass",
      { jarOptions: { entryClass: "a.B" } },
      { jarOptions: { entryClass: "a.C" } },
      "spec.artifactRef.jarOptions.entryClass was a.B and is a.C",
    ],
    [
      "entryClass that was not set",
      {},
      { jarOptions: { entryClass: "a.C" } },
      "spec.artifactRef.jarOptions.entryClass was not set and is a.C",
    ],
    [
      "mainArgs",
      { jarOptions: { mainArgs: ["--a"] } },
      { jarOptions: { mainArgs: ["--a", "b c"] } },
      'spec.artifactRef.jarOptions.mainArgs was ["--a"] and is ["--a","b c"]',
    ],
    [
      "mainArgs that are none instead of not set",
      {},
      { jarOptions: { mainArgs: [] } },
      "spec.artifactRef.jarOptions.mainArgs was not set and is []",
    ],
    [
      "initialState",
      { initialState: { savepoint: "one", allowNonRestoredState: false } },
      {},
      'spec.initialStateRef was {"savepoint":"one","allowNonRestoredState":false} and is not set',
    ],
    [
      "an option",
      { configuration: { [INTERVAL]: "30s" } },
      { configuration: { [INTERVAL]: "1 min" } },
      `spec.configuration.${INTERVAL} was 30s and is 1 min`,
    ],
    [
      "an option that was not set",
      {},
      { configuration: { [INTERVAL]: "30s" } },
      `spec.configuration.${INTERVAL} was not set and is 30s`,
    ],
    [
      "an option that is not set any more",
      { configuration: { [INTERVAL]: "30s" } },
      {},
      `spec.configuration.${INTERVAL} was 30s and is not set`,
    ],
  ] as const)("finds a changed %s", (_, accepted, declared, change) => {
    expect(changesOf(accepted, declared)).toEqual([change]);
  });

  it.each([
    ["rpus", {}, { rpus: 7 }],
    ["another way to write a duration", { configuration: { [INTERVAL]: "30s" } }, { configuration: { [INTERVAL]: "30 s" } }],
    ["another unit of the same duration", { configuration: { [INTERVAL]: "60s" } }, { configuration: { [INTERVAL]: "1 min" } }],
    [
      "the new name of an option",
      { configuration: { "state.backend": "rocksdb" } },
      { configuration: { "state.backend.type": "rocksdb" } },
    ],
    [
      "another order of the options",
      { configuration: { [INTERVAL]: "30s", "pipeline.max-parallelism": "128" } },
      { configuration: { "pipeline.max-parallelism": "128", [INTERVAL]: "30s" } },
    ],
  ] as const)("finds no change in %s", (_, accepted, declared) => {
    expect(changesOf(accepted, declared)).toEqual([]);
  });

  it("lists all changes in the order of a manifest, options by name", () => {
    const declared = {
      rpus: 9,
      configuration: { "pipeline.max-parallelism": "64", [INTERVAL]: "10s" },
      artifact: "other",
      flinkVersion: "1.20",
    };
    expect(changesOf({}, declared).map((change) => change.split(" ")[0])).toEqual([
      "spec.flinkVersion",
      "spec.artifactRef.name",
      `spec.configuration.${INTERVAL}`,
      "spec.configuration.pipeline.max-parallelism",
    ]);
  });

  it("does not call an option changed that only goes by another name beside a real change", () => {
    const accepted = { configuration: { "state.backend": "rocksdb", [INTERVAL]: "30s" } };
    const declared = { configuration: { "state.backend.type": "rocksdb", [INTERVAL]: "60s" } };
    expect(changesOf(accepted, declared)).toEqual([`spec.configuration.${INTERVAL} was 30s and is 60s`]);
  });

  it("tells both names of an option that was renamed and changed", () => {
    const accepted = { configuration: { "state.backend": "rocksdb" } };
    const declared = { configuration: { "state.backend.type": "hashmap" } };
    expect(changesOf(accepted, declared)).toEqual([
      "spec.configuration.state.backend was rocksdb and is not set",
      "spec.configuration.state.backend.type was not set and is hashmap",
    ]);
  });

  it("shows foreign text in one harmless line", () => {
    const change = changesOf({}, { jarOptions: { mainArgs: ["\u001b[31m\n", "x".repeat(500)] } })[0]!;
    expect(change).not.toMatch(/\p{Cc}/u);
    expect(change.length).toBeLessThan(200);
  });
});

describe("the place of a change", () => {
  it("is that of the value in the file", () => {
    const spec = `  artifactRef:
    name: app
    jarOptions: {entryClass: a.C}
  resources: {rpus: 2}
  configuration:
    ${INTERVAL}: 10s
`;
    expect(placesIn({ jarOptions: { entryClass: "a.B" } }, spec)).toEqual([
      "jobs/orders.yaml:9:30 spec.artifactRef.jarOptions.entryClass was a.B and is a.C",
      `jobs/orders.yaml:12:39 spec.configuration.${INTERVAL} was not set and is 10s`,
    ]);
  });

  it("is found for jarOptions that stand beside the reference", () => {
    const spec = `  artifactRef: {name: app}
  jarOptions: {entryClass: a.C}
  resources: {rpus: 2}
`;
    expect(placesIn({ jarOptions: { entryClass: "a.B" } }, spec)).toEqual([
      "jobs/orders.yaml:8:28 spec.artifactRef.jarOptions.entryClass was a.B and is a.C",
    ]);
  });

  it("is that of what the field would stand in when the field is gone", () => {
    const spec = `  artifactRef: {name: app}
  resources: {rpus: 2}
`;
    expect(placesIn({ configuration: { [INTERVAL]: "30s" } }, spec)).toEqual([
      `jobs/orders.yaml:6:3 spec.configuration.${INTERVAL} was 30s and is not set`,
    ]);
  });
});
