import { seeAtHand } from "../artifacts/at-hand.ts";
import type { ReadBlob } from "../artifacts/path-source.ts";
import type { Clock } from "../common/clock.ts";
import type { Config } from "../config/config.ts";
import type { SightedCluster } from "../flink/cluster.ts";
import { artifactRequest } from "../pass/decide-artifact.ts";
import type { ObserveDeps } from "../pass/observe.ts";
import { desiredOf, observeAndDecide, type DecideDeps, type Decided, type Undetermined } from "../pass/observe-and-decide.ts";
import { secretKey } from "../pass/read-secrets.ts";
import type { Snapshot } from "../pass/snapshot.ts";
import { AssumedArtifacts } from "./assume-artifacts.ts";
import { buildPlan } from "./build-plan.ts";
import type { Plan, PlanSubject } from "./plan.ts";
import { readRestorePointAges } from "./read-ages.ts";

export interface PlanNowDeps {
  readonly config: Config;
  readonly clock: Clock;
  readonly clusters: readonly SightedCluster[];
  readonly readBlob: ReadBlob;
}

export type PlannedNow =
  | { readonly kind: "planned"; readonly plan: Plan }
  /** Nothing can be decided, and the daemon would do nothing. */
  | { readonly kind: "undetermined"; readonly because: string };

/** The daemon looks again and again; here what it would see next is looked at at once, as long as a decision asks for it. */
const MAX_LOOKS = 4;
/** Nobody else waits for the answer of a slow cluster. */
const PATIENCE_MS = 20_000;

/** No plan reads a secret, least of all for a pull request: each one counts as there. */
export const ASSUMED_SECRETS: ObserveDeps["secrets"] = {
  read: async (wanted) => Promise.resolve(new Map(wanted.map((secret) => [secretKey(secret), { kind: "assumed" as const }]))),
};

/** What the daemon would do now about this snapshot. It looks at the clusters; it has nothing to write with. */
export async function planNow(
  deps: PlanNowDeps,
  snapshot: Snapshot,
  subject: PlanSubject,
  signal: AbortSignal,
): Promise<PlannedNow> {
  const { config, clock, clusters } = deps;
  const limits = { maxBytes: config.artifacts.maxBytes, maxBlobBytes: config.repository.maxBlobBytes };
  const requests = desiredOf(snapshot)
    .artifacts.map((artifact) => artifactRequest(artifact, limits))
    .filter((request) => "key" in request);
  const atHand = await seeAtHand(requests, { config: config.artifacts, clock, readBlob: deps.readBlob }, signal);
  const store = new AssumedArtifacts(({ key }) => atHand.get(key) ?? { kind: "absent" });
  const nothingOfOurs = { see: () => new Map(), seeSteps: () => new Map() };
  const decided = await lookUntilClear(
    {
      config,
      clock,
      clusters,
      observe: {
        clusters,
        store,
        actions: nothingOfOurs,
        secrets: ASSUMED_SECRETS,
        instance: config.instance,
        limits,
        patienceMs: PATIENCE_MS,
      },
      reader: { knewStatus: () => false },
    },
    snapshot,
    signal,
  );
  if (decided.kind === "undetermined") return { kind: "undetermined", because: decided.because };
  const ages = await readRestorePointAges(decided, clusters, config.instance, signal);
  return { kind: "planned", plan: buildPlan({ config, subject, decided, notAtHand: store.notAtHand, ages, notices: [] }) };
}

async function lookUntilClear(deps: DecideDeps, snapshot: Snapshot, signal: AbortSignal): Promise<Decided | Undetermined> {
  let decided = await observeAndDecide(deps, snapshot, [], signal);
  for (let looks = 1; looks < MAX_LOOKS && decided.kind === "decided" && looksAgain(decided); looks += 1) {
    for (const cluster of deps.clusters) cluster.expire();
    decided = await observeAndDecide(deps, snapshot, decided.observed.clusters, signal);
  }
  return decided;
}

function looksAgain({ decisions }: Decided): boolean {
  return decisions.jobs.some((decision) => decision.kind === "leave" && decision.soon === true);
}
