import { describe, expect, inject } from "vitest";
import type { Decisions } from "../../src/pass/decision.ts";
import type { ResourceKey } from "../../src/model/resource.ts";
import type { StatusView } from "../../src/pass/snapshot.ts";
import { createRandom, seedsOf, type Random } from "../support/random.ts";
import { aDecideInput, aPolicy, ZONE } from "./builders.ts";
import type { PurePass } from "./pass-driver.ts";
import { RandomBranches } from "./random-branches.ts";
import { RandomDaemon, type DaemonPass, type PushFault } from "./random-daemon.ts";
import { Memory, RandomWorld } from "./random-world.ts";
import { checkLive, checkPass, checkRest, noteAnnounced, whoNeeds, type Ledger } from "./walk-checks.ts";
import { walkEach } from "./walk-seeds.ts";

/** `WALK_SEEDS=4711 npm run test:unit -- test/pass/two-walk.test.ts` plays one walk again, `WALK_SEEDS=4000-5000` many. */
const SEEDS = seedsOf(process.env["WALK_SEEDS"]) ?? [0, inject("extent") === "long" ? 1000 : 36];
const STEPS = 40;
const CALM_ROUNDS = 30;
/** So many more as often as daemons really pass: with ten minutes between two passes each thinks that the other one has died. */
const USUAL_ROUNDS = 12;
/** So many rounds at the end in which both look at a world where nothing happens. */
const QUIET_ROUNDS = 12;

/** Two daemons of one instance, each with its own view of Git and of the clusters; either one may die at any moment. */
describe("a random walk of two daemons", () => {
  walkEach(SEEDS, "does nothing twice, breaks no rule, and comes to rest", walk);
});

interface Walk {
  readonly world: RandomWorld;
  readonly random: Random;
  readonly branches: RandomBranches;
  readonly daemons: readonly [RandomDaemon, RandomDaemon];
  readonly ledger: Ledger;
  /** The second one is away, for a while or for ever. */
  isAlone: boolean;
}

function walk(seed: number): void {
  const life = begin(seed);
  const { world, random, branches } = life;
  world.onDispose = (uri) =>
    expect(whoNeeds(uri, branches.status, world), `who needs ${uri}, which is disposed of`).toBeUndefined();
  for (let step = 0; step < STEPS; step += 1) {
    world.step();
    branches.commit(world.git);
    checkLive(world);
    if (random.percent(10)) cutOff(life);
    if (random.percent(5)) life.isAlone = !life.isAlone;
    for (const daemon of upInAnyOrder(life)) {
      daemon.poll(random, random.percent(50));
      check(daemon.pass(faultOf(random)), life);
    }
  }
  world.calmDown();
  if (random.percent(70)) life.isAlone = false;
  const staysCutOff = !life.isAlone && random.percent(30);
  for (const { memory } of life.daemons) memory.cutOff.clear();
  if (staysCutOff) life.daemons[1].memory.cutOff.set("main", world.now);
  for (let round = 0; round < CALM_ROUNDS; round += 1) {
    world.calmStep();
    branches.commit(world.git);
    passAll(life);
  }
  for (let round = 0; round < USUAL_ROUNDS; round += 1) {
    world.now += 10_000;
    passAll(life);
  }
  checkQuiet(life, staysCutOff);
  checkRest(branches.status, world);
}

function begin(seed: number): Walk {
  const random = createRandom(seed);
  const memories: readonly [Memory, Memory] = [new Memory(), new Memory()];
  const world = new RandomWorld(random, memories);
  const branches = new RandomBranches();
  branches.commit(world.git);
  // Now and then the second one has an older policy.
  const manual = random.percent(20);
  const first = new RandomDaemon(memories[0], world, branches, () => settings(world, false));
  const second = new RandomDaemon(memories[1], world, branches, () => settings(world, manual));
  return { world, random, branches, daemons: [first, second], ledger: new Map(), isAlone: random.percent(15) };
}

function settings({ maxRpus, runtimeUpdates }: RandomWorld, manual: boolean) {
  const projects = maxRpus === undefined ? undefined : new Map([["default", { maxRpus }]]);
  const zone = { name: ZONE, clusters: [], ...(projects === undefined ? {} : { projects }) };
  const policy = aPolicy({ runtimeUpdates: manual ? "manual" : runtimeUpdates });
  return { config: { ...aDecideInput().config, zones: new Map([[ZONE, zone]]), policy } };
}

function cutOff({ world, random, daemons }: Walk): void {
  const { cutOff: cut } = random.oneOf(daemons).memory;
  const { name } = world.flink.clusters[random.below(world.flink.clusters.length)]!; // below the length
  if (!cut.delete(name)) cut.set(name, world.now);
}

/** Each passes once, now and then twice before the other one does. */
function upInAnyOrder({ daemons, random, isAlone }: Walk): readonly RandomDaemon[] {
  const [first, second] = daemons;
  if (isAlone) return [first];
  return random.oneOf([[first, second], [second, first], [first], [second], [first, first, second]] as const);
}

function faultOf(random: Random): PushFault {
  const faults = ["refused", "answer lost", "killed"] as const;
  return random.percent(15) ? random.oneOf(faults) : "none";
}

function passAll(life: Walk): void {
  for (const daemon of life.isAlone ? [life.daemons[0]] : life.daemons) {
    daemon.poll(life.random, false);
    check(daemon.pass("none"), life);
  }
}

/** Whatever a daemon thinks that was shown too little: what counts is what it gets through. */
function check(done: DaemonPass | undefined, { world, branches, ledger }: Walk): void {
  if (done === undefined) return;
  const { pass, pushed, called } = done;
  if (pushed) {
    checkPass(withoutLeft(pass), world, ledger);
    noteAnnounced(pass, world, ledger);
  }
  if (called !== undefined) checkAnnounced(called, branches.status);
  checkLive(world);
}

/** What is left to the other daemon is nothing that this one does. */
function withoutLeft(pass: PurePass): PurePass {
  const { work } = pass;
  const { jobs, savepoints } = pass.decisions;
  const decisions = {
    ...pass.decisions,
    jobs: jobs.filter(isDone(work.decisions.jobs)),
    savepoints: savepoints.filter(isDone(work.decisions.savepoints)),
  };
  return Object.create(pass, { decisions: { value: decisions } }) as PurePass;
}

function isDone<D extends { readonly key: ResourceKey; readonly kind: string }>(chosen: readonly D[]) {
  const keys = new Set(chosen.map(({ key }) => key));
  return ({ key, kind }: D): boolean => kind !== "resume" || keys.has(key);
}

/** Nothing is called for but what the branch announces at that moment. */
function checkAnnounced({ jobs, savepoints }: Decisions, { records }: StatusView): void {
  for (const decision of [...jobs, ...savepoints]) {
    if (!("work" in decision)) continue;
    const record = records.get(decision.key);
    const announced = record?.kind === "Artifact" ? undefined : record?.status.operation;
    expect(announced?.announcedAt, `${decision.work.kind} of ${decision.key} is announced`).toBe(
      decision.work.operation.announcedAt,
    );
  }
}

/** Nothing happens any more: nobody writes, but for one that cannot see a cluster, and that one ever more rarely. */
function checkQuiet(life: Walk, staysCutOff: boolean): void {
  const { world, branches } = life;
  const before = branches.statusCommits;
  for (let round = 0; round < QUIET_ROUNDS; round += 1) {
    world.now += 10_000;
    passAll(life);
  }
  const commits = branches.statusCommits - before;
  if (staysCutOff) expect(commits, "commits about what one of two cannot see").toBeLessThanOrEqual(4);
  else expect(commits, "commits in a world where nothing happens").toBe(0);
}
