import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parse } from "yaml";
import type { Condition } from "../../../src/model/status.ts";
import { startFakeFlink, type FakeFlink, type FakeJob } from "../../support/fake-flink.ts";
import { startGitServer, type GitServer } from "../../support/git-server.ts";
import { createRandom } from "../../support/random.ts";
import { counterJar } from "../../scenarios/manifests.ts";
import { startDaemonUnderTest, type DaemonUnderTest } from "../daemon-under-test.ts";
import { Churn, type ChangeKind } from "./churn.ts";
import { causeFault, endFaults, type FaultKind } from "./faults.ts";
import { StateLedger } from "./ledger.ts";

export interface SoakOptions {
  /** Commits and faults in all. */
  readonly rounds: number;
  readonly seed: number;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

/** What the process holds when everything is at rest. */
export interface Sample {
  readonly round: number;
  readonly rssBytes: number;
  /** Open files, sockets and the like. */
  readonly handles: number;
}

export interface SoakResult {
  readonly seed: number;
  readonly rounds: number;
  readonly seconds: number;
  readonly changes: ReadonlyMap<ChangeKind, number>;
  readonly faults: ReadonlyMap<FaultKind, number>;
  /** Jobs that Flink began to run, and how many of them from a checkpoint or savepoint. */
  readonly starts: number;
  readonly restores: number;
  readonly statusCommits: number;
  /** How often the local copy of the repository was built anew. */
  readonly copies: number;
  readonly samples: readonly Sample[];
  /** Two live jobs of one Job, or a start from anything but its newest state. */
  readonly violations: readonly string[];
}

interface SoakWorld {
  readonly git: GitServer;
  readonly flinks: readonly [FakeFlink, FakeFlink];
  readonly daemon: DaemonUnderTest;
  readonly ledger: StateLedger;
  readonly churn: Churn;
}

const STATUS_BRANCH = "penstock/status";
const NEW_COPY = "the repository is copied anew";
/** So often everything is put right, and has to come right. */
const ROUNDS_PER_REST = 25;
const FAULTS_OF_HUNDRED = 35;
const LONGEST_PAUSE_MS = 300;
const LOOK_EVERY_MS = 10;
const PATIENCE_MS = 120_000;

/** One daemon through so many pushes and faults, held against what it promises all the while. Fails when it does not come to rest. */
export async function runSoak({ rounds, seed, signal, say }: SoakOptions): Promise<SoakResult> {
  await using cleanups = new AsyncDisposableStack();
  const world = await createSoakWorld(seed, cleanups);
  const { git, flinks, churn, ledger, daemon } = world;
  const looking = setInterval(() => ledger.look(), LOOK_EVERY_MS);
  cleanups.defer(() => clearInterval(looking));
  const random = createRandom(seed);
  const changes = new Map<ChangeKind, number>();
  const faults = new Map<FaultKind, number>();
  const samples: Sample[] = [];
  const startedMs = Date.now();
  await untilAtRest(world, signal);
  churn.rested();
  for (let round = 1; round <= rounds; round += 1) {
    const change = random.percent(FAULTS_OF_HUNDRED) ? undefined : churn.next();
    if (change === undefined) {
      ledger.look();
      countOne(faults, await causeFault(random, flinks, git));
    } else {
      await git.commitFiles("jobs", "main", change.files, change.does);
      countOne(changes, change.does);
    }
    await delay(random.below(LONGEST_PAUSE_MS), undefined, { signal });
    if (random.percent(20)) await endFaults(flinks, git);
    if (round % ROUNDS_PER_REST !== 0 && round !== rounds) continue;
    await endFaults(flinks, git);
    const mended = churn.mend();
    if (mended !== undefined) await git.commitFiles("jobs", "main", mended.files, mended.does);
    await untilAtRest(world, signal);
    churn.rested();
    samples.push({ round, rssBytes: (await daemon.usage()).rssBytes, handles: await countHandles(daemon.pid) });
    say(`round ${round}: ${JSON.stringify(samples.at(-1))}`);
  }
  return {
    seed,
    rounds,
    seconds: (Date.now() - startedMs) / 1000,
    changes,
    faults,
    starts: ledger.starts,
    restores: ledger.restores,
    statusCommits: (await git.log("jobs", STATUS_BRANCH)).length,
    copies: daemon.count(({ msg }) => msg === NEW_COPY),
    samples,
    violations: ledger.violations,
  };
}

async function createSoakWorld(seed: number, cleanups: AsyncDisposableStack): Promise<SoakWorld> {
  const folder = await mkdtemp(join(tmpdir(), "penstock-soak-"));
  cleanups.defer(async () => rm(folder, { recursive: true, force: true }));
  const flinks = [await startFakeFlink({ slots: 100 }), await startFakeFlink({ slots: 100 })] as const;
  for (const flink of flinks) cleanups.defer(async () => flink.close());
  const git = await startGitServer();
  cleanups.defer(async () => git.close());
  await git.createRepository("jobs");
  const churn = new Churn(createRandom(seed));
  await git.commitFiles("jobs", "main", { ...churn.first(), "jars/counter.jar": await counterJar() }, "Begin");
  const configFile = join(folder, "penstock.yaml");
  const clusters = flinks.map(({ url }, index) => [`cluster-${index}`, { url: url.href, pollInterval: "200ms", timeout: "2s" }]);
  const config = {
    instance: "soak",
    repository: { url: git.urlOf("jobs"), pollInterval: "200ms", timeout: "5s" },
    zones: { local: { clusters: Object.fromEntries(clusters) as unknown } },
    artifacts: { cacheDir: join(folder, "cache") },
    server: { port: 0 },
  };
  await writeFile(configFile, JSON.stringify(config));
  const daemon = startDaemonUnderTest(configFile);
  cleanups.defer(async () => daemon.stop());
  return { git, flinks, churn, daemon, ledger: new StateLedger(flinks, (name) => churn.predecessorOf(name)) };
}

/** When Flink runs exactly what is declared, with as many slots, and the status branch says the same. */
async function untilAtRest(world: SoakWorld, signal: AbortSignal): Promise<void> {
  const deadlineMs = Date.now() + PATIENCE_MS;
  for (;;) {
    const wrong = [...whatRunsWrong(world), ...(await whatIsToldWrong(world))];
    if (wrong.length === 0) return;
    if (Date.now() > deadlineMs)
      throw new Error(`it does not come to rest:\n${wrong.join("\n")}\n${world.daemon.newestLines(60).join("\n")}`);
    world.daemon.find(() => false); // says so when it ended by itself
    await delay(200, undefined, { signal });
  }
}

const ABSENT: Pick<FakeJob, "parallelism" | "checkpoints" | "restoredFrom"> & { readonly state: string } = {
  state: "absent",
  parallelism: 0,
  checkpoints: [],
  restoredFrom: undefined,
};

function whatRunsWrong({ ledger, churn }: SoakWorld): readonly string[] {
  const live = ledger.live();
  const stray = [...live.keys()].filter((name) => (churn.expected.get(name) ?? 0) === 0).map((name) => `${name} still runs`);
  const wrong = [...churn.expected].flatMap(([name, rpus]) => {
    const { state, parallelism, checkpoints, restoredFrom } = live.get(name) ?? ABSENT;
    // An upgrade of what has no state yet waits for a person.
    const hasState = checkpoints.length > 0 || restoredFrom !== undefined;
    const isRight = rpus === 0 || (state === "RUNNING" && parallelism === rpus && hasState);
    return isRight ? [] : [`${name} should run with ${rpus} and is ${state} with ${parallelism}`];
  });
  return [...stray, ...wrong];
}

interface JobFile {
  readonly status: {
    readonly phase: string;
    readonly flinkJobState: string;
    readonly requestedRpus?: number;
    readonly operation?: unknown;
    readonly conditions: readonly Condition[];
  };
}

async function whatIsToldWrong({ git, churn }: SoakWorld): Promise<readonly string[]> {
  if ((await git.head("jobs", STATUS_BRANCH)) === undefined) return ["there is no status branch"];
  const wrong: string[] = [];
  for (const [name, rpus] of churn.expected) {
    const path = `local/default/job/${name}.yaml`;
    // No such file yet is what is asked here.
    const text = await git.readFile("jobs", STATUS_BRANCH, path).catch(() => undefined);
    const { status } = text === undefined ? {} : (parse(text) as JobFile);
    const { phase, flinkJobState, requestedRpus, operation, conditions = [] } = status ?? {};
    const isRight =
      operation === undefined &&
      (rpus === 0
        ? conditions.some(
            ({ type, reason, status: holds }) => reason === "Suspended" || (type === "Suspended" && holds === "True"),
          )
        : phase === "Ready" && flinkJobState === "Running" && requestedRpus === rpus);
    if (!isRight)
      wrong.push(
        `the status of ${name} (${rpus}) says ${JSON.stringify({ phase, flinkJobState, requestedRpus, operation, conditions })}`,
      );
  }
  return wrong;
}

async function countHandles(pid: number): Promise<number> {
  return (await readdir(`/proc/${pid}/fd`)).length;
}

function countOne<Key>(counts: Map<Key, number>, key: Key): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
