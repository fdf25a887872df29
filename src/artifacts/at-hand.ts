import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock } from "../common/clock.ts";
import type { ArtifactsConfig } from "../config/config.ts";
import type { ResourceKey } from "../model/resource.ts";
import { ArtifactError } from "./artifact-error.ts";
import type { ArtifactRequest } from "./artifact-request.ts";
import type { ArtifactSeen } from "./artifact-store.ts";
import { JarCache } from "./cache.ts";
import { inspectClasses } from "./entry-class.ts";
import { inspectJar } from "./inspect-jar.ts";
import { mayChange, noteOf } from "./load-artifact.ts";
import { type ReadBlob, readJarBlob } from "./path-source.ts";

export interface AtHandDeps {
  readonly config: Pick<ArtifactsConfig, "cacheDir" | "maven" | "s3">;
  readonly clock: Clock;
  readonly readBlob: ReadBlob;
}

/**
 * What is known of jars without asking any server but Git's: those in the cache, and the files of the repository. Nothing is kept: a file is
 * looked into in a folder of its own that is removed. What is not at hand is absent.
 */
export async function seeAtHand(
  requests: readonly ArtifactRequest[],
  deps: AtHandDeps,
  signal: AbortSignal,
): Promise<ReadonlyMap<ResourceKey, ArtifactSeen>> {
  const cache = new JarCache(deps.config.cacheDir, deps.clock);
  const folder = await mkdtemp(join(tmpdir(), "penstock-plan-"));
  try {
    const seen = new Map<ResourceKey, ArtifactSeen>();
    // One after the other: a jar of the repository lies in memory as a whole.
    for (const request of requests) {
      signal.throwIfAborted();
      const known = (await findInCache(request, cache, deps, signal)) ?? (await lookIntoFile(request, folder, deps, signal));
      seen.set(request.key, known);
    }
    return seen;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function findInCache(
  request: ArtifactRequest,
  cache: JarCache,
  { config }: AtHandDeps,
  signal: AbortSignal,
): Promise<ArtifactSeen | undefined> {
  try {
    const name = mayChange(request) ? undefined : noteOf(request, config);
    const sha256 = request.sha256 ?? (name === undefined ? undefined : (await cache.recall(name))?.sha256);
    const found = sha256 === undefined ? undefined : await cache.find(sha256, signal);
    if (sha256 === undefined || found === undefined) return undefined;
    const inspection = await inspectJar(found.file);
    if (inspection.kind !== "jar") return undefined;
    const looked = await inspectClasses(found.file, inspection, request.entryClasses ?? []);
    return { kind: "ready", sha256, ...found, inspection: looked };
  } catch (error) {
    if (!(error instanceof ArtifactError)) throw error;
    return undefined; // Another user's cache, or a disk that fails: then the jar is not at hand, which the plan says.
  }
}

async function lookIntoFile(
  request: ArtifactRequest,
  folder: string,
  { readBlob, clock }: AtHandDeps,
  signal: AbortSignal,
): Promise<ArtifactSeen> {
  if (request.source.kind !== "path") return { kind: "absent" };
  const { path } = request.source;
  try {
    const incoming = await new JarCache(folder, clock).receive(["sha256"]);
    try {
      const found = await readJarBlob(path, request.blob, readBlob, { maxBytes: request.maxBytes, signal });
      if (found.kind === "lfs") return { kind: "absent" }; // its bytes lie on another server
      await incoming.write(found.bytes);
      const inspection = await inspectJar(incoming.path);
      const sha256 = incoming.digest("sha256");
      if (inspection.kind !== "jar") throw new ArtifactError("NotAJar", `${path} is not a jar: ${inspection.because}`);
      if (request.sha256 !== undefined && request.sha256 !== sha256)
        throw new ArtifactError("DigestMismatch", `${path} has the sha256 ${sha256.slice(0, 12)}…, and another one is binding`);
      const looked = await inspectClasses(incoming.path, inspection, request.entryClasses ?? []);
      return { kind: "ready", sha256, size: incoming.size, file: incoming.path, inspection: looked };
    } finally {
      await incoming.discard();
    }
  } catch (error) {
    if (!(error instanceof ArtifactError)) throw error;
    return {
      kind: "failed",
      because: error.message,
      reason: error.data.reason,
      failures: 1,
      retryAtMs: Number.POSITIVE_INFINITY,
    };
  }
}
