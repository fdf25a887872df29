import { Readable } from "node:stream";
import type { ListObjectsV2CommandInput, ListObjectsV2CommandOutput, S3Client } from "@aws-sdk/client-s3";
import { type Dispatcher, request } from "undici";
import { createDispatcher, type ProxySettings, readAtMost } from "../common/http.ts";
import type { S3Config } from "../config/config.ts";
import { MAX_FOLDERS, type Folders } from "./folders.ts";

const TIMEOUT_MS = 10_000;
const MAX_ANSWER_BYTES = 8 * 1024 * 1024;
/** Of up to 1000 names each. Files that lie between the folders count as well. */
const MAX_PAGES = 50;

/**
 * Buckets as folders: a folder is what names have in common up to a slash. Reads lists only, so the right to list is enough. The SDK is
 * loaded with the first call. Whoever creates it closes it.
 */
export class S3Folders implements Folders {
  readonly #config: S3Config;
  readonly #dispatcher: Dispatcher;
  #client: Promise<Client> | undefined;

  constructor(config: S3Config, proxy: ProxySettings = {}) {
    this.#config = config;
    this.#dispatcher = createDispatcher({ tls: config.tls, proxy, connectTimeoutMs: TIMEOUT_MS });
  }

  /** Ends all connections; calls under way fail. */
  async close(): Promise<void> {
    await this.#dispatcher.destroy();
  }

  async namesIn(folder: string, prefix: string, signal: AbortSignal): Promise<readonly string[]> {
    const { bucket, key } = placeOf(folder);
    const root = key === "" ? "" : `${key}/`;
    const names: string[] = [];
    let continuationToken: string | undefined;
    for (let page = 0; page < MAX_PAGES; page += 1) {
      const from = continuationToken === undefined ? {} : { ContinuationToken: continuationToken };
      const found = await this.#list({ Bucket: bucket, Prefix: root + prefix, Delimiter: "/", ...from }, signal);
      for (const { Prefix } of found.CommonPrefixes ?? []) if (Prefix !== undefined) names.push(Prefix.slice(root.length, -1));
      if (names.length > MAX_FOLDERS) break;
      if (found.IsTruncated !== true) return names;
      continuationToken = found.NextContinuationToken;
      if (continuationToken === undefined) throw new Error("the list is cut off and does not say how it goes on");
    }
    throw new Error(`more names in ${folder} than a job of Flink makes`);
  }

  async writtenAtMs(file: string, signal: AbortSignal): Promise<number | undefined> {
    const { bucket, key } = placeOf(file);
    const [first] = (await this.#list({ Bucket: bucket, Prefix: key, MaxKeys: 1 }, signal)).Contents ?? [];
    if (first?.Key !== key || (first.Size ?? 0) === 0) return undefined;
    return first.LastModified?.getTime();
  }

  /** A bucket that answers holds everything there is. */
  async sees(): Promise<boolean> {
    return true;
  }

  async #list(input: ListObjectsV2CommandInput, signal: AbortSignal): Promise<ListObjectsV2CommandOutput> {
    const { client, list } = await (this.#client ??= createClient(this.#config, this.#dispatcher));
    const limit = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
    return client.send(list(input), { abortSignal: limit });
  }
}

/** Whether Flink's name of a directory means S3: `s3://`, or one of its two file systems for it. */
export function isS3Uri(uri: string): boolean {
  return /^s3[ap]?:\/\/[^/]/.test(uri);
}

function placeOf(uri: string): { readonly bucket: string; readonly key: string } {
  const [, bucket, key = ""] = /^s3[ap]?:\/\/([^/]+)\/*(.*)$/.exec(uri) ?? [];
  if (bucket === undefined) throw new Error(`${uri} names no bucket`);
  return { bucket, key };
}

interface Client {
  readonly client: S3Client;
  readonly list: (input: ListObjectsV2CommandInput) => InstanceType<typeof import("@aws-sdk/client-s3").ListObjectsV2Command>;
}

/** The SDK costs a tenth of a second and 20 MB, which nobody pays whose state lies elsewhere. */
async function createClient(config: S3Config, dispatcher: Dispatcher): Promise<Client> {
  const sdk = await import("@aws-sdk/client-s3");
  const { endpoint, region, pathStyle, credentials } = config;
  const client = new sdk.S3Client({
    region,
    forcePathStyle: pathStyle,
    maxAttempts: 2,
    requestHandler: handlerFor(dispatcher),
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
  return { client, list: (input) => new sdk.ListObjectsV2Command(input) };
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
function handlerFor(dispatcher: Dispatcher) {
  return {
    async handle(call: SdkCall, options: { readonly abortSignal?: unknown } = {}) {
      const port = call.port === undefined ? "" : `:${call.port}`;
      const query = queryOf(call.query ?? {});
      const answer = await request(`${call.protocol}//${call.hostname}${port}${call.path}${query}`, {
        method: call.method,
        headers: call.headers,
        dispatcher,
        headersTimeout: TIMEOUT_MS,
        bodyTimeout: TIMEOUT_MS,
        ...(options.abortSignal instanceof AbortSignal ? { signal: options.abortSignal } : {}),
      });
      const body = await readAtMost(answer.body, MAX_ANSWER_BYTES);
      const headers = Object.entries(answer.headers).map(([name, value]) => [name, String(value)] as const);
      return {
        response: { statusCode: answer.statusCode, headers: Object.fromEntries(headers), body: Readable.from([body]) },
      };
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
