import type { Log } from "../common/log.ts";
import type { GitWrite } from "../common/writing-calls.ts";
import { GitAuthError, GitUnreachableError } from "./errors.ts";
import type { GitTransport } from "./http-transport.ts";
import { readPushCapabilities, sendPush, type Push, type PushReport } from "./push.ts";
import { readRemoteBranch } from "./remote-branch.ts";

export type PushOutcome =
  | { readonly kind: "written" }
  /** The branch stands elsewhere by now: read it again. Nothing was changed. */
  | { readonly kind: "conflict" }
  /** The server does not want it: rights, a protected branch, a hook. Asking again does not help by itself. */
  | { readonly kind: "refused"; readonly because: string };

/**
 * Pushes to one branch by compare-and-swap. When the answer is lost, the branch itself is asked whether the commit arrived; an error means
 * that it had not, or that nobody can tell.
 */
export class Pusher {
  readonly #transport: GitTransport;
  readonly #branch: string;
  readonly #write: GitWrite;
  readonly #log: Log;
  #capabilities: readonly string[] | undefined;

  constructor(transport: GitTransport, { branch, write }: Pick<Push, "branch" | "write">, log: Log) {
    this.#transport = transport;
    this.#branch = branch;
    this.#write = write;
    this.#log = log;
  }

  async push(push: Omit<Push, "branch" | "write">, signal: AbortSignal): Promise<PushOutcome> {
    return this.#send({ ...push, branch: this.#branch, write: this.#write }, signal);
  }

  async #send(push: Push, signal: AbortSignal, isRepeated = false): Promise<PushOutcome> {
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
      if (isStale && !isRepeated) return this.#send(push, signal, true);
      throw error;
    }
    if (report.kind === "accepted") return { kind: "written" };
    // Servers have many words for "it stands elsewhere by now", so the branch is asked and not the text.
    const now = await this.#readHead(signal);
    if (now === push.head) return { kind: "written" };
    return now === push.expected ? { kind: "refused", because: report.because } : { kind: "conflict" };
  }

  /** After an error nobody knows whether the push was done, so the branch is asked. "Not done" may still change while the server is at it. */
  async #settle(push: Push, error: unknown, signal: AbortSignal): Promise<PushOutcome | "not-done"> {
    this.#capabilities = undefined; // The server may be another one by now.
    signal.throwIfAborted();
    const { write } = push;
    this.#log.debug({ err: error, write }, "no answer to a push; looking whether it arrived");
    let now: string | undefined;
    try {
      now = await this.#readHead(signal);
    } catch (lookError) {
      this.#log.debug({ err: lookError, write }, "cannot look whether the push arrived");
      throw error;
    }
    if (now === push.head) return { kind: "written" };
    return now === push.expected ? "not-done" : { kind: "conflict" };
  }

  async #readHead(signal: AbortSignal): Promise<string | undefined> {
    const branch = await readRemoteBranch(this.#transport, this.#branch, signal);
    return branch.kind === "at" ? branch.oid : undefined;
  }
}
