import { createMessage, readKeys, readSignature, verify, type Key, type PublicKey, type Signature } from "openpgp";
import { messageOf } from "../common/errors.ts";
import { oneLine } from "../common/text.ts";
import { refused, type Moment, type Verdict } from "./verdict.ts";

/** Keys of armoured blocks, in their order. */
export async function readOpenpgpKeys(armored: readonly string[]): Promise<readonly PublicKey[]> {
  const read: Key[] = [];
  for (const block of armored) read.push(...(await readKeys({ armoredKeys: block })));
  return read;
}

/**
 * Whether an OpenPGP signature under `payload` is by a listed key or by one of its subkeys that may sign. Signatures over SHA-1 and by short RSA
 * keys do not count, which is the library's own rule.
 */
export async function verifyOpenpgp(
  payload: Buffer,
  armored: string,
  keys: readonly PublicKey[],
  moment: Moment,
): Promise<Verdict> {
  let signature: Signature;
  try {
    signature = await readSignature({ armoredSignature: armored });
  } catch {
    return refused("its OpenPGP signature cannot be read"); // the library's words are about packets
  }
  const [packet, second] = signature.packets;
  // Git takes no second one either: which of them counts would be anybody's guess.
  if (packet === undefined || second !== undefined) return refused("it does not hold exactly one OpenPGP signature");
  const [issuer] = signature.getSigningKeyIDs();
  const key = issuer === undefined ? undefined : keys.find((one) => one.getKeys(issuer).length > 0);
  const id = (issuer?.toHex() ?? "").toUpperCase();
  if (key === undefined || issuer === undefined)
    return refused(`it is signed by the OpenPGP key ${id}, which is not listed in repository.verify.keys`);
  const name = `the OpenPGP key ${key.getFingerprint().toUpperCase()}`;
  const now = new Date(moment.nowMs);
  try {
    const message = await createMessage({ binary: payload });
    // The library wants the key to have been valid when it signed, and takes `date` for the signature's own end.
    const date = moment.kind === "new" ? now : (packet.created ?? now);
    const { signatures } = await verify({ message, signature, verificationKeys: key, date });
    await signatures[0]!.verified; // as many as there are packets
    if (await key.isRevoked(undefined, undefined, now)) return refused(`it is signed by ${name}, which is revoked`);
    // As gpg and Flux have it: what is new is not accepted from a key that is expired or revoked by now, whenever it says that it signed.
    if (moment.kind === "new") await key.getSigningKey(issuer, now);
  } catch (error) {
    return refused(`its signature by ${name} does not count: ${oneLine(messageOf(error), 200)}`);
  }
  return { kind: "verified", by: name };
}
