import { mkdir, mkdtemp, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { listRestorePoints, newestRestorePoint, type RestorePointEntry } from "../../src/flink/restore-directories.ts";

const OURS = "abcdef";
const FIRST = `${OURS}${"0".repeat(25)}1`;
const SECOND = `${OURS}${"0".repeat(25)}2`;
const FOREIGN = "0".repeat(32);
const TRIGGER = "d".repeat(32);
const signal = new AbortController().signal;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "penstock-restore-"));
});
afterEach(async () => rm(folder, { recursive: true, force: true }));

/** A file under `points` as Flink would leave it; the seconds are its age in the order of writing. */
async function written(path: string, second: number, content = "metadata"): Promise<void> {
  const file = join(folder, "points", path);
  await mkdir(join(file, ".."), { recursive: true });
  await writeFile(file, content);
  await utimes(file, second, second);
}

function uri(path = ""): string {
  return pathToFileURL(join(folder, "points", path)).href;
}

describe("listRestorePoints", () => {
  it("finds complete checkpoints and savepoints of ours, by job and age", async () => {
    await written(`${SECOND}/chk-12/_metadata`, 40);
    await written(`${FIRST}/chk-9/_metadata`, 20);
    await written(`${FIRST}/chk-10/_metadata`, 30);
    await written(`${FIRST}/${TRIGGER}/savepoint-abcdef-0123456789ab/_metadata`, 10);
    await written(`${FOREIGN}/chk-1/_metadata`, 50);
    expect(await listRestorePoints(uri(), OURS, signal)).toEqual({
      kind: "listed",
      flinkJobIds: [FIRST, SECOND],
      entries: [
        {
          kind: "Savepoint",
          flinkJobId: FIRST,
          triggerId: TRIGGER,
          uri: uri(`${FIRST}/${TRIGGER}/savepoint-abcdef-0123456789ab`),
          writtenAtMs: 10_000,
        },
        { kind: "Checkpoint", flinkJobId: FIRST, number: 9, uri: uri(`${FIRST}/chk-9`), writtenAtMs: 20_000 },
        { kind: "Checkpoint", flinkJobId: FIRST, number: 10, uri: uri(`${FIRST}/chk-10`), writtenAtMs: 30_000 },
        { kind: "Checkpoint", flinkJobId: SECOND, number: 12, uri: uri(`${SECOND}/chk-12`), writtenAtMs: 40_000 },
      ],
    });
  });

  it("finds a savepoint that lies directly under its trigger, and follows links", async () => {
    await written(`elsewhere/_metadata`, 10);
    await mkdir(join(folder, "points", FIRST));
    await symlink(join(folder, "points/elsewhere"), join(folder, "points", FIRST, TRIGGER));
    const found = await listRestorePoints(uri(), OURS, signal);
    expect(found).toMatchObject({ entries: [{ kind: "Savepoint", uri: uri(`${FIRST}/${TRIGGER}`) }] });
  });

  it("names jobs without any, and passes over what is incomplete or no restore point", async () => {
    await written(`${FIRST}/chk-1/data`, 10);
    await written(`${FIRST}/chk-2/_metadata`, 10, "");
    await written(`${FIRST}/shared/_metadata`, 10);
    await written(`${FIRST}/${TRIGGER}/other/_metadata`, 10);
    await written(`${FIRST}/${TRIGGER}/savepoint-abcdef-1/data`, 10);
    await written(`${OURS}-not-an-id/chk-1/_metadata`, 10);
    expect(await listRestorePoints(uri(), OURS, signal)).toEqual({ kind: "listed", flinkJobIds: [FIRST], entries: [] });
  });

  it("lists one job when its whole id is the prefix", async () => {
    await written(`${FIRST}/chk-1/_metadata`, 10);
    await written(`${SECOND}/chk-1/_metadata`, 10);
    expect(await listRestorePoints(uri(), SECOND, signal)).toMatchObject({
      flinkJobIds: [SECOND],
      entries: [{ flinkJobId: SECOND }],
    });
  });

  it("reads both ways to write a file URI, and names with blanks and percents", async () => {
    await written(`a b%20c/${FIRST}/chk-1/_metadata`, 10);
    const plain = join(folder, "points/a b%20c");
    for (const directory of [`file:${plain}`, `file://${plain}/`]) {
      expect(await listRestorePoints(directory, OURS, signal)).toMatchObject({ flinkJobIds: [FIRST] });
    }
  });

  it("takes a directory that nobody has made yet for empty", async () => {
    expect(await listRestorePoints(uri("not-yet"), OURS, signal)).toMatchObject({ kind: "cannot-list" });
    await mkdir(join(folder, "points"));
    expect(await listRestorePoints(uri("not-yet"), OURS, signal)).toEqual({ kind: "listed", flinkJobIds: [], entries: [] });
  });

  it.each([
    ["s3://bucket/checkpoints", /cannot be listed without the option s3/],
    ["hdfs://host/checkpoints", /is neither a file:\/\/ nor an s3:\/\/ directory/],
    ["/checkpoints", /is neither a file:\/\/ nor an s3:\/\/ directory/],
    ["file://host/checkpoints", /is neither a file:\/\/ nor an s3:\/\/ directory/],
    ["file:///penstock-not-mounted", /is not there as seen from here/],
    ["file:///penstock-not-mounted/checkpoints", /is not there as seen from here/],
  ])("cannot list %s, which is not the same as empty", async (directory, because) => {
    expect(await listRestorePoints(directory, OURS, signal)).toEqual({
      kind: "cannot-list",
      because: expect.stringMatching(because),
    });
  });

  it("leaves with the signal", async () => {
    const left = new Error("left");
    await expect(listRestorePoints(uri(), OURS, AbortSignal.abort(left))).rejects.toBe(left);
  });
});

function checkpoint(flinkJobId: string, number: number, writtenAtMs: number): RestorePointEntry {
  return { kind: "Checkpoint", flinkJobId, number, uri: `file:/c/${flinkJobId}/chk-${number}`, writtenAtMs };
}

function savepoint(flinkJobId: string, writtenAtMs: number): RestorePointEntry {
  return { kind: "Savepoint", flinkJobId, triggerId: TRIGGER, uri: `file:/s/${flinkJobId}`, writtenAtMs };
}

describe("newestRestorePoint", () => {
  it.each([
    ["nothing", [], undefined],
    ["the later of both kinds", [checkpoint(FIRST, 7, 30), savepoint(FIRST, 20)], 0],
    ["the later of both kinds the other way round", [savepoint(FIRST, 40), checkpoint(FIRST, 7, 30)], 0],
    ["the higher number, whatever the clock says", [checkpoint(FIRST, 9, 20), checkpoint(FIRST, 10, 10)], 1],
    ["the higher attempt, however old", [checkpoint(SECOND, 1, 10), savepoint(FIRST, 90)], 0],
  ] as const)("is %s", (_, entries, index) => {
    expect(newestRestorePoint(entries)).toBe(index === undefined ? undefined : entries[index]);
  });
});
