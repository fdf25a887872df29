import { describe, expect, it } from "vitest";
import type { ClusterSeen } from "../../src/flink/cluster-seen.ts";
import { isOurs, parseFlinkJobId } from "../../src/model/flink-job-id.ts";
import { isAllowedTransition } from "../../src/model/flink-job-state.ts";
import { resourceKey, type ResourceKey } from "../../src/model/resource.ts";
import type { JobRecord, ResourceRecord, RestorePoint } from "../../src/model/status.ts";
import type { StatusUpdate } from "../../src/pass/build-status.ts";
import type { JobDecision, JobWork } from "../../src/pass/decision.ts";
import { findJob, type Observed } from "../../src/pass/observed.ts";
import type { StatusView } from "../../src/pass/snapshot.ts";
import { createRandom } from "../support/random.ts";
import { anId, INSTANCE, NOW } from "./builders.ts";
import { EMPTY_BRANCH, push, runPass, type PassInput, type PurePass } from "./pass-driver.ts";
import { FOREIGN, NAMES, RandomWorld } from "./random-world.ts";

const WALKS = 30;
const STEPS = 50;
const FOR_PEOPLE = ["BadOption", "TombstoneStands", "RestorePointMissing"];
const PHASES = ["Pending", "Ready", "Deleting"];

/** Many lives of three Jobs, each with everything that can go wrong; a failure names the seed that plays it again. */
describe("a random walk", () => {
  it.each(Array.from({ length: 6 }, (_, part) => part * (WALKS / 6)))("breaks no rule (seeds from %i)", (first) => {
    for (let seed = first; seed < first + WALKS / 6; seed += 1) {
      try {
        walk(seed);
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error });
      }
    }
  });
});

/** The attempts that were announced so far, whatever the branch still knows of them. */
type Ledger = Map<ResourceKey, number>;

interface Walk {
  readonly ledger: Ledger;
  lastSeen: readonly ClusterSeen[];
}

function walk(seed: number): void {
  const random = createRandom(seed);
  const world = new RandomWorld(random);
  const memory: Walk = { ledger: new Map(), lastSeen: [] };
  let status = EMPTY_BRANCH;
  for (let step = 0; step < STEPS; step += 1) {
    world.step();
    checkLive(world);
    const seen = random.percent(5) ? withUnreadable(status, random.oneOf(NAMES)) : status;
    const update = passOnce(world, memory, seen, random.percent(90));
    if (update !== undefined) status = push(status, update);
  }
  world.calmDown();
  for (let step = 0; step < 12; step += 1) {
    world.calmStep();
    const update = passOnce(world, memory, status, true);
    if (update !== undefined) status = push(status, update);
  }
  for (const name of NAMES) checkRest(status.records.get(resourceKey(anId({ name }))), name);
}

/** What it pushed; undefined when the push failed or lost a race, so that nothing was announced. */
function passOnce(world: RandomWorld, walk: Walk, status: StatusView, isPushed: boolean): StatusUpdate | undefined {
  const input = inputOf(world, status, walk.lastSeen);
  const pass = runPass(input);
  walk.lastSeen = pass.observed.clusters;
  for (const decision of pass.decisions.jobs) checkDecision(decision, pass, world, walk.ledger);
  checkTransitions(pass);
  checkRepetition(pass, input);
  if (!isPushed && pass.update.announces) return undefined;
  for (const decision of pass.decisions.jobs) {
    const started = newStart(decision);
    if (started === undefined) continue;
    walk.ledger.set(decision.key, started.attempt);
    world.announced.add(started.flinkJobId);
  }
  world.apply(pass.decisions);
  checkLive(world);
  return isPushed ? pass.update : undefined;
}

function checkLive(world: RandomWorld): void {
  for (const [resource, live] of world.liveByResource()) expect(live, `live jobs of ${resource}`).toHaveLength(1);
}

/** The attempt that a decision announces, at once or after a stop. */
function newStart(decision: JobDecision): { readonly attempt: number; readonly flinkJobId: string } | undefined {
  if (decision.kind !== "announce") return undefined;
  const { work } = decision;
  return work.kind === "start" ? work.operation : work.kind === "stop" ? work.operation.next : undefined;
}

/** A file of the branch that cannot be understood in this pass: it is there, and nobody knows what it says. */
function withUnreadable(status: StatusView, name: string): StatusView {
  const key = resourceKey(anId({ name }));
  if (!status.records.has(key)) return status;
  const records = new Map([...status.records].filter(([other]) => other !== key));
  return { ...status, records, unreadable: new Map([[key, { file: `${key}.yaml`, line: 1, column: 1, message: "is no YAML" }]]) };
}

function inputOf(world: RandomWorld, status: StatusView, lastSeen: readonly ClusterSeen[]): PassInput {
  const deletionsHeld = world.deletionsHeld ? "held" : undefined;
  return { ...world.manifests(), status, observed: world.observe(), lastSeen, now: world.now, snapshot: { deletionsHeld } };
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
    if (!isOld) expect(world.deletionsHeld).toBe(false);
    if (!isOld) expect(world.newestState(decision.id.name), "state of a Job that is forgotten").toBeUndefined();
  }
  if (decision.kind === "settle" && decision.settlement.kind === "buried")
    checkBurial(decision.settlement.restorePoint, decision, world);
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
    if (work.kind === "stop" || work.kind === "cancel") checkMayStop(declared, work, record);
  } else if (work.kind === "start" && operation?.kind === "start") expect(work.operation).toEqual(operation);
  else if (work.kind !== "start") expect(work.operation).toEqual(operation);
  if (work.kind === "start") checkStart({ ...decision, work }, pass.observed, record, world);
}

/** Nothing is stopped but for a reason: other rpus, a better cluster, or its end. */
function checkMayStop(
  declared: string | undefined,
  work: JobWork & { kind: "stop" | "cancel" },
  record: JobRecord | undefined,
): void {
  const isDeletion = work.kind === "cancel" || work.operation.purpose === "delete";
  if (isDeletion) expect(declared === "absent" || record?.status.phase === "Deleting").toBe(true);
  else expect(declared === "broken" && work.operation.purpose !== "migrate").toBe(false);
}

/** It goes on from the newest state that its last attempt left or was given, and its id is never sent to another JobManager. */
function checkStart(
  { work, kind, id: { name } }: JobDecision & { readonly work: JobWork & { readonly kind: "start" } },
  observed: Observed,
  record: JobRecord | undefined,
  world: RandomWorld,
): void {
  const { flinkJobId, cluster, restoreFrom } = work.operation;
  const seen = findJob(observed.clusters, "local", cluster, flinkJobId);
  const submission = observed.submissions.get(flinkJobId);
  expect(submission?.kind).not.toBe("under-way");
  if (seen.kind !== "listed" && submission?.kind === "unknown") expect(submission.retryAtMs).toBeLessThanOrEqual(world.now);
  if (seen.kind !== "unseen" && kind === "resume")
    expect(seen.cluster.incarnation, "an id goes to another JobManager").toBe(cluster.incarnation);
  const isReborn = record?.status.deleted !== undefined;
  if (isReborn) expect(restoreFrom).toEqual(record.status.deleted?.restorePoint);
  else if (world.lastState(name) !== "FINISHED" || restoreFrom !== undefined)
    expect(restoreFrom?.uri, `what attempt ${parseFlinkJobId(flinkJobId)?.attempt} of ${name} starts from`).toBe(
      world.newestState(name),
    );
}

/** A tombstone keeps the newest state, but of a job that ran out of data. */
function checkBurial(point: RestorePoint | undefined, decision: JobDecision, world: RandomWorld): void {
  const { name } = decision.id;
  if (point !== undefined) expect(point.uri).toBe(world.newestState(name));
}

function checkTransitions(pass: PurePass): void {
  for (const [key, before] of pass.snapshot.status.records) {
    const [old, next] = [jobRecord(before)?.status, jobRecord(pass.update.records.get(key))?.status];
    if (old === undefined || next === undefined) continue;
    expect(next.attempt).toBeGreaterThanOrEqual(old.attempt);
    expect(next.history.length).toBeLessThanOrEqual(20);
    if (old.deleted !== undefined && next.deleted === undefined) continue; // declared again: a new life
    expect(PHASES.indexOf(next.phase)).toBeGreaterThanOrEqual(PHASES.indexOf(old.phase));
    expect(next.attempt).toBeGreaterThanOrEqual(old.attempt);
    expect(next.run - old.run).toBeOneOf([0, 1]);
    if (next.run === old.run)
      expect([old.flinkJobState, next.flinkJobState, isAllowedTransition(old.flinkJobState, next.flinkJobState)]).toContain(true);
    expect(next.flinkJobState === "").toBe(next.phase === "Pending");
    expect(next.history.length).toBeLessThanOrEqual(20);
  }
}

/** The same once more, on what this pass wrote: nothing is started a second time, and soon there is nothing left to write. */
function checkRepetition(pass: PurePass, input: PassInput): void {
  if (pass.update.changes.size === 0 || pass.snapshot.status.unreadable.size > 0) return; // the same again, or not the same at all
  const announced = new Set(pass.decisions.jobs.filter(({ kind }) => kind === "announce").map(({ key }) => key));
  let last = pass;
  for (let time = 0; time < 6; time += 1) {
    last = runPass({ ...input, lastSeen: pass.observed.clusters, status: last.status });
    if (time > 0) continue;
    for (const { key, kind } of last.decisions.jobs)
      if (announced.has(key)) expect(kind, `the second decision for ${key}`).toBeOneOf(["resume", "await"]);
  }
  expect([...last.update.changes.keys()]).toEqual([]);
}

/** When nothing goes wrong any more every Job runs, but for those of which a person has to say how they go on. */
function checkRest(found: ResourceRecord | undefined, name: string): void {
  const record = jobRecord(found);
  const blocks = record?.status.conditions.filter(({ status }) => status === "False") ?? [];
  const isForPeople = blocks.some(({ reason }) => FOR_PEOPLE.includes(reason));
  if (!isForPeople) expect(record?.status.phase, `${name}: ${JSON.stringify(record?.status, undefined, 1)}`).toBe("Ready");
}

function jobRecord(record: ResourceRecord | undefined): JobRecord | undefined {
  return record?.kind === "Job" ? record : undefined;
}

it("walks through time", () => {
  const world = new RandomWorld(createRandom(1));
  world.step();
  expect(world.now).toBeGreaterThanOrEqual(NOW);
});
