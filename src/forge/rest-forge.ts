import type { Clock } from "../common/clock.ts";
import { oneLine, truncate } from "../common/text.ts";
import { idOf, MAX_PAGES, memberOf, PAGE_SIZE, textOf, type Dialect, type ForgeCall } from "./dialect.ts";
import { ForgeError } from "./forge-error.ts";
import { ForgeHttp, type ForgeAnswer, type ForgeHttpSettings, type Sleep } from "./forge-http.ts";
import type { CommitStatus, Forge } from "./forge.ts";

/** So many open requests are known at most; a daemon plans no more. */
const MAX_REQUESTS = 200;
const MAX_DESCRIPTION = 140;

/** A forge over its REST API, in the dialect of its kind. Whoever creates it closes it. */
export class RestForge implements Forge {
  readonly #dialect: Dialect;
  readonly #http: ForgeHttp;
  /** Ids of our comments by request, so that each is looked for once. */
  readonly #comments = new Map<number, number>();
  /** Undefined: not asked yet; "": the token's owner does not tell. */
  #login: string | undefined;

  constructor(settings: ForgeHttpSettings, dialect: Dialect, clock: Clock, sleep?: Sleep) {
    this.#dialect = dialect;
    this.#http = new ForgeHttp(settings, dialect, clock, sleep);
  }

  async close(): Promise<void> {
    await this.#http.close();
  }

  async upsertComment(request: number, marker: string, body: string, signal: AbortSignal): Promise<void> {
    const text = `${marker}\n${body}`;
    const known = this.#comments.get(request) ?? (await this.#findComment(request, marker, text, signal));
    if (known === "same") return;
    if (known !== undefined) {
      const answer = await this.#http.call(this.#dialect.updateComment(request, known, text), signal);
      if (answer.status < 300) {
        this.#comments.set(request, known);
        return;
      }
      this.#comments.delete(request);
      // Somebody deleted it, or it is not ours to change: then there is a new one.
      if (answer.status !== 404 && answer.status !== 403) throw refused(this.#dialect.updateComment(request, known, ""), answer);
    }
    const made = await this.#do(this.#dialect.createComment(request, text), signal);
    const id = idOf(memberOf(made.value, "id"));
    if (id !== undefined) this.#comments.set(request, id);
  }

  async setStatus(commit: string, status: CommitStatus, signal: AbortSignal): Promise<void> {
    const description = truncate(oneLine(status.description, 1000), MAX_DESCRIPTION);
    const call = this.#dialect.setStatus(commit, { ...status, description });
    const answer = await this.#http.call(call, signal);
    if (answer.status >= 300 && !this.#dialect.canBeLeft(answer.status, answer.text)) throw refused(call, answer);
  }

  async readOpenRequests(signal: AbortSignal): Promise<ReadonlySet<number>> {
    const open = new Set<number>();
    for (let page = 1; open.size < MAX_REQUESTS && page <= MAX_PAGES; page += 1) {
      const { found, hasMore } = await this.#list(this.#dialect.openRequests(page), signal);
      for (const request of found) {
        const number = this.#dialect.numberOf(request);
        if (number !== undefined) open.add(number);
      }
      if (!(hasMore ?? found.length >= PAGE_SIZE)) break;
    }
    return open;
  }

  /** Only one that we wrote: a marker can be copied. "same" when it says the same already. */
  async #findComment(request: number, marker: string, text: string, signal: AbortSignal): Promise<number | "same" | undefined> {
    const login = await this.#ownLogin(signal);
    for (let page = 1; page <= MAX_PAGES; page += 1) {
      const { found, hasMore } = await this.#list(this.#dialect.comments(request, page), signal);
      const comments = found.map((value) => this.#dialect.commentOf(value));
      const ours = comments.find((one) => one?.body.startsWith(marker) === true && (login === "" || one.author === login));
      if (ours !== undefined) {
        this.#comments.set(request, ours.id);
        return ours.body === text ? "same" : ours.id;
      }
      if (!(hasMore ?? (!this.#dialect.commentsComeAtOnce && found.length >= PAGE_SIZE))) break;
    }
    return undefined;
  }

  /** An app's token has no user; then the marker alone has to do, and what is not ours cannot be changed anyway. */
  async #ownLogin(signal: AbortSignal): Promise<string> {
    if (this.#login !== undefined) return this.#login;
    const answer = await this.#http.call({ method: "GET", path: this.#dialect.user }, signal);
    if (answer.status >= 500) throw refused({ method: "GET", path: this.#dialect.user }, answer);
    this.#login = (answer.status < 300 ? this.#dialect.loginOf(answer.value) : undefined) ?? "";
    return this.#login;
  }

  /** `hasMore` is undefined when the answer does not link to other pages. */
  async #list(path: string, signal: AbortSignal): Promise<{ readonly found: readonly unknown[]; readonly hasMore?: boolean }> {
    const { value, link } = await this.#do({ method: "GET", path }, signal);
    if (!Array.isArray(value)) throw new ForgeError(`GET ${path}`, "it is no list");
    const found = value as readonly unknown[];
    // A forge may give smaller pages than were asked for. The link itself is not followed: the token is for this address alone.
    return link === undefined ? { found } : { found, hasMore: /;\s*rel="?next"?/i.test(link) };
  }

  async #do(call: ForgeCall, signal: AbortSignal): Promise<ForgeAnswer> {
    const answer = await this.#http.call(call, signal);
    if (answer.status >= 300) throw refused(call, answer);
    return answer;
  }
}

/** What a forge says in its JSON; never a web page. */
function refused(
  { method, path }: Pick<ForgeCall, "method" | "path">,
  answer: { readonly status: number; readonly value: unknown },
): ForgeError {
  const said = textOf(memberOf(answer.value, "message")) ?? textOf(memberOf(answer.value, "error")) ?? "";
  const hint = answer.status === 401 || answer.status === 403 ? "; check forge.tokenFile and the token's rights" : "";
  const because = `status ${answer.status}${said === "" ? "" : `: ${oneLine(said, 200)}`}${hint}`;
  return new ForgeError(`${method} ${path.replace(/\?.*$/, "")}`, because, { status: answer.status });
}
