/** Git LFS never writes a larger one. */
const MAX_BYTES = 1024;

/** Whether this is what Git LFS leaves in the repository in place of a file: then the file itself is not there. */
export function isLfsPointer(content: Uint8Array): boolean {
  if (content.byteLength > MAX_BYTES) return false;
  const text = Buffer.from(content).toString("latin1");
  return /^version https:\/\/git-lfs\.github\.com\/spec\/v\d+\r?\n/.test(text) && /^oid [a-z0-9]+:[0-9a-f]+\r?$/m.test(text);
}
