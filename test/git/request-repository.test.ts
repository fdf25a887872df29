import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RequestRepository, type RequestTree } from "../../src/git/request-repository.ts";
import type { FileChange } from "../support/git-repositories.ts";
import { startGitServer, type GitServer } from "../support/git-server.ts";
import { NEVER, openGitClient } from "../support/git-client.ts";

let server: GitServer;
let count = 0;

beforeAll(async () => {
  server = await startGitServer();
});
afterAll(async () => server.close());

type Files = Readonly<Record<string, FileChange>>;

/** A repository whose `main` and whose request 1 both go on from one commit. */
async function aRequest(before: Files, onMain: Files, inRequest: Files) {
  const name = `requests-${(count += 1)}`;
  await server.createRepository(name);
  const fork = await server.commitFiles(name, "main", before, "fork");
  const base = Object.keys(onMain).length === 0 ? fork : await server.commitFiles(name, "main", onMain, "on main");
  const head = await server.commitFiles(name, "work", inRequest, "in the request", { parent: fork });
  await server.deleteBranch(name, "work");
  await server.git(name, ["update-ref", "refs/pull/1/head", head]);
  return { name, base, head, fork };
}

async function merge(name: string, base: string, head: string): Promise<RequestTree> {
  await using client = openGitClient(server.urlOf(name));
  return await new RequestRepository(client.transport).merge(base, head, NEVER);
}

async function textsOf(tree: RequestTree): Promise<Readonly<Record<string, string>>> {
  if (tree.kind !== "merged" && tree.kind !== "head-alone") throw new Error(`it is ${tree.kind}`);
  const texts = tree.files.map(async ({ path, blob }) => {
    const read = await tree.readBlob(blob, 1000);
    return [path, read.kind === "read" ? Buffer.from(read.content).toString() : read.kind] as const;
  });
  return Object.fromEntries(await Promise.all(texts));
}

/** What Git itself makes of it: the tree's files by path and blob, or the paths in conflict. */
async function gitMerge(name: string, base: string, head: string): Promise<readonly string[] | "conflict"> {
  try {
    const root = (await server.git(name, ["merge-tree", "--write-tree", base, head])).toString().split("\n")[0]!;
    return (await server.git(name, ["ls-tree", "-r", root])).toString().trimEnd().split("\n");
  } catch {
    return "conflict"; // it ends with 1 for that
  }
}

const LINES = ["a: 1", "b: 2", "c: 3", "d: 4", "e: 5", "f: 6", ""];
const changed = (...changes: readonly (readonly [number, string])[]): string =>
  LINES.map((line, index) => changes.find(([at]) => at === index)?.[1] ?? line).join("\n");
const SAME = LINES.join("\n");

describe("merge makes of base and head what git merge-tree makes of them:", () => {
  it.each<readonly [string, Files, Files, Files]>([
    ["different files", { "a.yaml": "1", "b.yaml": "1" }, { "a.yaml": "2" }, { "b.yaml": "2" }],
    ["a new folder on each side", { "a.yaml": "1" }, { "x/b.yaml": "1" }, { "y/z/c.yaml": "1" }],
    ["the same new file", { "a.yaml": "1" }, { "b.yaml": "1" }, { "b.yaml": "1" }],
    ["a deleted file, and another one that was changed", { "a.yaml": "1", "b.yaml": "1" }, { "a.yaml": "2" }, { "b.yaml": null }],
    ["a folder that is gone on one side", { "a.yaml": "1", "x/b.yaml": "1" }, { "a.yaml": "2" }, { "x/b.yaml": null }],
    ["one file, in different lines", { "a.yaml": SAME }, { "a.yaml": changed([0, "a: 9"]) }, { "a.yaml": changed([5, "f: 9"]) }],
    [
      "one file, the same change",
      { "a.yaml": SAME },
      { "a.yaml": changed([2, "c: 9"]) },
      { "a.yaml": changed([2, "c: 9"], [5, "f: 9"]) },
    ],
    ["one file, in the same line", { "a.yaml": SAME }, { "a.yaml": changed([2, "c: 8"]) }, { "a.yaml": changed([2, "c: 9"]) }],
    [
      "a file that one side changed and the other deleted",
      { "a.yaml": SAME },
      { "a.yaml": changed([2, "c: 8"]) },
      { "a.yaml": null },
    ],
    ["a file that both added, differently", { "x.yaml": "1" }, { "a.yaml": "1" }, { "a.yaml": "2" }],
    ["bytes that both changed", { "a.jar": Buffer.of(0, 1) }, { "a.jar": Buffer.of(0, 2) }, { "a.jar": Buffer.of(0, 3) }],
    ["no change on the base", { "a.yaml": "1" }, {}, { "a.yaml": "2" }],
  ])("%s", async (_, before, onMain, inRequest) => {
    const { name, base, head, fork } = await aRequest(before, onMain, inRequest);
    const merged = await merge(name, base, head);
    const expected = await gitMerge(name, base, head);
    if (expected === "conflict") {
      expect(merged).toMatchObject({ kind: "conflict", mergeBase: fork, paths: [expect.stringMatching(/^a\./)] });
      return;
    }
    expect(merged).toMatchObject({ kind: "merged", mergeBase: fork });
    const files = merged.kind === "merged" ? merged.files.map(({ path, blob }) => `100644 blob ${blob}\t${path}`) : [];
    expect(files.toSorted()).toEqual([...expected].sort());
  });
});

describe("merge", () => {
  it("reads what was merged, and the messages of the commits that the base has not", async () => {
    const { name, base, head } = await aRequest(
      { "a.yaml": SAME },
      { "a.yaml": changed([0, "a: 9"]) },
      { "a.yaml": changed([5, "f: 9"]) },
    );
    const merged = await merge(name, base, head);
    expect(await textsOf(merged)).toEqual({ "a.yaml": changed([0, "a: 9"], [5, "f: 9"]) });
    expect(merged).toMatchObject({ messages: [{ oid: head, message: "in the request" }] });
  });

  it("says when the base has all of the head", async () => {
    const { name, base, fork } = await aRequest({ "a.yaml": "1" }, { "a.yaml": "2" }, { "b.yaml": "1" });
    expect(await merge(name, base, fork)).toEqual({ kind: "contained" });
    expect(await merge(name, base, base)).toEqual({ kind: "contained" });
  });

  it("deepens both sides until they meet", async () => {
    const { name, fork, head } = await aRequest({ "a.yaml": "1" }, {}, { "b.yaml": "1" });
    let base = fork;
    for (let commit = 0; commit < 70; commit += 1)
      base = await server.commitFiles(name, "main", { "c.yaml": String(commit) }, "more");
    const merged = await merge(name, base, head);
    expect(merged).toMatchObject({ kind: "merged", mergeBase: fork });
    expect(await textsOf(merged)).toEqual({ "a.yaml": "1", "b.yaml": "1", "c.yaml": "69" });
  });

  it("takes the head as it stands when both have nothing in common, and says so", async () => {
    const { name, base } = await aRequest({ "a.yaml": "1" }, {}, { "b.yaml": "1" });
    const alone = await server.commitFiles(name, "orphan", { "z.yaml": "1" }, "alone", { parent: "none" });
    const merged = await merge(name, base, alone);
    expect(merged).toMatchObject({ kind: "head-alone", because: "no common commit is among the newest 500 of both" });
    expect(await textsOf(merged)).toEqual({ "z.yaml": "1" });
  });

  it("goes on when base and head move", async () => {
    const { name, base, head } = await aRequest({ "a.yaml": "1" }, { "c.yaml": "1" }, { "b.yaml": "1" });
    await using client = openGitClient(server.urlOf(name));
    const requests = new RequestRepository(client.transport);
    await requests.merge(base, head, NEVER);
    const next = await server.commitFiles(name, "main", { "c.yaml": "2" }, "on");
    const more = await server.commitFiles(name, "more", { "d.yaml": "1" }, "more", { parent: head });
    expect(await textsOf(await requests.merge(next, more, NEVER))).toEqual({
      "a.yaml": "1",
      "b.yaml": "1",
      "c.yaml": "2",
      "d.yaml": "1",
    });
  });
});

describe("listRefs", () => {
  it("asks once for two hundred requests, and gives nothing that was not asked for", async () => {
    const { name, head } = await aRequest({ "a.yaml": "1" }, {}, { "b.yaml": "1" });
    const refs = Array.from({ length: 200 }, (_, index) => `create refs/merge-requests/${index + 1}/head ${head}\n`);
    await server.git(name, ["update-ref", "--stdin"], refs.join(""));
    await using client = openGitClient(server.urlOf(name));
    const requests = new RequestRepository(client.transport);
    await requests.listRefs(["refs/pull/"], NEVER);
    server.resetTraffic();
    const found = await requests.listRefs(["refs/pull/", "refs/merge-requests/"], NEVER);
    expect(found).toHaveLength(201);
    expect(found).toContainEqual({ ref: "refs/pull/1/head", oid: head });
    expect(server.traffic("git-upload-pack")).toMatchObject({ requests: 1 });
  });

  it("reads a server that knows only version 1 of the protocol", async () => {
    const old = await startGitServer({ onlyVersion1: true });
    try {
      await old.createRepository("jobs");
      const oid = await old.commitFiles("jobs", "main", { "a.yaml": "1" }, "first");
      await old.git("jobs", ["update-ref", "refs/pull/3/head", oid]);
      await using client = openGitClient(old.urlOf("jobs"));
      const found = await new RequestRepository(client.transport).listRefs(["refs/pull/"], NEVER);
      expect(found).toEqual([{ ref: "refs/pull/3/head", oid }]);
    } finally {
      await old.close();
    }
  });
});
