import { compareText } from "../common/problem.ts";
import { listOf } from "../common/text.ts";
import type { FlinkVersion } from "./manifest.ts";
import { formatListText, formatMapText, parseListText, parseMapText } from "./option-text.ts";

/** How a Flink option is written. The syntax is Flink's own; ISO durations are accepted as well. */
export type OptionType =
  | { readonly kind: "duration"; readonly minimumMs?: number }
  | { readonly kind: "memory" }
  | { readonly kind: "boolean" }
  /** `unit` is what it counts, where that is a measure: bytes, milliseconds. */
  | { readonly kind: "integer"; readonly minimum?: number; readonly maximum?: number; readonly unit?: string }
  | { readonly kind: "number"; readonly minimum?: number; readonly maximum?: number }
  /** `since`: the first version that knows a value, where not all do that know the option. */
  | {
      readonly kind: "enum";
      readonly values: readonly string[];
      readonly since?: Readonly<Record<string, FlinkVersion>>;
    }
  | { readonly kind: "list"; readonly values?: readonly string[] }
  | { readonly kind: "map" }
  /** A list of mappings, which only YAML's own syntax can say. */
  | { readonly kind: "flow" }
  | { readonly kind: "text" };

/** A value that was understood: `canonical` is the same for all ways to write it, `flink` is how every version of Flink reads it. */
export interface OptionValue {
  readonly canonical: string;
  readonly flink: string;
}

/** Undefined when the text is no value of this type: then `expectedValue` says what would be one. */
export function parseOptionValue(type: OptionType, text: string): OptionValue | undefined {
  const trimmed = text.trim();
  switch (type.kind) {
    case "duration":
      return parseDuration(trimmed, type.minimumMs ?? 0);
    case "memory":
      return parseMemory(trimmed);
    case "boolean":
      return /^(true|false)$/i.test(trimmed) ? same(trimmed.toLowerCase()) : undefined;
    case "integer":
      return /^[+-]?\d{1,15}$/.test(trimmed) ? parseNumber(trimmed, type.minimum, type.maximum) : undefined;
    case "number":
      return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,2})?$/i.test(trimmed)
        ? parseNumber(trimmed, type.minimum, type.maximum)
        : undefined;
    case "enum":
      return ofEnum(type.values, trimmed);
    case "list":
      return parseList(trimmed, type.values);
    case "map":
      return parseMap(trimmed);
    case "flow":
      return /^\[.+\]$/s.test(trimmed) && parseListText(trimmed) !== undefined ? same(trimmed) : undefined;
    case "text":
      return trimmed === "" ? undefined : same(text);
    default:
      return type satisfies never;
  }
}

/** `must be a duration such as 30 s`. */
export function expectedValue(type: OptionType): string {
  switch (type.kind) {
    case "duration":
      return type.minimumMs === undefined
        ? "must be a duration such as 30 s"
        : `must be a duration of at least ${type.minimumMs} ms, such as 30 s`;
    case "memory":
      return "must be a memory size such as 64 mb";
    case "boolean":
      return "must be true or false";
    case "integer":
      return `must be a whole number${type.unit === undefined ? "" : ` of ${type.unit}`}${bounds(type)}, such as ${exampleNumber(type)}`;
    case "number":
      return `must be a number${bounds(type)}, such as ${exampleNumber(type)}`;
    case "enum":
      return `must be ${listOf(type.values, "or")}`;
    case "list":
      return type.values === undefined
        ? "must be a list such as a;b or [a, b]"
        : `must be a list such as ${type.values.slice(0, 2).join(";")}, out of ${listOf(type.values)}`;
    case "map":
      return "must be pairs such as key1:value1,key2:value2 or {key1: value1, key2: value2}";
    case "flow":
      return "must be a list such as [com.example.Order: {type: pojo}]";
    case "text":
      return "must be text that is not empty";
    default:
      return type satisfies never;
  }
}

/** Values of this type, for editors to offer. */
export function exampleValues(type: OptionType): readonly string[] {
  switch (type.kind) {
    case "duration":
      return ["30 s", "10 min"];
    case "memory":
      return ["64 mb"];
    case "boolean":
      return ["true", "false"];
    case "integer":
    case "number":
      return [exampleNumber(type)];
    case "enum":
      return type.values;
    case "list":
      return [(type.values ?? ["a", "b"]).slice(0, 2).join(";")];
    case "map":
      return ["key1:value1,key2:value2"];
    case "flow":
      return ["[com.example.Order: {type: pojo}]"];
    case "text":
      return [];
    default:
      return type satisfies never;
  }
}

const SECOND = 1_000_000_000n;
const DURATION_UNITS: readonly (readonly [names: readonly string[], nanoseconds: bigint])[] = [
  [["d", "day", "days"], 86_400n * SECOND],
  [["h", "hour", "hours"], 3600n * SECOND],
  [["min", "m", "minute", "minutes"], 60n * SECOND],
  [["s", "sec", "secs", "second", "seconds"], SECOND],
  [["", "ms", "milli", "millis", "millisecond", "milliseconds"], 1_000_000n],
  [["µs", "micro", "micros", "microsecond", "microseconds"], 1000n],
  [["ns", "nano", "nanos", "nanosecond", "nanoseconds"], 1n],
];

function parseDuration(text: string, minimumMs: number): OptionValue | undefined {
  const nanoseconds = durationNanoseconds(text);
  if (nanoseconds === undefined || nanoseconds < BigInt(minimumMs) * 1_000_000n) return undefined;
  return { canonical: `${nanoseconds} ns`, flink: formatFlinkDuration(nanoseconds) };
}

function durationNanoseconds(text: string): bigint | undefined {
  const match = /^(\d{1,15})\s*([a-zµ]*)$/i.exec(text);
  if (match === null) return isoNanoseconds(text);
  const unit = DURATION_UNITS.find(([names]) => names.includes(match[2]!.toLowerCase()));
  return unit === undefined ? undefined : BigInt(match[1]!) * unit[1];
}

/** `PT30S`, `P1DT12H`; weeks, months and years have no fixed length for Flink. */
function isoNanoseconds(text: string): bigint | undefined {
  const match = /^P(?:(\d{1,9})D)?(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9})(?:\.(\d{1,9}))?S)?)?$/i.exec(text);
  if (match === null || /^P$|T$/i.test(text)) return undefined;
  const [days, hours, minutes, seconds] = match.slice(1, 5).map((digits) => BigInt(digits ?? 0));
  const fraction = BigInt((match[5] ?? "").padEnd(9, "0"));
  return (((days! * 24n + hours!) * 60n + minutes!) * 60n + seconds!) * SECOND + fraction;
}

/** In the largest unit that needs no fraction: every version of Flink reads `90 s`, not every one reads `PT1M30S`. */
function formatFlinkDuration(nanoseconds: bigint): string {
  if (nanoseconds === 0n) return "0 ms";
  const [names, factor] = DURATION_UNITS.find(([, unit]) => nanoseconds % unit === 0n)!; // every number is a multiple of 1 ns
  return `${nanoseconds / factor} ${names[0] === "" ? "ms" : names[0]}`;
}

/** Whole milliseconds of a duration in the form of `OptionValue.flink`: some options were plain numbers before Flink 1.20. */
export function durationMilliseconds(text: string): string | undefined {
  const nanoseconds = durationNanoseconds(text);
  return nanoseconds === undefined ? undefined : String(nanoseconds / 1_000_000n);
}

const MEMORY_UNITS: readonly (readonly [names: readonly string[], bytes: bigint])[] = [
  [["tb", "t", "tebibytes"], 1024n ** 4n],
  [["gb", "g", "gibibytes"], 1024n ** 3n],
  [["mb", "m", "mebibytes"], 1024n ** 2n],
  [["kb", "k", "kibibytes"], 1024n],
  [["b", "", "bytes"], 1n],
];

function parseMemory(text: string): OptionValue | undefined {
  const match = /^(\d{1,15})\s*([a-z]*)$/i.exec(text);
  const unit = MEMORY_UNITS.find(([names]) => names.includes(match?.[2]?.toLowerCase() ?? "-"));
  if (match === null || unit === undefined) return undefined;
  const bytes = BigInt(match[1]!) * unit[1];
  if (bytes === 0n) return { canonical: "0 b", flink: "0 b" };
  const [names, factor] = MEMORY_UNITS.find(([, size]) => bytes % size === 0n)!; // every number is a multiple of 1 byte
  return { canonical: `${bytes} b`, flink: `${bytes / factor} ${names[0]}` };
}

function parseNumber(text: string, minimum = -Infinity, maximum = Infinity): OptionValue | undefined {
  const value = Number(text);
  return Number.isFinite(value) && value >= minimum && value <= maximum ? same(String(value)) : undefined;
}

function bounds({ minimum, maximum }: { readonly minimum?: number; readonly maximum?: number }): string {
  if (minimum !== undefined && maximum !== undefined) return ` from ${minimum} to ${maximum}`;
  if (minimum !== undefined) return ` of at least ${minimum}`;
  return maximum === undefined ? "" : ` of at most ${maximum}`;
}

/** Flink compares the words of an enum without regard to case. */
function ofEnum(values: readonly string[], text: string): OptionValue | undefined {
  const found = values.find((value) => value.toLowerCase() === text.toLowerCase());
  return found === undefined ? undefined : same(found);
}

function exampleNumber({ minimum, maximum }: { readonly minimum?: number; readonly maximum?: number }): string {
  if (maximum !== undefined && maximum <= 1) return "0.5";
  return String(Math.max(minimum ?? 0, Math.min(maximum ?? 10, 10)));
}

/** `a;b` as well as `[a, b]`; sent in the first form, which every version reads. */
function parseList(text: string, values: readonly string[] | undefined): OptionValue | undefined {
  const items = parseListText(text);
  if (items === undefined) return undefined;
  const known = values === undefined ? items : items.map((item) => ofEnum(values, item)?.flink ?? "");
  return known.includes("") ? undefined : same(formatListText(known));
}

/** `a:1,b:2` as well as `{a: 1, b: 2}`; sent in the first form, which every version reads. */
function parseMap(text: string): OptionValue | undefined {
  const pairs = parseMapText(text);
  if (pairs === undefined) return undefined;
  // Pairs have no order: whoever sorts the lines of a mapping changes nothing.
  const sorted = pairs.toSorted(([a], [b]) => compareText(a, b));
  return { canonical: formatMapText(sorted), flink: formatMapText(pairs) };
}

function same(text: string): OptionValue {
  return { canonical: text, flink: text };
}
