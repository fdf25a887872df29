import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { penstock } from "./command.ts";

describe("penstock", () => {
  it("says with --help what it is and which commands there are", async () => {
    const { status, stdout, stderr } = await penstock(["--help"]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toMatch(/^Usage: penstock \[options\] \[command\]\n\nGitOps for Apache Flink without Kubernetes/);
    for (const command of ["run", "validate", "plan", "status"]) expect(stdout).toMatch(new RegExp(`^ {2}${command} `, "m"));
  });

  it.each([
    [
      "run",
      ["--config <file>", "--once", "--timeout <duration>"],
      "0 all is well; 1 with --once, a problem, a refusal or an unhealthy Job remains; 2 wrong use",
    ],
    ["validate", ["[paths...]", "--watch", "--output <form>"], "Exit status: 0 no problems; 1 problems; 2 trouble."],
    [
      "plan",
      ["--config <file>", "--dir <folder>", "--ref <ref>", "--output <form>"],
      "0 nothing to do; 1 changes, refusals or held deletions; 2 problems in the planned tree, or trouble.",
    ],
    [
      "status",
      ["[name]", "--config <file>", "--output <form>"],
      "Exit status: 0 all is well; 1 something is unhealthy; 2 trouble.",
    ],
  ])("%s --help says its options and its exit statuses", async (command, options, statuses) => {
    const { status, stdout, stderr } = await penstock([command, "--help"]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toMatch(new RegExp(`^Usage: penstock ${command} `));
    for (const option of options) expect(stdout).toContain(option);
    expect(stdout.replaceAll(/\s+/g, " ")).toContain(statuses);
  });

  it("says its version, the one of the package", async () => {
    const { version } = JSON.parse(await readFile(join(import.meta.dirname, "../../package.json"), "utf8")) as {
      version: string;
    };
    expect(await penstock(["--version"])).toEqual({ status: 0, stdout: `${version}\n`, stderr: "" });
  });

  it.each([
    ["no command", [], "Usage: penstock"],
    ["an unknown command", ["vaildate"], "error: unknown command 'vaildate'\n(Did you mean validate?)"],
    ["an unknown option", ["validate", "--wach"], "error: unknown option '--wach'\n(Did you mean --watch?)"],
    ["a missing --config", ["run"], "error: required option '--config <file>' not specified"],
    ["an unknown form of output", ["status", "--config", "x", "--output", "xml"], "Allowed choices are text, json."],
    ["a second name", ["status", "--config", "x", "a", "b"], "error: too many arguments"],
    ["an unknown option of run", ["run", "--config", "x", "--dry-run"], "error: unknown option '--dry-run'"],
  ])("ends with 2 after %s and says it on the error output", async (_, args, message) => {
    const { status, stdout, stderr } = await penstock(args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toContain(message);
  });
});
