import type { ArtifactManifest, JobManifest, SavepointManifest } from "../model/manifest.ts";
import type { ResourceId, ResourceKey } from "../model/resource.ts";
import type { ArtifactRecord, JobRecord, SavepointRecord } from "../model/status.ts";

/**
 * What Git says of one resource now. `broken`: a document with this identity stands there and has problems, so nothing changes for
 * what runs under it. `absent`: no document has this identity.
 */
export type Declared<M> =
  | { readonly kind: "declared"; readonly manifest: M }
  | { readonly kind: "broken" }
  | { readonly kind: "absent" };

interface DesiredBase<M, R> {
  readonly key: ResourceKey;
  readonly id: ResourceId;
  readonly declared: Declared<M>;
  /** What the status branch holds of it; undefined for what is new. */
  readonly record: R | undefined;
  /** Its file in the status branch cannot be understood: whether it ever ran is not known, so nothing is done with it. */
  readonly recordProblem: string | undefined;
}

export type DesiredJob = DesiredBase<JobManifest, JobRecord> & { readonly artifactKey: ResourceKey | undefined };

/** Nothing was ever announced for it, by all that the status branch tells. */
export function hasNoPast({ record }: DesiredJob): boolean {
  if (record === undefined) return true;
  const { attempt, flinkJobId, operation, deleted } = record.status;
  return attempt === 0 && flinkJobId === undefined && operation === undefined && deleted === undefined;
}

export type DesiredArtifact = DesiredBase<ArtifactManifest, ArtifactRecord> & {
  /** For `path` sources: what lies at that path in the applied commit. */
  readonly entry: PathEntry | undefined;
};

export type DesiredSavepoint = DesiredBase<SavepointManifest, SavepointRecord>;

export type PathEntry =
  | { readonly kind: "file"; readonly commit: string; readonly blob: string }
  | { readonly kind: "other"; readonly because: string };

/** Every resource that is declared or recorded, each list sorted by key. */
export interface Desired {
  readonly jobs: readonly DesiredJob[];
  readonly artifacts: readonly DesiredArtifact[];
  readonly savepoints: readonly DesiredSavepoint[];
}
