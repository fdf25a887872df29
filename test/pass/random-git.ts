import type { JobSpec, Manifest, SavepointSpec } from "../../src/model/manifest.ts";
import type { ResourceId } from "../../src/model/resource.ts";
import type { Random } from "../support/random.ts";
import { aManifest, anArtifactManifest, anId, aSavepointManifest } from "./builders.ts";

export const NAMES = ["a", "b", "c"] as const;
/** Every Job that a commit may ever name. */
export const ALL_NAMES: readonly string[] = NAMES.flatMap((name) => [name, nextOf(name), renamed(name)]);

interface JobText {
  readonly spec: Partial<JobSpec>;
  readonly isBroken?: true;
  readonly isPaused?: true;
  /** What says that it is not another one that was renamed. */
  readonly isNew?: false;
}

/** The documents of a repository, and everything that people do to them. */
export class RandomGit {
  /** A document whose identity cannot be read. */
  deletionsHeld = false;
  /** The newest commit carries the trailer. */
  allowsDeletions = false;
  readonly jobs = new Map<string, JobText>(NAMES.map((name) => [name, { spec: {} }]));
  readonly savepoints = new Map<string, SavepointSpec>();
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  /** A person commits; `somePoint` is a savepoint or checkpoint that is there. */
  commit(somePoint: string | undefined): void {
    const random = this.#random;
    const name = random.oneOf(NAMES);
    if (random.percent(8)) this.deletionsHeld = !this.deletionsHeld;
    this.allowsDeletions = random.percent(20);
    const [change] = random.oneOf<readonly [() => void]>([
      [() => this.#edit(name)],
      [() => this.#edit(name)],
      [() => this.#edit(name)],
      [() => this.#edit(nextOf(name))],
      [() => this.#upgrade(name)],
      [() => this.#upgrade(name)],
      [() => this.#revertUpgrade(name)],
      [() => this.#toggleFinal(name)],
      [() => this.#toggleDemand(name)],
      [() => this.#toggleDemand(name)],
      [() => this.#toggleExternal(name, somePoint)],
      [() => this.#rename(name)],
    ]);
    change();
  }

  /** What is declared from now on is right, and either goes on as it stands or is put back to how it began. */
  calmDown(): void {
    this.deletionsHeld = false;
    this.allowsDeletions = true;
    const isPutBack = this.#random.percent(50);
    if (isPutBack) {
      this.jobs.clear();
      this.savepoints.clear();
    }
    for (const name of isPutBack ? NAMES : [...this.jobs.keys()]) {
      const initialState = this.jobs.get(name)?.spec.initialState;
      const isThere = initialState !== undefined && this.savepoints.has(initialState.savepoint);
      this.jobs.set(name, { spec: { rpus: 2, ...(isThere ? { initialState } : {}) } });
    }
  }

  manifests(): { readonly manifests: readonly Manifest[]; readonly broken: readonly ResourceId[] } {
    const manifests: Manifest[] = [anArtifactManifest()];
    const broken: ResourceId[] = [];
    for (const [name, job] of this.jobs) {
      if (job.isBroken === true) broken.push(anId({ name }));
      else manifests.push(jobManifest(name, job));
    }
    for (const [name, spec] of this.savepoints) manifests.push(aSavepointManifest(name, spec));
    return { manifests, broken };
  }

  #edit(name: string): void {
    const random = this.#random;
    const before = this.jobs.get(name);
    const initialState = before?.spec.initialState;
    const specs: readonly [Partial<JobSpec>, ...Partial<JobSpec>[]] = [
      {},
      {},
      { rpus: 3 },
      { rpus: 1 },
      { rpus: 0 },
      { artifact: "other" },
      { rpus: 99 },
    ];
    const spec = { ...random.oneOf(specs), ...(initialState === undefined ? {} : { initialState }) };
    const next = random.oneOf<JobText | undefined>([
      { spec },
      { spec },
      { spec },
      { spec, isBroken: true },
      { spec, isPaused: true },
      undefined,
    ]);
    if (next === undefined) this.jobs.delete(name);
    else this.jobs.set(name, next);
  }

  /** One commit; now and then with a slip in the name of the Savepoint, or with another method. */
  #upgrade(name: string): void {
    const random = this.#random;
    const savepoint = random.percent(10) ? "nowhere" : finalOf(name);
    const initialState = { savepoint, allowNonRestoredState: false };
    this.jobs.set(nextOf(name), { spec: { ...(random.percent(20) ? { rpus: 3 } : {}), initialState } });
    this.savepoints.set(finalOf(name), this.#final(name));
    if (random.percent(50)) this.jobs.delete(name);
  }

  #revertUpgrade(name: string): void {
    this.jobs.delete(nextOf(name));
    this.savepoints.delete(finalOf(name));
    this.jobs.set(name, { spec: {} });
  }

  #toggleFinal(name: string): void {
    if (!this.savepoints.delete(finalOf(name))) this.savepoints.set(finalOf(name), this.#final(name));
  }

  #final(job: string): SavepointSpec {
    const random = this.#random;
    const shutdownMethod = random.percent(20) ? "Drain" : "Graceful";
    return { type: "Final", job, shutdownMethod, deletionPolicy: random.oneOf(["Retain", "Delete"]) };
  }

  #toggleDemand(name: string): void {
    const deletionPolicy = this.#random.oneOf(["Retain", "Delete"] as const);
    if (!this.savepoints.delete(demandOf(name)))
      this.savepoints.set(demandOf(name), { type: "OnDemand", job: name, deletionPolicy });
  }

  /** Somebody names the files of another job by their place, and starts from them. */
  #toggleExternal(name: string, uri: string | undefined): void {
    if (this.savepoints.delete("theirs") || uri === undefined) return;
    this.savepoints.set("theirs", { type: "External", uri, deletionPolicy: this.#random.oneOf(["Retain", "Delete"]) });
    this.jobs.set(nextOf(name), { spec: { initialState: { savepoint: "theirs", allowNonRestoredState: false } } });
  }

  /** In place, or put back. */
  #rename(name: string): void {
    if (this.jobs.delete(renamed(name))) {
      this.jobs.set(name, { spec: {} });
      return;
    }
    this.jobs.delete(name);
    this.jobs.set(renamed(name), { spec: {}, isNew: false });
  }
}

export function finalOf(name: string): string {
  return `${name}-final`;
}

function demandOf(name: string): string {
  return `${name}-demand`;
}

function nextOf(name: string): string {
  return `${name}-next`;
}

function renamed(name: string): string {
  return `${name}-renamed`;
}

/** Each in a file of its own, and never taken for another one that was renamed, unless it is one. */
function jobManifest(name: string, { spec, isPaused, isNew }: JobText): Manifest {
  const annotations = {
    ...(isNew === false ? {} : { "penstock/start-empty": "new" }),
    ...(isPaused === true ? { "penstock/paused": "true" } : {}),
  };
  return aManifest({ id: { name }, spec, annotations, source: { path: `${name}.yaml` } });
}
