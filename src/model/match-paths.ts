import { matchesGlob } from "node:path/posix";

/**
 * Whether a path of the repository is one of those that `repository.paths` names: globs as in a shell, counted from the repository's
 * root. As there, `*` and `**` leave out names that begin with a dot, so `.github/workflows/x.yaml` is somebody else's.
 */
export function matchesPaths(path: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => matchesGlob(path, pattern.replace(/^\.?\//, "")));
}
