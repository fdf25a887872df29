import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TreeFile } from "../../src/git/read-files.ts";
import { NEVER, openGitClient, type GitClient } from "../support/git-client.ts";
import { startGitServer, type GitServer } from "../support/git-server.ts";

let server: GitServer;
let count = 0;

beforeAll(async () => {
  server = await startGitServer();
});
afterAll(async () => server.close());

/** A fresh repository with its client. */
async function aRepository(options: Parameters<GitServer["createRepository"]>[1] = {}) {
  const name = `jobs-${(count += 1)}`;
  await server.createRepository(name, options);
  const client = openGitClient(server.urlOf(name));
  return { name, client, manifests: client.manifests, [Symbol.asyncDispose]: async () => client.transport.close() };
}

async function readText(client: GitClient, files: readonly TreeFile[], path: string): Promise<string> {
  const file = files.find((each) => each.path === path);
  const blob = await client.manifests.readBlob(file!.blob, 1024 ** 2, NEVER);
  if (blob.kind === "too-large") throw new Error(`${path} is too large`);
  return Buffer.from(blob.content).toString();
}

describe("isBehind", () => {
  it("finds a commit in history that was not fetched before, and none that the branch does not have", async () => {
    await using repository = await aRepository();
    const { name, manifests } = repository;
    const first = await server.commitFiles(name, "main", { "a.yaml": "1" }, "first");
    for (let number = 2; number < 6; number += 1) await server.commitFiles(name, "main", { "a.yaml": `${number}` }, "more");
    const head = await server.commitFiles(name, "main", { "a.yaml": "9" }, "last");
    const other = await server.commitFiles(name, "other", { "b.yaml": "1" }, "elsewhere", { parent: first });
    expect(await manifests.isBehind(head, head, 500, NEVER)).toBe("yes");
    expect(await manifests.isBehind(first, head, 2, NEVER)).toBe("cannot-tell");
    expect(await manifests.isBehind(first, head, 500, NEVER)).toBe("yes");
    expect(await manifests.isBehind(other, head, 500, NEVER)).toBe("no");
    expect(await manifests.isBehind(head, first, 500, NEVER)).toBe("no");
  });
});

describe("readHead", () => {
  it("finds the branch and not one whose name begins alike", async () => {
    await using repository = await aRepository();
    const { name, manifests } = repository;
    await server.commitFiles(name, "main2", { "a.yaml": "2" }, "elsewhere");
    expect(await manifests.readHead(NEVER)).toEqual({ kind: "branch-missing", otherBranches: 1 });
    const oid = await server.commitFiles(name, "main", { "a.yaml": "1" }, "first");
    expect(await manifests.readHead(NEVER)).toEqual({ kind: "at", oid });
  });

  it("tells an empty repository from a missing branch", async () => {
    await using repository = await aRepository();
    expect(await repository.manifests.readHead(NEVER)).toEqual({ kind: "empty" });
  });

  it("says that a branch was deleted, the only one too", async () => {
    await using repository = await aRepository();
    const { name, manifests } = repository;
    await server.commitFiles(name, "main", { "a.yaml": "1" }, "first");
    await server.deleteBranch(name, "main");
    expect(await manifests.readHead(NEVER)).toEqual({ kind: "empty" });
  });

  it("asks one small question while nothing changes", async () => {
    await using repository = await aRepository();
    const { name, manifests } = repository;
    await server.commitFiles(name, "main", { "a.yaml": "1" }, "first");
    await manifests.readHead(NEVER);
    server.resetTraffic();
    await manifests.readHead(NEVER);
    expect(server.traffic("git-upload-pack")).toMatchObject({ requests: 1 });
    expect(server.traffic("git-upload-pack").bytesOut).toBeLessThan(100);
  });

  it("says that a SHA-256 repository is not supported, empty or not", async () => {
    await using repository = await aRepository({ objectFormat: "sha256" });
    const { name, manifests } = repository;
    await expect(manifests.readHead(NEVER)).rejects.toMatchObject({ code: "git-unsupported", retry: "after-input-changes" });
    await server.commitFiles(name, "main", { "a.yaml": "1" }, "first");
    await expect(manifests.readHead(NEVER)).rejects.toThrow(/SHA-256/);
  });
});

describe("a server that knows only version 1 of the protocol", () => {
  it("is read and written like any other", async () => {
    const old = await startGitServer({ onlyVersion1: true });
    await using client = openGitClient(old.urlOf("jobs"));
    try {
      await old.createRepository("jobs");
      expect(await client.manifests.readHead(NEVER)).toEqual({ kind: "empty" });
      const oid = await old.commitFiles("jobs", "main", { "a.yaml": "1" }, "first");
      expect(await client.manifests.readHead(NEVER)).toEqual({ kind: "at", oid });
      expect((await client.manifests.readCommit(oid, NEVER)).files).toHaveLength(1);
      const status = { changes: new Map([["b.yaml", "1"]]), message: "status", author: { name: "P", email: "p@l" }, nowMs: 0 };
      expect(await client.status.write({ expectedHead: undefined, ...status }, NEVER)).toMatchObject({ kind: "written" });
      expect(await old.readFile("jobs", "penstock/status", "b.yaml")).toBe("1");
      await old.deleteBranch("jobs", "main");
      expect(await client.manifests.readHead(NEVER)).toEqual({ kind: "branch-missing", otherBranches: 1 });
    } finally {
      await old.close();
    }
  });
});

describe("readCommit", () => {
  it("reads message, parents, time and files", async () => {
    await using repository = await aRepository();
    const { name, client, manifests } = repository;
    const first = await server.commitFiles(name, "main", { "a.yaml": "1" }, "first");
    const second = await server.commitFiles(name, "main", { "sub/b.yml": "two", "ä €.yaml": "3" }, "Second\n\nWith a body.\n");
    const snapshot = await manifests.readCommit(second, NEVER);
    expect(snapshot).toMatchObject({ oid: second, parents: [first], message: "Second\n\nWith a body.\n" });
    expect(snapshot.committedAtMs % 1000).toBe(0);
    expect(snapshot.files.map(({ path }) => path)).toEqual(["a.yaml", "ä €.yaml", "sub/b.yml"]);
    expect(await readText(client, snapshot.files, "sub/b.yml")).toBe("two");
  });

  it("works when HEAD names a branch that does not exist", async () => {
    await using repository = await aRepository({ head: "master" });
    const oid = await server.commitFiles(repository.name, "main", { "a.yaml": "1" }, "first");
    expect((await repository.manifests.readCommit(oid, NEVER)).files).toHaveLength(1);
  });

  it("reports symlinks, submodules and executables as what they are", async () => {
    await using repository = await aRepository();
    const files = {
      link: { symlink: "a.yaml" },
      module: { submodule: "1".repeat(40) },
      "run.sh": { executable: "#!" },
      "a.yaml": "",
    };
    const oid = await server.commitFiles(repository.name, "main", files, "kinds");
    const snapshot = await repository.manifests.readCommit(oid, NEVER);
    const kinds = Object.fromEntries(snapshot.files.map(({ path, kind }) => [path, kind]));
    expect(kinds).toEqual({ "a.yaml": "file", link: "symlink", module: "submodule", "run.sh": "file" });
    expect(snapshot.files.find(({ path }) => path === "module")?.blob).toBe("1".repeat(40));
  });

  it("names odd files without letting them block the rest", async () => {
    await using repository = await aRepository();
    const { name, client, manifests } = repository;
    const files = {
      "caf\u00e9.yaml": "1",
      "caf\u00e8.yaml": "2",
      "back\\slash.yaml": "3",
      "GIT~1/a.yaml": "4",
      "tab\there": "5",
      "fine.yaml": "6",
    };
    const oid = await server.commitFiles(name, "main", files, "odd names", { pathEncoding: "latin1" });
    const snapshot = await manifests.readCommit(oid, NEVER);
    expect(snapshot.files.filter(({ readableName }) => readableName).map(({ path }) => path)).toEqual(["fine.yaml"]);
    const odd = snapshot.files.filter(({ readableName }) => !readableName).map(({ displayPath }) => displayPath);
    expect(odd.toSorted()).toEqual(["GIT~1/a.yaml", "back\\x5cslash.yaml", "caf\\xe8.yaml", "caf\\xe9.yaml", "tab\\x09here"]);
    expect(new Set(snapshot.files.map(({ path }) => path)).size).toBe(6);
    expect(await readText(client, snapshot.files, "fine.yaml")).toBe("6");
  });

  it("shows what a name could hide", async () => {
    await using repository = await aRepository();
    const oid = await server.commitFiles(repository.name, "main", { "a\u202elmay.b": "" }, "right to left");
    const [file] = (await repository.manifests.readCommit(oid, NEVER)).files;
    expect(file).toMatchObject({ path: "a\u202elmay.b", displayPath: "a\\u{202e}lmay.b", readableName: true });
  });

  it("fetches only what is new, of 10,000 files", async () => {
    await using repository = await aRepository();
    const { name, client, manifests } = repository;
    const paths = Array.from({ length: 10_000 }, (_, index) => `team-${index % 200}/job-${index}.yaml`);
    const body = "configuration:\n  parallelism: 4\n".repeat(15);
    const first = await server.commitFiles(
      name,
      "main",
      Object.fromEntries(paths.map((path) => [path, `# ${path}\n${body}`])),
      "many",
    );
    expect((await manifests.readCommit(first, NEVER)).files).toHaveLength(10_000);
    const second = await server.commitFiles(name, "main", { [paths[42]!]: "changed", [paths[43]!]: null }, "two of them");
    server.resetTraffic();
    const snapshot = await manifests.readCommit(second, NEVER);
    expect(server.traffic("git-upload-pack").bytesOut).toBeLessThan(20_000);
    expect(snapshot.files).toHaveLength(9_999);
    expect(await readText(client, snapshot.files, paths[42]!)).toBe("changed");
    expect(await readText(client, snapshot.files, paths[44]!)).toContain(`# ${paths[44]}\n`);
    server.resetTraffic();
    await manifests.readCommit(second, NEVER);
    await manifests.readCommit(first, NEVER);
    expect(server.traffic("git-upload-pack").requests).toBe(0);
  }, 60_000);

  it("asks what the server can do once and not before each fetch, whose refs it never believes", async () => {
    await using repository = await aRepository();
    const { name, manifests } = repository;
    await manifests.readCommit(await server.commitFiles(name, "main", { "a.yaml": "1" }, "first"), NEVER);
    await server.deleteBranch(name, "main");
    const other = await server.commitFiles(name, "main", { "a.yaml": "2" }, "other", { parent: "none" });
    server.resetTraffic();
    expect((await manifests.readCommit(other, NEVER)).message).toBe("other");
    // The second is for the history, which was rewritten: a copy of its own.
    expect(server.traffic("git-upload-pack").requests).toBe(2);
  });

  it("asks it again after a call that failed: the server may be another one by now", async () => {
    await using repository = await aRepository();
    const { name, manifests } = repository;
    await manifests.readCommit(await server.commitFiles(name, "main", { "a.yaml": "1" }, "first"), NEVER);
    const second = await server.commitFiles(name, "main", { "a.yaml": "2" }, "second");
    server.fault({ kind: "status", status: 503 }, { path: `/${name}.git`, step: "call", times: 1 });
    await expect(manifests.readCommit(second, NEVER)).rejects.toMatchObject({ code: "git-unreachable" });
    server.heal();
    server.resetTraffic();
    expect((await manifests.readCommit(second, NEVER)).message).toBe("second");
    expect(server.traffic("git-upload-pack").requests).toBe(2);
  });

  it("reads exactly the commit that was asked for, also when the branch has moved on meanwhile", async () => {
    await using repository = await aRepository();
    const { name, client, manifests } = repository;
    const first = await server.commitFiles(name, "main", { "a.yaml": "1" }, "first");
    await server.commitFiles(name, "main", { "a.yaml": "2" }, "second");
    const snapshot = await manifests.readCommit(first, NEVER);
    expect(await readText(client, snapshot.files, "a.yaml")).toBe("1");
  });

  it("reads an older commit again by its id", async () => {
    await using repository = await aRepository();
    const { name, client, manifests } = repository;
    const first = await server.commitFiles(name, "main", { "a.yaml": "1" }, "first");
    const second = await server.commitFiles(name, "main", { "a.yaml": "2" }, "second");
    await manifests.readCommit(second, NEVER);
    expect(await readText(client, (await manifests.readCommit(first, NEVER)).files, "a.yaml")).toBe("1");
    expect(await readText(client, (await manifests.readCommit(second, NEVER)).files, "a.yaml")).toBe("2");
  });

  it("follows a rewritten history without downloading what lies behind it", async () => {
    await using repository = await aRepository();
    const { name, client, manifests } = repository;
    await manifests.readCommit(await server.commitFiles(name, "main", { "a.yaml": "1", "b.yaml": "same" }, "first"), NEVER);
    await server.commitFiles(name, "main", { "a.yaml": "other" }, "a new history", { parent: "none" });
    for (const index of [1, 2, 3]) await server.commitFiles(name, "main", { "a.yaml": `other ${index}` }, `more ${index}`);
    const head = (await server.head(name, "main"))!;
    const snapshot = await manifests.readCommit(head, NEVER);
    expect(snapshot.files.map(({ path }) => path)).toEqual(["a.yaml"]);
    expect(await readText(client, snapshot.files, "a.yaml")).toBe("other 3");
    expect(await manifests.readMessagesSince(undefined, head, 10, NEVER)).toHaveLength(1);
    expect(client.logged.join("")).toContain("history was rewritten");
  });

  it("says that a commit is gone when a forced push has replaced it", async () => {
    await using repository = await aRepository();
    const { name, manifests } = repository;
    const first = await server.commitFiles(name, "main", { "a.yaml": "1" }, "first");
    await server.commitFiles(name, "main", { "a.yaml": "2" }, "replaced", { parent: "none" });
    await expect(manifests.readCommit(first, NEVER)).rejects.toMatchObject({ code: "git-commit-gone", data: { oid: first } });
    await server.git(name, ["reflog", "expire", "--expire=now", "--all"]);
    await server.git(name, ["gc", "--prune=now", "--quiet"]);
    await expect(manifests.readCommit(first, NEVER)).rejects.toMatchObject({ code: "git-commit-gone", retry: "next-pass" });
  });

  it("stays correct beyond the hundred fetches after which the local copy is replaced", async () => {
    await using repository = await aRepository();
    const { name, client, manifests } = repository;
    let firstFetches = 0;
    server.before({ service: "git-upload-pack", step: "call", body: "deepen 1" }, async () => void (firstFetches += 1));
    for (let index = 0; index < 103; index += 1) {
      const oid = await server.commitFiles(name, "main", { [`job-${index % 10}.yaml`]: `${index}` }, `commit ${index}`);
      const { files } = await manifests.readCommit(oid, NEVER);
      expect(await readText(client, files, `job-${index % 10}.yaml`)).toBe(`${index}`);
    }
    server.heal();
    expect(firstFetches).toBe(2);
  }, 60_000);

  it("refuses a few trees that stand for billions of files", async () => {
    await using repository = await aRepository();
    const { name, manifests } = repository;
    let entry = `100644 blob ${(await server.git(name, ["hash-object", "-w", "--stdin"], "x")).toString().trim()}`;
    for (let level = 0; level < 10; level += 1) {
      const tree = Array.from({ length: 10 }, (_, index) => `${entry}\t${index}\n`).join("");
      entry = `040000 tree ${(await server.git(name, ["mktree"], tree)).toString().trim()}`;
    }
    const commit = (await server.git(name, ["commit-tree", entry.slice(-40), "-m", "bomb"])).toString().trim();
    await server.setBranch(name, "main", commit);
    await expect(manifests.readCommit(commit, NEVER)).rejects.toMatchObject({ code: "git-too-large" });
  });

  it("refuses an object that inflates to more than a whole answer may weigh, before inflating it", async () => {
    await using repository = await aRepository();
    const bomb = await server.commitFiles(repository.name, "main", { "zeros.bin": Buffer.alloc(8 * 1024 ** 2) }, "zeros");
    await using small = openGitClient(server.urlOf(repository.name), { maxPackBytes: 1024 ** 2 });
    await expect(small.manifests.readCommit(bomb, NEVER)).rejects.toThrow(/one file of 8388608 bytes/);
  });
});

describe("readBlob", () => {
  it("says how large a blob is that is larger than wanted", async () => {
    await using repository = await aRepository();
    const oid = await server.commitFiles(repository.name, "main", { "app.jar": "x".repeat(1000) }, "jar");
    const [file] = (await repository.manifests.readCommit(oid, NEVER)).files;
    expect(await repository.manifests.readBlob(file!.blob, 999, NEVER)).toEqual({ kind: "too-large", size: 1000 });
    expect(await repository.manifests.readBlob(file!.blob, 1000, NEVER)).toMatchObject({ kind: "read" });
  });

  it("fails for an object that is not there and reads the commit anew afterwards", async () => {
    await using repository = await aRepository();
    const oid = await server.commitFiles(repository.name, "main", { "a.yaml": "1" }, "first");
    await repository.manifests.readCommit(oid, NEVER);
    await expect(repository.manifests.readBlob("2".repeat(40), 10, NEVER)).rejects.toMatchObject({ code: "git-object" });
    const { files } = await repository.manifests.readCommit(oid, NEVER);
    expect(await readText(repository.client, files, "a.yaml")).toBe("1");
  });
});

describe("readMessagesSince", () => {
  it("gives the messages between two commits that were read one after the other", async () => {
    await using repository = await aRepository();
    const { name, manifests } = repository;
    const first = await server.commitFiles(name, "main", { "a.yaml": "1" }, "first");
    await manifests.readCommit(first, NEVER);
    const second = await server.commitFiles(name, "main", { "a.yaml": "2" }, "second\n\nPenstock-Allow-Deletions: 3\n");
    const third = await server.commitFiles(name, "main", { "a.yaml": "3" }, "third");
    await manifests.readCommit(third, NEVER);
    const messages = await manifests.readMessagesSince(first, third, 100, NEVER);
    expect(messages).toEqual([
      { oid: third, message: "third" },
      { oid: second, message: "second\n\nPenstock-Allow-Deletions: 3\n" },
    ]);
    expect(await manifests.readMessagesSince(third, third, 100, NEVER)).toEqual([]);
  });

  it("fetches the history that a daemon missed while it was down", async () => {
    await using repository = await aRepository();
    const { name, manifests } = repository;
    const before = await server.commitFiles(name, "main", { "a.yaml": "0" }, "before");
    const first = await server.commitFiles(name, "main", { "a.yaml": "1" }, "first");
    await server.commitFiles(name, "main", { "a.yaml": "2" }, "second");
    const third = await server.commitFiles(name, "main", { "a.yaml": "3" }, "third");
    await manifests.readCommit(third, NEVER);
    const since = async (from: string, limit: number) =>
      (await manifests.readMessagesSince(from, third, limit, NEVER)).map(({ message }) => message);
    expect(await since(first, 100)).toEqual(["third", "second"]);
    expect(await since(before, 3)).toEqual(["third", "second", "first"]);
    expect(await since(before, 2)).toEqual(["third"]); // further back than is looked: what is new cannot be told
    const fourth = await server.commitFiles(name, "main", { "a.yaml": "4" }, "fourth");
    expect((await manifests.readCommit(fourth, NEVER)).files).toHaveLength(1);
  });

  it("gives the newest one alone after history was rewritten: what the others say may have been heeded before", async () => {
    await using repository = await aRepository();
    const { name, manifests } = repository;
    const commit = async (text: string, parent?: string) =>
      server.commitFiles(name, "main", { "a.yaml": text }, text, parent === undefined ? {} : { parent });
    const base = await commit("base");
    await commit("allows", base);
    const applied = await commit("applied");
    const since = async (head: string) => {
      await manifests.readCommit(head, NEVER);
      return (await manifests.readMessagesSince(applied, head, 100, NEVER)).map(({ message }) => message);
    };
    const allows = await commit("allows", "none");
    expect(await since(await commit("all anew", allows))).toEqual(["all anew"]);
    expect(await since(await commit("instead", base))).toEqual(["instead"]);
    await using later = openGitClient(server.urlOf(name)); // started since, it has never seen what was applied
    const head = await commit("after it");
    await later.manifests.readCommit(head, NEVER);
    expect(await later.manifests.readMessagesSince(applied, head, 100, NEVER)).toMatchObject([{ message: "after it" }]);
  });

  it("finds the commits of a merged branch and leaves out what was known before", async () => {
    await using repository = await aRepository();
    const { name, manifests } = repository;
    const base = await server.commitFiles(name, "main", { "a.yaml": "1" }, "base");
    await manifests.readCommit(base, NEVER);
    const side = await server.commitFiles(name, "side", { "b.yaml": "1" }, "side", { parent: base });
    const main = await server.commitFiles(name, "main", { "a.yaml": "2" }, "main");
    const tree = (await server.git(name, ["rev-parse", `${side}^{tree}`])).toString().trim();
    const merge = (await server.git(name, ["commit-tree", tree, "-p", main, "-p", side, "-m", "merge"])).toString().trim();
    await server.setBranch(name, "main", merge);
    await manifests.readCommit(merge, NEVER);
    const messages = await manifests.readMessagesSince(base, merge, 100, NEVER);
    expect(messages.map(({ message }) => message.trim()).toSorted()).toEqual(["main", "merge", "side"]);
  });
});
