import type { RestorePoint } from "../model/status.ts";
import type { ResourceKey } from "../model/resource.ts";

/** Everything that one submission needs. Its id and cluster stand in an operation that was pushed before. */
export interface Submission {
  readonly key: ResourceKey;
  readonly flinkJobId: string;
  readonly zone: string;
  readonly cluster: string;
  readonly artifactSha256: string;
  readonly entryClass: string;
  readonly mainArgs: readonly string[];
  readonly parallelism: number;
  readonly configuration: Readonly<Record<string, string>>;
  readonly restoreFrom?: RestorePoint;
  readonly allowNonRestoredState: boolean;
}

/** What is known in this process of a submission that was made. */
export type SubmissionSeen =
  | { readonly kind: "under-way" }
  | { readonly kind: "accepted"; readonly acceptedAtMs: number }
  /** Flink said no, and nothing runs under this id. */
  | {
      readonly kind: "refused";
      readonly reason: string;
      readonly because: string;
      readonly failures: number;
      readonly retryAtMs: number;
    }
  /** The answer was lost: the job may yet appear, since the program's `main` may still be at work. */
  | { readonly kind: "unknown"; readonly because: string; readonly failures: number; readonly retryAtMs: number };
