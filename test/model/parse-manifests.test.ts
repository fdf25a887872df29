import { describe, expect, it } from "vitest";
import { gitBlobId } from "../../src/common/hash.ts";
import { jobSpecHash } from "../../src/model/canonical-spec.ts";
import { formatPosition, formatProblem } from "../../src/common/problem.ts";
import type { Manifest } from "../../src/model/manifest.ts";
import {
  ManifestCache,
  otherEntryProblem,
  parseManifestFile,
  parseManifests,
  type ManifestFile,
  type ParsedManifests,
} from "../../src/model/parse-manifests.ts";
import { resourceKey } from "../../src/model/resource.ts";

function file(path: string, content: string | Uint8Array): ManifestFile {
  return { path, blob: `${content.length}-${path}`, content: typeof content === "string" ? Buffer.from(content) : content };
}

function parse(...contents: readonly (string | Uint8Array)[]): ParsedManifests {
  return parseManifests(contents.map((content, index) => file(`${"abcdef"[index]}.yaml`, content)));
}

function problemsOf(...contents: readonly (string | Uint8Array)[]): readonly string[] {
  return parse(...contents).problems.map(formatProblem);
}

/** What a tree comes to, in words that a table can hold. */
function outcome(parsed: ParsedManifests): object {
  return {
    manifests: parsed.manifests.map(({ id }) => resourceKey(id)),
    problems: parsed.problems.map(formatProblem),
    unreadable: parsed.unreadable.map(formatPosition),
    broken: parsed.declaredButBroken.map(resourceKey),
  };
}

interface JobText {
  readonly name?: string;
  readonly project?: string;
  readonly flinkVersion?: string;
  readonly more?: string;
}

/** A valid Job in which line 8 is the Flink version and line 13 the first of `more`. */
function job({ name = "orders-v1", project = "default", flinkVersion = "1.16", more = "" }: JobText = {}): string {
  return `apiVersion: core/v1alpha1
kind: Job
zone: eu
metadata:
  name: ${name}
  project: ${project}
spec:
  flinkVersion: ${flinkVersion}
  artifactRef:
    name: orders
  resources:
    rpus: 2
${more}`;
}

function artifact(source: string): string {
  return `apiVersion: core/v1alpha1
kind: Artifact
zone: eu
metadata: {name: orders, project: default}
spec:
  type: Jar
  source: ${source}
`;
}

function savepoint(spec: string): string {
  return `apiVersion: core/v1alpha1
kind: Savepoint
zone: eu
metadata: {name: orders-final, project: default}
spec: ${spec}
`;
}

function only<K extends Manifest["kind"]>(kind: K, content: string, path = "streams/a.yaml"): Extract<Manifest, { kind: K }> {
  const { manifests, problems } = parseManifestFile(file(path, content));
  expect(problems.map(formatProblem)).toEqual([]);
  const [manifest] = manifests;
  if (manifest?.kind !== kind) throw new Error(`expected one ${kind}`);
  return manifest as Extract<Manifest, { kind: K }>;
}

describe("a Job", () => {
  it("is read in full, with what was written where", () => {
    const text = job({
      flinkVersion: "1.20",
      more: `  jarOptions:
    entryClass: com.example.Main
    mainArgs: [--rate, 1.50, true, "x y", 007]
  configuration:
    execution.checkpointing.interval: 30s
    pipeline.max-parallelism: 128
    pipeline.object-reuse: true
  initialStateRef: {name: orders-final, allowNonRestoredState: true}
status:
  anything: [at, all]
`,
    });
    const manifest = only("Job", text);
    const bare = gitBlobId(Buffer.from(text.slice(0, text.indexOf("status:"))));
    expect(manifest.id).toEqual({ kind: "Job", zone: "eu", project: "default", name: "orders-v1" });
    expect(manifest.source).toEqual({ path: "streams/a.yaml", line: 1, blob: bare });
    expect(manifest.spec).toEqual({
      flinkVersion: "1.20",
      artifact: "orders",
      jarOptions: { entryClass: "com.example.Main", mainArgs: ["--rate", "1.50", "true", "x y", "007"] },
      rpus: 2,
      configuration: {
        "execution.checkpointing.interval": "30s",
        "pipeline.max-parallelism": "128",
        "pipeline.object-reuse": "true",
      },
      initialState: { savepoint: "orders-final", allowNonRestoredState: true },
    });
    const at = (path: string): string => formatPosition(manifest.positions.get(path)!);
    expect(at("/spec/resources/rpus")).toBe("streams/a.yaml:12:11");
    expect(at("/spec/configuration/execution.checkpointing.interval")).toBe("streams/a.yaml:17:39");
    expect(manifest.positions.has("/status/anything")).toBe(false);
  });

  it.each([
    ["unquoted", "1.20", "1.20"],
    ["in double quotes", '"1.20"', "1.20"],
    ["in single quotes", "'1.16'", "1.16"],
    ["with a comment", "2.0 # newest", "2.0"],
  ])("takes flinkVersion from the source text: %s", (_, written, read) => {
    expect(only("Job", job({ flinkVersion: written })).spec.flinkVersion).toBe(read);
  });

  it("takes flinkVersion from the source text through an alias", () => {
    const text = job({ flinkVersion: "*v" }).replace("project: default", "project: default\n  labels: {version: &v 1.20}");
    expect(only("Job", text).spec.flinkVersion).toBe("1.20");
  });

  it.each([
    [
      "a patch version",
      { flinkVersion: "1.16.3" },
      [
        'a.yaml:8:17 spec.flinkVersion must be major.minor such as 1.20, without the patch: Penstock takes the newest one that the zone has, found "1.16.3"',
      ],
    ],
    [
      "a version that lost its zero",
      { flinkVersion: "1.2" },
      ["a.yaml:8:17 spec.flinkVersion must be 1.16 or newer, found 1.2; was 1.20 meant?"],
    ],
    [
      "a version that is too old",
      { flinkVersion: "1.15" },
      ["a.yaml:8:17 spec.flinkVersion must be 1.16 or newer, found 1.15; choose a newer one"],
    ],
    [
      "no version",
      { flinkVersion: "" },
      [
        "a.yaml:8:17 spec.flinkVersion must be major.minor such as 1.20, without the patch: Penstock takes the newest one that the zone has, found nothing",
      ],
    ],
    [
      "an unknown field",
      { more: "  parallelism: 3\n" },
      [
        "a.yaml:13:3 unknown field spec.parallelism; known here: flinkVersion, artifactRef, jarOptions, resources, configuration and initialStateRef",
      ],
    ],
    [
      "a misspelt field",
      { more: "  configuraton: {}\n" },
      ["a.yaml:13:3 unknown field spec.configuraton; did you mean configuration?"],
    ],
    [
      "jarOptions in both places",
      { more: "  jarOptions: {entryClass: A}\n  artifactRef: {name: x, jarOptions: {entryClass: B}}\n" },
      ["a.yaml:14:3 the key artifactRef stands here a second time in one mapping; keep one of the two"],
    ],
    [
      "an entry class that is none",
      { more: "  jarOptions: {entryClass: my class}\n" },
      ['a.yaml:13:28 spec.jarOptions.entryClass must be the full name of a class such as com.example.Main, found "my class"'],
    ],
    [
      "an argument that is a mapping",
      { more: "  jarOptions: {mainArgs: [a: 1]}\n" },
      ["a.yaml:13:27 spec.jarOptions.mainArgs[0] must be text, a number, true or false; put it in quotes, found a mapping"],
    ],
    [
      "nested options",
      { more: "  configuration: {state: {backend: rocksdb}}\n" },
      [
        "a.yaml:13:26 spec.configuration.state must be one value; write the whole name of the option, such as execution.checkpointing.interval: 30s, found a mapping",
      ],
    ],
    [
      "a list for an option that takes one value",
      { more: "  configuration: {pipeline.name: [a, b]}\n" },
      [
        'a.yaml:13:34 spec.configuration["pipeline.name"] must be one value; write the whole name of the option, such as execution.checkpointing.interval: 30s, found a list',
      ],
    ],
    [
      "references to secrets that are none",
      {
        more: "  jarOptions: {mainArgs: [ok, '${secret:../x}']}\n  configuration: {pipeline.name: 'a ${secret:}', pipeline.max-parallelism: '${secret:max}'}\n",
      },
      [
        'a.yaml:13:31 spec.jarOptions.mainArgs[1] must name a secret as ${secret:NAME}, of letters, digits, _, - and . that begins with none of - and ., found "${secret:../x}"; write $${secret: for that text itself',
        'a.yaml:14:34 spec.configuration: pipeline.name must name a secret as ${secret:NAME}, of letters, digits, _, - and . that begins with none of - and ., found "${secret:}"; write $${secret: for that text itself',
      ],
    ],
    [
      "batch mode",
      { more: "  configuration: {execution.runtime-mode: BATCH}\n" },
      [
        "a.yaml:13:43 spec.configuration: execution.runtime-mode: BATCH is refused: only streaming jobs are supported; remove the line",
      ],
    ],
    [
      "an unknown option",
      { more: "  configuration: {execution.checkpoint.interval: 30s}\n" },
      ["a.yaml:13:19 unknown option execution.checkpoint.interval; did you mean execution.checkpointing.interval?"],
    ],
    [
      "an option of the cluster",
      { more: "  configuration: {taskmanager.numberOfTaskSlots: 4}\n" },
      [
        "a.yaml:13:19 the option taskmanager.numberOfTaskSlots cannot be set by a Job: it belongs to the cluster; set it there; remove it here",
      ],
    ],
    [
      "a bad value of an option",
      { more: "  configuration: {execution.checkpointing.interval: soon}\n" },
      [
        'a.yaml:13:53 spec.configuration: execution.checkpointing.interval must be a duration of at least 10 ms, such as 30 s, found "soon"',
      ],
    ],
    [
      "an unknown annotation",
      { project: "default\n  annotations: {penstock/pause: true}" },
      ["a.yaml:7:17 unknown annotation penstock/pause; did you mean penstock/paused?"],
    ],
    [
      "a bad value of an annotation",
      { project: "default\n  annotations: {penstock/start-empty: yes}" },
      [
        'a.yaml:7:39 the annotation penstock/start-empty must be the flink job id that the status shows, or new for a Job that was renamed, found "yes"',
      ],
    ],
  ])("with %s is a problem, and stays declared", (_, parts, problems) => {
    expect(outcome(parse(job(parts)))).toEqual({ manifests: [], problems, unreadable: [], broken: ["eu/default/job/orders-v1"] });
  });

  it.each([
    ["four", '"four"'],
    ["2.5", "2.5"],
    ["-1", "-1"],
    ['"3"', '"3"'],
    ["32769", "32769"],
    ["true", "true"],
    ["", "nothing"],
  ])("refuses rpus: %s", (rpus, found) => {
    const text = job().replace("rpus: 2", `rpus: ${rpus}`);
    expect(problemsOf(text)).toEqual([
      `a.yaml:12:11 spec.resources.rpus must be a whole number of at least 0 and at most 32768, found ${found}`,
    ]);
  });

  it("accepts jarOptions in one of two places, and says so when both are used", () => {
    const inRef = job().replace("name: orders\n", "name: orders\n    jarOptions: {entryClass: A}\n");
    expect(only("Job", inRef).spec.jarOptions).toEqual({ entryClass: "A" });
    expect(problemsOf(`${inRef}  jarOptions: {entryClass: B}\n`)).toEqual([
      "a.yaml:14:3 spec.jarOptions and spec.artifactRef.jarOptions are the same; keep one of the two",
    ]);
  });

  it("reads empty groups as nothing", () => {
    const text = job({ more: "  configuration:\n  jarOptions:\n    mainArgs:\n" }).replace(
      "metadata:",
      "metadata:\n  labels:\n  annotations:",
    );
    expect(only("Job", text).spec).toEqual({
      flinkVersion: "1.16",
      artifact: "orders",
      jarOptions: {},
      rpus: 2,
      configuration: {},
    });
  });

  it("lists everything that is missing at once", () => {
    expect(problemsOf("apiVersion: core/v1alpha1\nkind: Job\nzone: eu\nmetadata: {name: a}\nspec: {}\n")).toEqual([
      "a.yaml:5:1 missing field spec.artifactRef; add it",
      "a.yaml:5:1 missing field spec.flinkVersion; add it, for example flinkVersion: 1.20",
      "a.yaml:5:1 missing field spec.resources; add it",
    ]);
  });

  it("belongs to the project default when it names none", () => {
    expect(only("Job", job().replace("  project: default\n", "")).id.project).toBe("default");
  });
});

describe("Immerok's published shapes", () => {
  it("accepts zone as the last key, empty jarOptions, a quoted version and names with dots", () => {
    const text = `apiVersion: core/v1alpha1
kind: Job
metadata:
  name: window-aggregation-0.2
  project: default
spec:
  artifactRef: {jarOptions: {}, name: window-aggregation-0.2}
  flinkVersion: "1.16"
  initialStateRef:
    name: window-aggregation-0.1-final
  resources:
    rpus: 1
zone: shared-aws-eu-west-1
---
apiVersion: core/v1alpha1
kind: Savepoint
metadata:
  name: window-aggregation-0.1-final
  project: default
spec:
  type: Final
  finalOptions:
    shutdownMethod: Graceful
  jobRef:
    name: window-aggregation-0.1
zone: shared-aws-eu-west-1
---
apiVersion: core/v1alpha1
kind: Project
metadata:
  name: default
spec: {}
`;
    expect(outcome(parse(text))).toEqual({
      manifests: [
        "/default/project/default",
        "shared-aws-eu-west-1/default/job/window-aggregation-0.2",
        "shared-aws-eu-west-1/default/savepoint/window-aggregation-0.1-final",
      ],
      problems: [],
      unreadable: [],
      broken: [],
    });
  });
});

describe("an Artifact", () => {
  it.each([
    ["a path beside the manifest", "{path: jars/app.jar}", { kind: "path", path: "streams/jars/app.jar" }],
    ["a path with dots", "{path: ./../jars/app.jar}", { kind: "path", path: "jars/app.jar" }],
    ["a path from the root", "{path: /jars/app.jar}", { kind: "path", path: "jars/app.jar" }],
    ["a url", "{url: 'https://example.com/app.jar?x=1#top'}", { kind: "url", url: "https://example.com/app.jar?x=1" }],
    ["a plain http url", "{url: 'http://localhost:8080/app.jar'}", { kind: "url", url: "http://localhost:8080/app.jar" }],
    ["an object of S3", "{s3: s3://jars/team/app.jar}", { kind: "s3", bucket: "jars", key: "team/app.jar" }],
    [
      "a Maven artifact",
      "{maven: 'com.example:app:1.0'}",
      { kind: "maven", coordinates: { group: "com.example", artifact: "app", version: "1.0", type: "jar" } },
    ],
    [
      "a Maven artifact with classifier",
      "{maven: 'org.apache.flink:flink-examples-streaming_2.12:1.16.2:jar:TopSpeedWindowing'}",
      {
        kind: "maven",
        coordinates: {
          group: "org.apache.flink",
          artifact: "flink-examples-streaming_2.12",
          version: "1.16.2",
          type: "jar",
          classifier: "TopSpeedWindowing",
        },
      },
    ],
  ])("comes from %s", (_, source, expected) => {
    expect(only("Artifact", artifact(source)).spec.source).toEqual(expected);
  });

  it("keeps a digest in lower case, and defaults for its Jobs", () => {
    const text = artifact(`{path: a.jar, sha256: ${"AB".repeat(32)}}`) + "  jarOptions: {mainArgs: []}\n";
    expect(only("Artifact", text).spec).toEqual({
      source: { kind: "path", path: "streams/a.jar" },
      sha256: "ab".repeat(32),
      jarOptions: { mainArgs: [] },
    });
  });

  it.each([
    [
      "two sources",
      "{path: a.jar, url: 'https://x/a.jar'}",
      "7:11 spec.source must have exactly one of path, url, maven and s3, found path and url",
    ],
    ["no source", "{}", "7:11 spec.source must have exactly one of path, url, maven and s3, found an empty mapping"],
    [
      "a path out of the repository",
      "{path: ../a.jar}",
      '7:18 spec.source.path must stay within the repository, found "../a.jar"; name a file below its root',
    ],
    [
      "a path out of the root",
      "{path: /x/../../a.jar}",
      '7:18 spec.source.path must stay within the repository, found "/x/../../a.jar"; name a file below its root',
    ],
    ["a path to a folder", "{path: jars/}", '7:18 spec.source.path must name a file, found "jars/"'],
    [
      "a path with backslashes",
      "{path: 'jars\\a.jar'}",
      '7:18 spec.source.path must be a path with / between folders and without characters that cannot be seen, found "jars\\\\a.jar"',
    ],
    [
      "a plain http address",
      "{url: 'ftp://x/a.jar'}",
      '7:17 spec.source.url must be an https address such as https://example.com/app.jar, found "ftp://x/a.jar"',
    ],
    [
      "a password in an address",
      "{url: 'https://u:hunter2@x/a.jar'}",
      '7:17 spec.source.url must not hold a user name or password, found "https://x/a.jar" with one; take it out of the manifest, and out of Git\'s history',
    ],
    [
      "a snapshot",
      "{maven: 'g:a:1.0-SNAPSHOT'}",
      '7:19 spec.source.maven must name a released version, found "1.0-SNAPSHOT": the bytes behind it change, and an Artifact never does; release one, or put the jar into the repository and use path',
    ],
    [
      "too few coordinates",
      "{maven: 'g:a'}",
      '7:19 spec.source.maven must be group:artifact:version[:type[:classifier]] such as org.apache.flink:flink-examples-streaming:1.20.0:jar:TopSpeedWindowing, found "g:a"',
    ],
    [
      "a coordinate that climbs",
      "{maven: 'g:a:../x'}",
      '7:19 spec.source.maven must be group:artifact:version[:type[:classifier]] such as org.apache.flink:flink-examples-streaming:1.20.0:jar:TopSpeedWindowing, found "g:a:../x"',
    ],
    [
      "no bucket",
      "{s3: 's3:///a.jar'}",
      '7:16 spec.source.s3 must be s3://bucket/key such as s3://jars/app.jar, found "s3:///a.jar"',
    ],
    [
      "a short digest",
      "{path: a.jar, sha256: abc}",
      '7:33 spec.source.sha256 must be 64 hex digits, as sha256sum prints them, found "abc"',
    ],
  ])("with %s is a problem", (_, source, problem) => {
    expect(problemsOf(artifact(source))).toEqual([`a.yaml:${problem}`]);
  });
});

describe("a Savepoint", () => {
  it.each([
    ["{type: Final, jobRef: {name: a}}", { type: "Final", job: "a", shutdownMethod: "Graceful", deletionPolicy: "Retain" }],
    [
      "{type: Final, jobRef: {name: a}, finalOptions: {shutdownMethod: Drain}, deletionPolicy: Delete}",
      { type: "Final", job: "a", shutdownMethod: "Drain", deletionPolicy: "Delete" },
    ],
    ["{type: OnDemand, jobRef: {name: a}}", { type: "OnDemand", job: "a", deletionPolicy: "Retain" }],
    ["{type: External, uri: 's3://b/sp'}", { type: "External", uri: "s3://b/sp", deletionPolicy: "Retain" }],
  ])("is read: %s", (spec, expected) => {
    expect(only("Savepoint", savepoint(spec)).spec).toEqual(expected);
  });

  it.each([
    [
      "{type: Finale, jobRef: {name: a}}",
      ['5:14 spec.type must be one of Final, OnDemand or External, found "Finale"; did you mean Final?'],
    ],
    [
      "{type: Final}",
      ["5:1 missing field spec.jobRef of a Savepoint of type Final; add it, for example jobRef: {name: window-aggregation-0.1}"],
    ],
    [
      "{type: External, jobRef: {name: a}}",
      [
        "5:1 missing field spec.uri of a Savepoint of type External; add it, for example uri: s3://streams/savepoints/savepoint-0a1b2c",
        "5:24 spec.jobRef has no meaning for a Savepoint of type External; remove it",
      ],
    ],
    [
      "{type: OnDemand, jobRef: {name: a}, finalOptions: {}}",
      ["5:43 spec.finalOptions has no meaning for a Savepoint of type OnDemand; remove it"],
    ],
    [
      "{type: External, uri: savepoint-1}",
      [
        '5:29 spec.uri must be a URI without user name and password such as s3://streams/savepoints/savepoint-0a1b2c, found "savepoint-1"',
      ],
    ],
    [
      "{type: External, uri: 's3://b/sp', deletionPolicy: Keep}",
      ['5:58 spec.deletionPolicy must be one of Retain or Delete, found "Keep"'],
    ],
  ])("is refused: %s", (spec, problems) => {
    expect(problemsOf(savepoint(spec))).toEqual(problems.map((problem) => `a.yaml:${problem}`));
  });
});

describe("what a document is", () => {
  it.each([
    ["nothing", ""],
    ["somebody else's Job", "apiVersion: batch/v1\nkind: Job\nmetadata: {name: x}\n"],
    ["a list", "- a\n"],
    ["a mapping without apiVersion", "version: 3\nservices: {a: 1}\n"],
    ["one with a tag that only its owner knows", "apiVersion: v1\nkind: X\nvalue: !Ref y\n"],
    ["one with a key twice that is no part of an identity", "apiVersion: v1\nkind: X\nvalue: 1\nvalue: 2\n"],
  ])("%s is ignored", (_, text) => {
    expect(outcome(parse(text))).toEqual({ manifests: [], problems: [], unreadable: [], broken: [] });
  });

  it.each([
    [
      "broken YAML",
      'kind: "Job\n',
      [
        'a.yaml:2:1 this is not readable YAML (Missing closing "quote); check quotes, brackets, colons and commas here and on the lines before',
      ],
      "a.yaml:2:1",
    ],
    [
      "an apiVersion that is nearly ours",
      job().replace("v1alpha1", "v1alpha"),
      [
        'a.yaml:1:13 apiVersion must be core/v1alpha1, found "core/v1alpha"; correct it, because nothing counts as deleted until then',
      ],
      "a.yaml:1:1",
    ],
    [
      "an apiVersion in capitals",
      job().replace("core/v1alpha1", "Core/V1Alpha1"),
      [
        'a.yaml:1:13 apiVersion must be core/v1alpha1, found "Core/V1Alpha1"; correct it, because nothing counts as deleted until then',
      ],
      "a.yaml:1:1",
    ],
    [
      "a foreign apiVersion with our fields",
      job().replace("core/v1alpha1", "v1"),
      ['a.yaml:1:13 apiVersion must be core/v1alpha1, found "v1"; correct it, because nothing counts as deleted until then'],
      "a.yaml:1:1",
    ],
    [
      "a misspelt apiVersion",
      job().replace("apiVersion", "apiversion"),
      ["a.yaml:1:1 unknown field apiversion; did you mean apiVersion?"],
      "a.yaml:1:1",
    ],
    [
      "no apiVersion",
      job().replace(/^.*\n/, ""),
      ["a.yaml:1:1 missing field apiVersion; add it: apiVersion: core/v1alpha1"],
      "a.yaml:1:1",
    ],
    [
      "a kind in small letters",
      job().replace("kind: Job", "kind: job"),
      ['a.yaml:2:7 kind must be one of Project, Artifact, Savepoint or Job, found "job"; did you mean Job?'],
      "a.yaml:1:1",
    ],
    [
      "an unknown kind",
      job().replace("kind: Job", "kind: Cluster"),
      ['a.yaml:2:7 kind must be one of Project, Artifact, Savepoint or Job, found "Cluster"'],
      "a.yaml:1:1",
    ],
    [
      "no kind",
      job().replace("kind: Job\n", ""),
      ["a.yaml:1:1 missing field kind; add it: one of Project, Artifact, Savepoint or Job"],
      "a.yaml:1:1",
    ],
    [
      "no name",
      job().replace("  name: orders-v1\n", ""),
      ["a.yaml:4:1 missing field metadata.name; add it, for example name: top-speed-windowing-v1"],
      "a.yaml:1:1",
    ],
    [
      "no zone",
      job().replace("zone: eu\n", ""),
      ["a.yaml:1:1 missing field zone; add it, for example zone: shared-aws-eu-west-1"],
      "a.yaml:1:1",
    ],
    [
      "a name that cannot be one",
      job({ name: "Orders_V1" }),
      [
        'a.yaml:5:9 metadata.name must be a name such as window-aggregation-0.2: lower-case letters, digits, - and ., each part between dots beginning and ending with a letter or digit, at most 253 characters in all and 63 between dots, found "Orders_V1"',
      ],
      "a.yaml:1:1",
    ],
    [
      "two documents without a line between them",
      job() + job({ name: "b" }),
      ["a.yaml:13:1 the key apiVersion stands here a second time in one mapping; keep one of the two"],
      "a.yaml:1:1",
    ],
    [
      "ours behind a foreign one without a line between them",
      `apiVersion: v1\nkind: Secret\n${job()}`,
      ["a.yaml:3:1 the key apiVersion stands here a second time in one mapping; keep one of the two"],
      "a.yaml:1:1",
    ],
  ])("%s holds deletions", (_, text, problems, position) => {
    const found = outcome(parse(text));
    expect(found).toMatchObject({ manifests: [], unreadable: [position], broken: [] });
    expect(parse(text).problems.map(formatProblem).slice(0, problems.length)).toEqual(problems);
  });

  it.each([
    ["of 253 characters", `${"a".repeat(63)}.${"b".repeat(63)}.${"c".repeat(63)}.${"d".repeat(61)}`, true],
    ["of 254 characters", `${"a".repeat(63)}.${"b".repeat(63)}.${"c".repeat(63)}.${"d".repeat(62)}`, false],
    ["with a part of 64 characters", "a".repeat(64), false],
    ["of digits", "007", true],
    ["that ends with -", "a-", false],
    ["with two dots", "a..b", false],
    ["with a slash", "a/b", false],
  ])("a name %s is one: %s is %s", (_, name, isOne) => {
    expect(parse(job({ name })).manifests.map(({ id }) => id.name)).toEqual(isOne ? [name] : []);
  });
});

describe("a file", () => {
  it("may hold several documents, foreign ones and empty ones among them", () => {
    const text = ["# jobs", job(), "apiVersion: v1\nkind: ConfigMap", "", job({ name: "orders-v2" })].join("\n---\n");
    expect(outcome(parse(text))).toMatchObject({
      manifests: ["eu/default/job/orders-v1", "eu/default/job/orders-v2"],
      problems: [],
    });
  });

  it("keeps its good documents beside a broken one", () => {
    const found = outcome(parse(`${job()}---\na: [\n---\n${job({ name: "orders-v2" })}`));
    expect(found).toMatchObject({
      manifests: ["eu/default/job/orders-v1", "eu/default/job/orders-v2"],
      unreadable: ["a.yaml:15:1"],
    });
  });

  it("may give lists and pairs as YAML has them, which Flink gets in its own form", () => {
    const more = `  configuration:
    pipeline.registered-pojo-types:
      - com.example.A
      - com.example.B
    pipeline.global-job-parameters: {from: 007, url: "http://example.com"}
`;
    const other = `  configuration:
    pipeline.registered-pojo-types: com.example.A;com.example.B
    pipeline.global-job-parameters: "{from: 007, url: 'http://example.com'}"
`;
    const spec = only("Job", job({ more })).spec;
    expect(spec.configuration).toEqual({
      "pipeline.registered-pojo-types": "com.example.A;com.example.B",
      "pipeline.global-job-parameters": "from:007,'url:''http://example.com'''",
    });
    expect(jobSpecHash(only("Job", job({ more: other })).spec)).toBe(jobSpecHash(spec));
  });

  it("tells of its first two hundred problems, and judges all of its documents", () => {
    const wrong = (index: number): string =>
      job({ name: `bad-${index}`, more: `  configuration: {parallelism.defalt${index}: 1}\n` });
    const found = parse([...Array.from({ length: 900 }, (_, index) => wrong(index)), job()].join("---\n"));
    expect(found.manifests.map(({ id }) => id.name)).toEqual(["orders-v1"]);
    expect(found.declaredButBroken).toHaveLength(900);
    expect(found.problems).toHaveLength(201);
    expect(formatProblem(found.problems[200]!)).toBe(
      "a.yaml:2813:19 700 more problems of this file begin here; correct the ones above first",
    );
  });

  it.each([
    ["one argument", `["${"x".repeat(131_072)}"]`],
    ["many aliases of one", `[&a "${"x".repeat(3000)}"${", *a".repeat(50)}]`],
    ["many arguments", `[${"--verbose-output=true, ".repeat(9000)}x]`],
  ])("may not hold more in a document than a command line could: %s", (_, mainArgs) => {
    const found = outcome(parse(job({ more: `  jarOptions: {mainArgs: ${mainArgs}}\n` })));
    expect(found).toMatchObject({
      manifests: [],
      problems: [
        "a.yaml:1:1 this document holds more than 128 kB of text, what aliases stand for included; let the program read what is long from elsewhere",
      ],
      broken: ["eu/default/job/orders-v1"],
    });
    expect(outcome(parse(job({ more: `  jarOptions: {mainArgs: ["${"x".repeat(100_000)}"]}\n` })))).toMatchObject({
      problems: [],
    });
  });

  it("is named without what could deceive", () => {
    const path = "a\u202Elmay.exe.yaml";
    const found = parseManifests([file(path, "kind: Job\n"), file(path.replace("a", "b"), job()), file("c.yaml", job())]);
    expect(found.problems.map(formatProblem).map((line) => line.slice(0, 42))).toEqual([
      "a\\u{202e}lmay.exe.yaml:1:1 missing field a",
      "b\\u{202e}lmay.exe.yaml:5:9 the Job default",
      "c.yaml:5:9 the Job default/orders-v1 in zo",
    ]);
    expect(formatProblem(found.problems[2]!)).toContain("is declared here and at b\\u{202e}lmay.exe.yaml:5:9;");
  });

  it("is not quoted at length, whatever its keys are", () => {
    const [problem] = parse(job({ more: `  ? ${"k".repeat(100_000)}\n  : 1\n` })).problems;
    expect(formatProblem(problem!)).toMatch(/^a\.yaml:13:5 unknown field spec\["k{79}…"\]; known here: /);
  });

  it("may share fields by anchors and merge keys", () => {
    const text = `${job()}\n`.replace("metadata:\n", "metadata: &m\n") + "  configuration: &c {pipeline.object-reuse: true}\n";
    expect(only("Job", text.replace("&c {", "{<<: &c {pipeline.generic-types: false}, ")).spec.configuration).toEqual({
      "pipeline.generic-types": "false",
      "pipeline.object-reuse": "true",
    });
  });

  it.each([
    ["begins with a byte order mark", `\uFEFF${job()}`],
    ["has Windows line ends", job().replaceAll("\n", "\r\n")],
  ])("is read when it %s", (_, text) => {
    expect(outcome(parse(text))).toMatchObject({ manifests: ["eu/default/job/orders-v1"], problems: [] });
  });

  it.each([
    [
      "tabs",
      job().replace("  name:", "\tname:"),
      ["a.yaml:5:1 this is not readable YAML (Tabs are not allowed as indentation); indent with spaces instead of tabs"],
      ["a.yaml:5:1"],
    ],
    [
      "10 MB",
      `# ${"x".repeat(10 * 1024 ** 2)}\n`,
      ["a.yaml:1:1 the file has 10 MB, and at most 1.0 MB are read; split it, or keep it outside of the configured paths"],
      ["a.yaml:1:1"],
    ],
    [
      "a Git LFS pointer",
      "version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 1\n",
      [
        "a.yaml:1:1 this is a Git LFS pointer, and the manifest itself is not in the repository; take the file out of LFS (git lfs untrack, then add it again)",
      ],
      ["a.yaml:1:1"],
    ],
    ["a YAML bomb", bomb(), ["a.yaml:4:9 the aliases here stand for more than 100 others; write the values out"], ["a.yaml:4:9"]],
    [
      "bytes that are not UTF-8",
      Buffer.from([0x61, 0x3a, 0x20, 0xe4, 0x0a]),
      ["a.yaml:1:4 this character is not UTF-8; save the file as UTF-8"],
      ["a.yaml:1:4"],
    ],
  ])("with %s is a problem that holds deletions", (_, content, problems, unreadable) => {
    expect(outcome(parse(content))).toEqual({ manifests: [], problems, unreadable, broken: [] });
  });
});

describe("other entries of the tree", () => {
  it.each([
    [
      "symlink",
      "this is a symbolic link, and links are not followed; put the file itself here, or leave the link out of the configured paths",
    ],
    [
      "submodule",
      "this is a submodule, and submodules are not read; put the files themselves here, or leave it out of the configured paths",
    ],
    ["too-large", "this file is larger than 1.0 MB; split it, or leave it out of the configured paths"],
    ["unreadable-name", "the name of this file is not UTF-8, or holds characters that no name should; rename it"],
  ] as const)("a %s has its own problem and holds deletions", (entry, message) => {
    const problem = otherEntryProblem("jobs/x.yaml", entry);
    const parsed = parseManifests([file("a.yaml", job())], undefined, [problem]);
    expect(outcome(parsed)).toEqual({
      manifests: ["eu/default/job/orders-v1"],
      problems: [`jobs/x.yaml:1:1 ${message}`],
      unreadable: ["jobs/x.yaml:1:1"],
      broken: [],
    });
  });

  it("shows a name of foreign bytes in one harmless line", () => {
    expect(otherEntryProblem("jobs/\u001b[31mx\n.yaml", "unreadable-name").file).toBe("jobs/\\u{1b}[31mx\\u{a}.yaml");
  });
});

describe("parseManifests", () => {
  it("sorts by key, whatever the order of files", () => {
    const files = [file("b.yaml", job({ name: "b" })), file("a.yaml", job({ name: "c" })), file("c.yaml", job({ name: "a" }))];
    expect(parseManifests(files).manifests.map(({ id }) => id.name)).toEqual(["a", "b", "c"]);
    expect(outcome(parseManifests(files))).toEqual(outcome(parseManifests(files.toReversed())));
  });

  it("takes neither of two documents with one identity, and keeps the identity", () => {
    expect(outcome(parse(job(), `${job()}---\n${job({ name: "other" })}`))).toEqual({
      manifests: ["eu/default/job/other"],
      problems: [
        "a.yaml:5:9 the Job default/orders-v1 in zone eu is declared here and at b.yaml:5:9; keep one of them",
        "b.yaml:5:9 the Job default/orders-v1 in zone eu is declared here and at a.yaml:5:9; keep one of them",
      ],
      unreadable: [],
      broken: ["eu/default/job/orders-v1"],
    });
  });

  it("counts a broken document as a second declaration", () => {
    const found = parse(job(), job({ flinkVersion: "1" }));
    expect(found.manifests).toEqual([]);
    expect(found.problems).toHaveLength(3);
  });

  it("asks for a declared project once there is one", () => {
    const project = "apiVersion: core/v1alpha1\nkind: Project\nmetadata: {name: team-a}\n";
    const jobs = [job({ name: "a", project: "team-a" }), job({ name: "b", project: "team-b" }), job({ name: "c" })];
    expect(outcome(parse(...jobs))).toMatchObject({ problems: [] });
    expect(outcome(parse(...jobs, project))).toEqual({
      manifests: ["/team-a/project/team-a", "eu/default/job/c", "eu/team-a/job/a"],
      problems: [
        "b.yaml:6:12 the Job team-b/b in zone eu belongs to the project team-b, which is not declared; add a document of kind Project with that name, or correct metadata.project",
      ],
      unreadable: [],
      broken: ["eu/team-b/job/b"],
    });
  });

  it("refuses a zone for a Project", () => {
    expect(problemsOf("apiVersion: core/v1alpha1\nkind: Project\nzone: eu\nmetadata: {name: a}\n")).toEqual([
      "a.yaml:3:1 unknown field zone; known here: apiVersion, kind, metadata, spec and status",
    ]);
  });

  it("reports every problem of a tree at once, in the order of files and lines", () => {
    const problems = problemsOf(job({ flinkVersion: "x", more: "  a: 1\n" }), artifact("{}"), savepoint("{}"));
    expect(problems.map((problem) => problem.split(" ", 1)[0])).toEqual([
      "a.yaml:8:17",
      "a.yaml:13:3",
      "b.yaml:7:11",
      "c.yaml:5:1",
    ]);
  });

  it("parses a file again only when its path or its blob is another", () => {
    const cache = new ManifestCache();
    const first = parseManifests([file("a.yaml", job())], cache).manifests[0];
    expect(parseManifests([file("a.yaml", job())], cache).manifests[0]).toBe(first);
    const moved = parseManifests([file("b.yaml", job())], cache).manifests[0]!;
    expect(moved.source.path).toBe("b.yaml");
    expect(cache.size).toBe(2);
  });

  it("takes what was parsed before in the place of a file, which then need not be read", () => {
    const cache = new ManifestCache();
    const [a, b] = [file("a.yaml", job()), file("b.yaml", job({ name: "other" }))];
    expect(cache.find(a)).toBeUndefined();
    const whole = parseManifests([a, b], cache);
    const found = cache.find({ path: "a.yaml", blob: a.blob });
    expect(parseManifests([found!, b], cache)).toEqual(whole);
    expect(cache.find({ path: "c.yaml", blob: a.blob })).toBeUndefined();
  });

  it("forgets what was not asked for the longest", () => {
    const cache = new ManifestCache(2);
    const files = ["a", "b", "c"].map((name) => file(`${name}.yaml`, job({ name })));
    const [, kept] = parseManifests(files.slice(0, 2), cache).manifests;
    parseManifests(files.slice(1), cache);
    expect(cache.size).toBe(2);
    expect(parseManifests(files.slice(1, 2), cache).manifests[0]).toBe(kept);
  });
});

function bomb(): string {
  const lines = Array.from(
    { length: 9 },
    (_, index) => `a${index + 1}: &a${index + 1} [${Array(9).fill(`*a${index}`).join(",")}]`,
  );
  return ["a0: &a0 [x,x,x,x,x,x,x,x,x]", ...lines].join("\n");
}
