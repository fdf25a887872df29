import type { Problem } from "../common/problem.ts";
import { shownPath } from "../common/text.ts";

/** What may lie at a path that `repository.paths` matches and is no file that can be read. */
export type OtherEntry = "symlink" | "submodule" | "lfs-pointer" | "too-large" | "unreadable-name";

const SENTENCES: Readonly<Record<OtherEntry, string>> = {
  symlink:
    "this is a symbolic link, and links are not followed; put the file itself here, or leave the link out of the configured paths",
  submodule:
    "this is a submodule, and submodules are not read; put the files themselves here, or leave it out of the configured paths",
  "lfs-pointer":
    "this is a Git LFS pointer, and the manifest itself is not in the repository; take the file out of LFS (git lfs untrack, then add it again)",
  "too-large": "this file is larger than 1.0 MB; split it, or leave it out of the configured paths",
  "unreadable-name": "the name of this file is not UTF-8, or holds characters that no name should; rename it",
};

/** The problem of an entry that cannot be a manifest although it is named like one. `path` may hold any bytes: it is shown harmlessly. */
export function otherEntryProblem(path: string, entry: OtherEntry): Problem {
  return { file: shownPath(path), line: 1, column: 1, message: SENTENCES[entry] };
}
