import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, sep } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Compiles for Java 8, which every Flink runs; the class files by their path inside a jar, sorted. */
export async function compileJava(options: {
  readonly sources: readonly string[];
  readonly classPath?: string;
}): Promise<ReadonlyMap<string, Buffer>> {
  const out = await mkdtemp(join(tmpdir(), "penstock-javac-"));
  try {
    const classPath = options.classPath === undefined ? [] : ["-cp", options.classPath];
    await runTool("javac", [
      "--release",
      "8",
      "-encoding",
      "UTF-8",
      "-Xlint:-options",
      "-d",
      out,
      ...classPath,
      ...options.sources,
    ]);
    const names = await readdir(out, { recursive: true });
    const classes = names.filter((name) => name.endsWith(".class")).sort();
    const files = await Promise.all(
      classes.map(async (name) => [name.replaceAll(sep, "/"), await readFile(join(out, name))] as const),
    );
    return new Map(files);
  } finally {
    await rm(out, { recursive: true, force: true });
  }
}

/** Runs `java`, `javac` or `mvn` to its end; what it printed. A missing tool or a failure says so with its last lines. */
export async function runTool(
  tool: "java" | "javac" | "mvn",
  args: readonly string[],
  signal?: AbortSignal,
  onOutput?: (text: string) => void,
): Promise<string> {
  try {
    const running = run(tool, args, { maxBuffer: 16 * 1024 * 1024, ...(signal === undefined ? {} : { signal }) });
    if (onOutput !== undefined) running.child.stdout?.on("data", (chunk: unknown) => onOutput(String(chunk)));
    const { stdout } = await running;
    return stdout;
  } catch (error) {
    if (error instanceof Error && Reflect.get(error, "code") === "ENOENT") throw new Error(MISSING[tool], { cause: error });
    const printed = ["stdout", "stderr"].map((name) => String(Reflect.get(Object(error), name) ?? "")).join("\n");
    const last = printed.trim().split("\n").slice(-15).join("\n");
    throw new Error(`${tool} failed:\n${last}`, { cause: error });
  }
}

const MISSING = {
  java: "`java` is missing: install a JDK of version 17 (Debian: apt-get install openjdk-17-jdk-headless)",
  javac: "`javac` is missing: install a JDK of version 17 (Debian: apt-get install openjdk-17-jdk-headless)",
  mvn: "`mvn` is missing: install Maven 3.8 or newer (Debian: apt-get install maven)",
} as const;
