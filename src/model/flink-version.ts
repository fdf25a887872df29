import type { FlinkVersion } from "./manifest.ts";

/** The oldest version whose jobs can be configured one by one. */
export const OLDEST_FLINK_VERSION: FlinkVersion = "1.16";

export function isFlinkVersion(text: string): boolean {
  return /^[1-9]\d{0,2}\.(0|[1-9]\d{0,2})$/.test(text);
}

/** Compares two versions by number: 1.9 is older than 1.10. Negative when `a` is older. */
export function compareFlinkVersions(a: FlinkVersion, b: FlinkVersion): number {
  const [majorA = 0, minorA = 0] = a.split(".").map(Number);
  const [majorB = 0, minorB = 0] = b.split(".").map(Number);
  return majorA - majorB || minorA - minorB;
}

/** Whether `version` is `since` or newer. */
export function isAtLeast(version: FlinkVersion, since: FlinkVersion): boolean {
  return compareFlinkVersions(version, since) >= 0;
}
