import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv } from "ajv";
import { describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { manifestsSchema } from "../../src/model/manifest-schema.ts";

/** As an editor uses it: plain draft-07, values as YAML gives them. */
const validate = new Ajv({ strict: false }).compile(manifestsSchema());

function accepts(text: string): boolean {
  return parseAllDocuments(text).every((document) => validate(document.toJS()));
}

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
  ])("%s", (_, text, expected) => {
    expect(accepts(text)).toBe(expected);
  });
});
