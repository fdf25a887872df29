import { setImmediate } from "node:timers/promises";
import type { ArtifactStore } from "../artifacts/artifact-store.ts";
import { formatTime } from "../common/clock.ts";
import type { Config } from "../config/config.ts";
import type { SightedCluster } from "../flink/cluster.ts";
import { mergeTrailers } from "../git/commit.ts";
import type { CommitVerifier } from "../git/commit-verifier.ts";
import type { BlobContent } from "../git/manifest-repository.ts";
import type { RequestTree } from "../git/request-repository.ts";
import type { ManifestCache } from "../model/parse-manifests.ts";
import { decideSeen, desiredOf } from "../pass/observe-and-decide.ts";
import { seeArtifacts } from "../pass/observe.ts";
import { headOf, manifestsOf, readManifestTree, type ManifestTree } from "../pass/read-manifests.ts";
import type { DonePass } from "../pass/reconcile.ts";
import { wantedSecrets } from "../pass/secrets-for-job.ts";
import type { Snapshot } from "../pass/snapshot.ts";
import { AssumedArtifacts } from "./assume-artifacts.ts";
import { buildPlan } from "./build-plan.ts";
import type { Request } from "./find-requests.ts";
import { PLAN_VERSION, type Plan, type PlanMerge } from "./plan.ts";
import { ASSUMED_SECRETS } from "./plan-now.ts";
import { readRestorePointAges } from "./read-ages.ts";

export interface PlanRequestDeps {
  readonly config: Config;
  readonly clusters: readonly SightedCluster[];
  readonly store: Pick<ArtifactStore, "see">;
  /** Shared by all requests: most of their manifests are the branch's. */
  readonly cache: ManifestCache;
  /** Undefined: every commit counts. */
  readonly verifier?: Pick<CommitVerifier, "verify"> | undefined;
}

/** What came of a request's tree; `files` is everything that is planned by it. */
export type PlannableTree = Exclude<RequestTree, { readonly kind: "contained" }>;

/** Somebody else's tree: what it may cost before nobody reads on. A branch's own manifests do not count. */
const MAX_NEW_MANIFESTS = 1000;
const MAX_NEW_BYTES = 8 * 1024 ** 2;

/** The tree of a request asks for more work than a stranger may cause. */
export class RequestTooLargeError extends Error {
  override readonly name = "RequestTooLargeError";
  readonly code = "request-too-large";
  readonly retry = "after-input-changes";
  readonly data = {};
}

/** What the daemon would do if the request were merged now, against what the last pass saw. Downloads nothing, reads no secret, writes nothing. */
export async function planRequest(
  deps: PlanRequestDeps,
  request: Request,
  tree: PlannableTree,
  live: DonePass,
  signal: AbortSignal,
): Promise<Plan> {
  const { config } = deps;
  const subject = subjectOf(request, live.snapshot.head.oid, mergeOf(tree));
  if (tree.kind === "conflict") return planWithout(config, subject, live, []);
  const manifests = await readTree(deps, tree, live);
  const messages = tree.messages.map(({ message }) => message);
  const snapshot: Snapshot = {
    commit: request.head,
    head: headOf(manifests, request.head),
    ...manifestsOf(manifests, request.head),
    trailers: mergeTrailers(messages),
    stale: live.snapshot.stale,
    ahead: live.snapshot.ahead,
    status: live.snapshot.status,
  };
  const desired = desiredOf(snapshot);
  const store = new AssumedArtifacts((wanted) => deps.store.see(wanted));
  const limits = { maxBytes: config.artifacts.maxBytes, maxBlobBytes: config.repository.maxBlobBytes };
  const secrets = await ASSUMED_SECRETS.read(wantedSecrets(desired), signal);
  const observed = { ...live.observed, artifacts: seeArtifacts({ store, limits }, desired), secrets };
  const { established, now } = live;
  const decided = decideSeen({ config, snapshot, observed, established, lastSeen: live.observed.clusters, now }, desired);
  const ages = await readRestorePointAges(decided, deps.clusters, config.instance, signal);
  return buildPlan({ config, subject, decided, notAtHand: store.notAtHand, ages, notices: await tellSignature(deps, tree) });
}

/** What is merged as a commit of its own is judged by that one's signature, which nobody knows yet. */
async function tellSignature(
  { verifier }: PlanRequestDeps,
  tree: Exclude<PlannableTree, { readonly kind: "conflict" }>,
): Promise<readonly string[]> {
  if (verifier === undefined) return [];
  const verdict = await verifier.verify(await tree.readHead(), "new");
  const head =
    verdict.kind === "verified"
      ? `its head is signed by ${verdict.by}, so it would be applied as it stands`
      : `its head would not be applied as it stands: ${verdict.because}`;
  return [`repository.verify: ${head}; a merge commit, a squash or a rebase counts by its own signature`];
}

/** A plan that plans nothing and says why. */
export function planWithout(config: Config, subject: Plan["subject"], live: DonePass, notices: readonly string[]): Plan {
  return {
    version: PLAN_VERSION,
    instance: config.instance,
    subject,
    plannedAt: formatTime(live.now),
    summary: "nothing is planned",
    notices,
    problems: [],
    guard: [],
    quotas: [],
    clusters: [],
    steps: [],
  };
}

export function subjectOf(request: Request, base: string, merge: PlanMerge): Plan["subject"] {
  return { kind: "request", name: request.name, base, head: request.head, merge };
}

function mergeOf(tree: PlannableTree): PlanMerge {
  switch (tree.kind) {
    case "merged":
      return { kind: "merged", mergeBase: tree.mergeBase };
    case "conflict":
      return { kind: "conflict", files: tree.paths };
    case "head-alone":
      return { kind: "head-alone", because: tree.because };
    default:
      return tree satisfies never;
  }
}

/** What the branch has not itself is counted; between two files others have their turn. */
async function readTree(
  { config, cache }: PlanRequestDeps,
  tree: Exclude<PlannableTree, { readonly kind: "conflict" }>,
  live: DonePass,
): Promise<ManifestTree> {
  const own = new Set(tree.files.filter(({ path, blob }) => live.snapshot.head.blobAt(path) === blob).map(({ blob }) => blob));
  let files = 0;
  let bytes = 0;
  const readBlob = async (oid: string, maxBytes: number): Promise<BlobContent> => {
    await setImmediate();
    const blob = await tree.readBlob(oid, maxBytes);
    if (own.has(oid)) return blob;
    files += 1;
    bytes += blob.kind === "read" ? blob.content.byteLength : 0;
    if (files > MAX_NEW_MANIFESTS || bytes > MAX_NEW_BYTES)
      throw new RequestTooLargeError(`it changes more than ${MAX_NEW_MANIFESTS} manifests, or more than 8 MB of them`);
    return blob;
  };
  return readManifestTree(tree.files, { paths: config.repository.paths, cache, readBlob });
}
