import helmet from "@fastify/helmet";
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { messageOf } from "../common/errors.ts";
import type { Secret } from "../common/secrets.ts";
import { oneLine } from "../common/text.ts";
import { admit, type ReadTokens } from "./admission.ts";
import { addApi } from "./api.ts";
import { decideHealth, decideReadiness, type LoopLimits } from "./health.ts";
import type { Metrics } from "./metrics.ts";
import type { PassWatch } from "./pass-watch.ts";
import { sendProblem } from "./problem-answer.ts";
import type { ServerDeps } from "./server.ts";
import type { TransitionLog } from "./transition-log.ts";
import type { TransitionStreams } from "./transition-stream.ts";
import { addWebhooks } from "./webhooks.ts";

export interface AppParts extends ServerDeps {
  readonly watch: PassWatch;
  readonly metrics: Metrics;
  readonly transitions: TransitionLog;
  readonly streams: TransitionStreams;
  readonly limits: LoopLimits;
  readonly tokens: ReadTokens;
  /** That webhooks are proven with. */
  readonly secret: (() => Promise<Secret>) | undefined;
}

const MAX_CONNECTIONS = 256;
const MAX_HEADER_BYTES = 16 * 1024;
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;
const KEEP_ALIVE_TIMEOUT_MS = 10_000;
/** Nothing but webhooks has a body. */
const BODY_BYTES = 1024;
/** Names of zones, projects and resources have up to 253 characters. */
const MAX_PARAMETER = 300;

/** All routes, not listening yet. Every answer has the security headers, every failure the same form. */
export async function buildApp(parts: AppParts): Promise<FastifyInstance> {
  const { config, metrics } = parts;
  const app = createApp(parts);
  app.server.maxConnections = MAX_CONNECTIONS;
  app.server.headersTimeout = HEADERS_TIMEOUT_MS;
  await app.register(helmet, {
    contentSecurityPolicy: { useDefaults: false, directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] } },
    strictTransportSecurity: config.server.tls !== undefined,
    referrerPolicy: { policy: "no-referrer" },
  });
  app.addHook("onResponse", async (request, reply) => metrics.answered(request.routeOptions.url ?? "none", reply.statusCode));
  app.setNotFoundHandler(async (_request, reply) => sendProblem(reply, 404, "nothing is served here; see /api/v1/openapi.json"));
  app.setErrorHandler(async (error, request, reply) => answerError(error, request, reply, parts));
  addHealth(app, parts);
  const admitReader = async (request: FastifyRequest, reply: FastifyReply) =>
    admit(request, reply, parts.tokens, config.server.host);
  app.get("/metrics", { onRequest: admitReader }, async (_request, reply) =>
    reply
      .type(metrics.contentType)
      .header("cache-control", "no-store")
      .send(await metrics.format()),
  );
  addApi(app, { ...parts, instance: config.instance, admit: admitReader });
  addWebhooks(app, {
    config,
    secret: parts.secret,
    log: parts.log,
    onDecision: (forge, outcome) => metrics.webhook(forge, outcome),
    wake: parts.onWebhook,
  });
  return app;
}

function createApp({ config }: AppParts): FastifyInstance {
  const { tls } = config.server;
  const limits = { maxHeaderSize: MAX_HEADER_BYTES, connectionsCheckingInterval: 5000 };
  const options = {
    bodyLimit: BODY_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    forceCloseConnections: "idle" as const,
    return503OnClosing: false,
    routerOptions: { maxParamLength: MAX_PARAMETER },
    // It comes from the network, so it is no more than text to the schemas of the routes.
    ajv: { customOptions: { coerceTypes: true, removeAdditional: false } },
  };
  if (tls === undefined) return fastify({ ...options, http: limits });
  return fastify({ ...options, https: { ...limits, cert: tls.cert, key: tls.key.reveal(), minVersion: "TLSv1.2" } });
}

/** Nobody needs a token for these: whoever starts containers asks them, and what they say is no more than how the daemon is. */
function addHealth(app: FastifyInstance, { watch, limits, clock }: AppParts): void {
  app.get("/healthz", async (_request, reply) => {
    const { healthy, reasons } = decideHealth(watch, limits, clock.now());
    const status = healthy ? "ok" : "unhealthy";
    return reply
      .code(healthy ? 200 : 503)
      .header("cache-control", "no-store")
      .send({ status, reasons });
  });
  app.get("/readyz", async (_request, reply) => {
    const { ready, reasons, remarks } = decideReadiness(watch);
    const status = ready ? "ready" : "not-ready";
    return reply
      .code(ready ? 200 : 503)
      .header("cache-control", "no-store")
      .send({ status, reasons, remarks });
  });
}

/** What is the caller's fault is said to him; what is ours is said to the log alone. */
function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply, { log }: AppParts): FastifyReply {
  const status: unknown = error instanceof Error ? Reflect.get(error, "statusCode") : undefined;
  if (typeof status === "number" && status >= 400 && status < 500)
    return sendProblem(reply, status, oneLine(messageOf(error), 300));
  log.error({ err: error, route: request.routeOptions.url }, "request failed on our side");
  return sendProblem(reply, 500, "this failed on our side; the daemon's log says why");
}
