import type { Clock } from "../common/clock.ts";
import { messageOf } from "../common/errors.ts";
import { canonicalJson } from "../common/hash.ts";
import { oneLine } from "../common/text.ts";
import { jobSpecHash, specDigits } from "../model/canonical-spec.ts";
import { parseFlinkJobId } from "../model/flink-job-id.ts";
import type { ArtifactManifest, JarOptions, JobSpec, Manifest } from "../model/manifest.ts";
import { resourceKey, siblingKey, type ResourceKey } from "../model/resource.ts";
import type { ArtifactRecord, JobRecord, ResourceRecord } from "../model/status.ts";
import type { ManifestTree } from "./read-manifests.ts";

/** What a commit declares, where that commit is verified. */
export type Evidence =
  | { readonly kind: "tree"; readonly tree: Pick<ManifestTree, "parsed" | "entries"> }
  | { readonly kind: "none"; readonly because: string };

/** Why a record is not proven; `undefined`: it is. */
type Doubt = string | undefined;

type ReadEvidence = (commit: string) => Promise<Evidence>;

/** A commit that could not be had is asked for again after so long. */
const AGAIN_MS = 60_000;
const MAX_COMMITS = 50;

/**
 * With `repository.verify`: whether what the status branch remembers stands in a verified commit. The status branch is not signed, and what a job is
 * brought back with comes from there: its spec, the arguments it was frozen with, where its jar is from. Nearly every record is proven by the commit in
 * force; a change that was refused, or a manifest that is broken or gone, needs the commit that was accepted, which is read once.
 */
export class RecordProofs {
  readonly #read: (commit: string, signal: AbortSignal) => Promise<Evidence>;
  readonly #clock: Clock;
  readonly #evidence = new Map<string, { readonly evidence: Evidence; readonly untilMs: number }>();

  /** `read` throws when the commit cannot be had now. */
  constructor(read: (commit: string, signal: AbortSignal) => Promise<Evidence>, clock: Clock) {
    this.#read = read;
    this.#clock = clock;
  }

  async findDoubts(
    records: ReadonlyMap<ResourceKey, ResourceRecord>,
    inForce: Pick<ManifestTree, "parsed" | "entries">,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<ResourceKey, string>> {
    const evidence: ReadEvidence = async (commit) => this.#evidenceOf(commit, signal);
    const declared = byKey(inForce.parsed.manifests);
    const doubts = new Map<ResourceKey, string>();
    for (const [key, record] of records) {
      const doubt =
        record.kind === "Job"
          ? await doubtJob(record, records, declared, evidence)
          : record.kind === "Artifact"
            ? await doubtArtifact(record, inForce, declared, evidence)
            : undefined; // where a savepoint lies is looked at when a job is to start from it
      if (doubt !== undefined) doubts.set(key, doubt);
    }
    return doubts;
  }

  async #evidenceOf(commit: string, signal: AbortSignal): Promise<Evidence> {
    const known = this.#evidence.get(commit);
    if (known !== undefined && this.#clock.now() < known.untilMs) return known.evidence;
    let found: { readonly evidence: Evidence; readonly untilMs: number };
    try {
      found = { evidence: await this.#read(commit, signal), untilMs: Infinity };
    } catch (error) {
      signal.throwIfAborted();
      const because = `commit ${commit.slice(0, 12)} cannot be read: ${oneLine(messageOf(error), 200)}`;
      found = { evidence: { kind: "none", because }, untilMs: this.#clock.now() + AGAIN_MS };
    }
    if (this.#evidence.size >= MAX_COMMITS) this.#evidence.clear();
    this.#evidence.set(commit, found);
    return found.evidence;
  }
}

type Declared = ReadonlyMap<ResourceKey, Manifest>;

async function doubtJob(
  record: JobRecord,
  records: ReadonlyMap<ResourceKey, ResourceRecord>,
  declared: Declared,
  evidence: ReadEvidence,
): Promise<Doubt> {
  const { status, spec } = record;
  // A Job that never ran, and one that comes back from its tombstone, start by what is declared.
  if (status.deleted !== undefined || (status.flinkJobId === undefined && status.operation === undefined)) return undefined;
  const announced = announcedStart(record);
  if (announced !== undefined && parseFlinkJobId(announced)?.spec !== specDigits(spec))
    return "the start that it announces is not one of its spec";
  const proof = await findProof(record, declared, (manifest) => isJobOf(manifest, spec), evidence);
  if (proof.kind === "none") return proof.because;
  const { artifact } = status;
  if (artifact === undefined) return undefined;
  if (artifact.name !== spec.artifact)
    return `it would run the jar of Artifact ${artifact.name}, and its spec names ${spec.artifact}`;
  const key = siblingKey(record.id, "Artifact", artifact.name);
  const known = records.get(key);
  const defaults = [...optionsIn(declared.get(key)), ...optionsIn(proof.declared.get(key))];
  // An Artifact's own options may have been changed since: then those count that were accepted with it.
  const matches = (own: JarOptions | undefined): boolean => isFrozenFrom(artifact.jarOptions, spec.jarOptions, own);
  if ((defaults.length === 0 && known === undefined) || [undefined, ...defaults].some(matches)) return undefined;
  const isAccepted = known?.kind === "Artifact" && matches(known.spec.jarOptions);
  if (isAccepted && (await isArtifactProven(known, declared, evidence))) return undefined;
  return "the entry class or the arguments that it was started with are neither its own nor its Artifact's";
}

async function doubtArtifact(
  record: ArtifactRecord,
  inForce: Pick<ManifestTree, "entries">,
  declared: Declared,
  evidence: ReadEvidence,
): Promise<Doubt> {
  const { spec, status } = record;
  // Until it is Ready what is declared counts.
  if (status.sha256 === undefined && declared.has(resourceKey(record.id))) return undefined;
  const proof = await findProof(record, declared, (manifest) => isArtifactOf(manifest, record), evidence);
  if (proof.kind === "none") return proof.because;
  if (spec.sha256 !== undefined && status.sha256 !== undefined && spec.sha256 !== status.sha256)
    return "its digest is not the one that its manifest names";
  const { bytes } = status;
  if (bytes === undefined || spec.source.kind !== "path") return undefined;
  const { path } = spec.source;
  if (inForce.entries.get(path)?.blob === bytes.blob) return undefined;
  const found = await evidence(bytes.commit);
  if (found.kind === "none") return found.because;
  const entry = found.tree.entries.get(path);
  return entry?.kind === "file" && entry.blob === bytes.blob
    ? undefined
    : `its bytes are not those of ${path} in commit ${bytes.commit.slice(0, 12)}`;
}

async function isArtifactProven(record: ArtifactRecord, declared: Declared, evidence: ReadEvidence): Promise<boolean> {
  return (await findProof(record, declared, (manifest) => isArtifactOf(manifest, record), evidence)).kind === "proven";
}

type Proof = { readonly kind: "proven"; readonly declared: Declared } | { readonly kind: "none"; readonly because: string };

/** In the commit in force, or in the one that the record names as the accepted one. */
async function findProof(
  record: JobRecord | ArtifactRecord,
  declared: Declared,
  isSame: (manifest: Manifest | undefined) => boolean,
  evidence: ReadEvidence,
): Promise<Proof> {
  const key = resourceKey(record.id);
  if (isSame(declared.get(key))) return { kind: "proven", declared };
  const { commit } = record.status.source;
  const found = await evidence(commit);
  if (found.kind === "none") return { kind: "none", because: found.because };
  const accepted = byKey(found.tree.parsed.manifests);
  return isSame(accepted.get(key))
    ? { kind: "proven", declared: accepted }
    : { kind: "none", because: `its spec does not stand in commit ${commit.slice(0, 12)}, from which it says that it is` };
}

function announcedStart({ status: { operation } }: JobRecord): string | undefined {
  if (operation?.kind === "start") return operation.flinkJobId;
  return operation?.kind === "stop" ? operation.next?.flinkJobId : undefined;
}

/** Specs are never changed, and each pass asks for the same ones. */
const HASHES = new WeakMap<JobSpec, string>();

function hashOf(spec: JobSpec): string {
  const known = HASHES.get(spec) ?? jobSpecHash(spec);
  HASHES.set(spec, known);
  return known;
}

function isJobOf(manifest: Manifest | undefined, spec: JobSpec): boolean {
  return manifest?.kind === "Job" && hashOf(manifest.spec) === hashOf(spec);
}

function isArtifactOf(manifest: Manifest | undefined, { spec }: ArtifactRecord): boolean {
  return manifest?.kind === "Artifact" && canonicalJson(manifest.spec) === canonicalJson(spec);
}

function optionsIn(manifest: Manifest | undefined): readonly JarOptions[] {
  return manifest?.kind === "Artifact" ? [(manifest satisfies ArtifactManifest).spec.jarOptions] : [];
}

/** As `artifactForJob` freezes them. Where neither names a class, the jar's own manifest did. */
function isFrozenFrom(frozen: JarOptions, own: JarOptions, defaults: JarOptions | undefined): boolean {
  const entryClass = own.entryClass ?? defaults?.entryClass;
  const mainArgs = own.mainArgs ?? defaults?.mainArgs ?? [];
  const isClass = entryClass === undefined || frozen.entryClass === entryClass;
  return isClass && canonicalJson(frozen.mainArgs ?? []) === canonicalJson(mainArgs);
}

function byKey(manifests: readonly Manifest[]): Declared {
  return new Map(manifests.map((manifest) => [resourceKey(manifest.id), manifest]));
}
