import { compareText, formatProblem, type Problem } from "../common/problem.ts";
import type { Manifest } from "../model/manifest.ts";
import { idOfKey, resourceKey, siblingKey, type Kind, type ResourceId, type ResourceKey } from "../model/resource.ts";
import type { ResourceRecord } from "../model/status.ts";
import type { Declared, Desired, DesiredArtifact, DesiredJob, PathEntry } from "./desired.ts";

export interface DesiredInput {
  readonly manifests: readonly Manifest[];
  /** Identities whose documents have problems: what runs under them keeps running. */
  readonly broken: readonly ResourceId[];
  readonly records: ReadonlyMap<ResourceKey, ResourceRecord>;
  /** Why the record of a resource cannot be understood. */
  readonly recordProblems: ReadonlyMap<ResourceKey, Problem>;
  /** What lies at a path of the applied commit, for Artifacts of the repository. */
  readonly entryAt: (path: string) => PathEntry | undefined;
}

/** Joins what Git declares with what the status branch remembers, each resource once, sorted by key. */
export function buildDesired(input: DesiredInput): Desired {
  const manifests = new Map(input.manifests.map((manifest) => [resourceKey(manifest.id), manifest]));
  const broken = new Map(input.broken.map((id) => [resourceKey(id), id]));
  // One that is not declared and whose record nobody can read is still there: what it needs is not known.
  const dark = [...input.recordProblems.keys()].map((key) => [key, idOfKey(key)] as const);
  const ids = new Map<ResourceKey, ResourceId>([...dark, ...broken]);
  for (const [key, { id }] of [...manifests, ...input.records]) ids.set(key, id);
  const problemOf = (key: ResourceKey): string | undefined => {
    const problem = input.recordProblems.get(key);
    return problem === undefined ? undefined : formatProblem(problem);
  };
  const jobs: DesiredJob[] = [];
  const artifacts: DesiredArtifact[] = [];
  const savepoints: Desired["savepoints"][number][] = [];
  for (const [key, id] of [...ids].sort(([a], [b]) => compareText(a, b))) {
    const manifest = manifests.get(key);
    const record = input.records.get(key);
    const recordProblem = problemOf(key);
    if (id.kind === "Job") jobs.push({ ...buildJob(key, id, manifest, record, broken.has(key)), recordProblem });
    if (id.kind === "Artifact")
      artifacts.push({ ...buildArtifact(key, id, manifest, record, broken.has(key), input.entryAt), recordProblem });
    if (id.kind === "Savepoint") {
      savepoints.push({
        key,
        id,
        declared: declaredOf("Savepoint", manifest, broken.has(key)),
        record: record?.kind === "Savepoint" ? record : undefined,
        recordProblem,
      });
    }
  }
  return { jobs, artifacts, savepoints };
}

function buildJob(
  key: ResourceKey,
  id: ResourceId,
  manifest: Manifest | undefined,
  found: ResourceRecord | undefined,
  broken: boolean,
): Omit<DesiredJob, "recordProblem"> {
  const declared = declaredOf("Job", manifest, broken);
  const record = found?.kind === "Job" ? found : undefined;
  const artifact = declared.kind === "declared" ? declared.manifest.spec.artifact : record?.spec.artifact;
  return { key, id, declared, record, artifactKey: artifact === undefined ? undefined : siblingKey(id, "Artifact", artifact) };
}

function buildArtifact(
  key: ResourceKey,
  id: ResourceId,
  manifest: Manifest | undefined,
  found: ResourceRecord | undefined,
  broken: boolean,
  entryAt: DesiredInput["entryAt"],
): Omit<DesiredArtifact, "recordProblem"> {
  const declared = declaredOf("Artifact", manifest, broken);
  const record = found?.kind === "Artifact" ? found : undefined;
  const source = declared.kind === "declared" ? declared.manifest.spec.source : record?.spec.source;
  return { key, id, declared, record, entry: source?.kind === "path" ? entryAt(source.path) : undefined };
}

function declaredOf<K extends Kind>(
  kind: K,
  manifest: Manifest | undefined,
  broken: boolean,
): Declared<Extract<Manifest, { kind: K }>> {
  if (broken) return { kind: "broken" };
  if (manifest?.kind === kind) return { kind: "declared", manifest: manifest as Extract<Manifest, { kind: K }> };
  return { kind: "absent" };
}
