import type { Retry } from "../common/errors.ts";
import { oneLine } from "../common/text.ts";

/** Why there is no jar, as one CamelCase word: the `reason` of the Artifact's condition. */
export type FailureReason =
  | "NoMavenRepository"
  | "NotFound"
  | "NotAuthorized"
  | "DownloadFailed"
  | "TimedOut"
  | "TooLarge"
  | "RedirectRefused"
  | "AddressRefused"
  | "PlainHttpRefused"
  | "NoChecksum"
  | "ChecksumMismatch"
  | "DigestMismatch"
  | "FileMissing"
  | "LfsPointer"
  | "BlobUnreadable"
  | "NotAJar"
  | "JarNotExtensible"
  | "BytesGone"
  | "DiskFull"
  | "CacheUnusable"
  | "InternalError";

/** The bytes of an Artifact cannot be had or used now. The message is one line for people and free of secrets and of changing numbers. */
export class ArtifactError extends Error {
  override readonly name = "ArtifactError";
  readonly code = "artifact-unavailable";
  readonly retry: Retry = "next-pass";
  readonly data: { readonly reason: FailureReason };

  constructor(reason: FailureReason, message: string, options?: ErrorOptions) {
    super(oneLine(message), options);
    this.data = { reason };
  }
}

const FULL = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

/** What a failed call of the file system under the cache folder means for people. Whatever else it is passes as it is. */
export function diskFailure(error: unknown, folder: string): unknown {
  if (!isDiskError(error)) return error;
  const code = codeOf(error);
  if (FULL.has(code)) {
    const message = `the disk under artifacts.cacheDir (${folder}) is full (${code}): make room there, or set another folder`;
    return new ArtifactError("DiskFull", message, { cause: error });
  }
  const message = `the folder artifacts.cacheDir (${folder}) cannot be used (${code}): give it a folder that Penstock may write to`;
  return new ArtifactError("CacheUnusable", message, { cause: error });
}

/** Only errors of the operating system name the call that failed. */
export function isDiskError(error: unknown): error is Error {
  return error instanceof Error && "syscall" in error;
}

/** `ENOENT` and its like; empty when the error has none. */
export function codeOf(error: unknown): string {
  const code: unknown = error instanceof Error ? Reflect.get(error, "code") : undefined;
  return typeof code === "string" ? code : "";
}
