import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../src/common/clock.ts";
import { Secret } from "../../src/common/secrets.ts";
import { FlinkAnswerError, FlinkRejectedError, FlinkUnreachableError } from "../../src/flink/errors.ts";
import { FlinkClient } from "../../src/flink/flink-client.ts";
import type { FlinkClientSettings } from "../../src/flink/flink-reader.ts";
import { type FakeFlink, startFakeFlink } from "../support/fake-flink.ts";

const signal = new AbortController().signal;
const JOB = "0123456789abcdef0123456789abcdef";
const TRIGGER = "f".repeat(32);

let fake: FakeFlink;
const clients: FlinkClient[] = [];

beforeEach(async () => {
  fake = await startFakeFlink({ version: "2.3.0", slots: 4 });
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map(async (client) => client.close()));
  await fake.close();
});

function aClient(settings: Partial<FlinkClientSettings> = {}): FlinkClient {
  const client = new FlinkClient({ name: "eu-a", url: fake.url, timeoutMs: 3000, ...settings }, { clock: systemClock });
  clients.push(client);
  return client;
}

async function errorOf(call: Promise<unknown>): Promise<Error> {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof Error)) throw new Error("the call did not fail");
  return error;
}

describe("a cluster that misbehaves", () => {
  it("is unreachable when it refuses connections, and certainly has not got the request", async () => {
    const client = aClient();
    await fake.refuse();
    expect(await errorOf(client.cancelJob(JOB, signal))).toMatchObject({
      name: "FlinkUnreachableError",
      code: "flink-unreachable",
      retry: "next-pass",
      outcome: "not-sent",
      message: `cluster eu-a cannot be reached: connection refused (PATCH /jobs/${JOB}?mode=cancel)`,
      data: { cluster: "eu-a", endpoint: `PATCH /jobs/${JOB}?mode=cancel` },
    });
    await fake.accept();
    expect(await client.cancelJob(JOB, signal)).toBe("not-found");
  });

  it("is unreachable when it does not answer in time; what came of it is unknown", async () => {
    fake.inject(/overview/, { kind: "hang" });
    expect(await errorOf(aClient({ timeoutMs: 50 }).readOverview(signal))).toMatchObject({
      code: "flink-unreachable",
      outcome: "unknown",
      message: expect.stringContaining("no answer within 50ms"),
    });
  });

  it("is asked again once when the connection broke under a read", async () => {
    fake.inject(/overview/, { kind: "drop" }, 1);
    expect(await aClient().readOverview(signal)).toMatchObject({ slotsTotal: 4 });
    fake.inject(/overview/, { kind: "drop" });
    expect(await errorOf(aClient().readOverview(signal))).toBeInstanceOf(FlinkUnreachableError);
    expect(fake.countCalls(/overview/)).toBe(4);
  });

  it("is never asked again for a write: the answer is lost, the work may be done", async () => {
    const client = aClient();
    fake.inject(/^POST/, { kind: "lose-answer" }, 1);
    const stop = { triggerId: TRIGGER, targetDirectory: `${fake.savepointsDir}/x`, drain: false };
    expect(await errorOf(client.stopWithSavepoint(JOB, stop, signal))).toMatchObject({
      code: "flink-unreachable",
      outcome: "unknown",
    });
    expect(fake.countCalls(/^POST/)).toBe(1);
    expect((await client.readSavepointOperation(JOB, TRIGGER, signal)).kind).toBe("failed");
  });

  it("may cut an answer off", async () => {
    fake.inject(/^GET/, { kind: "cut" });
    expect(await errorOf(aClient().readJobManagerConfig(signal))).toMatchObject({
      code: "flink-unreachable",
      outcome: "unknown",
    });
  });

  it("may be a proxy that answers in its own words", async () => {
    fake.inject(/^GET/, { kind: "html", status: 502 });
    const error = await errorOf(aClient().readJobs(signal));
    expect(error).toBeInstanceOf(FlinkAnswerError);
    expect(error.message).toBe(
      'cluster eu-a gave an answer that is not Flink\'s: "500 Internal Server Error" (GET /jobs/overview, status 502)',
    );
  });

  it("may be a proxy that answers 404 for a job: that does not mean that the job is gone", async () => {
    fake.inject(/^GET/, { kind: "html", status: 404 });
    await expect(aClient().readJob(JOB, signal)).rejects.toBeInstanceOf(FlinkAnswerError);
    fake.clearFaults();
    fake.inject(/^GET/, { kind: "answer", answer: { status: 404, body: { errors: ["Not found: /jobs"] } } });
    await expect(aClient().readJob(JOB, signal)).rejects.toBeInstanceOf(FlinkRejectedError);
  });

  it("may send more than can be right", async () => {
    fake.inject(/^GET/, { kind: "oversized" });
    expect((await errorOf(aClient({ timeoutMs: 20_000 }).readJobs(signal))).message).toContain("it is larger than 16 MB");
  });

  it.each<[string, unknown, string]>([
    ["a list instead of an object", [], "the answer is of type array"],
    ["no jobs", {}, "jobs is missing"],
    ["a state that Flink does not have", { jobs: [{ jid: JOB, name: "a", state: "SLEEPING" }] }, 'state is "SLEEPING"'],
    ["a number that is a text", { jobs: [{ jid: JOB, name: "a", state: "RUNNING", "start-time": "1" }] }, 'start-time is "1"'],
  ])("may send %s", async (_, body, because) => {
    fake.inject(/^GET/, { kind: "answer", answer: { status: 200, body } });
    expect((await errorOf(aClient().readJobs(signal))).message).toContain(`not Flink's: ${because} (`);
  });

  it.each<[number, string]>([
    [401, "credentials are missing or wrong"],
    [301, "it redirects to an unreadable URL; write the url that answers by itself"],
    [204, "it is no JSON: it is empty"],
  ])("may answer %d", async (status, because) => {
    const server = createServer((_, response) => response.writeHead(status).end());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    expect((await errorOf(aClient({ url }).readOverview(signal))).message).toContain(because);
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  it("may have no leader at the moment", async () => {
    const text = "Service temporarily unavailable due to an ongoing leader election. Please refresh.";
    fake.inject(/^GET/, { kind: "answer", answer: { status: 503, body: { errors: [text] } } });
    expect(await errorOf(aClient().readJobs(signal))).toMatchObject({ code: "flink-rejected", retry: "next-pass", line: text });
  });

  it("may stop with a savepoint although the job then fails: the savepoint counts", async () => {
    const trace = `org.apache.flink.runtime.scheduler.stopwithsavepoint.StopWithSavepointStoppingException: A savepoint has been created at: file:/s/savepoint-1, but the corresponding job ${JOB} failed during stopping.\n\tat a.B.c(B.java:1)`;
    const operation = { "failure-cause": { class: "x", "stack-trace": trace, "serialized-throwable": "" } };
    fake.inject(/^GET/, { kind: "answer", answer: { status: 200, body: { status: { id: "COMPLETED" }, operation } } });
    expect(await aClient().readSavepointOperation(JOB, TRIGGER, signal)).toMatchObject({
      kind: "failed",
      savedAt: "file:/s/savepoint-1",
    });
  });
});

describe("the caller", () => {
  it("may leave: that is no failure of the cluster", async () => {
    fake.inject(/overview/, { kind: "hang" });
    const leaving = new AbortController();
    const reason = new Error("shutting down");
    const call = errorOf(aClient().readOverview(leaving.signal));
    await fake.untilCalled(/overview/);
    leaving.abort(reason);
    expect(await call).toBe(reason);
  });

  it("is told at once when a cluster was dead just now", async () => {
    let nowMs = Date.parse("2026-11-22T17:00:00Z");
    const client = new FlinkClient(
      { name: "eu-a", url: fake.url, timeoutMs: 3000 },
      { clock: { now: () => nowMs, random: () => 0.5 } },
    );
    clients.push(client);
    await fake.refuse();
    for (let index = 0; index < 3; index += 1) await errorOf(client.readOverview(signal));
    expect(await errorOf(client.readJobs(signal))).toMatchObject({
      outcome: "not-sent",
      message: "cluster eu-a cannot be reached: not tried until 2026-11-22T17:00:01Z: connection refused (GET /jobs/overview)",
    });
    await fake.accept();
    await errorOf(client.readJobs(signal));
    expect(fake.calls).toEqual([]);
    nowMs += 1000;
    expect(await client.readJobs(signal)).toEqual([]);
  });

  it("may have a long main(): that says nothing about the cluster", async () => {
    const client = aClient({ submitTimeoutMs: 30 });
    fake.inject(/run$/, { kind: "hang" });
    const options = {
      flinkVersion: "2.3.0",
      flinkJobId: JOB,
      entryClass: "a.B",
      programArgs: [],
      parallelism: 1,
      flinkConfiguration: {},
    };
    for (let index = 0; index < 4; index += 1) {
      expect((await errorOf(client.runJar("a.jar", options, signal))).message).toContain("no answer within 30ms");
    }
    expect(await client.readJobs(signal)).toEqual([]);
  });

  it("keeps the path of the url, and shows who it is", async () => {
    const url = new URL(`${fake.url.href}flink/eu/`);
    const secrets = {
      headers: new Map([["X-Team", new Secret("streams")]]),
      basic: { username: "ann", password: new Secret("pw") },
    };
    await errorOf(aClient({ url, ...secrets }).readOverview(signal));
    expect(fake.calls[0]).toMatchObject({
      path: "/flink/eu/overview",
      headers: { "x-team": "streams", authorization: `Basic ${btoa("ann:pw")}` },
    });
    await aClient({ bearer: new Secret("t0ken") }).readOverview(signal);
    expect(fake.calls[1]?.headers["authorization"]).toBe("Bearer t0ken");
  });

  it("shows no secret in an error", async () => {
    const url = new URL(fake.url);
    url.username = "ann";
    url.password = "hidden-1";
    const client = aClient({ url, bearer: new Secret("hidden-2") });
    await fake.refuse();
    const error = await errorOf(client.readOverview(signal));
    expect(JSON.stringify([error.message, error.stack, error])).not.toContain("hidden-");
  });
});

describe("an upload", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "penstock-upload-"));
  });
  afterEach(async () => rm(folder, { recursive: true, force: true }));

  it("streams exactly the bytes of the file", async () => {
    const path = join(folder, "big.bin");
    const content = Buffer.alloc(3_000_000, "\r\n--not-the-boundary");
    await writeFile(path, content);
    const id = await aClient().uploadJar({ fileName: "prod-abc.jar", path, size: content.length }, signal);
    expect(id).toMatch(/^[0-9a-f-]{36}_prod-abc\.jar$/);
    expect(fake.jar(id).equals(content)).toBe(true);
  });

  it("fails when the file is not as long as was said", async () => {
    const path = join(folder, "a.bin");
    await writeFile(path, "12345");
    for (const size of [4, 6]) {
      expect((await errorOf(aClient().uploadJar({ fileName: "a.jar", path, size }, signal))).message).toContain(
        "does not have the",
      );
    }
    expect(fake.jarNames).toEqual([]);
  });

  it("takes no name that could break out of its header", async () => {
    const jar = { fileName: 'a".jar', path: join(folder, "a"), size: 1 };
    await expect(aClient().uploadJar(jar, signal)).rejects.toThrow(TypeError);
  });
});
