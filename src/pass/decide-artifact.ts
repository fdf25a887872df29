import { describeSource } from "../artifacts/artifact-request.ts";
import type { ArtifactRequest, ArtifactSeen } from "../artifacts/artifact-store.ts";
import { classesToInspect } from "../artifacts/entry-class.ts";
import type { Reason } from "../model/reasons.ts";
import type { ArtifactDecision, Block } from "./decision.ts";
import type { DesiredArtifact } from "./desired.ts";

export interface ArtifactContext {
  readonly seen: ArtifactSeen | undefined;
  /** Whether a Job waits for the bytes; an Artifact that was Ready once is fetched again only then. */
  readonly needed: boolean;
  /** What Jobs want to run out of it. */
  readonly entryClasses: readonly string[];
  readonly maxBytes: number;
  readonly maxBlobBytes: number;
  readonly deletionsHeld: string | undefined;
  /** Some recorded Job names it. */
  readonly inUse: boolean;
  readonly now: number;
}

/**
 * What to ask the artifact store for, or why there is nothing to ask. Once Ready, the digest and, for files of the repository, the
 * blob are binding, whatever lies at the source by now.
 */
export function artifactRequest(
  artifact: DesiredArtifact,
  limits: { readonly maxBytes: number; readonly maxBlobBytes: number },
): ArtifactRequest | (Block & { readonly because: string }) {
  const { record } = artifact;
  if (artifact.recordProblem !== undefined)
    return blocked("RecordUnusable", `its record cannot be understood: ${artifact.recordProblem}`);
  const wasReady = record?.status.sha256 !== undefined;
  const spec = wasReady || artifact.declared.kind !== "declared" ? record?.spec : artifact.declared.manifest.spec;
  if (spec === undefined) return blocked("ManifestBroken", "its manifest has problems");
  const sha256 = record?.status.sha256 ?? spec.sha256;
  const digest = { ...(sha256 === undefined ? {} : { sha256 }), ...(wasReady ? { recorded: true } : {}) };
  const base = { key: artifact.key, source: spec.source, ...digest };
  if (spec.source.kind !== "path") return { ...base, maxBytes: limits.maxBytes };
  const bytes = record?.status.bytes;
  if (bytes !== undefined) return { ...base, blob: { commit: bytes.commit, oid: bytes.blob }, maxBytes: limits.maxBlobBytes };
  if (artifact.entry === undefined) return blocked("SourceMissing", `${spec.source.path} is not in the repository`);
  if (artifact.entry.kind === "other")
    return blocked("SourceMissing", `${spec.source.path} cannot be used: ${artifact.entry.because}`);
  return { ...base, blob: { commit: artifact.entry.commit, oid: artifact.entry.blob }, maxBytes: limits.maxBlobBytes };
}

/** The next step for one Artifact. Nothing here touches what runs: jobs keep the bytes that they were started with. */
export function decideArtifact(artifact: DesiredArtifact, context: ArtifactContext): ArtifactDecision {
  const { key, id } = artifact;
  if (artifact.recordProblem !== undefined)
    return { key, id, kind: "leave", because: `its record cannot be understood: ${artifact.recordProblem}` };
  if (artifact.declared.kind === "absent") return decideAbsent(artifact, context);
  const wanted = artifactRequest(artifact, context);
  if (!("key" in wanted))
    return { key, id, kind: "wait", block: { condition: wanted.condition, reason: wanted.reason }, because: wanted.because };
  const request = context.entryClasses.length === 0 ? wanted : { ...wanted, entryClasses: context.entryClasses };
  const { seen } = context;
  const settled = artifact.record?.status.sha256 !== undefined && !context.needed;
  if (seen === undefined || seen.kind === "absent") {
    if (settled) return { key, id, kind: "leave", because: "it is Ready, and no Job waits for its bytes" };
    return {
      key,
      id,
      kind: "fetch",
      request,
      block: undefined,
      because: `its bytes are needed from ${describeSource(request.source)}`,
    };
  }
  if (seen.kind === "downloading") {
    const { lastFailure } = seen;
    if (lastFailure !== undefined)
      return {
        key,
        id,
        kind: "wait",
        block: { condition: "Available", reason: lastFailure.reason },
        because: lastFailure.because,
      };
    return { key, id, kind: "leave", because: `it is being fetched from ${describeSource(request.source)}` };
  }
  if (seen.kind === "failed") return retryFailed(artifact, request, seen, context.now);
  if (classesToInspect(seen.inspection, context.entryClasses).size > 0)
    return {
      key,
      id,
      kind: "inspect",
      request,
      because: "its bytes are there, and a class that a Job names is being looked into",
    };
  return { key, id, kind: "leave", because: "its bytes are there and verified" };
}

function retryFailed(
  artifact: DesiredArtifact,
  request: ArtifactRequest,
  seen: ArtifactSeen & { kind: "failed" },
  now: number,
): ArtifactDecision {
  const block: Block = { condition: "Available", reason: seen.reason };
  const { key, id } = artifact;
  if (now < seen.retryAtMs) return { key, id, kind: "wait", block, because: seen.because };
  return { key, id, kind: "fetch", request, block, because: seen.because };
}

function decideAbsent(artifact: DesiredArtifact, context: ArtifactContext): ArtifactDecision {
  const { key, id } = artifact;
  if (context.deletionsHeld !== undefined) return { key, id, kind: "leave", because: context.deletionsHeld };
  if (context.inUse)
    return { key, id, kind: "deleting", because: "its manifest is gone, and Jobs use it; it stays until they are gone" };
  return { key, id, kind: "forget", because: "its manifest is gone and no Job uses it" };
}

function blocked(reason: Reason, because: string): Block & { readonly because: string } {
  return { condition: "Available", reason, because };
}
