import { describe, expect, it } from "vitest";
import { canonicalJson, sha256Hex } from "../../src/common/hash.ts";

describe("sha256Hex", () => {
  it("gives the published digest of a known text, whether it comes as text or as bytes", () => {
    const digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    expect(sha256Hex("abc")).toBe(digest);
    expect(sha256Hex(Buffer.from("abc"))).toBe(digest);
    expect(sha256Hex("ä")).toBe(sha256Hex(Buffer.from("ä", "utf8")));
  });
});

describe("canonicalJson", () => {
  it("is the same for equal values, however deep their keys were written in another order", () => {
    const one = { b: 1, a: { d: [{ y: 1, x: 2 }], c: null } };
    const other = { a: { c: null, d: [{ x: 2, y: 1 }] }, b: 1 };
    expect(canonicalJson(one)).toBe(canonicalJson(other));
    expect(canonicalJson(one)).toBe('{"a":{"c":null,"d":[{"x":2,"y":1}]},"b":1}');
  });

  it("keeps the order of lists, and leaves undefined members out", () => {
    expect(canonicalJson([2, 1])).toBe("[2,1]");
    expect(canonicalJson({ a: undefined, b: 1 })).toBe('{"b":1}');
  });

  it("keeps a member that is called __proto__", () => {
    expect(canonicalJson(JSON.parse('{"__proto__":{"a":1}}'))).toBe('{"__proto__":{"a":1}}');
  });
});
