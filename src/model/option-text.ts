import { parse } from "yaml";

/** Lists and maps in the two ways that Flink reads them: its own, `a;b` and `k:v,l:w` with quotes, and YAML's `[a, b]` and `{k: v}`. */

const MAX_LENGTH = 100_000;

/** The items, none of them empty; undefined when the text is no list. */
export function parseListText(text: string): readonly string[] | undefined {
  if (text.startsWith("[")) return parseYamlList(text);
  const items = splitQuoted(text, ";");
  return items === undefined || items.includes("") ? undefined : items;
}

export function parseMapText(text: string): readonly (readonly [string, string])[] | undefined {
  if (text.startsWith("{")) return parseYamlMap(text);
  const pairs: (readonly [string, string])[] = [];
  for (const pair of splitQuoted(text, ",") ?? [""]) {
    const [key, value, ...more] = splitQuoted(pair, ":") ?? [];
    if (key === undefined || key === "" || value === undefined || more.length > 0) return undefined;
    pairs.push([key, value]);
  }
  return pairs;
}

export function formatListText(items: readonly string[]): string {
  return items.map((item) => quoted(item, ";")).join(";");
}

export function formatMapText(pairs: readonly (readonly [string, string])[]): string {
  return pairs.map(([key, value]) => quoted(`${quoted(key, ":")}:${quoted(value, ":")}`, ",")).join(",");
}

/** In single quotes where Flink would otherwise see a delimiter or a quote. */
function quoted(text: string, delimiter: string): string {
  return text.includes(delimiter) || /['"]/.test(text) ? `'${text.replaceAll("'", "''")}'` : text;
}

/** The parts between delimiters. A part in quotes may hold delimiters, and its quote written twice. */
function splitQuoted(text: string, delimiter: string): readonly string[] | undefined {
  const parts: string[] = [];
  let rest = text.trim();
  for (;;) {
    const match = /^(?:'((?:[^']|'')*)'|"((?:[^"]|"")*)")\s*/.exec(rest);
    const end = match === null ? rest.indexOf(delimiter) : match[0].length;
    const part = match === null ? rest.slice(0, end === -1 ? rest.length : end).trim() : unquoted(match);
    if (match === null && /^['"]/.test(part)) return undefined; // a quote that is never closed
    parts.push(part);
    if (end === -1 || end === rest.length) return parts;
    if (!rest.startsWith(delimiter, end)) return undefined; // something behind the closing quote
    rest = rest.slice(end + delimiter.length).trim();
  }
}

function unquoted([, single, double]: RegExpExecArray): string {
  return single === undefined ? (double ?? "").replaceAll('""', '"') : single.replaceAll("''", "'");
}

function parseYamlList(text: string): readonly string[] | undefined {
  const value = parseYaml(text);
  if (!Array.isArray(value) || value.length === 0) return undefined;
  return value.map((item: unknown) => (isScalar(item) ? String(item) : JSON.stringify(item)));
}

function parseYamlMap(text: string): readonly (readonly [string, string])[] | undefined {
  const value = parseYaml(text);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const pairs = Object.entries(value);
  if (pairs.length === 0 || !pairs.every(([key, member]) => key !== "" && isScalar(member))) return undefined;
  return pairs.map(([key, member]) => [key, String(member)]);
}

/** All scalars as text, as they are written: 007 stays 007. Undefined for what is no YAML. */
function parseYaml(text: string): unknown {
  if (text.length > MAX_LENGTH) return undefined;
  try {
    return parse(text, { schema: "failsafe", maxAliasCount: 0, logLevel: "error" });
  } catch {
    return undefined; // The caller says what would be one.
  }
}

function isScalar(value: unknown): boolean {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}
