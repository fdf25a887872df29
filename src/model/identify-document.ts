import { distance } from "fastest-levenshtein";
import type { Problem } from "../common/problem.ts";
import { didYouMean, nearest } from "../common/suggest.ts";
import { listOf, oneLine } from "../common/text.ts";
import type { YamlDocument, YamlPath } from "../common/yaml-file.ts";
import { isResourceName } from "./manifest-schema.ts";
import { API_VERSION, KINDS, type Kind, type ResourceId } from "./resource.ts";

export type Identified =
  /** Somebody else's, or empty. */
  | { readonly kind: "foreign" }
  /** Ours or nearly so, and nobody can tell which resource it declares: nothing may count as deleted. */
  | { readonly kind: "unreadable"; readonly problems: readonly Problem[] }
  /** Ours. `id` is undefined when its name, project or zone cannot be read; what is wrong with them is the schema's to say. */
  | { readonly kind: "ours"; readonly resourceKind: Kind; readonly id: ResourceId | undefined };

/** The keys that make an identity: where one stands twice, two documents have probably lost the `---` between them. */
const IDENTITY_KEYS: ReadonlySet<string> = new Set(["apiVersion", "kind", "zone", "metadata", "name", "project"]);

/** Tells whose a document is. A document that is nearly ours is never taken for a foreign one: that would look like a deletion. */
export function identifyDocument(document: YamlDocument): Identified {
  if (document.broken) return { kind: "unreadable", problems: [] };
  const fields = document.value;
  if (typeof fields !== "object" || fields === null || Array.isArray(fields)) return { kind: "foreign" };
  const apiVersion = textAt(document, ["apiVersion"]);
  const kind = textAt(document, ["kind"]);
  const repeated = [...document.repeatedKeys([]), ...document.repeatedKeys(["metadata"])].some((key) => IDENTITY_KEYS.has(key));
  if (apiVersion !== API_VERSION) {
    const problem = nearlyOurs(document, Object.keys(fields), apiVersion, kind);
    if (problem !== undefined) return { kind: "unreadable", problems: [problem] };
    return repeated ? { kind: "unreadable", problems: [] } : { kind: "foreign" };
  }
  const known = KINDS.find((candidate) => candidate === kind);
  if (known === undefined) return { kind: "unreadable", problems: [unknownKind(document, kind)] };
  return { kind: "ours", resourceKind: known, id: repeated ? undefined : identityOf(document, known) };
}

/** What stands at `path` as it was written; undefined for anything but a scalar, and for nothing. */
export function textAt(document: YamlDocument, path: YamlPath): string | undefined {
  const value = path.reduce<unknown>(
    (node, key) => (typeof node === "object" && node !== null && Object.hasOwn(node, key) ? Reflect.get(node, key) : undefined),
    document.value,
  );
  return value === null || value === undefined ? undefined : document.sourceText(path);
}

function identityOf(document: YamlDocument, kind: Kind): ResourceId | undefined {
  const name = textAt(document, ["metadata", "name"]);
  if (name === undefined || !isResourceName(name)) return undefined;
  if (kind === "Project") return { kind, zone: "", project: name, name };
  const zone = textAt(document, ["zone"]);
  const project = hasProject(document) ? textAt(document, ["metadata", "project"]) : "default";
  if (zone === undefined || project === undefined || !isResourceName(zone) || !isResourceName(project)) return undefined;
  return { kind, zone, project, name };
}

function hasProject(document: YamlDocument): boolean {
  const metadata: unknown = Reflect.get(document.value as object, "metadata");
  return typeof metadata === "object" && metadata !== null && Object.hasOwn(metadata, "project");
}

function nearlyOurs(
  document: YamlDocument,
  keys: readonly string[],
  apiVersion: string | undefined,
  kind: string | undefined,
): Problem | undefined {
  const looksLikeOurs = kind !== undefined && KINDS.some((candidate) => candidate.toLowerCase() === kind.toLowerCase());
  if (apiVersion !== undefined) {
    if (!isNearApiVersion(apiVersion) && !(looksLikeOurs && keys.includes("zone"))) return undefined;
    const message = `apiVersion must be ${API_VERSION}, found ${JSON.stringify(oneLine(apiVersion, 80))}; correct it, because nothing counts as deleted until then`;
    return { ...document.at(["apiVersion"]), message };
  }
  const misspelt = nearest("apiVersion", keys);
  if (misspelt !== undefined && isNearApiVersion(textAt(document, [misspelt]) ?? "")) {
    return { ...document.atKey([misspelt]), message: `unknown field ${oneLine(misspelt, 80)}; did you mean apiVersion?` };
  }
  if (!looksLikeOurs && !(keys.includes("zone") && keys.includes("metadata"))) return undefined;
  return { ...document.start, message: `missing field apiVersion; add it: apiVersion: ${API_VERSION}` };
}

/** `core/…` is no API group of Kubernetes, whose own core group has no name. */
function isNearApiVersion(text: string): boolean {
  const lower = text.trim().toLowerCase();
  return lower.startsWith("core/") || distance(lower, API_VERSION) <= 2;
}

function unknownKind(document: YamlDocument, kind: string | undefined): Problem {
  if (kind === undefined) {
    return { ...document.start, message: `missing field kind; add it: one of ${listOf(KINDS, "or")}` };
  }
  const message = `kind must be one of ${listOf(KINDS, "or")}, found ${JSON.stringify(oneLine(kind, 80))}${didYouMean(kind, KINDS)}`;
  return { ...document.at(["kind"]), message };
}
