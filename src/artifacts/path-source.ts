import { messageOf } from "../common/errors.ts";
import { formatSize } from "../common/units.ts";
import type { BlobContent } from "../git/manifest-repository.ts";
import { ArtifactError } from "./artifact-error.ts";
import { type LfsPointer, parseLfsPointer } from "./lfs.ts";

/** The bytes of a file of the repository: which blob, and a commit that holds it, should it have to be fetched again. */
export interface BlobRef {
  readonly commit: string;
  readonly oid: string;
}

export type ReadBlob = (blob: BlobRef, maxBytes: number, signal: AbortSignal) => Promise<BlobContent>;

export type JarBlob =
  | { readonly kind: "jar"; readonly bytes: Uint8Array }
  | { readonly kind: "lfs"; readonly pointer: LfsPointer };

/** The bytes of a file of the repository, or where Git LFS keeps them; an ArtifactError says why there are none. */
export async function readJarBlob(
  path: string,
  blob: BlobRef | undefined,
  readBlob: ReadBlob,
  limits: { readonly maxBytes: number; readonly signal: AbortSignal },
): Promise<JarBlob> {
  if (blob === undefined) throw new ArtifactError("FileMissing", `${path} is not in the repository`);
  const { maxBytes, signal } = limits;
  const read = await readBlob(blob, maxBytes, signal).catch((error: unknown) => {
    if (signal.aborted) throw signal.reason;
    const message = `${path} cannot be read from the repository: ${messageOf(error)}`;
    throw new ArtifactError("BlobUnreadable", message, { cause: error });
  });
  if (read.kind === "too-large") {
    const message = `${path} is larger than ${formatSize(maxBytes)} (repository.maxBlobSize): publish it and name it with spec.source.maven, url or s3`;
    throw new ArtifactError("TooLarge", message);
  }
  const pointer = parseLfsPointer(read.content);
  return pointer === undefined ? { kind: "jar", bytes: read.content } : { kind: "lfs", pointer };
}
