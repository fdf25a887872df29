import { compareText, type Problem, sortProblems } from "../common/problem.ts";
import { compileSchema, fieldName, schemaProblems } from "../common/schema-problems.ts";
import type { YamlDocument, YamlPath } from "../common/yaml-file.ts";
import { applyOverrides } from "./apply-overrides.ts";
import { checkOptions, idleOptionNotices } from "./check-options.ts";
import { CONFIG_SCHEMA, type ConfigValue, IDLE_OPTIONS } from "./config-schema.ts";
import { fillDefaults, isMapping, type OptionSchema, writtenOptions } from "./schema-value.ts";

export type ValidatedConfig =
  | {
      readonly kind: "valid";
      readonly settings: ConfigValue;
      /** What to read for the settings to be complete. */
      readonly references: readonly Reference[];
      readonly notices: readonly Problem[];
    }
  | { readonly kind: "invalid"; readonly problems: readonly Problem[] };

/** An option that names a file or an environment variable; the problem of a missing one belongs to `file:line:column`. */
export interface Reference {
  readonly kind: "file" | "variable";
  readonly path: YamlPath;
  readonly name: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Judges the configuration with its overrides: everything that can be said without reading another file, all at once. Pure. */
export function validateConfig(
  written: YamlDocument,
  environment: Readonly<Record<string, string | undefined>> = {},
): ValidatedConfig {
  const overridden = applyOverrides(written, CONFIG_SCHEMA, environment);
  const { document, problems: inline } = withoutInlineSecrets(overridden.document);
  const validate = compileSchema(CONFIG_SCHEMA);
  const problems = [...overridden.problems, ...inline];
  if (!validate(document.value)) problems.push(...schemaProblems(validate, document, { isSecret: mayHoldSecret }));
  problems.push(...checkOptions(document));
  if (problems.length > 0) return { kind: "invalid", problems: sortProblems(problems) };
  return {
    kind: "valid",
    settings: fillDefaults(CONFIG_SCHEMA, document.value),
    references: referencesOf(document),
    notices: sortProblems(idleOptionNotices(document)),
  };
}

/** Groups that people put a secret into by mistake, in one form or another: what they hold is never repeated. */
function mayHoldSecret(path: YamlPath): boolean {
  return ["credentials", "basic", "headers", "tls", "url", "s3", "hosts", "forge"].some((name) => path.includes(name));
}

/**
 * A `password:` where only passwordFile and passwordEnv are known: taken out, so that nobody repeats it, with a problem that shows the
 * way out. Certificates are treated alike.
 */
function withoutInlineSecrets(document: YamlDocument): {
  readonly document: YamlDocument;
  readonly problems: readonly Problem[];
} {
  const problems: Problem[] = [];
  const value = withoutSecrets(CONFIG_SCHEMA, document.value, [], (path, ways) => {
    const advice = ways.map((way) =>
      way.endsWith("File") ? `write it into a file and name that with ${way}` : `name an environment variable with ${way}`,
    );
    problems.push({
      ...document.atKey(path),
      message: `${fieldName(path)} must not stand in the configuration itself; ${advice.join(", or ")}`,
    });
  });
  return { document: { ...document, value }, problems };
}

function withoutSecrets(
  schema: OptionSchema,
  value: unknown,
  path: YamlPath,
  report: (path: YamlPath, ways: readonly string[]) => void,
): unknown {
  if (schema.type === "array" && Array.isArray(value)) {
    return value.map((item, index) => withoutSecrets(schema.items, item, [...path, index], report));
  }
  if (schema.type !== "object" || !isMapping(value)) return value;
  const kept: (readonly [string, unknown])[] = [];
  for (const [key, member] of Object.entries(value)) {
    const memberPath = [...path, key];
    if (!("properties" in schema)) kept.push([key, withoutSecrets(schema.additionalProperties, member, memberPath, report)]);
    else if (Object.hasOwn(schema.properties, key))
      kept.push([key, withoutSecrets(schema.properties[key]!, member, memberPath, report)]);
    else {
      const ways = [`${key}File`, `${key}Env`].filter((way) => Object.hasOwn(schema.properties, way));
      if (ways.length > 0) report(memberPath, ways);
      // One mistake, one problem: the group is not to be found incomplete as well.
      const alternative = ways.find(() => !ways.some((way) => Object.hasOwn(value, way)));
      if (ways.length === 0) kept.push([key, member]);
      else if (alternative !== undefined) kept.push([alternative, "given in the wrong place"]);
    }
  }
  return Object.fromEntries(kept);
}

const SIGNING_KEYS = "repository.verify.keys[].file";

/** In a stable order. What only idle options name is not read. */
function referencesOf(document: YamlDocument): readonly Reference[] {
  const found = writtenOptions(CONFIG_SCHEMA, document.value).flatMap(({ pattern, path, value }): readonly Reference[] => {
    const kind = referenceKind(pattern);
    if (kind === undefined || typeof value !== "string" || IDLE_OPTIONS.has(pattern)) return [];
    return [{ kind, path, name: value, ...document.at(path) }];
  });
  return found.sort((a, b) => compareText(fieldName(a.path), fieldName(b.path)));
}

function referenceKind(pattern: string): Reference["kind"] | undefined {
  if (pattern.endsWith("File") || pattern === SIGNING_KEYS) return "file";
  return pattern.endsWith("Env") ? "variable" : undefined;
}
