import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export type ForgeKind = "github" | "gitlab" | "gitea";

export interface FakeComment {
  readonly id: number;
  readonly request: number;
  readonly author: string;
  body: string;
}

export interface FakeStatus {
  readonly commit: string;
  readonly state: string;
  readonly context: string;
  readonly description: string;
}

/**
 * A forge's REST API as its published description has it, as far as a daemon may use it: paths, methods, names of fields, pages, headers. Comments
 * and statuses are kept; other calls are answered with 404.
 */
export interface FakeForge extends AsyncDisposable {
  readonly url: string;
  readonly repository: string;
  readonly token: string;
  readonly comments: readonly FakeComment[];
  /** In the order in which they were set. */
  readonly statuses: readonly FakeStatus[];
  /** `METHOD /path`, without the query. */
  readonly calls: readonly string[];
  openRequest(number: number): void;
  closeRequest(number: number): void;
  addComment(request: number, author: string, body: string): void;
  deleteComment(id: number): void;
  /** The next calls get this answer instead. */
  refuse(times: number, status: number, headers?: Readonly<Record<string, string>>, body?: string): void;
}

interface Api {
  readonly root: string;
  readonly states: ReadonlySet<string>;
  authorized(headers: IncomingMessage["headers"]): boolean;
  userOf(login: string): unknown;
  requests: RegExp;
  requestOf(number: number): unknown;
  comments: RegExp;
  comment: { readonly pattern: RegExp; readonly method: string };
  commentOf(comment: FakeComment): unknown;
  statuses: RegExp;
  contextField: string;
  readonly pageParameter: string | undefined;
}

const TOKEN = "token-of-penstock";
const LOGIN = "penstock-bot";

const APIS: Readonly<Record<ForgeKind, Api>> = {
  github: {
    root: "",
    states: new Set(["error", "failure", "pending", "success"]),
    authorized: ({ authorization }) => authorization === `Bearer ${TOKEN}`,
    userOf: (login) => ({ login, id: 1 }),
    requests: /^\/repos\/streams\/jobs\/pulls$/,
    requestOf: (number) => ({ number, state: "open", head: { sha: "a".repeat(40) } }),
    comments: /^\/repos\/streams\/jobs\/issues\/(\d+)\/comments$/,
    comment: { pattern: /^\/repos\/streams\/jobs\/issues\/comments\/(\d+)$/, method: "PATCH" },
    commentOf: ({ id, body, author }) => ({ id, body, user: { login: author } }),
    statuses: /^\/repos\/streams\/jobs\/statuses\/([0-9a-f]{40})$/,
    contextField: "context",
    pageParameter: "per_page",
  },
  gitea: {
    root: "/api/v1",
    states: new Set(["pending", "success", "error", "failure", "warning"]),
    authorized: ({ authorization }) => authorization === `token ${TOKEN}`,
    userOf: (login) => ({ login, id: 1 }),
    requests: /^\/repos\/streams\/jobs\/pulls$/,
    requestOf: (number) => ({ number, state: "open" }),
    comments: /^\/repos\/streams\/jobs\/issues\/(\d+)\/comments$/,
    comment: { pattern: /^\/repos\/streams\/jobs\/issues\/comments\/(\d+)$/, method: "PATCH" },
    commentOf: ({ id, body, author }) => ({ id, body, user: { login: author } }),
    statuses: /^\/repos\/streams\/jobs\/statuses\/([0-9a-f]{40})$/,
    contextField: "context",
    pageParameter: undefined,
  },
  gitlab: {
    root: "/api/v4",
    states: new Set(["pending", "running", "success", "failed", "canceled"]),
    authorized: (headers) => headers["private-token"] === TOKEN,
    userOf: (username) => ({ username, id: 1 }),
    requests: /^\/projects\/streams%2Fjobs\/merge_requests$/,
    requestOf: (iid) => ({ id: 1000 + iid, iid, state: "opened" }),
    comments: /^\/projects\/streams%2Fjobs\/merge_requests\/(\d+)\/notes$/,
    comment: { pattern: /^\/projects\/streams%2Fjobs\/merge_requests\/\d+\/notes\/(\d+)$/, method: "PUT" },
    commentOf: ({ id, body, author }) => ({ id, body, author: { username: author }, system: false }),
    statuses: /^\/projects\/streams%2Fjobs\/statuses\/([0-9a-f]{40})$/,
    contextField: "name",
    pageParameter: "per_page",
  },
};

interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export async function startFakeForge(kind: ForgeKind): Promise<FakeForge> {
  const api = APIS[kind];
  const open = new Set<number>();
  const comments: FakeComment[] = [];
  const statuses: FakeStatus[] = [];
  const calls: string[] = [];
  const refusals: Answer[] = [];
  let lastId = 100;
  const addComment = (request: number, author: string, body: string): FakeComment => {
    const comment = { id: (lastId += 1), request, author, body };
    comments.push(comment);
    return comment;
  };
  const answer = (method: string, url: URL, headers: IncomingMessage["headers"], text: string): Answer => {
    const path = url.pathname.slice(api.root.length);
    const json = (text === "" ? {} : JSON.parse(text)) as Readonly<Record<string, string>>;
    if (!url.pathname.startsWith(api.root) || !api.authorized(headers))
      return { status: 401, body: { message: "Bad credentials" } };
    if (method === "GET" && path === "/user") return { status: 200, body: api.userOf(LOGIN) };
    if (method === "GET" && api.requests.test(path))
      return {
        status: 200,
        body: pageOf(
          [...open].sort((a, b) => b - a).map((number) => api.requestOf(number)),
          url,
          kind === "gitea" ? "limit" : "per_page",
        ),
      };
    const request = api.comments.exec(path)?.[1];
    if (request !== undefined && method === "GET") {
      const found = comments.filter((comment) => comment.request === Number(request)).map((comment) => api.commentOf(comment));
      return { status: 200, body: api.pageParameter === undefined ? found : pageOf(found, url, api.pageParameter) };
    }
    if (request !== undefined && method === "POST")
      return { status: 201, body: api.commentOf(addComment(Number(request), LOGIN, json["body"]!)) };
    const id = api.comment.pattern.exec(path)?.[1];
    if (id !== undefined && method === api.comment.method) {
      const comment = comments.find((one) => one.id === Number(id));
      if (comment === undefined) return { status: 404, body: { message: "Not Found" } };
      if (comment.author !== LOGIN) return { status: 403, body: { message: "Forbidden" } };
      comment.body = json["body"]!;
      return { status: 200, body: api.commentOf(comment) };
    }
    const commit = api.statuses.exec(path)?.[1];
    if (commit === undefined || method !== "POST") return { status: 404, body: { message: "Not Found" } };
    const { state = "", description = "" } = json;
    const context = json[api.contextField] ?? "";
    if (!api.states.has(state) || context === "" || description.length > 140)
      return { status: 422, body: { message: "Validation Failed" } };
    const last = statuses.findLast((one) => one.commit === commit && one.context === context);
    if (kind === "gitlab" && last?.state === state)
      return { status: 400, body: { message: `Cannot transition status via :enqueue from :${state}` } };
    statuses.push({ commit, state, context, description });
    return { status: 201, body: {} };
  };
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const text = await readBody(request);
    const url = new URL(request.url ?? "/", "http://x");
    calls.push(`${request.method ?? ""} ${url.pathname}`);
    send(response, refusals.shift() ?? answer(request.method ?? "", url, request.headers, text));
  };
  const server = createServer((request, response) => void serve(request, response));
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    repository: "streams/jobs",
    token: TOKEN,
    comments,
    statuses,
    calls,
    openRequest: (number) => void open.add(number),
    closeRequest: (number) => void open.delete(number),
    addComment: (request, author, body) => void addComment(request, author, body),
    deleteComment: (id) =>
      void comments.splice(
        comments.findIndex((one) => one.id === id),
        1,
      ),
    refuse(times, status, headers = {}, body = "") {
      for (let count = 0; count < times; count += 1) refusals.push({ status, headers, body });
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

function pageOf(all: readonly unknown[], url: URL, sizeParameter: string): readonly unknown[] {
  const size = Number(url.searchParams.get(sizeParameter) ?? "20");
  const page = Number(url.searchParams.get("page") ?? "1");
  return all.slice((page - 1) * size, page * size);
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

function send(response: ServerResponse, { status, body, headers = {} }: Answer): void {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(text);
}
