/** What a compiled Java class says about itself, as far as an entry class is concerned. */
export interface ClassFile {
  /** The Java release that it needs at least: 17 of class files of version 61. */
  readonly javaVersion: number;
  /** With dots; undefined only for java.lang.Object. */
  readonly superclass: string | undefined;
  readonly methods: readonly ClassMethod[];
}

export interface ClassMethod {
  readonly name: string;
  readonly descriptor: string;
  readonly isPublic: boolean;
  readonly isStatic: boolean;
}

const MAGIC = 0xca_fe_ba_be;
const ACC_PUBLIC = 0x0001;
const ACC_STATIC = 0x0008;
/** Bytes behind the tag of each kind of constant, by the tag; 1 (text) has its own length. */
const CONSTANT_SIZES: Readonly<Record<number, number>> = {
  3: 4,
  4: 4,
  5: 8,
  6: 8,
  7: 2,
  8: 2,
  9: 4,
  10: 4,
  11: 4,
  12: 4,
  15: 3,
  16: 2,
  17: 4,
  18: 4,
  19: 2,
  20: 2,
};

/** Throws a RangeError or TypeError when the bytes are no class file that is understood. */
export function parseClassFile(bytes: Buffer): ClassFile {
  const reader = new ByteReader(bytes);
  if (reader.u4() !== MAGIC) throw new TypeError("no class file");
  reader.skip(2); // minor version
  const javaVersion = reader.u2() - 44; // 45 was Java 1.1, and one more for each release since 1.2
  const constants = readConstants(reader);
  const textAt = (index: number): string => {
    const found = constants[index];
    if (typeof found !== "string") throw new TypeError("a name points to no text");
    return found;
  };
  reader.skip(4); // access flags and the class itself
  const superclass = constants[reader.u2()];
  reader.skip(2 * reader.u2()); // interfaces
  skipFields(reader);
  const methods = Array.from({ length: reader.u2() }, () => readMethod(reader, textAt));
  return {
    javaVersion,
    superclass: typeof superclass === "number" ? textAt(superclass).replaceAll("/", ".") : undefined,
    methods,
  };
}

/** Texts as such, classes as the index of their name, nothing for the rest. */
function readConstants(reader: ByteReader): readonly (string | number | undefined)[] {
  const count = reader.u2();
  const constants = Array.from<string | number | undefined>({ length: count });
  for (let index = 1; index < count; index += 1) {
    const tag = reader.u1();
    if (tag === 1) constants[index] = reader.text(reader.u2());
    else if (tag === 7) constants[index] = reader.u2();
    else reader.skip(sizeOf(tag));
    if (tag === 5 || tag === 6) index += 1; // long and double take two places
  }
  return constants;
}

function sizeOf(tag: number): number {
  const size = CONSTANT_SIZES[tag];
  if (size === undefined) throw new TypeError(`unknown constant ${tag}`);
  return size;
}

function skipFields(reader: ByteReader): void {
  for (let left = reader.u2(); left > 0; left -= 1) {
    reader.skip(6);
    skipAttributes(reader);
  }
}

function readMethod(reader: ByteReader, textAt: (index: number) => string): ClassMethod {
  const access = reader.u2();
  const name = textAt(reader.u2());
  const descriptor = textAt(reader.u2());
  skipAttributes(reader);
  return { name, descriptor, isPublic: (access & ACC_PUBLIC) !== 0, isStatic: (access & ACC_STATIC) !== 0 };
}

function skipAttributes(reader: ByteReader): void {
  for (let left = reader.u2(); left > 0; left -= 1) {
    reader.skip(2);
    reader.skip(reader.u4());
  }
}

/** Big-endian, from front to back; every step beyond the end throws a RangeError. */
class ByteReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  u1(): number {
    return this.#bytes.readUInt8(this.#advance(1));
  }

  u2(): number {
    return this.#bytes.readUInt16BE(this.#advance(2));
  }

  u4(): number {
    return this.#bytes.readUInt32BE(this.#advance(4));
  }

  text(length: number): string {
    const start = this.#advance(length);
    return this.#bytes.toString("utf8", start, start + length);
  }

  skip(length: number): void {
    this.#advance(length);
  }

  #advance(length: number): number {
    const start = this.#at;
    if (start + length > this.#bytes.length) throw new RangeError("the class file ends too early");
    this.#at += length;
    return start;
  }
}
