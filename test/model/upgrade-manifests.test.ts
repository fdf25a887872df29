import { describe, expect, it } from "vitest";
import { jobSpecHash } from "../../src/model/canonical-spec.ts";
import type { JobManifest, JobSpec } from "../../src/model/manifest.ts";
import { parseManifestFile } from "../../src/model/parse-manifest-file.ts";
import { resourceKey, type ResourceKey } from "../../src/model/resource.ts";
import { upgradeManifests } from "../../src/model/upgrade-manifests.ts";
import { aManifest, anId } from "../pass/builders.ts";

/** As a person would put them into a file. */
function paste(changed: JobManifest, taken: readonly ResourceKey[] = []) {
  const { savepoint, job } = upgradeManifests(changed, new Set(taken));
  for (const text of [savepoint, job]) expect(text).not.toContain("\n");
  const content = Buffer.from(`${savepoint}\n---\n${job}\n`);
  const { manifests, problems } = parseManifestFile({ path: "upgrade.yaml", blob: "b", content });
  expect(problems).toEqual([]);
  const [first, second] = manifests;
  if (first?.kind !== "Savepoint" || second?.kind !== "Job") throw new Error("these are not a Savepoint and a Job");
  return { savepoint: first, job: second };
}

describe("the way out of a change that is refused", () => {
  it.each([
    ["little", {}],
    [
      "everything",
      {
        flinkVersion: "1.20",
        artifact: "orders-0.2",
        jarOptions: {
          entryClass: "com.example.Main$Inner",
          mainArgs: ["--topic", "a: b, {c}", "#no", "007", "yes", "", " x\ny", '"', "'", "ü🙂", "a".repeat(200)],
        },
        configuration: { "execution.checkpointing.interval": "30s", "pipeline.object-reuse": "true" },
        initialState: { savepoint: "older", allowNonRestoredState: true },
      },
    ],
  ] satisfies readonly (readonly [string, Partial<JobSpec>])[])(
    "is two valid documents with what was changed, of %s",
    (_, spec) => {
      const changed = aManifest({ spec, labels: { team: "a" } });
      const { savepoint, job } = paste(changed);
      expect(savepoint.id).toEqual(anId({ kind: "Savepoint", name: "orders-final" }));
      expect(savepoint.spec).toMatchObject({ type: "Final", job: "orders", shutdownMethod: "Graceful" });
      expect(job.id).toEqual(anId({ name: "orders-v2" }));
      expect(job.labels).toEqual({ team: "a" });
      const allowNonRestoredState = changed.spec.initialState?.allowNonRestoredState ?? false;
      const wanted = { ...changed.spec, initialState: { savepoint: "orders-final", allowNonRestoredState } };
      expect([job.spec.rpus, jobSpecHash(job.spec)]).toEqual([wanted.rpus, jobSpecHash(wanted)]);
    },
  );

  it("asks for a slot at least, or the old Job would not be stopped for it", () => {
    expect(paste(aManifest({ spec: { rpus: 0 } })).job.spec.rpus).toBe(1);
  });

  it.each([
    ["orders-v1", "orders-v2", "orders-v1-final"],
    ["orders-0.9", "orders-0.10", "orders-0.9-final"],
    ["orders", "orders-v2", "orders-final"],
  ])("offers names for what comes after %s", (name, next, final) => {
    const { savepoint, job } = paste(aManifest({ id: { name } }));
    expect([job.id.name, savepoint.id.name]).toEqual([next, final]);
  });

  it("offers no name that is taken", () => {
    const taken = [anId({ name: "orders-v2" }), anId({ name: "orders-v3" }), anId({ kind: "Savepoint", name: "orders-final" })];
    const { savepoint, job } = paste(aManifest(), taken.map(resourceKey));
    expect([job.id.name, savepoint.id.name]).toEqual(["orders-v4", "orders-final-v2"]);
    expect(job.spec.initialState?.savepoint).toBe("orders-final-v2");
  });
});
