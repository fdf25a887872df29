import type { Clock } from "../common/clock.ts";
import type { Log } from "../common/log.ts";
import type { Config } from "../config/config.ts";
import { CommitVerifier } from "../git/commit-verifier.ts";
import type { GitTransport } from "../git/http-transport.ts";
import { ManifestRepository } from "../git/manifest-repository.ts";
import type { Verification } from "../pass/verify-head.ts";

/** Undefined when every commit of the branch counts. */
export function openVerification(
  { repository: { verify, branch } }: Pick<Config, "repository">,
  transport: GitTransport,
  tools: { readonly clock: Clock; readonly log: Log },
): Verification | undefined {
  if (verify === undefined) return undefined;
  return {
    verifier: new CommitVerifier(verify.keys, tools.clock),
    clock: tools.clock,
    openWitness: () => new ManifestRepository({ transport, branch }, tools),
  };
}
