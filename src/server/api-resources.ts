import { formatTime } from "../common/clock.ts";
import { compareText } from "../common/problem.ts";
import type { ClusterSeen } from "../flink/cluster-seen.ts";
import { isOurs } from "../model/flink-job-id.ts";
import { resourceKey } from "../model/resource.ts";
import { buildStatusDocument, publicRecord } from "../model/status-document.ts";
import type { RecordKind } from "../model/status.ts";
import type { DonePass } from "../pass/reconcile.ts";

export interface ResourceQuery {
  readonly zone?: string;
  readonly project?: string;
  readonly limit: number;
  /** The `next` of the page before. */
  readonly cursor?: string;
}

export interface Page {
  readonly items: readonly unknown[];
  /** For the next page; not there on the last one. */
  readonly next?: string;
}

/** Jobs, Artifacts or Savepoints in the order of zone, project and name, as the status branch holds them. Pure. */
export function listResources({ update }: DonePass, kind: RecordKind, query: ResourceQuery): Page {
  const found = [...update.records]
    .filter(([, { id }]) => id.kind === kind && (query.zone ?? id.zone) === id.zone)
    .filter(([, { id }]) => (query.project ?? id.project) === id.project)
    .sort(([a], [b]) => compareText(a, b));
  return pageOf(
    found,
    query,
    ([key]) => key,
    ([, record]) => buildStatusDocument(publicRecord(record)),
  );
}

export function findResource(
  { update }: DonePass,
  kind: RecordKind,
  { zone, project, name }: { readonly zone: string; readonly project: string; readonly name: string },
): unknown {
  const record = update.records.get(resourceKey({ kind, zone, project, name }));
  return record === undefined ? undefined : buildStatusDocument(publicRecord(record));
}

/** The clusters of the configuration as they were last seen. Pure. */
export function listClusters({ observed }: DonePass, instance: string, query: ResourceQuery): Page {
  const found = observed.clusters
    .filter(({ zone }) => (query.zone ?? zone) === zone)
    .toSorted((a, b) => compareText(clusterKey(a), clusterKey(b)));
  return pageOf(found, query, clusterKey, (cluster) => describeCluster(cluster, instance));
}

export function findCluster({ observed }: DonePass, instance: string, zone: string, name: string): unknown {
  const cluster = observed.clusters.find((one) => one.zone === zone && one.name === name);
  return cluster === undefined ? undefined : describeCluster(cluster, instance);
}

function describeCluster(cluster: ClusterSeen, instance: string): unknown {
  const { zone, name, url } = cluster;
  if (cluster.kind === "unreachable")
    return { zone, name, url, reachable: false, because: cluster.because, since: formatTime(cluster.sinceMs) };
  const { draining, flinkVersion, incarnation, scheduler, highAvailability, inPlaceRescale, webSubmit } = cluster;
  const { checkpointsDir, savepointsDir, slots } = cluster;
  const ids = [...cluster.jobs.keys()];
  const ours = ids.filter((id) => isOurs(id, instance)).length;
  return {
    zone,
    name,
    url,
    reachable: true,
    draining,
    flinkVersion,
    incarnation,
    scheduler,
    highAvailability,
    inPlaceRescale,
    webSubmit,
    checkpointsDir,
    savepointsDir,
    slots: { total: slots.total, free: slots.free },
    jobs: { ours, others: ids.length - ours },
  };
}

function clusterKey({ zone, name }: { readonly zone: string; readonly name: string }): string {
  return `${zone}/${name}`;
}

/** A cursor is the key of the last item, so a page stays right whatever comes and goes between two of them. */
function pageOf<T>(
  sorted: readonly T[],
  { limit, cursor }: ResourceQuery,
  keyOf: (item: T) => string,
  describe: (item: T) => unknown,
): Page {
  const after = cursor === undefined ? undefined : Buffer.from(cursor, "base64url").toString("utf8");
  const rest = after === undefined ? sorted : sorted.filter((item) => keyOf(item) > after);
  const page = rest.slice(0, limit);
  const last = page.at(-1);
  const next = rest.length > limit && last !== undefined ? { next: Buffer.from(keyOf(last)).toString("base64url") } : {};
  return { items: page.map(describe), ...next };
}
