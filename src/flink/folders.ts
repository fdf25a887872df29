/** A file system that can be listed. Folders and files are named by uris without a trailing slash. */
export interface Folders {
  /** The names of the sub-folders that begin with `prefix`; undefined when there is no such folder. */
  namesIn(folder: string, prefix: string, signal: AbortSignal): Promise<readonly string[] | undefined>;
  /** When the file was written; undefined when there is none, or nothing in it. */
  writtenAtMs(file: string, signal: AbortSignal): Promise<number | undefined>;
  /** Whether a folder that is missing is known to be missing, and not only out of sight from here. */
  sees(missingFolder: string): Promise<boolean>;
}

/** More folders than that in one place are nothing that a job of Flink makes. */
export const MAX_FOLDERS = 20_000;

/** The folder around this one. */
export function parentOf(uri: string): string {
  return uri.slice(0, uri.lastIndexOf("/"));
}
