import { afterAll, describe, expect, inject, it } from "vitest";
import type { ClusterSeen } from "../../src/flink/cluster-seen.ts";
import { resourceKey } from "../../src/model/resource.ts";
import type { StatusUpdate } from "../../src/pass/build-status.ts";
import { flinkJobIdsOf } from "../../src/pass/reconcile.ts";
import type { StatusView } from "../../src/pass/snapshot.ts";
import { operationKeys } from "../../src/pass/take-over.ts";
import { createRandom, seedsOf, type Random } from "../support/random.ts";
import { aDecideInput, anId, aPolicy, NOW, ZONE } from "./builders.ts";
import { EMPTY_BRANCH, push, runPass, type PassInput } from "./pass-driver.ts";
import { NAMES } from "./random-git.ts";
import { RandomWorld, worksOf } from "./random-world.ts";
import { checkLive, checkPass, checkRepetition, checkRest, noteAnnounced, whoNeeds, type Ledger } from "./walk-checks.ts";
import { walkEach } from "./walk-seeds.ts";

/** `WALK_SEEDS=4711 npm run test:unit -- test/pass/random-walk.test.ts` plays one walk again, `WALK_SEEDS=4000-5000` many. */
const SEEDS = seedsOf(process.env["WALK_SEEDS"]) ?? [0, inject("extent") === "long" ? 2000 : 24];
const STEPS = 50;
/** So many passes at most until everything has settled; then one more finds nothing to write. */
const CALM_PASSES = 30;

/** Many lives of some Jobs and their Savepoints, each with everything that can go wrong; a failure names the seed that plays it again. */
describe("a random walk", () => {
  const counted = { walks: 0, kills: 0 };
  afterAll(() =>
    console.log(
      `random walk: ${counted.walks} walks of ${STEPS} steps, killed ${counted.kills} times in a pass; lost or doubled: nothing`,
    ),
  );
  walkEach(SEEDS, "breaks no rule, and everything settles when the faults stop", (seed) => {
    counted.kills += walk(seed);
    counted.walks += 1;
  });
});

interface Walk {
  readonly world: RandomWorld;
  readonly random: Random;
  readonly ledger: Ledger;
  lastSeen: readonly ClusterSeen[];
  daemonLives: number;
  /** How often the daemon was killed at a moment of a pass. */
  kills: number;
}

/** How often the daemon was killed at a moment of a pass. */
function walk(seed: number): number {
  const random = createRandom(seed);
  const world = new RandomWorld(random);
  const life: Walk = { world, random, ledger: new Map(), lastSeen: [], daemonLives: 0, kills: 0 };
  let status = EMPTY_BRANCH;
  world.onDispose = (uri) => expect(whoNeeds(uri, status, world), `who needs ${uri}, which is disposed of`).toBeUndefined();
  for (let step = 0; step < STEPS; step += 1) {
    world.step();
    checkLive(world);
    const seen = random.percent(5) ? withUnreadable(status, random.oneOf(NAMES)) : status;
    const update = passOnce(life, seen, random.oneOf(["failed", "lost", ...KILLED, ...WRITTEN_MOSTLY]));
    if (update !== undefined) status = push(status, update);
  }
  world.calmDown();
  for (let step = 0; step < CALM_PASSES; step += 1) {
    world.calmStep();
    const update = passOnce(life, status, "written");
    const isLast = step === CALM_PASSES - 1;
    if (isLast)
      expect([...(update?.changes.keys() ?? [])], `after ${CALM_PASSES} calm passes: ${JSON.stringify(update?.news)}`).toEqual(
        [],
      );
    if (update !== undefined) status = push(status, update);
  }
  checkRest(status, world);
  return life.kills;
}

/**
 * `failed`: nothing was pushed, or somebody else was quicker. `lost`: it was pushed, and the daemon does not know it. Killed: before the push
 * reaches the server, after it did, or between two of the calls that were announced.
 */
type PushOutcome = "written" | "failed" | "lost" | (typeof KILLED)[number];
const KILLED = ["killed before the push", "killed after the push", "killed while it applies"] as const;
const WRITTEN_MOSTLY = Array.from({ length: 16 }, () => "written" as const);

/** What it pushed; undefined when nothing was announced. */
function passOnce(life: Walk, status: StatusView, outcome: PushOutcome): StatusUpdate | undefined {
  const { world, ledger } = life;
  if (life.daemonLives !== world.daemons[0].lives) life.lastSeen = [];
  life.daemonLives = world.daemons[0].lives;
  const input = inputOf(world, status, life.lastSeen);
  const pass = runPass(input);
  life.lastSeen = pass.observed.clusters;
  checkPass(pass, world, ledger);
  if (life.random.percent(25)) checkRepetition(pass, input);
  if (outcome === "killed before the push") kill(life);
  const isPushed = outcome !== "failed" && outcome !== "killed before the push";
  if (!isPushed && (pass.update.announces || outcome === "killed before the push")) return undefined;
  noteAnnounced(pass, world, ledger);
  if (outcome === "killed after the push") kill(life);
  if (outcome === "killed after the push" || (outcome === "lost" && pass.update.announces)) return pass.update;
  const isCut = outcome === "killed while it applies";
  world.apply(pass.decisions, world.daemons[0], isCut ? life.random.below(worksOf(pass.decisions).length + 1) : undefined);
  if (isCut) kill(life);
  if (outcome === "written") world.forgetAllBut(flinkJobIdsOf(pass.update, pass.observed), operationKeys(pass.update.records));
  checkLive(world);
  return isPushed ? pass.update : undefined;
}

/** The next one begins with nothing of what it knew. */
function kill(life: Walk): void {
  life.kills += 1;
  life.world.restart(life.world.daemons[0]);
}

/** A file of the branch that cannot be understood in this pass: it is there, and nobody knows what it says. */
function withUnreadable(status: StatusView, name: string): StatusView {
  const key = resourceKey(anId({ name }));
  if (!status.records.has(key)) return status;
  const records = new Map([...status.records].filter(([other]) => other !== key));
  return { ...status, records, unreadable: new Map([[key, { file: `${key}.yaml`, line: 1, column: 1, message: "is no YAML" }]]) };
}

function inputOf(world: RandomWorld, status: StatusView, lastSeen: readonly ClusterSeen[]): PassInput {
  const { git, maxRpus, runtimeUpdates } = world;
  const deletionsHeld = git.deletionsHeld ? "held" : undefined;
  const trailers = new Map(git.allowsDeletions ? [["penstock-allow-deletions", ["9"]]] : []);
  const projects = maxRpus === undefined ? undefined : new Map([["default", { maxRpus }]]);
  const zone = { name: ZONE, clusters: [], ...(projects === undefined ? {} : { projects }) };
  const config = { ...aDecideInput().config, zones: new Map([[ZONE, zone]]), policy: aPolicy({ runtimeUpdates }) };
  return {
    ...git.manifests(),
    status,
    observed: world.observe(),
    lastSeen,
    now: world.now,
    snapshot: { deletionsHeld, trailers },
    decide: { config },
  };
}

it("walks through time", () => {
  const world = new RandomWorld(createRandom(1));
  world.step();
  expect(world.now).toBeGreaterThanOrEqual(NOW);
});
