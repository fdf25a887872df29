import type { Log } from "../common/log.ts";
import type { RemoteHead } from "../git/remote-branch.ts";

/** So many places where the branch stood are remembered. */
const MAX_PASSED = 100;

/**
 * Where the branch stands, by answers that may come out of order, from a server whose replicas lag or past a push of ours: that it stands again where
 * it stood before is believed when two answers in a row say so.
 */
export class BranchPosition {
  readonly #log: Log;
  #head: RemoteHead | undefined;
  /** Where the branch stood before, oldest first, and where it would have gone back to by the last answer. */
  #passed: readonly string[] = [];
  #backAt: string | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Undefined: nobody has said yet. */
  get head(): RemoteHead | undefined {
    return this.#head;
  }

  isAt(oid: string): boolean {
    return this.#head?.kind === "at" && this.#head.oid === oid;
  }

  /** What the server says. "doubted": not believed yet. */
  note(head: RemoteHead): "moved" | "same" | "doubted" {
    if (this.#seemsToGoBack(head)) return "doubted";
    const moved = describeHead(head) !== describeHead(this.#head);
    this.#moveTo(head);
    if (moved && head.kind === "at") this.#log.debug({ commit: head.oid }, "branch moved");
    return moved ? "moved" : "same";
  }

  /** This process pushed, so it stands there. */
  wrote(oid: string): void {
    this.#moveTo({ kind: "at", oid });
  }

  #seemsToGoBack(head: RemoteHead): boolean {
    const goesBack = head.kind === "at" && !this.isAt(head.oid) && this.#passed.includes(head.oid) && this.#backAt !== head.oid;
    this.#backAt = goesBack ? head.oid : undefined;
    if (goesBack) this.#log.debug({ commit: head.oid }, "branch seems to be set back; it is asked once more");
    return goesBack;
  }

  #moveTo(head: RemoteHead): void {
    const before = this.#head;
    if (before?.kind === "at" && head.kind === "at" && before.oid !== head.oid)
      this.#passed = [...this.#passed, before.oid].slice(-MAX_PASSED);
    this.#head = head;
  }
}

function describeHead(head: RemoteHead | undefined): string {
  return head?.kind === "at" ? head.oid : (head?.kind ?? "");
}
