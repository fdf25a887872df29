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
import { validateConfig } from "./validate-config.ts";

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
  const file = resolve(path);
  const proxies = readProxies(environment);
  const invalid = (problems: readonly Problem[], files: readonly string[]): LoadedConfig => {
    return { kind: "invalid", problems: sortProblems([...proxies.problems, ...problems]), files };
  };

  const parsed = await readDocument(path, file, signal);
  if (parsed.kind === "unreadable") return invalid(parsed.problems, [file]);
  const validated = validateConfig(parsed.document, environment);
  if (validated.kind === "invalid") return invalid([...parsed.problems, ...validated.problems], [file]);

  const resolvePath = (named: string): string => resolve(dirname(file), named);
  const read = await readReferences(validated.references, environment, resolvePath, signal);
  const files = [file, ...read.files];
  const problems = [...proxies.problems, ...parsed.problems, ...read.problems];
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

type ReadDocument =
  | { readonly kind: "readable"; readonly document: YamlDocument; readonly problems: readonly Problem[] }
  | { readonly kind: "unreadable"; readonly problems: readonly Problem[] };

async function readDocument(path: string, file: string, signal: AbortSignal | undefined): Promise<ReadDocument> {
  const unreadable = (message: string): ReadDocument => {
    return { kind: "unreadable", problems: [{ file: oneLine(path, 200), line: 1, column: 1, message }] };
  };
  const read = await readFileAtMost(file, LIMITS, signal);
  if ("problem" in read) return unreadable(`the configuration ${read.problem}`);
  const { documents, problems } = parseYamlFile(oneLine(path, 200), read.content);
  const [document, second] = documents;
  if (document === undefined) {
    if (problems.length > 0) return { kind: "unreadable", problems };
    return unreadable("the configuration is empty; it needs at least instance, repository.url and one cluster");
  }
  const surplus: readonly Problem[] =
    second === undefined
      ? []
      : [{ ...second.start, message: "the configuration is one YAML document; remove the ones from here on" }];
  if (document.broken) return { kind: "unreadable", problems: [...problems, ...surplus] };
  return { kind: "readable", document, problems: [...problems, ...surplus] };
}
