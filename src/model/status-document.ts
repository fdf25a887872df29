import type { ValidateFunction } from "ajv";
import { printYaml } from "../common/print-yaml.ts";
import type { Problem } from "../common/problem.ts";
import { shownUrl } from "../common/secrets.ts";
import { shownPath } from "../common/text.ts";
import { compileSchema, schemaProblems } from "../common/schema-problems.ts";
import { parseYamlFile, type YamlDocument } from "../common/yaml-file.ts";
import {
  artifactSpecFields,
  jobSpecFields,
  readArtifactSpec,
  readJobSpec,
  readSavepointSpec,
  savepointSpecFields,
} from "./spec-fields.ts";
import { API_VERSION, resourceKey, type ResourceId } from "./resource.ts";
import { pickKnown, statusSchema, YAML_STYLE } from "./status-schema.ts";
import type { ArtifactStatus, JobStatus, RecordKind, ResourceRecord, SavepointStatus } from "./status.ts";

export { formatStatusReadme, formatSummary, parseSummary, README_PATH, SUMMARY_PATH } from "./status-summary.ts";

const KINDS: readonly RecordKind[] = ["Job", "Artifact", "Savepoint"];

/** Shapes that are compiled once. */
const SCHEMAS = new Map(KINDS.map((kind) => [kind, statusSchema(kind)] as const));
const VALIDATORS: ReadonlyMap<RecordKind, ValidateFunction> = new Map(
  KINDS.map((kind) => [kind, compileSchema(SCHEMAS.get(kind)!)]),
);

/**
 * The spec of a Job, the options of its Artifact, the words of a refusal: each up to what a document of a manifest may hold, and six times as
 * much where every character has to be escaped.
 */
export const MAX_STATUS_FILE_BYTES = 4 * 1024 ** 2;

const HEADER = "# Written by Penstock; changes made here by hand are overwritten.\n";

/** `<zone>/<project>/<kind>/<name>.yaml`: where the status branch keeps a resource. */
export function statusPath(id: ResourceId): string {
  return `${resourceKey(id)}.yaml`;
}

/** The accepted manifest with its status, as YAML. Equal records give equal text, so that what did not change is not written. */
export function formatStatusDocument(record: ResourceRecord): string {
  return HEADER + printYaml(buildStatusDocument(record), YAML_STYLE);
}

/** The same as a plain value, in the shape that `statusSchema` describes. */
export function buildStatusDocument(record: ResourceRecord): unknown {
  const { id, labels, annotations } = record;
  const document = {
    apiVersion: API_VERSION,
    kind: record.kind,
    zone: id.zone,
    metadata: { name: id.name, project: id.project, labels: unlessEmpty(labels), annotations: unlessEmpty(annotations) },
    spec: specFields(record),
    status: record.status,
  };
  return pickKnown(SCHEMAS.get(record.kind)!, document);
}

/** For whoever may read the status without reading Git: the query of an Artifact's url may hold a token, as those of signed addresses do. */
export function publicRecord(record: ResourceRecord): ResourceRecord {
  if (record.kind !== "Artifact" || record.spec.source.kind !== "url") return record;
  return { ...record, spec: { ...record.spec, source: { kind: "url", url: shownUrl(record.spec.source.url) } } };
}

export type ParsedStatusDocument = { readonly record: ResourceRecord } | { readonly problem: Problem };

/**
 * Reads a file of the status branch. Never throws: a file that cannot be understood, or that does not say what its path says, is a
 * problem, and must not be taken for a resource without a record.
 */
export function parseStatusDocument(path: string, text: string): ParsedStatusDocument {
  const { documents, problems } = parseYamlFile(shownPath(path), text, { maxBytes: MAX_STATUS_FILE_BYTES });
  const [document] = documents;
  const first = problems[0];
  if (first !== undefined) return { problem: first };
  if (document === undefined || documents.length > 1) {
    return {
      problem: {
        file: shownPath(path),
        line: 1,
        column: 1,
        message: "a file of the status branch holds one document; restore it from the branch's history",
      },
    };
  }
  return readDocument(path, document);
}

function readDocument(path: string, document: YamlDocument): ParsedStatusDocument {
  const written = document.sourceText(["kind"]);
  const kind = KINDS.find((candidate) => candidate === written);
  if (kind === undefined)
    return {
      problem: {
        ...document.at(["kind"]),
        message: "kind must be Job, Artifact or Savepoint; restore the file from the branch's history",
      },
    };
  const value = pickKnown(SCHEMAS.get(kind)!, document.value, (at) => document.sourceText(at));
  const validate = VALIDATORS.get(kind)!; // one for each kind
  if (!validate(value)) return { problem: schemaProblems(validate, document)[0]! };
  const record = buildRecord(kind, value as StatusFields);
  if ("problem" in record) return { problem: { ...document.at(["spec"]), message: record.problem } };
  if (statusPath(record.id) === path) return { record };
  return {
    problem: { ...document.start, message: `this is the status of ${shownPath(statusPath(record.id))}; move it back there` },
  };
}

/** A document that its schema accepted. */
interface StatusFields {
  readonly zone: string;
  readonly metadata: {
    readonly name: string;
    readonly project: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: Readonly<Record<string, unknown>>;
  readonly status: JobStatus | ArtifactStatus | SavepointStatus;
}

function buildRecord(
  kind: RecordKind,
  { zone, metadata, spec, status }: StatusFields,
): ResourceRecord | { readonly problem: string } {
  const { name, project, labels = {}, annotations = {} } = metadata;
  const base = { id: { kind, zone, project, name }, labels, annotations };
  switch (kind) {
    case "Job":
      return { ...base, kind, spec: readJobSpec(spec), status: status as JobStatus };
    case "Savepoint":
      return { ...base, kind, spec: readSavepointSpec(spec), status: status as SavepointStatus };
    case "Artifact": {
      // Paths were written from the repository's root, so the manifest's own place does not matter any more.
      const read = readArtifactSpec(spec, "");
      return "problem" in read ? read : { ...base, kind, spec: read.spec, status: status as ArtifactStatus };
    }
    default:
      return kind satisfies never;
  }
}

function specFields(record: ResourceRecord): object {
  switch (record.kind) {
    case "Job":
      return jobSpecFields(record.spec);
    case "Artifact":
      return artifactSpecFields(record.spec);
    case "Savepoint":
      return savepointSpecFields(record.spec);
    default:
      return record satisfies never;
  }
}

function unlessEmpty(map: Readonly<Record<string, string>>): Readonly<Record<string, string>> | undefined {
  return Object.keys(map).length === 0 ? undefined : map;
}
