import type { Clock } from "../common/clock.ts";
import { isAbort, messageOf } from "../common/errors.ts";
import { canonicalJson, sha256Hex } from "../common/hash.ts";
import type { Log } from "../common/log.ts";
import { PREVIEWS_BRANCH } from "../config/branch-name.ts";
import { oneLine } from "../common/text.ts";
import {
  GitAuthError,
  GitProtocolError,
  GitRateLimitedError,
  GitRepositoryNotFoundError,
  GitUnreachableError,
} from "../git/errors.ts";
import type { RequestRepository } from "../git/request-repository.ts";
import type { StatusBranch } from "../git/status-branch.ts";
import type { DonePass, Pass } from "../pass/reconcile.ts";
import { findRequests, refPrefixes, type Request } from "./find-requests.ts";
import type { Plan } from "./plan.ts";
import { planRequest, planWithout, RequestTooLargeError, subjectOf, type PlanRequestDeps } from "./plan-request.ts";
import { idOfPreview, previewChanges, previewMessage, readPlan } from "./preview-files.ts";

/** Who tells the people of a request about its plan, besides the branch. */
export interface RequestReporter {
  /** Requests that are open, by number; undefined when that cannot be told. */
  openNumbers(signal: AbortSignal): Promise<ReadonlySet<number> | undefined>;
  /** False when it has to be told again. Never throws but for the signal. */
  report(request: Request, plan: Plan, signal: AbortSignal): Promise<boolean>;
}

export interface PreviewsDeps extends PlanRequestDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly requests: RequestRepository;
  /** The branch `penstock/previews`. */
  readonly branch: StatusBranch;
  readonly reporter?: RequestReporter;
}

interface Known {
  readonly request: Request;
  /** Of what it was planned by: head, base, live state. */
  readonly key: string;
  readonly plan: Plan | undefined;
}

/** One request may not keep the others waiting. */
const PLAN_TIMEOUT_MS = 60_000;
/** A round goes on for so long: 200 requests that are all new take a Git server half a minute. */
const ROUND_MS = 10_000;
/** Of a request that another daemon has written a plan of it is about to tell as well: two that create a comment at the same moment are two comments. */
const LEFT_TO_OTHERS_MS = 30_000;
/** A forge may want its calls a second apart: of so many requests it is told in a round, of the rest in the next ones. */
const MAX_TOLD = 10;

/**
 * The plans of open requests, beside the passes and never in their way: one listing of refs a poll, a plan for each request whose head, base or
 * live state moved, one commit for all of them. Whatever goes wrong is tried again with the next poll.
 */
export class Previews {
  readonly #deps: PreviewsDeps;
  readonly #known = new Map<string, Known>();
  /** What the last listing did not hold any more; gone is what two in a row did not. */
  #missed: ReadonlySet<string> = new Set();
  #gone: ReadonlySet<string> = new Set();
  #requests: readonly Request[] = [];
  #live: DonePass | undefined;
  #trouble: string | undefined;
  /** Why a request could not be planned when it was last tried, so that it is said once. */
  readonly #putOff = new Map<string, string>();
  #unwritten = true;
  /** Plans that were not told yet, by request, and when they may be. */
  readonly #untold = new Map<string, { readonly plan: Plan; readonly notBeforeMs: number }>();
  /** Requests of which this daemon has told a plan, or is about to. */
  readonly #ownWord = new Set<string>();

  constructor(deps: PreviewsDeps) {
    this.#deps = deps;
  }

  /** What is live now. Cheap: it is called after every pass. */
  notePass(pass: Pass): void {
    if (pass.kind === "done") this.#live = pass;
  }

  /** Until the signal is aborted; `sleep` ends before its time when a webhook came. Never rejects. */
  async run(signal: AbortSignal, sleep: (ms: number, signal: AbortSignal) => Promise<unknown>): Promise<void> {
    const { config, clock } = this.#deps;
    while (!signal.aborted) {
      // Live state that moves is seen with the next poll, too: so bursts of changes are one plan.
      const delayMs = config.repository.pollIntervalMs * (0.9 + 0.2 * clock.random());
      await sleep(delayMs, signal);
      if (!signal.aborted) await this.#tryRound(signal);
    }
  }

  async #tryRound(signal: AbortSignal): Promise<void> {
    try {
      await this.#round(signal);
      if (this.#trouble !== undefined) this.#deps.log.info("requests can be planned again");
      this.#trouble = undefined;
    } catch (error) {
      if (isAbort(error, signal)) return;
      const because = oneLine(messageOf(error), 300);
      const isNew = this.#trouble !== because && !isAboutTheServer(error);
      this.#deps.log[isNew ? "warn" : "debug"]({ because }, "requests cannot be planned; it is tried again");
      if (isNew) this.#trouble = because;
    }
  }

  async #round(signal: AbortSignal): Promise<void> {
    await this.#list(signal);
    const live = this.#live;
    if (live === undefined) return;
    let news = 0;
    const began = this.#deps.clock.now();
    for (const [request, key] of this.#due(live)) {
      // The others are planned in the next rounds: what is known by now is written, and heads that moved meanwhile are seen.
      if (this.#deps.clock.now() - began >= ROUND_MS) break;
      signal.throwIfAborted();
      if (await this.#plan(request, key, live, signal)) news += 1;
    }
    this.#forgetAllBut(new Set(this.#requests.map(({ id }) => id)));
    if (news > 0 || this.#unwritten) await this.#write(live, signal);
    await this.#report(signal);
  }

  #forgetAllBut(ids: ReadonlySet<string>): void {
    for (const known of [this.#known, this.#ownWord]) for (const id of known.keys()) if (!ids.has(id)) known.delete(id);
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { config, requests, reporter } = this.#deps;
    const patterns = config.previews.branches;
    const refs = await requests.listRefs(refPrefixes(patterns), signal);
    const found = findRequests(refs, { patterns, own: [config.repository.branch, config.status.branch, PREVIEWS_BRANCH] });
    const open = found.some(({ number }) => number !== undefined) ? await reporter?.openNumbers(signal) : undefined;
    const listed = open === undefined ? found : found.filter(({ number }) => number === undefined || open.has(number));
    const ids = new Set(listed.map(({ id }) => id));
    const missed = new Set(this.#requests.map(({ id }) => id).filter((id) => !ids.has(id)));
    this.#gone = new Set([...this.#missed, ...this.#gone].filter((id) => !ids.has(id)));
    if (missed.size > 0 || this.#missed.size > 0) this.#unwritten = true;
    this.#missed = missed;
    this.#requests = listed;
  }

  /** What is to be planned, each with its key: first what is new or moved, then what was planned the longest time ago. */
  #due(live: DonePass): readonly (readonly [Request, string])[] {
    const base = `${live.snapshot.head.oid} ${liveDigest(live)}`;
    const order = new Map([...this.#known.keys()].map((id, index) => [id, index]));
    const rank = ({ id, head }: Request): number => (this.#known.get(id)?.request.head === head ? order.get(id)! : -1);
    return this.#requests
      .map((request) => [request, `${request.head} ${base}`] as const)
      .filter(([{ id }, key]) => this.#known.get(id)?.key !== key)
      .sort(([a], [b]) => rank(a) - rank(b));
  }

  /** True when its plan is another one than before. What cannot be had now keeps the plan that it has. */
  async #plan(request: Request, key: string, live: DonePass, signal: AbortSignal): Promise<boolean> {
    const before = this.#known.get(request.id);
    const plan = await this.#planNow(request, live, signal);
    if (plan === "later") return false;
    this.#putOff.delete(request.id);
    this.#known.delete(request.id); // it is the one that was planned last now
    this.#known.set(request.id, { request, key, plan });
    return before === undefined || canonicalJson(before.plan) !== canonicalJson(plan);
  }

  /** Undefined when the branch has all of it already. */
  async #planNow(request: Request, live: DonePass, signal: AbortSignal): Promise<Plan | undefined | "later"> {
    const { config, requests, log } = this.#deps;
    const limited = AbortSignal.any([signal, AbortSignal.timeout(PLAN_TIMEOUT_MS)]);
    try {
      const tree = await requests.merge(live.snapshot.head.oid, request.head, limited);
      return tree.kind === "contained" ? undefined : await planRequest(this.#deps, request, tree, live, limited);
    } catch (error) {
      signal.throwIfAborted();
      const because = oneLine(messageOf(error), 300);
      if (!(error instanceof RequestTooLargeError) && !limited.aborted) {
        const isNew = this.#putOff.get(request.id) !== because && !isAboutTheServer(error);
        log[isNew ? "warn" : "debug"]({ request: request.name, because }, "request cannot be planned now; it is tried again");
        this.#putOff.set(request.id, because);
        return "later";
      }
      const why = limited.aborted ? "planning it took too long" : because;
      const subject = subjectOf(request, live.snapshot.head.oid, { kind: "head-alone", because: "it was not merged" });
      return planWithout(config, subject, live, [`it is not planned: ${why}`]);
    }
  }

  async #write(live: DonePass, signal: AbortSignal): Promise<void> {
    const { branch, config, log } = this.#deps;
    const read = await branch.read(signal);
    const plans = new Map<string, Plan>();
    for (const [id, { plan }] of this.#known) if (plan !== undefined) plans.set(id, plan);
    const listed = new Set(this.#requests.map(({ id }) => id));
    // A file of which nothing is known was left by a daemon before this one; its request is looked for in two listings as well.
    const unseen = [...read.files.keys()]
      .map(idOfPreview)
      .filter((id) => id !== undefined && !listed.has(id) && !this.#gone.has(id));
    // Of one that is listed and was not planned yet, by this daemon, nothing is known.
    const isContained = (id: string): boolean => listed.has(id) && this.#known.has(id) && this.#known.get(id)?.plan === undefined;
    const isGone = (id: string): boolean => this.#gone.has(id) || isContained(id);
    const found = previewChanges(read.files, plans, isGone);
    if (found.changes.size > 0) {
      const message = previewMessage(found);
      const write = { expectedHead: read.head, changes: found.changes, message, author: config.status.author, nowMs: live.now };
      const written = await branch.write(write, signal);
      if (written.kind === "refused") throw new Error(`branch ${PREVIEWS_BRANCH} cannot be written: ${written.because}`);
      if (written.kind === "conflict") return; // another daemon wrote it; the next round looks again
      log.info({ planned: found.planned, removed: found.removed }, "requests planned");
    }
    this.#unwritten = unseen.length > 0;
    this.#missed = new Set([...this.#missed, ...unseen.filter((id) => id !== undefined)]);
    this.#noteUntold(plans, found.planned, read.files);
  }

  /**
   * A daemon before this one may have died between the branch and the forge, so what it wrote is told again: in the words that stand there, and
   * not at once, for it may be alive and just about to.
   */
  #noteUntold(plans: ReadonlyMap<string, Plan>, planned: readonly string[], files: ReadonlyMap<string, string>): void {
    const nowMs = this.#deps.clock.now();
    for (const [id, plan] of plans) {
      const isNew = planned.includes(id);
      const isOwn = this.#ownWord.has(id);
      if (!isNew && isOwn) continue;
      const written = readPlan(files, id);
      const isLeft = !isOwn && written !== undefined;
      this.#untold.set(id, {
        plan: isNew ? plan : (written ?? plan),
        notBeforeMs: isLeft ? nowMs + LEFT_TO_OTHERS_MS : nowMs,
      });
      this.#ownWord.add(id);
    }
  }

  async #report(signal: AbortSignal): Promise<void> {
    const nowMs = this.#deps.clock.now();
    const due = [...this.#untold].filter(([, { notBeforeMs }]) => notBeforeMs <= nowMs);
    for (const [id, untold] of due.slice(0, MAX_TOLD)) {
      const known = this.#known.get(id);
      this.#untold.delete(id);
      if (known?.plan === undefined || (await this.#deps.reporter?.report(known.request, untold.plan, signal)) !== false)
        continue;
      // Behind all others: the forge may refuse this one for ever, and is left alone for a while after each refusal.
      this.#untold.set(id, untold);
      return;
    }
  }
}

/** The server is down, or does not know us: whoever polls the branch says so. */
function isAboutTheServer(error: unknown): boolean {
  return (
    error instanceof GitUnreachableError ||
    error instanceof GitAuthError ||
    error instanceof GitRateLimitedError ||
    error instanceof GitRepositoryNotFoundError ||
    error instanceof GitProtocolError
  );
}

/** What a plan depends on besides the two commits: every transition is a commit of the status branch; slots move without one. */
function liveDigest({ snapshot, observed }: DonePass): string {
  const clusters = observed.clusters.map((cluster) =>
    cluster.kind === "unreachable"
      ? [cluster.zone, cluster.name]
      : [cluster.zone, cluster.name, cluster.flinkVersion, cluster.draining, cluster.slots.total, cluster.slots.free],
  );
  return sha256Hex(canonicalJson([snapshot.status.head ?? "", clusters])).slice(0, 16);
}
