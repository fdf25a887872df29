import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g;

/** Why this is no list of PEM certificates, as the end of a sentence; undefined when it is one. */
export function certificatesProblem(pem: string): string | undefined {
  const blocks = pem.match(CERTIFICATE) ?? [];
  if (blocks.length === 0) return "holds no PEM certificate (-----BEGIN CERTIFICATE-----)";
  const bad = blocks.findIndex((block) => parseCertificate(block) === undefined);
  return bad < 0 ? undefined : `holds a certificate that cannot be read, number ${bad + 1} of ${blocks.length}`;
}

/** Why this key cannot be used with that certificate. Never repeats any of it. */
export function keyProblem(keyPem: string, certificatePem: string | undefined): string | undefined {
  const key = parseKey(keyPem);
  if (typeof key === "string") return key;
  const first = certificatePem?.match(CERTIFICATE)?.[0];
  const certificate = first === undefined ? undefined : parseCertificate(first);
  if (certificate !== undefined && !certificate.checkPrivateKey(key)) return "does not belong to the certificate in certFile";
  return undefined;
}

function parseCertificate(block: string): X509Certificate | undefined {
  try {
    return new X509Certificate(block);
  } catch {
    return undefined; // OpenSSL's words say nothing that helps
  }
}

function parseKey(pem: string): KeyObject | string {
  try {
    return createPrivateKey(pem);
  } catch (error) {
    const locked = error instanceof Error && Reflect.get(error, "code") === "ERR_MISSING_PASSPHRASE";
    if (locked || pem.includes("ENCRYPTED"))
      return "is protected by a passphrase, which Penstock has no option for; give a key without one";
    return "holds no private key in PEM form"; // OpenSSL's words say nothing that helps
  }
}
