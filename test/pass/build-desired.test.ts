import { describe, expect, it } from "vitest";
import { resourceKey } from "../../src/model/resource.ts";
import type { ResourceRecord } from "../../src/model/status.ts";
import { buildDesired, type DesiredInput } from "../../src/pass/build-desired.ts";
import { aManifest, anArtifactManifest, anArtifactRecord, anId, aRecord, aSavepointManifest, ENTRY } from "./builders.ts";

function build(input: Omit<Partial<DesiredInput>, "records"> & { readonly records?: readonly ResourceRecord[] }) {
  const records = new Map((input.records ?? []).map((record) => [resourceKey(record.id), record]));
  return buildDesired({ manifests: [], broken: [], recordProblems: new Map(), entryAt: () => undefined, ...input, records });
}

const entryAt = (path: string) => (path === "jars/app.jar" ? ENTRY : undefined);

describe("buildDesired", () => {
  it("knows nothing of an empty repository", () => {
    expect(build({})).toEqual({ jobs: [], artifacts: [], savepoints: [] });
  });

  it("joins a manifest with its record", () => {
    const manifest = aManifest();
    const record = aRecord();
    expect(build({ manifests: [manifest], records: [record] }).jobs).toEqual([
      {
        key: "local/default/job/orders",
        id: manifest.id,
        declared: { kind: "declared", manifest },
        record,
        recordProblem: undefined,
        artifactKey: "local/default/artifact/app",
      },
    ]);
  });

  it("keeps what is recorded and no longer declared, with the artifact that it was accepted with", () => {
    expect(build({ records: [aRecord({ spec: { artifact: "old" } })] }).jobs).toMatchObject([
      { declared: { kind: "absent" }, artifactKey: "local/default/artifact/old" },
    ]);
  });

  it("keeps what is broken, recorded or not", () => {
    const broken = [anId(), anId({ name: "new" })];
    const desired = build({ broken, records: [aRecord()] });
    expect(desired.jobs.map(({ id, declared, record }) => [id.name, declared.kind, record?.id.name])).toEqual([
      ["new", "broken", undefined],
      ["orders", "broken", "orders"],
    ]);
    expect(desired.jobs[0]?.artifactKey).toBeUndefined();
  });

  it("keeps what is not declared and of which the record cannot be read", () => {
    const problem = { file: "x", line: 1, column: 1, message: "is no YAML" };
    const ids = [anId({ name: "gone" }), { ...anId({ name: "final" }), kind: "Savepoint" as const }];
    const desired = build({ recordProblems: new Map(ids.map((id) => [resourceKey(id), problem])) });
    expect([...desired.jobs, ...desired.savepoints]).toMatchObject(
      ids.map((id) => ({ id, declared: { kind: "absent" }, record: undefined, recordProblem: "x:1:1 is no YAML" })),
    );
  });

  it("takes an identity for broken that one of two documents declares well", () => {
    expect(build({ manifests: [aManifest()], broken: [anId()] }).jobs).toMatchObject([{ declared: { kind: "broken" } }]);
  });

  it("lists each resource once, sorted by key, each kind by itself", () => {
    const manifests = [
      aManifest({ id: { name: "b" } }),
      aSavepointManifest(),
      aManifest({ id: { name: "a", zone: "zone-2" } }),
      anArtifactManifest("b"),
      anArtifactManifest("a"),
      aManifest({ id: { name: "a" } }),
    ];
    const desired = build({ manifests, records: [aRecord({ id: { name: "a" } })] });
    expect(desired.jobs.map(({ key }) => key)).toEqual(["local/default/job/a", "local/default/job/b", "zone-2/default/job/a"]);
    expect(desired.artifacts.map(({ id }) => id.name)).toEqual(["a", "b"]);
    expect(desired.savepoints.map(({ id }) => id.name)).toEqual(["final"]);
  });

  it("knows resources of different kinds apart that have one name", () => {
    const desired = build({ manifests: [aManifest({ id: { name: "app" } })], records: [anArtifactRecord("app")] });
    expect(desired.jobs).toMatchObject([{ record: undefined }]);
    expect(desired.artifacts).toMatchObject([{ declared: { kind: "absent" }, record: { kind: "Artifact" } }]);
  });

  it("leaves Projects to those who check them", () => {
    const { spec: _spec, ...base } = aManifest({ id: { kind: "Project", zone: "", name: "streams" } });
    expect(build({ manifests: [{ ...base, kind: "Project" }] })).toEqual({ jobs: [], artifacts: [], savepoints: [] });
  });

  it("says why a record cannot be understood, in one line with its place", () => {
    const problem = { file: "local/default/job/orders.yaml", line: 3, column: 7, message: "status.phase must be Pending" };
    const recordProblems = new Map([[resourceKey(anId()), problem]]);
    expect(build({ manifests: [aManifest()], recordProblems }).jobs).toMatchObject([
      { record: undefined, recordProblem: "local/default/job/orders.yaml:3:7 status.phase must be Pending" },
    ]);
  });

  describe("for an Artifact of the repository", () => {
    it("finds the file that it names", () => {
      expect(build({ manifests: [anArtifactManifest()], entryAt }).artifacts).toMatchObject([{ entry: ENTRY }]);
    });

    it("finds the file that it named while its manifest is broken or gone", () => {
      const records = [anArtifactRecord()];
      expect(build({ records, entryAt }).artifacts).toMatchObject([{ entry: ENTRY }]);
      expect(build({ records, broken: [records[0]!.id], entryAt }).artifacts).toMatchObject([{ entry: ENTRY }]);
    });

    it("looks for no file when it comes from elsewhere", () => {
      const manifest = anArtifactManifest("app", { source: { kind: "url", url: "https://example.org/a.jar" } });
      expect(build({ manifests: [manifest], entryAt: () => ENTRY }).artifacts[0]?.entry).toBeUndefined();
    });
  });
});
