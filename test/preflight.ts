import { execFile } from "node:child_process";
import { access, constants } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify, stripVTControlCharacters } from "node:util";

/**
 * What the tests need on this machine: says what is there, what is missing, and how to install it.
 * `node test/preflight.ts [--only fast|container]`; exit status 1 when something is missing.
 */
export type Scope = "fast" | "all" | "container";

/** Each one needs what those before it need, too. */
const SCOPES: readonly Scope[] = ["fast", "all", "container"];

export type Finding = { readonly found: true; readonly version: string } | { readonly found: false; readonly reason: string };

interface Tool {
  readonly name: string;
  readonly scope: Scope;
  readonly install: string;
  /** The demo and the bench go without it. */
  readonly onlyForTests?: true;
  find(): Promise<Finding>;
}

const ANSWER_TIMEOUT_MS = 30_000; // Maven starts a JVM, on a busy machine slowly
const TOOLS: readonly Tool[] = [
  {
    name: "Node.js 24 or newer",
    scope: "fast",
    install: "run `npm ci` without --omit=optional (on Linux it brings Node 24 itself), or install Node.js 24",
    find: async () => atLeast(24, process.versions.node),
  },
  {
    name: "git 2.28 or newer",
    scope: "fast",
    install: "apt-get install git",
    find: () => findCommand("git", ["--version"], [2, 28]),
  },
  { name: "git http-backend", scope: "fast", install: "apt-get install git (a full one)", find: findHttpBackend },
  { name: "openssl", scope: "fast", install: "apt-get install openssl", find: () => findCommand("openssl", ["version"]) },
  {
    name: "curl",
    scope: "fast",
    install: "apt-get install curl",
    onlyForTests: true,
    find: () => findCommand("curl", ["--version"]),
  },
  {
    name: "gpg",
    scope: "fast",
    install: "apt-get install gnupg",
    onlyForTests: true,
    find: () => findCommand("gpg", ["--version"]),
  },
  {
    name: "ssh-keygen",
    scope: "fast",
    install: "apt-get install openssh-client",
    onlyForTests: true,
    find: () => findCommand("ssh", ["-V"]), // ssh-keygen tells no version
  },
  {
    name: "promtool (Prometheus)",
    scope: "fast",
    install: "apt-get install --no-install-recommends prometheus",
    onlyForTests: true,
    find: () => findCommand("promtool", ["--version"]),
  },
  {
    name: "java 17 or newer",
    scope: "all",
    install: "apt-get install openjdk-17-jdk-headless",
    find: () => findCommand("java", ["-version"], [17]),
  },
  {
    name: "javac 17 or newer",
    scope: "all",
    install: "apt-get install openjdk-17-jdk-headless",
    find: () => findCommand("javac", ["-version"], [17]),
  },
  { name: "mvn (Maven)", scope: "all", install: "apt-get install maven", find: () => findCommand("mvn", ["--version"]) },
  {
    name: "pip (for readers of deployment formats)",
    scope: "container",
    install: "apt-get install python3-pip",
    find: () => findCommand("pip", ["--version"]),
  },
  ...[
    ["systemd-analyze", "systemd"],
    ["buildah", "buildah"],
    ["podman", "podman"],
    ["crun", "crun"],
    ["debootstrap", "debootstrap"],
  ].map(([name = "", debianPackage = ""]): Tool => {
    const find = async (): Promise<Finding> => findCommand(name, ["--version"]);
    return { name, scope: "container", install: `apt-get install ${debianPackage}`, find };
  }),
];

/** Prints a line for each tool, then a list of the missing ones with the way to each. True when nothing is missing. */
export async function preflight(
  scope: Scope,
  print: (line: string) => void,
  purpose: "tests" | "programs" = "tests",
): Promise<boolean> {
  const isWanted = (tool: Tool): boolean => purpose === "tests" || tool.onlyForTests !== true;
  const isInScope = (tool: Tool): boolean => SCOPES.indexOf(tool.scope) <= SCOPES.indexOf(scope);
  const wanted = TOOLS.filter((tool) => isInScope(tool) && isWanted(tool));
  const findings = await Promise.all(wanted.map(async (tool) => ({ tool, finding: await tool.find() })));
  const missing: string[] = [];
  for (const { tool, finding } of findings) {
    if (finding.found) print(`found    ${tool.name}: ${finding.version}`);
    else missing.push(`MISSING  ${tool.name}: ${finding.reason}. To install: ${tool.install}`);
  }
  for (const line of missing) print(line);
  return missing.length === 0;
}

async function findCommand(command: string, args: readonly string[], wanted: readonly number[] = []): Promise<Finding> {
  const answer = await ask(command, args);
  if (!answer.found) return answer;
  // The first number in it, for all of them: `git version 2.39.5`, `openjdk version "17.0.15"`, `OpenSSL 3.0.17`.
  const version = /\d+(?:\.\d+)+|\b\d+\b/.exec(answer.version)?.[0];
  if (version === undefined) return { found: false, reason: `its answer to ${args.join(" ")} names no version` };
  return atLeast(wanted, version);
}

async function findHttpBackend(): Promise<Finding> {
  const answer = await ask("git", ["--exec-path"]);
  if (!answer.found) return answer;
  const path = join(answer.version, "git-http-backend");
  try {
    await access(path, constants.X_OK);
    return { found: true, version: path };
  } catch {
    return { found: false, reason: `${path} is not there, or cannot be executed` }; // the only two meanings that access() has
  }
}

/** What a command prints first; `java -version` does so on the error stream. */
async function ask(command: string, args: readonly string[]): Promise<Finding> {
  try {
    const { stdout, stderr } = await promisify(execFile)(command, args, { timeout: ANSWER_TIMEOUT_MS });
    // Maven colours its answer even into a pipe.
    return {
      found: true,
      version: stripVTControlCharacters(stdout + stderr)
        .trim()
        .split("\n")[0]!,
    };
  } catch (error) {
    const absent = (error as NodeJS.ErrnoException).code === "ENOENT";
    return { found: false, reason: absent ? "not in the PATH" : `${command} ${args.join(" ")} failed` };
  }
}

function atLeast(wanted: number | readonly number[], version: string): Finding {
  const have = version.split(".").map(Number);
  for (const [index, least] of [wanted].flat().entries()) {
    const part = have[index] ?? 0;
    if (part > least) break;
    if (part < least) return { found: false, reason: `only ${version} is there` };
  }
  return { found: true, version };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { only: { type: "string" } } });
  const scope = SCOPES.find((known) => known === (values.only ?? "all"));
  if (scope === undefined) throw new Error(`--only knows "fast" and "container", not "${values.only}"`);
  if (!(await preflight(scope, (line) => console.log(line)))) process.exitCode = 1;
}
