import { read } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { promisify } from "node:util";
import { inflateRaw } from "node:zlib";
import { type Entry, fromRandomAccessReaderPromise, RandomAccessReader, type ZipFile } from "yauzl";

/** An entry of a jar as Java names it; `name` is UTF-8 whatever the entry's flags say. */
export interface JarEntry {
  readonly name: string;
  readonly entry: Entry;
}

/** An open jar: entries in the order of its central directory. Only that is read; nothing is ever extracted by name. */
export interface JarFile {
  entries(): AsyncIterable<JarEntry>;
  /** The content, or undefined when it weighs more than `maxBytes`, packed or not, or is encrypted. */
  read(entry: Entry, maxBytes: number): Promise<Buffer | undefined>;
}

/** Opens a jar for the time of `work`. Rejects with yauzl's error when it is malformed. */
export async function withJarFile<T>(path: string, work: (jar: JarFile) => Promise<T>): Promise<T> {
  const handle = await open(path);
  try {
    const { size } = await handle.stat();
    const options = { autoClose: false, decodeStrings: false, validateEntrySizes: true };
    const reader = new WindowReader(handle);
    const working = async (): Promise<T> => {
      const zip = await fromRandomAccessReaderPromise(reader, size, options);
      return work({ entries: () => entriesOf(zip), read: (entry, maxBytes) => readEntry(handle, zip, entry, maxBytes) });
    };
    return await Promise.race([working(), reader.thrown]);
  } finally {
    await handle.close();
  }
}

async function* entriesOf(zip: ZipFile): AsyncGenerator<JarEntry> {
  for await (const entry of zip.eachEntry()) yield { name: entry.fileNameRaw.toString("utf8"), entry };
}

async function readEntry(handle: FileHandle, zip: ZipFile, entry: Entry, maxBytes: number): Promise<Buffer | undefined> {
  // A little more when packed than unpacked is normal for what does not compress.
  if (!entry.canDecodeFileData() || entry.uncompressedSize > maxBytes || entry.compressedSize > maxBytes + 1024) return undefined;
  const { fileDataStart } = await zip.readLocalFileHeaderPromise(entry, { minimal: true });
  const packed = Buffer.alloc(entry.compressedSize);
  const { bytesRead } = await handle.read(packed, 0, packed.length, fileDataStart);
  if (bytesRead < packed.length) throw new Error("unexpected end of the file");
  if (entry.compressionMethod === 0) return packed;
  return promisify(inflateRaw)(packed, { maxOutputLength: Math.max(1, entry.uncompressedSize) });
}

const WINDOW_BYTES = 256 * 1024;
const CUT_OFF = "unexpected end of the file";

/** Reads ahead: yauzl asks for each entry's 46 bytes and name one after the other, which is 60 times slower by single reads. */
class WindowReader extends RandomAccessReader {
  readonly #handle: FileHandle;
  #window = Buffer.alloc(0);
  #start = 0;
  /** Rejects with what yauzl throws when it is handed some bytes: nobody else would catch that, and it would end the process. */
  readonly thrown: Promise<never>;
  readonly #throw: (error: unknown) => void;

  constructor(handle: FileHandle) {
    super();
    this.#handle = handle;
    const { promise, reject } = Promise.withResolvers<never>();
    this.thrown = promise;
    this.#throw = reject;
    promise.catch(() => undefined); // it may come when nobody waits any more
  }

  override read(buffer: Buffer, offset: number, length: number, position: number, callback: (err: Error | null) => void): void {
    const answer = (error: Error | null): void => this.#answer(callback, error);
    if (this.#copy(buffer, offset, length, position)) return queueMicrotask(() => answer(null));
    // Zip64 has room for any lie about where things are.
    if (!Number.isSafeInteger(position) || position < 0) return queueMicrotask(() => answer(new Error(CUT_OFF)));
    const window = Buffer.allocUnsafe(Math.max(length, WINDOW_BYTES));
    read(this.#handle.fd, window, 0, window.length, position, (error, bytesRead) => {
      if (error !== null) return answer(error);
      this.#window = window.subarray(0, bytesRead);
      this.#start = position;
      answer(this.#copy(buffer, offset, length, position) ? null : new Error(CUT_OFF));
    });
  }

  #answer(callback: (err: Error | null) => void, error: Error | null): void {
    try {
      callback(error);
    } catch (thrown) {
      this.#throw(thrown);
    }
  }

  override close(callback: (err: Error | null) => void): void {
    callback(null); // the handle belongs to withJarFile
  }

  #copy(buffer: Buffer, offset: number, length: number, position: number): boolean {
    const from = position - this.#start;
    if (from < 0 || from + length > this.#window.length) return false;
    this.#window.copy(buffer, offset, from, from + length);
    return true;
  }
}
