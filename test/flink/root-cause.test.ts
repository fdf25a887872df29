import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readRootCause, type RejectionKind } from "../../src/flink/root-cause.ts";

interface Recorded {
  readonly name: string;
  readonly status: number;
  readonly errors: readonly string[];
}

/** What real clusters answered; written by test/support/record-flink-errors.ts. */
function recordedOn(version: string): readonly Recorded[] {
  return JSON.parse(readFileSync(join(import.meta.dirname, `fixtures/errors-${version}.json`), "utf8")) as readonly Recorded[];
}

const NOTHING = "The program's entry point class 'penstock.test.Nothing' was not found in the jar file.";
const NO_LUCK = "main() failed: no luck (RuntimeException: root cause of no luck)";
const TOO_WIDE =
  "Vertex counter's parallelism (3) is higher than the max parallelism (2). Please lower the parallelism or increase the max parallelism.";

/** The same for every version; a line that names ids or paths of the recording as a pattern. */
const EXPECTED: Readonly<Record<string, readonly [RejectionKind, string | RegExp]>> = {
  "entry class missing": ["entry-class-not-found", NOTHING],
  "entry class missing, with options": ["entry-class-not-found", NOTHING],
  "no main": ["no-main", "The given program class does not have a main(String[]) method."],
  "no main, with options": ["no-main", /(?:has no|does not have a) main\(String\[\]\) method\.$/],
  "main throws": ["main-threw", NO_LUCK],
  "main throws, with options": ["main-threw", NO_LUCK],
  "bad arguments": ["main-threw", "main() failed: Error parsing arguments '[stray]' on 'stray'."],
  "no jobs": ["no-jobs", "No jobs included in application."],
  "bad option": ["bad-option", "Could not parse value 'soon' for key 'execution.checkpointing.interval'."],
  "above the max parallelism": ["bad-option", TOO_WIDE],
  "bad job id": ["bad-request", /^Request did not match expected format JarRunRequestBody\. \(NumberFormatException: .*"zz"/],
  "not a jar": ["not-a-jar", /^Error while opening jar file '.*garbage\.jar'/],
  "jar missing": ["jar-missing", /^Jar file .*_a\.jar does not exist$/],
  "jar to delete missing": ["other", /^File .*_a\.jar does not exist in /],
  "only jars": ["not-a-jar", "Only Jar files are allowed."],
  "job not found": ["other", /^Could not find Flink job \([0-9a-f]{32}\)$/],
  "job not found, checkpoints": ["other", /^Could not find Flink job/],
  "job not found, exceptions": ["other", /^Could not find Flink job/],
  "nothing served, GET": ["other", "Unable to load requested file /nope."],
  "nothing served, POST": ["other", "Not found: /nope"],
  "cancel unknown": ["other", /^Could not find Flink job/],
  "duplicate, ended": ["duplicate-job", /^(?:Job|Application) has already been submitted\.$/],
  "duplicate, running": ["duplicate-job", /^(?:Job|Application) has already been submitted\.$/],
  "cancel finished": [
    "other",
    /^Job cancellation failed because the job has already reached another terminal state \(FINISHED\)\.$/,
  ],
  "not enough slots": ["not-enough-slots", "Could not acquire the minimum required resources."],
  "unknown trigger": ["other", /^There is no savepoint operation with triggerId=/],
  "unknown disposal": ["other", /^Operation not found under key: /],
  "bad trigger id": ["bad-request", /^Request did not match expected format StopWithSavepointRequestBody\./],
  "stop of an unknown job": ["other", /^Could not find Flink job/],
  "stop to a place that cannot be written": ["other", "Failed to create savepoint directory at file:/dev/null/nope"],
  "stop while tasks wait": [
    "other",
    /^CheckpointException: Checkpoint triggering task .*Not all required tasks are currently running\.$/,
  ],
  "savepoint missing": [
    "savepoint-missing",
    /^Cannot find checkpoint or savepoint file\/directory '.*nothing-here' on file system 'file'\.$/,
  ],
  "savepoint missing, exception": ["savepoint-missing", /^Cannot find checkpoint or savepoint file\/directory /],
  "disposal of nothing": ["savepoint-missing", /^Cannot find checkpoint or savepoint file\/directory /],
  "max parallelism changed": [
    "state-does-not-fit",
    /Max parallelism mismatch between checkpoint\/savepoint state and new program\./,
  ],
  "max parallelism changed, exception": ["state-does-not-fit", /Max parallelism mismatch/],
  "state of another program": ["state-does-not-fit", /Cannot map checkpoint\/savepoint state for operator/],
};

/** What differs from version to version. */
const ONLY: Readonly<Record<string, Readonly<Record<string, readonly [RejectionKind, string | RegExp]>>>> = {
  "1.16.3": {
    "unknown field": [
      "bad-request",
      /^Request did not match expected format JarRunRequestBody\. \(.*Unrecognized field "fooBar"/,
    ],
    "no requirements": ["other", /^Unable to load requested file \/jobs\//],
    "requirements of a default scheduler": ["other", /^Unable to load requested file \/jobs\//],
  },
  "1.20.5": {
    "unknown field": ["entry-class-not-found", NOTHING],
    "no requirements": ["other", /^Could not find Flink job/],
    "requirements of a default scheduler": ["other", /^UnsupportedOperationException: The DefaultScheduler does not support/],
  },
  "2.3.0": {
    "unknown field": ["entry-class-not-found", NOTHING],
    "no requirements": ["other", /^Could not find Flink job/],
    "requirements of a default scheduler": ["other", /^UnsupportedOperationException: The DefaultScheduler does not support/],
  },
};

describe.each(Object.keys(ONLY))("readRootCause on answers of Flink %s", (version) => {
  it.each(recordedOn(version).map((recorded) => [recorded.name, recorded] as const))("reads %s", (name, { errors }) => {
    const expected = ONLY[version]?.[name] ?? EXPECTED[name];
    const found = readRootCause(errors);
    expect(found.kind).toBe(expected?.[0]);
    expect(found.line).toMatch(expected?.[1] ?? "");
    if (typeof expected?.[1] === "string") expect(found.line).toBe(expected[1]);
    expect(found.line).not.toMatch(/\n|\tat |Caused by|java\.lang/);
  });
});

describe("readRootCause", () => {
  it.each([
    ["nothing", [], "no reason given"],
    ["an empty text", [""], "no reason given"],
    ["a plain sentence", ["Received unknown attribute foo."], "Received unknown attribute foo."],
    ["an exception without a message", ["java.lang.NullPointerException\n\tat a.B.c(B.java:1)"], "NullPointerException"],
    ["a message of several lines", ["java.io.IOException: first\nsecond\n\tat a.B.c(B.java:1)"], "IOException: first second"],
    ["nothing but control characters", ["\u0010\u202e"], "no reason given"],
    ["terminal escapes", ["java.io.IOException: \u001b[31mred\u001b[0m"], "IOException: [31mred [0m"],
  ])("takes %s", (_, errors, line) => {
    expect(readRootCause(errors)).toEqual({ kind: "other", line });
  });

  it("believes messages, not stack frames", () => {
    const text = "java.io.IOException: broken\n\tat org.x.NoJobs.Could not parse value 'a' for key (No.java:1)";
    expect(readRootCause([text]).kind).toBe("other");
  });

  it.each([
    ["line breaks", "\n", ""],
    ["lines of spaces", "\n   ", ""],
    ["names with dots", "a.", ""],
    ["the beginning of what it looks for", "Could not parse value '", ""],
    ["jars", "Jar file ", ""],
    ["causes", "\nCaused by: ", ""],
    ["frames", "\n\tat ", "a.".repeat(100_000)],
  ])("reads a message of a million %s as quickly as any", (_, piece, end) => {
    const message = piece.repeat(1_000_000) + end;
    const found = readRootCause([
      `java.lang.RuntimeException: outer${message}`,
      `The main method caused an error: ${message}\nCaused by: java.io.IOException: the cause`,
    ]);
    expect(found.line.length).toBeLessThanOrEqual(520);
    expect(found).toMatchObject({ kind: expect.stringMatching(/^(?:other|main-threw)$/) as string });
  });

  it("cuts what is too long", () => {
    expect(readRootCause([`java.io.IOException: ${"x".repeat(9000)}`]).line.length).toBeLessThanOrEqual(500);
  });
});
