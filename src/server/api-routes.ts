import type { JsonSchema } from "../common/schema-problems.ts";
import type { RecordKind } from "../model/status.ts";

/** One path of the read API: what the server serves and what the OpenAPI document says, from one place. */
export interface ApiRoute {
  /** In the manner of OpenAPI: `/api/v1/jobs/{zone}`. */
  readonly path: string;
  readonly operationId: string;
  readonly summary: string;
  readonly serves: Served;
  readonly query: JsonSchema;
}

export type Served =
  | { readonly what: "resources" | "resource"; readonly kind: RecordKind }
  | { readonly what: "clusters" | "cluster" }
  | { readonly what: "events" };

const MAX_LIMIT = 500;
const DEFAULT_LIMIT = 100;

const text: JsonSchema = { type: "string", maxLength: 253 };
const cursor: JsonSchema = { type: "string", maxLength: 2000, description: "The `next` of the page before." };
const limit: JsonSchema = {
  type: "integer",
  minimum: 1,
  maximum: MAX_LIMIT,
  default: DEFAULT_LIMIT,
  description: "How many items a page holds at the most.",
};
const zone: JsonSchema = { ...text, description: "Only those of this zone." };
const project: JsonSchema = { ...text, description: "Only those of this project." };
const after: JsonSchema = {
  type: "string",
  maxLength: 100,
  description: "Only what came after this id. The header Last-Event-ID, which browsers send by themselves, wins.",
};

export const API_ROUTES: readonly ApiRoute[] = [
  ...resourceRoutes("Job", "jobs"),
  ...resourceRoutes("Artifact", "artifacts"),
  ...resourceRoutes("Savepoint", "savepoints"),
  {
    path: "/api/v1/clusters",
    operationId: "listClusters",
    summary: "The Flink clusters of the configuration, as they were last seen.",
    serves: { what: "clusters" },
    query: { zone, limit, cursor },
  },
  {
    path: "/api/v1/clusters/{zone}/{name}",
    operationId: "getCluster",
    summary: "One Flink cluster, as it was last seen.",
    serves: { what: "cluster" },
    query: {},
  },
  {
    path: "/api/v1/events",
    operationId: "listEvents",
    summary:
      "The last transitions of this process, oldest first; with `Accept: text/event-stream` as server-sent events while they happen.",
    serves: { what: "events" },
    query: { after, limit },
  },
];

function resourceRoutes(kind: RecordKind, plural: string): readonly ApiRoute[] {
  return [
    {
      path: `/api/v1/${plural}`,
      operationId: `list${kind}s`,
      summary: `All ${kind}s with their status, by zone, project and name.`,
      serves: { what: "resources", kind },
      query: { zone, project, limit, cursor },
    },
    {
      path: `/api/v1/${plural}/{zone}/{project}/{name}`,
      operationId: `get${kind}`,
      summary: `One ${kind} with its status, as the status branch holds it.`,
      serves: { what: "resource", kind },
      query: {},
    },
  ];
}

/** The names in braces, in their order. */
export function pathParameters(path: string): readonly string[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]!); // the group is in every match
}
