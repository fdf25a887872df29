import { type Dispatcher, request } from "undici";
import type { Clock } from "../common/clock.ts";
import { isAbort, messageOf } from "../common/errors.ts";
import { AnswerTooLargeError, createDispatcher, type ProxySettings, readAtMost } from "../common/http.ts";
import type { CallOutcome, FlinkObserver } from "../common/observer.ts";
import { Redactor } from "../common/redactor.ts";
import { publicUrl, type Secret } from "../common/secrets.ts";
import { formatTime } from "../common/clock.ts";
import { oneLine } from "../common/text.ts";
import { formatDuration, formatSize } from "../common/units.ts";
import { type FlinkWrite, type FlinkWriteWithId, WRITING_CALLS } from "../common/writing-calls.ts";
import type { ClusterConfig } from "../config/config.ts";
import type { CircuitBreaker } from "./circuit-breaker.ts";
import { FlinkAnswerError, FlinkUnreachableError, type Outcome } from "./errors.ts";
import { JarFileError, type MultipartUpload } from "./multipart.ts";
import { decodeErrors } from "./responses.ts";

export type TransportSettings = Pick<ClusterConfig, "name" | "url"> &
  Partial<Pick<ClusterConfig, "headers" | "basic" | "bearer" | "tls">> & { readonly proxy?: ProxySettings };

/** A question, or a writing call by its name, which says method and path: nothing else that changes something can be sent. */
export type Target =
  | {
      readonly method: "GET";
      /** From the cluster's url on, with the query. */
      readonly path: string;
    }
  | { readonly write: FlinkWriteWithId; readonly id: string }
  | { readonly write: Exclude<FlinkWrite, FlinkWriteWithId> };

export type Call = Target & CallTerms;

export interface CallTerms {
  readonly timeoutMs: number;
  readonly maxBytes: number;
  readonly json?: unknown;
  readonly upload?: MultipartUpload;
  /** Running out of time tells nothing about the cluster: what takes long may be the user's main(). */
  readonly slow?: boolean;
}

/** JSON from Flink itself: 2xx, or its own error with the texts in `errors`. */
export interface Answer {
  readonly status: number;
  readonly value: unknown;
  readonly errors: readonly string[];
}

export interface TransportDeps {
  readonly breaker: CircuitBreaker;
  readonly clock: Clock;
  readonly observer: FlinkObserver;
  /** For all that Flink answers. */
  readonly redactor?: Redactor;
}

/** Speaks HTTP with one cluster: one request, one checked answer. Knows nothing of what the calls mean; decides nothing. */
export class FlinkTransport {
  readonly #settings: TransportSettings;
  readonly #dispatcher: Dispatcher;
  readonly #breaker: CircuitBreaker;
  readonly #clock: Clock;
  readonly #observer: FlinkObserver;
  readonly #redactor: Redactor;

  constructor(settings: TransportSettings, connectTimeoutMs: number, deps: TransportDeps) {
    this.#settings = settings;
    this.#breaker = deps.breaker;
    this.#clock = deps.clock;
    this.#observer = deps.observer;
    this.#redactor = deps.redactor ?? new Redactor();
    this.#dispatcher = createDispatcher({
      connectTimeoutMs,
      ...(settings.tls === undefined ? {} : { tls: settings.tls }),
      ...(settings.proxy === undefined ? {} : { proxy: settings.proxy }),
    });
  }

  /** Ends all connections; calls under way fail. */
  async close(): Promise<void> {
    await this.#dispatcher.destroy();
  }

  /** A GET whose connection broke is asked once more: a kept-alive connection may have been dead all along. Nothing else is ever repeated. */
  async call(call: Call, signal: AbortSignal): Promise<Answer> {
    signal.throwIfAborted();
    const admission = this.#breaker.enter();
    if (admission.kind === "refused") {
      this.#observer.called(endpointOf(call), "not-tried", 0);
      throw this.#unreachable(call, "not-sent", `not tried until ${formatTime(admission.untilMs)}: ${admission.because}`);
    }
    const startMs = this.#clock.now();
    const tell = (outcome: CallOutcome): void => this.#observer.called(endpointOf(call), outcome, this.#clock.now() - startMs);
    try {
      const answer = await this.#exchange(call, signal).catch((error: unknown) => {
        if (!("write" in call) && !signal.aborted && isConnectionLost(error)) return this.#exchange(call, signal);
        throw error;
      });
      this.#breaker.succeeded();
      tell(answer.status < 300 ? "ok" : "refused");
      return answer;
    } catch (error) {
      const settled = this.#settle(call, error, signal);
      tell(outcomeOf(settled));
      throw settled;
    }
  }

  async #exchange(call: Call, signal: AbortSignal): Promise<Answer> {
    const limit = AbortSignal.timeout(call.timeoutMs);
    const { method, path } = requestLineOf(call);
    try {
      const response = await request(this.#urlOf(path), {
        method,
        headers: this.#headersFor(call),
        body: call.upload?.body ?? (call.json === undefined ? null : JSON.stringify(call.json)),
        dispatcher: this.#dispatcher,
        signal: AbortSignal.any([signal, limit]),
        // The limit above is for the whole call, answer included.
        headersTimeout: 0,
        bodyTimeout: 0,
      });
      const body = await readAtMost(response.body, call.maxBytes);
      return this.#checked(call, response.statusCode, response.headers, body);
    } catch (error) {
      if (!limit.aborted || signal.aborted) throw error;
      throw new TimeLimitError(`no answer within ${formatDuration(call.timeoutMs)}`, { cause: error });
    }
  }

  #checked(call: Call, status: number, headers: Readonly<Record<string, string | string[] | undefined>>, body: Buffer): Answer {
    if (status >= 300 && status < 400) {
      const target = oneLine(publicUrl(String(headers["location"] ?? "")), 200);
      throw this.#strange(call, status, `it redirects to ${target}; write the url that answers by itself`);
    }
    if (status === 401 || status === 407) throw this.#strange(call, status, "credentials are missing or wrong");
    const value = this.#redactor.redactJson(parseJson(body));
    if (status >= 200 && status < 300) {
      if (value === undefined) throw this.#strange(call, status, `it is no JSON: ${this.#redactor.redact(excerpt(body))}`);
      return { status, value, errors: [] };
    }
    const errors = decodeErrors(value);
    if (errors === undefined) throw this.#strange(call, status, this.#redactor.redact(excerpt(body)));
    return { status, value, errors };
  }

  /** Tells the breaker how the call went and turns whatever was thrown into an error of ours. */
  #settle(call: Call, error: unknown, signal: AbortSignal): unknown {
    if (isAbort(error, signal) || signal.aborted || error instanceof JarFileError) return error;
    if (error instanceof FlinkAnswerError) {
      this.#breaker.succeeded(); // it is strange, but it is there
      return error;
    }
    if (error instanceof AnswerTooLargeError) {
      this.#breaker.succeeded();
      return this.#strange(call, 200, `it is larger than ${formatSize(call.maxBytes)}`, { cause: error });
    }
    const because = describe(error);
    if (!(error instanceof TimeLimitError && call.slow === true)) this.#breaker.failed(because);
    return this.#unreachable(call, isNotSent(error) ? "not-sent" : "unknown", because, { cause: error });
  }

  #urlOf(path: string): URL {
    const url = new URL(this.#settings.url);
    const [pathname = "", query = ""] = path.split("?");
    url.pathname = url.pathname.replace(/\/+$/, "") + pathname;
    url.search = query;
    url.hash = "";
    url.username = "";
    url.password = "";
    return url;
  }

  #headersFor(call: Call): Record<string, string> {
    const { headers = new Map<string, Secret>(), basic, bearer } = this.#settings;
    const result: Record<string, string> = { accept: "application/json" };
    if (basic !== undefined) {
      result["authorization"] = `Basic ${Buffer.from(`${basic.username}:${basic.password.reveal()}`).toString("base64")}`;
    }
    if (bearer !== undefined) result["authorization"] = `Bearer ${bearer.reveal()}`;
    for (const [name, value] of headers) result[name.toLowerCase()] = value.reveal();
    if (call.json !== undefined) result["content-type"] = "application/json";
    if (call.upload !== undefined) {
      result["content-type"] = call.upload.contentType;
      result["content-length"] = String(call.upload.contentLength);
    }
    return result;
  }

  #dataOf(call: Call): { cluster: string; endpoint: string } {
    return { cluster: this.#settings.name, endpoint: endpointOf(call) };
  }

  #unreachable(call: Call, outcome: Outcome, because: string, options?: ErrorOptions): FlinkUnreachableError {
    return new FlinkUnreachableError(this.#dataOf(call), outcome, because, options);
  }

  #strange(call: Call, status: number, because: string, options?: ErrorOptions): FlinkAnswerError {
    return new FlinkAnswerError(this.#dataOf(call), status, because, options);
  }
}

/** `GET /jobs/overview`: how a call is named in errors. */
export function endpointOf(target: Target): string {
  const { method, path } = requestLineOf(target);
  return `${method} ${path}`;
}

function requestLineOf(target: Target): { readonly method: Dispatcher.HttpMethod; readonly path: string } {
  if (!("write" in target)) return target;
  const { method, path } = WRITING_CALLS[target.write];
  return { method, path: "id" in target ? path.replace(":id", encodeURIComponent(target.id)) : path };
}

function outcomeOf(error: unknown): CallOutcome {
  if (error instanceof FlinkAnswerError) return "strange";
  return error instanceof FlinkUnreachableError ? "unreachable" : "aborted";
}

class TimeLimitError extends Error {
  override readonly name = "TimeLimitError";
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8")) as unknown;
  } catch {
    return undefined; // No JSON: the caller says so with an excerpt of what came instead.
  }
}

/** What a person recognizes of a foreign answer: its text without tags, scripts and styles. */
function excerpt(body: Buffer): string {
  const text = body
    .subarray(0, 4096)
    .toString("utf8")
    .replaceAll(/<(script|style)\b[^]*?(?:<\/\1>|$)/gi, " ")
    .replaceAll(/<[^>]*>/g, " ");
  const line = oneLine(text, 120);
  return line === "" ? "it is empty" : `"${line}"`;
}

const NOT_SENT: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EADDRNOTAVAIL",
  "UND_ERR_CONNECT_TIMEOUT",
  "UND_ERR_PRX_CONN",
  "UND_ERR_PRX_TLS",
]);
const LOST: ReadonlySet<string> = new Set(["ECONNRESET", "EPIPE", "UND_ERR_SOCKET"]);
const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ENOTFOUND: "its host name is not known",
  EAI_AGAIN: "its host name cannot be looked up",
  EHOSTUNREACH: "no route to its host",
  ENETUNREACH: "no route to its network",
  ECONNRESET: "the connection was reset",
  EPIPE: "the connection was closed",
  UND_ERR_SOCKET: "the connection was closed",
  UND_ERR_CONNECT_TIMEOUT: "no connection in time",
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: "the answer was cut off",
};

function describe(error: unknown): string {
  return WORDS[codeOf(error)] ?? oneLine(messageOf(error), 200);
}

/** Certain only when no connection came about, TLS included. */
function isNotSent(error: unknown): boolean {
  const code = codeOf(error);
  return NOT_SENT.has(code) || code.startsWith("ERR_TLS_") || code.includes("CERT") || code === "UNABLE_TO_VERIFY_LEAF_SIGNATURE";
}

function isConnectionLost(error: unknown): boolean {
  return LOST.has(codeOf(error));
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return "";
  const code: unknown = Reflect.get(error, "code");
  return typeof code === "string" ? code : codeOf(error.cause);
}
