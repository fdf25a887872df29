import type { JsonSchema } from "../common/schema-problems.ts";
import type { RecordKind } from "./status.ts";

/**
 * What a file of the status branch holds, in the order in which it is written. Fields that are not listed belong to a newer Penstock
 * and are left out; an unknown word where one of several is expected makes the file unreadable, so that nothing is done on a guess.
 */

const text: JsonSchema = { type: "string" };
const filled: JsonSchema = { type: "string", minLength: 1 };
const time: JsonSchema = {
  type: "string",
  pattern: "^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?Z$",
  examples: ["2026-11-22T12:00:00Z"],
};
const whole: JsonSchema = { type: "integer", minimum: 0 };
const textMap: JsonSchema = { type: "object", additionalProperties: text };
const list = (items: JsonSchema): JsonSchema => ({ type: "array", items });
const word = (...words: readonly string[]): JsonSchema => ({ type: "string", enum: words });
const fields = (properties: JsonSchema, optional: readonly string[] = []): JsonSchema => ({
  type: "object",
  properties,
  required: Object.keys(properties).filter((name) => !optional.includes(name)),
});

const jarOptions = fields({ entryClass: text, mainArgs: list(text) }, ["entryClass", "mainArgs"]);
const reference = fields({ name: text });
const cluster = fields({ name: text, url: text, incarnation: text });
const restorePoint = fields({ kind: word("Savepoint", "Checkpoint"), uri: text });
const source = fields({ path: text, line: whole, commit: text, blob: text });
const conditions = list(
  fields({ type: text, status: word("True", "False", "Unknown"), reason: text, message: text, since: text }),
);
const history = list(fields({ when: text, from: text, to: text, because: text }));

const JOB_SPEC = fields(
  {
    flinkVersion: text,
    artifactRef: fields({ name: text, jarOptions }, ["jarOptions"]),
    resources: fields({ rpus: whole }),
    configuration: textMap,
    initialStateRef: fields({ name: text, allowNonRestoredState: { type: "boolean" } }, ["allowNonRestoredState"]),
  },
  ["configuration", "initialStateRef"],
);

const ARTIFACT_SPEC = fields(
  {
    type: text,
    source: fields({ path: text, url: text, maven: text, s3: text, sha256: text }, ["path", "url", "maven", "s3", "sha256"]),
    jarOptions,
  },
  ["type", "jarOptions"],
);

const SAVEPOINT_SPEC = fields(
  {
    type: word("Final", "OnDemand", "External"),
    finalOptions: fields({ shutdownMethod: word("Graceful", "Drain") }),
    jobRef: reference,
    uri: text,
    deletionPolicy: word("Retain", "Delete"),
  },
  ["finalOptions", "jobRef", "uri"],
);

const startIntent = { attempt: whole, flinkJobId: filled, cluster, rpus: whole };
/** Where a field has one of these words, the rest has to be so as well. */
const where = (field: string, words: readonly string[], then: JsonSchema): JsonSchema => ({
  if: { properties: { [field]: { enum: words } }, required: [field] },
  // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
  then,
});

/** The write-ahead record of a Job's step: all fields in the order in which they are written, and what each kind cannot do without. */
const OPERATION: JsonSchema = {
  ...fields(
    {
      kind: word("start", "stop", "cancel", "rescale"),
      purpose: word("rescale", "migrate", "suspend", "final", "delete", "duplicate"),
      attempt: whole,
      flinkJobId: filled,
      cluster,
      rpus: whole,
      run: whole,
      restoreFrom: restorePoint,
      triggerId: filled,
      targetDirectory: filled,
      next: fields(startIntent),
      savepoint: filled,
      drain: { type: "boolean" },
      announcedAt: time,
      takenOverAt: time,
    },
    [
      "purpose",
      "attempt",
      "rpus",
      "run",
      "restoreFrom",
      "triggerId",
      "targetDirectory",
      "next",
      "savepoint",
      "drain",
      "takenOverAt",
    ],
  ),
  allOf: [
    where("kind", ["start"], { required: ["attempt", "rpus", "run"] }),
    where("kind", ["stop"], { required: ["purpose", "triggerId", "targetDirectory"] }),
    where("kind", ["rescale"], { required: ["rpus"] }),
    where("purpose", ["rescale", "migrate"], { required: ["next"] }),
    where("purpose", ["final"], { required: ["savepoint"] }),
  ],
};

const SAVEPOINT_OPERATION: JsonSchema = {
  ...fields(
    {
      kind: word("take", "dispose"),
      triggerId: filled,
      cluster,
      flinkJobId: text,
      uri: filled,
      announcedAt: time,
      takenOverAt: time,
    },
    ["takenOverAt"],
  ),
  // What is disposed of may have been taken by somebody else.
  allOf: [where("kind", ["take"], { properties: { flinkJobId: filled } })],
};

const finalized = fields({ savepoint: text, uri: text, drained: { type: "boolean" }, takenAt: time }, ["takenAt"]);

const JOB_STATUS_FIELDS = fields(
  {
    phase: word("Pending", "Ready", "Deleting"),
    flinkJobState: word("", "Initializing", "Created", "Running", "Failing", "Rescaling", "Restarting", "Finished", "Cancelled"),
    run: whole,
    attempt: whole,
    flinkJobId: text,
    cluster,
    flinkVersion: text,
    requestedRpus: whole,
    parallelism: whole,
    source,
    artifact: fields({ name: text, sha256: text, size: whole, jarOptions }),
    secrets: textMap,
    startedFrom: restorePoint,
    startedEmpty: { type: "boolean" },
    initialState: text,
    startedAt: text,
    checkpointed: text,
    restarts: whole,
    lastSavepoint: fields({ uri: text, takenAt: text, flinkJobId: text, reason: word("Rescale", "Migrate", "Suspend") }),
    savepoints: list(
      fields({
        uri: filled,
        takenAt: text,
        flinkJobId: filled,
        reason: word("Rescale", "Migrate", "Suspend", "Delete", "Drain"),
      }),
    ),
    disposal: SAVEPOINT_OPERATION,
    rescaleFailed: fields({ rpus: whole, because: text }),
    suspended: { type: "boolean" },
    finalized,
    deletingSince: text,
    deleted: fields({ at: time, restorePoint, lost: text, finalized }, ["restorePoint", "lost", "finalized"]),
    operation: OPERATION,
    conditions,
    history,
  },
  [
    "flinkJobId",
    "cluster",
    "flinkVersion",
    "requestedRpus",
    "parallelism",
    "artifact",
    "secrets",
    "startedFrom",
    "startedEmpty",
    "initialState",
    "startedAt",
    "checkpointed",
    "restarts",
    "lastSavepoint",
    "savepoints",
    "disposal",
    "rescaleFailed",
    "suspended",
    "finalized",
    "deletingSince",
    "deleted",
    "operation",
  ],
);

/** A Flink job that nobody knows the cluster of cannot be looked for. */
const JOB_STATUS: JsonSchema = { ...JOB_STATUS_FIELDS, dependentRequired: { flinkJobId: ["cluster"] } };

const ARTIFACT_STATUS = fields(
  {
    phase: word("Pending", "Downloading", "Ready", "Deleting"),
    sha256: text,
    size: whole,
    download: fields({ bytes: whole, totalBytes: whole }),
    source,
    bytes: fields({ commit: text, blob: text }),
    conditions,
    history,
  },
  ["sha256", "size", "download", "bytes"],
);

const SAVEPOINT_STATUS = fields(
  {
    phase: word("Pending", "InProgress", "Ready", "Deleting"),
    uri: text,
    takenAt: time,
    flinkJobId: text,
    cluster,
    operation: SAVEPOINT_OPERATION,
    source,
    conditions,
    history,
  },
  ["uri", "takenAt", "flinkJobId", "cluster", "operation"],
);

const SPECS: Readonly<Record<RecordKind, JsonSchema>> = { Job: JOB_SPEC, Artifact: ARTIFACT_SPEC, Savepoint: SAVEPOINT_SPEC };
const STATUSES: Readonly<Record<RecordKind, JsonSchema>> = {
  Job: JOB_STATUS,
  Artifact: ARTIFACT_STATUS,
  Savepoint: SAVEPOINT_STATUS,
};

export function statusSchema(kind: RecordKind): JsonSchema {
  return fields({
    apiVersion: text,
    kind: text,
    zone: text,
    metadata: fields({ name: text, project: text, labels: textMap, annotations: textMap }, ["labels", "annotations"]),
    spec: SPECS[kind],
    status: STATUSES[kind],
  });
}

/** `summary.yaml`; the line for each resource is for people and is not read again. */
export const SUMMARY_SCHEMA: JsonSchema = fields(
  {
    appliedCommit: text,
    manifestsDigest: text,
    instance: text,
    source: fields({ url: text, branch: text, paths: list(text), zones: list(text) }),
    refused: text,
    problems: list(text),
    unmirrored: list(text),
    statusLost: text,
    orphans: list(text),
    unmanaged: list(text),
  },
  ["refused", "unmirrored", "statusLost"],
);

/**
 * The value with only the fields that the schema lists, in the schema's order; free maps sorted by key. `textOf` gives back what was
 * written where the schema wants text and a number or a boolean was read.
 */
export function pickKnown(
  schema: JsonSchema,
  value: unknown,
  textOf?: (path: readonly (string | number)[]) => string | undefined,
): unknown {
  const pick = (rules: JsonSchema, found: unknown, path: readonly (string | number)[]): unknown => {
    if (Array.isArray(found)) return found.map((item, index) => pick(asSchema(rules["items"]), item, [...path, index]));
    if (typeof found === "object" && found !== null)
      return pickFields(rules, found, (key, member, rule) => pick(rule, member, [...path, key]));
    const isRead = rules["type"] === "string" && (typeof found === "number" || typeof found === "boolean");
    return isRead ? (textOf?.(path) ?? found) : found;
  };
  return pick(schema, value, []);
}

function pickFields(
  schema: JsonSchema,
  found: object,
  pick: (key: string, member: unknown, rule: JsonSchema) => unknown,
): unknown {
  const properties = asSchema(schema["properties"]);
  const free = schema["additionalProperties"] === undefined ? [] : Object.keys(found).sort();
  const keys = [...Object.keys(properties), ...free].filter((key) => Object.hasOwn(found, key));
  const entries = keys.map(
    (key) => [key, pick(key, Reflect.get(found, key), asSchema(properties[key] ?? schema["additionalProperties"]))] as const,
  );
  return Object.fromEntries(entries.filter(([, member]) => member !== undefined));
}

function asSchema(value: unknown): JsonSchema {
  return typeof value === "object" && value !== null ? (value as JsonSchema) : {};
}

/** Long lines stay whole, so that a diff shows fields and not paragraphs; block scalars would lose some leading spaces. */
export const YAML_STYLE = { lineWidth: 0, blockQuote: false, aliasDuplicateObjects: false } as const;
