import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Log } from "../common/log.ts";
import type { Secret } from "../common/secrets.ts";
import type { Config } from "../config/config.ts";
import { sendProblem } from "./problem-answer.ts";
import { decideWebhook, type WebhookDecision } from "./webhook-event.ts";
import { findProof, FORGES, type Forge, isProven, PROOF_HEADERS } from "./webhook-signature.ts";

export interface WebhookDeps {
  readonly config: Pick<Config, "repository" | "status">;
  /** Undefined: none is configured. */
  readonly secret: (() => Promise<Secret>) | undefined;
  readonly log: Log;
  readonly onDecision: (forge: Forge, outcome: WebhookOutcome) => void;
  /** Asks Git; returns at once. */
  readonly wake: (about: "branch" | "requests") => void;
}

export type WebhookOutcome = WebhookDecision["kind"] | "unproven";

/** Pushes of thousands of commits are larger, and then the poll finds them. */
const MAX_BODY_BYTES = 3 * 1024 ** 2;
/** Bodies lie in memory before anybody knows whether their sender may send any. */
const BODIES_AT_ONCE = 8;

/**
 * `POST /webhook/<forge>`: 202 at once, whatever comes of it. Who brings no proof is sent away before the body is read, who brings a
 * wrong one after it. Errors of a sender are answered without a word of what would have been right.
 */
export function addWebhooks(app: FastifyInstance, deps: WebhookDeps): void {
  let bodies = 0;
  void app.register(async (webhooks) => {
    webhooks.removeAllContentTypeParsers();
    webhooks.addContentTypeParser("*", { parseAs: "buffer", bodyLimit: MAX_BODY_BYTES }, (_request, body, done) => {
      done(null, body);
    });
    webhooks.addHook("onRequest", async (request, reply) => {
      const forge = forgeOf(request);
      if (deps.secret === undefined)
        return sendProblem(reply, 403, "no webhook is taken: the configuration names no server.webhookSecretFile");
      if (findProof(forge, request.headers) === undefined) return refuse(reply, forge, deps);
      if (bodies >= BODIES_AT_ONCE) return sendProblem(reply.header("retry-after", 5), 503, "too many webhooks at once");
      bodies += 1;
      reply.raw.once("close", () => (bodies -= 1));
      return undefined;
    });
    for (const forge of FORGES) webhooks.post(`/webhook/${forge}`, async (request, reply) => answer(forge, request, reply, deps));
  });
}

async function answer(forge: Forge, request: FastifyRequest, reply: FastifyReply, deps: WebhookDeps): Promise<FastifyReply> {
  const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
  const { headers } = request;
  const proof = findProof(forge, headers);
  const secret = await deps.secret?.();
  if (proof === undefined || secret === undefined || !isProven(proof, body, secret)) return refuse(reply, forge, deps);
  const decision = decideWebhook({ forge, headers, body }, deps.config);
  deps.onDecision(forge, decision.kind);
  deps.log.debug({ forge, outcome: decision.kind, because: decision.because }, "webhook received");
  if (decision.kind === "unreadable") return sendProblem(reply, 400, decision.because);
  if (decision.kind === "wake") deps.wake(decision.about);
  return reply.code(202).send({ outcome: decision.kind === "wake" ? "woken" : "ignored", because: decision.because });
}

function refuse(reply: FastifyReply, forge: Forge, deps: WebhookDeps): FastifyReply {
  deps.onDecision(forge, "unproven");
  deps.log.debug({ forge }, "webhook without a valid proof of its sender");
  return sendProblem(reply, 401, `${PROOF_HEADERS[forge]} is missing, or not made with the secret that is configured here`);
}

function forgeOf(request: FastifyRequest): Forge {
  const forge = FORGES.find((one) => request.routeOptions.url === `/webhook/${one}`);
  if (forge === undefined) throw new Error(`no webhook is served at ${request.routeOptions.url}`);
  return forge;
}
