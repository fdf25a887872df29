import type { ArtifactRequest } from "../artifacts/artifact-store.ts";
import type { ResourceId, ResourceKey } from "../model/resource.ts";
import type { FrozenArtifact, JobRecord, StartOperation } from "../model/status.ts";
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
  readonly condition: "Placed" | "Started" | "Available";
  readonly reason: string;
}

/** The next step for one Job. Only `start` and `submit` call Flink; `start` is announced by this pass, `submit` was by an earlier one. */
export type JobDecision =
  | (DecisionBase & { readonly kind: "leave" })
  | (DecisionBase & { readonly kind: "forget" })
  | (DecisionBase & { readonly kind: "wait"; readonly block: Block })
  | (DecisionBase & {
      readonly kind: "start";
      readonly operation: StartOperation;
      readonly submission: Submission;
      readonly artifact: FrozenArtifact;
    })
  | (DecisionBase & { readonly kind: "submit"; readonly operation: StartOperation; readonly submission: Submission })
  | (DecisionBase & { readonly kind: "await"; readonly operation: StartOperation; readonly block: Block | undefined })
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
