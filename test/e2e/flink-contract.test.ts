import { describeFlinkContract } from "../support/flink-contract.ts";
import { FLINK_VERSIONS } from "../support/maven.ts";
import { startRealFlink } from "../support/real-flink.ts";

for (const version of FLINK_VERSIONS) {
  describeFlinkContract(version, async () => {
    const flink = await startRealFlink({
      version,
      slots: 4,
      // Slots that are missing now count as missing for good.
      config: { "resourcemanager.standalone.start-up-time": "500" },
    });
    const { url, slots, checkpointsDir, savepointsDir } = flink;
    return { url, version, slots, checkpointsDir, savepointsDir, close: async () => flink.stop() };
  });
}
