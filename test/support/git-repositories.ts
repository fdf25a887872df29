import { spawn } from "node:child_process";
import { appendFile, chmod, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** What stands at a path of a commit; `null` removes what stood there. */
export type FileChange =
  | string
  | Uint8Array
  | null
  | { readonly symlink: string }
  | { readonly submodule: string }
  | { readonly executable: string };

export interface CommitOptions {
  /** The commit to build on instead of the branch; `none` starts a new history. */
  readonly parent?: string;
  /** How paths become bytes; `latin1` makes names that are no UTF-8. */
  readonly pathEncoding?: "utf8" | "latin1";
}

export interface LogEntry {
  readonly oid: string;
  readonly message: string;
  readonly author: string;
}

const IDENTITY = { name: "Ada Tester", email: "ada@example.com" };
const FIRST_COMMIT_SECONDS = 1_700_000_000;

/** Bare repositories in one folder, made and changed by the real `git`. */
export class GitRepositories {
  readonly #root: string;
  #commits = 0;

  constructor(root: string) {
    this.#root = root;
  }

  folderOf(name: string): string {
    return join(this.#root, `${name}.git`);
  }

  async createRepository(name: string, options: { readonly objectFormat?: "sha1" | "sha256"; readonly head?: string } = {}) {
    const folder = this.folderOf(name);
    await mkdir(folder, { recursive: true });
    const { objectFormat = "sha1", head = "main" } = options;
    await this.git(name, ["init", "--bare", "--quiet", `--object-format=${objectFormat}`, `--initial-branch=${head}`, "."]);
    // Garbage collection would go on in the background after the push, and after the test.
    await appendFile(join(folder, "config"), "[http]\n\treceivepack = true\n[receive]\n\tautogc = false\n");
  }

  /** One commit with these changes on top of the branch, which is made when it does not exist. Returns the commit's oid. */
  async commitFiles(
    name: string,
    branch: string,
    files: Readonly<Record<string, FileChange>>,
    message: string,
    options: CommitOptions = {},
  ): Promise<string> {
    this.#commits += 1;
    const who = `${IDENTITY.name} <${IDENTITY.email}> ${FIRST_COMMIT_SECONDS + this.#commits} +0000`;
    const parent = options.parent ?? (await this.head(name, branch)) ?? "none";
    const parts: (string | Uint8Array)[] = [
      `reset refs/heads/${branch}\n\ncommit refs/heads/${branch}\nauthor ${who}\ncommitter ${who}\n`,
      ...data(message),
      parent === "none" ? "" : `from ${parent}\n`,
    ];
    for (const [path, change] of Object.entries(files)) {
      parts.push(...changeOf(quoted(Buffer.from(path, options.pathEncoding ?? "utf8")), change));
    }
    await this.git(name, ["fast-import", "--quiet", "--force"], Buffer.concat(parts.map((part) => Buffer.from(part))));
    return (await this.head(name, branch))!;
  }

  async head(name: string, branch: string): Promise<string | undefined> {
    const found = await this.git(name, ["for-each-ref", "--format=%(objectname)", `refs/heads/${branch}`]);
    return found.toString().trim() || undefined;
  }

  async setBranch(name: string, branch: string, oid: string): Promise<void> {
    await this.git(name, ["update-ref", `refs/heads/${branch}`, oid]);
  }

  async deleteBranch(name: string, branch: string): Promise<void> {
    await this.git(name, ["update-ref", "-d", `refs/heads/${branch}`]);
  }

  async readFile(name: string, revision: string, path: string): Promise<string> {
    return (await this.git(name, ["cat-file", "blob", `${revision}:${path}`])).toString();
  }

  /** Lines of `mode type oid<tab>path`, names quoted by Git as bytes where they are odd. */
  async listTree(name: string, revision: string): Promise<readonly string[]> {
    const text = (await this.git(name, ["ls-tree", "-r", revision])).toString();
    return text.split("\n").filter((line) => line !== "");
  }

  /** Newest first. */
  async log(name: string, revision: string): Promise<readonly LogEntry[]> {
    const text = (await this.git(name, ["log", "--format=%H%x00%an <%ae>%x00%B%x01", revision])).toString();
    const entries = text.split("\u0001").map((entry) => entry.trim().split("\0"));
    return entries
      .filter((entry) => entry.length === 3)
      .map(([oid, author, message]) => ({ oid: oid!, author: author!, message: message!.trimEnd() }));
  }

  /** A shell script as a hook, as in `pre-receive`; an empty script removes the hook. */
  async installHook(name: string, hook: string, script: string): Promise<void> {
    const file = join(this.folderOf(name), "hooks", hook);
    await mkdir(join(this.folderOf(name), "hooks"), { recursive: true });
    if (script === "") return rm(file, { force: true });
    await writeFile(file, `#!/bin/sh\n${script}\n`);
    await chmod(file, 0o755);
  }

  /** Runs `git` in the repository; its exit status must be 0. */
  async git(name: string, args: readonly string[], input: string | Uint8Array = ""): Promise<Buffer> {
    const child = spawn("git", args, { cwd: this.folderOf(name), env: gitEnvironment(), stdio: "pipe" });
    const output: Buffer[] = [];
    const errors: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => errors.push(chunk));
    child.stdin.on("error", () => {}); // Git may end before it has read everything; its exit status says whether that is bad.
    child.stdin.end(input);
    const status = await new Promise<number | null>((resolve, reject) => child.on("error", reject).on("close", resolve));
    if (status !== 0) throw new Error(`git ${args.join(" ")} ended with ${status}: ${Buffer.concat(errors).toString()}`);
    return Buffer.concat(output);
  }
}

/** Independent of whoever runs the tests: no configuration of theirs, a fixed identity. */
export function gitEnvironment(): NodeJS.ProcessEnv {
  return {
    PATH: process.env["PATH"],
    HOME: "/nonexistent",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_AUTHOR_NAME: IDENTITY.name,
    GIT_AUTHOR_EMAIL: IDENTITY.email,
    GIT_COMMITTER_NAME: IDENTITY.name,
    GIT_COMMITTER_EMAIL: IDENTITY.email,
  };
}

function changeOf(path: string, change: FileChange): readonly (string | Uint8Array)[] {
  if (change === null) return [`D ${path}\n`];
  if (typeof change === "string" || change instanceof Uint8Array) return [`M 100644 inline ${path}\n`, ...data(change)];
  if ("symlink" in change) return [`M 120000 inline ${path}\n`, ...data(change.symlink)];
  if ("submodule" in change) return [`M 160000 ${change.submodule} ${path}\n`];
  return [`M 100755 inline ${path}\n`, ...data(change.executable)];
}

function data(content: string | Uint8Array): readonly (string | Uint8Array)[] {
  return [`data ${Buffer.byteLength(content)}\n`, content, "\n"];
}

/** As fast-import wants odd paths: in C quotes, with octal bytes. */
function quoted(path: Buffer): string {
  const bytes = [...path].map((byte) =>
    byte < 0x20 || byte > 0x7e || byte === 0x22 || byte === 0x5c
      ? `\\${byte.toString(8).padStart(3, "0")}`
      : String.fromCharCode(byte),
  );
  return `"${bytes.join("")}"`;
}
