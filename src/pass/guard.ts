import { countOf, listOf } from "../common/text.ts";
import { jobSpecHash } from "../model/canonical-spec.ts";
import type { Reason } from "../model/reasons.ts";
import { displayName, type ResourceKey } from "../model/resource.ts";
import { finalSavepointManifest } from "../model/upgrade-manifests.ts";
import type { DesiredJob } from "./desired.ts";

const ALLOW_TRAILER = "Penstock-Allow-Deletions";
const UNREADABLE = "DeletionHeld";
const TOO_MANY = "TooManyDeletions";

/** What becomes of a Job that is in the record and no longer declared. */
export type Deletion = { readonly kind: "goes" } | { readonly kind: "held"; readonly reason: Reason; readonly because: string };

type Held = Deletion & { readonly kind: "held" };

export interface GuardInput {
  readonly jobs: readonly DesiredJob[];
  /** Those that a declared Final Savepoint stops for good: their end is written down in Git, and their state goes on. */
  readonly retired: ReadonlySet<ResourceKey>;
  /** How many manifests of ours the tree holds. */
  readonly manifests: number;
  /** A document whose identity cannot be read: anything may be declared in it. */
  readonly unreadable: string | undefined;
  /** The source's settings are others than those that the record was made with. */
  readonly sourceChanged: string | undefined;
  /** Values of the trailer in the commits since the newest applied one. */
  readonly allowed: readonly string[];
  readonly maxDeletions: number;
}

export interface Guarded {
  /** For every Job that is not declared. */
  readonly deletions: ReadonlyMap<ResourceKey, Deletion>;
  /** For Jobs that are new: why they may be a deleted one under another name. */
  readonly renames: ReadonlyMap<ResourceKey, string>;
}

/** What the trailer says in the commits since the newest applied one. */
export function deletionsAllowed(trailers: ReadonlyMap<string, readonly string[]>): readonly string[] {
  return trailers.get(ALLOW_TRAILER.toLowerCase()) ?? [];
}

/** Deletion is deliberate: a slip in Git never stops more than a person meant to. Pure. */
export function guardDeletions(input: GuardInput): Guarded {
  const gone = input.jobs.filter(
    (job) => job.declared.kind === "absent" && job.record !== undefined && job.record.status.deleted === undefined,
  );
  const renames = findRenames(gone, input.jobs);
  const waiting = gone.filter((job) => job.record?.status.phase !== "Deleting" && hasRun(job) && !input.retired.has(job.key));
  const allowed = allowedNames(waiting, input.allowed);
  const held = holdAll(input) ?? holdMany(waiting, input);
  const fateOf = (job: DesiredJob): Deletion => {
    const isRetired = held?.reason === TOO_MANY && input.retired.has(job.key);
    return decideOne(job, isRetired ? undefined : held, allowed, renames.byOld);
  };
  const deletions = new Map(gone.map((job) => [job.key, fateOf(job)]));
  return { deletions, renames: renames.byNew };
}

function decideOne(
  job: DesiredJob,
  held: Held | undefined,
  allowed: ReadonlySet<ResourceKey>,
  renamed: ReadonlyMap<ResourceKey, string>,
): Deletion {
  if (job.record?.status.phase === "Deleting") return { kind: "goes" }; // it always completes
  const rename = renamed.get(job.key);
  if (rename !== undefined) return { kind: "held", reason: "LooksLikeRename", because: rename };
  // A trailer says that so many may go, and not which ones a document that nobody can read declares.
  if (held === undefined || (allowed.has(job.key) && held.reason !== UNREADABLE)) return { kind: "goes" };
  return held;
}

function holdAll({ unreadable, sourceChanged }: GuardInput): Held | undefined {
  if (unreadable !== undefined) return { kind: "held", reason: UNREADABLE, because: unreadable };
  if (sourceChanged !== undefined) return { kind: "held", reason: "SourceChanged", because: `${sourceChanged}; ${wayOut()}` };
  return undefined;
}

function holdMany(waiting: readonly DesiredJob[], { jobs, manifests, maxDeletions }: GuardInput): Held | undefined {
  const known = jobs.filter((job) => hasRun(job) && job.record?.status.deleted === undefined).length;
  if (waiting.length === 0) return undefined;
  if (manifests === 0) return hold("the tree holds no manifest at all");
  if (waiting.length > maxDeletions)
    return hold(`${countOf(waiting.length, "Job")} would be deleted at once, more than ${maxDeletions}`);
  if (known >= 4 && waiting.length * 2 > known)
    return hold(`${waiting.length} of ${known} Jobs would be deleted at once, more than half`);
  return undefined;
}

function hold(because: string): Held {
  return { kind: "held", reason: TOO_MANY, because: `${because}; ${wayOut()}` };
}

function wayOut(): string {
  return `if it is meant, push a commit with the trailer "${ALLOW_TRAILER}: N", where N is how many may go`;
}

/** The first N by name; a trailer counts once, since it lies behind the applied commit afterwards. */
function allowedNames(waiting: readonly DesiredJob[], values: readonly string[]): ReadonlySet<ResourceKey> {
  const count = Math.max(0, ...values.map((value) => (/^\d{1,6}$/.test(value.trim()) ? Number(value) : 0)));
  return new Set(waiting.slice(0, count).map(({ key }) => key));
}

/** `-v1` edited to `-v2` in place would stop the one and start the other empty: both wait until a person says what is meant. */
function findRenames(gone: readonly DesiredJob[], jobs: readonly DesiredJob[]) {
  const byOld = new Map<ResourceKey, string>();
  const byNew = new Map<ResourceKey, string>();
  for (const old of gone.filter((job) => hasRun(job) && job.record?.status.phase !== "Deleting")) {
    const twin = jobs.find((job) => isTwin(old, job));
    if (twin === undefined) continue;
    const names = listOf([displayName(old.id), displayName(twin.id)]);
    const because = `${names} look like one Job that was renamed, and renaming loses its state; ${upgradeText(old, twin)}`;
    byOld.set(old.key, because);
    byNew.set(twin.key, because);
  }
  return { byOld, byNew };
}

function isTwin(old: DesiredJob, job: DesiredJob): boolean {
  if (job.declared.kind !== "declared" || job.record?.status.flinkJobId !== undefined || old.record === undefined) return false;
  if (job.id.zone !== old.id.zone || job.id.project !== old.id.project) return false;
  const { manifest } = job.declared;
  if (manifest.spec.initialState !== undefined || manifest.annotations["penstock/start-empty"] === "new") return false;
  const { spec, status } = old.record;
  return (
    manifest.source.path === status.source.path ||
    manifest.spec.artifact === spec.artifact ||
    jobSpecHash(manifest.spec) === jobSpecHash(spec)
  );
}

function upgradeText(old: DesiredJob, twin: DesiredJob): string {
  return `to keep it, declare ${finalSavepointManifest(old.id)} and give ${twin.id.name} spec.initialStateRef: {name: ${old.id.name}-final}; to start ${twin.id.name} empty, annotate it with penstock/start-empty: new`;
}

function hasRun(job: DesiredJob): boolean {
  return job.record?.status.flinkJobId !== undefined;
}
