import type { ClusterSeen } from "../../src/flink/cluster-seen.ts";
import type { Manifest } from "../../src/model/manifest.ts";
import type { ResourceId } from "../../src/model/resource.ts";
import { buildDesired } from "../../src/pass/build-desired.ts";
import { buildStatus, type StatusUpdate } from "../../src/pass/build-status.ts";
import { decide, type DecideInput } from "../../src/pass/decide.ts";
import { findRetired } from "../../src/pass/final-savepoints.ts";
import { deletionsAllowed, guardDeletions } from "../../src/pass/guard.ts";
import type { Told } from "../../src/pass/hold-back.ts";
import type { Decided } from "../../src/pass/observe-and-decide.ts";
import type { Observed } from "../../src/pass/observed.ts";
import { buildStatusView } from "../../src/pass/status-view.ts";
import type { Snapshot, StatusView } from "../../src/pass/snapshot.ts";
import { chooseWork, type Announced, type Undertaking } from "../../src/pass/take-over.ts";
import {
  aDecideInput,
  aManifest,
  anArtifactManifest,
  anObserved,
  aPolicy,
  aSnapshot,
  aStatusView,
  INSTANCE,
  NOW,
  ZONE,
} from "./builders.ts";

export interface PassInput {
  /** A Job and its Artifact by default. */
  readonly manifests?: readonly Manifest[];
  readonly broken?: readonly ResourceId[];
  readonly status?: StatusView;
  readonly observed?: Observed;
  /** The clusters as the pass before saw them; nothing by default. */
  readonly lastSeen?: readonly ClusterSeen[];
  readonly snapshot?: Partial<Snapshot>;
  readonly decide?: Partial<DecideInput>;
  /** What the process told before; nothing by default. */
  readonly told?: Told;
  /** Who announced what is under way; everything is this process's own by default. */
  readonly announced?: { readonly known: Announced | undefined };
  readonly now?: number;
}

export interface PurePass extends Omit<Decided, "kind"> {
  readonly update: StatusUpdate;
  readonly work: Undertaking;
  /** What the next pass reads from Git, once this one's changes are pushed: every document is formatted and parsed again. */
  readonly status: StatusView;
}

export const EMPTY_BRANCH: StatusView = aStatusView({ head: undefined });

/** All of one pass that is pure: desired, decisions, status. */
export function runPass(input: PassInput = {}): PurePass {
  const { manifests = [aManifest(), anArtifactManifest()], broken = [], status = EMPTY_BRANCH, observed = anObserved() } = input;
  const snapshot = aSnapshot({ manifests, broken, status, ...input.snapshot });
  const desired = buildDesired({ ...snapshot, records: status.records, recordProblems: status.unreadable });
  const now = input.now ?? NOW;
  const { commit, deletionsHeld } = snapshot;
  const guarded = guardDeletions({
    jobs: desired.jobs,
    retired: findRetired(desired),
    manifests: manifests.length,
    unreadable: deletionsHeld,
    sourceChanged: undefined,
    allowed: deletionsAllowed(snapshot.trailers),
    maxDeletions: aPolicy().deletions.max,
  });
  const lastSeen = input.lastSeen ?? [];
  const decisions = decide(aDecideInput({ commit, desired, observed, lastSeen, guarded, deletionsHeld, now, ...input.decide }));
  const summary = {
    instance: INSTANCE,
    source: { url: "https://git.example.com/jobs.git", branch: "main", paths: ["**/*.yaml"], zones: [ZONE] },
  };
  const alone: Undertaking = { decisions, takesOver: new Map(), repeats: false };
  const { announced } = input;
  const work = announced === undefined ? alone : chooseWork(decisions, status.records, announced.known, now);
  const update = buildStatus({
    snapshot,
    desired,
    observed,
    decisions,
    summary,
    told: input.told ?? new Map(),
    takesOver: work.takesOver,
    now,
  });
  const decided = { snapshot, desired, observed, established: { kind: "known" as const }, guarded, decisions, summary, now };
  return {
    ...decided,
    update,
    work,
    get status() {
      return push(status, update); // reading every document again takes longer than the pass
    },
  };
}

/** The branch after the commit of a pass, as a daemon that knows nothing reads it, or one that knows what it was `before`. */
export function push(status: StatusView, update: StatusUpdate, head = "e0".repeat(20), before?: StatusView): StatusView {
  if (update.changes.size === 0) return status;
  const files = new Map(status.files);
  for (const [path, text] of update.changes) {
    if (text === undefined) files.delete(path);
    else files.set(path, text);
  }
  return buildStatusView({ head, files, unreadable: new Map(), committedAtMs: NOW }, before);
}
