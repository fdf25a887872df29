import type { FileHandle } from "node:fs/promises";

/** The end of a zip file, as far as one needs it to add an entry: its table of contents and where that starts. */
export interface ZipDirectory {
  readonly offset: number;
  readonly records: readonly ZipRecord[];
  readonly comment: Buffer;
}

/** One record of the table of contents, byte for byte. */
export interface ZipRecord {
  readonly name: string;
  readonly bytes: Buffer;
}

/** The file's structure does not allow to add an entry to it; the message says why. */
export class ZipStructureError extends Error {
  override readonly name = "ZipStructureError";
}

const END_SIGNATURE = 0x06054b50;
const END_BYTES = 22;
const LOCATOR_SIGNATURE = 0x07064b50;
const LOCATOR_BYTES = 20;
const END64_SIGNATURE = 0x06064b50;
const END64_BYTES = 56;
const RECORD_SIGNATURE = 0x02014b50;
const RECORD_BYTES = 46;
const MAX_COMMENT_BYTES = 0xffff;
const MAX_DIRECTORY_BYTES = 64 * 1024 * 1024;
/** What larger numbers are written as, to be looked up in the zip64 record. */
const MAX_16 = 0xffff;
const MAX_32 = 0xffffffff;

interface End {
  readonly count: number;
  readonly size: number;
  readonly offset: number;
  /** Where the table of contents must end: at the first of the end records. */
  readonly position: number;
  readonly comment: Buffer;
}

/** Reads the table of contents of a zip of `fileSize` bytes. Throws a ZipStructureError where it does not hold together. */
export async function readZipDirectory(handle: FileHandle, fileSize: number): Promise<ZipDirectory> {
  const end = await readEnd(handle, fileSize);
  if (end.size > MAX_DIRECTORY_BYTES) throw new ZipStructureError("its table of contents is larger than 64 MB");
  if (end.offset + end.size !== end.position)
    throw new ZipStructureError("other data lies before or behind its table of contents");
  const bytes = await readExactly(handle, end.offset, end.size);
  const records: ZipRecord[] = [];
  let at = 0;
  while (at < bytes.length) {
    const record = recordAt(bytes, at);
    records.push(record);
    at += record.bytes.length;
  }
  if (records.length !== end.count) throw new ZipStructureError("its table of contents has another length than it says");
  return { offset: end.offset, records, comment: end.comment };
}

/** The end of a zip whose table of contents lies at `offset`, weighs `size` and has `count` records; with zip64 records where they are needed. */
export function buildZipEnd(end: {
  readonly offset: number;
  readonly size: number;
  readonly count: number;
  readonly comment: Buffer;
}): Buffer {
  const { offset, size, count, comment } = end;
  const fixed = Buffer.alloc(END_BYTES);
  fixed.writeUInt32LE(END_SIGNATURE, 0);
  fixed.writeUInt16LE(Math.min(count, MAX_16), 8);
  fixed.writeUInt16LE(Math.min(count, MAX_16), 10);
  fixed.writeUInt32LE(Math.min(size, MAX_32), 12);
  fixed.writeUInt32LE(Math.min(offset, MAX_32), 16);
  fixed.writeUInt16LE(comment.length, 20);
  const isLarge = count >= MAX_16 || size >= MAX_32 || offset >= MAX_32;
  return Buffer.concat([...(isLarge ? [buildEnd64(offset, size, count)] : []), fixed, comment]);
}

function buildEnd64(offset: number, size: number, count: number): Buffer {
  const bytes = Buffer.alloc(END64_BYTES + LOCATOR_BYTES);
  bytes.writeUInt32LE(END64_SIGNATURE, 0);
  bytes.writeBigUInt64LE(BigInt(END64_BYTES - 12), 4);
  bytes.writeUInt16LE(45, 12); // made by and needed to read: version 4.5, the first with zip64
  bytes.writeUInt16LE(45, 14);
  bytes.writeBigUInt64LE(BigInt(count), 24);
  bytes.writeBigUInt64LE(BigInt(count), 32);
  bytes.writeBigUInt64LE(BigInt(size), 40);
  bytes.writeBigUInt64LE(BigInt(offset), 48);
  bytes.writeUInt32LE(LOCATOR_SIGNATURE, END64_BYTES);
  bytes.writeBigUInt64LE(BigInt(offset + size), END64_BYTES + 8);
  bytes.writeUInt32LE(1, END64_BYTES + 16); // number of disks
  return bytes;
}

async function readEnd(handle: FileHandle, fileSize: number): Promise<End> {
  const length = Math.min(fileSize, LOCATOR_BYTES + END_BYTES + MAX_COMMENT_BYTES);
  const tail = await readExactly(handle, fileSize - length, length);
  const at = findEnd(tail);
  const position = fileSize - length + at;
  const [disk, firstDisk] = [tail.readUInt16LE(at + 4), tail.readUInt16LE(at + 6)];
  if (disk !== 0 || firstDisk !== 0) throw new ZipStructureError("it is one part of several");
  const comment = Buffer.from(tail.subarray(at + END_BYTES));
  const locator = at >= LOCATOR_BYTES ? tail.subarray(at - LOCATOR_BYTES, at) : undefined;
  if (locator?.readUInt32LE(0) === LOCATOR_SIGNATURE) return readEnd64(handle, locator, fileSize, comment);
  return {
    count: tail.readUInt16LE(at + 10),
    size: tail.readUInt32LE(at + 12),
    offset: tail.readUInt32LE(at + 16),
    position,
    comment,
  };
}

async function readEnd64(handle: FileHandle, locator: Buffer, fileSize: number, comment: Buffer): Promise<End> {
  const position = safeNumber(locator.readBigUInt64LE(8));
  if (position + END64_BYTES > fileSize) throw new ZipStructureError("its zip64 record lies beyond its end");
  const record = await readExactly(handle, position, END64_BYTES);
  if (record.readUInt32LE(0) !== END64_SIGNATURE) throw new ZipStructureError("its zip64 record is not where it should be");
  return {
    count: safeNumber(record.readBigUInt64LE(32)),
    size: safeNumber(record.readBigUInt64LE(40)),
    offset: safeNumber(record.readBigUInt64LE(48)),
    position,
    comment,
  };
}

/** The last place where the end record stands with a comment that reaches exactly to the end of the file. */
function findEnd(tail: Buffer): number {
  for (let at = tail.length - END_BYTES; at >= 0; at -= 1) {
    if (tail.readUInt32LE(at) === END_SIGNATURE && at + END_BYTES + tail.readUInt16LE(at + 20) === tail.length) return at;
  }
  throw new ZipStructureError("it has no end record: it is cut off, or no jar");
}

function recordAt(bytes: Buffer, at: number): ZipRecord {
  if (at + RECORD_BYTES > bytes.length || bytes.readUInt32LE(at) !== RECORD_SIGNATURE) {
    throw new ZipStructureError("its table of contents is damaged");
  }
  const nameLength = bytes.readUInt16LE(at + 28);
  const end = at + RECORD_BYTES + nameLength + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
  if (end > bytes.length) throw new ZipStructureError("its table of contents is damaged");
  const name = bytes.toString("utf8", at + RECORD_BYTES, at + RECORD_BYTES + nameLength);
  return { name, bytes: bytes.subarray(at, end) };
}

async function readExactly(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  let read = 0;
  while (read < length) {
    const { bytesRead } = await handle.read(buffer, read, length - read, position + read);
    if (bytesRead === 0) throw new ZipStructureError("it ends too early");
    read += bytesRead;
  }
  return buffer;
}

function safeNumber(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new ZipStructureError("its zip64 record holds impossible numbers");
  return Number(value);
}
