import { Secret } from "../common/secrets.ts";

export interface ParsedTokens {
  readonly tokens: readonly Secret[];
  /** What is wrong with the file, as the end of a sentence and without a word of a token; undefined when all of it can be used. */
  readonly problem: string | undefined;
}

const MIN_LENGTH = 16;
const MAX_TOKENS = 100;

/** The tokens of a `tokensFile`: one a line, blank lines and lines that begin with # left out. */
export function parseTokens(text: string): ParsedTokens {
  const lines = text.split(/\r?\n/).map((line, index) => ({ token: line.trim(), number: index + 1 }));
  const written = lines.filter(({ token }) => token !== "" && !token.startsWith("#"));
  return { tokens: written.map(({ token }) => new Secret(token)), problem: problemOf(written) };
}

function problemOf(written: readonly { readonly token: string; readonly number: number }[]): string | undefined {
  if (written.length === 0) return "holds no token; write at least one, a line each";
  if (written.length > MAX_TOKENS) return `holds ${written.length} tokens; ${MAX_TOKENS} are the most`;
  // What a header can carry: RFC 6750 calls it b64token.
  const odd = written.find(({ token }) => !/^[A-Za-z0-9._~+/-]+=*$/.test(token));
  if (odd !== undefined) return `has a token in line ${odd.number} with other characters than letters, digits and . _ ~ + / - =`;
  const short = written.find(({ token }) => token.length < MIN_LENGTH);
  return short === undefined ? undefined : `has a token in line ${short.number} of less than ${MIN_LENGTH} characters`;
}

/** A secret as the line that a file or a variable holds; `problem` as above. */
export function parseSecretLine(text: string): { readonly secret: Secret; readonly problem: string | undefined } {
  const line = withoutLineBreak(text);
  const isOdd = /\p{Cc}/u.test(line);
  const problem = line.trim() === "" ? "is empty" : isOdd ? "must be a single line without control characters" : undefined;
  return { secret: new Secret(line), problem };
}

/** Editors and `echo` leave one at the end of a file, and it is no part of the secret. */
export function withoutLineBreak(text: string): string {
  return text.replace(/\r?\n$/, "");
}
