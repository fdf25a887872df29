import type { Clock } from "../common/clock.ts";
import type { CommitVerifier } from "../git/commit-verifier.ts";
import type { ManifestRepository } from "../git/manifest-repository.ts";
import type { ManifestTree } from "./read-manifests.ts";

/** What it takes to tell which commits count, where `repository.verify` says that not all do. */
export interface Verification {
  readonly verifier: Pick<CommitVerifier, "verify">;
  /** A copy of the repository for commits further back, so that the one that follows the branch is not built anew for them. Drop it after use. */
  readonly openWitness: () => ManifestRepository;
  readonly clock: Clock;
}

/** A branch's newest commit that is not applied. */
export interface RefusedHead {
  readonly oid: string;
  /** A whole sentence: what is refused and why. */
  readonly because: string;
}

export function refusedHead(oid: string, because: string): RefusedHead {
  return { oid, because: `commit ${short(oid)} is refused by repository.verify: ${because}` };
}

/** What a person reads of it; `inForce`: the commit that everything is decided by. */
export function describeRefusal({ because }: RefusedHead, inForce: string | undefined): string {
  const stays =
    inForce === undefined
      ? "no verified commit was applied before, so nothing is started, changed or deleted"
      : `commit ${short(inForce)}, the last verified one, stays in force, and nothing counts as deleted`;
  return `${because}; ${stays}. Push a commit on top that is signed by a listed key, which vouches for all below it, or list the key of its signer`;
}

/**
 * The first path at which one tree is another than the other, `status` blocks in manifests apart. Undefined: a commit from the one to the other mirrors
 * statuses and does nothing else, whatever its message says.
 */
export function findChangeBesidesStatus(before: ManifestTree, after: ManifestTree): string | undefined {
  for (const path of new Set([...before.entries.keys(), ...after.entries.keys()])) {
    const [old, now] = [before.entries.get(path), after.entries.get(path)];
    if (old === undefined || now === undefined || old.kind !== now.kind || old.readableName !== now.readableName) return path;
    if (old.blob === now.blob) continue;
    const bare = before.bareBlobs.get(path);
    if (bare === undefined || bare !== after.bareBlobs.get(path)) return path;
  }
  return undefined;
}

function short(oid: string): string {
  return oid.slice(0, 12);
}
