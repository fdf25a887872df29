import { Readable } from "node:stream";
import type { S3Client } from "@aws-sdk/client-s3";
import { type Dispatcher, request } from "undici";
import { createDispatcher, type ProxySettings, readAtMost } from "../common/http.ts";
import type { S3Config } from "../config/config.ts";

const MAX_ANSWER_BYTES = 8 * 1024 * 1024;

export interface OpenS3 {
  readonly client: S3Client;
  /** Its commands. */
  readonly sdk: typeof import("@aws-sdk/client-s3");
}

/** The SDK costs a tenth of a second and 20 MB, so it is loaded by the first call. Whoever creates it closes it. */
export class S3Connection {
  readonly #config: S3Config;
  readonly #idleTimeoutMs: number;
  readonly #dispatcher: Dispatcher;
  #opened: Promise<OpenS3> | undefined;

  constructor(config: S3Config, options: { readonly proxy: ProxySettings; readonly idleTimeoutMs: number }) {
    this.#config = config;
    this.#idleTimeoutMs = options.idleTimeoutMs;
    const connectTimeoutMs = Math.min(10_000, options.idleTimeoutMs);
    this.#dispatcher = createDispatcher({ tls: config.tls, proxy: options.proxy, connectTimeoutMs });
  }

  async open(): Promise<OpenS3> {
    return (this.#opened ??= this.#load());
  }

  /** Ends all connections; calls under way fail. */
  async close(): Promise<void> {
    await this.#dispatcher.destroy();
  }

  async #load(): Promise<OpenS3> {
    const sdk = await import("@aws-sdk/client-s3");
    const { endpoint, region, pathStyle, credentials } = this.#config;
    const client = new sdk.S3Client({
      region,
      forcePathStyle: pathStyle,
      maxAttempts: 2,
      requestHandler: handlerFor(this.#dispatcher, this.#idleTimeoutMs),
      ...(endpoint === undefined ? {} : { endpoint: endpoint.href }),
      // Without: what the SDK finds on this machine, which is how it gets at roles.
      ...(credentials === undefined
        ? {}
        : {
            credentials: {
              accessKeyId: credentials.accessKeyId.reveal(),
              secretAccessKey: credentials.secretAccessKey.reveal(),
              ...(credentials.sessionToken === undefined ? {} : { sessionToken: credentials.sessionToken.reveal() }),
            },
          }),
    });
    return { client, sdk };
  }
}

/** As much as we use of what the SDK hands to whoever makes its calls. */
interface SdkCall {
  readonly method: string;
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | readonly string[] | null>>;
  readonly headers: Record<string, string>;
}

/** Our own connections under the SDK: proxies, certificates and limits are those of all other calls. */
function handlerFor(dispatcher: Dispatcher, idleTimeoutMs: number) {
  return {
    async handle(call: SdkCall, options: { readonly abortSignal?: unknown } = {}) {
      const port = call.port === undefined ? "" : `:${call.port}`;
      const query = queryOf(call.query ?? {});
      const answer = await request(`${call.protocol}//${call.hostname}${port}${call.path}${query}`, {
        method: call.method,
        headers: call.headers,
        dispatcher,
        headersTimeout: idleTimeoutMs,
        bodyTimeout: idleTimeoutMs,
        ...(options.abortSignal instanceof AbortSignal ? { signal: options.abortSignal } : {}),
      });
      const { statusCode } = answer;
      const headers = Object.fromEntries(Object.entries(answer.headers).map(([name, value]) => [name, String(value)]));
      // A file is read by whoever asked for it, piece by piece; all else is small.
      const isFile = call.query?.["x-id"] === "GetObject" && statusCode === 200;
      const body = isFile ? answer.body : Readable.from([await readAtMost(answer.body, MAX_ANSWER_BYTES)]);
      return { response: { statusCode, headers, body } };
    },
    updateHttpClientConfig: () => {},
    httpHandlerConfigs: () => ({}),
  };
}

function queryOf(query: Readonly<Record<string, string | readonly string[] | null>>): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    [value ?? ""].flat().map((one) => `${escaped(name)}=${escaped(one)}`),
  );
  return pairs.length === 0 ? "" : `?${pairs.join("&")}`;
}

/** As the signature wants it: everything but letters, digits and -._~ */
function escaped(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}
