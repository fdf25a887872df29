import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type LocalMavenRepository, serveLocalMavenRepository } from "./maven.ts";

let root: string;
let repository: LocalMavenRepository;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "penstock-m2-"));
  await mkdir(join(root, "org/demo/app/1.0"), { recursive: true });
  await writeFile(join(root, "org/demo/app/1.0/app-1.0.jar"), "0123456789");
  await writeFile(join(root, "../penstock-outside"), "secret");
  repository = await serveLocalMavenRepository({ root });
});

afterEach(async () => {
  await repository.close();
  await rm(root, { recursive: true, force: true });
  await rm(join(root, "../penstock-outside"), { force: true });
});

async function get(path: string, init: RequestInit = {}): Promise<readonly [number, string]> {
  const response = await fetch(new URL(path, repository.url), init);
  return [response.status, await response.text()];
}

const JAR = "org/demo/app/1.0/app-1.0.jar";

describe("serveLocalMavenRepository", () => {
  it("serves files, their checksums and parts of them", async () => {
    expect(await get(JAR)).toEqual([200, "0123456789"]);
    expect(await get(`${JAR}.sha1`)).toEqual([200, createHash("sha1").update("0123456789").digest("hex")]);
    expect(await get(JAR, { headers: { range: "bytes=2-4" } })).toEqual([206, "234"]);
    expect(await get(JAR, { headers: { range: "bytes=7-" } })).toEqual([206, "789"]);
    expect((await get(JAR, { headers: { range: "bytes=10-" } }))[0]).toBe(416);
    expect(await get(JAR, { method: "HEAD" })).toEqual([200, ""]);
    expect(repository.requests[0]).toBe(`/maven2/${JAR}`);
  });

  it.each([
    ["org/demo/app/1.0/app-2.0.jar"],
    ["org/demo/app/1.0"],
    ["org/nothing.sha1"],
    ["..%2fpenstock-outside"],
    ["%2fetc%2fpasswd"],
  ])("has no %s", async (path) => {
    expect(await get(path)).toEqual([404, ""]);
  });

  it("asks for a name and a password when it is told to", async () => {
    const guarded = await serveLocalMavenRepository({ root, basic: { username: "ann", password: "pw" } });
    expect((await fetch(new URL(JAR, guarded.url))).status).toBe(401);
    expect((await fetch(new URL(JAR, guarded.url), { headers: { authorization: `Basic ${btoa("ann:pw")}` } })).status).toBe(200);
    await guarded.close();
  });
});
