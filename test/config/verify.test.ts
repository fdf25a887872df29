import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { loadConfig } from "../../src/config/load-config.ts";

const KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHUqXZ1OeUJtFoYIIUqhvNbhAI0TKz5JSdWUj5z5a0aa ada";

async function load(verify: string, files: Readonly<Record<string, string>> = {}) {
  const folder = await mkdtemp(join(tmpdir(), "penstock-config-"));
  try {
    const text = `instance: prod
repository:
  url: https://git.example.com/streams/jobs.git
${verify}
zones: {eu: {clusters: {a: {url: http://flink:8081}}}}
`;
    await writeFile(join(folder, "penstock.yaml"), text);
    for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
    return { folder, ...(await loadConfig(join(folder, "penstock.yaml"), {})) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

describe("repository.verify", () => {
  it("is off when nothing is written", async () => {
    const loaded = await load("");
    expect(loaded.kind === "loaded" && "verify" in loaded.config.repository).toBe(false);
  });

  it("reads the keys of all files, and has them watched", async () => {
    const loaded = await load("  verify: {keys: [{file: a}, {file: b}]}", { a: KEY, b: `# us\nada@example.com ${KEY}\n` });
    expect(loaded).toMatchObject({ kind: "loaded", config: { repository: { verify: { mode: "head" } } } });
    expect(loaded.kind === "loaded" && loaded.config.repository.verify?.keys).toHaveLength(2);
    expect(loaded.files).toEqual(["penstock.yaml", "a", "b"].map((name) => join(loaded.folder, name)));
  });

  it("is another configuration when a key is", async () => {
    const prints = [KEY, KEY.replace("aa ada", "bb ada")].map(async (a) => {
      const loaded = await load("  verify: {keys: [{file: a}]}", { a });
      return loaded.kind === "loaded" && loaded.fingerprint;
    });
    expect(new Set(await Promise.all(prints)).size).toBe(2);
  });

  it.each([
    ["  verify: {}", /keys is missing|verify\.keys/],
    ["  verify: {keys: []}", /repository\.verify\.keys/],
    ["  verify: {mode: all, keys: [{file: a}]}", /repository\.verify\.mode/],
    ["  verify: {keys: [{file: none}]}", /^repository\.verify\.keys\[0\]\.file: none does not exist/],
    ["  verify: {keys: [{file: bad}]}", /^repository\.verify\.keys\[0\]\.file: bad cannot be used: line 1 is neither/],
    ["  verify: {keys: [{file: pgp}]}", /^repository\.verify\.keys\[0\]\.file: pgp cannot be used: OpenPGP block 1 of 1/],
  ])("is refused as %s", async (verify, problem) => {
    const pgp = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n-----END PGP PUBLIC KEY BLOCK-----\n";
    const loaded = await load(verify, { a: KEY, bad: "hello", pgp });
    expect(loaded).toMatchObject({ kind: "invalid", problems: [{ line: 4, message: expect.stringMatching(problem) }] });
  });
});
