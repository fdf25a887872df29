import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

interface S3Object {
  readonly size: number;
  readonly writtenAtMs: number;
}

/** An object that can be read. */
export interface S3File {
  readonly content: Uint8Array;
  readonly etag: string;
  /** More headers, such as a checksum. */
  readonly headers?: Readonly<Record<string, string>>;
  /** After so many bytes the connection breaks. */
  readonly cutAt?: number;
}

/** What S3 says to lists of one bucket, by path style. Every call has to be signed with the access key id `reader`. */
export interface FakeS3 {
  readonly endpoint: URL;
  /** By key. */
  readonly objects: Map<string, S3Object>;
  /** By key: those whose content counts. */
  readonly files: Map<string, S3File>;
  /** Paths with queries, oldest first. */
  readonly calls: readonly string[];
  /** Answers with this error of S3 until undefined. */
  fail(status: number, code: string, message: string): void;
  close(): Promise<void>;
}

export const BUCKET = "streams";

export async function startFakeS3(options: { readonly pageSize?: number } = {}): Promise<FakeS3> {
  const objects = new Map<string, S3Object>();
  const files = new Map<string, S3File>();
  const calls: string[] = [];
  let failure: { readonly status: number; readonly xml: string } | undefined;
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    calls.push(request.url ?? "/");
    const url = new URL(request.url ?? "/", "http://s3");
    const file = files.get(decodeURIComponent(url.pathname.split("/").slice(2).join("/")));
    if (failure === undefined && file !== undefined && isSigned(request)) return sendFile(request, response, file);
    const { status, xml } = failure ?? listOrRefuse(request, url, objects, options.pageSize ?? 1000);
    response.writeHead(status, { "content-type": "application/xml" }).end(xml);
  };
  const server = createServer(answer);
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  return {
    endpoint: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
    objects,
    files,
    calls,
    fail: (status, code, message) => void (failure = { status, xml: errorXml(code, message) }),
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

interface XmlAnswer {
  readonly status: number;
  readonly xml: string;
}

function isSigned(request: IncomingMessage): boolean {
  return /^AWS4-HMAC-SHA256 Credential=reader\/\d{8}\/eu-west-1\/s3\//.test(request.headers.authorization ?? "");
}

/** GetObject. The checksum is only told to those who ask for it, as S3 does. */
function sendFile(request: IncomingMessage, response: ServerResponse, { content, etag, headers = {}, cutAt }: S3File): void {
  if (request.headers["if-none-match"] === etag) return void response.writeHead(304, { etag }).end();
  const told = request.headers["x-amz-checksum-mode"] === "ENABLED" ? headers : {};
  response.writeHead(200, { etag, "content-length": content.byteLength, ...told });
  if (cutAt === undefined) return void response.end(content);
  response.write(content.subarray(0, cutAt), () => response.socket?.end());
}

function listOrRefuse(request: IncomingMessage, url: URL, objects: ReadonlyMap<string, S3Object>, pageSize: number): XmlAnswer {
  if (!isSigned(request)) return { status: 403, xml: errorXml("AccessDenied", "Access Denied") };
  if (url.pathname.split("/")[2] !== undefined && url.pathname.split("/")[2] !== "")
    return { status: 404, xml: errorXml("NoSuchKey", "The specified key does not exist.") };
  if (url.pathname.split("/")[1] !== BUCKET)
    return { status: 404, xml: errorXml("NoSuchBucket", "The specified bucket does not exist") };
  return { status: 200, xml: listXml(url.searchParams, objects, pageSize) };
}

/** ListObjectsV2: keys in order, those with a delimiter behind the prefix rolled up, cut into pages. */
function listXml(query: URLSearchParams, objects: ReadonlyMap<string, S3Object>, pageSize: number): string {
  const [prefix, delimiter] = [query.get("prefix") ?? "", query.get("delimiter") ?? ""];
  const limit = Math.min(pageSize, Number(query.get("max-keys") ?? pageSize));
  const after = query.get("continuation-token") ?? "";
  const rolled = [...objects.keys()].filter((key) => key.startsWith(prefix)).map((key) => rollUp(key, prefix, delimiter));
  const names = [...new Set(rolled)].toSorted().filter((name) => name > after);
  const page = names.slice(0, limit);
  const items = page.map((name) => itemXml(name, objects.get(name)));
  const isTruncated = names.length > page.length;
  const next = isTruncated ? `<NextContinuationToken>${page.at(-1)}</NextContinuationToken>` : "";
  return `<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>${BUCKET}</Name><Prefix>${prefix}</Prefix><KeyCount>${page.length}</KeyCount><MaxKeys>${limit}</MaxKeys><IsTruncated>${isTruncated}</IsTruncated>${next}${items.join("")}</ListBucketResult>`;
}

function rollUp(key: string, prefix: string, delimiter: string): string {
  const end = delimiter === "" ? -1 : key.indexOf(delimiter, prefix.length);
  return end < 0 ? key : key.slice(0, end + 1);
}

function itemXml(name: string, object: S3Object | undefined): string {
  if (object === undefined) return `<CommonPrefixes><Prefix>${name}</Prefix></CommonPrefixes>`;
  const written = new Date(object.writtenAtMs).toISOString();
  return `<Contents><Key>${name}</Key><LastModified>${written}</LastModified><ETag>&quot;0&quot;</ETag><Size>${object.size}</Size><StorageClass>STANDARD</StorageClass></Contents>`;
}

function errorXml(code: string, message: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message><RequestId>1</RequestId></Error>`;
}
