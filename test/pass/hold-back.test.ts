import { describe, expect, it } from "vitest";
import { resourceKey } from "../../src/model/resource.ts";
import type { JobRecord, ResourceRecord, Summary } from "../../src/model/status.ts";
import { isHeldBack, isSummaryHeldBack, rememberTold, SUMMARY_KEY, type Told } from "../../src/pass/hold-back.ts";
import { aStartedRecord, NOW } from "./builders.ts";
import { EMPTY_BRANCH, runPass } from "./pass-driver.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

function saying(reason: string, message = ""): JobRecord {
  const conditions = [{ type: "Healthy", status: "Unknown" as const, reason, message, since: "2026-11-22T11:00:00Z" }];
  return aStartedRecord({ status: { conditions } });
}

const KEY = resourceKey(saying("").id);
const SUMMARY: Summary = {
  appliedCommit: "a".repeat(40),
  manifestsDigest: "digest",
  source: { url: "https://git.example.com/jobs.git", branch: "main", paths: [], zones: ["local"] },
  instance: "test",
  problems: [],
  orphans: [],
  unmanaged: [],
};

/** A daemon that sees one and the same thing, pass after pass, whatever the branch says. */
class Teller {
  readonly #sees: JobRecord;
  #told: Told = new Map();
  /** When it wrote. */
  readonly wrote: number[] = [];

  constructor(sees: JobRecord) {
    this.#sees = sees;
  }

  /** What the branch says after its pass. */
  pass(branch: ResourceRecord, now: number): ResourceRecord {
    const agrees = JSON.stringify(branch.status.conditions) === JSON.stringify(this.#sees.status.conditions);
    const next = agrees || isHeldBack(this.#told.get(KEY), this.#sees, branch, now) ? branch : { ...this.#sees };
    const written = next !== branch;
    if (written) this.wrote.push(now);
    const [before, after] = [bothOf(branch), bothOf(next)];
    this.#told = rememberTold(this.#told, { before, after, written, now });
    return next;
  }
}

/** What the branch holds: this record, and this summary. */
function bothOf(record: ResourceRecord | undefined, summary = SUMMARY) {
  return { records: new Map(record === undefined ? [] : [[KEY, record]]), summary };
}

/** Two that see different things, each passing every 5 s. */
function argue(a: Teller, b: Teller, durationMs: number): ResourceRecord {
  let branch: ResourceRecord = saying("Begin");
  for (let now = NOW; now < NOW + durationMs; now += 5000) branch = b.pass(a.pass(branch, now), now + 1);
  return branch;
}

function reasonOf({ status }: ResourceRecord): string | undefined {
  return status.conditions[0]?.reason;
}

describe("two daemons that see different things", () => {
  it("do not tell them in turns for ever: what the other one takes back is told ever more rarely", () => {
    const [a, b] = [new Teller(saying("AllTasksRunning")), new Teller(saying("TasksNotRunning"))];
    argue(a, b, 24 * HOUR);
    expect(a.wrote.length + b.wrote.length).toBeLessThan(30);
    const lastHours = [...a.wrote, ...b.wrote].filter((at) => at > NOW + 12 * HOUR);
    expect(lastHours.length).toBeLessThanOrEqual(6);
  });

  it("leave the word to the one that can see: it is heard at once, and the other one asks ever more rarely", () => {
    const [sees, isBlind] = [new Teller(saying("AllTasksRunning")), new Teller(saying("ClusterUnreachable"))];
    const branch = argue(isBlind, sees, 24 * HOUR);
    expect(reasonOf(branch)).toBe("AllTasksRunning");
    expect(sees.wrote.length).toBe(isBlind.wrote.length);
    // After a minute for the first time, then after twice as long each time, up to six hours.
    expect(isBlind.wrote.length).toBeLessThanOrEqual(13);
    expect(isBlind.wrote[0]).toBe(NOW);
    for (const [index, at] of sees.wrote.entries()) expect(at).toBe(isBlind.wrote[index]! + 1); // one for each
  });

  it("say what has become new at once", () => {
    const a = new Teller(saying("AllTasksRunning"));
    argue(a, new Teller(saying("TasksNotRunning")), HOUR);
    const b = new Teller(saying("Ended"));
    const branch = b.pass(saying("AllTasksRunning"), NOW);
    expect(reasonOf(branch)).toBe("Ended");
  });
});

describe("a daemon that is alone", () => {
  it("says each time what has changed, however often it does", () => {
    let told: Told = new Map();
    let branch = saying("AllTasksRunning");
    for (let round = 0; round < 20; round += 1) {
      const next = saying(round % 2 === 0 ? "ClusterUnreachable" : "AllTasksRunning");
      expect(isHeldBack(told.get(KEY), next, branch, NOW + round), `round ${round}`).toBe(false);
      const before = { records: new Map([[KEY, branch]]), summary: SUMMARY };
      const after = { records: new Map([[KEY, next]]), summary: SUMMARY };
      told = rememberTold(told, { before, after, written: true, now: NOW + round });
      branch = next;
    }
  });

  it("puts right at once what a person changed by hand", () => {
    const told = toldOf(saying("AllTasksRunning"));
    expect(isHeldBack(told.get(KEY), saying("AllTasksRunning"), saying("Nonsense"), NOW)).toBe(false);
  });

  it("takes other words for the same reason for the same news", () => {
    const told = toldOf(saying("ClusterUnreachable", "connection refused"));
    const again = saying("ClusterUnreachable", "no answer within 1000 ms");
    expect(isHeldBack(told.get(KEY), again, saying("AllTasksRunning"), NOW + MINUTE - 1)).toBe(true);
    expect(isHeldBack(told.get(KEY), again, saying("AllTasksRunning"), NOW + MINUTE)).toBe(false);
  });
});

it("a summary that another configuration takes back is told ever more rarely, too", () => {
  const mine = SUMMARY;
  const theirs = { ...SUMMARY, source: { ...SUMMARY.source, zones: ["local", "other"] } };
  let told: Told = new Map();
  const wrote: number[] = [];
  for (let now = NOW; now < NOW + 6 * HOUR; now += 5000) {
    if (isSummaryHeldBack(told.get(SUMMARY_KEY), mine, theirs, now)) continue;
    wrote.push(now);
    const [before, after] = [bothOf(undefined, theirs), bothOf(undefined, mine)];
    told = rememberTold(told, { before, after, written: true, now });
  }
  expect(wrote.length).toBeLessThanOrEqual(11);
});

function toldOf(record: JobRecord): Told {
  const before = { records: new Map([[KEY, saying("Begin")]]), summary: SUMMARY };
  const after = { records: new Map([[KEY, record]]), summary: SUMMARY };
  return rememberTold(new Map(), { before, after, written: true, now: NOW });
}

it("a pass leaves a disputed summary as it stands, until it may say it again", () => {
  const first = runPass({ manifests: [] });
  const ours = first.update.summary;
  const branch = { ...first.status, summary: { ...ours, source: { ...ours.source, zones: ["other"] } } };
  let told = rememberTold(new Map(), { before: EMPTY_BRANCH, after: first.update, written: true, now: NOW });
  const again = runPass({ manifests: [], status: branch, told });
  expect(again.update.summary.source.zones).toEqual(ours.source.zones);
  told = rememberTold(told, { before: branch, after: again.update, written: true, now: NOW });
  const tooSoon = runPass({ manifests: [], status: branch, told, now: NOW + MINUTE - 1 });
  expect([...tooSoon.update.changes]).toEqual([]);
  expect(runPass({ manifests: [], status: branch, told, now: NOW + MINUTE }).update.changes.has("summary.yaml")).toBe(true);
});
