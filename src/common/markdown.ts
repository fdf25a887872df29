import { oneLine } from "./text.ts";

/**
 * Text that shows as it is, in a table cell as well. Nothing in it becomes markup, a link, a mention of a person or of another request: what
 * forges look for (`@name`, `#1`, `!1`, `://`) is broken by a word joiner, which nobody sees.
 */
export function escapeMarkdown(text: string, max = 1000): string {
  return oneLine(text, max)
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(/[@#!$%](?=[\p{L}\p{N}_])|:(?=\/\/)|\bwww(?=\.)/giu, (found) => `${found}\u2060`)
    .replaceAll(/[\\`*_{}[\]()#+!|~>]/g, (character) => `\\${character}`);
}
