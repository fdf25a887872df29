import { canonicalJson } from "../common/hash.ts";
import { countOf } from "../common/text.ts";
import { formatProblem } from "../common/problem.ts";
import { findCondition } from "../model/conditions.ts";
import type { Manifest } from "../model/manifest.ts";
import { displayName, resourceKey, siblingKey, type ResourceKey } from "../model/resource.ts";
import type { JobRecord } from "../model/status.ts";
import type { CommitStatus } from "../forge/forge.ts";
import { HELD } from "./job-action.ts";
import type { DonePass } from "../pass/reconcile.ts";

export type Verdict = Pick<CommitStatus, "state" | "description">;

/** What does not pass by waiting: the program or its manifest has to be changed. */
const FAILED: ReadonlySet<string> = new Set([
  ...HELD,
  "EntryClassMissing",
  "ProgramFailed",
  "ProgramStartsNoJob",
  "BadOption",
  "StateDoesNotFit",
  "SubmissionRefused",
  "StartFailed",
  "SecretUnusable",
]);

/** The Jobs that going from one set of manifests to the other touches: their own manifests, or what those name. Pure. */
export function touchedJobs(before: readonly Manifest[], after: readonly Manifest[]): ReadonlySet<ResourceKey> {
  const old = new Map(before.map((manifest) => [resourceKey(manifest.id), manifest]));
  const now = new Map(after.map((manifest) => [resourceKey(manifest.id), manifest]));
  const changed = new Set(
    [...new Set([...old.keys(), ...now.keys()])].filter((key) => contentOf(old.get(key)) !== contentOf(now.get(key))),
  );
  const touched = new Set<ResourceKey>();
  for (const manifest of [...now.values(), ...old.values()]) {
    const key = resourceKey(manifest.id);
    if (manifest.kind === "Savepoint" && changed.has(key) && manifest.spec.type !== "External")
      touched.add(siblingKey(manifest.id, "Job", manifest.spec.job));
    if (manifest.kind !== "Job") continue;
    if (changed.has(key) || changed.has(siblingKey(manifest.id, "Artifact", manifest.spec.artifact))) touched.add(key);
  }
  return touched;
}

/** Where it stands is no content. */
function contentOf(manifest: Manifest | undefined): string {
  if (manifest === undefined) return "";
  const { annotations } = manifest;
  return canonicalJson({ annotations, spec: manifest.kind === "Project" ? {} : manifest.spec });
}

/** Of a commit that a daemon before this one has seen: the Jobs whose spec was accepted with it, as far as the status tells. Pure. */
export function jobsAcceptedWith({ snapshot, update }: DonePass): ReadonlySet<ResourceKey> {
  const accepted = [...update.records].filter(
    ([, record]) => record.kind === "Job" && record.status.source.commit === snapshot.commit,
  );
  return new Set(accepted.map(([key]) => key));
}

/** Of the newest commit: a tree with problems fails, otherwise its Jobs tell. Pure. */
export function commitVerdict(pass: DonePass, touched: ReadonlySet<ResourceKey>): Verdict {
  const { problems } = pass.snapshot;
  const [problem] = problems;
  if (problem === undefined) return jobsVerdict(pass, touched);
  return { state: "failure", description: `${countOf(problems.length, "problem")}: ${formatProblem(problem)}` };
}

/** Success when every Job that a commit touches is as it should be and has its first checkpoint; failure with the reason. Pure. */
export function jobsVerdict({ desired, update }: DonePass, touched: ReadonlySet<ResourceKey>): Verdict {
  let waiting: string | undefined;
  for (const { key, id, declared } of desired.jobs) {
    if (!touched.has(key)) continue;
    const record = update.records.get(key);
    if (record?.kind !== "Job") continue; // forgotten, as it was declared
    const rpus = declared.kind === "declared" ? declared.manifest.spec.rpus : undefined;
    const found = judge(record, rpus);
    if (found === undefined) continue;
    const description = `${displayName(id)}: ${found.because}`;
    if (found.isFailure) return { state: "failure", description };
    waiting ??= description;
  }
  if (waiting !== undefined) return { state: "pending", description: waiting };
  return {
    state: "success",
    description: touched.size === 0 ? "no Job is touched" : `${countOf(touched.size, "Job")} as declared`,
  };
}

/** Undefined when it is as it should be; `rpus`: as declared, undefined when its manifest is gone. */
function judge(
  { status }: JobRecord,
  rpus: number | undefined,
): { readonly isFailure: boolean; readonly because: string } | undefined {
  if (status.deleted !== undefined) return rpus === undefined ? undefined : waits("its tombstone stands");
  const accepted = findCondition(status.conditions, "Accepted");
  if (rpus !== undefined && accepted?.status === "False") return { isFailure: true, because: accepted.message };
  const blocked = status.conditions.find(({ status: holds, reason }) => holds === "False" && FAILED.has(reason));
  const isDown = findCondition(status.conditions, "Suspended")?.status === "True" || status.flinkJobId === undefined;
  const isPut = rpus === 0 && isDown;
  if (blocked !== undefined && !isPut) return { isFailure: true, because: blocked.message };
  if (rpus === undefined) return waits("it is being deleted");
  if (isPut || status.finalized !== undefined || status.flinkJobState === "Finished") return undefined;
  if (status.phase !== "Ready" || status.requestedRpus !== rpus) {
    const missing = status.conditions.find(({ type, status: holds }) => holds === "False" && type !== "Recoverable");
    return waits(missing?.message ?? "it is not as declared yet");
  }
  const healthy = findCondition(status.conditions, "Healthy");
  if (healthy?.status !== "True") return waits(healthy?.message ?? "it is not healthy yet");
  const recoverable = findCondition(status.conditions, "Recoverable");
  const isYoung = status.checkpointed !== status.flinkJobId && recoverable?.reason !== "CheckpointingOff";
  return isYoung ? waits("its first checkpoint is not complete yet") : undefined;
}

function waits(because: string): { readonly isFailure: boolean; readonly because: string } {
  return { isFailure: false, because };
}
