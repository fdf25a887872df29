import type { ArtifactSeen } from "../../src/artifacts/artifact-store.ts";
import type { JarContent } from "../../src/artifacts/inspect-jar.ts";
import { formatTime } from "../../src/common/clock.ts";
import type { PolicyConfig } from "../../src/config/config.ts";
import type { FlinkJobDetail, FlinkJobSeen, ReachableCluster, UnreachableCluster } from "../../src/flink/cluster-seen.ts";
import { flinkJobId } from "../../src/model/flink-job-id.ts";
import type {
  ArtifactManifest,
  ArtifactSpec,
  JobManifest,
  JobSpec,
  SavepointManifest,
  SavepointSpec,
} from "../../src/model/manifest.ts";
import { resourceKey, siblingKey, type ResourceId } from "../../src/model/resource.ts";
import type {
  ArtifactRecord,
  ArtifactStatus,
  CancelOperation,
  ClusterRef,
  FrozenArtifact,
  JobRecord,
  JobStatus,
  RescaleOperation,
  SavepointRecord,
  SavepointStatus,
  StartIntent,
  StartOperation,
  StopOperation,
} from "../../src/model/status.ts";
import type { DecideInput } from "../../src/pass/decide.ts";
import type { Declared, DesiredArtifact, DesiredJob, DesiredSavepoint } from "../../src/pass/desired.ts";
import type { Observed } from "../../src/pass/observed.ts";
import type { Snapshot, StatusView } from "../../src/pass/snapshot.ts";
import type { StepSeen, SubmissionSeen } from "../../src/pass/submissions.ts";

export const INSTANCE = "test";
export const ZONE = "local";
export const NOW = Date.parse("2026-11-22T12:00:00Z");
export const COMMIT = "c0".repeat(20);
export const BLOB = "b0".repeat(20);
export const SHA256 = "5a".repeat(32);
export const MAIN_CLASS = "com.example.Main";

export function anId(overrides: Partial<ResourceId> = {}): ResourceId {
  return { kind: "Job", zone: ZONE, project: "default", name: "orders", ...overrides };
}

export function aSpec(overrides: Partial<JobSpec> = {}): JobSpec {
  return { flinkVersion: "1.16", artifact: "app", jarOptions: {}, rpus: 2, configuration: {}, ...overrides };
}

export interface ManifestOverrides {
  readonly id?: Partial<ResourceId>;
  readonly spec?: Partial<JobSpec>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly source?: Partial<JobManifest["source"]>;
  readonly positions?: JobManifest["positions"];
}

export function aManifest({ id, spec, annotations, labels, source, positions }: ManifestOverrides = {}): JobManifest {
  return {
    kind: "Job",
    id: anId(id),
    labels: labels ?? {},
    annotations: annotations ?? {},
    source: { path: "orders.yaml", line: 1, blob: BLOB, ...source },
    positions: positions ?? new Map(),
    spec: aSpec(spec),
  };
}

export function anArtifactManifest(name = "app", spec: Partial<ArtifactSpec> = {}): ArtifactManifest {
  return {
    kind: "Artifact",
    id: anId({ kind: "Artifact", name }),
    labels: {},
    annotations: {},
    source: { path: "artifacts.yaml", line: 1, blob: BLOB },
    positions: new Map(),
    spec: { source: { kind: "path", path: "jars/app.jar" }, jarOptions: {}, ...spec },
  };
}

export const FINAL: SavepointSpec = { type: "Final", job: "orders", shutdownMethod: "Graceful", deletionPolicy: "Retain" };

export function aSavepointManifest(name = "final", spec: SavepointSpec = FINAL): SavepointManifest {
  return {
    kind: "Savepoint",
    id: anId({ kind: "Savepoint", name }),
    labels: {},
    annotations: {},
    source: { path: "savepoints.yaml", line: 1, blob: BLOB },
    positions: new Map(),
    spec,
  };
}

export const CLUSTER: ClusterRef = { name: "main", url: "http://main:8081/", incarnation: "first" };

export function anAttempt(
  attempt = 1,
  { id, spec }: { readonly id?: Partial<ResourceId>; readonly spec?: Partial<JobSpec> } = {},
) {
  return flinkJobId({ instance: INSTANCE, id: anId(id), spec: aSpec(spec), attempt });
}

export interface OperationOverrides extends Partial<StartOperation> {
  readonly spec?: Partial<JobSpec>;
  readonly id?: Partial<ResourceId>;
}

export function anOperation({ spec, id, ...overrides }: OperationOverrides = {}): StartOperation {
  const attempt = overrides.attempt ?? 1;
  return {
    kind: "start",
    attempt,
    flinkJobId: anAttempt(attempt, { ...(id === undefined ? {} : { id }), ...(spec === undefined ? {} : { spec }) }),
    cluster: CLUSTER,
    rpus: aSpec(spec).rpus,
    run: 1,
    announcedAt: formatTime(NOW - 3_600_000),
    ...overrides,
  };
}

/** What is announced to follow the stop of attempt 1. */
export function anIntent(overrides: Partial<StartIntent> = {}): StartIntent {
  const attempt = overrides.attempt ?? 2;
  return { attempt, flinkJobId: anAttempt(attempt), cluster: CLUSTER, rpus: 4, ...overrides };
}

/** Of attempt 1, with the savepoint that `SAVEPOINT` names. */
export function aStop(purpose: StopOperation["purpose"], overrides: Partial<StopOperation> = {}): StopOperation {
  const hasNext = purpose === "rescale" || purpose === "migrate";
  return {
    kind: "stop",
    purpose,
    flinkJobId: anAttempt(1),
    cluster: CLUSTER,
    triggerId: "7".repeat(32),
    targetDirectory: `file:///flink/savepoints/${anAttempt(1)}/${"7".repeat(32)}`,
    ...(hasNext ? { next: anIntent() } : {}),
    ...(purpose === "final" ? { savepoint: "final" } : {}),
    announcedAt: formatTime(NOW - 1000),
    ...overrides,
  };
}

export const SAVEPOINT = `file:///flink/savepoints/${anAttempt(1)}/${"7".repeat(32)}/savepoint-1`;

export function aCancel(): CancelOperation {
  return { kind: "cancel", flinkJobId: anAttempt(1), cluster: CLUSTER, announcedAt: formatTime(NOW - 1000) };
}

export function aRescale(rpus = 4): RescaleOperation {
  return { kind: "rescale", flinkJobId: anAttempt(1), cluster: CLUSTER, rpus, announcedAt: formatTime(NOW - 1000) };
}

export const FROZEN: FrozenArtifact = {
  name: "app",
  sha256: SHA256,
  size: 1000,
  jarOptions: { entryClass: MAIN_CLASS, mainArgs: [] },
};

export interface RecordOverrides {
  readonly id?: Partial<ResourceId>;
  readonly spec?: Partial<JobSpec>;
  readonly status?: Partial<JobStatus>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Of a Job that was accepted and never started. */
export function aRecord({ id, spec, status, labels, annotations }: RecordOverrides = {}): JobRecord {
  return {
    kind: "Job",
    id: anId(id),
    labels: labels ?? {},
    annotations: annotations ?? {},
    spec: aSpec(spec),
    status: {
      phase: "Pending",
      flinkJobState: "",
      run: 0,
      attempt: 0,
      source: { path: "orders.yaml", line: 1, commit: COMMIT, blob: BLOB },
      conditions: [],
      history: [],
      ...status,
    },
  };
}

/** Of a Job whose start was announced; whether Flink was called is not known. */
export function anAnnouncedRecord({ spec, id, ...operation }: OperationOverrides = {}): JobRecord {
  const announced = anOperation({ ...operation, ...(spec === undefined ? {} : { spec }), ...(id === undefined ? {} : { id }) });
  return aRecord({
    ...(id === undefined ? {} : { id }),
    ...(spec === undefined ? {} : { spec }),
    status: { attempt: announced.attempt, artifact: FROZEN, operation: announced },
  });
}

/** Of a Job that Flink took. */
export function aStartedRecord({ id, spec, status, labels, annotations }: RecordOverrides = {}): JobRecord {
  const rpus = aSpec(spec).rpus;
  return aRecord({
    ...(id === undefined ? {} : { id }),
    ...(spec === undefined ? {} : { spec }),
    ...(labels === undefined ? {} : { labels }),
    ...(annotations === undefined ? {} : { annotations }),
    status: {
      phase: "Ready",
      flinkJobState: "Running",
      run: 1,
      attempt: 1,
      flinkJobId: anAttempt(1, { ...(id === undefined ? {} : { id }), ...(spec === undefined ? {} : { spec }) }),
      cluster: CLUSTER,
      flinkVersion: "1.16.3",
      requestedRpus: rpus,
      parallelism: rpus,
      artifact: FROZEN,
      ...status,
    },
  });
}

export interface DesiredJobOverrides {
  readonly id?: Partial<ResourceId>;
  /** What Git declares: a manifest of these parts by default. */
  readonly manifest?: ManifestOverrides | "broken" | "absent";
  readonly record?: JobRecord;
  readonly recordProblem?: string;
}

export function aDesiredJob({ id: parts, manifest = {}, record, recordProblem }: DesiredJobOverrides = {}): DesiredJob {
  const id = anId(parts);
  const declared: Declared<JobManifest> =
    typeof manifest === "string" ? { kind: manifest } : { kind: "declared", manifest: aManifest({ ...manifest, id }) };
  const artifact = declared.kind === "declared" ? declared.manifest.spec.artifact : record?.spec.artifact;
  return {
    key: resourceKey(id),
    id,
    declared,
    record,
    recordProblem,
    artifactKey: artifact === undefined ? undefined : siblingKey(id, "Artifact", artifact),
  };
}

/** Of an Artifact that became Ready with the bytes of `aReadyArtifact`. */
export function anArtifactRecord(
  name = "app",
  status: Partial<ArtifactStatus> = {},
  spec: Partial<ArtifactSpec> = {},
): ArtifactRecord {
  const manifest = anArtifactManifest(name, spec);
  return {
    kind: "Artifact",
    id: manifest.id,
    labels: {},
    annotations: {},
    spec: manifest.spec,
    status: {
      phase: "Ready",
      sha256: SHA256,
      size: 1000,
      source: { path: "artifacts.yaml", line: 1, commit: COMMIT, blob: BLOB },
      bytes: { commit: COMMIT, blob: "a0".repeat(20) },
      conditions: [],
      history: [],
      ...status,
    },
  };
}

export interface DesiredArtifactOverrides {
  readonly manifest?: ArtifactManifest | "broken" | "absent";
  readonly record?: ArtifactRecord;
  readonly recordProblem?: string;
  readonly entry?: DesiredArtifact["entry"];
}

export const ENTRY: NonNullable<DesiredArtifact["entry"]> = { kind: "file", commit: COMMIT, blob: "a0".repeat(20) };

export function aDesiredArtifact(overrides: DesiredArtifactOverrides = {}): DesiredArtifact {
  const manifest = overrides.manifest ?? anArtifactManifest();
  const id = typeof manifest === "string" ? anId({ kind: "Artifact", name: overrides.record?.id.name ?? "app" }) : manifest.id;
  return {
    key: resourceKey(id),
    id,
    declared: typeof manifest === "string" ? { kind: manifest } : { kind: "declared", manifest },
    record: overrides.record,
    recordProblem: overrides.recordProblem,
    entry: "entry" in overrides ? overrides.entry : ENTRY,
  };
}

export interface DesiredSavepointOverrides {
  readonly name?: string;
  readonly spec?: SavepointSpec;
  readonly declared?: "broken" | "absent";
  /** What became of it, where something did. */
  readonly status?: Partial<SavepointStatus>;
  readonly recordProblem?: string;
}

/** A Final Savepoint of `orders` by default, that is declared and new. */
export function aDesiredSavepoint({
  name,
  spec,
  declared,
  status,
  recordProblem,
}: DesiredSavepointOverrides = {}): DesiredSavepoint {
  const manifest = aSavepointManifest(name, spec);
  return {
    key: resourceKey(manifest.id),
    id: manifest.id,
    declared: declared === undefined ? { kind: "declared", manifest } : { kind: declared },
    record: status === undefined ? undefined : aSavepointRecord(manifest, status),
    recordProblem,
  };
}

export function aSavepointRecord(manifest: SavepointManifest, status: Partial<SavepointStatus> = {}): SavepointRecord {
  const { id, labels, annotations, spec } = manifest;
  const source = { path: "savepoints.yaml", line: 1, commit: COMMIT, blob: BLOB };
  return {
    kind: "Savepoint",
    id,
    labels,
    annotations,
    spec,
    status: { phase: "Pending", source, conditions: [], history: [], ...status },
  };
}

export function aJar(overrides: Partial<JarContent> = {}): JarContent {
  return {
    kind: "jar",
    mainClassOfManifest: MAIN_CLASS,
    classNames: new Set([MAIN_CLASS, "com.example.Other"]),
    complete: true,
    hasNestedJars: false,
    flinkClasses: { count: 0, examples: [] },
    classes: new Map([
      [MAIN_CLASS, { main: { kind: "yes" }, javaVersion: 8 }],
      ["com.example.Other", { main: { kind: "yes" }, javaVersion: 8 }],
    ]),
    ...overrides,
  };
}

export function aReadyArtifact(overrides: { readonly sha256?: string; readonly inspection?: JarContent } = {}): ArtifactSeen {
  return { kind: "ready", sha256: SHA256, size: 1000, file: "/cache/app.jar", inspection: aJar(), ...overrides };
}

export interface ClusterOverrides extends Omit<Partial<ReachableCluster>, "jobs" | "slots" | "restorePoints"> {
  readonly jobs?: readonly FlinkJobSeen[];
  readonly slots?: Partial<ReachableCluster["slots"]>;
  readonly restorePoints?: Readonly<Record<string, ReturnType<ReachableCluster["restorePoints"]["get"]> & object>>;
}

/** A cluster of Flink 1.16.3 with 8 free slots. */
export function aReachableCluster({
  jobs = [],
  slots,
  restorePoints = {},
  ...overrides
}: ClusterOverrides = {}): ReachableCluster {
  const name = overrides.name ?? CLUSTER.name;
  return {
    kind: "reachable",
    zone: ZONE,
    name,
    url: `http://${name}:8081/`,
    draining: false,
    incarnation: CLUSTER.incarnation,
    flinkVersion: "1.16.3",
    javaVersion: 17,
    webSubmit: true,
    highAvailability: false,
    scheduler: "default",
    inPlaceRescale: false,
    checkpointsDir: "file:///flink/checkpoints",
    savepointsDir: "file:///flink/savepoints",
    savepointsRefused: undefined,
    directoriesUnlistable: undefined,
    slots: { total: 8, free: 8, heldByJob: undefined, ...slots },
    jobs: new Map(jobs.map((job) => [job.flinkJobId, job])),
    restorePoints: new Map(Object.entries(restorePoints)),
    ...overrides,
  };
}

export function anUnreachableCluster(overrides: Partial<UnreachableCluster> = {}): UnreachableCluster {
  const name = overrides.name ?? CLUSTER.name;
  return {
    kind: "unreachable",
    zone: ZONE,
    name,
    url: `http://${name}:8081/`,
    because: `cluster ${name} cannot be reached: connection refused (GET /jobs/overview)`,
    sinceMs: NOW - 60_000,
    ...overrides,
  };
}

export interface ListedJobOverrides extends Omit<Partial<FlinkJobSeen>, "detail"> {
  readonly detail?: Partial<FlinkJobDetail> | "unknown";
}

/** A healthy job, attempt 1 of `orders` by default. */
export function aListedJob({ detail, ...overrides }: ListedJobOverrides = {}): FlinkJobSeen {
  return {
    flinkJobId: anAttempt(1),
    name: "Counter",
    state: "RUNNING",
    startedAtMs: NOW - 60_000,
    tasks: { total: 3, running: 3, finished: 0 },
    ...overrides,
    detail:
      detail === "unknown"
        ? undefined
        : {
            parallelism: 2,
            vertices: [],
            startedAtMs: NOW - 60_000,
            checkpoints: { completed: 0, latestPath: undefined, enabled: true, retained: true },
            rootCause: undefined,
            ...detail,
          },
  };
}

export function anObserved(
  overrides: {
    readonly clusters?: Observed["clusters"];
    readonly artifacts?: Readonly<Record<string, ArtifactSeen>>;
    readonly secrets?: Observed["secrets"];
    readonly submissions?: Readonly<Record<string, SubmissionSeen>>;
    readonly steps?: Readonly<Record<string, StepSeen>>;
  } = {},
): Observed {
  const artifacts = Object.entries(overrides.artifacts ?? { app: aReadyArtifact() });
  return {
    clusters: overrides.clusters ?? [aReachableCluster()],
    artifacts: new Map(artifacts.map(([name, seen]) => [resourceKey(anId({ kind: "Artifact", name })), seen])),
    secrets: overrides.secrets ?? new Map(),
    submissions: new Map(Object.entries(overrides.submissions ?? {})),
    steps: new Map(Object.entries(overrides.steps ?? {})),
  };
}

export function aPolicy(overrides: Partial<PolicyConfig> = {}): PolicyConfig {
  return {
    paused: false,
    runtimeUpdates: "automatic",
    onDelete: "savepoint",
    deleteTimeoutMs: 600_000,
    deletions: { max: 5 },
    restorePoints: { dispose: true, keep: 3 },
    ...overrides,
  };
}

export function aDecideInput(overrides: Partial<DecideInput> = {}): DecideInput {
  return {
    config: {
      instance: INSTANCE,
      zones: new Map([[ZONE, { name: ZONE, clusters: [] }]]),
      policy: aPolicy(),
      artifacts: { maxBytes: 500_000_000 },
      repository: { maxBlobBytes: 20_000_000 },
    },
    commit: COMMIT,
    desired: { jobs: [], artifacts: [], savepoints: [] },
    observed: anObserved(),
    lastSeen: [],
    statusLost: { unrecorded: undefined, marked: undefined, unproven: undefined },
    guarded: { deletions: new Map(), renames: new Map() },
    deletionsHeld: undefined,
    now: NOW,
    ...overrides,
  };
}

export function aStatusView(overrides: Partial<StatusView> = {}): StatusView {
  return {
    head: "d0".repeat(20),
    files: new Map(),
    records: new Map(),
    unreadable: new Map(),
    summary: undefined,
    rewrite: false,
    ...overrides,
  };
}

export function aSnapshot(overrides: Partial<Snapshot> = {}): Snapshot {
  return {
    commit: COMMIT,
    head: { oid: COMMIT, manifests: [], blobAt: () => undefined },
    manifestsDigest: "digest-1",
    manifests: [],
    broken: [],
    problems: [],
    deletionsHeld: undefined,
    entryAt: (path) => (path === "jars/app.jar" ? ENTRY : undefined),
    trailers: new Map(),
    stale: undefined,
    ahead: undefined,
    status: aStatusView(),
    ...overrides,
  };
}

/** What Flink said to a submission, due to be tried again now. Which announcement it was about is up to the test. */
export function aRefusal(more: Partial<SubmissionSeen & { kind: "refused" }> = {}): SubmissionSeen & { kind: "refused" } {
  return {
    kind: "refused",
    reason: "ProgramFailed",
    because: "no broker",
    failures: 1,
    retryAtMs: NOW,
    doubtUntilMs: undefined,
    epoch: "",
    ...more,
  };
}
