import type { Plan } from "./plan.ts";

/** For programs: `config/plan.schema.json` describes it. */
export function formatPlanJson(plan: Plan): string {
  return `${JSON.stringify(plan, undefined, 2)}\n`;
}
