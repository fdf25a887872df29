import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { formatProblem } from "../../src/common/problem.ts";
import { parseYamlFile, type YamlDocument } from "../../src/common/yaml-file.ts";
import { CONFIG_SCHEMA, IDLE_OPTIONS } from "../../src/config/config-schema.ts";
import { loadConfig } from "../../src/config/load-config.ts";
import { listOptions, writtenOptions } from "../../src/config/schema-value.ts";
import { validateConfig } from "../../src/config/validate-config.ts";

const folder = join(import.meta.dirname, "../../config");
const example = readFileSync(join(folder, "penstock.yaml"), "utf8");
/** With the options that are commented out: their # stands right before the key. An empty group in their way goes. */
const complete = example
  .replaceAll(/#(?=[^\s#])/g, "")
  .replaceAll(/: (?:\{\}|\[\])(?=\n\s+(?:#[^\n]*\n\s+)?(?:caFile|x-api-key|files\.example\.com|- url))/g, ":");

function documentOf(text: string): YamlDocument {
  const { documents, problems } = parseYamlFile("penstock.yaml", text);
  expect(problems).toEqual([]);
  expect(documents).toHaveLength(1);
  return documents[0]!;
}

describe("config/penstock.yaml", () => {
  it("loads as it stands, with nothing beside it and without a notice", async () => {
    const loaded = await loadConfig(join(folder, "penstock.yaml"), {});
    expect(loaded.kind === "invalid" ? loaded.problems.map(formatProblem) : []).toEqual([]);
    expect(loaded).toMatchObject({ kind: "loaded", notices: [] });
  });

  it("holds every option, and nothing that is none", () => {
    const written = new Set(writtenOptions(CONFIG_SCHEMA, documentOf(complete).value).map((option) => option.pattern));
    const missing = listOptions(CONFIG_SCHEMA).filter((option) => !written.has(option.pattern));
    expect(missing.map((option) => option.pattern)).toEqual([]);
    const result = validateConfig(documentOf(complete));
    const problems = result.kind === "invalid" ? result.problems.map((problem) => problem.message) : [];
    // Alternatives exclude each other; that is the only thing wrong with all of them at once.
    const expected =
      /must be a mapping with a username and one of|must be a mapping with a kind and one of|must be \{valueFile: …\} or|cannot stand beside/;
    expect(problems.filter((problem) => !expected.test(problem))).toEqual([]);
  });

  it("states each default as the code has it", () => {
    const options = listOptions(CONFIG_SCHEMA).filter(({ schema }) => schema.default !== undefined && schema.type !== "object");
    const written = new Map(
      writtenOptions(CONFIG_SCHEMA, documentOf(complete).value).map(({ pattern, value }) => [pattern, value]),
    );
    const maven = "artifacts.maven.repositories"; // shows one where the default is none
    const stated = options.map(({ pattern }) => [pattern, pattern === maven ? [] : written.get(pattern)]);
    expect(stated).toEqual(options.map(({ pattern, schema }) => [pattern, schema.default]));
    expect(validateConfig(documentOf(example))).toMatchObject({ settings: { artifacts: { maven: { repositories: [] } } } });
  });
});

describe("the schema", () => {
  it("knows only options that exist as not yet acted on", () => {
    const known = new Set(listOptions(CONFIG_SCHEMA).map((option) => option.pattern));
    expect([...IDLE_OPTIONS.keys()].filter((pattern) => !known.has(pattern))).toEqual([]);
  });

  it("describes every option", () => {
    const bare = listOptions(CONFIG_SCHEMA).filter(({ schema }) => schema.description === undefined);
    expect(bare.map((option) => option.pattern)).toEqual([]);
  });
});
