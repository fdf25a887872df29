import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { parseClassFile } from "../../src/artifacts/class-file.ts";
import { inspectClasses } from "../../src/artifacts/entry-class.ts";
import { inspectJar } from "../../src/artifacts/inspect-jar.ts";
import { parseLfsPointer } from "../../src/artifacts/lfs.ts";
import { readZipDirectory, ZipStructureError } from "../../src/artifacts/zip-directory.ts";
import { escapeMarkdown } from "../../src/common/markdown.ts";
import type { Problem } from "../../src/common/problem.ts";
import { oneLine, shownPath } from "../../src/common/text.ts";
import { parseYamlFile } from "../../src/common/yaml-file.ts";
import { validateConfig } from "../../src/config/validate-config.ts";
import * as responses from "../../src/flink/responses.ts";
import { readRootCause } from "../../src/flink/root-cause.ts";
import { parseCommit, parseTrailers } from "../../src/git/commit.ts";
import { parsePktLines } from "../../src/git/pkt-line.ts";
import { buildTree, parseTree, readName } from "../../src/git/tree.ts";
import { resourceKey } from "../../src/model/resource.ts";
import {
  formatStatusDocument,
  formatSummary,
  parseStatusDocument,
  parseSummary,
  statusPath,
} from "../../src/model/status-document.ts";
import { buildStatusView } from "../../src/pass/status-view.ts";
import { decideWebhook } from "../../src/server/webhook-event.ts";
import {
  anAnnouncedRecord,
  anArtifactRecord,
  aSavepointManifest,
  aSavepointRecord,
  aStartedRecord,
  aStop,
} from "../pass/builders.ts";
import { buildClass } from "../support/class-bytes.ts";
import { startFakeFlink } from "../support/fake-flink.ts";
import { buildZip } from "../support/zip.ts";
import { MANIFEST_WORDS } from "./manifest-targets.ts";
import type { Target } from "./fuzzer.ts";
import { checkProblems, checkPrototypes, checkSentence, CpuGuard } from "./properties.ts";

/** A file of the status branch: a record or a reason why there is none, and never a record of something else. */
export function statusDocuments(): Target {
  const records = [
    aStartedRecord(),
    anAnnouncedRecord(),
    aStartedRecord({ status: { operation: aStop("rescale") } }),
    anArtifactRecord(),
    aSavepointRecord(aSavepointManifest()),
  ];
  const paths = records.map(({ id }) => statusPath(id));
  const seeds = records.map((record) => Buffer.from(formatStatusDocument(record)));
  const parse = (input: Buffer) => paths.map((path) => parseStatusDocument(path, input.toString("utf8")));
  const guard = new CpuGuard(seeds, parse);
  return {
    name: "status documents",
    seeds,
    words: [...MANIFEST_WORDS, "operation:\n    kind: start\n", "attempt: 1e999\n", "phase: Failed\n", "history:\n", "run: -1\n"],
    check(input) {
      for (const [index, parsed] of guard.run(input, parse).entries()) {
        const path = paths[index]!;
        if ("problem" in parsed) checkProblems([parsed.problem], path, Buffer.from(input.toString("utf8")));
        else checkRoundTrip(path, parsed.record);
      }
      const files = new Map(paths.map((path) => [path, input.toString("utf8")]));
      const view = buildStatusView({ head: "a".repeat(40), files, unreadable: new Map(), committedAtMs: 0 });
      for (const { id } of records) {
        const key = resourceKey(id);
        if (view.records.has(key) === view.unreadable.has(key)) throw new Error(`${key} is lost in silence`);
      }
      checkPrototypes();
    },
  };
}

function checkRoundTrip(path: string, record: Parameters<typeof formatStatusDocument>[0]): void {
  if (statusPath(record.id) !== path) throw new Error(`${path} gave the record of ${statusPath(record.id)}`);
  const text = formatStatusDocument(record);
  const again = parseStatusDocument(path, text);
  if (!("record" in again)) throw new Error(`what is written cannot be read: ${again.problem.message}\n${text}`);
  if (!isDeepStrictEqual(again.record, record)) throw new Error(`written and read again it is another one:\n${text}`);
}

export function summaries(): Target {
  const summary = {
    appliedCommit: "c".repeat(40),
    manifestsDigest: "d",
    instance: "test",
    source: { url: "https://example.com", branch: "main", paths: ["**"], zones: ["local"] },
    problems: ["a.yaml:1:1 wrong"],
    orphans: [],
    unmanaged: ["main: ff (x)"],
  };
  return {
    name: "summaries",
    seeds: [Buffer.from(formatSummary(summary, [aStartedRecord()]))],
    words: MANIFEST_WORDS,
    check(input) {
      const parsed = parseSummary(input.toString("utf8"));
      if (parsed !== undefined && !isDeepStrictEqual(parseSummary(formatSummary(parsed, [])), parsed))
        throw new Error("written and read again it is another one");
      checkPrototypes();
    },
  };
}

const MISPLACED = "hunter2-hunter2";
const CONFIGURATION = `instance: prod
repository:
  url: https://git.example.com/jobs.git
  credentials: {username: u, password: ${MISPLACED}}
zones:
  local:
    clusters:
      main: {url: "http://jobmanager:8081", headers: {authorization: {file: a}}}
policy: {deletions: {max: 5}}
`;

function sentencesAbout(input: Buffer): readonly Problem[] {
  const { documents, problems } = parseYamlFile("penstock.yaml", input);
  const [document] = documents;
  if (document === undefined || document.broken) return problems;
  const judged = validateConfig(document);
  return [...problems, ...(judged.kind === "invalid" ? judged.problems : judged.notices)];
}

/** A password that stands where people put it by mistake is repeated by no sentence, whatever else is wrong. */
export function configurations(): Target {
  return {
    name: "configurations",
    seeds: [Buffer.from(CONFIGURATION)],
    words: [...MANIFEST_WORDS, "password: ", "zones:\n", "clusters:\n", "tls: {}", "passwordFile: /x\n"],
    check(input) {
      const problems = sentencesAbout(input);
      checkProblems(problems, "penstock.yaml", input);
      const written = input.toString("utf8");
      const isMisplaced = written.split(MISPLACED).length === 2 && written.includes(` password: ${MISPLACED}`);
      const said = problems.find(({ message }) => message.includes(MISPLACED));
      if (isMisplaced && said !== undefined) throw new Error(`the password is repeated: ${said.message}`);
      checkPrototypes();
    },
  };
}

const JAR_LIMIT = 1024 ** 2;

/** The folder is removed by `clean`. */
export function jars(): Target & { readonly clean: () => void } {
  const folder = mkdtempSync(join(tmpdir(), "penstock-fuzz-"));
  const file = join(folder, "fuzz.jar");
  const main = buildClass({ name: "a/B" });
  const manifest = "Manifest-Version: 1.0\r\nMain-Class: a.B\r\n\r\n";
  const entries = [
    { name: "META-INF/MANIFEST.MF", content: manifest },
    { name: "a/B.class", content: main },
    { name: "lib/x.jar", content: "x" },
  ];
  return {
    name: "jars",
    seeds: [
      buildZip(entries),
      buildZip(entries, { zip64: true, comment: "x" }),
      buildZip([{ name: "a/B.class", content: main, stored: true }]),
    ],
    words: [
      "PK\x01\x02",
      "PK\x03\x04",
      "PK\x05\x06",
      "PK\x06\x06",
      "PK\x06\x07",
      "\xFF\xFF\xFF\xFF",
      "\0\0\0\0",
      "../",
      "/etc/passwd",
      "\u001B[31m",
    ],
    async check(input) {
      if (input.length > JAR_LIMIT) return;
      writeFileSync(file, input);
      const seen = await inspectJar(file);
      if (seen.kind === "not-a-jar") checkSentence(seen.because);
      else {
        const { classes } = await inspectClasses(file, seen, ["a.B", "toString", "__proto__"]);
        for (const { main: found } of classes.values()) if (found.kind !== "yes") checkSentence(found.because);
      }
      const handle = await open(file);
      try {
        await readZipDirectory(handle, input.length);
      } catch (error) {
        if (!(error instanceof ZipStructureError)) throw error;
        checkSentence(error.message);
      } finally {
        await handle.close();
      }
    },
    clean: () => rmSync(folder, { recursive: true, force: true }),
  };
}

export function classFiles(): Target {
  return {
    name: "class files",
    seeds: [buildClass({ name: "a/B" })],
    words: ["\xCA\xFE\xBA\xBE", "\xFF\xFF", "\0\0", "main", "([Ljava/lang/String;)V"],
    check(input) {
      try {
        parseClassFile(input);
      } catch (error) {
        if (!(error instanceof RangeError) && !(error instanceof TypeError)) throw error;
      }
    },
  };
}

/** What a delivery that has proven itself may still hold. */
export function webhooks(): Target {
  const followed = {
    repository: { url: new URL("https://git.example.com/streams/jobs.git"), branch: "main" },
    status: { branch: "penstock/status", author: { name: "Penstock", email: "penstock@localhost" } },
  } as Parameters<typeof decideWebhook>[1];
  const payload = {
    ref: "refs/heads/main",
    repository: { full_name: "streams/jobs" },
    project: { path_with_namespace: "streams/jobs" },
    object_kind: "push",
    commits: [{ author: { name: "Penstock", email: "penstock@localhost" } }],
  };
  return {
    name: "webhooks",
    seeds: [Buffer.from(JSON.stringify(payload)), Buffer.from(`payload=${encodeURIComponent(JSON.stringify(payload))}`)],
    words: [
      '"__proto__":{"ref":1},',
      '"constructor":',
      "null",
      "[]",
      "{}",
      "1e999",
      "refs/heads/\\u001b[31m",
      '"ref":"\\u202e",',
      "\\ud800",
      "[".repeat(2000),
    ],
    check(input) {
      for (const forge of ["github", "gitlab", "gitea", "generic"] as const) {
        for (const type of ["application/json", "application/x-www-form-urlencoded"]) {
          const event = { [`x-${forge}-event`]: forge === "gitlab" ? "Push Hook" : "push", "content-type": type };
          checkSentence(decideWebhook({ forge, headers: event, body: input }, followed).because);
        }
      }
      checkPrototypes();
    },
  };
}

const DECODERS = Object.entries(responses).filter(([name]) => name.startsWith("decode")) as readonly [
  string,
  (value: unknown) => unknown,
][];

/** Answers of a Flink that is none, or is somebody's who means harm. */
export async function flinkAnswers(): Promise<Target> {
  const flink = await startFakeFlink();
  const asked = ["config", "overview", "jobmanager/config", "jobs/overview", "jars", "taskmanagers", "jobmanager/environment"];
  const seeds = await Promise.all(asked.map(async (path) => Buffer.from(await (await fetch(new URL(path, flink.url))).text())));
  await flink.close();
  const more = [
    { errors: ["java.lang.RuntimeException: x\n\tat a.B(B.java:1)\nCaused by: java.io.IOException: y"] },
    { status: { id: "COMPLETED" }, operation: { "failure-cause": { class: "a.B", "stack-trace": "java.io.IOException: x" } } },
    { exceptionHistory: { entries: [{ timestamp: 1, stacktrace: "a.B: c", taskName: "x" }] } },
    { counts: { completed: 1 }, latest: { completed: { id: 1, external_path: "s3://a" } }, history: [] },
    { jid: "f".repeat(32), state: "RUNNING", vertices: [{ id: "a", parallelism: 1, tasks: { RUNNING: 1 } }] },
  ];
  return {
    name: "Flink's answers",
    seeds: [...seeds, ...more.map((value) => Buffer.from(JSON.stringify(value)))],
    words: [
      '"__proto__":{"a":1},',
      '"constructor":1,',
      "null",
      "[]",
      "{}",
      "1e999",
      "-1",
      "0.5",
      '"RUNNING"',
      '"\\u001b[31m"',
      "\\nCaused by: ",
      "\\n\\tat a.B(",
    ],
    check(input) {
      let value: unknown;
      try {
        value = JSON.parse(input.toString("utf8"));
      } catch {
        value = input.toString("utf8"); // no JSON: what the transport refuses, so any other value will do
      }
      for (const [name, decode] of DECODERS) {
        try {
          decode(value);
        } catch (error) {
          if (!(error instanceof responses.WrongShapeError)) throw new Error(name, { cause: error });
          checkSentence(oneLine(error.message, 1000) || "x");
        }
      }
      checkSentence(readRootCause([input.toString("utf8"), ...(responses.decodeErrors(value) ?? [])]).line);
      checkPrototypes();
    },
  };
}

/** Objects and lines of Git, names of files, and every text that is shown to people. */
export function gitBytes(): Target {
  const oid = "1".repeat(40);
  const tree = buildTree([
    { mode: "100644", name: "a.yaml", oid },
    { mode: "40000", name: "jars", oid },
    { mode: "120000", name: "caf\xE9", oid },
  ]);
  const commit = `tree ${oid}\nparent ${oid}\nauthor A <a@b> 1 +0000\ncommitter C <c@d> 1700000000 -0130\n\nSubject\n\nPenstock-Allow-Deletions: 3\n`;
  return {
    name: "Git's bytes",
    seeds: [
      tree,
      Buffer.from(commit),
      Buffer.from("001e# service=git-upload-pack\n0000"),
      Buffer.from(`version https://git-lfs.github.com/spec/v1\noid sha256:${"0".repeat(64)}\nsize 1\n`),
    ],
    words: [
      "\0",
      "100644 ",
      "40000 ..\0",
      ".git",
      "\u202E",
      "\u001B[31m",
      "\n\n",
      "Penstock-Allow-Deletions: ",
      "gpgsig ",
      "<img src=x>",
      "[a](b)",
      "@everyone",
      "|",
      "`",
      "www.",
      "://",
      "ffff",
      "0004",
    ],
    check(input) {
      for (const { name, mode } of parseTree(input) ?? []) {
        const { display, text, readable } = readName(name);
        if (display !== "") checkSentence(shownPath(display));
        if (readable && (text.includes("/") || text === ".." || mode === ""))
          throw new Error(`a readable name that is none: ${JSON.stringify(text)}`);
      }
      parseCommit(input);
      parsePktLines(input);
      parseLfsPointer(input);
      const text = input.toString("utf8");
      for (const values of parseTrailers(text).values()) if (values.length === 0) throw new Error("a trailer without a value");
      const line = oneLine(text);
      if (line !== "") checkSentence(line);
      if (oneLine(line) !== line) throw new Error("one line is not one line");
      const markdown = escapeMarkdown(text);
      if (/(?<!\\)[<>[\]()`*_|#]/.test(markdown.replaceAll("&lt;", ""))) throw new Error(`markup is left: ${markdown}`);
      checkPrototypes();
    },
  };
}
