import type { ArtifactSeen } from "../artifacts/artifact-store.ts";
import { classesToInspect, whyNotRunnable } from "../artifacts/entry-class.ts";
import type { JarContent } from "../artifacts/inspect-jar.ts";
import type { JarOptions, JobSpec } from "../model/manifest.ts";
import type { ResourceKey } from "../model/resource.ts";
import type { FrozenArtifact } from "../model/status.ts";
import type { DesiredArtifact, DesiredJob } from "./desired.ts";

/** Whether the jar that a Job names could be submitted now. `frozen` is what a start with it is announced with. */
export type ArtifactForJob =
  | { readonly kind: "ready"; readonly frozen: FrozenArtifact; readonly javaVersion: number | undefined }
  | { readonly kind: "not-ready"; readonly reason: ArtifactReason; readonly because: string };

export type ArtifactReason = "ArtifactMissing" | "ArtifactNotReady" | "EntryClassMissing";

export interface ArtifactsInView {
  readonly desired: ReadonlyMap<ResourceKey, DesiredArtifact>;
  readonly seen: ReadonlyMap<ResourceKey, ArtifactSeen>;
}

/** What the Job's own options say overrides the Artifact's; neither given, the jar's manifest decides. The class must be in the jar. */
export function artifactForJob(spec: JobSpec, key: ResourceKey, view: ArtifactsInView): ArtifactForJob {
  const artifact = view.desired.get(key);
  if (artifact === undefined || artifact.declared.kind === "absent") {
    return notReady(
      "ArtifactMissing",
      `waits for Artifact ${spec.artifact}: no such Artifact is declared in this zone and project`,
    );
  }
  const seen = view.seen.get(key);
  if (seen?.kind !== "ready") {
    const failure = seen?.kind === "failed" ? seen : seen?.kind === "downloading" ? seen.lastFailure : undefined;
    return notReady(
      "ArtifactNotReady",
      `waits for Artifact ${spec.artifact}${failure === undefined ? "" : `: ${failure.because}`}`,
    );
  }
  if (artifact.record?.status.sha256 !== undefined && artifact.record.status.sha256 !== seen.sha256) {
    return notReady("ArtifactNotReady", `waits for Artifact ${spec.artifact}: its bytes are not those that it became Ready with`);
  }
  const own = ownJarOptions(artifact);
  const entryClass = spec.jarOptions.entryClass ?? own?.entryClass ?? seen.inspection.mainClassOfManifest;
  const wrong = explainWrongClass(entryClass, seen.inspection);
  if (wrong !== undefined) return notReady("EntryClassMissing", `${wrong} (Artifact ${spec.artifact})`);
  if (entryClass !== undefined && classesToInspect(seen.inspection, [entryClass]).size > 0)
    return notReady("ArtifactNotReady", `waits for Artifact ${spec.artifact}: its class ${entryClass} is being looked into`);
  const jarOptions: JarOptions = {
    ...(entryClass === undefined ? {} : { entryClass }),
    mainArgs: spec.jarOptions.mainArgs ?? own?.mainArgs ?? [],
  };
  const frozen = { name: spec.artifact, sha256: seen.sha256, size: seen.size, jarOptions };
  return { kind: "ready", frozen, javaVersion: javaVersionOf(entryClass, seen.inspection) };
}

/** The classes that the Jobs of one Artifact want to run, each once, in a stable order. */
export function entryClassesFor(artifact: DesiredArtifact, jobs: readonly DesiredJob[]): readonly string[] {
  const classes = new Set<string>();
  const add = (entryClass: string | undefined): void => {
    if (entryClass !== undefined) classes.add(entryClass);
  };
  add(ownJarOptions(artifact)?.entryClass);
  for (const { artifactKey, declared, record } of jobs) {
    if (artifactKey !== artifact.key) continue;
    if (declared.kind === "declared") add(declared.manifest.spec.jarOptions.entryClass);
    add(record?.status.artifact?.jarOptions.entryClass);
  }
  return [...classes].sort();
}

function ownJarOptions({ declared, record }: DesiredArtifact): JarOptions | undefined {
  return declared.kind === "declared" ? declared.manifest.spec.jarOptions : record?.spec.jarOptions;
}

function javaVersionOf(entryClass: string | undefined, jar: JarContent): number | undefined {
  return entryClass === undefined ? undefined : jar.classes.get(entryClass)?.javaVersion;
}

/** The bytes that a start was announced with, whatever the Artifact has become since. */
export function announcedArtifact(frozen: FrozenArtifact, key: ResourceKey, view: ArtifactsInView): ArtifactForJob {
  const seen = view.seen.get(key);
  if (seen?.kind === "ready" && seen.sha256 === frozen.sha256)
    return { kind: "ready", frozen, javaVersion: javaVersionOf(frozen.jarOptions.entryClass, seen.inspection) };
  return notReady(
    "ArtifactNotReady",
    `waits for the bytes of Artifact ${frozen.name} that its start was announced with, sha256 ${frozen.sha256.slice(0, 12)}…`,
  );
}

function explainWrongClass(entryClass: string | undefined, jar: JarContent): string | undefined {
  if (entryClass !== undefined) return whyNotRunnable(jar, entryClass);
  return "no entry class is given and the jar's manifest names none; set spec.artifactRef.jarOptions.entryClass";
}

function notReady(reason: ArtifactReason, because: string): ArtifactForJob {
  return { kind: "not-ready", reason, because };
}
