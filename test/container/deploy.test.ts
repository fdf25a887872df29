import { execFile } from "node:child_process";
import { access, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { parseYamlFile } from "../../src/common/yaml-file.ts";
import { validateConfig } from "../../src/config/validate-config.ts";

const DEPLOY = join(import.meta.dirname, "../../config/deploy");
const PYTHON = join(import.meta.dirname, "../../.cache/python");
/** Readers of formats that only Python has. */
const READERS = ["kubernetes-validate==1.37.0", "podman-compose==1.6.0"];

interface Answer {
  readonly status: number;
  readonly output: string;
}

async function ask(command: string, args: readonly string[]): Promise<Answer> {
  const options = { env: { ...process.env, PYTHONPATH: PYTHON }, timeout: 300_000, maxBuffer: 16 * 1024 ** 2 };
  try {
    const { stdout, stderr } = await promisify(execFile)(command, args, options);
    return { status: 0, output: stdout + stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { readonly code: unknown; readonly stdout?: string; readonly stderr?: string };
    if (typeof code !== "number") throw error; // it could not be run at all
    return { status: code, output: `${stdout ?? ""}${stderr ?? ""}` };
  }
}

async function readAsKubernetes(path: string): Promise<Answer> {
  return ask("python3", ["-m", "kubernetes_validate", "--strict", path]);
}

async function readAsCompose(path: string): Promise<Answer> {
  return ask("python3", ["-m", "podman_compose", "-f", path, "config"]);
}

async function read(name: string): Promise<string> {
  return readFile(join(DEPLOY, name), "utf8");
}

describe("the examples under config/deploy", () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "penstock-deploy-"));
    const isThere = await access(join(PYTHON, "podman_compose.py")).then(
      () => true,
      () => false,
    );
    if (isThere) return;
    const installed = await ask("pip", ["install", "--quiet", "--no-input", "--target", PYTHON, ...READERS]);
    expect(installed).toMatchObject({ status: 0 });
  });

  afterAll(async () => rm(folder, { recursive: true, force: true }));

  /** A copy with something wrong in it: a reader that takes this as well proves nothing. */
  async function damaged(name: string, from: string, to: string): Promise<string> {
    const text = await read(name);
    expect(text).toContain(from);
    const path = join(folder, name);
    await writeFile(path, text.replace(from, to));
    return path;
  }

  it("hold a valid configuration, and Kubernetes mounts the same", async () => {
    const text = await read("penstock.yaml");
    const [document] = parseYamlFile("penstock.yaml", Buffer.from(text)).documents;
    expect(validateConfig(document!)).toMatchObject({ kind: "valid", notices: [] });
    const [configMap] = parseAllDocuments(await read("kubernetes.yaml")).map(
      (one) => one.toJS() as { data?: Record<string, string> },
    );
    expect(configMap?.data?.["penstock.yaml"]).toBe(text);
  });

  it("are a unit that systemd takes", async () => {
    expect(await ask("systemd-analyze", ["verify", "--man=no", join(DEPLOY, "penstock.service")])).toEqual({
      status: 0,
      output: "",
    });
    const wrong = await damaged("penstock.service", "Type=exec", "Type=exce");
    expect((await ask("systemd-analyze", ["verify", "--man=no", wrong])).output).toContain("exce");
  });

  it("are resources that Kubernetes takes, without a field that it does not know", async () => {
    const answer = await readAsKubernetes(join(DEPLOY, "kubernetes.yaml"));
    expect(answer.status).toBe(0);
    expect(answer.output.match(/ passed for resource /g)).toHaveLength(3);
    const wrong = await damaged("kubernetes.yaml", "readOnlyRootFilesystem", "readOnlyRootFilesytem");
    expect((await readAsKubernetes(wrong)).status).not.toBe(0);
  });

  it("are a project that Compose reads, read-only and without capabilities", async () => {
    const { status, output } = await readAsCompose(join(DEPLOY, "compose.yaml"));
    expect(status).toBe(0);
    const { services } = parse(output) as { readonly services: Readonly<Record<string, unknown>> };
    expect(services["penstock"]).toMatchObject({ read_only: true, cap_drop: ["ALL"], user: "1000:1000" });
    expect((await readAsCompose(await damaged("compose.yaml", "services:", "servces: ["))).status).not.toBe(0);
  });
});
