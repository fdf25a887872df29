import type { Log } from "../common/log.ts";
import { GitTooLargeError } from "./errors.ts";
import type { GitTransport } from "./http-transport.ts";
import { Mutex } from "./mutex.ts";
import { ObjectStore } from "./object-store.ts";
import { readFiles } from "./read-files.ts";
import { readRemoteBranch } from "./remote-branch.ts";
import { readStatusFolder, type StatusFolder } from "./status-tree.ts";
import { MAX_STATUS_FILE_BYTES } from "../model/status-document.ts";
import { formatSize } from "../common/units.ts";

export interface StatusSnapshot {
  /** Undefined: there is no such branch, looked at twice. */
  readonly head: string | undefined;
  /** Text by path. */
  readonly files: ReadonlyMap<string, string>;
  /** Why what stands at a path is no text that can be read. It is left alone by `write`, unless that puts a file in its place. */
  readonly unreadable: ReadonlyMap<string, string>;
  /** When the head was committed; undefined without one. */
  readonly committedAtMs: number | undefined;
}

/** What was read, and how it stands to what this process read or wrote before. */
export interface StatusRead extends StatusSnapshot {
  /** False when the branch was deleted or set back since: something that was there is not in its history any more. */
  readonly descends: boolean;
}

/** What is known of one head: the files as text, and the trees to build the next commit from. */
export interface KnownStatus {
  readonly snapshot: StatusSnapshot;
  readonly root: StatusFolder | undefined;
}

type ReadText = { readonly text: string } | { readonly because: string };
type KnownText = ReadText & { readonly blob: string };
type StatusTexts = Pick<StatusSnapshot, "files" | "unreadable">;

const EMPTY: KnownStatus = {
  snapshot: { head: undefined, files: new Map(), unreadable: new Map(), committedAtMs: undefined },
  root: undefined,
};
/** So many commits may others have put on top of ours before the branch counts as set back. */
const MAX_FOREIGN_COMMITS = 500;

/** The branch that holds the status, read whole and never written: who is only to look is given this one. Calls wait for each other. */
export class StatusReader {
  protected readonly transport: GitTransport;
  protected readonly branch: string;
  protected readonly store: ObjectStore;
  protected readonly mutex = new Mutex();
  protected known: KnownStatus = EMPTY;
  /** What this process last wrote, or read as a descendant of it. */
  protected lastHead: string | undefined;
  /** Texts of the last head that was read from the server, by path. */
  #texts: ReadonlyMap<string, KnownText> = new Map();

  constructor(settings: { readonly transport: GitTransport; readonly branch: string }, deps: { readonly log: Log }) {
    this.transport = settings.transport;
    this.branch = settings.branch;
    this.store = new ObjectStore(settings.transport, settings.branch, deps.log);
  }

  /** Where the branch stands on the server, undefined when there is none: one small question, whatever else goes on here. */
  async readHead(signal: AbortSignal): Promise<string | undefined> {
    const branch = await readRemoteBranch(this.transport, this.branch, signal);
    return branch.kind === "at" ? branch.oid : undefined;
  }

  /** One small question to the server while the branch stands where it stood. */
  async read(signal: AbortSignal): Promise<StatusRead> {
    return this.mutex.run(async () => {
      signal.throwIfAborted();
      const before = this.lastHead;
      const head = await this.readHead(signal);
      const { snapshot } = await this.know(head, signal);
      const descends =
        before === undefined || before === head || (head !== undefined && (await this.#isBehind(before, head, signal)));
      // Otherwise it stays as it was, so that a loss is told until the branch is written again.
      if (descends) this.lastHead = head;
      return { ...snapshot, descends };
    });
  }

  /** Whether `ancestor` is in the history of `head`, which is fetched as far as it takes. */
  async #isBehind(ancestor: string, head: string, signal: AbortSignal): Promise<boolean> {
    if (await this.#reaches(head, ancestor)) return true;
    await this.store.deepen(head, MAX_FOREIGN_COMMITS, signal);
    return this.#reaches(head, ancestor);
  }

  async #reaches(head: string, ancestor: string): Promise<boolean> {
    const seen = new Set<string>();
    const waiting = [head];
    for (let oid = waiting.pop(); oid !== undefined && seen.size <= MAX_FOREIGN_COMMITS; oid = waiting.pop()) {
      if (oid === ancestor) return true;
      seen.add(oid);
      waiting.push(...((await this.store.findCommit(oid))?.parents ?? []).filter((parent) => !seen.has(parent)));
    }
    return false;
  }

  protected async know(head: string | undefined, signal: AbortSignal): Promise<KnownStatus> {
    if (head === undefined) return EMPTY;
    if (this.known.snapshot.head === head) return this.known;
    const { tree, committedAtMs } = await this.store.ensureCommit(head, signal);
    const texts = await this.#readTexts(tree, signal);
    const root = await readStatusFolder(tree, (oid) => this.store.readTree(oid));
    this.known = { snapshot: { head, ...texts, committedAtMs }, root };
    return this.known;
  }

  async #readTexts(tree: string, signal: AbortSignal): Promise<StatusTexts> {
    const listing = await readFiles(tree, (oid) => this.store.readTree(oid), new Map(), this.transport.publicUrl);
    const texts = new Map<string, KnownText>();
    const files = new Map<string, string>();
    const unreadable = new Map<string, string>();
    let bytes = 0;
    for (const { path, kind, blob, readableName } of listing.files) {
      if (!readableName) continue;
      if (kind !== "file") {
        unreadable.set(path, `it is a ${kind}`);
        continue;
      }
      signal.throwIfAborted();
      const known = this.#texts.get(path);
      const read = known?.blob === blob ? known : decode(await this.store.readBlob(blob));
      texts.set(path, { ...read, blob });
      if ("because" in read) {
        unreadable.set(path, read.because);
        continue;
      }
      files.set(path, read.text);
      bytes += read.text.length;
      if (bytes > this.transport.maxPackBytes) throw new GitTooLargeError(this.transport.publicUrl, `the branch ${this.branch}`);
    }
    this.#texts = texts;
    return { files, unreadable };
  }
}

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decode(content: Buffer): ReadText {
  if (content.byteLength > MAX_STATUS_FILE_BYTES) return { because: `it is larger than ${formatSize(MAX_STATUS_FILE_BYTES)}` };
  try {
    return { text: UTF8.decode(content) };
  } catch {
    return { because: "it is not UTF-8" };
  }
}
