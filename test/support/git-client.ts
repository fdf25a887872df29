import { Writable } from "node:stream";
import type { Clock } from "../../src/common/clock.ts";
import { createLog } from "../../src/common/log.ts";
import { GitTransport, type GitTransportSettings } from "../../src/git/http-transport.ts";
import { ManifestRepository } from "../../src/git/manifest-repository.ts";
import { newWriter, StatusBranch } from "../../src/git/status-branch.ts";

export interface GitClient extends AsyncDisposable {
  readonly transport: GitTransport;
  readonly manifests: ManifestRepository;
  readonly status: StatusBranch;
  /** What was logged, a line of JSON each. */
  readonly logged: readonly string[];
}

/** Everything of src/git for one repository, as the daemon would have it. */
export function openGitClient(url: string, settings: Partial<GitTransportSettings> = {}, clock: Clock = FIXED_CLOCK): GitClient {
  const logged: string[] = [];
  const stream = new Writable({ write: (chunk: Buffer, _encoding, done) => (logged.push(chunk.toString()), done()) });
  const log = createLog({ level: "debug", people: false, stream });
  const transport = new GitTransport(
    { url: new URL(url), timeoutMs: 10_000, tls: {}, maxPackBytes: 64 * 1024 ** 2, ...settings },
    clock,
  );
  return {
    transport,
    manifests: new ManifestRepository({ transport, branch: "main" }, { log }),
    status: new StatusBranch({ transport, branch: "penstock/status", write: "push-status", writer: newWriter() }, { log }),
    logged,
    [Symbol.asyncDispose]: async () => transport.close(),
  };
}

export const NEVER = new AbortController().signal;

const FIXED_CLOCK: Clock = { now: () => Date.UTC(2026, 0, 1), random: () => 0.5 };
