import { open, type FileHandle } from "node:fs/promises";
import { crc32 } from "node:zlib";
import { ArtifactError } from "./artifact-error.ts";
import { buildZipEnd, readZipDirectory, ZipStructureError } from "./zip-directory.ts";

export interface AddedClass {
  readonly from: string;
  /** Must not exist yet. When the call fails it may be there half-written: the caller gives a temporary path and removes it. */
  readonly to: string;
  /** With dots. */
  readonly className: string;
  readonly classBytes: Uint8Array;
}

const MAX_OFFSET = 0xfffffffe;
const COPY_BYTES = 1024 * 1024;
/** 1 January 1980, midnight: the first day that a zip knows. Always the same, so that equal jars give equal bytes. */
const DOS_DATE = 0x0021;
const VERSION_NEEDED = 20;

/**
 * Writes a copy of a jar with one more class in it. The jar's own entries are copied as they are, unread; a class of that name
 * that it holds already is replaced. The class is stored uncompressed, so that the result depends on nothing but the input.
 */
export async function addClassToJar(added: AddedClass, signal: AbortSignal): Promise<void> {
  const from = await open(added.from);
  try {
    const { size } = await from.stat();
    const directory = await readZipDirectory(from, size);
    if (directory.offset > MAX_OFFSET) throw new ZipStructureError("it is larger than 4 GB");
    const name = `${added.className.replaceAll(".", "/")}.class`;
    const entry = describeEntry(name, added.classBytes);
    const kept = directory.records.filter((record) => record.name !== name).map((record) => record.bytes);
    const records = Buffer.concat([...kept, buildRecord(entry, directory.offset)]);
    const local = buildLocalEntry(entry, added.classBytes);
    const end = { offset: directory.offset + local.length, size: records.length, count: kept.length + 1 };
    const tail = Buffer.concat([local, records, buildZipEnd({ ...end, comment: directory.comment })]);
    await writeCopy(from, directory.offset, tail, added.to, signal);
  } catch (error) {
    if (!(error instanceof ZipStructureError)) throw error;
    const message = `the options cannot be put into the jar, as Flink 1.16 needs it: ${error.message}`;
    throw new ArtifactError("JarNotExtensible", message, { cause: error });
  } finally {
    await from.close();
  }
}

async function writeCopy(from: FileHandle, length: number, tail: Buffer, to: string, signal: AbortSignal): Promise<void> {
  const target = await open(to, "wx");
  try {
    const buffer = Buffer.allocUnsafe(Math.min(COPY_BYTES, Math.max(1, length)));
    let copied = 0;
    while (copied < length) {
      signal.throwIfAborted();
      const { bytesRead } = await from.read(buffer, 0, Math.min(buffer.length, length - copied), copied);
      if (bytesRead === 0) throw new ZipStructureError("it became shorter while it was read");
      await target.writeFile(buffer.subarray(0, bytesRead)); // goes on where the last one ended
      copied += bytesRead;
    }
    await target.writeFile(tail);
  } finally {
    await target.close();
  }
}

interface EntryDescription {
  readonly name: Buffer;
  readonly crc: number;
  readonly size: number;
}

function describeEntry(name: string, content: Uint8Array): EntryDescription {
  return { name: Buffer.from(name, "utf8"), crc: crc32(content), size: content.byteLength };
}

function buildLocalEntry(entry: EntryDescription, content: Uint8Array): Buffer {
  const header = Buffer.alloc(30);
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt16LE(VERSION_NEEDED, 4);
  writeCommonFields(header, 6, entry);
  return Buffer.concat([header, entry.name, content]);
}

function buildRecord(entry: EntryDescription, localOffset: number): Buffer {
  const record = Buffer.alloc(46);
  record.writeUInt32LE(0x02014b50, 0);
  record.writeUInt16LE(VERSION_NEEDED, 4); // made by; 0 in the upper byte: no rights of a file system
  record.writeUInt16LE(VERSION_NEEDED, 6);
  writeCommonFields(record, 8, entry);
  record.writeUInt32LE(localOffset, 42);
  return Buffer.concat([record, entry.name]);
}

/** From the flags to the length of the extra field: the same in both headers. Flags, method (stored), time and extra field are 0. */
function writeCommonFields(header: Buffer, at: number, { name, crc, size }: EntryDescription): void {
  header.writeUInt16LE(0x0800, at); // the name is UTF-8
  header.writeUInt16LE(DOS_DATE, at + 6);
  header.writeUInt32LE(crc, at + 8);
  header.writeUInt32LE(size, at + 12);
  header.writeUInt32LE(size, at + 16);
  header.writeUInt16LE(name.length, at + 20);
}
