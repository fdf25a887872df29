import { describe, expect, it } from "vitest";
import { isAllowedTransition } from "../../src/model/flink-job-state.ts";
import { resourceKey, type ResourceKey } from "../../src/model/resource.ts";
import type { JobRecord, ResourceRecord } from "../../src/model/status.ts";
import type { StatusUpdate } from "../../src/pass/build-status.ts";
import type { JobDecision } from "../../src/pass/decision.ts";
import { findJob, type Observed } from "../../src/pass/observed.ts";
import type { StatusView } from "../../src/pass/snapshot.ts";
import { createRandom } from "../support/random.ts";
import { anId, NOW } from "./builders.ts";
import { EMPTY_BRANCH, push, runPass, type PassInput, type PurePass } from "./pass-driver.ts";
import { NAMES, RandomWorld } from "./random-world.ts";

const WALKS = 30;
const STEPS = 50;
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

function walk(seed: number): void {
  const random = createRandom(seed);
  const world = new RandomWorld(random);
  const ledger: Ledger = new Map();
  let status = EMPTY_BRANCH;
  for (let step = 0; step < STEPS; step += 1) {
    world.step();
    const seen = random.percent(5) ? withUnreadable(status, random.oneOf(NAMES)) : status;
    const update = passOnce(world, ledger, seen, random.percent(90));
    if (update !== undefined) status = push(status, update);
  }
  world.calmDown();
  for (let step = 0; step < 12; step += 1) {
    world.calmStep();
    const update = passOnce(world, ledger, status, true);
    if (update !== undefined) status = push(status, update);
  }
  for (const name of NAMES) checkRest(status.records.get(resourceKey(anId({ name }))), name);
}

/** What it pushed; undefined when the push failed or lost a race, so that nothing was announced. */
function passOnce(world: RandomWorld, ledger: Ledger, status: StatusView, isPushed: boolean): StatusUpdate | undefined {
  const input = inputOf(world, status);
  const pass = runPass(input);
  for (const decision of pass.decisions.jobs) checkDecision(decision, pass, world, ledger);
  checkTransitions(pass);
  checkRepetition(pass, input);
  if (!isPushed && pass.update.announces) return undefined;
  for (const { kind, key, ...rest } of pass.decisions.jobs) {
    if (kind !== "start" || !("operation" in rest)) continue;
    ledger.set(key, rest.operation.attempt);
    world.announced.add(rest.operation.flinkJobId);
  }
  world.apply(pass.decisions);
  for (const [resource, live] of world.liveByResource()) expect(live, `live jobs of ${resource}`).toHaveLength(1);
  return isPushed ? pass.update : undefined;
}

/** A file of the branch that cannot be understood in this pass: it is there, and nobody knows what it says. */
function withUnreadable(status: StatusView, name: string): StatusView {
  const key = resourceKey(anId({ name }));
  if (!status.records.has(key)) return status;
  const records = new Map([...status.records].filter(([other]) => other !== key));
  return { ...status, records, unreadable: new Map([[key, { file: `${key}.yaml`, line: 1, column: 1, message: "is no YAML" }]]) };
}

function inputOf(world: RandomWorld, status: StatusView): PassInput {
  const deletionsHeld = world.deletionsHeld ? "held" : undefined;
  return { ...world.manifests(), status, observed: world.observe(), now: world.now, snapshot: { deletionsHeld } };
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
    expect(world.deletionsHeld).toBe(false);
    expect(ledger.get(decision.key), "attempts of a Job that is forgotten").toBeUndefined();
  }
  if (decision.kind === "submit") {
    expect(decision.operation).toEqual(operation);
    checkMayCall(pass.observed, decision, world.now);
  }
  if (decision.kind !== "start") return;
  expect(declared).toBe("declared");
  expect(record?.status.flinkJobId).toBeUndefined();
  expect(decision.operation.attempt).toBeGreaterThan(ledger.get(decision.key) ?? 0);
  expect(world.announced).not.toContain(decision.operation.flinkJobId);
  if (operation === undefined) return;
  expect(world.hasState(operation.flinkJobId), "the attempt before left state").toBe(false);
  checkMayCall(pass.observed, { ...decision, operation }, world.now);
}

/** The cluster of what was announced before is seen, and nobody waits for an answer about it. */
function checkMayCall(
  observed: Observed,
  decision: Extract<JobDecision, { readonly kind: "start" | "submit" }>,
  now: number,
): void {
  const { flinkJobId, cluster } = decision.operation;
  const seen = findJob(observed.clusters, decision.id.zone, cluster, flinkJobId);
  if (seen.kind === "unseen") throw new Error(`acts on ${cluster.name}, which cannot be seen`);
  const isRestarted = seen.cluster.incarnation !== cluster.incarnation;
  if (isRestarted && decision.kind === "submit") throw new Error("submits an id again to another JobManager");
  const submission = observed.submissions.get(flinkJobId);
  expect(submission?.kind).not.toBe("under-way");
  const ended = seen.kind === "listed";
  if (!isRestarted && !ended) expect(submission?.kind).not.toBe("accepted");
  if (!isRestarted && !ended && submission?.kind === "unknown") {
    expect(decision.kind).toBe("submit");
    expect(submission.retryAtMs).toBeLessThanOrEqual(now);
  }
}

function checkTransitions(pass: PurePass): void {
  for (const [key, before] of pass.snapshot.status.records) {
    const [old, next] = [jobRecord(before)?.status, jobRecord(pass.update.records.get(key))?.status];
    if (old === undefined || next === undefined) continue;
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
  const started = new Set(pass.decisions.jobs.filter(({ kind }) => kind === "start").map(({ key }) => key));
  const again = runPass({ ...input, status: pass.status });
  for (const { key, kind } of again.decisions.jobs) {
    expect(kind, `the second decision for ${key}`).not.toBe("start");
    if (started.has(key)) expect(kind).toBeOneOf(["submit", "await"]);
  }
  // What waits for slots says how many are left; only the second pass sees all that the first one gave away.
  const third = runPass({ ...input, status: again.status });
  expect([...third.update.changes.keys()]).toEqual([]);
}

/** When nothing goes wrong any more every Job runs, but for those of which a person has to say how they go on. */
function checkRest(found: ResourceRecord | undefined, name: string): void {
  const record = jobRecord(found);
  const blocks = record?.status.conditions.filter(({ type, status }) => type === "Started" && status === "False") ?? [];
  const isForPeople = blocks.some(({ reason }) => ["NeedsRestore", "EndedUnseen", "BadOption"].includes(reason));
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
