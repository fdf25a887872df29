import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { canWrite } from "../../src/flink/can-write.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "penstock-can-write-"));
});
afterEach(async () => rm(folder, { recursive: true, force: true }));

function uri(path: string): string {
  return pathToFileURL(join(folder, path)).href;
}

describe("canWrite", () => {
  it("is sure of a directory that is there, and of one that would be made beside others", async () => {
    await mkdir(join(folder, "savepoints"));
    expect(await canWrite(uri("savepoints"))).toEqual({ kind: "yes" });
    expect(await canWrite(uri("savepoints/"))).toEqual({ kind: "yes" });
    expect(await canWrite(uri("not-yet"))).toEqual({ kind: "yes" });
    expect(await canWrite(uri("savepoints/job/trigger"))).toEqual({ kind: "yes" });
    expect(await readdir(join(folder, "savepoints"))).toEqual([]);
  });

  it("says no where nobody can write", async () => {
    await mkdir(join(folder, "closed"));
    await chmod(join(folder, "closed"), 0o555);
    expect(await canWrite(uri("closed"))).toEqual({ kind: "no", because: expect.stringContaining("nobody has the right") });
    expect(await canWrite(uri("closed/job"))).toMatchObject({ kind: "no" });
  });

  it("says no where a file stands in the way", async () => {
    await writeFile(join(folder, "file"), "");
    expect(await canWrite(uri("file"))).toMatchObject({ kind: "no" });
    expect(await canWrite(uri("file/job/trigger"))).toMatchObject({
      kind: "no",
      because: expect.stringContaining("/file is none"),
    });
    expect(await canWrite("file:///dev/null/nope")).toMatchObject({ kind: "no" });
  });

  it.each([
    ["s3://bucket/savepoints", /only Flink itself can tell/],
    ["hdfs://namenode/savepoints", /only Flink itself can tell/],
    ["file:///penstock-not-mounted", /is it mounted/],
    ["file:///penstock-not-mounted/a/b/c/d/e", /is it mounted/],
  ])("cannot tell for %s", async (directory, because) => {
    expect(await canWrite(directory)).toEqual({ kind: "cannot-tell", because: expect.stringMatching(because) });
  });
});
