import { oneLine } from "../common/text.ts";
import type { Retry } from "../common/errors.ts";

/** No usable answer: no connection, silence for too long, a cut, a server error. Says nothing about what the repository holds. */
export class GitUnreachableError extends Error {
  override readonly name = "GitUnreachableError";
  readonly code = "git-unreachable";
  readonly retry: Retry = "next-pass";
  /** `connectionLost`: closed before an answer came, as happens to a kept connection that the server had given up. */
  readonly data: { readonly url: string; readonly connectionLost: boolean };
  constructor(url: string, because: string, options: ErrorOptions & { readonly connectionLost?: boolean } = {}) {
    super(`the Git server at ${url} cannot be reached: ${oneLine(because)}`, options);
    this.data = { url, connectionLost: options.connectionLost === true };
  }
}

/** The server does not know us (401) or does not let us do this (403). */
export class GitAuthError extends Error {
  override readonly name = "GitAuthError";
  readonly code = "git-auth";
  readonly retry: Retry = "next-pass"; // tokens are renewed and rights granted on the server's side
  readonly data: { readonly url: string; readonly status: 401 | 403 };
  constructor(url: string, status: 401 | 403, detail = "") {
    const because =
      status === 401
        ? "does not accept the credentials; check repository.credentials"
        : "does not allow this with the given credentials; check their rights";
    super(`the Git server at ${url} ${because} (${status}${detail === "" ? "" : `: ${oneLine(detail, 200)}`})`);
    this.data = { url, status };
  }
}

export class GitRateLimitedError extends Error {
  override readonly name = "GitRateLimitedError";
  readonly code = "git-rate-limited";
  readonly retry: Retry = "next-pass";
  readonly data: { readonly url: string; readonly retryAfterMs: number };
  constructor(url: string, status: number, retryAfterMs: number) {
    super(`the Git server at ${url} wants fewer requests (${status}); again in ${Math.ceil(retryAfterMs / 1000)}s`);
    this.data = { url, retryAfterMs };
  }
}

/** There is no repository at the URL, or the credentials may not see it: servers do not tell these apart. */
export class GitRepositoryNotFoundError extends Error {
  override readonly name = "GitRepositoryNotFoundError";
  readonly code = "git-repository-not-found";
  readonly retry: Retry = "next-pass";
  readonly data: { readonly url: string };
  constructor(url: string) {
    super(
      `there is no repository at ${url}, or the credentials may not see it (404); check repository.url and repository.credentials`,
    );
    this.data = { url };
  }
}

/** An answer that is cut short, garbled or not Git's protocol. None of it was used. */
export class GitProtocolError extends Error {
  override readonly name = "GitProtocolError";
  readonly code = "git-protocol";
  readonly retry: Retry = "next-pass";
  readonly data: { readonly url: string };
  constructor(url: string, problem: string, options?: ErrorOptions) {
    super(`the answer of the Git server at ${url} cannot be used: ${oneLine(problem)}`, options);
    this.data = { url };
  }
}

/** The server itself says that it failed or will not do it, in Git's own protocol. */
export class GitServerError extends Error {
  override readonly name = "GitServerError";
  readonly code = "git-server-error";
  readonly retry: Retry = "next-pass";
  readonly data: { readonly url: string };
  constructor(url: string, message: string, options?: ErrorOptions) {
    super(`the Git server at ${url} reports: ${oneLine(message, 300)}`, options);
    this.data = { url };
  }
}

/** Something weighs more than we are willing to hold; `what` says which, and what to do. */
export class GitTooLargeError extends Error {
  override readonly name = "GitTooLargeError";
  readonly code = "git-too-large";
  readonly retry: Retry = "after-input-changes";
  readonly data: { readonly url: string };
  constructor(url: string, what: string, options?: ErrorOptions) {
    super(`too large to read from ${url}: ${what}`, options);
    this.data = { url };
  }
}

/** The repository is of a kind that we cannot read, whatever happens. */
export class GitUnsupportedError extends Error {
  override readonly name = "GitUnsupportedError";
  readonly code = "git-unsupported";
  readonly retry: Retry = "after-input-changes";
  readonly data: { readonly url: string };
  constructor(url: string, what: string, options?: ErrorOptions) {
    super(`the repository at ${url} cannot be read: ${what}`, options);
    this.data = { url };
  }
}

/** The commit that was asked for is no longer to be had: the branch moved on, or its history was rewritten. Read the head again. */
export class GitCommitGoneError extends Error {
  override readonly name = "GitCommitGoneError";
  readonly code = "git-commit-gone";
  readonly retry: Retry = "next-pass";
  readonly data: { readonly url: string; readonly oid: string };
  constructor(url: string, oid: string, options?: ErrorOptions) {
    super(`commit ${oid} is no longer offered by ${url}: the branch has moved on meanwhile`, options);
    this.data = { url, oid };
  }
}

/** An object that a trusted commit needs is not in the local store, or not readable there. The store is dropped and built anew. */
export class GitObjectError extends Error {
  override readonly name = "GitObjectError";
  readonly code = "git-object";
  readonly retry: Retry = "next-pass";
  readonly data: { readonly oid: string };
  constructor(oid: string, problem: string, options?: ErrorOptions) {
    super(`Git object ${oid} cannot be read: ${oneLine(problem, 200)}`, options);
    this.data = { oid };
  }
}
