import { describe, expect, it, onTestFinished } from "vitest";
import { Secret } from "../../src/common/secrets.ts";
import type { S3Config } from "../../src/config/config.ts";
import { findSavepoint, listRestorePoints } from "../../src/flink/restore-directories.ts";
import { S3Folders } from "../../src/flink/s3-folders.ts";
import { stopJob } from "../../src/flink/stop-job.ts";
import { BUCKET, type FakeS3, startFakeS3 } from "../support/fake-s3.ts";
import { aCluster, NEVER } from "./cluster-harness.ts";

const OURS = "abcdef";
const FIRST = `${OURS}${"0".repeat(25)}1`;
const SECOND = `${OURS}${"0".repeat(25)}2`;
const FOREIGN = "0".repeat(32);
const TRIGGER = "d".repeat(32);
const ROOT = `s3://${BUCKET}/flink/checkpoints`;

interface Setup {
  readonly fake: FakeS3;
  readonly folders: S3Folders;
  /** An object below the root, written so many seconds after 1970. */
  readonly written: (path: string, second: number, size?: number) => void;
}

async function setup(config: Partial<S3Config> = {}, pageSize?: number): Promise<Setup> {
  const fake = await startFakeS3(pageSize === undefined ? {} : { pageSize });
  onTestFinished(async () => fake.close());
  const credentials = { accessKeyId: new Secret("reader"), secretAccessKey: new Secret("hunter2") };
  const folders = new S3Folders({
    endpoint: fake.endpoint,
    region: "eu-west-1",
    pathStyle: true,
    credentials,
    tls: {},
    ...config,
  });
  onTestFinished(async () => folders.close());
  const written = (path: string, second: number, size = 9): void =>
    void fake.objects.set(`flink/checkpoints/${path}`, { size, writtenAtMs: second * 1000 });
  return { fake, folders, written };
}

describe("restore points on S3", () => {
  it.each(["s3", "s3a", "s3p"])("are found by %s://, complete ones only", async (scheme) => {
    const { folders, written } = await setup();
    written(`${SECOND}/chk-12/_metadata`, 40);
    written(`${SECOND}/chk-12/0d0a-state`, 39);
    written(`${SECOND}/chk-13/0d0a-state`, 50);
    written(`${SECOND}/shared/0d0a-state`, 30);
    written(`${FIRST}/chk-9/_metadata`, 20);
    written(`${FIRST}/chk-10/_metadata`, 20, 0);
    written(`${FIRST}/${TRIGGER}/savepoint-abcdef-0123456789ab/_metadata`, 30);
    written(`${FOREIGN}/chk-1/_metadata`, 50);
    const root = ROOT.replace("s3:", `${scheme}:`);
    expect(await listRestorePoints(`${root}/`, OURS, NEVER, folders)).toEqual({
      kind: "listed",
      flinkJobIds: [FIRST, SECOND],
      entries: [
        { kind: "Checkpoint", flinkJobId: FIRST, number: 9, uri: `${root}/${FIRST}/chk-9`, writtenAtMs: 20_000 },
        {
          kind: "Savepoint",
          flinkJobId: FIRST,
          triggerId: TRIGGER,
          uri: `${root}/${FIRST}/${TRIGGER}/savepoint-abcdef-0123456789ab`,
          writtenAtMs: 30_000,
        },
        { kind: "Checkpoint", flinkJobId: SECOND, number: 12, uri: `${root}/${SECOND}/chk-12`, writtenAtMs: 40_000 },
      ],
    });
  });

  it("are none where nothing was written yet", async () => {
    const { folders } = await setup();
    expect(await listRestorePoints(ROOT, OURS, NEVER, folders)).toEqual({ kind: "listed", flinkJobIds: [], entries: [] });
    expect(await findSavepoint(`${ROOT}/${FIRST}/${TRIGGER}`, NEVER, folders)).toEqual({ kind: "none" });
  });

  it("are found in the root of a bucket", async () => {
    const { fake, folders } = await setup();
    fake.objects.set(`${FIRST}/chk-1/_metadata`, { size: 1, writtenAtMs: 1000 });
    expect(await listRestorePoints(`s3://${BUCKET}`, OURS, NEVER, folders)).toMatchObject({ flinkJobIds: [FIRST] });
  });

  it("are read page by page, and only of the jobs that are asked about", async () => {
    const { fake, folders, written } = await setup({}, 2);
    for (let number = 1; number <= 5; number += 1) written(`${FIRST}/chk-${number}/_metadata`, number);
    written(`${FOREIGN}/chk-1/_metadata`, 1);
    const listed = await listRestorePoints(ROOT, FIRST, NEVER, folders);
    expect(listed).toMatchObject({ entries: [1, 2, 3, 4, 5].map((number) => ({ number })) });
    expect(fake.calls.join()).not.toContain(FOREIGN);
    expect(fake.calls.filter((call) => call.includes("continuation-token"))).toHaveLength(2);
  });

  it("hold the savepoint of an operation, wherever Flink put it below the announced directory", async () => {
    const { folders, written } = await setup();
    written(`${FIRST}/${TRIGGER}/savepoint-abcdef-1/_metadata`, 30);
    written(`${FIRST}/${TRIGGER}/savepoint-abcdef-1/data`, 31);
    expect(await findSavepoint(`${ROOT}/${FIRST}/${TRIGGER}`, NEVER, folders)).toEqual({
      kind: "saved",
      uri: `${ROOT}/${FIRST}/${TRIGGER}/savepoint-abcdef-1`,
      writtenAtMs: 30_000,
    });
  });

  it.each([
    [403, "AccessDenied", "Access Denied"],
    [404, "NoSuchBucket", "The specified bucket does not exist"],
  ])("cannot be told when S3 answers %i %s", async (status, code, message) => {
    const { fake, folders } = await setup();
    fake.fail(status, code, message);
    const because = expect.stringContaining(message);
    expect(await listRestorePoints(ROOT, OURS, NEVER, folders)).toEqual({ kind: "cannot-list", because });
    expect(await findSavepoint(`${ROOT}/${FIRST}/${TRIGGER}`, NEVER, folders)).toEqual({ kind: "cannot-tell", because });
  });

  it("cannot be told with a wrong key, whose secret is nowhere repeated", async () => {
    const credentials = { accessKeyId: new Secret("stranger"), secretAccessKey: new Secret("hunter2") };
    const { folders } = await setup({ credentials });
    const listed = await listRestorePoints(ROOT, OURS, NEVER, folders);
    expect(listed).toMatchObject({ kind: "cannot-list", because: expect.stringContaining("Access Denied") });
    expect(JSON.stringify(listed)).not.toMatch(/stranger|hunter2/);
  });

  it("cannot be told when nobody answers, or without the option s3", async () => {
    const { fake, folders } = await setup();
    await fake.close();
    expect(await listRestorePoints(ROOT, OURS, NEVER, folders)).toMatchObject({ kind: "cannot-list" });
    expect(await listRestorePoints(ROOT, OURS, NEVER)).toEqual({
      kind: "cannot-list",
      because: `${ROOT} cannot be listed without the option s3 of its cluster in the daemon's configuration`,
    });
  });

  it("are what a cluster goes by whose directories lie there", async () => {
    const { folders, written } = await setup();
    const { fake, cluster, start } = await aCluster({ savepointsDir: ROOT, s3: folders });
    const id = await start(1);
    fake.completeCheckpoint(id);
    written(`${id}/${TRIGGER}/savepoint-abcdef-1/_metadata`, 4_000_000_000);
    expect(await cluster.readRestorePoints(id, NEVER)).toMatchObject({
      entries: [{ kind: "Checkpoint" }, { kind: "Savepoint", uri: `${ROOT}/${id}/${TRIGGER}/savepoint-abcdef-1` }],
    });
    const targetDirectory = `${ROOT}/${id}/${TRIGGER}`;
    fake.setJobState(id, "FINISHED");
    fake.restart();
    const request = { flinkJobId: id, triggerId: TRIGGER, targetDirectory, drain: false, timeoutMs: 10_000 };
    expect(await stopJob(cluster, request, NEVER)).toEqual({ kind: "stopped", uri: `${targetDirectory}/savepoint-abcdef-1` });
  });

  it("are left with the signal", async () => {
    const { folders } = await setup();
    const left = new Error("left");
    await expect(listRestorePoints(ROOT, OURS, AbortSignal.abort(left), folders)).rejects.toBe(left);
  });
});
