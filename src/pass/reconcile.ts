import { isDeepStrictEqual } from "node:util";
import { formatTime, type Clock } from "../common/clock.ts";
import type { Log } from "../common/log.ts";
import { publicUrl } from "../common/secrets.ts";
import type { Config } from "../config/config.ts";
import type { Cluster } from "../flink/cluster.ts";
import { hasEnded, type ClusterSeen } from "../flink/cluster-seen.ts";
import type { Summary } from "../model/status.ts";
import type { Actions } from "./apply.ts";
import { buildDesired } from "./build-desired.ts";
import { buildStatus, type StatusUpdate } from "./build-status.ts";
import { decide, type StatusLost } from "./decide.ts";
import type { Decisions } from "./decision.ts";
import type { Desired } from "./desired.ts";
import { asksForRebuild, establish, statusLostBecause, type Establishment } from "./establish.ts";
import { logPass } from "./explain.ts";
import { deletionsAllowed, guardDeletions } from "./guard.ts";
import { observe, type ObserveDeps } from "./observe.ts";
import type { Observed } from "./observed.ts";
import { publish, type Published, type PublishDeps } from "./publish.ts";
import type { SnapshotReader } from "./read-snapshot.ts";
import { readTraces } from "./read-traces.ts";
import type { Snapshot } from "./snapshot.ts";

export interface PassDeps {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  readonly reader: SnapshotReader;
  readonly clusters: readonly Cluster[];
  readonly actions: Actions;
  readonly observe: ObserveDeps;
  readonly publish: PublishDeps;
}

/** What a pass hands to the next one, besides what it wrote: all of it may be lost with the process. */
export interface PassMemory {
  readonly clusters: readonly ClusterSeen[];
  /** Since when there are news that no commit tells yet. */
  readonly newsSinceMs: number | undefined;
  /** What was said last of why nothing can be decided or written, so that it is said once. */
  readonly said: string | undefined;
}

export const FIRST_MEMORY: PassMemory = { clusters: [], newsSinceMs: undefined, said: undefined };

/** Everything that a pass saw and did; the daemon schedules by it, the command line reports it. */
export type Pass =
  | { readonly kind: "blind"; readonly because: string; readonly memory: PassMemory }
  | {
      readonly kind: "done";
      readonly snapshot: Snapshot;
      readonly desired: Desired;
      readonly observed: Observed;
      readonly decisions: Decisions;
      readonly update: StatusUpdate;
      readonly published: Published;
      readonly memory: PassMemory;
    };

/** One pass, top to bottom. A line with `await` touches the world; a line without is pure and has a table test. */
export async function reconcileOnce(deps: PassDeps, memory: PassMemory, signal: AbortSignal): Promise<Pass> {
  const read = await deps.reader.read(signal); // manifests of the head, record of the status branch
  if (read.kind === "unreadable") return blind(deps, memory, read.because);
  const { snapshot } = read;
  const desired = buildDesired({ ...snapshot, records: snapshot.status.records, recordProblems: snapshot.status.unreadable });
  const wishes = { pasts: snapshot.status.summary?.statusLost !== undefined };
  const observed = await observe(deps.observe, desired, memory.clusters, signal, wishes);
  const established = await establishStatus(deps, snapshot, observed, signal);
  if (established.kind === "undetermined") return blind(deps, { ...memory, clusters: observed.clusters }, established.because);
  const now = deps.clock.now();
  const statusLost = whyLost(deps, snapshot, established);
  const source = describeSource(deps.config, snapshot, desired);
  const guarded = guardDeletions({
    jobs: desired.jobs,
    manifests: snapshot.manifests.length,
    unreadable: snapshot.deletionsHeld,
    sourceChanged: source.changed,
    allowed: deletionsAllowed(snapshot.trailers),
    maxDeletions: deps.config.policy.deletions.max,
  });
  const decisions = decide({
    config: deps.config,
    commit: snapshot.commit,
    desired,
    observed,
    lastSeen: memory.clusters,
    statusLost,
    guarded,
    deletionsHeld: snapshot.deletionsHeld,
    now,
  });
  const summary = { ...source.summary, ...sinceLost(snapshot, established, now) };
  const update = buildStatus({ snapshot, desired, observed, decisions, summary, now });
  deps.actions.prepare(decisions, observed); // downloads and uploads, which need no announcement
  const published = await publish(deps.publish, snapshot, update, memory.newsSinceMs, signal);
  if (mayApply(published, update)) deps.actions.apply(decisions, observed); // what was announced, and only that
  // What an outcome made of the status is only told once; until it is written, the outcome itself is still needed.
  if (published.kind === "written" || published.kind === "nothing-to-write")
    deps.actions.forgetAllBut(flinkJobIdsOf(update, observed));
  const pass = { kind: "done" as const, snapshot, desired, observed, decisions, update, published };
  return { ...pass, memory: remember(memory, pass, logPass(deps.log, memory.said, pass), now) };
}

/** Announced by this pass, or by one before: then nothing new is announced, and what the branch says is enough. */
function mayApply(published: Published, update: StatusUpdate): boolean {
  return (
    published.kind === "written" || (!update.announces && (published.kind === "nothing-to-write" || published.kind === "put-off"))
  );
}

async function establishStatus(
  deps: PassDeps,
  snapshot: Snapshot,
  observed: Observed,
  signal: AbortSignal,
): Promise<Establishment> {
  const branchKnown = snapshot.status.head !== undefined || deps.reader.knewStatus();
  const rebuild = asksForRebuild(snapshot.trailers);
  const { instance, status } = deps.config;
  const { clusters } = observed;
  const traces =
    branchKnown || rebuild || clusters.some(({ kind }) => kind === "unreachable")
      ? []
      : await readTraces(deps.clusters, instance, signal);
  return establish({ instance, branchKnown, branch: status.branch, rebuild, clusters, traces });
}

function whyLost(deps: PassDeps, snapshot: Snapshot, established: Establishment): StatusLost {
  const unrecorded = established.kind === "lost" ? established.because : undefined;
  const marked = asksForRebuild(snapshot.trailers) ? undefined : statusLostBecause(deps.config.status.branch);
  return { unrecorded, marked, unproven: snapshot.status.summary?.statusLost === undefined ? undefined : marked };
}

/** A loss is remembered until a person says that nothing is to be waited for: its Jobs may be declared again at any time. */
function sinceLost(snapshot: Snapshot, established: Establishment, now: number): Pick<Summary, "statusLost"> {
  if (asksForRebuild(snapshot.trailers)) return {};
  const since = snapshot.status.summary?.statusLost ?? (established.kind === "lost" ? formatTime(now) : undefined);
  return since === undefined ? {} : { statusLost: since };
}

function blind(deps: PassDeps, memory: PassMemory, because: string): Pass {
  if (memory.said !== because) deps.log.warn({ because }, "nothing can be decided; it is tried again");
  return { kind: "blind", because, memory: { ...memory, said: because } };
}

function remember(
  memory: PassMemory,
  pass: Omit<Pass & { kind: "done" }, "memory">,
  said: string | undefined,
  now: number,
): PassMemory {
  const hasNews = pass.published.kind === "put-off" || pass.published.kind === "failed" || pass.published.kind === "conflict";
  return { clusters: pass.observed.clusters, newsSinceMs: hasNews ? (memory.newsSinceMs ?? now) : undefined, said };
}

/**
 * The source's settings as the summary keeps them. While deletions wait that a change of settings may have caused, the old ones stay
 * there: they are what holds the deletions, also after a restart.
 */
function describeSource(config: Config, snapshot: Snapshot, desired: Desired) {
  const { url, branch, paths } = config.repository;
  const zones = [...config.zones.keys()].sort();
  const now = { url: publicUrl(url), branch, paths, zones };
  const before = snapshot.status.summary?.source;
  const isChanged = before !== undefined && !isDeepStrictEqual(before, now);
  const waits = desired.jobs.some(
    (job) => job.declared.kind === "absent" && job.record !== undefined && job.record.status.deleted === undefined,
  );
  if (!isChanged || !waits || deletionsAllowed(snapshot.trailers).length > 0)
    return { changed: undefined, summary: { instance: config.instance, source: now } };
  const changed =
    "the daemon's configuration names another repository, branch, paths or zones than the status was made with, which may be why the manifest is not there";
  return { changed, summary: { instance: config.instance, source: before } };
}

/** Everything that a later pass may ask about; a second Flink job of a Job stands in no record between two tries to stop it. */
function flinkJobIdsOf(update: StatusUpdate, { clusters }: Observed): ReadonlySet<string> {
  const live = clusters
    .flatMap((cluster) => (cluster.kind === "reachable" ? [...cluster.jobs.values()] : []))
    .filter((job) => !hasEnded(job));
  const ids = new Set(live.map(({ flinkJobId }) => flinkJobId));
  for (const record of update.records.values()) {
    if (record.kind === "Savepoint" && record.status.operation !== undefined) ids.add(record.status.operation.triggerId);
    if (record.kind !== "Job") continue;
    const { flinkJobId, operation } = record.status;
    for (const id of [flinkJobId, operation?.flinkJobId, operation?.kind === "stop" ? operation.next?.flinkJobId : undefined])
      if (id !== undefined) ids.add(id);
  }
  return ids;
}
