import { isDeepStrictEqual } from "node:util";
import { formatTime, type Clock } from "../common/clock.ts";
import { publicUrl } from "../common/secrets.ts";
import type { Config } from "../config/config.ts";
import type { SightedCluster } from "../flink/cluster.ts";
import type { ClusterSeen } from "../flink/cluster-seen.ts";
import type { ResourceKey } from "../model/resource.ts";
import type { Summary } from "../model/status.ts";
import { buildDesired } from "./build-desired.ts";
import { chooseTidying } from "./decide-disposals.ts";
import { decide, type StatusLost } from "./decide.ts";
import type { Decisions } from "./decision.ts";
import type { Desired } from "./desired.ts";
import { asksForRebuild, establish, statusLostBecause, type Establishment } from "./establish.ts";
import { findRetired } from "./final-savepoints.ts";
import { deletionsAllowed, guardDeletions, type Guarded } from "./guard.ts";
import { observe, type ObserveDeps } from "./observe.ts";
import type { Observed } from "./observed.ts";
import type { SnapshotReader } from "./read-snapshot.ts";
import { readTraces } from "./read-traces.ts";
import type { Snapshot } from "./snapshot.ts";

/** What it takes to look and to decide. Nothing in it can write: who only wants to know has no more than this. */
export interface DecideDeps {
  readonly config: Config;
  readonly clock: Clock;
  readonly clusters: readonly SightedCluster[];
  readonly observe: ObserveDeps;
  readonly reader: Pick<SnapshotReader, "knewStatus">;
}

/** Everything that a pass decided, and what it decided by. */
export interface Decided {
  readonly kind: "decided";
  readonly snapshot: Snapshot;
  readonly desired: Desired;
  readonly observed: Observed;
  readonly established: Establishment;
  readonly guarded: Guarded;
  readonly decisions: Decisions;
  /** What the summary says from now on of the source's settings, and of a lost status branch. */
  readonly summary: Pick<Summary, "source" | "instance" | "statusLost">;
  readonly now: number;
}

export type Undetermined = { readonly kind: "undetermined"; readonly because: string; readonly observed: Observed };

/**
 * The half of a pass that changes nothing, for the daemon, the command line and pull requests alike: desired → observed → decisions.
 * Superfluous restore points are only looked for by a daemon, whose `memory` says which attempts were looked at before.
 */
export async function observeAndDecide(
  deps: DecideDeps,
  snapshot: Snapshot,
  lastSeen: readonly ClusterSeen[],
  signal: AbortSignal,
  memory?: { readonly tidied: ReadonlySet<string>; readonly newsSinceMs: number | undefined },
): Promise<Decided | Undetermined> {
  const desired = desiredOf(snapshot);
  const { deletionsHeld, status } = snapshot;
  const lostSince = status.summary?.statusLost;
  const { policy } = deps.config;
  const tidying =
    memory === undefined
      ? new Set<ResourceKey>()
      : chooseTidying({ desired, policy, lastSeen, tidied: memory.tidied, held: deletionsHeld ?? lostSince });
  // That a Job is held for what it left may be among the news that no commit tells yet.
  const wishes = { pasts: lostSince !== undefined || memory?.newsSinceMs !== undefined, tidying };
  const observed = await observe(deps.observe, desired, lastSeen, signal, wishes);
  const established = await establishStatus(deps, snapshot, observed, signal);
  if (established.kind === "undetermined") return { kind: "undetermined", because: established.because, observed };
  return decideSeen({ config: deps.config, snapshot, observed, established, lastSeen, tidying, now: deps.clock.now() }, desired);
}

export interface SeenInput {
  readonly config: Config;
  readonly snapshot: Snapshot;
  readonly observed: Observed;
  readonly established: Establishment;
  readonly lastSeen: readonly ClusterSeen[];
  /** Jobs whose directories were listed to see what nothing needs any more; none by default. */
  readonly tidying?: ReadonlySet<ResourceKey>;
  readonly now: number;
}

/** What is decided for a snapshot when this is what is seen. Pure. */
export function decideSeen(input: SeenInput, desired = desiredOf(input.snapshot)): Decided {
  const { config, snapshot, observed, established, lastSeen, tidying = new Set(), now } = input;
  const source = describeSource(config, snapshot, desired);
  const guarded = guardDeletions({
    jobs: desired.jobs,
    retired: findRetired(desired),
    manifests: snapshot.manifests.length,
    unreadable: snapshot.deletionsHeld,
    sourceChanged: source.changed,
    allowed: deletionsAllowed(snapshot.trailers),
    maxDeletions: config.policy.deletions.max,
  });
  const decisions = decide({
    config,
    commit: snapshot.commit,
    desired,
    observed,
    lastSeen,
    statusLost: whyLost(config, snapshot, established),
    guarded,
    tidying,
    deletionsHeld: snapshot.deletionsHeld,
    now,
  });
  const summary = { ...source.summary, ...sinceLost(snapshot, established, now) };
  return { kind: "decided", snapshot, desired, observed, established, guarded, decisions, summary, now };
}

export function desiredOf(snapshot: Snapshot): Desired {
  return buildDesired({ ...snapshot, records: snapshot.status.records, recordProblems: snapshot.status.unreadable });
}

async function establishStatus(
  deps: DecideDeps,
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

function whyLost(config: Config, snapshot: Snapshot, established: Establishment): StatusLost {
  const unrecorded = established.kind === "lost" ? established.because : undefined;
  const marked = asksForRebuild(snapshot.trailers) ? undefined : statusLostBecause(config.status.branch);
  return { unrecorded, marked, unproven: snapshot.status.summary?.statusLost === undefined ? undefined : marked };
}

/** A loss is remembered until a person says that nothing is to be waited for: its Jobs may be declared again at any time. */
function sinceLost(snapshot: Snapshot, established: Establishment, now: number): Pick<Summary, "statusLost"> {
  if (asksForRebuild(snapshot.trailers)) return {};
  const since = snapshot.status.summary?.statusLost ?? (established.kind === "lost" ? formatTime(now) : undefined);
  return since === undefined ? {} : { statusLost: since };
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
