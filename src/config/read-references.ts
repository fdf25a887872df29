import type { Problem } from "../common/problem.ts";
import { fieldName } from "../common/schema-problems.ts";
import { oneLine } from "../common/text.ts";
import type { Contents } from "./build-config.ts";
import { certificatesProblem, keyProblem } from "./check-pem.ts";
import { readFileAtMost } from "./read-file.ts";
import { parseSecretLine, parseTokens, withoutLineBreak } from "./secret-text.ts";
import { openpgpProblem, parseSigningKeys } from "./signing-keys.ts";
import type { Reference } from "./validate-config.ts";

const LIMITS = { maxBytes: 256 * 1024, timeoutMs: 10_000 };

export interface ReadReferences {
  readonly contents: Contents;
  readonly problems: readonly Problem[];
  /** Every file that was asked for, whether it could be read or not. */
  readonly files: readonly string[];
}

/** Reads every secret and certificate, and judges each: all problems at once, none of them with a word of what was read. */
export async function readReferences(
  references: readonly Reference[],
  environment: Readonly<Record<string, string | undefined>>,
  resolvePath: (path: string) => string,
  signal?: AbortSignal,
): Promise<ReadReferences> {
  const problems: Problem[] = [];
  const contents = new Map<string, string>();
  const files = new Set<string>();
  const report = (reference: Reference, message: string): void => {
    const { file, line, column } = reference;
    problems.push({ file, line, column, message: `${fieldName(reference.path)}: ${describeName(reference)} ${message}` });
  };
  for (const reference of references) {
    if (reference.kind === "file") files.add(resolvePath(reference.name));
    const found = await readReference(reference, environment, resolvePath, signal);
    const problem = "problem" in found ? found.problem : await contentProblem(reference, found.text);
    if (problem !== undefined) report(reference, problem);
    else if ("text" in found) contents.set(fieldName(reference.path), found.text);
  }
  for (const reference of references) {
    const key = optionName(reference) === "keyFile" ? contents.get(fieldName(reference.path)) : undefined;
    if (key === undefined) continue;
    const problem = keyProblem(key, contents.get(fieldName([...reference.path.slice(0, -1), "certFile"])));
    if (problem !== undefined) report(reference, problem);
  }
  return { contents, problems, files: [...files] };
}

type Found = { readonly text: string } | { readonly problem: string };

async function readReference(
  reference: Reference,
  environment: Readonly<Record<string, string | undefined>>,
  resolvePath: (path: string) => string,
  signal: AbortSignal | undefined,
): Promise<Found> {
  if (reference.kind === "variable") {
    const value = environment[reference.name];
    if (value === undefined) return { problem: "is not set" };
    return { text: withoutLineBreak(value) };
  }
  const read = await readFileAtMost(resolvePath(reference.name), LIMITS, signal);
  if ("problem" in read) return read;
  try {
    return { text: withoutLineBreak(new TextDecoder("utf-8", { fatal: true }).decode(read.content)) };
  } catch {
    return { problem: "is not UTF-8 text" }; // the only failure that the decoder knows
  }
}

/** What is wrong with what was read, as the end of a sentence. */
async function contentProblem(reference: Reference, text: string): Promise<string | undefined> {
  if (text.trim() === "") return "is empty";
  const option = optionName(reference);
  if (option === "caFile" || option === "certFile") return certificatesProblem(text);
  if (option === "keyFile") return undefined; // judged beside its certificate
  if (option === "file") return signingKeysProblem(text);
  if (option === "tokensFile") return parseTokens(text).problem;
  return parseSecretLine(text).problem;
}

async function signingKeysProblem(text: string): Promise<string | undefined> {
  const parsed = parseSigningKeys(text);
  return "problem" in parsed ? parsed.problem : openpgpProblem(parsed.keys);
}

function optionName(reference: Reference): string {
  return String(reference.path.at(-1));
}

function describeName({ kind, name }: Reference): string {
  return kind === "file" ? oneLine(name, 200) : `the environment variable ${oneLine(name, 80)}`;
}
