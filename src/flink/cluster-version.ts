/** What a cluster says it runs, read from `1.16.3`, `2.3.0` or `1.20-SNAPSHOT`. */
export interface ClusterVersion {
  readonly major: number;
  readonly minor: number;
  /** 0 when the text has none. */
  readonly patch: number;
}

/** Undefined when the text does not start with `major.minor`. */
export function parseClusterVersion(text: string): ClusterVersion | undefined {
  const match = /^(\d{1,4})\.(\d{1,4})(?:\.(\d{1,6}))?(?![\d.])/.exec(text);
  return match === null ? undefined : { major: Number(match[1]), minor: Number(match[2]), patch: Number(match[3] ?? 0) };
}

/** `1.16` of `1.16.3`: what a Job's flinkVersion is compared with. Undefined when the text is no version. */
export function majorMinorOf(text: string): string | undefined {
  const version = parseClusterVersion(text);
  return version === undefined ? undefined : `${version.major}.${version.minor}`;
}

/** Negative, zero or positive, as `sort` wants it; a text that is no version is older than any. */
export function compareClusterVersions(a: string, b: string): number {
  const [x, y] = [parseClusterVersion(a), parseClusterVersion(b)];
  if (x === undefined || y === undefined) return Number(x !== undefined) - Number(y !== undefined);
  return x.major - y.major || x.minor - y.minor || x.patch - y.patch;
}

/** Before 1.17 a submission carries no configuration, so the launcher class has to bring it (FLINK-29543). */
export function supportsFlinkConfiguration(version: string): boolean {
  return isAtLeast(version, 1, 17);
}

/** In-place rescaling exists from 1.18 on; whether the cluster's scheduler can is its feature `webRescale`. */
export function supportsResourceRequirements(version: string): boolean {
  return isAtLeast(version, 1, 18);
}

/** What a submission calls the mode in which it takes over a savepoint (FLINK-34454). */
export function claimModeField(version: string): "restoreMode" | "claimMode" {
  return isAtLeast(version, 1, 20) ? "claimMode" : "restoreMode";
}

function isAtLeast(text: string, major: number, minor: number): boolean {
  const version = parseClusterVersion(text);
  if (version === undefined) return false;
  return version.major > major || (version.major === major && version.minor >= minor);
}
