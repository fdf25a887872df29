import { format, inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { publicUrl, Secret } from "../../src/common/secrets.ts";

describe("Secret", () => {
  const secret = new Secret("hunter2");

  it.each([
    ["a template", `password: ${secret as unknown as string}`],
    ["a concatenation", "password: " + String(secret)],
    ["JSON", JSON.stringify({ deep: [{ secret }] })],
    ["the debugger's view", inspect({ secret }, { showHidden: true, depth: 9 })],
    ["a format string", format("%s %o %j", secret, secret, secret)],
    ["its own enumerable properties", JSON.stringify([Object.assign({}, secret), Object.entries(secret)])],
  ])("does not show in %s", (_, text) => {
    expect(text).not.toContain("hunter2");
  });

  it("is given away by reveal alone", () => {
    expect(secret.reveal()).toBe("hunter2");
  });
});

describe("publicUrl", () => {
  it("leaves out user name, password, query and fragment", () => {
    expect(publicUrl("https://user:pass@git.example.com:8443/a/b.git?token=x#y")).toBe("https://git.example.com:8443/a/b.git");
    expect(publicUrl(new URL("http://token@localhost/"))).toBe("http://localhost/");
    expect(publicUrl("s3://bucket/key")).toBe("s3://bucket/key");
    expect(publicUrl("file:///opt/flink")).toBe("file:///opt/flink");
  });

  it("does not repeat what it cannot read", () => {
    expect(publicUrl("user:hunter2@nowhere")).toBe("an unreadable URL");
    expect(publicUrl("not a url hunter2")).toBe("an unreadable URL");
  });
});
