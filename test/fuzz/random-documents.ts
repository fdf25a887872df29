import { printYaml } from "../../src/common/print-yaml.ts";
import type { Random } from "../support/random.ts";

/** A document as plain values; where a list of equal texts stands, each printing takes one of them. */
export interface RandomDocument {
  readonly kind: "Job" | "Artifact" | "Savepoint" | "Project";
  readonly fields: Fields;
  /** Options of Flink, each with ways to write its value that mean the same. */
  readonly options: readonly (readonly [name: readonly string[], value: readonly unknown[]])[];
}
type Fields = Readonly<Record<string, unknown>>;

const NAMES = ["a", "orders-v1", "window-aggregation-0.2", "007", "1.20", "null", "true", "x".repeat(63), "constructor"] as const;
/** What YAML, a shell, a page or a careless program takes for something else. */
const TEXTS = [
  "--topic",
  "007",
  "1e999",
  "0x10",
  "1_000",
  ".inf",
  "~",
  "null",
  "true",
  "no",
  "a: b",
  "- x",
  "# c",
  "&a",
  "*b",
  "!t",
  "|",
  ">",
  "%",
  "@",
  "`",
  "",
  " lead",
  "trail ",
  "two\nlines\n",
  "\n\nthree\n\n",
  "tab\tx",
  "\u202Eexe",
  "é😀",
  "__proto__",
  "constructor",
  "<<",
  "---",
  "...",
  "'",
  '"',
  "\\",
  "\u001B[31m",
  "\u0085\u2028",
  "<script>",
  "x ".repeat(200),
  "$${secret:A}",
  "${secret:TOKEN}",
] as const;
const OPTIONS: RandomDocument["options"] = [
  [["execution.checkpointing.interval"], ["30s", "30 s", "30000 ms", "30000ms"]],
  [["pipeline.object-reuse"], [true, "true"]],
  [["pipeline.max-parallelism"], [128, "128"]],
  [["state.backend.type", "state.backend"], ["hashmap"]],
  [["pipeline.global-job-parameters"], ["a:1,b:2", { a: "1", b: "2" }]],
];

/** Always valid. */
export function buildDocument(chance: Random): RandomDocument {
  const name = chance.oneOf(NAMES);
  const labels = chance.percent(30) ? { labels: { [chance.oneOf(TEXTS) || "x"]: chance.oneOf(TEXTS) } } : {};
  const common = (kind: string) => ({
    apiVersion: "core/v1alpha1",
    kind,
    zone: chance.oneOf(["eu", "local", "007"]),
    metadata: { name, ...labels },
  });
  switch (chance.below(8)) {
    case 0:
      return {
        kind: "Project",
        fields: { apiVersion: "core/v1alpha1", kind: "Project", metadata: { name }, spec: {} },
        options: [],
      };
    case 1:
      return { kind: "Savepoint", fields: { ...common("Savepoint"), spec: savepointOf(chance) }, options: [] };
    case 2:
      return {
        kind: "Artifact",
        fields: { ...common("Artifact"), spec: { type: "Jar", source: sourceOf(chance), jarOptions: jarOptionsOf(chance) } },
        options: [],
      };
    default:
      return {
        kind: "Job",
        fields: { ...common("Job"), spec: jobOf(chance) },
        options: OPTIONS.filter(() => chance.percent(30)),
      };
  }
}

function jobOf(chance: Random): Fields {
  return {
    flinkVersion: chance.oneOf(["1.16", "1.20", "2.0"]),
    artifactRef: { name: chance.oneOf(NAMES), jarOptions: jarOptionsOf(chance) },
    resources: { rpus: chance.oneOf([0, 1, 16, 32_768]) },
    ...(chance.percent(30) ? { initialStateRef: { name: chance.oneOf(NAMES), allowNonRestoredState: chance.percent(50) } } : {}),
  };
}

function jarOptionsOf(chance: Random): Fields {
  return {
    ...(chance.percent(50) ? { entryClass: chance.oneOf(["com.example.Main", "Main$Inner", "ä.Ö"]) } : {}),
    ...(chance.percent(70) ? { mainArgs: Array.from({ length: chance.below(6) }, () => chance.oneOf(TEXTS)) } : {}),
  };
}

function sourceOf(chance: Random): Fields {
  return chance.oneOf([
    { path: "/jars/app.jar" },
    { path: "/jars/./x/../app ü.jar" },
    { url: "https://example.com/a.jar?token=x#y" },
    { maven: "a.b:c:1.0" },
    { s3: "s3://bucket/key", sha256: "AB".repeat(32) },
  ]);
}

function savepointOf(chance: Random): Fields {
  const jobRef = { name: chance.oneOf(NAMES) };
  return chance.oneOf<Fields>([
    { type: "Final", finalOptions: { shutdownMethod: chance.oneOf(["Graceful", "Drain"]) }, jobRef },
    { type: "OnDemand", jobRef, deletionPolicy: "Delete" },
    { type: "External", uri: "s3://a/b" },
  ]);
}

/** One of the many ways to write it, with what is no part of its spec: comments, another order, a status. */
export function printDocument({ kind, fields, options }: RandomDocument, chance: Random): string {
  const written = kind === "Job" ? { ...fields, spec: withOptions(fields["spec"] as Fields, options, chance) } : fields;
  const withStatus = chance.percent(30)
    ? { ...written, status: { phase: chance.oneOf(["Ready", "\u001B[31m"]), __proto__: null } }
    : written;
  let text = printYaml(shuffled(withStatus, chance), {
    collectionStyle: chance.oneOf(["any", "block", "flow"]),
    defaultStringType: chance.oneOf(["PLAIN", "QUOTE_DOUBLE", "QUOTE_SINGLE", "BLOCK_LITERAL", "BLOCK_FOLDED"]),
    defaultKeyType: "PLAIN",
    indent: chance.oneOf([2, 3, 8]),
    lineWidth: chance.oneOf([0, 80]),
  });
  if (chance.percent(40)) text = text.replace(/^( *)flinkVersion: ["']?(\d\.\d+)["']?$/m, "$1flinkVersion:   $2 # as it is");
  if (chance.percent(30)) text = `# ${chance.oneOf(["comment", "--- no marker", "%no directive", "\u202E"])}\n${text}`;
  if (chance.percent(20)) text = `apiVersion: v1\nkind: ConfigMap\n---\n${text}`;
  if (chance.percent(20)) text = `${text}...\n# the end`;
  if (chance.percent(20)) text = text.replaceAll("\n", "\r\n");
  return chance.percent(20) ? `\uFEFF${text}` : text;
}

/** jarOptions of a Job may stand in either of two places, and an option go by any of its names. */
function withOptions(spec: Fields, options: RandomDocument["options"], chance: Random): Fields {
  const configuration = Object.fromEntries(
    options.map(([names, values]) => [chance.oneOf(names as [string]), chance.oneOf(values as [unknown])]),
  );
  const { jarOptions, ...artifactRef } = spec["artifactRef"] as Fields;
  const placed = chance.percent(50) ? { artifactRef, jarOptions } : { artifactRef: { ...artifactRef, jarOptions } };
  return { ...spec, ...placed, configuration };
}

function shuffled(value: unknown, chance: Random): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return Array.from(value, (item) => shuffled(item, chance)); // a list may have a `constructor` of its own by now
  const entries = Object.entries(value).map(([key, member]) => [key, shuffled(member, chance)] as const);
  for (let last = entries.length - 1; last > 0; last -= 1) {
    const other = chance.below(last + 1);
    [entries[last], entries[other]] = [entries[other]!, entries[last]!];
  }
  return Object.fromEntries(entries);
}

const WRONG = [
  null,
  "",
  [],
  {},
  Number.POSITIVE_INFINITY,
  -1,
  0.5,
  true,
  "x".repeat(5000),
  ["a", ["b"]],
  { __proto__: 1 },
  { a: { b: { c: {} } } },
  new Date(0),
  "\u001B]0;x\u0007",
  2 ** 60,
] as const;
const WRONG_KEYS = [
  "__proto__",
  "constructor",
  "toString",
  "sepc",
  "name ",
  "",
  "\u001B[31m",
  "é",
  "a/b",
  "x".repeat(300),
  "status",
] as const;

/** With one to four things in it replaced, added, doubled or left out. */
export function breakDocument(document: RandomDocument, chance: Random): string {
  const fields = structuredClone(document.fields) as Record<string, unknown>;
  for (let left = 1 + chance.below(4); left > 0; left -= 1) breakOnce(fields, chance);
  const text = printDocument({ ...document, kind: "Project", fields }, chance);
  if (!chance.percent(30)) return text;
  const line = text.split("\n").find((one) => chance.percent(20) && one !== "") ?? "";
  return text.replace(
    line,
    () => `${line}\n${chance.percent(50) ? line : chance.oneOf(["\t", "- ", "&a ", "*a", "!!binary x", "? ", "<<: *x", "}"])}`,
  );
}

function breakOnce(fields: Record<string, unknown>, chance: Random): void {
  let at = fields;
  for (let depth = chance.below(4); depth > 0; depth -= 1) {
    const below = Object.values(at).filter((value) => typeof value === "object" && value !== null);
    if (below.length === 0) break;
    at = below[chance.below(below.length)] as Record<string, unknown>;
  }
  const keys = Object.keys(at);
  const key = keys[chance.below(keys.length)] ?? "x";
  if (chance.percent(25)) Reflect.deleteProperty(at, key);
  else if (chance.percent(40)) define(at, chance.oneOf(WRONG_KEYS), chance.oneOf(WRONG));
  else define(at, key, chance.oneOf(WRONG));
}

function define(at: object, key: string, value: unknown): void {
  Object.defineProperty(at, key, { value: structuredClone(value), enumerable: true, configurable: true, writable: true });
}
