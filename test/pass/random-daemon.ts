import type { ClusterSeen } from "../../src/flink/cluster-seen.ts";
import type { DecideInput } from "../../src/pass/decide.ts";
import { rememberTold, type Told } from "../../src/pass/hold-back.ts";
import { flinkJobIdsOf } from "../../src/pass/reconcile.ts";
import type { StatusView } from "../../src/pass/snapshot.ts";
import { operationKeys, rememberAnnounced, type Announced } from "../../src/pass/take-over.ts";
import type { Random } from "../support/random.ts";
import { runPass, type PassInput, type PurePass } from "./pass-driver.ts";
import type { RandomBranches } from "./random-branches.ts";
import type { Memory, RandomWorld } from "./random-world.ts";

/** What went wrong with a push. `killed`: the daemon died right after it, and before it called anybody. */
export type PushFault = "none" | "refused" | "answer lost" | "killed";

/** What one pass came to; undefined when nothing could be decided. */
export interface DaemonPass {
  readonly input: PassInput;
  readonly pass: PurePass;
  readonly pushed: boolean;
  /** The decisions that were called for. */
  readonly called: PurePass["decisions"] | undefined;
}

/** One of several daemons of an instance: what it was shown of the branches, and what `reconcileOnce` hands from pass to pass. */
export class RandomDaemon {
  readonly memory: Memory;
  readonly #world: RandomWorld;
  readonly #branches: RandomBranches;
  readonly #settings: () => Partial<DecideInput>;
  #life = 0;
  #lastSeen: readonly ClusterSeen[] = [];
  #announced: Announced | undefined;
  #told: Told = new Map();
  #status: StatusView | undefined;
  #commit = 0;
  #isStale = true;

  constructor(memory: Memory, world: RandomWorld, branches: RandomBranches, settings: () => Partial<DecideInput>) {
    this.memory = memory;
    this.#world = world;
    this.#branches = branches;
    this.#settings = settings;
  }

  /** It is shown where the branches stand now, or some of it, or nothing. */
  poll(random: Random, isLagging: boolean): void {
    if (!isLagging || random.percent(40)) this.#isStale = true;
    if (!isLagging) this.#commit = this.#branches.newest;
    else if (random.percent(40)) this.#commit += random.below(this.#branches.newest - this.#commit + 1);
  }

  /** As `reconcileOnce`, with what is outside played by the world. */
  pass(fault: PushFault): DaemonPass | undefined {
    this.#beginAnew();
    if (this.#isStale || this.#status === undefined) this.#status = this.#branches.status;
    this.#isStale = false;
    const status = this.#status;
    if (this.#branches.appliedIn(status) > this.#commit) return undefined; // another one was shown more
    const observed = this.#world.observe(this.memory);
    const { now } = this.#world;
    const shown = this.#branches.at(this.#commit);
    const [lastSeen, told, announced] = [this.#lastSeen, this.#told, { known: this.#announced }];
    const input = { ...shown, status, observed, lastSeen, told, announced, now, decide: this.#settings() };
    const pass = runPass(input);
    const { work } = pass;
    const writes = pass.update.changes.size > 0;
    const pushed = writes && fault !== "refused" && this.#branches.push(status, pass.update);
    const written = pushed && fault === "none";
    if (writes && !written) this.#isStale = true;
    if (written) this.#status = this.#branches.status;
    const isStill = !work.repeats || status === this.#branches.status;
    const called = written || (!writes && isStill) ? work.decisions : undefined;
    if (!isStill) this.#isStale = true;
    if (fault === "killed" && pushed) {
      this.#world.restart(this.memory);
      return { input, pass, pushed, called: undefined };
    }
    if (called !== undefined) this.#world.apply(called, this.memory);
    if (written || !writes)
      this.#world.forgetAllBut(flinkJobIdsOf(pass.update, observed), operationKeys(pass.update.records), this.memory);
    this.#lastSeen = observed.clusters;
    this.#announced = rememberAnnounced(this.#announced, pass.update.records, work.decisions, now);
    this.#told = rememberTold(this.#told, { before: status, after: pass.update, written, now });
    return { input, pass, pushed, called };
  }

  #beginAnew(): void {
    if (this.#life === this.memory.lives) return;
    this.#life = this.memory.lives;
    this.#lastSeen = [];
    this.#announced = undefined;
    this.#told = new Map();
    this.#status = undefined;
  }
}
