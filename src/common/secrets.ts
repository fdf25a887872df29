import { inspect } from "node:util";

export const HIDDEN = "[secret]";

/** A value that no log, status, error or debugger prints by accident. Only `reveal` gives it away, beside the call that needs it. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return HIDDEN;
  }

  toJSON(): string {
    return HIDDEN;
  }

  [inspect.custom](): string {
    return HIDDEN;
  }
}

/** A URL for people and files: without user name, password, query and fragment, any of which may hold a token. */
export function publicUrl(url: URL | string): string {
  const parsed = URL.parse(String(url));
  // `user:password@host` parses as a URL of the scheme `user:`, with the password for its path.
  if (parsed === null || (parsed.host === "" && !parsed.pathname.startsWith("/"))) return "an unreadable URL";
  return `${parsed.protocol}//${parsed.host}${parsed.pathname}`;
}

/** The same, but it says when there is a query that is not shown. */
export function shownUrl(url: string): string {
  return `${publicUrl(url)}${(URL.parse(url)?.search ?? "") === "" ? "" : `?${HIDDEN}`}`;
}
