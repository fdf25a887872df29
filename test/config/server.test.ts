import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { ServerConfig } from "../../src/config/config.ts";
import { loadConfig, type Environment, type LoadedConfig } from "../../src/config/load-config.ts";
import { createTestCertificates, type TestCertificates } from "../support/test-certificates.ts";

let base: string;
let folder: string;
let certificates: TestCertificates;

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), "penstock-server-config-"));
  certificates = createTestCertificates();
});

beforeEach(async () => {
  folder = await mkdtemp(join(base, "test-"));
});

afterAll(() => rm(base, { recursive: true, force: true }));

const TOKEN = "0123456789abcdef";

async function load(server: string, environment: Environment = {}): Promise<LoadedConfig> {
  const file = join(folder, "penstock.yaml");
  await writeFile(
    file,
    `instance: prod
repository: {url: "https://git.example.com/jobs.git"}
zones: {eu: {clusters: {a: {url: "http://flink:8081"}}}}
${server}`,
  );
  return loadConfig(file, environment);
}

function serverOf(loaded: LoadedConfig): ServerConfig | undefined {
  if (loaded.kind === "invalid") throw new Error(loaded.problems.map(({ message }) => message).join("\n"));
  return loaded.config.server;
}

function problemsOf(loaded: LoadedConfig): readonly string[] {
  if (loaded.kind === "loaded") return [];
  return loaded.problems.map(({ line, column, message }) => `${line}:${column} ${message}`);
}

const NEEDS_TOKENS =
  /^\d:\d+ server\.host is an address that other machines may reach, .* name a file of them in server\.tokensFile/;

describe("the server's configuration", () => {
  it("listens on a loopback address by default, and not at all when told so", async () => {
    expect(serverOf(await load(""))).toEqual({ host: "127.0.0.1", port: 8080 });
    expect(serverOf(await load("server: {enabled: false}"))).toBeUndefined();
    expect(serverOf(await load("", { PENSTOCK__SERVER__ENABLED: "false" }))).toBeUndefined();
  });

  it.each(["127.0.0.1", "127.1.2.3", "localhost", "::1"])("needs no token on %s", async (host) => {
    expect(serverOf(await load(`server: {host: "${host}"}`))).toEqual({ host, port: 8080 });
  });

  it.each(["0.0.0.0", "::", "10.1.2.3", "fe80::1%eth0", "penstock.internal", "127.0.0.1.example.com"])(
    "refuses to listen on %s without tokens, and says the way out",
    async (host) => {
      expect(problemsOf(await load(`server: {host: "${host}"}`))).toEqual([expect.stringMatching(NEEDS_TOKENS)]);
      expect(problemsOf(await load("", { PENSTOCK__SERVER__HOST: host }))).toEqual([expect.stringMatching(NEEDS_TOKENS)]);
      expect(problemsOf(await load(`server: {enabled: false, host: "${host}"}`))).toEqual([]);
      await writeFile(join(folder, "tokens"), TOKEN);
      expect(serverOf(await load(`server: {host: "${host}", tokensFile: tokens}`))).toMatchObject({ host });
    },
  );

  it.each(["0.0.0.0:8080", "http://localhost", "[::1]", "a b"])("takes no %s for a host", async (host) => {
    expect(problemsOf(await load(`server: {host: "${host}"}`))).toEqual([
      "4:16 server.host must be an address or a host name alone, such as 127.0.0.1, :: or penstock.internal; the port has an option of its own",
    ]);
  });

  it("reads tokens a line each, the webhook secret, and a certificate with its key, and shows none of them", async () => {
    await writeFile(join(folder, "tokens"), `# ada\n${TOKEN}\n\n  ${TOKEN}-2  \r\n`);
    await writeFile(join(folder, "hook"), "webhook-secret\n");
    await writeFile(join(folder, "cert"), certificates.server.cert);
    await writeFile(join(folder, "key"), certificates.server.key);
    const loaded = await load(
      "server: {port: 0, tokensFile: tokens, webhookSecretFile: hook, tls: {certFile: cert, keyFile: key}}",
    );
    const server = serverOf(loaded)!;
    expect(server).toMatchObject({
      port: 0,
      tokens: { file: join(folder, "tokens") },
      webhookSecret: { file: join(folder, "hook") },
    });
    expect(server.tokens?.values.map((token) => token.reveal())).toEqual([TOKEN, `${TOKEN}-2`]);
    expect(server.webhookSecret?.value.reveal()).toBe("webhook-secret");
    expect(server.tls?.cert).toBe(certificates.server.cert.trimEnd());
    expect(inspect(loaded, { depth: 20, showHidden: true }) + JSON.stringify(loaded)).not.toMatch(
      new RegExp(`${TOKEN}|webhook-secret|PRIVATE KEY`),
    );
  });

  it("is the same configuration with other tokens and another webhook secret, which the server reads itself", async () => {
    const block = "server: {tokensFile: tokens, webhookSecretFile: hook, tls: {certFile: cert, keyFile: key}}";
    const files = { tokens: TOKEN, hook: "one", cert: certificates.server.cert, key: certificates.server.key };
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    const fingerprint = async () => {
      const loaded = await load(block);
      return loaded.kind === "loaded" ? loaded.fingerprint : loaded.problems;
    };
    const before = await fingerprint();
    await writeFile(join(folder, "tokens"), `${TOKEN}-2`);
    await writeFile(join(folder, "hook"), "another");
    expect(await fingerprint()).toBe(before);
    await writeFile(join(folder, "cert"), certificates.client.cert);
    await writeFile(join(folder, "key"), certificates.client.key);
    expect(await fingerprint()).toMatch(/^[0-9a-f]{64}$/);
    expect(await fingerprint()).not.toBe(before);
  });

  it("takes the webhook secret from the environment as well", async () => {
    const server = serverOf(await load("server: {webhookSecretEnv: HOOK}", { HOOK: "from-the-environment" }));
    expect(server?.webhookSecret?.file).toBeUndefined();
    expect(server?.webhookSecret?.value.reveal()).toBe("from-the-environment");
  });

  it.each([
    ["# nobody\n\n# yet\n", "holds no token; write at least one, a line each"],
    [`${TOKEN}\nshort\n`, "has a token in line 2 of less than 16 characters"],
    [`\n${TOKEN} ${TOKEN}\n`, "has a token in line 2 with other characters than letters, digits and . _ ~ + / - ="],
    [`${TOKEN}\n`.repeat(101), "holds 101 tokens; 100 are the most"],
  ])("refuses a file of tokens that nobody can use: %j", async (text, problem) => {
    await writeFile(join(folder, "tokens"), text);
    expect(problemsOf(await load("server: {tokensFile: tokens}"))).toEqual([`4:22 server.tokensFile: tokens ${problem}`]);
  });

  it("needs both halves of its certificate", async () => {
    expect(problemsOf(await load("server: {tls: {certFile: cert}}"))).toEqual([expect.stringContaining("keyFile")]);
  });
});
