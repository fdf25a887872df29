import type { FakeFlink } from "../../support/fake-flink.ts";
import type { GitServer } from "../../support/git-server.ts";
import type { Random } from "../../support/random.ts";

/** What goes wrong around the daemon, by name. */
export type FaultKind = (typeof FAULTS)[number];

const FAULTS = [
  "Flink drops connections",
  "Flink loses answers",
  "a proxy answers for Flink",
  "Flink's answers are cut",
  "Flink is away",
  "Flink's JobManager is lost",
  "a job fails",
  "a job is cancelled by hand",
  "Git answers 503",
  "Git's packs are cut",
  "Git's packs are damaged",
  "Git loses the answer to a push",
] as const;

/** Causes one of them. Those that last end with `endFaults`, and those of answers after some answers. */
export async function causeFault(
  random: Random,
  flinks: readonly [FakeFlink, ...FakeFlink[]],
  git: GitServer,
): Promise<FaultKind> {
  const kind = random.oneOf(FAULTS);
  const flink = random.oneOf(flinks);
  const times = 1 + random.below(6);
  const running = flink.jobs.filter(({ state }) => state === "RUNNING");
  const job = running[random.below(running.length)];
  switch (kind) {
    case "Flink drops connections":
      flink.inject(/./, { kind: "drop" }, times);
      break;
    case "Flink loses answers":
      flink.inject(/^(?:POST|PUT|PATCH|DELETE) /, { kind: "lose-answer" }, 1 + random.below(2));
      break;
    case "a proxy answers for Flink":
      flink.inject(/./, { kind: "html", status: 502 }, times);
      break;
    case "Flink's answers are cut":
      flink.inject(/./, { kind: "cut" }, times);
      break;
    case "Flink is away":
      await flink.refuse();
      break;
    case "Flink's JobManager is lost":
      flink.restart();
      break;
    case "a job fails":
      if (job !== undefined) flink.setJobState(job.flinkJobId, "FAILED", "the soak wants it so");
      break;
    case "a job is cancelled by hand":
      if (job !== undefined) flink.setJobState(job.flinkJobId, "CANCELED");
      break;
    case "Git answers 503":
      git.fault({ kind: "status", status: 503 }, { times });
      break;
    case "Git's packs are cut":
      git.fault({ kind: "close-socket" }, { service: "git-upload-pack", step: "call", times: 1 });
      break;
    case "Git's packs are damaged":
      git.fault({ kind: "flip-byte" }, { service: "git-upload-pack", step: "call", body: "command=fetch", times: 1 });
      break;
    case "Git loses the answer to a push":
      git.fault({ kind: "lose-answer" }, { service: "git-receive-pack", step: "call", times: 1 });
      break;
    default:
      return kind satisfies never;
  }
  return kind;
}

export async function endFaults(flinks: readonly FakeFlink[], git: GitServer): Promise<void> {
  git.heal();
  for (const flink of flinks) {
    flink.clearFaults();
    await flink.accept();
  }
}
