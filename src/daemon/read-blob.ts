import type { BlobRef } from "../artifacts/path-source.ts";
import { GitObjectError } from "../git/errors.ts";
import type { BlobContent, ManifestRepository } from "../git/manifest-repository.ts";

/** The bytes of a recorded commit: one that is not here any more, after a restart or a change of the store, is fetched again by its id. */
export async function readBlobOf(
  manifests: ManifestRepository,
  blob: BlobRef,
  maxBytes: number,
  signal: AbortSignal,
): Promise<BlobContent> {
  try {
    return await manifests.readBlob(blob.oid, maxBytes, signal);
  } catch (error) {
    if (!(error instanceof GitObjectError)) throw error;
    await manifests.readCommit(blob.commit, signal);
    return manifests.readBlob(blob.oid, maxBytes, signal);
  }
}
