/** Cuts at `max` characters and says so with an ellipsis. Never splits a surrogate pair. */
export function truncate(text: string, max: number): string {
  if (text.length <= max) return text;
  const end = text.charCodeAt(max - 2) >= 0xd800 && text.charCodeAt(max - 2) <= 0xdbff ? max - 2 : max - 1;
  return `${text.slice(0, end)}…`;
}

/** One harmless line out of foreign text: control characters (terminal escapes, line breaks, direction marks) become spaces. */
export function oneLine(text: string, max = 500): string {
  const harmless = text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]+/gu, " ").replaceAll(/ {2,}/g, " ");
  return truncate(harmless.trim(), max);
}

/** A path for people: what could steer a terminal, break a line or turn text around is spelled out, as in `\u{202e}`. */
export function shownPath(path: string): string {
  const spelled = path.replaceAll(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`, // a match is a character
  );
  return truncate(spelled, 300);
}

/** `1 job`, `2 jobs`. */
export function countOf(count: number, singular: string, plural = `${singular}s`): string {
  return `${count} ${count === 1 ? singular : plural}`;
}

/** `a`, `a and b`, `a, b and c`. */
export function listOf(items: readonly string[], conjunction = "and"): string {
  if (items.length < 2) return items.join("");
  return `${items.slice(0, -1).join(", ")} ${conjunction} ${items.at(-1)}`;
}
