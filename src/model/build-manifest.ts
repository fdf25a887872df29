import { sortProblems, type Position, type Problem } from "../common/problem.ts";
import { compileSchema, fieldName, schemaProblems } from "../common/schema-problems.ts";
import type { ValidateFunction } from "ajv";
import { formatSize } from "../common/units.ts";
import type { YamlDocument, YamlPath } from "../common/yaml-file.ts";
import { checkAnnotations } from "./annotations.ts";
import { compareFlinkVersions, isFlinkVersion, OLDEST_FLINK_VERSION } from "./flink-version.ts";
import type { Manifest, SavepointSpec } from "./manifest.ts";
import { manifestSchema } from "./manifest-schema.ts";
import { fieldsAt, manifestView, textIn, textMap } from "./manifest-view.ts";
import { checkConfiguration } from "./options.ts";
import { readArtifactSpec, readJobSpec, readSavepointSpec, savepointType, sourceField } from "./spec-fields.ts";
import { KINDS, type Kind, type ResourceId } from "./resource.ts";
import { secretProblem } from "./secret-references.ts";

type Fields = Readonly<Record<string, unknown>>;

/** Where a document came from. */
export interface DocumentOrigin {
  readonly path: string;
  readonly blob: string;
  /** How many lines of `status` blocks stand before it in its file. */
  readonly statusLines: number;
  /** Whether problems say what was probably meant. */
  readonly suggests: boolean;
}

/** A document of ours, judged. The manifest is there when its identity can be read and nothing is wrong. */
export interface BuiltManifest {
  readonly manifest: Manifest | undefined;
  readonly problems: readonly Problem[];
}

/** Compiled once: a schema costs more to compile than a manifest to check. */
const VALIDATORS: ReadonlyMap<Kind, ValidateFunction> = new Map(KINDS.map((kind) => [kind, compileSchema(manifestSchema(kind))]));

/** Judges one document of ours by its kind's schema and by the rules that no schema can say. */
export function buildManifest(
  document: YamlDocument,
  kind: Kind,
  id: ResourceId | undefined,
  origin: DocumentOrigin,
): BuiltManifest {
  const view = manifestView(document);
  if (isTooLarge(view)) {
    const message = `this document holds more than ${formatSize(MAX_TEXT)} of text, what aliases stand for included; let the program read what is long from elsewhere`;
    return { manifest: undefined, problems: sortProblems([...document.problems, { ...document.start, message }]) };
  }
  const validate = VALIDATORS.get(kind)!; // one for each kind
  const found = validate(view) ? [] : schemaProblems(validate, document);
  const report = new Report(document);
  const annotations = textMap(fieldsAt(view, "metadata", "annotations"));
  for (const { name, at, message } of checkAnnotations(kind, annotations))
    report.add(at, ["metadata", "annotations", name], message);
  checkSpec(kind, view, origin, report);
  const problems = sortProblems([...document.problems, ...withoutRepetitions(found, report.problems)]);
  if (problems.length > 0 || id === undefined) return { manifest: undefined, problems };
  const base = {
    id,
    labels: textMap(fieldsAt(view, "metadata", "labels")),
    annotations,
    source: { path: origin.path, blob: origin.blob, line: document.start.line - origin.statusLines },
    positions: positionsOf(document),
    mirrored: (document.value as Readonly<Record<string, unknown>>)["status"], // ours are mappings
  };
  return { manifest: buildKind(kind, base, view, origin), problems };
}

/** What the rules found, at the places that the document knows. */
class Report {
  readonly problems: Problem[] = [];
  readonly #document: YamlDocument;

  constructor(document: YamlDocument) {
    this.#document = document;
  }

  add(at: "key" | "value", path: YamlPath, message: string): void {
    const position = at === "key" ? this.#document.atKey(path) : this.#document.at(path);
    this.problems.push({ ...position, message });
  }
}

/** Where schema and rules complain about one place, the schema has said it. */
function withoutRepetitions(found: readonly Problem[], more: readonly Problem[]): readonly Problem[] {
  const places = new Set(found.map(({ line, column }) => `${line}:${column}`));
  return [...found, ...more.filter(({ line, column }) => !places.has(`${line}:${column}`))];
}

function positionsOf(document: YamlDocument): ReadonlyMap<string, Position> {
  return new Map(
    [...document.paths()].filter(([path]) => path[0] !== "status").map(([path, position]) => [`/${path.join("/")}`, position]),
  );
}

/** As much as a command line takes. Each resource is written into the status branch whole, the accepted spec and its history. */
const MAX_TEXT = 128 * 1024;
/** What a name or a value takes besides its own characters. */
const PER_VALUE = 8;

/** Aliases stand for what they lead to: a page of YAML can hold gigabytes. */
function isTooLarge(view: Fields): boolean {
  let size = 0;
  const add = (value: unknown): void => {
    if (size > MAX_TEXT) return;
    size += PER_VALUE + (typeof value === "string" ? value.length : 0);
    if (typeof value !== "object" || value === null) return;
    for (const [name, member] of Object.entries(value)) {
      size += Array.isArray(value) ? 0 : name.length;
      add(member);
    }
  };
  add(view);
  return size > MAX_TEXT;
}

function buildKind(kind: Kind, base: Omit<Manifest, "kind" | "spec">, view: Fields, origin: DocumentOrigin): Manifest {
  const spec = fieldsAt(view, "spec");
  switch (kind) {
    case "Project":
      return { ...base, kind };
    case "Job":
      return { ...base, kind, spec: readJobSpec(spec) };
    case "Savepoint":
      return { ...base, kind, spec: readSavepointSpec(spec) };
    case "Artifact": {
      const read = readArtifactSpec(spec, origin.path);
      if ("problem" in read) throw new TypeError(`an Artifact was built that had not passed its check: ${read.problem}`);
      return { ...base, kind, spec: read.spec };
    }
    default:
      return kind satisfies never;
  }
}

function checkSpec(kind: Kind, view: Fields, origin: DocumentOrigin, report: Report): void {
  const spec = fieldsAt(view, "spec");
  if (kind === "Job") checkJob(spec, origin.suggests, report);
  if (kind === "Artifact") checkArtifact(spec, origin, report);
  if (kind === "Savepoint") checkSavepoint(spec, report);
}

function checkJob(spec: Fields, suggests: boolean, report: Report): void {
  const written = textIn(spec, "flinkVersion") ?? "";
  const flinkVersion = isFlinkVersion(written) ? written : undefined;
  if (flinkVersion !== undefined && compareFlinkVersions(flinkVersion, OLDEST_FLINK_VERSION) < 0) {
    const meant = flinkVersion === "1.2" ? "; was 1.20 meant?" : "; choose a newer one";
    report.add(
      "value",
      ["spec", "flinkVersion"],
      `spec.flinkVersion must be ${OLDEST_FLINK_VERSION} or newer, found ${flinkVersion}${meant}`,
    );
  }
  if (
    Object.keys(fieldsAt(spec, "jarOptions")).length > 0 &&
    Object.keys(fieldsAt(spec, "artifactRef", "jarOptions")).length > 0
  ) {
    report.add(
      "key",
      ["spec", "jarOptions"],
      "spec.jarOptions and spec.artifactRef.jarOptions are the same; keep one of the two",
    );
  }
  checkArguments(spec, ["spec", "jarOptions"], report);
  checkArguments(fieldsAt(spec, "artifactRef"), ["spec", "artifactRef", "jarOptions"], report);
  const configuration = textMap(fieldsAt(spec, "configuration"));
  for (const { key, at, message } of checkConfiguration(configuration, flinkVersion, suggests)) {
    report.add(at, ["spec", "configuration", key], message);
  }
}

/** `holder` has the jarOptions that stand at `path`. */
function checkArguments(holder: Fields, path: YamlPath, report: Report): void {
  const mainArgs = fieldsAt(holder, "jarOptions")["mainArgs"];
  for (const [index, argument] of (Array.isArray(mainArgs) ? mainArgs : []).entries()) {
    const wrong = typeof argument === "string" ? secretProblem(argument) : undefined;
    if (wrong !== undefined)
      report.add("value", [...path, "mainArgs", index], `${fieldName([...path, "mainArgs", index])} ${wrong}`);
  }
}

function checkArtifact(spec: Fields, origin: DocumentOrigin, report: Report): void {
  checkArguments(spec, ["spec", "jarOptions"], report);
  const source = sourceField(spec);
  if (source === undefined) return;
  const read = readArtifactSpec(spec, origin.path);
  if ("problem" in read) report.add("value", ["spec", "source", source.kind], read.problem);
}

/** Which fields belong to which type. */
const SAVEPOINT_FIELDS: Readonly<Record<SavepointSpec["type"], { readonly needs: string; readonly refuses: readonly string[] }>> =
  {
    Final: { needs: "jobRef", refuses: ["uri"] },
    OnDemand: { needs: "jobRef", refuses: ["uri", "finalOptions"] },
    External: { needs: "uri", refuses: ["jobRef", "finalOptions"] },
  };
const NEEDED_EXAMPLES: Readonly<Record<string, string>> = {
  jobRef: "jobRef: {name: window-aggregation-0.1}",
  uri: "uri: s3://streams/savepoints/savepoint-0a1b2c",
};

function checkSavepoint(spec: Fields, report: Report): void {
  const type = savepointType(spec);
  if (type === undefined) return;
  const { needs, refuses } = SAVEPOINT_FIELDS[type];
  if (!Object.hasOwn(spec, needs)) {
    report.add(
      "key",
      ["spec"],
      `missing field spec.${needs} of a Savepoint of type ${type}; add it, for example ${NEEDED_EXAMPLES[needs]}`,
    );
  }
  for (const field of refuses.filter((name) => Object.hasOwn(spec, name))) {
    report.add("key", ["spec", field], `spec.${field} has no meaning for a Savepoint of type ${type}; remove it`);
  }
}
