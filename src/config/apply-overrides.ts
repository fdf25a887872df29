import { compareText, type Position, type Problem } from "../common/problem.ts";
import { nearest } from "../common/suggest.ts";
import { listOf, oneLine } from "../common/text.ts";
import type { YamlDocument, YamlPath } from "../common/yaml-file.ts";
import { isMapping, listOptions, type OptionSchema } from "./schema-value.ts";

export const OVERRIDE_PREFIX = "PENSTOCK__";

/**
 * The document with single scalars replaced by variables such as `PENSTOCK__REPOSITORY__POLL_INTERVAL`. What is wrong with a replaced
 * value is later reported at the variable, which then stands where a file name would.
 */
export function applyOverrides(
  document: YamlDocument,
  schema: OptionSchema,
  environment: Readonly<Record<string, string | undefined>>,
): { readonly document: YamlDocument; readonly problems: readonly Problem[] } {
  const scalars = overridableOptions(schema);
  const problems: Problem[] = [];
  const variables = new Map<string, string>();
  let value = document.value;
  for (const [variable, text] of overridesIn(environment)) {
    const option = scalars.get(variable);
    if (option === undefined) {
      problems.push({ ...positionOf(variable), message: refusal(variable, scalars.keys()) });
    } else {
      value = withMember(value, option.path, scalarOf(option.schema, text));
      variables.set(JSON.stringify(option.path), variable);
    }
  }
  return { document: overlay(document, value, variables), problems };
}

/** `repository.pollInterval` → `PENSTOCK__REPOSITORY__POLL_INTERVAL`. */
export function overrideName(path: readonly string[]): string {
  return OVERRIDE_PREFIX + path.map((part) => part.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()).join("__");
}

function overridesIn(environment: Readonly<Record<string, string | undefined>>): readonly (readonly [string, string])[] {
  return Object.entries(environment)
    .flatMap(([variable, text]) =>
      text !== undefined && variable.startsWith(OVERRIDE_PREFIX) ? [[variable, text] as const] : [],
    )
    .sort(([a], [b]) => compareText(a, b));
}

interface Overridable {
  readonly path: readonly string[];
  readonly schema: OptionSchema;
}

/** Scalars whose place needs no name that the user chooses: not the ones of zones, and none of a list. */
export function overridableOptions(schema: OptionSchema): ReadonlyMap<string, Overridable> {
  const found = new Map<string, Overridable>();
  for (const option of listOptions(schema)) {
    if (option.schema.type === "object" || option.schema.type === "array" || /[*[]/.test(option.pattern)) continue;
    const path = option.pattern.split(".");
    found.set(overrideName(path), { path, schema: option.schema });
  }
  return found;
}

function refusal(variable: string, known: Iterable<string>): string {
  if (/^PENSTOCK__ZONES(?:__|$)/.test(variable)) return "zones cannot be set by environment variables; write them into the file";
  const names = [...known];
  if (names.some((name) => name.startsWith(`${variable}__`))) {
    return "this names a group of options, and only a single value can be set by a variable; unset it";
  }
  const longer = names.filter((name) => name.startsWith(`${variable}_`));
  if (longer.length > 0) return `this names no option that a variable can set; did you mean ${listOf(longer, "or")}?`;
  const group = variable.slice(0, variable.lastIndexOf("__") + 2);
  const neighbours = names.filter((name) => name.startsWith(group));
  // Within a group that exists the shared beginning must not make strangers look alike.
  const meant =
    neighbours.length > 0
      ? nearest(
          variable.slice(group.length),
          neighbours.map((name) => name.slice(group.length)),
        )
      : nearest(variable, names);
  const advice = meant === undefined ? "unset it" : `did you mean ${neighbours.length > 0 ? group : ""}${meant}?`;
  return `this names no option that a variable can set; ${advice}`;
}

/** Text that is no number or boolean stays text, so that the schema says what is wrong with it. */
function scalarOf(schema: OptionSchema, text: string): unknown {
  if (schema.type === "integer" && /^-?\d{1,15}$/.test(text)) return Number(text);
  if (schema.type === "boolean" && (text === "true" || text === "false")) return text === "true";
  return text;
}

/** A copy with one member set, groups made where they are absent. What is no mapping is left as it is: the schema refuses it anyway. */
function withMember(value: unknown, path: readonly string[], scalar: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return scalar;
  if (value !== undefined && value !== null && !isMapping(value)) return value;
  const members = isMapping(value) ? value : {};
  return { ...members, [key]: withMember(Object.hasOwn(members, key) ? members[key] : undefined, rest, scalar) };
}

function overlay(document: YamlDocument, value: unknown, variables: ReadonlyMap<string, string>): YamlDocument {
  const variableAt = (path: YamlPath): string | undefined => variables.get(JSON.stringify(path));
  return {
    ...document,
    value,
    at: (path) => positionOf(variableAt(path)) ?? document.at(path),
    atKey: (path) => positionOf(variableAt(path)) ?? document.atKey(path),
    sourceText: (path) => (variableAt(path) === undefined ? document.sourceText(path) : undefined),
  };
}

function positionOf(variable: string): Position;
function positionOf(variable: string | undefined): Position | undefined;
function positionOf(variable: string | undefined): Position | undefined {
  return variable === undefined ? undefined : { file: oneLine(variable, 200), line: 1, column: 1 };
}
