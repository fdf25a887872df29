import { isDeepStrictEqual } from "node:util";
import { gitBlobId } from "../common/hash.ts";
import { formatPosition } from "../common/problem.ts";
import { decodeText, encodeText } from "../common/text-file.ts";
import { parseYamlFile, type YamlDocument } from "../common/yaml-file.ts";
import { identifyDocument } from "./identify-document.ts";
import { parseManifestFile, type ManifestFile } from "./parse-manifest-file.ts";
import { resourceKey, type ResourceKey } from "./resource.ts";
import { applyChanges, writeStatusBlock, type TextChange } from "./status-block.ts";
import type { ResourceRecord } from "./status.ts";

/** What the manifest of a resource shows of its status. */
export function mirroredStatus({ kind, status }: ResourceRecord): Readonly<Record<string, unknown>> {
  const { phase, conditions } = status;
  switch (kind) {
    case "Job": {
      const { flinkJobState, flinkJobId } = status;
      return { phase, flinkJobState, ...(flinkJobId === undefined ? {} : { flinkJobId }), conditions: conditions.map(inOrder) };
    }
    case "Artifact":
      return { phase, conditions: conditions.map(inOrder) };
    case "Savepoint":
      return { phase, ...(status.uri === undefined ? {} : { uri: status.uri }), conditions: conditions.map(inOrder) };
    default:
      return kind satisfies never;
  }
}

function inOrder({ type, status, reason, message, since }: ResourceRecord["status"]["conditions"][number]): object {
  return { type, status, reason, message, since };
}

export interface MirroredFile {
  /** With the statuses in it; the very bytes that were given when none could be written. */
  readonly content: Uint8Array;
  /** Resources whose document is left as it is, and why. */
  readonly left: ReadonlyMap<ResourceKey, string>;
}

/**
 * Writes statuses into the documents of one file, by resource. Every byte outside of their `status` blocks stays as it is; the result is
 * parsed and compared before anybody gets it, and a document that would come out as another one is left alone. Pure.
 */
export function mirrorIntoFile(
  file: ManifestFile,
  statuses: ReadonlyMap<ResourceKey, Readonly<Record<string, unknown>>>,
): MirroredFile {
  const decoded = decodeText(file.content);
  if ("refused" in decoded || decoded.damage.length > 0)
    return leaveAll(file, statuses, "the file is not all UTF-8; save it as UTF-8");
  const { changes, left } = changeDocuments(file.path, decoded.text, statuses);
  if (changes.length === 0) return { content: file.content, left };
  const content = encodeText(applyChanges(decoded.text, changes), file.content);
  const written = new Map([...statuses].filter(([key]) => !left.has(key)));
  const wrong = findDifference(file, content, written);
  return wrong === undefined ? { content, left } : leaveAll(file, statuses, wrong);
}

function changeDocuments(path: string, text: string, statuses: ReadonlyMap<ResourceKey, object>) {
  const changes: TextChange[] = [];
  const left = new Map<ResourceKey, string>();
  const documents = documentsByKey(parseYamlFile(path, text).documents);
  for (const [key, status] of statuses) {
    const document = documents.get(key);
    const layout = document?.layout();
    if (document === undefined || layout === undefined) {
      left.set(key, `${path}: its document is not there any more`);
      continue;
    }
    const change = writeStatusBlock(text, layout, status);
    if ("odd" in change) left.set(key, `${formatPosition(document.start)} ${change.odd}`);
    else changes.push(change);
  }
  return { changes, left };
}

function documentsByKey(documents: readonly YamlDocument[]): ReadonlyMap<ResourceKey, YamlDocument> {
  const byKey = new Map<ResourceKey, YamlDocument>();
  for (const document of documents) {
    const identified = identifyDocument(document);
    if (identified.kind === "ours" && identified.id !== undefined) byKey.set(resourceKey(identified.id), document);
  }
  return byKey;
}

/** What reading the new file shows to be other than it was meant to be. */
function findDifference(
  file: ManifestFile,
  content: Uint8Array,
  written: ReadonlyMap<ResourceKey, Readonly<Record<string, unknown>>>,
): string | undefined {
  const before = parseManifestFile({ ...file, blob: gitBlobId(file.content) });
  const after = parseManifestFile({ ...file, content, blob: gitBlobId(content) });
  const valid = new Set(before.manifests.map(({ id }) => resourceKey(id)));
  const isWhole =
    [...written.keys()].every((key) => valid.has(key)) &&
    after.manifests.length === before.manifests.length &&
    after.problems.length === before.problems.length &&
    before.manifests.every((manifest, index) => {
      const now = after.manifests[index]!; // as many as before
      const { positions: _positions, source: _source, mirrored, ...rest } = manifest;
      const { positions: _nowPositions, source: _nowSource, mirrored: nowMirrored, ...nowRest } = now;
      return (
        isDeepStrictEqual(nowRest, rest) && isDeepStrictEqual(nowMirrored, written.get(resourceKey(manifest.id)) ?? mirrored)
      );
    });
  if (isWhole && after.bareBlob === before.bareBlob) return undefined; // without their blocks the two are the same bytes
  return "the file cannot hold it: it is too long, or written in a way that a new block would change; write its documents in block style, each key on a line of its own";
}

function leaveAll(file: ManifestFile, statuses: ReadonlyMap<ResourceKey, object>, because: string): MirroredFile {
  return { content: file.content, left: new Map([...statuses.keys()].map((key) => [key, `${file.path}: ${because}`])) };
}
