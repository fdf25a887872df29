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

/** A file system can hang for ever, and its calls know no signal. */
export async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    signal.throwIfAborted();
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", abort);
    work.catch(() => {}); // When the race is over without it, nobody is left to be told how it ended.
  }
}
