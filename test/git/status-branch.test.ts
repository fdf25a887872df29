import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { StatusBranch } from "../../src/git/status-branch.ts";
import type { StatusSnapshot } from "../../src/git/status-reader.ts";
import { NEVER, openGitClient } from "../support/git-client.ts";
import { startGitServer, type GitServer } from "../support/git-server.ts";

let server: GitServer;
let count = 0;
const BRANCH = "penstock/status";
const PUSH = { service: "git-receive-pack", step: "call" } as const;

beforeAll(async () => {
  server = await startGitServer();
});
afterEach(() => server.heal());
afterAll(async () => server.close());

async function aRepository() {
  const name = `status-${(count += 1)}`;
  await server.createRepository(name);
  const client = openGitClient(server.urlOf(name));
  return { name, client, status: client.status, [Symbol.asyncDispose]: async () => client.transport.close() };
}

function write(
  status: StatusBranch,
  expectedHead: string | undefined,
  changes: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal = NEVER,
) {
  const author = { name: "Penstock", email: "penstock@localhost" };
  const nowMs = Date.UTC(2026, 0, 1);
  return status.write({ expectedHead, changes: new Map(Object.entries(changes)), message: "status", author, nowMs }, signal);
}

async function mustWrite(...args: Parameters<typeof write>): Promise<StatusSnapshot> {
  const result = await write(...args);
  if (result.kind !== "written") throw new Error(`not written but ${JSON.stringify(result)}`);
  return result.snapshot;
}

function withoutOurs(lines: readonly string[]): readonly string[] {
  return lines.filter((line) => !/deep\/(?:new|fine)\.yaml/.test(line));
}

describe("the status branch", () => {
  it("begins as an orphan with one commit, and grows by one commit a write", async () => {
    await using repository = await aRepository();
    const { name, status } = repository;
    await server.commitFiles(name, "main", { "a.yaml": "1" }, "manifests");
    expect(await status.read(NEVER)).toMatchObject({ head: undefined, files: new Map() });
    const first = await mustWrite(status, undefined, { "summary.yaml": "one\n", "zone/default/job/a.yaml": "A\n" });
    const second = await mustWrite(status, first.head, { "summary.yaml": "two\n", "zone/default/job/a.yaml": undefined });
    expect(second.files).toEqual(new Map([["summary.yaml", "two\n"]]));
    const message = expect.stringMatching(/^status\n\nPenstock-Writer: \S+$/) as string;
    expect(await server.log(name, BRANCH)).toEqual([
      { oid: second.head, message, author: "Penstock <penstock@localhost>" },
      { oid: first.head, message, author: "Penstock <penstock@localhost>" },
    ]);
    expect((await server.listTree(name, BRANCH)).map((line) => line.split("\t")[1])).toEqual(["summary.yaml"]);
    await server.git(name, ["fsck", "--strict"]);
    expect(await status.read(NEVER)).toEqual({ ...second, descends: true });
  });

  it("can be the first commit of an empty repository", async () => {
    await using repository = await aRepository();
    await mustWrite(repository.status, undefined, { "summary.yaml": "one\n" });
    expect(await server.readFile(repository.name, BRANCH, "summary.yaml")).toBe("one\n");
  });

  it("reads with one small question while nobody else writes, and writes with one request", async () => {
    await using repository = await aRepository();
    const { status } = repository;
    const first = await mustWrite(status, undefined, { "summary.yaml": "one\n" });
    await status.read(NEVER);
    server.resetTraffic();
    expect(await status.read(NEVER)).toMatchObject(first);
    expect(server.traffic("git-upload-pack").requests).toBe(1);
    server.resetTraffic();
    await mustWrite(status, first.head, { "summary.yaml": "two\n" });
    expect(server.traffic("git-upload-pack").requests).toBe(0);
    expect(server.traffic("git-receive-pack")).toMatchObject({ requests: 1 });
    expect(server.traffic("git-receive-pack").bytesIn).toBeLessThan(800);
  });

  it("makes no commit of changes that change nothing", async () => {
    await using repository = await aRepository();
    const { name, status } = repository;
    const first = await mustWrite(status, undefined, { "a/b.yaml": "one\n" });
    const again = await mustWrite(status, first.head, { "a/b.yaml": "one\n", "not/there.yaml": undefined });
    expect(again.head).toBe(first.head);
    expect(await server.log(name, BRANCH)).toHaveLength(1);
  });

  it("is read by another daemon, and its changes come back without reading everything again", async () => {
    await using repository = await aRepository();
    const { name, status } = repository;
    await using other = openGitClient(server.urlOf(name));
    const files = Object.fromEntries(
      Array.from({ length: 300 }, (_, index) => [`zone/p/job/j${index}.yaml`, `${index}\n`.repeat(50)]),
    );
    const first = await mustWrite(status, undefined, files);
    expect(await other.status.read(NEVER)).toEqual({ ...first, descends: true });
    const second = await mustWrite(status, first.head, { "zone/p/job/j7.yaml": "seven\n" });
    server.resetTraffic();
    expect(await other.status.read(NEVER)).toEqual({ ...second, descends: true });
    expect(server.traffic("git-upload-pack").bytesOut).toBeLessThan(16_000);
    const third = await mustWrite(other.status, second.head, { "zone/p/job/j8.yaml": "eight\n" });
    expect(await status.read(NEVER)).toEqual({ ...third, descends: true });
  });

  it("stays correct for more than a hundred writes, and for a foreign one after them", async () => {
    await using repository = await aRepository();
    const { name, status } = repository;
    await server.commitFiles(name, BRANCH, { "README.md": "hello" }, "by a person");
    let snapshot: StatusSnapshot = await status.read(NEVER);
    for (let index = 0; index < 105; index += 1) {
      snapshot = await mustWrite(status, snapshot.head, { [`zone/p/job/j${index % 20}.yaml`]: `${index}\n` });
    }
    await server.commitFiles(name, BRANCH, { "README.md": "changed" }, "by a person");
    const after = await status.read(NEVER);
    expect(after.files).toEqual(new Map([...snapshot.files, ["README.md", "changed"]]));
    await server.git(name, ["fsck", "--strict"]);
  }, 60_000);
});

describe("a read after the branch was changed by others", () => {
  it("tells commits on top of ours from a branch that was set back or deleted, until it is written again", async () => {
    await using repository = await aRepository();
    const { name, status } = repository;
    const first = await mustWrite(status, undefined, { "summary.yaml": "one\n" });
    const second = await mustWrite(status, first.head, { "summary.yaml": "two\n" });
    const theirs = await server.commitFiles(name, BRANCH, { "README.md": "hello" }, "by a person");
    expect(await status.read(NEVER)).toMatchObject({ head: theirs, descends: true });
    await server.setBranch(name, BRANCH, second.head!);
    expect(await status.read(NEVER)).toMatchObject({ head: second.head, files: second.files, descends: false });
    await server.deleteBranch(name, BRANCH);
    expect(await status.read(NEVER)).toMatchObject({ head: undefined, descends: false });
    expect(await status.read(NEVER)).toMatchObject({ head: undefined, descends: false });
    const again = await mustWrite(status, undefined, { "summary.yaml": "again\n" });
    expect(await status.read(NEVER)).toEqual({ ...again, descends: true });
  });

  it("says so of another history with the same files", async () => {
    await using repository = await aRepository();
    const { name, status } = repository;
    await mustWrite(status, undefined, { "summary.yaml": "one\n" });
    const other = await server.commitFiles(name, BRANCH, { "summary.yaml": "one\n" }, "restored", { parent: "none" });
    expect(await status.read(NEVER)).toMatchObject({ head: other, descends: false });
  });

  it("knows the commit of a push whose answer it never saw", async () => {
    await using repository = await aRepository();
    const first = await mustWrite(repository.status, undefined, { "summary.yaml": "one\n" });
    server.fault({ kind: "lose-answer" }, PUSH);
    server.fault({ kind: "status", status: 503 }, { service: "git-upload-pack" });
    await expect(write(repository.status, first.head, { "a.yaml": "1" })).rejects.toThrow(/cannot be reached/);
    server.heal();
    const read = await repository.status.read(NEVER);
    expect(read).toMatchObject({ head: await server.head(repository.name, BRANCH), descends: true });
    expect(read.files.get("a.yaml")).toBe("1");
  });
});

describe("a write", () => {
  it("is a conflict when the branch stands elsewhere, and changes nothing", async () => {
    await using repository = await aRepository();
    const { name, status } = repository;
    await using other = openGitClient(server.urlOf(name));
    const first = await mustWrite(status, undefined, { "summary.yaml": "one\n" });
    const theirs = await mustWrite(other.status, first.head, { "summary.yaml": "theirs\n" });
    expect(await write(status, first.head, { "summary.yaml": "ours\n" })).toEqual({ kind: "conflict" });
    expect(await write(status, undefined, { "summary.yaml": "ours\n" })).toEqual({ kind: "conflict" });
    expect(await status.read(NEVER)).toEqual({ ...theirs, descends: true });
    expect(await mustWrite(status, theirs.head, { "summary.yaml": "ours\n" })).toMatchObject({
      files: new Map([["summary.yaml", "ours\n"]]),
    });
  });

  it("is a conflict when somebody pushes in the very moment", async () => {
    await using repository = await aRepository();
    const { name, status } = repository;
    const first = await mustWrite(status, undefined, { "summary.yaml": "one\n" });
    const theirs: string[] = [];
    server.before({ ...PUSH, times: 1 }, async () => {
      theirs.push(await server.commitFiles(name, BRANCH, { "summary.yaml": "theirs\n" }, "quick"));
    });
    expect(await write(status, first.head, { "summary.yaml": "ours\n" })).toEqual({ kind: "conflict" });
    expect(await server.head(name, BRANCH)).toBe(theirs[0]);
  });

  it("is a conflict when two daemons begin the branch at once", async () => {
    await using repository = await aRepository();
    await using other = openGitClient(server.urlOf(repository.name));
    const results = await Promise.all([
      write(repository.status, undefined, { "summary.yaml": "one\n" }),
      write(other.status, undefined, { "summary.yaml": "two\n" }),
    ]);
    expect(results.map(({ kind }) => kind).toSorted()).toEqual(["conflict", "written"]);
    expect(await server.log(repository.name, BRANCH)).toHaveLength(1);
  });

  it("is a conflict when two daemons write the same at once, from the first commit on", async () => {
    await using repository = await aRepository();
    await using other = openGitClient(server.urlOf(repository.name));
    let head: string | undefined;
    for (const text of ["one\n", "two\n", "three\n"]) {
      const both = [repository.status, other.status].map(async (status) => write(status, head, { "summary.yaml": text }));
      const results = await Promise.all(both);
      expect(results.map(({ kind }) => kind).toSorted()).toEqual(["conflict", "written"]);
      head = await server.head(repository.name, BRANCH);
    }
    expect(await server.log(repository.name, BRANCH)).toHaveLength(3);
  });

  it("is a conflict when the branch was deleted", async () => {
    await using repository = await aRepository();
    const first = await mustWrite(repository.status, undefined, { "summary.yaml": "one\n" });
    await server.deleteBranch(repository.name, BRANCH);
    expect(await write(repository.status, first.head, { "summary.yaml": "two\n" })).toEqual({ kind: "conflict" });
    expect(await repository.status.read(NEVER)).toMatchObject({ head: undefined, files: new Map() });
  });

  it("is a conflict for a head that nobody has", async () => {
    await using repository = await aRepository();
    await server.commitFiles(repository.name, BRANCH, { "a.yaml": "1" }, "there");
    expect(await write(repository.status, "3".repeat(40), { "a.yaml": "2" })).toEqual({ kind: "conflict" });
  });

  it("lets exactly one of two writes at the same time win", async () => {
    await using repository = await aRepository();
    const { status } = repository;
    const first = await mustWrite(status, undefined, { "summary.yaml": "one\n" });
    const results = await Promise.all([
      write(status, first.head, { "a.yaml": "1" }),
      write(status, first.head, { "b.yaml": "1" }),
    ]);
    expect(results.map(({ kind }) => kind)).toEqual(["written", "conflict"]);
  });

  it.each([
    ["pre-receive", "echo 'status is frozen'; echo 'ask ops' >&2; exit 1", /pre-receive hook declined: .*status is frozen/],
    ["update", "echo 'no pushes to' $1; exit 1", /hook declined: no pushes to refs\/heads\/penstock\/status/],
  ])("that the %s hook declines is refused with the hook's text", async (hook, script, because) => {
    await using repository = await aRepository();
    const { name, status } = repository;
    await server.installHook(name, hook, script);
    const result = await write(status, undefined, { "summary.yaml": "one\n" });
    expect(result).toEqual({ kind: "refused", because: expect.stringMatching(because) });
    expect(JSON.stringify(result)).not.toContain("\\n");
    await server.installHook(name, hook, "");
    await mustWrite(status, undefined, { "summary.yaml": "one\n" });
  });

  it("without the right to push is refused", async () => {
    await using repository = await aRepository();
    await server.git(repository.name, ["config", "http.receivepack", "false"]);
    expect(await write(repository.status, undefined, { "a.yaml": "1" })).toEqual({
      kind: "refused",
      because: expect.stringContaining("403"),
    });
  });

  it("whose connection breaks before the server has done it fails, and can be repeated", async () => {
    await using repository = await aRepository();
    const { status } = repository;
    const first = await mustWrite(status, undefined, { "summary.yaml": "one\n" });
    server.fault({ kind: "status", status: 502 }, PUSH);
    await expect(write(status, first.head, { "summary.yaml": "two\n" })).rejects.toMatchObject({ code: "git-unreachable" });
    server.heal();
    await mustWrite(status, first.head, { "summary.yaml": "two\n" });
  });

  it("on a connection that the server had given up is sent again, after a look", async () => {
    await using repository = await aRepository();
    const { name, status } = repository;
    const first = await mustWrite(status, undefined, { "summary.yaml": "one\n" });
    server.fault({ kind: "drop" }, { ...PUSH, times: 1 });
    await mustWrite(status, first.head, { "summary.yaml": "two\n" });
    expect(await server.log(name, BRANCH)).toHaveLength(2);
  });

  it("whose answer never comes is found to be done", async () => {
    await using repository = await aRepository();
    await using hasty = openGitClient(server.urlOf(repository.name), { timeoutMs: 400 });
    server.fault({ kind: "hang", afterDoing: true }, PUSH);
    expect(await write(hasty.status, undefined, { "summary.yaml": "one\n" })).toMatchObject({ kind: "written" });
  });

  it("throws the first error when the branch cannot be looked at either", async () => {
    await using repository = await aRepository();
    server.fault({ kind: "lose-answer" }, PUSH);
    server.fault({ kind: "status", status: 503 }, { service: "git-upload-pack" });
    await expect(write(repository.status, undefined, { "a.yaml": "1" })).rejects.toThrow(/cannot be reached/);
    server.heal();
    expect((await repository.status.read(NEVER)).files).toEqual(new Map([["a.yaml", "1"]]));
  });

  it("ends at once when it is aborted, and the next read knows what became of it", async () => {
    await using repository = await aRepository();
    const leaving = new AbortController();
    server.before(PUSH, async () => leaving.abort());
    const aborted = write(repository.status, undefined, { "a.yaml": "1" }, leaving.signal);
    await expect(aborted).rejects.toMatchObject({ name: "AbortError" });
    const { head } = await repository.status.read(NEVER);
    expect(head).toBe(await server.head(repository.name, BRANCH));
  });

  it("refuses to make a path that no checkout could hold", async () => {
    await using repository = await aRepository();
    for (const path of ["../a", "a//b", "/a", ".git/config", "a\\b", "a/", ""]) {
      await expect(write(repository.status, undefined, { [path]: "1" })).rejects.toThrow(TypeError);
    }
  });
});

describe("what others put into the branch", () => {
  it("is left as it is, byte for byte, whatever its name, mode and content", async () => {
    await using repository = await aRepository();
    const { name, status } = repository;
    const odd = {
      "caf\u00e9.txt": "latin1 name",
      "back\\slash": "1",
      "deep/git~1": "2",
      "deep/binary.yaml": Buffer.from([0xff, 0xfe, 0x00]),
      "deep/link": { symlink: "../../etc/passwd" },
      "deep/module": { submodule: "4".repeat(40) },
      "deep/run.sh": { executable: "#!/bin/sh" },
      "deep/fine.yaml": "fine",
      "deep-er": "sorts between",
      "deep.er": "and here",
    };
    const head = await server.commitFiles(name, BRANCH, odd, "odd things", { pathEncoding: "latin1" });
    const before = await server.listTree(name, BRANCH);
    const snapshot = await status.read(NEVER);
    expect([...snapshot.files.keys()].toSorted()).toEqual(["deep-er", "deep.er", "deep/fine.yaml", "deep/run.sh"]);
    expect(Object.fromEntries(snapshot.unreadable)).toEqual({
      "deep/binary.yaml": "it is not UTF-8",
      "deep/link": "it is a symlink",
      "deep/module": "it is a submodule",
    });
    const written = await mustWrite(status, head, { "deep/new.yaml": "new", "deep/fine.yaml": "finer" });
    expect(written.unreadable).toEqual(snapshot.unreadable);
    const after = await server.listTree(name, BRANCH);
    expect(withoutOurs(after)).toEqual(withoutOurs(before));
    expect(after).toHaveLength(before.length + 1);
    expect(await server.readFile(name, BRANCH, "deep/fine.yaml")).toBe("finer");

    const { unreadable } = await mustWrite(status, written.head, { "deep/link": "plain", "deep/module/a": "1" });
    expect([...unreadable.keys()]).toEqual(["deep/binary.yaml"]);
  });

  it("gives way where a folder stands for a file and the other way round", async () => {
    await using repository = await aRepository();
    const { name, status } = repository;
    const head = await server.commitFiles(name, BRANCH, { "a/b": "in the way", "summary.yaml/x": "too" }, "in the way");
    const { files } = await mustWrite(status, head, { "a/b/c.yaml": "1", "summary.yaml": "2" });
    expect((await server.listTree(name, BRANCH)).map((line) => line.split("\t")[1])).toEqual(["a/b/c.yaml", "summary.yaml"]);
    expect([...files.keys()].toSorted()).toEqual(["a/b/c.yaml", "summary.yaml"]);
  });

  it("may delete everything", async () => {
    await using repository = await aRepository();
    const first = await mustWrite(repository.status, undefined, { "a/b.yaml": "1" });
    const second = await mustWrite(repository.status, first.head, { "a/b.yaml": undefined });
    expect(second.files.size).toBe(0);
    expect(await server.listTree(repository.name, BRANCH)).toEqual([]);
    await mustWrite(repository.status, second.head, { "a/b.yaml": "2" });
  });
});
