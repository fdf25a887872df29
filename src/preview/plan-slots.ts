import type { Config } from "../config/config.ts";
import { compareText } from "../common/problem.ts";
import type { ClusterSeen } from "../flink/cluster-seen.ts";
import { displayName, type ResourceKey } from "../model/resource.ts";
import { freeSlots, rpusOf } from "../pass/decide.ts";
import type { JobDecision } from "../pass/decision.ts";
import type { DesiredJob } from "../pass/desired.ts";
import type { Decided } from "../pass/observe-and-decide.ts";
import { clusterKey, place, takeSlots, type SlotLedger } from "../pass/place.ts";
import type { JobAction } from "./job-action.ts";
import type { PlanAction, PlanCluster, PlanQuota, PlanSlots } from "./plan.ts";

export interface ActedJob {
  readonly job: DesiredJob;
  readonly decision: JobDecision;
  readonly action: JobAction;
}

export interface SlotPlan {
  readonly byJob: ReadonlyMap<ResourceKey, PlanSlots>;
  readonly clusters: readonly PlanCluster[];
}

interface Claim {
  readonly cluster: { readonly zone: string; readonly name: string } | undefined;
  readonly needed: number;
}

/** What each step takes out of the free slots or gives back. What gives back comes first: the others may count on it. Pure. */
export function planSlots(acted: readonly ActedJob[], { desired, observed, now }: Decided): SlotPlan {
  const before = freeSlots(desired.jobs, observed, now);
  let ledger = before;
  const byJob = new Map<ResourceKey, PlanSlots>();
  const claims = acted
    .map((one) => ({ ...one, claims: claimsOf(one) }))
    .toSorted((a, b) => (needOf(a.claims) < 0 ? 0 : 1) - (needOf(b.claims) < 0 ? 0 : 1));
  for (const { job, action, claims: wanted } of claims) {
    if (action.action === "leave" || action.action === "refuse") continue;
    const goes = action.verdict === "now";
    for (const claim of wanted) {
      const cluster = claim.cluster ?? bestClusterFor(job, claim.needed, observed.clusters, ledger);
      const freeNow = cluster === undefined ? mostFree(job, observed.clusters, ledger) : freeIn(ledger, cluster);
      if (goes && cluster !== undefined) ledger = takeSlots(ledger, cluster, claim.needed);
      const freeAfter = cluster === undefined ? freeNow : freeIn(ledger, cluster);
      byJob.set(job.key, {
        ...(cluster === undefined ? {} : { cluster: cluster.name }),
        needed: claim.needed,
        freeNow,
        freeAfter,
      });
    }
  }
  return { byJob, clusters: observed.clusters.map((cluster) => planCluster(cluster, before, ledger)) };
}

/** What stands against a quota, for each project that has one. Pure. */
export function planQuotas(acted: readonly ActedJob[], zones: Config["zones"]): readonly PlanQuota[] {
  const quotas: PlanQuota[] = [];
  for (const [zone, { projects }] of [...zones].sort(([a], [b]) => compareText(a, b))) {
    for (const [project, { maxRpus }] of projects ?? []) {
      if (maxRpus === undefined) continue;
      const here = acted.filter(({ job }) => job.id.zone === zone && job.id.project === project);
      const usedNow = sumOf(here.map(({ job }) => rpusOf(job.record?.status)));
      const usedAfter = sumOf(here.map(rpusAfter));
      const waiting = here.filter(({ action }) => action.reason === "QuotaExceeded").map(({ job }) => displayName(job.id));
      quotas.push({ zone, project, maxRpus, usedNow, usedAfter, waiting });
    }
  }
  return quotas;
}

function rpusAfter({ job, action }: ActedJob): number {
  const used = rpusOf(job.record?.status);
  if (action.verdict !== "now") return used;
  if (action.action === "delete" || action.action === "stop" || action.action === "suspend") return 0;
  return job.declared.kind === "declared" && changesRpus(action.action) ? job.declared.manifest.spec.rpus : used;
}

function changesRpus(action: PlanAction): boolean {
  return action !== "leave" && action !== "refuse";
}

/** A move takes slots in one cluster and gives them back in another; the former is what a reader asks for, so it comes last. */
function claimsOf({ job, decision, action }: ActedJob): readonly Claim[] {
  const status = job.record?.status;
  const requested = status?.requestedRpus ?? 0;
  const here = status?.cluster === undefined ? undefined : { zone: job.id.zone, name: status.cluster.name };
  const work = decision.kind === "announce" ? decision.work : undefined;
  if (work?.kind === "stop" && work.operation.purpose === "migrate" && work.operation.next !== undefined) {
    const { cluster, rpus } = work.operation.next;
    return [
      { cluster: here, needed: -requested },
      { cluster: { zone: job.id.zone, name: cluster.name }, needed: rpus },
    ];
  }
  const chosen = work === undefined ? undefined : { zone: job.id.zone, name: work.operation.cluster.name };
  const declared = job.declared.kind === "declared" ? job.declared.manifest.spec.rpus : 0;
  switch (action.action) {
    case "create":
    case "upgrade":
    case "resume":
      return [{ cluster: chosen, needed: declared }];
    case "restart":
      return [{ cluster: chosen ?? here, needed: job.declared.kind === "declared" ? declared : requested }];
    case "rescale-in-place":
    case "rescale-by-savepoint":
      return [{ cluster: chosen ?? here, needed: declared - requested }];
    case "migrate":
      return [{ cluster: undefined, needed: requested }];
    case "delete":
    case "stop":
    case "suspend":
      return here === undefined || rpusOf(status) === 0 ? [] : [{ cluster: here, needed: -requested }];
    case "adopt":
    case "deduplicate":
    case "leave":
    case "refuse":
      return [];
    default:
      return action.action satisfies never;
  }
}

function needOf(claims: readonly Claim[]): number {
  return sumOf(claims.map(({ needed }) => needed));
}

function bestClusterFor(job: DesiredJob, slots: number, clusters: readonly ClusterSeen[], ledger: SlotLedger) {
  if (job.declared.kind !== "declared") return undefined;
  const placement = place({ zone: job.id.zone, flinkVersion: job.declared.manifest.spec.flinkVersion, slots }, clusters, ledger);
  return placement.kind === "placed" ? placement.cluster : undefined;
}

function mostFree(job: DesiredJob, clusters: readonly ClusterSeen[], ledger: SlotLedger): number {
  const inZone = clusters.filter((cluster) => cluster.kind === "reachable" && cluster.zone === job.id.zone);
  return Math.max(0, ...inZone.map((cluster) => freeIn(ledger, cluster)));
}

function planCluster(cluster: ClusterSeen, before: SlotLedger, after: SlotLedger): PlanCluster {
  const { zone, name } = cluster;
  if (cluster.kind === "unreachable") return { zone, name, unreachable: cluster.because };
  const slots = { total: cluster.slots.total, freeNow: freeIn(before, cluster), freeAfter: freeIn(after, cluster) };
  return { zone, name, flinkVersion: cluster.flinkVersion, slots };
}

function freeIn(ledger: SlotLedger, cluster: { readonly zone: string; readonly name: string }): number {
  return Math.max(0, ledger.get(clusterKey(cluster)) ?? 0);
}

function sumOf(numbers: readonly number[]): number {
  let sum = 0;
  for (const one of numbers) sum += one;
  return sum;
}
