import { describe, expect, it } from "vitest";
import { decodeJavaVersion } from "../../src/flink/responses.ts";

describe("decodeJavaVersion", () => {
  it.each([
    ["OpenJDK 64-Bit Server VM - Debian - 17/17.0.13+11-Debian-2deb12u1", 17],
    ["OpenJDK 64-Bit Server VM - Eclipse Adoptium - 11/11.0.25+9", 11],
    ["OpenJDK 64-Bit Server VM - Temurin - 1.8/25.392-b08", 8],
    ["OpenJDK 64-Bit Server VM - Oracle Corporation - 21/21.0.1+12-29", 21],
    ["something else", undefined],
    ["", undefined],
  ])("%s", (version, expected) => {
    expect(decodeJavaVersion({ jvm: { version } })).toBe(expected);
  });
});
