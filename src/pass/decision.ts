import type { ArtifactRequest } from "../artifacts/artifact-store.ts";
import type { ConditionType, Reason } from "../model/reasons.ts";
import type { ResourceId, ResourceKey } from "../model/resource.ts";
import type {
  CancelOperation,
  ClusterRef,
  Finalized,
  FrozenArtifact,
  JobRecord,
  Operation,
  RescaleOperation,
  RestorePoint,
  SavepointOperation,
  StartOperation,
  StopOperation,
} from "../model/status.ts";
import type { SlotLedger } from "./place.ts";
import type { Submission } from "./submissions.ts";

interface DecisionBase {
  readonly key: ResourceKey;
  readonly id: ResourceId;
  /** Why, in the words that log, status, plan and command line all show. */
  readonly because: string;
}

/** What keeps a resource from going on; becomes a condition with status False; `Duplicate`, and `Suspended` for a Job that was down before it was suspended, with True. */
export interface Block {
  readonly condition: Exclude<ConditionType, "Accepted" | "FlinkBundled" | "Healthy" | "Reached" | "Recoverable">;
  readonly reason: Reason;
}

/** A call that changes Flink, with everything that it needs. Its operation is pushed before. */
export type JobWork =
  | { readonly kind: "start"; readonly operation: StartOperation; readonly submission: Submission }
  /** `next` is submitted from the savepoint as soon as that is there. */
  | { readonly kind: "stop"; readonly operation: StopOperation; readonly next: Submission | undefined }
  | { readonly kind: "cancel"; readonly operation: CancelOperation }
  | { readonly kind: "rescale"; readonly operation: RescaleOperation; readonly from: number };

export interface SavepointWork {
  readonly kind: "savepoint";
  readonly operation: SavepointOperation;
}

export type Work = JobWork | SavepointWork;

/** How an announced operation ended, or what else became certain of a Job. */
export type Settlement =
  | {
      readonly kind: "started";
      readonly flinkJobId: string;
      readonly cluster: ClusterRef;
      readonly flinkVersion: string;
      readonly rpus: number;
      readonly run: number;
      readonly restoredFrom: RestorePoint | undefined;
      readonly announcedAt: string;
    }
  | { readonly kind: "rescaled"; readonly rpus: number }
  | { readonly kind: "suspended"; readonly uri: string }
  | ({ readonly kind: "finalized" } & Finalized)
  /** A higher attempt than the record's was found running: that one counts. */
  | {
      readonly kind: "followed";
      readonly attempt: number;
      readonly flinkJobId: string;
      readonly cluster: ClusterRef;
      readonly flinkVersion: string;
      readonly rpus: number;
      readonly startedAt: string;
    }
  /** A second Flink job of the Job was stopped; this is what it left. */
  | { readonly kind: "deduplicated"; readonly uri: string }
  /** Nothing came of the operation; the job is as it was, or its next step is another one. */
  | { readonly kind: "abandoned" }
  | { readonly kind: "finished" }
  /** `lost`: why there is no restore point although there may have been state. */
  | { readonly kind: "buried"; readonly restorePoint: RestorePoint | undefined; readonly lost?: string };

/** The next step for one Job. `announce` is announced by this pass and called after it is pushed; `resume` was by an earlier one. */
export type JobDecision =
  /** `soon`: the next look tells more, so there should be one at once. */
  | (DecisionBase & { readonly kind: "leave"; readonly block?: Block; readonly soon?: true })
  | (DecisionBase & { readonly kind: "forget" })
  | (DecisionBase & { readonly kind: "wait"; readonly block: Block })
  | (DecisionBase & {
      readonly kind: "announce";
      readonly work: JobWork;
      /** Set when the work is the start of what is declared now, and not of what was accepted before. */
      readonly artifact?: FrozenArtifact;
      /** With `artifact`: what `spec.initialStateRef` stood for when its state began. */
      readonly initialState?: string;
      /** A start that did not come to run what was declared: the reason, so that it is not tried again as it is. */
      readonly rescaleFailed?: { readonly rpus: number; readonly because: string };
    })
  | (DecisionBase & { readonly kind: "resume"; readonly work: JobWork })
  | (DecisionBase & { readonly kind: "await"; readonly operation: Operation; readonly block: Block | undefined })
  | (DecisionBase & { readonly kind: "settle"; readonly settlement: Settlement; readonly block?: Block })
  /** A job of ours was found running that the status branch knows nothing of. */
  | (DecisionBase & { readonly kind: "adopt"; readonly record: JobRecord });

/** The next step for one Artifact. Downloads change nothing that runs, so they are not announced. */
export type ArtifactDecision =
  | (DecisionBase & { readonly kind: "leave" })
  /** Its manifest is gone and Jobs use it: it stays until they are gone. */
  | (DecisionBase & { readonly kind: "deleting" })
  | (DecisionBase & { readonly kind: "forget" })
  | (DecisionBase & { readonly kind: "wait"; readonly block: Block })
  | (DecisionBase & { readonly kind: "fetch"; readonly request: ArtifactRequest; readonly block: Block | undefined })
  /** Its bytes are there; a class in them is to be looked into before a Job may run it. */
  | (DecisionBase & { readonly kind: "inspect"; readonly request: ArtifactRequest });

/** The next step for one Savepoint. A Final one is taken by the step of its Job. */
export type SavepointDecision =
  | (DecisionBase & { readonly kind: "leave" })
  | (DecisionBase & { readonly kind: "forget" })
  /** `renews`: it was Ready, and its Job has run on since; it is as new. */
  | (DecisionBase & { readonly kind: "wait"; readonly block: Block; readonly renews?: true })
  | (DecisionBase & { readonly kind: "announce" | "resume"; readonly work: SavepointWork })
  | (DecisionBase & { readonly kind: "await"; readonly block: Block | undefined; readonly renews?: true })
  | (DecisionBase & {
      readonly kind: "ready";
      readonly uri: string;
      readonly takenAt?: string | undefined;
      readonly takenOf: { readonly flinkJobId: string; readonly cluster: ClusterRef } | undefined;
    })
  /** Nothing came of its operation: it is tried again. */
  | (DecisionBase & { readonly kind: "abandon"; readonly block: Block });

/** What becomes of a restore point of a Job that nothing needs any more. `announce` and `resume` as for Savepoints. */
export type DisposalDecision =
  | (DecisionBase & { readonly kind: "announce" | "resume"; readonly work: SavepointWork })
  | (DecisionBase & { readonly kind: "await" })
  /** It failed, and is tried again later. */
  | (DecisionBase & { readonly kind: "wait" })
  | (DecisionBase & { readonly kind: "disposed" })
  /** `isTidied`: it is not begun again for this attempt. */
  | (DecisionBase & { readonly kind: "abandon"; readonly isTidied: boolean })
  /** There is nothing more to dispose of for this attempt. */
  | (DecisionBase & { readonly kind: "tidied" });

export interface Decisions {
  readonly jobs: readonly JobDecision[];
  /** Only of Jobs that have something to dispose of, or were looked at for it. */
  readonly disposals: readonly DisposalDecision[];
  readonly artifacts: readonly ArtifactDecision[];
  readonly savepoints: readonly SavepointDecision[];
  /** What is left of the slots after everything that was decided. */
  readonly slots: SlotLedger;
}
