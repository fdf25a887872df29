import { WRITING_CALLS, type WritingCall } from "../../src/common/writing-calls.ts";
import type { Random } from "../support/random.ts";
import type { Moment } from "../support/write-gate.ts";
import type { KillWorld } from "./kill-world.ts";
import { Operations, type Operation } from "./operations.ts";

/** Late: the call comes to the server when the next daemon has begun to change things itself, or has nothing more to change. */
export type Death = Moment | "late";

export interface KillSummary {
  readonly operations: ReadonlySet<string>;
  readonly calls: ReadonlySet<WritingCall>;
  readonly kills: number;
  /** Calls that the undisturbed run had and the one to be disturbed had not: timing decides how many commits tell a story. */
  readonly unreached: number;
}

export interface MatrixOptions {
  readonly deaths: readonly Death[];
  /** Of calls that come again and again within one operation, so many are looked at. */
  readonly mostOfOne: number;
  /** Only these; all when not given. */
  readonly operations?: readonly string[];
}

/** Whether the daemon is to die of this call, the nth of its name in an operation. */
type Choice = (call: WritingCall, nth: number) => boolean;

/** What every operation tells Git and forge of its own accord, once it is done; what becomes of it does not depend on the operation. */
const EVERYWHERE: ReadonlySet<WritingCall> = new Set([
  "push-mirror",
  "push-previews",
  "create-comment",
  "update-comment",
  "set-commit-status",
]);
const NAMES = Object.keys(WRITING_CALLS) as readonly WritingCall[];

/** Operations on a world whose daemon dies at their calls; counts what it did to it. */
export class Kills {
  readonly #world: KillWorld;
  readonly #operations: Operations;
  readonly #done = { operations: new Set<string>(), calls: new Set<WritingCall>(), kills: 0, unreached: 0 };

  constructor(world: KillWorld) {
    this.#world = world;
    this.#operations = new Operations(world);
  }

  get summary(): KillSummary {
    return this.#done;
  }

  /**
   * Every operation once undisturbed, to see which calls it makes; then once for each of these calls and each way to die of it. In the end all has to
   * be as if nothing had happened: the operation says so itself, two live jobs were never seen, and no count is wrong.
   */
  async all({ deaths, mostOfOne, operations }: MatrixOptions): Promise<void> {
    await this.#world.start();
    for (const operation of this.#operations.list()) {
      if (operations !== undefined && !operations.includes(operation.name)) continue;
      const counts = await this.#record(operation);
      for (const [call, count] of counts)
        for (let nth = 1; nth <= Math.min(count, mostOfOne); nth += 1)
          for (const death of deaths.filter((one) => one !== "late" || canBeLate(call)))
            if (!(await this.#one(operation, death, (other, number) => other === call && number === nth)))
              this.#done.unreached += 1;
    }
  }

  /** Until the daemon has died once of each call of the list: by turns before and after it. */
  async eachCallOnce(): Promise<void> {
    await this.#world.start();
    for (const operation of this.#operations.list()) {
      let killed = true;
      while (killed && this.#done.calls.size < NAMES.length) {
        const death = this.#done.kills % 2 === 0 ? "before" : "after";
        killed = await this.#one(operation, death, (call) => isLookedAt(call, operation) && !this.#done.calls.has(call));
      }
    }
  }

  /** Operations in any order, each with deaths and lost answers at any of its calls, also of the daemon that comes after. */
  async atRandom(random: Random, steps: number): Promise<{ readonly lostAnswers: number }> {
    let lostAnswers = 0;
    await this.#world.start();
    const [first, ...rest] = this.#operations.list();
    for (let step = 0; step < steps; step += 1) {
      const operation = random.oneOf([first!, ...rest]); // there are some
      await operation.prepare();
      const chaos = new Chaos(this.#world, random);
      this.#world.guard = async (call, moment) => chaos.guard(call, moment);
      await operation.act();
      await this.#settle(operation, `step ${step} of a random life: ${chaos.told.join(", ")}`);
      chaos.end();
      await chaos.settled();
      await this.#settle(operation, `after step ${step} of a random life: ${chaos.told.join(", ")}`);
      this.#world.guard = async () => "pass";
      for (const call of chaos.killedAt) this.#done.calls.add(call);
      this.#done.operations.add(operation.name);
      this.#done.kills += chaos.killedAt.length;
      lostAnswers += chaos.told.length - chaos.killedAt.length;
    }
    return { lostAnswers };
  }

  /** How often each call comes in a run that nobody disturbs. */
  async #record(operation: Operation): Promise<ReadonlyMap<WritingCall, number>> {
    const counts = new Map<WritingCall, number>();
    await operation.prepare();
    this.#world.guard = async (call, moment) => {
      if (moment === "before" && isLookedAt(call, operation)) counts.set(call, (counts.get(call) ?? 0) + 1);
      return "pass";
    };
    await operation.act();
    await this.#settle(operation, "undisturbed");
    this.#world.guard = async () => "pass";
    return counts;
  }

  /** Whether a call was chosen, so that the daemon died of it. */
  async #one(operation: Operation, death: Death, choice: Choice): Promise<boolean> {
    await operation.prepare();
    const killer = new Killer(this.#world, death, choice);
    this.#world.guard = async (call, moment) => killer.guard(call, moment);
    await operation.act();
    await this.#settle(operation, `to be killed ${death} a call`, () => killer.victim);
    killer.release();
    await killer.settled();
    this.#world.guard = async () => "pass";
    if (killer.victim === undefined) return false;
    if (death === "late") await this.#settle(operation, `after a late ${killer.victim}`);
    this.#done.operations.add(operation.name);
    this.#done.calls.add(killer.victim);
    this.#done.kills += 1;
    return true;
  }

  async #settle(operation: Operation, how: string, victim: () => WritingCall | undefined = () => undefined): Promise<void> {
    const what = (): string => `${operation.name}, ${how}${victim() === undefined ? "" : ` (${victim()})`}`;
    await this.#world.until(what, async () => operation.missing());
    const name = operation.counts?.();
    const wrong = name === undefined ? undefined : await this.#operations.miscounted(name);
    if (wrong !== undefined) throw new Error(`${what()}: ${wrong}`);
  }
}

function isLookedAt(call: WritingCall, { about = [] }: Operation): boolean {
  return !EVERYWHERE.has(call) || about.includes(call);
}

/** A forge knows no compare-and-swap: a comment that comes late is one more. */
function canBeLate(call: WritingCall): boolean {
  return WRITING_CALLS[call].to !== "forge";
}

/** Kills the daemon at the first call that is chosen, and starts the next one. */
class Killer {
  victim: WritingCall | undefined;
  readonly #world: KillWorld;
  readonly #death: Death;
  readonly #choice: Choice;
  readonly #released = Promise.withResolvers<void>();
  readonly #counts = new Map<WritingCall, number>();
  #killing: Promise<void> = Promise.resolve();

  constructor(world: KillWorld, death: Death, choice: Choice) {
    this.#world = world;
    this.#death = death;
    this.#choice = choice;
  }

  async guard(call: WritingCall, moment: Moment): Promise<"pass" | "cut"> {
    if (this.victim !== undefined) {
      await this.#killing;
      // The next daemon acts, so now the call of the dead one may come.
      if (moment === "after") this.#released.resolve();
      return "pass";
    }
    if (moment === "before") this.#counts.set(call, (this.#counts.get(call) ?? 0) + 1);
    if (moment !== (this.#death === "after" ? "after" : "before") || !this.#choice(call, this.#counts.get(call) ?? 0))
      return "pass";
    this.victim = call;
    this.#killing = this.#replace();
    await this.#killing;
    if (this.#death !== "late") return "cut";
    await this.#released.promise;
    return "pass";
  }

  /** Whatever is held goes on. */
  release(): void {
    this.#released.resolve();
  }

  async settled(): Promise<void> {
    await this.#killing;
  }

  async #replace(): Promise<void> {
    await this.#world.kill();
    await this.#world.start();
  }
}

/** So many faults an operation at most, or it would never end. */
const FAULTS_AT_MOST = 4;

/** Deaths and lost answers wherever the dice say so. */
class Chaos {
  readonly told: string[] = [];
  readonly killedAt: WritingCall[] = [];
  readonly #world: KillWorld;
  readonly #random: Random;
  #left = FAULTS_AT_MOST;
  #killing: Promise<void> = Promise.resolve();

  constructor(world: KillWorld, random: Random) {
    this.#world = world;
    this.#random = random;
  }

  async guard(call: WritingCall, moment: Moment): Promise<"pass" | "cut"> {
    await this.#killing;
    if (this.#left === 0 || !this.#random.percent(20)) return "pass";
    this.#left -= 1;
    if (this.#random.percent(25)) {
      this.told.push(`lost ${moment} ${call}`);
      return "cut";
    }
    const arrives = moment === "before" && this.#random.percent(30);
    this.told.push(`killed ${moment} ${call}${arrives ? ", which arrived" : ""}`);
    this.killedAt.push(call);
    this.#killing = this.#replaceAfter(this.#killing);
    await this.#killing;
    return arrives ? "pass" : "cut";
  }

  /** One at a time. */
  async #replaceAfter(before: Promise<void>): Promise<void> {
    await before;
    await this.#world.kill();
    await this.#world.start();
  }

  end(): void {
    this.#left = 0;
  }

  async settled(): Promise<void> {
    await this.#killing;
  }
}

/** What README quotes. */
export function describeKills(what: string, { operations, kills, unreached, calls }: KillSummary): string {
  const missed = unreached === 0 ? "" : `, ${unreached} more did not come again`;
  return `${what}: killed ${kills} times, at ${calls.size} of ${NAMES.length} writing calls, in ${operations.size} operations${missed}; lost or doubled: nothing`;
}
