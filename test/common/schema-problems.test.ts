import { describe, expect, it } from "vitest";
import { formatProblem } from "../../src/common/problem.ts";
import { compileSchema, fieldName, schemaProblems, type JsonSchema } from "../../src/common/schema-problems.ts";
import { parseYamlFile } from "../../src/common/yaml-file.ts";

function problemsOf(schema: JsonSchema, text: string, options = {}): readonly string[] {
  const document = parseYamlFile("a.yaml", text).documents[0]!;
  const validate = compileSchema(schema);
  validate(document.value);
  return schemaProblems(validate, document, options).map(formatProblem);
}

const job: JsonSchema = {
  type: "object",
  additionalProperties: false,
  required: ["spec"],
  properties: {
    spec: {
      type: "object",
      additionalProperties: false,
      required: ["flinkVersion"],
      properties: {
        flinkVersion: {
          type: ["string", "number"],
          errorMessage: "must be major.minor such as 1.20",
          pattern: "^\\d+\\.\\d+$",
          examples: ["1.20"],
        },
        resources: { type: "object", properties: { rpus: { type: "integer", minimum: 0 } }, additionalProperties: false },
        mode: { enum: ["Graceful", "Drain"] },
        fixed: { const: "Jar" },
        list: { type: "array", items: { type: "string" }, maxItems: 2 },
        labels: {
          type: "object",
          additionalProperties: { type: "string" },
          propertyNames: { pattern: "^[a-z]+$", errorMessage: "must consist of lower-case letters" },
        },
        size: { type: "integer", minimum: 1, maximum: 5 },
        name: { type: "string", minLength: 1, maxLength: 3 },
        source: {
          type: "object",
          properties: { path: { type: "string" }, url: { type: "string" }, sha: { type: "string" } },
          oneOf: [{ required: ["path"] }, { required: ["url"] }],
        },
        wait: { anyOf: [{ type: "string" }, { type: "integer", minimum: 1 }] },
        // oxlint-disable-next-line unicorn/no-thenable -- a JSON Schema keyword
        port: { if: { type: "integer" }, then: { maximum: 9 }, else: { type: "string" } },
      },
    },
  },
};

describe("schemaProblems", () => {
  it.each([
    [
      "a wrong type",
      'spec: {flinkVersion: "1.16", resources: {rpus: "four"}}',
      ['a.yaml:1:48 spec.resources.rpus must be a whole number of at least 0, found "four"'],
    ],
    [
      "a number out of range, as written",
      'spec: {flinkVersion: "1.16", size: 1e3}',
      ["a.yaml:1:36 spec.size must be a whole number of at least 1 and at most 5, found 1e3"],
    ],
    [
      "an unknown field that is nearly one",
      'spec: {flinkVersion: "1.16", resource: {}}',
      ["a.yaml:1:30 unknown field spec.resource; did you mean resources?"],
    ],
    [
      "an unknown field like no other",
      'spec: {flinkVersion: "1.16", resources: {memory: 1}}',
      ["a.yaml:1:42 unknown field spec.resources.memory; known here: rpus"],
    ],
    [
      "a missing field with an example",
      "spec: {mode: Drain}",
      ["a.yaml:1:1 missing field spec.flinkVersion; add it, for example flinkVersion: 1.20"],
    ],
    ["a missing field at the top", "{}", ["a.yaml:1:1 missing field spec; add it"]],
    [
      "an enum",
      'spec: {flinkVersion: "1.16", mode: Gracefull}',
      ['a.yaml:1:36 spec.mode must be one of Graceful or Drain, found "Gracefull"; did you mean Graceful?'],
    ],
    ["a constant", 'spec: {flinkVersion: "1.16", fixed: Zip}', ['a.yaml:1:37 spec.fixed must be Jar, found "Zip"']],
    [
      "the schema's own words",
      'spec: {flinkVersion: "1.16.3"}',
      ['a.yaml:1:22 spec.flinkVersion must be major.minor such as 1.20, found "1.16.3"'],
    ],
    [
      "an entry of a list",
      'spec: {flinkVersion: "1.16", list: [a, {b: 1}]}',
      ["a.yaml:1:40 spec.list[1] must be text, found a mapping"],
    ],
    [
      "a list that is too long",
      'spec: {flinkVersion: "1.16", list: [a, b, c]}',
      ["a.yaml:1:36 spec.list must be a list of at most 2 entries, found a list"],
    ],
    [
      "a key",
      'spec: {flinkVersion: "1.16", labels: {A1: x}}',
      ["a.yaml:1:39 the key A1 of spec.labels must consist of lower-case letters"],
    ],
    [
      "an empty value",
      'spec: {flinkVersion: "1.16", resources: }',
      ["a.yaml:1:41 spec.resources must be a mapping, found nothing"],
    ],
    [
      "an empty text",
      'spec: {flinkVersion: "1.16", name: ""}',
      ['a.yaml:1:36 spec.name must be text that is not empty and of at most 3 characters, found ""'],
    ],
    [
      "two of one choice",
      'spec: {flinkVersion: "1.16", source: {path: a, url: b}}',
      ["a.yaml:1:38 spec.source must have exactly one of path and url, found path and url"],
    ],
    [
      "none of one choice",
      'spec: {flinkVersion: "1.16", source: {sha: a}}',
      ["a.yaml:1:38 spec.source must have exactly one of path and url, found none of them"],
    ],
    [
      "a choice of types",
      'spec: {flinkVersion: "1.16", wait: []}',
      ["a.yaml:1:36 spec.wait must be text or a whole number of at least 1, found an empty list"],
    ],
    [
      "what follows from a condition",
      'spec: {flinkVersion: "1.16", port: 10}',
      ["a.yaml:1:36 spec.port must be another value of at most 9, found 10"],
    ],
    ["a document of another shape", "- 1", ["a.yaml:1:1 the document must be a mapping, found a list"]],
    ["nothing when all is right", 'spec: {flinkVersion: "1.16", source: {path: a}, wait: 1}', []],
  ])("describes %s", (_, text, problems) => {
    expect(problemsOf(job, text)).toEqual(problems);
  });

  it("reports all problems in the order of the file", () => {
    expect(problemsOf(job, "spec:\n  mode: x\n  flinkVersion: '1'\n  other: 1\n")).toHaveLength(3);
    expect(problemsOf(job, "spec:\n  mode: x\n  flinkVersion: '1'\n  other: 1\n").map((text) => text.slice(0, 10))).toEqual([
      "a.yaml:2:9",
      "a.yaml:3:1",
      "a.yaml:4:3",
    ]);
  });

  it("does not repeat what could be a secret", () => {
    const schema = { type: "object", properties: { password: { type: "integer" } } };
    expect(
      problemsOf(schema, "password: hunter2", { isSecret: (path: readonly (string | number)[]) => path.at(-1) === "password" }),
    ).toEqual(["a.yaml:1:11 password must be a whole number"]);
  });

  it("shows long and foreign text in one line", () => {
    const [problem] = problemsOf(job, `spec: {flinkVersion: "\\e[31m${"x".repeat(500)}"}`);
    expect(problem).toMatch(/found "\[31mx+…"$/);
    expect(problem!.length).toBeLessThan(200);
  });

  it("keeps to objects' own members", () => {
    const schema = { type: "object", required: ["toString"], properties: { toString: { type: "string" } } };
    expect(problemsOf(schema, "a: 1")).toEqual(["a.yaml:1:1 missing field toString; add it"]);
  });
});

describe("fieldName", () => {
  it.each([
    [["spec", "mainArgs", 0], "spec.mainArgs[0]"],
    [["spec", "configuration", "state.backend"], 'spec.configuration["state.backend"]'],
    [["zones", "eu-west-1", "clusters"], "zones.eu-west-1.clusters"],
  ])("writes %j as people do", (path, name) => {
    expect(fieldName(path)).toBe(name);
  });
});
