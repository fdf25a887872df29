import type { Clock } from "../common/clock.ts";
import type { Log } from "../common/log.ts";
import type { Redactor } from "../common/redactor.ts";
import type { Config } from "../config/config.ts";
import type { SightedCluster } from "../flink/cluster.ts";
import { FlinkReader } from "../flink/flink-reader.ts";
import { GitTransport } from "../git/http-transport.ts";
import { ManifestRepository } from "../git/manifest-repository.ts";
import { StatusReader } from "../git/status-reader.ts";
import type { Verification } from "../pass/verify-head.ts";
import { openClusters } from "./open-clusters.ts";
import { openVerification } from "./open-verification.ts";

/** Repository and clusters for somebody who is only to look: none of it has a method that writes. */
export interface OpenForReading {
  readonly manifests: ManifestRepository;
  readonly statusBranch: StatusReader;
  readonly clusters: readonly SightedCluster[];
  /** Undefined when every commit counts. */
  readonly verification: Verification | undefined;
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
  const opened = openClusters(config, tools, (settings) => {
    return new FlinkReader(settings, { clock, ...(redactor === undefined ? {} : { redactor }) });
  });
  return {
    manifests: new ManifestRepository({ transport, branch: ref }, { log }),
    statusBranch: new StatusReader({ transport, branch: config.status.branch }, { log }),
    clusters: opened.clusters,
    verification: openVerification(config, transport, { clock, log }),
    async close() {
      await Promise.all([transport.close(), opened.close()]);
    },
  };
}
