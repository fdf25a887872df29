import type { CommitStatus } from "../forge/forge.ts";
import type { Request } from "./find-requests.ts";
import type { ForgeTeller } from "./forge-teller.ts";
import { formatPlanMarkdown } from "./format-markdown.ts";
import type { Plan } from "./plan.ts";
import type { RequestReporter } from "./previews.ts";

/** Tells a request's people its plan: in the one comment, and as the status of its head. */
export class ForgeReporter implements RequestReporter {
  readonly #teller: ForgeTeller;
  /** As it was last told: a forge that does not answer closes no request. */
  #open: ReadonlySet<number> | undefined;

  constructor(teller: ForgeTeller) {
    this.#teller = teller;
  }

  async openNumbers(signal: AbortSignal): Promise<ReadonlySet<number> | undefined> {
    this.#open = (await this.#teller.try(async (forge) => forge.readOpenRequests(signal), signal)) ?? this.#open;
    return this.#open;
  }

  async report({ number, head }: Request, plan: Plan, signal: AbortSignal): Promise<boolean> {
    const done = await this.#teller.try(async (forge) => {
      const marker = commentMarker(this.#teller.instance);
      if (number !== undefined) await forge.upsertComment(number, marker, formatPlanMarkdown(plan), signal);
      await forge.setStatus(head, planStatus(plan), signal);
      return true;
    }, signal);
    return done ?? false;
  }
}

/** By which our comment is found again; a comment in HTML, which forges do not show. */
function commentMarker(instance: string): string {
  return `<!-- penstock plan of ${instance} -->`;
}

/** Fails for what a person has to mend before it is merged. Pure. */
function planStatus(plan: Plan): CommitStatus {
  const { subject, steps, problems } = plan;
  const isConflict = subject.kind === "request" && subject.merge.kind === "conflict";
  const isRefused = steps.some(({ action, verdict }) => action === "refuse" || (action !== "leave" && verdict === "held"));
  const state = problems.length > 0 || isConflict || isRefused ? "failure" : "success";
  return {
    state,
    context: `penstock/plan/${plan.instance}`,
    description: isConflict ? "it conflicts with its branch" : plan.summary,
  };
}
