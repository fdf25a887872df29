import { execFile } from "node:child_process";
import { generateKeyPairSync, createHash, sign } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openpgpProblem, parseSigningKeys } from "../../src/config/signing-keys.ts";
import { CommitVerifier } from "../../src/git/commit-verifier.ts";
import type { Verdict } from "../../src/git/verdict.ts";
import { Signing, type Signer } from "../support/signing.ts";

/** gpg signs by the time of the machine. */
const NOW = Date.now() + 86_400_000;

let signing: Signing;
const signers = new Map<string, Signer>();
const commits = new Map<string, Buffer>();

beforeAll(async () => {
  signing = await Signing.create();
  const ssh = [
    ["ssh-ed25519", "ed25519", undefined],
    ["ecdsa-256", "ecdsa", 256],
    ["ecdsa-384", "ecdsa", 384],
    ["ecdsa-521", "ecdsa", 521],
    ["ssh-rsa", "rsa", 2048],
    ["ssh-rsa-short", "rsa", 1024],
  ] as const;
  for (const [name, type, bits] of ssh) signers.set(name, await signing.ssh(name, type, bits));
  signers.set("gpg-ed25519", await signing.gpg("ada"));
  signers.set("gpg-rsa", await signing.gpg("rsa", { algorithm: "rsa2048" }));
  signers.set("gpg-expired", await signing.gpg("old", { at: "20260101T000000", expires: "20260301T000000" }));
  const revoked = await signing.gpg("lost");
  signers.set("gpg-revoked", revoked);
  const primary = await signing.gpg("sub");
  signers.set("gpg-subkey", await signing.gpgSubkey(primary));
  for (const [name, signer] of signers) commits.set(name, await signing.commit(signer, `By ${name}\n\nTrailer: 1\n`));
  await signing.gpgRevoke(revoked);
}, 120_000);

afterAll(() => signing[Symbol.asyncDispose]());

async function keyText(...names: readonly string[]): Promise<string> {
  return (await Promise.all(names.map(async (name) => readFile(signers.get(name)!.keyFile, "utf8")))).join("");
}

function verifierFor(text: string, nowMs = NOW): CommitVerifier {
  const parsed = parseSigningKeys(text);
  if ("problem" in parsed) throw new Error(parsed.problem);
  return new CommitVerifier(parsed.keys, { now: () => nowMs, random: () => 0 });
}

async function verdict(commit: Buffer, text: string, kind: "new" | "kept" = "new", nowMs = NOW): Promise<Verdict> {
  return verifierFor(text, nowMs).verify(commit, kind);
}

describe("a commit that git has signed", () => {
  it.each([
    ["ssh-ed25519"],
    ["ecdsa-256"],
    ["ecdsa-384"],
    ["ecdsa-521"],
    ["ssh-rsa"],
    ["gpg-ed25519"],
    ["gpg-rsa"],
    ["gpg-subkey"],
  ])("by %s is verified with its key, and with no other", async (name) => {
    const commit = commits.get(name)!;
    const others = [...signers.keys()].filter((other) => other !== name);
    expect(await verdict(commit, await keyText(name, ...others))).toMatchObject({ kind: "verified" });
    expect(await verdict(commit, await keyText(...others))).toEqual({
      kind: "refused",
      because: expect.stringMatching(/^it is signed by the (SSH|OpenPGP) key [\w:+/]+, which is not listed/),
    });
  });

  it.each([["ssh-ed25519"], ["ecdsa-521"], ["ssh-rsa"], ["gpg-ed25519"]])(
    "by %s counts for no other tree, parent, person, time or message",
    async (name) => {
      const text = commits.get(name)!.toString("latin1");
      const key = await keyText(name);
      const changes: readonly [RegExp, string][] = [
        [/^tree \w{4}/, "tree 0000"],
        [/^author/m, `parent ${"1".repeat(40)}\nauthor`],
        [/Ada Tester/, "Eve Tester"],
        [/committer (.*) \d+ /, "committer $1 1 "],
        [/By /, "by "],
        [/Trailer: 1/, "Trailer: 2"],
        [/\n$/, "\n\n"],
        [/\n$/, "\r\n"],
        [/^committer/m, "encoding utf-8\ncommitter"],
      ];
      for (const [from, to] of changes) {
        const changed = text.replace(from, to);
        expect(changed, String(from)).not.toBe(text);
        expect(await verdict(Buffer.from(changed, "latin1"), key), String(from)).toMatchObject({ kind: "refused" });
      }
    },
  );

  it.each([
    ["plain\n"],
    ["two\n\nparagraphs\n\n\n"],
    ["with\r\nCRLF\r\n"],
    ["no line break at the end"],
    ["ümlaut 🐍\n"],
    ["tree of a different kind\n\ngpgsig nothing\n"],
  ])("is verified with the message %j, by SSH and OpenPGP", async (message) => {
    for (const name of ["ssh-ed25519", "gpg-ed25519"]) {
      const commit = await signing.commit(signers.get(name)!, message);
      expect(await verdict(commit, await keyText(name)), name).toMatchObject({ kind: "verified" });
    }
  });

  it("may have its other signature over the SHA-256 form, which nothing covers", async () => {
    const text = commits
      .get("ssh-ed25519")!
      .toString("latin1")
      .replace(/^gpgsig /m, "gpgsig-sha256 x\n y\ngpgsig ");
    expect(await verdict(Buffer.from(text, "latin1"), await keyText("ssh-ed25519"))).toMatchObject({ kind: "verified" });
  });

  it.each([
    ["no signature", (text: string) => text.replace(/^gpgsig [^]*?\n(?! )/m, ""), "it is not signed"],
    ["two signatures", (text: string) => text.replace(/^(gpgsig [^]*?\n)(?! )/m, "$1$1"), "it holds more than one signature"],
    [
      "an X.509 signature",
      (text: string) => text.replaceAll("SSH SIGNATURE", "SIGNED MESSAGE"),
      "it is signed in a way that is neither OpenPGP nor SSH",
    ],
    [
      "half a signature",
      (text: string) => text.replace(/(gpgsig .*\n .*\n)[^]*?(\n -----END)/, "$1$2"),
      "its SSH signature cannot be read",
    ],
    [
      "a signature for files",
      (text: string) => text.replace("U1NIU0lHAAAAAQ", "U1NIU0lHAAAAAg"),
      "its SSH signature cannot be read",
    ],
  ])("is refused with %s", async (_, change, because) => {
    const text = commits.get("ssh-ed25519")!.toString("latin1");
    const changed = change(text);
    expect(changed).not.toBe(text);
    expect(await verdict(Buffer.from(changed, "latin1"), await keyText("ssh-ed25519"))).toEqual({ kind: "refused", because });
  });

  it("is refused with a signature that ssh-keygen made for something else than Git", async () => {
    const commit = commits.get("ssh-ed25519")!.toString("latin1");
    const payload = commit.replace(/^gpgsig [^]*?\n(?! )/m, "");
    const file = join(signing.folder, "payload");
    await writeFile(file, payload, "latin1");
    await promisify(execFile)("ssh-keygen", ["-q", "-Y", "sign", "-n", "file", "-f", join(signing.folder, "ssh-ed25519"), file]);
    const signature = (await readFile(`${file}.sig`, "utf8")).trimEnd().replaceAll("\n", "\n ");
    const forged = payload.replace("\n\n", `\ngpgsig ${signature}\n\n`);
    expect(await verdict(Buffer.from(forged, "latin1"), await keyText("ssh-ed25519"))).toEqual({
      kind: "refused",
      because: expect.stringMatching(/^its signature by the SSH key SHA256:\S+ was not made for Git$/),
    });
  });

  it("is refused with a short RSA key", async () => {
    expect(await verdict(commits.get("ssh-rsa-short")!, await keyText("ssh-rsa-short"))).toMatchObject({ kind: "refused" });
  });

  it("is refused with a revoked key, also when it was applied before", async () => {
    for (const kind of ["new", "kept"] as const)
      expect(await verdict(commits.get("gpg-revoked")!, await keyText("gpg-revoked"), kind)).toMatchObject({ kind: "refused" });
  });

  it("is refused with a key that is expired by now, unless it was applied before", async () => {
    const commit = await signing.commit(signers.get("gpg-expired")!, "in time");
    const key = await keyText("gpg-expired");
    expect(await verdict(commit, key, "new", Date.parse("2026-02-01T00:00:00Z"))).toMatchObject({ kind: "verified" });
    expect(await verdict(commit, key, "new")).toMatchObject({ kind: "refused" });
    expect(await verdict(commit, key, "kept")).toMatchObject({ kind: "verified" });
  });

  it("is judged by the times of an allowed_signers line: now and then, or then alone when it was applied before", async () => {
    const key = await keyText("ssh-ed25519"); // the commit is of 2026-01-02
    const commit = commits.get("ssh-ed25519")!;
    const judge = async (options: string, kind: "new" | "kept") =>
      (await verdict(commit, `ada@example.com ${options} ${key}`, kind)).kind;
    expect(await judge(`namespaces="git,file"`, "new")).toBe("verified");
    expect(await judge(`valid-after="20260101Z",valid-before="20990101Z"`, "new")).toBe("verified");
    expect(await judge(`valid-before="20260201Z"`, "new")).toBe("refused");
    expect(await judge(`valid-before="20260201Z"`, "kept")).toBe("verified");
    expect(await judge(`valid-after="20260201Z"`, "kept")).toBe("refused");
  });

  it("is verified with a security key that somebody touched, as ssh-keygen verifies it", async () => {
    const payload = commits
      .get("ssh-ed25519")!
      .toString("latin1")
      .replace(/^gpgsig [^]*?\n(?! )/m, "");
    const made = securityKeySignature(Buffer.from(payload, "latin1"), 1);
    const allowed = join(signing.folder, "allowed");
    await writeFile(allowed, `ada@example.com ${made.key}\n`);
    await writeFile(join(signing.folder, "sk.sig"), made.signature);
    const verifying = promisify(execFile)("ssh-keygen", [
      "-Y",
      "verify",
      "-f",
      allowed,
      "-I",
      "ada@example.com",
      "-n",
      "git",
      "-s",
      join(signing.folder, "sk.sig"),
    ]);
    verifying.child.stdin!.end(Buffer.from(payload, "latin1"));
    expect((await verifying).stdout).toMatch(/^Good "git" signature/);
    const commitWith = ({ signature }: { signature: string }): Buffer =>
      Buffer.from(payload.replace("\n\n", `\ngpgsig ${signature.trimEnd().replaceAll("\n", "\n ")}\n\n`), "latin1");
    expect(await verdict(commitWith(made), made.key)).toMatchObject({ kind: "verified" });
    const untouched = securityKeySignature(Buffer.from(payload, "latin1"), 0);
    expect(await verdict(commitWith(untouched), untouched.key)).toMatchObject({ kind: "refused" });
  });
});

describe("a file with keys", () => {
  it("may hold all kinds, comments and empty lines", async () => {
    const text = `# us\n\n${await keyText(...signers.keys())}`.replaceAll("\n", "\r\n");
    const parsed = parseSigningKeys(text);
    expect("keys" in parsed && parsed.keys).toHaveLength(signers.size);
    expect("keys" in parsed && (await openpgpProblem(parsed.keys))).toBeUndefined();
  });

  it.each([
    ["", "holds no key"],
    ["# nothing\n", "holds no key"],
    ["-----BEGIN OPENSSH PRIVATE KEY-----\nx\n", "holds a private key; give the public one"],
    ["hello\n", "cannot be used: line 1 is neither an OpenPGP block nor an SSH public key"],
    ["\nssh-dss AAAAB3NzaC1kc3M=\n", "cannot be used: line 2 is a key of the type ssh-dss, whose signatures are not accepted"],
    [
      "ssh-ed25519-cert-v01@openssh.com AAAA\n",
      "cannot be used: line 1 is a key of the type ssh-ed25519-cert-v01@openssh.com, whose signatures are not accepted",
    ],
    ["ssh-ed25519 AAAA\n", "cannot be used: line 1 is no key of the type ssh-ed25519"],
  ])("is refused when it is %j", (text, problem) => {
    expect(parseSigningKeys(text)).toEqual({ problem });
  });

  it.each([
    ["cert-authority", /has the option cert-authority, which is not supported/],
    [`namespaces="file"`, /is a key for other namespaces than git/],
    [`valid-before="soon"`, /has a time that is none in valid-before/],
  ])("is refused with the option %s", async (option, problem) => {
    const text = `*@example.com ${option} ${await keyText("ssh-ed25519")}`;
    expect(parseSigningKeys(text)).toEqual({ problem: expect.stringMatching(problem) });
  });

  it("is refused when an armoured block is no key", async () => {
    const text = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n-----END PGP PUBLIC KEY BLOCK-----\n";
    const parsed = parseSigningKeys(text);
    expect("keys" in parsed && (await openpgpProblem(parsed.keys))).toMatch(/OpenPGP block 1 of 1/);
  });
});

function string(value: string | Buffer): Buffer {
  const content = Buffer.from(value as string);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(content.length);
  return Buffer.concat([length, content]);
}

function sha(name: string, data: Buffer): Buffer {
  return createHash(name).update(data).digest();
}

/** What a security key would make: only its private part is in software here. */
function securityKeySignature(payload: Buffer, flags: number): { readonly key: string; readonly signature: string } {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const point = Buffer.from(publicKey.export({ format: "jwk" }).x!, "base64url");
  const type = "sk-ssh-ed25519@openssh.com";
  const blob = Buffer.concat([string(type), string(point), string("ssh:")]);
  const data = Buffer.concat([
    Buffer.from("SSHSIG"),
    string("git"),
    string(""),
    string("sha512"),
    string(sha("sha512", payload)),
  ]);
  const tail = Buffer.from([flags, 0, 0, 0, 7]);
  const made = sign(null, Buffer.concat([sha("sha256", Buffer.from("ssh:")), tail, sha("sha256", data)]), privateKey);
  const whole = Buffer.concat([
    Buffer.from("SSHSIG"),
    Buffer.from([0, 0, 0, 1]),
    string(blob),
    string("git"),
    string(""),
    string("sha512"),
    string(Buffer.concat([string(type), string(made), tail])),
  ]);
  const lines = whole.toString("base64").replaceAll(/(.{70})/g, "$1\n");
  return {
    key: `${type} ${blob.toString("base64")}`,
    signature: `-----BEGIN SSH SIGNATURE-----\n${lines}\n-----END SSH SIGNATURE-----\n`,
  };
}
