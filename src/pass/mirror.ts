import type { Clock } from "../common/clock.ts";
import { messageOf } from "../common/errors.ts";
import type { Log } from "../common/log.ts";
import { retryDelayMs } from "../common/retry-delay.ts";
import { oneLine } from "../common/text.ts";
import type { Config } from "../config/config.ts";
import { GitAuthError } from "../git/errors.ts";
import type { ManifestBranch } from "../git/manifest-branch.ts";
import { buildMirrorMessage } from "../git/mirror-commit.ts";
import { mirrorIntoFile } from "../model/mirror-status.ts";
import type { ResourceKey } from "../model/resource.ts";
import type { MirrorEdit } from "./plan-mirror.ts";
import { MAX_MANIFEST_BYTES } from "./read-manifests.ts";
import type { SnapshotReader } from "./read-snapshot.ts";
import type { BranchHead } from "./snapshot.ts";

export interface MirrorDeps {
  readonly manifests: ManifestBranch;
  readonly reader: SnapshotReader;
  readonly config: Pick<Config, "instance" | "repository" | "status">;
  readonly clock: Clock;
  readonly log: Log;
  readonly wake: () => void;
}

/** Why a document is left as it is, for as long as its file stays what it was. */
interface Left {
  readonly blob: string | undefined;
  readonly because: string;
}

type Outcome =
  | { readonly kind: "written"; readonly head: string; readonly edits: readonly MirrorEdit[] }
  /** Somebody pushed in between: it is made again on their commit. */
  | { readonly kind: "conflict" }
  | { readonly kind: "nothing-to-write" }
  /** The branch is not ours to write. A person has to know. */
  | { readonly kind: "refused"; readonly because: string }
  | { readonly kind: "failed"; readonly because: string };

const RETRY = { baseMs: 5000, maxMs: 600_000 };

/**
 * Writes the status into the manifests on their branch, in the background and one commit at a time: a branch that cannot be written holds up
 * nothing else. What it does not get done is planned again by the next pass.
 */
export class Mirror {
  readonly #deps: MirrorDeps;
  readonly #abort = new AbortController();
  readonly #left = new Map<ResourceKey, Left>();
  #running: Promise<void> | undefined;
  #failures = 0;
  #notBeforeMs = 0;
  #refused: string | undefined;
  #said: string | undefined;
  /** Whether it has found out if the branch can be written. */
  #isKnown = false;

  constructor(deps: MirrorDeps) {
    this.#deps = deps;
  }

  /** Why some manifests do not show their status; undefined as long as this process does not know. */
  trouble(): readonly string[] | undefined {
    if (!this.#isKnown) return undefined;
    return [...(this.#refused === undefined ? [] : [this.#refused]), ...[...this.#left.values()].map(({ because }) => because)];
  }

  isBusy(): boolean {
    return this.#running !== undefined;
  }

  /** Sets going what the pass has planned for the branch as it was read, unless a push is under way or has to wait. */
  start(edits: readonly MirrorEdit[], head: BranchHead): void {
    if (this.#running !== undefined || !this.#deps.reader.isAt(head.oid)) return;
    this.#forgetLeft(edits, head);
    const open = edits.filter(({ key }) => !this.#left.has(key));
    if (open.length === 0) {
      this.#isKnown = true;
      this.#refused = undefined;
      return;
    }
    if (this.#deps.clock.now() < this.#notBeforeMs) return;
    this.#running = this.#run(open, head).finally(() => {
      this.#running = undefined;
    });
  }

  /** Ends a push that is under way. */
  async close(): Promise<void> {
    this.#abort.abort();
    await this.#running;
  }

  #forgetLeft(edits: readonly MirrorEdit[], head: BranchHead): void {
    const planned = new Map(edits.map(({ key, path }) => [key, head.blobAt(path)]));
    for (const [key, { blob }] of this.#left) if (planned.get(key) !== blob) this.#left.delete(key);
  }

  async #run(edits: readonly MirrorEdit[], head: BranchHead): Promise<void> {
    const { signal } = this.#abort;
    const outcome = await this.#mirror(edits, head, signal);
    if (signal.aborted) return;
    this.#settle(outcome);
    if (outcome.kind !== "conflict") return;
    await this.#deps.reader.poll(signal).catch(() => undefined); // it throws for the signal alone, and then nobody waits
    this.#deps.wake();
  }

  async #mirror(edits: readonly MirrorEdit[], head: BranchHead, signal: AbortSignal): Promise<Outcome> {
    const { manifests, config, clock } = this.#deps;
    try {
      const changes = await this.#editFiles(edits, head, signal);
      const done = edits.filter(({ key }) => !this.#left.has(key));
      if (changes.size === 0) return { kind: "nothing-to-write" };
      const lines = done.map(({ because }) => because);
      const message = (tree: string): string => buildMirrorMessage(config.instance, lines, tree);
      const { author } = config.status;
      const written = await manifests.write(
        { expectedHead: head.oid, changes, message, author, nowMs: clock.now() },
        AbortSignal.any([signal, AbortSignal.timeout(2 * config.repository.timeoutMs)]),
      );
      return written.kind === "written" ? { ...written, edits: done } : written;
    } catch (error) {
      // The push may have arrived all the same; then the poll finds the branch moved, and nothing is left to mirror.
      const because = oneLine(messageOf(error), 300);
      return { kind: error instanceof GitAuthError ? "refused" : "failed", because };
    }
  }

  /** New contents by path. What a file cannot take is noted in `#left`. */
  async #editFiles(
    edits: readonly MirrorEdit[],
    head: BranchHead,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, Uint8Array>> {
    const changes = new Map<string, Uint8Array>();
    for (const [path, ofFile] of Map.groupBy(edits, (edit) => edit.path)) {
      const blob = head.blobAt(path);
      const read = blob === undefined ? undefined : await this.#deps.manifests.readBlob(blob, MAX_MANIFEST_BYTES, signal);
      if (blob === undefined || read?.kind !== "read") continue; // it was read a moment ago, so the next pass has another head
      const statuses = new Map(ofFile.map(({ key, status }) => [key, status]));
      const { content, left } = mirrorIntoFile({ path, blob, content: read.content }, statuses);
      for (const [key, because] of left) this.#leave(key, { blob, because: `no status is mirrored here: ${because}` });
      if (content !== read.content) changes.set(path, content);
    }
    return changes;
  }

  #leave(key: ResourceKey, left: Left): void {
    this.#left.set(key, left);
    this.#deps.log.info({ because: left.because }, "a manifest cannot show its status");
  }

  #settle(outcome: Outcome): void {
    const { clock, log, reader, config } = this.#deps;
    this.#isKnown ||= outcome.kind !== "conflict" && outcome.kind !== "failed";
    if (outcome.kind === "refused" || outcome.kind === "failed") {
      this.#failures += 1;
      this.#notBeforeMs = clock.now() + retryDelayMs(this.#failures, RETRY, () => clock.random());
      if (this.#said === undefined)
        log.warn({ because: outcome.because }, "status cannot be mirrored into the manifests; it is tried again");
      this.#said ??= outcome.because;
      // The first reason stands until it works: one that changes with each try would be a commit of the status each time.
      if (outcome.kind === "refused")
        this.#refused ??= `the status cannot be mirrored into the branch ${config.repository.branch}: ${outcome.because}; let the daemon's account push to it, or set status.target: branch`;
      return;
    }
    if (outcome.kind === "conflict") return;
    this.#failures = 0;
    this.#notBeforeMs = 0;
    this.#said = undefined;
    this.#refused = undefined;
    if (outcome.kind !== "written") return;
    reader.wroteHead(outcome.head);
    for (const { because } of outcome.edits)
      log.info({ commit: outcome.head, change: because }, "status mirrored into its manifest");
  }
}
