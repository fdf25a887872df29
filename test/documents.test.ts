import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { formatProblem } from "../src/common/problem.ts";
import { parseYamlFile } from "../src/common/yaml-file.ts";
import { CONFIG_SCHEMA, IDLE_OPTIONS } from "../src/config/config-schema.ts";
import { listOptions } from "../src/config/schema-value.ts";
import { validateConfig } from "../src/config/validate-config.ts";
import { parseManifests } from "../src/model/parse-manifests.ts";
import { API_ROUTES } from "../src/server/api-routes.ts";
import { penstock } from "./cli/command.ts";
import { startTestServer } from "./server/server-harness.ts";
import { genericDelivery, giteaPush, githubPush, gitlabPush } from "./support/deliveries.ts";

const ROOT = join(import.meta.dirname, "..");
const DOCUMENTS = globSync(["README.md", "config/*.md", "jobs-example/*.md"], { cwd: ROOT });
const README = read("README.md");
/** Members of a resource's own status, which the configuration's `status` is not. */
const STATUS_FIELDS = new Set(["status.download", "status.secrets"]);
/** What a fragment of a configuration leaves out. */
const REST = { instance: "test", repository: { url: "https://git.example.com/jobs.git" } };
const CLUSTER = { zones: { eu: { clusters: { a: { url: "http://flink:8081" } } } } };

function read(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

/** The cells of each row of the table that begins with this line. */
function rowsOf(head: string): readonly (readonly string[])[] {
  const table = README.slice(README.indexOf(head)).split("\n\n")[0]!.split("\n").slice(2);
  return table.map((row) => row.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|")));
}

/** Each once, sorted. */
function found(pattern: RegExp, text: string): readonly string[] {
  return [...new Set(text.match(pattern))].toSorted();
}

function yamlBlocks(): readonly string[] {
  return [...README.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map((match) => match[1]!);
}

describe("the documents", () => {
  it.each(DOCUMENTS)("of %s link to what is there", (file) => {
    const text = read(file);
    const titles = [...text.matchAll(/^#+ (.*)$/gm)].map((match) => match[1]!);
    const anchors = new Set(titles.map((title) => title.toLowerCase().replaceAll(/[^\w -]/g, "")));
    const targets = [...text.matchAll(/\]\((?!https?:)([^)\s]+)\)/g)].map((match) => match[1]!);
    const wrong = targets.filter((target) =>
      target.startsWith("#")
        ? !anchors.has(target.slice(1).replaceAll("-", " "))
        : !existsSync(join(ROOT, dirname(file), target)),
    );
    expect(wrong).toEqual([]);
  });

  it.each(DOCUMENTS)("of %s name only options of the configuration that there are", (file) => {
    const known = new Set(listOptions(CONFIG_SCHEMA).map(({ pattern }) => pattern));
    const groups = Object.keys(CONFIG_SCHEMA.properties).join("|");
    const named = [...read(file).matchAll(new RegExp(`\`((?:${groups})\\.[\\w.*[\\]]+)(?:: [^\`]*)?\``, "g"))];
    const unknown = named.map((match) => match[1]!).filter((name) => !STATUS_FIELDS.has(name) && !known.has(name));
    expect(unknown).toEqual([]);
  });
});

it("the README says of each option that is not acted on that it is not", () => {
  const section = README.slice(README.indexOf("## What it does not do yet"));
  for (const option of IDLE_OPTIONS.keys()) expect(section).toContain(`\`${option}\``);
});

describe("the README's examples", () => {
  it("of manifests are valid", () => {
    const examples = yamlBlocks().filter((block) => block.startsWith("apiVersion:"));
    expect(examples.length).toBeGreaterThan(1);
    for (const content of examples) {
      const { problems } = parseManifests([{ path: "readme.yaml", blob: "1", content: Buffer.from(content) }]);
      expect(problems.map(formatProblem)).toEqual([]);
    }
  });

  it("of the configuration are valid", () => {
    const examples = yamlBlocks().filter((block) => /^(?:forge|repository):/.test(block));
    expect(examples.length).toBeGreaterThan(1);
    for (const example of examples) {
      const { repository, ...rest } = parseYamlFile("a.yaml", example).documents[0]!.value as Partial<typeof REST>;
      const whole = JSON.stringify({ ...REST, ...CLUSTER, ...rest, repository: { ...REST.repository, ...repository } });
      const checked = validateConfig(parseYamlFile("a.yaml", whole).documents[0]!);
      expect(checked.kind === "invalid" ? checked.problems.map(formatProblem) : []).toEqual([]);
    }
  });
});

describe("the README's table of commands", () => {
  it.each(rowsOf("| command | does |").map((cells) => [cells[1]!.slice(1).split(" ")[0]!, cells] as const))(
    "has the options and exit statuses that %s --help has",
    async (command, [, usage, does, statuses]) => {
      const { stdout } = await penstock([command, "--help"]);
      const shown = stdout.split("\n").filter((line) => /^ +--/.test(line));
      const options = shown.map((line) => line.trim().split(" ")[0]).join(" ");
      expect(found(/--[a-z]+/g, `${usage} ${does}`)).toEqual(found(/--[a-z]+/g, options));
      expect(found(/\b\d\b/g, statuses!)).toEqual(found(/\b\d\b/g, /Exit status:[\s\S]*/.exec(stdout)![0]));
    },
  );
});

describe("the README's table of paths", async () => {
  const TOKEN = "correct-horse-battery";
  const SECRET = "whsec-4e1f0b9d";
  const rows = rowsOf("| path | says | needs |").map((cells) => [cells[1]!.slice(1, -1), cells[3]!] as const);
  const paths = (needs: string): readonly string[] => rows.filter((row) => row[1] === needs).map((row) => row[0]);
  const guarded = {
    server: { host: "0.0.0.0", tokensFile: "tokens", webhookSecretFile: "secret" },
    files: { tokens: TOKEN, secret: SECRET },
  };

  it("says which ones need nothing, a token, and the webhook secret", async () => {
    await using server = await startTestServer(guarded);
    const ask = async (path: string, init?: RequestInit) => (await server.fetch(path, init)).status;
    expect(rows).toHaveLength(5);
    for (const path of paths("nothing")) expect([path, await ask(path)]).toEqual([path, path === "/readyz" ? 503 : 200]);
    for (const path of paths("a token").map((one) => one.replace("…", "openapi.json"))) {
      expect([path, await ask(path)]).toEqual([path, 401]);
      expect([path, await ask(path, { headers: { authorization: `Bearer ${TOKEN}` } })]).toEqual([path, 200]);
    }
    const [webhook] = paths("the webhook secret");
    const forges = /\{(.*)\}/.exec(webhook!)![1]!.split(",");
    const deliveries = [
      ...[githubPush, gitlabPush, giteaPush].map((push) => push(SECRET)),
      genericDelivery({}, SECRET, "bearer"),
    ];
    expect(deliveries.map(({ path }) => path)).toEqual(forges.map((forge) => `webhook/${forge}`));
    for (const { path, headers, body } of deliveries) {
      expect([path, await ask(path, { method: "POST", body })]).toEqual([path, 401]);
      expect([path, await ask(path, { method: "POST", headers, body })]).toEqual([path, 202]);
    }
  });

  it("is followed by each path of the read API", () => {
    const section = README.slice(README.indexOf("### The read API"), README.indexOf("### Metrics"));
    const named = [...section.matchAll(/`(?:GET )?(?:\/api\/v1)?(\/[a-z]+)(?:\/[A-Z]+)*`/g)].map((match) => match[1]!);
    const served = API_ROUTES.map(({ path }) => /^\/api\/v1(\/[a-z]+)/.exec(path)![1]!);
    expect([...new Set(named)].toSorted()).toEqual([...new Set(served)].toSorted());
  });
});
