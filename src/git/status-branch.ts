import { randomBytes } from "node:crypto";
import type { Log } from "../common/log.ts";
import type { GitWrite } from "../common/writing-calls.ts";
import { buildCommit } from "./commit.ts";
import { GitCommitGoneError } from "./errors.ts";
import type { GitTransport } from "./http-transport.ts";
import { NewObjects } from "./new-objects.ts";
import { Pusher, type PushOutcome } from "./pusher.ts";
import { StatusReader, type KnownStatus, type StatusSnapshot } from "./status-reader.ts";
import { applyChanges, hasFolder, isPlainPath, type FileChanges } from "./status-tree.ts";

export interface StatusWrite {
  /** The head that the changes were made for; undefined: no such branch. */
  readonly expectedHead: string | undefined;
  readonly changes: FileChanges;
  readonly message: string;
  readonly author: { readonly name: string; readonly email: string };
  readonly nowMs: number;
}

export type WriteResult =
  | { readonly kind: "written"; readonly head: string; readonly snapshot: StatusSnapshot }
  | Exclude<PushOutcome, { readonly kind: "written" }>;

/** Its value is of one daemon alone, so that two never make the same commit, of which either would think that it is its own. */
const WRITER_TRAILER = "Penstock-Writer";

/** A name for a daemon that no other one has. */
export function newWriter(): string {
  return randomBytes(6).toString("hex");
}

/** The branch that holds the status: read whole, written by compare-and-swap. Calls wait for each other. */
export class StatusBranch extends StatusReader {
  readonly #pusher: Pusher;
  readonly #writer: string;

  /** `writer` is a word by which nobody else writes: it stands in each commit. */
  constructor(
    settings: { readonly transport: GitTransport; readonly branch: string; readonly write: GitWrite; readonly writer: string },
    deps: { readonly log: Log },
  ) {
    super(settings, deps);
    this.#writer = settings.writer;
    this.#pusher = new Pusher(settings.transport, settings, deps.log);
  }

  /**
   * One commit with `changes` on `expectedHead`, or the first of an orphan branch. Changes that change nothing make no commit. When the
   * answer is lost, the branch itself is asked whether the commit arrived; an error means that it had not, or that nobody can tell.
   */
  async write(write: StatusWrite, signal: AbortSignal): Promise<WriteResult> {
    for (const path of write.changes.keys()) {
      if (!isPlainPath(path)) throw new TypeError(`no path for the status branch: ${JSON.stringify(path)}`);
    }
    return this.mutex.run(async () => {
      signal.throwIfAborted();
      const before = await this.#knowExpected(write.expectedHead, signal);
      return before === undefined ? { kind: "conflict" } : this.#writeOn(before, write, signal);
    });
  }

  async #writeOn(before: KnownStatus, write: StatusWrite, signal: AbortSignal): Promise<WriteResult> {
    const objects = new NewObjects();
    const root = applyChanges(before.root, write.changes, objects);
    if (write.expectedHead !== undefined && root.oid === before.root?.oid) {
      return { kind: "written", head: write.expectedHead, snapshot: before.snapshot };
    }
    const { author, nowMs } = write;
    const message = `${write.message.trimEnd()}\n\n${WRITER_TRAILER}: ${this.#writer}\n`;
    const head = objects.add("commit", buildCommit({ tree: root.oid, parent: write.expectedHead, message, author, nowMs }));
    const outcome = await this.#pusher.push({ expected: write.expectedHead, head, pack: objects.buildPack() }, signal);
    if (outcome.kind !== "written") return outcome;
    const { files, unreadable } = before.snapshot;
    const displaced = pathsInTheWay(before, write.changes);
    const snapshot = {
      head,
      files: applyToFiles(without(files, displaced), write.changes),
      unreadable: without(unreadable, displaced),
      committedAtMs: nowMs,
    };
    this.known = { snapshot, root };
    this.lastHead = head;
    await this.store.adopt(head, write.expectedHead, objects.buildLoose());
    return { kind: "written", head, snapshot };
  }

  async #knowExpected(head: string | undefined, signal: AbortSignal): Promise<KnownStatus | undefined> {
    try {
      return await this.know(head, signal);
    } catch (error) {
      if (error instanceof GitCommitGoneError) return undefined;
      throw error;
    }
  }
}

/** What new files take the place of: the old ones, those where their folders are now, and what was in a folder of their names. */
function pathsInTheWay({ root }: KnownStatus, changes: FileChanges): (path: string) => boolean {
  const places = new Set<string>();
  const folders: string[] = [];
  for (const [path, text] of changes) {
    if (text === undefined) {
      if (!hasFolder(root, path)) places.add(path);
      continue;
    }
    for (let slash = path.indexOf("/"); slash >= 0; slash = path.indexOf("/", slash + 1)) places.add(path.slice(0, slash));
    places.add(path);
    if (hasFolder(root, path)) folders.push(`${path}/`);
  }
  return (path) => places.has(path) || folders.some((folder) => path.startsWith(folder));
}

function without(texts: ReadonlyMap<string, string>, isGone: (path: string) => boolean): Map<string, string> {
  return new Map([...texts].filter(([path]) => !isGone(path)));
}

function applyToFiles(files: Map<string, string>, changes: FileChanges): ReadonlyMap<string, string> {
  for (const [path, text] of changes) if (text !== undefined) files.set(path, text);
  return files;
}
