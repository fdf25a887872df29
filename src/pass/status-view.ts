import type { Problem } from "../common/problem.ts";
import { shownPath } from "../common/text.ts";
import type { StatusSnapshot } from "../git/status-reader.ts";
import type { ResourceKey } from "../model/resource.ts";
import type { ResourceRecord } from "../model/status.ts";
import { parseStatusDocument, parseSummary, SUMMARY_PATH } from "../model/status-document.ts";
import type { StatusView } from "./snapshot.ts";

const STATUS_FILE = /^[^/]+\/[^/]+\/(?:job|artifact|savepoint)\/[^/]+\.yaml$/;

/**
 * The files of the branch as records. One that cannot be understood is a problem of its own and never stands for "no record". A file that
 * reads as it did `before` keeps its record: parsing hundreds of them takes longer than all the rest of a pass.
 */
export function buildStatusView(snapshot: StatusSnapshot, before?: StatusView): StatusView {
  const records = new Map<ResourceKey, ResourceRecord>();
  const unreadable = new Map<ResourceKey, Problem>();
  // After a loss the records are those in memory, which are not what the files say.
  const known = before?.rewrite === false ? before : undefined;
  for (const [path, text] of snapshot.files) {
    if (!isStatusFile(path)) continue;
    const key = keyOfStatusPath(path);
    const record = known?.files.get(path) === text ? known.records.get(key) : undefined;
    const parsed = record === undefined ? parseStatusDocument(path, text) : { record };
    if ("record" in parsed) records.set(key, parsed.record);
    else unreadable.set(key, parsed.problem);
  }
  for (const [path, because] of misplaced(snapshot)) {
    const message = `this cannot be read as a status: ${because}; restore the file from the branch's history`;
    unreadable.set(keyOfStatusPath(path), { file: shownPath(path), line: 1, column: 1, message });
  }
  const summary = snapshot.files.get(SUMMARY_PATH);
  return {
    head: snapshot.head,
    files: snapshot.files,
    records,
    unreadable,
    summary: summary === undefined ? undefined : parseSummary(summary),
    rewrite: false,
  };
}

/** Where a resource's file should be and is none that can be read. To take that for "no record" would start a second job. */
function misplaced({ files, unreadable }: StatusSnapshot): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const path of [...files.keys(), ...unreadable.keys()]) {
    const place = path.split("/", 4).join("/");
    if (!isStatusFile(place)) continue;
    if (place !== path) found.set(place, "it is a folder");
    else if (unreadable.has(path)) found.set(path, unreadable.get(path)!); // it has it
  }
  return found;
}

/** Whether the branch keeps a resource in it; other files are nobody's business. */
export function isStatusFile(path: string): boolean {
  return STATUS_FILE.test(path);
}

/** The path is the key: see `statusPath`. */
function keyOfStatusPath(path: string): ResourceKey {
  return path.replace(/\.yaml$/, "") as ResourceKey;
}
