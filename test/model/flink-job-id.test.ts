import { describe, expect, it } from "vitest";
import { jobSpecHash } from "../../src/model/canonical-spec.ts";
import { flinkJobId, isOurs, isSpecOf, parseFlinkJobId, resourceDigits } from "../../src/model/flink-job-id.ts";
import type { JobSpec } from "../../src/model/manifest.ts";
import type { ResourceId } from "../../src/model/resource.ts";

const id: ResourceId = { kind: "Job", zone: "eu", project: "default", name: "orders-v1" };

function aSpec(changes: Partial<JobSpec> = {}): JobSpec {
  return {
    flinkVersion: "1.16",
    artifact: "orders",
    jarOptions: { entryClass: "Main", mainArgs: ["--rate", "1"] },
    rpus: 2,
    configuration: { "execution.checkpointing.interval": "30s" },
    ...changes,
  };
}

describe("flinkJobId", () => {
  it("is 32 hex digits: instance, resource, spec, attempt", () => {
    const jobId = flinkJobId({ instance: "prod", id, spec: aSpec(), attempt: 258 });
    expect(jobId).toMatch(/^[0-9a-f]{32}$/);
    const { instance, resource, spec, attempt } = parseFlinkJobId(jobId)!;
    expect([instance, resource, spec, attempt]).toEqual([
      jobId.slice(0, 6),
      resourceDigits(id),
      jobSpecHash(aSpec()).slice(0, 6),
      258,
    ]);
    expect(jobId.endsWith("00000102")).toBe(true);
  });

  it("never changes: what runs under an id of an older Penstock is still found", () => {
    expect(flinkJobId({ instance: "prod", id, spec: aSpec(), attempt: 1 })).toMatchInlineSnapshot(
      `"2439cc4eeca6f9dd27966c6700000001"`,
    );
  });

  it("tells instances, resources, specs and attempts apart", () => {
    const base = { instance: "prod", id, spec: aSpec(), attempt: 1 };
    const ids = [
      base,
      { ...base, instance: "test" },
      { ...base, id: { ...id, zone: "us" } },
      { ...base, id: { ...id, project: "a" } },
      { ...base, id: { ...id, name: "b" } },
      { ...base, spec: aSpec({ artifact: "b" }) },
      { ...base, attempt: 2 },
    ];
    expect(new Set(ids.map((parts) => flinkJobId(parts))).size).toBe(ids.length);
  });

  it.each([0, -1, 1.5, 0x1_0000_0000, Number.NaN])("refuses the attempt %s", (attempt) => {
    expect(() => flinkJobId({ instance: "prod", id, spec: aSpec(), attempt })).toThrow(RangeError);
  });

  it("knows its own", () => {
    const jobId = flinkJobId({ instance: "prod", id, spec: aSpec(), attempt: 1 });
    expect([isOurs(jobId, "prod"), isOurs(jobId, "test"), isOurs("not an id", "prod")]).toEqual([true, false, false]);
    expect([isSpecOf(jobId, aSpec({ rpus: 9 })), isSpecOf(jobId, aSpec({ flinkVersion: "1.17" }))]).toEqual([true, false]);
  });

  it.each(["", "0123", "g".repeat(32), "A".repeat(32), `${"0".repeat(32)}0`])("does not read %j", (text) => {
    expect(parseFlinkJobId(text)).toBeUndefined();
  });
});

describe("jobSpecHash", () => {
  it.each([
    ["rpus", { rpus: 0 }],
    ["the way a value is written", { configuration: { "execution.checkpointing.interval": "PT30S" } }],
  ])("is the same whatever %s", (_, changes: Partial<JobSpec>) => {
    expect(jobSpecHash(aSpec(changes))).toBe(jobSpecHash(aSpec()));
  });

  it.each([
    ["flinkVersion", { flinkVersion: "1.20" }],
    ["artifact", { artifact: "b" }],
    ["entryClass", { jarOptions: { mainArgs: ["--rate", "1"] } }],
    ["mainArgs", { jarOptions: { entryClass: "Main", mainArgs: [] } }],
    ["the order of mainArgs", { jarOptions: { entryClass: "Main", mainArgs: ["1", "--rate"] } }],
    ["configuration", { configuration: {} }],
    ["initialState", { initialState: { savepoint: "s", allowNonRestoredState: false } }],
  ])("changes with %s", (_, changes: Partial<JobSpec>) => {
    expect(jobSpecHash(aSpec(changes))).not.toBe(jobSpecHash(aSpec()));
  });

  it("tells no arguments from none given", () => {
    expect(jobSpecHash(aSpec({ jarOptions: { mainArgs: [] } }))).not.toBe(jobSpecHash(aSpec({ jarOptions: {} })));
  });
});
