import { readFile } from "node:fs/promises";
import { expect } from "vitest";
import { findCondition } from "../../src/model/conditions.ts";
import type { JobStatus } from "../../src/model/status.ts";
import { ZONE } from "./real-world.ts";

/** The small test job as manifests, and what it printed. */
export const ARTIFACT = `apiVersion: core/v1alpha1
kind: Artifact
zone: ${ZONE}
metadata: {name: counter, project: default}
spec: {type: Jar, source: {path: /jars/counter.jar}}
`;

export interface CounterOptions {
  readonly name?: string;
  /** The Artifact's name. */
  readonly artifact?: string;
  readonly out: string;
  /** Further lines of the spec. */
  readonly more?: string;
  /** Further arguments of the program. */
  readonly args?: readonly string[];
  readonly configuration?: Readonly<Record<string, string | number>>;
}

export function counterJob(
  version: string,
  rpus: number,
  { name = "counter", artifact = "counter", out, more = "", args = [], configuration = {} }: CounterOptions,
): string {
  const mainArgs = ["--rate", 200, "--out", out, ...args];
  const options = { "execution.checkpointing.interval": "500ms", ...configuration };
  return `apiVersion: core/v1alpha1
kind: Job
zone: ${ZONE}
metadata: {name: ${name}, project: default}
spec:
  flinkVersion: ${version}
  artifactRef: {jarOptions: {mainArgs: ${JSON.stringify(mainArgs)}}, name: ${artifact}}
  resources: {rpus: ${rpus}}
  configuration: ${JSON.stringify(options)}
${more}`;
}

export const isHealthy = (status: JobStatus): boolean =>
  status.flinkJobState === "Running" && findCondition(status.conditions, "Healthy")?.status === "True";

/** Healthy, and with a checkpoint of its own. */
export const isSettled = (status: JobStatus): boolean => isHealthy(status) && status.checkpointed === status.flinkJobId;

/** Number n of key 0 is its (n / 64 + 1)th: any other count says that state was lost or counted twice. */
export async function expectStateWasKept(out: string): Promise<void> {
  const lines = (await readFile(out, "utf8")).split("\n").map((line) => /^(\d+) (\d+)$/.exec(line));
  const counts = lines.filter((match) => match !== null).map((match) => [Number(match[1]), Number(match[2])] as const);
  expect(counts.length).toBeGreaterThan(0);
  for (const [number, count] of counts) expect(count).toBe(number / 64 + 1);
}
