import { dirname, resolve } from "node:path";
import { sha256Hex } from "../common/hash.ts";
import { type Problem, sortProblems } from "../common/problem.ts";
import { oneLine } from "../common/text.ts";
import { parseYamlFile, type YamlDocument } from "../common/yaml-file.ts";
import { awsSurroundings, buildConfig, defaultCacheDir } from "./build-config.ts";
import type { Config } from "./config.ts";
import { readFileAtMost } from "./read-file.ts";
import { readProxies } from "./read-proxies.ts";
import { readReferences } from "./read-references.ts";
import { validateConfig, type ValidatedConfig } from "./validate-config.ts";

/** The process's environment, passed in by whoever starts the daemon. */
export type Environment = Readonly<Record<string, string | undefined>>;

export type LoadedConfig =
  | {
      readonly kind: "loaded";
      readonly config: Config;
      /** What the operator should know although nothing is wrong: options that are accepted but not yet acted on. */
      readonly notices: readonly Problem[];
      /** The same for the same settings and contents, whatever the comments: whether a change of a file is one of the configuration. */
      readonly fingerprint: string;
      /** The configuration and every file that it names, with absolute paths. */
      readonly files: readonly string[];
    }
  | {
      readonly kind: "invalid";
      readonly problems: readonly Problem[];
      /** As above, missing ones included: a change of any of them may help. */
      readonly files: readonly string[];
    };

const LIMITS = { maxBytes: 1024 ** 2, timeoutMs: 10_000 };
/** The server reads these itself whenever they were changed: nothing has to begin anew for them. */
const READ_AGAIN: ReadonlySet<string> = new Set(["server.tokensFile", "server.webhookSecretFile"]);

/**
 * Reads the configuration, the secrets and certificates that it names, and the variables that override it. Paths in it are relative to
 * its own folder. All problems come at once; what the file names is read only when the file itself is valid. Throws only when `signal`
 * is aborted.
 */
export async function loadConfig(path: string, environment: Environment, signal?: AbortSignal): Promise<LoadedConfig> {
  return createConfigLoader(path, environment)(signal);
}

/** For who does so again and again: the file itself is judged only when its content is another one than the last time, as that is work. */
export function createConfigLoader(path: string, environment: Environment): (signal?: AbortSignal) => Promise<LoadedConfig> {
  const file = resolve(path);
  const proxies = readProxies(environment);
  let last: { readonly digest: string; readonly judged: Judged } | undefined;
  return async (signal) => {
    const read = await readFileAtMost(file, LIMITS, signal);
    if ("problem" in read) return invalid([problemOf(path, `the configuration ${read.problem}`), ...proxies.problems], [file]);
    const digest = sha256Hex(read.content);
    if (last?.digest !== digest) last = { digest, judged: judge(path, read.content, environment) };
    return loadJudged(last.judged, { file, environment, proxies }, signal);
  };
}

/** What the file says, and everything that is wrong with it by itself. */
interface Judged {
  readonly validated: ValidatedConfig;
  readonly problems: readonly Problem[];
}

function judge(path: string, content: Uint8Array, environment: Environment): Judged {
  const parsed = parseDocument(path, content);
  if (parsed.kind === "unreadable") return { validated: { kind: "invalid", problems: parsed.problems }, problems: [] };
  return { validated: validateConfig(parsed.document, environment), problems: parsed.problems };
}

function invalid(problems: readonly Problem[], files: readonly string[]): LoadedConfig {
  return { kind: "invalid", problems: sortProblems(problems), files };
}

interface Surroundings {
  readonly file: string;
  readonly environment: Environment;
  readonly proxies: ReturnType<typeof readProxies>;
}

async function loadJudged(
  { validated, problems: own }: Judged,
  { file, environment, proxies }: Surroundings,
  signal: AbortSignal | undefined,
): Promise<LoadedConfig> {
  if (validated.kind === "invalid") return invalid([...proxies.problems, ...own, ...validated.problems], [file]);
  const resolvePath = (named: string): string => resolve(dirname(file), named);
  const read = await readReferences(validated.references, environment, resolvePath, signal);
  const files = [file, ...read.files];
  const problems = [...proxies.problems, ...own, ...read.problems];
  if (problems.length > 0) return invalid(problems, files);

  const aws = awsSurroundings(environment);
  const surroundings = { proxy: proxies.proxy, aws, defaultCacheDir: defaultCacheDir(environment), resolvePath };
  return {
    kind: "loaded",
    config: buildConfig(validated.settings, read.contents, surroundings),
    notices: validated.notices,
    fingerprint: sha256Hex(
      JSON.stringify([validated.settings, [...read.contents].filter(([option]) => !READ_AGAIN.has(option))]),
    ),
    files,
  };
}

type ParsedDocument =
  | { readonly kind: "readable"; readonly document: YamlDocument; readonly problems: readonly Problem[] }
  | { readonly kind: "unreadable"; readonly problems: readonly Problem[] };

function problemOf(path: string, message: string): Problem {
  return { file: oneLine(path, 200), line: 1, column: 1, message };
}

function parseDocument(path: string, content: Uint8Array): ParsedDocument {
  const { documents, problems } = parseYamlFile(oneLine(path, 200), content);
  const [document, second] = documents;
  if (document === undefined) {
    if (problems.length > 0) return { kind: "unreadable", problems };
    const message = "the configuration is empty; it needs at least instance, repository.url and one cluster";
    return { kind: "unreadable", problems: [problemOf(path, message)] };
  }
  const surplus: readonly Problem[] =
    second === undefined
      ? []
      : [{ ...second.start, message: "the configuration is one YAML document; remove the ones from here on" }];
  if (document.broken) return { kind: "unreadable", problems: [...problems, ...surplus] };
  return { kind: "readable", document, problems: [...problems, ...surplus] };
}
