import type { Clock } from "../common/clock.ts";
import type { SigningKey } from "../config/signing-keys.ts";
import { parseCommit } from "./commit.ts";
import { splitSignedCommit } from "./signed-commit.ts";
import { refused, type Moment, type Verdict } from "./verdict.ts";
import { verifySsh } from "./verify-ssh.ts";
import type { readOpenpgpKeys } from "./verify-openpgp.ts";

type OpenpgpKeys = Awaited<ReturnType<typeof readOpenpgpKeys>>;

/** Tells whether commits are signed by the keys of `repository.verify`. */
export class CommitVerifier {
  readonly #keys: readonly SigningKey[];
  readonly #clock: Clock;
  #openpgpKeys: Promise<OpenpgpKeys> | undefined;

  constructor(keys: readonly SigningKey[], clock: Clock) {
    this.#keys = keys;
    this.#clock = clock;
  }

  /** `content` is the commit object as it lies in the repository. */
  async verify(content: Buffer, kind: Moment["kind"]): Promise<Verdict> {
    const commit = parseCommit(content);
    if (commit === undefined) return refused("it is no commit that can be read");
    const signed = splitSignedCommit(content);
    if (signed.kind === "unsigned") return refused("it is not signed");
    if (signed.kind === "odd") return refused(signed.because);
    const { payload, signature } = signed;
    const moment: Moment = { kind, nowMs: this.#clock.now(), committedAtMs: commit.committedAtMs };
    if (signature.startsWith("-----BEGIN SSH SIGNATURE-----")) {
      const keys = this.#keys.filter((key) => key.kind === "ssh");
      return verifySsh(payload, signature, keys, moment);
    }
    if (!signature.startsWith("-----BEGIN PGP SIGNATURE-----"))
      return refused("it is signed in a way that is neither OpenPGP nor SSH");
    // Loaded only where it is wanted: it takes memory.
    const { readOpenpgpKeys: readKeys, verifyOpenpgp } = await import("./verify-openpgp.ts");
    const armored = this.#keys.filter((key) => key.kind === "openpgp").map((key) => key.armored);
    this.#openpgpKeys ??= readKeys(armored);
    return verifyOpenpgp(payload, signature, await this.#openpgpKeys, moment);
  }
}
