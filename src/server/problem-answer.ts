import type { FastifyReply } from "fastify";

const TITLES: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  503: "Service Unavailable",
};

/** Every answer that is none, in the one form of RFC 9457. `detail` is a sentence for people, free of secrets and of foreign markup. */
export function sendProblem(reply: FastifyReply, status: number, detail: string): FastifyReply {
  const title = TITLES[status] ?? "Error";
  return reply
    .code(status)
    .type("application/problem+json")
    .send(JSON.stringify({ type: "about:blank", title, status, detail }));
}
