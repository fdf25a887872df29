import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { GitFault } from "../support/git-faults.ts";
import { NEVER, openGitClient } from "../support/git-client.ts";
import { startGitServer, type GitServer, type RequestMatch } from "../support/git-server.ts";

/** Answers that isomorphic-git by itself takes for a success, for an empty repository or for a deleted branch. */
let server: GitServer;
let count = 0;

beforeAll(async () => {
  server = await startGitServer();
});
afterEach(() => server.heal());
afterAll(async () => server.close());

const FETCH: RequestMatch = { service: "git-upload-pack", step: "call", body: "want " };
const LIST: RequestMatch = { service: "git-upload-pack", step: "call", body: "command=ls-refs" };
const ADVERTISEMENT: RequestMatch = { service: "git-upload-pack", step: "advertisement" };

const DAMAGED_PACKS: readonly (readonly [string, GitFault, string])[] = [
  ["ends cleanly before its last line", { kind: "cut-between-lines", after: -1 }, "git-protocol"],
  ["ends cleanly in the middle", { kind: "cut-between-lines", after: 4 }, "git-protocol"],
  ["ends cleanly before the pack", { kind: "cut-between-lines", after: 2 }, "git-protocol"],
  ["ends inside a line", { kind: "cut-inside-line" }, "git-protocol"],
  ["ends with the socket", { kind: "close-socket" }, "git-unreachable"],
  ["has a byte flipped", { kind: "flip-byte" }, "git-protocol"],
  ["carries a fatal error of the server", { kind: "side-band-error", message: "pack-objects died" }, "git-server-error"],
  ["is an ERR line", { kind: "error-line", message: "access denied" }, "git-server-error"],
  ["is empty", { kind: "empty" }, "git-protocol"],
  ["is only a flush", { kind: "replace", body: "0000" }, "git-protocol"],
  ["is a web page", { kind: "replace", body: "<!DOCTYPE html><html>Sign in</html>" }, "git-protocol"],
];

async function aRepositoryWithTwoCommits() {
  const name = `damaged-${(count += 1)}`;
  await server.createRepository(name);
  const first = await server.commitFiles(name, "main", { "a.yaml": "1", "sub/b.yaml": "1" }, "first");
  const client = openGitClient(server.urlOf(name));
  return { name, first, client, manifests: client.manifests, [Symbol.asyncDispose]: async () => client.transport.close() };
}

describe("a first fetch", () => {
  it.each(DAMAGED_PACKS)("whose answer %s is an error, and works afterwards", async (_, fault, code) => {
    await using repository = await aRepositoryWithTwoCommits();
    server.fault(fault, FETCH);
    await expect(repository.manifests.readCommit(repository.first, NEVER)).rejects.toMatchObject({ code });
    server.heal();
    expect((await repository.manifests.readCommit(repository.first, NEVER)).files).toHaveLength(2);
  });
});

describe("an incremental fetch", () => {
  it.each(DAMAGED_PACKS)("whose answer %s is an error, and poisons nothing", async (_, fault, code) => {
    await using repository = await aRepositoryWithTwoCommits();
    const { name, first, manifests } = repository;
    await manifests.readCommit(first, NEVER);
    const second = await server.commitFiles(name, "main", { "a.yaml": "2", "c.yaml": "new" }, "second");
    server.fault(fault, FETCH);
    await expect(manifests.readCommit(second, NEVER)).rejects.toMatchObject({ code });
    server.heal();
    const { files } = await manifests.readCommit(second, NEVER);
    expect(files).toHaveLength(3);
    for (const { blob } of files) expect(await manifests.readBlob(blob, 100, NEVER)).toMatchObject({ kind: "read" });
  });

  it("is repeated with a new copy when only the old copy is the trouble", async () => {
    await using repository = await aRepositoryWithTwoCommits();
    const { name, first, manifests } = repository;
    await manifests.readCommit(first, NEVER);
    const second = await server.commitFiles(name, "main", { "a.yaml": "2" }, "second");
    server.fault({ kind: "side-band-error", message: "shallow file has changed" }, { ...FETCH, times: 1 });
    expect((await manifests.readCommit(second, NEVER)).files).toHaveLength(2);
  });
});

describe("a list of refs", () => {
  const DAMAGED_LISTS: readonly (readonly [string, GitFault, string])[] = [
    ["cut before its end", { kind: "cut-between-lines", after: -1 }, "git-protocol"],
    ["cut to nothing", { kind: "empty" }, "git-protocol"],
    ["cut inside a line", { kind: "cut-inside-line" }, "git-protocol"],
    ["with an ERR line", { kind: "error-line", message: "try later" }, "git-server-error"],
    ["that is a web page", { kind: "replace", body: "<html>" }, "git-protocol"],
    ["with the socket closed", { kind: "close-socket" }, "git-unreachable"],
  ];

  it.each(DAMAGED_LISTS)("%s is an error and no missing branch", async (_, fault, code) => {
    await using repository = await aRepositoryWithTwoCommits();
    server.fault(fault, LIST);
    await expect(repository.manifests.readHead(NEVER)).rejects.toMatchObject({ code });
    server.heal();
    expect(await repository.manifests.readHead(NEVER)).toEqual({ kind: "at", oid: repository.first });
  });

  it("that is whole but lacks the branch is not believed without a second look", async () => {
    await using repository = await aRepositoryWithTwoCommits();
    server.fault({ kind: "replace", body: "0000" }, LIST);
    expect(await repository.manifests.readHead(NEVER)).toEqual({ kind: "at", oid: repository.first });
  });

  it.each([
    ["cut before its end", { kind: "cut-between-lines", after: -1 }],
    ["cut after the first of two refs", { kind: "cut-between-lines", after: 3 }],
    ["cut after the service line, which looks like an empty repository", { kind: "cut-between-lines", after: 2 }],
    ["cut to the service line alone", { kind: "cut-between-lines", after: 1 }],
    ["empty", { kind: "empty" }],
  ] as const)("in the second look that is %s is an error and no missing branch", async (_, fault) => {
    await using repository = await aRepositoryWithTwoCommits();
    await repository.manifests.readHead(NEVER);
    await server.deleteBranch(repository.name, "main");
    await server.commitFiles(repository.name, "other", { "a.yaml": "1" }, "other");
    server.fault(fault, ADVERTISEMENT);
    await expect(repository.manifests.readHead(NEVER)).rejects.toMatchObject({ code: "git-protocol" });
    server.heal();
    expect(await repository.manifests.readHead(NEVER)).toEqual({ kind: "branch-missing", otherBranches: 1 });
  });
});

describe("the answer to a push", () => {
  it.each([
    ["empty", { kind: "empty" }],
    ["cut before its end", { kind: "cut-between-lines", after: -1 }],
    ["only a flush", { kind: "replace", body: "0000" }],
    ["lost", { kind: "lose-answer" }],
  ] as const)("that is %s is settled by looking at the branch", async (_, fault) => {
    await using repository = await aRepositoryWithTwoCommits();
    server.fault(fault, { service: "git-receive-pack", step: "call" });
    const written = await repository.client.status.write(
      {
        expectedHead: undefined,
        changes: new Map([["summary.yaml", "a: 1\n"]]),
        message: "status",
        author: { name: "Penstock", email: "penstock@localhost" },
        nowMs: 0,
      },
      NEVER,
    );
    expect(written).toMatchObject({ kind: "written", head: await server.head(repository.name, "penstock/status") });
  });
});
