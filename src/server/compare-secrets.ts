import { createHmac, hash, timingSafeEqual } from "node:crypto";
import type { Secret } from "../common/secrets.ts";

/** Whether two texts are one, in a time that tells nothing of where they differ, nor of how long the secret one is. */
export function isSameSecret(given: string, secret: Secret): boolean {
  return timingSafeEqual(hash("sha256", given, "buffer"), hash("sha256", secret.reveal(), "buffer"));
}

/** Whether it is one of them; all of them are looked at. */
export function isOneOf(given: string, secrets: readonly Secret[]): boolean {
  return secrets.map((secret) => isSameSecret(given, secret)).includes(true);
}

/** Whether this is the HMAC-SHA256 of exactly these bytes, in hex digits. */
export function isSignedBy(signature: string, bytes: Uint8Array, secret: Secret): boolean {
  if (!/^[0-9a-f]{64}$/i.test(signature)) return false;
  const expected = createHmac("sha256", secret.reveal()).update(bytes).digest();
  return timingSafeEqual(Buffer.from(signature, "hex"), expected);
}

/** What stands behind `Bearer` in an Authorization header. */
export function bearerOf(header: string | undefined): string | undefined {
  return /^Bearer +([^\s]+) *$/i.exec(header ?? "")?.[1];
}
