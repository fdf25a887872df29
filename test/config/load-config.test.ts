import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { formatProblem } from "../../src/common/problem.ts";
import type { Config } from "../../src/config/config.ts";
import { createConfigLoader, loadConfig, type LoadedConfig } from "../../src/config/load-config.ts";
import { createTestCertificates, type TestCertificates } from "../support/test-certificates.ts";

let base: string;
let folder: string;
let certificates: TestCertificates;

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), "penstock-config-"));
  certificates = createTestCertificates();
});

beforeEach(async () => {
  folder = await mkdtemp(join(base, "test-"));
});

afterAll(() => rm(base, { recursive: true, force: true }));

const MINIMAL = `
instance: prod
repository: {url: "https://git.example.com/jobs.git"}
zones: {eu: {clusters: {a: {url: "http://flink:8081/x"}}}}
`;

async function load(text: string, environment: Readonly<Record<string, string>> = {}): Promise<LoadedConfig> {
  await writeFile(join(folder, "penstock.yaml"), text);
  return loadConfig(join(folder, "penstock.yaml"), environment);
}

function configOf(loaded: LoadedConfig): Config {
  if (loaded.kind === "invalid") throw new Error(loaded.problems.map(formatProblem).join("\n"));
  return loaded.config;
}

/** Without the changing folder in front of the names. */
function problemsOf(loaded: LoadedConfig): readonly string[] {
  return loaded.kind === "invalid" ? loaded.problems.map((problem) => formatProblem(problem).replaceAll(`${folder}/`, "")) : [];
}

describe("a loaded configuration", () => {
  it("has every setting in its final type", async () => {
    const loaded = await load(MINIMAL, { XDG_CACHE_HOME: "/home/me/.cache" });
    expect(configOf(loaded)).toEqual({
      instance: "prod",
      repository: {
        url: new URL("https://git.example.com/jobs.git"),
        branch: "main",
        paths: ["**/*.yaml", "**/*.yml"],
        pollIntervalMs: 10_000,
        timeoutMs: 60_000,
        tls: {},
        maxBlobBytes: 20 * 1024 ** 2,
        maxPackBytes: 200 * 1024 ** 2,
      },
      status: { branch: "penstock/status", target: "branch", author: { name: "Penstock", email: "penstock@localhost" } },
      zones: new Map([
        [
          "eu",
          {
            name: "eu",
            clusters: [
              {
                name: "a",
                url: new URL("http://flink:8081/x"),
                draining: false,
                timeoutMs: 10_000,
                pollIntervalMs: 5000,
                headers: new Map(),
                tls: {},
              },
            ],
          },
        ],
      ]),
      policy: {
        paused: false,
        runtimeUpdates: "automatic",
        onDelete: "savepoint",
        deleteTimeoutMs: 600_000,
        deletions: { max: 5 },
        restorePoints: { dispose: true, keep: 3 },
      },
      artifacts: {
        maxBytes: 500 * 1024 ** 2,
        cacheDir: "/home/me/.cache/penstock",
        cacheBytes: 5 * 1024 ** 3,
        timeoutMs: 600_000,
        allowPrivateNetworks: false,
        hosts: new Map(),
        s3: { region: "us-east-1", pathStyle: false, tls: {} },
        maven: { repositories: [] },
      },
      secrets: {},
      server: { host: "127.0.0.1", port: 8080 },
      previews: { plans: true, branches: [] },
      proxy: {},
      log: { level: "info" },
    });
    expect(loaded).toMatchObject({ notices: [], files: [join(folder, "penstock.yaml")] });
  });

  it("keeps its cache under the folder for temporary files when there is no better one, and where it is told to", async () => {
    expect(configOf(await load(MINIMAL)).artifacts.cacheDir).toBe(join(tmpdir(), "penstock"));
    expect(configOf(await load(`${MINIMAL}secrets: {dir: job-secrets}`)).secrets.dir).toMatch(/^\/.*\/job-secrets$/);
    expect(configOf(await load(`${MINIMAL}artifacts: {cacheDir: cache/jars}`)).artifacts.cacheDir).toBe(
      join(folder, "cache/jars"),
    );
  });

  it("holds what its files and variables hold, and lists the files", async () => {
    await mkdir(join(folder, "secrets"));
    await writeFile(join(folder, "secrets/git"), "git-token\n");
    await writeFile(join(folder, "secrets/flink"), "flink-token\r\n");
    await writeFile(join(folder, "secrets/ca.pem"), certificates.ca);
    await writeFile(join(folder, "secrets/client.pem"), certificates.client.cert);
    await writeFile(join(folder, "secrets/client.key"), certificates.client.key);
    const loaded = await load(
      `
instance: prod
repository:
  url: https://git.example.com/jobs.git
  credentials: {username: me, passwordFile: secrets/git}
  tls: {caFile: secrets/ca.pem, certFile: secrets/client.pem, keyFile: secrets/client.key}
zones:
  eu:
    clusters:
      a: {url: "http://a", bearerFile: secrets/flink, headers: {X-Key: {valueEnv: API_KEY}}, checkpointsDir: "s3://b/c"}
      b: {url: "http://b", basic: {username: you, passwordEnv: FLINK_PASSWORD}, draining: true, pollInterval: 250ms}
    projects: {default: {maxRpus: 40}, other: {}}
artifacts:
  allowPrivateNetworks: true
  cacheSize: 1GB
  hosts:
    files.example.com: {bearerEnv: FILES, headers: {X-Key: {valueEnv: API_KEY}}, tls: {caFile: secrets/ca.pem}}
    "intranet:8443": {basic: {username: i, passwordEnv: FILES}, allowPlainHttp: true}
  s3: {region: here, pathStyle: true, accessKeyIdEnv: FILES, secretAccessKeyEnv: MAVEN}
  maven:
    repositories:
      - {url: "http://localhost:1"}
      - {url: "https://maven.example.com", credentials: {username: m, passwordEnv: MAVEN}, tls: {caFile: ${folder}/secrets/ca.pem}}
`,
      { API_KEY: "api-key", FLINK_PASSWORD: " spaces stay ", MAVEN: "maven-password", FILES: "files-token" },
    );
    const config = configOf(loaded);
    const files = config.artifacts.hosts.get("files.example.com");
    expect(files?.bearer?.reveal()).toBe("files-token");
    expect(files?.headers.get("X-Key")?.reveal()).toBe("api-key");
    expect(files).toMatchObject({ allowPlainHttp: false, tls: { ca: certificates.ca.trimEnd() } });
    const intranet = config.artifacts.hosts.get("intranet:8443");
    expect(intranet).toMatchObject({ allowPlainHttp: true, basic: { username: "i" }, tls: {} });
    expect(intranet?.basic?.password.reveal()).toBe("files-token");
    expect(config.artifacts).toMatchObject({ allowPrivateNetworks: true, cacheBytes: 1024 ** 3 });
    expect(config.artifacts.s3).toMatchObject({ region: "here", pathStyle: true });
    expect(config.artifacts.s3.credentials?.secretAccessKey.reveal()).toBe("maven-password");
    expect(config.repository.credentials?.username).toBe("me");
    expect(config.repository.credentials?.password.reveal()).toBe("git-token");
    expect(config.repository.tls).toMatchObject({ ca: certificates.ca.trimEnd(), cert: certificates.client.cert.trimEnd() });
    expect(config.repository.tls.key?.reveal()).toBe(certificates.client.key.trimEnd());
    const zone = config.zones.get("eu")!;
    const [a, b] = zone.clusters;
    expect(a).toMatchObject({ name: "a", checkpointsDir: "s3://b/c" });
    expect(a?.bearer?.reveal()).toBe("flink-token");
    expect(a?.headers.get("X-Key")?.reveal()).toBe("api-key");
    expect(b).toMatchObject({ draining: true, pollIntervalMs: 250, basic: { username: "you" } });
    expect(b?.basic?.password.reveal()).toBe(" spaces stay ");
    expect(zone.projects).toEqual(
      new Map([
        ["default", { maxRpus: 40 }],
        ["other", {}],
      ]),
    );
    const maven = config.artifacts.maven.repositories;
    expect(maven[0]).toEqual({ url: new URL("http://localhost:1"), tls: {} });
    expect(maven[1]?.credentials?.password.reveal()).toBe("maven-password");
    expect(maven[1]?.tls.ca).toBe(certificates.ca.trimEnd());
    expect(loaded.files.map((file) => file.replace(`${folder}/`, ""))).toEqual([
      "penstock.yaml",
      "secrets/ca.pem",
      "secrets/git",
      "secrets/client.pem",
      "secrets/client.key",
      "secrets/flink",
    ]);
    const shown = inspect(loaded, { depth: 20, showHidden: true }) + JSON.stringify(loaded);
    for (const secret of ["git-token", "flink-token", "api-key", "spaces stay", "maven-password", "PRIVATE KEY"]) {
      expect(shown).not.toContain(secret);
    }
  });

  it("follows symbolic links, as mounted secrets are", async () => {
    await writeFile(join(folder, "data"), "token");
    await symlink("data", join(folder, "link"));
    const loaded = await load(MINIMAL.replace('git"}', 'git", credentials: {username: u, passwordFile: link}}'));
    expect(configOf(loaded).repository.credentials?.password.reveal()).toBe("token");
  });

  it("says what it accepts but does not act on", async () => {
    const loaded = await load(`${MINIMAL}previews: {runs: true}`);
    expect(loaded.kind === "loaded" && loaded.notices.map(({ message }) => message)).toEqual([
      "previews.runs is accepted but not yet acted on: pull requests are planned, and nothing is run for them",
    ]);
  });
});

describe("proxies", () => {
  it.each([
    [{}, {}],
    [
      { HTTP_PROXY: "http://p:1", HTTPS_PROXY: "http://q:2", NO_PROXY: "localhost,.example.com" },
      { http: "http://p:1/", https: "http://q:2/", no: "localhost,.example.com" },
    ],
    [{ http_proxy: "http://p:1", HTTP_PROXY: "http://other:1" }, { http: "http://p:1/" }],
    [{ https_proxy: "p:3128" }, { https: "http://p:3128/" }],
    [{ HTTP_PROXY: "", https_proxy: " " }, {}],
    [{ HTTPS_PROXY: "https://u:p@proxy" }, { https: "https://u:p@proxy/" }],
  ])("come from the environment: %o", async (environment, expected) => {
    expect(configOf(await load(MINIMAL, environment as Readonly<Record<string, string>>)).proxy).toEqual(expected);
  });

  it("that nobody can use are problems of their variables, which are not repeated", async () => {
    const problems = problemsOf(await load(MINIMAL, { HTTPS_PROXY: "socks5://u:hunter2@p", http_proxy: "http://u:hunter2@" }));
    const advice = "must be the address of an HTTP proxy, such as http://proxy.example.com:3128; correct it, or unset it";
    expect(problems).toEqual([`HTTPS_PROXY:1:1 ${advice}`, `http_proxy:1:1 ${advice}`]);
  });
});

function option(index: number): string {
  return `zones.eu.clusters.a.headers.X-${index}.valueFile:`;
}

function clusterWithTls(settings: string, index: number): string {
  return `      c${index}: {url: "http://c${index}", tls: {${settings}}}`;
}

describe("a configuration that cannot be loaded", () => {
  it("is one that is not there, or cannot be read", async () => {
    const missing = await loadConfig(join(folder, "none.yaml"), {});
    expect(problemsOf(missing)).toEqual(["none.yaml:1:1 the configuration does not exist"]);
    expect(missing.files).toEqual([join(folder, "none.yaml")]);
    expect(problemsOf(await loadConfig(join(folder, ""), {}))).toEqual([
      expect.stringContaining("the configuration is a folder, not a file"),
    ]);
    expect(problemsOf(await load(`#${"x".repeat(1024 ** 2)}`))).toEqual([
      "penstock.yaml:1:1 the configuration is larger than 1.0 MB",
    ]);
  });

  it.each([
    ["", ["penstock.yaml:1:1 the configuration is empty; it needs at least instance, repository.url and one cluster"]],
    [
      "# only a comment\n",
      ["penstock.yaml:1:1 the configuration is empty; it needs at least instance, repository.url and one cluster"],
    ],
    ["a: [", [expect.stringMatching(/^penstock.yaml:1:\d this is not readable YAML/)]],
    [
      `${MINIMAL}log: {level: info}\nlog: {level: debug}\n`,
      [expect.stringContaining("penstock.yaml:6:1 the key log stands here a second time")],
    ],
    [`${MINIMAL}---\na: b\n`, ["penstock.yaml:6:1 the configuration is one YAML document; remove the ones from here on"]],
  ])("is one that is no single readable document: %o", async (text, expected) => {
    expect(problemsOf(await load(text))).toEqual(expected);
  });

  it("names every secret and certificate that cannot be had, all at once, with option, name and place", async () => {
    await writeFile(join(folder, "empty"), "\n");
    await writeFile(join(folder, "lines"), "two\nlines\n");
    await writeFile(join(folder, "binary"), Buffer.from([0xff, 0xfe, 0x41]));
    await writeFile(join(folder, "large"), "x".repeat(300 * 1024));
    await mkdir(join(folder, "folder"));
    execFileSync("mkfifo", [join(folder, "pipe")]);
    const headers = ["missing", "empty", "lines", "binary", "large", "folder", "pipe", "penstock.yaml/x"]
      .map((file, index) => `          X-${index}: {valueFile: ${file}}`)
      .join("\n");
    const loaded = await load(
      `
instance: prod
repository:
  url: https://git.example.com/jobs.git
  credentials: {username: me, passwordEnv: GIT_TOKEN}
zones:
  eu:
    clusters:
      a:
        url: http://a
        bearerEnv: EMPTY
        headers:
${headers}
`,
      { EMPTY: "", HTTP_PROXY: "ftp://x" },
    );
    expect(problemsOf(loaded)).toEqual([
      "penstock.yaml:5:44 repository.credentials.passwordEnv: the environment variable GIT_TOKEN is not set",
      "penstock.yaml:11:20 zones.eu.clusters.a.bearerEnv: the environment variable EMPTY is empty",
      `penstock.yaml:13:28 ${option(0)} missing does not exist`,
      `penstock.yaml:14:28 ${option(1)} empty is empty`,
      `penstock.yaml:15:28 ${option(2)} lines must be a single line without control characters`,
      `penstock.yaml:16:28 ${option(3)} binary is not UTF-8 text`,
      `penstock.yaml:17:28 ${option(4)} large is larger than 256 kB`,
      `penstock.yaml:18:28 ${option(5)} folder is a folder, not a file`,
      `penstock.yaml:19:28 ${option(6)} pipe is no ordinary file`,
      `penstock.yaml:20:28 ${option(7)} penstock.yaml/x does not exist: a part of its path is no folder`,
      "HTTP_PROXY:1:1 must be the address of an HTTP proxy, such as http://proxy.example.com:3128; correct it, or unset it",
    ]);
    expect(loaded.files).toContain(join(folder, "missing"));
  });

  it("judges certificates and keys, without a word of what they hold", async () => {
    const { ca, client, server } = certificates;
    const locked = execFileSync("openssl", ["pkey", "-aes128", "-passout", "pass:x"], { input: client.key, encoding: "utf8" });
    const broken = ca.replace(/\n[^\n]{20}/, "\nAAAAAAAAAAAAAAAAAAAA");
    const files = {
      ca,
      broken,
      two: `${ca}\n# a comment\n${broken}`,
      cert: client.cert,
      key: client.key,
      other: server.key,
      locked,
      text: "hello",
    };
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    const loaded = await load(
      [
        "instance: prod",
        'repository: {url: "https://git.example.com/jobs.git"}',
        "zones:",
        "  eu:",
        "    clusters:",
        ...[
          "caFile: text",
          "caFile: broken",
          "caFile: two",
          "caFile: key",
          "certFile: cert, keyFile: other",
          "certFile: cert, keyFile: locked",
          "certFile: cert, keyFile: text",
          "certFile: text, keyFile: key",
          "certFile: cert, keyFile: key",
        ].map(clusterWithTls),
      ].join("\n"),
    );
    expect(problemsOf(loaded).map((problem) => problem.replace(/^.*tls\./, ""))).toEqual([
      "caFile: text holds no PEM certificate (-----BEGIN CERTIFICATE-----)",
      "caFile: broken holds a certificate that cannot be read, number 1 of 1",
      "caFile: two holds a certificate that cannot be read, number 2 of 2",
      "caFile: key holds no PEM certificate (-----BEGIN CERTIFICATE-----)",
      "keyFile: other does not belong to the certificate in certFile",
      "keyFile: locked is protected by a passphrase, which Penstock has no option for; give a key without one",
      "keyFile: text holds no private key in PEM form",
      "certFile: text holds no PEM certificate (-----BEGIN CERTIFICATE-----)",
    ]);
  });

  it("is told anew each time: what the file says, what stands in the files that it names, and what is wrong by now", async () => {
    const file = join(folder, "penstock.yaml");
    const named = MINIMAL.replace('"}', '", credentials: {username: me, passwordFile: token}}');
    const read = createConfigLoader(file, {});
    const print = async (): Promise<string> => {
      const loaded = await read();
      return loaded.kind === "loaded" ? loaded.fingerprint : problemsOf(loaded).join("\n");
    };
    expect(await print()).toContain("the configuration");
    await writeFile(join(folder, "token"), "one");
    await writeFile(file, named);
    const first = await print();
    expect(await print()).toBe(first);
    await writeFile(join(folder, "token"), "two");
    const second = await print();
    expect(second).not.toBe(first);
    await writeFile(file, `${named}wrong: 1\n`);
    expect(await print()).toContain("wrong");
    expect(await print()).toContain("wrong");
    await rm(file);
    expect(await print()).toContain("the configuration");
    await writeFile(file, named);
    expect(await print()).toBe(second);
  });

  it("is left as soon as its signal is aborted", async () => {
    await writeFile(join(folder, "penstock.yaml"), MINIMAL);
    const reason = new Error("leaving");
    await expect(loadConfig(join(folder, "penstock.yaml"), {}, AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});
