import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv } from "ajv";
import { describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { manifestsSchema } from "../../src/model/manifest-schema.ts";
import { optionsSchema } from "../../src/model/options-reference.ts";

/** As an editor uses it: plain draft-07, values as YAML gives them. */
const validate = new Ajv({ strict: false }).compile(manifestsSchema());

function accepts(text: string): boolean {
  return parseAllDocuments(text).every((document) => validate(document.toJS()));
}

const jobWith = (option: string): string => `apiVersion: core/v1alpha1
kind: Job
zone: eu
metadata: {name: a}
spec:
  flinkVersion: 1.20
  artifactRef: {name: a}
  resources: {rpus: 1}
  configuration:
    ${option}
`;

describe("config/manifests.schema.json", () => {
  const folder = join(import.meta.dirname, "../../jobs-example");
  it.each(readdirSync(folder).filter((name) => name.endsWith(".yaml")))("accepts jobs-example/%s", (name) => {
    expect(accepts(readFileSync(join(folder, name), "utf8"))).toBe(true);
  });

  it.each([
    ["somebody else's document", "apiVersion: v1\nkind: Job\n", true],
    ["a Project", "apiVersion: core/v1alpha1\nkind: Project\nmetadata: {name: a}\n", true],
    ["an unknown kind", "apiVersion: core/v1alpha1\nkind: Cluster\n", false],
    ["a Job without spec", "apiVersion: core/v1alpha1\nkind: Job\nzone: a\nmetadata: {name: a}\n", false],
    [
      "a Savepoint of an unknown type",
      "apiVersion: core/v1alpha1\nkind: Savepoint\nzone: a\nmetadata: {name: a}\nspec: {type: x}\n",
      false,
    ],
    ["a Project with a zone", "apiVersion: core/v1alpha1\nkind: Project\nzone: a\nmetadata: {name: a}\n", false],
    ["an option", jobWith("execution.checkpointing.interval: 30s"), true],
    ["an option by an older name", jobWith("state.backend.incremental: true"), true],
    ["a word in lower case, as Flink takes it", jobWith("execution.checkpointing.mode: exactly_once"), true],
    ["a list of YAML", jobWith("pipeline.registered-pojo-types: [a.B, c.D]"), true],
    ["pairs of YAML", jobWith("pipeline.global-job-parameters: {a: 1}"), true],
    ["a secret instead of a number", jobWith("pipeline.max-parallelism: ${secret:max}"), true],
    ["a misspelt option", jobWith("execution.checkpointing.intervall: 30s"), false],
    ["an option of the cluster", jobWith("taskmanager.numberOfTaskSlots: 4"), false],
  ])("%s", (_, text, expected) => {
    expect(accepts(text)).toBe(expected);
  });

  it("tells an editor what an option means, takes and in which versions, under each of its names", () => {
    const { properties } = optionsSchema() as { properties: Record<string, { description: string; anyOf?: unknown }> };
    expect(properties["state.backend.type"]).toEqual({
      description:
        "Where state is kept while the job runs. rocksdb and forst need their jar in the cluster's lib folder. Flink: all; forst from 2.0 on. The value must be hashmap, rocksdb or forst.",
      anyOf: [{ enum: ["hashmap", "rocksdb", "forst"] }, { type: "string" }],
    });
    expect(properties["state.backend"]!.description).toMatch(/^An older name of state\.backend\.type\. Where state is kept/);
    expect(properties["execution.checkpointing.interval"]!.description).toContain("Default of Penstock: 60 s.");
  });
});
