import { execFile } from "node:child_process";
import { appendFile, chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { gitEnvironment } from "./git-repositories.ts";

const run = promisify(execFile);

/** What signs a commit: the settings that Git needs for it. */
export interface Signer {
  readonly settings: readonly string[];
  /** A file with the public key. */
  readonly keyFile: string;
}

/** A folder with keys made by the real `gpg` and `ssh-keygen`, in which the real `git` signs commits. `await using` removes it. */
export class Signing implements AsyncDisposable {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async create(): Promise<Signing> {
    // The path of gpg's sockets has to be short.
    const folder = await mkdtemp(join(tmpdir(), "pk-"));
    await mkdir(join(folder, "gpg"), { mode: 0o700 });
    return new Signing(folder);
  }

  /** `ed25519`, `ecdsa` with `bits`, `rsa` with `bits`. */
  async ssh(name: string, type = "ed25519", bits?: number): Promise<Signer> {
    const file = join(this.folder, name);
    const size = bits === undefined ? [] : ["-b", String(bits)];
    await run("ssh-keygen", ["-q", "-t", type, ...size, "-N", "", "-C", name, "-f", file]);
    return { settings: ["gpg.format=ssh", `user.signingkey=${file}`], keyFile: `${file}.pub` };
  }

  /** A primary key that signs itself; `expires` as gpg takes it, `at` when it is made. */
  async gpg(
    name: string,
    options: { readonly algorithm?: string; readonly expires?: string; readonly at?: string } = {},
  ): Promise<Signer> {
    const { algorithm = "ed25519", expires = "never", at } = options;
    await this.gpgRun([...fakeTime(at), "--quick-generate-key", `${name} <${name}@example.com>`, algorithm, "sign", expires]);
    return this.#gpgSigner(name, at);
  }

  async #gpgSigner(name: string, at: string | undefined): Promise<Signer> {
    const listed = await this.gpgRun(["--with-colons", "--list-keys", `${name}@example.com`]);
    const fingerprint = /^fpr:+([0-9A-F]+):/m.exec(listed)![1]!;
    const program = join(this.folder, `gpg-${name}`);
    const time = fakeTime(at).join(" ");
    await writeFile(program, `#!/bin/sh\nexec gpg --homedir ${join(this.folder, "gpg")} --batch ${time} "$@"\n`);
    await chmod(program, 0o755);
    const keyFile = join(this.folder, `${name}.asc`);
    await this.#export(fingerprint, keyFile);
    return { settings: ["gpg.format=openpgp", `gpg.program=${program}`, `user.signingkey=${fingerprint}`], keyFile };
  }

  /** A subkey that may sign; the primary key's file is written anew. */
  async gpgSubkey(signer: Signer): Promise<Signer> {
    const fingerprint = fingerprintOf(signer);
    await this.gpgRun(["--quick-add-key", fingerprint, "ed25519", "sign", "never"]);
    const listed = await this.gpgRun(["--with-colons", "--list-keys", fingerprint]);
    const subkey = [...listed.matchAll(/^fpr:+([0-9A-F]+):/gm)].at(-1)![1]!;
    await this.#export(fingerprint, signer.keyFile);
    return {
      ...signer,
      settings: signer.settings.map((one) => (one.startsWith("user.signingkey=") ? `user.signingkey=${subkey}!` : one)),
    };
  }

  /** As the owner does who has lost it; its file is written anew. */
  async gpgRevoke(signer: Signer): Promise<void> {
    const fingerprint = fingerprintOf(signer);
    const certificate = join(this.folder, "gpg/openpgp-revocs.d", `${fingerprint}.rev`);
    const text = (await readFile(certificate, "utf8")).replace(/^:(-----BEGIN)/m, "$1");
    await writeFile(`${certificate}.armed`, text);
    await this.gpgRun(["--import", `${certificate}.armed`]);
    await this.#export(fingerprint, signer.keyFile);
  }

  async #export(fingerprint: string, file: string): Promise<void> {
    await writeFile(file, await this.gpgRun(["--armor", "--export", fingerprint]));
  }

  async gpgRun(args: readonly string[]): Promise<string> {
    const passphrase = ["--batch", "--pinentry-mode", "loopback", "--passphrase", ""];
    const { stdout } = await run("gpg", ["--homedir", join(this.folder, "gpg"), ...passphrase, ...args]);
    return stdout;
  }

  /** The bytes of a commit that `git` has signed. */
  async commit(signer: Signer, message: string, options: { readonly at?: string } = {}): Promise<Buffer> {
    const folder = join(this.folder, "repository");
    await mkdir(folder, { recursive: true });
    await run("git", ["init", "--quiet", folder]);
    return signedCommit(folder, signer, message, options.at);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run("gpgconf", ["--homedir", join(this.folder, "gpg"), "--kill", "all"]);
    await rm(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Signs the newest commit of a branch of a bare repository anew, in the place of the unsigned one. Returns its oid. */
export async function signHead(repository: string, branch: string, signer: Signer): Promise<string> {
  const git = async (...args: readonly string[]) => (await run("git", args, { cwd: repository, env: gitEnvironment() })).stdout;
  const commit = await git("cat-file", "commit", branch);
  const parents = [...commit.matchAll(/^parent (\w+)$/gm)].flatMap(([, oid]) => ["-p", oid!]);
  const tree = /^tree (\w+)$/m.exec(commit)![1]!;
  const settings = signer.settings.flatMap((one) => ["-c", one]);
  const message = commit.slice(commit.indexOf("\n\n") + 2);
  const identity = ["-c", "user.name=Ada Tester", "-c", "user.email=ada@example.com"];
  const oid = (await git(...identity, ...settings, "commit-tree", "-S", tree, ...parents, "-m", message.trimEnd())).trim();
  await git("update-ref", `refs/heads/${branch}`, oid);
  return oid;
}

async function signedCommit(folder: string, signer: Signer, message: string, at = "2026-01-02T03:04:05Z"): Promise<Buffer> {
  const settings = ["user.name=Ada Tester", "user.email=ada@example.com", ...signer.settings].flatMap((one) => ["-c", one]);
  const env = { ...gitEnvironment(), GIT_AUTHOR_DATE: at, GIT_COMMITTER_DATE: at };
  const args = [
    ...settings,
    "commit",
    "--quiet",
    "--allow-empty",
    "--allow-empty-message",
    "--cleanup=verbatim",
    "-S",
    "-m",
    message,
  ];
  await run("git", args, { cwd: folder, env });
  const { stdout } = await run("git", ["cat-file", "commit", "HEAD"], { cwd: folder, env, encoding: "buffer" });
  return stdout;
}

function fakeTime(at: string | undefined): readonly string[] {
  return at === undefined ? [] : ["--faked-system-time", `${at}!`];
}

function fingerprintOf({ settings }: Signer): string {
  return settings.find((one) => one.startsWith("user.signingkey="))!.slice("user.signingkey=".length);
}

/** One file with the keys of all these. */
export async function joinKeys(file: string, signers: readonly Signer[]): Promise<string> {
  await writeFile(file, "# who may sign\n");
  for (const { keyFile } of signers) await appendFile(file, await readFile(keyFile, "utf8"));
  return file;
}
