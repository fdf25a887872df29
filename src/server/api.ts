import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { sha256Hex } from "../common/hash.ts";
import { findCluster, findResource, listClusters, listResources, type ResourceQuery } from "./api-resources.ts";
import { API_ROUTES, pathParameters, type ApiRoute, type Served } from "./api-routes.ts";
import { buildOpenApi } from "./openapi.ts";
import type { DonePass } from "../pass/reconcile.ts";
import type { PassWatch } from "./pass-watch.ts";
import { sendProblem } from "./problem-answer.ts";
import type { TransitionLog } from "./transition-log.ts";
import type { TransitionStreams } from "./transition-stream.ts";

export interface ApiDeps {
  readonly instance: string;
  readonly watch: Pick<PassWatch, "shown">;
  readonly transitions: TransitionLog;
  readonly streams: TransitionStreams;
  /** Answers who may not read. */
  readonly admit: (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply | undefined>;
}

/** `GET /api/v1/…`: what the daemon knows, read only. */
export function addApi(app: FastifyInstance, deps: ApiDeps): void {
  void app.register(async (api) => {
    api.addHook("onRequest", deps.admit);
    let openApi: string | undefined; // few ask for it
    api.get("/api/v1/openapi.json", async (request, reply) => {
      openApi ??= JSON.stringify(buildOpenApi());
      return sendJson(request, reply, openApi);
    });
    for (const route of API_ROUTES) addRoute(api, route, deps);
  });
}

function addRoute(api: FastifyInstance, { path, serves, query }: ApiRoute, deps: ApiDeps): void {
  const params = Object.fromEntries(pathParameters(path).map((name) => [name, { type: "string", maxLength: 253 }]));
  const schema = {
    params: { type: "object", properties: params },
    querystring: { type: "object", additionalProperties: false, properties: query },
  };
  api.get(path.replaceAll(/\{(\w+)\}/g, ":$1"), { schema }, async (request, reply) => {
    if (serves.what === "events") return answerEvents(request, reply, deps);
    const { shown } = deps.watch;
    if (shown === undefined) return sendProblem(reply.header("retry-after", 1), 503, "the first pass is not done yet");
    const found = find(shown, serves, request, deps.instance);
    return found === undefined
      ? sendProblem(reply, 404, "there is none of this name")
      : sendJson(request, reply, JSON.stringify(found));
  });
}

function find(shown: DonePass, serves: Exclude<Served, { what: "events" }>, request: FastifyRequest, instance: string): unknown {
  const query = request.query as ResourceQuery; // fastify has checked it against the route's schema
  const params = request.params as { readonly zone: string; readonly project: string; readonly name: string }; // likewise
  switch (serves.what) {
    case "resources":
      return listResources(shown, serves.kind, query);
    case "resource":
      return findResource(shown, serves.kind, params);
    case "clusters":
      return listClusters(shown, instance, query);
    case "cluster":
      return findCluster(shown, instance, params.zone, params.name);
    default:
      return serves satisfies never;
  }
}

function answerEvents(request: FastifyRequest, reply: FastifyReply, { transitions, streams }: ApiDeps): FastifyReply {
  const { after, limit } = request.query as { readonly after?: string; readonly limit: number }; // likewise
  const lastId = request.headers["last-event-id"];
  const from = typeof lastId === "string" ? lastId : after;
  if (/\btext\/event-stream\b/.test(request.headers.accept ?? "")) {
    if (streams.isFull()) return sendProblem(reply.header("retry-after", 30), 503, "too many readers at once");
    streams.start(reply, from);
    return reply;
  }
  const found = transitions.since(from);
  // Of everything the newest, and after an id the ones that follow it.
  const items = from === undefined || found.gap ? found.transitions.slice(-limit) : found.transitions.slice(0, limit);
  return sendJson(request, reply, JSON.stringify({ items, last: items.at(-1)?.id ?? transitions.lastId, gap: found.gap }));
}

/** Equal answers have equal tags, so that who asks again and again is told in a line that nothing changed. */
function sendJson(request: FastifyRequest, reply: FastifyReply, json: string): FastifyReply {
  const tag = `"${sha256Hex(json).slice(0, 32)}"`;
  void reply.header("etag", tag).header("cache-control", "no-cache");
  const known = new Set((request.headers["if-none-match"] ?? "").split(",").map((one) => one.trim().replace(/^W\//, "")));
  if (known.has(tag) || known.has("*")) return reply.code(304).send();
  return reply.type("application/json; charset=utf-8").send(json);
}
