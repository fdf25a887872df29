import { Gauge, type Registry } from "prom-client";
import { findCondition } from "../model/conditions.ts";
import type { JobRecord } from "../model/status.ts";
import type { DonePass } from "../pass/reconcile.ts";
import type { PassWatch } from "./pass-watch.ts";

type Labels = Readonly<Record<string, string>>;
type Sample = readonly [labels: Labels, value: number];

/** Gauges of how things stand; each is made when somebody asks, out of what the newest pass saw. */
export function addStateMetrics(registry: Registry, watch: PassWatch): void {
  const add = (name: string, help: string, labelNames: readonly string[], read: (pass: DonePass) => readonly Sample[]): void => {
    const collect = function (this: Gauge): void {
      this.reset();
      for (const [labels, value] of watch.shown === undefined ? [] : read(watch.shown)) this.set(labels, value);
    };
    registry.registerMetric(new Gauge({ name, help, labelNames: [...labelNames], registers: [], collect }));
  };
  const cluster = ["zone", "cluster"];
  add("penstock_jobs", "Jobs by phase, Flink state and health.", ["zone", "phase", "state", "health"], countJobs);
  add("penstock_artifacts", "Artifacts by phase.", ["zone", "phase"], (pass) => countPhases(pass, "Artifact"));
  add("penstock_savepoints", "Savepoints by phase.", ["zone", "phase"], (pass) => countPhases(pass, "Savepoint"));
  add("penstock_cluster_reachable", "Whether the cluster answered at the last look.", cluster, (pass) =>
    pass.observed.clusters.map((one) => [labelsOf(one), one.kind === "reachable" ? 1 : 0]),
  );
  add("penstock_cluster_slots", "Slots of the cluster; not there while it cannot be reached.", cluster, (pass) =>
    reachable(pass).map((one) => [labelsOf(one), one.slots.total]),
  );
  add("penstock_cluster_slots_free", "Free slots of the cluster; not there while it cannot be reached.", cluster, (pass) =>
    reachable(pass).map((one) => [labelsOf(one), one.slots.free]),
  );
  add("penstock_artifact_bytes", "Size of all jars that are Ready.", [], (pass) => [[{}, sizeOfArtifacts(pass)]]);
  add("penstock_manifest_problems", "Problems of the manifests in force.", [], ({ update }) => [
    [{}, update.summary.problems.length],
  ]);
  add(
    "penstock_commit_refused",
    "1 while the newest commit is not applied because repository.verify refuses it.",
    [],
    ({ snapshot }) => [[{}, snapshot.refused === undefined ? 0 : 1]],
  );
  add("penstock_orphaned_flink_jobs", "Flink jobs of this instance that no resource speaks of.", [], ({ update }) => [
    [{}, update.summary.orphans.length],
  ]);
  add("penstock_unmanaged_flink_jobs", "Live Flink jobs of others on the same clusters.", [], ({ update }) => [
    [{}, update.summary.unmanaged.length],
  ]);
}

function reachable({ observed }: DonePass) {
  return observed.clusters.filter((cluster) => cluster.kind === "reachable");
}

function labelsOf({ zone, name }: { readonly zone: string; readonly name: string }): Labels {
  return { zone, cluster: name };
}

/** Tombstones are none: what is deleted is neither well nor unwell. */
function countJobs({ update }: DonePass): readonly Sample[] {
  const jobs = [...update.records.values()].filter((record) => record.kind === "Job");
  return counted(jobs.filter(({ status }) => status.deleted === undefined).map(labelsOfJob));
}

function labelsOfJob({ id, status }: JobRecord): Labels {
  const healthy = findCondition(status.conditions, "Healthy")?.status;
  return {
    zone: id.zone,
    phase: status.phase,
    state: status.flinkJobState === "" ? "None" : status.flinkJobState,
    health: healthy === "True" ? "healthy" : healthy === "False" ? "unhealthy" : "unknown",
  };
}

function countPhases({ update }: DonePass, kind: "Artifact" | "Savepoint"): readonly Sample[] {
  const found = [...update.records.values()].filter((record) => record.kind === kind);
  return counted(found.map(({ id, status }) => ({ zone: id.zone, phase: status.phase })));
}

function counted(all: readonly Labels[]): readonly Sample[] {
  const counts = new Map<string, { readonly labels: Labels; count: number }>();
  for (const labels of all) {
    const key = JSON.stringify(labels);
    const known = counts.get(key);
    if (known === undefined) counts.set(key, { labels, count: 1 });
    else known.count += 1;
  }
  return [...counts.values()].map(({ labels, count }) => [labels, count]);
}

function sizeOfArtifacts({ update }: DonePass): number {
  let bytes = 0;
  for (const record of update.records.values())
    if (record.kind === "Artifact" && record.status.phase === "Ready") bytes += record.status.size ?? 0;
  return bytes;
}
