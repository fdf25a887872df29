import { compareText, formatPosition, sortProblems, type Position, type Problem } from "../common/problem.ts";
import { listOf, shownPath } from "../common/text.ts";
import type { Manifest } from "./manifest.ts";
import { mergeFiles, parseManifestFile, unreadableFile, type ManifestFile, type ParsedFile } from "./parse-manifest-file.ts";
import { displayName, resourceKey, type ResourceId, type ResourceKey } from "./resource.ts";

export { otherEntryProblem, type OtherEntry } from "./other-entry.ts";
export { parseManifestFile, type BrokenDeclaration, type ManifestFile, type ParsedFile } from "./parse-manifest-file.ts";

/** What a whole tree declares. */
export interface ParsedManifests {
  /** Sorted by key, each identity once. */
  readonly manifests: readonly Manifest[];
  /** All of them, in a stable order. */
  readonly problems: readonly Problem[];
  /** Where something stands that may declare anything: while there is one, nothing counts as deleted. Sorted. */
  readonly unreadable: readonly Position[];
  /** Declared, but not validly or twice: what runs under these identities stays as it is. Sorted by key. */
  readonly declaredButBroken: readonly ResourceId[];
}

/**
 * Keeps what files said, by path and blob id, so that a document parsed once is not parsed again. The one that was not asked for the
 * longest is forgotten first.
 */
export class ManifestCache {
  readonly #parsed = new Map<string, ParsedFile>();
  readonly #maxFiles: number;

  constructor(maxFiles = 10_000) {
    this.#maxFiles = maxFiles;
  }

  get size(): number {
    return this.#parsed.size;
  }

  /** What the file says if it was parsed before: then nobody needs to read it. */
  find({ path, blob }: Pick<ManifestFile, "path" | "blob">): ParsedFile | undefined {
    const parsed = this.#parsed.get(keyOf(path, blob));
    if (parsed !== undefined) this.#keep(keyOf(path, blob), parsed);
    return parsed;
  }

  parse(file: ManifestFile): ParsedFile {
    const parsed = this.find(file) ?? parseManifestFile(file);
    this.#keep(keyOf(file.path, file.blob), parsed);
    return parsed;
  }

  #keep(key: string, parsed: ParsedFile): void {
    this.#parsed.delete(key);
    this.#parsed.set(key, parsed);
    for (const oldest of this.#parsed.keys()) {
      if (this.#parsed.size <= this.#maxFiles) break;
      this.#parsed.delete(oldest);
    }
  }
}

function keyOf(path: string, blob: string): string {
  return `${blob}\0${path}`;
}

/**
 * Parses a tree: every file that was not parsed before, then what only all of them together show (identities declared twice, projects).
 * `others` are the problems of entries that cannot be read at all; any of those may hide a manifest, so they hold deletions as well.
 */
export function parseManifests(
  files: readonly (ManifestFile | ParsedFile)[],
  cache?: ManifestCache,
  others: readonly Problem[] = [],
): ParsedManifests {
  const parsed = files.map((file) => ("content" in file ? (cache?.parse(file) ?? parseManifestFile(file)) : file));
  const merged = mergeFiles([...parsed, unreadableFile(others)]);
  const declarations = [
    ...merged.manifests.map(declarationOf),
    ...merged.broken.map((broken) => ({ ...broken, manifest: undefined })),
  ];
  const byKey = Map.groupBy(declarations, ({ id }) => resourceKey(id));
  const problems = [...merged.problems, ...duplicateProblems(byKey)];
  const inNoProject = undeclaredProjects(declarations);
  problems.push(...inNoProject.map(projectProblem));
  const misplaced = new Set(inNoProject.map(({ id }) => resourceKey(id)));
  const manifests: Manifest[] = [];
  const declaredButBroken: ResourceId[] = [];
  for (const [key, [first, ...more]] of [...byKey].sort(([a], [b]) => compareText(a, b))) {
    if (first?.manifest !== undefined && more.length === 0 && !misplaced.has(key)) manifests.push(first.manifest);
    else if (first !== undefined) declaredButBroken.push(first.id);
  }
  return {
    manifests,
    problems: sortProblems(problems),
    unreadable: merged.unreadable.toSorted(comparePositions),
    declaredButBroken,
  };
}

interface Declaration {
  readonly id: ResourceId;
  readonly position: Position;
  /** Undefined when something is wrong with it. */
  readonly manifest: Manifest | undefined;
}

function declarationOf(manifest: Manifest): Declaration {
  const start: Position = { file: shownPath(manifest.source.path), line: manifest.source.line, column: 1 };
  return { id: manifest.id, position: manifest.positions.get("/metadata/name") ?? start, manifest };
}

function duplicateProblems(byKey: ReadonlyMap<ResourceKey, readonly Declaration[]>): readonly Problem[] {
  const problems: Problem[] = [];
  for (const declarations of byKey.values()) {
    if (declarations.length === 1) continue;
    const sorted = declarations.toSorted((a, b) => comparePositions(a.position, b.position));
    for (const declaration of sorted) problems.push(duplicateProblem(declaration, sorted));
  }
  return problems;
}

const MAX_SHOWN = 3;

function duplicateProblem({ id, position }: Declaration, all: readonly Declaration[]): Problem {
  const others = all.filter((other) => other.position !== position).map((other) => formatPosition(other.position));
  const shown = others.length > MAX_SHOWN ? [...others.slice(0, MAX_SHOWN), `${others.length - MAX_SHOWN} more places`] : others;
  return { ...position, message: `${describe(id)} is declared here and at ${listOf(shown)}; keep one of them` };
}

/** Once a Project is declared, everything must belong to a declared one; `default` always exists. */
function undeclaredProjects(declarations: readonly Declaration[]): readonly Declaration[] {
  const projects = declarations.filter(({ id }) => id.kind === "Project").map(({ id }) => id.name);
  if (projects.length === 0) return [];
  const known = new Set(["default", ...projects]);
  return declarations.filter(({ id }) => id.kind !== "Project" && !known.has(id.project));
}

function projectProblem({ id, position, manifest }: Declaration): Problem {
  const at = manifest?.positions.get("/metadata/project") ?? position;
  return {
    ...at,
    message: `${describe(id)} belongs to the project ${id.project}, which is not declared; add a document of kind Project with that name, or correct metadata.project`,
  };
}

function describe(id: ResourceId): string {
  if (id.kind === "Project") return `the Project ${id.name}`;
  return `the ${id.kind} ${displayName(id)} in zone ${id.zone}`;
}

function comparePositions(a: Position, b: Position): number {
  return compareText(a.file, b.file) || a.line - b.line || a.column - b.column;
}
