import { describe, expect, it, vi } from "vitest";
import { submitJob, type SubmitOutcome } from "../../src/flink/submit.ts";
import { Uploads } from "../../src/flink/uploads.ts";
import type { Fault } from "../support/fake-flink.ts";
import { anAttempt } from "../pass/builders.ts";
import { aCluster, aRun, NEVER, theJar, type Harness } from "./cluster-harness.ts";

const RUN = /POST \/jars\/[^/]+\/run/;
const UPLOAD = /POST \/jars\/upload/;
const LOOK = /GET \/jobs\/[0-9a-f]{32}$/;

const NOT_FOUND: Fault = { kind: "answer", answer: { status: 404, body: { errors: [`Job ${anAttempt(1)} not found`] } } };
const ELECTION: Fault = { kind: "answer", answer: { status: 503, body: { errors: ["leader election"] } } };

interface Submitter extends Harness {
  readonly uploads: Uploads;
  readonly submit: (attempt?: number, run?: Parameters<typeof aRun>[1], signal?: AbortSignal) => Promise<SubmitOutcome>;
}

async function aSubmitter(options: Parameters<typeof aCluster>[0] = {}): Promise<Submitter> {
  const harness = await aCluster({ timeoutMs: 300, ...options });
  const uploads = new Uploads(harness.cluster, harness.log);
  return {
    ...harness,
    uploads,
    submit: async (attempt = 1, run = {}, signal = NEVER) =>
      submitJob(harness.cluster, uploads, await theJar(), aRun(attempt, run), harness.fake.incarnation, signal),
  };
}

describe("submitJob", () => {
  it("uploads the jar, runs it under the announced id, and looks before and after", async () => {
    const { fake, submit, callsOf } = await aSubmitter();
    const calls = await callsOf(async () => expect(await submit()).toEqual({ kind: "accepted" }));
    const id = anAttempt(1);
    const looked = `GET /jobs/${id}`;
    expect(calls).toEqual([looked, "GET /jars", "POST /jars/upload", expect.stringMatching(RUN), looked]);
    expect(fake.job(id)).toMatchObject({ state: "RUNNING", requestedParallelism: 2 });
    expect(fake.jarNames).toEqual(["test-1.jar"]);
  });

  it("does nothing but look when the job is there already: a daemon before submitted it", async () => {
    const { submit, callsOf, start } = await aSubmitter();
    await start(1);
    expect(await callsOf(async () => expect(await submit()).toEqual({ kind: "accepted" }))).toEqual([
      `GET /jobs/${anAttempt(1)}`,
    ]);
  });

  it("takes a job that is there and has failed for accepted: what it means is decided by who looks", async () => {
    const { fake, submit, start } = await aSubmitter();
    fake.setJobState(await start(1), "FAILED", "boom");
    expect(await submit()).toEqual({ kind: "accepted" });
    expect(fake.countCalls(RUN)).toBe(1);
  });

  it("starts one job when asked twice at the same time", async () => {
    const { fake, submit } = await aSubmitter();
    expect(await Promise.all([submit(), submit()])).toEqual([{ kind: "accepted" }, { kind: "accepted" }]);
    expect(fake.jobs).toHaveLength(1);
  });
});

describe("a submission whose answer is lost", () => {
  it.each<readonly [string, Fault]>([
    ["got lost", { kind: "lose-answer" }],
    ["was cut", { kind: "cut" }],
  ])("is accepted when the answer %s and the job is there", async (_, fault) => {
    const { fake, submit } = await aSubmitter();
    fake.inject(RUN, fault);
    expect(await submit()).toEqual({ kind: "accepted" });
    expect(fake.jobs).toHaveLength(1);
    expect(fake.countCalls(RUN)).toBe(1);
  });

  it.each<readonly [string, Fault, string]>([
    ["the connection broke", { kind: "drop" }, "the connection was closed"],
    ["a proxy answered", { kind: "html", status: 502 }, "Internal Server Error"],
    ["the answer is no JSON of Flink's", { kind: "answer", answer: { status: 200, body: {} } }, "an answer that is not Flink's"],
  ])("is unknown when %s and the job is not there: main() may still be at work", async (_, fault, because) => {
    const { fake, submit } = await aSubmitter();
    fake.inject(RUN, fault);
    expect(await submit()).toEqual({ kind: "unknown", because: expect.stringContaining(because) });
    expect(fake.countCalls(RUN)).toBe(1);
  });

  it("is unknown when the cluster cannot be asked afterwards", async () => {
    const { fake, submit } = await aSubmitter();
    fake.inject(LOOK, NOT_FOUND, 1);
    fake.inject(LOOK, { kind: "hang" });
    fake.inject(RUN, { kind: "lose-answer" });
    expect(await submit()).toMatchObject({ kind: "unknown" });
  });

  it.each<readonly [string, Fault]>([
    ["does not answer", { kind: "hang" }],
    ["breaks the connection", { kind: "drop" }],
    ["elects its leader", ELECTION],
    ["answers with a proxy's page", { kind: "html" }],
  ])("is unknown, and never refused, when Flink took the job and then %s", async (_, fault) => {
    const { fake, submit } = await aSubmitter();
    fake.inject(LOOK, NOT_FOUND, 1);
    fake.inject(LOOK, fault);
    expect(await submit()).toMatchObject({ kind: "unknown" });
    expect(fake.jobs).toHaveLength(1);
  });

  it("is unknown when Flink took the job, and then another JobManager answers that does not know it", async () => {
    const { fake, submit } = await aSubmitter();
    fake.inject(LOOK, NOT_FOUND, 1);
    fake.inject(LOOK, ELECTION, 1);
    fake.inject(LOOK, NOT_FOUND);
    expect(await submit()).toEqual({
      kind: "unknown",
      because: "Flink said that it took the job, and cannot be asked for it: leader election",
    });
  });

  it("is unknown when Flink took the job and is gone a moment later", async () => {
    const { fake, submit } = await aSubmitter();
    const release = Promise.withResolvers<void>();
    fake.inject(RUN, { kind: "slow", release: release.promise }, 1);
    const submitting = submit();
    await vi.waitFor(() => expect(fake.countCalls(RUN)).toBe(1));
    fake.inject(LOOK, NOT_FOUND);
    release.resolve();
    expect(await submitting).toEqual({ kind: "unknown", because: "Flink said that it took the job and does not know it" });
  });
});

describe("a submission that Flink refuses", () => {
  it.each<readonly [string, string, boolean, Parameters<typeof aRun>[1], string]>([
    [
      "the entry class is missing",
      "EntryClassMissing",
      false,
      { entryClass: "a.Missing" },
      "The program's entry point class 'a.Missing' was not found in the jar file.",
    ],
    ["main() throws", "ProgramFailed", true, { programArgs: ["--throw", "no broker"] }, "no broker"],
    ["no job is started", "ProgramStartsNoJob", false, { programArgs: ["--noexec", "1"] }, "No jobs included in application."],
    [
      "an option cannot be read",
      "BadOption",
      false,
      { flinkConfiguration: { "execution.checkpointing.interval": "soon" } },
      "Could not parse value 'soon' for key 'execution.checkpointing.interval'.",
    ],
  ])("is refused with one line when %s", async (_, reason, curable, run, because) => {
    const { fake, submit } = await aSubmitter();
    const outcome = await submit(1, run);
    expect(outcome).toEqual({ kind: "refused", reason, because: expect.stringContaining(because), curable });
    expect(outcome.kind === "refused" && outcome.because).not.toMatch(/\n|\tat |java\.util/);
    expect(fake.jobs).toEqual([]);
  });

  it("is refused for now when no connection came about", async () => {
    const { fake, submit } = await aSubmitter();
    await fake.refuse();
    expect(await submit()).toMatchObject({ kind: "refused", reason: "ClusterUnreachable", curable: true });
  });

  it("is refused for its id when Flink has seen that one before and forgotten the job", async () => {
    const { fake, submit, start } = await aSubmitter();
    fake.forgetJob(await start(1));
    expect(await submit()).toMatchObject({ kind: "refused", reason: "JobIdSpent" });
    expect(fake.jobs).toEqual([]);
  });

  it("is accepted when the refusal is that the job is there already: somebody was faster", async () => {
    const { fake, submit, start } = await aSubmitter();
    const open = fake.holdMain();
    const submitting = submit();
    await vi.waitFor(() => expect(fake.countCalls(RUN)).toBe(1));
    open();
    await start(1).catch(() => undefined); // one of the two is refused, whichever came later
    expect(await submitting).toEqual({ kind: "accepted" });
    expect(fake.jobs).toHaveLength(1);
  });

  it("is refused when the job exists afterwards and has failed: it never ran", async () => {
    const { fake, submit } = await aSubmitter();
    const restore = { path: `${fake.savepointsDir}/missing`, allowNonRestoredState: false };
    expect(await submit(1, { restore })).toMatchObject({ kind: "refused", reason: "RestorePointMissing", curable: true });
    expect(fake.job(anAttempt(1)).state).toBe("FAILED");
  });
});

describe("a submission that is aborted", () => {
  it("throws, and asks nothing more", async () => {
    const { fake, submit } = await aSubmitter();
    const abort = new AbortController();
    const open = fake.holdMain();
    const submitting = submit(1, {}, abort.signal);
    await vi.waitFor(() => expect(fake.countCalls(RUN)).toBe(1));
    const before = fake.calls.length;
    abort.abort();
    await expect(submitting).rejects.toThrow();
    expect(fake.calls.length).toBe(before);
    open();
  });
});

describe("uploads", () => {
  it("are shared by all submissions of a jar, also by those that come together", async () => {
    const { fake, submit } = await aSubmitter();
    await Promise.all([submit(1), submit(2), submit(3)]);
    await submit(4);
    expect(fake.countCalls(UPLOAD)).toBe(1);
    expect(fake.jobs).toHaveLength(4);
  });

  it("of an earlier daemon are found by their name", async () => {
    const { fake, cluster, submit } = await aSubmitter();
    await cluster.client.uploadJar(await theJar("test-0.jar"), NEVER);
    const jarId = await cluster.client.uploadJar(await theJar(), NEVER);
    await submit();
    expect(fake.countCalls(UPLOAD)).toBe(2);
    expect(fake.job(anAttempt(1)).jarId).toBe(jarId);
  });

  it("are made again, once, when the JobManager does not have the jar any more", async () => {
    const { fake, cluster, submit } = await aSubmitter();
    await submit(1);
    await cluster.client.deleteJar(fake.job(anAttempt(1)).jarId, NEVER);
    expect(await submit(2)).toEqual({ kind: "accepted" });
    expect(fake.countCalls(UPLOAD)).toBe(2);
    await submit(3);
    expect(fake.countCalls(UPLOAD)).toBe(2);
  });

  it("are not made again and again for a jar that is missing each time", async () => {
    const { fake, submit } = await aSubmitter();
    const errors = [
      "Internal server error.",
      "org.apache.flink.runtime.rest.handler.RestHandlerException: Jar file /x does not exist",
    ];
    fake.inject(RUN, { kind: "answer", answer: { status: 500, body: { errors } } });
    expect(await submit()).toMatchObject({ kind: "refused", reason: "JarMissing", curable: true });
    expect(fake.countCalls(RUN)).toBe(2);
  });

  it("are made again for another JobManager process", async () => {
    const { fake, submit } = await aSubmitter();
    await submit(1);
    fake.restart();
    expect(await submit(2)).toEqual({ kind: "accepted" });
    expect(fake.countCalls(UPLOAD)).toBe(2);
    expect(fake.countCalls(RUN)).toBe(2);
  });

  it("that fail are told to everybody who waits, and tried again by the next one", async () => {
    const { fake, submit } = await aSubmitter();
    fake.inject(UPLOAD, { kind: "answer", answer: { status: 500, body: { errors: ["disk full"] } } }, 1);
    const outcomes = await Promise.all([submit(1), submit(2)]);
    expect(outcomes).toMatchObject([
      { kind: "refused", because: "disk full" },
      { kind: "refused", because: "disk full" },
    ]);
    expect(await submit(1)).toEqual({ kind: "accepted" });
    expect(fake.countCalls(UPLOAD)).toBe(2);
  });

  it("whose answer is lost start nothing, and are found by their name the next time", async () => {
    const { fake, submit } = await aSubmitter();
    fake.inject(UPLOAD, { kind: "lose-answer" }, 1);
    expect((await submit()).kind).not.toBe("accepted");
    expect(fake.countCalls(RUN)).toBe(0);
    expect(await submit()).toEqual({ kind: "accepted" });
    expect(fake.countCalls(UPLOAD)).toBe(1);
  });

  it("are refused for now by a cluster that takes no jars, and told apart from a broken one", async () => {
    const { fake, submit } = await aSubmitter();
    // What Flink 1.20.5 says with web.submit.enable: false.
    fake.inject(/GET \/jars$/, {
      kind: "answer",
      answer: { status: 404, body: { errors: ["Unable to load requested file /jars."] } },
    });
    expect(await submit()).toEqual({
      kind: "refused",
      reason: "SubmissionDisabled",
      because: "the cluster does not accept jars: set web.submit.enable to true in its Flink configuration",
      curable: true,
    });
  });
});

describe("unused uploads", () => {
  const NEEDED = "a".repeat(64);
  const UNUSED = "b".repeat(64);

  async function aTidyCluster(...names: readonly string[]) {
    const { fake, cluster, clock, uploads } = await aSubmitter();
    for (const name of names) await cluster.client.uploadJar(await theJar(name), NEVER);
    const tidy = async () => uploads.removeUnused({ instance: "test", needed: new Set([NEEDED]), nowMs: clock.nowMs }, NEVER);
    return { fake, clock, tidy, uploads };
  }

  it("of ours are removed, and nobody else's", async () => {
    const kept = [
      `test-${NEEDED}.jar`,
      `test-${NEEDED}-launcher1.jar`,
      `test-2-${UNUSED}.jar`,
      `other-${UNUSED}.jar`,
      "test-app.jar",
    ];
    const { fake, clock, tidy } = await aTidyCluster(...kept, `test-${UNUSED}.jar`, `test-${UNUSED}-launcher1.jar`);
    clock.nowMs += 600_000;
    expect(await tidy()).toEqual({ young: 0 });
    expect(fake.jarNames).toEqual(kept);
  });

  it("that are copies go as well, but for the one that is found first", async () => {
    const { fake, clock, tidy, uploads } = await aTidyCluster(`test-${NEEDED}.jar`, `test-${NEEDED}.jar`);
    clock.nowMs += 600_000;
    await tidy();
    expect(fake.jarNames).toEqual([`test-${NEEDED}.jar`]);
    await uploads.ensure(await theJar(`test-${NEEDED}.jar`), fake.incarnation, NEVER);
    expect(fake.countCalls(UPLOAD)).toBe(2);
  });

  it("stay for ten minutes: another daemon may be about to use them", async () => {
    const { fake, tidy } = await aTidyCluster(`test-${UNUSED}.jar`);
    expect(await tidy()).toEqual({ young: 1 });
    expect(fake.jarNames).toHaveLength(1);
  });
});
