export const API_VERSION = "core/v1alpha1";

export const KINDS = ["Project", "Artifact", "Savepoint", "Job"] as const;
export type Kind = (typeof KINDS)[number];

/** What a resource is called: unique per kind within zone and project. A Project has no zone: there it is "". */
export interface ResourceId {
  readonly kind: Kind;
  readonly zone: string;
  readonly project: string;
  readonly name: string;
}

/** A `ResourceId` as a map key and as the path in the status branch: `zone/project/job/name`. */
export type ResourceKey = string & { readonly __brand: "ResourceKey" };

/** One key per identity. The parts hold no `/` (names are RFC 1123 subdomains), so the key is unambiguous. */
export function resourceKey(id: ResourceId): ResourceKey {
  return [id.zone, id.project, id.kind.toLowerCase(), id.name].join("/") as ResourceKey;
}

/** For people: `default/top-speed-windowing-v1`, as in status commits and on the terminal. */
export function displayName(id: ResourceId): string {
  return `${id.project}/${id.name}`;
}

/** The key of another resource of the same zone and project: how every reference by name is resolved. */
export function siblingKey(id: ResourceId, kind: Kind, name: string): ResourceKey {
  return resourceKey({ kind, zone: id.zone, project: id.project, name });
}

/** The resource that `resourceKey` gives this key. */
export function idOfKey(key: ResourceKey): ResourceId {
  const [zone = "", project = "", kind = "", name = ""] = key.split("/");
  return { kind: KINDS.find((one) => one.toLowerCase() === kind)!, zone, project, name }; // no key has another kind
}
