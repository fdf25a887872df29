import { describeFlinkContract } from "../support/flink-contract.ts";
import { startFakeFlink } from "../support/fake-flink.ts";

for (const version of ["1.16.3", "1.20.5", "2.3.0"]) {
  describeFlinkContract(version, async () => ({ ...(await startFakeFlink({ version, slots: 4 })), slots: 4 }));
}
