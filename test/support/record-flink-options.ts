/** Writes test/model/fixtures/flink-options.tsv anew from Flink's own jars: `node test/support/record-flink-options.ts`. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runTool } from "./java.ts";

/** One patch of each minor version, the newest whose jars are all to be had. */
const VERSIONS = ["1.16.3", "1.17.2", "1.18.1", "1.19.3", "1.20.4", "2.0.0", "2.1.1", "2.2.0", "2.3.0"];
const MODULES = ["flink-streaming-java", "flink-runtime", "flink-statebackend-rocksdb", "flink-table-api-java"];
const FORST_IN = new Set(["2.0.0", "2.2.0", "2.3.0"]);

const dependency = (module: string, version: string): string =>
  `<dependency><groupId>org.apache.flink</groupId><artifactId>${module}</artifactId><version>${version}</version></dependency>`;

async function fetchJars(version: string, folder: string): Promise<string> {
  const modules = FORST_IN.has(version) ? [...MODULES, "flink-statebackend-forst"] : MODULES;
  const pom = join(folder, `${version}.xml`);
  await writeFile(
    pom,
    `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>local</groupId>
<artifactId>flink-options-set</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>${modules.map((module) => dependency(module, version)).join("\n")}</dependencies></project>`,
  );
  const lib = join(folder, version);
  await mkdir(lib);
  await runTool("mvn", ["-q", "-B", "-ntp", "-f", pom, "dependency:copy-dependencies", `-DoutputDirectory=${lib}`]);
  return lib;
}

const folder = await mkdtemp(join(tmpdir(), "penstock-options-"));
try {
  await runTool("javac", ["-d", folder, join(import.meta.dirname, "ListOptions.java")]);
  const minors = VERSIONS.map((version) => version.slice(0, version.lastIndexOf(".")));
  /** By key and what is said of it, the minor versions that say so. */
  const rows = new Map<string, string[]>();
  for (const [index, version] of VERSIONS.entries()) {
    const lib = await fetchJars(version, folder);
    const printed = await runTool("java", ["-cp", `${folder}:${join(lib, "*")}`, "ListOptions", lib]);
    for (const line of printed.split("\n").filter((text) => text.includes("\t"))) {
      rows.set(line, [...(rows.get(line) ?? []), minors[index]!]);
    }
  }
  const lines = [...rows].map(([row, versions]) => {
    const [key = "", ...rest] = row.split("\t");
    const said = versions.length === VERSIONS.length ? "all" : versions.join(" ");
    return [key, said, ...rest].join("\t").trimEnd();
  });
  const path = join(import.meta.dirname, "../model/fixtures/flink-options.tsv");
  await mkdir(join(path, ".."), { recursive: true });
  await writeFile(path, `${lines.sort().join("\n")}\n`);
} finally {
  await rm(folder, { recursive: true, force: true });
}
