import type { YamlDocument, YamlPath } from "../common/yaml-file.ts";
import { optionText } from "./options.ts";

/** Fields that are numbers and booleans themselves. Everywhere else those words mean what was written: 1.20, 007, 1e3. */
const TYPED = new Set(["spec/resources/rpus", "spec/initialStateRef/allowNonRestoredState"]);

type Fields = Readonly<Record<string, unknown>>;

/** The document with text as it was written, lists and mappings of options in Flink's own form, and without its `status`: what the schema judges and what a manifest is built of. */
export function manifestView(document: YamlDocument): Fields {
  const convert = (value: unknown, path: YamlPath): unknown => {
    if (typeof value === "number" || typeof value === "boolean") {
      return TYPED.has(path.join("/")) ? value : (document.sourceText(path) ?? String(value));
    }
    if (typeof value !== "object" || value === null) return value;
    const converted = Array.isArray(value)
      ? value.map((item, index) => convert(item, [...path, index]))
      : Object.fromEntries(Object.entries(value).map(([key, member]) => [key, convert(member, [...path, key])] as const));
    return isOption(path) ? (optionText(String(path[2]), converted) ?? converted) : converted;
  };
  const members = Object.entries(document.value as object).filter(([key]) => key !== "status");
  return convert(Object.fromEntries(members), []) as Fields;
}

function isOption(path: YamlPath): boolean {
  return path.length === 3 && path[0] === "spec" && path[1] === "configuration";
}

/** The mapping at `key`; empty when there is none. */
export function fieldsAt(fields: Fields, ...path: readonly string[]): Fields {
  let current: unknown = fields;
  for (const key of path) current = isFields(current) && Object.hasOwn(current, key) ? current[key] : undefined;
  return isFields(current) ? current : {};
}

/** The text at `key`; undefined for anything else. */
export function textIn(fields: Fields, key: string): string | undefined {
  const value = Object.hasOwn(fields, key) ? fields[key] : undefined;
  return typeof value === "string" ? value : undefined;
}

/** The members whose values are text. */
export function textMap(fields: Fields): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(fields).filter((entry): entry is [string, string] => typeof entry[1] === "string"));
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
