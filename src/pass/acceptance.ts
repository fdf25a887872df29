import { canonicalJson } from "../common/hash.ts";
import { listOf } from "../common/text.ts";
import { specDigits } from "../model/canonical-spec.ts";
import { parseFlinkJobId } from "../model/flink-job-id.ts";
import type { JobManifest } from "../model/manifest.ts";
import type { Reason } from "../model/reasons.ts";
import type { ResourceKey } from "../model/resource.ts";
import type { JobRecord } from "../model/status.ts";
import { upgradeManifests } from "../model/upgrade-manifests.ts";
import { formatSpecChange, specChanges } from "../model/spec-changes.ts";
import type { JobDecision } from "./decision.ts";
import type { DesiredArtifact, DesiredJob } from "./desired.ts";
import { ownOperation } from "./own-operation.ts";

/** Whether what is declared is what is in force; becomes the condition `Accepted`. */
export interface Acceptance {
  readonly status: "True" | "False";
  readonly reason: Reason;
  readonly message: string;
}

const ACCEPTED: Acceptance = { status: "True", reason: "SpecAccepted", message: "the spec is in force as it is declared" };

/**
 * Whether a Job runs by what is declared. As long as nothing of it ever ran the manifest may be changed at will; from then on only rpus
 * may. A refused document changes nothing at all, its rpus included. Names that are `taken` are not offered for what is different.
 */
export function acceptanceOfJob(
  job: DesiredJob,
  decision: Pick<JobDecision, "kind">,
  taken: ReadonlySet<ResourceKey> = new Set(),
): Acceptance {
  const { record, declared } = job;
  if (declared.kind === "broken")
    return refused("ManifestBroken", "the manifest has problems, so the accepted spec stays in force; see summary.yaml");
  const isBound = record !== undefined && (record.status.flinkJobId !== undefined || record.status.operation !== undefined);
  if (!isBound || (record.status.deleted !== undefined && decision.kind !== "leave")) return ACCEPTED;
  if (declared.kind === "absent") return refused("ManifestGone", "the manifest is gone");
  const { manifest } = declared;
  if (!isSpecOf(record)) {
    return specDigits(manifest.spec) === runningSpecDigits(record)
      ? ACCEPTED
      : refused(
          "SpecChanged",
          `the declared spec is not the one that the job runs with, and the accepted one was lost with the status branch; ${wayOut(manifest, taken)}`,
        );
  }
  const changes = specChanges(record.spec, manifest);
  if (changes.length === 0) return ACCEPTED;
  const more = manifest.spec.rpus === record.status.requestedRpus ? "" : ", and rpus is not changed either";
  return refused(
    "SpecChanged",
    `${listOf(changes.map(formatSpecChange))}; only spec.resources.rpus may change${more}; ${wayOut(manifest, taken)}`,
  );
}

/** Ready to paste. */
function wayOut(changed: JobManifest, taken: ReadonlySet<ResourceKey>): string {
  const { savepoint, job } = upgradeManifests(changed, taken);
  return `put it back; for what is different declare these two documents as well: ${savepoint} and ${job}`;
}

/** Once Ready an Artifact is immutable: jobs keep the bytes that they were started with. */
export function acceptanceOfArtifact(artifact: DesiredArtifact): Acceptance {
  const { record, declared } = artifact;
  if (declared.kind === "broken")
    return refused("ManifestBroken", "the manifest has problems, so the accepted spec stays in force; see summary.yaml");
  if (record?.status.sha256 === undefined) return ACCEPTED;
  if (declared.kind === "absent")
    return refused("ManifestGone", "the manifest is gone, and Jobs use it; it stays until they are gone");
  if (canonicalJson(declared.manifest.spec) !== canonicalJson(record.spec)) {
    return refused(
      "SpecChanged",
      "a Ready Artifact is immutable; put the manifest back, and declare an Artifact with a new name for what is different",
    );
  }
  const { bytes } = record.status;
  if (bytes !== undefined && artifact.entry?.kind === "file" && artifact.entry.blob !== bytes.blob) {
    return refused(
      "ContentChanged",
      `the file at the source was changed; a Ready Artifact is immutable, so its Jobs keep the bytes of commit ${bytes.commit.slice(0, 12)}`,
    );
  }
  return ACCEPTED;
}

/** Whether the record's spec is the one that its job was started with; an adopted job's may not be. */
export function isSpecOf(record: JobRecord): boolean {
  return specDigits(record.spec) === runningSpecDigits(record);
}

function runningSpecDigits(record: JobRecord): string | undefined {
  return parseFlinkJobId(ownOperation(record.status)?.flinkJobId ?? record.status.flinkJobId ?? "")?.spec;
}

function refused(reason: Reason, message: string): Acceptance {
  return { status: "False", reason, message };
}
