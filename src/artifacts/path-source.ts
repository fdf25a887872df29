import { isPenstockError, messageOf } from "../common/errors.ts";
import { formatSize } from "../common/units.ts";
import { ArtifactError } from "./artifact-error.ts";

/** Reads a blob of the repository by its id; rejects when it weighs more than `maxBytes`. */
export type ReadBlob = (oid: string, maxBytes: number, signal: AbortSignal) => Promise<Uint8Array>;

/** What a path of the repository led to in one commit. `mode` is Git's (`100644`, `120000`, …); without it, a file is meant. */
export interface BlobRef {
  readonly commit: string;
  readonly oid: string;
  readonly mode?: string;
}

/** The bytes of a file of the repository; an ArtifactError says why there are none. */
export async function readJarBlob(
  path: string,
  blob: BlobRef | undefined,
  readBlob: ReadBlob,
  limits: { readonly maxBytes: number; readonly signal: AbortSignal },
): Promise<Uint8Array> {
  if (blob === undefined) throw new ArtifactError("FileMissing", `${path} is not in the repository`);
  refuseUnlessFile(path, blob.mode ?? "100644");
  const bytes = await readBlob(blob.oid, limits.maxBytes, limits.signal).catch((error: unknown) => {
    throw limits.signal.aborted ? limits.signal.reason : describeBlobError(error, path, limits.maxBytes);
  });
  if (bytes.byteLength > limits.maxBytes) throw tooLarge(path, limits.maxBytes);
  if (isLfsPointer(bytes)) {
    const message = `${path} is a Git LFS pointer, not the jar itself, and LFS is not read: commit the jar without LFS, or publish it and name it with spec.source.maven`;
    throw new ArtifactError("LfsPointer", message);
  }
  return bytes;
}

function refuseUnlessFile(path: string, mode: string): void {
  if (/^100\d{3}$/.test(mode)) return;
  const refuse = (what: string): ArtifactError =>
    new ArtifactError("NotAFile", `${path} is ${what} in the repository; name the jar file itself`);
  if (mode === "120000") throw refuse("a symbolic link, which is not followed,");
  if (mode === "160000") throw refuse("a submodule");
  if (/^0?40000$/.test(mode)) throw refuse("a folder");
  throw refuse(`no regular file (mode ${mode})`);
}

function isLfsPointer(bytes: Uint8Array): boolean {
  if (bytes.byteLength > 1024) return false;
  return /^version https:\/\/git-lfs\.github\.com\/spec\/v\d+\r?\noid sha256:[0-9a-f]{64}/.test(
    Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1"),
  );
}

function describeBlobError(error: unknown, path: string, maxBytes: number): ArtifactError {
  if (isPenstockError(error) && error.code.includes("too-large")) return tooLarge(path, maxBytes, error);
  return new ArtifactError("BlobUnreadable", `${path} cannot be read from the repository: ${messageOf(error)}`, { cause: error });
}

function tooLarge(path: string, maxBytes: number, cause?: unknown): ArtifactError {
  const message = `${path} is larger than ${formatSize(maxBytes)} (repository.maxBlobSize): publish it and name it with spec.source.maven`;
  return new ArtifactError("TooLarge", message, { cause });
}
