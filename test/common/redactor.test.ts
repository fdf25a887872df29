import { describe, expect, it } from "vitest";
import { Redactor } from "../../src/common/redactor.ts";

function after(secret: string, text: string): string {
  const redactor = new Redactor();
  redactor.learn(secret);
  return redactor.redact(text);
}

describe("Redactor", () => {
  it.each([
    ["a secret in a sentence", "hunter2-long", "cannot log in with hunter2-long.", "cannot log in with [secret]."],
    ["each place", "hunter2-long", "hunter2-long hunter2-long", "[secret] [secret]"],
    ["signs of patterns", "a.b*c(d)$1", "args [a.b*c(d)$1]", "args [[secret]]"],
    ["one that JSON escapes", 'say "hi" now', String.raw`{"a":"say \"hi\" now"}`, '{"a":"[secret]"}'],
    ["one in Base64", "hunter2-long", "Basic aHVudGVyMi1sb25n", "Basic [secret]"],
    ["one in an address", "p@ss/word!", "https://u:p%40ss%2Fword!@h/", "https://u:[secret]@h/"],
    ["a line of several", "first-line\nsecond-line", "bad key: second-line", "bad key: [secret]"],
    ["a short one as a word", "abc", "user abc, not abcd", "user [secret], not abcd"],
    ["no short one in what is no sentence", "abc", "abc", "abc"],
    ["a long one anywhere", "abcdefgh", "xabcdefghx", "x[secret]x"],
  ])("takes out %s", (_, secret, text, expected) => {
    expect(after(secret, text)).toBe(expected);
  });

  it("goes through a value of JSON and leaves the names of its members and all that is no text", () => {
    const redactor = new Redactor();
    redactor.learn("sesame-open");
    const value = { errors: ["main: sesame-open"], "sesame-open": 1, none: null, nested: { name: "sesame-open" } };
    expect(redactor.redactJson(value)).toEqual({
      errors: ["main: [secret]"],
      "sesame-open": 1,
      none: null,
      nested: { name: "[secret]" },
    });
  });

  it("knows a secret that has changed since, and the longer one of two first", () => {
    const redactor = new Redactor();
    redactor.learn("old-password");
    redactor.learn("old-password-2");
    expect(redactor.redact("was old-password, is old-password-2")).toBe("was [secret], is [secret]");
  });
});
