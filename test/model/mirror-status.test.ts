import { parseAllDocuments } from "yaml";
import { describe, expect, it } from "vitest";
import { gitBlobId } from "../../src/common/hash.ts";
import { mirrorIntoFile } from "../../src/model/mirror-status.ts";
import { parseManifestFile } from "../../src/model/parse-manifests.ts";
import { resourceKey, type ResourceKey } from "../../src/model/resource.ts";

const PENDING = { phase: "Pending", flinkJobState: "", conditions: [] };
const RUNNING = {
  phase: "Ready",
  flinkJobState: "Running",
  flinkJobId: "12345678901234567890123456789012",
  conditions: [
    { type: "Healthy", status: "True", reason: "AllTasksRunning", message: "all: 4 # tasks run", since: "2026-11-22T17:30:00Z" },
  ],
};
const PENDING_LINES = [
  "status: # written by Penstock; changes made here are overwritten",
  "  phase: Pending",
  '  flinkJobState: ""',
  "  conditions: []",
];
const PENDING_BLOCK = `${PENDING_LINES.join("\n")}\n`;

const JOB = `apiVersion: core/v1alpha1
kind: Job
zone: local
metadata: {name: orders, project: default}
spec:
  flinkVersion: 1.20 # as text
  artifactRef: {name: orders}
  resources:
    rpus: 2
`;

const TEXT_AT_THE_END = JOB.replace(
  "resources:\n    rpus: 2",
  "resources: {rpus: 2}\n  jarOptions:\n    mainArgs:\n      - |+\n        a\n",
);

function key(name: string): ResourceKey {
  return resourceKey({ kind: "Job", zone: "local", project: "default", name });
}

function mirror(text: string | Uint8Array, statuses: Readonly<Record<string, Readonly<Record<string, unknown>>>>) {
  const content = Buffer.from(text);
  const file = { path: "jobs.yaml", blob: gitBlobId(content), content };
  const { content: after, left } = mirrorIntoFile(
    file,
    new Map(Object.entries(statuses).map(([name, status]) => [key(name), status])),
  );
  return { text: Buffer.from(after).toString(), left: [...left.values()] };
}

/** What reading the file gives, and that nothing else of it has changed. */
function written(text: string, status: Readonly<Record<string, unknown>> = PENDING): string {
  const result = mirror(text, { orders: status });
  expect(result.left).toEqual([]);
  const [before, after] = [text, result.text].map((content) => parse(content));
  expect(after!.manifests.find(({ id }) => id.name === "orders")?.mirrored).toEqual(status);
  expect(after!.bareBlob).toBe(before!.bareBlob);
  return result.text;
}

function parse(text: string) {
  const content = Buffer.from(text);
  return parseManifestFile({ path: "jobs.yaml", blob: gitBlobId(content), content });
}

describe("a status in its manifest", () => {
  it.each([
    ["is added as the last member", JOB, JOB + PENDING_BLOCK],
    [
      "stands behind options that somebody has commented out",
      `${JOB}    # rpus: 3\n\n  # more: 1\n`,
      `${JOB}    # rpus: 3\n\n  # more: 1\n${PENDING_BLOCK}`,
    ],
    [
      "stands before comments that belong to nothing or to the next document",
      `${JOB}\n# the next one\n---\na: 1\n`,
      `${JOB}${PENDING_BLOCK}\n# the next one\n---\na: 1\n`,
    ],
    ["stands before the marker that ends its document", `---\n${JOB}...\n`, `---\n${JOB}${PENDING_BLOCK}...\n`],
    [
      "leaves documents of others alone",
      `# top\na:   {b: 1 }  # odd\n---\n${JOB}---\n- x\n...\n`,
      `# top\na:   {b: 1 }  # odd\n---\n${JOB}${PENDING_BLOCK}---\n- x\n...\n`,
    ],
    ["leaves a file without a last line break without one", JOB.trimEnd(), JOB + PENDING_BLOCK.trimEnd()],
    [
      "takes the place of an older one in the middle",
      JOB.replace("spec:", "status: {phase: Ready} # mine\nspec:"),
      JOB.replace("spec:", `${PENDING_BLOCK}spec:`),
    ],
    [
      "takes the place of one whose list is not indented",
      JOB.replace("spec:", "status:\n  phase: Ready\n  conditions:\n  - type: A # a\n    status: x\n\n# about spec\nspec:"),
      JOB.replace("spec:", `${PENDING_BLOCK}\n# about spec\nspec:`),
    ],
    ["takes the place of one without a value", `${JOB}status:\n# end\n`, `${JOB}${PENDING_BLOCK}# end\n`],
    [
      "takes the place of one in quotes, of many lines",
      JOB.replace("spec:", '"status": "a\n\n  b"\nspec:'),
      JOB.replace("spec:", `${PENDING_BLOCK}spec:`),
    ],
    ["takes the place of a block of text at the end", `${JOB}status: |\n  a\n\n  b\n`, JOB + PENDING_BLOCK],
    ["takes the place of one at the end without a line break", `${JOB}status: {}`, JOB + PENDING_BLOCK.trimEnd()],
    [
      "keeps the indent of the whole document",
      JOB.replaceAll(/^/gm, "  ").trimEnd() + "\n",
      `${(JOB + PENDING_BLOCK).trimEnd().replaceAll(/^/gm, "  ")}\n`,
    ],
    [
      "keeps aliases",
      JOB.replace("name: orders, ", "name: &n orders, ").replace("{name: orders}", "{name: *n}"),
      JOB.replace("name: orders, ", "name: &n orders, ").replace("{name: orders}", "{name: *n}") + PENDING_BLOCK,
    ],
    ["keeps a block of text at the end with its line breaks", TEXT_AT_THE_END, TEXT_AT_THE_END + PENDING_BLOCK],
    [
      "keeps a block of text at the end without a line break",
      TEXT_AT_THE_END.trimEnd(),
      `${TEXT_AT_THE_END.trimEnd()}\n${PENDING_BLOCK.trimEnd()}`,
    ],
  ])("%s", (_, before, after) => {
    expect(written(before)).toBe(after);
  });

  it("keeps the file's line breaks and its byte order mark", () => {
    const text = `\uFEFF${JOB.replaceAll("\n", "\r\n")}`;
    expect(written(text)).toBe(`\uFEFF${(JOB + PENDING_BLOCK).replaceAll("\n", "\r\n")}`);
    expect(written(text.trimEnd())).toBe(`\uFEFF${(JOB + PENDING_BLOCK).replaceAll("\n", "\r\n").trimEnd()}`);
    expect(written(written(text, RUNNING))).toBe(`\uFEFF${(JOB + PENDING_BLOCK).replaceAll("\n", "\r\n")}`);
  });

  it("is read by everybody as it was meant, whatever it holds", () => {
    const [document] = parseAllDocuments(written(JOB, RUNNING));
    expect((document!.toJS() as { readonly status: unknown }).status).toEqual(RUNNING);
  });

  it.each([
    [
      "",
      `{apiVersion: core/v1alpha1, kind: Job, zone: local, metadata: {name: orders},
  spec: {flinkVersion: "1.20", artifactRef: {name: a}, resources: {rpus: 2}} @ # end
}
`,
    ],
    [
      ",",
      `--- {apiVersion: core/v1alpha1, kind: Job, zone: local, metadata: {name: orders}, spec: {flinkVersion: "1.20", artifactRef: {name: a}, resources: {rpus: 2}} @ }\n---\na: 1`,
    ],
    [
      "",
      JSON.stringify({
        apiVersion: "core/v1alpha1",
        kind: "Job",
        zone: "local",
        metadata: { name: "orders" },
        spec: { flinkVersion: "1.20", artifactRef: { name: "a" }, resources: { rpus: 2 } },
      }).replace(/\}$/, "@}"),
    ],
  ])("goes into a document in braces %s", (comma, template) => {
    const text = template.replace(/ ?@/, comma);
    const first = written(text);
    expect(first).toBe(template.replace(/ ?@/, `, "status": ${JSON.stringify(PENDING)}${comma}`));
    expect(written(first, RUNNING)).toBe(template.replace(/ ?@/, `, "status": ${JSON.stringify(RUNNING)}${comma}`));
  });

  it("is written for several documents of a file at once, each its own", () => {
    const two = `${JOB}---\n${JOB.replace("orders,", "clicks,")}`;
    const { text, left } = mirror(two, { orders: PENDING, clicks: RUNNING });
    expect(left).toEqual([]);
    expect(parse(text).manifests.map(({ mirrored }) => mirrored)).toEqual([PENDING, RUNNING]);
    expect(parse(text).bareBlob).toBe(gitBlobId(Buffer.from(two)));
  });

  it.each([
    [
      "an anchor in the block",
      `${JOB}status: &s {phase: x}\n`,
      "jobs.yaml:1:1 its status block holds an anchor, which other lines may need; remove the block",
    ],
    [
      "a question mark before the key",
      `${JOB}? status\n: x\n`,
      "jobs.yaml:1:1 its members do not begin and end on lines of their own; write each key on a line of its own",
    ],
    [
      "a file that would become too long",
      `${JOB}# ${"x".repeat(1024 ** 2 - JOB.length - 10)}\n`,
      expect.stringContaining("jobs.yaml: the file cannot hold it"),
    ],
    [
      "bytes that are no UTF-8",
      Buffer.concat([Buffer.from(`${JOB}---\na: `), Buffer.from([0xe4, 0x0a])]),
      "jobs.yaml: the file is not all UTF-8; save it as UTF-8",
    ],
  ])("is left out of a file with %s, which says so", (_, before, because) => {
    const { text, left } = mirror(before, { orders: PENDING });
    expect(left).toEqual([because]);
    expect(text === Buffer.from(before).toString()).toBe(true);
  });

  it("changes nothing of what a manifest is taken for, neither its blob nor its line", () => {
    const two = `${JOB}---\n${JOB.replace("orders,", "clicks,")}`;
    const sources = (text: string) => parse(text).manifests.map(({ source }) => source);
    const shown = mirror(two, { orders: RUNNING, clicks: RUNNING }).text;
    expect(sources(shown)).toEqual(sources(two));
    expect(parse(shown).manifests[1]!.positions.get("/kind")!.line).toBeGreaterThan(sources(shown)[1]!.line + 1);
  });
});
