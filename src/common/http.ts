import type { LookupFunction } from "node:net";
import { getCACertificates } from "node:tls";
import { Agent, type Dispatcher, EnvHttpProxyAgent } from "undici";
import type { Retry } from "./errors.ts";
import type { Secret } from "./secrets.ts";
import { formatSize } from "./units.ts";

/** How the addresses of a host are found. */
export type Lookup = LookupFunction;

/**
 * Which proxy to use for which scheme; `no` lists hosts that are reached directly, as in `NO_PROXY`; `https` defaults to `http`.
 * The URLs may hold credentials: never print them.
 */
export interface ProxySettings {
  readonly http?: string;
  readonly https?: string;
  readonly no?: string;
}

export interface DispatcherOptions {
  /** PEM text. A `ca` replaces the well-known ones for the server, and is added to them for a proxy. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: Secret };
  readonly proxy?: ProxySettings;
  readonly connectTimeoutMs?: number;
  /** Finds the addresses of hosts that are connected to directly, and may refuse them. Not asked about a proxy, nor for hosts behind one. */
  readonly lookup?: Lookup;
}

/** Keeps connections alive between calls. Whoever creates it closes it; a proxy in the environment is not looked at. */
export function createDispatcher(options: DispatcherOptions): Dispatcher {
  const { ca, cert, key } = options.tls ?? {};
  const tls = {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key: key.reveal() }),
  };
  const connect = { ...tls, ...(options.lookup === undefined ? {} : { lookup: options.lookup }) };
  const common = { connect, allowH2: false, connectTimeout: options.connectTimeoutMs ?? 10_000 };
  const { http = "", https = "", no = "" } = options.proxy ?? {};
  if (http === "" && https === "") return new Agent(common);
  return new EnvHttpProxyAgent({
    ...common,
    // Empty texts, not undefined: undici would look into the environment.
    httpProxy: http,
    httpsProxy: https,
    noProxy: no,
    ...(Object.keys(tls).length === 0 ? {} : { requestTls: tls }),
    ...(ca === undefined ? {} : { proxyTls: { ca: [...getCACertificates("default"), ca] } }),
  });
}

/** An answer weighs more than the caller allows; what was read of it is dropped. */
export class AnswerTooLargeError extends Error {
  override readonly name = "AnswerTooLargeError";
  readonly code = "answer-too-large";
  readonly retry: Retry = "next-pass";
  readonly data: { readonly maxBytes: number };

  constructor(maxBytes: number, options?: ErrorOptions) {
    super(`the answer is larger than ${formatSize(maxBytes)}`, options);
    this.data = { maxBytes };
  }
}

/** The whole body, or an AnswerTooLargeError as soon as it weighs more than `maxBytes`; the rest is not read, the connection is closed. */
export async function readAtMost(body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.byteLength;
    if (size > maxBytes) throw new AnswerTooLargeError(maxBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}
