import { formatTime } from "../common/clock.ts";
import type { Log } from "../common/log.ts";
import { publicUrl } from "../common/secrets.ts";
import type { Config } from "../config/config.ts";
import type { ClusterSeen } from "../flink/cluster-seen.ts";
import type { Summary } from "../model/status.ts";
import type { Actions } from "./apply.ts";
import { buildStatus, type StatusUpdate } from "./build-status.ts";
import { logPass } from "./explain.ts";
import { rememberTold, type Told } from "./hold-back.ts";
import type { Mirror } from "./mirror.ts";
import { jarsNeeded } from "./jars-needed.ts";
import { observeAndDecide, type Decided, type DecideDeps } from "./observe-and-decide.ts";
import { liveIds, type Observed } from "./observed.ts";
import { planMirror, type MirrorEdit } from "./plan-mirror.ts";
import { publish, type Published, type PublishDeps } from "./publish.ts";
import type { SnapshotReader } from "./read-snapshot.ts";
import type { Snapshot } from "./snapshot.ts";
import { chooseWork, operationKeys, rememberAnnounced, type Announced, type Undertaking } from "./take-over.ts";

export interface PassDeps extends DecideDeps {
  readonly log: Log;
  readonly reader: SnapshotReader;
  readonly actions: Actions;
  readonly publish: PublishDeps;
  /** Undefined: the status is shown on its own branch alone. */
  readonly mirror: Mirror | undefined;
}

/** What a pass hands to the next one, besides what it wrote: all of it may be lost with the process. */
export interface PassMemory {
  readonly clusters: readonly ClusterSeen[];
  /** Flink job ids of the attempts before which nothing superfluous is left. */
  readonly tidied: ReadonlySet<string>;
  /** Since when there are news that no commit tells yet. */
  readonly newsSinceMs: number | undefined;
  /** What was said last of why nothing can be decided or written, so that it is said once. */
  readonly said: string | undefined;
  /** Who announced what is under way; undefined before the first pass that came to decisions. */
  readonly announced: Announced | undefined;
  /** What was told of each resource, so that what another daemon took back is not told again and again. */
  readonly told: Told;
  /** Since when the status is made with a commit that the branch, as it is read, does not have. */
  readonly aheadSinceMs: number | undefined;
}

/** So long a copy of the repository may lag behind; then the branch counts as set back, which is a wish like any other. */
const AHEAD_MS = 120_000;

export const FIRST_MEMORY: PassMemory = {
  clusters: [],
  tidied: new Set(),
  newsSinceMs: undefined,
  said: undefined,
  announced: undefined,
  told: new Map(),
  aheadSinceMs: undefined,
};

/** Everything that a pass saw and did; the daemon schedules by it, the command line reports it. */
export type Pass =
  | { readonly kind: "blind"; readonly because: string; readonly memory: PassMemory }
  | (Omit<Decided, "kind"> & {
      readonly kind: "done";
      readonly update: StatusUpdate;
      readonly published: Published;
      /** What the manifests on the branch do not show yet; nothing when they need not. */
      readonly unmirrored: readonly MirrorEdit[];
      readonly memory: PassMemory;
    });

/** One that came to decisions. */
export type DonePass = Pass & { readonly kind: "done" };

/** One pass, top to bottom. A line with `await` touches the world; a line without is pure and has a table test. */
export async function reconcileOnce(deps: PassDeps, last: PassMemory, signal: AbortSignal): Promise<Pass> {
  const read = await deps.reader.read(signal); // manifests of the head, record of the status branch
  if (read.kind === "unreadable") return blind(deps, last, read.because);
  const { snapshot } = read;
  const memory = { ...last, aheadSinceMs: aheadSince(deps, snapshot, last) };
  const ahead = whyTooOld(snapshot, memory, deps.clock.now());
  if (ahead !== undefined) return blind(deps, memory, ahead); // another daemon was shown a newer commit: this one would undo what that one did
  const decided = await observeAndDecide(deps, snapshot, memory.clusters, signal, memory); // what `plan` shows, too
  const { observed } = decided;
  if (decided.kind === "undetermined") return blind(deps, { ...memory, clusters: observed.clusters }, decided.because);
  const { desired, decisions, now } = decided;
  const refused = snapshot.refused === undefined ? {} : { refused: snapshot.refused };
  const summary = { ...decided.summary, ...unmirroredBecause(deps, snapshot), ...refused };
  const work = chooseWork(decisions, snapshot.status.records, memory.announced, now); // what another daemon is about to do is left to it
  const { told } = memory;
  const update = buildStatus({ snapshot, desired, observed, decisions, summary, told, takesOver: work.takesOver, now });
  const needed = jarsNeeded(update.records.values());
  deps.actions.prepare(decisions, observed, needed); // downloads and uploads, which need no announcement
  const published = await publish(deps.publish, snapshot, update, memory.newsSinceMs, signal);
  if (await mayApply(deps, published, update, work, signal)) deps.actions.apply(work.decisions, observed); // what was announced, and only that
  if (isOnBranch(published)) deps.actions.tidy(needed, observed);
  // What an outcome made of the status is only told once; until it is written, the outcome itself is still needed.
  if (isOnBranch(published)) deps.actions.forgetAllBut(flinkJobIdsOf(update, observed), operationKeys(update.records));
  const unmirrored = deps.mirror === undefined ? [] : planMirror(mirrorInput(deps.config, snapshot, update));
  if (isOnBranch(published)) deps.mirror?.start(unmirrored, snapshot.head); // the status branch is the truth and comes first
  const pass = { ...decided, kind: "done" as const, update, published, unmirrored };
  return { ...pass, memory: remember(memory, pass, work, logPass(deps.log, memory.said, pass)) };
}

/** A daemon that has not tried yet keeps what the one before it has found out. */
function unmirroredBecause({ mirror }: PassDeps, { status }: Snapshot): Pick<Summary, "unmirrored"> {
  const because = mirror === undefined ? [] : (mirror.trouble() ?? status.summary?.unmirrored ?? []);
  return because.length === 0 ? {} : { unmirrored: because };
}

function mirrorInput(config: Config, { head }: Snapshot, { records }: StatusUpdate) {
  return { manifests: head.manifests, records, zones: new Set(config.zones.keys()) };
}

/** The status branch says what this pass has found. */
function isOnBranch({ kind }: Published): boolean {
  return kind === "written" || kind === "nothing-to-write";
}

/**
 * Announced by this pass, or by one before: then nothing new is announced, and what the branch says is enough, as long as it still says so. A
 * call that is made again may be one that another daemon has settled meanwhile.
 */
async function mayApply(
  deps: PassDeps,
  published: Published,
  update: StatusUpdate,
  work: Undertaking,
  signal: AbortSignal,
): Promise<boolean> {
  if (published.kind === "written") return true;
  if (update.announces) return false;
  if (published.kind !== "nothing-to-write" && published.kind !== "put-off") return false;
  return !work.repeats || deps.reader.statusStands(signal);
}

/** With another repository or branch in the configuration than before, the commit is no news of this one. */
function aheadSince({ config, clock }: PassDeps, { ahead, status }: Snapshot, last: PassMemory): number | undefined {
  const source = status.summary?.source;
  const { url, branch } = config.repository;
  const isSame = source?.url === publicUrl(url) && source.branch === branch;
  return ahead === undefined || !isSame ? undefined : (last.aheadSinceMs ?? clock.now());
}

function whyTooOld({ ahead, commit }: Snapshot, { aheadSinceMs }: PassMemory, now: number): string | undefined {
  if (ahead === undefined || aheadSinceMs === undefined || now - aheadSinceMs >= AHEAD_MS) return undefined;
  return `the status was made with commit ${ahead}, which the branch at ${commit} does not have; it is asked for until ${formatTime(aheadSinceMs + AHEAD_MS)}, then the branch counts as set back`;
}

function blind(deps: PassDeps, memory: PassMemory, because: string): Pass {
  if (memory.said !== because) deps.log.warn({ because }, "nothing can be decided; it is tried again");
  return { kind: "blind", because, memory: { ...memory, said: because } };
}

function remember(memory: PassMemory, pass: Omit<DonePass, "memory">, work: Undertaking, said: string | undefined): PassMemory {
  const { now, snapshot, update } = pass;
  const hasNews = pass.published.kind === "put-off" || pass.published.kind === "failed" || pass.published.kind === "conflict";
  return {
    clusters: pass.observed.clusters,
    tidied: rememberTidied(memory.tidied, pass),
    newsSinceMs: hasNews ? (memory.newsSinceMs ?? now) : undefined,
    said,
    aheadSinceMs: memory.aheadSinceMs,
    announced: rememberAnnounced(memory.announced, update.records, work.decisions, now),
    told: rememberTold(memory.told, {
      before: snapshot.status,
      after: update,
      written: pass.published.kind === "written",
      now,
    }),
  };
}

/** Only of attempts that still are the last ones of their Jobs. */
function rememberTidied(
  known: ReadonlySet<string>,
  { decisions, desired }: Pick<DonePass, "decisions" | "desired">,
): ReadonlySet<string> {
  const done = new Set(
    decisions.disposals.filter((one) => one.kind === "tidied" || (one.kind === "abandon" && one.isTidied)).map(({ key }) => key),
  );
  const ids = desired.jobs.flatMap(({ key, record }) => {
    const id = record?.status.flinkJobId;
    return id !== undefined && (known.has(id) || done.has(key)) ? [id] : [];
  });
  return new Set(ids);
}

/** Everything that a later pass may ask about; a second Flink job of a Job stands in no record between two tries to stop it. */
export function flinkJobIdsOf(update: StatusUpdate, observed: Observed): ReadonlySet<string> {
  const ids = new Set(liveIds(observed));
  for (const record of update.records.values()) {
    if (record.kind === "Savepoint" && record.status.operation !== undefined) ids.add(record.status.operation.triggerId);
    if (record.kind !== "Job") continue;
    const { flinkJobId, operation, disposal } = record.status;
    if (disposal !== undefined) ids.add(disposal.triggerId);
    for (const id of [flinkJobId, operation?.flinkJobId, operation?.kind === "stop" ? operation.next?.flinkJobId : undefined])
      if (id !== undefined) ids.add(id);
  }
  return ids;
}
