import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface TestCertificates {
  /** The authority that signed both of the others. */
  readonly ca: string;
  readonly server: { readonly cert: string; readonly key: string };
  readonly client: { readonly cert: string; readonly key: string };
}

/** A fresh authority with a certificate for 127.0.0.1 and localhost and one for a client, made by openssl. PEM texts. */
export function createTestCertificates(): TestCertificates {
  const folder = mkdtempSync(join(tmpdir(), "penstock-certificates-"));
  const openssl = (...args: readonly string[]) => execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const read = (file: string) => readFileSync(join(folder, file), "utf8");
  const sign = (name: string, extension: string) => {
    openssl("req", ...key, "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", `/CN=penstock-test-${name}`);
    writeFileSync(join(folder, `${name}.ext`), extension);
    const from = ["-in", `${name}.csr`, "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", `${name}.ext`];
    openssl("x509", "-req", "-days", "2", ...from, "-out", `${name}.pem`);
    return { cert: read(`${name}.pem`), key: read(`${name}.key`) };
  };
  try {
    openssl("req", "-x509", ...key, "-days", "2", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=penstock-test-ca");
    const server = sign("server", "subjectAltName=IP:127.0.0.1,DNS:localhost\n");
    return { ca: read("ca.pem"), server, client: sign("client", "extendedKeyUsage=clientAuth\n") };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
