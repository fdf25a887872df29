import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { FlinkOption } from "../../src/model/option-list/flink-option.ts";
import { REFUSED_OPTIONS } from "../../src/model/option-list/refused.ts";
import { FLINK_OPTIONS, OPTION_DEFAULTS } from "../../src/model/option-list.ts";
import { isAtLeast } from "../../src/model/flink-version.ts";
import { expectedValue, parseOptionValue, type OptionType } from "../../src/model/option-values.ts";
import { checkConfiguration, nameIn, namesOf } from "../../src/model/options.ts";

const VERSIONS = ["1.16", "1.17", "1.18", "1.19", "1.20", "2.0", "2.1", "2.2", "2.3"] as const;

/** What Flink's classes declare, by version and key: test/support/record-flink-options.ts read it out of them. */
interface Declared {
  readonly type: string;
  readonly older: readonly string[];
}

const DECLARED: ReadonlyMap<string, ReadonlyMap<string, Declared>> = readDeclared();

function readDeclared(): ReadonlyMap<string, ReadonlyMap<string, Declared>> {
  const byVersion = new Map(VERSIONS.map((version) => [version as string, new Map<string, Declared>()]));
  const lines = readFileSync(join(import.meta.dirname, "fixtures/flink-options.tsv"), "utf8")
    .trim()
    .split("\n");
  for (const line of lines) {
    const [key = "", said = "", type = "", older = ""] = line.split("\t");
    for (const version of said === "all" ? VERSIONS : said.split(" "))
      byVersion.get(version)!.set(key, { type, older: older.split(" ").filter(Boolean) });
  }
  return byVersion;
}

function hasIt(option: FlinkOption, version: string): boolean {
  return isAtLeast(version, option.since ?? "1.16") && (option.until === undefined || !isAtLeast(version, option.until));
}

/** ForSt's jar of 2.1 could not be had. */
function isUnrecorded(name: string, version: string): boolean {
  return version === "2.1" && name.startsWith("state.backend.forst.");
}

/** The words of an enum, without the mark of a list. */
function wordsOf(type: string): readonly string[] {
  return /\[(.*)\]$/.exec(type)?.[1]?.split("|") ?? [];
}

const JAVA_TYPES: Readonly<Record<OptionType["kind"], RegExp>> = {
  duration: /^Duration$/,
  memory: /^MemorySize$/,
  boolean: /^Boolean$/,
  integer: /^(Integer|Long)$/,
  number: /^(Double|Float)$/,
  enum: /^(String$|\[)/,
  list: /^List /,
  map: /^Map$/,
  flow: /^List /,
  text: /^String$/,
};

describe("the list of options, beside what Flink's own classes declare", () => {
  it.each(VERSIONS)("has each option in Flink %s by the name and of the type that it has there", (version) => {
    const wrong = FLINK_OPTIONS.filter((option) => hasIt(option, version)).flatMap((option) => {
      const name = nameIn(option, version);
      if (isUnrecorded(name, version)) return [];
      const declared = DECLARED.get(version)!.get(name);
      if (declared === undefined) return [`${name} is not there`];
      const isNumber = option.numberBefore !== undefined && !isAtLeast(version, option.numberBefore);
      const fits = isNumber ? declared.type === "Long" : JAVA_TYPES[option.type.kind].test(declared.type);
      return fits ? [] : [`${name} is a ${declared.type}`];
    });
    expect(wrong).toEqual([]);
  });

  it.each(VERSIONS)("says of no option that Flink %s lacks it although it is there", (version) => {
    const wrong = FLINK_OPTIONS.filter((option) => !hasIt(option, version))
      .flatMap(namesOf)
      .filter((name) => DECLARED.get(version)!.has(name));
    expect(wrong).toEqual([]);
  });

  it.each(VERSIONS)("has no word of an enum that Flink %s does not know", (version) => {
    const wrong = FLINK_OPTIONS.filter((option) => hasIt(option, version)).flatMap((option) => {
      const { type } = option;
      const words = wordsOf(DECLARED.get(version)!.get(nameIn(option, version))?.type ?? "");
      if ((type.kind !== "enum" && type.kind !== "list") || words.length === 0) return [];
      const since = type.kind === "enum" ? type.since : undefined;
      return (type.values ?? [])
        .filter((value) => isAtLeast(version, since?.[value] ?? "1.16") && !words.includes(value))
        .map((value) => `${option.name}: ${value}`);
    });
    expect(wrong).toEqual([]);
  });

  it.each(VERSIONS)("takes or refuses, with a reason, every option of a job or cluster that Flink %s has", (version) => {
    const unknown = [...DECLARED.get(version)!.keys()].filter((key) => {
      if (NO_CONFIGURATION.test(key)) return false;
      return checkConfiguration({ [key]: "" }, version).some(({ message }) => message.startsWith("unknown option"));
    });
    expect(unknown).toEqual([]);
  });

  it.each(VERSIONS)("knows every older name that Flink %s reads for an option that a Job may set", (version) => {
    const unknown = FLINK_OPTIONS.filter((option) => hasIt(option, version)).flatMap((option) => {
      const names = new Set([...namesOf(option), ...(option.aliases ?? [])]);
      return (DECLARED.get(version)!.get(nameIn(option, version))?.older ?? []).filter((older) => !names.has(older));
    });
    expect(unknown).toEqual([]);
  });
});

/** Options of tables, functions and reporters, and notes that Flink makes for itself: none stands in a configuration. */
const NO_CONFIGURATION = new RegExp(
  `^(${[
    "<",
    "[a-z]+([A-Z-][A-Za-z]*)*$",
    "(lookup|scan|sink|partition|factory|filter|scope|collect-sink|hidden|statebackend)\\.",
  ].join("|")})`,
);

describe("the list of options", () => {
  it("names each option once, old names included", () => {
    const names = FLINK_OPTIONS.flatMap((option) => [...namesOf(option), ...(option.aliases ?? [])]);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });

  it("refuses nothing that it allows", () => {
    const refused = FLINK_OPTIONS.flatMap(namesOf).filter((name) => REFUSED_OPTIONS.some(({ names }) => names.includes(name)));
    expect(refused).toEqual([]);
  });

  it("has a readable value and a reason for each default", () => {
    for (const { name, value, reason } of OPTION_DEFAULTS) {
      const option = FLINK_OPTIONS.find((candidate) => candidate.name === name);
      expect(parseOptionValue(option!.type, value), `${name} ${expectedValue(option!.type)}`).toBeDefined();
      expect(reason).not.toBe("");
    }
  });
});
