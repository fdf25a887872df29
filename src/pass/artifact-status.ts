import { isDeepStrictEqual } from "node:util";
import { describeSource } from "../artifacts/artifact-request.ts";
import type { ArtifactSeen } from "../artifacts/artifact-store.ts";
import { explainFlinkClasses } from "../artifacts/inspect-jar.ts";
import { findCondition, withTransition } from "../model/conditions.ts";
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
  const contents = contentsOf(artifact, base.status, context);
  const conditions = applyConditions(
    status.conditions,
    [{ type: "Accepted", ...acceptanceOfArtifact({ ...artifact, record: { ...base, status } }) }, ...available, ...contents],
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
  const { download: _, ...settled } = status;
  if (decision.kind === "deleting") return { ...settled, phase: "Deleting" };
  if (status.sha256 !== undefined) return { ...settled, phase: "Ready" }; // also when it is declared again
  const seen = context.observed.artifacts.get(artifact.key);
  if (seen?.kind === "ready" && (decision.kind === "leave" || decision.kind === "inspect")) {
    const { entry } = artifact;
    const bytes = entry?.kind === "file" ? { bytes: { commit: entry.commit, blob: entry.blob } } : {};
    return { ...settled, phase: "Ready", sha256: seen.sha256, size: seen.size, ...bytes };
  }
  // A retry after a failure stays Pending, or each try would be two commits.
  const isUnderWay =
    (seen?.kind === "downloading" && seen.lastFailure === undefined) ||
    (decision.kind === "fetch" && decision.block === undefined);
  const phase: ArtifactPhase = isUnderWay ? "Downloading" : "Pending";
  return { ...settled, phase, ...(isUnderWay ? progressOf(seen) : {}) };
}

/** Of what takes a while; a small jar is there before anybody looks. */
const WORTH_TELLING_BYTES = 64 * 1024 * 1024;
const STEPS = 4;

/** A new value is a commit, so there are few; whoever wants to know it exactly reads the metrics. */
function progressOf(seen: ArtifactSeen | undefined): Pick<ArtifactStatus, "download"> {
  if (seen?.kind !== "downloading" || seen.totalBytes === undefined || seen.totalBytes < WORTH_TELLING_BYTES) return {};
  const { bytes, totalBytes } = seen;
  const step = Math.floor((STEPS * bytes) / totalBytes);
  return step === 0 ? {} : { download: { bytes: Math.floor((step * totalBytes) / STEPS), totalBytes } };
}

/** A warning about what is in the jar. It stays as long as the bytes do, also while nobody looks at them. */
function contentsOf(artifact: DesiredArtifact, before: ArtifactStatus, context: StatusContext): readonly ConditionNow[] {
  const type = "FlinkBundled";
  const seen = context.observed.artifacts.get(artifact.key);
  const message =
    seen?.kind === "ready" ? explainFlinkClasses(seen.inspection.flinkClasses) : findCondition(before.conditions, type)?.message;
  return message === undefined ? [] : [{ type, status: "True", reason: "FlinkClassesInJar", message }];
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
