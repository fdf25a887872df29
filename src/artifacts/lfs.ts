import { isLfsPointer } from "../common/lfs-pointer.ts";
import { publicUrl, Secret } from "../common/secrets.ts";
import { oneLine } from "../common/text.ts";
import { formatSize } from "../common/units.ts";
import type { RepositoryConfig } from "../config/config.ts";
import { ArtifactError } from "./artifact-error.ts";
import { basicAuthorization, discard, type HttpAccess, type HttpAnswer, type HttpGetter, readBody } from "./http-get.ts";
import type { IncomingFile } from "./incoming-file.ts";

/** How the Git server is reached; what it keeps for Git LFS is reached the same way. */
export type LfsServer = Pick<RepositoryConfig, "url" | "credentials" | "tls">;

export interface LfsPointer {
  readonly sha256: string;
  readonly size: number;
}

export interface LfsJob {
  /** Computes the sha256. */
  readonly incoming: IncomingFile;
  readonly maxBytes: number;
  readonly onProgress: (bytes: number, totalBytes: number | undefined) => void;
  readonly signal: AbortSignal;
}

const MAX_ANSWER_BYTES = 256 * 1024;
const MEDIA_TYPE = "application/vnd.git-lfs+json";

/** What a file of the repository says when its bytes are kept in Git LFS; undefined for every other file. */
export function parseLfsPointer(bytes: Uint8Array): LfsPointer | undefined {
  if (!isLfsPointer(bytes)) return undefined;
  const text = Buffer.from(bytes).toString("latin1");
  const sha256 = /^oid sha256:([0-9a-f]{64})\r?$/m.exec(text)?.[1];
  const size = /^size (\d{1,15})\r?$/m.exec(text)?.[1];
  return sha256 === undefined || size === undefined ? undefined : { sha256, size: Number(size) };
}

/** The bytes that a pointer stands for, by the batch API of the Git server; an ArtifactError says why there are none. */
export async function fetchLfs(
  path: string,
  pointer: LfsPointer,
  deps: { readonly server: LfsServer | undefined; readonly http: HttpGetter },
  job: LfsJob,
): Promise<void> {
  if (deps.server === undefined) throw notOffered(path, "this Penstock was started without a Git server");
  if (pointer.size > job.maxBytes) {
    throw new ArtifactError(
      "TooLarge",
      `${path} is larger than ${formatSize(job.maxBytes)} (artifacts.maxSize), says its Git LFS pointer`,
    );
  }
  const link = await askForLink(path, pointer, deps.server, deps.http, job.signal);
  const access = accessTo(link, deps.server);
  const answer = await deps.http.get(link.url, access, job.signal);
  if (answer.status !== 200) {
    await discard(answer);
    throw new ArtifactError("DownloadFailed", `${path} cannot be had from Git LFS: ${answer.from} answers ${answer.status}`);
  }
  await readBody(answer, { ...job, setting: "artifacts.maxSize" }, (chunk) => job.incoming.write(chunk));
  const actual = job.incoming.digest("sha256");
  if (actual === pointer.sha256) return;
  const message = `${path} has the sha256 ${actual.slice(0, 12)}… in Git LFS, but its pointer says ${pointer.sha256.slice(0, 12)}…; the jar is not used`;
  throw new ArtifactError("ChecksumMismatch", message);
}

interface Link {
  readonly url: URL;
  readonly headers: ReadonlyMap<string, Secret>;
}

async function askForLink(
  path: string,
  { sha256, size }: LfsPointer,
  server: LfsServer,
  http: HttpGetter,
  signal: AbortSignal,
): Promise<Link> {
  const access = {
    tls: server.tls,
    ...(server.credentials === undefined ? {} : { authorization: basicAuthorization(server.credentials) }),
  };
  const body = JSON.stringify({
    operation: "download",
    transfers: ["basic"],
    objects: [{ oid: sha256, size }],
    hash_algo: "sha256",
  });
  const headers = { accept: MEDIA_TYPE, "content-type": MEDIA_TYPE };
  const answer = await http.post(batchUrl(server.url), access, signal, { headers, body });
  if (answer.status === 401 || answer.status === 403) {
    await discard(answer);
    const message = `the Git server refuses access to Git LFS (${answer.status}), where ${path} is kept: check repository.credentials`;
    throw new ArtifactError("NotAuthorized", message);
  }
  if (answer.status >= 500 && answer.status !== 501) {
    await discard(answer);
    throw new ArtifactError("DownloadFailed", `${path} cannot be had from Git LFS: the Git server answers ${answer.status}`);
  }
  if (answer.status !== 200) {
    await discard(answer);
    throw notOffered(path, `the Git server does not offer LFS (${answer.status})`);
  }
  return readLink(path, await readJson(answer, path, signal), server.url);
}

/** Of the LFS server that every hosted Git server has beside the repository. */
function batchUrl(repository: URL): URL {
  const url = new URL(repository);
  const base = url.pathname.replace(/\/+$/, "");
  url.pathname = `${base.endsWith(".git") ? base : `${base}.git`}/info/lfs/objects/batch`;
  return url;
}

async function readJson(answer: HttpAnswer, path: string, signal: AbortSignal): Promise<unknown> {
  const chunks: Uint8Array[] = [];
  await readBody(
    answer,
    { maxBytes: MAX_ANSWER_BYTES, signal, onProgress: () => undefined },
    async (chunk) => void chunks.push(chunk),
  );
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8")) as unknown;
  } catch (cause) {
    // A page for browsers, for one: whoever answers so is no LFS server.
    throw notOffered(path, "the Git server's answer about LFS is not understood", { cause });
  }
}

function readLink(path: string, answer: unknown, repository: URL): Link {
  const [object] = asList(member(answer, "objects"));
  const error = member(object, "error");
  if (error !== undefined) {
    const [message, code] = ["message", "code"].map((name) => JSON.stringify(member(error, name) ?? ""));
    const why = oneLine(`${message} (${code})`, 200);
    throw new ArtifactError("NotFound", `Git LFS does not give ${path}: ${why}; push it with git lfs push`);
  }
  const action = member(member(object, "actions"), "download");
  const href = member(action, "href");
  const url = typeof href === "string" ? URL.parse(href, repository.href) : null;
  if (url === null || (url.protocol !== "https:" && url.protocol !== "http:")) {
    throw notOffered(path, "the Git server's answer about LFS is not understood");
  }
  if (url.protocol === "http:" && repository.protocol === "https:") {
    const message = `Git LFS sends for ${path} from https to ${publicUrl(url)}, which is not followed: anybody on the way could see the credentials`;
    throw new ArtifactError("RedirectRefused", message);
  }
  const given = Object.entries(asRecord(member(action, "header"))).filter(isHeader);
  return { url, headers: new Map(given.map(([name, value]) => [name.toLowerCase(), new Secret(value)])) };
}

/** What the LFS server hands out for the download counts; else the repository's own credentials, on its own host alone. */
function accessTo({ url, headers }: Link, { url: repository, credentials, tls }: LfsServer): HttpAccess {
  const isOwn = url.origin === repository.origin;
  const authorization =
    isOwn && credentials !== undefined && !headers.has("authorization") ? basicAuthorization(credentials) : undefined;
  return { tls, withoutCertificate: !isOwn, headers, ...(authorization === undefined ? {} : { authorization }) };
}

const OUR_HEADERS = new Set(
  "accept-encoding connection content-length expect host range te transfer-encoding upgrade".split(" "),
);

function isHeader(entry: readonly [string, unknown]): entry is [string, string] {
  const [name, value] = entry;
  return (
    /^[\w-]{1,100}$/.test(name) && !OUR_HEADERS.has(name.toLowerCase()) && typeof value === "string" && !/\p{Cc}/u.test(value)
  );
}

function notOffered(path: string, why: string, options?: ErrorOptions): ArtifactError {
  const message = `${path} is a Git LFS pointer, not the jar itself, and ${why}: commit the jar without LFS, or publish it and name it with spec.source.maven, url or s3`;
  return new ArtifactError("LfsPointer", message, options);
}

function member(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (Reflect.get(value, name) ?? undefined) : undefined;
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
