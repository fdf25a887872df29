import { expect } from "vitest";
import { jobSpecHash } from "../../src/model/canonical-spec.ts";
import { isOurs, parseFlinkJobId } from "../../src/model/flink-job-id.ts";
import { isAllowedTransition } from "../../src/model/flink-job-state.ts";
import { resourceKey, siblingKey, type ResourceKey } from "../../src/model/resource.ts";
import type { JobRecord, ResourceRecord, RestorePoint, SavepointPhase, SavepointRecord } from "../../src/model/status.ts";
import type { JobDecision, JobWork, SavepointDecision } from "../../src/pass/decision.ts";
import { findJob, type Observed } from "../../src/pass/observed.ts";
import type { StatusView } from "../../src/pass/snapshot.ts";
import { anId, INSTANCE } from "./builders.ts";
import { runPass, type PassInput, type PurePass } from "./pass-driver.ts";
import { FOREIGN } from "./random-flink.ts";
import { ALL_NAMES } from "./random-git.ts";
import type { RandomWorld } from "./random-world.ts";

/** The attempts that were announced so far, whatever the branch still knows of them. */
export type Ledger = Map<ResourceKey, number>;

const PHASES = ["Pending", "Ready", "Deleting"];
/** A Savepoint's diagram: back only from a try that failed; a Final one begins anew when its Job has run on since. */
const SAVEPOINT_NEXT: Readonly<Record<SavepointPhase, readonly SavepointPhase[]>> = {
  Pending: ["Pending", "InProgress", "Ready", "Deleting"],
  InProgress: ["InProgress", "Pending", "Ready", "Deleting"],
  Ready: ["Ready", "Deleting"],
  Deleting: ["Deleting"],
};

export function checkLive(world: RandomWorld): void {
  for (const [resource, live] of world.flink.liveByResource()) expect(live, `live jobs of ${resource}`).toHaveLength(1);
}

/** What a pass announced that was pushed: attempts that may be called for from now on, and places that are about to go. */
export function noteAnnounced({ decisions }: PurePass, world: RandomWorld, ledger: Ledger): void {
  for (const decision of decisions.jobs) {
    const started = newStart(decision);
    if (started === undefined) continue;
    ledger.set(decision.key, started.attempt);
    world.announced.add(started.flinkJobId);
  }
  for (const decision of [...decisions.savepoints, ...decisions.disposals])
    if (decision.kind === "announce" && decision.work.operation.kind === "dispose")
      world.flink.condemned.add(decision.work.operation.uri);
}

/** The attempt that a decision announces, at once or after a stop. */
function newStart(decision: JobDecision): { readonly attempt: number; readonly flinkJobId: string } | undefined {
  if (decision.kind !== "announce") return undefined;
  const { work } = decision;
  return work.kind === "start" ? work.operation : work.kind === "stop" ? work.operation.next : undefined;
}

export function checkPass(pass: PurePass, world: RandomWorld, ledger: Ledger): void {
  for (const decision of pass.decisions.jobs) checkDecision(decision, pass, world, ledger);
  for (const decision of pass.decisions.savepoints) checkSavepoint(decision, pass, world);
  checkTransitions(pass);
}

function checkDecision(decision: JobDecision, pass: PurePass, world: RandomWorld, ledger: Ledger): void {
  const { records, unreadable } = pass.snapshot.status;
  if (unreadable.has(decision.key)) {
    expect(decision.kind).toBe("leave");
    expect(pass.update.changes.has(`${decision.key}.yaml`)).toBe(false);
  }
  const record = jobRecord(records.get(decision.key));
  const operation = record?.status.operation;
  const declared = pass.desired.jobs.find(({ key }) => key === decision.key)?.declared.kind;
  if (decision.kind === "forget") {
    expect(declared).toBe("absent");
    const isOld = record?.status.deleted !== undefined;
    if (!isOld) expect(pass.snapshot.deletionsHeld).toBeUndefined();
    if (!isOld) expect(world.flink.newestState(decision.id.name), "state of a Job that is forgotten").toBeUndefined();
  }
  if (decision.kind === "settle") {
    const { settlement } = decision;
    if (settlement.kind === "buried") checkBurial(settlement.restorePoint, decision, world);
    // Only what a drained job left may say so, and nothing else.
    if (settlement.kind === "finalized")
      expect(world.flink.pointAt(settlement.uri)?.drained ?? false, `what ${settlement.savepoint} holds is drained`).toBe(
        settlement.drained,
      );
  }
  if (!("work" in decision)) return;
  const { work } = decision;
  const id = work.operation.flinkJobId;
  expect(isOurs(id, INSTANCE) && id !== FOREIGN, "acts on a job that is not ours").toBe(true);
  const target = findJob(pass.observed.clusters, decision.id.zone, work.operation.cluster, id);
  expect(target.kind, `acts on ${work.operation.cluster.name}, which cannot be seen`).not.toBe("unseen");
  if (decision.kind === "resume") expect(pass.observed.steps.get(id)?.kind === "under-way" && work.kind !== "start").toBe(false);
  if (decision.kind === "announce") {
    const next = newStart(decision);
    if (next !== undefined) {
      expect(next.attempt).toBeGreaterThan(ledger.get(decision.key) ?? 0);
      expect(world.announced).not.toContain(next.flinkJobId);
    }
    if (work.kind === "stop" || work.kind === "cancel") checkMayStop(declared, work, record, pass);
  } else if (work.kind === "start" && operation?.kind === "start") expect(work.operation).toEqual(operation);
  else if (work.kind !== "start") expect(work.operation).toEqual(operation);
  if (work.kind === "start") checkStart({ ...decision, work }, pass, record, world);
}

/** Nothing is stopped but for a reason: other rpus, a better cluster, a Final Savepoint, or its end. */
function checkMayStop(
  declared: string | undefined,
  work: JobWork & { kind: "stop" | "cancel" },
  record: JobRecord | undefined,
  pass: PurePass,
): void {
  const isDeletion = work.kind === "cancel" || work.operation.purpose === "delete";
  if (isDeletion) expect(declared === "absent" || record?.status.phase === "Deleting").toBe(true);
  else if (work.operation.purpose === "final") {
    const { savepoint = "" } = work.operation;
    const found = pass.desired.savepoints.find(({ id }) => id.name === savepoint)?.declared;
    expect(found?.kind, `the Final Savepoint ${savepoint}`).toBe("declared");
  } else expect(declared === "broken" && work.operation.purpose !== "migrate").toBe(false);
}

/**
 * It goes on from the newest state that its last attempt left or was given, one that lies there, and no drained one; and its id is never
 * sent to another JobManager.
 */
function checkStart(
  { work, kind, id: { name } }: JobDecision & { readonly work: JobWork & { readonly kind: "start" } },
  { observed, desired }: PurePass,
  record: JobRecord | undefined,
  world: RandomWorld,
): void {
  const { flinkJobId, cluster, restoreFrom } = work.operation;
  checkTarget(work, kind, observed, world);
  if (world.flink.knows(cluster, flinkJobId)) return; // it says so, and nothing is started
  const attempt = `attempt ${parseFlinkJobId(flinkJobId)?.attempt} of ${name}`;
  if (restoreFrom !== undefined) expect(world.flink.isOnDisk(restoreFrom.uri), `${restoreFrom.uri} for ${attempt}`).toBe(true);
  const point = restoreFrom === undefined ? undefined : world.flink.pointAt(restoreFrom.uri);
  const isOwn = world.flink.attemptsOf(name).some(([id]) => id === point?.flinkJobId);
  expect(isOwn && point?.drained, `${attempt} goes on from a drained savepoint`).not.toBe(true);
  expect(cluster.name).toBeOneOf(world.flink.clusters.map((known) => known.name));
  const initial = initialUri(name, desired);
  const last = world.flink.lastAttempt(name);
  const isReborn = record?.status.deleted !== undefined;
  const tombstone = record?.status.deleted?.restorePoint?.uri;
  if (isReborn)
    expect(restoreFrom?.uri, `what the reborn ${attempt} starts from`).toBe(isNewer(name, record, desired) ? initial : tombstone);
  else if (last === undefined) {
    // A first start that was announced goes on from what it was announced with, also when it had to count as one that ran unseen.
    const { operation, startedFrom } = record?.status ?? {};
    const before = operation?.kind === "start" ? operation.restoreFrom?.uri : undefined;
    const known = [initial, before, startedFrom?.uri];
    if (kind === "announce") expect(known, `what the first ${attempt} starts from`).toContain(restoreFrom?.uri);
  } else if ((last.state !== "FINISHED" || restoreFrom !== undefined) && !isBirth(record)) {
    expect(restoreFrom?.uri, `what ${attempt} starts from`).toBe(world.flink.newestState(name));
  }
}

/** Whether the Savepoint that a deleted Job names came about after its end, or with another spec, or it left nothing else: then it is what it goes on from. */
function isNewer(name: string, record: JobRecord, desired: PurePass["desired"]): boolean {
  const job = desired.jobs.find(({ id }) => id.name === name);
  if (job?.declared.kind !== "declared") return false;
  const { spec } = job.declared.manifest;
  if (spec.initialState === undefined) return false;
  const { restorePoint, lost, finalized } = record.status.deleted ?? {};
  const leftNothing = restorePoint === undefined && lost === undefined && finalized === undefined;
  if (leftNothing || jobSpecHash(spec) !== jobSpecHash(record.spec)) return true;
  const named = spec.initialState.savepoint;
  const history = desired.savepoints.find(({ id }) => id.name === named)?.record?.status.history ?? [];
  const readyAt = history.findLast(({ to }) => to === "Ready")?.when ?? "";
  return Date.parse(readyAt) > Date.parse(record.status.deleted?.at ?? "");
}

/** The first start of a Job that was declared again: its former life is over, and what it is given stands in the announcement. */
function isBirth(record: JobRecord | undefined): boolean {
  return record?.status.flinkJobId === undefined;
}

function checkTarget(
  { operation }: JobWork & { readonly kind: "start" },
  kind: string,
  observed: Observed,
  world: RandomWorld,
): void {
  const { flinkJobId, cluster } = operation;
  const seen = findJob(observed.clusters, "local", cluster, flinkJobId);
  const submission = observed.submissions.get(flinkJobId);
  expect(submission?.kind).not.toBe("under-way");
  if (seen.kind !== "listed" && submission?.kind === "unknown") expect(submission.retryAtMs).toBeLessThanOrEqual(world.now);
  // Under high availability the next JobManager knows what the one before took.
  if (seen.kind !== "unseen" && kind === "resume" && !seen.cluster.highAvailability)
    expect(seen.cluster.incarnation, "an id goes to another JobManager").toBe(cluster.incarnation);
}

function initialUri(name: string, desired: PurePass["desired"]): string | undefined {
  const job = desired.jobs.find(({ id }) => id.name === name);
  const savepoint = job?.declared.kind === "declared" ? job.declared.manifest.spec.initialState?.savepoint : undefined;
  return desired.savepoints.find(({ id }) => id.name === savepoint)?.record?.status.uri;
}

/** A tombstone keeps the newest state, but of a job that ran out of data. */
function checkBurial(point: RestorePoint | undefined, decision: JobDecision, world: RandomWorld): void {
  const { name } = decision.id;
  // What never ran keeps what it was to start from.
  if (point !== undefined && world.flink.lastAttempt(name) !== undefined)
    expect(point.uri, `what the tombstone of ${name} keeps`).toBe(world.flink.newestState(name));
}

function checkSavepoint(decision: SavepointDecision, { snapshot, desired, observed }: PurePass, world: RandomWorld): void {
  const savepoint = desired.savepoints.find(({ key }) => key === decision.key);
  if (decision.kind === "ready") {
    const spec = savepoint?.declared.kind === "declared" ? savepoint.declared.manifest.spec : savepoint?.record?.spec;
    if (spec?.type !== "External") expect(world.flink.isOnDisk(decision.uri), `${decision.uri}, which is Ready`).toBe(true);
  }
  if (!("work" in decision)) return;
  const { operation } = decision.work;
  const target = findJob(observed.clusters, decision.id.zone, operation.cluster, operation.flinkJobId);
  if (operation.kind === "take")
    expect(isOurs(operation.flinkJobId, INSTANCE), "a savepoint of a job that is not ours").toBe(true);
  if (operation.kind === "take") expect(target.kind).not.toBe("unseen");
  if (decision.kind === "announce") expect(savepoint?.declared.kind).toBe(operation.kind === "take" ? "declared" : "absent");
  if (operation.kind === "dispose" && decision.kind === "announce") expect(snapshot.deletionsHeld).toBeUndefined();
}

/** Whoever needs the files at `uri`; undefined: they may go. */
export function whoNeeds(uri: string, status: StatusView, world: RandomWorld): string | undefined {
  for (const record of status.records.values()) {
    if (record.kind === "Savepoint" && record.status.uri === uri && record.status.phase !== "Deleting")
      return `Savepoint ${record.id.name}`;
    if (record.kind !== "Job") continue;
    const { deleted, finalized, operation } = record.status;
    const { name } = record.id;
    if (deleted?.restorePoint?.uri === uri) return `the tombstone of ${name}`;
    if (operation?.kind === "start" && operation.restoreFrom?.uri === uri) return `the start of ${name}`;
    if (finalized?.uri === uri) return `${name}, which it stopped`;
    const isOver = deleted !== undefined || world.flink.lastAttempt(name)?.ranOut === true || finalized !== undefined;
    if (!isOver && world.flink.isLastOf(name, uri)) return `${name}, which has nothing else`;
  }
  return undefined;
}

function checkTransitions(pass: PurePass): void {
  for (const [key, before] of pass.snapshot.status.records) {
    const after = pass.update.records.get(key);
    if (before.kind === "Savepoint" && after?.kind === "Savepoint") checkPhase(before, after, pass);
    const [old, next] = [jobRecord(before)?.status, jobRecord(after)?.status];
    if (old === undefined || next === undefined) continue;
    expect(next.attempt).toBeGreaterThanOrEqual(old.attempt);
    expect(next.history.length).toBeLessThanOrEqual(20);
    if (old.deleted !== undefined && next.deleted === undefined) continue; // declared again: a new life
    expect(PHASES.indexOf(next.phase)).toBeGreaterThanOrEqual(PHASES.indexOf(old.phase));
    expect(next.run - old.run).toBeOneOf([0, 1]);
    if (next.run === old.run)
      expect(
        isAllowedTransition(old.flinkJobState, next.flinkJobState),
        `${key}: ${old.flinkJobState} → ${next.flinkJobState}`,
      ).toBe(true);
    expect(next.flinkJobState === "").toBe(next.phase === "Pending");
  }
}

function checkPhase({ id, spec, status: old }: SavepointRecord, { status: next }: SavepointRecord, pass: PurePass): void {
  if (old.uri !== undefined && next.uri !== old.uri) {
    expect(spec.type, `Savepoint ${id.name} was Ready and is so no more, or with other files`).toBe("Final");
    const job = spec.type === "Final" ? jobRecord(pass.update.records.get(siblingKey(id, "Job", spec.job))) : undefined;
    const attempt = parseFlinkJobId(old.flinkJobId ?? "")?.attempt ?? 0;
    expect(job?.status.attempt, `the last attempt of the Job of ${id.name}, which is taken anew`).toBeGreaterThan(attempt);
  } else {
    expect(SAVEPOINT_NEXT[old.phase], `Savepoint ${id.name}: ${old.phase} → ${next.phase}`).toContain(next.phase);
  }
  expect(next.uri !== undefined, `Savepoint ${id.name} is ${next.phase}`).toBe(
    next.phase === "Ready" || next.phase === "Deleting",
  );
}

/** The same once more, on what this pass wrote: nothing is started a second time, and soon there is nothing left to write. */
export function checkRepetition(pass: PurePass, input: PassInput): void {
  if (pass.update.changes.size === 0 || pass.snapshot.status.unreadable.size > 0) return; // the same again, or not the same at all
  const announced = new Set(pass.decisions.jobs.filter(({ kind }) => kind === "announce").map(({ key }) => key));
  let last = pass;
  for (let time = 0; time < 8 && last.update.changes.size > 0; time += 1) {
    last = runPass({ ...input, lastSeen: pass.observed.clusters, status: last.status });
    if (time > 0) continue;
    for (const { key, kind } of last.decisions.jobs)
      if (announced.has(key)) expect(kind, `the second decision for ${key}`).toBeOneOf(["resume", "await"]);
  }
  expect([...last.update.changes.keys()], "what is written again and again").toEqual([]);
}

/** What a person has to decide: no pass may. */
const FOR_PEOPLE: ReadonlySet<string> = new Set([
  "BadOption",
  "TombstoneStands",
  "RestorePointMissing",
  "NextStartFailed",
  "FinalSavepointStands",
  "NeedsRestore",
]);

const STANDING: ReadonlySet<string> = new Set(["RestorePointUnknown", "FinalSavepointFirst"]);

/** When nothing goes wrong any more every declared Job runs, exactly once, with what is declared; or it says why it cannot. */
export function checkRest(status: StatusView, world: RandomWorld): readonly string[] {
  const forPeople: string[] = [];
  let sum = 0;
  for (const name of ALL_NAMES) {
    const record = jobRecord(status.records.get(resourceKey(anId({ name }))));
    const text = world.git.jobs.get(name);
    const why = `${name}: ${describe(record)}`;
    const live = world.flink.liveRpus(name);
    sum += live.reduce((all, rpus) => all + rpus, 0);
    if (text === undefined) {
      // A Final Savepoint of it stands against that, and what it is to hold is lost, or who waits for it has no quota.
      const isNeeded = record !== undefined && reasonsOf(record).some((reason) => STANDING.has(reason));
      if (isNeeded) {
        forPeople.push(`${name}: not deleted`);
        continue;
      }
      expect(live, `live jobs of a Job that is gone; ${why}`).toEqual([]);
      if (record !== undefined) expect(record.status.deleted, why).toBeDefined();
      continue;
    }
    const excuse = excuseOf(record, status, world);
    if (excuse !== undefined) {
      forPeople.push(`${name}: ${excuse}`);
      continue;
    }
    expect(live, why).toEqual([record?.status.requestedRpus]);
    expect(record?.status, why).toMatchObject({ phase: "Ready", flinkJobState: "Running" });
    expect(record?.status.operation, why).toBeUndefined();
  }
  // One of two daemons may have been shown later that something goes, or stays: a quota is a limit, not a lock.
  if (world.maxRpus !== undefined && world.daemons.length === 1)
    expect(sum, "rpus of the project").toBeLessThanOrEqual(world.maxRpus);
  return forPeople;
}

/** Why a declared Job need not run, when all is calm. */
function excuseOf(record: JobRecord | undefined, status: StatusView, world: RandomWorld): string | undefined {
  const reason = record?.status.conditions.find(
    (condition) => condition.status === "False" && FOR_PEOPLE.has(condition.reason),
  )?.reason;
  if (reason !== undefined) return reason;
  if (record === undefined) return undefined;
  const { name } = record.id;
  const { finalized, flinkJobState } = record.status;
  const isQuotaFull = world.maxRpus !== undefined && reasonsOf(record).includes("QuotaExceeded");
  if (isQuotaFull) return "QuotaExceeded";
  if (finalized !== undefined)
    return world.git.savepoints.has(finalized.savepoint) || finalized.drained
      ? "finalized"
      : followersOf(finalized.savepoint, status);
  if (flinkJobState === "Finished" && record.status.suspended !== true) {
    const last = world.flink.lastAttempt(name);
    if (last?.ranOut === true || last?.drained === true) return "Finished";
    // Flink forgets what has ended; what left no checkpoint counts as finished then, since only a failed one would have left it.
    const leftNone = last?.points.every(({ kind }) => kind !== "Checkpoint") === true;
    return last?.state === undefined && leftNone ? "ended unseen" : undefined;
  }
  const waitsFor = reasonsOf(record).includes("InitialStateNotReady");
  return waitsFor ? "InitialStateNotReady" : undefined;
}

/** Whoever went on from it or will is not gone. */
function followersOf(savepoint: string, status: StatusView): string | undefined {
  for (const record of status.records.values()) {
    if (record.kind !== "Job" || record.status.deleted !== undefined) continue;
    if (record.spec.initialState?.savepoint === savepoint) return `${record.id.name} has its state`;
  }
  return undefined;
}

function reasonsOf(record: JobRecord): readonly string[] {
  return record.status.conditions.filter(({ status }) => status === "False").map(({ reason }) => reason);
}

/** Everything that a person who plays it again wants to know at once. */
function describe(record: JobRecord | undefined): string {
  if (record === undefined) return "has no record";
  const { phase, flinkJobState, run, attempt, suspended, finalized, deleted, operation, conditions, history } = record.status;
  const facts = { phase, flinkJobState, run, attempt, suspended, finalized, deleted, operation };
  const blocks = conditions.filter(({ status }) => status !== "True").map(({ reason, message }) => `${reason}: ${message}`);
  const lately = history.slice(-6).map(({ to, because }) => `${to}: ${because}`);
  return [JSON.stringify(facts), ...blocks, "lately", ...lately].join("\n  ");
}

function jobRecord(record: ResourceRecord | undefined): JobRecord | undefined {
  return record?.kind === "Job" ? record : undefined;
}
