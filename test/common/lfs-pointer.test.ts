import { describe, expect, it } from "vitest";
import { isLfsPointer } from "../../src/common/lfs-pointer.ts";

const POINTER = `version https://git-lfs.github.com/spec/v1\noid sha256:${"a".repeat(64)}\nsize 12345\n`;

describe("isLfsPointer", () => {
  it.each([
    ["as Git LFS writes it", POINTER],
    ["with Windows line ends", POINTER.replaceAll("\n", "\r\n")],
    ["with an extension's line before its oid", POINTER.replace("oid", `ext-0-foo sha256:${"b".repeat(64)}\noid`)],
  ])("knows a pointer %s", (_, text) => {
    expect(isLfsPointer(Buffer.from(text))).toBe(true);
  });

  it.each([
    ["a manifest", "kind: Job\n"],
    ["text about one", `# ${POINTER}`],
    ["one that points nowhere", "version https://git-lfs.github.com/spec/v1\nsize 12345\n"],
    ["a file that only begins like one", POINTER + "#".repeat(1024)],
    ["nothing", ""],
  ])("does not take %s for one", (_, text) => {
    expect(isLfsPointer(Buffer.from(text))).toBe(false);
  });
});
