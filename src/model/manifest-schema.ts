import type { JsonSchema } from "../common/schema-problems.ts";
import { optionsSchema } from "./options-reference.ts";
import { API_VERSION, KINDS, type Kind } from "./resource.ts";

/** The largest parallelism that Flink allows. */
export const MAX_RPUS = 32_768;

const LABEL = "[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?";
const NAME_PATTERN = `^${LABEL}(?:\\.${LABEL})*$`;
export const NAME_RULE =
  "must be a name such as window-aggregation-0.2: lower-case letters, digits, - and ., each part between dots beginning and ending with a letter or digit, at most 253 characters in all and 63 between dots";

export function isResourceName(text: string): boolean {
  return text.length <= 253 && new RegExp(NAME_PATTERN, "u").test(text);
}

function name(description: string, example: string): JsonSchema {
  return { type: "string", pattern: NAME_PATTERN, maxLength: 253, errorMessage: NAME_RULE, description, examples: [example] };
}

function object(description: string, required: readonly string[], properties: JsonSchema): JsonSchema {
  return { type: "object", description, additionalProperties: false, required, properties };
}

/** Numbers and booleans are taken as they are written. */
const SCALAR = ["string", "number", "boolean"];

const textMap = (description: string): JsonSchema => ({
  type: ["object", "null"],
  description,
  additionalProperties: { type: SCALAR, errorMessage: "must be text" },
});

const reference = (description: string, example: string): JsonSchema =>
  object(description, ["name"], {
    name: name("The name of a resource of the same zone and project. It may be declared later.", example),
  });

const METADATA = object("What the resource is called.", ["name"], {
  name: name("Unique for its kind within zone and project.", "top-speed-windowing-v1"),
  project: name("The project; `default` when not given.", "default"),
  labels: textMap("Free text for people and tools."),
  annotations: textMap("Free text for people and tools; those that begin with penstock/ are instructions."),
});

const PROJECT_METADATA = object("What the project is called.", ["name"], {
  name: name("The project's name.", "default"),
  labels: textMap("Free text for people and tools."),
  annotations: textMap("Free text for people and tools."),
});

const JAR_OPTIONS: JsonSchema = {
  type: ["object", "null"],
  description: "How the program is called. Each field overrides the Artifact's; without either the jar's own manifest decides.",
  additionalProperties: false,
  properties: {
    entryClass: {
      type: "string",
      pattern: "^[\\p{L}_$][\\p{L}\\p{N}_$]*(?:\\.[\\p{L}_$][\\p{L}\\p{N}_$]*)*$",
      maxLength: 500,
      errorMessage: "must be the full name of a class such as com.example.Main",
      description: "The class with the main method.",
      examples: ["org.apache.flink.streaming.examples.windowing.TopSpeedWindowing"],
    },
    mainArgs: {
      type: ["array", "null"],
      maxItems: 1000,
      description:
        "The arguments of the main method; numbers and booleans are passed as they are written. ${secret:NAME} stands for a secret of the project.",
      items: { type: SCALAR, errorMessage: "must be text, a number, true or false; put it in quotes" },
      examples: [["--topic", "input-topic"]],
    },
  },
};

const JOB_SPEC = object("What is to run. Only resources.rpus can change later.", ["flinkVersion", "artifactRef", "resources"], {
  flinkVersion: {
    type: ["string", "number"],
    pattern: "^[1-9]\\d{0,2}\\.(?:0|[1-9]\\d{0,2})$",
    errorMessage: "must be major.minor such as 1.20, without the patch: Penstock takes the newest one that the zone has",
    description: "The Flink version, major.minor, quoted or not. Penstock chooses the patch version.",
    examples: ["1.20"],
  },
  artifactRef: object("The program.", ["name"], {
    name: name("The name of an Artifact of the same zone and project. It may be declared later.", "top-speed-windowing-v1"),
    jarOptions: JAR_OPTIONS,
  }),
  jarOptions: { ...JAR_OPTIONS, description: "The same as artifactRef.jarOptions; one of the two." },
  resources: object("How much it may use.", ["rpus"], {
    rpus: {
      type: "integer",
      minimum: 0,
      maximum: MAX_RPUS,
      description:
        "Number of slots, which is the parallelism. The only field that can change; 0 suspends the job with a savepoint.",
      examples: [1],
    },
  }),
  configuration: {
    type: ["object", "null"],
    description: "Flink options for this job; config/options.md lists them.",
    additionalProperties: {
      type: SCALAR,
      errorMessage: "must be one value; write the whole name of the option, such as execution.checkpointing.interval: 30s",
    },
    examples: [{ "execution.checkpointing.interval": "30s" }],
  },
  initialStateRef: object("What the first start restores.", ["name"], {
    name: name("The name of a Savepoint of the same zone and project. It may be declared later.", "window-aggregation-0.1-final"),
    allowNonRestoredState: { type: "boolean", description: "Start also when the program has no place for some of the state." },
  }),
});

const ARTIFACT_SPEC = object("A program.", ["source"], {
  type: { const: "Jar", description: "Only jars are supported." },
  source: {
    type: "object",
    description: "Where the program's bytes come from: exactly one of path, url, maven and s3.",
    additionalProperties: false,
    properties: {
      path: {
        type: "string",
        minLength: 1,
        description: "A file of the repository, relative to this manifest; a leading / means the repository's root.",
        examples: ["jars/app.jar"],
      },
      url: {
        type: "string",
        minLength: 1,
        description: "An https address without user name and password.",
        examples: ["https://example.com/app.jar"],
      },
      maven: {
        type: "string",
        minLength: 1,
        description: "group:artifact:version[:type[:classifier]], a released version.",
        examples: ["org.apache.flink:flink-examples-streaming_2.12:1.16.2:jar:TopSpeedWindowing"],
      },
      s3: { type: "string", minLength: 1, description: "s3://bucket/key", examples: ["s3://jars/app.jar"] },
      sha256: {
        type: "string",
        pattern: "^[0-9a-fA-F]{64}$",
        errorMessage: "must be 64 hex digits, as sha256sum prints them",
        description: "What the bytes must be. Without it the first download's digest is recorded and binding.",
      },
    },
    oneOf: [{ required: ["path"] }, { required: ["url"] }, { required: ["maven"] }, { required: ["s3"] }],
  },
  jarOptions: { ...JAR_OPTIONS, description: "Defaults that a Job can override." },
});

const SAVEPOINT_SPEC = object("A savepoint of a Job, or one that exists already.", ["type"], {
  type: {
    enum: ["Final", "OnDemand", "External"],
    description: "Final stops the job with it, OnDemand leaves it running, External names one that exists already.",
  },
  jobRef: reference("The Job (Final, OnDemand).", "window-aggregation-0.1"),
  finalOptions: object("Only for Final.", [], {
    shutdownMethod: {
      enum: ["Graceful", "Drain"],
      description: "Drain emits the last windows; such a savepoint is not for resuming.",
    },
  }),
  uri: {
    type: "string",
    pattern: "^[a-z][a-z0-9+.-]*:/+[^\\s@]+$",
    maxLength: 2000,
    errorMessage: "must be a URI without user name and password such as s3://streams/savepoints/savepoint-0a1b2c",
    description: "Where it lies (External).",
  },
  deletionPolicy: { enum: ["Retain", "Delete"], description: "Delete disposes of it when this manifest goes." },
});

const SPECS: Readonly<Record<Kind, JsonSchema>> = {
  Project: { type: ["object", "null"], description: "Nothing yet.", additionalProperties: false, properties: {} },
  Artifact: ARTIFACT_SPEC,
  Savepoint: SAVEPOINT_SPEC,
  Job: JOB_SPEC,
};

const DESCRIPTIONS: Readonly<Record<Kind, string>> = {
  Project: "A project. If a repository declares any, every resource must belong to a declared one.",
  Artifact: "A program that Jobs run.",
  Savepoint: "A savepoint.",
  Job: "A streaming job.",
};

/** The JSON Schema of one kind. */
export function manifestSchema(kind: Kind): JsonSchema {
  const isProject = kind === "Project";
  const zone = name("Where it runs; the daemon's configuration maps a zone to Flink clusters.", "shared-aws-eu-west-1");
  return object(
    DESCRIPTIONS[kind],
    ["apiVersion", "kind", ...(isProject ? [] : ["zone"]), "metadata", ...(isProject ? [] : ["spec"])],
    {
      apiVersion: { const: API_VERSION },
      kind: { const: kind },
      ...(isProject ? {} : { zone }),
      metadata: isProject ? PROJECT_METADATA : METADATA,
      spec: SPECS[kind],
      status: { description: "Written by Penstock; ignored here." },
    },
  );
}

/** One schema for editors: `config/manifests.schema.json`. Documents of another apiVersion are somebody else's. */
export function manifestsSchema(): JsonSchema {
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "Manifests of Penstock",
    description: "Written by `npm run generate` from src/model/manifest-schema.ts; do not edit.",
    type: "object",
    properties: { kind: { description: `With apiVersion ${API_VERSION}: ${KINDS.join(", ")}.` } },
    allOf: [
      schemaIf(undefined, { properties: { kind: { enum: KINDS } } }),
      ...KINDS.map((kind) => schemaIf(kind, kind === "Job" ? jobSchemaForEditors() : manifestSchema(kind))),
    ],
  };
}

/** With each option by its name: the daemon has better words for a wrong one, editors need them for completion. */
function jobSchemaForEditors(): JsonSchema {
  const properties = { ...(JOB_SPEC["properties"] as JsonSchema), configuration: optionsSchema() };
  const schema = manifestSchema("Job");
  return { ...schema, properties: { ...(schema["properties"] as JsonSchema), spec: { ...JOB_SPEC, properties } } };
}

function schemaIf(kind: Kind | undefined, consequence: JsonSchema): JsonSchema {
  const properties = { apiVersion: { const: API_VERSION }, ...(kind === undefined ? {} : { kind: { const: kind } }) };
  // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
  return { if: { required: Object.keys(properties), properties }, then: consequence };
}
