import { createHash } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { inflateSync } from "node:zlib";

export type PackProblem = { readonly kind: "damaged" | "too-large"; readonly message: string };

const HEADER_BYTES = 12;
const HASH_BYTES = 20;
const OFS_DELTA = 6;
const REF_DELTA = 7;
const OBJECTS_BETWEEN_PAUSES = 500;

/**
 * Walks through a pack before anybody believes it: checksum, number of objects, and that each one inflates to the size it states,
 * at most `maxObjectBytes` (a few kilobytes can inflate to gigabytes). Undefined: nothing is wrong with it.
 */
export async function checkPack(pack: Buffer, maxObjectBytes: number): Promise<PackProblem | undefined> {
  if (pack.length < HEADER_BYTES + HASH_BYTES || pack.toString("latin1", 0, 4) !== "PACK" || pack.readUInt32BE(4) !== 2) {
    return damaged("it holds no pack of version 2");
  }
  const end = pack.length - HASH_BYTES;
  if (!createHash("sha1").update(pack.subarray(0, end)).digest().equals(pack.subarray(end))) {
    return damaged("the pack's checksum is wrong");
  }
  const count = pack.readUInt32BE(8);
  let at = HEADER_BYTES;
  for (let index = 0; index < count; index += 1) {
    if (index % OBJECTS_BETWEEN_PAUSES === OBJECTS_BETWEEN_PAUSES - 1) await setImmediate();
    const checked = checkObject(pack.subarray(at, end), maxObjectBytes);
    if (typeof checked !== "number") return checked;
    at += checked;
  }
  return at === end ? undefined : damaged("the pack holds more than it says");
}

/** How many bytes of the pack the object takes. */
function checkObject(data: Buffer, maxObjectBytes: number): number | PackProblem {
  const type = ((data[0] ?? 0) >> 4) & 7;
  const size = readSize(data, 0, 4);
  let at = size.end;
  if (type === REF_DELTA) at += HASH_BYTES;
  if (type === OFS_DELTA) {
    while ((data[at] ?? 0) & 0x80) at += 1;
    at += 1;
  }
  if (size.value > maxObjectBytes) return tooLarge(size.value);
  const inflated = inflate(data.subarray(at), size.value);
  if (inflated === undefined) return damaged("an object does not inflate to the size it states");
  if (type === REF_DELTA || type === OFS_DELTA) {
    const result = readSize(inflated.content, readSize(inflated.content, 0, 7).end, 7);
    if (result.value > maxObjectBytes) return tooLarge(result.value);
  }
  return at + inflated.consumed;
}

function inflate(data: Buffer, size: number): { readonly content: Buffer; readonly consumed: number } | undefined {
  try {
    const result: unknown = inflateSync(data, { info: true, maxOutputLength: Math.max(1, size) });
    const { buffer, engine } = result as { readonly buffer: Buffer; readonly engine: { readonly bytesWritten: number } };
    return buffer.length === size ? { content: buffer, consumed: engine.bytesWritten } : undefined;
  } catch {
    return undefined; // Whatever zlib has to say, the object is damaged.
  }
}

/** A number in groups of seven bits, low ones first; the first group has `firstBits` only. */
function readSize(data: Buffer, start: number, firstBits: 4 | 7): { readonly value: number; readonly end: number } {
  let byte = data[start] ?? 0;
  let value = byte & (firstBits === 4 ? 0x0f : 0x7f);
  let factor = 2 ** firstBits;
  let end = start + 1;
  while (byte & 0x80) {
    byte = data[end] ?? 0;
    value += (byte & 0x7f) * factor;
    factor *= 128;
    end += 1;
  }
  return { value, end };
}

function damaged(message: string): PackProblem {
  return { kind: "damaged", message };
}

function tooLarge(bytes: number): PackProblem {
  return { kind: "too-large", message: `one file of ${bytes} bytes` };
}
