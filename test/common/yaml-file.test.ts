import { describe, expect, it } from "vitest";
import { formatPosition, formatProblem } from "../../src/common/problem.ts";
import { parseYamlFile } from "../../src/common/yaml-file.ts";

function problemsOf(content: string | Uint8Array): readonly string[] {
  return parseYamlFile("a.yaml", content).problems.map(formatProblem);
}

describe("parseYamlFile", () => {
  it.each([
    ["an empty file", "", []],
    ["only comments and markers", "# nothing\n---\n# here\n---\n...\n", []],
    ["one document", "a: 1\n", [{ a: 1 }]],
    ["several documents", "a: 1\n---\na: 2\n...\n---\na: 3\n", [{ a: 1 }, { a: 2 }, { a: 3 }]],
    ["a comment before the marker", "# first\n---\na: 1\n", [{ a: 1 }]],
    ["a byte order mark", "\uFEFFa: 1\n", [{ a: 1 }]],
    ["Windows line ends", "a: 1\r\nb:\r\n  - 2\r\n---\r\nc: 3\r\n", [{ a: 1, b: [2] }, { c: 3 }]],
    ["a document marker in a block scalar's deeper line", "a: |\n  ---\n  x\n", [{ a: "---\nx\n" }]],
    ["anchors and aliases", "a: &x {k: 1}\nb: *x\nc: [*x]\n", [{ a: { k: 1 }, b: { k: 1 }, c: [{ k: 1 }] }]],
    ["merge keys, own keys first", "a: &x {k: 1, l: 2}\nb: {<<: *x, k: 3}\n", [{ a: { k: 1, l: 2 }, b: { k: 3, l: 2 } }]],
    ["several merged mappings, the first wins", "b:\n  <<: [{k: 1}, {k: 2, l: 2}]\n", [{ b: { k: 1, l: 2 } }]],
    ["a quoted << as an ordinary key", '"<<": 1\n', [{ "<<": 1 }]],
    ["numbers as keys", "1.20: a\ntrue: b\n", [{ "1.20": "a", true: "b" }]],
    ["an anchor that is set again", "a: &x 1\nb: *x\nc: &x 2\nd: *x\n", [{ a: 1, b: 1, c: 2, d: 2 }]],
    ["YAML 1.1 by directive", "%YAML 1.1\n---\nwhen: 2001-01-01\n", [{ when: "2001-01-01" }]],
  ])("reads %s", (_, text, values) => {
    const file = parseYamlFile("a.yaml", text);
    expect(file.problems).toEqual([]);
    expect(file.documents.map((document) => document.value)).toEqual(values);
  });

  it.each([
    [
      "a tab as indent",
      "a:\n\tb: 1\n",
      ["a.yaml:2:1 this is not readable YAML (Tabs are not allowed as indentation); indent with spaces instead of tabs"],
    ],
    ["a key twice", "a: 1\nb: 2\na: 3\n", ["a.yaml:3:1 the key a stands here a second time in one mapping; keep one of the two"]],
    [
      "an alias without anchor",
      "a: &defaults 1\nb: *default\n",
      [
        "a.yaml:2:4 no anchor &default stands before this alias; did you mean defaults?; write &default before the value that is meant",
      ],
    ],
    [
      "an alias within its anchor",
      "a: &x [1, *x]\n",
      ["a.yaml:1:11 the alias *x stands inside of its own anchor; write the value out"],
    ],
    ["an unknown tag", "a: !secret x\n", ["a.yaml:1:4 this is not readable YAML (Unresolved tag: !secret); leave the tag out"]],
    ["a mapping as a key", "? {a: 1}\n: 2\n", ["a.yaml:1:3 a key must be text, not a mapping or a list; put it in quotes"]],
    [
      "a merge of text",
      "<<: x\n",
      ["a.yaml:1:1 << merges a mapping or a list of mappings; give it an alias such as *defaults, or put the key in quotes"],
    ],
    [
      "an unclosed quote",
      'a: "x\nb: 1\n',
      [
        'a.yaml:3:1 this is not readable YAML (Missing closing "quote); check quotes, brackets, colons and commas here and on the lines before',
      ],
    ],
    ["a NUL character", "a: 1\nb: x\0y\n", ["a.yaml:2:5 this is a NUL character, which no text holds; remove it"]],
    [
      "two colons on a line",
      "a: b: c\n",
      [
        "a.yaml:1:4 this is not readable YAML (Nested mappings are not allowed in compact mappings); begin a nested mapping on a line of its own, or put the value in quotes",
      ],
    ],
    ["too deep nesting", "[".repeat(100_000), ["a.yaml:1:67 this is nested deeper than 64 levels; write it flatter"]],
    [
      "what is no YAML at all",
      "}".repeat(500),
      ["a.yaml:1:102 this is not YAML; keep files of other kinds outside of the configured paths"],
    ],
  ])("reports %s with its place and a way out", (_, text, problems) => {
    expect(problemsOf(text)).toEqual(problems);
  });

  it("finds the byte that is not UTF-8 and keeps the other documents", () => {
    const content = Buffer.concat([Buffer.from("a: 1\n---\nb: ü"), Buffer.from([0xfc]), Buffer.from("x\nc: 1\n---\nd: 2\n")]);
    const file = parseYamlFile("a.yaml", content);
    expect(file.problems.map(formatProblem)).toEqual(["a.yaml:3:5 this character is not UTF-8; save the file as UTF-8"]);
    expect(file.documents.map(({ value, broken }) => [value, broken])).toEqual([
      [{ a: 1 }, false],
      [undefined, true],
      [{ d: 2 }, false],
    ]);
  });

  it("refuses UTF-16 with the way out", () => {
    expect(problemsOf(Buffer.from("\uFEFFa: 1\n", "utf16le"))).toEqual([
      "a.yaml:1:1 the file is encoded as UTF-16; save it as UTF-8",
    ]);
  });

  it("refuses a file of 10 MB without parsing it", () => {
    expect(problemsOf("a: 1\n".repeat(2_097_152))).toEqual([
      "a.yaml:1:1 the file has 10 MB, and at most 1.0 MB are read; split it, or keep it outside of the configured paths",
    ]);
  });

  it("reads the documents around a broken one, whatever it leaves open", () => {
    const file = parseYamlFile("a.yaml", "a: 1\n---\nb: 'open\n---\nc: [open\n---\nd: 4\n");
    expect(file.documents.map((document) => document.value)).toEqual([{ a: 1 }, undefined, undefined, { d: 4 }]);
    expect(file.problems.map(({ line }) => line)).toEqual([4, 6]);
  });

  it("stops at too many documents and keeps those before", () => {
    const file = parseYamlFile("a.yaml", "--- 1\n--- 2\n--- 3\n", { maxDocuments: 2 });
    expect(file.documents.map((document) => document.value)).toEqual([1, 2]);
    expect(file.problems.map(formatProblem)).toEqual(["a.yaml:3:1 the file has 3 documents, and at most 2 are read; split it"]);
  });

  it("reports every broken line of a document once, at most ten of them", () => {
    const text = Array.from({ length: 30 }, (_, index) => `k${index}: @x\n`).join("");
    const problems = problemsOf(text);
    expect(problems).toHaveLength(11);
    expect(problems[1]).toMatch(/^a\.yaml:2:5 /);
    expect(problems[10]).toBe("a.yaml:11:6 20 more lines of this document cannot be read; correct the ones above first");
  });

  it.each([
    ["aliases of aliases", bomb(), /^a\.yaml:4:9 the aliases here stand for more than 100 others; write the values out$/],
    ["compact nesting", "- ".repeat(500_000), /nested deeper than 64 levels/],
    ["nesting through aliases", chain(100), /nested deeper than 64 levels/],
    ["a long document", "- a\n".repeat(200_000), /too long to be read/],
    ["half a million wrong escapes", `a: "${"\\z".repeat(500_000)}"`, /^a\.yaml:1:\d{4} more than 1000 places before this one/],
    ["a megabyte of directives", `${"%FOO bar\n".repeat(110_000)}---\na: 1\n`, /^a\.yaml:1001:1 more than 1000 places/],
    ["aliases that cannot have anchors", "- &a *b\n".repeat(30_000), /^a\.yaml:1001:6 more than 1000 places/],
  ])("survives %s", (_, text, expected) => {
    const file = parseYamlFile("a.yaml", text);
    expect(file.documents.map(({ broken }) => broken)).toEqual([true]);
    expect(file.problems.map(formatProblem).join("\n")).toMatch(expected);
  });

  it("looks for what was meant by ten aliases, and among a thousand anchors, of any number", () => {
    const indexes = [...Array(20_000).keys()];
    const text = [...indexes.map((index) => `- &left${index} 1`), ...indexes.map((index) => `- *lef${index}`)].join("\n");
    const problems = problemsOf(text);
    expect(problems).toHaveLength(10);
    expect(problems[0]).toBe(
      "a.yaml:20001:3 no anchor &lef0 stands before this alias; did you mean left0?; write &lef0 before the value that is meant",
    );
  });

  it("repeats no control character of an anchor", () => {
    const [problem] = problemsOf("- &na\u001Bme 1\n- *na\u001Bne\n");
    expect(problem).toBe(
      "a.yaml:2:3 no anchor &na ne stands before this alias; did you mean na me?; write &na ne before the value that is meant",
    );
  });

  it("never changes a prototype", () => {
    const value = parseYamlFile("a.yaml", "__proto__: {polluted: 1}\nconstructor: 2\n").documents[0]!.value as object;
    expect(Object.keys(value)).toEqual(["__proto__", "constructor"]);
    expect(Reflect.get({}, "polluted")).toBeUndefined();
    expect(Reflect.get(value, "polluted")).toBeUndefined();
  });

  it("never throws, whatever the text", () => {
    const pieces = [
      "a: ",
      "- ",
      "&x ",
      "*x",
      "<<: ",
      "\n",
      "  ",
      "---\n",
      "...\n",
      "[",
      "]",
      "{",
      "}",
      '"',
      "'",
      "|\n",
      "!t ",
      "? ",
      "#",
      "%YAML 1.1\n",
      "\t",
      "\0",
      ",",
    ];
    for (let seed = 1; seed <= 3000; seed += 1) {
      let state = seed;
      const next = (): number => (state = (state * 48_271) % 2_147_483_647);
      const text = Array.from({ length: 12 }, () => pieces[next() % pieces.length]).join("");
      const file = parseYamlFile("a.yaml", text);
      expect(file.problems.length > 0, text).toBe(file.documents.some((document) => document.hasErrors));
      for (const document of file.documents) expect(document.broken).toBe(document.value === undefined);
    }
  });
});

describe("a YamlDocument", () => {
  const text = [
    "# comment",
    "kind: Job",
    "spec:",
    "  flinkVersion: 1.20",
    '  quoted: "1.20"',
    "  big: 12345678901234567890",
    "  list: &l",
    "    - 1e3",
    "  same: *l",
    "  empty:",
    "",
  ].join("\n");
  const document = parseYamlFile("a.yaml", text).documents[0]!;

  it.each([
    [["spec", "flinkVersion"], "1.20"],
    [["spec", "quoted"], "1.20"],
    [["spec", "big"], "12345678901234567890"],
    [["spec", "list", 0], "1e3"],
    [["spec", "same", 0], "1e3"],
    [["spec", "empty"], ""],
    [["spec"], undefined],
    [["spec", "nothing"], undefined],
  ])("keeps the source text of %j", (path, source) => {
    expect(document.sourceText(path)).toBe(source);
  });

  it.each([
    [[], "a.yaml:2:1", "a.yaml:2:1"],
    [["spec"], "a.yaml:4:3", "a.yaml:3:1"],
    [["spec", "flinkVersion"], "a.yaml:4:17", "a.yaml:4:3"],
    [["spec", "same", 0], "a.yaml:8:7", "a.yaml:8:7"],
    [["spec", "nothing", "deeper"], "a.yaml:4:3", "a.yaml:3:1"],
    [["spec", "flinkVersion", "deeper"], "a.yaml:4:17", "a.yaml:4:3"],
  ])("knows where %j stands", (path, value, key) => {
    expect(formatPosition(document.at(path))).toBe(value);
    expect(formatPosition(document.atKey(path))).toBe(key);
  });

  it("lists every path with its position", () => {
    const listed = [...document.paths()].map(([path, position]) => `${path.join("/")} ${position.line}:${position.column}`);
    expect(listed).toContain("spec/list/0 8:7");
    expect(listed).toContain("spec/same/0 8:7");
    expect(listed).toHaveLength(10);
  });
});

function bomb(): string {
  const lines = Array.from(
    { length: 12 },
    (_, index) => `a${index + 1}: &a${index + 1} [${Array(9).fill(`*a${index}`).join(", ")}]`,
  );
  return ["a0: &a0 [x, x, x, x, x, x, x, x, x]", ...lines].join("\n");
}

function chain(length: number): string {
  return ["a0: &a0 [x]", ...Array.from({ length }, (_, index) => `a${index + 1}: &a${index + 1} [*a${index}]`)].join("\n");
}
