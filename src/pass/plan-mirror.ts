import { isDeepStrictEqual } from "node:util";
import type { Manifest } from "../model/manifest.ts";
import { mirroredStatus } from "../model/mirror-status.ts";
import { displayName, resourceKey, type ResourceId, type ResourceKey } from "../model/resource.ts";
import { stateLabel } from "../model/state-label.ts";
import type { Condition, ResourceRecord } from "../model/status.ts";

/** A status that a manifest on the branch does not show yet. */
export interface MirrorEdit {
  readonly key: ResourceKey;
  readonly id: ResourceId;
  readonly path: string;
  readonly status: Readonly<Record<string, unknown>>;
  /** `default/orders: Pending → Ready, Running`. */
  readonly because: string;
}

export interface MirrorInput {
  /** The valid manifests of the branch's head, with the blocks that stand there now. */
  readonly manifests: readonly Manifest[];
  readonly records: ReadonlyMap<ResourceKey, ResourceRecord>;
  /** Those of the daemon's configuration. What belongs to another zone is another daemon's to show, or the two would take turns. */
  readonly zones: ReadonlySet<string>;
}

/** Which manifests do not show their newest status. Compares what the blocks mean, not how they are written. Pure. */
export function planMirror({ manifests, records, zones }: MirrorInput): readonly MirrorEdit[] {
  const edits: MirrorEdit[] = [];
  for (const { id, source, mirrored } of manifests) {
    const record = zones.has(id.zone) ? records.get(resourceKey(id)) : undefined;
    if (record === undefined) continue;
    const status = mirroredStatus(record);
    if (isDeepStrictEqual(status, mirrored)) continue;
    edits.push({ key: resourceKey(id), id, path: source.path, status, because: describeEdit(record, mirrored) });
  }
  // Jobs first: they are what a person looks for in the subject of a commit.
  return edits.toSorted((a, b) => Number(b.id.kind === "Job") - Number(a.id.kind === "Job"));
}

function describeEdit({ id, kind, status }: ResourceRecord, mirrored: unknown): string {
  const name = `${kind === "Job" ? "" : `${kind} `}${displayName(id)}`;
  const [from, to] = [labelOf(mirrored), stateLabel(status)];
  return from === to ? `${name}: ${describeConditions(status.conditions, mirrored)}` : `${name}: ${from} → ${to}`;
}

/** The first condition that the block does not show, in the words of the status branch's own commits. */
function describeConditions(conditions: readonly Condition[], mirrored: unknown): string {
  const shown: unknown = Reflect.get(Object(mirrored), "conditions");
  const isShown = (condition: Condition): boolean =>
    Array.isArray(shown) && shown.some((other: unknown) => isDeepStrictEqual(other, condition));
  const first = conditions.find((condition) => !isShown(condition));
  return first === undefined ? "details" : `${first.type} ${first.status} (${first.reason})`;
}

/** What a block says, which anybody may have written. */
function labelOf(mirrored: unknown): string {
  if (typeof mirrored !== "object" || mirrored === null) return "new";
  const [phase, state] = [Reflect.get(mirrored, "phase") as unknown, Reflect.get(mirrored, "flinkJobState") as unknown];
  if (!isWord(phase) || phase === "") return "new";
  return stateLabel({ phase, ...(isWord(state) ? { flinkJobState: state } : {}) });
}

function isWord(value: unknown): value is string {
  return typeof value === "string" && /^\w{0,20}$/.test(value);
}
