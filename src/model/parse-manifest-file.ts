import { gitBlobId } from "../common/hash.ts";
import { isLfsPointer } from "../common/lfs-pointer.ts";
import type { Position, Problem } from "../common/problem.ts";
import { countOf, shownPath } from "../common/text.ts";
import { decodeText, encodeText } from "../common/text-file.ts";
import { parseYamlFile, type YamlDocument } from "../common/yaml-file.ts";
import { buildManifest } from "./build-manifest.ts";
import { identifyDocument } from "./identify-document.ts";
import type { Manifest } from "./manifest.ts";
import { otherEntryProblem } from "./other-entry.ts";
import type { ResourceId } from "./resource.ts";
import { withoutStatusBlocks } from "./status-block.ts";

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

/** What files declare. */
export interface Declarations {
  readonly manifests: readonly Manifest[];
  readonly problems: readonly Problem[];
  /** Documents that may declare anything: while there is one, nothing counts as deleted. */
  readonly unreadable: readonly Position[];
  /** Declared, so not deleted; but what runs under these stays as it is. */
  readonly broken: readonly BrokenDeclaration[];
}

const MAX_PROBLEMS_PER_FILE = 200;

/** What one file says, on its own. */
export interface ParsedFile extends Declarations {
  /** The blob id of the file without the `status` blocks of our documents: equal ids mean that nothing else was changed. */
  readonly bareBlob: string;
}

/** Parses every document of one file. Never throws for what is in it; foreign documents and their problems are left out. */
export function parseManifestFile(file: ManifestFile): ParsedFile {
  if (isLfsPointer(file.content))
    return { ...unreadableFile([otherEntryProblem(file.path, "lfs-pointer")]), bareBlob: file.blob };
  const yaml = parseYamlFile(shownPath(file.path), file.content);
  const bare = readBare(file, yaml.documents);
  const ofDocuments: Declarations[] = [];
  let problems = 0;
  for (const document of yaml.documents) {
    const declared = parseDocument(document, file, bare, problems < MAX_PROBLEMS_PER_FILE);
    problems += declared.problems.length;
    ofDocuments.push(declared);
  }
  // What belongs to no document: a file that is too large, in another encoding, or cut off after many documents.
  const inDocuments = new Set(yaml.documents.flatMap((document) => document.problems));
  const ofFile = unreadableFile(yaml.problems.filter((problem) => !inDocuments.has(problem)));
  const merged = mergeFiles([...ofDocuments, ofFile]);
  return { ...merged, problems: limitProblems(merged.problems), bareBlob: bare.blob };
}

/** Whoever generates a file may have all of its documents wrong; nobody reads the ten-thousandth problem, and every reader has to hold it. */
function limitProblems(problems: readonly Problem[]): readonly Problem[] {
  const left = problems.length - MAX_PROBLEMS_PER_FILE;
  const next = problems[MAX_PROBLEMS_PER_FILE];
  if (left <= 1 || next === undefined) return problems;
  const message = `${countOf(left, "more problem")} of this file begin here; correct the ones above first`;
  return [...problems.slice(0, MAX_PROBLEMS_PER_FILE), { ...next, message }];
}

/** The file as it would be without our documents' `status` blocks. */
interface BareFile {
  readonly blob: string;
  /** The lines that each of them takes. */
  readonly cuts: readonly { readonly start: number; readonly lines: number }[];
}

function readBare({ blob, content }: ManifestFile, documents: readonly YamlDocument[]): BareFile {
  const ours = documents.filter((document) => identifyDocument(document).kind === "ours");
  const layouts = ours.flatMap((document) => document.layout() ?? []);
  const decoded = decodeText(content);
  // What is not all UTF-8 cannot be put together again from its text.
  if ("refused" in decoded || decoded.damage.length > 0) return { blob, cuts: [] };
  const bare = withoutStatusBlocks(decoded.text, layouts);
  if (bare.cuts.length === 0) return { blob, cuts: [] };
  const cuts = bare.cuts.map(({ start, end }) => ({ start, lines: decoded.text.slice(start, end).split("\n").length - 1 }));
  return { blob: gitBlobId(encodeText(bare.text, content)), cuts };
}

export function mergeFiles(files: readonly Declarations[]): Declarations {
  return {
    manifests: files.flatMap((file) => file.manifests),
    problems: files.flatMap((file) => file.problems),
    unreadable: files.flatMap((file) => file.unreadable),
    broken: files.flatMap((file) => file.broken),
  };
}

/** Each problem says why nothing in its place can be read. */
export function unreadableFile(problems: readonly Problem[]): Declarations {
  return { manifests: [], problems, unreadable: problems.map(({ file, line, column }) => ({ file, line, column })), broken: [] };
}

/** `suggests`: whether what was meant is looked for where something is misspelt, which is what takes the longest. */
function parseDocument(
  document: YamlDocument,
  { path }: ManifestFile,
  { blob, cuts }: BareFile,
  suggests: boolean,
): Declarations {
  const identified = identifyDocument(document);
  const nothing: Declarations = { manifests: [], problems: [], unreadable: [], broken: [] };
  switch (identified.kind) {
    case "foreign":
      return nothing;
    case "unreadable":
      return { ...nothing, problems: [...document.problems, ...identified.problems], unreadable: [document.start] };
    case "ours": {
      const { id } = identified;
      const start = document.layout()?.members[0]?.start ?? 0;
      const statusLines = cuts.reduce((sum, cut) => sum + (cut.start < start ? cut.lines : 0), 0);
      const { manifest, problems } = buildManifest(document, identified.resourceKind, id, { path, blob, statusLines, suggests });
      if (manifest !== undefined) return { ...nothing, manifests: [manifest] };
      if (id === undefined) return { ...nothing, problems, unreadable: [document.start] };
      return { ...nothing, problems, broken: [{ id, position: document.at(["metadata", "name"]) }] };
    }
    default:
      return identified satisfies never;
  }
}
