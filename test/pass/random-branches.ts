import type { StatusView } from "../../src/pass/snapshot.ts";
import type { StatusUpdate } from "../../src/pass/build-status.ts";
import { EMPTY_BRANCH, push, type PassInput } from "./pass-driver.ts";
import type { RandomGit } from "./random-git.ts";

/** The branch with the manifests as a row of commits, and the one with the status: what each daemon may be shown late. */
export class RandomBranches {
  /** Every state of the manifests so far, the newest last. */
  readonly #commits: Pick<PassInput, "manifests" | "broken" | "snapshot">[] = [];
  #status: StatusView = EMPTY_BRANCH;
  #written = 0;

  get status(): StatusView {
    return this.#status;
  }

  /** How many commits the status branch has. */
  get statusCommits(): number {
    return this.#written;
  }

  get newest(): number {
    return this.#commits.length - 1;
  }

  /** What people have declared by now, when it is another thing than before. */
  commit(git: RandomGit): void {
    const { manifests, broken } = git.manifests();
    const number = this.#commits.length;
    const snapshot = {
      commit: commitId(number),
      manifestsDigest: `digest-${number}`,
      deletionsHeld: git.deletionsHeld ? "held" : undefined,
      trailers: new Map(git.allowsDeletions ? [["penstock-allow-deletions", ["9"]]] : []),
    };
    this.#commits.push({ manifests, broken, snapshot });
  }

  at(number: number): Pick<PassInput, "manifests" | "broken" | "snapshot"> {
    return this.#commits[number]!; // only numbers up to the newest are asked for
  }

  /** By compare-and-swap: false when somebody else was quicker. */
  push(read: StatusView, update: StatusUpdate): boolean {
    if (read !== this.#status) return false;
    this.#written += 1;
    // A commit without changes is one all the same.
    this.#status = { ...push(read, update, commitId(this.#written), read), head: commitId(this.#written) };
    return true;
  }

  /** The number of the commit that the status was made with. */
  appliedIn({ summary }: StatusView): number {
    return summary === undefined ? 0 : Number.parseInt(summary.appliedCommit, 16);
  }
}

function commitId(number: number): string {
  return number.toString(16).padStart(40, "0");
}
