import { publicUrl } from "../common/secrets.ts";
import { listOf } from "../common/text.ts";
import type { MavenRepositoryConfig } from "../config/config.ts";
import type { MavenCoordinates } from "../model/manifest.ts";
import { formatCoordinates } from "../model/spec-fields.ts";
import { ArtifactError } from "./artifact-error.ts";
import { basicAuthorization, discard, type HttpAccess, type HttpAnswer, type HttpGetter, readBody } from "./http-get.ts";
import type { DigestName, IncomingFile } from "./incoming-file.ts";

/** One attempt to get the bytes of one Artifact into a file. */
export interface FetchJob {
  readonly incoming: IncomingFile;
  readonly maxBytes: number;
  /** The digest is known beforehand, so the source's own checksums add nothing. */
  readonly pinned: boolean;
  readonly onProgress: (bytes: number, totalBytes: number | undefined) => void;
  readonly signal: AbortSignal;
}

/** What a repository may hold beside a file, the strongest first. */
export const MAVEN_DIGESTS: readonly DigestName[] = ["sha512", "sha256", "sha1"];
const DIGEST_LENGTHS: Readonly<Record<DigestName, number>> = { sha512: 128, sha256: 64, sha1: 40 };
const MAX_CHECKSUM_BYTES = 4096;
const MISSING = new Set([404, 410]);

/** `group/parts/artifact/version/artifact-version[-classifier].type`: where every Maven repository keeps a file. */
export function mavenPath({ group, artifact, version, type, classifier }: MavenCoordinates): string {
  const name = `${artifact}-${version}${classifier === undefined ? "" : `-${classifier}`}.${type}`;
  return [...group.split("."), artifact, version, name].map(encodeURIComponent).join("/");
}

/**
 * Asks the repositories in their order; only "not here" leads to the next one. Any other trouble ends the attempt, so that a
 * repository that is down never makes another one's file of the same name be taken.
 */
export async function fetchMaven(
  coordinates: MavenCoordinates,
  deps: { readonly repositories: readonly MavenRepositoryConfig[]; readonly http: HttpGetter },
  job: FetchJob,
): Promise<void> {
  const wanted = formatCoordinates(coordinates);
  if (deps.repositories.length === 0) {
    const message = `no Maven repository is configured, so ${wanted} cannot be fetched: name one in the daemon's configuration under artifacts.maven.repositories, as in repositories: [{url: https://…}]`;
    throw new ArtifactError("NoMavenRepository", message);
  }
  for (const repository of deps.repositories) {
    if (await fetchFrom(repository, mavenPath(coordinates), deps.http, job)) return;
  }
  const asked = listOf(deps.repositories.map(({ url }) => publicUrl(url)));
  throw new ArtifactError("NotFound", `${wanted} is not in ${asked}: check group, artifact, version, type and classifier`);
}

/** False when the repository does not have the file. */
async function fetchFrom(repository: MavenRepositoryConfig, path: string, http: HttpGetter, job: FetchJob): Promise<boolean> {
  const access = accessTo(repository);
  const url = fileUrl(repository.url, path);
  const answer = await http.get(url, access, job.signal);
  if (MISSING.has(answer.status)) {
    await discard(answer);
    return false;
  }
  await refuseUnlessOk(answer, repository);
  await readBody(answer, { ...job, setting: "artifacts.maxSize" }, (chunk) => job.incoming.write(chunk));
  if (!job.pinned) await verifyChecksum(repository, path, http, job);
  return true;
}

async function verifyChecksum(repository: MavenRepositoryConfig, path: string, http: HttpGetter, job: FetchJob): Promise<void> {
  const shown = publicUrl(fileUrl(repository.url, path));
  for (const name of MAVEN_DIGESTS) {
    const expected = await readChecksum(repository, `${path}.${name}`, name, http, job.signal);
    if (expected === undefined) continue;
    const actual = job.incoming.digest(name);
    if (actual === expected) return;
    const message = `${shown} does not match its .${name} file (${expected.slice(0, 12)}… there, ${actual.slice(0, 12)}… in the bytes that came); the jar is not used`;
    throw new ArtifactError("ChecksumMismatch", message);
  }
  const message = `${shown} has no .sha512, .sha256 or .sha1 file to check it against; the jar is not used: publish one, or pin the digest with spec.source.sha256`;
  throw new ArtifactError("NoChecksum", message);
}

/** Undefined when the repository has no such file. */
async function readChecksum(
  repository: MavenRepositoryConfig,
  path: string,
  name: DigestName,
  http: HttpGetter,
  signal: AbortSignal,
): Promise<string | undefined> {
  const answer = await http.get(fileUrl(repository.url, path), accessTo(repository), signal);
  if (MISSING.has(answer.status)) {
    await discard(answer);
    return undefined;
  }
  await refuseUnlessOk(answer, repository);
  const chunks: Uint8Array[] = [];
  const limits = { maxBytes: MAX_CHECKSUM_BYTES, signal, onProgress: () => undefined };
  await readBody(answer, limits, async (chunk) => void chunks.push(chunk));
  // The digest stands alone, or beside the file's name, in either order.
  const digest = new RegExp(`(?<![0-9a-f])[0-9a-f]{${DIGEST_LENGTHS[name]}}(?![0-9a-f])`, "i").exec(
    Buffer.concat(chunks).toString("latin1"),
  )?.[0];
  if (digest === undefined) throw new ArtifactError("DownloadFailed", `${answer.from} holds no ${name} digest`);
  return digest.toLowerCase();
}

async function refuseUnlessOk(answer: HttpAnswer, { url, credentials }: MavenRepositoryConfig): Promise<void> {
  if (answer.status === 200) return;
  await discard(answer);
  const repository = publicUrl(url);
  if (answer.status !== 401 && answer.status !== 403) {
    const from = answer.from.startsWith(repository) ? "" : ` (for ${answer.from})`;
    throw new ArtifactError("DownloadFailed", `the Maven repository ${repository} answers ${answer.status}${from}`);
  }
  const way =
    credentials === undefined
      ? "give it credentials under artifacts.maven.repositories"
      : "check its credentials under artifacts.maven.repositories";
  throw new ArtifactError("NotAuthorized", `the Maven repository ${repository} refuses access (${answer.status}): ${way}`);
}

function accessTo({ credentials, tls }: MavenRepositoryConfig): HttpAccess {
  if (credentials === undefined) return { tls };
  return { tls, authorization: basicAuthorization(credentials) };
}

function fileUrl(base: URL, path: string): URL {
  const url = new URL(base);
  url.pathname = `${base.pathname.replace(/\/+$/, "")}/${path}`;
  return url;
}
