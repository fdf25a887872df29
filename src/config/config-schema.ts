import type { OptionPattern, OptionSchema, ValueOf } from "./schema-value.ts";

/**
 * Every option of the daemon's YAML file, as JSON Schema: what an editor shows, what the reference lists, what is checked, and where
 * each default stands, once. Rules between options are in validate-config.ts.
 */
const NAME = String.raw`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`;

const text = { type: "string", minLength: 1 } as const;
const name = {
  type: "string",
  pattern: NAME,
  maxLength: 253,
  errorMessage: "must be a name of lower-case letters, digits, hyphens and dots, such as eu-1",
} as const;

function duration<D extends string>(standard: D) {
  const pattern = String.raw`^\d{1,9} ?(ms|s|m|min|h|d)$`;
  return { type: "string", pattern, errorMessage: "must be a duration such as 30s, 5m or 2h", default: standard } as const;
}

function size<D extends string>(standard: D) {
  const pattern = String.raw`^\d{1,9} ?([kKmMgG]?[bB])$`;
  return { type: "string", pattern, errorMessage: "must be a size such as 64KB, 20MB or 1GB", default: standard } as const;
}

const passwordFile = {
  ...text,
  description: "File that holds the password or token; a line break at its end is left out.",
} as const;
const passwordEnv = {
  ...text,
  description: "Environment variable that holds the password or token, instead of a file.",
} as const;
const credentials = {
  type: "object",
  additionalProperties: false,
  required: ["username"],
  oneOf: [{ required: ["passwordFile"] }, { required: ["passwordEnv"] }],
  errorMessage: "must be a mapping with a username and one of passwordFile and passwordEnv",
  properties: {
    username: {
      ...text,
      description: "User name for HTTP basic authentication. With an access token: what the server's manual asks for.",
    },
    passwordFile,
    passwordEnv,
  },
} as const;
const tls = {
  type: "object",
  additionalProperties: false,
  dependentRequired: { certFile: ["keyFile"], keyFile: ["certFile"] },
  default: {},
  properties: {
    caFile: { ...text, description: "PEM file with the certificates to trust, instead of the well-known ones." },
    certFile: { ...text, description: "PEM file with the client certificate; needs keyFile." },
    keyFile: { ...text, description: "PEM file with the key of the client certificate, without a passphrase; needs certFile." },
  },
} as const;

const headers = {
  type: "object",
  propertyNames: {
    type: "string",
    pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
    errorMessage: "must be the name of an HTTP header",
  },
  default: {},
  description: "HTTP headers for each call, by name; the values from files or the environment.",
  additionalProperties: {
    type: "object",
    additionalProperties: false,
    oneOf: [{ required: ["valueFile"] }, { required: ["valueEnv"] }],
    errorMessage: "must be {valueFile: …} or {valueEnv: …}: the value itself does not belong into the configuration",
    properties: {
      valueFile: { ...text, description: "File that holds the header's value." },
      valueEnv: { ...text, description: "Environment variable that holds the header's value, instead of a file." },
    },
  },
} as const;
const bearerFile = { ...text, description: "File that holds a token, sent as `Authorization: Bearer …`." } as const;
const bearerEnv = { ...text, description: "Environment variable that holds that token, instead of a file." } as const;

const repository = {
  type: "object",
  additionalProperties: false,
  description: "The Git repository that holds the manifests.",
  required: ["url"],
  properties: {
    url: {
      ...text,
      description: "Where to clone it from: https:// anywhere, http:// on loopback or with allowPlainHttp. Without credentials.",
      examples: ["https://git.example.com/streams/jobs.git"],
    },
    branch: { ...text, default: "main", description: "The branch to follow." },
    paths: {
      type: "array",
      items: text,
      minItems: 1,
      default: ["**/*.yaml", "**/*.yml"],
      description: "Which files are read, as patterns relative to the root of the repository.",
    },
    pollInterval: {
      ...duration("10s"),
      description: "How often to ask for new commits, give or take some jitter.",
    },
    timeout: {
      ...duration("60s"),
      description: "How long the Git server may be silent; a whole request may take ten times as long.",
    },
    credentials: { ...credentials, description: "For HTTP basic authentication." },
    tls: { ...tls, description: "For servers with a certificate of one's own, or that ask for one." },
    allowPlainHttp: {
      type: "boolean",
      default: false,
      description: "Allow http:// to other machines: credentials and manifests travel unprotected.",
    },
    maxBlobSize: {
      ...size("20MB"),
      description: "The largest file that is read from the repository.",
    },
    maxPackSize: {
      ...size("200MB"),
      description: "The largest answer of the Git server; it is held in memory.",
    },
    verify: {
      type: "object",
      additionalProperties: false,
      required: ["keys"],
      description: "Apply only commits that are signed by one of these keys. Without it, any commit of the branch counts.",
      properties: {
        mode: {
          type: "string",
          enum: ["head"],
          default: "head",
          description:
            "`head`: the newest commit of the branch has to be signed. A merge that a forge makes is signed by the forge's key.",
        },
        keys: {
          type: "array",
          minItems: 1,
          description:
            "The public keys whose signatures count; one that is not listed any more counts for nothing that it has signed.",
          items: {
            type: "object",
            additionalProperties: false,
            required: ["file"],
            properties: {
              file: {
                ...text,
                description:
                  "File with armoured OpenPGP keys, OpenSSH public keys or lines of Git's allowed_signers, any number of each.",
              },
            },
          },
        },
      },
    },
  },
} as const;

const status = {
  type: "object",
  additionalProperties: false,
  default: {},
  description: "Where and how the status is written back.",
  properties: {
    branch: {
      ...text,
      default: "penstock/status",
      description: "The branch that the status is committed to. It belongs to Penstock alone.",
    },
    target: {
      type: "string",
      enum: ["branch", "inline"],
      default: "branch",
      description:
        "`inline`: mirror the status as a `status` block in the manifests as well. The credentials must be allowed to push to `repository.branch`.",
    },
    author: {
      type: "object",
      additionalProperties: false,
      default: {},
      description: "Who the status commits are from.",
      properties: {
        name: { ...text, default: "Penstock", description: "Name of the commits' author." },
        email: { ...text, default: "penstock@localhost", description: "E-mail address of the commits' author." },
      },
    },
  },
} as const;

const s3 = {
  type: "object",
  additionalProperties: false,
  properties: {
    endpoint: {
      ...text,
      description: "Address of the service, if it is not Amazon's own for the region. Without credentials.",
      examples: ["https://minio.example.com"],
    },
    region: { ...text, description: "Region of the buckets. Without it: $AWS_REGION, $AWS_DEFAULT_REGION, or us-east-1." },
    pathStyle: {
      type: "boolean",
      default: false,
      description: "Send the bucket's name in the path and not in the host's name, as most services other than Amazon's want it.",
    },
    accessKeyIdFile: {
      ...text,
      description: "File that holds the id of an access key that may read the buckets; needs its secret.",
    },
    accessKeyIdEnv: { ...text, description: "Environment variable that holds that id, instead of a file." },
    secretAccessKeyFile: { ...text, description: "File that holds the secret of the access key." },
    secretAccessKeyEnv: { ...text, description: "Environment variable that holds that secret, instead of a file." },
    tls: { ...tls, description: "For services with a certificate of one's own, or that ask for one." },
  },
} as const;

const cluster = {
  type: "object",
  additionalProperties: false,
  required: ["url"],
  properties: {
    url: {
      ...text,
      description: "The REST address of the JobManager, http:// or https://. Without credentials.",
      examples: ["http://jobmanager-a:8081"],
    },
    checkpointsDir: {
      ...text,
      description:
        "Where the daemon finds the checkpoints, if not where the cluster itself says: an address with its scheme, such as s3://streams/checkpoints.",
    },
    savepointsDir: {
      ...text,
      description: "Where savepoints go, if not where the cluster itself says: an address with its scheme.",
    },
    draining: { type: "boolean", default: false, description: "Start no job here any more." },
    pollInterval: { ...duration("5s"), description: "How often to look at the jobs." },
    timeout: {
      ...duration("10s"),
      description:
        "How long one answer may take before the cluster counts as unreachable; a submission, which runs the program's main(), may take longer.",
    },
    headers,
    basic: { ...credentials, description: "For HTTP basic authentication." },
    bearerFile,
    bearerEnv,
    tls: { ...tls, description: "For clusters with a certificate of one's own, or that ask for one." },
    s3: {
      ...s3,
      description:
        "For checkpoints and savepoints on S3: without it the daemon cannot list them there. {} is enough on a machine with a role.",
    },
  },
} as const;

const zones = {
  type: "object",
  description: "The zones that manifests may name, each with the Flink session clusters behind it.",
  propertyNames: name,
  minProperties: 1,
  additionalProperties: {
    type: "object",
    additionalProperties: false,
    required: ["clusters"],
    properties: {
      clusters: {
        type: "object",
        description: "The clusters by name. Which Flink version each one runs is asked from it.",
        propertyNames: name,
        minProperties: 1,
        additionalProperties: cluster,
      },
      projects: {
        type: "object",
        description: "The projects that may run here. Without it: any project, no quota.",
        propertyNames: name,
        additionalProperties: {
          type: "object",
          additionalProperties: false,
          properties: {
            maxRpus: {
              type: "integer",
              minimum: 0,
              description: "How many RPUs the project's jobs may ask for together; without it any number.",
            },
          },
        },
      },
    },
  },
} as const;

const policy = {
  type: "object",
  additionalProperties: false,
  default: {},
  description: "What the daemon may do on its own.",
  properties: {
    paused: { type: "boolean", default: false, description: "Look and report, but start and stop nothing." },
    runtimeUpdates: {
      type: "string",
      enum: ["automatic", "manual"],
      default: "automatic",
      description: "Move jobs by savepoint to a newer patch of their Flink version, and away from draining clusters.",
    },
    onDelete: {
      type: "string",
      enum: ["savepoint", "cancel"],
      default: "savepoint",
      description: "How the job of a deleted manifest is stopped.",
    },
    deleteTimeout: {
      ...duration("10m"),
      description: "How long a deletion waits for its savepoint.",
    },
    deletions: {
      type: "object",
      additionalProperties: false,
      default: {},
      description: "The guard against deleting too much at once.",
      properties: {
        max: {
          type: "integer",
          minimum: 0,
          default: 5,
          description: "Hold the deletions when more jobs than this wait for one.",
        },
      },
    },
    restorePoints: {
      type: "object",
      additionalProperties: false,
      default: {},
      description: "What becomes of old checkpoints and savepoints of a job.",
      properties: {
        dispose: {
          type: "boolean",
          default: true,
          description:
            "Have Flink remove what nothing needs any more: savepoints that were taken for a rescale, a suspension, a move or a deletion, and checkpoints that dead attempts left.",
        },
        keep: {
          type: "integer",
          minimum: 1,
          default: 3,
          description: "So many of the newest stay in any case, for each job.",
        },
      },
    },
  },
} as const;

const artifacts = {
  type: "object",
  additionalProperties: false,
  default: {},
  description: "How jars are fetched and kept.",
  properties: {
    maxSize: { ...size("500MB"), description: "The largest jar." },
    timeout: { ...duration("10m"), description: "How long one download may take." },
    allowPrivateNetworks: {
      type: "boolean",
      default: false,
      description:
        "Let `url` sources of manifests point into private networks. Hosts that this file names for the repository or for artifacts are always allowed.",
    },
    hosts: {
      type: "object",
      default: {},
      description: "What `url` sources need, by host: files.example.com, or with a port where it is none of the scheme's own.",
      propertyNames: {
        type: "string",
        pattern: String.raw`^([a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(:\d{1,5})?$`,
        maxLength: 255,
        errorMessage: "must be a host in lower case, with or without a port, such as files.example.com or files.example.com:8443",
      },
      additionalProperties: {
        type: "object",
        additionalProperties: false,
        properties: {
          allowPlainHttp: {
            type: "boolean",
            default: false,
            description: "Allow http:// to this host: credentials and jars travel unprotected.",
          },
          headers,
          basic: { ...credentials, description: "For HTTP basic authentication." },
          bearerFile,
          bearerEnv,
          tls: { ...tls, description: "For servers with a certificate of one's own, or that ask for one." },
        },
      },
    },
    s3: {
      ...s3,
      default: {},
      description: "For `s3` sources. Nothing is needed on a machine with a role that may read the buckets.",
    },
    maven: {
      type: "object",
      additionalProperties: false,
      default: {},
      description: "For `maven` sources.",
      properties: {
        repositories: {
          type: "array",
          default: [],
          description: "Maven repositories, asked in this order. None by default.",
          items: {
            type: "object",
            additionalProperties: false,
            required: ["url"],
            properties: {
              url: {
                ...text,
                description: "Address of the repository's root. Without credentials.",
                examples: ["https://maven.example.com/releases"],
              },
              credentials: { ...credentials, description: "For HTTP basic authentication." },
              tls: { ...tls, description: "For servers with a certificate of one's own, or that ask for one." },
            },
          },
        },
      },
    },
    cacheSize: {
      ...size("5GB"),
      description:
        "How much the folder for jars may hold. What is used least goes first; what an Artifact of the status branch needs stays.",
    },
    cacheDir: {
      ...text,
      description:
        "Folder for downloaded jars; it may be lost at any time. Without it: `penstock` under $XDG_CACHE_HOME, or under the folder for temporary files.",
    },
  },
} as const;

const secrets = {
  type: "object",
  additionalProperties: false,
  default: {},
  description: "Secrets that Jobs name as ${secret:NAME} in their arguments and options.",
  properties: {
    dir: {
      ...text,
      description:
        "Folder with a folder per project, in which each file is a secret by its name: <dir>/<project>/<NAME>. Read whenever it is needed.",
      examples: ["/run/secrets/jobs"],
    },
  },
} as const;

const previews = {
  type: "object",
  additionalProperties: false,
  default: {},
  description: "What happens for open pull requests.",
  properties: {
    plans: {
      type: "boolean",
      default: true,
      description: "Say on the branch penstock/previews what each open pull request would do. Nothing is run for it.",
    },
    runs: { type: "boolean", default: false, description: "Run the changed jobs of a pull request in a preview zone." },
    branches: {
      type: "array",
      items: text,
      default: [],
      description: "Globs of branches that are planned like pull requests, such as feature/**.",
    },
  },
} as const;

const forge = {
  type: "object",
  additionalProperties: false,
  required: ["kind"],
  oneOf: [{ required: ["tokenFile"] }, { required: ["tokenEnv"] }],
  errorMessage: "must be a mapping with a kind and one of tokenFile and tokenEnv",
  description: "Where pull requests and commits are told what became of them, by a comment and commit statuses.",
  properties: {
    kind: {
      type: "string",
      enum: ["github", "gitlab", "gitea"],
      description: "Which REST API it has; gitea stands for Forgejo as well.",
    },
    url: {
      ...text,
      description:
        "Its address: https://api.github.com for github (of an own server with /api/v3), https://gitlab.com for gitlab; gitea has none by default.",
      examples: ["https://gitlab.example.com"],
    },
    tokenFile: {
      ...text,
      description:
        "File that holds a token which may comment on requests and set commit statuses; a line break at its end is left out.",
    },
    tokenEnv: { ...text, description: "Environment variable that holds the token, instead of a file." },
    repository: {
      ...text,
      description: "The repository's name there, owner/name. Without it: the path of repository.url.",
      examples: ["streams/jobs"],
    },
    tls: { ...tls, description: "For servers with a certificate of one's own, or that ask for one." },
  },
} as const;

const server = {
  type: "object",
  additionalProperties: false,
  default: {},
  description: "The daemon's own HTTP server: health, metrics, the read API, and webhooks.",
  properties: {
    enabled: {
      type: "boolean",
      default: true,
      description: "Whether the daemon listens at all; with `--once` it never does.",
    },
    host: {
      ...text,
      default: "127.0.0.1",
      description:
        "Address or host name to listen on. One that other machines can reach, such as 0.0.0.0, is refused without `tokensFile`.",
    },
    port: { type: "integer", minimum: 0, maximum: 65_535, default: 8080, description: "Port to listen on; 0 takes a free one." },
    tokensFile: {
      ...text,
      description:
        "File that holds the bearer tokens for the API and /metrics, one a line of 16 characters or more; lines with # are comments. Read again whenever it was changed.",
    },
    webhookSecretFile: {
      ...text,
      description:
        "File that holds the secret that the forges sign webhooks with, or send along; read again whenever it was changed. Without a secret no webhook is taken.",
    },
    webhookSecretEnv: { ...text, description: "Environment variable that holds that secret, instead of a file." },
    tls: {
      type: "object",
      additionalProperties: false,
      required: ["certFile", "keyFile"],
      description: "Speak HTTPS instead of HTTP.",
      properties: {
        certFile: {
          ...text,
          description: "PEM file with the server's certificate, followed by those that it needs up to a known one.",
        },
        keyFile: { ...text, description: "PEM file with the key of the certificate, without a passphrase." },
      },
    },
  },
} as const;

export const CONFIG_SCHEMA = {
  type: "object",
  description: "The configuration of Penstock's daemon.",
  additionalProperties: false,
  required: ["instance", "repository", "zones"],
  properties: {
    instance: {
      type: "string",
      pattern: "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$",
      maxLength: 32,
      errorMessage: "must be at most 32 lower-case letters, digits and hyphens, such as prod",
      description:
        "Name of this daemon: at most 32 lower-case letters, digits and hyphens. Part of every Flink job id, so never change it while jobs run.",
      examples: ["prod"],
    },
    repository,
    status,
    zones,
    policy,
    artifacts,
    secrets,
    previews,
    forge,
    server,
    log: {
      type: "object",
      additionalProperties: false,
      default: {},
      description: "What is logged, as JSON lines, or as text on a terminal.",
      properties: {
        level: {
          type: "string",
          enum: ["error", "warn", "info", "debug", "trace", "silent"],
          default: "info",
          description: "The least important level that is logged.",
        },
      },
    },
  },
} as const satisfies OptionSchema;

/** The file's content, valid by the schema, with defaults. */
export type ConfigValue = ValueOf<typeof CONFIG_SCHEMA>;

/** An option that is accepted, checked, and then left alone until a later version; `today` is what happens instead. */
export interface IdleOption {
  readonly today: string;
  /** Written so, it asks for just what happens today. */
  readonly harmless?: unknown;
}

/** By pattern. Never silently ignored: whoever writes one of these is told. */
export const IDLE_OPTIONS: ReadonlyMap<OptionPattern, IdleOption> = new Map([
  ["previews.runs", { harmless: false, today: "pull requests are planned, and nothing is run for them" }],
]);
