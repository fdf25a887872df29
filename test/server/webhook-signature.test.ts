import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { Secret } from "../../src/common/secrets.ts";
import { findProof, isProven, type Forge, type Headers } from "../../src/server/webhook-signature.ts";
import { genericDelivery, giteaPush, githubPush, gitlabPush } from "../support/deliveries.ts";

const SECRET = "It's a Secret to Everybody";

function isAccepted(forge: Forge, headers: Headers, body: string, secret = SECRET): boolean {
  const proof = findProof(forge, headers);
  return proof !== undefined && isProven(proof, Buffer.from(body), new Secret(secret));
}

describe("the proof of a webhook", () => {
  it("holds for the example in GitHub's documentation", () => {
    const signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    expect(isAccepted("github", { "x-hub-signature-256": signature }, "Hello, World!")).toBe(true);
    expect(isAccepted("github", { "x-hub-signature-256": signature }, "Hello, World?")).toBe(false);
  });

  it("holds for the test cases 1 and 2 of RFC 4231, in Gitea's form", () => {
    const first = "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7";
    expect(isAccepted("gitea", { "x-gitea-signature": first }, "Hi There", "\u000b".repeat(20))).toBe(true);
    const second = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    expect(isAccepted("gitea", { "x-gitea-signature": second }, "what do ya want for nothing?", "Jefe")).toBe(true);
  });

  it("is what openssl makes of the same bytes", () => {
    const body = '{"text":"ünï\u2028"}\n';
    const output = execFileSync("openssl", ["dgst", "-sha256", "-hmac", SECRET, "-r"], { input: body, encoding: "utf8" });
    expect(isAccepted("gitea", { "x-gitea-signature": output.split(" ")[0] }, body)).toBe(true);
  });

  it.each([
    ["github", githubPush(SECRET)],
    ["gitea", giteaPush(SECRET)],
    ["gitlab", gitlabPush(SECRET)],
    ["generic", genericDelivery({ ref: "main" }, SECRET, "hmac")],
    ["generic", genericDelivery({ ref: "main" }, "one-word-secret", "bearer")],
  ] as const)("of %s holds with its secret, and with no other", (forge, { headers, body }) => {
    const secret = "authorization" in headers ? "one-word-secret" : SECRET;
    expect(isAccepted(forge, headers, body, secret)).toBe(true);
    for (const wrong of [`${secret} `, secret.slice(1), secret.toUpperCase(), "x"])
      expect(isAccepted(forge, headers, body, wrong)).toBe(false);
  });

  it.each<[string, Forge, Headers]>([
    ["no header", "github", {}],
    ["an empty header", "github", { "x-hub-signature-256": "" }],
    ["SHA-1 alone", "github", { "x-hub-signature": "sha1=7d38cdd689735b008b3c702edd92eea23791c5f6" }],
    ["a signature without its prefix", "github", { "x-hub-signature-256": "a".repeat(64) }],
    ["two headers", "gitea", { "x-gitea-signature": ["a".repeat(64), "b".repeat(64)] }],
    ["another forge's header", "gitlab", { "x-gitea-signature": "a".repeat(64) }],
    ["basic authentication", "generic", { authorization: "Basic cGVuc3RvY2s=" }],
  ])("is not even tried with %s", (_, forge, headers) => {
    expect(findProof(forge, headers)).toBeUndefined();
  });

  it.each(["", "sha256=", "z".repeat(64), "a".repeat(63), "a".repeat(65), `${"a".repeat(64)}\n`, "é".repeat(32)])(
    "does not hold with the signature %j",
    (signature) => {
      expect(isAccepted("gitea", { "x-gitea-signature": signature }, "{}")).toBe(false);
      expect(isAccepted("github", { "x-hub-signature-256": `sha256=${signature}` }, "{}")).toBe(false);
    },
  );
});
