import { countOf, listOf } from "../common/text.ts";
import type { ClusterSeen, ReachableCluster } from "../flink/cluster-seen.ts";
import { compareClusterVersions, majorMinorOf } from "../flink/cluster-version.ts";

/**
 * How many slots of each cluster are still to be had in this pass, by `zone/name`. Each start takes its share out of it. Less than none when
 * more is claimed than there is.
 */
export type SlotLedger = ReadonlyMap<string, number>;

export type Placement =
  | { readonly kind: "placed"; readonly cluster: ReachableCluster; readonly left: SlotLedger }
  | { readonly kind: "not-placed"; readonly reason: PlacementReason; readonly because: string };

export type PlacementReason =
  | "NoZone"
  | "NoCluster"
  | "ClusterUnreachable"
  | "SubmissionDisabled"
  | "JavaTooOld"
  | "NotEnoughSlots";

export interface PlacementWish {
  readonly zone: string;
  /** Major.minor. */
  readonly flinkVersion: string;
  readonly slots: number;
  /** The Java release that the program's entry class needs at least, where that is known. */
  readonly javaVersion?: number | undefined;
}

/** The cluster for a new job: of its version, newest patch first, then most free slots, then by name. Takes the slots when there is one. */
export function place(wish: PlacementWish, clusters: readonly ClusterSeen[], ledger: SlotLedger): Placement {
  const inZone = clusters.filter((cluster) => cluster.zone === wish.zone);
  if (inZone.length === 0) return refuse("NoZone", `zone ${wish.zone} has no cluster in the daemon's configuration`);
  const unreachable = inZone.filter((cluster) => cluster.kind === "unreachable");
  const fitting = inZone
    .filter((cluster) => cluster.kind === "reachable")
    .filter((cluster) => majorMinorOf(cluster.flinkVersion) === wish.flinkVersion && !cluster.draining);
  if (fitting.length === 0) return unreachable.length > 0 ? refuseUnreachable(unreachable) : refuseVersion(wish, inZone);
  const open = fitting.filter((cluster) => cluster.webSubmit);
  if (open.length === 0) {
    const names = listOf(fitting.map((cluster) => cluster.name));
    return refuse(
      "SubmissionDisabled",
      fitting.length === 1
        ? `${names} does not accept jars: set web.submit.enable to true in its Flink configuration`
        : `${names} do not accept jars: set web.submit.enable to true in their Flink configuration`,
    );
  }
  const able = open.filter(({ javaVersion }) => (wish.javaVersion ?? 0) <= (javaVersion ?? Infinity));
  if (able.length === 0) return refuse("JavaTooOld", javaMissing(wish, open));
  const best = able.sort(
    (a, b) =>
      compareClusterVersions(b.flinkVersion, a.flinkVersion) ||
      freeIn(ledger, b) - freeIn(ledger, a) ||
      (a.name < b.name ? -1 : 1),
  );
  const cluster = best.find((candidate) => freeIn(ledger, candidate) >= wish.slots);
  if (cluster === undefined) return refuse("NotEnoughSlots", slotsMissing(wish, best, ledger));
  return { kind: "placed", cluster, left: takeSlots(ledger, cluster, wish.slots) };
}

function javaMissing({ javaVersion }: PlacementWish, open: readonly ReachableCluster[]): string {
  const there = open.map((cluster) => `${cluster.name} runs on Java ${cluster.javaVersion}`);
  return `its entry class is compiled for Java ${javaVersion}, and ${listOf(there)}: compile with --release ${Math.max(...open.map((cluster) => cluster.javaVersion ?? 0))}, or run the cluster on Java ${javaVersion}`;
}

/** The ledger after `slots` of `cluster` went to a job, or came back from one where they are less than none. */
export function takeSlots(
  ledger: SlotLedger,
  cluster: { readonly zone: string; readonly name: string },
  slots: number,
): SlotLedger {
  const key = clusterKey(cluster);
  return new Map(ledger).set(key, (ledger.get(key) ?? 0) - slots);
}

/** `zone/name`: cluster names are unique within their zone only. */
export function clusterKey(cluster: { readonly zone: string; readonly name: string }): string {
  return `${cluster.zone}/${cluster.name}`;
}

function freeIn(ledger: SlotLedger, cluster: ReachableCluster): number {
  return Math.max(0, ledger.get(clusterKey(cluster)) ?? 0);
}

function slotsMissing(wish: PlacementWish, clusters: readonly ReachableCluster[], ledger: SlotLedger): string {
  const offers = clusters.map((cluster) => `${freeIn(ledger, cluster)} of ${cluster.slots.total} free in ${cluster.name}`);
  return `needs ${countOf(wish.slots, "slot")}, ${listOf(offers)} in zone ${wish.zone} for Flink ${wish.flinkVersion}`;
}

function refuseUnreachable(clusters: readonly ClusterSeen[]): Placement {
  const names = clusters.map((cluster) => cluster.name);
  return refuse("ClusterUnreachable", `waits for ${listOf(names)}: ${clusters.length === 1 ? "it does" : "they do"} not answer`);
}

function refuseVersion(wish: PlacementWish, clusters: readonly ClusterSeen[]): Placement {
  const offers = clusters
    .filter((cluster) => cluster.kind === "reachable")
    .map((cluster) => `${cluster.name} has ${cluster.flinkVersion}${cluster.draining ? " and is draining" : ""}`);
  return refuse("NoCluster", `zone ${wish.zone} has no cluster for Flink ${wish.flinkVersion}: ${listOf(offers)}`);
}

function refuse(reason: PlacementReason, because: string): Placement {
  return { kind: "not-placed", reason, because };
}
