import { parseTrailers, type Commit } from "./commit.ts";

const INSTANCE_TRAILER = "Penstock-Status";
const TREE_TRAILER = "Penstock-Status-Tree";

/** The message of a commit that mirrors the status into the manifests. `lines`: what it shows, at least one. */
export function buildMirrorMessage(instance: string, lines: readonly string[], tree: string): string {
  const first = lines[0] ?? "";
  const subject = lines.length > 1 ? `Status of ${first}, and ${lines.length - 1} more` : `Status of ${first}`;
  const body = lines.length > 1 ? `${lines.join("\n")}\n\n` : "";
  return `${subject}\n\n${body}${INSTANCE_TRAILER}: ${instance}\n${TREE_TRAILER}: ${tree}\n`;
}

/**
 * Whether a commit is such a mirror and nothing else. It names its own tree, so one that somebody has amended, squashed or picked onto other
 * files is not; nor is one with any other trailer, which is somebody's wish.
 */
export function isMirrorCommit({ message, tree, parents }: Pick<Commit, "message" | "tree" | "parents">): boolean {
  if (parents.length !== 1) return false;
  const trailers = parseTrailers(message);
  const [instance, named] = [trailers.get(INSTANCE_TRAILER.toLowerCase()), trailers.get(TREE_TRAILER.toLowerCase())];
  return trailers.size === 2 && instance?.length === 1 && named?.length === 1 && named[0] === tree;
}
