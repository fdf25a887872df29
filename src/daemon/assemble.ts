import { ArtifactStore } from "../artifacts/artifact-store.ts";
import type { Clock } from "../common/clock.ts";
import { createDispatcher } from "../common/http.ts";
import type { Log } from "../common/log.ts";
import type { Observer } from "../common/observer.ts";
import type { Redactor } from "../common/redactor.ts";
import { PREVIEWS_BRANCH } from "../config/branch-name.ts";
import type { Config } from "../config/config.ts";
import { FlinkClient } from "../flink/flink-client.ts";
import { openForge } from "../forge/open-forge.ts";
import { GitTransport } from "../git/http-transport.ts";
import { ManifestBranch } from "../git/manifest-branch.ts";
import { RequestRepository } from "../git/request-repository.ts";
import { StatusBranch } from "../git/status-branch.ts";
import { ManifestCache } from "../model/parse-manifests.ts";
import { Actions } from "../pass/apply.ts";
import { Mirror } from "../pass/mirror.ts";
import type { PassDeps } from "../pass/reconcile.ts";
import { SecretReader } from "../pass/read-secrets.ts";
import { SnapshotReader } from "../pass/read-snapshot.ts";
import { CommitStatuses } from "../preview/commit-statuses.ts";
import { ForgeReporter } from "../preview/forge-reporter.ts";
import { ForgeTeller } from "../preview/forge-teller.ts";
import { Previews, type PreviewsDeps } from "../preview/previews.ts";
import { openClusters } from "./open-clusters.ts";
import { openVerification } from "./open-verification.ts";
import { readBlobOf } from "./read-blob.ts";

export interface Assembly {
  readonly deps: PassDeps;
  /** Undefined when the configuration wants none. */
  readonly previews: Previews | undefined;
  /** Undefined without a forge. */
  readonly commitStatuses: CommitStatuses | undefined;
  /** Ends everything that goes on in the background and closes all connections. */
  close(): Promise<void>;
}

/** Builds the parts of one daemon out of its configuration. Nothing is called yet. */
export function assemble(
  config: Config,
  tools: {
    /** By which no other daemon writes. */
    readonly writer: string;
    readonly clock: Clock;
    readonly log: Log;
    readonly wake: () => void;
    readonly redactor: Redactor;
    readonly observer: Observer;
  },
): Assembly {
  const { writer, clock, log, wake, redactor, observer } = tools;
  const repository = openRepository(config, writer, { clock, log, observer });
  const { manifests, statusBranch, transport } = repository;
  const { paths } = config.repository;
  const verification = openVerification(config, transport, { clock, log });
  const reader = new SnapshotReader({ manifests, statusBranch, paths, log, observer, verification });
  const opened = openClusters(config, tools, (settings, { zone, config: { name } }) => {
    return new FlinkClient(settings, { clock, redactor, observer: observer.flink(zone, name) });
  });
  const { clusters } = opened;
  const store = new ArtifactStore(
    { ...config.artifacts, instance: config.instance, repository: config.repository, proxy: config.proxy },
    {
      log,
      clock,
      onChange: wake,
      observer,
      readBlob: async (blob, maxBytes, signal) => readBlobOf(manifests, blob, maxBytes, signal),
      createDispatcher: (tls, lookup) =>
        createDispatcher({ tls, proxy: config.proxy, ...(lookup === undefined ? {} : { lookup }) }),
    },
  );
  const secrets = new SecretReader(config.secrets.dir, redactor);
  const actions = new Actions({ instance: config.instance, clusters, store, clock, log, wake, observer });
  const mirror = config.status.target === "inline" ? new Mirror({ manifests, reader, config, clock, log, wake }) : undefined;
  const forge = config.forge === undefined ? undefined : openForge(config.forge, config.proxy, clock);
  const openTeller = (): ForgeTeller | undefined =>
    forge === undefined ? undefined : new ForgeTeller({ forge, instance: config.instance, clock, log });
  const [forRequests, forCommits] = [openTeller(), openTeller()];
  const reporting = forRequests === undefined ? {} : { reporter: new ForgeReporter(forRequests) };
  const limits = { maxBytes: config.artifacts.maxBytes, maxBlobBytes: config.repository.maxBlobBytes };
  return {
    deps: {
      config,
      clock,
      log,
      reader,
      clusters,
      actions,
      observe: { clusters, store, actions, secrets, instance: config.instance, limits },
      publish: { statusBranch, reader, config: config.status, clock, log },
      mirror,
    },
    previews: config.previews.plans
      ? openPreviews(
          { config, clock, log, clusters, store, verifier: verification?.verifier, ...reporting },
          { transport, writer },
        )
      : undefined,
    commitStatuses: forCommits === undefined ? undefined : new CommitStatuses(forCommits),
    async close() {
      await Promise.all([actions.close(), mirror?.close()]);
      await store.close();
      await Promise.all([repository.close(), opened.close(), forge?.close()]);
    },
  };
}

function openPreviews(
  deps: Pick<PreviewsDeps, "config" | "clock" | "log" | "clusters" | "store" | "reporter" | "verifier">,
  branch: { readonly transport: GitTransport; readonly writer: string },
): Previews {
  return new Previews({
    ...deps,
    cache: new ManifestCache(),
    requests: new RequestRepository(branch.transport),
    branch: new StatusBranch({ ...branch, branch: PREVIEWS_BRANCH, write: "push-previews" }, { log: deps.log }),
  });
}

interface OpenRepository {
  readonly transport: GitTransport;
  readonly manifests: ManifestBranch;
  readonly statusBranch: StatusBranch;
  close(): Promise<void>;
}

/** Both branches of the repository over one transport. Nothing is called yet. */
function openRepository(
  config: Pick<Config, "repository" | "status" | "proxy">,
  writer: string,
  { clock, log, observer }: { readonly clock: Clock; readonly log: Log; readonly observer: Pick<Observer, "gitCalled"> },
): OpenRepository {
  const transport = new GitTransport({ ...config.repository, proxy: config.proxy }, clock, observer);
  return {
    transport,
    manifests: new ManifestBranch({ transport, branch: config.repository.branch }, { log }),
    statusBranch: new StatusBranch({ transport, branch: config.status.branch, write: "push-status", writer }, { log }),
    close: async () => transport.close(),
  };
}
