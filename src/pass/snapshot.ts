import type { Problem } from "../common/problem.ts";
import type { Manifest } from "../model/manifest.ts";
import type { ResourceId, ResourceKey } from "../model/resource.ts";
import type { ResourceRecord, Summary } from "../model/status.ts";
import type { PathEntry } from "./desired.ts";

/** Everything that Git says at one moment: the manifests of one commit and the record of the status branch. */
export interface Snapshot {
  /** The newest commit that is not a mirror of the status. */
  readonly commit: string;
  readonly head: BranchHead;
  /** Changes when, and only when, something under the configured paths does, `status` blocks apart. */
  readonly manifestsDigest: string;
  readonly manifests: readonly Manifest[];
  /** Identities whose documents have problems. */
  readonly broken: readonly ResourceId[];
  readonly problems: readonly Problem[];
  /** Why nothing may count as deleted: a document whose identity cannot be read. */
  readonly deletionsHeld: string | undefined;
  readonly entryAt: (path: string) => PathEntry | undefined;
  /** Trailers of the commits since the newest applied one; names in lower case. */
  readonly trailers: ReadonlyMap<string, readonly string[]>;
  /**
   * The commit that the status was made with, where the branch as this process reads it does not have it: another daemon was shown more, or the
   * branch was set back while none ran.
   */
  readonly ahead: string | undefined;
  /** Why the commit is not known to be the newest: the repository could not be read. */
  readonly stale: string | undefined;
  /** Why the newest commit is not the one in force, where `repository.verify` refuses it. */
  readonly refused?: string;
  readonly status: StatusView;
}

/** Where the branch itself stands: at `commit`, or at a mirror of the status on top of it. */
export interface BranchHead {
  readonly oid: string;
  /** With the `status` blocks that stand there; otherwise those of `commit`. */
  readonly manifests: readonly Manifest[];
  /** The blob of a file that lies there. */
  readonly blobAt: (path: string) => string | undefined;
}

/** The status branch, as it was read or as this process last wrote it. */
export interface StatusView {
  /** Undefined: the branch does not exist. */
  readonly head: string | undefined;
  readonly files: ReadonlyMap<string, string>;
  readonly records: ReadonlyMap<ResourceKey, ResourceRecord>;
  /** Resources whose file cannot be understood; nothing is done with them until it can. */
  readonly unreadable: ReadonlyMap<ResourceKey, Problem>;
  readonly summary: Summary | undefined;
  /** The branch was deleted or set back under our hands: `records` are what this process remembers, and all of them are written again. */
  readonly rewrite: boolean;
}
