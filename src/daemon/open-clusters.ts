import type { Clock } from "../common/clock.ts";
import type { Log } from "../common/log.ts";
import type { ClusterConfig, Config } from "../config/config.ts";
import { Cluster } from "../flink/cluster.ts";
import type { FlinkClientSettings, FlinkReader } from "../flink/flink-reader.ts";
import { S3Folders } from "../flink/s3-folders.ts";

export interface OpenClusters<Client extends FlinkReader> {
  readonly clusters: readonly Cluster<Client>[];
  close(): Promise<void>;
}

/** All clusters of all zones, each with a client of the kind that the caller makes: one that writes, or one that only reads. Nothing is called yet. */
export function openClusters<Client extends FlinkReader>(
  { zones, proxy, instance }: Config,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
  createClient: (settings: FlinkClientSettings, of: { readonly zone: string; readonly config: ClusterConfig }) => Client,
): OpenClusters<Client> {
  const opened = [...zones.values()].flatMap(({ name: zone, clusters }) =>
    clusters.map((config) => {
      const client = createClient({ ...config, proxy }, { zone, config });
      const s3 = config.s3 === undefined ? undefined : new S3Folders(config.s3, proxy);
      return { cluster: new Cluster({ zone, config, client, instance, clock, log, ...(s3 === undefined ? {} : { s3 }) }), s3 };
    }),
  );
  return {
    clusters: opened.map(({ cluster }) => cluster),
    async close() {
      await Promise.all(opened.map(async ({ cluster, s3 }) => Promise.all([cluster.client.close(), s3?.close()])));
    },
  };
}
