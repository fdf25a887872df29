import type { FastifyReply, FastifyRequest } from "fastify";
import { isLoopback } from "../common/remote-url.ts";
import type { Secret } from "../common/secrets.ts";
import { bearerOf, isOneOf } from "./compare-secrets.ts";
import { sendProblem } from "./problem-answer.ts";

/** Undefined: whoever can connect may read; the configuration allows that on a loopback address alone. */
export type ReadTokens = (() => Promise<readonly Secret[]>) | undefined;

/** Lets a request for the API or the metrics pass, or answers it. */
export async function admit(
  request: FastifyRequest,
  reply: FastifyReply,
  tokens: ReadTokens,
  host: string,
): Promise<FastifyReply | undefined> {
  if (tokens === undefined) return isMeantForUs(request.hostname, host) ? undefined : refuseForeignName(reply);
  const given = bearerOf(request.headers.authorization);
  if (given !== undefined && isOneOf(given, await tokens())) return undefined;
  void reply.header("www-authenticate", 'Bearer realm="penstock"');
  return sendProblem(reply, 401, "this needs a bearer token: Authorization: Bearer …, with one of those in server.tokensFile");
}

/**
 * A page of somebody else, opened in a browser on this machine, may have its own name lead here (DNS rebinding) and read what only this
 * machine may. It cannot choose the Host header, though.
 */
function isMeantForUs(hostname: string, host: string): boolean {
  return isLoopback(hostname) || hostname === "::1" || hostname === host;
}

function refuseForeignName(reply: FastifyReply): FastifyReply {
  return sendProblem(reply, 403, "without tokens this answers only under the names of this machine, such as localhost");
}
