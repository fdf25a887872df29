import type { ResourceRecord } from "../model/status.ts";

/** The digests of all jars that the status branch speaks of: what jobs run with, or may be started from. */
export function jarsNeeded(records: Iterable<ResourceRecord>): ReadonlySet<string> {
  const needed = new Set<string>();
  for (const record of records) {
    if (record.kind === "Artifact" && record.status.sha256 !== undefined) needed.add(record.status.sha256);
    // A tombstone's jar comes back with its Artifact, should it be declared again.
    if (record.kind === "Job" && record.status.deleted === undefined && record.status.artifact !== undefined)
      needed.add(record.status.artifact.sha256);
  }
  return needed;
}
