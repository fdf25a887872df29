import type { Position } from "../common/problem.ts";
import type { ResourceId } from "./resource.ts";

/** `1.16`: major.minor, as text so that 1.20 stays 1.20. */
export type FlinkVersion = string;

/** A parsed and valid document of a repository. Nothing in it was looked up: references are names. */
export type Manifest = JobManifest | ArtifactManifest | SavepointManifest | ProjectManifest;

interface ManifestBase {
  readonly id: ResourceId;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly source: ManifestSource;
  /** Where each field stands, by its path (`spec.configuration.execution.checkpointing.interval` is `/spec/configuration/execution.checkpointing.interval`). */
  readonly positions: ReadonlyMap<string, Position>;
  /** What its own `status` block says now. Means nothing to anybody but the mirror, which compares. */
  readonly mirrored?: unknown;
}

/**
 * Where a document stands: the file, its first line, and the Git blob it was read from, both as if the file held no `status` blocks, so that
 * what Penstock mirrors into it changes nothing of this. The commit is the snapshot's.
 */
export interface ManifestSource {
  readonly path: string;
  readonly line: number;
  readonly blob: string;
}

export interface JarOptions {
  readonly entryClass?: string;
  readonly mainArgs?: readonly string[];
}

export interface JobSpec {
  readonly flinkVersion: FlinkVersion;
  readonly artifact: string;
  readonly jarOptions: JarOptions;
  /** Number of slots = parallelism. The only mutable field; 0 suspends. */
  readonly rpus: number;
  /** As written, values as text; validated against the allow-list of options. */
  readonly configuration: Readonly<Record<string, string>>;
  readonly initialState?: { readonly savepoint: string; readonly allowNonRestoredState: boolean };
}

export interface JobManifest extends ManifestBase {
  readonly kind: "Job";
  readonly spec: JobSpec;
}

/** `group:artifact:version[:type[:classifier]]`; the type is `jar` when not given. */
export interface MavenCoordinates {
  readonly group: string;
  readonly artifact: string;
  readonly version: string;
  readonly type: string;
  readonly classifier?: string;
}

export type ArtifactSource =
  /** A file of the repository; `path` is already relative to the repository's root, without `.` and `..`. */
  | { readonly kind: "path"; readonly path: string }
  | { readonly kind: "maven"; readonly coordinates: MavenCoordinates }
  | { readonly kind: "url"; readonly url: string }
  | { readonly kind: "s3"; readonly bucket: string; readonly key: string };

export interface ArtifactSpec {
  readonly source: ArtifactSource;
  /** 64 lower-case hex digits. */
  readonly sha256?: string;
  readonly jarOptions: JarOptions;
}

export interface ArtifactManifest extends ManifestBase {
  readonly kind: "Artifact";
  readonly spec: ArtifactSpec;
}

export type SavepointSpec =
  | {
      readonly type: "Final";
      readonly job: string;
      readonly shutdownMethod: "Graceful" | "Drain";
      readonly deletionPolicy: DeletionPolicy;
    }
  | { readonly type: "OnDemand"; readonly job: string; readonly deletionPolicy: DeletionPolicy }
  | { readonly type: "External"; readonly uri: string; readonly deletionPolicy: DeletionPolicy };

export type DeletionPolicy = "Retain" | "Delete";

export interface SavepointManifest extends ManifestBase {
  readonly kind: "Savepoint";
  readonly spec: SavepointSpec;
}

export interface ProjectManifest extends ManifestBase {
  readonly kind: "Project";
}
