import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { loadConfig } from "../../src/config/load-config.ts";

const REST = `
instance: prod
repository: {url: https://git.example.com/streams/jobs.git}
zones: {eu: {clusters: {a: {url: http://flink:8081}}}}
`;

async function load(more: string) {
  const folder = await mkdtemp(join(tmpdir(), "penstock-config-"));
  try {
    await writeFile(join(folder, "penstock.yaml"), REST + more);
    await writeFile(join(folder, "token"), "secret-2718\n");
    return await loadConfig(join(folder, "penstock.yaml"), {});
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

describe("forge", () => {
  it.each([
    ["github", "forge: {kind: github, tokenFile: token}", "https://api.github.com/", "streams/jobs"],
    ["gitlab, with a subgroup", "forge: {kind: gitlab, tokenFile: token, repository: a/b/c}", "https://gitlab.com/", "a/b/c"],
    [
      "gitea",
      "forge: {kind: gitea, url: https://gitea.example.com/git, tokenFile: token}",
      "https://gitea.example.com/git",
      "streams/jobs",
    ],
  ])("is read for %s, with its defaults", async (_, text, url, repository) => {
    const loaded = await load(text);
    if (loaded.kind === "invalid") throw new Error(JSON.stringify(loaded.problems));
    expect(loaded.config.forge).toMatchObject({ repository });
    expect(loaded.config.forge?.url.href).toBe(url);
    expect(loaded.config.forge?.token.reveal()).toBe("secret-2718");
    expect(JSON.stringify(loaded.config.forge)).not.toContain("2718");
  });

  it("is undefined when nothing is written", async () => {
    expect(await load("")).toMatchObject({ kind: "loaded", config: { previews: { plans: true, branches: [] } } });
  });

  it.each([
    ["gitea without its address", "forge: {kind: gitea, tokenFile: token}", /needs the url of the Gitea server/],
    ["no token", "forge: {kind: github}", /must be a mapping with a kind and one of tokenFile and tokenEnv/],
    [
      "a token in the file itself",
      "forge: {kind: github, token: secret-3141}",
      /forge\.token must not stand in the configuration itself/,
    ],
    [
      "an address without TLS",
      "forge: {kind: gitlab, url: http://gitlab.example.com, tokenFile: token}",
      /forge\.url cannot be used/,
    ],
    [
      "a repository that is none",
      "forge: {kind: github, tokenFile: token, repository: a/b/c}",
      /forge\.repository must be owner\/name/,
    ],
    ["a status branch in the previews' place", "status: {branch: penstock/previews}", /collides with penstock\/previews/],
  ])("is refused with %s", async (_, text, message) => {
    const loaded = await load(text);
    const problems = loaded.kind === "invalid" ? loaded.problems.map((problem) => problem.message).join("\n") : "";
    expect(problems).toMatch(message);
    expect(problems).not.toContain("3141");
  });
});
