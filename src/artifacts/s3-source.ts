import type { GetObjectCommandOutput } from "@aws-sdk/client-s3";
import { messageOf } from "../common/errors.ts";
import { oneLine } from "../common/text.ts";
import { formatSize } from "../common/units.ts";
import type { S3Connection } from "../flink/s3-connection.ts";
import type { ArtifactSource } from "../model/manifest.ts";
import { ArtifactError } from "./artifact-error.ts";
import { describeSource } from "./artifact-request.ts";
import type { Fetched } from "./download.ts";
import { describeNetworkError } from "./http-get.ts";
import type { UrlJob } from "./url-source.ts";

export type S3Source = ArtifactSource & { readonly kind: "s3" };

/** The object as it is now. A checksum that the bucket keeps of it is verified; a version that is known already is not sent again. */
export async function fetchS3(source: S3Source, connection: S3Connection, job: UrlJob): Promise<Fetched> {
  const found = await askFor(source, connection, job);
  if (found === "unchanged") return { kind: "unchanged" };
  const { Body: body, ContentLength: totalBytes, ETag: etag } = found;
  const from = describeSource(source);
  if (!isByteStream(body)) throw new ArtifactError("DownloadFailed", `${from} came without content`);
  try {
    if ((totalBytes ?? 0) > job.maxBytes) throw tooLarge(from, job.maxBytes);
    await readStream(body, totalBytes, from, job);
  } catch (error) {
    throw describeS3Error(error, source, job.signal);
  } finally {
    body.destroy();
  }
  return { kind: "fetched", validator: etag !== undefined && /^"[^"]+"$/.test(etag) ? etag : undefined };
}

/** Only the headers are there yet: the body comes as it is read. */
async function askFor(
  { bucket, key }: S3Source,
  connection: S3Connection,
  { known, signal }: UrlJob,
): Promise<GetObjectCommandOutput | "unchanged"> {
  const condition = known === undefined ? {} : { IfNoneMatch: known };
  const source: S3Source = { kind: "s3", bucket, key };
  try {
    const { client, sdk } = await connection.open();
    const command = new sdk.GetObjectCommand({ Bucket: bucket, Key: key, ChecksumMode: "ENABLED", ...condition });
    return await client.send(command, { abortSignal: signal });
  } catch (error) {
    if (known !== undefined && statusOf(error) === 304) return "unchanged";
    throw describeS3Error(error, source, signal);
  }
}

async function readStream(
  body: AsyncIterable<Uint8Array>,
  totalBytes: number | undefined,
  from: string,
  { download, maxBytes, onProgress }: UrlJob,
): Promise<void> {
  await download.incoming.restart();
  onProgress(0, totalBytes);
  for await (const chunk of body) {
    if (download.incoming.size + chunk.byteLength > maxBytes) throw tooLarge(from, maxBytes);
    await download.incoming.write(chunk);
    onProgress(download.incoming.size, totalBytes);
  }
}

type ByteStream = AsyncIterable<Uint8Array> & { destroy(): void };

/** On Node the SDK gives a stream of Node's. */
function isByteStream(body: unknown): body is ByteStream {
  return typeof body === "object" && body !== null && Symbol.asyncIterator in body && "destroy" in body;
}

function tooLarge(from: string, maxBytes: number): ArtifactError {
  return new ArtifactError("TooLarge", `${from} is larger than ${formatSize(maxBytes)} (artifacts.maxSize)`);
}

const MISSING = new Set(["NoSuchKey", "NoSuchBucket", "NotFound"]);
const REFUSED = new Set([
  "AccessDenied",
  "InvalidAccessKeyId",
  "SignatureDoesNotMatch",
  "ExpiredToken",
  "CredentialsProviderError",
]);

function describeS3Error(error: unknown, source: S3Source, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  if (error instanceof ArtifactError || !(error instanceof Error)) return error;
  const from = describeSource(source);
  const why = oneLine(messageOf(error), 200);
  if (MISSING.has(error.name)) return new ArtifactError("NotFound", `${from} is not there: ${why} (${error.name})`);
  if (REFUSED.has(error.name) || statusOf(error) === 403) {
    const message = `${from} may not be read: ${why} (${error.name}): check the access key or the role under artifacts.s3`;
    return new ArtifactError("NotAuthorized", message);
  }
  // The SDK has no name of its own for it.
  if (error.message.startsWith("Checksum mismatch")) {
    return new ArtifactError(
      "ChecksumMismatch",
      `${from} does not match the checksum that its bucket keeps; the jar is not used`,
    );
  }
  const status = statusOf(error);
  if (status !== undefined && status >= 300) {
    const hint = status === 301 ? "; its bucket is in another region: set artifacts.s3.region" : "";
    return new ArtifactError("DownloadFailed", `${from} cannot be read: ${why} (${error.name}, ${status})${hint}`);
  }
  return describeNetworkError(error, from, signal);
}

/** Of the answer that an error of the SDK is about. */
function statusOf(error: unknown): number | undefined {
  const metadata: unknown = error instanceof Error ? Reflect.get(error, "$metadata") : undefined;
  const status: unknown = typeof metadata === "object" && metadata !== null ? Reflect.get(metadata, "httpStatusCode") : undefined;
  return typeof status === "number" ? status : undefined;
}
