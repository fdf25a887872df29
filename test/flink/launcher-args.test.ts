import { describe, expect, it } from "vitest";
import { formatProperties, launcherArgs } from "../../src/flink/launcher/launcher-args.ts";

describe("formatProperties", () => {
  it.each([
    [{ b: "2", a: "1" }, "a=1\nb=2\n"],
    [{ "execution.checkpointing.interval": "30 s" }, "execution.checkpointing.interval=30\\ s\n"],
    [{ "a b=c:d": "#!\\" }, "a\\ b\\=c\\:d=\\#\\!\\\\\n"],
    [{ k: "one\r\ntwo\t" }, "k=one\\u000d\\u000atwo\\u0009\n"],
    [{ k: "Zähler 😀" }, "k=Z\\u00e4hler\\ \\ud83d\\ude00\n"],
    [{}, ""],
  ])("writes %j; what Java reads of it is tested with Java", (options, text) => {
    expect(formatProperties(options)).toBe(text);
  });
});

describe("launcherArgs", () => {
  it("leaves the user's own arguments as they are", () => {
    expect(launcherArgs("demo.Main", { a: "1" }, ["--x", "", "a b"])).toEqual(["demo.Main", btoa("a=1\n"), "--x", "", "a b"]);
  });
});
