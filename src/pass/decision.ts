import type { ArtifactRequest } from "../artifacts/artifact-store.ts";
import type { ResourceId, ResourceKey } from "../model/resource.ts";
import type {
  CancelOperation,
  ClusterRef,
  FrozenArtifact,
  JobRecord,
  Operation,
  RescaleOperation,
  RestorePoint,
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

/** What keeps a resource from going on; becomes a condition with status False. */
export interface Block {
  readonly condition: "Placed" | "Started" | "Available" | "Restored" | "Rescaled" | "Deleted";
  readonly reason: string;
}

/** A call that changes Flink, with everything that it needs. Its operation is pushed before. */
export type Work =
  | { readonly kind: "start"; readonly operation: StartOperation; readonly submission: Submission }
  /** `next` is submitted from the savepoint as soon as that is there. */
  | { readonly kind: "stop"; readonly operation: StopOperation; readonly next: Submission | undefined }
  | { readonly kind: "cancel"; readonly operation: CancelOperation }
  | { readonly kind: "rescale"; readonly operation: RescaleOperation; readonly from: number };

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
  /** Nothing came of the operation; the job is as it was, or its next step is another one. */
  | { readonly kind: "abandoned" }
  | { readonly kind: "finished" }
  | { readonly kind: "buried"; readonly restorePoint: RestorePoint | undefined };

/** The next step for one Job. `announce` is announced by this pass and called after it is pushed; `resume` was by an earlier one. */
export type JobDecision =
  | (DecisionBase & { readonly kind: "leave"; readonly block?: Block })
  | (DecisionBase & { readonly kind: "forget" })
  | (DecisionBase & { readonly kind: "wait"; readonly block: Block })
  | (DecisionBase & {
      readonly kind: "announce";
      readonly work: Work;
      /** Set when the work is the start of what is declared now, and not of what was accepted before. */
      readonly artifact?: FrozenArtifact;
      /** A start that did not come to run what was declared: the reason, so that it is not tried again as it is. */
      readonly rescaleFailed?: { readonly rpus: number; readonly because: string };
    })
  | (DecisionBase & { readonly kind: "resume"; readonly work: Work })
  | (DecisionBase & { readonly kind: "await"; readonly operation: Operation; readonly block: Block | undefined })
  | (DecisionBase & { readonly kind: "settle"; readonly settlement: Settlement; readonly block?: Block })
  /** A job of ours was found running that the status branch knows nothing of. */
  | (DecisionBase & { readonly kind: "adopt"; readonly record: JobRecord });

/** The next step for one Artifact. Downloads change nothing that runs, so they are not announced. */
export type ArtifactDecision =
  | (DecisionBase & { readonly kind: "leave" })
  | (DecisionBase & { readonly kind: "forget" })
  | (DecisionBase & { readonly kind: "wait"; readonly block: Block })
  | (DecisionBase & { readonly kind: "fetch"; readonly request: ArtifactRequest; readonly block: Block | undefined });

export type SavepointDecision =
  | (DecisionBase & { readonly kind: "leave" })
  | (DecisionBase & { readonly kind: "forget" })
  | (DecisionBase & { readonly kind: "wait"; readonly block: Block });

export interface Decisions {
  readonly jobs: readonly JobDecision[];
  readonly artifacts: readonly ArtifactDecision[];
  readonly savepoints: readonly SavepointDecision[];
  /** What is left of the slots after everything that was decided. */
  readonly slots: SlotLedger;
}
