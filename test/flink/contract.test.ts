import { describeFlinkContract } from "../support/flink-contract.ts";
import { startFakeFlink } from "../support/fake-flink.ts";
import { describeOperationsContract } from "../support/operations-contract.ts";
import { describeRescaleContract } from "../support/rescale-contract.ts";

for (const version of ["1.16.3", "1.20.5", "2.3.0"]) {
  describeFlinkContract(version, async () => ({ ...(await startFakeFlink({ version, slots: 4 })), slots: 4 }));
  describeOperationsContract(version, async () => ({ ...(await startFakeFlink({ version, slots: 4 })), slots: 4 }));
}

for (const version of ["1.20.5", "2.3.0"]) {
  describeRescaleContract(version, async () => ({ ...(await startFakeFlink({ version, slots: 4, adaptive: true })), slots: 4 }));
}
