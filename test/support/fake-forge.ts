import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { APIS, LOGIN, TOKEN, type FakeComment, type FakeStatus } from "./fake-forge-apis.ts";
import { ForgeContract, type ForgeKind } from "./forge-contract.ts";

/**
 * A forge's REST API as its published description has it, as far as a daemon may use it: paths, methods, names of fields, pages, headers. Comments
 * and statuses are kept; other calls are answered with 404. Every request and every answer is held against test/forge/fixtures: what is not as
 * published there fails whoever disposes of it.
 */
export interface FakeForge extends AsyncDisposable {
  readonly url: string;
  readonly contract: ForgeContract;
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
  /** Nobody may comment on it. */
  lockRequest(number: number): void;
  /** It is in no branch of the repository, as the head of a request from a fork. */
  forkCommit(commit: string): void;
  /** The next calls get this answer instead. */
  refuse(times: number, status: number, headers?: Readonly<Record<string, string>>, body?: string): void;
}

export interface FakeForgeOptions {
  /** What a page holds at most; as published when not given. The owner of a Gitea can set it. */
  readonly maxPageSize?: number;
  /** Comments of a Gitea come in pages, as of versions to come. */
  readonly pagedComments?: boolean;
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export async function startFakeForge(kind: ForgeKind, options: FakeForgeOptions = {}): Promise<FakeForge> {
  const api = APIS[kind];
  const contract = new ForgeContract(kind);
  const { root, limits } = contract.description;
  const maxPageSize = options.maxPageSize ?? contract.description.maxPageSize;
  const areCommentsPaged = kind !== "gitea" || options.pagedComments === true;
  const forkCommits = new Set<string>();
  const locked = new Set<number>();
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
    const path = url.pathname.slice(root.length);
    const json = (text === "" ? {} : JSON.parse(text)) as Readonly<Record<string, string>>;
    const paged = (all: readonly unknown[]): Answer => pageOf(all, url, api.sizeParameter, maxPageSize);
    if (!url.pathname.startsWith(root) || !api.authorized(headers)) return { status: 401, body: { message: "Bad credentials" } };
    if (method === "GET" && path === "/user") return { status: 200, body: api.userOf(LOGIN) };
    if (method === "GET" && api.requests.test(path))
      return paged([...open].sort((a, b) => b - a).map((number) => api.requestOf(number)));
    const request = api.comments.exec(path)?.[1];
    if (request !== undefined && method === "GET") {
      const found = comments.filter((comment) => comment.request === Number(request)).map((comment) => api.commentOf(comment));
      return areCommentsPaged ? paged(found) : { status: 200, body: found };
    }
    if ((json["body"]?.length ?? 0) > (limits.body ?? Number.POSITIVE_INFINITY)) return invalid(kind, "body is too long");
    if (request !== undefined && locked.has(Number(request)))
      return { status: 403, body: { message: "Unable to create comment because issue is locked." } };
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
    return setStatus(commit, json);
  };
  const setStatus = (commit: string, json: Readonly<Record<string, string>>): Answer => {
    const { state = "", description = "" } = json;
    const context = json[api.contextField] ?? "";
    if (!api.states.has(state)) return invalid(kind, "state is not included in the list");
    if (description.length > (limits.description ?? Number.POSITIVE_INFINITY)) return invalid(kind, "description is too long");
    if (context.length > (limits.name ?? Number.POSITIVE_INFINITY)) return invalid(kind, "name is too long");
    if (kind === "gitlab" && forkCommits.has(commit))
      return { status: 404, body: { message: "404 References for commit Not Found" } };
    const last = statuses.findLast((one) => one.commit === commit && one.context === context);
    // GitLab looks for one that goes on; beside one that has ended there is a new one.
    if (kind === "gitlab" && (last?.state === "pending" || last?.state === "running") && state === "pending")
      return { status: 400, body: { message: `Cannot transition status via :enqueue from :${last.state}` } };
    const status = { commit, state, context, description };
    statuses.push(status);
    return { status: 201, body: api.statusOf(statuses.length, status) };
  };
  const serve = async (message: IncomingMessage, response: ServerResponse): Promise<void> => {
    const text = await readBody(message);
    const { method = "", url: target = "/", headers } = message;
    const url = new URL(target, "http://x");
    calls.push(`${method} ${url.pathname}`);
    const request = { method, target, headers, body: text };
    contract.checkRequest(request);
    const refusal = refusals.shift();
    const answered = refusal ?? answer(method, url, headers, text);
    if (refusal === undefined) contract.checkAnswer(request, answered.status, answered.body);
    send(response, answered);
  };
  const server = createServer((message, response) => void serve(message, response));
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    contract,
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
    lockRequest: (number) => void locked.add(number),
    forkCommit: (commit) => void forkCommits.add(commit),
    refuse(times, status, headers = {}, body = "") {
      for (let count = 0; count < times; count += 1) refusals.push({ status, headers, body });
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
      if (contract.violations.length > 0) throw new Error(`not as ${kind} has published it:\n${contract.violations.join("\n")}`);
    },
  };
}

/** Where there are more, a link tells; all forges do so, GitHub only where there is more than one page. */
function pageOf(all: readonly unknown[], url: URL, sizeParameter: string, maxSize: number): Answer {
  const size = Math.min(Number(url.searchParams.get(sizeParameter) ?? "20"), maxSize);
  const page = Number(url.searchParams.get("page") ?? "1");
  const linkTo = (to: number, rel: string): string => {
    const link = new URL(url);
    link.searchParams.set("page", String(to));
    return `<${link.href}>; rel="${rel}"`;
  };
  const links = [
    ...(page * size < all.length ? [linkTo(page + 1, "next"), linkTo(Math.ceil(all.length / size), "last")] : []),
    ...(page > 1 ? [linkTo(1, "first"), linkTo(page - 1, "prev")] : []),
  ];
  const headers = links.length === 0 ? undefined : { link: links.join(", ") };
  return { status: 200, body: all.slice((page - 1) * size, page * size), ...(headers === undefined ? {} : { headers }) };
}

function invalid(kind: ForgeKind, because: string): Answer {
  return kind === "gitlab"
    ? { status: 400, body: { message: because } }
    : { status: kind === "gitea" ? 400 : 422, body: { message: because, documentation_url: "https://docs.github.com/rest" } };
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
