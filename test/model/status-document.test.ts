import { describe, expect, it } from "vitest";
import { formatProblem } from "../../src/common/problem.ts";
import type { ArtifactRecord, JobRecord, Operation, ResourceRecord, SavepointRecord, Summary } from "../../src/model/status.ts";
import {
  formatStatusDocument,
  formatStatusReadme,
  formatSummary,
  parseStatusDocument,
  parseSummary,
  statusPath,
} from "../../src/model/status-document.ts";

const source = { path: "streams/top.yaml", line: 1, commit: "4f2a".repeat(10), blob: "9b1c".repeat(10) };
const cluster = { name: "eu-116-a", url: "http://jobmanager-a:8081", incarnation: "0b5c" };

function aJob(changes: Partial<JobRecord> = {}, status: Partial<JobRecord["status"]> = {}): JobRecord {
  return {
    kind: "Job",
    id: { kind: "Job", zone: "eu", project: "default", name: "orders-v1" },
    labels: {},
    annotations: {},
    spec: { flinkVersion: "1.20", artifact: "orders", jarOptions: {}, rpus: 5, configuration: {} },
    ...changes,
    status: { phase: "Pending", flinkJobState: "", run: 1, attempt: 0, source, conditions: [], history: [], ...status },
  };
}

const anArtifact: ArtifactRecord = {
  kind: "Artifact",
  id: { kind: "Artifact", zone: "eu", project: "default", name: "orders" },
  labels: { team: "a" },
  annotations: {},
  spec: { source: { kind: "path", path: "jars/app.jar" }, sha256: "ab".repeat(32), jarOptions: { mainArgs: [] } },
  status: {
    phase: "Ready",
    sha256: "ab".repeat(32),
    size: 5,
    source,
    bytes: { commit: "c1", blob: "b1" },
    conditions: [],
    history: [],
  },
};

const aSavepoint: SavepointRecord = {
  kind: "Savepoint",
  id: { kind: "Savepoint", zone: "eu", project: "default", name: "orders-final" },
  labels: {},
  annotations: {},
  spec: { type: "Final", job: "orders-v1", shutdownMethod: "Graceful", deletionPolicy: "Retain" },
  status: { phase: "Pending", source, conditions: [], history: [] },
};

const fullJob = aJob(
  {
    annotations: { "penstock/paused": "true" },
    spec: {
      flinkVersion: "1.16",
      artifact: "orders",
      jarOptions: { entryClass: "com.example.Main", mainArgs: ["--a", "007", "yes", "", " x\n"] },
      rpus: 5,
      configuration: { "pipeline.object-reuse": "true", "execution.checkpointing.interval": "30s" },
      initialState: { savepoint: "old-final", allowNonRestoredState: true },
    },
  },
  {
    phase: "Ready",
    flinkJobState: "Running",
    attempt: 2,
    flinkJobId: "00000000000000000000000000000012",
    cluster,
    flinkVersion: "1.16.3",
    requestedRpus: 5,
    parallelism: 5,
    artifact: { name: "orders", sha256: "12".repeat(32), size: 123, jarOptions: {} },
    startedFrom: { kind: "Savepoint", uri: "s3://b/sp" },
    operation: { kind: "start", attempt: 2, flinkJobId: "1e5", cluster, rpus: 5, run: 1, announcedAt: "2026-11-22T17:30:00Z" },
    conditions: [
      {
        type: "Healthy",
        status: "True",
        reason: "AllTasksRunning",
        message: "all tasks run: 5 of 5",
        since: "2026-11-22T17:30:00Z",
      },
    ],
    history: [{ when: "2026-11-22T17:30:00Z", from: "", to: "Pending", because: "new" }],
  },
);

const summary: Summary = {
  appliedCommit: "4f2a",
  manifestsDigest: "d1",
  instance: "prod",
  source: { url: "https://git.example.com/jobs.git", branch: "main", paths: ["**/*.yaml"], zones: ["eu"] },
  problems: [],
  orphans: [],
  unmanaged: [],
};

const TIME = "2026-11-22T17:30:00Z";
const stopped = { flinkJobId: "1e5", cluster, announcedAt: TIME } as const;
const operations: readonly Operation[] = [
  { kind: "start", attempt: 2, cluster, flinkJobId: "1e5", rpus: 5, run: 2, announcedAt: TIME },
  {
    kind: "stop",
    purpose: "rescale",
    ...stopped,
    triggerId: "77e7",
    targetDirectory: "s3://b/sp/1e5/77e7",
    next: { attempt: 3, flinkJobId: "2e5", cluster, rpus: 7 },
  },
  { kind: "stop", purpose: "final", ...stopped, triggerId: "7", targetDirectory: "s3://b/1", savepoint: "1.0", drain: true },
  { kind: "cancel", ...stopped },
  { kind: "rescale", ...stopped, rpus: 7 },
];
const aStop = { kind: "stop", ...stopped, triggerId: "7", targetDirectory: "s3://b/1" } as const;
const intent = { attempt: 3, flinkJobId: "2e5", cluster, rpus: 7 };
const restoreFrom = { kind: "Savepoint", uri: "s3://b/sp" } as const;
/** With all that may stand in each. */
const everyOperation = {
  start: { kind: "start", attempt: 2, cluster, flinkJobId: "1e5", rpus: 5, run: 2, restoreFrom, announcedAt: TIME },
  rescale: { kind: "rescale", ...stopped, rpus: 7 },
  cancel: { kind: "cancel", ...stopped },
  "rescaling stop": { ...aStop, purpose: "rescale", next: intent },
  "migrating stop": { ...aStop, purpose: "migrate", next: intent },
  "suspending stop": { ...aStop, purpose: "suspend" },
  "deleting stop": { ...aStop, purpose: "delete" },
  "final stop": { ...aStop, purpose: "final", savepoint: "1.0", drain: true },
} as const satisfies Readonly<Record<string, Operation>>;
const lastSavepoint = { uri: "s3://b/sp", takenAt: TIME, flinkJobId: "1e5", reason: "Suspend" } as const;
const aTake = { kind: "take", triggerId: "0777", cluster, flinkJobId: "1e5", uri: "s3://b/sp", announcedAt: TIME } as const;

function roundTrip(record: ResourceRecord): unknown {
  const parsed = parseStatusDocument(statusPath(record.id), formatStatusDocument(record));
  return "record" in parsed ? parsed.record : formatProblem(parsed.problem);
}

function problemOf(text: string, path = "eu/default/job/orders-v1.yaml"): string | undefined {
  const parsed = parseStatusDocument(path, text);
  return "problem" in parsed ? formatProblem(parsed.problem) : undefined;
}

describe("a status document", () => {
  it("is the manifest with its status, in a fixed order", () => {
    expect(formatStatusDocument(fullJob)).toMatchInlineSnapshot(`
      "# Written by Penstock; changes made here by hand are overwritten.
      apiVersion: core/v1alpha1
      kind: Job
      zone: eu
      metadata:
        name: orders-v1
        project: default
        annotations:
          penstock/paused: "true"
      spec:
        flinkVersion: "1.16"
        artifactRef:
          name: orders
          jarOptions:
            entryClass: com.example.Main
            mainArgs:
              - --a
              - "007"
              - yes
              - ""
              - " x\\n"
        resources:
          rpus: 5
        configuration:
          execution.checkpointing.interval: 30s
          pipeline.object-reuse: "true"
        initialStateRef:
          name: old-final
          allowNonRestoredState: true
      status:
        phase: Ready
        flinkJobState: Running
        run: 1
        attempt: 2
        flinkJobId: "00000000000000000000000000000012"
        cluster:
          name: eu-116-a
          url: http://jobmanager-a:8081
          incarnation: 0b5c
        flinkVersion: 1.16.3
        requestedRpus: 5
        parallelism: 5
        source:
          path: streams/top.yaml
          line: 1
          commit: 4f2a4f2a4f2a4f2a4f2a4f2a4f2a4f2a4f2a4f2a
          blob: 9b1c9b1c9b1c9b1c9b1c9b1c9b1c9b1c9b1c9b1c
        artifact:
          name: orders
          sha256: "1212121212121212121212121212121212121212121212121212121212121212"
          size: 123
          jarOptions: {}
        startedFrom:
          kind: Savepoint
          uri: s3://b/sp
        operation:
          kind: start
          attempt: 2
          flinkJobId: "1e5"
          cluster:
            name: eu-116-a
            url: http://jobmanager-a:8081
            incarnation: 0b5c
          rpus: 5
          run: 1
          announcedAt: 2026-11-22T17:30:00Z
        conditions:
          - type: Healthy
            status: "True"
            reason: AllTasksRunning
            message: "all tasks run: 5 of 5"
            since: 2026-11-22T17:30:00Z
        history:
          - when: 2026-11-22T17:30:00Z
            from: ""
            to: Pending
            because: new
      "
    `);
  });

  it.each([
    ["a new Job", aJob()],
    ["a Job with everything", fullJob],
    ...operations.map((operation) => [`a Job with its ${operation.kind}`, aJob({}, { operation })] as const),
    ["a suspended Job", aJob({}, { suspended: true, requestedRpus: 0, lastSavepoint })],
    ["a Job that a Final Savepoint stopped", aJob({}, { finalized: { savepoint: "final", uri: "s3://b/sp", drained: true } })],
    ["a Job that began with a Savepoint", aJob({}, { initialState: "s3://b/sp", startedEmpty: true })],
    [
      "a tombstone of a Job that a Final Savepoint had stopped",
      aJob(
        {},
        {
          deleted: { at: TIME, lost: "no: 1", finalized: { savepoint: "f", uri: "s3://b/sp", drained: true, takenAt: TIME } },
        },
      ),
    ],
    [
      "a Savepoint that says from when it is",
      { ...aSavepoint, status: { ...aSavepoint.status, uri: "s3://b/sp", takenAt: TIME } },
    ],
    ["a Job whose rescale was undone", aJob({}, { rescaleFailed: { rpus: 7, because: "no slots: 3 of 8" }, restarts: 0 })],
    [
      "a Job with the marks of its attempts",
      aJob({}, { startedAt: TIME, checkpointed: "00000000000000000000000000000012", restarts: 3, deletingSince: TIME }),
    ],
    ["a tombstone", aJob({}, { deleted: { at: TIME, restorePoint: { kind: "Checkpoint", uri: "s3://b/chk-1" } } })],
    ["a tombstone without a restore point", aJob({}, { deleted: { at: TIME } })],
    ["a Savepoint that is being taken", { ...aSavepoint, status: { ...aSavepoint.status, operation: aTake } }],
    ["an Artifact", anArtifact],
    ["a Savepoint", aSavepoint],
    ["an external Savepoint", { ...aSavepoint, spec: { type: "External", uri: "s3://b/sp", deletionPolicy: "Delete" } }],
    [
      "an Artifact of Maven",
      {
        ...anArtifact,
        spec: {
          jarOptions: {},
          source: { kind: "maven", coordinates: { group: "g", artifact: "a", version: "1.0", type: "jar", classifier: "c" } },
        },
      },
    ],
    [
      "an Artifact of another type",
      {
        ...anArtifact,
        spec: {
          jarOptions: {},
          source: { kind: "maven", coordinates: { group: "g", artifact: "a", version: "1", type: "bundle" } },
        },
      },
    ],
    [
      "an Artifact of a url",
      { ...anArtifact, spec: { jarOptions: {}, source: { kind: "url", url: "https://example.com/a.jar" } } },
    ],
    ["an Artifact of S3", { ...anArtifact, spec: { jarOptions: {}, source: { kind: "s3", bucket: "jars", key: "a/b.jar" } } }],
  ] satisfies readonly (readonly [string, ResourceRecord])[])("gives back %s as it was", (_, record) => {
    expect(roundTrip(record)).toEqual(record);
  });

  it("gives back any text as it was, and is the same text again", () => {
    const pieces = [
      "1",
      "1.20",
      "e5",
      "0x1",
      "yes",
      "null",
      "~",
      "#",
      ": ",
      "- ",
      "\n",
      "\t",
      " ",
      '"',
      "'",
      "\\",
      "%",
      "@",
      "`",
      "{",
      "]",
      "&a",
      "*a",
      "!!str ",
      "---",
      "\u2028",
      "ü",
      "🙂",
      "\u0007",
      "<<",
      "0o7",
      "2001-01-01",
      "=",
      "|",
      ">",
    ];
    let seed = 11;
    const next = (limit: number): number => (seed = (seed * 48_271) % 2_147_483_647) % limit;
    const text = (): string => Array.from({ length: next(5) }, () => pieces[next(pieces.length)]).join("");
    for (let round = 0; round < 1500; round += 1) {
      const because = text();
      const record = aJob(
        {
          labels: { [`k${text()}`]: text(), [pieces[round % pieces.length]!]: text() },
          annotations: { __proto__x: text() },
          spec: {
            flinkVersion: "1.20",
            artifact: "a",
            jarOptions: { mainArgs: [text(), text()] },
            rpus: next(9),
            configuration: { a: text() },
          },
        },
        {
          history: [{ when: text(), from: because, to: because, because }],
          conditions: [{ type: "T", status: "False", reason: "R", message: text(), since: text() }],
        },
      );
      expect(roundTrip(record)).toEqual(record);
      expect(formatStatusDocument(roundTrip(record) as ResourceRecord)).toBe(formatStatusDocument(record));
    }
  });

  it("does not depend on the order in which maps were filled", () => {
    const spec = {
      ...fullJob.spec,
      configuration: { "execution.checkpointing.interval": "30s", "pipeline.object-reuse": "true" },
    };
    expect(formatStatusDocument({ ...fullJob, spec })).toBe(formatStatusDocument(fullJob));
  });

  it("keeps what it knows of a document of a newer Penstock", () => {
    const text = formatStatusDocument(aJob())
      .replace("status:\n", "status:\n  lag: {max: 5}\n")
      .replace("spec:\n", "spec:\n  priority: 3\n");
    expect(parseStatusDocument("eu/default/job/orders-v1.yaml", text)).toEqual({ record: aJob() });
  });

  it("reads what a person unquoted", () => {
    const text = formatStatusDocument(aJob()).replace('"1.20"', "1.20");
    expect(parseStatusDocument("eu/default/job/orders-v1.yaml", text)).toEqual({ record: aJob() });
  });

  const good = formatStatusDocument(fullJob);
  it.each([
    [
      "broken YAML",
      "a: [",
      "eu/default/job/orders-v1.yaml:1:5 this is not readable YAML (Flow sequence in block collection must be sufficiently indented and end with a ]); indent the lines of one mapping or list alike",
    ],
    [
      "nothing",
      "",
      "eu/default/job/orders-v1.yaml:1:1 a file of the status branch holds one document; restore it from the branch's history",
    ],
    [
      "two documents",
      `${good}---\n${good}`,
      "eu/default/job/orders-v1.yaml:1:1 a file of the status branch holds one document; restore it from the branch's history",
    ],
    [
      "another kind",
      "kind: Cluster",
      "eu/default/job/orders-v1.yaml:1:7 kind must be Job, Artifact or Savepoint; restore the file from the branch's history",
    ],
    [
      "another identity",
      good.replace("name: orders-v1", "name: orders-v2"),
      "eu/default/job/orders-v1.yaml:2:1 this is the status of eu/default/job/orders-v2.yaml; move it back there",
    ],
    [
      "an unknown phase",
      good.replace("phase: Ready", "phase: Sleeping"),
      'eu/default/job/orders-v1.yaml:31:10 status.phase must be one of Pending, Ready or Deleting, found "Sleeping"',
    ],
    [
      "an unknown operation",
      good.replace("kind: start", "kind: leap"),
      'eu/default/job/orders-v1.yaml:57:11 status.operation.kind must be one of start, stop, cancel or rescale, found "leap"',
    ],
    [
      "a missing field",
      good.replace(/ {2}attempt: 2\n/, ""),
      "eu/default/job/orders-v1.yaml:30:1 missing field status.attempt; add it",
    ],
  ])("with %s is a problem", (_, text, problem) => {
    expect(problemOf(text)).toBe(problem);
  });

  it.each([
    ["start", ["kind", "attempt", "flinkJobId", "cluster", "rpus", "run", "announcedAt"]],
    ["rescale", ["kind", "flinkJobId", "cluster", "rpus", "announcedAt"]],
    ["cancel", ["kind", "flinkJobId", "cluster", "announcedAt"]],
    ["rescaling stop", ["kind", "purpose", "flinkJobId", "cluster", "triggerId", "targetDirectory", "next", "announcedAt"]],
    ["migrating stop", ["kind", "purpose", "flinkJobId", "cluster", "triggerId", "targetDirectory", "next", "announcedAt"]],
    ["suspending stop", ["kind", "purpose", "flinkJobId", "cluster", "triggerId", "targetDirectory", "announcedAt"]],
    ["deleting stop", ["kind", "purpose", "flinkJobId", "cluster", "triggerId", "targetDirectory", "announcedAt"]],
    ["final stop", ["kind", "purpose", "flinkJobId", "cluster", "triggerId", "targetDirectory", "savepoint", "announcedAt"]],
  ] as const)("of a %s is a problem unless everything is there that is acted on", (kind, needed) => {
    const operation = everyOperation[kind];
    expect(roundTrip(aJob({}, { operation }))).toEqual(aJob({}, { operation }));
    for (const field of Object.keys(operation)) {
      const lacking = Object.fromEntries(Object.entries(operation).filter(([name]) => name !== field)) as unknown as Operation;
      const problem = roundTrip(aJob({}, { operation: lacking }));
      if ((needed as readonly string[]).includes(field))
        expect(problem).toMatch(`missing field status.operation.${field}; add it`);
      else expect(problem).toEqual(aJob({}, { operation: lacking }));
    }
  });

  it.each([
    ["a take of no job", { ...aTake, flinkJobId: "" }, 'status.operation.flinkJobId must be text that is not empty, found ""'],
    ["a take without a place", { ...aTake, uri: "" }, 'status.operation.uri must be text that is not empty, found ""'],
    ["a disposal of what somebody else took", { ...aTake, kind: "dispose", flinkJobId: "" }, undefined],
    [
      "a time that is none",
      { ...aTake, announcedAt: "yesterday" },
      'status.operation.announcedAt must be text such as 2026-11-22T12:00:00Z, found "yesterday"',
    ],
  ] as const)("of a Savepoint with %s is looked at by its kind", (_, operation, problem) => {
    const record: SavepointRecord = { ...aSavepoint, status: { ...aSavepoint.status, operation } };
    if (problem === undefined) expect(roundTrip(record)).toEqual(record);
    else expect(roundTrip(record)).toMatch(problem);
  });

  it("of a Flink job on no cluster is a problem", () => {
    expect(roundTrip(aJob({}, { flinkJobId: "1e5" }))).toMatch("missing field status.cluster; add it");
  });

  it("never throws, wherever it is cut", () => {
    for (let end = 0; end < good.length; end += 7) {
      const parsed = parseStatusDocument("eu/default/job/orders-v1.yaml", good.slice(0, end));
      expect("record" in parsed || parsed.problem.message.length > 0).toBe(true);
    }
  });
});

describe("the summary", () => {
  it("gives back what was written, with a line for each resource", () => {
    const text = formatSummary({ ...summary, problems: ["a.yaml:1:1 x"] }, [fullJob, anArtifact]);
    expect(text).toContain("eu/default/artifact/orders: Ready\n  eu/default/job/orders-v1: Ready, Running\n");
    expect(parseSummary(text)).toEqual({ ...summary, problems: ["a.yaml:1:1 x"] });
  });

  it.each([
    ["nothing", ""],
    ["broken YAML", "a: ["],
    ["something else", "a: 1\n"],
  ])("is unknown when the file holds %s", (_, text) => {
    expect(parseSummary(text)).toBeUndefined();
  });
});

describe("the branch's README", () => {
  it("lists problems and resources, escaped", () => {
    const waiting = aJob(
      {},
      {
        conditions: [
          { type: "Placed", status: "False", reason: "TooFewSlots", message: "needs 5 | <b>3</b> of 8 free", since: "" },
        ],
      },
    );
    expect(formatStatusReadme([waiting, anArtifact], { ...summary, problems: ["a.yaml:1:1 unknown field *x*"] })).toBe(`# Status

Written by Penstock, instance prod, for the branch main. Changes made here by hand are overwritten.

Newest applied commit: \`4f2a\`

## 1 problem

- a.yaml:1:1 unknown field \\*x\\*

## Resources

| kind | name | zone | project | state | what is missing |
| --- | --- | --- | --- | --- | --- |
| Artifact | [orders](eu/default/artifact/orders.yaml) | eu | default | Ready |  |
| Job | [orders-v1](eu/default/job/orders-v1.yaml) | eu | default | Pending | needs 5 \\| &lt;b\\>3&lt;/b\\> of 8 free |
`);
  });

  it("is short when there is nothing to say", () => {
    expect(formatStatusReadme([], summary)).toContain("## Resources\n\nNone yet.\n");
  });
});
