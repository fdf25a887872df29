import type { Commit } from "./commit.ts";

/** Undefined: it was not fetched. */
export type FindCommit = (oid: string) => Promise<Commit | undefined>;

/** The newest commit that both have in their history, as far as that is known; undefined when none is. */
export async function findMergeBase(one: string, other: string, findCommit: FindCommit): Promise<string | undefined> {
  const behind = await ancestorsOf([one], findCommit);
  const candidates: string[] = [];
  // Beyond a commit that both have lies nothing that is newer.
  await walk([other], findCommit, (oid) => {
    if (!behind.has(oid)) return true;
    candidates.push(oid);
    return false;
  });
  const best: { readonly oid: string; readonly atMs: number }[] = [];
  for (const oid of candidates) {
    const others = candidates.filter((candidate) => candidate !== oid);
    if (others.length > 0 && (await ancestorsOf(others, findCommit)).has(oid)) continue;
    best.push({ oid, atMs: (await findCommit(oid))?.committedAtMs ?? 0 });
  }
  return best.sort((a, b) => b.atMs - a.atMs)[0]?.oid;
}

/** The commits themselves and what is behind them, as far as that is known. */
export async function ancestorsOf(oids: readonly string[], findCommit: FindCommit): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  await walk(oids, findCommit, (oid) => {
    found.add(oid);
    return true;
  });
  return found;
}

/** Visits each commit once; `visit` says whether to go on behind it. */
async function walk(from: readonly string[], findCommit: FindCommit, visit: (oid: string) => boolean): Promise<void> {
  const seen = new Set(from);
  const waiting = [...from];
  for (let oid = waiting.shift(); oid !== undefined; oid = waiting.shift()) {
    const commit = await findCommit(oid);
    if (commit === undefined || !visit(oid)) continue;
    for (const parent of commit.parents) {
      if (seen.has(parent)) continue;
      seen.add(parent);
      waiting.push(parent);
    }
  }
}
