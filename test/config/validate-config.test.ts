import { describe, expect, it } from "vitest";
import { formatProblem } from "../../src/common/problem.ts";
import { parseYamlFile } from "../../src/common/yaml-file.ts";
import type { ConfigValue } from "../../src/config/config-schema.ts";
import { validateConfig } from "../../src/config/validate-config.ts";

type Environment = Readonly<Record<string, string>>;

function validate(text: string, environment: Environment = {}) {
  return validateConfig(parseYamlFile("penstock.yaml", text).documents[0]!, environment);
}

function problemsOf(text: string, environment: Environment = {}): readonly string[] {
  const result = validate(text, environment);
  return result.kind === "invalid" ? result.problems.map(formatProblem) : [];
}

function settingsOf(text: string, environment: Environment = {}): ConfigValue {
  const result = validate(text, environment);
  if (result.kind === "invalid") throw new Error(result.problems.map(formatProblem).join("\n"));
  return result.settings;
}

/** The least that is valid, on five lines; `more` follows as whole lines of the root. */
function aConfig({
  repository = "",
  cluster = "",
  zone = "",
  more = "",
  url = "https://git.example.com/jobs.git",
}: {
  readonly repository?: string;
  readonly cluster?: string;
  readonly zone?: string;
  readonly more?: string;
  readonly url?: string;
} = {}): string {
  return [
    "instance: prod",
    `repository: {url: "${url}"${repository === "" ? "" : `, ${repository}`}}`,
    `zones: {eu: {clusters: {a: {url: "http://flink:8081"${cluster === "" ? "" : `, ${cluster}`}}}${zone === "" ? "" : `, ${zone}`}}}`,
    more,
  ].join("\n");
}

describe("a valid configuration", () => {
  it("needs an instance, a repository and one cluster, and gets every default", () => {
    expect(settingsOf(aConfig())).toEqual({
      instance: "prod",
      repository: {
        url: "https://git.example.com/jobs.git",
        branch: "main",
        paths: ["**/*.yaml", "**/*.yml"],
        pollInterval: "10s",
        timeout: "60s",
        tls: {},
        allowPlainHttp: false,
        maxBlobSize: "20MB",
        maxPackSize: "200MB",
      },
      status: { branch: "penstock/status", target: "branch", author: { name: "Penstock", email: "penstock@localhost" } },
      zones: {
        eu: {
          clusters: {
            a: { url: "http://flink:8081", draining: false, pollInterval: "5s", timeout: "10s", headers: {}, tls: {} },
          },
        },
      },
      policy: {
        paused: false,
        runtimeUpdates: "automatic",
        onDelete: "savepoint",
        deleteTimeout: "10m",
        deletions: { max: 5 },
        restorePoints: { dispose: true, keep: 3 },
      },
      secrets: {},
      artifacts: {
        maxSize: "500MB",
        timeout: "10m",
        allowPrivateNetworks: false,
        hosts: {},
        s3: { pathStyle: false, tls: {} },
        maven: { repositories: [] },
        cacheSize: "5GB",
      },
      previews: { plans: true, runs: false, branches: [] },
      server: { enabled: true, host: "127.0.0.1", port: 8080 },
      log: { level: "info" },
    });
  });

  it("keeps what is written, whatever names zones, clusters and projects have", () => {
    const settings = settingsOf(`
instance: p
repository: {url: http://localhost:3000/x.git, branch: release/1.0, paths: [jobs/*.yaml], pollInterval: 1 s}
zones:
  constructor: {clusters: {"1": {url: https://flink/a/}}, projects: {default: {}, b.c: {maxRpus: 0}}}
log: {level: debug}
`);
    expect(settings.repository).toMatchObject({
      branch: "release/1.0",
      paths: ["jobs/*.yaml"],
      pollInterval: "1 s",
      maxBlobSize: "20MB",
    });
    expect(Object.keys(settings.zones)).toEqual(["constructor"]);
    expect(settings.zones["constructor"]!.projects).toEqual({ default: {}, "b.c": { maxRpus: 0 } });
    expect(settings.log.level).toBe("debug");
  });

  it("names everything that has still to be read, with its place", () => {
    const result = validate(
      aConfig({
        repository: "credentials: {username: u, passwordFile: token}, tls: {caFile: ca.pem}",
        cluster: "headers: {X-Key: {valueEnv: API_KEY}}",
        more: "server: {tokensFile: tokens}",
      }),
    );
    expect(
      result.kind === "valid" && result.references.map(({ kind, name, line, path }) => [kind, name, line, path.join("/")]),
    ).toEqual([
      ["file", "token", 2, "repository/credentials/passwordFile"],
      ["file", "ca.pem", 2, "repository/tls/caFile"],
      ["file", "tokens", 4, "server/tokensFile"],
      ["variable", "API_KEY", 3, "zones/eu/clusters/a/headers/X-Key/valueEnv"],
    ]);
  });
});

describe("options that are not yet acted on", () => {
  it("are accepted with a notice each, and only when they ask for something else than what happens", () => {
    const result = validate(
      aConfig({
        more: `
status: {target: inline}
policy: {runtimeUpdates: automatic, onDelete: cancel, deletions: {max: 1}}
previews: {plans: true, runs: true, branches: []}`,
      }),
    );
    expect(result.kind === "valid" && result.notices.map(formatProblem)).toEqual([
      "penstock.yaml:7:25 previews.runs is accepted but not yet acted on: pull requests are planned, and nothing is run for them",
    ]);
  });

  it("give no notice when nothing of them is written", () => {
    const result = validate(aConfig({ more: "status: {target: branch}\npolicy: {runtimeUpdates: manual}" }));
    expect(result.kind === "valid" && result.notices).toEqual([]);
  });
});

describe("an invalid configuration", () => {
  it("gets all problems at once, each with its place and the way out", () => {
    expect(
      problemsOf(`
instance: Prod
repository:
  url: git@example.com:team/jobs.git
  brnach: main
  pollInterval: 10
log: {level: loud}
zoness: {}
`),
    ).toEqual([
      "penstock.yaml:2:1 missing field zones; add it",
      'penstock.yaml:2:11 instance must be at most 32 lower-case letters, digits and hyphens, such as prod, found "Prod"',
      expect.stringMatching(
        /^penstock.yaml:4:8 repository.url cannot be used: SSH is not supported; use https:\/\/example.com\/team\/jobs.git /,
      ),
      "penstock.yaml:5:3 unknown field repository.brnach; did you mean branch?",
      "penstock.yaml:6:17 repository.pollInterval must be a duration such as 30s, 5m or 2h, found 10",
      'penstock.yaml:7:14 log.level must be one of error, warn, info, debug, trace or silent, found "loud"',
      "penstock.yaml:8:1 unknown field zoness; did you mean zones?",
    ]);
  });

  it.each([
    [
      "no cluster",
      "instance: p\nrepository: {url: https://x/y}\nzones: {eu: {clusters: {}}}",
      "3:24 zones.eu.clusters must be a mapping that is not empty",
    ],
    ["no zone", "instance: p\nrepository: {url: https://x/y}\nzones: {}", "3:8 zones must be a mapping that is not empty"],
    ["an empty group", aConfig({ more: "policy:" }), "4:8 policy must be a mapping, found nothing"],
    ["a name of a zone that no manifest can have", aConfig().replace("eu:", "EU_1:"), "3:9 the key EU_1 of zones must be a name"],
    ["an instance that is too long", aConfig().replace("prod", "x".repeat(33)), "1:11 instance must be at most 32"],
    ["an instance that ends with a hyphen", aConfig().replace("prod", "prod-"), "1:11 instance must be at most 32"],
    [
      "a number for a size",
      aConfig({ repository: "maxBlobSize: 20" }),
      "repository.maxBlobSize must be a size such as 64KB, 20MB or 1GB, found 20",
    ],
    ["a size of nothing", aConfig({ repository: "maxBlobSize: 0MB" }), "repository.maxBlobSize must be more than nothing"],
    ["a poll that never rests", aConfig({ repository: "pollInterval: 1ms" }), "repository.pollInterval must be from 100ms to 1d"],
    [
      "a poll that timers cannot do",
      aConfig({ cluster: "pollInterval: 30d" }),
      "clusters.a.pollInterval must be from 100ms to 1d",
    ],
    [
      "text for a boolean",
      aConfig({ repository: 'allowPlainHttp: "yes"' }),
      'repository.allowPlainHttp must be true or false, found "yes"',
    ],
    ["no paths", aConfig({ repository: "paths: []" }), "repository.paths must be a list that is not empty"],
    [
      "an absolute path",
      aConfig({ repository: "paths: [/jobs]" }),
      "repository.paths[0] must be relative to the root of the repository",
    ],
    [
      "a path out of the repository",
      aConfig({ repository: "paths: [a, ../b]" }),
      "repository.paths[1] must not hold . or .. as a part",
    ],
    ["plain HTTP to another machine", aConfig({ url: "http://git.example.com/x.git" }), "or set repository.allowPlainHttp: true"],
    [
      "a cluster's URL of another kind",
      aConfig().replace("http://flink", "ftp://flink"),
      "clusters.a.url must be an http:// or https:// address",
    ],
    [
      "a cluster's URL without a scheme",
      aConfig().replace("http://flink:8081", "flink:8081"),
      "clusters.a.url must be an http:// or https:// address",
    ],
    [
      "a cluster's URL with a query",
      aConfig().replace("flink:8081", "flink:8081/?a=b"),
      "clusters.a.url must not have a query or a fragment",
    ],
    [
      "a directory without a scheme",
      aConfig({ cluster: "savepointsDir: /mnt/savepoints" }),
      "clusters.a.savepointsDir must be an address with its scheme",
    ],
    ["a branch that Git does not take", aConfig({ repository: "branch: a..b" }), "repository.branch must not hold .. or @{"],
    [
      "the status among the manifests",
      aConfig({ repository: "branch: penstock/status" }),
      "repository.branch collides: repository.branch is penstock/status and status.branch is penstock/status",
    ],
    [
      "a status branch below the branch",
      aConfig({ more: "status: {branch: main/status}" }),
      "status.branch collides: repository.branch is main and status.branch is main/status",
    ],
    [
      "an author that would break a commit",
      aConfig({ more: 'status: {author: {email: "a>b"}}' }),
      "status.author.email must be one line without < and >",
    ],
    [
      "credentials without a password",
      aConfig({ repository: "credentials: {username: u}" }),
      "repository.credentials must be a mapping with a username and one of passwordFile and passwordEnv",
    ],
    [
      "two places for one password",
      aConfig({ repository: "credentials: {username: u, passwordFile: f, passwordEnv: E}" }),
      "repository.credentials must be a mapping with a username and one of",
    ],
    [
      "two places for one token",
      aConfig({ cluster: "bearerFile: f, bearerEnv: E" }),
      "clusters.a.bearerEnv cannot stand beside bearerFile",
    ],
    [
      "a colon in a user name",
      aConfig({ cluster: 'basic: {username: "a:b", passwordFile: f}' }),
      "clusters.a.basic.username must not hold a colon",
    ],
    [
      "a certificate without its key",
      aConfig({ cluster: "tls: {certFile: c.pem}" }),
      "missing field zones.eu.clusters.a.tls.keyFile",
    ],
    [
      "two ways to authenticate",
      aConfig({ cluster: "basic: {username: u, passwordFile: f}, bearerFile: f" }),
      "clusters.a.bearerFile cannot stand beside basic",
    ],
    [
      "a header beside a token",
      aConfig({ cluster: "headers: {authorization: {valueFile: f}}, bearerFile: f" }),
      "headers.authorization cannot stand beside bearerFile",
    ],
    [
      "one header twice",
      aConfig({ cluster: "headers: {X-Key: {valueFile: f}, x-key: {valueFile: f}}" }),
      "headers.x-key is the same header as X-Key",
    ],
    [
      "a header of the connection",
      aConfig({ cluster: "headers: {Host: {valueFile: f}}" }),
      "headers.Host is set by the daemon itself",
    ],
    [
      "what is no header",
      aConfig({ cluster: 'headers: {"X Key": {valueFile: f}}' }),
      "the key X Key of zones.eu.clusters.a.headers must be the name of an HTTP header",
    ],
    [
      "a host of artifacts with a scheme",
      aConfig({ more: "artifacts: {hosts: {'https://files.example.com': {}}}" }),
      "must be a host in lower case, with or without a port, such as files.example.com or files.example.com:8443",
    ],
    [
      "two ways to sign in at a host of artifacts",
      aConfig({
        more: "artifacts: {hosts: {files.example.com: {bearerEnv: A, basic: {username: me, passwordEnv: B}}}}",
      }),
      "both set the header Authorization",
    ],
    ["a cache of no size", aConfig({ more: "artifacts: {cacheSize: 0MB}" }), "artifacts.cacheSize must be more than nothing"],
    [
      "a quota that is no number",
      aConfig({ zone: "projects: {default: {maxRpus: many}}" }),
      'projects.default.maxRpus must be a whole number of at least 0, found "many"',
    ],
    [
      "a Maven repository of another kind",
      aConfig({ more: "artifacts: {maven: {repositories: [{url: file:///m2}]}}" }),
      "repositories[0].url must be an http:// or https:// address",
    ],
  ])("is one with %s", (_, text, expected) => {
    expect(problemsOf(text)).toEqual([expect.stringContaining(expected)]);
  });

  it("has one cluster under two names, however their URLs are written", () => {
    const text = `
instance: p
repository: {url: https://x/y}
zones:
  eu: {clusters: {a: {url: "http://flink:80/x"}}}
  us: {clusters: {b: {url: "http://FLINK/x/"}, c: {url: "https://flink/x"}}}
`;
    expect(problemsOf(text)).toEqual([
      "penstock.yaml:6:28 zones.us.clusters.b.url is the same cluster as zones.eu.clusters.a; keep one of the two",
    ]);
  });

  it("may be none at all", () => {
    expect(problemsOf("just text")).toEqual(['penstock.yaml:1:1 the document must be a mapping, found "just text"']);
    expect(problemsOf("- a")).toEqual(["penstock.yaml:1:1 the document must be a mapping, found a list"]);
  });
});

describe("a secret in the configuration itself", () => {
  const secret = "hunter2";

  it.each([
    [
      "a password",
      aConfig({ repository: `credentials: {username: u, password: ${secret}}` }),
      "repository.credentials.password must not stand in the configuration itself; write it into a file and name that with passwordFile, or name an environment variable with passwordEnv",
    ],
    ["a token", aConfig({ cluster: `bearer: ${secret}` }), "clusters.a.bearer must not stand in the configuration itself"],
    [
      "a header's value",
      aConfig({ cluster: `headers: {X-Key: ${secret}}` }),
      "headers.X-Key must be {valueFile: …} or {valueEnv: …}",
    ],
    [
      "a header's value in its group",
      aConfig({ cluster: `headers: {X-Key: {value: ${secret}}}` }),
      "headers.X-Key.value must not stand in the configuration itself",
    ],
    [
      "a Maven repository's password",
      aConfig({
        more: `artifacts: {maven: {repositories: [{url: https://m, credentials: {username: u, password: ${secret}}}]}}`,
      }),
      "repositories[0].credentials.password must not stand",
    ],
    ["a webhook's secret", aConfig({ more: `server: {webhookSecret: ${secret}}` }), "server.webhookSecret must not stand"],
    [
      "a key",
      aConfig({ repository: `tls: {certFile: c, key: ${secret}}` }),
      "repository.tls.key must not stand in the configuration itself; write it into a file and name that with keyFile",
    ],
    [
      "all credentials as one text",
      aConfig({ repository: `credentials: "u:${secret}"` }),
      "repository.credentials must be a mapping with a username and one of passwordFile and passwordEnv",
    ],
    ["a list of credentials", aConfig({ cluster: `basic: [u, ${secret}]` }), "clusters.a.basic must be a mapping"],
    [
      "credentials in the repository's URL",
      aConfig({ url: `https://u:${secret}@git.example.com/x.git` }),
      "repository.url cannot be used: the URL must not hold credentials",
    ],
    [
      "credentials in a cluster's URL",
      aConfig().replace("flink:", `u:${secret}@flink:`),
      "clusters.a.url must not hold credentials",
    ],
    [
      "credentials in a directory",
      aConfig({ cluster: `savepointsDir: "s3://u:${secret}@bucket/x"` }),
      "clusters.a.savepointsDir must not hold credentials",
    ],
  ])("is refused with the way out and not repeated: %s", (_, text, expected) => {
    const problems = problemsOf(text);
    expect(problems).toEqual([expect.stringContaining(expected)]);
    expect(problems.join("\n")).not.toContain(secret);
  });
});

describe("variables that override single options", () => {
  it("win over the file, in groups that the file does not have too, and in their own types", () => {
    const settings = settingsOf(aConfig({ repository: "pollInterval: 10s" }), {
      PENSTOCK__INSTANCE: "test",
      PENSTOCK__REPOSITORY__POLL_INTERVAL: "30s",
      PENSTOCK__REPOSITORY__ALLOW_PLAIN_HTTP: "true",
      PENSTOCK__POLICY__DELETIONS__MAX: "7",
      PENSTOCK__STATUS__AUTHOR__NAME: "true",
      PENSTOCK__LOG__LEVEL: "debug",
      PENSTOCK_TOKEN: "not an override",
      HOME: "/root",
    });
    expect(settings).toMatchObject({
      instance: "test",
      repository: { url: "https://git.example.com/jobs.git", pollInterval: "30s", allowPlainHttp: true },
      policy: { paused: false, deletions: { max: 7 } },
      status: { branch: "penstock/status", author: { name: "true", email: "penstock@localhost" } },
      log: { level: "debug" },
    });
  });

  it("may give what the file lacks", () => {
    const settings = settingsOf("zones: {eu: {clusters: {a: {url: http://x}}}}", {
      PENSTOCK__INSTANCE: "p",
      PENSTOCK__REPOSITORY__URL: "https://x/y",
      PENSTOCK__REPOSITORY__CREDENTIALS__USERNAME: "u",
      PENSTOCK__REPOSITORY__CREDENTIALS__PASSWORD_FILE: "token",
    });
    expect(settings.repository.credentials).toEqual({ username: "u", passwordFile: "token" });
  });

  it("leave alone what shares the value through an alias", () => {
    const shared = aConfig({ repository: "tls: &tls {caFile: ca.pem}", cluster: "tls: *tls" });
    const settings = settingsOf(shared, { PENSTOCK__REPOSITORY__TLS__CA_FILE: "other.pem" });
    expect(settings.repository.tls.caFile).toBe("other.pem");
    expect(settings.zones["eu"]!.clusters["a"]!.tls.caFile).toBe("ca.pem");
  });

  it.each([
    [
      { PENSTOCK__LOG__LEVEL: "loud" },
      'PENSTOCK__LOG__LEVEL:1:1 log.level must be one of error, warn, info, debug, trace or silent, found "loud"',
    ],
    [
      { PENSTOCK__SERVER__PORT: "80a" },
      'PENSTOCK__SERVER__PORT:1:1 server.port must be a whole number of at least 0 and at most 65535, found "80a"',
    ],
    [{ PENSTOCK__POLICY__PAUSED: "1" }, 'PENSTOCK__POLICY__PAUSED:1:1 policy.paused must be true or false, found "1"'],
    [{ PENSTOCK__INSTANCE: "" }, "PENSTOCK__INSTANCE:1:1 instance must be at most 32 lower-case letters"],
    [
      { PENSTOCK__REPOSITORY__URL: "git@h:p" },
      "PENSTOCK__REPOSITORY__URL:1:1 repository.url cannot be used: SSH is not supported",
    ],
    [
      { PENSTOCK__REPOSITORY__BRNACH: "x" },
      "PENSTOCK__REPOSITORY__BRNACH:1:1 this names no option that a variable can set; did you mean PENSTOCK__REPOSITORY__BRANCH?",
    ],
    [
      { PENSTOCK__REPOSITORY__POLL: "x" },
      "PENSTOCK__REPOSITORY__POLL:1:1 this names no option that a variable can set; did you mean PENSTOCK__REPOSITORY__POLL_INTERVAL?",
    ],
    [{ PENSTOCK__COLOUR: "x" }, "PENSTOCK__COLOUR:1:1 this names no option that a variable can set; unset it"],
    [
      { PENSTOCK__repository__url: "x" },
      "PENSTOCK__repository__url:1:1 this names no option that a variable can set; did you mean PENSTOCK__REPOSITORY__URL?",
    ],
    [
      { PENSTOCK__ZONES__EU__CLUSTERS__A__URL: "x" },
      "PENSTOCK__ZONES__EU__CLUSTERS__A__URL:1:1 zones cannot be set by environment variables; write them into the file",
    ],
    [
      { PENSTOCK__POLICY: "x" },
      "PENSTOCK__POLICY:1:1 this names a group of options, and only a single value can be set by a variable; unset it",
    ],
    [{ PENSTOCK__REPOSITORY__PATHS: "x" }, "PENSTOCK__REPOSITORY__PATHS:1:1 this names no option that a variable can set"],
    [
      { PENSTOCK__REPOSITORY__CREDENTIALS__PASSWORD: "hunter2" },
      "PASSWORD:1:1 this names no option that a variable can set; did you mean PENSTOCK__REPOSITORY__CREDENTIALS__PASSWORD_FILE or PENSTOCK__REPOSITORY__CREDENTIALS__PASSWORD_ENV?",
    ],
  ])("are problems that name the variable when they are wrong: %o", (environment, expected) => {
    const problems = problemsOf(aConfig(), environment);
    expect(problems).toEqual([expect.stringContaining(expected)]);
    expect(problems.join("\n")).not.toContain("hunter2");
  });

  it("leave a file alone that has something else in the place of a group", () => {
    expect(problemsOf(aConfig({ more: "log: loud" }), { PENSTOCK__LOG__LEVEL: "debug" })).toEqual([
      'penstock.yaml:4:6 log must be a mapping, found "loud"',
    ]);
  });
});
