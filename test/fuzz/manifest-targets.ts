import { isDeepStrictEqual } from "node:util";
import { printYaml } from "../../src/common/print-yaml.ts";
import { gitBlobId } from "../../src/common/hash.ts";
import { jobSpecHash } from "../../src/model/canonical-spec.ts";
import type { Manifest } from "../../src/model/manifest.ts";
import { mirrorIntoFile } from "../../src/model/mirror-status.ts";
import { parseManifestFile, parseManifests, type ParsedFile } from "../../src/model/parse-manifests.ts";
import { API_VERSION, resourceKey } from "../../src/model/resource.ts";
import { artifactSpecFields, jobSpecFields, savepointSpecFields } from "../../src/model/spec-fields.ts";
import { aJob, anArtifact, aSavepoint } from "../scenarios/manifests.ts";
import { chanceOf, type Target } from "./fuzzer.ts";
import { breakDocument, buildDocument, printDocument } from "./random-documents.ts";
import { checkPosition, checkProblems, checkPrototypes, CpuGuard } from "./properties.ts";

const PATH = "fuzz.yaml";
const GOOD = Buffer.from(aJob("good-one"));

export const MANIFEST_WORDS = [
  ..."---\n|...\n|: |- |? |&a |*a|<<: *a|!!binary |!!js/function |!t |{|}|[|]|,|\"|'|#|%YAML 1.1\n|%TAG ! x\n|\t|\r\n|\0|\uFEFF|\u2028|\u202E|\u001B[31m|\u009B|>-\n|@|`|~|null|true|1e999|0x10|1_000|.inf|.nan|-0|0o17|1.20|\\x1b|\\u0000|\\z".split(
    "|",
  ),
  "|\n",
  "apiVersion: core/v1alpha1\n",
  "kind: Job\n",
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "metadata:\n  name: a\n",
  "spec:\n",
  "status:\n  phase: Ready\n",
  "mainArgs: [a]\n",
  "${secret:A}",
  "${secret:",
  "penstock/paused: true\n",
  "execution.checkpointing.intervall: 1\n",
];

const SEEDS = [
  anArtifact("orders") + aJob("orders", { mainArgs: ["--a", "1"], configuration: { "execution.checkpointing.interval": "30s" } }),
  aSavepoint("kept", "{type: External, uri: s3://a/b}") + aJob("b", { annotations: { "penstock/paused": "true" } }),
  "apiVersion: core/v1alpha1\nkind: Project\nmetadata: {name: a, labels: {a: b}}\nspec: {}\n---\napiVersion: v1\nkind: ConfigMap\n",
  'base: &base {a: [1, "x", null]}\nlist:\n  - *base\n  - {<<: *base, b: |\n      text\n    }\n',
].map((text) => Buffer.from(text));

function parse(content: Buffer): ParsedFile {
  return parseManifestFile({ path: PATH, blob: gitBlobId(content), content });
}

/** Whatever the bytes are: the parser's promises, and those of what goes on with what it found. */
export function manifestBytes(): Target {
  const guard = new CpuGuard([...SEEDS, Buffer.from(aJob("long").repeat(40))], parse);
  return {
    name: "manifests, byte by byte",
    seeds: SEEDS,
    words: MANIFEST_WORDS,
    check: (input) => checkFile(input, guard.run(input, parse)),
  };
}

/** Documents that follow the schema, in any style of YAML, and then with something wrong in them. */
export function manifestDocuments(): Target {
  const guard = new CpuGuard(SEEDS, parse);
  return {
    name: "manifests, by their schema",
    seeds: [0, 1, 2, 3, 4, 5, 6, 7].map((seed) =>
      Buffer.from(Array.from({ length: 64 }, (_, index) => (seed * 37 + index * 101 * (seed + 1)) % 256)),
    ),
    words: ["\0", "\x7F", "\xFF"],
    check(input) {
      const chance = chanceOf(input);
      const document = buildDocument(chance);
      const [first, second] = [printDocument(document, chance), printDocument(document, chance)].map((text) => Buffer.from(text));
      const [one, other] = [onlyOf(first!), onlyOf(second!)];
      if (meaningOf(one) !== meaningOf(other))
        throw new Error(`another meaning in another style:\n${String(first)}\n${String(second)}`);
      checkFile(first!, parse(first!));
      const broken = Buffer.from(breakDocument(document, chance));
      checkFile(broken, guard.run(broken, parse));
    },
  };
}

function onlyOf(text: Buffer): Manifest {
  const { manifests, problems } = parse(text);
  if (manifests.length !== 1 || problems.length > 0)
    throw new Error(`not valid: ${JSON.stringify(problems)}\n${text.toString()}`);
  return manifests[0]!;
}

function meaningOf(manifest: Manifest): string {
  const spec =
    manifest.kind === "Job" ? [jobSpecHash(manifest.spec), manifest.spec.rpus] : "spec" in manifest ? manifest.spec : "";
  return JSON.stringify([resourceKey(manifest.id), spec]);
}

const MAX_PROBLEMS = 202;

function checkFile(input: Buffer, parsed: ParsedFile): void {
  checkPrototypes();
  checkProblems(parsed.problems, PATH, input);
  for (const at of [...parsed.unreadable, ...parsed.broken.map(({ position }) => position)]) checkPosition(at, PATH, input);
  if (parsed.problems.length > MAX_PROBLEMS) throw new Error(`${parsed.problems.length} problems`);
  if (parsed.problems.length === 0 && parsed.unreadable.length + parsed.broken.length > 0)
    throw new Error("wrong, and no word of it");
  for (const manifest of parsed.manifests) checkPrinted(manifest);
  checkNeighbour(parsed);
  checkMirrored(input, parsed);
}

/** `parse(print(parse(x)))` is `parse(x)`. */
function checkPrinted(manifest: Manifest): void {
  const { id, labels, annotations } = manifest;
  const { kind, zone, project, name } = id;
  const metadata = { name, ...(kind === "Project" ? {} : { project }), labels, annotations };
  const text = printYaml({
    apiVersion: API_VERSION,
    kind,
    ...(kind === "Project" ? {} : { zone }),
    metadata,
    spec: specOf(manifest),
  });
  const again = onlyOf(Buffer.from(text));
  const [before, after] = [manifest, again].map((one) => ({
    id: one.id,
    labels: one.labels,
    annotations: one.annotations,
    spec: "spec" in one ? one.spec : {},
  }));
  if (!isDeepStrictEqual(after, before))
    throw new Error(`printed and read again it is another one:\n${text}\n${JSON.stringify([before, after])}`);
}

function specOf(manifest: Manifest): object {
  switch (manifest.kind) {
    case "Project":
      return {};
    case "Job":
      return jobSpecFields(manifest.spec);
    case "Artifact":
      return artifactSpecFields(manifest.spec);
    case "Savepoint":
      return savepointSpecFields(manifest.spec);
    default:
      return manifest satisfies never;
  }
}

/** A good Job in a file beside it stays good, unless this one declares the same, or Projects. */
function checkNeighbour(parsed: ParsedFile): void {
  const { manifests } = parseManifests([parsed, { path: "good.yaml", blob: gitBlobId(GOOD), content: GOOD }]);
  const declared = [...parsed.manifests, ...parsed.broken].map(({ id }) => id);
  if (declared.some(({ kind, name }) => kind === "Project" || name === "good-one")) return;
  if (!manifests.some(({ id }) => id.name === "good-one")) throw new Error("the good Job in another file is gone");
}

/** A status that is written into the file changes nothing else of it. */
function checkMirrored(input: Buffer, parsed: ParsedFile): void {
  const status = { phase: "Ready", conditions: [{ message: "a: b # c\n" }] };
  const statuses = new Map(parsed.manifests.map(({ id }) => [resourceKey(id), status] as const));
  const { content } = mirrorIntoFile({ path: PATH, blob: "", content: input }, statuses);
  if (content === input) return;
  const after = parse(Buffer.from(content));
  if (after.bareBlob !== parsed.bareBlob) throw new Error(`a mirrored status left a trace:\n${Buffer.from(content).toString()}`);
  const [before, now] = [parsed, after].map(({ manifests }) => manifests.map(meaningOf));
  if (!isDeepStrictEqual(now, before)) throw new Error("a mirrored status changed a manifest");
}
