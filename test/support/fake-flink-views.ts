import { isTerminal } from "../../src/flink/responses.ts";
import {
  checkpointIntervalMs,
  type FakeCheckpoint,
  type FakeJob,
  newestCheckpoint,
  parseFlinkDurationMs,
  retainsCheckpoints,
} from "./fake-flink-job.ts";
import type { FakeCluster } from "./fake-flink-cluster.ts";

/** Flink's JSON for what the fake's cluster holds. The names are Flink's. */
export function configView(cluster: FakeCluster): unknown {
  return {
    "refresh-interval": 3000,
    "timezone-name": "Coordinated Universal Time",
    "timezone-offset": 0,
    "flink-version": cluster.settings.version,
    "flink-revision": "fake @ 1970-01-01T00:00:00Z",
    features: {
      "web-submit": true,
      "web-cancel": true,
      "web-history": false,
      ...(cluster.minor >= 118 ? { "web-rescale": cluster.settings.adaptive } : {}),
    },
  };
}

export function jobManagerConfigView(cluster: FakeCluster): unknown {
  const { checkpointsDir, savepointsDir, adaptive, highAvailability } = cluster.settings;
  const entries: Readonly<Record<string, string | undefined>> = {
    "web.tmpdir": `/tmp/flink-web-${cluster.incarnation}`,
    "state.checkpoints.dir": checkpointsDir,
    "state.savepoints.dir": savepointsDir,
    "high-availability": highAvailability,
    ...(adaptive ? { "jobmanager.scheduler": "adaptive" } : {}),
  };
  return Object.entries(entries).flatMap(([key, value]) => (value === undefined ? [] : [{ key, value }]));
}

export function environmentView(): unknown {
  return {
    jvm: { version: "OpenJDK 64-Bit Server VM - Eclipse Adoptium - 17/17.0.13+11", arch: "amd64", options: [] },
    classpath: [],
  };
}

export function overviewView(cluster: FakeCluster): unknown {
  const jobs = [...cluster.jobs.values()];
  return {
    taskmanagers: cluster.slots > 0 ? 1 : 0,
    "slots-total": cluster.slots,
    "slots-available": Math.max(0, cluster.slotsFree()),
    "jobs-running": cluster.live().length,
    "jobs-finished": jobs.filter(({ state }) => state === "FINISHED").length,
    "jobs-cancelled": jobs.filter(({ state }) => state === "CANCELED").length,
    "jobs-failed": jobs.filter(({ state }) => state === "FAILED").length,
    "flink-version": cluster.settings.version,
    "flink-commit": "fake",
  };
}

const TASK_MANAGER_ID = "127.0.0.1:40001-abcdef";

export function taskManagersView(cluster: FakeCluster): unknown {
  const free = Math.max(0, cluster.slotsFree());
  return { taskmanagers: cluster.slots === 0 ? [] : [{ id: TASK_MANAGER_ID, slotsNumber: cluster.slots, freeSlots: free }] };
}

export function taskManagerView(cluster: FakeCluster): unknown {
  if (cluster.minor < 117)
    return { id: TASK_MANAGER_ID, slotsNumber: cluster.slots, freeSlots: Math.max(0, cluster.slotsFree()), allocatedSlots: [] };
  const allocatedSlots = cluster
    .live()
    .flatMap(({ flinkJobId, parallelism }) => Array.from({ length: parallelism }, () => ({ jobId: flinkJobId, resource: {} })));
  return { id: TASK_MANAGER_ID, slotsNumber: cluster.slots, freeSlots: Math.max(0, cluster.slotsFree()), allocatedSlots };
}

export function jobsView(cluster: FakeCluster): unknown {
  const jobs = [...cluster.jobs.values()].map((job) => ({
    jid: job.flinkJobId,
    name: job.name,
    state: job.state,
    "start-time": job.submittedAtMs,
    "end-time": job.endedAtMs ?? -1,
    duration: (job.endedAtMs ?? cluster.settings.clock.now()) - job.submittedAtMs,
    "last-modification": job.changedAtMs,
    tasks: tasksView(cluster, job),
  }));
  return { jobs };
}

export function jobView(cluster: FakeCluster, job: FakeJob): unknown {
  return {
    jid: job.flinkJobId,
    name: job.name,
    isStoppable: false,
    state: job.state,
    "start-time": job.submittedAtMs,
    "end-time": job.endedAtMs ?? -1,
    duration: 0,
    maxParallelism: -1,
    now: cluster.settings.clock.now(),
    timestamps: { [job.state]: job.changedAtMs },
    vertices: verticesOf(job).map(({ id, name, parallelism, maxParallelism }) => ({
      id,
      name,
      maxParallelism,
      parallelism,
      status: cluster.isDeployed(job) ? "RUNNING" : "CREATED",
    })),
    plan: { jid: job.flinkJobId, name: job.name, nodes: [] },
  };
}

interface FakeVertex {
  readonly id: string;
  readonly name: string;
  readonly parallelism: number;
  readonly maxParallelism: number;
}

/** A source with one task, and the counter with as many as the job has. */
export function verticesOf(job: FakeJob): readonly FakeVertex[] {
  const maxParallelism = Number(job.configuration["pipeline.max-parallelism"] ?? "128");
  const parallelism = job.parallelism === 0 ? job.requestedParallelism : job.parallelism;
  const source = Math.min(job.sourceParallelism, parallelism);
  return [
    { id: "bc764cd8ddf7a0cff126f51c16239658", name: "Source: numbers -> throttle", parallelism: source, maxParallelism },
    { id: "0a448493b4782967b150582570326227", name: "counter", parallelism, maxParallelism },
  ];
}

function tasksView(cluster: FakeCluster, job: FakeJob): Readonly<Record<string, number>> {
  const names = "created scheduled deploying running finished canceling canceled failed reconciling initializing".split(" ");
  const none = Object.fromEntries(names.map((name) => [name, 0]));
  if (job.state === "INITIALIZING" || (job.state === "CREATED" && cluster.settings.adaptive)) return { total: 0, ...none };
  const total = verticesOf(job).reduce((sum, { parallelism }) => sum + parallelism, 0);
  return { total, ...none, [taskState(cluster, job)]: total };
}

function taskState(cluster: FakeCluster, job: FakeJob): string {
  if (job.state === "RUNNING") return cluster.isDeployed(job) ? "running" : "scheduled";
  if (job.state === "FINISHED" || job.state === "FAILED") return job.state.toLowerCase();
  return isTerminal(job.state) || job.state === "RESTARTING" ? "canceled" : "created";
}

export function checkpointsView(job: FakeJob): unknown {
  const completed = job.checkpoints.length;
  const restored = job.restoredFrom;
  return {
    counts: {
      restored: restored === undefined ? 0 : 1,
      total: completed + job.failedCheckpoints,
      in_progress: 0,
      completed,
      failed: job.failedCheckpoints,
    },
    summary: {},
    latest: {
      completed: checkpointView(newestCheckpoint(job, false)),
      savepoint: checkpointView(newestCheckpoint(job, true)),
      failed: null,
      restored:
        restored === undefined
          ? null
          : { id: 1, restore_timestamp: job.submittedAtMs, is_savepoint: true, external_path: restored },
    },
    history: [],
  };
}

function checkpointView(checkpoint: FakeCheckpoint | undefined): unknown {
  if (checkpoint === undefined) return null;
  return {
    className: "completed",
    id: checkpoint.id,
    status: "COMPLETED",
    is_savepoint: checkpoint.isSavepoint,
    trigger_timestamp: checkpoint.atMs,
    latest_ack_timestamp: checkpoint.atMs,
    external_path: checkpoint.externalPath,
    discarded: false,
  };
}

export function checkpointConfigView(job: FakeJob): unknown {
  return {
    mode: "exactly_once",
    interval: checkpointIntervalMs(job) ?? Number(2n ** 63n - 1n),
    timeout: parseFlinkDurationMs(job.configuration["execution.checkpointing.timeout"] ?? "") ?? 600_000,
    min_pause: 0,
    max_concurrent: 1,
    externalization: { enabled: retainsCheckpoints(job), delete_on_cancellation: !retainsCheckpoints(job) },
    state_backend: "HashMapStateBackend",
    checkpoint_storage: "FileSystemCheckpointStorage",
    unaligned_checkpoints: false,
  };
}

export function exceptionsView(cluster: FakeCluster, job: FakeJob, max: number): unknown {
  const entries = job.exceptions
    .toReversed()
    .slice(0, max)
    .map(({ stackTrace, atMs }) => ({
      exceptionName: stackTrace.split(":")[0],
      stacktrace: stackTrace,
      timestamp: atMs,
      taskName: null,
      concurrentExceptions: [],
    }));
  const exceptionHistory = { entries, truncated: job.exceptions.length > max };
  if (cluster.minor >= 200) return { exceptionHistory };
  const root = entries[0];
  return {
    "root-exception": root?.stacktrace ?? null,
    timestamp: root?.timestamp ?? null,
    "all-exceptions": [],
    truncated: false,
    exceptionHistory,
  };
}

export function jarsView(cluster: FakeCluster, address: string): unknown {
  const files = [...cluster.jars.values()]
    .toReversed()
    .map(({ id, name, uploadedAtMs }) => ({ id, name, uploaded: uploadedAtMs, entry: [] }));
  return { address, files };
}

export function operationView(result: { readonly location: string } | { readonly failure: string } | undefined): unknown {
  if (result === undefined) return { status: { id: "IN_PROGRESS" }, operation: null };
  if ("location" in result) return { status: { id: "COMPLETED" }, operation: { location: result.location } };
  const failure = {
    class: result.failure.split(":")[0],
    "stack-trace": result.failure,
    "serialized-throwable": "rO0ABXNyAA==",
  };
  return { status: { id: "COMPLETED" }, operation: { "failure-cause": failure } };
}
