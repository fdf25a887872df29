import { afterAll, describe, expect, it } from "vitest";
import { aFakeCluster } from "../kills/cluster-under-test.ts";
import { describeKills, Kills } from "../kills/kill-matrix.ts";
import { KillWorld } from "../kills/kill-world.ts";
import { createRandom, seedsOf } from "../support/random.ts";

/** `SEEDS=4711 npm run test:endurance -- test/long/random-kills.test.ts` throws the same dice again (when they fall is the machine's), `SEEDS=0-99` many. */
const [FIRST, END] = seedsOf(process.env["SEEDS"]) ?? [0, 4];
const SEEDS = Array.from({ length: END - FIRST }, (_, index) => FIRST + index);
const STEPS = 12;

/** Whole daemons, real Git over HTTP, fake Flink and forge. */
describe("a random life", () => {
  let [kills, lostAnswers, lives] = [0, 0, 0];
  afterAll(() =>
    console.log(
      `random lives: ${lives} of ${STEPS} operations, killed ${kills} times, ${lostAnswers} lost answers; lost or doubled: nothing`,
    ),
  );

  it.each(SEEDS)("in which daemons die and answers are lost comes to what is declared (seed %i)", async (seed) => {
    const adaptive = seed % 2 === 0;
    const cluster = aFakeCluster({ version: adaptive ? "1.20.5" : "1.16.3", adaptive, slots: 12 });
    const world = await KillWorld.open({ clusters: { main: cluster, other: cluster }, daemons: "in this process" });
    try {
      const life = new Kills(world);
      lostAnswers += (await life.atRandom(createRandom(seed), STEPS)).lostAnswers;
      kills += life.summary.kills;
      lives += 1;
      console.log(describeKills(`seed ${seed}`, life.summary));
      expect(world.violations).toEqual([]);
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    } finally {
      await world.close();
    }
  });
});
