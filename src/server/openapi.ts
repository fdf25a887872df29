import type { JsonSchema } from "../common/schema-problems.ts";
import { VERSION } from "../common/version.ts";
import { statusSchema } from "../model/status-schema.ts";
import { API_ROUTES, pathParameters, type ApiRoute, type Served } from "./api-routes.ts";

const text: JsonSchema = { type: "string" };
const whole: JsonSchema = { type: "integer", minimum: 0 };
const flag: JsonSchema = { type: "boolean" };

const CLUSTER: JsonSchema = {
  type: "object",
  required: ["zone", "name", "url", "reachable"],
  properties: {
    zone: text,
    name: text,
    url: text,
    reachable: flag,
    because: { ...text, description: "Why it cannot be reached." },
    since: { ...text, format: "date-time", description: "Since when it cannot be reached." },
    draining: flag,
    flinkVersion: text,
    incarnation: { ...text, description: "The JobManager process; a new one after each of its restarts." },
    scheduler: text,
    highAvailability: flag,
    inPlaceRescale: flag,
    webSubmit: flag,
    checkpointsDir: text,
    savepointsDir: text,
    slots: { type: "object", required: ["total", "free"], properties: { total: whole, free: whole } },
    jobs: { type: "object", required: ["ours", "others"], properties: { ours: whole, others: whole } },
  },
};

const EVENT: JsonSchema = {
  type: "object",
  required: ["id", "at", "type", "change"],
  properties: {
    id: { ...text, description: "For going on after it." },
    at: { ...text, format: "date-time" },
    type: { type: "string", enum: ["resource", "cluster", "commit"] },
    kind: { type: "string", enum: ["Job", "Artifact", "Savepoint"] },
    zone: text,
    project: text,
    name: text,
    commit: text,
    change: { ...text, description: "What changed, for people: `Pending → Ready, Running`." },
    because: text,
  },
};

const PROBLEM: JsonSchema = {
  type: "object",
  required: ["type", "title", "status", "detail"],
  properties: { type: text, title: text, status: whole, detail: { ...text, description: "What is wrong, and what to do." } },
};

/** The OpenAPI document of the read API, made of the routes that are served. Pure. */
export function buildOpenApi(): unknown {
  return {
    openapi: "3.1.0",
    info: {
      title: "Penstock",
      version: VERSION,
      description:
        "What Penstock knows, for reading. Everything that changes goes through Git. Fields may be added; none is taken away within v1.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/" }],
    security: [{ token: [] }],
    paths: Object.fromEntries(API_ROUTES.map((route) => [route.path, { get: operationOf(route) }])),
    components: {
      securitySchemes: {
        token: { type: "http", scheme: "bearer", description: "One of server.tokensFile; none is asked for without that file." },
      },
      schemas: {
        Job: statusSchema("Job"),
        Artifact: statusSchema("Artifact"),
        Savepoint: statusSchema("Savepoint"),
        Cluster: CLUSTER,
        Event: EVENT,
        Problem: PROBLEM,
      },
    },
  };
}

function operationOf({ path, operationId, summary, serves, query }: ApiRoute): unknown {
  const inPath = pathParameters(path).map((name) => ({ name, in: "path", required: true, schema: text }));
  const inQuery = Object.entries(query).map(([name, schema]) => ({ name, in: "query", required: false, schema }));
  const lastId = { name: "Last-Event-ID", in: "header", required: false, schema: text };
  return {
    operationId,
    summary,
    parameters: [...inPath, ...inQuery, ...(serves.what === "events" ? [lastId] : [])],
    responses: responsesOf(serves, inPath.length > 0),
  };
}

function responsesOf(serves: Served, isOne: boolean): unknown {
  const schema = { $ref: `#/components/schemas/${schemaName(serves)}` };
  const stream = { "text/event-stream": { schema: text } };
  return {
    "200": {
      description: isOne ? "It." : "A page of them.",
      headers: { ETag: { schema: text } },
      content: {
        "application/json": { schema: isOne ? schema : pageOf(schema, serves) },
        ...(serves.what === "events" ? stream : {}),
      },
    },
    "304": { description: "Nothing changed since the answer whose ETag was sent along as If-None-Match." },
    "400": problem("A parameter is wrong."),
    "401": problem("The token is missing or wrong."),
    ...(isOne ? { "404": problem("There is none of this name.") } : {}),
    "503": problem("The first pass is not done yet, or there are too many readers; ask again."),
  };
}

function pageOf(items: JsonSchema, { what }: Served): JsonSchema {
  const more = { next: { ...text, description: "The `cursor` for the next page; not there on the last one." } };
  const events = {
    last: { ...text, description: "The id of the last one here: the `after` for the next question." },
    gap: { ...flag, description: "Something between `after` and the first one here was dropped: list the resources again." },
  };
  const isEvents = what === "events";
  return {
    type: "object",
    required: ["items", ...(isEvents ? ["last", "gap"] : [])],
    properties: { items: { type: "array", items }, ...(isEvents ? events : more) },
  };
}

function problem(description: string): unknown {
  return { description, content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } } };
}

function schemaName(serves: Served): string {
  switch (serves.what) {
    case "resources":
    case "resource":
      return serves.kind;
    case "clusters":
    case "cluster":
      return "Cluster";
    case "events":
      return "Event";
    default:
      return serves satisfies never;
  }
}
