import { isDeepStrictEqual } from "node:util";
import { describeSource } from "../artifacts/artifact-request.ts";
import { withTransition } from "../model/conditions.ts";
import type { ArtifactPhase, ArtifactRecord, ArtifactStatus } from "../model/status.ts";
import { acceptanceOfArtifact } from "./acceptance.ts";
import type { ArtifactDecision } from "./decision.ts";
import type { DesiredArtifact } from "./desired.ts";
import type { ConditionNow } from "./job-conditions.ts";
import { acceptedSource, applyConditions, type StatusContext } from "./job-status.ts";

/** The record of an Artifact after this pass; the very one that was there when nothing changed; undefined when there is none to keep. */
export function nextArtifactRecord(
  artifact: DesiredArtifact,
  decision: ArtifactDecision,
  context: StatusContext,
): ArtifactRecord | undefined {
  if (decision.kind === "forget") return undefined;
  const base = baseRecord(artifact, context);
  if (base === undefined || artifact.recordProblem !== undefined) return artifact.record;
  const status = withBytes(artifact, base.status, decision, context);
  const available = availability(artifact, status, decision);
  const conditions = applyConditions(
    status.conditions,
    [{ type: "Accepted", ...acceptanceOfArtifact({ ...artifact, record: { ...base, status } }) }, ...available],
    context.now,
  );
  const before = artifact.record?.status.phase ?? "";
  const history =
    before === status.phase
      ? status.history
      : withTransition(status.history, { from: before, to: status.phase, because: decision.because }, context.now);
  const record: ArtifactRecord = { ...base, status: { ...status, conditions, history } };
  return artifact.record !== undefined && isDeepStrictEqual(record, artifact.record) ? artifact.record : record;
}

/** Until it is Ready the record follows the manifest; afterwards only labels and annotations do. */
function baseRecord(artifact: DesiredArtifact, context: StatusContext): ArtifactRecord | undefined {
  const { record, declared } = artifact;
  if (declared.kind !== "declared") return record;
  const { manifest } = declared;
  if (record?.status.sha256 !== undefined) return { ...record, labels: manifest.labels, annotations: manifest.annotations };
  const source = acceptedSource(manifest, record?.status.source, context.commit);
  const status: ArtifactStatus = record?.status ?? { phase: "Pending", source, conditions: [], history: [] };
  return {
    kind: "Artifact",
    id: artifact.id,
    labels: manifest.labels,
    annotations: manifest.annotations,
    spec: manifest.spec,
    status: { ...status, source },
  };
}

/** Ready for good once its bytes are verified and are a jar; the digest, and for repository files the blob, are recorded with it. */
function withBytes(
  artifact: DesiredArtifact,
  status: ArtifactStatus,
  decision: ArtifactDecision,
  context: StatusContext,
): ArtifactStatus {
  if (decision.kind === "deleting") return { ...status, phase: "Deleting" };
  if (status.sha256 !== undefined) return { ...status, phase: "Ready" }; // also when it is declared again
  const seen = context.observed.artifacts.get(artifact.key);
  if (seen?.kind === "ready" && decision.kind === "leave") {
    const { entry } = artifact;
    const bytes = entry?.kind === "file" ? { bytes: { commit: entry.commit, blob: entry.blob } } : {};
    return { ...status, phase: "Ready", sha256: seen.sha256, size: seen.size, ...bytes };
  }
  // A retry after a failure stays Pending, or each try would be two commits.
  const isUnderWay =
    (seen?.kind === "downloading" && seen.lastFailure === undefined) ||
    (decision.kind === "fetch" && decision.block === undefined);
  const phase: ArtifactPhase = isUnderWay ? "Downloading" : "Pending";
  return { ...status, phase };
}

function availability(artifact: DesiredArtifact, status: ArtifactStatus, decision: ArtifactDecision): readonly ConditionNow[] {
  const type = "Available";
  if ((decision.kind === "wait" || decision.kind === "fetch") && decision.block !== undefined) {
    return [{ type, status: "False", reason: decision.block.reason, message: decision.because }];
  }
  if (status.sha256 !== undefined)
    return [{ type, status: "True", reason: "Verified", message: `${status.size} bytes, sha256 ${status.sha256}` }];
  const source = artifact.declared.kind === "declared" ? artifact.declared.manifest.spec.source : artifact.record?.spec.source;
  return source === undefined
    ? []
    : [{ type, status: "False", reason: "Downloading", message: `it is being fetched from ${describeSource(source)}` }];
}
