import type { ArtifactsConfig } from "../config/config.ts";
import { canonicalJson, sha256Hex } from "../common/hash.ts";
import { publicUrl } from "../common/secrets.ts";
import type { ArtifactSource } from "../model/manifest.ts";
import { formatCoordinates } from "../model/spec-fields.ts";
import { ArtifactError } from "./artifact-error.ts";
import { type ArtifactRequest, describeSource } from "./artifact-request.ts";
import type { JarCache } from "./cache.ts";
import type { HttpGetter } from "./http-get.ts";
import type { DigestName, IncomingFile } from "./incoming-file.ts";
import { inspectJar, type JarContent } from "./inspect-jar.ts";
import { fetchMaven, MAVEN_DIGESTS } from "./maven.ts";
import { type ReadBlob, readJarBlob } from "./path-source.ts";

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
  readonly readBlob: ReadBlob;
  readonly maven: ArtifactsConfig["maven"];
  /** What is known of a jar that was inspected before. */
  readonly inspected: (sha256: string) => JarContent | undefined;
}

export interface LoadOptions {
  readonly signal: AbortSignal;
  readonly onProgress: (bytes: number, totalBytes: number | undefined) => void;
}

/** From the cache where the digest is known and the bytes are there, else from the source. Every failure but an abort is an ArtifactError. */
export async function loadArtifact(request: ArtifactRequest, deps: LoadDeps, options: LoadOptions): Promise<LoadedArtifact> {
  const noted = noteOf(request, deps);
  const sha256 = request.sha256 ?? (noted === undefined ? undefined : await deps.cache.digestOf(noted));
  const cached = sha256 === undefined ? undefined : await deps.cache.find(sha256, options.signal);
  if (sha256 !== undefined && cached !== undefined) {
    const inspection = deps.inspected(sha256) ?? (await inspectOrRefuse(cached.file, request.source));
    return { sha256, ...cached, inspection, fetched: false };
  }
  const loaded = await fetchToCache(request, deps, options);
  // The note spares a download after a restart; without it everything works as well, so a full disk must not spoil what is there.
  if (noted !== undefined) await deps.cache.remember(noted, loaded.sha256).catch(() => undefined);
  return loaded;
}

async function fetchToCache(request: ArtifactRequest, deps: LoadDeps, options: LoadOptions): Promise<LoadedArtifact> {
  const incoming = await deps.cache.receive(digestsFor(request));
  try {
    await fetchFromSource(request, deps, { ...options, incoming });
    const sha256 = incoming.digest("sha256");
    refuseOtherDigest(request, sha256);
    const inspection = deps.inspected(sha256) ?? (await inspectOrRefuse(incoming.path, request.source));
    // A blob is read again from Git in no time, and whatever a power cut leaves is hashed before it is used.
    const kept = await deps.cache.keep(incoming, { durable: request.source.kind !== "path" });
    return { sha256, ...kept, inspection, fetched: true };
  } finally {
    await incoming.discard();
  }
}

async function fetchFromSource(
  request: ArtifactRequest,
  deps: LoadDeps,
  options: LoadOptions & { readonly incoming: IncomingFile },
): Promise<void> {
  const { source, maxBytes } = request;
  switch (source.kind) {
    case "path":
      return options.incoming.write(
        await readJarBlob(source.path, request.blob, deps.readBlob, { maxBytes, signal: options.signal }),
      );
    case "maven": {
      const job = { ...options, maxBytes, pinned: request.sha256 !== undefined };
      return fetchMaven(source.coordinates, { repositories: deps.maven.repositories, http: deps.http }, job);
    }
    case "url":
    case "s3": {
      const message = `spec.source.${source.kind} is not acted on yet: use spec.source.maven, or spec.source.path for a jar in the repository`;
      throw new ArtifactError("SourceNotSupported", message);
    }
    default:
      return source satisfies never;
  }
}

function refuseOtherDigest(request: ArtifactRequest, actual: string): void {
  if (request.sha256 === undefined || request.sha256 === actual) return;
  const message = `${describeSource(request.source)} has the sha256 ${actual.slice(0, 12)}…, but ${request.sha256.slice(0, 12)}… is binding (pinned by the manifest, or recorded when the Artifact became Ready); the jar is not used`;
  throw new ArtifactError("DigestMismatch", message);
}

async function inspectOrRefuse(path: string, source: ArtifactSource): Promise<JarContent> {
  const inspection = await inspectJar(path);
  if (inspection.kind === "jar") return inspection;
  throw new ArtifactError("NotAJar", `${describeSource(source)} is not a jar: ${inspection.because}`);
}

/** Under which name the cache notes the digest: only what cannot change its content. Other repositories may hold other releases. */
export function noteOf({ source, blob }: ArtifactRequest, { maven }: Pick<LoadDeps, "maven">): string | undefined {
  switch (source.kind) {
    case "path":
      return blob === undefined ? undefined : `blob:${blob.oid}`;
    case "maven": {
      const repositories = sha256Hex(canonicalJson(maven.repositories.map(({ url }) => publicUrl(url))));
      return `maven:${formatCoordinates(source.coordinates)}@${repositories.slice(0, 16)}`;
    }
    case "url":
    case "s3":
      return undefined;
    default:
      return source satisfies never;
  }
}

function digestsFor(request: ArtifactRequest): readonly DigestName[] {
  return request.source.kind === "maven" && request.sha256 === undefined ? MAVEN_DIGESTS : ["sha256"];
}
