import { describe, expect, it } from "vitest";
import type { ClusterSeen } from "../../src/flink/cluster-seen.ts";
import { clusterKey, place, takeSlots, type SlotLedger } from "../../src/pass/place.ts";
import { aReachableCluster, anUnreachableCluster, ZONE, type ClusterOverrides } from "./builders.ts";

const WISH = { zone: ZONE, flinkVersion: "1.16", slots: 2 };

function placeOn(clusters: readonly ClusterSeen[], slots = 2) {
  return place({ ...WISH, slots }, clusters, ledgerOf(clusters));
}

function ledgerOf(clusters: readonly ClusterSeen[]): SlotLedger {
  return new Map(clusters.flatMap((seen) => (seen.kind === "reachable" ? [[clusterKey(seen), seen.slots.free] as const] : [])));
}

function cluster(name: string, free: number, overrides: ClusterOverrides = {}) {
  return aReachableCluster({ name, slots: { total: 8, free }, ...overrides });
}

describe("place", () => {
  it.each([
    ["the only cluster of its version", [cluster("a", 8, { flinkVersion: "1.20.1" }), cluster("b", 8)], "b"],
    [
      "the newest patch, however few slots it has",
      [cluster("a", 8, { flinkVersion: "1.16.2" }), cluster("b", 2, { flinkVersion: "1.16.10" })],
      "b",
    ],
    [
      "an older patch when the newest one is full",
      [cluster("a", 8, { flinkVersion: "1.16.2" }), cluster("b", 1, { flinkVersion: "1.16.3" })],
      "a",
    ],
    ["the one with most free slots among equals", [cluster("a", 3), cluster("b", 5), cluster("c", 4)], "b"],
    ["the first by name among equals", [cluster("b", 5), cluster("a", 5)], "a"],
    ["none that drains", [cluster("a", 8, { draining: true }), cluster("b", 2)], "b"],
    ["none that takes no jars", [cluster("a", 8, { webSubmit: false }), cluster("b", 2)], "b"],
    ["none of another zone", [cluster("a", 8, { zone: "elsewhere" }), cluster("b", 2)], "b"],
    ["one that answers although another does not", [anUnreachableCluster({ name: "a" }), cluster("b", 2)], "b"],
    ["one with exactly as many slots as it needs", [cluster("a", 2)], "a"],
  ] as const)("chooses %s", (_, clusters, chosen) => {
    const placement = placeOn(clusters);
    expect(placement.kind === "placed" && placement.cluster.name).toBe(chosen);
  });

  it.each([
    ["no cluster at all", [], "NoZone", "zone local has no cluster in the daemon's configuration"],
    [
      "clusters in other zones only",
      [cluster("a", 8, { zone: "elsewhere" })],
      "NoZone",
      "zone local has no cluster in the daemon's configuration",
    ],
    [
      "no cluster of its version",
      [cluster("a", 8, { flinkVersion: "1.20.1" }), cluster("b", 8, { draining: true })],
      "NoCluster",
      "zone local has no cluster for Flink 1.16: a has 1.20.1 and b has 1.16.3 and is draining",
    ],
    [
      "1.160 where it needs 1.16",
      [cluster("a", 8, { flinkVersion: "1.160.0" })],
      "NoCluster",
      "zone local has no cluster for Flink 1.16: a has 1.160.0",
    ],
    [
      "one cluster that does not answer and may be the right one",
      [cluster("a", 8, { flinkVersion: "1.20.1" }), anUnreachableCluster({ name: "b" })],
      "ClusterUnreachable",
      "waits for b: it does not answer",
    ],
    [
      "several clusters that do not answer",
      [anUnreachableCluster({ name: "a" }), anUnreachableCluster({ name: "b" }), anUnreachableCluster({ name: "c" })],
      "ClusterUnreachable",
      "waits for a, b and c: they do not answer",
    ],
    [
      "only clusters that take no jars",
      [cluster("a", 8, { webSubmit: false }), cluster("b", 8, { webSubmit: false })],
      "SubmissionDisabled",
      "a and b do not accept jars: set web.submit.enable to true in their Flink configuration",
    ],
    [
      "one cluster that takes no jars",
      [cluster("a", 8, { webSubmit: false })],
      "SubmissionDisabled",
      "a does not accept jars: set web.submit.enable to true in its Flink configuration",
    ],
    ["too few slots", [cluster("a", 1)], "NotEnoughSlots", "needs 2 slots, 1 of 8 free in a in zone local for Flink 1.16"],
    [
      "enough slots only together",
      [cluster("a", 1, { flinkVersion: "1.16.2" }), cluster("b", 1)],
      "NotEnoughSlots",
      "needs 2 slots, 1 of 8 free in b and 1 of 8 free in a in zone local for Flink 1.16",
    ],
  ] as const)("waits with %s", (_, clusters, reason, because) => {
    expect(placeOn(clusters)).toEqual({ kind: "not-placed", reason, because });
  });

  it("asks for 1 slot in the singular", () => {
    expect(placeOn([cluster("a", 0)], 1)).toMatchObject({
      because: "needs 1 slot, 0 of 8 free in a in zone local for Flink 1.16",
    });
  });

  it("goes by the ledger and not by what Flink says is free", () => {
    const clusters = [cluster("a", 8)];
    expect(place(WISH, clusters, new Map([["local/a", 1]]))).toMatchObject({ reason: "NotEnoughSlots" });
    expect(place(WISH, clusters, new Map())).toMatchObject({ because: expect.stringContaining("0 of 8 free in a") });
  });

  it("takes the slots out of the ledger and leaves the given one as it was", () => {
    const ledger = new Map([
      ["local/a", 5],
      ["other/a", 5],
    ]);
    const placement = place(WISH, [cluster("a", 8)], ledger);
    expect(placement.kind === "placed" && [...placement.left]).toEqual([
      ["local/a", 3],
      ["other/a", 5],
    ]);
    expect(ledger.get("local/a")).toBe(5);
  });

  it("never offers fewer than no slots, however many are claimed", () => {
    const ledger = takeSlots(new Map([["local/a", 1]]), { zone: ZONE, name: "a" }, 5);
    expect(place(WISH, [cluster("a", 8)], ledger)).toMatchObject({
      because: "needs 2 slots, 0 of 8 free in a in zone local for Flink 1.16",
    });
  });
});

function on(name: string, javaVersion: number | undefined) {
  return cluster(name, 8, { javaVersion });
}

describe("the Java that a program needs", () => {
  it.each([
    ["as new as it is", [on("a", 17)], "a"],
    ["newer", [on("a", 11), on("b", 21)], "b"],
    ["unknown, which may do", [on("a", undefined)], "a"],
  ])("is there: %s", (_, clusters, chosen) => {
    const placement = place({ ...WISH, javaVersion: 17 }, clusters, ledgerOf(clusters));
    expect(placement.kind === "placed" && placement.cluster.name).toBe(chosen);
  });

  it("is nowhere", () => {
    const clusters = [on("a", 8), on("b", 11)];
    expect(place({ ...WISH, javaVersion: 17 }, clusters, ledgerOf(clusters))).toMatchObject({
      reason: "JavaTooOld",
      because:
        "its entry class is compiled for Java 17, and a runs on Java 8 and b runs on Java 11: compile with --release 11, or run the cluster on Java 17",
    });
  });
});
