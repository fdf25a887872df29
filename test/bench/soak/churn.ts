import type { Random } from "../../support/random.ts";
import { aFinalSavepoint, aJob, anArtifact } from "../../scenarios/manifests.ts";

/** A Job that the soak declares, and what it did to it. */
interface Declared {
  readonly name: string;
  /** The Job whose Final Savepoint it goes on from. */
  readonly after: string | undefined;
  /** What its accepted manifest asks for; 0 while it is suspended. */
  readonly rpus: number;
  /** Its file is broken, or what is immutable was changed: it goes on as it was. */
  readonly spoilt: "broken" | "changed" | undefined;
}

/** One commit of the soak. */
export interface Change {
  readonly does: ChangeKind;
  readonly files: Readonly<Record<string, string | null>>;
}

export type ChangeKind = (typeof CHANGES)[number] | "mend";

const CHANGES = ["rescale", "suspend", "resume", "add", "delete", "revert", "upgrade", "break", "change"] as const;
const FEWEST = 8;
const MOST = 12;
/** So many may go between two rests: the guard holds more, as it should. */
const DELETIONS_AT_ONCE = 2;
const LARGEST_RPUS = 3;

/** The repository of the soak: what it declares, and what its next commit does. Pure but for its own memory. */
export class Churn {
  readonly #random: Random;
  readonly #declared = new Map<string, Declared>();
  /** Deleted since the last rest, and for good as well as for a revert. */
  #deleted: Declared[] = [];
  /** Added, upgraded or suspended since the last rest: what needs a running job before it lets them be. */
  readonly #fresh = new Set<string>();
  #made = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  first(): Readonly<Record<string, string>> {
    while (this.#declared.size < FEWEST) this.#add();
    return Object.fromEntries([...this.#declared.values()].map((job) => [fileOf(job), textOf(job)]));
  }

  /** Undefined when all that may be changed was changed since the last rest. */
  next(): Change | undefined {
    for (let tries = 0; tries < 5 * CHANGES.length; tries += 1) {
      const does = this.#random.oneOf(CHANGES);
      const files = this.#try(does);
      if (files !== undefined) return { does, files };
    }
    return undefined;
  }

  /** Puts right what was spoilt, so that everything can come to rest; undefined when there is nothing. */
  mend(): Change | undefined {
    const spoilt = [...this.#declared.values()].filter((job) => job.spoilt !== undefined);
    if (spoilt.length === 0) return undefined;
    return { does: "mend", files: Object.assign({}, ...spoilt.map((job) => this.#put({ ...job, spoilt: undefined }))) };
  }

  /** Everything is as declared: what was fresh may be changed again, and what was deleted is gone. */
  rested(): void {
    this.#fresh.clear();
    this.#deleted = [];
  }

  /** What should run by name, with its RPUs; 0 is suspended. */
  get expected(): ReadonlyMap<string, number> {
    return new Map([...this.#declared.values()].map(({ name, rpus }) => [name, rpus]));
  }

  /** The Job whose state this one goes on from. */
  predecessorOf(name: string): string | undefined {
    return this.#declared.get(name)?.after;
  }

  #try(does: ChangeKind): Readonly<Record<string, string | null>> | undefined {
    const job = this.#anyQuiet();
    switch (does) {
      case "add":
        return this.#declared.size >= MOST ? undefined : this.#put(this.#add());
      case "revert": {
        const back = this.#deleted.pop();
        return back === undefined ? undefined : this.#put(back);
      }
      case "rescale":
        return job === undefined || job.rpus === 0 ? undefined : this.#put({ ...job, rpus: (job.rpus % LARGEST_RPUS) + 1 });
      case "suspend":
        return job === undefined || job.rpus === 0 ? undefined : this.#put({ ...job, rpus: 0 });
      case "resume": {
        const down = [...this.#declared.values()].find(({ rpus, spoilt }) => rpus === 0 && spoilt === undefined);
        return down === undefined ? undefined : this.#put({ ...down, rpus: 1 });
      }
      case "break":
      case "change":
        if (job === undefined || job.rpus === 0) return undefined;
        return this.#put({ ...job, spoilt: does === "break" ? "broken" : "changed" });
      case "delete":
        return job === undefined ? undefined : this.#delete(job);
      case "upgrade":
        return job === undefined || job.rpus === 0 ? undefined : this.#upgrade(job);
      case "mend":
        return this.mend()?.files;
      default:
        return does satisfies never;
    }
  }

  #add(): Declared {
    this.#made += 1;
    const job = { name: `job-${this.#made}`, after: undefined, rpus: 1 + this.#random.below(2), spoilt: undefined };
    this.#declared.set(job.name, job);
    this.#fresh.add(job.name);
    return job;
  }

  #delete(job: Declared): Readonly<Record<string, null>> | undefined {
    if (this.#deleted.length >= DELETIONS_AT_ONCE || this.#declared.size < FEWEST) return undefined;
    this.#declared.delete(job.name);
    this.#deleted.push(job);
    return { [fileOf(job)]: null };
  }

  /** The new Job and the Final Savepoint of the old one come with the same commit that takes the old one away. */
  #upgrade(job: Declared): Readonly<Record<string, string | null>> {
    this.#declared.delete(job.name);
    this.#made += 1;
    const next = { name: `job-${this.#made}`, after: job.name, rpus: job.rpus, spoilt: undefined };
    this.#fresh.add(next.name);
    return { [fileOf(job)]: null, ...this.#put(next) };
  }

  /** One that nothing was done to since the last rest that it might not have seen the end of. */
  #anyQuiet(): Declared | undefined {
    const quiet = [...this.#declared.values()].filter(({ name, spoilt }) => spoilt === undefined && !this.#fresh.has(name));
    return quiet[this.#random.below(quiet.length)];
  }

  #put(job: Declared): Readonly<Record<string, string>> {
    this.#declared.set(job.name, job);
    return { [fileOf(job)]: textOf(job) };
  }
}

function fileOf({ name }: Declared): string {
  return `jobs/${name}.yaml`;
}

/** An Artifact for each: two Jobs that share one, of which one goes while the other comes, look like a rename. */
function textOf({ name, after, rpus, spoilt }: Declared): string {
  if (spoilt === "broken") return `apiVersion: core/v1alpha1\nkind: [Job\n`;
  const job = aJob(name, {
    rpus,
    mainArgs: ["--name", spoilt === "changed" ? "another" : name],
    configuration: { "execution.checkpointing.interval": "1s" },
    spec: after === undefined ? "" : `  initialStateRef: {name: ${after}-final}\n`,
  });
  return anArtifact(name) + job + (after === undefined ? "" : aFinalSavepoint(after));
}
