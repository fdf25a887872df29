import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { packJar } from "./jar.ts";
import { compileJava } from "./java.ts";

/** The built job, part of the sample repository. */
export const TEST_JOB_JAR = join(import.meta.dirname, "../../jobs-example/jars/counter.jar");
export const TEST_JOB_CLASS = "penstock.test.CounterJob";

const SOURCES = join(import.meta.dirname, "../job/src/penstock/test");

/** Compiles the test job against the jars of a Flink (1.16, so that it runs on all) and packs it: equal sources give equal bytes. */
export async function buildTestJob(libDir: string): Promise<Buffer> {
  const names = (await readdir(SOURCES)).filter((name) => name.endsWith(".java")).sort();
  const classes = await compileJava({ sources: names.map((name) => join(SOURCES, name)), classPath: join(libDir, "*") });
  const manifest = Buffer.from(`Manifest-Version: 1.0\r\nMain-Class: ${TEST_JOB_CLASS}\r\n\r\n`);
  return packJar([["META-INF/MANIFEST.MF", manifest], ...classes]);
}
