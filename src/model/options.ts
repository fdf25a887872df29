import { didYouMean } from "../common/suggest.ts";
import { listOf, oneLine } from "../common/text.ts";
import { isAtLeast } from "./flink-version.ts";
import type { FlinkVersion } from "./manifest.ts";
import type { FlinkOption } from "./option-list/flink-option.ts";
import { REFUSED_OPTIONS } from "./option-list/refused.ts";
import { FLINK_OPTIONS, OPTION_DEFAULTS, type OptionDefault } from "./option-list.ts";
import { formatListText, formatMapText, parseListText, parseMapText } from "./option-text.ts";
import { fillSecrets, maskSecrets, mentionsSecret, secretProblem } from "./secret-references.ts";
import { durationMilliseconds, expectedValue, parseOptionValue, type OptionType } from "./option-values.ts";

type Configuration = Readonly<Record<string, string>>;

export interface OptionProblem {
  readonly key: string;
  /** Which of the two is wrong. */
  readonly at: "key" | "value";
  readonly message: string;
}

/** Every name of every option, old ones included. */
const BY_NAME: ReadonlyMap<string, FlinkOption> = new Map(
  FLINK_OPTIONS.flatMap((option) => [...namesOf(option), ...(option.aliases ?? [])].map((name) => [name, option] as const)),
);

const FIELD = "spec.configuration";
/** Comparing thousands of names with hundreds of options would take seconds. */
const MAX_SUGGESTIONS = 50;
const NO_SECRETS: ReadonlyMap<string, string> = new Map();

/**
 * What is wrong with a Job's configuration as it is written, for the Flink version that it asks for. Without a readable version, what
 * is wrong in every version. `suggests`: whether it says what was probably meant.
 */
export function checkConfiguration(
  written: Configuration,
  flinkVersion: FlinkVersion | undefined,
  suggests = true,
): readonly OptionProblem[] {
  const problems: OptionProblem[] = [];
  const seen = new Map<FlinkOption, string>();
  for (const [key, value] of Object.entries(written)) {
    const option = BY_NAME.get(key);
    const at = (where: "key" | "value", message: string): unknown => problems.push({ key, at: where, message });
    if (option === undefined) {
      at("key", unknownOption(key, suggests && problems.length < MAX_SUGGESTIONS));
      continue;
    }
    const twin = seen.get(option);
    if (twin !== undefined) at("key", `${key} is another name of ${twin}, which is set as well; keep one of the two`);
    seen.set(option, key);
    const version = versionProblem(option, key, flinkVersion);
    if (version !== undefined) at("key", version);
    const reference = secretProblem(value);
    if (reference !== undefined) at("value", `${FIELD}: ${key} ${reference}`);
    if (reference !== undefined || mentionsSecret(value)) continue; // its value is judged when it is known
    const refusal = valueProblem(option, key, fillSecrets(value, NO_SECRETS), flinkVersion);
    if (refusal !== undefined) at("value", refusal);
  }
  return problems;
}

function unknownOption(key: string, suggests: boolean): string {
  const shown = oneLine(key, 120);
  const refused = REFUSED_OPTIONS.find(({ names }) => names.some((name) => isMeant(name, key)));
  if (refused !== undefined) return `the option ${shown} cannot be set by a Job: ${refused.reason}; remove it here`;
  const suggestion = suggests ? didYouMean(key, BY_NAME.keys()) : "";
  return `unknown option ${shown}${suggestion || "; config/options.md lists those that a Job may set"}`;
}

function isMeant(pattern: string, key: string): boolean {
  if (pattern.endsWith("*")) return key.startsWith(pattern.slice(0, -1));
  return pattern.endsWith(".") ? key.startsWith(pattern) : key === pattern;
}

function versionProblem(option: FlinkOption, key: string, version: FlinkVersion | undefined): string | undefined {
  if (version === undefined) return undefined;
  if (option.since !== undefined && !isAtLeast(version, option.since)) {
    return `the option ${key} needs Flink ${option.since} or newer, and this Job asks for ${version}; remove it`;
  }
  if (option.until !== undefined && isAtLeast(version, option.until)) {
    return `Flink ${option.until} and newer have no option ${key}, and this Job asks for ${version}; remove it`;
  }
  if (option.countsSince !== undefined && !isAtLeast(version, option.countsSince)) {
    return `before Flink ${option.countsSince} only the cluster's own ${key} counts, and this Job asks for ${version}; set it there`;
  }
  return undefined;
}

/** Values that Flink knows and that we do not take. */
const REFUSED_VALUES: readonly { readonly name: string; readonly value: string; readonly message: string }[] = [
  {
    name: "execution.runtime-mode",
    value: "batch",
    message: "BATCH is refused: only streaming jobs are supported; remove the line",
  },
  {
    name: "execution.runtime-mode",
    value: "automatic",
    message: "AUTOMATIC is refused: it could make a batch job, and only streaming jobs are supported; remove the line",
  },
];

function valueProblem(option: FlinkOption, key: string, value: string, version: FlinkVersion | undefined): string | undefined {
  const word = value.trim().toLowerCase();
  const refused = REFUSED_VALUES.find((entry) => entry.name === option.name && entry.value === word);
  if (refused !== undefined) return `${FIELD}: ${key}: ${refused.message}`;
  const parsed = parseOptionValue(option.type, value);
  if (parsed === undefined) return `${FIELD}: ${key} ${expectedValue(option.type)}, found ${JSON.stringify(oneLine(value, 80))}`;
  const tooNew = version === undefined ? undefined : tooNewValue(option.type, parsed.canonical, version);
  return tooNew === undefined ? undefined : `${FIELD}: ${key}: ${tooNew}`;
}

function tooNewValue(type: OptionType, value: string, version: FlinkVersion): string | undefined {
  if (type.kind !== "enum" || type.since === undefined) return undefined;
  const isKnown = (word: string): boolean => isAtLeast(version, type.since?.[word] ?? version);
  if (isKnown(value)) return undefined;
  return `${value} needs Flink ${type.since[value]} or newer; choose ${listOf(type.values.filter(isKnown), "or")}`;
}

/**
 * What is sent to Flink: our defaults under what is written, each option by the name that this version knows, each value in the form
 * that every version reads. What this list does not know (a spec that another version of Penstock accepted) passes as it is.
 */
export function buildFlinkConfiguration(written: Configuration, flinkVersion: FlinkVersion): Record<string, string> {
  const own = Object.entries(written).map(([key, value]) => flinkEntry(key, value, flinkVersion));
  const strategy = restartStrategyOf(written);
  const defaults = OPTION_DEFAULTS.filter((entry) => isDefaultOf(entry, strategy, flinkVersion));
  const entries = [...defaults.map(({ name, value }) => flinkEntry(name, value, flinkVersion)), ...own];
  return Object.fromEntries(new Map(entries.toSorted(([a], [b]) => (a === b ? 0 : a < b ? -1 : 1))));
}

function isDefaultOf(entry: OptionDefault, strategy: string, version: FlinkVersion): boolean {
  if (entry.restartStrategy !== undefined && entry.restartStrategy !== strategy) return false;
  const since = BY_NAME.get(entry.name)?.since;
  return since === undefined || isAtLeast(version, since);
}

function restartStrategyOf(written: Configuration): string {
  for (const [key, value] of Object.entries(written)) {
    const option = BY_NAME.get(key);
    if (option?.name === "restart-strategy.type") return parseOptionValue(option.type, value)?.canonical ?? value;
  }
  return "exponential-delay";
}

function flinkEntry(key: string, value: string, version: FlinkVersion): readonly [string, string] {
  const option = BY_NAME.get(key);
  if (option === undefined) return [key, value];
  const flink = parseOptionValue(option.type, value)?.flink ?? value;
  const isNumber = option.numberBefore !== undefined && !isAtLeast(version, option.numberBefore);
  return [nameIn(option, version), isNumber ? (durationMilliseconds(flink) ?? flink) : flink];
}

/** The name that this version of Flink calls the option by. */
export function nameIn(option: FlinkOption, version: FlinkVersion): string {
  return option.formerly?.find(({ until }) => !isAtLeast(version, until))?.name ?? option.name;
}

/**
 * The same for all ways to write the same options: `30s` and `30 s`, old names and new ones. Options go by their oldest name, which no
 * later version of Penstock can change; what this list does not know stays as it is written.
 */
export function canonicalConfiguration(written: Configuration): Record<string, string> {
  const entries = Object.entries(written).map(([key, value]) => {
    const option = BY_NAME.get(key);
    if (option === undefined) return [key, value] as const;
    return [namesOf(option)[0]!, parseOptionValue(option.type, value)?.canonical ?? value] as const;
  });
  return Object.fromEntries(entries);
}

/** A list or mapping of YAML as the text that Flink has for it; undefined where the option takes none or the value is none. */
export function optionText(key: string, value: unknown): string | undefined {
  const kind = BY_NAME.get(key)?.type.kind;
  if (kind === "flow") return Array.isArray(value) ? JSON.stringify(value) : undefined;
  if (kind === "list") return isTexts(value) && value.length > 0 ? formatListText(value) : undefined;
  if (kind !== "map" || typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const pairs = Object.entries(value);
  return isTexts(Object.values(value)) && pairs.length > 0 ? formatMapText(pairs as [string, string][]) : undefined;
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

/** The value of an option with its secrets; in a list or in pairs each stays within its item, whatever it holds. */
export function fillOption(key: string, text: string, values: ReadonlyMap<string, string>): string {
  const kind = BY_NAME.get(key)?.type.kind;
  const { masked, unmask } = maskSecrets(text.trim(), values);
  const items = kind === "list" ? parseListText(masked) : undefined;
  if (items !== undefined) return formatListText(items.map(unmask));
  const pairs = kind === "map" ? parseMapText(masked) : undefined;
  if (pairs !== undefined) return formatMapText(pairs.map(([name, value]) => [unmask(name), unmask(value)]));
  return fillSecrets(text, values);
}

/** What the value of an option must be where `value` is none, without a word of it; undefined where it is one. */
export function optionExpectation(key: string, value: string): string | undefined {
  const option = BY_NAME.get(key);
  return option === undefined || parseOptionValue(option.type, value) !== undefined ? undefined : expectedValue(option.type);
}

/** The names that one of the versions we know calls it by, the oldest first. */
export function namesOf(option: FlinkOption): readonly string[] {
  return [...(option.formerly ?? []).map(({ name }) => name), option.name];
}
