import { messageOf } from "../common/errors.ts";
import { isLfsPointer } from "../common/lfs-pointer.ts";
import { formatSize } from "../common/units.ts";
import type { BlobContent } from "../git/manifest-repository.ts";
import { ArtifactError } from "./artifact-error.ts";

/** The bytes of a file of the repository: which blob, and a commit that holds it, should it have to be fetched again. */
export interface BlobRef {
  readonly commit: string;
  readonly oid: string;
}

export type ReadBlob = (blob: BlobRef, maxBytes: number, signal: AbortSignal) => Promise<BlobContent>;

/** The bytes of a file of the repository; an ArtifactError says why there are none. */
export async function readJarBlob(
  path: string,
  blob: BlobRef | undefined,
  readBlob: ReadBlob,
  limits: { readonly maxBytes: number; readonly signal: AbortSignal },
): Promise<Uint8Array> {
  if (blob === undefined) throw new ArtifactError("FileMissing", `${path} is not in the repository`);
  const { maxBytes, signal } = limits;
  const read = await readBlob(blob, maxBytes, signal).catch((error: unknown) => {
    if (signal.aborted) throw signal.reason;
    const message = `${path} cannot be read from the repository: ${messageOf(error)}`;
    throw new ArtifactError("BlobUnreadable", message, { cause: error });
  });
  if (read.kind === "too-large") {
    const message = `${path} is larger than ${formatSize(maxBytes)} (repository.maxBlobSize): publish it and name it with spec.source.maven`;
    throw new ArtifactError("TooLarge", message);
  }
  if (isLfsPointer(read.content)) {
    const message = `${path} is a Git LFS pointer, not the jar itself, and LFS is not read: commit the jar without LFS, or publish it and name it with spec.source.maven`;
    throw new ArtifactError("LfsPointer", message);
  }
  return read.content;
}
