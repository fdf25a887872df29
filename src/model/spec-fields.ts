import { parseArtifactSource } from "./artifact-source.ts";
import type { ArtifactSource, ArtifactSpec, JarOptions, JobSpec, MavenCoordinates, SavepointSpec } from "./manifest.ts";
import { fieldsAt, textIn, textMap } from "./manifest-view.ts";

/** Specs as they are written in a manifest, and back. Whoever reads has checked them against a schema. */

type Fields = Readonly<Record<string, unknown>>;

export function readJobSpec(spec: Fields): JobSpec {
  const artifactRef = fieldsAt(spec, "artifactRef");
  const own = fieldsAt(spec, "jarOptions");
  const initial = fieldsAt(spec, "initialStateRef");
  const savepoint = textIn(initial, "name");
  return {
    flinkVersion: textIn(spec, "flinkVersion") ?? "",
    artifact: textIn(artifactRef, "name") ?? "",
    jarOptions: readJarOptions(Object.keys(own).length > 0 ? own : fieldsAt(artifactRef, "jarOptions")),
    rpus: Number(fieldsAt(spec, "resources")["rpus"]),
    configuration: textMap(fieldsAt(spec, "configuration")),
    ...(savepoint === undefined
      ? {}
      : { initialState: { savepoint, allowNonRestoredState: initial["allowNonRestoredState"] === true } }),
  };
}

export function jobSpecFields({ flinkVersion, artifact, jarOptions, rpus, configuration, initialState }: JobSpec): object {
  return {
    flinkVersion,
    artifactRef: { name: artifact, ...jarOptionsField(jarOptions) },
    resources: { rpus },
    ...(Object.keys(configuration).length === 0 ? {} : { configuration }),
    ...(initialState === undefined ? {} : { initialStateRef: initialStateFields(initialState) }),
  };
}

function initialStateFields({ savepoint, allowNonRestoredState }: NonNullable<JobSpec["initialState"]>): object {
  return { name: savepoint, ...(allowNonRestoredState ? { allowNonRestoredState } : {}) };
}

function readJarOptions(options: Fields): JarOptions {
  const entryClass = textIn(options, "entryClass");
  const mainArgs = options["mainArgs"];
  return {
    ...(entryClass === undefined ? {} : { entryClass }),
    ...(Array.isArray(mainArgs) ? { mainArgs: mainArgs.map(String) } : {}),
  };
}

function jarOptionsField(jarOptions: JarOptions): object {
  return Object.keys(jarOptions).length === 0 ? {} : { jarOptions };
}

const SOURCE_KINDS = ["path", "url", "maven", "s3"] as const;

/** Which source an Artifact's spec names; undefined when it names none. */
export function sourceField(spec: Fields): { readonly kind: ArtifactSource["kind"]; readonly text: string } | undefined {
  const source = fieldsAt(spec, "source");
  for (const kind of SOURCE_KINDS) {
    const text = textIn(source, kind);
    if (text !== undefined && text !== "") return { kind, text };
  }
  return undefined;
}

export function readArtifactSpec(
  spec: Fields,
  manifestPath: string,
): { readonly spec: ArtifactSpec } | { readonly problem: string } {
  const field = sourceField(spec);
  if (field === undefined) return { problem: `spec.source must name one of ${SOURCE_KINDS.join(", ")}` };
  const parsed = parseArtifactSource(field.kind, field.text, manifestPath);
  if ("problem" in parsed) return { problem: `spec.source.${field.kind} ${parsed.problem}` };
  const sha256 = textIn(fieldsAt(spec, "source"), "sha256")?.toLowerCase();
  const jarOptions = readJarOptions(fieldsAt(spec, "jarOptions"));
  return { spec: { source: parsed.source, ...(sha256 === undefined ? {} : { sha256 }), jarOptions } };
}

export function artifactSpecFields({ source, sha256, jarOptions }: ArtifactSpec): object {
  return {
    type: "Jar",
    source: { ...sourceFields(source), ...(sha256 === undefined ? {} : { sha256 }) },
    ...jarOptionsField(jarOptions),
  };
}

function sourceFields(source: ArtifactSource): object {
  switch (source.kind) {
    case "path":
      return { path: `/${source.path}` };
    case "url":
      return { url: source.url };
    case "maven":
      return { maven: formatCoordinates(source.coordinates) };
    case "s3":
      return { s3: `s3://${source.bucket}/${source.key}` };
    default:
      return source satisfies never;
  }
}

/** `group:artifact:version`, with type and classifier where they say something. */
export function formatCoordinates({ group, artifact, version, type, classifier }: MavenCoordinates): string {
  const parts = [group, artifact, version];
  if (type !== "jar" || classifier !== undefined) parts.push(type);
  if (classifier !== undefined) parts.push(classifier);
  return parts.join(":");
}

export function savepointType(spec: Fields): SavepointSpec["type"] | undefined {
  const type = textIn(spec, "type");
  return type === "Final" || type === "OnDemand" || type === "External" ? type : undefined;
}

export function readSavepointSpec(spec: Fields): SavepointSpec {
  const deletionPolicy = textIn(spec, "deletionPolicy") === "Delete" ? "Delete" : "Retain";
  const type = savepointType(spec);
  const job = textIn(fieldsAt(spec, "jobRef"), "name") ?? "";
  if (type === "External") return { type, uri: textIn(spec, "uri") ?? "", deletionPolicy };
  if (type === "OnDemand") return { type, job, deletionPolicy };
  const shutdownMethod = textIn(fieldsAt(spec, "finalOptions"), "shutdownMethod") === "Drain" ? "Drain" : "Graceful";
  return { type: "Final", job, shutdownMethod, deletionPolicy };
}

export function savepointSpecFields(spec: SavepointSpec): object {
  const { type, deletionPolicy } = spec;
  if (type === "External") return { type, uri: spec.uri, deletionPolicy };
  const jobRef = { name: spec.job };
  return type === "OnDemand"
    ? { type, jobRef, deletionPolicy }
    : { type, finalOptions: { shutdownMethod: spec.shutdownMethod }, jobRef, deletionPolicy };
}
