import type { ArtifactsConfig } from "../config/config.ts";
import { canonicalJson, sha256Hex } from "../common/hash.ts";
import { publicUrl } from "../common/secrets.ts";
import type { S3Connection } from "../flink/s3-connection.ts";
import { formatCoordinates } from "../model/spec-fields.ts";
import { ArtifactError } from "./artifact-error.ts";
import { type ArtifactRequest, describeSource, placeOf } from "./artifact-request.ts";
import type { JarCache, SourceNote } from "./cache.ts";
import type { CutDownloads, Download, Fetched } from "./download.ts";
import { inspectClasses } from "./entry-class.ts";
import type { HttpGetter } from "./http-get.ts";
import type { DigestName } from "./incoming-file.ts";
import { inspectJar, type JarContent } from "./inspect-jar.ts";
import { fetchLfs, type LfsServer } from "./lfs.ts";
import { fetchMaven, MAVEN_DIGESTS } from "./maven.ts";
import { type ReadBlob, readJarBlob } from "./path-source.ts";
import { fetchS3 } from "./s3-source.ts";
import { fetchUrl, isCut, type UrlHosts } from "./url-source.ts";

export interface LoadedArtifact {
  readonly sha256: string;
  readonly size: number;
  readonly file: string;
  readonly inspection: JarContent;
  /** False when the bytes were in the cache. */
  readonly fetched: boolean;
}

export interface LoadDeps {
  readonly cache: JarCache;
  readonly http: HttpGetter;
  readonly hosts: UrlHosts;
  readonly s3: S3Connection;
  readonly lfs: LfsServer | undefined;
  readonly cuts: CutDownloads;
  readonly readBlob: ReadBlob;
  readonly config: Pick<ArtifactsConfig, "maven" | "maxBytes" | "s3">;
  /** What is known of a jar that was inspected before. */
  readonly inspected: (sha256: string) => JarContent | undefined;
}

export interface LoadOptions {
  readonly signal: AbortSignal;
  readonly onProgress: (bytes: number, totalBytes: number | undefined) => void;
}

/** From the cache where the digest is known and the bytes are there, else from the source. Every failure but an abort is an ArtifactError. */
export async function loadArtifact(request: ArtifactRequest, deps: LoadDeps, options: LoadOptions): Promise<LoadedArtifact> {
  const name = noteOf(request, deps.config);
  const note = name === undefined ? undefined : await deps.cache.recall(name);
  const sha256 = request.sha256 ?? (mayChange(request) ? undefined : note?.sha256);
  const cached = sha256 === undefined ? undefined : await findCached(sha256, request, deps, options.signal);
  if (cached !== undefined) return cached;
  try {
    const loaded = await fetchToCache(request, name, await whatToAskAgain(request, note, deps, options), deps, options);
    // The note spares a download after a restart; without it everything works as well, so a full disk must not spoil what is there.
    if (name !== undefined && !mayChange(request)) {
      await deps.cache.remember(name, { sha256: loaded.sha256 }).catch(() => undefined);
    }
    return loaded;
  } catch (error) {
    throw isGone(error, request) ? bytesGone(request, error) : error;
  }
}

async function findCached(
  sha256: string,
  request: ArtifactRequest,
  deps: LoadDeps,
  signal: AbortSignal,
): Promise<LoadedArtifact | undefined> {
  const cached = await deps.cache.find(sha256, signal);
  if (cached === undefined) return undefined;
  return { sha256, ...cached, inspection: await inspect(sha256, cached.file, request, deps), fetched: false };
}

/** Known beforehand of a source that may change: then it only has to send what is new. */
async function whatToAskAgain(
  request: ArtifactRequest,
  note: SourceNote | undefined,
  deps: LoadDeps,
  { signal }: LoadOptions,
): Promise<Required<SourceNote> | undefined> {
  if (!mayChange(request) || note?.validator === undefined) return undefined;
  const known = { sha256: note.sha256, validator: note.validator };
  if (request.sha256 !== undefined) return known.sha256 === request.sha256 ? undefined : known; // still the wrong one?
  return (await deps.cache.find(known.sha256, signal)) === undefined ? undefined : known;
}

async function fetchToCache(
  request: ArtifactRequest,
  noteName: string | undefined,
  known: Required<SourceNote> | undefined,
  deps: LoadDeps,
  options: LoadOptions,
): Promise<LoadedArtifact> {
  const place = placeOf(request);
  const download = deps.cuts.take(place) ?? { incoming: await deps.cache.receive(digestsFor(request)), validator: undefined };
  let goesOn = false;
  try {
    const fetched = await fetchFromSource(request, deps, { ...options, download, known: known?.validator });
    if (fetched.kind === "unchanged") return await settleUnchanged(request, known!, deps, options); // only told when it was asked
    const sha256 = download.incoming.digest("sha256");
    if (noteName !== undefined && fetched.validator !== undefined) {
      const note = { sha256, validator: fetched.validator };
      await deps.cache.remember(noteName, note).catch(() => undefined); // as above: only spares a download
    }
    refuseOtherDigest(request, sha256);
    const inspection = await inspect(sha256, download.incoming.path, request, deps);
    // A blob is read again from Git in no time, and whatever a power cut leaves is hashed before it is used.
    const kept = await deps.cache.keep(download.incoming, { durable: request.source.kind !== "path" });
    return { sha256, ...kept, inspection, fetched: true };
  } catch (error) {
    goesOn = isCut(error, options.signal) && download.validator !== undefined && download.incoming.size > 0;
    throw error;
  } finally {
    if (goesOn) await deps.cuts.keep(place, download);
    else await download.incoming.discard();
  }
}

async function settleUnchanged(
  request: ArtifactRequest,
  known: Required<SourceNote>,
  deps: LoadDeps,
  { signal }: LoadOptions,
): Promise<LoadedArtifact> {
  refuseOtherDigest(request, known.sha256);
  const cached = await findCached(known.sha256, request, deps, signal);
  if (cached !== undefined) return cached;
  throw new ArtifactError(
    "CacheUnusable",
    `the cache lost ${describeSource(request.source)} while it was asked for; it is fetched again`,
  );
}

async function fetchFromSource(
  request: ArtifactRequest,
  deps: LoadDeps,
  options: LoadOptions & { readonly download: Download; readonly known: string | undefined },
): Promise<Fetched> {
  const { source, maxBytes } = request;
  const { incoming } = options.download;
  switch (source.kind) {
    case "path":
      await fetchPath(request, deps, options);
      return { kind: "fetched", validator: undefined };
    case "maven": {
      const job = { ...options, incoming, maxBytes, pinned: request.sha256 !== undefined };
      await fetchMaven(source.coordinates, { repositories: deps.config.maven.repositories, http: deps.http }, job);
      return { kind: "fetched", validator: undefined };
    }
    case "url":
      return fetchUrl(source.url, deps, { ...options, maxBytes });
    case "s3":
      return fetchS3(source, deps.s3, { ...options, maxBytes });
    default:
      return source satisfies never;
  }
}

async function fetchPath(
  { source, blob, maxBytes }: ArtifactRequest,
  deps: LoadDeps,
  options: LoadOptions & { readonly download: Download },
): Promise<void> {
  const { incoming } = options.download;
  const path = describeSource(source);
  const found = await readJarBlob(path, blob, deps.readBlob, { maxBytes, signal: options.signal });
  if (found.kind === "jar") return incoming.write(found.bytes);
  const job = { ...options, incoming, maxBytes: deps.config.maxBytes };
  return fetchLfs(path, found.pointer, { server: deps.lfs, http: deps.http }, job);
}

function refuseOtherDigest(request: ArtifactRequest, actual: string): void {
  if (request.sha256 === undefined || request.sha256 === actual) return;
  const why = request.recorded === true ? "recorded when the Artifact became Ready" : "pinned by the manifest";
  const message = `${describeSource(request.source)} has the sha256 ${actual.slice(0, 12)}…, but ${request.sha256.slice(0, 12)}… is binding (${why}); the jar is not used`;
  throw new ArtifactError("DigestMismatch", message);
}

function isGone(error: unknown, { recorded }: ArtifactRequest): boolean {
  return recorded === true && error instanceof ArtifactError && error.data.reason === "NotFound";
}

function bytesGone({ source, sha256 = "" }: ArtifactRequest, cause: unknown): ArtifactError {
  const message = `the bytes of ${describeSource(source)} are gone from there, and the cache does not hold them: put the jar with the sha256 ${sha256} back; no other is taken`;
  return new ArtifactError("BytesGone", message, { cause });
}

/** What the jar holds, and what the classes are that are to be run. */
async function inspect(sha256: string, path: string, request: ArtifactRequest, deps: LoadDeps): Promise<JarContent> {
  const found = deps.inspected(sha256) ?? (await inspectOrRefuse(path, request));
  return inspectClasses(path, found, request.entryClasses ?? []);
}

async function inspectOrRefuse(path: string, { source }: ArtifactRequest): Promise<JarContent> {
  const inspection = await inspectJar(path);
  if (inspection.kind === "jar") return inspection;
  throw new ArtifactError("NotAJar", `${describeSource(source)} is not a jar: ${inspection.because}`);
}

/** Blobs and releases never change; what lies behind a URL or a key may. */
export function mayChange({ source }: ArtifactRequest): boolean {
  return source.kind === "url" || source.kind === "s3";
}

/** Under which name the cache notes the digest. Other repositories may hold other releases, another service other buckets. */
export function noteOf({ source, blob }: ArtifactRequest, config: Pick<ArtifactsConfig, "maven" | "s3">): string | undefined {
  switch (source.kind) {
    case "path":
      return blob === undefined ? undefined : `blob:${blob.oid}`;
    case "maven": {
      const repositories = sha256Hex(canonicalJson(config.maven.repositories.map(({ url }) => publicUrl(url))));
      return `maven:${formatCoordinates(source.coordinates)}@${repositories.slice(0, 16)}`;
    }
    case "url":
      // A query may hold a token, and notes are files.
      return `url:${sha256Hex(source.url)}`;
    case "s3":
      return `s3:${config.s3.endpoint?.href ?? config.s3.region}:${source.bucket}/${source.key}`;
    default:
      return source satisfies never;
  }
}

function digestsFor(request: ArtifactRequest): readonly DigestName[] {
  return request.source.kind === "maven" && request.sha256 === undefined ? MAVEN_DIGESTS : ["sha256"];
}
