import { afterEach, describe, expect, it, vi } from "vitest";
import type { ArtifactRequest } from "../../src/artifacts/artifact-store.ts";
import { ArtifactError } from "../../src/artifacts/artifact-error.ts";
import type { JarFile } from "../../src/flink/multipart.ts";
import { Actions } from "../../src/pass/apply.ts";
import type { Decisions, JobDecision, Work } from "../../src/pass/decision.ts";
import type { Observed } from "../../src/pass/observed.ts";
import type { Submission, SubmissionSeen } from "../../src/pass/submissions.ts";
import { TEST_JOB_CLASS } from "../support/test-job.ts";
import { aCluster, theJar, type Harness } from "../flink/cluster-harness.ts";
import { anAttempt, anId, anObserved, anOperation, aStop, SHA256 } from "./builders.ts";

const SOON = { timeout: 20_000, interval: 20 };
const RUN = /POST \/jars\/[^/]+\/run/;
const open = new Set<Actions>();

afterEach(async () => {
  await Promise.all([...open].map(async (actions) => actions.close()));
  open.clear();
});

interface World extends Harness {
  readonly actions: Actions;
  readonly fetched: readonly ArtifactRequest[];
  /** Decides the submission of an attempt and waits until it is known how it went. */
  readonly submit: (attempt?: number, parallelism?: number) => Promise<SubmissionSeen>;
  readonly observed: () => Promise<Observed>;
}

async function aWorld(submittable = async (): Promise<JarFile> => theJar()): Promise<World> {
  const harness = await aCluster({ timeoutMs: 300 });
  const fetched: ArtifactRequest[] = [];
  let woken = Promise.withResolvers<void>();
  const actions = new Actions({
    instance: "test",
    clusters: [harness.cluster],
    store: {
      fetch: (request) => void fetched.push(request),
      inspect: () => undefined,
      retain: () => undefined,
      submittable,
    },
    clock: { now: () => harness.clock.nowMs, random: () => 0.5 },
    log: harness.log,
    wake: () => woken.resolve(),
  });
  open.add(actions);
  const observed = async (): Promise<Observed> => anObserved({ clusters: [await harness.look()] });
  return {
    ...harness,
    actions,
    fetched,
    observed,
    async submit(attempt = 1, parallelism = 2) {
      woken = Promise.withResolvers();
      actions.apply(decisionsOf(aSubmit(attempt, parallelism)), await observed());
      await woken.promise;
      const seen = actions.see().get(anAttempt(attempt));
      if (seen === undefined) throw new Error("nothing is known of the submission");
      return seen;
    },
  };
}

function aSubmit(attempt = 1, parallelism = 2): JobDecision {
  const operation = anOperation({ attempt });
  return aResume({ kind: "start", operation, submission: aSubmission(operation.flinkJobId, parallelism) });
}

/** Attempt 1 is stopped with a savepoint and attempt 2 starts from it. */
function aRescale(savepointsDir: string): JobDecision {
  const operation = aStop("rescale", { targetDirectory: `${savepointsDir}/${anAttempt(1)}/${"7".repeat(32)}` });
  return aResume({ kind: "stop", operation, next: aSubmission(anAttempt(2), 4) });
}

function aResume(work: Work): JobDecision {
  const key = work.operation.flinkJobId as JobDecision["key"];
  return { key, id: anId(), kind: "resume", because: "it was announced", work } as JobDecision;
}

function aSubmission(flinkJobId: string, parallelism: number): Submission {
  return {
    key: flinkJobId as JobDecision["key"],
    flinkJobId,
    zone: "local",
    cluster: "main",
    artifactSha256: SHA256,
    entryClass: TEST_JOB_CLASS,
    mainArgs: [],
    parallelism,
    configuration: {},
    secrets: new Map(),
    allowNonRestoredState: false,
  };
}

function decisionsOf(...jobs: readonly JobDecision[]): Decisions {
  return { jobs, disposals: [], artifacts: [], savepoints: [], slots: new Map() };
}

describe("what was announced", () => {
  it("is submitted in the background, and what came of it can be seen", async () => {
    const { fake, clock, actions, observed } = await aWorld();
    const release = fake.holdMain();
    actions.apply(decisionsOf(aSubmit()), await observed());
    expect(actions.see().get(anAttempt(1))).toEqual({ kind: "under-way" });
    expect(actions.isBusy()).toBe(true);
    release();
    await vi.waitFor(() => expect(actions.see().get(anAttempt(1))).toEqual({ kind: "accepted", acceptedAtMs: clock.nowMs }));
    expect(actions.isBusy()).toBe(false);
    expect(fake.job(anAttempt(1)).requestedParallelism).toBe(2);
  });

  it("is not submitted where nothing is announced", async () => {
    const { actions, observed, callsOf } = await aWorld();
    const seen = await observed();
    const operation = anOperation();
    const head = { key: "local/default/job/orders" as JobDecision["key"], id: anId(), because: "" };
    const waiting: JobDecision = { ...head, kind: "await", operation, block: undefined };
    expect(await callsOf(async () => actions.apply(decisionsOf(waiting), seen))).toEqual([]);
    expect(actions.see().size).toBe(0);
  });

  it("makes the next look ask again, so that the job is seen as soon as it is there", async () => {
    const { look, submit } = await aWorld();
    await submit();
    expect((await look({ maxAgeMs: 60_000 })).jobs.has(anAttempt(1))).toBe(true);
  });

  it("is tried again after a delay that grows, for ever, when trying again can help", async () => {
    const { fake, clock, submit } = await aWorld();
    fake.failRuns(3, "main-threw", "no broker");
    const delays: number[] = [];
    for (const _ of [1, 2, 3]) {
      const seen = await submit();
      expect(seen).toMatchObject({ kind: "refused", reason: "ProgramFailed", because: expect.stringContaining("no broker") });
      delays.push(seen.kind === "refused" ? seen.retryAtMs - clock.nowMs : 0);
    }
    expect(delays).toEqual([2000, 4000, 8000]);
    expect(await submit()).toMatchObject({ kind: "accepted" });
  });

  it("stays unknown while a later try does not even reach Flink: the first one's main may still be at work", async () => {
    const { fake, actions, observed, submit } = await aWorld();
    const release = fake.holdMain();
    fake.inject(RUN, { kind: "drop" }, 1);
    expect(await submit()).toMatchObject({ kind: "unknown", failures: 1 });
    const seen = await observed();
    await fake.refuse();
    actions.apply(decisionsOf(aSubmit()), seen);
    await vi.waitFor(() => expect(actions.see().get(anAttempt(1))).toMatchObject({ kind: "unknown", failures: 2 }));
    release();
  });

  it("is refused for now when the first try does not reach Flink", async () => {
    const { fake, actions, observed } = await aWorld();
    const seen = await observed();
    await fake.refuse();
    actions.apply(decisionsOf(aSubmit()), seen);
    await vi.waitFor(() =>
      expect(actions.see().get(anAttempt(1))).toMatchObject({ kind: "refused", reason: "ClusterUnreachable" }),
    );
  });

  it("does not wait for a hanging one: up to four are submitted at once", async () => {
    const { fake, actions, observed } = await aWorld();
    fake.inject(new RegExp(`GET /jobs/${anAttempt(1)}$`), { kind: "hang" });
    actions.apply(decisionsOf(aSubmit(1), aSubmit(2), aSubmit(3)), await observed());
    await vi.waitFor(() => expect(fake.jobs).toHaveLength(2));
    expect(actions.see().get(anAttempt(1))).toEqual({ kind: "under-way" });
  });

  it("is forgotten when nobody asks any more, but not while it is under way", async () => {
    const { fake, actions, observed, submit } = await aWorld();
    await submit(1);
    await submit(2);
    const release = fake.holdMain();
    actions.apply(decisionsOf(aSubmit(3)), await observed());
    actions.forgetAllBut(new Set([anAttempt(1)]));
    expect([...actions.see().keys()]).toEqual([anAttempt(1), anAttempt(3)]);
    release();
  });
});

describe("a jar that cannot be had, as on a full disk", () => {
  const full = new ArtifactError("DiskFull", "the disk is full");

  it("is a start that Flink was not asked for: the reason is said, and it is tried again", async () => {
    let isFull = true;
    const { fake, submit, logLines } = await aWorld(async () => {
      if (isFull) throw full;
      return theJar();
    });
    expect(await submit()).toMatchObject({ kind: "refused", reason: "DiskFull", because: "the disk is full", failures: 1 });
    expect(fake.countCalls(/^POST /)).toBe(0);
    expect(logLines.join("")).not.toContain('"level":50');
    isFull = false;
    expect(await submit()).toMatchObject({ kind: "accepted" });
  });

  it("leaves open what became of a try before", async () => {
    let isFull = false;
    const { fake, submit } = await aWorld(async () => {
      if (isFull) throw full;
      return theJar();
    });
    fake.inject(RUN, { kind: "drop" }, 1);
    expect(await submit()).toMatchObject({ kind: "unknown", failures: 1 });
    isFull = true;
    expect(await submit()).toMatchObject({ kind: "unknown", failures: 2 });
  });

  it("holds the stop of a job that is to be started again with it, and the job runs on", async () => {
    let isFull = true;
    const { fake, clock, actions, observed, start, logLines } = await aWorld(async () => {
      if (isFull) throw full;
      return theJar();
    });
    await start(1);
    for (const failures of [1, 2]) {
      actions.apply(decisionsOf(aRescale(fake.savepointsDir)), await observed());
      await vi.waitFor(() => expect(actions.seeSteps().get(anAttempt(1))).toMatchObject({ kind: "held", failures }), SOON);
    }
    const because = "it is not stopped before main has the jar of its next attempt: the disk is full";
    expect(actions.seeSteps().get(anAttempt(1))).toMatchObject({ because, retryAtMs: clock.nowMs + 10_000 });
    expect(fake.countCalls(/\/stop$/)).toBe(0);
    expect(logLines.filter((line) => line.includes('"level":40'))).toHaveLength(1);
    isFull = false;
    actions.apply(decisionsOf(aRescale(fake.savepointsDir)), await observed());
    await fake.untilCalled(/\/stop$/);
  });
});

describe("what needs no announcement", () => {
  it("is begun at once: downloads, and the upload of a jar that is about to be submitted", async () => {
    const { fake, actions, fetched, observed } = await aWorld();
    const request = { key: "x" as ArtifactRequest["key"], source: { kind: "path", path: "a.jar" }, maxBytes: 1 } as const;
    const fetching = { key: request.key, id: anId(), kind: "fetch", because: "", request, block: undefined } as const;
    actions.prepare({ ...decisionsOf(aSubmit()), artifacts: [fetching] }, await observed(), new Set());
    expect(fetched).toEqual([request]);
    await vi.waitFor(() => expect(fake.jarNames).toEqual(["test-1.jar"]));
    expect(fake.countCalls(RUN)).toBe(0);
  });
});
