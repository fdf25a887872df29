import type { Secret } from "../common/secrets.ts";
import type { FlinkVersion, JobSpec } from "../model/manifest.ts";
import { buildFlinkConfiguration, fillOption, optionExpectation } from "../model/options.ts";
import type { Reason } from "../model/reasons.ts";
import { fillSecrets, mentionsSecret, secretNames } from "../model/secret-references.ts";
import type { ArtifactForJob } from "./artifact-for-job.ts";
import type { DesiredArtifact, DesiredJob } from "./desired.ts";
import { secretKey, type SecretsSeen, type WantedSecret } from "./read-secrets.ts";

/** The secrets that a submission is made with, by name. */
export type SecretsOfJob = ReadonlyMap<string, { readonly value: Secret; readonly digest: string }>;

/** Whether a program could be submitted now, with all that its arguments and options name. */
export type ProgramForJob =
  | (ArtifactForJob & { readonly kind: "ready" } & { readonly secrets: SecretsOfJob })
  | { readonly kind: "not-ready"; readonly reason: Reason; readonly because: string };

/** The program with its secrets: none is missing, and none is a value that its option does not take. */
export function withSecrets(
  artifact: ArtifactForJob,
  job: { readonly project: string; readonly spec: JobSpec | undefined },
  seen: SecretsSeen,
): ProgramForJob {
  if (artifact.kind === "not-ready") return artifact;
  const { project, spec } = job;
  const secrets = new Map<string, { readonly value: Secret; readonly digest: string }>();
  for (const name of secretNames(textsOf(spec, artifact.frozen.jarOptions.mainArgs))) {
    const found = seen.get(secretKey({ project, name }));
    if (found?.kind === "read") secrets.set(name, found);
    else if (found?.kind !== "assumed") {
      const because = found?.because ?? "it was not looked for yet";
      return {
        kind: "not-ready",
        reason: "SecretMissing",
        because: `waits for secret ${name} of project ${project}: ${because}`,
      };
    }
  }
  const unusable = spec === undefined ? undefined : unusableOption(spec, secrets);
  if (unusable !== undefined) return { kind: "not-ready", reason: "SecretUnusable", because: unusable };
  return { ...artifact, secrets };
}

/** Says what would be right, and never what is there. */
function unusableOption({ configuration }: JobSpec, secrets: SecretsOfJob): string | undefined {
  for (const [key, text] of Object.entries(configuration)) {
    if (!mentionsSecret(text) || secretNames([text]).some((name) => !secrets.has(name))) continue; // none, or only assumed
    const expected = optionExpectation(key, fillOption(key, text, revealed(secrets)));
    if (expected !== undefined) return `with secret ${secretNames([text]).join(", ")}, the option ${key} ${expected}`;
  }
  return undefined;
}

/** Everything that a submission hides until the very call. */
interface Hidden {
  readonly mainArgs: readonly string[];
  readonly configuration: Readonly<Record<string, string>>;
  readonly secrets: SecretsOfJob;
}

/** Arguments and options as they are sent. The result holds the secrets in clear: it goes into the request and nowhere else. */
export function revealSecrets(
  { mainArgs, configuration, secrets }: Hidden,
  version: FlinkVersion,
): Pick<Hidden, "mainArgs" | "configuration"> {
  if (![...mainArgs, ...Object.values(configuration)].some((text) => text.includes("${secret:")))
    return { mainArgs, configuration };
  const values = revealed(secrets);
  const filled = Object.entries(configuration).map(([key, text]) => [key, fillOption(key, text, values)] as const);
  return {
    mainArgs: mainArgs.map((text) => fillSecrets(text, values)),
    configuration: buildFlinkConfiguration(Object.fromEntries(filled), version),
  };
}

function revealed(secrets: SecretsOfJob): ReadonlyMap<string, string> {
  return new Map([...secrets].map(([name, { value }]) => [name, value.reveal()]));
}

/** What the status shows of them, sorted by name; undefined when there are none. */
export function digestsOf(secrets: SecretsOfJob): Readonly<Record<string, string>> | undefined {
  if (secrets.size === 0) return undefined;
  const names = [...secrets.keys()].sort();
  return Object.fromEntries(names.map((name) => [name, secrets.get(name)!.digest]));
}

/** Every secret that any Job may be submitted with: as it is declared, and as it was accepted. */
export function wantedSecrets(desired: {
  readonly jobs: readonly DesiredJob[];
  readonly artifacts: readonly DesiredArtifact[];
}): readonly WantedSecret[] {
  const argsOf = new Map(
    desired.artifacts.map(({ key, declared, record }) => [
      key,
      [...((declared.kind === "declared" ? declared.manifest.spec : record?.spec)?.jarOptions.mainArgs ?? [])],
    ]),
  );
  return desired.jobs.flatMap(({ id, declared, record, artifactKey }) => {
    const inherited = artifactKey === undefined ? [] : (argsOf.get(artifactKey) ?? []);
    const texts = [
      ...textsOf(declared.kind === "declared" ? declared.manifest.spec : undefined, inherited),
      ...textsOf(record?.spec, record?.status.artifact?.jarOptions.mainArgs),
    ];
    return secretNames(texts).map((name) => ({ project: id.project, name }));
  });
}

function textsOf(spec: JobSpec | undefined, mainArgs: readonly string[] = []): readonly string[] {
  return [...Object.values(spec?.configuration ?? {}), ...(spec?.jarOptions.mainArgs ?? []), ...mainArgs];
}
