import { createHash } from "node:crypto";
import { countOf, oneLine } from "../common/text.ts";

/** A public key whose signatures under commits count. */
export type SigningKey =
  /** An armoured block, which may hold several keys. */
  { readonly kind: "openpgp"; readonly armored: string } | SshSigningKey;

export interface SshSigningKey {
  readonly kind: "ssh";
  /** In base64, as SSH writes it: what a signature names its key by. */
  readonly blob: string;
  readonly type: string;
  readonly validAfterMs?: number;
  readonly validBeforeMs?: number;
}

/** Keys of which signatures can be checked; DSA and keys that only sign with SHA-1 are not among them, nor are certificates. */
export const SSH_KEY_TYPES: readonly string[] = [
  "ssh-ed25519",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
  "ssh-rsa",
  "sk-ssh-ed25519@openssh.com",
];

type Parsed = { readonly keys: readonly SigningKey[] } | { readonly problem: string };

const PGP_BLOCK = /-----BEGIN PGP PUBLIC KEY BLOCK-----[^]*?-----END PGP PUBLIC KEY BLOCK-----/g;

/**
 * The keys of one file: armoured OpenPGP blocks, OpenSSH public keys and lines of Git's allowed_signers, one below the other. A problem is the end of
 * a sentence. What stands in an armoured block is not looked into: see `openpgpProblem`.
 */
export function parseSigningKeys(text: string): Parsed {
  if (/-----BEGIN [A-Z ]*PRIVATE KEY/.test(text)) return { problem: "holds a private key; give the public one" };
  const armored = text.match(PGP_BLOCK) ?? [];
  const keys: SigningKey[] = armored.map((block) => ({ kind: "openpgp", armored: block }));
  const lines = text.replaceAll(PGP_BLOCK, (block) => block.replaceAll(/[^\n]/g, "")).split(/\r?\n/);
  for (const [index, line] of lines.entries()) {
    if (/^\s*(?:#|$)/.test(line)) continue;
    const parsed = parseLine(line);
    if (typeof parsed === "string") return { problem: `cannot be used: line ${index + 1} ${parsed}` };
    keys.push(parsed);
  }
  return keys.length === 0 ? { problem: "holds no key" } : { keys };
}

/** What stands against the armoured blocks among the keys. The library is loaded for them alone. */
export async function openpgpProblem(keys: readonly SigningKey[]): Promise<string | undefined> {
  const blocks = keys.filter((key) => key.kind === "openpgp");
  if (blocks.length === 0) return undefined;
  const { readKeys } = await import("openpgp");
  for (const [index, { armored }] of blocks.entries()) {
    try {
      const read = await readKeys({ armoredKeys: armored });
      if (read.length === 0)
        return `cannot be used: OpenPGP block ${index + 1} of ${countOf(blocks.length, "block")} holds no key`;
    } catch {
      return `cannot be used: OpenPGP block ${index + 1} of ${blocks.length} is no public key`; // the library's words are about packets
    }
  }
  return undefined;
}

/** `SHA256:…`, as ssh-keygen shows it. */
export function sshFingerprint(blob: Uint8Array): string {
  return `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`;
}

/** `[principals [options]] type base64 [comment]`; who the principals are is nobody's matter here, as it is none of Git's. */
function parseLine(line: string): SshSigningKey | string {
  const words = [...line.matchAll(/(?:[^\s"]|"[^"]*")+/g)].map(([word]) => word);
  const at = words.slice(0, Math.min(3, words.length - 1)).findIndex(isKeyType);
  if (at < 0) return "is neither an OpenPGP block nor an SSH public key";
  const [type, blob] = [words[at]!, words[at + 1]!]; // it is not the last one
  if (!SSH_KEY_TYPES.includes(type)) return `is a key of the type ${oneLine(type, 60)}, whose signatures are not accepted`;
  if (!isBlobOf(blob, type)) return `is no key of the type ${type}`;
  const options = at === 2 ? parseOptions(words[1]!) : {};
  return typeof options === "string" ? options : { kind: "ssh", blob, type, ...options };
}

function isKeyType(word: string): boolean {
  return /^(?:ssh|ecdsa|sk-ssh|sk-ecdsa)-/.test(word);
}

function isBlobOf(text: string, type: string): boolean {
  const blob = Buffer.from(text, "base64");
  const isCanonical = blob.toString("base64") === text;
  return isCanonical && blob.length > 4 && blob.subarray(4, 4 + blob.readUInt32BE(0)).toString("latin1") === type;
}

/** An option that means less than "this key may sign" must not be passed over. */
function parseOptions(text: string): Pick<SshSigningKey, "validAfterMs" | "validBeforeMs"> | string {
  const options: { validAfterMs?: number; validBeforeMs?: number } = {};
  for (const [word] of text.matchAll(/(?:[^,"]|"[^"]*")+/g)) {
    const [, name = "", value = ""] = /^([\w-]+)(?:="?([^"]*)"?)?$/.exec(word) ?? [];
    const option = name.toLowerCase();
    if (option === "namespaces") {
      if (!value.split(",").some((namespace) => namespace === "git" || namespace === "*"))
        return "is a key for other namespaces than git";
      continue;
    }
    if (option !== "valid-after" && option !== "valid-before")
      return `has the option ${oneLine(word, 60)}, which is not supported`;
    const time = parseTime(value);
    if (time === undefined) return `has a time that is none in ${option}; write YYYYMMDD or YYYYMMDDHHMM[SS], with a Z for UTC`;
    if (option === "valid-after") options.validAfterMs = time;
    else options.validBeforeMs = time;
  }
  return options;
}

/** As ssh-keygen takes it: the machine's own time without a `Z`. */
function parseTime(text: string): number | undefined {
  const match = /^(\d{4})(\d{2})(\d{2})(?:(\d{2})(\d{2})(\d{2})?)?(Z?)$/i.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour = "00", minute = "00", second = "00", zone = ""] = match;
  const time = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}${zone.toUpperCase()}`);
  return Number.isNaN(time) ? undefined : time;
}
