import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { explainEntryClass, findEntryClass, inspectClasses, whyNotRunnable } from "../../src/artifacts/entry-class.ts";
import { type ClassSeen, explainFlinkClasses, inspectJar, type JarContent } from "../../src/artifacts/inspect-jar.ts";
import { buildClass, MAIN, PUBLIC_STATIC } from "../support/class-bytes.ts";
import { buildZip, type ZipEntry } from "../support/zip.ts";
import { aJar, tempFolder } from "./store-harness.ts";

async function inFile(bytes: Uint8Array): Promise<string> {
  const path = join(await tempFolder(), "some.jar");
  await writeFile(path, bytes);
  return path;
}

async function inspect(entries: readonly ZipEntry[]): Promise<JarContent> {
  const inspection = await inspectJar(await inFile(buildZip(entries)));
  if (inspection.kind !== "jar") throw new Error(inspection.because);
  return inspection;
}

async function classIn(entries: readonly ZipEntry[]): Promise<ClassSeen | undefined> {
  const path = await inFile(buildZip(entries));
  return (await inspectClasses(path, await inspect(entries), ["demo.Job"])).classes.get("demo.Job");
}

const NOTHING: JarContent = {
  kind: "jar",
  classNames: new Set(),
  complete: true,
  hasNestedJars: false,
  flinkClasses: { count: 0, examples: [] },
  classes: new Map(),
};

function withManifest(text: string): readonly ZipEntry[] {
  return [{ name: "META-INF/MANIFEST.MF", content: text }];
}

describe("inspectJar", () => {
  it("lists the classes by their Java names, and nothing that is no class of its own", async () => {
    const names = [
      "a/B.class",
      "a/B$C.class",
      "D.class",
      "a/module-info.class",
      "package-info.class",
      "META-INF/versions/11/a/B.class",
      "x.txt",
    ];
    const { classNames, complete } = await inspect(names.map((name) => ({ name })));
    expect([...classNames]).toEqual(["a.B", "a.B$C", "D"]);
    expect(complete).toBe(true);
  });

  it.each([
    ["Main-Class", "Manifest-Version: 1.0\r\nMain-Class: a.Main\r\n\r\n", "a.Main"],
    ["program-class before Main-Class, as Flink does", "Main-Class: a.Main\nprogram-class: a.Program\n\n", "a.Program"],
    ["names of attributes in any case", "MAIN-class: a.Main", "a.Main"],
    ["a line that goes on in the next one", "Main-Class: a.very.long.na\r\n me.Main\r\n", "a.very.long.name.Main"],
    [
      "a character that is broken by the end of a line",
      Buffer.concat([Buffer.from("Main-Class: a.M\xc3", "latin1"), Buffer.from("\r\n \xa9\n", "latin1")]).toString("latin1"),
      "a.M\u00e9",
    ],
    ["only the main section", "Manifest-Version: 1.0\n\nName: a\nMain-Class: a.Main\n", undefined],
    ["an empty value", "Main-Class: \n", undefined],
    ["no manifest worth the name", "\0\0\0", undefined],
  ])("reads the main class of the manifest: %s", async (_, text, expected) => {
    const content = Buffer.from(text, "latin1");
    expect((await inspect([{ name: "META-INF/MANIFEST.MF", content }])).mainClassOfManifest).toBe(expected);
  });

  it("does not read a manifest of more than 1 MB", async () => {
    expect((await inspect(withManifest(`Main-Class: a.Main\n${"x".repeat(1_100_000)}`))).mainClassOfManifest).toBeUndefined();
  });

  it("does not unpack more than an entry declares", async () => {
    const entry = { name: "META-INF/MANIFEST.MF", content: "Main-Class: a.Main\n".repeat(100_000), declaredSize: 100 };
    expect(await inspectJar(await inFile(buildZip([entry])))).toMatchObject({ kind: "not-a-jar" });
  });

  it("sees jars within the jar, which Flink unpacks", async () => {
    expect((await inspect([{ name: "lib/inner.jar" }])).hasNestedJars).toBe(true);
    expect((await inspect([{ name: "other/inner.jar" }])).hasNestedJars).toBe(false);
  });

  it("keeps at most 100,000 class names and says that there are more", async () => {
    const { classNames, complete } = await inspect(
      Array.from({ length: 100_001 }, (_, n) => ({ name: `C${n}.class`, stored: true })),
    );
    expect(classNames.size).toBe(100_000);
    expect(complete).toBe(false);
  });

  it.each([
    ["an empty file", Buffer.alloc(0)],
    ["text", Buffer.from("<html>Please sign in</html>".repeat(100))],
    ["a jar that was cut off", aJar().subarray(0, -30)],
    ["a jar with something before it", Buffer.concat([Buffer.from("#!/bin/sh\n"), aJar()])],
    ["a jar with something behind it", Buffer.concat([aJar(), Buffer.from("more")])],
  ])("says why it is not a jar: %s", async (_, bytes) => {
    expect(await inspectJar(await inFile(bytes))).toEqual({ kind: "not-a-jar", because: expect.stringMatching(/^.{5,200}$/) });
  });

  it.each([
    ["where the zip64 record is", (jar: Buffer) => jar.writeBigUInt64LE(2n ** 60n, jar.length - 34)],
    [
      "where the zip64 record is, by a number that is none",
      (jar: Buffer) => jar.writeBigUInt64LE(2n ** 64n - 1n, jar.length - 34),
    ],
    ["where its table of contents is", (jar: Buffer) => jar.writeBigUInt64LE(2n ** 62n, jar.length - 50)],
    ["how many entries it has", (jar: Buffer) => jar.writeBigUInt64LE(2n ** 52n, jar.length - 66)],
    ["where an entry is", (jar: Buffer) => jar.writeUInt32LE(0xffff_fff0, jar.indexOf("PK\x01\x02") + 42)],
  ])("survives a jar of zip64 that lies about %s", async (_, lie) => {
    const jar = buildZip([{ name: "META-INF/MANIFEST.MF", content: "Main-Class: a.B\n" }], { zip64: true });
    lie(jar);
    expect(await inspectJar(await inFile(jar))).toEqual({ kind: "not-a-jar", because: expect.stringMatching(/^.{5,200}$/) });
  });

  it("reads no encrypted entry, believes no name that climbs, and takes entries that overlap for what they are", async () => {
    const jar = buildZip([
      { name: "META-INF/MANIFEST.MF", content: "Main-Class: a.B\n" },
      { name: "../../etc/cron.d/x.class", content: "x" },
      { name: "/etc/passwd.class", content: "x" },
      { name: "a/B.class", content: buildClass({ name: "a/B" }) },
    ]);
    const [first, last] = [jar.indexOf("PK\x01\x02"), jar.lastIndexOf("PK\x01\x02")];
    jar.writeUInt16LE(0x0801, first + 8); // encrypted
    jar.writeUInt32LE(0, last + 42); // the last one lies where the first does
    const path = await inFile(jar);
    const found = await inspectJar(path);
    if (found.kind !== "jar") throw new Error(found.because);
    expect(found.mainClassOfManifest).toBeUndefined();
    expect([...found.classNames]).toContain("a.B");
    const { classes } = await inspectClasses(path, found, ["a.B"]);
    expect(classes.get("a.B")?.main).toEqual({ kind: "cannot-tell", because: expect.stringMatching(/^a\.B cannot be read: /) });
  });

  it("survives every single damaged byte of a jar", async () => {
    const jar = aJar();
    const path = join(await tempFolder(), "some.jar");
    for (let at = 0; at < jar.length; at += 1) {
      const damaged = Buffer.from(jar);
      damaged[at] = damaged[at]! ^ 0xff;
      await writeFile(path, damaged);
      const found = await inspectJar(path);
      expect(["jar", "not-a-jar"]).toContain(found.kind);
      if (found.kind === "jar") await inspectClasses(path, found, ["demo.TopSpeed"]);
    }
  });

  it("rejects when the file cannot be read", async () => {
    await expect(inspectJar("/nowhere/some.jar")).rejects.toThrow("ENOENT");
  });
});

describe("findEntryClass", () => {
  const flink = "org.apache.flink.streaming.examples.windowing";
  const names = [
    `${flink}.TopSpeedWindowing`,
    `${flink}.TopSpeedWindowing$1`,
    `${flink}.WindowWordCount`,
    "org.other.Main",
    "com.acme.orders.Enrich",
  ];

  it.each([
    [`${flink}.TopSpeedWindowing`, { kind: "found" }],
    [`${flink}.TopSpeedWindowing$1`, { kind: "found" }],
    [`${flink}.TopSpeedwindowing`, { kind: "missing", didYouMean: `${flink}.TopSpeedWindowing` }],
    [`${flink}.TopSpedWindowing`, { kind: "missing", didYouMean: `${flink}.TopSpeedWindowing` }],
    ["org.apache.flink.examples.TopSpeedWindowing", { kind: "missing", didYouMean: `${flink}.TopSpeedWindowing` }],
    ["TopSpeedWindowing", { kind: "missing", didYouMean: `${flink}.TopSpeedWindowing` }],
    ["com.acme.order.Enrich", { kind: "missing", didYouMean: "com.acme.orders.Enrich" }],
    ["de.beispiel.GanzAnders", { kind: "missing" }],
  ])("%s", async (word, expected) => {
    const jar = await inspect(names.map((name) => ({ name: `${name.replaceAll(".", "/")}.class` })));
    expect(findEntryClass(jar, word)).toEqual(expected);
  });

  it("cannot tell when the class may be in a nested jar, unless only the letters' case differs", async () => {
    const jar = await inspect([{ name: "a/Main.class" }, { name: "lib/inner.jar" }]);
    expect(findEntryClass(jar, "b.Other").kind).toBe("cannot-tell");
    expect(findEntryClass(jar, "a.main")).toEqual({ kind: "missing", didYouMean: "a.Main" });
  });

  it("explains in one line", () => {
    expect(explainEntryClass("a.main\n", { kind: "missing", didYouMean: "a.Main" })).toBe(
      "entry class a.main is not in the jar; did you mean a.Main?",
    );
    expect(explainEntryClass("a.Main", { kind: "missing" })).toBe("entry class a.Main is not in the jar");
    expect(explainEntryClass("a.Main", { kind: "found" })).toBeUndefined();
  });

  it("suggests quickly among 100,000 classes", () => {
    const classNames = new Set(Array.from({ length: 100_000 }, (_, n) => `org.example.p${n % 300}.ClassNumber${n}`));
    const jar: JarContent = { ...NOTHING, classNames };
    const start = performance.now();
    expect(findEntryClass(jar, "org.example.p1.ClassNumbr301")).toEqual({
      kind: "missing",
      didYouMean: "org.example.p1.ClassNumber301",
    });
    expect(performance.now() - start).toBeLessThan(1000);
  });
});

describe("inspectClasses", () => {
  it.each([
    ["public static void main(String[])", [MAIN], undefined, "yes"],
    ["main beside other methods", [{ ...MAIN, name: "<init>", descriptor: "()V" }, MAIN], undefined, "yes"],
    ["no method at all", [], undefined, "no"],
    ["main of another shape", [{ ...MAIN, descriptor: "()V" }], undefined, "no"],
    ["main that is not static", [{ ...MAIN, access: 0x0001 }], undefined, "no"],
    ["main that is not public", [{ ...MAIN, access: PUBLIC_STATIC - 1 }], undefined, "no"],
    ["no main but a parent that may have one", [], "demo.Base", "cannot-tell"],
  ])("%s", async (_, methods, superclass, expected) => {
    const content = buildClass({ name: "demo.Job", methods, ...(superclass === undefined ? {} : { superclass }) });
    const found = await classIn([{ name: "demo/Job.class", content }]);
    expect(found?.main.kind).toBe(expected);
    expect(found?.javaVersion).toBe(8);
  });

  it.each([
    ["no class file", "not Java"],
    ["a class file that ends too early", buildClass({ name: "demo.Job" }).subarray(0, 60)],
    ["a class that is too large to look at", Buffer.concat([buildClass({ name: "demo.Job" }), Buffer.alloc(9_000_000)])],
  ])("cannot tell: %s", async (_, content) => {
    expect(await classIn([{ name: "demo/Job.class", content }])).toEqual({
      main: { kind: "cannot-tell", because: expect.stringContaining("demo.Job") as string },
      javaVersion: undefined,
    });
  });

  it("passes over a class that is not there, and looks at each other one once", async () => {
    const path = await inFile(aJar());
    const jar = await inspect([]);
    expect(await inspectClasses(path, jar, ["demo.Other"])).toBe(jar);
    const known = await inspectClasses(path, { ...jar, classNames: new Set(["demo.TopSpeed"]) }, ["demo.TopSpeed"]);
    expect(await inspectClasses("/nowhere", known, ["demo.TopSpeed"])).toBe(known);
  });

  it("looks at the class of the manifest without being asked", async () => {
    const path = await inFile(aJar());
    const jar = await inspectJar(path);
    if (jar.kind !== "jar") throw new Error(jar.because);
    expect([...(await inspectClasses(path, jar, [])).classes.keys()]).toEqual(["demo.TopSpeed"]);
  });
});

describe("whyNotRunnable", () => {
  it("names the class of the manifest when the one that is given has no main", async () => {
    const path = await inFile(
      buildZip([
        { name: "META-INF/MANIFEST.MF", content: "Main-Class: demo.Main\n" },
        { name: "demo/Job.class", content: buildClass({ name: "demo.Job", methods: [] }) },
        { name: "demo/Main.class", content: buildClass({ name: "demo.Main" }) },
      ]),
    );
    const found = await inspectJar(path);
    if (found.kind !== "jar") throw new Error(found.because);
    const jar = await inspectClasses(path, found, ["demo.Job"]);
    expect(whyNotRunnable(jar, "demo.Job")).toBe(
      "demo.Job has no public static void main(String[]); the jar's manifest names demo.Main",
    );
    expect(whyNotRunnable(jar, "demo.Main")).toBeUndefined();
    expect(whyNotRunnable(jar, "demo.Mian")).toBe("entry class demo.Mian is not in the jar; did you mean demo.Main?");
  });
});

describe("Flink's own classes in a jar", () => {
  it("are counted and named, those that belong into one are not", async () => {
    const names = [
      "org/apache/flink/runtime/jobgraph/JobGraph",
      "org/apache/flink/runtime/jobgraph/JobGraph$1",
      "org/apache/flink/configuration/Configuration",
      "org/apache/flink/connector/kafka/source/KafkaSource",
      "org/apache/flink/streaming/connectors/kafka/FlinkKafkaConsumer",
      "org/apache/flink/formats/json/JsonFormat",
      "org/apache/flink/cep/CEP",
    ];
    const { flinkClasses } = await inspect(names.map((name) => ({ name: `${name}.class` })));
    expect(explainFlinkClasses(flinkClasses)).toBe(
      "the jar holds 3 classes of Flink itself: org/apache/flink/runtime/jobgraph/JobGraph.class, org/apache/flink/configuration/Configuration.class, …; the cluster has its own, so mark Flink's dependencies as provided",
    );
    expect(explainFlinkClasses((await inspect([{ name: "a/B.class" }])).flinkClasses)).toBeUndefined();
  });
});
