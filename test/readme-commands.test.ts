import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import packageJson from "../package.json" with { type: "json" };
import { aJob, anArtifact, counterJar } from "./scenarios/manifests.ts";
import { createServedWorld } from "./scenarios/served-world.ts";
import { gitEnvironment } from "./support/git-repositories.ts";
import { createWorld, isRunning } from "./scenarios/world.ts";

const ROOT = join(import.meta.dirname, "..");

/** What begins like this in a document is a command that a reader will type. */
const COMMAND =
  /^(?:(?:[A-Z_]+=\S+ )*(?:npm|npx|node|curl|docker|podman|buildah|kubectl|systemctl|journalctl|git|printf|openssl|promtool) \S|penstock (?:run|validate|plan|status)\b)/;
/** Words of Git that the text names as what a person does, not as a line to type. */
const DEEDS = new Set(["git push", "git revert"]);

/** Where each command is run: by a test below that says so, or by one of another file. */
const SHOWN_BY: Readonly<Record<string, string>> = {
  "npm ci": ".ci/run",
  "npm test": ".ci/run",
  "npm ci && npm test": ".ci/run",
  "npm test -- --container": ".ci/run",
  "npm run test:fast": "is a script of package.json",
  "npm run test:long": "is a script of package.json",
  "npm run bench": "prints its help",
  "npm run bench:rescale": "prints its help",
  "npm run bench:soak": "prints its help",
  "npm run generate": "test/generated-files.test.ts",
  "npm ci && npm run demo": "test/e2e/demo.test.ts",
  "npm run demo -- --flink-version 1.20.5": "test/e2e/demo.test.ts",
  "WALK_SEEDS=4711 npm run test:unit -- test/pass/random-walk.test.ts": "plays one seed again",
  "FUZZ_SEEDS=4711 FUZZ_TARGET=jars npm run test:unit -- test/fuzz": "plays one seed again",
  "npm run penstock -- validate FOLDER": "validates a folder",
  "npm run penstock -- validate jobs-example": "validates a folder",
  "penstock validate": "validates a folder",
  "npm run penstock -- run --config FILE": "runs, plans and tells the status",
  "penstock plan": "runs, plans and tells the status",
  "penstock status": "runs, plans and tells the status",
  "git commit -S --allow-empty": "signs a commit, and shows that it is signed",
  "git log --show-signature -1": "signs a commit, and shows that it is signed",
  "penstock status --config FILE": "runs, plans and tells the status",
  "penstock status --config FILE NAME": "runs, plans and tells the status",
  'printf %s "$VALUE" | sha256sum': "shows the digits of a secret",
  "openssl rand -hex 24": "wakes the daemon by the generic webhook",
  "openssl rand -hex 24 > webhook-secret": "wakes the daemon by the generic webhook",
  'curl -X POST -H "Authorization: Bearer $(cat webhook-secret)" http://127.0.0.1:8080/webhook/generic':
    "wakes the daemon by the generic webhook",
  "npm ci && npm run build": "builds what Node runs",
  "npm run penstock --": "validates a folder",
  "node dist/main.js": "builds what Node runs",
  // No Docker engine here: buildah builds the same file, and real readers read what Compose, Kubernetes and systemd are given.
  "docker build -t penstock .": "test/container/container-image.ts",
  'docker run --read-only --cap-drop all --tmpfs /tmp -v "$PWD/etc:/etc/penstock:ro" -v "$PWD/secrets:/run/secrets/penstock:ro" penstock':
    "test/container/container.test.ts",
  "docker compose -f config/deploy/compose.yaml up -d --build": "test/container/deploy.test.ts",
  "kubectl create secret generic penstock --from-file=git-token --from-file=api-tokens --from-file=webhook-secret":
    "test/container/deploy.test.ts",
  "kubectl apply -f config/deploy/kubernetes.yaml": "test/container/deploy.test.ts",
};

const run = promisify(execFile);

/** As a reader types it, in the checkout, with a shell. */
async function type(line: string, { folder = ROOT, environment = {} } = {}): Promise<{ status: number; output: string }> {
  const options = { cwd: folder, env: { ...process.env, ...environment }, timeout: 50_000 };
  try {
    const { stdout, stderr } = await run("sh", ["-c", line], options);
    return { status: 0, output: stdout + stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { readonly code?: unknown; readonly stdout?: string; readonly stderr?: string };
    if (typeof code !== "number") throw error;
    return { status: code, output: `${stdout ?? ""}${stderr ?? ""}` };
  }
}

async function documents(): Promise<readonly string[]> {
  return [
    "README.md",
    "Dockerfile",
    "jobs-example/README.md",
    ...(await filesIn("config", /\.md$/)),
    ...(await filesIn("config/deploy", /./)),
  ];
}

async function filesIn(folder: string, ending: RegExp): Promise<readonly string[]> {
  return (await readdir(join(ROOT, folder))).filter((name) => ending.test(name)).map((name) => join(folder, name));
}

/** Lines of blocks of a shell or of no language, and what stands between backquotes; in other files, what a comment says. */
function commandsIn(file: string, text: string): readonly string[] {
  if (!file.endsWith(".md"))
    return [...text.matchAll(/^\s*# *(.*)$/gm)].map((match) => match[1]!).filter((line) => COMMAND.test(line));
  const blocks = [...text.matchAll(/^```(?:sh|bash|shell|console)?\n([\s\S]*?)^```$/gm)].flatMap((match) =>
    match[1]!.trim().split("\n"),
  );
  const inline = [...text.replaceAll(/^```[\s\S]*?^```$/gm, "").matchAll(/`([^`\n]+)`/g)].map((match) =>
    match[1]!.replaceAll("\\|", "|"),
  );
  return [...blocks, ...inline].filter((line) => COMMAND.test(line) && !DEEDS.has(line));
}

describe("the commands in the documents", () => {
  it("are each run by a test, and no test is named for one that is gone", async () => {
    const found = new Map<string, string>();
    for (const file of await documents())
      for (const command of commandsIn(file, await readFile(join(ROOT, file), "utf8"))) found.set(command, file);
    const unknown = [...found].filter(([command]) => SHOWN_BY[command] === undefined);
    expect(unknown, "commands that no test runs").toEqual([]);
    expect(
      Object.keys(SHOWN_BY).filter((command) => !found.has(command)),
      "tests of commands that nobody reads",
    ).toEqual([]);
  });

  it("are shown where the table says", async () => {
    const here = await readFile(import.meta.filename, "utf8");
    for (const where of new Set(Object.values(SHOWN_BY))) {
      if (where.includes("/")) await readFile(join(ROOT, where), "utf8");
      else expect(here).toContain(`it("${where}`);
    }
  });

  it("is a script of package.json, where it takes too long to be run by a test", () => {
    const scripts = Object.keys(packageJson.scripts);
    for (const command of Object.keys(SHOWN_BY)) {
      for (const [, name] of command.matchAll(/npm run (\S+)/g)) expect(scripts).toContain(name);
    }
  });

  it("prints its help, where it measures for minutes", async () => {
    for (const name of ["bench", "bench:rescale", "bench:soak"]) {
      const { status, output } = await type(`npm run --silent ${name} -- --help`);
      expect({ name, status }).toEqual({ name, status: 0 });
      expect(output).toContain(`npm run ${name} --`);
    }
  });

  it("plays one seed again", async () => {
    const { status, output } = await type("WALK_SEEDS=4711 npm run test:unit -- test/pass/random-walk.test.ts", {
      environment: { VITEST: undefined, NODE_OPTIONS: undefined },
    });
    expect(output).toContain("seeds from 4711");
    expect(status).toBe(0);
    const fuzzed = await type("FUZZ_SEEDS=4711 FUZZ_TARGET=jars npm run test:unit -- test/fuzz", {
      environment: { VITEST: undefined, NODE_OPTIONS: undefined },
    });
    expect(fuzzed).toMatchObject({ status: 0, output: expect.stringContaining("1 passed") });
  });

  it("signs a commit, and shows that it is signed", async () => {
    const folder = await mkdtemp(join(tmpdir(), "penstock-signed-"));
    const keys = [
      "ssh-keygen -q -t ed25519 -N '' -f key",
      'echo "ada@example.com $(cat key.pub)" > signers',
      "git init --quiet .",
      "git config gpg.format ssh && git config user.signingKey $PWD/key && git config gpg.ssh.allowedSignersFile $PWD/signers",
      "git config user.name Ada && git config user.email ada@example.com",
    ];
    try {
      for (const line of [...keys, "git commit -S --allow-empty --quiet --message Begin"])
        expect(await type(line, { folder, environment: gitEnvironment() })).toMatchObject({ status: 0 });
      const { output } = await type("git log --show-signature -1", { folder, environment: gitEnvironment() });
      expect(output).toMatch(/Good "git" signature for ada@example\.com/);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it("validates a folder", async () => {
    expect(await type("npm run --silent penstock -- validate jobs-example")).toMatchObject({ status: 0 });
  });

  it("builds what Node runs", async () => {
    const folder = await mkdtemp(join(ROOT, "node_modules", ".build-")); // what it imports is found from there
    try {
      expect(await type(`npm run --silent build -- --outDir ${folder}`)).toMatchObject({ status: 0 });
      const { status, output } = await type(`node ${folder}/main.js --help`);
      expect(status).toBe(0);
      expect(output).toContain("Usage: penstock");
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describe("the commands that need a daemon", () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "penstock-readme-"));
  });

  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it("runs, plans and tells the status", async () => {
    await using world = await createWorld();
    await world.push({ "orders.yaml": anArtifact("orders") + aJob("orders"), "jars/counter.jar": await counterJar() });
    const penstock = async (command: string) => type(`npm run --silent penstock -- ${command.replace("FILE", world.configFile)}`);
    const planned = await penstock("plan --config FILE");
    expect(planned).toMatchObject({ status: 1 });
    expect(planned.output).toMatch(/create/);
    expect(world.flink.jobs).toEqual([]);
    expect(await penstock("run --config FILE --once --timeout 40s")).toMatchObject({ status: 0 });
    const told = await penstock("status --config FILE");
    expect(told.output).toContain("default/orders");
    expect((await penstock("status --config FILE orders")).output).toMatch(/Healthy +True +AllTasksRunning/);
    expect(await penstock("plan --config FILE")).toMatchObject({ status: 0 });
  });

  it("shows the digits of a secret", async () => {
    const dir = join(folder, "secrets");
    await mkdir(join(dir, "default"), { recursive: true });
    await writeFile(join(dir, "default", "orders-db"), "tr0ub4dor&3");
    await using world = await createWorld({ config: { secrets: { dir } } });
    const job = aJob("orders", { mainArgs: ["--name", "${secret:orders-db}"] });
    await world.push({ "orders.yaml": anArtifact("orders") + job, "jars/counter.jar": await counterJar() });
    const { secrets } = await world.startDaemon().untilJob("orders", isRunning);
    const { output } = await type('printf %s "$VALUE" | sha256sum', { environment: { VALUE: "tr0ub4dor&3" } });
    expect(JSON.stringify(secrets)).toContain(`"${output.slice(0, 8)}"`);
  });

  it("wakes the daemon by the generic webhook", async () => {
    await using served = await createServedWorld();
    const { secretFile, daemon, url } = served;
    await daemon.passes(1);
    expect(await type(`cd ${join(secretFile, "..")} && openssl rand -hex 24 > webhook-secret`)).toMatchObject({ status: 0 });
    const curl = 'curl -X POST -H "Authorization: Bearer $(cat webhook-secret)" http://127.0.0.1:8080/webhook/generic';
    const line = `cd ${join(secretFile, "..")} && ${curl.replace("http://127.0.0.1:8080", url.origin)}`;
    // The daemon looks at the file again within a second.
    await expect.poll(async () => (await type(line)).output, { timeout: 20_000 }).toContain('"outcome":"woken"');
  });
});
