import { expect } from "vitest";

/** What a terminal, a page or a person would take for something else than text. */
export const HOSTILE = {
  escape: "\u001B[31mred\u001B]0;title\u0007\u009B2J",
  lines: "first\r\nsecond\u2028third",
  turned: "exe.\u202Egpj\u2066",
  html: `<img src=x onerror="alert(1)"></td><script>alert(1)</script>`,
  markdown: "[click](javascript:alert(1)) ![x](https://evil.example.com/x.png) | @everyone #1 `code` **bold**",
} as const;

export const ALL_HOSTILE = Object.values(HOSTILE).join(" ");

/** Nothing in the text steers a terminal, breaks a line where none is, or turns text around. */
export function expectNothingSteers(what: string, text: string): void {
  const found = /[^\n\P{Cc}]|[\p{Bidi_Control}\p{Zl}\p{Zp}\p{Cs}]/u.exec(text);
  const around = found === null ? "" : JSON.stringify(text.slice(Math.max(0, found.index - 60), found.index + 20));
  expect(around, what).toBe("");
}

/** Foreign text is text in Markdown: no tag, no link, no picture, no mention. */
export function expectNoMarkup(what: string, markdown: string): void {
  expectNothingSteers(what, markdown);
  for (const markup of [
    /<(?:img|script|\/td)/,
    /(?<!\\)\]\(javascript/,
    /(?<!\\)!\[x/,
    /@everyone/,
    /(?<!\\)`code/,
    /(?<!\\)\*\*bold/,
  ])
    expect(markdown, what).not.toMatch(markup);
}
