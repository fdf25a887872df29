import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "penstock-preflight-"));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

/** Runs the script with nothing in its PATH but these commands, each of which prints what is given, as the real one does. */
async function preflightWith(
  commands: Readonly<Record<string, string>>,
  ...args: readonly string[]
): Promise<{ readonly status: number; readonly lines: readonly string[] }> {
  for (const [name, script] of Object.entries(commands)) {
    await writeFile(join(folder, name), `#!/bin/sh\n${script}\n`);
    await chmod(join(folder, name), 0o755);
  }
  const script = join(import.meta.dirname, "preflight.ts");
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [script, ...args], { env: { PATH: folder } });
    return { status: 0, lines: stdout.trim().split("\n") };
  } catch (error) {
    const { code, stdout } = error as { readonly code: number; readonly stdout: string };
    return { status: code, lines: stdout.trim().split("\n") };
  }
}

async function everything(): Promise<Record<string, string>> {
  await mkdir(join(folder, "git-core"));
  await writeFile(join(folder, "git-core/git-http-backend"), "", { mode: 0o755 });
  return {
    git: `if [ "$1" = --exec-path ]; then echo ${folder}/git-core; else echo git version 2.39.5; fi`,
    openssl: "echo 'OpenSSL 3.0.17 1 Jul 2025 (Library: OpenSSL 3.0.17 1 Jul 2025)'",
    curl: "echo 'curl 7.88.1 (x86_64-pc-linux-gnu) libcurl/7.88.1'",
    gpg: "echo 'gpg (GnuPG) 2.2.40'",
    ssh: "echo 'OpenSSH_9.2p1 Debian-2+deb12u5, OpenSSL 3.0.15 3 Sep 2024' >&2",
    promtool: "echo 'promtool, version 2.42.0+ds (branch: debian/sid, revision: 2.42.0+ds-5+b5)' >&2",
    java: `echo 'openjdk version "17.0.15" 2025-04-15' >&2`,
    javac: "echo javac 17.0.15",
    pip: "echo 'pip 23.0.1 from /usr/lib/python3/dist-packages/pip (python 3.11)'",
    "systemd-analyze": "echo 'systemd 252 (252.38-1~deb12u1)'",
    buildah: "echo 'buildah version 1.28.2 (image-spec 1.1.0-dev, runtime-spec 1.0.2-dev)'",
    podman: "echo podman version 4.3.1",
    crun: "echo crun version 1.8.1",
    debootstrap: "echo debootstrap 1.0.128",
    mvn: "printf '\\033[1mApache Maven 3.8.7\\033[m\\nMaven home: /usr/share/maven\\n'",
  };
}

describe("preflight", () => {
  it("prints a line for each tool with its version when all is there", async () => {
    const { status, lines } = await preflightWith(await everything());
    expect(lines).toEqual([
      `found    Node.js 24 or newer: ${process.versions.node}`,
      "found    git 2.28 or newer: 2.39.5",
      `found    git http-backend: ${folder}/git-core/git-http-backend`,
      "found    openssl: 3.0.17",
      "found    curl: 7.88.1",
      "found    gpg: 2.2.40",
      "found    ssh-keygen: 9.2",
      "found    promtool (Prometheus): 2.42.0",
      "found    java 17 or newer: 17.0.15",
      "found    javac 17 or newer: 17.0.15",
      "found    mvn (Maven): 3.8.7",
    ]);
    expect(status).toBe(0);
  });

  it("fails on an empty machine, and says for each tool how to install it", async () => {
    const { status, lines } = await preflightWith({});
    expect(status).toBe(1);
    expect(lines.slice(1)).toEqual([
      "MISSING  git 2.28 or newer: not in the PATH. To install: apt-get install git",
      "MISSING  git http-backend: not in the PATH. To install: apt-get install git (a full one)",
      "MISSING  openssl: not in the PATH. To install: apt-get install openssl",
      "MISSING  curl: not in the PATH. To install: apt-get install curl",
      "MISSING  gpg: not in the PATH. To install: apt-get install gnupg",
      "MISSING  ssh-keygen: not in the PATH. To install: apt-get install openssh-client",
      "MISSING  promtool (Prometheus): not in the PATH. To install: apt-get install --no-install-recommends prometheus",
      "MISSING  java 17 or newer: not in the PATH. To install: apt-get install openjdk-17-jdk-headless",
      "MISSING  javac 17 or newer: not in the PATH. To install: apt-get install openjdk-17-jdk-headless",
      "MISSING  mvn (Maven): not in the PATH. To install: apt-get install maven",
    ]);
  });

  it("asks for what the container needs when that is to be built as well", async () => {
    const { status, lines } = await preflightWith(await everything(), "--only", "container");
    expect(status).toBe(0);
    expect(lines.slice(-6)).toEqual([
      "found    pip (for readers of deployment formats): 23.0.1",
      "found    systemd-analyze: 252",
      "found    buildah: 1.28.2",
      "found    podman: 4.3.1",
      "found    crun: 1.8.1",
      "found    debootstrap: 1.0.128",
    ]);
  });

  it("does not ask for Java and Maven when only the fast tests are to run", async () => {
    const { git, openssl, curl, gpg, ssh, promtool } = await everything();
    const commands = { git: git!, openssl: openssl!, curl: curl!, gpg: gpg!, ssh: ssh!, promtool: promtool! };
    const { status, lines } = await preflightWith(commands, "--only", "fast");
    expect(status).toBe(0);
    expect(lines).toHaveLength(8);
  });

  it.each([
    [
      "a Java that is too old",
      { java: `echo 'openjdk version "11.0.2" 2019-01-15' >&2` },
      "java 17 or newer: only 11.0.2 is there",
    ],
    [
      "a Java 8, which counts in its own way",
      { java: `echo 'java version "1.8.0_292"' >&2` },
      "java 17 or newer: only 1.8.0 is there",
    ],
    [
      "a Git that is too old",
      { git: "if [ $1 = --exec-path ]; then echo ${0%/*}/git-core; else echo git version 2.27.0; fi" },
      "git 2.28 or newer: only 2.27.0 is there",
    ],
    [
      "a Git without its HTTP backend",
      { git: "if [ $1 = --exec-path ]; then echo /nowhere; else echo git version 2.39.5; fi" },
      "git http-backend: /nowhere/git-http-backend is not there",
    ],
    ["a command that fails", { javac: "exit 3" }, "javac 17 or newer: javac -version failed"],
    ["an answer without a version", { mvn: "echo hello" }, "mvn (Maven): its answer to --version names no version"],
  ])("does not take %s for good", async (_, change, expected) => {
    const { status, lines } = await preflightWith({ ...(await everything()), ...change });
    expect(status).toBe(1);
    expect(lines.filter((line) => line.startsWith("MISSING"))).toEqual([expect.stringContaining(expected)]);
  });

  it("accepts newer ones", async () => {
    const { status } = await preflightWith({
      ...(await everything()),
      java: `echo 'openjdk version "21" 2023-09-19' >&2`,
      javac: "echo javac 25.0.1",
    });
    expect(status).toBe(0);
  });
});
