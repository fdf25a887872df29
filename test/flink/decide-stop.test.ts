import { describe, expect, it } from "vitest";
import { decideStop, type StopEvidence } from "../../src/flink/stop-job.ts";
import { uriIn } from "../../src/flink/stop-aftermath.ts";

const TARGET = "file:///savepoints/job/trigger";
const URI = `${TARGET}/savepoint-1`;
const SAVED = { kind: "saved", uri: URI, writtenAtMs: 1000 } as const;
const NOT_LISTED = { kind: "cannot-tell", because: "hdfs:// cannot be listed" } as const;
const FORGOTTEN = { kind: "unknown-trigger" } as const;
const RUNNING = { kind: "live", state: "RUNNING" } as const;
const FINISHED = { kind: "ended", state: "FINISHED" } as const;

function failed(line: string, savedAt?: string): StopEvidence["operation"] {
  return { kind: "failed", cause: { kind: "other", line }, savedAt };
}

function aftermath(
  wentOn: NonNullable<StopEvidence["aftermath"]>["wentOn"],
  numbers = true,
  uri?: string,
): Partial<StopEvidence> {
  return { aftermath: { numbers, uri, wentOn } };
}

function decided(evidence: Partial<StopEvidence>): string {
  const defaults = { job: RUNNING, operation: FORGOTTEN, directory: { kind: "none" }, aftermath: undefined } as const;
  const verdict = decideStop({ targetDirectory: TARGET, asked: false, refusal: undefined, looks: 1, ...defaults, ...evidence });
  return verdict.kind === "settled" ? verdict.outcome.kind : verdict.kind;
}

describe("decideStop", () => {
  it.each<[string, Partial<StopEvidence>, string]>([
    ["asks for a stop that nobody has asked for", {}, "ask"],
    ["asks although the directory cannot be listed: the trigger id keeps it one stop", { directory: NOT_LISTED }, "ask"],
    ["asks no more what Flink has taken and forgotten", { asked: true }, "still-running"],
    ["asks no more what Flink refuses", { refusal: "no" }, "still-running"],
    ["never asks beside a savepoint that is there", { directory: SAVED }, "look-again"],
    ["never asks beside a savepoint that is there, however long", { directory: SAVED, looks: 9 }, "still-running"],
    ["waits for the end of what somebody cancels", { job: { kind: "live", state: "CANCELLING" } }, "look-again"],
    ["waits while Flink is at it", { operation: { kind: "in-progress" }, directory: SAVED }, "look-again"],
    ["waits for the job to end after its savepoint", { operation: { kind: "completed", location: URI } }, "look-again"],
    ["believes a success", { job: FINISHED, operation: { kind: "completed", location: URI } }, "stopped"],
    [
      "believes a success of a job that is gone since",
      { job: { kind: "absent" }, operation: { kind: "completed", location: URI } },
      "stopped",
    ],
    ["gives a job time to end after a failure", { operation: failed("declined") }, "look-again"],
    ["believes a failure when the job still runs", { operation: failed("declined"), looks: 3 }, "still-running"],
    [
      "gives a job more time that another stop may be ending",
      { operation: failed("Checkpoint Coordinator is suspending."), looks: 3 },
      "look-again",
    ],
    ["but not for ever", { operation: failed("Checkpoint Coordinator is suspending."), looks: 14 }, "still-running"],
    [
      "gives a job no more time that restarts",
      {
        job: { kind: "live", state: "RESTARTING" },
        operation: failed("Checkpoint Coordinator is suspending."),
        looks: 3,
      },
      "still-running",
    ],
    [
      "takes what a failed stop has saved",
      { job: FINISHED, operation: failed("stopping", URI), directory: NOT_LISTED },
      "stopped",
    ],
    [
      "takes what Flink's numbers name",
      { job: FINISHED, directory: NOT_LISTED, ...aftermath({ kind: "no" }, true, URI) },
      "stopped",
    ],
    ["is sure of nothing saved when the directory is empty", { job: FINISHED, ...aftermath({ kind: "no" }) }, "ended"],
    [
      "waits for numbers that are not older than the stop",
      { job: FINISHED, directory: NOT_LISTED, ...aftermath({ kind: "no" }) },
      "look-again",
    ],
    [
      "believes numbers that cannot be older",
      { job: FINISHED, directory: NOT_LISTED, looks: 30, ...aftermath({ kind: "no" }) },
      "ended",
    ],
    [
      "knows nothing without numbers and without a list",
      { job: { kind: "absent" }, directory: NOT_LISTED, ...aftermath({ kind: "no" }, false) },
      "unknown",
    ],
    [
      "knows nothing of a savepoint that may not be the last state",
      { job: { kind: "absent" }, directory: SAVED, ...aftermath({ kind: "cannot-tell", because: "?" }, false) },
      "unknown",
    ],
    [
      "waits to be sure that a job went on after its savepoint",
      { job: FINISHED, directory: SAVED, ...aftermath({ kind: "yes", sure: false }) },
      "look-again",
    ],
    [
      "does not hold a savepoint for the last state of a job that went on",
      { job: FINISHED, directory: SAVED, ...aftermath({ kind: "yes", sure: true }) },
      "ended",
    ],
    ["gives a result time to show after the job's end", { job: FINISHED, operation: { kind: "in-progress" } }, "look-again"],
    [
      "does without a result that never shows",
      { job: FINISHED, operation: { kind: "in-progress" }, looks: 3, directory: SAVED, ...aftermath({ kind: "no" }) },
      "stopped",
    ],
  ])("%s", (_, evidence, expected) => {
    expect(decided(evidence)).toBe(expected);
  });
});

describe("uriIn", () => {
  it.each([
    ["file:/savepoints/job/trigger/savepoint-1", URI],
    ["file:///savepoints/job/trigger/savepoint-1/", URI],
    ["file:/savepoints/job/trigger", TARGET],
    ["file:/savepoints/job/trigger-2/savepoint-1", undefined],
    ["s3://savepoints/job/trigger/savepoint-1", undefined],
  ])("finds %s in the announced directory as %s", (location, expected) => {
    expect(uriIn(TARGET, location)).toBe(expected);
    expect(uriIn(`${TARGET}/`, location)).toBe(expected);
  });
});
