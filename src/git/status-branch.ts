import type { Log } from "../common/log.ts";
import { buildCommit } from "./commit.ts";
import { GitAuthError, GitCommitGoneError, GitTooLargeError, GitUnreachableError } from "./errors.ts";
import type { GitTransport } from "./http-transport.ts";
import { Mutex } from "./mutex.ts";
import { NewObjects } from "./new-objects.ts";
import { ObjectStore } from "./object-store.ts";
import { readPushCapabilities, sendPush, type Push, type PushReport } from "./push.ts";
import { readFiles } from "./read-files.ts";
import { readRemoteBranch } from "./remote-branch.ts";
import { applyChanges, hasFolder, isPlainPath, readStatusFolder, type FileChanges, type StatusFolder } from "./status-tree.ts";

export interface StatusSnapshot {
  /** Undefined: there is no such branch, looked at twice. */
  readonly head: string | undefined;
  /** Text by path. What is not UTF-8, too large, or no plain file is left out, and left alone by `write`. */
  readonly files: ReadonlyMap<string, string>;
  /** When the head was committed; undefined without one. */
  readonly committedAtMs: number | undefined;
}

/** What was read, and how it stands to what this process read or wrote before. */
export interface StatusRead extends StatusSnapshot {
  /** False when the branch was deleted or set back since: something that was there is not in its history any more. */
  readonly descends: boolean;
}

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
  /** The branch stands elsewhere by now: read it again. Nothing was changed. */
  | { readonly kind: "conflict" }
  /** The server does not want it: rights, a protected branch, a hook. Asking again does not help by itself. */
  | { readonly kind: "refused"; readonly because: string };

type PushOutcome = "written" | Exclude<WriteResult, { readonly kind: "written" }>;

/** What is known of one head: the files as text, and the trees to build the next commit from. */
interface Known {
  readonly snapshot: StatusSnapshot;
  readonly root: StatusFolder | undefined;
}

interface KnownText {
  readonly blob: string;
  readonly text: string | undefined;
}

const EMPTY: Known = { snapshot: { head: undefined, files: new Map(), committedAtMs: undefined }, root: undefined };
/** So many commits may others have put on top of ours before the branch counts as set back. */
const MAX_FOREIGN_COMMITS = 500;
const MAX_FILE_BYTES = 4 * 1024 ** 2;

/** The branch that holds the status: read whole, written by compare-and-swap. Calls wait for each other. */
export class StatusBranch {
  readonly #transport: GitTransport;
  readonly #branch: string;
  readonly #log: Log;
  readonly #store: ObjectStore;
  readonly #mutex = new Mutex();
  #known: Known = EMPTY;
  /** What this process last wrote, or read as a descendant of it. */
  #lastHead: string | undefined;
  /** Texts of the last head that was read from the server, by path. */
  #texts: ReadonlyMap<string, KnownText> = new Map();
  #capabilities: readonly string[] | undefined;

  constructor(settings: { readonly transport: GitTransport; readonly branch: string }, deps: { readonly log: Log }) {
    this.#transport = settings.transport;
    this.#branch = settings.branch;
    this.#log = deps.log;
    this.#store = new ObjectStore(settings.transport, settings.branch, deps.log);
  }

  /** Where the branch stands on the server, undefined when there is none: one small question, whatever else goes on here. */
  async readHead(signal: AbortSignal): Promise<string | undefined> {
    const branch = await readRemoteBranch(this.#transport, this.#branch, signal);
    return branch.kind === "at" ? branch.oid : undefined;
  }

  /** One small question to the server while the branch stands where it stood. */
  async read(signal: AbortSignal): Promise<StatusRead> {
    return this.#mutex.run(async () => {
      signal.throwIfAborted();
      const before = this.#lastHead;
      const head = await this.readHead(signal);
      const { snapshot } = await this.#know(head, signal);
      const descends =
        before === undefined || before === head || (head !== undefined && (await this.#isBehind(before, head, signal)));
      // Otherwise it stays as it was, so that a loss is told until the branch is written again.
      if (descends) this.#lastHead = head;
      return { ...snapshot, descends };
    });
  }

  /** Whether `ancestor` is in the history of `head`, which is fetched as far as it takes. */
  async #isBehind(ancestor: string, head: string, signal: AbortSignal): Promise<boolean> {
    if (await this.#reaches(head, ancestor)) return true;
    await this.#store.deepen(head, MAX_FOREIGN_COMMITS, signal);
    return this.#reaches(head, ancestor);
  }

  async #reaches(head: string, ancestor: string): Promise<boolean> {
    const seen = new Set<string>();
    const waiting = [head];
    for (let oid = waiting.pop(); oid !== undefined && seen.size <= MAX_FOREIGN_COMMITS; oid = waiting.pop()) {
      if (oid === ancestor) return true;
      seen.add(oid);
      waiting.push(...((await this.#store.findCommit(oid))?.parents ?? []).filter((parent) => !seen.has(parent)));
    }
    return false;
  }

  /**
   * One commit with `changes` on `expectedHead`, or the first of an orphan branch. Changes that change nothing make no commit. When the
   * answer is lost, the branch itself is asked whether the commit arrived; an error means that it had not, or that nobody can tell.
   */
  async write(write: StatusWrite, signal: AbortSignal): Promise<WriteResult> {
    for (const path of write.changes.keys()) {
      if (!isPlainPath(path)) throw new TypeError(`no path for the status branch: ${JSON.stringify(path)}`);
    }
    return this.#mutex.run(async () => {
      signal.throwIfAborted();
      const before = await this.#knowExpected(write.expectedHead, signal);
      return before === undefined ? { kind: "conflict" } : this.#writeOn(before, write, signal);
    });
  }

  async #writeOn(before: Known, write: StatusWrite, signal: AbortSignal): Promise<WriteResult> {
    const objects = new NewObjects();
    const root = applyChanges(before.root, write.changes, objects);
    if (write.expectedHead !== undefined && root.oid === before.root?.oid) {
      return { kind: "written", head: write.expectedHead, snapshot: before.snapshot };
    }
    const { message, author, nowMs } = write;
    const head = objects.add("commit", buildCommit({ tree: root.oid, parent: write.expectedHead, message, author, nowMs }));
    const push = { branch: this.#branch, expected: write.expectedHead, head, pack: objects.buildPack() };
    const outcome = await this.#push(push, signal);
    if (outcome !== "written") return outcome;
    const snapshot = { head, files: applyToFiles(before, write.changes), committedAtMs: nowMs };
    this.#known = { snapshot, root };
    this.#lastHead = head;
    await this.#store.adopt(head, write.expectedHead, objects.buildLoose());
    return { kind: "written", head, snapshot };
  }

  async #push(push: Push, signal: AbortSignal, isRepeated = false): Promise<PushOutcome> {
    let report: PushReport;
    try {
      this.#capabilities ??= await readPushCapabilities(this.#transport, signal);
      report = await sendPush(this.#transport, push, this.#capabilities, signal);
    } catch (error) {
      if (error instanceof GitAuthError && error.data.status === 403) return { kind: "refused", because: error.message };
      const settled = await this.#settle(push, error, signal);
      if (settled !== "not-done") return settled;
      // A kept connection that the server had given up. Should the first push be done all the same, the server's lock refuses this one.
      const isStale = error instanceof GitUnreachableError && error.data.connectionLost;
      if (isStale && !isRepeated) return this.#push(push, signal, true);
      throw error;
    }
    if (report.kind === "accepted") return "written";
    // Servers have many words for "it stands elsewhere by now", so the branch is asked and not the text.
    const now = await this.readHead(signal);
    if (now === push.head) return "written";
    return now === push.expected ? { kind: "refused", because: report.because } : { kind: "conflict" };
  }

  /** After an error nobody knows whether the push was done, so the branch is asked. "Not done" may still change while the server is at it. */
  async #settle(push: Push, error: unknown, signal: AbortSignal): Promise<PushOutcome | "not-done"> {
    this.#capabilities = undefined; // The server may be another one by now.
    signal.throwIfAborted();
    this.#log.debug({ err: error }, "no answer to a push; looking whether it arrived");
    let now: string | undefined;
    try {
      now = await this.readHead(signal);
    } catch (lookError) {
      this.#log.debug({ err: lookError }, "cannot look whether the push arrived");
      throw error;
    }
    if (now === push.head) return "written";
    return now === push.expected ? "not-done" : { kind: "conflict" };
  }

  async #knowExpected(head: string | undefined, signal: AbortSignal): Promise<Known | undefined> {
    try {
      return await this.#know(head, signal);
    } catch (error) {
      if (error instanceof GitCommitGoneError) return undefined;
      throw error;
    }
  }

  async #know(head: string | undefined, signal: AbortSignal): Promise<Known> {
    if (head === undefined) return EMPTY;
    if (this.#known.snapshot.head === head) return this.#known;
    const { tree, committedAtMs } = await this.#store.ensureCommit(head, signal);
    const files = await this.#readTexts(tree, signal);
    const root = await readStatusFolder(tree, (oid) => this.#store.readTree(oid));
    this.#known = { snapshot: { head, files, committedAtMs }, root };
    return this.#known;
  }

  async #readTexts(tree: string, signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
    const listing = await readFiles(tree, (oid) => this.#store.readTree(oid), new Map(), this.#transport.publicUrl);
    const texts = new Map<string, KnownText>();
    const files = new Map<string, string>();
    let bytes = 0;
    for (const { path, kind, blob, readableName } of listing.files) {
      if (kind !== "file" || !readableName) continue;
      signal.throwIfAborted();
      const known = this.#texts.get(path);
      const text = known?.blob === blob ? known.text : decode(await this.#store.readBlob(blob));
      texts.set(path, { blob, text });
      if (text === undefined) continue;
      files.set(path, text);
      bytes += text.length;
      if (bytes > this.#transport.maxPackBytes)
        throw new GitTooLargeError(this.#transport.publicUrl, `the branch ${this.#branch}`);
    }
    this.#texts = texts;
    return files;
  }
}

function applyToFiles(before: Known, changes: FileChanges): ReadonlyMap<string, string> {
  const after = new Map(before.snapshot.files);
  for (const [path, text] of changes) {
    if (text === undefined) {
      after.delete(path);
      continue;
    }
    // What the new file takes the place of: files where its folders are now, and what was in a folder of its name.
    for (let slash = path.indexOf("/"); slash >= 0; slash = path.indexOf("/", slash + 1)) after.delete(path.slice(0, slash));
    if (hasFolder(before.root, path)) {
      for (const below of after.keys()) if (below.startsWith(`${path}/`)) after.delete(below);
    }
    after.set(path, text);
  }
  return after;
}

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Undefined for what is not UTF-8, or far larger than any status. */
function decode(content: Buffer): string | undefined {
  if (content.byteLength > MAX_FILE_BYTES) return undefined;
  try {
    return UTF8.decode(content);
  } catch {
    return undefined; // Not UTF-8: somebody else's file.
  }
}
