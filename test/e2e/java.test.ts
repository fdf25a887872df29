import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { launcherArgs } from "../../src/flink/launcher/launcher-args.ts";
import { LAUNCHER_CLASS_NAME, LAUNCHER_VERSION, launcherClass } from "../../src/flink/launcher/launcher-class.ts";
import { compileJava, runTool } from "../support/java.ts";
import { fetchWithMaven } from "../support/maven.ts";
import { buildTestJob, TEST_JOB_JAR } from "../support/test-job.ts";

const root = join(import.meta.dirname, "../..");

describe("what is kept compiled", () => {
  it("is the launcher of FlinkLauncher.java; else run test/support/write-launcher-class.ts", async () => {
    const compiled = await compileJava({ sources: [join(root, "src/flink/launcher/FlinkLauncher.java")] });
    expect([...compiled.keys()]).toEqual([`${LAUNCHER_CLASS_NAME.replaceAll(".", "/")}.class`]);
    expect([...compiled.values()].map((content) => content.equals(launcherClass()))).toEqual([true]);
    expect(LAUNCHER_VERSION).toMatch(/^[0-9a-f]{8}$/);
  });

  it("is the test job of CounterJob.java; else run test/support/write-test-job.ts", async () => {
    const built = await buildTestJob(await fetchWithMaven("1.16.3"));
    expect(built.equals(await readFile(TEST_JOB_JAR))).toBe(true);
  });
});

describe("options on their way through the launcher", () => {
  it("arrive in Java as they were", async () => {
    const everyCharacter = Array.from({ length: 0x250 }, (_, code) => String.fromCharCode(code)).join("");
    const options = {
      "execution.checkpointing.interval": "30s",
      " key with = : # ! \\ blanks": "  leading, trailing  ",
      "#": "!",
      empty: "",
      lines: "one\ntwo\r\nthree\tfour\fend\\",
      unicode: "Zähler 雪 😀 \u2028 \ud800 \ufffe",
      [everyCharacter]: everyCharacter,
    };
    const [entryClass, base64 = "", ...mainArgs] = launcherArgs("demo.Main", options, ["--a", ""]);
    expect([entryClass, mainArgs]).toEqual(["demo.Main", ["--a", ""]]);
    const printed = await runTool("java", [join(root, "test/support/PrintProperties.java"), base64]);
    const arrived = printed
      .trim()
      .split("\n")
      .map((line) => line.split("=").map(fromHex));
    expect(Object.fromEntries(arrived)).toEqual(options);
  });
});

function fromHex(digits: string): string {
  return (digits.match(/.{4}/g) ?? []).map((unit) => String.fromCharCode(Number.parseInt(unit, 16))).join("");
}
