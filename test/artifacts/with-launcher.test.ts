import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openPromise } from "yauzl";
import { inspectJar } from "../../src/artifacts/inspect-jar.ts";
import { addClassToJar } from "../../src/artifacts/with-launcher.ts";
import { buildClass } from "../support/class-bytes.ts";
import { buildZip, type ZipEntry, type ZipOptions } from "../support/zip.ts";
import { aJar, filesUnder, tempFolder } from "./store-harness.ts";

const CLASS_NAME = "penstock.FlinkLauncher";
const ENTRY_NAME = "penstock/FlinkLauncher.class";
const CLASS_BYTES = buildClass({ name: CLASS_NAME });
const never = new AbortController().signal;

async function extend(jar: Buffer): Promise<{ readonly to: string; readonly bytes: Buffer }> {
  const folder = await tempFolder();
  const [from, to] = [join(folder, "from.jar"), join(folder, "to.jar")];
  await writeFile(from, jar);
  await addClassToJar({ from, to, className: CLASS_NAME, classBytes: CLASS_BYTES }, never);
  return { to, bytes: await readFile(to) };
}

/** Every entry with its content, as another program reads it. */
async function read(path: string): Promise<readonly (readonly [name: string, content: string])[]> {
  const zip = await openPromise(path, { autoClose: false });
  try {
    const found: (readonly [string, string])[] = [];
    for await (const entry of zip.eachEntry()) {
      const chunks: Buffer[] = [];
      for await (const chunk of await zip.openReadStreamPromise(entry)) chunks.push(chunk as Buffer);
      found.push([entry.fileName, Buffer.concat(chunks).toString("latin1")]);
    }
    return found;
  } finally {
    zip.close();
  }
}

const added = [ENTRY_NAME, CLASS_BYTES.toString("latin1")] as const;

describe("addClassToJar", () => {
  it.each<[string, readonly ZipEntry[], ZipOptions]>([
    [
      "packed and stored entries",
      [
        { name: "a.txt", content: "a".repeat(5000) },
        { name: "b.txt", content: "b", stored: true },
      ],
      {},
    ],
    ["no entry at all", [], {}],
    ["a folder and an empty file", [{ name: "folder/" }, { name: "empty" }], {}],
    ["names beyond ASCII", [{ name: "übung/日本.txt", content: "x" }], {}],
    ["a comment at its end", [{ name: "a.txt", content: "a" }], { comment: "made by hand" }],
    ["zip64 records that nobody needs", [{ name: "a.txt", content: "a" }], { zip64: true, comment: "c" }],
  ])("keeps what a jar has and adds the class: %s", async (_, entries, options) => {
    const { to, bytes } = await extend(buildZip(entries, options));
    const kept = entries.map(({ name, content = "" }) => [name, Buffer.from(content).toString("latin1")]);
    expect(await read(to)).toEqual([...kept, added]);
    expect(bytes.subarray(bytes.length - (options.comment ?? "").length).toString()).toBe(options.comment ?? "");
  });

  it("does not touch the bytes of the other entries", async () => {
    const jar = aJar("x".repeat(3_000_000));
    const { bytes } = await extend(jar);
    const end = jar.lastIndexOf("PK\x05\x06", undefined, "latin1");
    const directory = jar.readUInt32LE(end + 16);
    expect(bytes.subarray(0, directory).equals(jar.subarray(0, directory))).toBe(true);
  });

  it("gives the same bytes for the same jar", async () => {
    expect((await extend(aJar())).bytes.equals((await extend(aJar())).bytes)).toBe(true);
  });

  it("replaces a class of that name, so that adding it twice is adding it once", async () => {
    const once = await extend(
      buildZip([
        { name: ENTRY_NAME, content: "an old one" },
        { name: "a.txt", content: "a" },
      ]),
    );
    expect(await read(once.to)).toEqual([["a.txt", "a"], added]);
    expect(await read((await extend(once.bytes)).to)).toEqual([["a.txt", "a"], added]);
  });

  it.each([65_533, 65_534, 65_535, 70_000])("crosses the border to zip64 with %d entries", async (count) => {
    const { to } = await extend(buildZip(Array.from({ length: count }, (_, n) => ({ name: `C${n}.class`, stored: true }))));
    const inspection = await inspectJar(to);
    expect(inspection).toMatchObject({ kind: "jar", complete: true });
    expect(inspection.kind === "jar" && inspection.classNames.size).toBe(count + 1);
    expect(inspection.kind === "jar" && inspection.classNames.has(CLASS_NAME)).toBe(true);
  });

  it.each([
    ["cut off", aJar().subarray(0, -5), "no end record"],
    ["something before it", Buffer.concat([Buffer.from("#!/bin/sh\n"), aJar()]), "other data lies before"],
    ["a damaged table of contents", damaged(aJar()), "table of contents is damaged"],
    ["one entry more than said", withCount(aJar(), 4), "another length than it says"],
    ["empty", Buffer.alloc(0), "no end record"],
  ])("refuses a jar that does not hold together: %s", async (_, jar, message) => {
    await expect(extend(jar)).rejects.toMatchObject({
      code: "artifact-unavailable",
      data: { reason: "JarNotExtensible" },
      message: expect.stringContaining(message),
    });
  });

  it("never gives more than a readable jar, whichever byte of the end is damaged", async () => {
    const jar = aJar();
    for (let at = jar.length - 200; at < jar.length; at += 1) {
      const bad = Buffer.from(jar);
      bad[at] = bad[at]! ^ 0x55;
      await extend(bad).catch((error: unknown) => expect(error).toMatchObject({ data: { reason: "JarNotExtensible" } }));
    }
  });

  it("stops when it is aborted and rejects with the reason", async () => {
    const folder = await tempFolder();
    await writeFile(join(folder, "from.jar"), aJar());
    const options = {
      from: join(folder, "from.jar"),
      to: join(folder, "to.jar"),
      className: CLASS_NAME,
      classBytes: CLASS_BYTES,
    };
    await expect(addClassToJar(options, AbortSignal.abort(new Error("leaving")))).rejects.toThrow("leaving");
  });

  it("writes over nothing", async () => {
    const folder = await tempFolder();
    await writeFile(join(folder, "from.jar"), aJar());
    await writeFile(join(folder, "to.jar"), "precious");
    const options = {
      from: join(folder, "from.jar"),
      to: join(folder, "to.jar"),
      className: CLASS_NAME,
      classBytes: CLASS_BYTES,
    };
    await expect(addClassToJar(options, never)).rejects.toThrow("EEXIST");
    expect(await readFile(join(folder, "to.jar"), "utf8")).toBe("precious");
    expect(await filesUnder(folder)).toEqual(["from.jar", "to.jar"]);
  });
});

function damaged(jar: Buffer): Buffer {
  const bad = Buffer.from(jar);
  bad[bad.lastIndexOf("PK\x01\x02", undefined, "latin1")] = 0;
  return bad;
}

function withCount(jar: Buffer, count: number): Buffer {
  const bad = Buffer.from(jar);
  bad.writeUInt16LE(count, bad.length - 12);
  return bad;
}
