import type { Secret } from "../common/secrets.ts";
import { bearerOf, isSameSecret, isSignedBy } from "./compare-secrets.ts";

export const FORGES = ["github", "gitlab", "gitea", "generic"] as const;
export type Forge = (typeof FORGES)[number];

export type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

/** What a delivery claims about its sender: a signature of the body, or the secret itself. */
export type Proof = { readonly kind: "hmac"; readonly signature: string } | { readonly kind: "secret"; readonly given: string };

/** How each forge proves who it is; undefined when the delivery does not even try. Looks at headers alone, so before any body is read. */
export function findProof(forge: Forge, headers: Headers): Proof | undefined {
  switch (forge) {
    case "github":
      return hmac(withoutPrefix(textOf(headers["x-hub-signature-256"])));
    case "gitea":
      return hmac(textOf(headers["x-gitea-signature"]));
    case "gitlab":
      return given(textOf(headers["x-gitlab-token"]));
    case "generic":
      return hmac(withoutPrefix(textOf(headers["x-penstock-signature"]))) ?? given(bearerOf(textOf(headers["authorization"])));
    default:
      return forge satisfies never;
  }
}

/** Whether the proof holds for exactly these bytes. */
export function isProven(proof: Proof, body: Uint8Array, secret: Secret): boolean {
  return proof.kind === "hmac" ? isSignedBy(proof.signature, body, secret) : isSameSecret(proof.given, secret);
}

/** For people: which headers a delivery has to bring. */
export const PROOF_HEADERS: Readonly<Record<Forge, string>> = {
  github: "X-Hub-Signature-256",
  gitea: "X-Gitea-Signature",
  gitlab: "X-Gitlab-Token",
  generic: "X-Penstock-Signature or Authorization: Bearer",
};

/** A header that stands there twice is none: which of them would count? */
export function textOf(header: string | readonly string[] | undefined): string | undefined {
  return typeof header === "string" && header !== "" ? header : undefined;
}

function withoutPrefix(header: string | undefined): string | undefined {
  return header === undefined ? undefined : /^sha256=(.*)$/.exec(header)?.[1];
}

function hmac(signature: string | undefined): Proof | undefined {
  return signature === undefined ? undefined : { kind: "hmac", signature };
}

function given(text: string | undefined): Proof | undefined {
  return text === undefined ? undefined : { kind: "secret", given: text };
}
