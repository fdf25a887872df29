import type { IncomingHttpHeaders } from "node:http";
import { getCACertificates } from "node:tls";
import { type Dispatcher, request } from "undici";
import type { BasicCredentials, TlsConfig } from "../config/config.ts";
import { messageOf } from "../common/errors.ts";
import type { Lookup } from "../common/http.ts";
import { publicUrl, Secret } from "../common/secrets.ts";
import { oneLine } from "../common/text.ts";
import { formatDuration, formatSize } from "../common/units.ts";
import { ArtifactError, codeOf } from "./artifact-error.ts";

export type CreateDispatcher = (tls: TlsConfig, lookup?: Lookup) => Dispatcher;

/** What the configuration grants for one server. Nothing of it, own CA apart, is shown to another one. */
export interface HttpAccess {
  readonly authorization?: Secret;
  readonly headers?: ReadonlyMap<string, Secret>;
  readonly tls: TlsConfig;
  /** The server is another than the one that the client certificate is for; its CA may be the same. */
  readonly withoutCertificate?: boolean;
}

/** What holds for each hop of a call to a server that the configuration does not vouch for. */
export interface HopRules {
  /** Rejects with an ArtifactError when this must not be called. The lookup, if any, judges the addresses that are connected to. */
  check(url: URL): Promise<Lookup | undefined>;
  /** What is known of a server that a redirect leads to. */
  tlsOf(url: URL): TlsConfig | undefined;
}

export interface GetOptions {
  /** Free of secrets: they go to every hop. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly rules?: HopRules;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** To be read to its end or given to `discard`. */
  readonly body: Dispatcher.ResponseData["body"];
  /** Where the answer came from, after redirects, without anything secret. */
  readonly from: string;
}

const MAX_REDIRECTS = 5;
const MAX_DISCARDED_BYTES = 16 * 1024;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const TIMEOUTS = new Set(["UND_ERR_HEADERS_TIMEOUT", "UND_ERR_BODY_TIMEOUT", "UND_ERR_CONNECT_TIMEOUT", "ETIMEDOUT"]);

interface Hop {
  readonly method: "GET" | "POST";
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly dispatcher: Dispatcher;
  readonly signal: AbortSignal;
}

/**
 * GET with redirects followed by hand: credentials and client certificate go to the server they were configured for, and stop
 * for good at the first hop to another one. From https never to http. Whoever creates it closes it.
 */
export class HttpGetter {
  readonly #createDispatcher: CreateDispatcher;
  readonly #idleTimeoutMs: number;
  readonly #dispatchers = new Map<TlsConfig, Map<string, Dispatcher>>();

  constructor(createDispatcher: CreateDispatcher, idleTimeoutMs: number) {
    this.#createDispatcher = createDispatcher;
    this.#idleTimeoutMs = idleTimeoutMs;
  }

  /** Any status that is not a redirect is an answer, not an error. Reading the body goes on under the same signal and idle timeout. */
  async get(url: URL, access: HttpAccess, signal: AbortSignal, { headers = {}, rules }: GetOptions = {}): Promise<HttpAnswer> {
    let at = url;
    let trusted = true;
    for (let hops = 0; ; hops += 1) {
      const lookup = await rules?.check(at);
      const tls = trusted ? access.tls : (rules?.tlsOf(at) ?? access.tls);
      const dispatcher = this.#dispatcherFor(tls, trusted && access.withoutCertificate !== true, lookup);
      const own = { "accept-encoding": "identity", ...headers, ...(trusted ? secretHeaders(access) : {}) };
      const answer = await this.#send(at, { method: "GET", headers: own, dispatcher, signal });
      if (!REDIRECTS.has(answer.status)) return answer;
      await discard(answer);
      if (hops === MAX_REDIRECTS) {
        throw new ArtifactError("RedirectRefused", `${publicUrl(url)} redirects more than ${MAX_REDIRECTS} times`);
      }
      const next = redirectTarget(at, answer.headers.location);
      trusted &&= next.origin === at.origin;
      at = next;
    }
  }

  /** A question that needs a body. A redirect is an answer like any other: nothing is sent twice. */
  async post(
    url: URL,
    access: HttpAccess,
    signal: AbortSignal,
    content: { readonly headers: Readonly<Record<string, string>>; readonly body: string },
  ): Promise<HttpAnswer> {
    const headers = { "accept-encoding": "identity", ...content.headers, ...secretHeaders(access) };
    const dispatcher = this.#dispatcherFor(access.tls, true, undefined);
    return this.#send(url, { method: "POST", headers, body: content.body, dispatcher, signal });
  }

  async close(): Promise<void> {
    const all = [...this.#dispatchers.values()].flatMap((dispatchers) => Array.from(dispatchers.values()));
    this.#dispatchers.clear();
    await Promise.all(all.map((dispatcher) => dispatcher.destroy()));
  }

  async #send(url: URL, { method, headers, body, dispatcher, signal }: Hop): Promise<HttpAnswer> {
    try {
      const answer = await request(url, {
        method,
        dispatcher,
        headers,
        body: body ?? null,
        headersTimeout: this.#idleTimeoutMs,
        bodyTimeout: this.#idleTimeoutMs,
        signal,
      });
      return { status: answer.statusCode, headers: answer.headers, body: answer.body, from: publicUrl(url) };
    } catch (error) {
      throw describeNetworkError(error, publicUrl(url), signal);
    }
  }

  /** Connections whose addresses were judged are kept apart from those that nobody judged. */
  #dispatcherFor(tls: TlsConfig, trusted: boolean, lookup: Lookup | undefined): Dispatcher {
    const ofTls = this.#dispatchers.get(tls) ?? new Map<string, Dispatcher>();
    this.#dispatchers.set(tls, ofTls);
    const kind = `${trusted ? "own" : "foreign"}, ${lookup === undefined ? "open" : "guarded"}`;
    const found = ofTls.get(kind) ?? this.#createDispatcher(trusted ? tls : tlsForOthers(tls), lookup);
    ofTls.set(kind, found);
    return found;
  }
}

function secretHeaders({ authorization, headers = new Map<string, Secret>() }: HttpAccess): Readonly<Record<string, string>> {
  const named = [...headers].map(([name, value]) => [name.toLowerCase(), value.reveal()] as const);
  return { ...Object.fromEntries(named), ...(authorization === undefined ? {} : { authorization: authorization.reveal() }) };
}

/** The header for HTTP basic authentication. */
export function basicAuthorization({ username, password }: BasicCredentials): Secret {
  return new Secret(`Basic ${Buffer.from(`${username}:${password.reveal()}`, "utf8").toString("base64")}`);
}

/** Lets the connection be used again when little is left of an unwanted body, and closes it otherwise. */
export async function discard(answer: HttpAnswer): Promise<void> {
  // An answer that is not wanted cannot fail any more.
  await answer.body.dump({ limit: MAX_DISCARDED_BYTES }).catch(() => undefined);
}

/** The body piece by piece, each given to `write` before the next is read; a TooLarge error as soon as more than `maxBytes` are declared or come. */
export async function readBody(
  answer: HttpAnswer,
  options: {
    readonly maxBytes: number;
    /** The option that `maxBytes` comes from. */
    readonly setting?: string;
    /** How many bytes came with an earlier answer, that this one goes on from. */
    readonly startAt?: number;
    readonly signal: AbortSignal;
    readonly onProgress: (bytes: number, totalBytes: number | undefined) => void;
  },
  write: (chunk: Uint8Array) => Promise<void>,
): Promise<void> {
  const encoding = answer.headers["content-encoding"] ?? "identity";
  const { startAt = 0 } = options;
  const declared = declaredSize(answer.headers);
  const totalBytes = declared === undefined ? undefined : startAt + declared;
  const refusal =
    encoding !== "identity"
      ? new ArtifactError("DownloadFailed", `${answer.from} came compressed (${encoding}) although that was not asked for`)
      : (totalBytes ?? 0) > options.maxBytes
        ? tooLarge(answer.from, options)
        : undefined;
  if (refusal !== undefined) {
    await discard(answer);
    throw refusal;
  }
  let bytes = startAt;
  options.onProgress(bytes, totalBytes);
  try {
    for await (const chunk of answer.body as AsyncIterable<Uint8Array>) {
      bytes += chunk.byteLength;
      if (bytes > options.maxBytes) throw tooLarge(answer.from, options);
      await write(chunk);
      options.onProgress(bytes, totalBytes);
    }
  } catch (error) {
    throw describeNetworkError(error, answer.from, options.signal);
  }
}

/** What a failed request or a body that broke off means for people. Aborts and errors of ours pass as they are. */
export function describeNetworkError(error: unknown, from: string, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  if (error instanceof ArtifactError) return error;
  const code = codeOf(error);
  if (TIMEOUTS.has(code)) return new ArtifactError("TimedOut", `${from} does not answer in time`, { cause: error });
  // Several addresses tried in vain come as one error without a message.
  const why = oneLine(messageOf(error), 200) || code || "no reason given";
  return new ArtifactError("DownloadFailed", `${from} could not be read: ${why}`, { cause: error });
}

/** For messages of `TimedOut` by the limit on the whole. */
export function tookTooLong(timeoutMs: number): ArtifactError {
  return new ArtifactError("TimedOut", `it took longer than ${formatDuration(timeoutMs)} (artifacts.timeout)`);
}

function tooLarge(from: string, { maxBytes, setting }: { readonly maxBytes: number; readonly setting?: string }): ArtifactError {
  return new ArtifactError(
    "TooLarge",
    `${from} is larger than ${formatSize(maxBytes)}${setting === undefined ? "" : ` (${setting})`}`,
  );
}

function redirectTarget(from: URL, location: string | string[] | undefined): URL {
  const target = typeof location === "string" ? URL.parse(location, from.href) : null;
  const refuse = (why: string): ArtifactError => new ArtifactError("RedirectRefused", `${publicUrl(from)} redirects ${why}`);
  if (target === null) throw refuse("to nowhere");
  if (target.protocol !== "https:" && target.protocol !== "http:") throw refuse(`to ${target.protocol}, which is not followed`);
  if (from.protocol === "https:" && target.protocol === "http:") {
    throw refuse(`from https to ${publicUrl(target)}, which is not followed: anybody on the way could change the jar`);
  }
  return target;
}

function declaredSize(headers: IncomingHttpHeaders): number | undefined {
  const text = headers["content-length"];
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** A repository with a CA of its own often redirects to a store that has it too, or to a public one. Its client certificate stays here. */
function tlsForOthers({ ca }: TlsConfig): TlsConfig {
  return ca === undefined ? {} : { ca: [...getCACertificates("default"), ca].join("\n") };
}
