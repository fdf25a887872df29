import { crc32, deflateRawSync } from "node:zlib";

export interface ZipEntry {
  readonly name: string;
  readonly content?: string | Uint8Array;
  /** Deflated by default. */
  readonly stored?: boolean;
  /** What the headers say instead of the truth. */
  readonly declaredSize?: number;
}

export interface ZipOptions {
  /** Writes the zip64 end records even where nobody needs them. */
  readonly zip64?: boolean;
  readonly comment?: string;
}

/** A small zip writer for tests: deterministic, with the liberty to lie. */
export function buildZip(
  entries: readonly ZipEntry[],
  { zip64 = entries.length >= 0xffff, comment = "" }: ZipOptions = {},
): Buffer {
  const locals: Buffer[] = [];
  const records: Buffer[] = [];
  let offset = 0;
  for (const entry of entries) {
    const fields = commonFields(entry);
    const local = Buffer.concat([numbers([0x04034b50, 4], [20, 2]), fields.header, fields.name, fields.packed]);
    records.push(
      Buffer.concat([
        numbers([0x02014b50, 4], [20, 2], [20, 2]),
        fields.header,
        numbers([0, 2], [0, 2], [0, 2], [0, 4], [offset, 4]),
        fields.name,
      ]),
    );
    locals.push(local);
    offset += local.length;
  }
  const directory = Buffer.concat(records);
  const end64 = zip64 ? buildEnd64(entries.length, directory.length, offset) : Buffer.alloc(0);
  const count = zip64 ? 0xffff : entries.length;
  const [size, start] = zip64 ? [0xffffffff, 0xffffffff] : [directory.length, offset];
  const end = numbers([0x06054b50, 4], [0, 2], [0, 2], [count, 2], [count, 2], [size, 4], [start, 4], [comment.length, 2]);
  return Buffer.concat([...locals, directory, end64, end, Buffer.from(comment, "latin1")]);
}

function commonFields({ name, content = "", stored = false, declaredSize }: ZipEntry) {
  const bytes = Buffer.from(content);
  const packed = stored ? bytes : deflateRawSync(bytes);
  const nameBytes = Buffer.from(name, "utf8");
  const sizes: readonly (readonly [number, number])[] = [
    [crc32(bytes), 4],
    [packed.length, 4],
    [declaredSize ?? bytes.length, 4],
  ];
  const header = numbers([0x0800, 2], [stored ? 0 : 8, 2], [0, 2], [0x0021, 2], ...sizes, [nameBytes.length, 2], [0, 2]);
  return { header, name: nameBytes, packed };
}

function buildEnd64(count: number, size: number, offset: number): Buffer {
  const record = numbers(
    [0x06064b50, 4],
    [44, 8],
    [45, 2],
    [45, 2],
    [0, 4],
    [0, 4],
    [count, 8],
    [count, 8],
    [size, 8],
    [offset, 8],
  );
  return Buffer.concat([record, numbers([0x07064b50, 4], [0, 4], [offset + size, 8], [1, 4])]);
}

/** Little-endian, each with its width in bytes. */
function numbers(...fields: readonly (readonly [value: number, width: number])[]): Buffer {
  return Buffer.concat(
    fields.map(([value, width]) => {
      const bytes = Buffer.alloc(width);
      bytes.writeUIntLE(value, 0, Math.min(width, 6));
      return bytes;
    }),
  );
}
