export interface ClassSketch {
  readonly name: string;
  readonly superclass?: string;
  /** 8 by default. */
  readonly javaVersion?: number;
  readonly methods?: readonly { readonly name: string; readonly descriptor: string; readonly access: number }[];
}

export const PUBLIC_STATIC = 0x0009;
export const MAIN = { name: "main", descriptor: "([Ljava/lang/String;)V", access: PUBLIC_STATIC };

/** The bytes of a Java class without any code: enough for whoever reads its names, methods and superclass. */
export function buildClass({ name, superclass = "java.lang.Object", javaVersion = 8, methods = [MAIN] }: ClassSketch): Buffer {
  const constants: Buffer[] = [];
  const add = (...bytes: readonly Buffer[]) => constants.push(Buffer.concat(bytes));
  const text = (value: string) => {
    const bytes = Buffer.from(value, "utf8");
    return add(Buffer.from([1]), u2(bytes.length), bytes);
  };
  const type = (value: string) => {
    const index = text(value.replaceAll(".", "/"));
    return add(Buffer.from([7]), u2(index));
  };
  add(Buffer.from([5]), Buffer.alloc(8)); // a long takes two places
  constants.push(Buffer.alloc(0));
  const self = type(name);
  const parent = type(superclass);
  const described = methods.map((method) =>
    Buffer.concat([u2(method.access), u2(text(method.name)), u2(text(method.descriptor)), u2(0)]),
  );
  return Buffer.concat([
    Buffer.from("cafebabe0000", "hex"),
    u2(44 + javaVersion),
    u2(constants.length + 1),
    ...constants,
    u2(0x0021),
    u2(self),
    u2(parent),
    u2(0), // interfaces
    u2(1), // one field, with one attribute of 3 bytes
    Buffer.concat([u2(0), u2(ANY_TEXT), u2(ANY_TEXT), u2(1), u2(ANY_TEXT), Buffer.from([0, 0, 0, 3, 1, 2, 3])]),
    u2(described.length),
    ...described,
    u2(0),
  ]);
}

/** Any text of the constant pool will do as a name for what is skipped: the class's own. */
const ANY_TEXT = 3;

function u2(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}
