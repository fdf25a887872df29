import { printYaml } from "../common/print-yaml.ts";
import type { JobManifest } from "./manifest.ts";
import { API_VERSION, siblingKey, type Kind, type ResourceId, type ResourceKey } from "./resource.ts";
import { jobSpecFields, savepointSpecFields } from "./spec-fields.ts";

/** One line each, so that they fit into a sentence; block style would break there, and quoted text may not be folded. */
const ONE_LINE = { collectionStyle: "flow", lineWidth: 0, doubleQuotedMinMultiLineLength: Number.MAX_SAFE_INTEGER } as const;

export interface UpgradeManifests {
  readonly savepoint: string;
  readonly job: string;
}

/**
 * The way out of a change that is refused, ready to paste: the Final Savepoint of the Job that runs, and the changed Job under another name,
 * starting from it. Names that are `taken` are not offered.
 */
export function upgradeManifests(changed: JobManifest, taken: ReadonlySet<ResourceKey>): UpgradeManifests {
  const { id, spec, labels } = changed;
  const isFree = (kind: Kind) => (name: string) => !taken.has(siblingKey(id, kind, name));
  const savepoint = firstFree(`${id.name}-final`, isFree("Savepoint"));
  const name = firstFree(nextName(id.name), isFree("Job"));
  const initialState = { savepoint, allowNonRestoredState: spec.initialState?.allowNonRestoredState ?? false };
  const fields = jobSpecFields({ ...spec, rpus: Math.max(1, spec.rpus), initialState });
  return {
    savepoint: finalSavepointManifest(id, savepoint),
    job: formatManifest({ ...id, kind: "Job", name }, fields, labels),
  };
}

/** The Final Savepoint of a Job, as one line. */
export function finalSavepointManifest(job: ResourceId, name = `${job.name}-final`): string {
  const { deletionPolicy: _default, ...spec } = savepointSpecFields({
    type: "Final",
    job: job.name,
    shutdownMethod: "Graceful",
    deletionPolicy: "Retain",
  }) as Readonly<Record<string, unknown>>;
  return formatManifest({ ...job, kind: "Savepoint", name }, spec, {});
}

function formatManifest({ kind, zone, project, name }: ResourceId, spec: object, labels: JobManifest["labels"]): string {
  const metadata = { name, project, ...(Object.keys(labels).length === 0 ? {} : { labels }) };
  return printYaml({ apiVersion: API_VERSION, kind, zone, metadata, spec }, ONE_LINE).trimEnd();
}

function firstFree(name: string, isFree: (name: string) => boolean): string {
  let candidate = name;
  while (!isFree(candidate)) candidate = nextName(candidate);
  return candidate;
}

/** `orders-v1` → `orders-v2`, `orders-0.1` → `orders-0.2`, `orders` → `orders-v2`. */
function nextName(name: string): string {
  const match = /^(.*?)(\d{1,9})$/.exec(name);
  return match === null ? `${name}-v2` : `${match[1]}${Number(match[2]) + 1}`;
}
