import { afterAll, describe, expect, it } from "vitest";
import { WRITING_CALLS, type WritingCall } from "../../src/common/writing-calls.ts";
import { aRealCluster } from "../kills/cluster-under-test.ts";
import { describeKills, Kills } from "../kills/kill-matrix.ts";
import { KillWorld } from "../kills/kill-world.ts";

/** `KILL_OPERATIONS="heal,delete" npm run test:endurance -- test/long/kills.test.ts` does only these. */
const ONLY = process.env["KILL_OPERATIONS"]?.split(",");

/** SIGKILL at each writing call of each operation, on real Flink, real Git and a daemon in a process of its own. */
describe.each([
  { version: "1.20.5", adaptive: true, deaths: ["before", "after", "late"], mostOfOne: 2 },
  // Its own launcher, and rescales by savepoint; what comes of late calls does not depend on the version.
  { version: "1.16.3", adaptive: false, deaths: ["before", "after"], mostOfOne: 1 },
] as const)(
  "a daemon that is killed at each writing call of each operation, on Flink $version",
  ({ version, adaptive, deaths, mostOfOne }) => {
    const seen = new Set<WritingCall>();

    it("leaves one that brings all to its end: one live job, its counts continued, its status true", async () => {
      const world = await KillWorld.open({ clusters: { main: aRealCluster(version, { adaptive }) }, daemons: "processes" });
      try {
        const kills = new Kills(world);
        const more = ONLY === undefined ? {} : { operations: ONLY };
        await kills.all({ deaths, mostOfOne, ...more });
        console.log(describeKills(`Flink ${version}`, kills.summary));
        for (const call of kills.summary.calls) seen.add(call);
        expect(world.violations).toEqual([]);
      } finally {
        await world.close();
      }
    });

    afterAll(() => {
      if (ONLY !== undefined) return;
      const expected = Object.keys(WRITING_CALLS).filter((call) => adaptive || call !== "rescale-job");
      expect([...seen].sort()).toEqual(expected.sort());
    });
  },
);
