import type { Problem } from "../common/problem.ts";
import type { ResourceId } from "../model/resource.ts";

/** Grows by fields; a field that changes its meaning or goes makes it 2. */
export const PLAN_VERSION = 1;

/**
 * What becomes of a resource. `stop` is what a Final Savepoint does to its Job, `upgrade` the Job that starts from it; `restart` brings back
 * what failed or vanished; `adopt` takes over a running job that no record speaks of.
 */
export const PLAN_ACTIONS = [
  "create",
  "rescale-in-place",
  "rescale-by-savepoint",
  "suspend",
  "resume",
  "upgrade",
  "stop",
  "deduplicate",
  "migrate",
  "restart",
  "adopt",
  "delete",
  "refuse",
  "leave",
] as const;
export type PlanAction = (typeof PLAN_ACTIONS)[number];

/**
 * `now`: it begins at once. `under-way`: it was announced before and is gone on with. `waits`: it begins by itself as soon as what is missing
 * is there. `held`: a person has to decide or to mend something. `none`: nothing is done.
 */
export type PlanVerdict = "now" | "under-way" | "waits" | "held" | "none";

export interface PlanSlots {
  /** Undefined while no cluster is chosen. */
  readonly cluster?: string;
  /** What the step takes out of the free ones; negative when it gives some back. */
  readonly needed: number;
  readonly freeNow: number;
  readonly freeAfter: number;
}

export interface PlanInterruption {
  readonly kind: "none" | "brief" | "until-resumed" | "for-good";
  /** From the job's own past; undefined where it has none of the kind. */
  readonly seconds?: number;
  readonly text: string;
}

export type PlanRestorePoint =
  | { readonly kind: "Savepoint" | "Checkpoint"; readonly uri: string; readonly takenAt: string; readonly ageSeconds: number }
  | { readonly kind: "none" }
  | { readonly kind: "unknown"; readonly because: string };

/** One resource. */
export interface PlanStep extends ResourceId {
  readonly action: PlanAction;
  readonly verdict: PlanVerdict;
  /** In the words that log and status show. */
  readonly because: string;
  /** The CamelCase reason of the condition that will say so; undefined where none is needed. */
  readonly reason?: string;
  readonly rpus?: { readonly from?: number; readonly to?: number };
  readonly slots?: PlanSlots;
  readonly state?: string;
  readonly interruption?: PlanInterruption;
  readonly restorePoint?: PlanRestorePoint;
  readonly notes: readonly string[];
  /** Where it is declared, or was. */
  readonly at?: { readonly file: string; readonly line: number };
}

/** What was planned. */
export type PlanSubject =
  | { readonly kind: "branch" | "ref"; readonly name: string; readonly commit: string }
  | { readonly kind: "folder"; readonly name: string }
  | {
      readonly kind: "request";
      readonly name: string;
      readonly base: string;
      readonly head: string;
      readonly merge: PlanMerge;
    };

/** How head and base came together: merged in memory; in conflict, so that nothing is planned; or the head alone, for want of a merge base. */
export type PlanMerge =
  | { readonly kind: "merged"; readonly mergeBase: string }
  | { readonly kind: "conflict"; readonly files: readonly string[] }
  | { readonly kind: "head-alone"; readonly because: string };

export interface PlanCluster {
  readonly zone: string;
  readonly name: string;
  /** Undefined when it cannot be reached. */
  readonly slots?: { readonly total: number; readonly freeNow: number; readonly freeAfter: number };
  readonly flinkVersion?: string;
  readonly unreachable?: string;
}

export interface PlanQuota {
  readonly zone: string;
  readonly project: string;
  readonly maxRpus: number;
  readonly usedNow: number;
  readonly usedAfter: number;
  /** Jobs that wait because of it. */
  readonly waiting: readonly string[];
}

/** What the daemon would do now, and what stands against it. Plain data: this is the JSON that programs read. */
export interface Plan {
  readonly version: typeof PLAN_VERSION;
  readonly instance: string;
  readonly subject: PlanSubject;
  /** What it is compared with: the newest commit that the status speaks of. */
  readonly appliedCommit?: string;
  readonly plannedAt: string;
  readonly summary: string;
  /** What a reader should know before believing the rest. */
  readonly notices: readonly string[];
  readonly problems: readonly Problem[];
  /** Why deletions are held, each reason once. */
  readonly guard: readonly { readonly reason: string; readonly because: string }[];
  readonly quotas: readonly PlanQuota[];
  readonly clusters: readonly PlanCluster[];
  /** What changes first, then what stays; each part by kind and name. */
  readonly steps: readonly PlanStep[];
}

/** Whether anything is to be done, waits, is held or refused. */
export function changesOf(plan: Pick<Plan, "steps">): readonly PlanStep[] {
  return plan.steps.filter(({ action }) => action !== "leave");
}
