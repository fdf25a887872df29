import { describe, expect, it, vi } from "vitest";
import type { ArtifactRequest, ArtifactSeen } from "../../src/artifacts/artifact-store.ts";
import type { ClusterSeen } from "../../src/flink/cluster-seen.ts";
import type { JobRecord } from "../../src/model/status.ts";
import { observe, type ObserveDeps } from "../../src/pass/observe.ts";
import type { SubmissionSeen } from "../../src/pass/submissions.ts";
import { aCluster, NEVER } from "../flink/cluster-harness.ts";
import {
  aDesiredArtifact,
  aDesiredJob,
  anAnnouncedRecord,
  anAttempt,
  anOperation,
  anUnreachableCluster,
  aReachableCluster,
  aReadyArtifact,
  aRecord,
  aStartedRecord,
  INSTANCE,
} from "./builders.ts";

const NOTHING = { jobs: [], artifacts: [], savepoints: [] };

function aWorld(overrides: Partial<ObserveDeps> = {}): ObserveDeps {
  return {
    clusters: [],
    store: { see: () => ({ kind: "absent" }) },
    actions: { see: () => new Map(), seeSteps: () => new Map() },
    secrets: { read: async () => new Map() },
    instance: INSTANCE,
    limits: { maxBytes: 500, maxBlobBytes: 20 },
    ...overrides,
  };
}

describe("observe", () => {
  it("asks the store for what each Artifact stands for, and for nothing that cannot be fetched", async () => {
    const asked: ArtifactRequest[] = [];
    const see = (request: ArtifactRequest): ArtifactSeen => {
      asked.push(request);
      return aReadyArtifact();
    };
    const artifact = aDesiredArtifact();
    const desired = { ...NOTHING, artifacts: [artifact, aDesiredArtifact({ manifest: "broken" })] };
    const { artifacts } = await observe(aWorld({ store: { see } }), desired, [], NEVER);
    expect([...artifacts]).toEqual([[artifact.key, aReadyArtifact()]]);
    expect(asked).toMatchObject([{ source: { path: "jars/app.jar" } }]);
  });

  it("notes what came of submissions before it looks: what ends during the look is told by the next pass", async () => {
    const { fake, cluster } = await aCluster();
    const submissions = new Map<string, SubmissionSeen>([[anAttempt(1), { kind: "under-way" }]]);
    const release = Promise.withResolvers<void>();
    fake.inject(/GET \/jobs\/overview/, { kind: "slow", release: release.promise }, 1);
    const observing = observe(
      aWorld({ clusters: [cluster], actions: { see: () => submissions, seeSteps: () => new Map() } }),
      NOTHING,
      [],
      NEVER,
    );
    await vi.waitFor(() => expect(fake.countCalls(/GET \/jobs\/overview/)).toBe(1));
    submissions.set(anAttempt(1), { kind: "accepted", acceptedAtMs: 0 });
    release.resolve();
    expect((await observing).submissions.get(anAttempt(1))).toEqual({ kind: "under-way" });
  });

  it("asks a cluster on which nothing moves no more often than configured", async () => {
    const { cluster, clock, callsOf } = await aCluster();
    const desired = { ...NOTHING, jobs: [aDesiredJob({ record: aStartedRecord() })] };
    const look = async (): Promise<unknown> => observe(aWorld({ clusters: [cluster] }), desired, [], NEVER);
    await look();
    clock.nowMs += 4000;
    expect(await callsOf(look)).toEqual([]);
    clock.nowMs += 1000;
    expect(await callsOf(look)).toEqual(["GET /jobs/overview"]);
  });

  it("asks for fresh slots, and often, while a Job wants to start", async () => {
    const { cluster, clock, callsOf } = await aCluster();
    for (const job of [aDesiredJob(), aDesiredJob({ record: anAnnouncedRecord() })]) {
      const look = async (): Promise<unknown> => observe(aWorld({ clusters: [cluster] }), { ...NOTHING, jobs: [job] }, [], NEVER);
      await look();
      clock.nowMs += 250;
      // What the cluster is counts as well: it may be another one by now.
      expect([...(await callsOf(look))].sort()).toEqual([
        "GET /config",
        "GET /jobmanager/config",
        "GET /jobs/overview",
        "GET /overview",
      ]);
    }
  });

  it("looks for what a start left when its cluster was seen restarted", async () => {
    const { fake, cluster } = await aCluster();
    const operation = anOperation({ cluster: { name: "main", url: fake.url.href, incarnation: "gone" } });
    const job = aDesiredJob({ record: anAnnouncedRecord({ cluster: operation.cluster }) });
    const last = [aReachableCluster({ url: fake.url.href, incarnation: fake.incarnation })];
    const { clusters } = await observe(aWorld({ clusters: [cluster] }), { ...NOTHING, jobs: [job] }, last, NEVER);
    expect(clusters[0]).toMatchObject({
      kind: "reachable",
      restorePoints: new Map([[anAttempt(1).slice(0, 18), expect.objectContaining({})]]),
    });
  });

  it("looks once for what a Job left that no record speaks of, and again when the cluster was away", async () => {
    const { fake, cluster } = await aCluster();
    const lookedFor = async (record: JobRecord | undefined, last: readonly ClusterSeen[]) => {
      const job = aDesiredJob(record === undefined ? {} : { record });
      const { clusters } = await observe(aWorld({ clusters: [cluster] }), { ...NOTHING, jobs: [job] }, last, NEVER);
      return clusters[0]?.kind === "reachable" && clusters[0].restorePoints.has(anAttempt(1).slice(0, 18));
    };
    const seen = aReachableCluster({ url: fake.url.href, incarnation: fake.incarnation });
    cluster.expire();
    expect(await lookedFor(aRecord(), [seen])).toBe(false);
    expect(await lookedFor(aRecord(), [anUnreachableCluster()])).toBe(true);
    expect(await lookedFor(undefined, [])).toBe(true);
  });
});
