import { describe, expect, it } from "vitest";
import { buildRunRequest, needsLauncher, type RunOptions } from "../../src/flink/run-request.ts";

function aRun(options: Partial<RunOptions> = {}): RunOptions {
  return {
    flinkVersion: "1.20.5",
    flinkJobId: "0123456789abcdef0123456789abcdef",
    entryClass: "demo.Main",
    programArgs: ["--topic", "a b"],
    parallelism: 5,
    flinkConfiguration: { "execution.checkpointing.interval": "30s" },
    ...options,
  };
}

const restore = { path: "file:///savepoints/a/b", allowNonRestoredState: true };

describe("buildRunRequest", () => {
  it("sends the options themselves from 1.17 on", () => {
    expect(buildRunRequest(aRun({ flinkVersion: "1.17.2" }))).toEqual({
      jobId: "0123456789abcdef0123456789abcdef",
      parallelism: 5,
      entryClass: "demo.Main",
      programArgsList: ["--topic", "a b"],
      flinkConfiguration: { "execution.checkpointing.interval": "30s" },
    });
  });

  it("sends them through the launcher to 1.16", () => {
    expect(needsLauncher("1.16.3")).toBe(true);
    expect(buildRunRequest(aRun({ flinkVersion: "1.16.3" }))).toEqual({
      jobId: "0123456789abcdef0123456789abcdef",
      parallelism: 5,
      entryClass: "penstock.FlinkLauncher",
      programArgsList: ["demo.Main", btoa("execution.checkpointing.interval=30s\n"), "--topic", "a b"],
    });
  });

  it("needs no launcher without options", () => {
    expect(buildRunRequest(aRun({ flinkVersion: "1.16.3", flinkConfiguration: {} }))).toMatchObject({ entryClass: "demo.Main" });
  });

  it.each([
    ["1.16.3", "restoreMode"],
    ["1.19.3", "restoreMode"],
    ["1.20.5", "claimMode"],
    ["2.3.0", "claimMode"],
  ])("restores on %s without taking the savepoint over", (flinkVersion, field) => {
    expect(buildRunRequest(aRun({ flinkVersion, restore }))).toMatchObject({
      savepointPath: "file:///savepoints/a/b",
      allowNonRestoredState: true,
      [field]: "NO_CLAIM",
    });
  });

  it("says nothing of savepoints when there is none: an empty path counts as one", () => {
    const fields = Object.keys(buildRunRequest(aRun()));
    expect(fields).not.toEqual(expect.arrayContaining([expect.stringMatching(/savepoint|restore|claim|NonRestored/i)]));
  });
});
