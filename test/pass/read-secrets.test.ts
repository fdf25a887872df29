import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { sha256Hex } from "../../src/common/hash.ts";
import { Redactor } from "../../src/common/redactor.ts";
import { SecretReader, type SecretSeen } from "../../src/pass/read-secrets.ts";

function textOf(seen: SecretSeen | undefined): string | undefined {
  if (seen === undefined || seen.kind === "assumed") return undefined;
  return seen.kind === "read" ? seen.value.reveal() : seen.because;
}

describe("SecretReader", () => {
  let dir: string;
  let redactor: Redactor;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "penstock-secrets-"));
    redactor = new Redactor();
    await mkdir(join(dir, "default"));
  });

  afterEach(async () => rm(dir, { recursive: true, force: true }));

  async function see(name: string, project = "default"): Promise<SecretSeen | undefined> {
    const reader = new SecretReader(dir, redactor);
    return (await reader.read([{ project, name }], AbortSignal.timeout(10_000))).get(`${project}/${name}`);
  }

  it.each([
    ["the line break at its end", "sesame\n", "sesame"],
    ["a line break of Windows", "sesame\r\n", "sesame"],
    ["only the last of two", "sesame\n\n", "sesame\n"],
    ["no other space", " sesame ", " sesame "],
  ])("reads a file without %s", async (_, content, expected) => {
    await writeFile(join(dir, "default/db"), content);
    const seen = await see("db");
    expect(textOf(seen)).toBe(expected);
    expect(seen).toMatchObject({ digest: sha256Hex(expected).slice(0, 8) });
  });

  it("tells the redactor before anybody has the secret", async () => {
    await writeFile(join(dir, "default/db"), "sesame-open\n");
    await see("db");
    expect(redactor.redact("it was sesame-open")).toBe("it was [secret]");
  });

  it("follows a mounted folder whose files are links into one that is swapped as a whole", async () => {
    const project = join(dir, "default");
    await mkdir(join(project, "..2026_1"));
    await writeFile(join(project, "..2026_1/db"), "first");
    await symlink("..2026_1", join(project, "..data"));
    await symlink("..data/db", join(project, "db"));
    expect(textOf(await see("db"))).toBe("first");
    await mkdir(join(project, "..2026_2"));
    await writeFile(join(project, "..2026_2/db"), "second");
    await symlink("..2026_2", join(project, "..data_tmp"));
    await rename(join(project, "..data_tmp"), join(project, "..data"));
    expect(textOf(await see("db"))).toBe("second");
  });

  it.each([
    ["db", undefined, "file default/db of secrets.dir does not exist"],
    ["db", "", "file default/db of secrets.dir is empty"],
    ["db", "\n", "file default/db of secrets.dir is empty"],
    ["db", "x".repeat(65 * 1024), "file default/db of secrets.dir is larger than 64 kB"],
    ["db", Buffer.from([0xff, 0xfe]), "file default/db of secrets.dir is not UTF-8 text"],
    ["db", "a\0b", "file default/db of secrets.dir is not UTF-8 text"],
  ])("says why %s cannot be had", async (name, content, because) => {
    if (content !== undefined) await writeFile(join(dir, "default", name), content);
    expect(await see(name)).toEqual({ kind: "missing", because });
  });

  it("says that a folder is none, and that another project's is none of this one's", async () => {
    await mkdir(join(dir, "default/db"));
    expect(textOf(await see("db"))).toBe("file default/db of secrets.dir is a folder, not a file");
    await writeFile(join(dir, "default/token"), "x");
    expect(textOf(await see("token", "other"))).toBe("file other/token of secrets.dir does not exist");
  });

  it("names the option that is missing", async () => {
    const reader = new SecretReader(undefined, redactor);
    const seen = await reader.read([{ project: "default", name: "db" }], AbortSignal.timeout(10_000));
    expect(seen.get("default/db")).toEqual({ kind: "missing", because: "the daemon's configuration names no secrets.dir" });
  });
});
