import type { ProxySettings } from "../common/http.ts";
import type { Secret } from "../common/secrets.ts";
import type { LogLevel } from "../common/log.ts";
import type { SigningKey } from "./signing-keys.ts";

/** The daemon's settings, validated, with every default filled in and every secret read. */
export interface Config {
  /** Part of every Flink job id. */
  readonly instance: string;
  readonly repository: RepositoryConfig;
  readonly status: StatusConfig;
  readonly zones: ReadonlyMap<string, ZoneConfig>;
  readonly policy: PolicyConfig;
  readonly artifacts: ArtifactsConfig;
  readonly previews: PreviewsConfig;
  /** Undefined: nobody is told but by the branches. */
  readonly forge?: ForgeConfig;
  /** `dir`: where the secrets of Jobs lie, as `<project>/<NAME>`. */
  readonly secrets: { readonly dir?: string };
  /** Undefined: the daemon listens on no port. */
  readonly server: ServerConfig | undefined;
  readonly proxy: ProxySettings;
  readonly log: { readonly level: LogLevel };
}

export interface ForgeConfig {
  readonly kind: "github" | "gitlab" | "gitea";
  /** Where its REST API begins, up to what is the same for all servers of the kind. */
  readonly url: URL;
  readonly token: Secret;
  /** `owner/name`; of GitLab with all its groups. */
  readonly repository: string;
  readonly tls: TlsConfig;
}

export interface PreviewsConfig {
  /** Say what a request would do before it is merged. */
  readonly plans: boolean;
  /** Globs of branches that are planned like requests. */
  readonly branches: readonly string[];
}

export interface BasicCredentials {
  readonly username: string;
  readonly password: Secret;
}

export interface TlsConfig {
  /** PEM text, read from the configured files. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: Secret;
}

export interface RepositoryConfig {
  readonly url: URL;
  readonly branch: string;
  readonly paths: readonly string[];
  readonly pollIntervalMs: number;
  readonly timeoutMs: number;
  readonly credentials?: BasicCredentials;
  readonly tls: TlsConfig;
  readonly maxBlobBytes: number;
  /** The most that one answer of the Git server may weigh. */
  readonly maxPackBytes: number;
  /** Undefined: any commit of the branch is applied. */
  readonly verify?: VerifyConfig;
}

export interface VerifyConfig {
  readonly mode: "head";
  readonly keys: readonly SigningKey[];
}

export interface StatusConfig {
  readonly branch: string;
  /** `inline`: the manifests show it as well. */
  readonly target: "branch" | "inline";
  readonly author: { readonly name: string; readonly email: string };
}

export interface ZoneConfig {
  readonly name: string;
  readonly clusters: readonly ClusterConfig[];
  /** Undefined: any project. */
  readonly projects?: ReadonlyMap<string, { readonly maxRpus?: number }>;
}

export interface ClusterConfig {
  readonly name: string;
  /** Without a trailing slash's meaning: paths are appended to it. */
  readonly url: URL;
  readonly checkpointsDir?: string;
  readonly savepointsDir?: string;
  readonly draining: boolean;
  readonly timeoutMs: number;
  readonly pollIntervalMs: number;
  readonly headers: ReadonlyMap<string, Secret>;
  readonly basic?: BasicCredentials;
  readonly bearer?: Secret;
  readonly tls: TlsConfig;
  /** How to list directories on S3; without it they are not. */
  readonly s3?: S3Config;
}

export interface S3Config {
  /** Undefined: Amazon's own for the region. */
  readonly endpoint?: URL;
  readonly region: string;
  /** The bucket's name in the path and not in the host's name. */
  readonly pathStyle: boolean;
  /** Undefined: what the AWS SDK finds on this machine, such as the role of an instance. */
  readonly credentials?: { readonly accessKeyId: Secret; readonly secretAccessKey: Secret; readonly sessionToken?: Secret };
  readonly tls: TlsConfig;
}

export interface PolicyConfig {
  readonly paused: boolean;
  /** Whether jobs move by themselves to a newer patch of their Flink version and away from draining clusters. */
  readonly runtimeUpdates: "automatic" | "manual";
  /** How the job of a deleted manifest is ended. */
  readonly onDelete: "savepoint" | "cancel";
  /** How long a deletion waits for its savepoint. */
  readonly deleteTimeoutMs: number;
  readonly deletions: { readonly max: number };
  /** Whether restore points that nothing needs are disposed of, and how many of a Job's newest stay in any case. */
  readonly restorePoints: { readonly dispose: boolean; readonly keep: number };
}

export interface MavenRepositoryConfig {
  readonly url: URL;
  readonly credentials?: BasicCredentials;
  readonly tls: TlsConfig;
}

/** What the configuration grants to one host of `url` sources. */
export interface ArtifactHostConfig {
  readonly allowPlainHttp: boolean;
  readonly headers: ReadonlyMap<string, Secret>;
  readonly basic?: BasicCredentials;
  readonly bearer?: Secret;
  readonly tls: TlsConfig;
}

export interface ArtifactsConfig {
  readonly maxBytes: number;
  readonly cacheDir: string;
  readonly cacheBytes: number;
  /** Whether `url` sources may lead into private networks, other than to hosts that the configuration names. */
  readonly allowPrivateNetworks: boolean;
  /** By host as `URL.host` writes it: without a port it is the scheme's own. */
  readonly hosts: ReadonlyMap<string, ArtifactHostConfig>;
  readonly s3: S3Config;
  readonly timeoutMs: number;
  readonly maven: { readonly repositories: readonly MavenRepositoryConfig[] };
}

export interface ServerConfig {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  /** Undefined: plain HTTP. */
  readonly tls?: { readonly cert: string; readonly key: Secret };
  /** Who may read the API and the metrics. Undefined, which only a loopback address allows: whoever can connect. */
  readonly tokens?: { readonly file: string; readonly values: readonly Secret[] };
  /** Undefined: no webhook is taken. `file` is where it was read from, to be read again. */
  readonly webhookSecret?: { readonly file: string | undefined; readonly value: Secret };
}
