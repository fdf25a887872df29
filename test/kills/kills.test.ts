import { expect, it } from "vitest";
import { WRITING_CALLS } from "../../src/common/writing-calls.ts";
import { aFakeCluster } from "./cluster-under-test.ts";
import { describeKills, Kills } from "./kill-matrix.ts";
import { KillWorld } from "./kill-world.ts";

/** Every operation at each of its calls, by SIGKILL and on real Flink: that takes longer, and stands in test/long. */
it("a daemon that dies at each writing call of the list once leaves one that brings all to its end: nothing is lost, nothing doubled", async () => {
  const cluster = aFakeCluster({ version: "1.20.5", adaptive: true, slots: 12 });
  const world = await KillWorld.open({ clusters: { main: cluster, other: cluster }, daemons: "in this process" });
  try {
    const kills = new Kills(world);
    await kills.eachCallOnce();
    console.log(describeKills("fake Flink", kills.summary));
    expect([...kills.summary.calls].sort()).toEqual(Object.keys(WRITING_CALLS).sort());
    expect(world.violations).toEqual([]);
  } finally {
    await world.close();
  }
}, 900_000);
