import { request, type Dispatcher } from "undici";
import type { GitHttpRequest, GitHttpResponse, HttpClient } from "isomorphic-git";
import type { Clock } from "../common/clock.ts";
import { isPenstockError } from "../common/errors.ts";
import { AnswerTooLargeError, createDispatcher, readAtMost, type ProxySettings } from "../common/http.ts";
import { type CallOutcome, type GitOperation, type Observer, UNOBSERVED } from "../common/observer.ts";
import { publicUrl, type Secret } from "../common/secrets.ts";
import { oneLine } from "../common/text.ts";
import { formatDuration, formatSize } from "../common/units.ts";
import { checkAnswer, withHead, withoutRefs, type AnswerKind } from "./answer-checks.ts";
import {
  GitAuthError,
  GitProtocolError,
  GitRateLimitedError,
  GitRepositoryNotFoundError,
  GitTooLargeError,
  GitUnreachableError,
} from "./errors.ts";

/** The part of the repository's configuration that says how to reach it. */
export interface GitTransportSettings {
  readonly url: URL;
  /** The longest silence; a whole operation may take ten times as long. */
  readonly timeoutMs: number;
  readonly credentials?: { readonly username: string; readonly password: Secret };
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: Secret };
  readonly proxy?: ProxySettings;
  readonly maxPackBytes: number;
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** Where the answer came from in the end. */
  readonly url: URL;
}

/** What the server can do, as it said in one of its protocol's versions. */
interface Capabilities {
  readonly body: Buffer;
  readonly readAtMs: number;
}

type Version = "version-1" | "version-2";

const OPERATIONS: Readonly<Record<AnswerKind, GitOperation>> = {
  advertisement: "advertisement",
  refs: "list-refs",
  pack: "fetch",
  report: "push",
};
const LOST_CODES: ReadonlySet<unknown> = new Set(["ECONNRESET", "EPIPE", "UND_ERR_SOCKET"]);
const TOTAL_FACTOR = 10;
const MAX_REDIRECTS = 5;
const MAX_REFS_BYTES = 64 * 1024 ** 2;
const MAX_REPORT_BYTES = 1024 ** 2;
const MAX_DETAIL_BYTES = 4096;
const CAPABILITIES_FRESH_MS = 600_000;
const DEFAULT_RETRY_AFTER_MS = 60_000;
/** However long it wants to be left alone: by then a limit is over, and a mistake of a proxy has cost a quarter of an hour and not a day. */
const MAX_RETRY_AFTER_MS = 900_000;

/**
 * Git's smart HTTP over undici: every answer is whole, checked and within its limits, or an error of ours that holds no secret. When the
 * server wants fewer requests, none is sent before the time that it names: those fail at once. Keeps connections; close it.
 */
export class GitTransport {
  /** For people: without anything that could be secret. */
  readonly publicUrl: string;
  /** As isomorphic-git wants it: without a trailing slash. */
  readonly url: string;
  readonly #settings: GitTransportSettings;
  readonly #clock: Clock;
  readonly #observer: Pick<Observer, "gitCalled">;
  readonly #dispatcher: Dispatcher;
  readonly #authorization: string | undefined;
  /** They hardly ever change: asking for them each time would double each poll and each fetch. */
  readonly #capabilities = new Map<Version, Capabilities>();
  /** Where calls go: the configured URL, or where an advertisement was redirected to. */
  #base: string;
  /** The server wants no requests before this time. */
  #paused: { readonly untilMs: number; readonly error: GitRateLimitedError } | undefined;

  constructor(settings: GitTransportSettings, clock: Clock, observer: Pick<Observer, "gitCalled"> = UNOBSERVED) {
    this.#settings = settings;
    this.#clock = clock;
    this.#observer = observer;
    this.url = settings.url.href.replace(/\/+$/, "");
    this.publicUrl = publicUrl(this.url);
    this.#base = this.url;
    this.#dispatcher = createDispatcher({
      tls: settings.tls,
      ...(settings.proxy === undefined ? {} : { proxy: settings.proxy }),
      connectTimeoutMs: Math.min(10_000, settings.timeoutMs),
    });
    const { credentials } = settings;
    const pair = credentials === undefined ? undefined : `${credentials.username}:${credentials.password.reveal()}`;
    this.#authorization = pair === undefined ? undefined : `Basic ${Buffer.from(pair).toString("base64")}`;
  }

  get maxPackBytes(): number {
    return this.#settings.maxPackBytes;
  }

  async close(): Promise<void> {
    await this.#dispatcher.destroy();
  }

  /** A client for one operation, which ends when `signal` is aborted or the total time is over. Use a new one for each. */
  client(signal: AbortSignal): HttpClient {
    const totalMs = this.#settings.timeoutMs * TOTAL_FACTOR;
    const operation = new Operation(signal, totalMs);
    return { request: (wanted) => this.#serve(wanted, operation) };
  }

  /**
   * The same for fetching a commit by its id. That is done in protocol version 1, which lists all refs before each fetch; here none of
   * them is of interest, only what the server can do, and that is remembered.
   */
  clientForFetch(signal: AbortSignal): HttpClient {
    const operation = new Operation(signal, this.#settings.timeoutMs * TOTAL_FACTOR, { needsRefs: false });
    return { request: (wanted) => this.#serve(wanted, operation) };
  }

  async #serve(wanted: GitHttpRequest, operation: Operation): Promise<GitHttpResponse> {
    const body = wanted.body === undefined ? undefined : Buffer.concat(await collect(wanted.body));
    const kind = kindOf(wanted, body);
    const answer =
      kind === "advertisement"
        ? await this.#readAdvertisement(wanted, operation)
        : await this.#call(wanted, kind, body!, operation);
    return {
      url: answer.url.href,
      method: wanted.method ?? "GET",
      statusCode: answer.status,
      statusMessage: "",
      headers: { ...answer.headers },
      body: [answer.body] as unknown as AsyncIterableIterator<Uint8Array>, // the library takes any iterable
    };
  }

  async #readAdvertisement(wanted: GitHttpRequest, operation: Operation): Promise<Answer> {
    const isUpload = wanted.url.endsWith("service=git-upload-pack");
    const version: Version = wanted.headers?.["Git-Protocol"] === "version=2" ? "version-2" : "version-1";
    const namesRefs = version === "version-1" && operation.needsRefs;
    const known = isUpload && !namesRefs ? this.#capabilities.get(version) : undefined;
    if (known !== undefined && this.#clock.now() - known.readAtMs < CAPABILITIES_FRESH_MS) {
      const headers = { "content-type": "application/x-git-upload-pack-advertisement" };
      return { status: 200, headers, body: known.body, url: new URL(wanted.url) };
    }
    const answer = await this.#exchange(wanted, "advertisement", undefined, operation);
    const suffix = answer.url.href.indexOf("/info/refs?");
    if (suffix < 0) throw new GitProtocolError(this.publicUrl, `it redirects to ${publicUrl(answer.url)}`);
    this.#base = answer.url.href.slice(0, suffix);
    const body = version === "version-1" ? withHead(answer.body) : answer.body;
    if (isUpload) this.#keepCapabilities(version, body);
    return { ...answer, body };
  }

  /** A server that knows only version 1 answers so whatever it was asked; one without any ref may have told nothing of what it can do. */
  #keepCapabilities(asked: Version, body: Buffer): void {
    const isVersion2 = body.includes("version 2");
    const kept = isVersion2 ? body : withoutRefs(body);
    if (kept === undefined || isVersion2 !== (asked === "version-2")) return;
    this.#capabilities.set(asked, { body: kept, readAtMs: this.#clock.now() });
  }

  async #call(wanted: GitHttpRequest, kind: AnswerKind, body: Buffer, operation: Operation): Promise<Answer> {
    const url = this.#base + wanted.url.slice(wanted.url.lastIndexOf("/"));
    try {
      return await this.#exchange({ ...wanted, url }, kind, body, operation);
    } catch (error) {
      // What was learnt about the server may no longer be so.
      this.#capabilities.clear();
      this.#base = this.url;
      throw error;
    }
  }

  async #exchange(wanted: GitHttpRequest, kind: AnswerKind, body: Buffer | undefined, operation: Operation): Promise<Answer> {
    if (this.#paused !== undefined && this.#clock.now() < this.#paused.untilMs) throw this.#paused.error; // nothing is sent
    const startMs = this.#clock.now();
    const tell = (outcome: CallOutcome): void => this.#observer.gitCalled(OPERATIONS[kind], outcome, this.#clock.now() - startMs);
    try {
      const answer = await this.#follow(wanted, kind, body, operation);
      tell("ok");
      return answer;
    } catch (error) {
      tell(operation.caller.aborted ? "aborted" : outcomeOf(error));
      if (error instanceof GitRateLimitedError) this.#paused = { untilMs: this.#clock.now() + error.data.retryAfterMs, error };
      throw error;
    }
  }

  /** One request with its redirects; the body of the answer is read, checked, or drained. */
  async #follow(wanted: GitHttpRequest, kind: AnswerKind, body: Buffer | undefined, operation: Operation): Promise<Answer> {
    let url = new URL(wanted.url);
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects += 1) {
      const answer = await this.#sendAgain(url, wanted, kind, body, operation);
      if (answer.status < 300 || answer.status > 399) {
        this.#checkStatus(answer);
        await checkAnswer(kind, answer.body, this.publicUrl, { maxObjectBytes: this.#settings.maxPackBytes });
        return answer;
      }
      url = this.#redirected(answer, body !== undefined);
    }
    throw new GitProtocolError(this.publicUrl, "it redirects in circles");
  }

  /** Questions are repeated once when the connection turns out to be gone; a push is not, whoever sends it looks first. */
  async #sendAgain(url: URL, wanted: GitHttpRequest, kind: AnswerKind, body: Buffer | undefined, operation: Operation) {
    try {
      return await this.#send(url, wanted, kind, body, operation);
    } catch (error) {
      const isStale = error instanceof GitUnreachableError && error.data.connectionLost;
      if (kind === "report" || !isStale) throw error;
      return this.#send(url, wanted, kind, body, operation);
    }
  }

  async #send(
    url: URL,
    wanted: GitHttpRequest,
    kind: AnswerKind,
    body: Buffer | undefined,
    operation: Operation,
  ): Promise<Answer> {
    const { timeoutMs } = this.#settings;
    try {
      operation.signal.throwIfAborted();
      const response = await request(url, {
        method: body === undefined ? "GET" : "POST",
        headers: {
          ...wanted.headers,
          "user-agent": "git/penstock",
          "accept-encoding": "identity",
          ...this.#authorizationFor(url),
        },
        body: body ?? null,
        dispatcher: this.#dispatcher,
        headersTimeout: timeoutMs,
        bodyTimeout: timeoutMs,
        signal: operation.signal,
      });
      const isGood = response.statusCode === 200;
      const content = await (isGood ? readAtMost(response.body, this.#maxBytesOf(kind)) : readStart(response.body));
      return { status: response.statusCode, headers: flatten(response.headers), body: content, url };
    } catch (error) {
      throw this.#explain(error, kind, operation);
    }
  }

  #authorizationFor(url: URL): Readonly<Record<string, string>> {
    const isOurs = this.#authorization !== undefined && url.origin === this.#settings.url.origin;
    return isOurs ? { authorization: this.#authorization } : {};
  }

  #maxBytesOf(kind: AnswerKind): number {
    if (kind === "report") return MAX_REPORT_BYTES;
    return kind === "pack" ? this.#settings.maxPackBytes : MAX_REFS_BYTES;
  }

  #redirected(answer: Answer, isPost: boolean): URL {
    const location = URL.parse(answer.headers["location"] ?? "", answer.url.href);
    if (location === null) throw new GitProtocolError(this.publicUrl, `status ${answer.status} without a readable location`);
    // Elsewhere the credentials would be somebody else's, and a POST after 301 or 302 is a GET to most servers.
    const canFollow =
      location.origin === this.#settings.url.origin && (!isPost || answer.status === 307 || answer.status === 308);
    if (canFollow) return location;
    const target = publicUrl(location).replace(/\/(?:info\/refs|git-upload-pack|git-receive-pack)$/, "");
    throw new GitProtocolError(this.publicUrl, `it redirects to ${target}; if that is right, make it repository.url`);
  }

  #checkStatus(answer: Answer): void {
    const { status, headers } = answer;
    if (status === 200) return;
    const retryAfterMs = this.#retryAfterMs(headers);
    if (status === 429 || (retryAfterMs !== undefined && (status === 403 || status === 503))) {
      const pauseMs = Math.min(retryAfterMs ?? DEFAULT_RETRY_AFTER_MS, MAX_RETRY_AFTER_MS);
      throw new GitRateLimitedError(this.publicUrl, status, pauseMs);
    }
    const detail = this.#detailOf(answer);
    // Azure DevOps shows its page to sign in with 203.
    if (status === 401 || status === 203) throw new GitAuthError(this.publicUrl, 401, detail);
    if (status === 403) throw new GitAuthError(this.publicUrl, 403, detail);
    if (status === 404 || status === 410) throw new GitRepositoryNotFoundError(this.publicUrl);
    const text = `status ${status}${detail === "" ? "" : `: ${detail}`}`;
    if (status >= 500 || status === 408) throw new GitUnreachableError(this.publicUrl, text);
    throw new GitProtocolError(this.publicUrl, text);
  }

  /** What the server says in plain text; never a web page, and never our own secret should it be echoed. */
  #detailOf(answer: Answer): string {
    if (!(answer.headers["content-type"] ?? "").startsWith("text/plain")) return "";
    const secrets = [this.#authorization?.slice("Basic ".length), this.#settings.credentials?.password.reveal()];
    const text = answer.body.toString("utf8");
    const hidden = secrets
      .filter((secret) => secret !== undefined && secret !== "")
      .reduce<string>((t, s) => t.replaceAll(s!, "[secret]"), text);
    return oneLine(hidden, 200);
  }

  /** `Retry-After` is a number of seconds or a date; a date is the server's, so it is held against the server's own time where it tells it. */
  #retryAfterMs({ "retry-after": value, date: told = "" }: Readonly<Record<string, string>>): number | undefined {
    if (value === undefined) return undefined;
    if (/^\d+$/.test(value)) return Number(value) * 1000;
    const [date, serverNow] = [Date.parse(value), Date.parse(told)];
    if (Number.isNaN(date)) return undefined;
    return Math.max(0, date - (Number.isNaN(serverNow) ? this.#clock.now() : serverNow));
  }

  /** The error to throw for whatever went wrong below us. */
  #explain(error: unknown, kind: AnswerKind, operation: Operation): unknown {
    if (operation.caller.aborted) return operation.caller.reason;
    if (isPenstockError(error) && !(error instanceof AnswerTooLargeError)) return error;
    if (error instanceof AnswerTooLargeError) {
      const limit = formatSize(error.data.maxBytes);
      const what =
        kind === "pack" ? `what is new weighs more than ${limit} (repository.maxPackSize)` : `an answer of more than ${limit}`;
      return new GitTooLargeError(this.publicUrl, what, { cause: error });
    }
    const because = operation.signal.aborted
      ? `not done after ${formatDuration(this.#settings.timeoutMs * TOTAL_FACTOR)}`
      : reasonOf(error, this.#settings.timeoutMs);
    const connectionLost = !operation.signal.aborted && LOST_CODES.has(codeOf(error));
    return new GitUnreachableError(this.publicUrl, because, { cause: error, connectionLost });
  }
}

/** What the requests of one operation share. */
class Operation {
  readonly caller: AbortSignal;
  readonly signal: AbortSignal;
  /** Whether an advertisement is asked for its refs, or only for what the server can do. */
  readonly needsRefs: boolean;

  constructor(caller: AbortSignal, totalMs: number, { needsRefs } = { needsRefs: true }) {
    this.caller = caller;
    this.needsRefs = needsRefs;
    this.signal = AbortSignal.any([caller, AbortSignal.timeout(totalMs)]);
  }
}

function outcomeOf(error: unknown): CallOutcome {
  if (error instanceof GitUnreachableError) return "unreachable";
  const isAnswer =
    error instanceof GitAuthError || error instanceof GitRateLimitedError || error instanceof GitRepositoryNotFoundError;
  return isAnswer ? "refused" : "strange";
}

function kindOf(wanted: GitHttpRequest, body: Buffer | undefined): AnswerKind {
  if (body === undefined) return "advertisement";
  if (wanted.url.endsWith("/git-receive-pack")) return "report";
  return body.toString("latin1", 4, 19) === "command=ls-refs" ? "refs" : "pack";
}

async function collect(body: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<readonly Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return chunks;
}

/** Enough of an error's body to see what it is about; the rest is not waited for. */
async function readStart(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    size += chunk.byteLength;
    if (size >= MAX_DETAIL_BYTES) break;
  }
  return Buffer.concat(chunks).subarray(0, MAX_DETAIL_BYTES);
}

function flatten(headers: Readonly<Record<string, string | string[] | undefined>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(", ") : (value ?? "")]),
  );
}

/** One sentence for what undici, TLS or the system reports. Codes only where they exist: messages of theirs may change. */
function reasonOf(error: unknown, timeoutMs: number): string {
  if (!(error instanceof Error)) return String(error);
  const code = codeOf(error);
  switch (code) {
    case "UND_ERR_CONNECT_TIMEOUT":
      return "no connection in time";
    case "UND_ERR_HEADERS_TIMEOUT":
    case "UND_ERR_BODY_TIMEOUT":
      return `silence for ${formatDuration(timeoutMs)}`;
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
    case "SELF_SIGNED_CERT_IN_CHAIN":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
      return `its certificate is signed by nobody we know (${code}); name the authority's file in repository.tls.caFile`;
    default:
      return typeof code === "string" && !error.message.includes(code) ? `${error.message} (${code})` : error.message;
  }
}

function codeOf(error: unknown): unknown {
  const cause: unknown = error instanceof AggregateError ? error.errors[0] : error;
  return cause instanceof Error ? Reflect.get(cause, "code") : undefined;
}
