import { describe, expect, it } from "vitest";
import { fillSecrets, mentionsSecret, secretNames, secretProblem } from "../../src/model/secret-references.ts";

describe("a reference to a secret", () => {
  const values = new Map([
    ["db", "p$1w"],
    ["user", "me"],
  ]);
  it.each([
    ["plain", false, [], "plain"],
    ["${secret:db}", true, ["db"], "p$1w"],
    ["jdbc:x?u=${secret:user}&p=${secret:db}&u=${secret:user}", true, ["user", "db"], "jdbc:x?u=me&p=p$1w&u=me"],
    ["$${secret:db}", false, [], "${secret:db}"],
    ["$${secret:db} ${secret:db}", true, ["db"], "${secret:db} p$1w"],
    ["${secret:other}", true, ["other"], "${secret:other}"],
    ["${env:db} $secret", false, [], "${env:db} $secret"],
  ])("in %j is found and put in its place", (text, mentions, names, filled) => {
    expect([mentionsSecret(text), secretNames([text]), fillSecrets(text, values)]).toEqual([mentions, names, filled]);
    expect(secretProblem(text)).toBeUndefined();
  });

  it.each(["${secret:}", "${secret:db", "${secret:../db}", "${secret:a/b}", "${secret:..data}", "${secret:-x}", "${secret:a b}"])(
    "is refused as %j, which names no file of a project's folder",
    (text) => {
      expect(secretNames([text])).toEqual([]);
      expect(secretProblem(text)).toMatch(/^must name a secret as \$\{secret:NAME\}, .+, found "\$\{secret:/);
    },
  );
});
