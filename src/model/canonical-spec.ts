import { canonicalJson, sha256Hex } from "../common/hash.ts";
import type { JobSpec } from "./manifest.ts";
import { canonicalConfiguration } from "./options.ts";

/** Goes up when the canonical form changes, so that hashes of different forms never look alike by accident. */
const FORMAT = 1;

/**
 * SHA-256 of all of a Job's spec that cannot change: everything but rpus, in one form for all ways to write it. Neither our defaults
 * nor the Artifact are in it, so a daemon with other defaults refuses nothing.
 */
export function jobSpecHash(spec: JobSpec): string {
  const { flinkVersion, artifact, jarOptions, configuration, initialState } = spec;
  const { entryClass, mainArgs } = jarOptions;
  const immutable = {
    flinkVersion,
    artifact,
    entryClass,
    mainArgs,
    configuration: canonicalConfiguration(configuration),
    initialState,
  };
  return sha256Hex(canonicalJson({ format: FORMAT, spec: immutable }));
}

/** The 6 digits of the hash that a Flink job id carries. */
export function specDigits(spec: JobSpec): string {
  return jobSpecHash(spec).slice(0, 6);
}
