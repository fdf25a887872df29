import { formatPosition, type Position } from "../common/problem.ts";
import { oneLine } from "../common/text.ts";
import { jobSpecHash } from "./canonical-spec.ts";
import type { JobManifest, JobSpec } from "./manifest.ts";

/** One immutable field that was changed. Values are as written, undefined where the field is not set. */
export interface SpecChange {
  readonly field: string;
  readonly accepted: string | undefined;
  readonly declared: string | undefined;
  readonly at: Position | undefined;
}

type Field = readonly [
  name: string,
  pointer: string,
  read: (spec: JobSpec) => unknown,
  swap: (into: JobSpec, from: JobSpec) => JobSpec,
];

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
  const keys = [...new Set([...Object.keys(accepted.configuration), ...Object.keys(declared.configuration)])].sort();
  const options: Field[] = keys.map((key) => [
    `spec.configuration.${key}`,
    `/spec/configuration/${key}`,
    (spec) => spec.configuration[key],
    (into, from) => ({ ...into, configuration: withMember(into.configuration, key, from.configuration[key]) }),
  ]);
  return [...FIELDS, ...options]
    .filter(([, , , swap]) => jobSpecHash(swap(accepted, declared)) !== hash)
    .map(([field, pointer, read]) => ({
      field,
      accepted: show(read(accepted)),
      declared: show(read(declared)),
      at: manifest.positions.get(pointer),
    }));
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
