import type { Clock } from "../common/clock.ts";
import type { Log } from "../common/log.ts";
import type { Redactor } from "../common/redactor.ts";
import type { Config } from "../config/config.ts";
import { Cluster, type SightedCluster } from "../flink/cluster.ts";
import { FlinkReader } from "../flink/flink-reader.ts";
import { S3Folders } from "../flink/s3-folders.ts";
import { GitTransport } from "../git/http-transport.ts";
import { ManifestRepository } from "../git/manifest-repository.ts";
import { StatusReader } from "../git/status-reader.ts";

/** Repository and clusters for somebody who is only to look: none of it has a method that writes. */
export interface OpenForReading {
  readonly manifests: ManifestRepository;
  readonly statusBranch: StatusReader;
  readonly clusters: readonly SightedCluster[];
  close(): Promise<void>;
}

/** Nothing is called yet. `ref` takes the place of the configured branch: a branch's name, or a full ref. */
export function openForReading(
  config: Config,
  tools: { readonly clock: Clock; readonly log: Log; readonly redactor?: Redactor },
  ref = config.repository.branch,
): OpenForReading {
  const { clock, log, redactor } = tools;
  const transport = new GitTransport({ ...config.repository, proxy: config.proxy }, clock);
  const opened = [...config.zones.values()].flatMap(({ name: zone, clusters }) =>
    clusters.map((one) => {
      const client = new FlinkReader({ ...one, proxy: config.proxy }, { clock, ...(redactor === undefined ? {} : { redactor }) });
      const s3 = one.s3 === undefined ? undefined : new S3Folders(one.s3, config.proxy);
      const more = s3 === undefined ? {} : { s3 };
      return { cluster: new Cluster({ zone, config: one, client, instance: config.instance, clock, log, ...more }), s3 };
    }),
  );
  return {
    manifests: new ManifestRepository({ transport, branch: ref }, { log }),
    statusBranch: new StatusReader({ transport, branch: config.status.branch }, { log }),
    clusters: opened.map(({ cluster }) => cluster),
    async close() {
      const closeCluster = async ({ cluster, s3 }: (typeof opened)[number]) => Promise.all([cluster.client.close(), s3?.close()]);
      await Promise.all([transport.close(), ...opened.map(closeCluster)]);
    },
  };
}
