import { createHash } from "node:crypto";
import { deflateSync } from "node:zlib";

type ObjectType = "commit" | "tree" | "blob";

interface NewObject {
  readonly type: ObjectType;
  readonly content: Buffer;
}

const TYPE_NUMBERS: Readonly<Record<ObjectType, number>> = { commit: 1, tree: 2, blob: 3 };

/**
 * Objects that are made here and go to the server in one pack. With zlib itself: isomorphic-git's stream for each object takes 0.7 ms to
 * write and again to pack, 1.4 s for a thousand objects, against 25 ms.
 */
export class NewObjects {
  readonly #objects = new Map<string, NewObject>();

  /** Returns the oid. The same content twice is one object. */
  add(type: ObjectType, content: Buffer): string {
    const oid = createHash("sha1").update(`${type} ${content.length}\0`).update(content).digest("hex");
    this.#objects.set(oid, { type, content });
    return oid;
  }

  buildPack(): Buffer {
    const header = Buffer.from("PACK\0\0\0\u0002\0\0\0\0", "latin1");
    header.writeUInt32BE(this.#objects.size, 8);
    const parts: Buffer[] = [header];
    for (const { type, content } of this.#objects.values()) parts.push(packHeader(type, content.length), deflateSync(content));
    const pack = Buffer.concat(parts);
    return Buffer.concat([pack, createHash("sha1").update(pack).digest()]);
  }

  /** As they lie in a repository's `objects` folder, by oid. */
  buildLoose(): ReadonlyMap<string, Uint8Array> {
    const loose = new Map<string, Uint8Array>();
    for (const [oid, { type, content }] of this.#objects) {
      loose.set(oid, deflateSync(Buffer.concat([Buffer.from(`${type} ${content.length}\0`), content])));
    }
    return loose;
  }
}

/** Type in three bits, then the size: four bits, and seven more as often as needed. */
function packHeader(type: ObjectType, size: number): Buffer {
  const bytes: number[] = [];
  let rest = Math.floor(size / 16);
  let byte = (TYPE_NUMBERS[type] << 4) | (size & 0x0f);
  while (rest > 0) {
    bytes.push(byte | 0x80);
    byte = rest & 0x7f;
    rest = Math.floor(rest / 128);
  }
  return Buffer.from([...bytes, byte]);
}
