import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { formatProblem } from "../../src/common/problem.ts";
import type { S3Config } from "../../src/config/config.ts";
import { type Environment, loadConfig } from "../../src/config/load-config.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "penstock-s3-config-"));
  await writeFile(join(folder, "s3-secret"), "hunter2\n");
});
afterEach(async () => rm(folder, { recursive: true, force: true }));

async function load(s3: string, environment: Environment = {}): Promise<S3Config | undefined | readonly string[]> {
  const file = join(folder, "penstock.yaml");
  await writeFile(
    file,
    `instance: prod
repository: {url: "https://git.example.com/jobs.git"}
zones:
  eu:
    clusters:
      a: {url: "http://a", ${s3}}
`,
  );
  const loaded = await loadConfig(file, environment);
  if (loaded.kind === "invalid") return loaded.problems.map((problem) => formatProblem(problem).replace(`${folder}/`, ""));
  return loaded.config.zones.get("eu")?.clusters[0]?.s3;
}

async function s3Of(s3: string, environment: Environment = {}): Promise<S3Config> {
  const found = await load(s3, environment);
  if (found === undefined || "length" in found) throw new Error(`not loaded: ${String(found)}`);
  return found;
}

describe("the option s3 of a cluster", () => {
  it("is off unless it is written", async () => {
    expect(await load("", { AWS_REGION: "eu-west-1" })).toBeUndefined();
  });

  it("leaves it to the machine who may read", async () => {
    expect(await s3Of("s3: {}")).toEqual({ region: "us-east-1", pathStyle: false, tls: {} });
  });

  it("takes everything from the file, the access key by reference", async () => {
    const s3 = await s3Of(
      'checkpointsDir: "s3://b/c", s3: {endpoint: "http://127.0.0.1:9000", region: here, pathStyle: true, accessKeyIdEnv: S3_ID, secretAccessKeyFile: s3-secret}',
      { S3_ID: "reader", AWS_REGION: "elsewhere", AWS_ACCESS_KEY_ID: "other", AWS_SECRET_ACCESS_KEY: "other" },
    );
    expect(s3).toMatchObject({ endpoint: new URL("http://127.0.0.1:9000"), region: "here", pathStyle: true });
    expect(s3.credentials?.accessKeyId.reveal()).toBe("reader");
    expect(s3.credentials?.secretAccessKey.reveal()).toBe("hunter2");
    expect(s3.credentials?.sessionToken).toBeUndefined();
    expect(JSON.stringify(s3)).not.toMatch(/reader|hunter2/);
  });

  it("takes what the file leaves out from the variables that other tools for AWS know", async () => {
    const environment = { AWS_DEFAULT_REGION: "eu-west-1", AWS_ACCESS_KEY_ID: "id", AWS_SECRET_ACCESS_KEY: "secret" };
    const s3 = await s3Of("s3: {}", { ...environment, AWS_SESSION_TOKEN: "token" });
    expect(s3.region).toBe("eu-west-1");
    expect(s3.credentials?.accessKeyId.reveal()).toBe("id");
    expect(s3.credentials?.sessionToken?.reveal()).toBe("token");
    expect((await s3Of("s3: {}", { ...environment, AWS_SECRET_ACCESS_KEY: "" })).credentials).toBeUndefined();
  });

  it.each([
    [
      "s3: {accessKeyIdEnv: A}",
      ["penstock.yaml:6:49 zones.eu.clusters.a.s3.accessKeyIdEnv needs secretAccessKeyFile or secretAccessKeyEnv beside it"],
    ],
    [
      "s3: {secretAccessKeyFile: s3-secret}",
      ["penstock.yaml:6:54 zones.eu.clusters.a.s3.secretAccessKeyFile needs accessKeyIdFile or accessKeyIdEnv beside it"],
    ],
    ['s3: {endpoint: "minio:9000"}', [expect.stringContaining("s3.endpoint must be an http:// or https:// address")]],
    [
      "s3: {secretAccessKey: hunter2, accessKeyIdEnv: A}",
      [expect.stringContaining("must not stand in the configuration itself")],
    ],
    ["s3: {pathstyle: true}", [expect.stringContaining("pathStyle")]],
  ])("refuses %s", async (s3, problems) => {
    const found = await load(s3, { A: "x" });
    expect(found).toEqual(problems);
    expect(JSON.stringify(found)).not.toContain("hunter2");
  });
});
