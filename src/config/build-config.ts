import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ProxySettings } from "../common/http.ts";
import { fieldName } from "../common/schema-problems.ts";
import { Secret } from "../common/secrets.ts";
import { parseDurationMs, parseSizeBytes } from "../common/units.ts";
import type { YamlPath } from "../common/yaml-file.ts";
import type {
  ArtifactHostConfig,
  BasicCredentials,
  ClusterConfig,
  Config,
  ForgeConfig,
  MavenRepositoryConfig,
  S3Config,
  ServerConfig,
  TlsConfig,
  VerifyConfig,
  ZoneConfig,
} from "./config.ts";
import { parseTokens } from "./secret-text.ts";
import { parseSigningKeys } from "./signing-keys.ts";
import type { ConfigValue } from "./config-schema.ts";

/** What the settings refer to, by the name of the option that names it, such as `repository.credentials.passwordFile`. */
export type Contents = ReadonlyMap<string, string>;

export interface Surroundings {
  readonly proxy: ProxySettings;
  /** For buckets of which the settings do not say it. */
  readonly aws: AwsSurroundings;
  /** Where jars are kept when the settings do not say it. */
  readonly defaultCacheDir: string;
  /** Turns a path of the file into an absolute one. */
  resolvePath(path: string): string;
}

/** The daemon's settings in their final types. Everything was validated before, and each reference is in `contents`. Pure. */
export function buildConfig(settings: ConfigValue, contents: Contents, surroundings: Surroundings): Config {
  const { repository, status, artifacts } = settings;
  return {
    instance: settings.instance,
    repository: {
      url: new URL(repository.url.trim()),
      branch: repository.branch,
      paths: repository.paths,
      pollIntervalMs: durationMs(repository.pollInterval),
      timeoutMs: durationMs(repository.timeout),
      ...credentialsOf(repository.credentials, ["repository", "credentials"], contents),
      tls: tlsOf(["repository", "tls"], contents),
      maxBlobBytes: sizeBytes(repository.maxBlobSize),
      maxPackBytes: sizeBytes(repository.maxPackSize),
      ...verifyOf(repository.verify, contents),
    },
    status: { branch: status.branch, target: status.target, author: status.author },
    zones: new Map(Object.entries(settings.zones).map(([name, zone]) => [name, zoneOf(name, zone, contents, surroundings.aws)])),
    policy: {
      paused: settings.policy.paused,
      runtimeUpdates: settings.policy.runtimeUpdates,
      onDelete: settings.policy.onDelete,
      deleteTimeoutMs: durationMs(settings.policy.deleteTimeout),
      deletions: { max: settings.policy.deletions.max },
      restorePoints: settings.policy.restorePoints,
    },
    artifacts: {
      maxBytes: sizeBytes(artifacts.maxSize),
      cacheDir: artifacts.cacheDir === undefined ? surroundings.defaultCacheDir : surroundings.resolvePath(artifacts.cacheDir),
      cacheBytes: sizeBytes(artifacts.cacheSize),
      timeoutMs: durationMs(artifacts.timeout),
      allowPrivateNetworks: artifacts.allowPrivateNetworks,
      hosts: new Map(Object.entries(artifacts.hosts).map(([host, value]) => [host, artifactHostOf(host, value, contents)])),
      s3: s3Of(artifacts.s3, ["artifacts", "s3"], contents, surroundings.aws),
      maven: {
        repositories: artifacts.maven.repositories.map((one, index) => mavenRepositoryOf(one, index, contents)),
      },
    },
    secrets: settings.secrets.dir === undefined ? {} : { dir: surroundings.resolvePath(settings.secrets.dir) },
    server: settings.server.enabled ? serverOf(settings.server, contents, surroundings) : undefined,
    ...(settings.forge === undefined ? {} : { forge: forgeOf(settings.forge, repository.url, contents) }),
    previews: { plans: settings.previews.plans, branches: settings.previews.branches },
    proxy: surroundings.proxy,
    log: { level: settings.log.level },
  };
}

function verifyOf(value: ConfigValue["repository"]["verify"], contents: Contents): { readonly verify?: VerifyConfig } {
  if (value === undefined) return {};
  const keys = value.keys.flatMap((_, index) => {
    const parsed = parseSigningKeys(contents.get(fieldName(["repository", "verify", "keys", index, "file"])) ?? "");
    return "keys" in parsed ? parsed.keys : []; // readReferences has told of any other
  });
  return { verify: { mode: value.mode, keys } };
}

const FORGE_URLS = { github: "https://api.github.com", gitlab: "https://gitlab.com" } as const;

function forgeOf(value: NonNullable<ConfigValue["forge"]>, repositoryUrl: string, contents: Contents): ForgeConfig {
  const { kind } = value;
  const url = value.url ?? (kind === "gitea" ? undefined : FORGE_URLS[kind]);
  return {
    kind,
    url: new URL(url!), // check-options has asked for one where there is none by default
    token: secretOf(["forge", "token"], contents)!,
    repository: value.repository ?? repositoryPath(repositoryUrl),
    tls: tlsOf(["forge", "tls"], contents),
  };
}

/** `streams/jobs` of `https://git.example.com/streams/jobs.git`. */
function repositoryPath(url: string): string {
  return new URL(url.trim()).pathname.replace(/^\/+|\/+$/g, "").replace(/\.git$/, "");
}

/** What other tools for AWS take from the environment as well. */
export type AwsSurroundings = Partial<Pick<S3Config, "region" | "credentials">>;

export function awsSurroundings(environment: Readonly<Record<string, string | undefined>>): AwsSurroundings {
  const region = environment["AWS_REGION"] || environment["AWS_DEFAULT_REGION"];
  const [id, secret, token] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"].map(
    (name) => environment[name],
  );
  const session = token ? { sessionToken: new Secret(token) } : {};
  return {
    ...(region ? { region } : {}),
    ...(id && secret ? { credentials: { accessKeyId: new Secret(id), secretAccessKey: new Secret(secret), ...session } } : {}),
  };
}

/** `penstock` under the user's cache folder, or under the one for temporary files. */
export function defaultCacheDir(environment: Readonly<Record<string, string | undefined>>): string {
  return join(environment["XDG_CACHE_HOME"] || tmpdir(), "penstock");
}

function mavenRepositoryOf(
  { url, credentials }: ConfigValue["artifacts"]["maven"]["repositories"][number],
  index: number,
  contents: Contents,
): MavenRepositoryConfig {
  const path = ["artifacts", "maven", "repositories", index];
  return {
    url: new URL(url),
    ...credentialsOf(credentials, [...path, "credentials"], contents),
    tls: tlsOf([...path, "tls"], contents),
  };
}

function artifactHostOf(host: string, value: ConfigValue["artifacts"]["hosts"][string], contents: Contents): ArtifactHostConfig {
  const path = ["artifacts", "hosts", host];
  return {
    allowPlainHttp: value.allowPlainHttp,
    ...authorizationOf(value, path, contents),
    tls: tlsOf([...path, "tls"], contents),
  };
}

/** Headers, and one of the two ways to fill the one for authorization. */
function authorizationOf(
  value: Pick<ZoneValue["clusters"][string], "basic" | "headers">,
  path: YamlPath,
  contents: Contents,
): Pick<ClusterConfig, "headers" | "basic" | "bearer"> {
  const basic = credentialsOf(value.basic, [...path, "basic"], contents).credentials;
  const bearer = secretOf([...path, "bearer"], contents);
  const headers = Object.keys(value.headers).map(
    (header) => [header, secretOf([...path, "headers", header, "value"], contents)!] as const,
  );
  return {
    headers: new Map(headers),
    ...(basic === undefined ? {} : { basic }),
    ...(bearer === undefined ? {} : { bearer }),
  };
}

type ZoneValue = ConfigValue["zones"][string];

function zoneOf(name: string, zone: ZoneValue, contents: Contents, aws: AwsSurroundings): ZoneConfig {
  const clusters = Object.entries(zone.clusters).map(([cluster, value]) =>
    clusterOf(cluster, value, ["zones", name, "clusters", cluster], contents, aws),
  );
  if (zone.projects === undefined) return { name, clusters };
  return { name, clusters, projects: new Map(Object.entries(zone.projects)) };
}

function clusterOf(
  name: string,
  value: ZoneValue["clusters"][string],
  path: YamlPath,
  contents: Contents,
  aws: AwsSurroundings,
): ClusterConfig {
  return {
    name,
    url: new URL(value.url),
    ...(value.checkpointsDir === undefined ? {} : { checkpointsDir: value.checkpointsDir }),
    ...(value.savepointsDir === undefined ? {} : { savepointsDir: value.savepointsDir }),
    draining: value.draining,
    timeoutMs: durationMs(value.timeout),
    pollIntervalMs: durationMs(value.pollInterval),
    ...authorizationOf(value, path, contents),
    tls: tlsOf([...path, "tls"], contents),
    ...(value.s3 === undefined ? {} : { s3: s3Of(value.s3, [...path, "s3"], contents, aws) }),
  };
}

function s3Of(
  value: NonNullable<ZoneValue["clusters"][string]["s3"]>,
  path: YamlPath,
  contents: Contents,
  aws: AwsSurroundings,
): S3Config {
  const accessKeyId = secretOf([...path, "accessKeyId"], contents);
  const secretAccessKey = secretOf([...path, "secretAccessKey"], contents);
  const written = accessKeyId === undefined || secretAccessKey === undefined ? undefined : { accessKeyId, secretAccessKey };
  const credentials = written ?? aws.credentials;
  return {
    ...(value.endpoint === undefined ? {} : { endpoint: new URL(value.endpoint) }),
    region: value.region ?? aws.region ?? "us-east-1",
    pathStyle: value.pathStyle,
    ...(credentials === undefined ? {} : { credentials }),
    tls: tlsOf([...path, "tls"], contents),
  };
}

function serverOf(value: ConfigValue["server"], contents: Contents, surroundings: Surroundings): ServerConfig {
  const { host, port, tokensFile, webhookSecretFile } = value;
  const { cert, key } = tlsOf(["server", "tls"], contents);
  const tokens = contents.get("server.tokensFile");
  const webhookSecret = secretOf(["server", "webhookSecret"], contents);
  const secretFile = webhookSecretFile === undefined ? undefined : surroundings.resolvePath(webhookSecretFile);
  return {
    host,
    port,
    ...(cert === undefined || key === undefined ? {} : { tls: { cert, key } }),
    ...(tokens === undefined
      ? {}
      : { tokens: { file: surroundings.resolvePath(tokensFile!), values: parseTokens(tokens).tokens } }),
    ...(webhookSecret === undefined ? {} : { webhookSecret: { file: secretFile, value: webhookSecret } }),
  };
}

function credentialsOf(
  value: { readonly username: string } | undefined,
  path: YamlPath,
  contents: Contents,
): { readonly credentials?: BasicCredentials } {
  if (value === undefined) return {};
  return { credentials: { username: value.username, password: secretOf([...path, "password"], contents)! } };
}

function tlsOf(path: YamlPath, contents: Contents): TlsConfig {
  const ca = contents.get(fieldName([...path, "caFile"]));
  const cert = contents.get(fieldName([...path, "certFile"]));
  const key = contents.get(fieldName([...path, "keyFile"]));
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key: new Secret(key) }),
  };
}

/** From `…File` or `…Env`, whichever of the two was written. */
function secretOf(path: YamlPath, contents: Contents): Secret | undefined {
  const option = path.at(-1)!;
  const group = path.slice(0, -1);
  const value = contents.get(fieldName([...group, `${option}File`])) ?? contents.get(fieldName([...group, `${option}Env`]));
  return value === undefined ? undefined : new Secret(value);
}

/** The schema has let no other text through. */
function durationMs(text: string): number {
  return parseDurationMs(text)!;
}

function sizeBytes(text: string): number {
  return parseSizeBytes(text)!;
}
