import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sendDamaged, type CgiAnswer, type GitFault } from "./git-faults.ts";
import { GitAnswerMemo } from "./git-answer-memo.ts";
import { GitRepositories, gitEnvironment } from "./git-repositories.ts";
import type { TestCertificates } from "./test-certificates.ts";

export interface GitServerOptions {
  /** A free one when not given. */
  readonly port?: number;
  /** Where the bare repositories lie; kept on close. A temporary folder when not given, removed on close. */
  readonly root?: string;
  readonly auth?: { readonly username: string; readonly password: string };
  /** As old servers are: version 2 of the protocol is not heard. */
  readonly onlyVersion1?: boolean;
  readonly tls?: TestCertificates & { readonly clientCertificateRequired?: boolean };
}

export type GitService = "git-upload-pack" | "git-receive-pack";

/** Which requests a fault or an action is for; what is not given matches all. */
export interface RequestMatch {
  readonly service?: GitService;
  /** `GET info/refs` or the `POST`. */
  readonly step?: "advertisement" | "call";
  /** Only a `POST` whose body holds this text, as in `command=ls-refs`. */
  readonly body?: string;
  /** Only what was asked for below this path. */
  readonly path?: string;
  /** How many matching requests go by unharmed first, and how many are hit then (all, when not given). */
  readonly skip?: number;
  readonly times?: number;
}

export interface Traffic {
  readonly requests: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

interface Rule {
  readonly match: RequestMatch;
  readonly act: GitFault | (() => Promise<void>);
  seen: number;
}

interface GitRequest {
  readonly path: string;
  readonly query: string;
  readonly service: GitService | undefined;
  readonly step: "advertisement" | "call";
  readonly message: IncomingMessage;
  readonly body: Buffer;
}

const BACKEND = join(execFileSync("git", ["--exec-path"]).toString().trim(), "git-http-backend");

/** A real Git server over HTTP on 127.0.0.1, with switches that make it misbehave. Close it. */
export async function startGitServer(options: GitServerOptions = {}): Promise<GitServer> {
  const root = options.root ?? (await mkdtemp(join(tmpdir(), "penstock-git-")));
  const server = new GitServer(options, root);
  await server.listen();
  return server;
}

export class GitServer extends GitRepositories {
  readonly #options: GitServerOptions;
  readonly #root: string;
  readonly #server: Server;
  readonly #children = new Set<ChildProcess>();
  readonly #traffic = new Map<string, Traffic>();
  readonly #memo = new GitAnswerMemo();
  #rules: Rule[] = [];

  constructor(options: GitServerOptions, root: string) {
    super(root);
    this.#options = options;
    this.#root = root;
    const listener = (message: IncomingMessage, response: ServerResponse) => void this.#handle(message, response);
    const { tls } = options;
    this.#server =
      tls === undefined
        ? createHttpServer(listener)
        : createHttpsServer({ ...tls.server, ca: tls.ca, requestCert: tls.clientCertificateRequired === true }, listener);
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject).listen(this.#options.port ?? 0, "127.0.0.1", resolve);
    });
  }

  /** `http://127.0.0.1:port`. */
  get origin(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `${this.#options.tls === undefined ? "http" : "https"}://127.0.0.1:${port}`;
  }

  urlOf(name: string): string {
    return `${this.origin}/${name}.git`;
  }

  /** From now on matching requests go wrong in this way, until `heal`. Later rules stand back behind earlier ones. */
  fault(fault: GitFault, match: RequestMatch = {}): void {
    this.#rules.push({ match, act: fault, seen: 0 });
  }

  /** Runs `action` before a matching request is served: the moment for somebody else's push. */
  before(match: RequestMatch, action: () => Promise<void>): void {
    this.#rules.push({ match, act: action, seen: 0 });
  }

  heal(): void {
    this.#rules = [];
  }

  /** Since the start or the last `resetTraffic`. */
  traffic(service: GitService): Traffic {
    return this.#traffic.get(service) ?? { requests: 0, bytesIn: 0, bytesOut: 0 };
  }

  resetTraffic(): void {
    this.#traffic.clear();
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    for (const child of this.#children) child.kill("SIGKILL");
    await closed;
    if (this.#options.root === undefined) await rm(this.#root, { recursive: true, force: true, maxRetries: 3 });
  }

  async #handle(message: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on("error", () => {}); // The client may leave at any time, which is what some tests are about.
    try {
      const request = await readRequest(message);
      await this.#answer(request, response);
    } catch (error) {
      if (response.headersSent) return void response.destroy();
      response.writeHead(500, { "content-type": "text/plain" }).end(String(error));
    }
  }

  async #answer(request: GitRequest, response: ServerResponse): Promise<void> {
    if (!this.#isAuthorized(request.message)) {
      response.writeHead(401, { "www-authenticate": 'Basic realm="penstock"', "content-type": "text/html" }).end("<html>Sign in");
      return;
    }
    const fault = await this.#nextFault(request);
    const isDone =
      fault === undefined ||
      !["status", "redirect", "drop", "hang"].includes(fault.kind) ||
      (fault.kind === "hang" && fault.afterDoing);
    const answer = isDone ? await this.#ask(request) : { status: 200, headers: {}, body: Buffer.alloc(0) };
    this.#count(request, answer);
    if (fault !== undefined) return sendDamaged(response, answer, fault);
    response.writeHead(answer.status, answer.headers).end(answer.body);
  }

  #isAuthorized(message: IncomingMessage): boolean {
    const { auth } = this.#options;
    if (auth === undefined) return true;
    const expected = Buffer.from(`${auth.username}:${auth.password}`).toString("base64");
    return message.headers.authorization === `Basic ${expected}`;
  }

  async #nextFault(request: GitRequest): Promise<GitFault | undefined> {
    for (const rule of this.#rules) {
      const { service, step, body, path = "/", skip = 0, times = Infinity } = rule.match;
      if (service !== undefined && service !== request.service) continue;
      if (step !== undefined && step !== request.step) continue;
      if (body !== undefined && !request.body.includes(body)) continue;
      if (!request.message.url!.startsWith(path)) continue;
      rule.seen += 1;
      if (rule.seen <= skip || rule.seen > skip + times) continue;
      if (typeof rule.act === "object") return rule.act;
      await rule.act();
    }
    return undefined;
  }

  #count(request: GitRequest, answer: CgiAnswer): void {
    if (request.service === undefined) return;
    const { requests, bytesIn, bytesOut } = this.traffic(request.service);
    const counted = { requests: requests + 1, bytesIn: bytesIn + request.body.length, bytesOut: bytesOut + answer.body.length };
    this.#traffic.set(request.service, counted);
  }

  async #ask(request: GitRequest): Promise<CgiAnswer> {
    const { path, query, service, step, message, body } = request;
    const isAboutRefs = service === "git-upload-pack" && (step === "advertisement" || body.includes("command=ls-refs"));
    const name = /^\/(.+)\.git\//.exec(path)?.[1];
    if (!isAboutRefs || name === undefined) return this.#runBackend(request);
    const { "git-protocol": protocol, "content-encoding": encoding } = message.headers;
    const question = [message.method, path, query, protocol, encoding, body.toString("latin1")].join("\0");
    return this.#memo.recall(this.folderOf(name), question, () => this.#runBackend(request));
  }

  async #runBackend(request: GitRequest): Promise<CgiAnswer> {
    const { headers, method } = request.message;
    const child = spawn(BACKEND, [], {
      stdio: ["pipe", "pipe", "ignore"],
      env: {
        ...gitEnvironment(),
        GIT_PROJECT_ROOT: this.#root,
        GIT_HTTP_EXPORT_ALL: "1",
        GIT_PROTOCOL: this.#options.onlyVersion1 === true ? "" : String(headers["git-protocol"] ?? ""),
        HTTP_CONTENT_ENCODING: headers["content-encoding"] ?? "",
        REQUEST_METHOD: method ?? "GET",
        PATH_INFO: request.path,
        QUERY_STRING: request.query,
        CONTENT_TYPE: headers["content-type"] ?? "",
        CONTENT_LENGTH: String(request.body.length),
        REMOTE_USER: this.#options.auth?.username ?? "anonymous",
        REMOTE_ADDR: "127.0.0.1",
      },
    });
    this.#children.add(child);
    child.stdin.on("error", () => {}); // The backend may refuse without reading; its answer says so.
    child.stdin.end(request.body);
    const output: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
    await new Promise((resolve, reject) => child.on("error", reject).on("close", resolve));
    this.#children.delete(child);
    return parseCgiAnswer(Buffer.concat(output));
  }
}

/** Paths below `/moved` are those below `/`, so that a redirect has somewhere to go. */
async function readRequest(message: IncomingMessage): Promise<GitRequest> {
  const url = new URL(message.url ?? "/", "http://localhost");
  const path = decodeURIComponent(url.pathname).replace(/^\/moved\//, "/");
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  const service = [url.searchParams.get("service") ?? "", path.split("/").at(-1)!].find(isService);
  const step = message.method === "POST" ? "call" : "advertisement";
  return { path, query: url.search.slice(1), service, step, message, body: Buffer.concat(chunks) };
}

function isService(name: string): name is GitService {
  return name === "git-upload-pack" || name === "git-receive-pack";
}

function parseCgiAnswer(output: Buffer): CgiAnswer {
  const end = output.indexOf("\r\n\r\n");
  if (end < 0) return { status: 500, headers: {}, body: Buffer.from("git http-backend gave no answer") };
  const lines = output.toString("latin1", 0, end).split("\r\n");
  const headers = Object.fromEntries(
    lines.map((line) => [line.split(":")[0]!.toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]),
  );
  const { status = "200", ...rest } = headers;
  return { status: Number.parseInt(status, 10), headers: rest, body: output.subarray(end + 4) };
}
