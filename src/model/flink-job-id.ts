import { canonicalJson, sha256Hex } from "../common/hash.ts";
import { specDigits } from "./canonical-spec.ts";
import type { JobSpec } from "./manifest.ts";
import type { ResourceId } from "./resource.ts";

/** The parts of a Flink job id of ours: `[6: instance][12: zone/project/name][6: immutable spec][8: attempt]`, in hex digits. */
export interface FlinkJobIdParts {
  readonly instance: string;
  readonly resource: string;
  readonly spec: string;
  readonly attempt: number;
}

const MAX_ATTEMPT = 0xffff_ffff;

/** The id of one attempt. The same inputs always give the same id, so that a restarted daemon knows its jobs again. */
export function flinkJobId(parts: {
  readonly instance: string;
  readonly id: ResourceId;
  readonly spec: JobSpec;
  readonly attempt: number;
}): string {
  const { instance, id, spec, attempt } = parts;
  if (!Number.isInteger(attempt) || attempt < 1 || attempt > MAX_ATTEMPT)
    throw new RangeError(`attempt ${attempt} is not a number of an attempt`);
  return instanceDigits(instance) + resourceDigits(id) + specDigits(spec) + attempt.toString(16).padStart(8, "0");
}

/** The parts of an id, whoever gave it; undefined when it is no Flink job id. `isOurs` tells whether they mean anything. */
export function parseFlinkJobId(flinkJobIdText: string): FlinkJobIdParts | undefined {
  const match = /^([0-9a-f]{6})([0-9a-f]{12})([0-9a-f]{6})([0-9a-f]{8})$/.exec(flinkJobIdText);
  if (match === null) return undefined;
  return { instance: match[1]!, resource: match[2]!, spec: match[3]!, attempt: Number.parseInt(match[4]!, 16) };
}

/** Counted from 1; 0 for what is no Flink job id of ours. */
export function attemptOf(flinkJobIdText: string): number {
  return parseFlinkJobId(flinkJobIdText)?.attempt ?? 0;
}

/** Whether a Flink job was started by this instance, now or before a restart. What is not ours is never touched. */
export function isOurs(flinkJobIdText: string, instance: string): boolean {
  return parseFlinkJobId(flinkJobIdText)?.instance === instanceDigits(instance);
}

/** Whether a Flink job of ours was started with this spec (rpus apart). */
export function isSpecOf(flinkJobIdText: string, spec: JobSpec): boolean {
  return parseFlinkJobId(flinkJobIdText)?.spec === specDigits(spec);
}

/** 6 digits: what the ids of one instance begin with. */
export function instanceDigits(instance: string): string {
  return sha256Hex(canonicalJson(["instance", instance])).slice(0, 6);
}

/** 12 digits: what the ids of one Job have in common. */
export function resourceDigits(id: ResourceId): string {
  return sha256Hex(canonicalJson(["job", id.zone, id.project, id.name])).slice(0, 12);
}
