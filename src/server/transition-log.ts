import { formatTime, type Clock } from "../common/clock.ts";
import { oneLine } from "../common/text.ts";
import type { DonePass } from "../pass/reconcile.ts";
import { isOnBranch } from "./pass-watch.ts";

/** One thing that changed, as the API shows it; `id` is for going on after it. */
export interface Transition {
  readonly id: string;
  readonly at: string;
  /** `resource`: a Job, Artifact or Savepoint; `cluster`: reached or lost; `commit`: a new one of the manifests is in force. */
  readonly type: "resource" | "cluster" | "commit";
  readonly kind?: string;
  readonly zone?: string;
  readonly project?: string;
  readonly name?: string;
  readonly commit?: string;
  /** `Pending → Ready, Running`. */
  readonly change: string;
  readonly because?: string;
}

type News = Omit<Transition, "id" | "at">;

/** What came after an id. `gap`: the id is of another process, or so old that something between was dropped. */
export interface Since {
  readonly transitions: readonly Transition[];
  readonly gap: boolean;
}

const KEPT = 1000;
const MAX_TEXT = 500;

/** The last transitions of this process, and whoever waits for the next ones. */
export class TransitionLog {
  readonly #clock: Clock;
  /** Tells ids of this process from those of the one before. */
  readonly #epoch: string;
  readonly #listeners = new Set<(transition: Transition) => void>();
  #kept: Transition[] = [];
  #count = 0;
  #last: DonePass | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#epoch = clock.now().toString(36);
  }

  /** The id of the newest one, or of what was before the first. */
  get lastId(): string {
    return this.#idOf(this.#count);
  }

  passEnded(pass: DonePass): void {
    if (!isOnBranch(pass)) return;
    for (const news of findNews(this.#last, pass)) this.add(news);
    this.#last = pass;
  }

  add(news: News): void {
    this.#count += 1;
    const transition = { id: this.#idOf(this.#count), at: formatTime(this.#clock.now()), ...news };
    this.#kept.push(transition);
    if (this.#kept.length > KEPT) this.#kept.shift();
    for (const listener of this.#listeners) listener(transition);
  }

  /** Everything kept when there is no id. */
  since(id: string | undefined): Since {
    if (id === undefined) return { transitions: this.#kept, gap: false };
    const number = this.#numberOf(id);
    const dropped = this.#count - this.#kept.length;
    if (number === undefined || number < dropped) return { transitions: this.#kept, gap: true };
    return { transitions: this.#kept.slice(number - dropped), gap: false };
  }

  /** Told of each one from now on, until the function that it gives back is called. */
  listen(listener: (transition: Transition) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #idOf(number: number): string {
    return `${this.#epoch}-${number}`;
  }

  #numberOf(id: string): number | undefined {
    const digits = id.startsWith(`${this.#epoch}-`) ? id.slice(this.#epoch.length + 1) : "";
    const number = /^\d{1,15}$/.test(digits) ? Number(digits) : undefined;
    return number !== undefined && number <= this.#count ? number : undefined;
  }
}

/** Resources only as they are written, so that a stream never tells what the status branch does not. */
function findNews(before: DonePass | undefined, pass: DonePass): readonly News[] {
  const { snapshot, update, published, observed } = pass;
  const news: News[] = [];
  if (before !== undefined && before.snapshot.commit !== snapshot.commit)
    news.push({ type: "commit", commit: snapshot.commit, change: "in force" });
  for (const cluster of observed.clusters) {
    const old = before?.observed.clusters.find(({ zone, name }) => zone === cluster.zone && name === cluster.name);
    if (cluster.kind === (old?.kind ?? "reachable")) continue;
    const because = cluster.kind === "unreachable" ? { because: cluster.because } : {};
    news.push({ type: "cluster", zone: cluster.zone, name: cluster.name, change: cluster.kind, ...because });
  }
  if (published.kind !== "written") return news;
  for (const { id, what, because } of update.news) {
    const { kind, zone, project, name } = id;
    const change = oneLine(what, MAX_TEXT);
    news.push({ type: "resource", kind, zone, project, name, change, because: oneLine(because, MAX_TEXT) });
  }
  return news;
}
