/** Writes src/flink/launcher/launcher-class.ts anew from FlinkLauncher.java: `node test/support/write-launcher-class.ts`. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { compileJava } from "./java.ts";

const folder = join(import.meta.dirname, "../../src/flink/launcher");
const classes = await compileJava({ sources: [join(folder, "FlinkLauncher.java")] });
const base64 = classes.get("penstock/FlinkLauncher.class")?.toString("base64") ?? "";
const lines = base64.match(/.{1,120}/g)!.map((line) => `  "${line}",`);
await writeFile(
  join(folder, "launcher-class.ts"),
  `import { sha256Hex } from "../../common/hash.ts";

/** What a submission through the launcher names as its entry class. */
export const LAUNCHER_CLASS_NAME = "penstock.FlinkLauncher";

/** Where the class lies in a jar. */
export const LAUNCHER_CLASS_PATH = "penstock/FlinkLauncher.class";

// FlinkLauncher.java, compiled for Java 8. Written by test/support/write-launcher-class.ts; a test compiles the source and compares.
// prettier-ignore
const BASE64 = [
${lines.join("\n")}
].join("");

/** The compiled class: one more entry in a copy of the user's jar. A new buffer with each call. */
export function launcherClass(): Buffer {
  return Buffer.from(BASE64, "base64");
}

/** Changes with the class: part of the name that a jar is uploaded under. */
export const LAUNCHER_VERSION = sha256Hex(launcherClass()).slice(0, 8);
`,
);
