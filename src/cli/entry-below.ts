import { lstat } from "node:fs/promises";
import { join } from "node:path";

/** What stands at a path below a folder. */
export type EntryBelow =
  | { readonly kind: "file"; readonly size: number }
  /** `at`: which part of the path it is. */
  | { readonly kind: "symlink"; readonly at: string }
  /** Also what is no file, or may not be looked at. */
  | { readonly kind: "none" };

/**
 * As Git would have it: no link is followed, not even one on the way, or a manifest could have any file of the machine looked into. `path` has
 * slashes and does not climb.
 */
export async function entryBelow(root: string, path: string): Promise<EntryBelow> {
  const parts = path.split("/");
  for (let depth = 1; depth <= parts.length; depth += 1) {
    const at = parts.slice(0, depth).join("/");
    let found;
    try {
      found = await lstat(join(root, at));
    } catch {
      return { kind: "none" }; // Missing or not to be read: for a manifest that names it, the same.
    }
    if (found.isSymbolicLink()) return { kind: "symlink", at };
    if (depth === parts.length && found.isFile()) return { kind: "file", size: found.size };
  }
  return { kind: "none" };
}
