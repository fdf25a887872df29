import { constants } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { messageOf } from "../common/errors.ts";
import { oneLine } from "../common/text.ts";
import { formatDuration, formatSize } from "../common/units.ts";

export type FileContent = { readonly content: Buffer } | { readonly problem: string };

export interface ReadLimits {
  readonly maxBytes: number;
  readonly timeoutMs: number;
}

/**
 * A whole file that the operator named, or the reason why it cannot be had, as the end of a sentence. Only an abort of `signal` is
 * thrown. What is no ordinary file is refused: a pipe would keep the daemon waiting, a device never ends.
 */
export async function readFileAtMost(path: string, limits: ReadLimits, signal?: AbortSignal): Promise<FileContent> {
  const timeout = AbortSignal.timeout(limits.timeoutMs);
  const leaving = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
  try {
    return await untilAborted(readOrdinaryFile(path, limits.maxBytes, leaving), leaving);
  } catch (error) {
    signal?.throwIfAborted();
    if (timeout.aborted) return { problem: `did not answer within ${formatDuration(limits.timeoutMs)}` };
    return { problem: describe(error) };
  }
}

async function readOrdinaryFile(path: string, maxBytes: number, signal: AbortSignal): Promise<FileContent> {
  // Without waiting for whoever should write into a pipe.
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stat = await handle.stat();
    if (stat.isDirectory()) return { problem: "is a folder, not a file" };
    if (!stat.isFile()) return { problem: "is no ordinary file" };
    const content = await readUpTo(handle, maxBytes + 1, signal);
    return content.byteLength > maxBytes ? { problem: `is larger than ${formatSize(maxBytes)}` } : { content };
  } finally {
    await handle.close();
  }
}

/** Does not trust the size that the file claims: it may grow. */
async function readUpTo(handle: FileHandle, maxBytes: number, signal: AbortSignal): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  while (size < maxBytes) {
    signal.throwIfAborted();
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(Math.min(65_536, maxBytes - size)));
    if (bytesRead === 0) break;
    chunks.push(buffer.subarray(0, bytesRead));
    size += bytesRead;
  }
  return Buffer.concat(chunks, size);
}

/** A dead network disk never answers, and cannot be interrupted: then the work is left to itself. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason as Error);
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  work.catch(() => undefined); // its failure after an abort interests nobody
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "does not exist",
  ENOTDIR: "does not exist: a part of its path is no folder",
  EACCES: "may not be read by this user; change its owner or its permissions",
  EPERM: "may not be read by this user; change its owner or its permissions",
  ELOOP: "is a symbolic link that leads to itself",
};

function describe(error: unknown): string {
  const code: unknown = error instanceof Error ? Reflect.get(error, "code") : undefined;
  const known = typeof code === "string" ? REASONS[code] : undefined;
  return known ?? `cannot be read (${oneLine(messageOf(error), 200)})`;
}
