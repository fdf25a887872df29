import { createHash, createPublicKey, verify, type KeyObject } from "node:crypto";
import { sshFingerprint, type SshSigningKey } from "../config/signing-keys.ts";
import { refused, type Moment, type Verdict } from "./verdict.ts";

const ARMOR = /^-----BEGIN SSH SIGNATURE-----\n([A-Za-z0-9+/=\n]+)\n-----END SSH SIGNATURE-----\n*$/;
const MAGIC = "SSHSIG";
const VERSION = 1;
/** What keeps a signature that was made for something else, such as a login, from counting here. */
const NAMESPACE = "git";
const HASHES: ReadonlySet<string> = new Set(["sha256", "sha512"]);
const MIN_RSA_BITS = 2048;
/** Somebody touched the security key. */
const USER_PRESENT = 1;

interface SshSignature {
  readonly publicKey: Buffer;
  readonly namespace: string;
  readonly reserved: Buffer;
  readonly hash: string;
  readonly signature: Buffer;
}

/** Whether an SSHSIG under `payload` is by a listed key. The format is OpenSSH's PROTOCOL.sshsig. */
export function verifySsh(payload: Buffer, armored: string, keys: readonly SshSigningKey[], moment: Moment): Verdict {
  const parsed = parseSignature(armored);
  if (parsed === undefined) return refused("its SSH signature cannot be read");
  const name = `the SSH key ${sshFingerprint(parsed.publicKey)}`;
  const listed = keys.filter(({ blob }) => blob === parsed.publicKey.toString("base64"));
  if (listed.length === 0) return refused(`it is signed by ${name}, which is not listed in repository.verify.keys`);
  if (parsed.namespace !== NAMESPACE) return refused(`its signature by ${name} was not made for Git`);
  if (!HASHES.has(parsed.hash)) return refused(`its signature by ${name} uses a hash that is not accepted`);
  if (!isSignedBy(parsed, payload)) return refused(`its signature is not one that ${name} made for it`);
  if (!listed.some((key) => isValid(key, moment))) return refused(`it is signed by ${name}, which is not valid at this time`);
  return { kind: "verified", by: name };
}

/** Git asks for the commit's own time alone, which whoever signs can choose: what is new has to be signed by a key that is valid now as well. */
function isValid({ validAfterMs = -Infinity, validBeforeMs = Infinity }: SshSigningKey, moment: Moment): boolean {
  const times = moment.kind === "new" ? [moment.nowMs, moment.committedAtMs] : [moment.committedAtMs];
  return times.every((time) => time >= validAfterMs && time < validBeforeMs);
}

function parseSignature(armored: string): SshSignature | undefined {
  const base64 = ARMOR.exec(armored)?.[1];
  if (base64 === undefined) return undefined;
  const reader = new WireReader(Buffer.from(base64, "base64"));
  if (reader.bytes(MAGIC.length)?.toString("latin1") !== MAGIC || reader.uint32() !== VERSION) return undefined;
  const [publicKey, namespace, reserved, hash, signature] = [1, 2, 3, 4, 5].map(() => reader.string());
  if (publicKey === undefined || namespace === undefined || reserved === undefined || hash === undefined) return undefined;
  if (signature === undefined || !reader.isAtEnd()) return undefined;
  return { publicKey, namespace: namespace.toString("latin1"), reserved, hash: hash.toString("latin1"), signature };
}

/** The hash of the payload is what is signed, together with what it is for. */
function signedData({ namespace, reserved, hash }: SshSignature, payload: Buffer): Buffer {
  const digest = createHash(hash).update(payload).digest();
  const parts = [Buffer.from(namespace, "latin1"), reserved, Buffer.from(hash, "latin1"), digest];
  return Buffer.concat([Buffer.from(MAGIC), ...parts.flatMap((part) => [uint32(part.length), part])]);
}

function isSignedBy(parsed: SshSignature, payload: Buffer): boolean {
  const key = new WireReader(parsed.publicKey);
  const blob = new WireReader(parsed.signature);
  const [type, algorithm, signature] = [key.text(), blob.text(), blob.string()];
  if (type === undefined || algorithm === undefined || signature === undefined) return false;
  try {
    return isSigned(type, algorithm, { key, signature, rest: blob, data: signedData(parsed, payload) });
  } catch {
    return false; // node:crypto throws for a key or a signature that is malformed, which is an answer here
  }
}

interface Signed {
  /** Behind the type. */
  readonly key: WireReader;
  readonly signature: Buffer;
  readonly rest: WireReader;
  readonly data: Buffer;
}

function isSigned(type: string, algorithm: string, { key, signature, rest, data }: Signed): boolean {
  switch (type) {
    case "ssh-ed25519": {
      const point = key.string();
      if (algorithm !== type || point === undefined || !key.isAtEnd() || !rest.isAtEnd()) return false;
      return verify(null, data, ed25519Key(point), signature);
    }
    case "sk-ssh-ed25519@openssh.com": {
      const [point, application] = [key.string(), key.string()];
      const [flags, counter] = [rest.bytes(1), rest.bytes(4)];
      if (algorithm !== type || point === undefined || application === undefined || !key.isAtEnd()) return false;
      if (flags === undefined || counter === undefined || !rest.isAtEnd() || (flags[0]! & USER_PRESENT) === 0) return false;
      const message = Buffer.concat([sha256(application), flags, counter, sha256(data)]);
      return verify(null, message, ed25519Key(point), signature);
    }
    case "ssh-rsa": {
      const [exponent, modulus] = [key.string(), key.string()];
      // Under its old name the signature would be one over SHA-1.
      const hash = algorithm === "rsa-sha2-512" ? "sha512" : algorithm === "rsa-sha2-256" ? "sha256" : undefined;
      if (hash === undefined || exponent === undefined || modulus === undefined || !key.isAtEnd() || !rest.isAtEnd())
        return false;
      const rsa = jwk({ kty: "RSA", n: unsigned(modulus).toString("base64url"), e: unsigned(exponent).toString("base64url") });
      if ((rsa.asymmetricKeyDetails?.modulusLength ?? 0) < MIN_RSA_BITS) return false;
      return verify(hash, data, rsa, signature);
    }
    default:
      return isSignedOnCurve(type, algorithm, { key, signature, rest, data });
  }
}

const CURVES: ReadonlyMap<string, { readonly crv: string; readonly bytes: number; readonly hash: string }> = new Map([
  ["nistp256", { crv: "P-256", bytes: 32, hash: "sha256" }],
  ["nistp384", { crv: "P-384", bytes: 48, hash: "sha384" }],
  ["nistp521", { crv: "P-521", bytes: 66, hash: "sha512" }],
]);

function isSignedOnCurve(type: string, algorithm: string, { key, signature, rest, data }: Signed): boolean {
  const [name, point] = [key.text(), key.string()];
  const curve = CURVES.get(name ?? "");
  if (curve === undefined || type !== `ecdsa-sha2-${name}` || algorithm !== type || point === undefined) return false;
  if (!key.isAtEnd() || !rest.isAtEnd() || point.length !== 1 + 2 * curve.bytes || point[0] !== 4) return false;
  const numbers = new WireReader(signature);
  const [r, s] = [numbers.string(), numbers.string()];
  if (r === undefined || s === undefined || !numbers.isAtEnd()) return false;
  const [x, y] = [point.subarray(1, 1 + curve.bytes), point.subarray(1 + curve.bytes)];
  const ec = jwk({ kty: "EC", crv: curve.crv, x: x.toString("base64url"), y: y.toString("base64url") });
  const both = Buffer.concat([padded(r, curve.bytes), padded(s, curve.bytes)]);
  return verify(curve.hash, data, { key: ec, dsaEncoding: "ieee-p1363" }, both);
}

function ed25519Key(point: Buffer): KeyObject {
  return jwk({ kty: "OKP", crv: "Ed25519", x: point.toString("base64url") });
}

function jwk(key: Record<string, string>): KeyObject {
  return createPublicKey({ key, format: "jwk" });
}

function sha256(bytes: Buffer): Buffer {
  return createHash("sha256").update(bytes).digest();
}

/** SSH writes a zero byte before a number whose first bit is set. */
function unsigned(number: Buffer): Buffer {
  let at = 0;
  while (at < number.length - 1 && number[at] === 0) at += 1;
  return number.subarray(at);
}

function padded(number: Buffer, bytes: number): Buffer {
  const plain = unsigned(number);
  return Buffer.concat([Buffer.alloc(Math.max(0, bytes - plain.length)), plain]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Reads SSH's wire format; undefined for what is not there. */
class WireReader {
  readonly #content: Buffer;
  #at = 0;

  constructor(content: Buffer) {
    this.#content = content;
  }

  bytes(length: number): Buffer | undefined {
    if (this.#at + length > this.#content.length) return undefined;
    this.#at += length;
    return this.#content.subarray(this.#at - length, this.#at);
  }

  uint32(): number | undefined {
    return this.bytes(4)?.readUInt32BE(0);
  }

  string(): Buffer | undefined {
    const length = this.uint32();
    return length === undefined ? undefined : this.bytes(length);
  }

  text(): string | undefined {
    return this.string()?.toString("latin1");
  }

  isAtEnd(): boolean {
    return this.#at === this.#content.length;
  }
}
