import { type ContractCluster, describeFlinkContract } from "../support/flink-contract.ts";
import { FLINK_VERSIONS } from "../support/maven.ts";
import { startRealFlink } from "../support/real-flink.ts";
import { describeOperationsContract } from "../support/operations-contract.ts";
import { describeRescaleContract } from "../support/rescale-contract.ts";

async function start(version: string, config: Readonly<Record<string, string>>): Promise<ContractCluster> {
  const flink = await startRealFlink({ version, slots: 4, config });
  const { url, slots, checkpointsDir, savepointsDir } = flink;
  return { url, version, slots, checkpointsDir, savepointsDir, close: async () => flink.stop() };
}

for (const version of FLINK_VERSIONS) {
  // Slots that are missing now count as missing for good.
  describeFlinkContract(version, async () => start(version, { "resourcemanager.standalone.start-up-time": "500" }));
  describeOperationsContract(version, async () => start(version, {}));
}

/** Adaptive, and without the patience that is right for clusters but not for tests. The options have other names from 2.0 on. */
const IMPATIENT: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "1.20.5": {
    "jobmanager.adaptive-scheduler.scaling-interval.min": "100ms",
    "jobmanager.adaptive-scheduler.scaling-interval.max": "1s",
  },
  "2.3.0": {
    "jobmanager.adaptive-scheduler.executing.cooldown-after-rescaling": "100ms",
    "jobmanager.adaptive-scheduler.executing.resource-stabilization-timeout": "500ms",
    "jobmanager.adaptive-scheduler.rescale-trigger.max-delay": "1s",
  },
};

for (const [version, config] of Object.entries(IMPATIENT)) {
  describeRescaleContract(version, async () => start(version, { "jobmanager.scheduler": "adaptive", ...config }));
}
