import { compareText, formatPosition, type Position } from "../common/problem.ts";
import { oneLine } from "../common/text.ts";
import { jobSpecHash } from "./canonical-spec.ts";
import type { JobManifest, JobSpec } from "./manifest.ts";
import { canonicalConfiguration } from "./options.ts";

/** One immutable field that was changed. Values are as written, undefined where the field is not set. */
export interface SpecChange {
  readonly field: string;
  readonly accepted: string | undefined;
  readonly declared: string | undefined;
  readonly at: Position | undefined;
}

type FieldPlace = readonly [name: string, pointer: string, read: (spec: JobSpec) => unknown];
type Field = readonly [...FieldPlace, swap: (into: JobSpec, from: JobSpec) => JobSpec];

const FIELDS: readonly Field[] = [
  [
    "spec.flinkVersion",
    "/spec/flinkVersion",
    (spec) => spec.flinkVersion,
    (into, { flinkVersion }) => ({ ...into, flinkVersion }),
  ],
  ["spec.artifactRef.name", "/spec/artifactRef/name", (spec) => spec.artifact, (into, { artifact }) => ({ ...into, artifact })],
  [
    "spec.artifactRef.jarOptions.entryClass",
    "/spec/artifactRef/jarOptions/entryClass",
    (spec) => spec.jarOptions.entryClass,
    (into, from) => ({ ...into, jarOptions: withMember(into.jarOptions, "entryClass", from.jarOptions.entryClass) }),
  ],
  [
    "spec.artifactRef.jarOptions.mainArgs",
    "/spec/artifactRef/jarOptions/mainArgs",
    (spec) => spec.jarOptions.mainArgs,
    (into, from) => ({ ...into, jarOptions: withMember(into.jarOptions, "mainArgs", from.jarOptions.mainArgs) }),
  ],
  [
    "spec.initialStateRef",
    "/spec/initialStateRef",
    (spec) => spec.initialState,
    (into, { initialState }) => withMember(into, "initialState", initialState),
  ],
];

/**
 * The immutable fields in which a manifest differs from the accepted spec, in the order in which a manifest is written. Values that mean
 * the same (`30s` and `30 s`) are no change, and `rpus` never is.
 */
export function specChanges(accepted: JobSpec, manifest: JobManifest): readonly SpecChange[] {
  const declared = manifest.spec;
  const hash = jobSpecHash(accepted);
  if (jobSpecHash(declared) === hash) return [];
  const fields = FIELDS.filter(([, , , swap]) => jobSpecHash(swap(accepted, declared)) !== hash);
  return [...fields, ...changedOptions(accepted, declared)].map(([field, pointer, read]) => ({
    field,
    accepted: show(read(accepted)),
    declared: show(read(declared)),
    at: placeOf(pointer, manifest.positions),
  }));
}

/** One that only goes by another of its names is the same. */
function changedOptions(accepted: JobSpec, declared: JobSpec): readonly FieldPlace[] {
  const [before, after] = [canonicalConfiguration(accepted.configuration), canonicalConfiguration(declared.configuration)];
  const isChanged = (key: string): boolean =>
    Object.keys(canonicalConfiguration({ [key]: "" })).some((name) => before[name] !== after[name]);
  const keys = [...new Set([...Object.keys(accepted.configuration), ...Object.keys(declared.configuration)])];
  return keys
    .filter(isChanged)
    .sort(compareText)
    .map((key) => [`spec.configuration.${key}`, `/spec/configuration/${key}`, (spec) => spec.configuration[key]]);
}

/** Where the field stands, in either of the places it may have, or what it would stand in. */
function placeOf(pointer: string, positions: JobManifest["positions"]): Position | undefined {
  const twin = positions.get(pointer.replace("/artifactRef/jarOptions/", "/jarOptions/"));
  if (twin !== undefined) return twin;
  for (let at = pointer; at !== ""; at = at.slice(0, at.lastIndexOf("/"))) {
    const position = positions.get(at);
    if (position !== undefined) return position;
  }
  return undefined;
}

/** `orders.yaml:12:5 spec.flinkVersion was 1.16 and is 1.17`. */
export function formatSpecChange(change: SpecChange): string {
  const place = change.at === undefined ? "" : `${formatPosition(change.at)} `;
  if (change.accepted === undefined) return `${place}${change.field} was not set and is ${change.declared}`;
  if (change.declared === undefined) return `${place}${change.field} was ${change.accepted} and is not set`;
  return `${place}${change.field} was ${change.accepted} and is ${change.declared}`;
}

function withMember<T extends object, K extends keyof T>(into: T, key: K, value: T[K] | undefined): T {
  const { [key]: _dropped, ...rest } = into;
  return (value === undefined ? rest : { ...rest, [key]: value }) as T;
}

function show(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  return oneLine(typeof value === "string" ? value : JSON.stringify(value), 120);
}
