import { canonicalJson } from "../common/hash.ts";
import { publicUrl } from "../common/secrets.ts";
import type { ArtifactSource } from "../model/manifest.ts";
import type { ResourceKey } from "../model/resource.ts";
import { formatCoordinates } from "../model/spec-fields.ts";
import type { BlobRef } from "./path-source.ts";

/** Which jar an Artifact stands for. */
export interface ArtifactRequest {
  readonly key: ResourceKey;
  readonly source: ArtifactSource;
  /** Pinned by the manifest, or recorded at the first Ready: other bytes are refused. */
  readonly sha256?: string;
  /** The digest was recorded when the Artifact became Ready: jobs may run with these bytes. */
  readonly recorded?: boolean;
  /** For `path` sources: what the path led to; absent when there is nothing. */
  readonly blob?: BlobRef;
  readonly maxBytes: number;
  /** What Jobs, or the Artifact itself, want to run out of it: looked into along with the jar. */
  readonly entryClasses?: readonly string[];
}

/** Equal for requests that lead to the same place. The commit is left out: the same blob may stand in many. */
export function placeOf({ source, blob }: ArtifactRequest): string {
  return canonicalJson({ source, oid: blob?.oid });
}

/** As a person wrote it in the manifest, without anything secret. */
export function describeSource(source: ArtifactSource): string {
  switch (source.kind) {
    case "path":
      return source.path;
    case "maven":
      return formatCoordinates(source.coordinates);
    case "url":
      return publicUrl(source.url);
    case "s3":
      return `s3://${source.bucket}/${source.key}`;
    default:
      return source satisfies never;
  }
}
