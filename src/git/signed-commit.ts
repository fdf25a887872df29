/** A commit object as its signer saw it, and the signature. */
export type SignedCommit =
  | { readonly kind: "signed"; readonly payload: Buffer; readonly signature: string }
  | { readonly kind: "unsigned" }
  | { readonly kind: "odd"; readonly because: string };

const SIGNATURE = "gpgsig";
/** The one over the object's SHA-256 form, which no signature covers either. */
const OTHER_SIGNATURE = "gpgsig-sha256";

/**
 * Takes the signature out of a commit object. What is signed is every other byte, so the object's own bytes are needed: a message that was decoded
 * and put together again is another one. isomorphic-git's `readCommit().payload` is such (seen: wrong for each SSH signature).
 */
export function splitSignedCommit(content: Buffer): SignedCommit {
  const end = content.indexOf("\n\n");
  if (end < 0) return { kind: "odd", because: "its header does not end" };
  // One character a byte: nothing is lost, and only a line feed ends a line.
  const lines = content.toString("latin1", 0, end).split("\n");
  const kept: string[] = [];
  const signatures: string[][] = [];
  let into = kept;
  for (const line of lines) {
    if (line.startsWith(" ")) {
      into.push(into === kept ? line : line.slice(1));
      continue;
    }
    const name = line.slice(0, Math.max(0, line.indexOf(" ")));
    if (name === SIGNATURE) signatures.push((into = [line.slice(SIGNATURE.length + 1)]));
    else if (name === OTHER_SIGNATURE) into = [];
    else (into = kept).push(line);
  }
  const [signature, second] = signatures;
  if (signature === undefined) return { kind: "unsigned" };
  if (second !== undefined) return { kind: "odd", because: "it holds more than one signature" };
  const payload = Buffer.concat([Buffer.from(kept.join("\n"), "latin1"), content.subarray(end)]);
  return { kind: "signed", payload, signature: signature.join("\n") };
}
