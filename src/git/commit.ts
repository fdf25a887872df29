/** What a commit object says, as far as anybody needs it. */
export interface Commit {
  readonly tree: string;
  readonly parents: readonly string[];
  readonly message: string;
  readonly committedAtMs: number;
}

/**
 * Undefined when it is no commit. Only a line feed ends a line, and only the lines that Git writes first are looked at: what stands further down, in
 * the signature for one, is covered by no signature, and must not pass for a parent.
 */
export function parseCommit(content: Buffer): Commit | undefined {
  const text = content.toString("utf8");
  const end = text.indexOf("\n\n");
  const lines = (end < 0 ? text : text.slice(0, end)).split("\n");
  const tree = /^tree ([0-9a-f]{40})$/.exec(lines[0] ?? "")?.[1];
  const parents: string[] = [];
  for (const line of lines.slice(1)) {
    const parent = /^parent ([0-9a-f]{40})$/.exec(line)?.[1];
    if (parent === undefined) break;
    parents.push(parent);
  }
  // Behind the author, whose lines odd tools have written more of than one.
  const committer = lines.slice(1 + parents.length).find((line) => line.startsWith("committer "));
  const committedAt = committer === undefined ? undefined : /> (\d+) [+-]\d{4}$/.exec(committer)?.[1];
  if (tree === undefined || committedAt === undefined) return undefined;
  return { tree, parents, message: end < 0 ? "" : text.slice(end + 2), committedAtMs: Number(committedAt) * 1000 };
}

export interface NewCommit {
  readonly tree: string;
  readonly parent: string | undefined;
  readonly message: string;
  readonly author: { readonly name: string; readonly email: string };
  readonly nowMs: number;
}

export function buildCommit(commit: NewCommit): Buffer {
  const who = `${harmless(commit.author.name)} <${harmless(commit.author.email)}> ${Math.floor(commit.nowMs / 1000)} +0000`;
  const parent = commit.parent === undefined ? "" : `parent ${commit.parent}\n`;
  const message = commit.message.endsWith("\n") ? commit.message : `${commit.message}\n`;
  return Buffer.from(`tree ${commit.tree}\n${parent}author ${who}\ncommitter ${who}\n\n${message}`);
}

function harmless(name: string): string {
  return name.replaceAll(/[<>\p{Cc}]/gu, "").trim();
}

/**
 * The trailers of a commit message (`Penstock-Allow-Deletions: 3`): the last paragraph, if it is not the subject and at least half
 * of its lines are trailers. Names in lower case; values in order, continuation lines joined.
 */
export function parseTrailers(message: string): ReadonlyMap<string, readonly string[]> {
  const trailers = new Map<string, string[]>();
  const paragraphs = message
    .replaceAll("\r\n", "\n")
    .trim()
    .split(/\n[ \t]*\n/);
  if (paragraphs.length < 2) return trailers;
  const lines = paragraphs
    .at(-1)!
    .replaceAll(/\n[ \t]+/g, " ")
    .split("\n");
  const matches = lines.map((line) => /^([A-Za-z0-9][A-Za-z0-9-]*)[ \t]*:[ \t]*(.*)$/.exec(line));
  // A paragraph of prose with one "Note: …" in it is no block of trailers.
  const found = matches.filter((match) => match !== null);
  if (found.length * 2 < lines.length) return trailers;
  for (const [, name, value] of found) {
    const key = name!.toLowerCase();
    const values = trailers.get(key) ?? [];
    trailers.set(key, values);
    values.push(value!.trim()); // in place: of a commit message with a hundred thousand trailers as well
  }
  return trailers;
}

/** Every trailer of these messages; names in lower case. */
export function mergeTrailers(messages: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const merged = new Map<string, readonly string[]>();
  for (const message of messages)
    for (const [key, values] of parseTrailers(message)) merged.set(key, [...(merged.get(key) ?? []), ...values]);
  return merged;
}
