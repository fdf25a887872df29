import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { addClassToJar } from "../../src/artifacts/with-launcher.ts";
import { LAUNCHER_CLASS_NAME, launcherClass } from "../../src/flink/launcher/launcher-class.ts";
import { buildZip } from "../support/zip.ts";

const SOURCE = `package demo;
public class Hello { public static void main(String[] args) { System.out.println("hello " + String.join(",", args)); } }`;

const folder = mkdtempSync(join(tmpdir(), "penstock-launcher-jar-"));
const original = join(folder, "original.jar");

function run(command: string, ...args: readonly string[]): string {
  return execFileSync(command, args, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], timeout: 60_000 });
}

async function extend(from: string): Promise<string> {
  const to = join(mkdtempSync(join(folder, "extended-")), "app.jar");
  const options = { from, to, className: LAUNCHER_CLASS_NAME, classBytes: launcherClass() };
  await addClassToJar(options, AbortSignal.timeout(60_000));
  return to;
}

beforeAll(() => {
  mkdirSync(join(folder, "classes"));
  writeFileSync(join(folder, "Hello.java"), SOURCE);
  run("javac", "-d", "classes", "Hello.java");
  run("jar", "--create", "--file", original, "--main-class", "demo.Hello", "-C", "classes", ".");
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("a jar with the launcher in it, in the eyes of Java", () => {
  it("lists all that it held, and the launcher", async () => {
    const listed = run("jar", "--list", "--file", await extend(original))
      .trim()
      .split("\n");
    expect(listed).toEqual([...run("jar", "--list", "--file", original).trim().split("\n"), "penstock/FlinkLauncher.class"]);
  });

  it("still runs its main class", async () => {
    expect(run("java", "-jar", await extend(original), "a", "b")).toBe("hello a,b\n");
  });

  it("loads the launcher, which complains about missing arguments", async () => {
    const to = await extend(original);
    expect(() => run("java", "-cp", to, LAUNCHER_CLASS_NAME)).toThrow("The launcher expects an entry class and its options");
    expect(run("javap", "-cp", to, LAUNCHER_CLASS_NAME)).toContain("public static void main(java.lang.String[])");
  });

  it("is read with more entries than a zip without zip64 can hold, and stays so when it is done twice", async () => {
    const many = Array.from({ length: 65_534 }, (_, n) => ({ name: `empty/${n}`, stored: true }));
    const from = join(folder, "many.jar");
    writeFileSync(from, buildZip(many));
    const twice = await extend(await extend(from));
    expect(run("jar", "--list", "--file", twice).trim().split("\n")).toHaveLength(65_535);
    expect(() => run("java", "-cp", twice, LAUNCHER_CLASS_NAME)).toThrow("The launcher expects");
  });
});
