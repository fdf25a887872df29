import { isLfsPointer } from "../common/lfs-pointer.ts";
import type { Position, Problem } from "../common/problem.ts";
import { parseYamlFile, type YamlDocument } from "../common/yaml-file.ts";
import { buildManifest } from "./build-manifest.ts";
import { identifyDocument } from "./identify-document.ts";
import type { Manifest } from "./manifest.ts";
import { otherEntryProblem } from "./other-entry.ts";
import type { ResourceId } from "./resource.ts";

/** A file under the configured paths, as it lies in a commit. */
export interface ManifestFile {
  readonly path: string;
  /** The id of its Git blob: equal ids mean equal bytes. */
  readonly blob: string;
  readonly content: Uint8Array;
}

/** A resource that a document declares while something else in the document is wrong. */
export interface BrokenDeclaration {
  readonly id: ResourceId;
  readonly position: Position;
}

/** What one file says, on its own. */
export interface ParsedFile {
  readonly manifests: readonly Manifest[];
  readonly problems: readonly Problem[];
  /** Documents that may declare anything: while there is one, nothing counts as deleted. */
  readonly unreadable: readonly Position[];
  /** Declared, so not deleted; but what runs under these stays as it is. */
  readonly broken: readonly BrokenDeclaration[];
}

/** Parses every document of one file. Never throws for what is in it; foreign documents and their problems are left out. */
export function parseManifestFile(file: ManifestFile): ParsedFile {
  if (isLfsPointer(file.content)) return unreadableFile([otherEntryProblem(file.path, "lfs-pointer")]);
  const yaml = parseYamlFile(file.path, file.content);
  const ofDocuments = yaml.documents.map((document) => parseDocument(document, file));
  // What belongs to no document: a file that is too large, in another encoding, or cut off after many documents.
  const inDocuments = new Set(yaml.documents.flatMap((document) => document.problems));
  const ofFile = unreadableFile(yaml.problems.filter((problem) => !inDocuments.has(problem)));
  return mergeFiles([...ofDocuments, ofFile]);
}

export function mergeFiles(files: readonly ParsedFile[]): ParsedFile {
  return {
    manifests: files.flatMap((file) => file.manifests),
    problems: files.flatMap((file) => file.problems),
    unreadable: files.flatMap((file) => file.unreadable),
    broken: files.flatMap((file) => file.broken),
  };
}

/** Each problem says why nothing in its place can be read. */
export function unreadableFile(problems: readonly Problem[]): ParsedFile {
  return { manifests: [], problems, unreadable: problems.map(({ file, line, column }) => ({ file, line, column })), broken: [] };
}

function parseDocument(document: YamlDocument, { path, blob }: ManifestFile): ParsedFile {
  const identified = identifyDocument(document);
  const nothing: ParsedFile = { manifests: [], problems: [], unreadable: [], broken: [] };
  switch (identified.kind) {
    case "foreign":
      return nothing;
    case "unreadable":
      return { ...nothing, problems: [...document.problems, ...identified.problems], unreadable: [document.start] };
    case "ours": {
      const { id } = identified;
      const { manifest, problems } = buildManifest(document, identified.resourceKind, id, { path, blob });
      if (manifest !== undefined) return { ...nothing, manifests: [manifest] };
      if (id === undefined) return { ...nothing, problems, unreadable: [document.start] };
      return { ...nothing, problems, broken: [{ id, position: document.at(["metadata", "name"]) }] };
    }
    default:
      return identified satisfies never;
  }
}
