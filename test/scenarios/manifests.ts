import { readFile } from "node:fs/promises";
import { TEST_JOB_CLASS, TEST_JOB_JAR } from "../support/test-job.ts";

export interface JobText {
  readonly project?: string;
  readonly zone?: string;
  readonly flinkVersion?: string;
  /** The Artifact's name; the Job's own when not given. */
  readonly artifact?: string;
  readonly entryClass?: string;
  readonly mainArgs?: readonly string[];
  readonly rpus?: number;
  readonly configuration?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Further lines below `spec`, each indented by two. */
  readonly spec?: string;
}

/** The manifest of a Job of the test job, with what the test is about. */
export function aJob(name: string, overrides: JobText = {}): string {
  const { project = "default", zone = "local", flinkVersion = "1.16", artifact = name, rpus = 2, spec = "" } = overrides;
  const { entryClass = TEST_JOB_CLASS, mainArgs, configuration = {}, annotations = {} } = overrides;
  const jarOptions = { entryClass, ...(mainArgs === undefined ? {} : { mainArgs }) };
  return `---
apiVersion: core/v1alpha1
kind: Job
zone: ${zone}
metadata: {name: ${name}, project: ${project}, annotations: ${JSON.stringify(annotations)}}
spec:
  flinkVersion: ${flinkVersion}
  artifactRef:
    name: ${artifact}
    jarOptions: ${JSON.stringify(jarOptions)}
  resources: {rpus: ${rpus}}
  configuration:${mapping(configuration)}
${spec}`;
}

/** The manifest of an Artifact; by default its jar is `jars/counter.jar` of the repository. */
export function anArtifact(name: string, source = "path: /jars/counter.jar", project = "default"): string {
  return `---
apiVersion: core/v1alpha1
kind: Artifact
zone: local
metadata: {name: ${name}, project: ${project}}
spec:
  type: Jar
  source: {${source}}
`;
}

/** The manifest of a Savepoint; `spec` in YAML's short form. */
export function aSavepoint(name: string, spec: string): string {
  return `---\napiVersion: core/v1alpha1\nkind: Savepoint\nzone: local\nmetadata: {name: ${name}, project: default}\nspec: ${spec}\n`;
}

/** The one of an upgrade. */
export function aFinalSavepoint(job: string, name = `${job}-final`): string {
  return aSavepoint(name, `{type: Final, finalOptions: {shutdownMethod: Graceful}, jobRef: {name: ${job}}}`);
}

/** A Job and its Artifact, and the jar of it: a commit that runs. */
export async function aRunningJob(
  name = "orders",
  overrides: JobText = {},
): Promise<Readonly<Record<string, string | Uint8Array>>> {
  return { [`${name}.yaml`]: anArtifact(name) + aJob(name, overrides), "jars/counter.jar": await counterJar() };
}

/** The small test job that `jobs-example` ships. */
export async function counterJar(): Promise<Uint8Array> {
  return readFile(TEST_JOB_JAR);
}

function mapping(entries: Readonly<Record<string, string>>): string {
  const lines = Object.entries(entries).map(([key, value]) => `\n    ${key}: ${value}`);
  return lines.length === 0 ? " {}" : lines.join("");
}
