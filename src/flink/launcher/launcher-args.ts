import { compareText } from "../../common/problem.ts";

/** What the launcher's main() expects: the user's class, the options as base64 of a Java properties text, then the user's own arguments. */
export function launcherArgs(
  entryClass: string,
  configuration: Readonly<Record<string, string>>,
  mainArgs: readonly string[],
): readonly string[] {
  return [entryClass, Buffer.from(formatProperties(configuration), "utf8").toString("base64"), ...mainArgs];
}

/** Java properties, sorted by key, in ASCII: `java.util.Properties.load` gives back exactly these keys and values. */
export function formatProperties(entries: Readonly<Record<string, string>>): string {
  return Object.entries(entries)
    .sort(([a], [b]) => compareText(a, b))
    .map(([key, value]) => `${escaped(key)}=${escaped(value)}\n`)
    .join("");
}

/** Everything but harmless ASCII as `\uXXXX`, UTF-16 unit by unit as Java reads it; the format's own characters with a backslash. */
function escaped(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9._\-/,;@+*()[\]{}<>$%&'"|~^`?]/g, (character) =>
    /^[ -~]$/.test(character) ? `\\${character}` : unicodeEscapes(character),
  );
}

function unicodeEscapes(character: string): string {
  return Array.from(
    { length: character.length },
    (_, index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`,
  ).join("");
}
