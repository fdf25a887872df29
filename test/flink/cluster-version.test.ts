import { describe, expect, it } from "vitest";
import {
  claimModeField,
  compareClusterVersions,
  majorMinorOf,
  parseClusterVersion,
  supportsFlinkConfiguration,
  supportsResourceRequirements,
} from "../../src/flink/cluster-version.ts";

describe("the rules by version", () => {
  it.each([
    ["1.16.3", false, false, "restoreMode"],
    ["1.17.2", true, false, "restoreMode"],
    ["1.18.1", true, true, "restoreMode"],
    ["1.19.3", true, true, "restoreMode"],
    ["1.20.5", true, true, "claimMode"],
    ["1.20-SNAPSHOT", true, true, "claimMode"],
    ["2.3.0", true, true, "claimMode"],
  ] as const)("%s: configuration %s, rescaling in place %s, %s", (version, configuration, requirements, field) => {
    expect(supportsFlinkConfiguration(version)).toBe(configuration);
    expect(supportsResourceRequirements(version)).toBe(requirements);
    expect(claimModeField(version)).toBe(field);
  });

  it.each([
    ["1.16.3", { major: 1, minor: 16, patch: 3 }],
    ["2.3", { major: 2, minor: 3, patch: 0 }],
    ["1.20.0-vendor1", { major: 1, minor: 20, patch: 0 }],
    ["<unknown>", undefined],
    ["1", undefined],
    ["1.16.3.4", undefined],
  ])("reads %s", (text, version) => {
    expect(parseClusterVersion(text)).toEqual(version);
    expect(majorMinorOf(text)).toBe(version === undefined ? undefined : `${version.major}.${version.minor}`);
  });

  it("sorts by number, not by text, and what is no version first", () => {
    const versions = ["1.20.5", "2.0.0", "1.16.10", "nonsense", "1.16.9"];
    expect(versions.sort(compareClusterVersions)).toEqual(["nonsense", "1.16.9", "1.16.10", "1.20.5", "2.0.0"]);
  });
});
