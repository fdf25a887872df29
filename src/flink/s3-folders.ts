import type { ListObjectsV2CommandInput, ListObjectsV2CommandOutput } from "@aws-sdk/client-s3";
import type { ProxySettings } from "../common/http.ts";
import type { S3Config } from "../config/config.ts";
import { MAX_FOLDERS, type Folders } from "./folders.ts";
import { S3Connection } from "./s3-connection.ts";

const TIMEOUT_MS = 10_000;
/** Of up to 1000 names each. Files that lie between the folders count as well. */
const MAX_PAGES = 50;

/**
 * Buckets as folders: a folder is what names have in common up to a slash. Reads lists only, so the right to list is enough. The SDK is
 * loaded with the first call. Whoever creates it closes it.
 */
export class S3Folders implements Folders {
  readonly #connection: S3Connection;

  constructor(config: S3Config, proxy: ProxySettings = {}) {
    this.#connection = new S3Connection(config, { proxy, idleTimeoutMs: TIMEOUT_MS });
  }

  /** Ends all connections; calls under way fail. */
  async close(): Promise<void> {
    await this.#connection.close();
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
    const { client, sdk } = await this.#connection.open();
    const limit = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
    return client.send(new sdk.ListObjectsV2Command(input), { abortSignal: limit });
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
