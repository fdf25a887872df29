import { describe, expect, it } from "vitest";
import { isAbort, isPenstockError, messageOf, type Retry } from "../../src/common/errors.ts";

class TankEmptyError extends Error {
  override readonly name = "TankEmptyError";
  readonly code = "tank-empty";
  readonly retry: Retry = "next-pass";
}

describe("isPenstockError", () => {
  it("believes code and retry together, on errors alone", () => {
    expect(isPenstockError(new TankEmptyError("empty"))).toBe(true);
    expect(isPenstockError(Object.assign(new Error("no such file"), { code: "ENOENT" }))).toBe(false);
    expect(isPenstockError(new Error("plain"))).toBe(false);
    expect(isPenstockError({ code: "tank-empty", retry: "never" })).toBe(false);
    expect(isPenstockError(undefined)).toBe(false);
  });
});

describe("isAbort", () => {
  const leaving = new AbortController();
  leaving.abort();
  const custom = new AbortController();
  custom.abort(new Error("shutting down"));
  const abortError = new DOMException("aborted", "AbortError");

  it.each([
    ["an AbortError after the abort", abortError, leaving.signal, true],
    ["the signal's own reason", custom.signal.reason, custom.signal, true],
    ["another failure after the abort", new Error("broken"), leaving.signal, false],
    ["an AbortError of somebody else", abortError, new AbortController().signal, false],
    ["what is no error", "AbortError", leaving.signal, false],
  ])("judges %s", (_, error: unknown, signal, expected) => {
    expect(isAbort(error, signal)).toBe(expected);
  });
});

describe("messageOf", () => {
  it("is the message of an error, or the text of whatever else was thrown", () => {
    expect(messageOf(new TankEmptyError("the tank is empty"))).toBe("the tank is empty");
    expect(messageOf("just text")).toBe("just text");
    expect(messageOf(undefined)).toBe("undefined");
  });
});
