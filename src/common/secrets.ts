import { inspect } from "node:util";

const HIDDEN = "[secret]";

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
  if (parsed === null) return "an unreadable URL";
  return `${parsed.protocol}//${parsed.host}${parsed.pathname}`;
}
