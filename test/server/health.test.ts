import { describe, expect, it } from "vitest";
import { decideHealth, decideReadiness } from "../../src/server/health.ts";
import type { PassWatch } from "../../src/server/pass-watch.ts";

const LIMITS = { passMs: 60_000, pauseMs: 30_000 };
const T0 = Date.UTC(2026, 10, 22, 17, 0, 0);

type Watched = Parameters<typeof decideReadiness>[0];

function aWatch(overrides: Partial<PassWatch> = {}): Watched {
  return {
    startedAtMs: T0,
    runningSinceMs: undefined,
    lastEndedAtMs: undefined,
    last: undefined,
    failure: undefined,
    leaving: false,
    ...overrides,
  };
}

describe("decideHealth", () => {
  it.each([
    ["before the first pass", aWatch(), 30_000, []],
    ["when the first pass does not come", aWatch(), 30_001, ["no pass has begun since 2026-11-22T17:00:00Z"]],
    ["while a pass goes on", aWatch({ runningSinceMs: T0 + 1000 }), 61_000, []],
    [
      "when a pass hangs",
      aWatch({ runningSinceMs: T0 + 1000, lastEndedAtMs: T0 }),
      61_001,
      ["the pass that began at 2026-11-22T17:00:01Z has not ended; 1m are the most that one may take"],
    ],
    ["between two passes", aWatch({ lastEndedAtMs: T0 + 5000 }), 35_000, []],
    [
      "when the loop sleeps too long",
      aWatch({ lastEndedAtMs: T0 + 5000 }),
      35_001,
      ["no pass has begun since 2026-11-22T17:00:05Z"],
    ],
    ["while the daemon ends", aWatch({ lastEndedAtMs: T0, leaving: true }), 40_000, []],
  ] as const)("%s", (_, watch, afterMs, reasons) => {
    expect(decideHealth(watch, LIMITS, T0 + afterMs)).toEqual({ healthy: reasons.length === 0, reasons });
  });
});

interface Ends {
  readonly stale?: string;
  readonly published?: string;
  readonly clusters?: readonly ("reachable" | "unreachable")[];
  readonly problems?: readonly string[];
}

/** Only what readiness looks at. */
function aPass({ stale, published = "written", clusters = ["reachable"], problems = [] }: Ends = {}): PassWatch["last"] {
  const seen = clusters.map((kind, index) => ({ kind, zone: "eu", name: `c${index}`, because: "no route", sinceMs: T0 }));
  return {
    kind: "done",
    snapshot: { stale },
    published: { kind: published, because: "a hook says no" },
    observed: { clusters: seen },
    update: { summary: { problems } },
  } as unknown as NonNullable<PassWatch["last"]>;
}

const LOST = "cluster eu/c0 cannot be reached since 2026-11-22T17:00:00Z: no route";

describe("decideReadiness", () => {
  it.each([
    ["before the first pass", aWatch(), ["the first pass is not done"], []],
    ["when all is well", aWatch({ last: aPass() }), [], []],
    [
      "when nothing can be decided",
      aWatch({ last: { kind: "blind", because: "the repository is empty" } as never }),
      ["the repository is empty"],
      [],
    ],
    [
      "when the repository cannot be read any more",
      aWatch({ last: aPass({ stale: "silence" }) }),
      ["the repository cannot be read: silence"],
      [],
    ],
    [
      "when the status branch cannot be written",
      aWatch({ last: aPass({ published: "failed" }) }),
      ["the status branch cannot be written: a hook says no"],
      [],
    ],
    ["when somebody else wrote in between", aWatch({ last: aPass({ published: "conflict" }) }), [], []],
    ["when one of two clusters is away", aWatch({ last: aPass({ clusters: ["unreachable", "reachable"] }) }), [], [LOST]],
    ["when all clusters are away", aWatch({ last: aPass({ clusters: ["unreachable"] }) }), [LOST], []],
    ["when a manifest has problems", aWatch({ last: aPass({ problems: ["a", "b"] }) }), [], ["2 problems in the manifests"]],
    ["when passes fail", aWatch({ last: aPass(), failure: "out of memory" }), ["the last pass failed: out of memory"], []],
    ["while the daemon ends", aWatch({ last: aPass(), leaving: true }), ["the daemon is ending"], []],
  ] as const)("%s", (_, watch, reasons, remarks) => {
    expect(decideReadiness(watch)).toEqual({ ready: reasons.length === 0, reasons, remarks });
  });
});
