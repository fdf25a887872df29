import { systemClock } from "../../src/common/clock.ts";
import { createLog } from "../../src/common/log.ts";
import { Cluster } from "../../src/flink/cluster.ts";
import { FlinkClient } from "../../src/flink/flink-client.ts";

/** A cluster at this address as the daemon has it, by the system's clock. Whoever asks for it closes its client. */
export function ourClusterAt(url: URL): Cluster {
  const config = {
    name: "contract",
    url,
    draining: false,
    timeoutMs: 10_000,
    pollIntervalMs: 5000,
    headers: new Map(),
    tls: {},
  };
  const client = new FlinkClient(config, { clock: systemClock });
  const log = createLog({ level: "silent", people: false, stream: { write: () => {} } });
  return new Cluster({ zone: "local", config, client, instance: "contract", clock: systemClock, log });
}
