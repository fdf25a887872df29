import type { ForgeWrite } from "../common/writing-calls.ts";
import type { CommitStatus } from "./forge.ts";

interface ForgeQuestion {
  readonly method: "GET";
  /** Below the API's root, with its query. */
  readonly path: string;
}

/** What changes something says so by its name in the list of writing calls. */
export interface ForgeChange {
  readonly write: ForgeWrite;
  readonly method: "POST" | "PUT" | "PATCH";
  readonly path: string;
  readonly json: unknown;
}

export type ForgeCall = ForgeQuestion | ForgeChange;

export interface ForgeComment {
  readonly id: number;
  readonly body: string;
  readonly author: string;
}

/** How one kind of forge says what all of them can. Values are what its JSON says; undefined for what has another shape. */
export interface Dialect {
  /** Between the forge's address and the paths below. */
  readonly root: string;
  readonly defaultUrl?: string;
  headersFor(token: string): Readonly<Record<string, string>>;
  /** Who the token belongs to. */
  readonly user: string;
  loginOf(user: unknown): string | undefined;
  openRequests(page: number): string;
  numberOf(request: unknown): number | undefined;
  /** The oldest first. */
  comments(request: number, page: number): string;
  /** A full list is all of it, unless the answer links to more. */
  readonly commentsComeAtOnce: boolean;
  commentOf(value: unknown): ForgeComment | undefined;
  createComment(request: number, body: string): ForgeChange;
  updateComment(request: number, id: number, body: string): ForgeChange;
  setStatus(commit: string, status: CommitStatus): ForgeChange;
  /** A refusal of a status that asking again would not change: it is so already, or there is none for this commit. */
  canBeLeft(status: number, text: string): boolean;
  /** A refusal with 403 that is about how often it is asked, though no header says so. */
  isTooOften(text: string): boolean;
  /** So far apart the forge wants calls that write. */
  readonly writesApartMs: number;
}

/** A request with more comments than that gets a new one instead of an update. */
export const MAX_PAGES = 20;
/** How many a page holds, unless the forge gives fewer. */
export const PAGE_SIZE = 50;

/** A member of a JSON object; undefined for whatever is none. */
export function memberOf(value: unknown, ...path: readonly string[]): unknown {
  let found = value;
  for (const key of path) {
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, key)) return undefined;
    found = (found as Readonly<Record<string, unknown>>)[key];
  }
  return found;
}

export function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

export function idOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0 ? value : undefined;
}

/** Of the shape that GitHub and Gitea share, and GitLab with other names. */
export function readComment(value: unknown, author: readonly string[]): ForgeComment | undefined {
  const [id, body, login] = [idOf(memberOf(value, "id")), textOf(memberOf(value, "body")), textOf(memberOf(value, ...author))];
  return id === undefined || body === undefined || login === undefined ? undefined : { id, body, author: login };
}
